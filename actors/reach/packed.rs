//! What is remembered of a printer until it is asked again: few octets, since there may be ten
//! thousand printers.
//!
//! A reading is made of the walk anew when it is needed, which costs less than to keep it.

use std::net::IpAddr;

use jiff::Timestamp;
use printer::identity::Fingerprint;
use printer::judge::judge_before;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::{PackedWalk, Walk};
use snmp::traverse::Bearing;

use super::credential::Credential;
use super::survey::{Last, Survey};

/// A survey of a printer, packed.
#[derive(Debug, Clone)]
pub struct Packed {
    walk: PackedWalk,
    address: Option<IpAddr>,
    at: Timestamp,
    fingerprint: Fingerprint,
    credential: Credential,
    explored_at: Timestamp,
    bears_again: bool,
    bearing: Bearing,
    trouble: Option<Box<str>>,
}

impl Packed {
    /// The credential that the printer answers to.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// What was answered then.
    #[must_use]
    pub fn walk(&self) -> Option<Walk> {
        self.walk.unpack()
    }

    /// What the next reading builds on, with what was answered.
    #[must_use]
    pub fn last<'s>(&'s self, walk: &'s Walk) -> Last<'s> {
        Last {
            walk,
            fingerprint: &self.fingerprint,
            credential: &self.credential,
            explored_at: self.explored_at,
            bears_again: self.bears_again,
            bearing: self.bearing,
            trouble: self.trouble.as_deref(),
        }
    }

    /// The reading of then, made anew of what was answered, of which as little as possible is decided
    /// again where `now` is known.
    #[must_use]
    pub fn reading(
        &self,
        walk: &Walk,
        now: (&Walk, &Reading),
        profiles: &Profiles,
    ) -> Option<Box<Reading>> {
        judge_before((walk, self.address, self.at), now, profiles)
    }
}

impl Survey {
    /// Packs the survey of a printer; none of anything else.
    #[must_use]
    pub fn pack(&self, profiles: &Profiles) -> Option<Packed> {
        let Verdict::Printer(reading) = &self.verdict else {
            return None;
        };
        Some(Packed {
            walk: self.walk.pack(profiles.shapes()),
            address: reading.address,
            at: reading.at,
            fingerprint: self.fingerprint.clone(),
            credential: self.credential.clone(),
            explored_at: self.explored_at,
            bears_again: self.bears_again,
            bearing: self.bearing,
            trouble: self.trouble.as_deref().map(Into::into),
        })
    }
}
