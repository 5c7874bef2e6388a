//! Whether two sightings are of one printer: what speaks for and against it, and a verdict.
//!
//! Used by the agent's registry (who answers at this address?) and by the hub (are these two
//! rows one?). Pure. No single key decides: boards are exchanged, serial numbers are set by hand,
//! and printers take over the address of others. The verdict follows from rules (`rules.rs`), each
//! with its reason; what is neither clearly one nor clearly two is doubtful, and a person is told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::{Count, Facts, Key};
use super::{Fingerprint, is_plausible_serial};
use crate::change;
use crate::reading::Reading;

/// What a reading tells beside the keys, and what the next one is weighed against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// printer-uuid, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The life count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// When it was started, computed from its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it told this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Everything that a printer is known again by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// Its keys.
    pub keys: Fingerprint,
    /// What else it told.
    pub told: Told,
}

/// Where the second sighting was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where the first one lives.
    Same,
    /// Elsewhere, or nobody knows.
    Elsewhere,
}

/// What the points say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// One printer: it runs on, or two things that tell it are as they were.
    Same,
    /// One printer, unless another known one could be it as well: one thing alone tells it.
    Likely,
    /// Two printers.
    Other,
    /// Nobody can tell: nothing of the one is counted for the other.
    Doubtful,
}

/// One thing that speaks for or against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The serial number of both.
    SerialSame,
    /// Another serial number.
    SerialDiffers,
    /// A serial number where none was told before.
    SerialLate,
    /// MAC, else UUID, else engine id of both: one network board.
    BoardSame,
    /// Another network board.
    BoardDiffers,
    /// A serial number was told before, and none is now.
    SerialGone,
    /// A network board's keys where none were told before.
    BoardLate,
    /// One model.
    ModelSame,
    /// Another model.
    ModelDiffers,
    /// The counter goes on where it was.
    CountContinues,
    /// It is further than a printer usually gets, but paper could do it.
    CountAhead,
    /// It began anew: what it tells could be printed since.
    CountReset,
    /// It neither goes on nor began anew: no paper could do it; or one of both tells none.
    CountBreaks,
    /// It runs since the same instant.
    RunsOn,
    /// It ran already, elsewhere, when the other was read.
    RanBeside,
    /// It answers where the other lives.
    PlaceSame,
}

/// The sum of all reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// What it comes to.
    pub verdict: Verdict,
    /// The sum.
    pub points: i32,
    /// What was weighed, heaviest kinds first.
    pub reasons: Vec<Reason>,
}

impl Reason {
    /// How much it says, for an order among several that may be it; no verdict comes of it.
    #[must_use]
    pub const fn points(self) -> i32 {
        match self {
            Self::SerialSame => 60,
            Self::SerialDiffers => -80,
            Self::SerialLate | Self::BoardLate => 0,
            Self::SerialGone => -20,
            Self::BoardSame => 40,
            Self::BoardDiffers => -20,
            Self::CountAhead => -10,
            Self::ModelSame => 5,
            Self::ModelDiffers => -60,
            Self::CountContinues => 15,
            Self::CountReset => -30,
            Self::CountBreaks => -60,
            Self::RunsOn => 25,
            Self::RanBeside => -60,
            Self::PlaceSame => 30,
        }
    }

    /// It in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SerialSame => "same serial",
            Self::SerialDiffers => "another serial",
            Self::SerialLate => "a serial it did not tell before",
            Self::BoardSame => "same MAC",
            Self::SerialGone => "no serial any more",
            Self::BoardDiffers => "new MAC",
            Self::BoardLate => "keys it did not tell before",
            Self::ModelSame => "same model",
            Self::ModelDiffers => "another model",
            Self::CountContinues => "page count goes on",
            Self::CountAhead => "page count far ahead",
            Self::CountReset => "page count set anew",
            Self::CountBreaks => "page count does not go on",
            Self::RunsOn => "running since the same time",
            Self::RanBeside => "both ran at once",
            Self::PlaceSame => "same address",
        }
    }
}

impl Told {
    /// What a reading tells.
    #[must_use]
    pub fn of(reading: &Reading) -> Self {
        let up = reading.up_secs.and_then(|secs| i64::try_from(secs).ok());
        let started = up.and_then(|secs| reading.at.as_second().checked_sub(secs));
        Self {
            uuid: reading.identity.uuid.clone(),
            model: reading.identity.model.clone(),
            total: change::life_count(reading),
            started: started.and_then(|second| Timestamp::from_second(second).ok()),
            at: Some(reading.at),
        }
    }

    /// What is known after this was told: what it leaves out stays.
    #[must_use]
    pub fn then(&self, newer: &Self) -> Self {
        let uuid = newer.uuid.clone().or_else(|| self.uuid.clone());
        let model = newer.model.clone().or_else(|| self.model.clone());
        // A count belongs to its time.
        let (total, at) = match (newer.total, self.total) {
            (Some(_), _) | (None, None) => (newer.total, newer.at.or(self.at)),
            (None, Some(_)) => (self.total, self.at),
        };
        let started = newer.started.or(self.started);
        Self {
            uuid,
            model,
            total,
            started,
            at,
        }
    }
}

impl From<&Fingerprint> for Traits {
    fn from(keys: &Fingerprint) -> Self {
        Self {
            keys: keys.clone(),
            told: Told::default(),
        }
    }
}

impl Traits {
    /// Those of a reading whose keys are read from it too: for readings to be compared with
    /// readings.
    #[must_use]
    pub fn of(reading: &Reading) -> Self {
        let mut keys = Fingerprint::of(&reading.identity);
        let model = reading.identity.model.as_deref().unwrap_or_default();
        if reading
            .identity
            .serial
            .as_deref()
            .is_some_and(|serial| is_name(serial, model))
        {
            keys.serial = None;
        }
        Self {
            keys,
            told: Told::of(reading),
        }
    }

    /// Whether a key of a later one is another, or a serial number is told that was not.
    #[must_use]
    pub fn is_changed(&self, later: &Self) -> bool {
        self.keys.differs(&later.keys) || self.keys.serial.is_none() && later.keys.serial.is_some()
    }

    /// The same without the serial number: it is on several devices, and tells none of them.
    #[must_use]
    pub fn without_serial(&self) -> Self {
        let mut traits = self.clone();
        traits.keys.serial = None;
        traits
    }
}

/// Whether a serial number can tell this model's devices apart: a plausible one that is not the
/// model's name.
#[must_use]
pub fn is_serial_of(serial: &str, model: &str) -> bool {
    is_plausible_serial(serial) && !is_name(serial, model)
}

/// Weighs whether `seen` is `known`, later.
#[must_use]
pub fn weigh(known: &Traits, seen: &Traits, place: Place) -> Score {
    score(&Facts::of((&known.keys, &known.told), seen, place))
}

/// The same for one whose serial number others have as well: that they have it in common tells
/// nothing, another one tells that they are two.
#[must_use]
pub fn weigh_sharer(known: &Traits, seen: &Traits, place: Place) -> Score {
    let mut facts = Facts::of((&known.keys, &known.told), seen, place);
    if facts.serial == Key::Same {
        facts.serial = Key::Untold;
    }
    score(&facts)
}

/// Whether `seen` could be the printer that was read as `known`, wherever it is by now and whatever
/// part of it was changed: nothing excludes it. Both are readings; of the known one its keys, and what
/// it told.
#[must_use]
pub fn can_be(known: (&Fingerprint, &Told), seen: &Traits) -> bool {
    Facts::of(known, seen, Place::Elsewhere).is_possible()
}

/// Whether two readings are of two printers that ran at the same time.
#[must_use]
pub fn ran_beside(one: &Told, other: &Told) -> bool {
    super::rules::ran_beside(one, other)
}

fn score(facts: &Facts) -> Score {
    let reasons = reasons(facts);
    Score {
        verdict: facts.verdict(),
        points: reasons.iter().map(|reason| reason.points()).sum(),
        reasons,
    }
}

/// What is told to a person, heaviest kinds first.
fn reasons(facts: &Facts) -> Vec<Reason> {
    let serial = match facts.serial {
        Key::Same => Some(Reason::SerialSame),
        Key::Differs => Some(Reason::SerialDiffers),
        Key::Late => Some(Reason::SerialLate),
        Key::Gone => Some(Reason::SerialGone),
        Key::Untold => None,
    };
    let board = match facts.board {
        Key::Same => Some(Reason::BoardSame),
        Key::Differs => Some(Reason::BoardDiffers),
        Key::Late => Some(Reason::BoardLate),
        Key::Gone | Key::Untold => None,
    };
    let model = facts.model.map(|is_same| match is_same {
        true => Reason::ModelSame,
        false => Reason::ModelDiffers,
    });
    let count = match facts.count {
        Count::Close => Some(Reason::CountContinues),
        Count::Possible | Count::Press => Some(Reason::CountAhead),
        Count::Anew => Some(Reason::CountReset),
        Count::Broken | Count::OneSided => Some(Reason::CountBreaks),
        Count::Untold => None,
    };
    let count = count.filter(|_| facts.are_readings);
    let runs_on = facts.runs_on.then_some(Reason::RunsOn);
    let beside = facts.ran_beside.then_some(Reason::RanBeside);
    let place = (facts.place == Place::Same).then_some(Reason::PlaceSame);
    let all = [serial, board, model, runs_on, beside, count, place];
    all.into_iter().flatten().collect()
}

impl Score {
    /// Whether this was weighed.
    #[must_use]
    pub fn has(&self, reason: Reason) -> bool {
        self.reasons.contains(&reason)
    }

    /// What happened, for a person: `same serial, new MAC: network board changed`.
    #[must_use]
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.reasons.iter().map(|reason| reason.words()).collect();
        let words = words.join(", ");
        match self.cause() {
            Some(cause) if words.is_empty() => cause.to_owned(),
            Some(cause) => format!("{words}: {cause}"),
            None if words.is_empty() => "nothing to know it by".to_owned(),
            None => words,
        }
    }

    /// What most likely happened, where something did.
    #[must_use]
    pub fn cause(&self) -> Option<&'static str> {
        let has = |reason| self.has(reason);
        let is_doubtful = self.verdict == Verdict::Doubtful;
        if has(Reason::BoardSame) && has(Reason::SerialDiffers) {
            return Some(if is_doubtful {
                "its serial number was set anew, or the network board moved to another printer"
            } else {
                "the network board moved to another printer"
            });
        }
        if has(Reason::SerialSame) && has(Reason::BoardDiffers) {
            return Some(match self.verdict {
                Verdict::Same | Verdict::Likely => "network board changed",
                Verdict::Other => "two printers have one serial number",
                Verdict::Doubtful => {
                    "network board changed, or two printers have one serial number"
                }
            });
        }
        match self.verdict {
            Verdict::Same | Verdict::Likely if has(Reason::SerialLate) => {
                Some("it tells its serial number only now")
            }
            Verdict::Same | Verdict::Likely if has(Reason::CountReset) => {
                Some("its counter was set anew")
            }
            Verdict::Same | Verdict::Likely => None,
            Verdict::Other if has(Reason::PlaceSame) => Some("another printer at this address"),
            Verdict::Other => Some("two printers"),
            Verdict::Doubtful => Some("the same printer or another one"),
        }
    }
}

fn is_name(serial: &str, model: &str) -> bool {
    !plain(model).is_empty() && plain(serial) == plain(model)
}

/// Letters and digits alone, lower case.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
