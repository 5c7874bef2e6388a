//! The decision table of levels as data, over all of its combinations.
//!
//! It is written down from RFC 3805 in words of its own: it shares no line with the code.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::sync::LazyLock;

use jiff::Timestamp;
use printer::direction::Direction;
use printer::mib;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::supply::{Level, SupplyClass};
use printer::walk::Walk;
use proptest::prelude::*;
use snmp::{Oid, Value};

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

/// What a level is, seen from its capacity.
const LEVELS: [&str; 8] = ["absent", "<-3", "-3", "-2", "-1", "0..=max", ">max", ">100"];

/// Where a number is one of a whole: a capacity that is known, or percent.
const OF_A_WHOLE: [&str; 8] = [
    "unknown",
    "implausible",
    "some",
    "unknown",
    "unlimited",
    "percent",
    "implausible",
    "implausible",
];

/// RFC 3805, prtMarkerSuppliesLevel and prtInputCurrentLevel: what each kind of level means under
/// each kind of capacity and unit. `max` is the capacity, or 100 where there is none.
const TABLE: &[(&str, &str, [&str; 8])] = &[
    // Capacity, unit, and what each of LEVELS means.
    ("known", "percent", OF_A_WHOLE),
    ("known", "counted", OF_A_WHOLE),
    ("known", "unsaid", OF_A_WHOLE),
    ("none", "percent", OF_A_WHOLE),
    (
        "none",
        "counted",
        [
            "unknown",
            "implausible",
            "some",
            "unknown",
            "unlimited",
            "quantity",
            "quantity",
            "quantity",
        ],
    ),
    (
        "none",
        "unsaid",
        [
            "unknown",
            "implausible",
            "some",
            "unknown",
            "unlimited",
            "unknown",
            "unknown",
            "unknown",
        ],
    ),
];

/// One row of a device's table, as it would answer.
#[derive(Debug, Clone, Copy)]
struct Row {
    level: Option<i64>,
    capacity: Option<i64>,
    unit: Option<i64>,
    class: Option<i64>,
}

impl Row {
    /// The state that [`TABLE`] has for it.
    fn wanted(self) -> &'static str {
        let capacity = self.capacity.filter(|it| *it > 0);
        let unit = match self.unit {
            Some(19) => "percent",
            Some(3..=9 | 11..=18) => "counted",
            _ => "unsaid",
        };
        let level = match (self.level, capacity) {
            (None, _) => "absent",
            (Some(..-3), _) => "<-3",
            (Some(-3), _) => "-3",
            (Some(-2), _) => "-2",
            (Some(-1), _) => "-1",
            (Some(it), Some(max)) if it <= max => "0..=max",
            (Some(_), Some(_)) => ">max",
            (Some(0..=100), None) => "0..=max",
            (Some(_), None) => ">100",
        };
        let kind = if capacity.is_some() { "known" } else { "none" };
        let row = TABLE.iter().find(|row| (row.0, row.1) == (kind, unit));
        let column = LEVELS.iter().position(|it| *it == level);
        row.expect("a row").2[column.expect("a column")]
    }

    /// Checks what a supply and a tray with these numbers become.
    fn check(self) {
        let reading = judge(&self.walk());
        let [supply] = reading.supplies.as_slice() else {
            // Without a level, a capacity, a type or a name there is no supply.
            assert!(self.level.is_none() && self.capacity.is_none(), "{self:?}");
            return;
        };
        let wanted = self.wanted();
        assert_eq!(state(supply.level), wanted, "{self:?}");
        let [tray] = reading.trays.as_slice() else {
            panic!("one tray: {self:?}")
        };
        assert_eq!(
            state(tray.level),
            wanted,
            "a tray is decided alike: {self:?}"
        );
        for (level, remaining) in [
            (supply.level, supply.remaining),
            (tray.level, tray.remaining),
        ] {
            self.check_number(level, remaining);
        }
        let raw = |it: Option<i64>| it.map_or("absent".to_owned(), |n| format!("INTEGER: {n}"));
        assert_eq!(supply.evidence.raw, raw(self.level), "{self:?}");
        assert_eq!(tray.evidence.raw, raw(self.level), "{self:?}");
        let class = match self.class {
            Some(3) | None => SupplyClass::Consumed,
            Some(4) => SupplyClass::Receptacle,
            Some(_) => SupplyClass::Other,
        };
        assert_eq!(supply.class, class, "{self:?}");
        // A receptacle with a number has no direction that nothing proved; nothing else has one.
        let is_box = class == SupplyClass::Receptacle && wanted == "percent";
        let direction = is_box.then_some(Direction::NotProven);
        assert_eq!(supply.direction, direction, "{self:?}");
    }

    /// No sentinel becomes a number, and no number another one.
    fn check_number(self, level: Level, remaining: Option<u64>) {
        if let Some(left) = remaining {
            assert_eq!(i64::try_from(left).ok(), self.level, "{self:?}");
        }
        if let Level::Percent { percent } = level {
            let whole = self.capacity.filter(|it| *it > 0).unwrap_or(100);
            let part = self.level.expect("a number needs one");
            assert!((0.0..=100.0).contains(&percent), "{self:?}: {percent}");
            let back = percent * whole as f64 / 100.0;
            assert!(
                (back - part as f64).abs() <= 1e-9 * whole as f64,
                "{self:?}: {back}"
            );
        }
    }

    fn walk(self) -> Walk {
        let mut walk = Walk::new();
        let mut set = |column: &[u32], number: Option<i64>| {
            if let Some(number) = number {
                walk.insert(Oid::new(column).with(&[1, 1]), Value::Integer(number));
            }
        };
        set(mib::PRT_SUPPLY_LEVEL, self.level);
        set(mib::PRT_SUPPLY_CAPACITY, self.capacity);
        set(mib::PRT_SUPPLY_UNIT, self.unit);
        set(mib::PRT_SUPPLY_CLASS, self.class);
        set(mib::PRT_SUPPLY_TYPE, Some(3));
        set(mib::PRT_INPUT_LEVEL, self.level);
        set(mib::PRT_INPUT_CAPACITY, self.capacity);
        set(mib::PRT_INPUT_UNIT, self.unit);
        walk.insert(
            Oid::new(mib::PRT_INPUT_NAME).with(&[1, 1]),
            Value::OctetString(b"Tray 1".to_vec()),
        );
        walk.insert(
            Oid::new(mib::PRT_CONFIG_CHANGES).with(&[1]),
            Value::Integer(1),
        );
        walk
    }
}

fn state(level: Level) -> String {
    let json = serde_json::to_value(level).expect("writes");
    json["state"].as_str().expect("a state").to_owned()
}

#[test]
fn every_combination_of_capacity_level_unit_and_class_is_the_tables() {
    let capacities = [
        None,
        Some(-2),
        Some(-1),
        Some(0),
        Some(1),
        Some(100),
        Some(250),
        Some(i64::MAX),
    ];
    let levels = [
        i64::MIN,
        -100,
        -4,
        -3,
        -2,
        -1,
        0,
        1,
        42,
        99,
        100,
        101,
        249,
        250,
        251,
        143_065,
        i64::MAX,
    ];
    let levels: Vec<Option<i64>> = levels.into_iter().map(Some).chain([None]).collect();
    let units: Vec<Option<i64>> = (-1..=21).map(Some).chain([None]).collect();
    let classes = [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)];
    let mut seen = 0;
    for &capacity in &capacities {
        for &level in &levels {
            for &unit in &units {
                for &class in &classes {
                    let row = Row {
                        level,
                        capacity,
                        unit,
                        class,
                    };
                    row.check();
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 8 * 18 * 24 * 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_numbers_give_the_state_of_the_table(
        level in prop_oneof![any::<i64>(), -200_i64..200, Just(0)],
        capacity in prop_oneof![any::<i64>(), -3_i64..300],
        unit in -1_i64..22,
        class in 0_i64..6,
    ) {
        let row = Row {
            level: Some(level), capacity: Some(capacity), unit: Some(unit), class: Some(class),
        };
        row.check();
    }
}
