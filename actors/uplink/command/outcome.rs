//! What came of a command, and how it is written on the wire.

use jiff::Timestamp;
use prost::Message;
use proto::v1;
use serde::{Deserialize, Serialize};

use super::verify::Verdict;
use crate::mask::Masks;
use crate::order::Ended;
use crate::site::Unwilling;

/// Longest reason that is told, in characters.
const WHY_MAX: usize = 500;

/// The kinds of outcome (command.proto).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Not the last word.
    Progress,
    /// It was carried out.
    Done,
    /// Nothing was done.
    Refused,
    /// It was tried.
    Failed,
    /// It came too late.
    Expired,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) at_ms: i64,
    pub(super) state: State,
    pub(super) why: String,
    pub(super) result: Vec<u8>,
}

impl Outcome {
    /// An outcome without a result.
    pub(super) fn new(id: &str, state: State, why: &str, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            at_ms: now.as_millisecond(),
            state,
            why: why.chars().take(WHY_MAX).collect(),
            result: Vec::new(),
        }
    }

    /// What is told of a command that is not carried out.
    pub(super) fn of_verdict(id: &str, verdict: &Verdict, now: Timestamp) -> Self {
        match verdict {
            Verdict::Expired => Self::new(id, State::Expired, "it came after its end", now),
            Verdict::Refused(why) => Self::new(id, State::Refused, why, now),
        }
    }

    /// What is told of a command that was carried out, or tried.
    pub(super) fn of_end(id: &str, end: Ended, now: Timestamp) -> Self {
        match end {
            Ok(result) => Self {
                result,
                ..Self::new(id, State::Done, "", now)
            },
            Err(Unwilling::Refused(why)) => Self::new(id, State::Refused, &why, now),
            Err(Unwilling::Failed(why)) => Self::new(id, State::Failed, &why, now),
        }
    }

    /// The outcome as it leaves the site.
    pub(super) fn masked(&self, masks: &Masks) -> Self {
        Self {
            why: masks.words(&self.why),
            result: masks.result(self.result.clone()),
            ..self.clone()
        }
    }

    /// The payload of an outcome topic.
    pub(super) fn to_wire(&self) -> Vec<u8> {
        let state = match self.state {
            State::Progress => v1::outcome::State::Progress,
            State::Done => v1::outcome::State::Done,
            State::Refused => v1::outcome::State::Refused,
            State::Failed => v1::outcome::State::Failed,
            State::Expired => v1::outcome::State::Expired,
        };
        let outcome = v1::Outcome {
            command_id: self.id.clone(),
            at_ms: self.at_ms,
            state: state.into(),
            why: self.why.clone(),
            result: self.result.clone(),
        };
        outcome.encode_to_vec()
    }
}
