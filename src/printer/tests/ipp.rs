//! Answers over IPP: sound ones become readings, malformed ones a clear error, and none a panic.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use std::path::Path;

use jiff::Timestamp;
use printer::ipp::{self, IppError};
use printer::meter::{MeterName, Unit};
use printer::reading::Reading;
use printer::sources;
use printer::status::{Severity, State};
use printer::supply::{Level, SupplyClass};
use proptest::prelude::*;
use serde_json::Value;

const INTEGER: u8 = 0x21;
const ENUM: u8 = 0x23;
const OCTETS: u8 = 0x30;
const BEGIN: u8 = 0x34;
const NAME_IN_GERMAN: u8 = 0x36;
const END_OF_COLLECTION: u8 = 0x37;
const TEXT: u8 = 0x41;
const NAME: u8 = 0x42;
const KEYWORD: u8 = 0x44;
const URI: u8 = 0x45;
const MEMBER: u8 = 0x4a;

/// An answer as it is put together: version 2.0, a status, the group of the operation.
struct Body(Vec<u8>);

impl Body {
    fn new(status: u16) -> Self {
        let [high, low] = status.to_be_bytes();
        let head = Self(vec![2, 0, high, low, 0, 0, 0, 1, 1]);
        head.and(0x47, "attributes-charset", b"utf-8")
    }

    /// A sound one, with the group of the printer begun.
    fn printer() -> Self {
        Self::new(0).group(4)
    }

    fn group(mut self, tag: u8) -> Self {
        self.0.push(tag);
        self
    }

    fn and(mut self, tag: u8, name: &str, value: &[u8]) -> Self {
        self.0.push(tag);
        for part in [name.as_bytes(), value] {
            let length = u16::try_from(part.len()).expect("short");
            self.0.extend(length.to_be_bytes());
            self.0.extend(part);
        }
        self
    }

    fn number(self, name: &str, number: i32) -> Self {
        self.and(INTEGER, name, &number.to_be_bytes())
    }

    fn numbers(mut self, name: &str, numbers: &[i32]) -> Self {
        for (place, number) in numbers.iter().enumerate() {
            self = self.number(if place == 0 { name } else { "" }, *number);
        }
        self
    }

    fn texts(mut self, tag: u8, name: &str, texts: &[&str]) -> Self {
        for (place, text) in texts.iter().enumerate() {
            self = self.and(tag, if place == 0 { name } else { "" }, text.as_bytes());
        }
        self
    }

    fn end(self) -> Vec<u8> {
        self.group(3).0
    }
}

fn judged(octets: &[u8]) -> Result<Reading, IppError> {
    let answer = ipp::decode(octets)?;
    ipp::judge(&answer, None, Timestamp::UNIX_EPOCH)
}

fn read(body: Body) -> Reading {
    let reading = judged(&body.end()).expect("a printer");
    assert_eq!(sources::missing(&reading), [""; 0]);
    reading
}

fn sample() -> Body {
    Body::printer()
        .texts(TEXT, "printer-make-and-model", &["Kyocera ECOSYS M2040dn"])
        .texts(
            URI,
            "printer-uuid",
            &["urn:uuid:4509A320-00a0-008f-00b6-002507510eca"],
        )
        .texts(
            TEXT,
            "printer-device-id",
            &["MFG:Kyocera;MDL:ECOSYS M2040dn;SER:VCF9192281;"],
        )
        .texts(NAME, "printer-firmware-name", &["System", "IPP"])
        .texts(
            TEXT,
            "printer-firmware-string-version",
            &["2S0_2000.001.828", "2.0"],
        )
        .and(ENUM, "printer-state", &[0, 0, 0, 3])
        .texts(KEYWORD, "printer-state-reasons", &["none"])
        .texts(
            NAME,
            "marker-names",
            &["Black TK-1170", "Waste Toner Box", "Fuser", "Drum"],
        )
        .texts(
            KEYWORD,
            "marker-types",
            &["toner", "waste-toner", "fuser", "opc"],
        )
        .texts(NAME, "marker-colors", &["#000000", "none", "none", "none"])
        .numbers("marker-levels", &[84, -3, -2, -1])
        .number("printer-impressions-completed", 432_951)
        .number("printer-media-sheets-completed", 300_000)
        .number("printer-up-time", 314_854)
}

#[test]
fn an_answer_becomes_a_reading_whose_evidence_names_attributes() {
    let reading = read(sample());
    let identity = &reading.identity;
    assert_eq!(identity.vendor.as_deref(), Some("Kyocera"));
    assert_eq!(identity.model.as_deref(), Some("ECOSYS M2040dn"));
    assert_eq!(identity.serial.as_deref(), Some("VCF9192281"));
    assert_eq!(identity.firmware, ["2S0_2000.001.828"]);
    let uuid = Some("4509a320-00a0-008f-00b6-002507510eca");
    assert_eq!(identity.uuid.as_deref(), uuid);
    assert_eq!(reading.status.state, State::Idle);
    assert_eq!(reading.status.severity, Severity::Ok);
    assert_eq!(reading.up_secs, Some(314_854));
    let levels: Vec<Level> = reading.supplies.iter().map(|it| it.level).collect();
    let black = Level::Percent { percent: 84.0 };
    assert_eq!(levels, [black, Level::Some, Level::Unknown, Level::Unknown]);
    assert_eq!(reading.supplies[0].color.as_deref(), Some("black"));
    assert_eq!(reading.supplies[1].class, SupplyClass::Receptacle);
    let raws: Vec<&str> = reading
        .supplies
        .iter()
        .map(|it| it.evidence.raw.as_str())
        .collect();
    assert_eq!(
        raws,
        ["integer: 84", "integer: -3", "integer: -2", "integer: -1"]
    );
    for supply in &reading.supplies {
        assert_eq!(
            (
                supply.evidence.door.as_str(),
                supply.evidence.object.as_str()
            ),
            ("ipp", "marker-levels")
        );
    }
}

#[test]
fn a_count_over_ipp_is_beta_and_only_impressions_are_the_total() {
    let reading = read(sample());
    let counts: Vec<_> = reading
        .meters
        .iter()
        .map(|it| (it.name.clone(), it.value, it.unit, it.beta))
        .collect();
    assert_eq!(
        counts,
        [
            (MeterName::TOTAL, 432_951, Unit::Impressions, true),
            (MeterName::OTHER, 300_000, Unit::Sheets, true),
        ]
    );
    let unknown = read(
        Body::printer()
            .number("printer-state", 3)
            .numbers("printer-impressions-completed", &[-2]),
    );
    assert!(unknown.meters.is_empty(), "a sentinel is no count");
}

#[test]
fn a_single_value_where_a_list_is_due_is_a_list_of_one() {
    let body = Body::printer()
        .texts(TEXT, "printer-make-and-model", &["Brother HL-L6400DW"])
        .number("marker-levels", 40)
        .texts(KEYWORD, "printer-state-reasons", &["toner-low-warning"])
        .number("printer-state", 3);
    let reading = read(body);
    assert_eq!(reading.supplies.len(), 1);
    assert_eq!(reading.supplies[0].level, Level::Percent { percent: 40.0 });
    assert_eq!(reading.status.conditions, ["lowToner"]);
    assert_eq!(reading.status.severity, Severity::Warning);
}

#[test]
fn what_a_printer_complains_about_keeps_its_severity() {
    let jam = "code=jam;index=7;severity=critical;group=mediaPath;groupindex=2;training=trained";
    let body = Body::printer()
        .number("printer-state", 5)
        .texts(
            KEYWORD,
            "printer-state-reasons",
            &[
                "media-jam-error",
                "marker-waste-full-warning",
                "paused-report",
            ],
        )
        .texts(OCTETS, "printer-alert", &[jam, "none"])
        .texts(TEXT, "printer-alert-description", &["Open the rear door"]);
    let reading = read(body);
    assert_eq!(reading.status.state, State::Stopped);
    assert_eq!(reading.status.severity, Severity::Critical);
    assert_eq!(reading.status.conditions, ["jammed"]);
    let alerts: Vec<_> = reading
        .alerts
        .iter()
        .map(|it| (it.code, it.severity.as_str(), it.description.as_str()))
        .collect();
    assert_eq!(
        alerts,
        [
            (8, "critical", "Open the rear door"),
            (1_109, "warning", "marker-waste-full"),
            (1, "other", "paused"),
        ]
    );
    assert_eq!(
        (reading.alerts[0].group, reading.alerts[0].group_index),
        (13, Some(2))
    );
}

#[test]
fn printer_supply_wins_over_the_markers_and_keeps_its_unit() {
    let ink = "type=inkCartridge;maxcapacity=1000;level=250;class=supplyThatIsConsumed;\
               unit=tenthsOfMilliliters;colorantname=magenta;";
    let box_of_waste =
        "type=wasteInk;maxcapacity=100;level=-3;class=receptacleThatIsFilled;unit=19;";
    let tray = "type=other;maxcapacity=250;level=100;name=Tray 1;index=3;unit=8;medianame=A4;";
    let reading = read(
        sample()
            .texts(OCTETS, "printer-supply", &[ink, box_of_waste])
            .texts(TEXT, "printer-supply-description", &["Magenta", ""])
            .texts(OCTETS, "printer-input-tray", &[tray]),
    );
    let [first, second] = reading.supplies.as_slice() else {
        unreachable!("two rows, two supplies: {:?}", reading.supplies)
    };
    assert_eq!(first.level, Level::Percent { percent: 25.0 });
    assert_eq!((first.capacity, first.remaining), (Some(1_000), Some(250)));
    assert_eq!(first.unit, Unit::TenthsOfMilliliters);
    assert_eq!(
        (first.kind.as_str(), first.color.as_deref()),
        ("inkCartridge", Some("magenta"))
    );
    assert_eq!(
        (second.level, second.class),
        (Level::Some, SupplyClass::Receptacle)
    );
    assert_eq!(first.evidence.object, "printer-supply");
    let tray = &reading.trays[0];
    assert_eq!((tray.index.as_str(), tray.name.as_str()), ("3", "Tray 1"));
    assert_eq!(
        (tray.level, tray.unit),
        (Level::Percent { percent: 40.0 }, Unit::Sheets)
    );
}

#[test]
fn what_was_not_asked_for_is_stepped_over_whatever_is_in_it() {
    let body = sample()
        // A number of three octets, and a type that nobody knows.
        .and(INTEGER, "copies-default", &[1, 2, 3])
        .and(0x7f, "vendor-thing", &[0, 0, 0, 1, 9])
        .and(BEGIN, "media-col-default", b"")
        .and(MEMBER, "", b"marker-levels")
        .number("", 5)
        .and(END_OF_COLLECTION, "", b"")
        // The same again, and in another group.
        .number("marker-levels", 1)
        .group(2)
        .number("printer-state", 5)
        .and(NAME_IN_GERMAN, "job-name", b"\x00\x02de\x00\x03abc");
    assert_eq!(read(body), read(sample()));
}

#[test]
fn a_malformed_answer_is_a_clear_error() {
    let whole = sample().end();
    let cut = |at: usize| whole[..at].to_vec();
    let raw = |octets: &[u8]| [Body::printer().0, octets.to_vec()].concat();
    // A decoder that builds these, and lets go of them one within the other, runs out of stack.
    let begun = Body::printer().and(BEGIN, "media-col", b"");
    let deep = (0..5_000).fold(begun, |body, _| {
        body.and(MEMBER, "", b"a").and(BEGIN, "", b"")
    });
    let many = (0..20_000).fold(Body::printer(), |body, place| {
        body.and(0x13, if place == 0 { "many" } else { "" }, b"")
    });
    let table = [
        ("nothing", Vec::new(), "ends in the middle"),
        ("half a header", cut(6), "ends in the middle"),
        ("a cut", cut(whole.len() / 2), "ends in the middle"),
        ("no end", cut(whole.len() - 1), "ends in the middle"),
        (
            "a name beyond the end",
            raw(b"\x21\x7f\xffab"),
            "ends in the middle",
        ),
        (
            "a value beyond the end",
            raw(b"\x21\x00\x01a\x7f\xff1"),
            "ends in the middle",
        ),
        (
            "four octets of length",
            raw(b"\x21\x80\x00\x00\x00"),
            "negative length",
        ),
        (
            "a negative length",
            raw(b"\x41\x00\x01a\xff\xff"),
            "negative length",
        ),
        (
            "a value before any group",
            b"\x02\0\0\0\0\0\0\x01\x21\0\x01a\0\0\x03".to_vec(),
            "without a name",
        ),
        (
            "a value before any name",
            raw(b"\x21\0\0\0\x04\0\0\0\x01\x03"),
            "without a name",
        ),
        ("group 0", raw(b"\0\x03"), "tag 0x00"),
        (
            "a short number",
            Body::printer().and(ENUM, "printer-state", &[3]).end(),
            "printer-state",
        ),
        ("deep collections", deep.end(), "within each other"),
        (
            "an open collection",
            Body::printer().and(BEGIN, "media-col", b"").end(),
            "add up",
        ),
        (
            "a closed collection",
            Body::printer().and(END_OF_COLLECTION, "a", b"").end(),
            "add up",
        ),
        ("many values", many.end(), "more than"),
        ("too long", vec![2; 300_000], "longer than"),
        (
            "an empty group",
            Body::printer().end(),
            "nothing of a printer",
        ),
        ("no group", Body::new(0).end(), "nothing of a printer"),
        (
            "another version",
            Body::new(0x0503).end(),
            "version not supported (status 0x0503)",
        ),
        ("an odd status", Body::new(0x7777).end(), "status 0x7777"),
    ];
    for (what, octets, words) in table {
        let error = judged(&octets).expect_err(what).to_string();
        assert!(error.contains(words), "{what}: {error}");
    }
    assert!(IppError::Refused(0x0503).is_of_version());
    assert!(IppError::Refused(0x0406).is_of_path());
}

#[test]
fn numbers_at_the_ends_of_their_type_are_implausible_and_no_count() {
    let ends = [i32::MIN, i32::MAX, 101, -4];
    let body = sample_without_levels().numbers("marker-levels", &ends);
    let reading = read(body.number("printer-pages-completed", i32::MIN));
    assert!(reading.meters.is_empty());
    for supply in &reading.supplies {
        assert_eq!(supply.level, Level::Implausible, "{}", supply.evidence.raw);
    }
}

fn sample_without_levels() -> Body {
    Body::printer().number("printer-state", 3)
}

/// Every body beside this checkout, against what is expected of it.
#[test]
fn real_answers_are_read_and_malformed_ones_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings");
    let Ok(entries) = std::fs::read_dir(folder.join("ipp")) else {
        println!("skipped: no recordings beside this checkout");
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let octets = std::fs::read(&path).expect("readable");
        let expected = folder.join(format!("expected/ipp__{name}.json"));
        let text = std::fs::read_to_string(expected).expect("what is expected");
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        let said = &expected["attributes"];
        if said.as_object().is_none_or(serde_json::Map::is_empty) {
            let error = judged(&octets).expect_err(&name);
            println!("{name}: {error}");
            continue;
        }
        let reading = judged(&octets).expect(&name);
        let make = said["printer-make-and-model"][0].as_str().expect("a make");
        let model = reading.identity.model.clone().expect("a model");
        assert!(make.ends_with(&model), "{name}: {make}, {model}");
        assert!(reading.identity.vendor.is_some(), "{name}: no vendor");
        let state = serde_json::to_value(reading.status.state).expect("JSON");
        assert_eq!(state, expected["state"], "{name}");
        let levels = said["marker-levels"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(reading.supplies.len(), levels.len(), "{name}");
        for (supply, level) in reading.supplies.iter().zip(&levels) {
            let percent = level.as_f64().expect("a number");
            assert_eq!(supply.level, Level::Percent { percent }, "{name}");
        }
        let uuid = said["printer-uuid"][0].as_str().unwrap_or_default();
        assert_eq!(
            reading.identity.uuid.as_deref(),
            uuid.strip_prefix("urn:uuid:"),
            "{name}"
        );
        let trays = said["printer-input-tray"].as_array().map_or(0, Vec::len);
        assert_eq!(reading.trays.len(), trays, "{name}");
    }
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic_and_stay_bounded(
        octets in prop::collection::vec(any::<u8>(), 0..2_000)
    ) {
        bounded(&octets)?;
    }

    #[test]
    fn a_sound_answer_with_octets_changed_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)
    ) {
        let mut octets = sample().end();
        for (place, octet) in changes {
            let at = place.index(octets.len());
            octets[at] = octet;
        }
        bounded(&octets)?;
    }
}

/// Whatever comes out is no longer than a few times what went in.
fn bounded(octets: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(reading) = judged(octets) {
        let rows = reading.supplies.len() + reading.trays.len() + reading.alerts.len();
        prop_assert!(rows <= octets.len());
        let text = serde_json::to_string(&reading).expect("JSON");
        prop_assert!(text.len() <= 2_000 + 200 * octets.len());
    }
    Ok(())
}
