//! What is wrong with the spool, in words for people: here, in `platen status`, and at the hub.

use std::fmt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::keeper::aside_name;
use super::store::Standing;

/// How long an alarm stays after it last rang: an agent away from its hub for a night still tells.
const RINGS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Longest reason of a failure that is told, in characters.
const REASON_LEN_MAX: usize = 200;

/// Something that a person should know of a spool, most important first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The disk fails, or is full, or cannot be written.
    Failing {
        /// How often since the spool was opened.
        times: u64,
        /// When it last did.
        last: Timestamp,
        /// What it last said.
        reason: String,
    },
    /// Reports that must be kept fill the spool's share: new ones are refused.
    Full {
        /// When one was last refused.
        last: Timestamp,
    },
    /// The key did not open the file, and a new one was begun.
    Locked {
        /// When.
        last: Timestamp,
        /// Where the file is now.
        aside: String,
    },
    /// The file was damaged, and a new one was begun.
    SetAside {
        /// When.
        last: Timestamp,
        /// Where the file is now.
        aside: String,
    },
    /// The disk gave back other octets than it was given.
    Damaged {
        /// Reports lost that way since the file was made.
        reports: u64,
        /// When one was last found.
        last: Timestamp,
    },
    /// The hub knew more of the spool than itself, so it began a new epoch.
    NewEpoch {
        /// When.
        last: Timestamp,
    },
}

impl Alarm {
    pub(super) fn failing(times: u64, last: Timestamp, reason: &str) -> Self {
        let reason = reason.chars().take(REASON_LEN_MAX).collect();
        Self::Failing {
            times,
            last,
            reason,
        }
    }

    /// When it last rang.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        match self {
            Self::Failing { last, .. }
            | Self::Full { last }
            | Self::Locked { last, .. }
            | Self::SetAside { last, .. }
            | Self::Damaged { last, .. }
            | Self::NewEpoch { last } => *last,
        }
    }

    /// Whether it still rings.
    #[must_use]
    pub fn rings(&self, now: Timestamp) -> bool {
        now.duration_since(self.last()) < RINGS_FOR
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failing {
                times,
                last,
                reason,
            } => write!(
                f,
                "the spool's disk failed {times} times, last at {last:.0}: {reason}; what was \
                 accepted is safe, what was not is read again; look at the disk of the state folder"
            ),
            Self::Full { last } => write!(
                f,
                "the spool is full of reports that must be kept and refused one at {last:.0}; they \
                 leave when the hub takes them"
            ),
            Self::Locked { last, aside } => write!(
                f,
                "the spool's key did not open it at {last:.0}: it was set aside as {aside} and a \
                 new one was begun; put the old key back to send what waits in it"
            ),
            Self::SetAside { last, aside } => write!(
                f,
                "the spool was damaged at {last:.0}: it was set aside as {aside} and a new one was \
                 begun; what waited in it was not sent"
            ),
            Self::Damaged { reports, last } => write!(
                f,
                "{reports} reports were damaged on the spool's disk, last found at {last:.0}"
            ),
            Self::NewEpoch { last } => write!(
                f,
                "the hub knew more of this spool than itself, so it began a new epoch at \
                 {last:.0}: was it restored from a backup, or is this agent running twice?"
            ),
        }
    }
}

/// The alarms that stand in the file itself.
pub(super) fn of_standing(standing: &Standing, path: &Path) -> Vec<Alarm> {
    let meta = &standing.meta;
    let at = |ms: u64| {
        let at = i64::try_from(ms).ok()?;
        Timestamp::from_millisecond(at).ok().filter(|_| ms > 0)
    };
    let locked = at(meta.aside_locked_ms).map(|last| Alarm::Locked {
        last,
        aside: aside_name(path, "locked", meta.aside_locked_ms),
    });
    let damaged = at(meta.aside_damaged_ms).map(|last| Alarm::SetAside {
        last,
        aside: aside_name(path, "damaged", meta.aside_damaged_ms),
    });
    let lost = at(meta.damaged_ms).map(|last| Alarm::Damaged {
        reports: meta.damaged,
        last,
    });
    let epoch = at(meta.begun_ms).map(|last| Alarm::NewEpoch { last });
    [locked, damaged, lost, epoch]
        .into_iter()
        .flatten()
        .collect()
}
