//! Small walks of our own, and the whole reading that each makes.
//!
//! `walks/NAME.snmprec` becomes `walks/NAME.json`. The walks are made up; the color device is
//! shaped like a Kyocera, the awkward one like nothing that should exist.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;
use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::summary;
use printer::supply::Level;
use printer::walk::Walk;
use proptest::prelude::*;
use snmp::recording::Recording;
use snmp::{Oid, Value};

fn walk(name: &str) -> Walk {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/walks/{name}.snmprec"));
    let text = std::fs::read(path).expect("a walk");
    Walk::from(&Recording::parse(&text).expect("a recording"))
}

fn profiles() -> &'static Profiles {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::embedded().expect("profiles"));
    &PROFILES
}

fn judge(walk: &Walk) -> Verdict {
    let address = "10.20.4.17".parse().expect("an address");
    let at = "2026-11-23T08:00:03Z".parse().expect("a time");
    printer::judge(walk, profiles(), Some(address), at)
}

fn assert_golden(name: &str) {
    let Verdict::Printer(reading) = judge(&walk(name)) else {
        panic!("{name} is a printer")
    };
    let got = serde_json::to_value(&reading).expect("writes");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/walks/{name}.json"));
    let text = std::fs::read_to_string(path).expect("a reading");
    let wanted: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        got,
        wanted,
        "{}",
        serde_json::to_string_pretty(&got).expect("writes")
    );
}

#[test]
fn a_color_device_is_read_whole() {
    assert_golden("color-mfp");
}

#[test]
fn an_awkward_device_loses_nothing_and_nothing_is_made_up() {
    assert_golden("awkward");
}

#[test]
fn a_print_queue_of_a_computer_is_no_printer() {
    let Verdict::NotAPrinter { reason } = judge(&walk("print-queue")) else {
        panic!("a computer is no printer")
    };
    assert!(
        reason.starts_with("it is a computer running Windows"),
        "{reason}"
    );
}

#[test]
fn few_words_say_the_same() {
    let Verdict::Printer(reading) = judge(&walk("color-mfp")) else {
        panic!("is a printer")
    };
    assert_eq!(summary::supplies(&reading.supplies), "C 8!");
    assert_eq!(summary::status_line(&reading), "cyan low");
    let Verdict::Printer(reading) = judge(&walk("awkward")) else {
        panic!("is a printer")
    };
    assert_eq!(summary::supplies(&reading.supplies), "K ? K some ribbon ?");
    assert_eq!(summary::status_line(&reading), "paper jam");
}

/// The level of the only supply in a walk of these lines, and the rule that decided it.
fn level_in(lines: &str) -> (Level, String) {
    let recording = Recording::parse(lines.as_bytes()).expect("a recording");
    let Verdict::Printer(reading) = judge(&Walk::from(&recording)) else {
        panic!("is a printer")
    };
    let supply = reading.supplies.first().expect("a supply");
    (supply.level, supply.evidence.rule.clone())
}

#[test]
fn a_profile_knows_more_of_a_supply_than_the_standard() {
    // Brother: some toner is left (-3), and record 6f of the block says 26.00 percent.
    let brother = "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2435.2.3.9.1\n\
        1.3.6.1.2.1.43.11.1.1.5.1.1|2|3\n\
        1.3.6.1.2.1.43.11.1.1.6.1.1|4|Black Toner Cartridge\n\
        1.3.6.1.2.1.43.11.1.1.8.1.1|2|-2\n\
        1.3.6.1.2.1.43.11.1.1.9.1.1|2|-3\n";
    let block = "1.3.6.1.4.1.2435.2.3.9.4.2.1.5.5.8.0|4x|6f010400000a28ff\n";
    assert_eq!(
        level_in(brother),
        (Level::Some, "printer-mib/level-some".to_owned())
    );
    let known = level_in(&format!("{brother}{block}"));
    assert_eq!(
        known,
        (
            Level::Percent { percent: 26.0 },
            "brother@1/record 6f".to_owned()
        )
    );

    // A mono Brother without that record says low in a flag, and nothing but "some" else.
    let flag = |number: i64| format!("{brother}1.3.6.1.4.1.2435.2.3.9.1.1.2.10.1|2|{number}\n");
    assert_eq!(level_in(&flag(1)).0, Level::Low);
    assert_eq!(level_in(&flag(3)).0, Level::Empty);
    assert_eq!(level_in(&flag(0)).0, Level::Some);

    // Ricoh: -100 means empty, for no other maker.
    let lines = |maker: u32| {
        format!(
            "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.{maker}.1.1\n\
            1.3.6.1.2.1.43.11.1.1.8.1.1|2|100\n\
            1.3.6.1.2.1.43.11.1.1.9.1.1|2|-100\n"
        )
    };
    assert_eq!(
        level_in(&lines(367)),
        (Level::Empty, "ricoh@1/level-code".to_owned())
    );
    assert_eq!(level_in(&lines(641)).0, Level::Implausible);
}

#[test]
fn a_meter_that_nothing_proves_is_beta() {
    let lines = b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n\
        1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.5.0|2|15232\n\
        1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.7.0|2|9\n";
    let recording = Recording::parse(lines).expect("a recording");
    let Verdict::Printer(reading) = judge(&Walk::from(&recording)) else {
        panic!("is a printer")
    };
    let beta = |name: &str| {
        let meter = reading
            .meters
            .iter()
            .find(|meter| meter.name.as_str() == name);
        meter.map(|meter| meter.beta)
    };
    assert_eq!((beta("engine"), beta("color")), (Some(false), Some(true)));
}

/// Roots below which foreign values are put: everything that is read.
const ROOTS: &[&[u32]] = &[
    &[1, 3, 6, 1, 2, 1, 1],
    &[1, 3, 6, 1, 2, 1, 2, 2, 1],
    &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1],
    &[1, 3, 6, 1, 2, 1, 25, 3, 5, 1],
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1],
    &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1],
    &[1, 3, 6, 1, 2, 1, 43, 10, 2, 1],
    &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1],
    &[1, 3, 6, 1, 2, 1, 43, 12, 1, 1],
    &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1],
    &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9, 4, 2, 1, 5, 5],
];

fn any_object() -> impl Strategy<Value = (Oid, Value)> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-5_i64..130).prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Counter64),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::OctetString),
        Just(Value::ObjectId(Box::new([1, 3, 6, 1, 4, 1, 2435].into()))),
        Just(Value::ObjectId(Box::default())),
    ];
    let root = prop::sample::select(ROOTS);
    let tail = proptest::collection::vec(0_u32..20, 0..4);
    (root, tail, value).prop_map(|(root, tail, value)| (Oid::new(root).with(&tail), value))
}

proptest! {
    #[test]
    fn no_walk_panics(objects in proptest::collection::vec(any_object(), 0..60)) {
        let mut walk = Walk::new();
        for (oid, value) in objects {
            walk.insert(oid, value);
        }
        let _ = printer::question::full(&walk, profiles());
        let _ = printer::question::status(&walk, profiles());
        if let Verdict::Printer(reading) =
            printer::judge(&walk, profiles(), None, Timestamp::UNIX_EPOCH)
        {
            let _ = summary::supplies(&reading.supplies);
            let _ = summary::status_line(&reading);
            let percents = reading.supplies.iter().filter_map(|supply| match supply.level {
                Level::Percent { percent } => Some(percent),
                _ => None,
            });
            for percent in percents {
                prop_assert!((0.0..=100.0).contains(&percent));
            }
        }
    }
}
