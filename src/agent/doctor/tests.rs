//! The causes that no network stages: facts in, a cause out.

use std::net::IpAddr;
use std::time::Duration;

use actors::reach::knock::Knocked;
use jiff::Timestamp;
use printer::doctor::{How, Named, State, Value};
use snmp::usm::{Level, Refusal};

use super::facts::{Agent, Asked, Device, Echo, Facts, Last, Outcome, Place, Printer, Tcp};
use super::judge::{Cause, judge};
use crate::cli::table;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 20, 4, 17));

/// An address in scope, of which nothing is known.
fn facts() -> Facts {
    Facts {
        written: ADDRESS.to_string(),
        wanted: None,
        place: Place::Inside {
            address: ADDRESS,
            label: "office".to_owned(),
            port: 161,
        },
        echo: None,
        knock: None,
        tcp: None,
        asked: Vec::new(),
        device: None,
        agent: None,
        last: None,
    }
}

fn asked(outcome: Outcome) -> Asked {
    let version = match outcome {
        Outcome::Refused(_) => "3",
        _ => "2c",
    };
    Asked {
        name: "floor".to_owned(),
        version,
        outcome,
    }
}

fn silent() -> Asked {
    asked(Outcome::Silent {
        waited: Duration::from_secs(6),
        odd: None,
    })
}

/// A printer that is read, with these values.
fn printer(values: Vec<Value>) -> Facts {
    let printer = Printer {
        named: Named {
            title: "Acme LP-1".to_owned(),
            serial: Some("AC17".to_owned()),
            ..Named::default()
        },
        profile: Some("acme@1".to_owned()),
        profile_why: "its maker's number is 99999".to_owned(),
        trouble: None,
        values,
    };
    Facts {
        asked: vec![asked(Outcome::Answers)],
        device: Some(Device::Printer(Box::new(printer))),
        ..facts()
    }
}

fn value(name: &str, state: How) -> Value {
    Value {
        kind: "meter".to_owned(),
        name: name.to_owned(),
        state,
        value: None,
        why: "it would not".to_owned(),
        object: "1.2.3".to_owned(),
        raw: "INTEGER: -2".to_owned(),
        rule: "acme@1/scalar".to_owned(),
    }
}

fn cause(facts: &Facts) -> Option<Cause> {
    let diagnosis = judge(facts);
    let is_advised = !diagnosis.next.is_empty();
    assert_eq!(is_advised, diagnosis.cause.is_some(), "{diagnosis:?}");
    diagnosis.cause
}

#[test]
fn each_refusal_of_version_3_has_a_cause_of_its_own() {
    for (refusal, expected) in [
        (Refusal::UnknownUser, Cause::UnknownUser),
        (Refusal::WrongDigest("SHA-256"), Cause::WrongPassword),
        (Refusal::Undecipherable("AES-128"), Cause::WrongPrivacy),
        (Refusal::Unanswered(Level::AuthPriv), Cause::WrongPrivacy),
        (
            Refusal::UnsupportedLevel(Level::AuthNoPriv),
            Cause::WrongLevel,
        ),
        (Refusal::NotAuthorized(Level::AuthNoPriv), Cause::WrongLevel),
        (Refusal::UnknownContext, Cause::WrongContext),
        (Refusal::ClockJumps, Cause::BadEngine),
        (Refusal::BootsLatched, Cause::BadEngine),
        (Refusal::EngineChanges, Cause::BadEngine),
        (Refusal::UnknownModel, Cause::UserRefused),
        (Refusal::Unnamed, Cause::UserRefused),
    ] {
        let facts = Facts {
            // Another user is not even known: who came furthest is the cause.
            asked: vec![
                silent(),
                asked(Outcome::Refused(Refusal::Unnamed)),
                asked(Outcome::Refused(refusal)),
            ],
            ..facts()
        };
        assert_eq!(cause(&facts), Some(expected));
    }
}

#[test]
fn silence_is_judged_by_what_else_tells() {
    let answers = Some(Echo::Answers(Duration::from_millis(1)));
    let no_ping = Some(Echo::NotPermitted("no".to_owned()));
    let silent_echo = Some(Echo::Silent);
    for (echo, knock, tcp, expected) in [
        (answers, Knocked::Silent, None, Cause::SnmpSilent),
        (
            silent_echo.clone(),
            Knocked::Silent,
            None,
            Cause::NobodyAnswers,
        ),
        (no_ping.clone(), Knocked::Silent, None, Cause::NobodyAnswers),
        (
            no_ping.clone(),
            Knocked::Silent,
            Some((443, Tcp::Silent)),
            Cause::NobodyAnswers,
        ),
        (
            no_ping.clone(),
            Knocked::Silent,
            Some((443, Tcp::Refuses)),
            Cause::SnmpSilent,
        ),
        (
            silent_echo,
            Knocked::Silent,
            Some((80, Tcp::Accepts)),
            Cause::SnmpSilent,
        ),
        (
            no_ping.clone(),
            Knocked::Engine,
            None,
            Cause::WrongCommunity,
        ),
        (no_ping.clone(), Knocked::Closed, None, Cause::SnmpClosed),
        (
            no_ping.clone(),
            Knocked::Prohibited,
            None,
            Cause::Prohibited,
        ),
        (no_ping, Knocked::Spoke, None, Cause::NotSnmp),
    ] {
        let facts = Facts {
            echo,
            knock: Some(knock),
            tcp,
            asked: vec![silent()],
            ..facts()
        };
        assert_eq!(cause(&facts), Some(expected), "{facts:?}");
    }
}

#[test]
fn a_silent_printer_that_was_read_before_is_woken_first() {
    let before = Last {
        at: Timestamp::UNIX_EPOCH,
        title: "Acme LP-1".to_owned(),
        serial: None,
        total: None,
    };
    let facts = Facts {
        echo: Some(Echo::Answers(Duration::from_millis(1))),
        asked: vec![silent()],
        last: Some(before),
        ..facts()
    };
    let next = judge(&facts).next;
    assert!(next.starts_with("wake it"), "{next}");
    let unknown = Facts {
        last: None,
        ..facts
    };
    let next = judge(&unknown).next;
    assert!(next.contains("the credential 'floor'"), "{next}");
}

#[test]
fn a_site_without_ranges_or_credentials_is_told() {
    let place = Place::NoRanges(ADDRESS);
    let empty = Facts { place, ..facts() };
    assert_eq!(cause(&empty), Some(Cause::NoRanges));
    assert_eq!(cause(&facts()), Some(Cause::NoCredential));
}

#[test]
fn who_is_set_aside_or_unread_is_told() {
    let aside = Agent::Runs {
        set_aside: Some(("00ff".to_owned(), "panicked".to_owned())),
        says: None,
    };
    let facts = Facts {
        agent: Some(aside),
        ..printer(Vec::new())
    };
    assert_eq!(cause(&facts), Some(Cause::SetAside));
    assert_eq!(judge(&facts).next, "platen release 00ff");
    let unread = Facts {
        device: Some(Device::Unread("it fell silent".to_owned())),
        ..facts
    };
    assert_eq!(cause(&unread), Some(Cause::Unread));
}

#[test]
fn the_worst_value_is_the_cause_and_one_asked_for_goes_first() {
    let values = vec![
        value("total", How::Ok),
        value("mono", How::Beta),
        value("fax", How::Missing),
        value("color", How::Refused),
    ];
    let all = printer(values);
    assert_eq!(cause(&all), Some(Cause::ValueRefused));
    assert_eq!(judge(&all).state, State::Warning);
    for (wanted, expected, state) in [
        ("total", None, State::Ok),
        ("MONO", Some(Cause::Beta), State::Warning),
        ("fax", Some(Cause::NotInMib), State::Failed),
        ("color", Some(Cause::ValueRefused), State::Failed),
        ("scan", Some(Cause::NotInMib), State::Failed),
    ] {
        let facts = Facts {
            wanted: Some(wanted.to_owned()),
            ..all.clone()
        };
        assert_eq!(cause(&facts), expected, "{wanted}");
        assert_eq!(judge(&facts).state, state, "{wanted}");
    }
    // What a profile knows of other models is not missed unless it is asked for.
    let rest = vec![value("total", How::Ok), value("fax", How::Missing)];
    assert_eq!(cause(&printer(rest)), None);
    let none = vec![value("total", How::Unknown), value("color", How::Refused)];
    assert_eq!(cause(&printer(none)), Some(Cause::ValueUnknown));
}

#[test]
fn nothing_that_a_device_says_steers_the_terminal() {
    let hostile = "\u{1b}[2J\u{202e}x\u{7}";
    let mut facts = printer(vec![value(hostile, How::Unknown)]);
    if let Some(Device::Printer(printer)) = &mut facts.device {
        printer.named.title = hostile.to_owned();
        printer.named.serial = Some(hostile.to_owned());
        printer.trouble = Some(hostile.to_owned());
    }
    let report = super::of(&facts, Timestamp::UNIX_EPOCH);
    let text = report.text(table::printable, |mark, _| mark.to_owned());
    let json = table::json(&report).expect("JSON");
    for shown in [text, json] {
        let steers = ['\u{1b}', '\u{202e}', '\u{7}'];
        assert!(!shown.contains(steers), "{shown}");
    }
}
