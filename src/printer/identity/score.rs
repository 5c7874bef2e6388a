//! Whether two sightings are of one printer: named weights, a verdict, and why in words.
//!
//! Used by the agent's registry (who answers at this address?) and by the hub (are these two
//! rows one?). Pure. No single key decides: boards are exchanged, serial numbers are set by hand,
//! and printers take over the address of others. What is neither clearly one nor clearly two is
//! doubtful, and a person is told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, is_plausible_serial};
use crate::change;
use crate::reading::Reading;

/// Points from which two are the same.
const SAME_MIN: i32 = 30;
/// Points down to which they may be; from there on they are two.
const OTHER_MAX: i32 = -30;

/// Pages a minute that a printer makes on average at most; presses that make more have a serial
/// number and a network address, which weigh more.
const USUAL_PAGES_PER_MINUTE: u64 = 2;
/// Pages that it may be ahead however short the time: one job.
const USUAL_PAGES: u64 = 100;
/// Most pages a minute that any press of 2026 makes, with room; what is above is no paper.
const PAGES_PER_MINUTE_MAX: u64 = 1_000;
/// Most that it may be ahead where one key alone speaks for it, however long the time: of two
/// printers at random, one in a thousand is so close.
const UNPROVEN_PAGES_MAX: u64 = 500;
/// The same where the board alone speaks for it at another address: boards are exchanged.
const BOARD_PAGES_MAX: u64 = 100;
/// A counter below this is too young to tell one printer from another that is new or was set anew.
const YOUNG_PAGES: u64 = 5_000;
/// How exactly two computed starts must agree to be one, in seconds. Printers that a power cut
/// started together are further apart, as a rule.
const SAME_START_SECS: u64 = 5;

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
    /// One printer.
    Same,
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
    /// Another network board, and no serial number that could outweigh it.
    BoardAloneDiffers,
    /// Keys where there were none.
    KeysLate,
    /// Keys on both sides, and none of one kind.
    KeysUnlike,
    /// One model.
    ModelSame,
    /// Another model.
    ModelDiffers,
    /// The counter goes on where it was.
    CountContinues,
    /// It is further than it usually gets, but paper could do it, and the keys prove who it is.
    CountAhead,
    /// It is lower, and the keys prove who it is.
    CountReset,
    /// It is lower, far ahead or missing, and one key alone speaks for the device: a spare part or
    /// another device has that too.
    CountUnproven,
    /// The same, and no key speaks at all.
    CountAlone,
    /// It runs since the same instant.
    RunsOn,
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
    /// Its weight. A serial number is set once in a factory and outweighs a board, which is a
    /// spare part; two serial numbers outweigh a board that is the same. The page count breaks
    /// ties: alone it proves nothing, against a single key it raises doubt.
    #[must_use]
    pub const fn points(self) -> i32 {
        match self {
            Self::SerialSame => 60,
            Self::SerialDiffers => -80,
            Self::SerialLate => 0,
            Self::BoardSame => 40,
            Self::BoardDiffers => -20,
            Self::BoardAloneDiffers => -70,
            Self::CountAhead => -10,
            Self::KeysLate => -25,
            Self::KeysUnlike => -40,
            Self::ModelSame => 5,
            Self::ModelDiffers => -60,
            Self::CountContinues => 15,
            Self::CountReset => -30,
            Self::CountUnproven => -68,
            Self::CountAlone => -50,
            Self::RunsOn => 25,
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
            Self::BoardDiffers | Self::BoardAloneDiffers => "new MAC",
            Self::KeysLate => "keys it did not tell before",
            Self::KeysUnlike => "no key that both tell",
            Self::ModelSame => "same model",
            Self::ModelDiffers => "another model",
            Self::CountContinues => "page count goes on",
            Self::CountAhead => "page count far ahead",
            Self::CountReset => "page count set anew",
            Self::CountUnproven | Self::CountAlone => "page count does not go on",
            Self::RunsOn => "running since the same time",
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
    let mut reasons = keys(known, seen);
    match both(&known.told.model, &seen.told.model) {
        Some((a, b)) if plain(a).contains(&plain(b)) || plain(b).contains(&plain(a)) => {
            reasons.push(Reason::ModelSame);
        }
        Some(_) => reasons.push(Reason::ModelDiffers),
        None => {}
    }
    if let Some((a, b)) = both(&known.told.started, &seen.told.started)
        && b.duration_since(*a).as_secs().unsigned_abs() <= SAME_START_SECS
    {
        reasons.push(Reason::RunsOn);
    }
    reasons.extend(trajectory(&known.told, &seen.told, (&reasons, place)));
    if place == Place::Same {
        reasons.push(Reason::PlaceSame);
    }
    let points = reasons.iter().map(|reason| reason.points()).sum();
    let verdict = match points {
        SAME_MIN.. => Verdict::Same,
        ..=OTHER_MAX => Verdict::Other,
        _ => Verdict::Doubtful,
    };
    Score {
        verdict,
        points,
        reasons,
    }
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
            return Some(if self.verdict == Verdict::Same {
                "network board changed"
            } else {
                "network board changed, or two printers have one serial number"
            });
        }
        match self.verdict {
            Verdict::Same if has(Reason::SerialLate) => Some("it tells its serial number only now"),
            Verdict::Same if has(Reason::CountReset) => Some("its counter was set anew"),
            Verdict::Same => None,
            Verdict::Other if has(Reason::PlaceSame) => Some("another printer at this address"),
            Verdict::Other => Some("two printers"),
            Verdict::Doubtful => Some("the same printer or another one"),
        }
    }
}

/// What the keys say.
fn keys(known: &Traits, seen: &Traits) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let serial = both(&known.keys.serial, &seen.keys.serial).map(|(a, b)| a == b);
    match serial {
        Some(true) => reasons.push(Reason::SerialSame),
        Some(false) => reasons.push(Reason::SerialDiffers),
        None if known.keys.serial.is_none() && seen.keys.serial.is_some() => {
            reasons.push(Reason::SerialLate);
        }
        None => {}
    }
    let board: Option<bool> = both(&known.keys.mac, &seen.keys.mac)
        .or_else(|| both(&known.told.uuid, &seen.told.uuid))
        .or_else(|| both(&known.keys.engine_id, &seen.keys.engine_id))
        .map(|(a, b)| a == b);
    reasons.extend(board.map(|is_same| match (is_same, serial) {
        (true, _) => Reason::BoardSame,
        (false, Some(_)) => Reason::BoardDiffers,
        (false, None) => Reason::BoardAloneDiffers,
    }));
    let is_nameless = known.keys.is_empty() && known.told.uuid.is_none();
    let has_keys = !known.keys.is_empty() && !seen.keys.is_empty();
    if has_keys && serial.is_none() && board.is_none() {
        reasons.push(Reason::KeysUnlike);
    }
    if is_nameless && !seen.keys.is_empty() && seen.told.total.is_some() {
        reasons.push(Reason::KeysLate);
    }
    reasons
}

/// What the page count says.
fn trajectory(known: &Told, seen: &Told, (reasons, place): (&[Reason], Place)) -> Option<Reason> {
    let has = |reason| reasons.contains(&reason);
    let is_proven = has(Reason::RunsOn) || has(Reason::SerialSame) && has(Reason::BoardSame);
    let doubt = if has(Reason::SerialSame) || has(Reason::BoardSame) {
        Reason::CountUnproven
    } else {
        Reason::CountAlone
    };
    let is_reading = known.at.is_some() && seen.at.is_some();
    let (was, is) = match (known.total, seen.total) {
        (Some(was), Some(is)) => (was, is),
        (None, None) => return None,
        // One that counted and does not any more, or the other way round.
        (_, _) => return (is_reading && !is_proven).then_some(doubt),
    };
    let Some(made) = is.checked_sub(was) else {
        return Some(if is_proven { Reason::CountReset } else { doubt });
    };
    let secs = known
        .at
        .zip(seen.at)
        .map(|(was, is)| is.duration_since(was).as_secs());
    let minutes = secs.map_or(0, |secs| u64::try_from(secs).unwrap_or(0) / 60 + 1);
    let within = |pace: u64| made <= minutes.saturating_mul(pace).saturating_add(USUAL_PAGES);
    let is_changed = place == Place::Elsewhere
        || has(Reason::BoardDiffers)
        || has(Reason::SerialLate)
        || has(Reason::KeysLate);
    let most = match (place, has(Reason::SerialSame)) {
        (Place::Elsewhere, false) => BOARD_PAGES_MAX,
        (Place::Elsewhere | Place::Same, _) => UNPROVEN_PAGES_MAX,
    };
    let is_close = is_proven || made <= most && (was >= YOUNG_PAGES || !is_changed);
    Some(if is_close && within(USUAL_PAGES_PER_MINUTE) {
        Reason::CountContinues
    } else if is_proven && within(PAGES_PER_MINUTE_MAX) {
        Reason::CountAhead
    } else if is_proven {
        Reason::CountReset
    } else {
        doubt
    })
}

fn both<'a, T>(a: &'a Option<T>, b: &'a Option<T>) -> Option<(&'a T, &'a T)> {
    a.as_ref().zip(b.as_ref())
}

fn is_name(serial: &str, model: &str) -> bool {
    !plain(model).is_empty() && plain(serial) == plain(model)
}

/// Letters and digits alone, lower case.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
