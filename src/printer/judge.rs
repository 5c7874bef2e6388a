//! From a walk to a reading: the one place where everything of a printer comes together.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::identity::Identity;
use crate::profile::Profiles;
use crate::reading::{Reading, SCHEMA, Verdict};
use crate::recognize;
use crate::status::{Severity, State, Status};
use crate::walk::Walk;

/// Decides what a device is, and reads it if it is a printer.
#[must_use]
pub fn judge(walk: &Walk, _profiles: &Profiles, address: Option<IpAddr>, at: Timestamp) -> Verdict {
    if let Some(reason) = recognize::why_no_printer(walk) {
        return Verdict::NotAPrinter { reason };
    }
    Verdict::Printer(Box::new(Reading {
        schema: SCHEMA,
        is_printer: true,
        address,
        at,
        identity: Identity::default(),
        status: Status {
            state: State::Unknown,
            severity: Severity::Unknown,
            conditions: Vec::new(),
            console: Vec::new(),
        },
        meters: Vec::new(),
        supplies: Vec::new(),
        trays: Vec::new(),
        alerts: Vec::new(),
    }))
}
