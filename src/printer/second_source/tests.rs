//! What a second source adds, and what it never touches.

use jiff::Timestamp;

use super::*;
use crate::ledm::{self, Document, Documents};
use crate::meter::Unit;
use crate::reading::Evidence;
use crate::status::Severity;
use crate::supply::SupplyClass;

/// A reading of LEDM's with these parts in its documents.
fn of(usage: &str, consumables: &str) -> Reading {
    let config = "<ProductConfigDyn><ProductInformation><Version><Revision>F1</Revision></Version>\
        <MakeAndModel>HP X 1</MakeAndModel><SerialNumber>CNB1234567</SerialNumber>\
        <UUID>1c852a4d-b800-1f08-abcd-2c44fd1e0f21</UUID></ProductInformation></ProductConfigDyn>";
    let status = "<ProductStatusDyn><Status><StatusCategory>ready</StatusCategory></Status></ProductStatusDyn>";
    let usage =
        format!("<ProductUsageDyn><PrinterSubunit>{usage}</PrinterSubunit></ProductUsageDyn>");
    let rows = format!("<ConsumableConfigDyn>{consumables}</ConsumableConfigDyn>");
    let mut documents = Documents::default();
    for (document, text) in [
        (Document::ProductConfigDyn, config),
        (Document::ProductStatusDyn, status),
        (Document::ProductUsageDyn, &usage),
        (Document::ConsumableConfigDyn, &rows),
    ] {
        documents.take(document, ledm::decode(document, text.as_bytes()).unwrap());
    }
    ledm::judge(&documents, None, Timestamp::UNIX_EPOCH).unwrap()
}

fn cartridge(code: &str, percent: &str) -> String {
    format!(
        "<ConsumableInfo><ConsumableLabelCode>{code}</ConsumableLabelCode>\
         <ConsumableTypeEnum>ink</ConsumableTypeEnum><SerialNumber>S-{code}</SerialNumber>\
         <ConsumablePercentageLevelRemaining>{percent}</ConsumablePercentageLevelRemaining>\
         </ConsumableInfo>"
    )
}

fn ledm(usage: &str, consumables: &str) -> Second {
    Second {
        door: "ledm",
        reading: of(usage, consumables),
        is_fresh: true,
    }
}

/// A reading as of SNMP, of the same printer, that says as little as this.
fn snmp(meters: &[(&str, u64)], supplies: Vec<Supply>) -> Reading {
    let evidence = || Evidence {
        door: "snmp".to_owned(),
        object: "1.3".to_owned(),
        raw: "absent".to_owned(),
        rule: "a rule".to_owned(),
    };
    let mut reading = of("", "");
    reading.identity = Identity {
        serial: Some("CNB1234567".to_owned()),
        ..Identity::default()
    };
    reading.sources.clear();
    reading.status.state = State::Unknown;
    reading.status.severity = Severity::Unknown;
    let meter = |(name, value): &(&str, u64)| Meter {
        name: MeterName::try_from((*name).to_owned()).unwrap(),
        label: None,
        value: *value,
        unit: Unit::Impressions,
        beta: false,
        rolls_over_at: None,
        evidence: evidence(),
    };
    reading.meters = meters.iter().map(meter).collect();
    reading.supplies = supplies;
    reading
}

fn supply(kind: &str, color: Option<&str>, level: Level) -> Supply {
    let mut supply = of("", &cartridge("K", "1")).supplies.remove(0);
    supply.index = "1.1".to_owned();
    supply.kind = kind.to_owned();
    supply.class = SupplyClass::Consumed;
    supply.color = color.map(str::to_owned);
    supply.level = level;
    supply.serial = None;
    supply.evidence.door = "snmp".to_owned();
    supply
}

fn value(reading: &Reading, name: &str) -> Option<(u64, String)> {
    let mut meters = reading.meters.iter();
    let found = meters.find(|it| it.name.as_str() == name || it.label.as_deref() == Some(name))?;
    Some((found.value, found.evidence.door.clone()))
}

#[test]
fn what_snmp_does_not_say_is_added_with_its_own_evidence() {
    let usage = "<TotalImpressions>100</TotalImpressions><ColorImpressions>40</ColorImpressions>";
    let mut reading = snmp(&[("total", 100)], Vec::new());
    let all = cartridge("K", "70") + &cartridge("C", "30");
    add(&mut reading, &ledm(usage, &all)).unwrap();
    assert_eq!(reading.identity.model.as_deref(), Some("X 1"));
    assert_eq!(reading.identity.firmware, ["F1"]);
    assert!(reading.identity.uuid.is_some());
    assert_eq!(reading.status.state, State::Idle);
    for name in ["vendor", "model", "firmware", "uuid", "state"] {
        assert_eq!(reading.sources[name].door, "ledm", "{name}");
    }
    assert!(!reading.sources.contains_key("serial"), "that is SNMP's");
    assert_eq!(value(&reading, "total"), Some((100, "snmp".to_owned())));
    assert_eq!(value(&reading, "color"), Some((40, "ledm".to_owned())));
    assert_eq!(reading.meters.len(), 2, "{:?}", reading.meters);
    assert!(reading.facts.is_empty());
    let indexes: Vec<&str> = reading
        .supplies
        .iter()
        .map(|it| it.index.as_str())
        .collect();
    assert_eq!(indexes, ["ledm.1", "ledm.2"]);
    assert!(reading.supplies.iter().all(|it| it.evidence.door == "ledm"));
}

#[test]
fn two_counts_that_differ_are_a_fact_with_both() {
    let mut reading = snmp(&[("total", 100)], Vec::new());
    add(
        &mut reading,
        &ledm("<TotalImpressions>103</TotalImpressions>", ""),
    )
    .unwrap();
    assert_eq!(value(&reading, "total"), Some((100, "snmp".to_owned())));
    assert_eq!(
        value(&reading, "total over ledm"),
        Some((103, "ledm".to_owned()))
    );
    let texts: Vec<&str> = reading.facts.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["total 100, total over ledm 103"]);
    assert_eq!(reading.facts[0].difference, -3);
    // Nobody who takes meters from the reading alone comes to another end.
    assert_eq!(facts::of(&reading.meters), reading.facts);
}

#[test]
fn what_snmp_says_stays() {
    let percent = |percent: f64| Level::Percent { percent };
    let ours = vec![
        supply("toner", Some("black"), percent(55.0)),
        supply("toner", Some("cyan"), Level::Some),
    ];
    let mut reading = snmp(&[], ours);
    reading.identity.model = Some("of SNMP".to_owned());
    reading.status.state = State::Printing;
    let all = cartridge("C", "30") + &cartridge("K", "70") + &cartridge("M", "12");
    add(&mut reading, &ledm("", &all)).unwrap();
    assert_eq!(reading.identity.model.as_deref(), Some("of SNMP"));
    assert_eq!(reading.status.state, State::Printing);
    let [black, cyan, magenta] = &reading.supplies[..] else {
        panic!("{:?}", reading.supplies);
    };
    assert_eq!(
        (black.level, black.evidence.door.as_str()),
        (percent(55.0), "snmp")
    );
    assert_eq!(black.serial.as_deref(), Some("S-K"));
    assert_eq!(
        (cyan.level, cyan.evidence.door.as_str()),
        (percent(30.0), "ledm")
    );
    assert_eq!(
        (cyan.index.as_str(), magenta.index.as_str()),
        ("1.1", "ledm.3")
    );
}

#[test]
fn two_supplies_of_one_color_stay_two_and_a_nameless_one_is_nobodys() {
    let level = Level::Percent { percent: 5.0 };
    let blacks = vec![
        supply("toner", Some("black"), level),
        supply("toner", Some("black"), level),
    ];
    let mut reading = snmp(&[], blacks);
    let all = cartridge("K", "70");
    add(&mut reading, &ledm("", &all)).unwrap();
    assert_eq!(reading.supplies.len(), 2);
    let mut nameless = snmp(&[], vec![supply("unknown", None, level)]);
    add(&mut nameless, &ledm("", &all)).unwrap();
    assert_eq!(nameless.supplies.len(), 1, "it may be that one");
}

#[test]
fn another_printer_behind_the_door_adds_nothing() {
    let usage = "<ColorImpressions>40</ColorImpressions>";
    for (serial, is_refused) in [
        (Some("CNB7654321"), true),
        (Some("cnb1234567"), false),
        (Some("CNB1234567 "), false),
        (None, false),
    ] {
        let mut reading = snmp(&[], Vec::new());
        reading.identity.serial = serial.map(str::to_owned);
        let before = reading.clone();
        let added = add(&mut reading, &ledm(usage, &cartridge("K", "70")));
        assert_eq!(added.is_err(), is_refused, "{serial:?}");
        assert_eq!(reading == before, is_refused, "{serial:?}");
    }
}

#[test]
fn a_door_that_fell_silent_says_what_there_is_and_not_how_much() {
    let mut second = ledm(
        "<TotalImpressions>103</TotalImpressions>",
        &cartridge("K", "70"),
    );
    let mut fresh = snmp(&[], Vec::new());
    add(&mut fresh, &second).unwrap();
    second.is_fresh = false;
    let mut old = snmp(&[], Vec::new());
    add(&mut old, &second).unwrap();
    assert!(old.meters.is_empty() && old.status.state == State::Unknown);
    assert_eq!(old.supplies[0].level, Level::Unknown);
    // Nobody is told that a cartridge was taken out.
    let changes = crate::change::between(&fresh, &old);
    let is_replaced =
        |it: &crate::change::Change| matches!(it, crate::change::Change::SupplyReplaced { .. });
    assert!(!changes.iter().any(is_replaced), "{changes:?}");
}
