//! Why an engine does not take a message, and what that means for a person.

use crate::Oid;

use super::algorithm::Level;

/// usmStats of the User-based Security Model (RFC 3414 §5), without the column.
const USM_STATS: [u32; 9] = [1, 3, 6, 1, 6, 3, 15, 1, 1];
/// snmpMPDStats of the message processing (RFC 3412 §5), without the column.
const MPD_STATS: [u32; 9] = [1, 3, 6, 1, 6, 3, 11, 2, 1];
/// The counters of contexts (RFC 3413 §4.1.1), without the column.
const TARGET_OBJECTS: [u32; 8] = [1, 3, 6, 1, 6, 3, 12, 1];

/// What an engine says instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// usmStatsUnsupportedSecLevels.
    UnsupportedLevel,
    /// usmStatsNotInTimeWindows.
    NotInTimeWindow,
    /// usmStatsUnknownUserNames.
    UnknownUser,
    /// usmStatsUnknownEngineIDs.
    UnknownEngine,
    /// usmStatsWrongDigests.
    WrongDigest,
    /// usmStatsDecryptionErrors.
    Undecipherable,
    /// snmpUnknownContexts or snmpUnavailableContexts.
    UnknownContext,
    /// snmpUnknownSecurityModels: it has no users at all.
    UnknownModel,
    /// Any other counter.
    Other(Box<Oid>),
    /// A Report without an object.
    Unnamed,
}

impl Report {
    /// The object that counts it, as an engine says it; none for a report without one.
    #[must_use]
    pub fn oid(&self) -> Option<Oid> {
        let (root, column) = match self {
            Self::UnsupportedLevel => (&USM_STATS[..], 1),
            Self::NotInTimeWindow => (&USM_STATS[..], 2),
            Self::UnknownUser => (&USM_STATS[..], 3),
            Self::UnknownEngine => (&USM_STATS[..], 4),
            Self::WrongDigest => (&USM_STATS[..], 5),
            Self::Undecipherable => (&USM_STATS[..], 6),
            Self::UnknownModel => (&MPD_STATS[..], 1),
            Self::UnknownContext => (&TARGET_OBJECTS[..], 5),
            Self::Other(oid) => return Some(oid.as_ref().clone()),
            Self::Unnamed => return None,
        };
        Some(Oid::new(root).with(&[column, 0]))
    }

    /// The report that counts in this object.
    #[must_use]
    pub fn from_oid(oid: &Oid) -> Self {
        let column = |root: &[u32]| oid.tail_of(&root.into()).and_then(|tail| tail.first());
        match (
            column(&USM_STATS),
            column(&MPD_STATS),
            column(&TARGET_OBJECTS),
        ) {
            (Some(1), _, _) => Self::UnsupportedLevel,
            (Some(2), _, _) => Self::NotInTimeWindow,
            (Some(3), _, _) => Self::UnknownUser,
            (Some(4), _, _) => Self::UnknownEngine,
            (Some(5), _, _) => Self::WrongDigest,
            (Some(6), _, _) => Self::Undecipherable,
            (_, Some(1), _) => Self::UnknownModel,
            (_, _, Some(4 | 5)) => Self::UnknownContext,
            (_, _, _) => Self::Other(Box::new(oid.clone())),
        }
    }
}

/// Why a user is not answered. What it says stands after the device's address and the user's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The engine has no such user.
    #[error("the user name is not known there")]
    UnknownUser,
    /// The MAC of our message is not what the engine computes.
    #[error("the authentication password is wrong, or the device has another algorithm than {0}")]
    WrongDigest(&'static str),
    /// The engine cannot decrypt our message.
    #[error("the privacy password is wrong, or the device has another algorithm than {0}")]
    Undecipherable(&'static str),
    /// The user has no key for what was asked of it.
    #[error("the user is not set up for {0} there")]
    UnsupportedLevel(Level),
    /// The user may read nothing at this level.
    #[error("the user may not read at the level {0} there")]
    NotAuthorized(Level),
    /// The engine has no such context.
    #[error("the context is not known there")]
    UnknownContext,
    /// The engine was found, and says nothing more.
    #[error("it tells its engine but does not answer the user{}", if *.0 == Level::AuthPriv {
        ": often the privacy password or its algorithm is wrong, or the user has none there"
    } else {
        ""
    })]
    Unanswered(Level),
    /// The engine's clock cannot be followed.
    #[error("its clock jumps: it refuses its own time")]
    ClockJumps,
    /// The engine's boots are at their end.
    #[error(
        "it has used up its boot counter (2147483647) and takes no user any more: delete its \
         SNMPv3 settings and set them up anew"
    )]
    BootsLatched,
    /// The engine has another id at each answer.
    #[error("its engine id is another one at each answer")]
    EngineChanges,
    /// The engine speaks version 3 and has no users.
    #[error("it has no users of SNMPv3")]
    UnknownModel,
    /// What it counts is no known reason.
    #[error("it refuses with a report of {0}")]
    Other(Box<Oid>),
    /// It refuses without a reason.
    #[error("it refuses without a reason")]
    Unnamed,
}
