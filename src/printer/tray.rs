//! Trays: where a printer's paper lies (RFC 3805, prtInputTable).

use serde::{Deserialize, Serialize};

use crate::meter::Unit;
use crate::reading::Evidence;
use crate::supply::Level;

/// One input of a printer at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tray {
    /// `hrDeviceIndex.prtInputIndex`.
    pub index: String,
    /// Name, else description, as the device has it.
    pub name: String,
    /// What lies in it, in the device's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// How full it is.
    pub level: Level,
    /// What it holds when full, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// What lies in it, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// Unit of `capacity` and `remaining`.
    pub unit: Unit,
    /// Where the level comes from.
    pub evidence: Evidence,
}
