//! What Platen makes of a sysDescr alone: of each maker's documented form, and, beside a checkout
//! with recordings, of some five hundred real ones.
//!
//! `PLATEN_WRITE_MISSES=FILE` writes what was not recognized, a line each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;
use printer::identity::Identity;
use printer::mib;
use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::walk::Walk;
use snmp::{Oid, Value};

/// Least share of classes (printer, something else) that is right, in percent.
const CLASSES_PERCENT_MIN: usize = 98;

/// Least share of vendors that is right, in percent.
const VENDORS_PERCENT_MIN: usize = 97;

/// Least share of products that is right, in percent.
const PRODUCTS_PERCENT_MIN: usize = 90;

/// Owners of a brand by the fingerprint database's words, and the brand on the device: Platen
/// names what stands on it.
const BRANDS_OF: &[(&str, &[&str])] = &[
    ("oki", &["OKI"]),
    ("oce", &["Océ"]),
    ("kyocera mita", &["Kyocera"]),
    (
        "ricoh",
        &[
            "Ricoh",
            "NRG",
            "Gestetner",
            "Lanier",
            "Savin",
            "IBM",
            "InfoPrint",
        ],
    ),
    ("honeywell", &["Honeywell", "Intermec"]),
];

/// A line of the list of real descriptions.
struct Line {
    class: String,
    vendor: String,
    product: String,
    text: String,
}

/// How many of a kind were right.
#[derive(Default)]
struct Rate {
    right: usize,
    all: usize,
}

impl Rate {
    fn count(&mut self, is_right: bool) {
        self.all += 1;
        self.right += usize::from(is_right);
    }

    fn is_at_least(&self, percent: usize) -> bool {
        self.right * 100 >= self.all * percent
    }

    fn say(&self, what: &str) -> String {
        let share = 100.0 * self.right as f64 / self.all.max(1) as f64;
        format!("{what}: {} of {} right, {share:.1} %", self.right, self.all)
    }
}

fn verdict(sys_descr: &str) -> Verdict {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::embedded().expect("profiles"));
    let mut walk = Walk::new();
    walk.insert(
        Oid::new(mib::SYS_DESCR).with(&[mib::SCALAR]),
        Value::OctetString(sys_descr.as_bytes().to_vec()),
    );
    printer::judge(&walk, &PROFILES, None, Timestamp::UNIX_EPOCH)
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => out.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            }),
            (c, false) => out.push(c),
        }
    }
    out
}

/// The list, if this checkout stands beside one.
fn real_descriptions() -> Option<Vec<Line>> {
    let file = "../../../shared/recordings/ident/sysdescr.tsv";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no list of descriptions beside this checkout");
        return None;
    };
    let line = |line: &str| {
        let cells: Vec<String> = line.split('\t').map(unescaped).collect();
        let [class, _, vendor, product, _, _, _, text] = cells.as_slice() else {
            panic!("eight columns: {line}")
        };
        Line {
            class: class.clone(),
            vendor: vendor.clone(),
            product: product.clone(),
            text: text.clone(),
        }
    };
    Some(text.lines().skip(1).map(line).collect())
}

fn is_vendor(line: &Line, identity: &Identity) -> bool {
    let got = identity.vendor.as_deref().unwrap_or_default();
    let wanted = line.vendor.to_lowercase();
    let brands = BRANDS_OF.iter().find(|(owner, _)| *owner == wanted);
    match brands {
        Some((_, brands)) => brands.contains(&got),
        None => got.to_lowercase() == wanted,
    }
}

/// Whether every word of the product stands in the model.
fn is_product(line: &Line, identity: &Identity) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "");
    let model = plain(identity.model.as_deref().unwrap_or_default());
    let product = line.product.to_lowercase();
    product
        .split_whitespace()
        .all(|word| model.contains(&plain(word)))
}

#[test]
fn real_descriptions_are_recognized() {
    let Some(lines) = real_descriptions() else {
        return;
    };
    let (mut classes, mut vendors, mut products) =
        (Rate::default(), Rate::default(), Rate::default());
    let mut misses = Vec::new();
    let mut taken_for_printers = Vec::new();
    for line in &lines {
        let is_printing = line.class != "other";
        let verdict = verdict(&line.text);
        classes.count(is_printing == matches!(verdict, Verdict::Printer(_)));
        let identity = match verdict {
            Verdict::Printer(reading) if is_printing => reading.identity,
            Verdict::Printer(_) => {
                taken_for_printers.push(line.text.clone());
                continue;
            }
            Verdict::NotAPrinter { reason } if is_printing => {
                misses.push(format!("class\t{reason}\t{}", line.text));
                Identity::default()
            }
            Verdict::NotAPrinter { .. } => continue,
        };
        if !line.vendor.is_empty() {
            let is_right = is_vendor(line, &identity);
            vendors.count(is_right);
            if !is_right {
                misses.push(format!(
                    "vendor\t{:?}, wanted {}\t{}",
                    identity.vendor, line.vendor, line.text
                ));
            }
        }
        if !line.product.is_empty() {
            let is_right = is_product(line, &identity);
            products.count(is_right);
            if !is_right {
                misses.push(format!(
                    "product\t{:?}, wanted {}\t{}",
                    identity.model, line.product, line.text
                ));
            }
        }
    }
    let rates = [
        classes.say("class"),
        vendors.say("vendor"),
        products.say("product"),
    ];
    println!("{}", rates.join("\n"));
    if let Some(file) = std::env::var_os("PLATEN_WRITE_MISSES") {
        std::fs::write(file, misses.join("\n") + "\n").expect("writes the misses");
    }
    assert!(
        taken_for_printers.is_empty(),
        "no printers: {taken_for_printers:#?}"
    );
    assert!(classes.is_at_least(CLASSES_PERCENT_MIN), "{rates:?}");
    assert!(vendors.is_at_least(VENDORS_PERCENT_MIN), "{rates:?}");
    assert!(products.is_at_least(PRODUCTS_PERCENT_MIN), "{rates:?}");
}

/// A description in the form that its maker documents or is known for, with made-up models and
/// numbers: vendor, and model.
const OWN: &[(&str, &str, &str)] = &[
    (
        "HP ETHERNET MULTI-ENVIRONMENT,SN:CNX1A2B3C4,FN:AB12CD3,SVCID:20417,PID:HP LaserJet M999x",
        "HP",
        "LaserJet M999x",
    ),
    ("HP DesignJet T9990 Series", "HP", "DesignJet T9990 Series"),
    ("Canon iR-ADV C9926 /P", "Canon", "iR-ADV C9926"),
    ("Canon LBP9970C /P EEPROM 1100", "Canon", "LBP9970C"),
    (
        "RICOH IM C9500 1.08 / RICOH Network Printer C model / RICOH Network Scanner C model",
        "Ricoh",
        "IM C9500",
    ),
    (
        "LANIER LD999 2.40 / LANIER Network Printer C model",
        "Lanier",
        "LD999",
    ),
    (
        "SAVIN SLP99c 2.22 / SAVIN Network Printer C model",
        "Savin",
        "SLP99c",
    ),
    (
        "NRG SP C999DN V1.03 / NRG Network Printer C model",
        "NRG",
        "SP C999DN",
    ),
    (
        "Gestetner MP C9990 1.10 / Gestetner Network Printer C model",
        "Gestetner",
        "MP C9990",
    ),
    (
        "Xerox VersaLink C995; System 61.23.61, Controller 1.23.45, NIC 1.23.45",
        "Xerox",
        "VersaLink C995",
    ),
    (
        "FUJI XEROX ApeosPort-IX C9990;ESS 1.121.8,IOT 3.8.2",
        "Fuji Xerox",
        "ApeosPort-IX C9990",
    ),
    (
        "FUJIFILM Apeos C9990;ESS 1.2.3,IOT 4.5.6",
        "Fujifilm",
        "Apeos C9990",
    ),
    (
        "KONICA MINOLTA bizhub C999i",
        "Konica Minolta",
        "bizhub C999i",
    ),
    ("Develop ineo+ 999", "Develop", "ineo+ 999"),
    (
        "KYOCERA Printer I/F IB-99 Ver 1.1.0",
        "Kyocera",
        "Printer I/F IB-99",
    ),
    ("UTAX_TA P-9999DN", "Utax", "P-9999DN"),
    ("TA Triumph-Adler 9999ci", "Triumph-Adler", "9999ci"),
    ("Copystar CS 9999ci", "Copystar", "CS 9999ci"),
    (
        "Lexmark MS999 version MSNGM.999.123 kernel 4.1.0 All-N-1",
        "Lexmark",
        "MS999",
    ),
    (
        "Brother NC-9300h, Firmware Ver.1.14  (14.11.06),MID 8C5-F01,FID 2",
        "Brother",
        "NC-9300h (network card)",
    ),
    (
        "EPSON Built-in 11b/g/n & 10/100/1000 Print Server",
        "Epson",
        "Built-in 11b/g/n & 10/100/1000 Print Server",
    ),
    (
        "EPSON AL-C9990N; Net 98.48,ESS 201103111031,IOT 02.17.00",
        "Epson",
        "AL-C9990N",
    ),
    (
        "Samsung CLX-9990 Series;V1.00.01.64 Sep-27-2010;Engine 1.77.81;S/N Z9AB1KD0000042",
        "Samsung",
        "CLX-9990 Series",
    ),
    ("SHARP MX-9990N", "Sharp", "MX-9990N"),
    ("TOSHIBA e-STUDIO9990c", "Toshiba", "e-STUDIO9990c"),
    ("TOSHIBA TEC B-EX9", "Toshiba", "B-EX9"),
    (
        "OKI OkiLAN 9450g Rev.00.69 10/100/1000BASE Ethernet PrintServer: Attached to MC999 Rev.07.87 : Copyright (c) 2015 Oki Data Corporation.",
        "OKI",
        "MC999",
    ),
    (
        "Dell Laser Printer 9999n version NS.NP.N212 kernel 2.6.6 All-N-1",
        "Dell",
        "Laser Printer 9999n",
    ),
    ("Pantum BM9999 Series", "Pantum", "BM9999 Series"),
    ("Panasonic DP-9999P", "Panasonic", "DP-9999P"),
    (
        "Oce, VarioPrint 999 R2.1.0.0, PRISMAsync R13.4.42.7",
        "Océ",
        "VarioPrint 999",
    ),
    ("ZebraNet PrintServer", "Zebra", "ZebraNet PrintServer"),
    ("TSC TE999", "TSC", "TE999"),
    (
        "Tektronix, Inc., Phaser 999N, PhaserShare Series B Network Interface, (1.2/3.4)",
        "Tektronix",
        "Phaser 999N",
    ),
    (
        "Thermal Label Printer Intermec PM49",
        "Intermec",
        "Thermal Label Printer Intermec PM49",
    ),
];

/// Descriptions of things that are no printers, although a word or a maker in them is a printer's.
const NO_PRINTERS: &[&str] = &[
    "Linux print01 6.1.0-18-amd64 #1 SMP Debian 6.1.76-1 x86_64",
    "Hardware: AMD64 Family 6 Model 85 - Software: Windows Version 10.0 (Build 17763 Multiprocessor Free)",
    "HP ProCurve 9999G - 8 GE, H.1.2, eCos-2.0",
    "HP IP Console Switch G2 4x1Ex32",
    "Canon Network Camera VB-C99",
    "Samsung Wireless Access Point WEA999",
    "EPSON Network Projector EB-999",
    "EPSON Internal 10Base-T/100Base-TX Scanning Card",
    "DELL PowerVault 999T",
    "Axis Q9999 Network Camera 9.80",
    "Lantronix ETS99 Version V3.6/4(000712)",
    "Toshiba MultiMedia Access Point",
];

#[test]
fn the_documented_form_of_every_maker_is_recognized() {
    for (text, vendor, model) in OWN {
        let Verdict::Printer(reading) = verdict(text) else {
            panic!("no printer: {text}")
        };
        let identity = &reading.identity;
        assert_eq!(identity.vendor.as_deref(), Some(*vendor), "{text}");
        assert_eq!(identity.model.as_deref(), Some(*model), "{text}");
    }
}

#[test]
fn other_things_of_the_same_makers_are_no_printers() {
    for text in NO_PRINTERS {
        assert!(
            matches!(verdict(text), Verdict::NotAPrinter { .. }),
            "{text}"
        );
    }
}
