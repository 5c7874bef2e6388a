//! What is remembered of a printer until it is asked again: few octets, since there may be ten
//! thousand printers.
//!
//! A reading is made of the walk anew when it is needed, which costs less than to keep it.

use std::net::IpAddr;

use jiff::Timestamp;
use printer::identity::Fingerprint;
use printer::judge::judge;
use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::walk::PackedWalk;
use snmp::Oid;

use super::credential::Credential;
use super::survey::Survey;

/// A survey of a printer, packed.
#[derive(Debug, Clone)]
pub struct Packed {
    walk: PackedWalk,
    address: Option<IpAddr>,
    at: Timestamp,
    fingerprint: Fingerprint,
    credential: Credential,
    unanswered: Box<[Oid]>,
    is_whole: bool,
    explored_at: Timestamp,
    bears_again: bool,
    trouble: Option<Box<str>>,
}

impl Packed {
    /// The credential that the printer answers to.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The survey again, its reading made anew of what was answered then; none where it was of no
    /// printer.
    #[must_use]
    pub fn unpack(&self, profiles: &Profiles) -> Option<Survey> {
        let walk = self.walk.unpack()?;
        let verdict = judge(&walk, profiles, self.address, self.at);
        Some(Survey {
            walk,
            verdict,
            fingerprint: self.fingerprint.clone(),
            credential: self.credential.clone(),
            pdus: 0,
            unanswered: self.unanswered.to_vec(),
            is_whole: self.is_whole,
            explored_at: self.explored_at,
            bears_again: self.bears_again,
            trouble: self.trouble.as_deref().map(str::to_owned),
        })
    }
}

impl Survey {
    /// Packs the survey of a printer; none of anything else.
    #[must_use]
    pub fn pack(&self) -> Option<Packed> {
        let Verdict::Printer(reading) = &self.verdict else {
            return None;
        };
        Some(Packed {
            walk: self.walk.pack(),
            address: reading.address,
            at: reading.at,
            fingerprint: self.fingerprint.clone(),
            credential: self.credential.clone(),
            unanswered: self.unanswered.clone().into(),
            is_whole: self.is_whole,
            explored_at: self.explored_at,
            bears_again: self.bears_again,
            trouble: self.trouble.as_deref().map(Into::into),
        })
    }
}
