//! What a device calls itself passes through everything that shows it without effect, and a list
//! that is made for billing has nothing that is not proven.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use printer::mib;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use snmp::{Oid, Value};

use super::found::{self, Found};
use super::{show, table};

#[path = "../../../tests/hostile_strings.rs"]
mod hostile_strings;

use hostile_strings::hostile_strings;

const ADDRESS: &str = "10.20.4.17";

/// A printer that says this text wherever it can say one.
fn device(text: &str) -> Reading {
    let mut walk = Walk::new();
    let mut say = |object: &[u32], row: &[u32]| {
        let octets = Value::OctetString(text.as_bytes().to_vec());
        walk.insert(Oid::new(object).with(row), octets);
    };
    say(mib::SYS_DESCR, &[0]);
    say(mib::SYS_NAME, &[0]);
    say(mib::SYS_LOCATION, &[0]);
    say(mib::HR_DEVICE_DESCR, &[1]);
    say(mib::PRT_PRINTER_NAME, &[1]);
    say(mib::PRT_SERIAL_NUMBER, &[1]);
    say(mib::PRT_SUPPLY_DESCRIPTION, &[1, 1]);
    say(mib::PRT_COLORANT_VALUE, &[1, 1]);
    say(mib::PRT_INPUT_NAME, &[1, 1]);
    say(mib::PRT_INPUT_MEDIA, &[1, 1]);
    say(mib::PRT_CONSOLE_TEXT, &[1, 1]);
    say(mib::PRT_ALERT_DESCRIPTION, &[1, 1]);
    say(mib::PPM_DEVICE_ID, &[1]);
    let mut number = |object: &[u32], row: &[u32], number| {
        walk.insert(Oid::new(object).with(row), Value::Integer(number));
    };
    number(mib::PRT_SUPPLY_COLORANT, &[1, 1], 1);
    number(mib::PRT_SUPPLY_TYPE, &[1, 1], 3);
    number(mib::PRT_SUPPLY_CAPACITY, &[1, 1], 100);
    number(mib::PRT_SUPPLY_LEVEL, &[1, 1], 5);
    number(mib::PRT_INPUT_LEVEL, &[1, 1], 5);
    number(mib::PRT_ALERT_SEVERITY, &[1, 1], 3);
    number(mib::PRT_ALERT_CODE, &[1, 1], 8);
    number(mib::PRT_MARKER_LIFE_COUNT, &[1, 1], 1_000);
    read(&walk)
}

fn read(walk: &Walk) -> Reading {
    let profiles = Profiles::embedded().unwrap();
    let address = ADDRESS.parse().ok();
    match printer::judge(walk, &profiles, address, Timestamp::UNIX_EPOCH) {
        Verdict::Printer(reading) => *reading,
        Verdict::NotAPrinter { reason } => panic!("no printer: {reason}"),
    }
}

fn found(reading: &Reading) -> Vec<(IpAddr, Found)> {
    let printer = Found::Printer(Box::new(reading.clone()));
    vec![(ADDRESS.parse().unwrap(), printer)]
}

/// Whether a character acts in a terminal, or turns or hides what stands beside it.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[track_caller]
fn assert_inert(what: &str, text: &str, hostile: &str) {
    let found = text.chars().find(|c| acts(*c));
    assert_eq!(found, None, "{what} of {hostile:?}: {text:?}");
}

#[test]
fn five_hundred_hostile_texts_pass_through_tables_without_effect() {
    let usual = show::reading(&device("Toner"), true, false).lines().count();
    for hostile in hostile_strings() {
        let reading = device(&hostile);
        let list = found::table(&found(&reading), true, false);
        assert_inert("table", &list, &hostile);
        assert_eq!(list.lines().count(), 2, "{hostile:?}: {list}");
        let page = show::reading(&reading, true, false);
        assert_inert("page", &page, &hostile);
        // A text may say a vendor or a firmware, or no serial number; it never makes lines of its
        // own.
        assert!(page.lines().count() <= usual + 3, "{hostile:?}: {page}");
    }
}

#[test]
fn five_hundred_hostile_texts_pass_through_json_and_csv_without_effect() {
    for hostile in hostile_strings() {
        let reading = device(&hostile);
        let json = table::json(&reading).unwrap();
        assert_inert("JSON", &json, &hostile);
        let back: Reading = serde_json::from_str(&json).unwrap();
        assert_eq!(back.identity, reading.identity, "{hostile:?}");
        let csv = found::csv(&found(&reading), true).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let width = reader.headers().unwrap().len();
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(
            (records.len(), records[0].len()),
            (1, width),
            "{hostile:?}: {csv}"
        );
        for cell in &records[0] {
            assert_inert("CSV", cell, &hostile);
            let begins = cell.trim_start().chars().next();
            let is_formula = begins.is_some_and(|c| "=+-@".contains(c));
            assert!(!is_formula && !cell.contains('\n'), "{hostile:?}: {cell:?}");
        }
    }
}

/// What a log wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn five_hundred_hostile_texts_are_a_line_each_in_the_log() {
    let written = Written::default();
    let writer = written.clone();
    let lines = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(lines, || {
        for hostile in hostile_strings() {
            let identity = device(&hostile).identity;
            let model = identity.model.unwrap_or_default();
            tracing::warn!(%model, location = ?identity.location, "a printer says this");
        }
    });
    let octets = written.0.lock().unwrap().clone();
    let text = String::from_utf8(octets).unwrap();
    assert_inert("log", &text, "all");
    assert_eq!(text.lines().count(), hostile_strings::HOSTILE_STRINGS);
    assert!(text.lines().all(|line| line.contains(" WARN ")));
}

#[test]
fn a_meter_that_nothing_proves_is_in_no_list_for_billing_and_says_so_in_the_others() {
    let mut walk = Walk::new();
    let maker = Value::ObjectId(Box::new([1, 3, 6, 1, 4, 1, 10642, 1].into()));
    walk.insert(Oid::new(mib::SYS_OBJECT_ID).with(&[0]), maker);
    let labels = Oid::new(mib::ENTERPRISES).with(&[10642, 200, 17, 2, 0]);
    walk.insert(labels, Value::OctetString(b"50417".to_vec()));
    let reading = read(&walk);
    let csv = found::csv(&found(&reading), false).unwrap();
    assert!(!csv.contains("50417"), "{csv}");
    let list = found::table(&found(&reading), false, false);
    assert!(list.contains("50 417 beta"), "{list}");
    let page = show::reading(&reading, false, false);
    assert!(page.contains("50 417 items  (not proven yet)"), "{page}");
    let json = table::json(&reading).unwrap();
    assert!(json.contains("\"beta\": true"), "{json}");
}
