//! What one device puts in the spool: the body of a record, as JSON.
//!
//! Made by `device.rs`, and by the Uplink for what the spool had to give up; turned into the
//! hub's language by `wire.rs` when the Uplink polls. A spool outlives the release that wrote it, so a
//! field is never renamed, only added.

use std::net::IpAddr;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::reading::Reading;
use serde::{Deserialize, Serialize};

/// One report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Report {
    /// A device was read in full.
    Full {
        /// Whose reading it is.
        device: DeviceId,
        /// What it said.
        reading: Box<Reading>,
    },
    /// A cheap status read found something changed.
    Status {
        /// Whose reading it is.
        device: DeviceId,
        /// The last full reading with what moved since.
        reading: Box<Reading>,
    },
    /// A known device did not answer.
    Silent {
        /// Which one.
        device: DeviceId,
        /// When that was seen.
        at: Timestamp,
        /// Where it was asked; absent if nobody knows where it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// The spool was full and gave up reports.
    Thinned {
        /// Whose reports they were; absent if of no one device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<DeviceId>,
        /// How many.
        reports: u32,
        /// Instant of the oldest.
        first: Timestamp,
        /// Instant of the newest.
        last: Timestamp,
    },
}

impl Report {
    /// Whose report it is.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Full { device, .. }
            | Self::Status { device, .. }
            | Self::Silent { device, .. } => Some(device),
            Self::Thinned { device, .. } => device.as_ref(),
        }
    }

    /// The report as the spool keeps it.
    #[must_use]
    pub fn to_body(&self) -> Vec<u8> {
        // Only a map with keys that are no texts, or a failing writer, could make this fail; a
        // report has neither.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a report from the spool.
    ///
    /// # Errors
    /// The body was not written by [`Report::to_body`].
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}
