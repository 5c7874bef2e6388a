//! Our own recordings are in their proper form, and are read as what they are.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use printer::judge;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use snmp::Oid;
use snmp::recording::Recording;

/// What a person would read from the device's own pages.
struct Wanted {
    recording: &'static str,
    vendor: &'static str,
    model: &'static str,
    /// `None` where it is in a private object that no profile knows.
    serial: Option<&'static str>,
    total: Option<u64>,
    supplies: usize,
}

const WANTED: [Wanted; 8] = [
    wanted(
        "kyocera-taskalfa-4054ci",
        ["Kyocera", "TASKalfa 4054ci"],
        Some("R4H0A00118"),
        Some(214_380),
        5,
    ),
    wanted(
        "hp-laserjet-m507dn",
        ["HP", "LaserJet"],
        Some("PHCQX10842"),
        Some(88_213),
        2,
    ),
    wanted(
        "brother-hl-l6400dw",
        ["Brother", "HL-L6400DW"],
        Some("E78312G7N904117"),
        Some(51_930),
        5,
    ),
    wanted(
        "canon-ir-adv-c3826",
        ["Canon", "C3826"],
        Some("3FK04417"),
        Some(120_455),
        5,
    ),
    wanted(
        "ricoh-im-c2500",
        ["Ricoh", "IM C2500"],
        Some("3120X900417"),
        Some(301_442),
        5,
    ),
    wanted(
        "xerox-versalink-c505",
        ["Xerox", "VersaLink C505"],
        Some("5XC409217"),
        Some(64_620),
        9,
    ),
    wanted(
        "epson-wf-c5890",
        ["Epson", "WF-C5890"],
        None,
        Some(28_840),
        5,
    ),
    wanted(
        "zebra-zt411",
        ["Zebra", "ZT411"],
        Some("52J204117730"),
        None,
        1,
    ),
];

const fn wanted(
    recording: &'static str,
    [vendor, model]: [&'static str; 2],
    serial: Option<&'static str>,
    total: Option<u64>,
    supplies: usize,
) -> Wanted {
    Wanted {
        recording,
        vendor,
        model,
        serial,
        total,
        supplies,
    }
}

#[test]
fn every_recording_is_in_order_and_says_each_object_once() {
    let mut read = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "snmprec")
        {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read(&path).unwrap();
        let recording = Recording::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.ends_with('\n') && !text.contains('\r'),
            "{name}: line ends"
        );
        let oids: Vec<Oid> = text
            .lines()
            .map(|line| line.split('|').next().unwrap().parse().unwrap())
            .collect();
        assert!(
            oids.windows(2).all(|pair| pair[0] < pair[1]),
            "{name}: order"
        );
        assert_eq!(
            recording.to_text(),
            text.as_bytes(),
            "{name}: written as it was read"
        );
        read.insert(name);
    }
    for Wanted { recording, .. } in WANTED {
        assert!(read.contains(recording), "{recording} lacks");
    }
}

#[test]
fn every_printer_is_read_as_what_it_is() {
    for wanted in WANTED {
        let name = wanted.recording;
        let reading = match verdict(name) {
            Verdict::Printer(reading) => reading,
            Verdict::NotAPrinter { reason } => panic!("{name} is taken for no printer: {reason}"),
        };
        let identity = &reading.identity;
        assert_eq!(identity.vendor.as_deref(), Some(wanted.vendor), "{name}");
        let model = identity.model.as_deref().unwrap_or_default();
        assert!(model.contains(wanted.model), "{name}: {model}");
        assert_eq!(identity.serial.as_deref(), wanted.serial, "{name}");
        assert!(identity.mac.is_some(), "{name} has no hardware address");
        assert_eq!(reading.supplies.len(), wanted.supplies, "{name}");
        assert_eq!(total(&reading), wanted.total, "{name}");
    }
}

#[test]
fn a_switch_is_no_printer() {
    assert!(matches!(
        verdict("switch-sw-2416"),
        Verdict::NotAPrinter { .. }
    ));
}

fn total(reading: &Reading) -> Option<u64> {
    let totals = reading
        .meters
        .iter()
        .filter(|meter| meter.name.as_str() == "total");
    let pages = totals.filter(|meter| meter.unit != printer::meter::Unit::Feet);
    pages.map(|meter| meter.value).next()
}

fn verdict(name: &str) -> Verdict {
    let text = std::fs::read(folder().join(format!("{name}.snmprec"))).unwrap();
    let walk = Walk::from(&Recording::parse(&text).unwrap());
    let profiles = Profiles::embedded().unwrap();
    judge(
        &walk,
        &profiles,
        None,
        "2026-11-23T08:00:00Z".parse().unwrap(),
    )
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings")
}
