//! Whatever a device answers, evidence can be followed back into the walk; and whatever two readings
//! hold, a counter that falls is one event with a cause.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use printer::change::{self, Change};
use printer::decrease::Decrease;
use printer::meter::{Meter, MeterName, Unit};
use printer::profile::Profiles;
use printer::reading::{Evidence, Reading, Verdict};
use printer::supply::Level;
use printer::supply_life;
use printer::walk::{Walk, number_of};
use printer::{mib, question};
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

/// Every object that a full reading asks for, of whatever maker: a column or an instance.
fn asked() -> &'static Vec<(Oid, Vec<Oid>)> {
    static ASKED: LazyLock<Vec<(Oid, Vec<Oid>)>> = LazyLock::new(|| {
        let of = |maker: u32| {
            let mut known = Walk::new();
            let id = Oid::new(mib::ENTERPRISES).with(&[maker, 1]);
            known.insert(
                Oid::new(mib::SYS_OBJECT_ID).with(&[0]),
                Value::ObjectId(id.clone().into()),
            );
            let plan = question::full(&known, profiles());
            let columns = plan.tables.into_iter().flatten();
            (id, plan.scalars.into_iter().chain(columns).collect())
        };
        let makers = [
            11, 236, 253, 258, 297, 367, 641, 674, 683, 1129, 1248, 1347, 1552, 1602, 2001, 2385,
            2435, 10_642, 18_334, 40_093, 9_999,
        ];
        makers.into_iter().map(of).collect()
    });
    &ASKED
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-5_i64..130).prop_map(Value::Integer),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u64>().prop_map(Value::Counter64),
        any::<u32>().prop_map(Value::TimeTicks),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::OctetString),
        "[ -~]{0,30}".prop_map(|text| Value::OctetString(text.into_bytes())),
    ]
}

/// A device of some maker that answers anything at all under what is asked.
fn any_walk() -> impl Strategy<Value = Walk> {
    (0..asked().len()).prop_flat_map(|maker| {
        let (id, roots) = &asked()[maker];
        let tail =
            proptest::collection::vec(prop_oneof![Just(1_u32), 1_u32..6, any::<u32>()], 0..4);
        let object = (prop::sample::select(roots.clone()), tail, any_value());
        let id = id.clone();
        proptest::collection::vec(object, 1..120).prop_map(move |objects| {
            let mut walk = Walk::new();
            for (root, tail, value) in objects {
                walk.insert(root.with(&tail), value);
            }
            walk.insert(
                Oid::new(mib::SYS_OBJECT_ID).with(&[0]),
                Value::ObjectId(id.clone().into()),
            );
            walk.insert(
                Oid::new(mib::PRT_CONFIG_CHANGES).with(&[1]),
                Value::Integer(1),
            );
            walk
        })
    })
}

/// Type and value as evidence writes them, said once more.
fn raw_of(value: &Value) -> String {
    let hex = |octets: &[u8]| -> String {
        octets
            .iter()
            .take(64)
            .map(|it| format!("{it:02x}"))
            .collect()
    };
    match value {
        Value::Integer(it) => format!("INTEGER: {it}"),
        Value::Counter32(it) => format!("Counter32: {it}"),
        Value::Gauge32(it) => format!("Gauge32: {it}"),
        Value::TimeTicks(it) => format!("TimeTicks: {it}"),
        Value::Counter64(it) => format!("Counter64: {it}"),
        Value::ObjectId(it) => format!("OID: {it}"),
        Value::OctetString(it) => format!("Hex-STRING: {}", hex(it)),
        other => panic!("not made here: {other:?}"),
    }
}

/// Follows evidence back into the walk: the values of its objects as they came.
fn follow<'w>(evidence: &Evidence, walk: &'w Walk) -> Vec<&'w Value> {
    assert_eq!(evidence.door, "snmp");
    assert!(evidence.rule.contains('/'), "{evidence:?}");
    let objects = match evidence.rule.split_once(" of ") {
        Some((_, parts)) if parts.contains(" + ") => parts.split(" + ").collect(),
        _ => vec![evidence.object.as_str()],
    };
    let objects: Vec<Oid> = objects
        .into_iter()
        .map(|it| it.parse().expect("an object"))
        .collect();
    assert_eq!(objects[0].to_string(), evidence.object);
    let values: Vec<&Value> = objects.iter().filter_map(|it| walk.get(it)).collect();
    if values.is_empty() {
        assert_eq!(evidence.raw, "absent", "{evidence:?}");
    } else {
        let raw: Vec<String> = values.iter().map(|it| raw_of(it)).collect();
        assert_eq!(evidence.raw, raw.join(" + "), "{evidence:?}");
    }
    values
}

/// Whether some text of the walk holds this one. Character sets and bounds may have changed its ends.
fn is_told(walk: &Walk, said: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .flat_map(char::to_lowercase)
            .collect()
    };
    let said: String = plain(said).chars().take(20).collect();
    walk.iter().any(|(_, value)| match value {
        Value::OctetString(octets) => {
            let ascii: String = octets.iter().map(|it| char::from(*it)).collect();
            plain(&ascii).contains(&said)
        }
        _ => false,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_is_answered_every_value_leads_back_to_its_object(walk in any_walk()) {
        let reading = judge(&walk);
        for meter in &reading.meters {
            let values = follow(&meter.evidence, &walk);
            prop_assert!(!values.is_empty(), "a count from nothing: {:?}", meter);
            if meter.evidence.rule.starts_with("printer-mib/") {
                prop_assert_eq!(number_of(values[0]), i64::try_from(meter.value).ok());
            }
        }
        for (level, evidence) in reading.supplies.iter().map(|it| (it.level, &it.evidence))
            .chain(reading.trays.iter().map(|it| (it.level, &it.evidence)))
        {
            let values = follow(evidence, &walk);
            prop_assert!(!values.is_empty() || level == Level::Unknown, "{:?} {:?}", level, evidence);
        }
        prop_assert_eq!(printer::sources::missing(&reading), [""; 0]);
        for (name, evidence) in &reading.sources {
            prop_assert!(!follow(evidence, &walk).is_empty(), "{} from nothing: {:?}", name, evidence);
        }
        for alert in &reading.alerts {
            // A device may answer with the column itself: a row without arcs.
            let row = match alert.index.as_str() {
                "" => Oid::new(&[]),
                index => index.parse().expect("a row"),
            };
            let number = |column| walk.number(column, row.arcs()).unwrap_or_default();
            prop_assert!([mib::PRT_ALERT_CODE, mib::PRT_ALERT_SEVERITY, mib::PRT_ALERT_GROUP]
                .iter().any(|column| walk.at(column, row.arcs()).is_some()));
            let code = u32::try_from(number(mib::PRT_ALERT_CODE)).unwrap_or_default();
            let group = u32::try_from(number(mib::PRT_ALERT_GROUP)).unwrap_or_default();
            prop_assert_eq!((alert.code, alert.group), (code, group));
        }
        let who = &reading.identity;
        for said in who.firmware.iter().chain(&who.serial).chain(&who.asset).chain(&who.model) {
            let name = said.trim_end_matches(" (network card)");
            prop_assert!(is_told(&walk, name), "{:?} is in no answer", said);
        }
        for hex in who.mac.iter().chain(&who.engine_id) {
            let octets = hex.replace(':', "");
            let is_it = |value: &Value| raw_of(value) == format!("Hex-STRING: {octets}");
            let is_there = walk.iter().any(|(_, value)| is_it(value));
            prop_assert!(is_there, "{} is in no answer", hex);
        }
    }

    #[test]
    fn in_any_pair_of_readings_a_counter_that_falls_is_one_event_with_a_cause(
        older in any_meters(), newer in any_meters(),
        minutes in -100_i64..400_000, serials in any::<(bool, bool)>(),
    ) {
        let (older, newer) = (reading(older, 0, false), reading(newer, minutes, serials.0));
        let changes = change::between(&older, &newer);
        for meter in &newer.meters {
            let key = (&meter.name, &meter.label);
            let known = older.meters.iter().find(|it| (&it.name, &it.label) == key);
            let falls: Vec<&Change> = changes.iter().filter(|it| matches!(it,
                Change::CounterDecreased { name, label, .. } if (name, label) == key)).collect();
            let fell = known.filter(|old| meter.value < old.value
                && meter.name != MeterName::SINCE_POWER_ON);
            prop_assert_eq!(falls.len(), usize::from(fell.is_some()), "{:?}", changes);
            let Some((old, Change::CounterDecreased { from, to, cause, .. })) =
                fell.zip(falls.first().copied()) else { continue };
            prop_assert_eq!((*from, *to), (old.value, meter.value));
            if let Decrease::Rollover { limit, counted } = cause {
                prop_assert!(u128::from(*from) + u128::from(*counted)
                    == u128::from(*limit) + u128::from(*to));
                prop_assert!(from < limit && to < limit);
            }
        }
        for change in &changes {
            if let Change::Meter { name, from: Some(from), to, .. } = change {
                prop_assert!(from <= to || *name == MeterName::SINCE_POWER_ON);
            }
        }
        // What a supply printed is never more than the counter rose.
        let rose = newer.meters.iter().find(|it| it.name == MeterName::TOTAL)
            .zip(older.meters.iter().find(|it| it.name == MeterName::TOTAL))
            .map(|(new, old)| new.value.abs_diff(old.value));
        for life in supply_life::lives([&older, &newer]) {
            prop_assert!(life.printed.is_none_or(|it| Some(it) <= rose));
        }
    }
}

/// Meters of unlike names, labels and units.
fn any_meters() -> impl Strategy<Value = Vec<Meter>> {
    let value = prop_oneof![
        0_u64..10,
        0_u64..2_000_000,
        999_000_u64..1_000_000,
        (1_u64 << 32) - 5_000..1 << 32,
        any::<u64>(),
    ];
    let name = prop::sample::select(vec![
        "total",
        "mono",
        "color",
        "since_power_on",
        "other",
        "length",
    ]);
    let unit = prop::sample::select(vec![Unit::Impressions, Unit::Sheets, Unit::Meters]);
    let raw = prop::sample::select(vec![
        "Counter32: 1",
        "INTEGER: 1",
        "Counter64: 1",
        "Hex-STRING: 00",
    ]);
    let limit = prop::option::of(prop_oneof![Just(1_000_000_u64), Just(0), any::<u64>()]);
    let meter = (name, prop::option::of("[ab]"), value, unit, raw, limit);
    proptest::collection::vec(meter, 0..6).prop_map(|all| {
        let mut meters: Vec<Meter> = Vec::new();
        for (name, label, value, unit, raw, rolls_over_at) in all {
            let name = MeterName::try_from(name.to_owned()).expect("a name");
            let label = label.filter(|_| name == MeterName::OTHER);
            if meters.iter().any(|it| it.name == name && it.label == label) {
                continue;
            }
            let evidence = Evidence {
                door: "snmp".to_owned(),
                object: "1.3.6.1.2.1.43.10.2.1.4.1.1".to_owned(),
                raw: raw.to_owned(),
                rule: "test/any".to_owned(),
            };
            let beta = false;
            meters.push(Meter {
                name,
                label,
                value,
                unit,
                beta,
                rolls_over_at,
                evidence,
            });
        }
        meters
    })
}

fn reading(meters: Vec<Meter>, minutes: i64, is_other: bool) -> Reading {
    let mut walk = Walk::new();
    walk.insert(
        Oid::new(mib::PRT_CONFIG_CHANGES).with(&[1]),
        Value::Integer(1),
    );
    let mut reading = judge(&walk);
    reading.at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    let serial = if is_other { "Z9Z9Z9Z9" } else { "W2D8303202" };
    reading.identity.serial = Some(serial.to_owned());
    reading.meters = meters;
    reading
}
