//! What differs between two readings, and a reading in few words.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use printer::alert::Alert;
use printer::change::{self, Change};
use printer::decrease::Decrease;
use printer::identity::Identity;
use printer::meter::{Meter, MeterName, Unit};
use printer::reading::{Evidence, Reading, SCHEMA};
use printer::status::{Severity, State, Status};
use printer::summary;
use printer::supply::{Level, Supply, SupplyClass};

fn evidence() -> Evidence {
    Evidence {
        door: "snmp".to_owned(),
        object: String::new(),
        raw: String::new(),
        rule: "test".to_owned(),
    }
}

fn supply(index: &str, color: Option<&str>, level: Level) -> Supply {
    Supply {
        index: index.to_owned(),
        description: format!("Toner {index}"),
        class: SupplyClass::Consumed,
        kind: "toner".to_owned(),
        color: color.map(str::to_owned),
        level,
        direction: None,
        capacity: None,
        remaining: None,
        unit: Unit::Percent,
        part: None,
        serial: None,
        evidence: evidence(),
    }
}

fn percent(percent: f64) -> Level {
    Level::Percent { percent }
}

fn meter(name: MeterName, value: u64) -> Meter {
    let unit = Unit::Impressions;
    Meter {
        name,
        label: None,
        value,
        unit,
        beta: false,
        rolls_over_at: None,
        evidence: evidence(),
    }
}

fn alert(code: u32, name: &str) -> Alert {
    Alert {
        index: "1.1".to_owned(),
        severity: "warning".to_owned(),
        group: 8,
        group_index: Some(1),
        code,
        name: name.to_owned(),
        description: String::new(),
        training: "untrained".to_owned(),
    }
}

fn reading() -> Reading {
    Reading {
        sources: printer::sources::Sources::new(),
        schema: SCHEMA,
        is_printer: true,
        address: None,
        at: "2026-11-23T08:00:03Z".parse().expect("a time"),
        up_secs: None,
        identity: Identity::default(),
        status: Status {
            state: State::Idle,
            severity: Severity::Ok,
            conditions: Vec::new(),
            console: Vec::new(),
        },
        meters: vec![meter(MeterName::TOTAL, 100)],
        supplies: vec![
            supply("1.1", Some("cyan"), percent(55.0)),
            supply("1.2", Some("black"), percent(64.4)),
        ],
        trays: Vec::new(),
        alerts: Vec::new(),
        facts: Vec::new(),
    }
}

#[test]
fn nothing_differs_when_only_time_and_display_do() {
    let older = reading();
    let mut newer = reading();
    newer.at = "2026-11-23T09:00:00Z".parse().expect("a time");
    newer.status.console = vec!["Sleep".to_owned()];
    assert_eq!(change::between(&older, &newer), []);
}

#[test]
fn a_counter_that_goes_back_is_told_as_it_is() {
    let mut newer = reading();
    newer.meters[0].value = 7;
    let changes = change::between(&reading(), &newer);
    let expected = Change::CounterDecreased {
        name: MeterName::TOTAL,
        label: None,
        from: 100,
        to: 7,
        cause: Decrease::Reset,
    };
    assert_eq!(changes, [expected]);
}

#[test]
fn an_empty_cartridge_is_seen_and_so_is_a_new_one() {
    let mut empty = reading();
    empty.supplies[0].level = percent(0.0);
    let changes = change::between(&reading(), &empty);
    let to_zero = Change::SupplyLevel {
        index: "1.1".to_owned(),
        from: percent(55.0),
        to: percent(0.0),
    };
    assert_eq!(changes, [to_zero]);
    let changes = change::between(&empty, &reading());
    assert!(matches!(
        &changes[..],
        [Change::SupplyReplaced { .. }, Change::SupplyLevel { .. }]
    ));
}

#[test]
fn alerts_are_known_by_what_they_say_and_not_by_their_row() {
    let mut older = reading();
    older.alerts = vec![alert(807, "inputMediaSupplyLow")];
    let mut newer = reading();
    newer.alerts = vec![alert(807, "inputMediaSupplyLow"), alert(8, "jam")];
    newer.alerts[0].index = "1.9".to_owned();
    let changes = change::between(&older, &newer);
    assert!(matches!(&changes[..], [Change::AlertRaised { alert }] if alert.code == 8));
    let changes = change::between(&newer, &older);
    assert!(matches!(&changes[..], [Change::AlertCleared { alert }] if alert.code == 8));
}

#[test]
fn identity_and_status_are_compared_field_by_field() {
    let mut newer = reading();
    newer.identity.firmware = vec!["1.05".to_owned()];
    newer.status.severity = Severity::Warning;
    let changes = change::between(&reading(), &newer);
    assert!(
        matches!(&changes[..], [Change::Firmware { to, .. }, Change::Status { .. }]
        if *to == ["1.05"])
    );
}

#[test]
fn supplies_have_a_short_form() {
    let mut waste = supply("1.9", None, percent(5.0));
    waste.class = SupplyClass::Receptacle;
    waste.kind = "wasteToner".to_owned();
    let list = [
        supply("1.1", Some("yellow"), percent(41.0)),
        supply("1.2", Some("cyan"), percent(8.0)),
        supply("1.3", Some("black"), percent(100.0)),
        supply("1.4", Some("black"), percent(0.2)),
        supply("1.5", Some("magenta"), Level::Some),
        supply("1.6", Some("photo black"), Level::Unknown),
        supply("1.7", None, Level::Empty),
        waste,
    ];
    let short = "K 100 K 1! C 8! M some Y 41 photo black ? toner empty!";
    assert_eq!(summary::supplies(&list), short);
    assert_eq!(summary::supplies(&[]), "");
    let lowest = summary::lowest_supply(&list).map(|supply| supply.index.as_str());
    assert_eq!(lowest, Some("1.7"));
}

#[test]
fn the_status_line_names_the_worst() {
    let with = |change: fn(&mut Reading)| {
        let mut changed = reading();
        change(&mut changed);
        summary::status_line(&changed)
    };
    assert_eq!(with(|_| {}), "ready");
    assert_eq!(with(|r| r.supplies[0].level = percent(8.0)), "cyan low");
    assert_eq!(
        with(|r| r.status.conditions = vec!["lowToner".to_owned()]),
        "toner low"
    );
    let both = |r: &mut Reading| {
        r.status.conditions = vec!["lowToner".to_owned(), "jammed".to_owned()];
    };
    assert_eq!(with(both), "paper jam");
    let empty = |r: &mut Reading| {
        r.status.conditions = vec!["noToner".to_owned()];
        r.supplies[1].level = percent(0.0);
        r.supplies[0].level = percent(3.0);
    };
    assert_eq!(with(empty), "black empty +1");
    assert_eq!(with(|r| r.alerts = vec![alert(503, "powerUp")]), "ready");
    let tray = |r: &mut Reading| r.alerts = vec![alert(807, "inputMediaSupplyLow")];
    assert_eq!(with(tray), "input media supply low");
    assert_eq!(with(|r| r.status.state = State::Standby), "asleep");
    assert_eq!(with(|r| r.status.state = State::Stopped), "stopped");
}
