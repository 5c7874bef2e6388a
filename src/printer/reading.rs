//! A reading: everything one printer said at one instant, each value with its evidence.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::identity::Identity;
use crate::meter::Meter;
use crate::status::Status;
use crate::supply::Supply;
use crate::tray::Tray;

/// Version of the JSON shape. It changes only when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// Everything one printer said at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Version of this shape, [`SCHEMA`].
    pub schema: u32,
    /// Always true: a device that is no printer has no reading, see [`Verdict`].
    pub is_printer: bool,
    /// Where the printer answered; absent for a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// When the last answer came, UTC, whole seconds.
    pub at: Timestamp,
    /// Who it is.
    pub identity: Identity,
    /// How it is.
    pub status: Status,
    /// What it has counted.
    pub meters: Vec<Meter>,
    /// What it consumes and fills.
    pub supplies: Vec<Supply>,
    /// Where its paper lies.
    pub trays: Vec<Tray>,
    /// What it complains about.
    pub alerts: Vec<Alert>,
}

/// What a device turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// A printer, and what it said.
    Printer(Box<Reading>),
    /// Something else, and how that was seen, for a person to read.
    NotAPrinter {
        /// One sentence, lower case, no full stop.
        reason: String,
    },
}

/// Where a value comes from: what a billing clerk shows when it is disputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The way it was read: `snmp`.
    pub door: String,
    /// The object asked: a dotted OID for SNMP.
    pub object: String,
    /// Type and value as they came: `Counter32: 432951`.
    pub raw: String,
    /// The rule that made it a value: `printer-mib/life-count`.
    pub rule: String,
}
