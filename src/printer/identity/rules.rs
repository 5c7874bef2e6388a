//! The rules by which two sightings are one printer, two, or nobody can tell.
//!
//! Used by `score.rs`, which puts them in words. Each rule stands on what can happen to a printer:
//! it is moved, its network board is changed or exchanged with another's, its counter is set anew,
//! its serial number is told late, and another printer has the same one. A printer is known again
//! where it runs on, or where two of serial number, board and place are as they were; where one
//! alone is, another known printer must not fit as well. Nothing here is a weight.

use jiff::Timestamp;

use super::Fingerprint;
use super::score::{Place, Told, Traits, Verdict, plain};

/// Pages a minute that a printer makes on average at most, as a rule; what makes more is known by
/// two keys, which prove it whatever it prints.
const USUAL_PAGES_PER_MINUTE: u64 = 2;
/// Pages that it may be ahead however short the time: one job.
const USUAL_PAGES: u64 = 100;
/// Most that it may be ahead where one key alone tells it, however long the time: of two printers at
/// random, one in a thousand is so close.
const CLOSE_PAGES_MAX: u64 = 500;
/// A counter below this is too young to tell one printer from another that is new or was set anew.
const YOUNG_PAGES: u64 = 5_000;
/// Pages a minute that a printer can make around the clock: 432,000 a month, more than the duty of
/// any office device. What is above is no exclusion for one that two keys tell: presses make more.
const POSSIBLE_PAGES_PER_MINUTE: u64 = 10;
/// Pages that can be made in no time: a ream.
const POSSIBLE_PAGES: u64 = 500;
/// Most pages a minute that any press of 2026 makes, with room; what is above is no paper.
const PRESS_PAGES_PER_MINUTE: u64 = 1_000;
/// How long one that is not read may still have printed: who is silent for a day is off or gone, and
/// prints again only from its next start on.
const UNSEEN_MINUTES: u64 = 24 * 60;
/// How exactly two computed starts must agree to be one, in seconds. Printers that a power cut
/// started together are further apart, as a rule.
const SAME_START_SECS: i64 = 5;

/// How a key of both goes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Both tell it, and the same.
    Same,
    /// Both tell it, and not the same.
    Differs,
    /// It is told now, and was not before.
    Late,
    /// It was told before, and is not now.
    Gone,
    /// Neither tells it, or it is on several.
    Untold,
}

/// How the page counts of both go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// It goes on as near as one printer's does.
    Close,
    /// It is further, and an office printer could do that in the time.
    Possible,
    /// It is further, and only a press could do that.
    Press,
    /// It is lower, and could be printed since it was set anew.
    Anew,
    /// No paper could do it.
    Broken,
    /// One of both tells none.
    OneSided,
    /// Neither tells one.
    Untold,
}

/// What two sightings have in common, and what not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) serial: Key,
    pub(super) board: Key,
    /// Whether the model is the same, where both tell it.
    pub(super) model: Option<bool>,
    pub(super) count: Count,
    /// Whether the counter stood too low to tell printers apart.
    is_young: bool,
    pub(super) runs_on: bool,
    pub(super) ran_beside: bool,
    pub(super) place: Place,
    /// Whether both were read, so that more than their keys is known.
    pub(super) are_readings: bool,
}

impl Facts {
    pub(super) fn of((keys, was): (&Fingerprint, &Told), seen: &Traits, place: Place) -> Self {
        let is = &seen.told;
        let models = was.model.as_deref().zip(is.model.as_deref());
        let alike = |(a, b): (String, String)| a.contains(&b) || b.contains(&a);
        Self {
            serial: key(&keys.serial, &seen.keys.serial),
            board: board((keys, was), seen),
            model: models.map(|(a, b)| a == b || alike((plain(a), plain(b)))),
            count: count(was, is),
            is_young: was.total.is_some_and(|total| total < YOUNG_PAGES),
            runs_on: runs_on(was, is),
            ran_beside: place == Place::Elsewhere && ran_beside(was, is),
            place,
            are_readings: was.at.is_some() && is.at.is_some(),
        }
    }

    /// Whether nothing excludes that they are one.
    pub(super) fn is_possible(&self) -> bool {
        let has_other_keys = matches!(self.serial, Key::Differs | Key::Gone)
            || self.runs_on && self.board == Key::Differs;
        self.are_readings
            && !has_other_keys
            && self.model != Some(false)
            && !self.ran_beside
            && !matches!(self.count, Count::Press | Count::Broken)
    }

    pub(super) fn verdict(&self) -> Verdict {
        if !self.are_readings {
            return self.by_keys();
        }
        let is_known_board = self.board == Key::Same;
        match self.serial {
            // A number that was set by hand, or a board that moved.
            Key::Differs if is_known_board && self.is_model() && self.could_print() => {
                Verdict::Doubtful
            }
            Key::Differs => Verdict::Other,
            Key::Same if is_known_board => self.by_both(),
            Key::Same => self.by_serial(),
            Key::Late | Key::Gone | Key::Untold if is_known_board => self.by_board(),
            Key::Late | Key::Gone | Key::Untold => self.by_place(),
        }
    }

    /// Of one of both only the keys are known: it is asked more before anything is counted for it.
    fn by_keys(&self) -> Verdict {
        let is_here = self.place == Place::Same;
        match (self.serial, self.board) {
            (Key::Differs, _) => Verdict::Other,
            (Key::Same, _) | (_, Key::Same) => Verdict::Same,
            (_, Key::Differs) => Verdict::Other,
            // Keys on both sides, and none of one kind.
            (Key::Late, Key::Gone) | (Key::Gone, Key::Late) if is_here => Verdict::Doubtful,
            (Key::Late, Key::Gone) | (Key::Gone, Key::Late) => Verdict::Other,
            (_, _) if is_here => Verdict::Same,
            (_, _) => Verdict::Doubtful,
        }
    }

    /// Serial number and board are as they were. Only a board that was exchanged between two
    /// printers of one number would look the same, and its page count would hardly fit.
    fn by_both(&self) -> Verdict {
        match self.count {
            _ if self.runs_on => Verdict::Same,
            Count::Broken => Verdict::Doubtful,
            Count::Close => Verdict::Same,
            _ if !self.is_model() => Verdict::Doubtful,
            _ if self.place == Place::Same => Verdict::Same,
            Count::Untold => Verdict::Same,
            Count::Possible | Count::Anew => Verdict::Likely,
            Count::Press | Count::OneSided => Verdict::Doubtful,
        }
    }

    /// The serial number alone: the board was changed, or tells nothing. Or another printer has the
    /// same number.
    fn by_serial(&self) -> Verdict {
        if !self.is_model() {
            return Verdict::Doubtful;
        }
        if self.surely_runs_on() {
            return Verdict::Same;
        }
        let is_boardless = self.board == Key::Untold;
        let is_close = self.count == Count::Close && (is_boardless || !self.is_young);
        match self.place {
            Place::Same if is_close => Verdict::Same,
            Place::Same if is_boardless && self.could_be_printed() => Verdict::Same,
            // The counter may have been on the board.
            Place::Same if self.could_be_printed() => Verdict::Likely,
            Place::Elsewhere if self.ran_beside => Verdict::Other,
            Place::Elsewhere if is_close => Verdict::Likely,
            Place::Same | Place::Elsewhere => Verdict::Doubtful,
        }
    }

    /// The board alone: it is a spare part, and may be in another printer now.
    fn by_board(&self) -> Verdict {
        if !self.is_model() {
            return Verdict::Doubtful;
        }
        if self.surely_runs_on() {
            return Verdict::Same;
        }
        let is_close = matches!(self.count, Count::Close | Count::Untold);
        match (self.place, self.serial) {
            // Who told a serial number tells it as a rule.
            (Place::Same, Key::Gone) if is_close => Verdict::Same,
            (_, Key::Gone) => Verdict::Doubtful,
            (Place::Same, _) if is_close || self.count == Count::Possible => Verdict::Same,
            (Place::Elsewhere, _) if is_close && !self.ran_beside => Verdict::Likely,
            (Place::Same | Place::Elsewhere, _) => Verdict::Doubtful,
        }
    }

    /// No key that both tell is the same: only the place speaks for it.
    fn by_place(&self) -> Verdict {
        let could_be = self.is_model() && self.could_be_printed();
        let is_keyless = self.serial == Key::Untold && self.board == Key::Untold;
        match (self.place, self.board) {
            (Place::Elsewhere, _) => Verdict::Other,
            (Place::Same, Key::Differs) if could_be => Verdict::Doubtful,
            (Place::Same, Key::Differs) => Verdict::Other,
            (Place::Same, _) if !self.is_model() && self.count == Count::Close => Verdict::Doubtful,
            (Place::Same, _) if !self.is_model() => Verdict::Other,
            (Place::Same, _) if self.runs_on && self.could_print() => Verdict::Likely,
            (Place::Same, _) if is_keyless && self.is_near() => Verdict::Likely,
            (Place::Same, _) if could_be => Verdict::Doubtful,
            (Place::Same, _) if matches!(self.count, Count::OneSided | Count::Press) => {
                Verdict::Doubtful
            }
            (Place::Same, _) => Verdict::Other,
        }
    }

    /// Whether it runs on with the counter that it had. Elsewhere a counter that is gone or broken
    /// tells that another printer was started within the same seconds.
    fn surely_runs_on(&self) -> bool {
        let is_broken = matches!(self.count, Count::OneSided | Count::Broken);
        self.runs_on && (self.place == Place::Same || !is_broken)
    }

    fn is_model(&self) -> bool {
        self.model != Some(false)
    }

    fn is_near(&self) -> bool {
        matches!(self.count, Count::Close | Count::Untold)
    }

    /// Whether the count can go on where it was.
    fn could_print(&self) -> bool {
        self.is_near() || self.count == Count::Possible
    }

    /// Whether it can go on, or was set anew since.
    fn could_be_printed(&self) -> bool {
        self.could_print() || self.count == Count::Anew
    }
}

/// Whether two readings are of two printers that ran at the same time: each ran on from its start to
/// the instant at which it was read, these starts are not one, and these times overlap. What runs is
/// one board in one printer, since nobody changes a board under power.
pub(super) fn ran_beside(one: &Told, other: &Told) -> bool {
    let (Some(a), Some(b)) = (run(one), run(other)) else {
        return false;
    };
    let is_one_start = (a.0 - b.0).abs() <= SAME_START_SECS;
    !is_one_start && a.0 + SAME_START_SECS < b.1 && b.0 + SAME_START_SECS < a.1
}

/// From when to when it surely ran, in Unix seconds.
fn run(told: &Told) -> Option<(i64, i64)> {
    Some((told.started?.as_second(), told.at?.as_second()))
}

fn runs_on(was: &Told, is: &Told) -> bool {
    let starts = was.started.zip(is.started);
    starts.is_some_and(|(a, b)| (b.as_second() - a.as_second()).abs() <= SAME_START_SECS)
}

fn key(was: &Option<String>, is: &Option<String>) -> Key {
    match (was, is) {
        (Some(was), Some(is)) if was == is => Key::Same,
        (Some(_), Some(_)) => Key::Differs,
        (Some(_), None) => Key::Gone,
        (None, Some(_)) => Key::Late,
        (None, None) => Key::Untold,
    }
}

/// The network board: its MAC, else what it told over IPP, else its engine of SNMP.
fn board((keys, was): (&Fingerprint, &Told), seen: &Traits) -> Key {
    let keys = [
        key(&keys.mac, &seen.keys.mac),
        key(&was.uuid, &seen.told.uuid),
        key(&keys.engine_id, &seen.keys.engine_id),
    ];
    let told = keys
        .iter()
        .find(|key| matches!(key, Key::Same | Key::Differs));
    let one_sided = keys.iter().find(|key| matches!(key, Key::Late | Key::Gone));
    told.or(one_sided).copied().unwrap_or(Key::Untold)
}

fn count(known: &Told, seen: &Told) -> Count {
    let (was, is) = match (known.total, seen.total) {
        (Some(was), Some(is)) => (was, is),
        (None, None) => return Count::Untold,
        (_, _) => return Count::OneSided,
    };
    let gap = known
        .at
        .zip(seen.at)
        .map_or(0, |(was, is)| minutes(was, is));
    // Nobody knows when one began that does not tell.
    let up = seen
        .started
        .zip(seen.at)
        .map(|(start, at)| minutes(start, at));
    let printing = up.map_or(gap, |up| gap.min(up.saturating_add(UNSEEN_MINUTES)));
    let possible = printing * POSSIBLE_PAGES_PER_MINUTE + POSSIBLE_PAGES;
    let Some(made) = is.checked_sub(was) else {
        return if is <= possible {
            Count::Anew
        } else {
            Count::Broken
        };
    };
    if made <= CLOSE_PAGES_MAX && made <= gap * USUAL_PAGES_PER_MINUTE + USUAL_PAGES {
        Count::Close
    } else if made <= possible {
        Count::Possible
    } else if made <= gap * PRESS_PAGES_PER_MINUTE {
        Count::Press
    } else {
        Count::Broken
    }
}

/// Begun minutes, at most what a century has.
fn minutes(from: Timestamp, to: Timestamp) -> u64 {
    const CENTURY: u64 = 100 * 366 * 24 * 60;
    let secs = to.as_second().saturating_sub(from.as_second());
    (u64::try_from(secs).unwrap_or(0) / 60 + 1).min(CENTURY)
}
