//! What an agent sends becomes what docs/reading.md says, or is refused by the name of its field.

use proto::v1;
use serde_json::json;

use crate::door::tests::report;
use crate::door::wire::{REPORTS_MAX, agent_version, reports, status};
use crate::store::report::Body;

#[test]
fn a_reading_becomes_its_json() {
    let sent = v1::Report {
        body: Some(v1::report::Body::Reading(full())),
        ..report(1)
    };
    let kept = reports(vec![sent]).unwrap();
    let Body::Reading {
        is_status, reading, ..
    } = &kept[0].body
    else {
        panic!("{kept:?}")
    };
    assert!(!is_status);
    assert_eq!(
        serde_json::to_value(reading).unwrap(),
        json!({
            "schema": 1, "is_printer": true, "address": "10.20.4.17",
            "at": "2026-11-23T08:00:03Z", "up_secs": 612_844,
            "identity": {
                "vendor": "Kyocera", "model": "TASKalfa 6052ci", "serial": "W2D8303202",
                "firmware": ["2V8_S000.002.801"], "mac": "00:17:c8:65:e2:b9", "profile": "kyocera",
                "uuid": "4509a320-00a0-008f-00b6-002507510eca"
            },
            "status": {"state": "idle", "severity": "warning", "conditions": ["lowToner"],
                "console": ["Preparing to print..."]},
            "meters": [{"name": "copy_large", "value": 3, "unit": "impressions", "beta": true,
                "rolls_over_at": 1_000_000, "evidence": evidence_json()}],
            "supplies": [{"index": "1.2", "description": "TK-8337C", "class": "consumed",
                "type": "toner", "color": "cyan", "level": {"state": "percent", "percent": 8.0},
                "capacity": 15000, "remaining": 1200, "unit": "tenthsOfGrams", "part": "TK-8337C",
                "evidence": evidence_json()}],
            "trays": [{"index": "1.2", "name": "Cassette 1", "media": "A4",
                "level": {"state": "some"}, "unit": "sheets", "evidence": evidence_json()}],
            "alerts": [{"index": "1.1835", "severity": "warning", "group": 10, "code": 1001,
                "name": "markerFuserUnderTemperature", "description": "", "training": "untrained"}],
            "sources": {"serial": evidence_json(), "state": evidence_json()}
        })
    );
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_its_field() {
    let wrong = |change: fn(&mut v1::Reading)| {
        let mut reading = full();
        change(&mut reading);
        let sent = v1::Report {
            body: Some(v1::report::Body::Reading(reading)),
            ..report(1)
        };
        reports(vec![sent]).unwrap_err().to_string()
    };
    let level = |state: &str, percent| {
        Some(v1::Level {
            state: state.to_owned(),
            percent,
        })
    };
    for (said, field) in [
        (
            wrong(|r| r.address = "here".to_owned()),
            "reports[0].reading.address cannot be \"here\"",
        ),
        (wrong(|r| r.at_ms = 0), "reports[0].reading.at_ms cannot be"),
        (
            wrong(|r| r.at_ms = i64::MAX),
            "reports[0].reading.at_ms cannot be",
        ),
        (
            wrong(|r| r.identity = None),
            "reports[0].reading.identity is missing",
        ),
        (
            wrong(|r| r.meters[0].name = "pages".to_owned()),
            "reports[0].reading.meters[0].name",
        ),
        (
            wrong(|r| r.meters[0].unit = String::new()),
            "reports[0].reading.meters[0].unit",
        ),
        (
            wrong(|r| r.meters[0].evidence = None),
            "reports[0].reading.meters[0].evidence is missing",
        ),
        (
            wrong(|r| r.supplies[0].level = None),
            "reports[0].reading.supplies[0].level is missing",
        ),
        (
            wrong(|r| r.alerts[0].name = "a b".to_owned()),
            "reports[0].reading.alerts[0].name",
        ),
        (
            wrong(|r| r.trays[0].name = "x".repeat(4097)),
            "trays[0].name is longer than 4096",
        ),
        (
            wrong(|r| r.alerts = vec![v1::Alert::default(); 4097]),
            "alerts is longer than 4096",
        ),
        (
            wrong(|r| r.identity.as_mut().unwrap().firmware = vec![String::new(); 4097]),
            "firmware is",
        ),
    ] {
        assert!(said.contains(field), "{said}");
    }
    for (state, percent) in [
        ("percent", Some(f64::NAN)),
        ("percent", Some(100.5)),
        ("percent", None),
        ("some", Some(1.0)),
        ("", None),
    ] {
        let mut reading = full();
        reading.trays[0].level = level(state, percent);
        let sent = v1::Report {
            body: Some(v1::report::Body::Reading(reading)),
            ..report(1)
        };
        let said = reports(vec![sent]).unwrap_err().to_string();
        assert!(said.contains("trays[0].level."), "{said}");
    }
}

#[test]
fn reports_are_few_ascending_and_about_a_device() {
    let many = (1..=REPORTS_MAX as u64 + 1).map(report).collect();
    assert_eq!(
        reports(many).unwrap_err().to_string(),
        "reports is longer than 500"
    );
    let said = reports(vec![report(2), report(2)]).unwrap_err().to_string();
    assert!(said.contains("reports[1].sequence"), "{said}");
    assert!(reports(vec![report(0)]).is_err());
    let nameless = v1::Report {
        device_id: "me".to_owned(),
        ..report(1)
    };
    let said = reports(vec![nameless]).unwrap_err().to_string();
    assert!(said.contains("reports[0].device_id"), "{said}");
    let empty = v1::Report {
        body: None,
        ..report(1)
    };
    assert_eq!(
        reports(vec![empty]).unwrap_err().to_string(),
        "reports[0].body is missing"
    );
}

#[test]
fn silence_and_thinning_come_through() {
    let silent = v1::Silent {
        at_ms: 1_795_420_803_000,
        address: "printer.example".to_owned(),
    };
    let sent = v1::Report {
        body: Some(v1::report::Body::Silent(silent.clone())),
        ..report(1)
    };
    assert!(
        reports(vec![sent])
            .unwrap_err()
            .to_string()
            .contains("silent.address")
    );
    let silent = v1::Silent {
        address: "fd00::1".to_owned(),
        ..silent
    };
    let thinned = v1::Thinned {
        device_id: String::new(),
        reports: 9,
        first_ms: 1_795_420_800_000,
        last_ms: 1_795_420_900_000,
    };
    let sent = vec![
        v1::Report {
            body: Some(v1::report::Body::Silent(silent)),
            ..report(1)
        },
        v1::Report {
            device_id: String::new(),
            body: Some(v1::report::Body::Thinned(thinned)),
            sequence: 2,
        },
    ];
    let kept = reports(sent).unwrap();
    assert!(matches!(
        &kept[0].body,
        Body::Silent {
            address: Some(_),
            ..
        }
    ));
    assert!(matches!(
        &kept[1].body,
        Body::Thinned {
            device: None,
            reports: 9,
            ..
        }
    ));
}

#[test]
fn an_agents_words_about_itself_are_checked() {
    assert!(status(None).is_ok());
    assert!(agent_version("0.1.0+linux".to_owned()).is_ok());
    assert!(agent_version("\u{1b}[31m".to_owned()).is_err());
    let sent = v1::AgentStatus {
        started_at_ms: -1,
        ..v1::AgentStatus::default()
    };
    assert!(
        status(Some(sent))
            .unwrap_err()
            .to_string()
            .contains("status.started_at_ms")
    );
}

#[test]
fn who_may_be_another_is_checked() {
    let told = |device_id: &str, may_be: &[String]| {
        let doubtful = v1::Doubtful {
            device_id: device_id.to_owned(),
            address: "10.20.4.17".to_owned(),
            may_be: may_be.to_vec(),
            more: 2,
            why: "new MAC, same model".to_owned(),
            since_ms: 1_790_000_000_000,
        };
        status(Some(v1::AgentStatus {
            doubtful: vec![doubtful],
            ..v1::AgentStatus::default()
        }))
    };
    let (one, other) = ("0a".repeat(16), "0b".repeat(16));
    let checked = told(&one, std::slice::from_ref(&other)).unwrap();
    assert_eq!(checked.doubtful[0].may_be[0].as_str(), other);
    for (device, may_be, field) in [
        (
            "../etc",
            vec![other.clone()],
            "status.doubtful[0].device_id",
        ),
        (
            one.as_str(),
            vec!["<b>".to_owned()],
            "status.doubtful[0].may_be[0]",
        ),
        (
            one.as_str(),
            vec![other.clone(); 9],
            "status.doubtful[0].may_be",
        ),
        (one.as_str(), vec![], "status.doubtful[0].may_be is missing"),
    ] {
        let refused = told(device, &may_be).unwrap_err().to_string();
        assert!(refused.contains(field), "{refused}");
    }
}

#[test]
fn who_accepts_no_credential_is_checked() {
    let refusing = |address: &str, device_id: &str| v1::Refusing {
        address: address.to_owned(),
        why: "user 'mps': the user name is not known there".to_owned(),
        device_id: device_id.to_owned(),
    };
    let told = |refusing: Vec<v1::Refusing>| {
        status(Some(v1::AgentStatus {
            refusing,
            ..v1::AgentStatus::default()
        }))
    };
    let checked = told(vec![refusing("10.20.4.17", "")]).unwrap();
    assert_eq!(checked.refusing[0].address, "10.20.4.17");
    let many = told(vec![refusing("10.20.4.17", ""); 101]).unwrap_err();
    assert_eq!(many.to_string(), "status.refusing is longer than 100");
    let long = told(vec![refusing(&"1".repeat(129), "")]).unwrap_err();
    assert!(
        long.to_string().contains("status.refusing[0].address"),
        "{long}"
    );
    // It becomes part of an address of the portal.
    let other = told(vec![refusing("10.20.4.17", "../?\"")]).unwrap_err();
    assert!(
        other.to_string().contains("status.refusing[0].device_id"),
        "{other}"
    );
}

fn full() -> v1::Reading {
    let text = |text: &str| Some(text.to_owned());
    let level = |state: &str, percent| {
        Some(v1::Level {
            state: state.to_owned(),
            percent,
        })
    };
    v1::Reading {
        is_status: false,
        address: "10.20.4.17".to_owned(),
        at_ms: 1_795_420_803_000,
        up_secs: Some(612_844),
        identity: Some(v1::Identity {
            vendor: text("Kyocera"),
            model: text("TASKalfa 6052ci"),
            serial: text("W2D8303202"),
            firmware: vec!["2V8_S000.002.801".to_owned()],
            mac: text("00:17:c8:65:e2:b9"),
            profile: text("kyocera"),
            uuid: text("4509a320-00a0-008f-00b6-002507510eca"),
            ..v1::Identity::default()
        }),
        status: Some(v1::Status {
            state: "idle".to_owned(),
            severity: "warning".to_owned(),
            conditions: vec!["lowToner".to_owned()],
            console: vec!["Preparing to print...".to_owned()],
        }),
        meters: vec![v1::Meter {
            name: "copy_large".to_owned(),
            label: None,
            value: 3,
            unit: "impressions".to_owned(),
            beta: true,
            rolls_over_at: Some(1_000_000),
            evidence: evidence(),
        }],
        supplies: vec![v1::Supply {
            index: "1.2".to_owned(),
            description: "TK-8337C".to_owned(),
            class: "consumed".to_owned(),
            r#type: "toner".to_owned(),
            color: text("cyan"),
            level: level("percent", Some(8.0)),
            capacity: Some(15_000),
            remaining: Some(1_200),
            unit: "tenthsOfGrams".to_owned(),
            part: text("TK-8337C"),
            serial: None,
            evidence: evidence(),
        }],
        trays: vec![v1::Tray {
            index: "1.2".to_owned(),
            name: "Cassette 1".to_owned(),
            media: text("A4"),
            level: level("some", None),
            unit: "sheets".to_owned(),
            evidence: evidence(),
            ..v1::Tray::default()
        }],
        alerts: vec![v1::Alert {
            index: "1.1835".to_owned(),
            severity: "warning".to_owned(),
            group: 10,
            group_index: None,
            code: 1001,
            name: "markerFuserUnderTemperature".to_owned(),
            description: String::new(),
            training: "untrained".to_owned(),
        }],
        sources: ["serial", "state"]
            .map(|name| v1::Source {
                name: name.to_owned(),
                evidence: evidence(),
            })
            .to_vec(),
    }
}

fn evidence() -> Option<v1::Evidence> {
    Some(v1::Evidence {
        door: "snmp".to_owned(),
        object: "43.11.1.1.9.1.2".to_owned(),
        raw: "Integer32: 8".to_owned(),
        rule: "printer-mib/level".to_owned(),
    })
}

fn evidence_json() -> serde_json::Value {
    json!({"door": "snmp", "object": "43.11.1.1.9.1.2", "raw": "Integer32: 8",
        "rule": "printer-mib/level"})
}
