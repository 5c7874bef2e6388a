//! What must hold for every device: the decision table of levels, evidence for every value, a cause
//! for every counter that fell, and supplies that stay themselves.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use printer::alert::Alert;
use printer::change::{self, Change};
use printer::decrease::Decrease;
use printer::direction::Direction;
use printer::meter::{Meter, MeterName, Unit};
use printer::mib;
use printer::profile::Profiles;
use printer::reading::{Evidence, Reading, Verdict};
use printer::supply::{Level, Supply, SupplyClass};
use printer::supply_life;
use printer::walk::Walk;
use proptest::prelude::*;
use snmp::{Oid, Value};

/// A capacity that a device may name.
const CAPACITY: i64 = 250;

fn profiles() -> &'static Profiles {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::embedded().expect("profiles"));
    &PROFILES
}

fn judge(walk: &Walk) -> Reading {
    match printer::judge(walk, profiles(), None, Timestamp::UNIX_EPOCH) {
        Verdict::Printer(reading) => *reading,
        Verdict::NotAPrinter { reason } => panic!("no printer: {reason}"),
    }
}

fn row(walk: &mut Walk, column: &[u32], row: u32, number: i64) {
    walk.insert(Oid::new(column).with(&[1, row]), Value::Integer(number));
}

/// The state that a level must have, as RFC 3805 and the table of the design say it: in words of
/// its own, so that it does not repeat a mistake of the code.
fn wanted(level: i64, capacity: i64, unit: Unit) -> &'static str {
    let is_percent = unit == Unit::Percent;
    match (level, capacity) {
        (-1, _) => "unlimited",
        (-2, _) => "unknown",
        (-3, _) => "some",
        (..-3, _) => "implausible",
        (_, 1..) if level <= capacity => "percent",
        (_, 1..) => "implausible",
        (0..=100, _) if is_percent => "percent",
        (_, _) if is_percent => "implausible",
        (_, _) if matches!(unit, Unit::Unknown | Unit::Other) => "unknown",
        (_, _) => "quantity",
    }
}

fn state(level: Level) -> String {
    let json = serde_json::to_value(level).expect("writes");
    json["state"].as_str().expect("a state").to_owned()
}

#[test]
fn every_level_capacity_unit_and_class_gives_the_state_of_the_table() {
    let levels = [
        -100,
        -3,
        -2,
        -1,
        0,
        1,
        42,
        100,
        CAPACITY,
        CAPACITY + 1,
        143_065,
    ];
    let capacities = [-2, -1, 0, 100, CAPACITY];
    let units = [1, 2, 3, 4, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19];
    let mut seen = 0;
    for level in levels {
        for capacity in capacities {
            for unit in units {
                for class in [1, 3, 4] {
                    let mut walk = Walk::new();
                    row(&mut walk, mib::PRT_SUPPLY_CLASS, 1, class);
                    row(&mut walk, mib::PRT_SUPPLY_UNIT, 1, unit);
                    row(&mut walk, mib::PRT_SUPPLY_CAPACITY, 1, capacity);
                    row(&mut walk, mib::PRT_SUPPLY_LEVEL, 1, level);
                    let reading = judge(&walk);
                    let [supply] = reading.supplies.as_slice() else {
                        panic!("one supply")
                    };
                    let case = format!("{level} of {capacity}, unit {unit}, class {class}");
                    let wanted = wanted(level, capacity, Unit::from_mib(Some(unit)));
                    assert_eq!(state(supply.level), wanted, "{case}");
                    assert!(
                        supply.evidence.raw.ends_with(&format!(": {level}")),
                        "{case}"
                    );
                    assert!(
                        supply
                            .remaining
                            .is_none_or(|left| i64::try_from(left) == Ok(level))
                    );
                    let is_box = class == 4 && wanted == "percent";
                    assert_eq!(
                        supply.direction,
                        is_box.then_some(Direction::NotProven),
                        "{case}"
                    );
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, levels.len() * capacities.len() * units.len() * 3);
}

#[test]
fn two_supplies_of_one_color_stay_two() {
    let mut walk = Walk::new();
    for (at, level) in [(1, 80), (2, 20), (30, 55), (31, 0)] {
        row(&mut walk, mib::PRT_SUPPLY_COLORANT, at, 1);
        row(&mut walk, mib::PRT_SUPPLY_TYPE, at, 3);
        row(&mut walk, mib::PRT_SUPPLY_CAPACITY, at, 100);
        row(&mut walk, mib::PRT_SUPPLY_LEVEL, at, level);
    }
    let black = Value::OctetString(b"black".to_vec());
    walk.insert(Oid::new(mib::PRT_COLORANT_VALUE).with(&[1, 1]), black);
    let reading = judge(&walk);
    let rows: Vec<&str> = reading
        .supplies
        .iter()
        .map(|it| it.index.as_str())
        .collect();
    assert_eq!(rows, ["1.1", "1.2", "1.30", "1.31"]);
    assert!(
        reading
            .supplies
            .iter()
            .all(|it| it.color.as_deref() == Some("black"))
    );
}

fn evidence(raw: &str) -> Evidence {
    Evidence {
        door: "snmp".to_owned(),
        object: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
        raw: raw.to_owned(),
        rule: "test".to_owned(),
    }
}

fn meter(name: MeterName, value: u64, raw: &str) -> Meter {
    Meter {
        name,
        label: None,
        value,
        unit: Unit::Impressions,
        beta: false,
        rolls_over_at: None,
        evidence: evidence(raw),
    }
}

/// A reading with this total, so many minutes after the first.
fn reading(total: u64, minutes: i64) -> Reading {
    let mut walk = Walk::new();
    row(&mut walk, mib::PRT_CONFIG_CHANGES, 1, 1);
    let mut reading = judge(&walk);
    reading.at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    reading.meters = vec![meter(MeterName::TOTAL, total, "Counter32: ")];
    reading.identity.serial = Some("W2D8303202".to_owned());
    reading.identity.mac = Some("00:17:c8:65:e2:b9".to_owned());
    reading
}

fn cause(older: &Reading, newer: &Reading) -> Decrease {
    let changes = change::between(older, newer);
    let causes: Vec<Decrease> = changes
        .iter()
        .filter_map(|change| match change {
            Change::CounterDecreased { cause, .. } => Some(*cause),
            _ => None,
        })
        .collect();
    let [cause] = causes.as_slice() else {
        panic!("one cause: {changes:?}")
    };
    *cause
}

#[test]
fn a_counter_that_fell_has_its_cause() {
    let (older, newer) = (reading(432_951, 0), reading(12, 30));
    assert_eq!(cause(&older, &newer), Decrease::Reset);
    let mut board = newer.clone();
    board.identity.mac = Some("00:17:c8:00:00:01".to_owned());
    assert_eq!(cause(&older, &board), Decrease::BoardChanged);
    let mut other = newer.clone();
    other.identity.serial = Some("W2D8303999".to_owned());
    assert_eq!(cause(&older, &other), Decrease::AnotherDevice);

    // HP's engine counter has six digits; a Counter32 has 32 bits.
    let mut six_digits = reading(999_990, 0);
    six_digits.meters[0].rolls_over_at = Some(1_000_000);
    let rollover = |limit, counted| Decrease::Rollover { limit, counted };
    assert_eq!(
        cause(&six_digits, &reading(25, 30)),
        rollover(1_000_000, 35)
    );
    let end = reading((1 << 32) - 5, 0);
    assert_eq!(cause(&end, &reading(7, 30)), rollover(1 << 32, 12));
    // The same fall with nothing near the limit is no rollover.
    assert_eq!(
        cause(&reading(999_990, 0), &reading(25, 30)),
        Decrease::Reset
    );
    six_digits.meters[0].value = 432_951;
    assert_eq!(cause(&six_digits, &reading(25, 30)), Decrease::Reset);
}

#[test]
fn a_restart_is_seen_and_a_clock_that_began_again_is_none() {
    let up = |secs, minutes| {
        let mut reading = reading(100, minutes);
        reading.up_secs = Some(secs);
        reading
    };
    let is_restarted = |older: &Reading, newer: &Reading| {
        let changes = change::between(older, newer);
        changes
            .iter()
            .any(|change| matches!(change, Change::Rebooted { .. }))
    };
    assert!(is_restarted(&up(86_400, 0), &up(40, 30)));
    assert!(!is_restarted(&up(86_400, 0), &up(88_200, 30)));
    // 2^32 hundredths of a second are 42 949 672 s.
    assert!(!is_restarted(&up(42_949_000, 0), &up(1_128, 30)));
    let mut since = [reading(100, 0), reading(101, 30)];
    since[0]
        .meters
        .push(meter(MeterName::SINCE_POWER_ON, 921, ""));
    since[1]
        .meters
        .push(meter(MeterName::SINCE_POWER_ON, 3, ""));
    assert!(is_restarted(&since[0], &since[1]));
    let changes = change::between(&since[0], &since[1]);
    let is_fall = |change: &Change| matches!(change, Change::CounterDecreased { .. });
    assert!(!changes.iter().any(is_fall), "{changes:?}");
}

#[test]
fn another_address_is_an_event_with_both() {
    let (mut older, mut newer) = (reading(1, 0), reading(1, 30));
    older.address = "10.0.0.1".parse().ok();
    newer.address = "10.0.0.2".parse().ok();
    let changes = change::between(&older, &newer);
    let [Change::Address { from, to }] = changes.as_slice() else {
        panic!("an address: {changes:?}")
    };
    assert_eq!(
        (from.to_string(), to.to_string()),
        ("10.0.0.1".into(), "10.0.0.2".into())
    );
}

fn supply(level: f64) -> Supply {
    Supply {
        index: "1.1".to_owned(),
        description: "Toner".to_owned(),
        class: SupplyClass::Consumed,
        kind: "toner".to_owned(),
        color: None,
        level: Level::Percent { percent: level },
        direction: None,
        capacity: None,
        remaining: None,
        unit: Unit::Percent,
        part: None,
        serial: None,
        evidence: evidence(""),
    }
}

#[test]
fn a_replaced_supply_is_told_with_what_it_printed_and_threw_away() {
    let rows = [
        (100, 80.0),
        (900, 20.0),
        (1_000, 100.0),
        (3_000, 40.0),
        (5_500, 8.0),
        (5_600, 95.0),
    ];
    let history: Vec<Reading> = rows
        .iter()
        .zip(0..)
        .map(|((total, level), at)| {
            let mut reading = reading(*total, at * 60);
            reading.supplies = vec![supply(*level)];
            reading
        })
        .collect();
    let lives = supply_life::lives(&history);
    let [first, second] = lives.as_slice() else {
        panic!("two lives: {lives:?}")
    };
    // Nobody saw when the first came.
    assert_eq!((first.count, first.printed), (Some(1_000), None));
    assert_eq!((second.count, second.printed), (Some(5_600), Some(4_600)));
    assert_eq!(second.thrown_away, Some(Level::Percent { percent: 8.0 }));

    let mut broken = history;
    for reading in &mut broken[4..] {
        reading.meters[0].value -= 3_000;
    }
    let lives = supply_life::lives(&broken);
    assert_eq!(lives[1].printed, None, "the counter was set anew meanwhile");
}

#[test]
fn the_direction_of_a_waste_box_is_proven_by_an_alert_or_by_history() {
    let alert = |code, row| Alert {
        index: "1.1".to_owned(),
        severity: "warning".to_owned(),
        group: 11,
        group_index: row,
        code,
        name: String::new(),
        description: String::new(),
        training: String::new(),
    };
    let mut waste = supply(5.0);
    waste.class = SupplyClass::Receptacle;
    let of = |percent: f64, alerts: &[Alert]| {
        let mut waste = waste.clone();
        waste.level = Level::Percent { percent };
        Direction::of(&waste, alerts)
    };
    assert_eq!(of(5.0, &[]), Some(Direction::NotProven));
    assert_eq!(of(5.0, &[alert(1107, Some(1))]), Some(Direction::Free));
    assert_eq!(of(95.0, &[alert(1109, None)]), Some(Direction::Filled));
    assert_eq!(of(50.0, &[alert(1109, None)]), Some(Direction::NotProven));
    assert_eq!(of(5.0, &[alert(1107, Some(7))]), Some(Direction::NotProven));
    assert_eq!(of(5.0, &[alert(1104, Some(1))]), Some(Direction::NotProven));
    assert_eq!(Direction::of(&supply(5.0), &[alert(1107, Some(1))]), None);

    let level = |percent: f64| Level::Percent { percent };
    assert_eq!(
        Direction::between(level(60.0), level(58.0), 400),
        Direction::Free
    );
    assert_eq!(
        Direction::between(level(60.0), level(62.0), 400),
        Direction::Filled
    );
    assert_eq!(
        Direction::between(level(60.0), level(62.0), 0),
        Direction::NotProven
    );
    assert_eq!(
        Direction::between(level(98.0), level(0.0), 400),
        Direction::NotProven
    );
    assert_eq!(
        Direction::between(level(60.0), Level::Some, 400),
        Direction::NotProven
    );
}

#[test]
fn a_history_proves_the_direction_of_a_waste_box() {
    let history = |levels: &[f64]| -> Vec<Reading> {
        let of = |(level, at): (&f64, i64)| {
            let mut reading = reading(1_000 + 100 * at.unsigned_abs(), at * 60);
            reading.supplies = vec![Supply {
                class: SupplyClass::Receptacle,
                ..supply(*level)
            }];
            reading
        };
        levels.iter().zip(0..).map(of).collect()
    };
    let of = |levels: &[f64]| Direction::of_history(&history(levels), "1.1");
    assert_eq!(of(&[60.0, 60.0, 60.0]), Direction::NotProven);
    assert_eq!(of(&[60.0, 60.0, 58.0]), Direction::Free);
    assert_eq!(of(&[60.0, 62.0, 64.0]), Direction::Filled);
    // Emptied, and then it fills.
    assert_eq!(of(&[98.0, 0.0, 1.0]), Direction::Filled);
    let level = Level::Percent { percent: 5.0 };
    assert!(Direction::Free.is_almost_full(level));
    assert!(!Direction::NotProven.is_almost_full(level));
    assert!(!Direction::Filled.is_almost_full(level));
}

/// Roots below which values are put: the standard tables, and objects of three makers.
const ROOTS: &[&[u32]] = &[
    &[1, 3, 6, 1, 2, 1, 43, 10, 2, 1],
    &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1],
    &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1],
    &[1, 3, 6, 1, 4, 1, 236, 11, 5, 11, 53, 11, 2, 1],
    &[1, 3, 6, 1, 4, 1, 367, 3, 2, 1, 2, 19, 5, 1],
    &[1, 3, 6, 1, 4, 1, 1347, 42, 3, 1, 1, 1, 1],
];

fn any_object() -> impl Strategy<Value = (Oid, Value)> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-5_i64..130).prop_map(Value::Integer),
        any::<u32>().prop_map(Value::Counter32),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(Value::OctetString),
    ];
    let tail = proptest::collection::vec(1_u32..12, 1..4);
    (prop::sample::select(ROOTS), tail, number)
        .prop_map(|(root, tail, value)| (Oid::new(root).with(&tail), value))
}

proptest! {
    #[test]
    fn no_reading_loses_evidence(
        objects in proptest::collection::vec(any_object(), 1..80),
        maker in prop::sample::select(vec![236_u32, 367, 1347, 641]),
    ) {
        let mut walk: Walk = Walk::new();
        for (oid, value) in objects {
            walk.insert(oid, value);
        }
        let maker = Oid::new(mib::ENTERPRISES).with(&[maker, 1]);
        walk.insert(Oid::new(mib::SYS_OBJECT_ID).with(&[0]), Value::ObjectId(maker.into()));
        row(&mut walk, mib::PRT_CONFIG_CHANGES, 1, 1);
        let reading = judge(&walk);
        let meters = reading.meters.iter().map(|it| &it.evidence);
        let supplies = reading.supplies.iter().map(|it| &it.evidence);
        let trays = reading.trays.iter().map(|it| &it.evidence);
        for evidence in meters.chain(supplies).chain(trays) {
            let object: Oid = evidence.object.parse().expect("an object");
            prop_assert_eq!(&evidence.door, "snmp");
            prop_assert!(evidence.rule.contains('/'), "{:?}", evidence);
            // What it says it read is there, and what is not there is said to be absent.
            prop_assert_eq!(walk.get(&object).is_none(), evidence.raw == "absent");
            prop_assert!(!evidence.raw.is_empty());
        }
        let json = serde_json::to_string(&reading).expect("writes");
        let back: Reading = serde_json::from_str(&json).expect("reads");
        prop_assert_eq!(change::between(&reading, &back), vec![]);
    }

    #[test]
    fn a_decrease_is_always_classified(
        from in prop_oneof![1_u64..2_000_000, (1_u64 << 32) - 5_000..1 << 32, any::<u64>()],
        share in 0.0_f64..1.0,
        minutes in 0_i64..200_000,
        limit in prop::option::of(prop_oneof![Just(1_000_000_u64), any::<u64>()]),
        raw in prop::sample::select(vec!["Counter32: 1", "INTEGER: 1", "Hex-STRING: 00", ""]),
        serial in prop::option::of("[A-Z]{4}[0-9]{4}"),
        mac in any::<bool>(),
    ) {
        let to = ((from as f64 * share) as u64).min(from.saturating_sub(1));
        let (mut older, mut newer) = (reading(from, 0), reading(to, minutes));
        older.meters[0].evidence.raw = raw.to_owned();
        older.meters[0].rolls_over_at = limit;
        if let Some(serial) = serial {
            newer.identity.serial = Some(serial);
        }
        if mac {
            newer.identity.mac = Some("02:00:00:00:00:01".to_owned());
        }
        if from > 0 {
            let changes = change::between(&older, &newer);
            let falls: Vec<&Change> = changes
                .iter()
                .filter(|change| matches!(change, Change::CounterDecreased { .. }))
                .collect();
            prop_assert_eq!(falls.len(), 1, "{:?}", changes);
            if let Change::CounterDecreased { from: was, to: is, cause, .. } = falls[0] {
                prop_assert_eq!((*was, *is), (from, to));
                if let Decrease::Rollover { limit, counted } = *cause {
                    // What it counted leads from the one value over the limit to the other.
                    prop_assert_eq!(u128::from(from) + u128::from(counted),
                        u128::from(limit) + u128::from(to));
                    prop_assert!(counted <= 1_000 * u64::try_from(minutes).expect("positive").max(1));
                }
            }
            let grows = |change: &Change| match change {
                Change::Meter { from, to, .. } => from.is_none_or(|from| from <= *to),
                _ => true,
            };
            prop_assert!(changes.iter().all(grows));
        }
    }
}
