//! The door of version 3 of a device: who asks, whether it is believed, and how an answer is written.
//! No socket.
//!
//! Follows RFC 3414 §3.2 for what comes, and RFC 3412 §7.1 for what is said instead of an answer.

use std::collections::BTreeMap;

use snmp::usm::{
    BOOTS_MAX, Draft, Frame, Keys, Level, Report, Scoped, User, WINDOW_SECS, plain_report,
    plain_scoped,
};
use snmp::{ErrorStatus, Message, Pdu, PduKind, Version};

/// What begins the id of every engine here: the enterprise number for documentation (RFC 5612), and
/// the format of octets that mean nothing (RFC 3411 §5, SnmpEngineID).
const ID_HEAD: [u8; 5] = [0x80, 0x00, 0x7e, 0xd9, 0x05];

/// Room for what stands around a PDU beyond what stands around one of version 2c: header, engine
/// id twice, the longest name twice, the longest MAC, salt and padding.
pub(crate) const ENVELOPE_BYTES: usize = 220;

/// authorizationError (RFC 3416 §3): the user has no view at this level.
const AUTHORIZATION_ERROR: ErrorStatus = ErrorStatus::Other(16);

/// A device's engine as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) id: Vec<u8>,
    pub(crate) boots: u32,
    pub(crate) time: u32,
    /// The one salt of every message, where it misbehaves.
    pub(crate) salt: Option<u64>,
    /// What stands behind a PDU, where it misbehaves.
    pub(crate) padding: &'static [u8],
}

/// What an engine keeps between two messages.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Keys of its users, by their place, with the engine's id that they are for.
    keys: BTreeMap<usize, (Vec<u8>, Keys)>,
    /// Messages that were encrypted: no salt is used twice.
    salt: u64,
    /// How often each report was made.
    reports: BTreeMap<snmp::Oid, u32>,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is believed: put this question to the device, in this context.
    Question {
        /// As version 2c would put it.
        question: Message,
        /// Of which part of the device.
        context: Vec<u8>,
        /// How the answer is secured.
        keys: Keys,
    },
    /// It is not, and this is said under these keys.
    Refused(Said, Keys),
}

/// What an engine says to a message.
#[derive(Debug)]
pub(crate) enum Said {
    /// An answer from a context.
    Answer(Pdu, Vec<u8>),
    /// A report.
    Report(Report),
}

impl Engine {
    /// The engine of a device with these octets of its own.
    pub(crate) fn of(own: u64, boots: u32, time: u64) -> Self {
        Self {
            id: [&ID_HEAD[..], &own.to_be_bytes()].concat(),
            boots,
            time: u32::try_from(time).unwrap_or(BOOTS_MAX).min(BOOTS_MAX),
            salt: None,
            padding: &[],
        }
    }

    /// Judges a message. `None` for what is dropped without a word.
    pub(crate) fn take(
        &self,
        frame: &Frame<'_>,
        users: &[User],
        ledger: &mut Ledger,
    ) -> Option<Taken> {
        let refused = |report, keys: &Keys| {
            let said = Said::Report(report);
            Some(Taken::Refused(said, keys.clone()))
        };
        if frame.engine_id != self.id {
            return refused(Report::UnknownEngine, &Keys::none());
        }
        let place = users
            .iter()
            .position(|user| user.name().as_bytes() == frame.user);
        let Some((place, user)) = place.and_then(|at| Some((at, users.get(at)?))) else {
            return refused(Report::UnknownUser, &Keys::none());
        };
        if frame.level > user.level() {
            return refused(Report::UnsupportedLevel, &Keys::none());
        }
        let keys = ledger.keys(&self.id, place, user).at(frame.level);
        if frame.level != Level::NoAuthNoPriv {
            if !frame.is_authentic(&keys) {
                return refused(Report::WrongDigest, &Keys::none());
            }
            let is_now = frame.boots == self.boots && frame.time.abs_diff(self.time) <= WINDOW_SECS;
            if !is_now || self.boots == BOOTS_MAX {
                return refused(Report::NotInTimeWindow, &keys.at(Level::AuthNoPriv));
            }
        }
        match frame.contents(&keys) {
            // Nobody sees anything below the level of its keys (as net-snmp's `rouser NAME priv`).
            Ok(Scoped::Pdu { pdu, context }) if frame.level < user.level() => {
                let pdu = forbidden(pdu);
                Some(Taken::Refused(Said::Answer(pdu, context), keys))
            }
            Ok(Scoped::Pdu { pdu, context }) => Some(Taken::Question {
                question: Message {
                    version: Version::V2c,
                    community: Vec::new(),
                    pdu,
                },
                context,
                keys,
            }),
            Ok(Scoped::Report(_)) => None,
            Err(_) if frame.level == Level::AuthPriv => {
                refused(Report::Undecipherable, &keys.at(Level::AuthNoPriv))
            }
            Err(_) => None,
        }
    }

    /// Writes what the engine says to a message, secured by these keys.
    pub(crate) fn say(
        &self,
        frame: &Frame<'_>,
        said: &Said,
        keys: &Keys,
        ledger: &mut Ledger,
    ) -> Option<Vec<u8>> {
        let scoped = match said {
            Said::Answer(pdu, context) => plain_scoped(&self.id, context, pdu),
            Said::Report(report) => {
                let count = ledger.count(report);
                plain_report(&self.id, report, count)
            }
        };
        let mut scoped = scoped.ok()?;
        if keys.level() == Level::AuthPriv {
            scoped.extend_from_slice(self.padding);
        }
        let salt = self.salt.unwrap_or_else(|| ledger.next_salt());
        Some(self.draft(frame, &scoped).encode(keys, salt))
    }

    /// The message that answers another.
    fn draft<'d>(&'d self, frame: &Frame<'d>, scoped: &'d [u8]) -> Draft<'d> {
        Draft {
            message_id: frame.message_id,
            is_reportable: false,
            engine_id: &self.id,
            boots: self.boots,
            time: self.time,
            user: frame.user,
            scoped,
        }
    }
}

/// The answer to who may not ask.
fn forbidden(question: Pdu) -> Pdu {
    Pdu {
        kind: PduKind::Response,
        error_status: AUTHORIZATION_ERROR,
        error_index: 0,
        ..question
    }
}

impl Ledger {
    /// The keys of a user for this engine; made once.
    fn keys(&mut self, engine_id: &[u8], place: usize, user: &User) -> &Keys {
        let made = || (engine_id.to_vec(), user.localize(engine_id));
        let (of, keys) = self.keys.entry(place).or_insert_with(made);
        if of != engine_id {
            (*of, *keys) = made();
        }
        keys
    }

    /// A salt for one message.
    fn next_salt(&mut self) -> u64 {
        self.salt = self.salt.wrapping_add(1);
        self.salt
    }

    fn count(&mut self, report: &Report) -> u32 {
        let Some(oid) = report.oid() else { return 0 };
        let count = self.reports.entry(oid).or_default();
        *count = count.wrapping_add(1);
        *count
    }
}
