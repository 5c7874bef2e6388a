//! Reports: what an agent hands over, as the store takes it. Made by the uplink's door only.

use std::net::IpAddr;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::reading::Reading;

use crate::store::agents::AgentStatus;

/// What one poll brings.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Of the agent's spool: it changes when a spool is made anew, and only grows.
    pub epoch: u64,
    /// What the agent tells of itself.
    pub status: &'a AgentStatus,
    /// Ascending by sequence; may be empty.
    pub reports: &'a [Report],
}

/// One report of an agent, checked by the door.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its place in the spool's epoch, 1 and up.
    pub sequence: u64,
    /// What it says.
    pub body: Body,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A device answered.
    Reading {
        /// Which one.
        device: DeviceId,
        /// A cheap status read, built on the last full one.
        is_status: bool,
        /// What it said.
        reading: Box<Reading>,
    },
    /// A known device did not answer.
    Silent {
        /// Which one.
        device: DeviceId,
        /// When it was asked.
        at: Timestamp,
        /// Where it was asked, if that was an address.
        address: Option<IpAddr>,
    },
    /// The agent's spool was full: so many reports were given up.
    Thinned {
        /// Of which device; `None` of several.
        device: Option<DeviceId>,
        /// How many.
        reports: u32,
        /// When the first of them was made.
        first: Timestamp,
        /// When the last of them was made.
        last: Timestamp,
    },
}
