//! What has happened to a printer: the differences between its readings that a person would tell.
//!
//! Used by the printer page. Pure. What differs is judged by [`printer::change`]; here is only
//! which of it is news. That a counter moved or a tray emptied is not.

use printer::change::{Change, between};
use printer::decrease::Decrease;
use printer::identity::score::{Place, Traits, weigh};
use printer::identity::shown_address;
use printer::meter::Meter;
use printer::reading::Reading;
use printer::summary::status_line;
use printer::supply::Level;
use printer::supply_life::{self, SupplyLife};

use super::text::{age, count, counted, moment};
use super::words::{self, meter_name_of, supply_name};
use crate::store::printers::PastReading;

/// Events on one page. Older ones are in the store.
const EVENTS_MAX: usize = 20;

/// Readings further apart than this are a pause worth a line. Agents read several times a day.
const PAUSE_SECS: i64 = 36 * 60 * 60;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was seen.
    pub at: String,
    /// What it was.
    pub what: String,
    /// Its numbers.
    pub value: String,
}

/// Tells what happened between the readings of `history`, which is newest first, as is the answer.
#[must_use]
pub fn events(history: &[PastReading]) -> Vec<Event> {
    let lives = supply_life::lives(history.iter().rev().map(|past| &past.reading));
    let pairs = history.iter().zip(history.iter().skip(1));
    let all = pairs.flat_map(|(newer, older)| between_two(&older.reading, &newer.reading, &lives));
    all.take(EVENTS_MAX).collect()
}

fn between_two(older: &Reading, newer: &Reading, lives: &[SupplyLife]) -> Vec<Event> {
    let event = |(what, value)| Event {
        at: moment(newer.at),
        what,
        value,
    };
    let changes = between(older, newer);
    let told = changes
        .iter()
        .filter_map(|change| told(change, (older, newer), lives));
    told.chain(pause(older, newer))
        .chain(another_self(older, newer))
        .map(event)
        .collect()
}

/// Why it is the same printer though a key of it changed.
fn another_self(older: &Reading, newer: &Reading) -> Option<(String, String)> {
    let (was, is) = (Traits::of(older), Traits::of(newer));
    if !was.is_changed(&is) {
        return None;
    }
    let place = if older.address == newer.address {
        Place::Same
    } else {
        Place::Elsewhere
    };
    Some(("Identity".to_owned(), weigh(&was, &is, place).words()))
}

/// Tells a change, or nothing where it is no news.
fn told(
    change: &Change,
    (older, newer): (&Reading, &Reading),
    lives: &[SupplyLife],
) -> Option<(String, String)> {
    match change {
        Change::CounterDecreased {
            name,
            label,
            from,
            to,
            cause,
        } => {
            let name = meter_name_of(name, label.as_deref());
            let why = fell(*cause);
            let values = arrow(&count(*from), &count(*to));
            Some((format!("{name}: {why}"), values))
        }
        Change::Rebooted { .. } => Some(("Started again".to_owned(), String::new())),
        Change::Firmware { from, to } => {
            let words = arrow(&from.join(", "), &to.join(", "));
            Some(("Firmware".to_owned(), words))
        }
        Change::Address { from, to } => {
            let words = arrow(&shown_address(*from), &shown_address(*to));
            Some(("Address".to_owned(), words))
        }
        Change::SupplyReplaced { index, .. } => {
            let (what, value) = replaced(index, older, newer);
            let is_its = |life: &&SupplyLife| life.index == *index && life.replaced_at == newer.at;
            let life = lives.iter().find(is_its);
            let printed = life.and_then(|life| life.printed);
            let printed = printed
                .zip(words::total(newer))
                .map(|(printed, total)| format!("; {} with the old one", pages(printed, total)));
            Some((what, value + &printed.unwrap_or_default()))
        }
        Change::Status { from, to } if (from.state, from.severity) != (to.state, to.severity) => {
            let (was, is) = (status_line(older), status_line(newer));
            (from.severity != to.severity && was != is)
                .then(|| ("Status".to_owned(), arrow(&was, &is)))
        }
        Change::AlertRaised { alert } => Some((words::alert(alert), "raised".to_owned())),
        Change::AlertCleared { alert } => Some((words::alert(alert), "cleared".to_owned())),
        Change::Identity { field, from, to } => {
            Some((words::capital(&field.replace('_', " ")), arrow(from, to)))
        }
        Change::Meter { .. }
        | Change::SupplyLevel { .. }
        | Change::Status { .. }
        | Change::Tray { .. } => None,
    }
}

/// Why a counter fell.
fn fell(cause: Decrease) -> String {
    match cause {
        Decrease::Rollover { limit, counted } => {
            let (limit, counted) = (count(limit), count(counted));
            format!("the meter began again at {limit}; {counted} counted")
        }
        Decrease::Reset => "the meter was set anew".to_owned(),
        Decrease::BoardChanged => "a new board counts from here".to_owned(),
        Decrease::AnotherDevice => "another device counts here".to_owned(),
    }
}

/// A new cartridge, with what the old one had left.
fn replaced(index: &str, older: &Reading, newer: &Reading) -> (String, String) {
    let find = |reading: &Reading| {
        reading
            .supplies
            .iter()
            .find(|supply| supply.index == index)
            .cloned()
    };
    match (find(older), find(newer)) {
        (was, Some(is)) => {
            let level = |level, left| words::level(level, left, is.unit);
            let before = was.map_or(Level::Unknown, |was| was.level);
            let value = arrow(&level(before, None), &level(is.level, is.remaining));
            (format!("{} replaced", supply_name(&is)), value)
        }
        (Some(was), None) => (format!("{} taken out", supply_name(&was)), String::new()),
        (None, None) => ("Supply replaced".to_owned(), String::new()),
    }
}

/// A long time without a reading, and what was printed in it.
fn pause(older: &Reading, newer: &Reading) -> Option<(String, String)> {
    if newer.at.as_second() - older.at.as_second() < PAUSE_SECS {
        return None;
    }
    let (was, is) = (words::total(older)?, words::total(newer)?);
    let between = is
        .value
        .checked_sub(was.value)
        .filter(|_| is.unit == was.unit);
    let pages = between.map_or(String::new(), |between| {
        format!("; {} in between", pages(between, is))
    });
    Some((
        "Readings resumed".to_owned(),
        format!("after {}{pages}", age(older.at, newer.at)),
    ))
}

/// A number of what a meter counts.
fn pages(number: u64, total: &Meter) -> String {
    match words::total_unit(total) {
        "pages" => counted(number, "page"),
        unit => format!("{} {unit}", count(number)),
    }
}

fn arrow(from: &str, to: &str) -> String {
    let or_none = |text: &str| {
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text.to_owned()
        }
    };
    format!("{} → {}", or_none(from), or_none(to))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use printer::meter::Unit;

    use super::super::tests::sample_reading;
    use super::*;

    #[test]
    fn a_moving_counter_is_no_news() {
        let (older, newer) = (at(0, 100), at(6, 130));
        assert_eq!(events(&past(&[newer, older])), []);
    }

    #[test]
    fn a_new_board_is_told_with_why_it_is_the_same_printer() {
        let (mut older, mut newer) = (at(0, 90_000), at(1, 90_010));
        older.identity.serial = Some("PHB1234567".to_owned());
        newer.identity.serial = older.identity.serial.clone();
        older.identity.mac = Some("00:17:c8:00:00:01".to_owned());
        newer.identity.mac = Some("00:17:c8:00:00:02".to_owned());
        let all = events(&past(&[newer, older]));
        let identity = all.iter().find(|event| event.what == "Identity");
        let words = &identity.expect("it is told").value;
        assert!(words.ends_with(": network board changed"), "{words}");
    }

    #[test]
    fn a_pause_is_told_with_its_pages() {
        let told = only(&[at(96, 1_300), at(0, 100)]);
        assert_eq!(told.what, "Readings resumed");
        assert_eq!(told.value, "after 4 days; 1\u{202f}200 pages in between");
    }

    #[test]
    fn a_pause_of_a_label_printer_is_told_with_its_feet() {
        let mut readings = [at(96, 1_300), at(0, 100)];
        for reading in &mut readings {
            reading.meters[0].unit = Unit::Feet;
        }
        assert_eq!(
            only(&readings).value,
            "after 4 days; 1\u{202f}200 feet in between"
        );
    }

    #[test]
    fn a_meter_that_fell_is_told() {
        let told = only(&[at(6, 5), at(0, 400_000)]);
        assert_eq!(told.what, "Total: the meter was set anew");
        assert_eq!(told.value, "400\u{202f}000 → 5");
    }

    #[test]
    fn a_new_cartridge_is_told_with_what_the_old_one_had() {
        let (mut older, mut newer) = (at(0, 100), at(6, 130));
        older.supplies[0].level = Level::Percent { percent: 3.0 };
        newer.supplies[0].level = Level::Percent { percent: 100.0 };
        let told = only(&[newer, older]);
        assert_eq!(told.what, "Cyan replaced");
        assert_eq!(told.value, "3 % → 100 %");
    }

    #[test]
    fn a_replaced_cartridge_is_told_with_what_it_printed() {
        let rows = [(100, 3.0), (200, 100.0), (4_700, 4.0), (4_800, 98.0)];
        let mut history: Vec<Reading> = rows
            .iter()
            .zip(0..)
            .map(|((total, level), hours)| {
                let mut reading = at(hours, *total);
                reading.supplies[0].level = Level::Percent { percent: *level };
                reading
            })
            .collect();
        history.reverse();
        let events = events(&past(&history));
        let values: Vec<&str> = events.iter().map(|event| event.value.as_str()).collect();
        let second = "4 % → 98 %; 4\u{202f}600 pages with the old one";
        assert_eq!(
            values,
            [second, "3 % → 100 %"],
            "nobody saw the first one come"
        );
    }

    #[test]
    fn a_counter_that_began_again_is_told_as_that() {
        let mut readings = [at(6, 25), at(0, 999_990)];
        readings[1].meters[0].rolls_over_at = Some(1_000_000);
        let told = only(&readings).what;
        let wanted = "Total: the meter began again at 1\u{202f}000\u{202f}000; 35 counted";
        assert_eq!(told, wanted);
    }

    fn at(hours: i64, total: u64) -> Reading {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        sample_reading(at, total)
    }

    fn past(readings: &[Reading]) -> Vec<PastReading> {
        let past = |reading: &Reading| PastReading {
            agent_name: "lyon-1".to_owned(),
            is_status: false,
            reading: reading.clone(),
        };
        readings.iter().map(past).collect()
    }

    fn only(readings: &[Reading]) -> Event {
        let events = events(&past(readings));
        let [event] = events.as_slice() else {
            panic!("one event: {events:?}")
        };
        event.clone()
    }
}
