//! Alerts: what a printer complains about (RFC 3805, prtAlertTable, 43.18).

use serde::{Deserialize, Serialize};

/// One row of a printer's alert table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `hrDeviceIndex.prtAlertIndex`. Rows come and go: group, group index and code are the key.
    pub index: String,
    /// `other`, `critical`, `warning`, `warningBinaryChangeEvent`, or `unknown`.
    pub severity: String,
    /// prtAlertGroup as a number.
    pub group: u32,
    /// prtAlertGroupIndex, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_index: Option<i64>,
    /// prtAlertCode as a number.
    pub code: u32,
    /// The code's name in the MIB, `other` where it has none.
    pub name: String,
    /// The device's own words, decoded and bounded.
    pub description: String,
    /// Who can help, prtAlertTrainingLevel by its name in the MIB.
    pub training: String,
}
