//! The page of what is covered, `docs/reference/coverage.md`, is written by this test: with
//! `PLATEN_WRITE_COVERAGE=1` it writes it, without it fails where the page is stale. And what a
//! profile calls proven is read out of the recording that it names.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use printer::coverage::{self, Coverage};
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use snmp::recording::Recording;

/// The makers whose printers Platen must know.
const MAKERS: &[&str] = &[
    "HP",
    "Canon",
    "Ricoh",
    "Lanier",
    "Savin",
    "NRG",
    "Gestetner",
    "Xerox",
    "Fuji Xerox",
    "Fujifilm",
    "Konica Minolta",
    "Develop",
    "Kyocera",
    "Utax",
    "Triumph-Adler",
    "Copystar",
    "Lexmark",
    "Brother",
    "Epson",
    "Samsung",
    "Sharp",
    "Toshiba",
    "OKI",
    "Dell",
    "Pantum",
    "Panasonic",
    "Océ",
    "Zebra",
    "TSC",
];

const INTRODUCTION: &str = "# What is covered

Written by a test of `src/printer` out of the profiles and the recordings; do not edit. The same list,
with sources: `platen profiles --json`.

**Every printer** with the standard objects (RFC 3805, RFC 2790) is read without a profile: identity,
status, total, supplies, trays, alerts. A profile adds what a maker keeps in objects of its own.

A meter is **proven** when a recording of a real device shows it, and **beta** while none does. A beta
meter says so wherever it is shown, and is in no list that is made for billing: not in the CSV of
`platen discover`, not in the hub's pages per day. A recording of your device turns it into a proven
one: `platen read ADDRESS --record FILE`.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn profiles() -> Profiles {
    Profiles::embedded().expect("profiles")
}

/// Our own recordings of each profile, by what they must be read as.
fn own_recordings() -> BTreeMap<String, Vec<String>> {
    let path = root().join("tests/recordings/makers/expected.toml");
    let text = std::fs::read_to_string(path).expect("the readings");
    let expected: toml::Table = toml::from_str(&text).expect("TOML");
    let mut by_profile: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, reading) in expected {
        let profile = reading["profile"].as_str().expect("a profile").to_owned();
        by_profile.entry(profile).or_default().push(name);
    }
    by_profile
}

fn page(coverages: &[Coverage], own: &BTreeMap<String, Vec<String>>) -> String {
    let mut page = INTRODUCTION.to_owned();
    page += "\n| profile | makers | proven | beta | own levels | decoders |\n";
    page += "| --- | --- | ---: | ---: | ---: | --- |\n";
    for it in coverages {
        let proven = it
            .meters
            .iter()
            .filter(|meter| meter.proven.is_some())
            .count();
        writeln!(
            page,
            "| `{}` | {} | {proven} | {} | {} | {} |",
            it.stamp,
            it.makers.join(", "),
            it.meters.len() - proven,
            it.supply_levels + it.level_codes,
            it.decoders.join(", "),
        )
        .expect("writes");
    }
    for it in coverages {
        write!(page, "\n## {}\n", it.makers.join(", ")).expect("writes");
        if it.identity.is_empty() {
            page += "Who it is: the standard objects and its description.\n";
        } else {
            let words = it.identity.join(", ").replace("device_id", "device id");
            writeln!(page, "Who it is, beyond the standard objects: {words}.").expect("writes");
        }
        match own.get(&it.profile) {
            Some(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                writeln!(page, "Our own recordings: {}.", names.join(", ")).expect("writes");
            }
            None => panic!("{} has no recording of our own", it.profile),
        }
        if it.meters.is_empty() {
            page += "Meters: those of the standard.\n";
            continue;
        }
        page += "\n| meter | unit | state | source |\n| --- | --- | --- | --- |\n";
        for meter in &it.meters {
            let unit = serde_json::to_value(meter.unit).expect("writes");
            let state = meter
                .proven
                .as_ref()
                .map_or_else(|| "beta".to_owned(), |proof| format!("proven: {proof}"));
            let unit = unit.as_str().expect("a word");
            writeln!(
                page,
                "| `{}` | {unit} | {state} | {} |",
                meter.name, meter.source
            )
            .expect("writes");
        }
    }
    page
}

#[test]
fn the_page_of_what_is_covered_is_not_stale() {
    let page = page(&coverage::of(&profiles()), &own_recordings());
    let path = root().join("docs/reference/coverage.md");
    if std::env::var_os("PLATEN_WRITE_COVERAGE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).expect("writes");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/reference/coverage.md is stale: PLATEN_WRITE_COVERAGE=1 cargo nextest run -p printer \
         the_page_of_what_is_covered"
    );
}

#[test]
fn every_maker_has_a_profile() {
    let coverages = coverage::of(&profiles());
    for maker in MAKERS {
        let mut makers = coverages.iter().flat_map(|it| &it.makers);
        assert!(makers.any(|it| it == maker), "no profile for {maker}");
    }
}

/// The readings of the real recordings by their names, if this checkout stands beside them.
fn readings() -> Option<Vec<(String, Reading)>> {
    let folder = root().join("../shared/recordings");
    if !folder.is_dir() {
        return None;
    }
    let profiles = profiles();
    let mut readings = Vec::new();
    for kind in ["printers", "fragments"] {
        for entry in std::fs::read_dir(folder.join(kind)).expect("a folder") {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if !name.ends_with(".snmprec") || name.contains('@') {
                continue;
            }
            let recording = Recording::parse(&std::fs::read(&path).expect("readable"));
            let walk = Walk::from(&recording.expect("a recording"));
            if let Verdict::Printer(reading) =
                printer::judge(&walk, &profiles, None, Timestamp::UNIX_EPOCH)
            {
                readings.push((name.into_owned(), *reading));
            }
        }
    }
    Some(readings)
}

#[test]
fn what_is_called_proven_stands_in_the_recording_that_is_named() {
    let Some(readings) = readings() else {
        println!("skipped: no recordings beside this checkout");
        return;
    };
    for it in coverage::of(&profiles()) {
        for meter in &it.meters {
            let Some(proof) = &meter.proven else { continue };
            let beginning = match proof.strip_prefix("recording ") {
                Some(name) => name.split([' ', ',', ';']).next().unwrap_or(name),
                None => it.profile.as_str(),
            };
            let has = |(name, reading): &(String, Reading)| {
                let mut meters = reading.meters.iter();
                name.starts_with(beginning) && meters.any(|had| had.name == meter.name && !had.beta)
            };
            assert!(
                readings.iter().any(has),
                "{}: {} is in no recording {beginning}…",
                it.profile,
                meter.name
            );
        }
    }
}
