//! Printers that behave so between two readings: what the later one says against the earlier.

use actors::reach::again::read_again;
use actors::reach::survey::{ReadError, Survey, read_status};
use printer::change::{Change, between};
use printer::decrease::Decrease;
use printer::identity::Fingerprint;
use printer::meter::MeterName;
use printer::reading::Reading;

use super::{Reader, fleet, neighbor, place_of, reading_of, told};

/// Readings behind the first: every other one is whole, the others ask for what moves.
const READINGS: usize = 8;

/// Where a Counter32 begins again (RFC 2578).
const COUNTER32_END: u64 = 1 << 32;

/// What has to be said between the readings of a printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// That nothing happened.
    Nothing,
    /// Either no page count or this one, which never moves.
    OneCount(u64),
    /// That the page count began again at the end of its type, once.
    Rollover,
    /// That the page count was set anew, at least once.
    Reset,
    /// That nothing happened, by a whole reading that asks as if the printer were new each time: an
    /// uptime that falls by less than a second is no start, but nothing is built on what was known.
    AsNew,
}

/// Each behavior that shows between two readings only, and some that must not show there.
const BETWEEN: &[(&str, Then)] = &[
    ("type-changes", Then::OneCount(12_345)),
    ("counter-wraps", Then::Rollover),
    ("counter-resets", Then::Reset),
    ("ticks-back", Then::AsNew),
    ("id-old", Then::Nothing),
    ("five-a-second", Then::Nothing),
    ("serial-same", Then::Nothing),
    ("engine-same", Then::Nothing),
    ("time-ten-years", Then::Nothing),
];

impl Reader {
    /// Reads what was read before, as an agent's device does: all of it, or what moves.
    async fn read_on(&self, last: &Survey, is_whole: bool) -> Result<Survey, ReadError> {
        let place = match &last.verdict {
            printer::reading::Verdict::Printer(reading) => reading.address.expect("an address"),
            printer::reading::Verdict::NotAPrinter { reason } => panic!("no printer: {reason}"),
        };
        let target = self.scope.admit(place, self.door).expect("in the range");
        let credentials = [last.credential.clone()];
        let (snmp, profiles) = (&self.snmp, &self.profiles);
        match is_whole {
            true => read_again(snmp, &target, last.last(), &credentials, profiles).await,
            false => read_status(snmp, &target, last.last(), profiles).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_printer_turns_between_two_readings_is_told_as_what_it_is() {
    let rack = stories::rack(&fleet());
    let reader = Reader::new(rack.port);
    let stories = BETWEEN.iter().map(|(name, then)| {
        let reader = &reader;
        async move {
            let first = reader.read(place_of(name)).await;
            let mut last = first.unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut changes = Vec::new();
            for number in 0..READINGS {
                let read = reader.read_on(&last, number % 2 == 0).await;
                let survey = read.unwrap_or_else(|error| panic!("{name}, {number}: {error}"));
                let is_as_new = then == &Then::AsNew && number % 2 == 0;
                assert!(!is_as_new || survey.pdus > 3, "{name}");
                let readings = [&last, &survey].map(|it| reading_of(it).expect("a printer"));
                changes.extend(changes_between(name, *then, readings));
                last = survey;
            }
            is_as_was_to_be(*then, &changes)
                .err()
                .map(|why| format!("{name}: {why}: {changes:?}"))
        }
    });
    let wrong = futures_util::future::join_all(stories).await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The differences of two readings, of which one is the other's printer, and no count falls unsaid.
fn changes_between(name: &str, then: Then, [older, newer]: [&Reading; 2]) -> Vec<Change> {
    let whose = |reading: &Reading| Fingerprint::of(&reading.identity);
    assert!(
        !whose(older).differs(&whose(newer)),
        "{name}: another device"
    );
    let changes = between(older, newer);
    for old in &older.meters {
        let is_same = |new: &&printer::meter::Meter| new.name == old.name && new.label == old.label;
        let Some(new) = newer.meters.iter().find(is_same) else {
            continue;
        };
        let is_said = changes.iter().any(|change| {
            matches!(change, Change::CounterDecreased { name, from, to, .. }
                if (name, *from, *to) == (&old.name, old.value, new.value))
        });
        assert!(
            new.value >= old.value || is_said,
            "{name}: {old:?}, {new:?}, {changes:?}"
        );
    }
    let (_, supplies, trays) = told(older);
    let (pages, supplies_now, trays_now) = told(newer);
    assert_eq!((supplies_now, trays_now), (supplies, trays), "{name}");
    if let Then::OneCount(count) = then {
        assert!(
            pages.is_none_or(|pages| pages == count),
            "{name}: {pages:?}"
        );
    }
    changes
}

/// Whether the differences are those that were to be, and no others.
fn is_as_was_to_be(then: Then, changes: &[Change]) -> Result<(), &'static str> {
    let is_told = |change: &&Change| match (then, change) {
        (Then::Rollover, Change::CounterDecreased { name, cause, .. }) => {
            let is_end = matches!(
                cause,
                Decrease::Rollover {
                    limit: COUNTER32_END,
                    ..
                }
            );
            *name == MeterName::TOTAL && is_end
        }
        (
            Then::Reset,
            Change::CounterDecreased {
                name, cause, to, ..
            },
        ) => *name == MeterName::TOTAL && *cause == Decrease::Reset && *to == 0,
        _ => false,
    };
    let is_of_the_count = |change: &&Change| match (then, change) {
        (Then::Rollover | Then::Reset, Change::Meter { name, .. }) => *name == MeterName::TOTAL,
        (Then::OneCount(count), Change::Meter { name, to, .. }) => {
            *name == MeterName::TOTAL && *to == count
        }
        _ => false,
    };
    let told = changes.iter().filter(is_told).count();
    let others = changes
        .iter()
        .filter(|it| !is_told(it) && !is_of_the_count(it))
        .count();
    let is_right = match then {
        Then::Nothing | Then::OneCount(_) | Then::AsNew => told == 0,
        Then::Rollover => told == 1,
        Then::Reset => told > 0,
    };
    match (is_right, others) {
        (true, 0) => Ok(()),
        (true, _) => Err("something is told that did not happen"),
        (false, _) => Err("what happened is not told"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_number_that_is_another_at_the_next_reading_is_another_device() {
    let rack = stories::rack(&fleet());
    let reader = Reader::new(rack.port);
    let last = reader.read(neighbor(0)).await.expect("an honest printer");
    let (here, there) = (neighbor(0).into(), place_of("serial-changes").into());
    rack.swap(here, there).await.expect("both are there");
    for is_whole in [true, false] {
        let read = reader.read_on(&last, is_whole).await;
        assert!(
            matches!(&read, Err(ReadError::AnotherDevice { .. })),
            "{read:?}"
        );
    }
    // Whoever it was is known again as soon as it is back.
    rack.swap(here, there).await.expect("both are there");
    for is_whole in [true, false] {
        let again = reader
            .read_on(&last, is_whole)
            .await
            .expect("the one that was read");
        let readings = [&last, &again].map(|it| reading_of(it).expect("a printer"));
        assert_eq!(changes_between("honest", Then::Nothing, readings), []);
    }
}
