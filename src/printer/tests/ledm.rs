//! Documents of LEDM: sound ones become readings in context, malformed and hostile ones a clear error
//! in no time, and none a panic.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use printer::ledm::{
    self, DEPTH_MAX, DOCUMENT_BYTES_MAX, Document, Documents, ELEMENTS_MAX, LedmError,
};
use printer::meter::{Meter, Unit};
use printer::reading::Reading;
use printer::sources;
use printer::status::{Severity, State};
use printer::supply::{Level, Supply, SupplyClass};
use proptest::prelude::*;

/// What no document may take, however it is made: the largest has half a mebibyte.
const SOON: Duration = Duration::from_secs(2);

fn sample(folder: &str, document: Document) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ledm")
        .join(folder);
    std::fs::read(folder.join(format!("{document}.xml"))).ok()
}

fn read(folder: &str) -> Reading {
    let mut documents = Documents::default();
    for document in Document::READ {
        let Some(octets) = sample(folder, document) else {
            continue;
        };
        let root = ledm::decode(document, &octets).expect("sound");
        documents.take(document, root);
    }
    let reading = ledm::judge(&documents, None, Timestamp::UNIX_EPOCH).expect("a printer");
    assert_eq!(sources::missing(&reading), [""; 0]);
    reading
}

fn judged(document: Document, octets: &[u8]) -> Result<Reading, LedmError> {
    let mut documents = Documents::default();
    documents.take(document, ledm::decode(document, octets)?);
    ledm::judge(&documents, None, Timestamp::UNIX_EPOCH)
}

fn meter<'r>(reading: &'r Reading, name: &str) -> &'r Meter {
    let mut meters = reading.meters.iter();
    let found = meters.find(|it| it.name.as_str() == name || it.label.as_deref() == Some(name));
    found.expect(name)
}

fn supply<'r>(reading: &'r Reading, color: &str) -> &'r Supply {
    let mut supplies = reading.supplies.iter();
    let found = supplies.find(|it| it.color.as_deref() == Some(color));
    found.expect(color)
}

#[test]
fn an_office_printer_is_read_in_context() {
    let reading = read("officejet");
    let identity = &reading.identity;
    assert_eq!(identity.vendor.as_deref(), Some("HP"));
    assert_eq!(identity.model.as_deref(), Some("Officejet Pro 8600 N911a"));
    assert_eq!(identity.serial.as_deref(), Some("CN2ABCDE0X05KC"));
    // The revision of the product, and not that of the schema.
    assert_eq!(identity.firmware, ["CLP1CN1347AR"]);
    let uuid = "1c852a4d-b800-1f08-abcd-2c44fd1e0f21";
    assert_eq!(identity.uuid.as_deref(), Some(uuid));
    // One name in five places: the printer's, of a paper, of the printer in A4, a copier's, a fax's.
    for (name, value) in [
        ("total", 15_234),
        ("mono", 12_000),
        ("color", 3_234),
        ("copy", 420),
        ("copy_color", 20),
        ("fax", 17),
        ("duplex", 3_117),
        ("scan", 842),
        ("paper jams", 12),
        ("cyan ink used", 587),
    ] {
        assert_eq!(meter(&reading, name).value, value, "{name}");
    }
    let total = meter(&reading, "total");
    assert!(reading.meters.iter().all(|meter| meter.beta));
    assert_eq!(total.evidence.door, "ledm");
    let object = "ProductUsageDyn/PrinterSubunit/TotalImpressions";
    assert_eq!(total.evidence.object, object);
    assert_eq!(total.evidence.raw, "15234");
    assert_eq!(total.evidence.rule, "ledm/PrinterSubunit/TotalImpressions");
    let scan = meter(&reading, "scan");
    assert_eq!(scan.evidence.raw, "500 + 342");
    assert!(reading.facts.is_empty(), "{:?}", reading.facts);
    assert_eq!(reading.status.state, State::Standby);
    assert_eq!(reading.status.severity, Severity::Warning);
    assert_eq!(reading.status.conditions, ["lowToner"]);
    assert_eq!(reading.alerts.len(), 2);
    assert_eq!(reading.alerts[0].index, "7");
    assert_eq!(
        reading.alerts[0].name,
        "markerInkAlmostEmpty".replace("Ink", "Toner")
    );
}

#[test]
fn supplies_are_those_in_the_printer_now() {
    let reading = read("officejet");
    assert_eq!(reading.supplies.len(), 5);
    let cyan = supply(&reading, "cyan");
    assert_eq!(cyan.level, Level::Percent { percent: 60.0 });
    assert_eq!(cyan.class, SupplyClass::Consumed);
    assert_eq!(cyan.part.as_deref(), Some("CN046A"));
    assert_eq!(cyan.serial.as_deref(), Some("1126430021"));
    assert_eq!(
        (cyan.capacity, cyan.unit),
        (Some(170), Unit::TenthsOfMilliliters)
    );
    assert_eq!(cyan.remaining, None, "nobody told it");
    assert_eq!(cyan.description, "cyan ink 951XL");
    let object = "ConsumableConfigDyn/ConsumableInfo[1]/ConsumablePercentageLevelRemaining";
    assert_eq!(cyan.evidence.object, object);
    // The data of the cartridge before stands first in this one.
    let magenta = supply(&reading, "magenta");
    assert_eq!(magenta.level, Level::Percent { percent: 10.0 });
    // One that is not there, one that is measured in words, and a printhead.
    assert_eq!(supply(&reading, "yellow").level, Level::Unknown);
    assert_eq!(supply(&reading, "yellow").evidence.raw, "90");
    assert_eq!(supply(&reading, "black").level, Level::Some);
    let head = supply(&reading, "cyan magenta yellow");
    assert_eq!((head.kind.as_str(), head.level), ("other", Level::Unknown));
}

#[test]
fn a_large_format_printer_has_lengths_areas_and_ink_in_their_units() {
    let reading = read("designjet");
    let model = "DesignJet T1600dr PostScript Printer";
    assert_eq!(reading.identity.model.as_deref(), Some(model));
    for (name, value, unit) in [
        ("length", 8_123, Unit::Meters),
        ("area", 7_412, Unit::SquareMeters),
        ("glossy media area", 112, Unit::SquareMeters),
        ("ink used", 122_500, Unit::TenthsOfMilliliters),
        ("matte black ink used", 23_100, Unit::TenthsOfMilliliters),
    ] {
        let meter = meter(&reading, name);
        assert_eq!((meter.value, meter.unit), (value, unit), "{name}");
    }
    assert_eq!(meter(&reading, "length").evidence.raw, "8123.75 meters");
    // Without ConsumableConfigDyn, the usage tells of the inks.
    let matte = supply(&reading, "matte black");
    assert_eq!(matte.level, Level::Percent { percent: 37.5 });
    let object =
        "ProductUsageDyn/ConsumableSubunit/Consumable[1]/ConsumableRawPercentageLevelRemaining";
    assert_eq!(matte.evidence.object, object);
    assert_eq!(supply(&reading, "photo black").level, Level::Implausible);
    assert_eq!(reading.status.state, State::Stopped);
    assert_eq!(reading.status.severity, Severity::Critical);
    assert_eq!(reading.status.conditions, ["doorOpen"]);
}

#[test]
fn no_document_leads_anywhere_else_and_no_person_is_kept() {
    let tree = sample("officejet", Document::DiscoveryTree).expect("a sample");
    let tree = ledm::decode(Document::DiscoveryTree, &tree).expect("sound");
    // A list of jobs is there and cannot be named; a document at another machine is not listed.
    let listed = ledm::listed(&tree);
    assert_eq!(
        listed,
        [Document::ProductConfigDyn, Document::ProductUsageDyn]
    );
    for document in Document::READ.into_iter().chain([Document::DiscoveryTree]) {
        let path = document.path();
        assert!(
            path.starts_with("/DevMgmt/") && path.ends_with(".xml"),
            "{path}"
        );
        for word in ["Job", "Log", "Event", "Account", "Fax", "Secure", "Scan"] {
            assert!(!path.contains(word), "{path}");
        }
    }
    let text = serde_json::to_string(&read("officejet")).expect("JSON");
    assert!(!text.contains("Mustermann"), "{text}");
}

#[test]
fn texts_come_out_right_in_every_encoding() {
    let body = |head: &str, name: &str| {
        format!(
            "{head}<p:ProductConfigDyn><q:ProductInformation><r:MakeAndModel>HP {name}</r:MakeAndModel></q:ProductInformation></p:ProductConfigDyn>"
        )
    };
    let model = |octets: &[u8]| {
        let reading = judged(Document::ProductConfigDyn, octets).expect("a printer");
        reading.identity.model.expect("a model")
    };
    assert_eq!(
        model(body("", "Grün &amp; &#228;lt <![CDATA[<&]]>").as_bytes()),
        "Grün & ält <&"
    );
    assert_eq!(model(body("\u{feff}", "Grün").as_bytes()), "Grün");
    // A lone ampersand, and an encoding that nobody knows.
    assert_eq!(
        model(body("<?xml version='1.0' encoding='EBCDIC-42'?>", "A & B").as_bytes()),
        "A & B"
    );
    let latin = |head: &str| -> Vec<u8> {
        let text = body(head, "Gr~n");
        text.bytes()
            .map(|b| if b == b'~' { 0xfc } else { b })
            .collect()
    };
    let declared = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>";
    assert_eq!(model(&latin(declared)), "Grün");
    // Says UTF-8, or nothing, and is not.
    assert_eq!(
        model(&latin("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")),
        "Grün"
    );
    assert_eq!(model(&latin("")), "Grün");
    let wide = |mark: [u8; 2], of: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = body("<?xml version=\"1.0\" encoding=\"UTF-16\"?>", "Grün");
        mark.into_iter()
            .chain(text.encode_utf16().flat_map(of))
            .collect()
    };
    assert_eq!(model(&wide([0xff, 0xfe], u16::to_le_bytes)), "Grün");
    assert_eq!(model(&wide([0xfe, 0xff], u16::to_be_bytes)), "Grün");
    // Says sixteen bits and has eight.
    assert_eq!(
        model(body("<?xml version='1.0' encoding='UTF-16'?>", "Grün").as_bytes()),
        "Grün"
    );
    let hostile = model(body("", "A\u{202e}B\u{1b}[31m").as_bytes());
    assert_eq!(hostile, "A B [31m");
}

#[test]
fn what_is_no_such_document_is_a_clear_error() {
    let of = |octets: &[u8]| judged(Document::ProductUsageDyn, octets).expect_err("refused");
    let not_xml = |octets: &[u8]| matches!(of(octets), LedmError::NotXml { .. });
    for octets in [
        &b""[..],
        b"\0\0\0\0",
        b"HTTP/1.1 200 OK",
        b"<ProductUsageDyn>",
        b"<ProductUsageDyn><a></b></ProductUsageDyn>",
        b"<ProductUsageDyn><a>&nosuch;</a></ProductUsageDyn>",
        b"<ProductUsageDyn><a>&#xD800;</a></ProductUsageDyn>",
        b"<ProductUsageDyn",
        b"</ProductUsageDyn>",
    ] {
        assert!(not_xml(octets), "{octets:?}: {:?}", of(octets));
    }
    let page = of(b"<html><body>Log in</body></html>");
    assert_eq!(page.to_string(), "its ProductUsageDyn is a 'html'");
    assert_eq!(of(b"<ProductUsageDyn/>"), LedmError::NoPrinter);
    let empty = ledm::judge(&Documents::default(), None, Timestamp::UNIX_EPOCH);
    assert_eq!(empty, Err(LedmError::NoPrinter));
}

#[test]
fn hostile_documents_are_refused_in_no_time() {
    let begun = Instant::now();
    let document = Document::ProductUsageDyn;
    let decode = |text: &str| ledm::decode(document, text.as_bytes()).map(drop);
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><ProductUsageDyn>&b;</ProductUsageDyn>";
    assert_eq!(decode(laughs), Err(LedmError::Doctype(document)));
    let file = "<!DOCTYPE l SYSTEM \"file:///etc/passwd\"><ProductUsageDyn/>";
    assert_eq!(decode(file), Err(LedmError::Doctype(document)));
    let deep = |depth: usize| {
        let within = "<a>".repeat(depth) + &"</a>".repeat(depth);
        format!("<ProductUsageDyn>{within}</ProductUsageDyn>")
    };
    assert_eq!(decode(&deep(DEPTH_MAX - 1)), Ok(()));
    assert_eq!(decode(&deep(DEPTH_MAX)), Err(LedmError::TooDeep(document)));
    assert_eq!(decode(&deep(50_000)), Err(LedmError::TooDeep(document)));
    let many = |count: usize| {
        format!(
            "<ProductUsageDyn>{}</ProductUsageDyn>",
            "<SupportedUsageUnit/>".repeat(count)
        )
    };
    assert_eq!(decode(&many(ELEMENTS_MAX - 1)), Ok(()));
    assert_eq!(
        decode(&many(ELEMENTS_MAX)),
        Err(LedmError::TooMany(document))
    );
    // As many as no document of this length has: they would take forty times its octets.
    let dense = "<b><c/></b>".repeat(5_900);
    let dense = format!("<ProductUsageDyn>{dense}</ProductUsageDyn>");
    assert_eq!(decode(&dense), Err(LedmError::TooMany(document)));
    let long = format!("<ProductUsageDyn a=\"{}\"/>", "x".repeat(1_024 * 1_024));
    assert_eq!(decode(&long), Err(LedmError::TooLong(document)));
    // As long as it may be: one attribute, or as many as fit.
    let room = DOCUMENT_BYTES_MAX - 100;
    let one = format!("<ProductUsageDyn a=\"{}\"/>", "x".repeat(room));
    assert_eq!(decode(&one), Ok(()));
    let all = format!("<ProductUsageDyn {}/>", "a=\"\" ".repeat(room / 5));
    assert_eq!(decode(&all), Ok(()));
    let comment = format!("<!--{}--><ProductUsageDyn/>", "<".repeat(room));
    assert_eq!(decode(&comment), Ok(()));
    let open = format!("<ProductUsageDyn>{}", "<![CDATA[".repeat(room / 9));
    assert!(matches!(decode(&open), Err(LedmError::NotXml { .. })));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn counts_that_are_none_are_left_out() {
    let usage = |count: &str| {
        let usage = format!(
            "<ProductUsageDyn><PrinterSubunit><TotalImpressions>{count}</TotalImpressions></PrinterSubunit></ProductUsageDyn>"
        );
        let mut documents = Documents::default();
        for (document, text) in [
            (Document::ProductUsageDyn, usage.as_str()),
            (
                Document::ProductStatusDyn,
                "<ProductStatusDyn><Status><StatusCategory>ready</StatusCategory></Status></ProductStatusDyn>",
            ),
        ] {
            let root = ledm::decode(document, text.as_bytes()).expect("sound");
            documents.take(document, root);
        }
        let reading = ledm::judge(&documents, None, Timestamp::UNIX_EPOCH).expect("a printer");
        assert_eq!(reading.status.state, State::Idle);
        reading.meters.first().map(|meter| meter.value)
    };
    for count in [
        "",
        "-1",
        "many",
        "NaN",
        "1e400",
        "18446744073709551616",
        "0x10",
        "1,234",
    ] {
        assert_eq!(usage(count), None, "{count}");
    }
    assert_eq!(usage(" 12 "), Some(12));
}

/// Every document beside this checkout.
#[test]
fn real_documents_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings/http");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: no recordings beside this checkout");
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let octets = std::fs::read(&path).expect("readable");
        let tree = ledm::decode(Document::DiscoveryTree, &octets);
        if name.starts_with("hp-ledm__discoveryTree") {
            // All four stand at their places, however the tree writes its prefixes.
            assert_eq!(ledm::listed(&tree.expect(&name)), Document::READ, "{name}");
        } else {
            let error = tree.expect_err(&name);
            println!("{name}: {error}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..2_000)) {
        for document in Document::READ {
            let _ = judged(document, &octets);
        }
    }

    #[test]
    fn a_sound_document_with_octets_changed_never_panics_and_stays_bounded(
        which in 0..Document::READ.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)
    ) {
        let document = Document::READ[which];
        let mut octets = sample("officejet", document).expect("a sample");
        for (place, octet) in changes {
            let at = place.index(octets.len());
            octets[at] = octet;
        }
        if let Ok(reading) = judged(document, &octets) {
            let text = serde_json::to_string(&reading).expect("JSON");
            prop_assert!(text.len() <= 2_000 + 200 * octets.len());
            for meter in &reading.meters {
                prop_assert_eq!(&meter.evidence.door, "ledm");
                prop_assert!(meter.beta);
            }
        }
    }
}
