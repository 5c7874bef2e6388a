//! Our own recordings are in their proper form, and are read as what they are: those of `recordings`
//! by a table here, those of `recordings/makers` by the readings in its `expected.toml`.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use printer::judge;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::supply::{Level, Supply};
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
        Some("XAQH104482"),
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
    for path in files(&folder()).into_iter().chain(files(&makers())) {
        let name = stem(&path);
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

/// A reading of `expected.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    vendor: String,
    model: String,
    serial: Option<String>,
    profile: String,
    meters: BTreeMap<String, u64>,
    beta: BTreeMap<String, u64>,
    levels: BTreeMap<String, toml::Value>,
}

#[test]
fn every_maker_s_device_is_read_as_it_was_made() {
    let text = std::fs::read_to_string(makers().join("expected.toml")).unwrap();
    let expected: BTreeMap<String, Expected> = toml::from_str(&text).unwrap();
    let there: BTreeSet<String> = files(&makers()).iter().map(|path| stem(path)).collect();
    assert_eq!(there, expected.keys().cloned().collect());
    for (name, wanted) in expected {
        let Verdict::Printer(reading) = verdict(&format!("makers/{name}")) else {
            panic!("{name} is a printer")
        };
        let identity = &reading.identity;
        assert_eq!(identity.vendor.as_ref(), Some(&wanted.vendor), "{name}");
        assert_eq!(identity.model.as_ref(), Some(&wanted.model), "{name}");
        assert_eq!(identity.serial, wanted.serial, "{name}");
        assert_eq!(identity.profile.as_ref(), Some(&wanted.profile), "{name}");
        let meters = |beta: bool| -> BTreeMap<String, u64> {
            let of = reading.meters.iter().filter(|meter| meter.beta == beta);
            of.map(|meter| (meter.name.to_string(), meter.value))
                .collect()
        };
        assert_eq!(meters(false), wanted.meters, "{name}");
        assert_eq!(meters(true), wanted.beta, "{name}");
        let level = |supply: &Supply| match supply.level {
            Level::Percent { percent } => percent.into(),
            other => serde_json::to_value(other).unwrap()["state"]
                .as_str()
                .unwrap()
                .into(),
        };
        let levels: BTreeMap<String, toml::Value> = reading
            .supplies
            .iter()
            .map(|supply| (supply.index.clone(), level(supply)))
            .collect();
        assert_eq!(levels, wanted.levels, "{name}");
        let stamp = format!("{}@", wanted.profile);
        let is_shown = |rule: &str| rule.starts_with("printer-mib/") || rule.starts_with(&stamp);
        assert!(
            reading
                .meters
                .iter()
                .all(|meter| is_shown(&meter.evidence.rule)),
            "{name}: a value does not say which profile read it"
        );
    }
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

/// The recordings of a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "snmprec")
    });
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn makers() -> PathBuf {
    folder().join("makers")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings")
}
