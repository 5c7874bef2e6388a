//! What cases for the doors beside SNMP grow from: what the printers of our recordings would say
//! there, in the documented structure, the documents of LEDM that are tested with, and bodies that
//! others caught.

use std::path::Path;

use printer::mib;
use printer::walk::{Shapes, Walk};
use snmp::recording::Recording;

use crate::doors::{PJL_NUMBER, together};
use crate::seeds::files;

/// An answer to `~HS` of the documented structure.
const READY: &str = "\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n\
                     \x02000,0,0,0,1,2,6,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n";

/// States of queues in the forms that print servers have.
const QUEUES: [&str; 5] = [
    "no entries\n",
    "Printer: lp\r\nStatus: Ready (ready)\r\n\r\nno entries\r\n",
    "lp is ready and printing\nRank   Owner  Job  Files  Total Size\n\
     active anna   12   salaries.xls  1024 bytes\n1st    jack   13   x  99 bytes\n",
    "lp is ready and printing\n\nanna: active   [job 012host]\n\tsalaries.xls    1024 bytes\n",
    "Warteschlange bereit\n\nanna gehaelter.xls\n",
];

/// Everything for the doors.
#[derive(Debug, Default)]
pub struct DoorSeeds {
    pub ipp: Vec<Vec<u8>>,
    pub ledm: Vec<Vec<u8>>,
    pub sgd: Vec<Vec<u8>>,
    pub pjl: Vec<Vec<u8>>,
    pub lpr: Vec<Vec<u8>>,
    /// Everything that one printer says at one door, behind an octet that names the door.
    pub whole: Vec<Vec<u8>>,
    /// Packed walks.
    pub packed: Vec<Vec<u8>>,
}

/// A supply: what it is called, its level, and its capacity.
type Supply = (String, i64, i64);

/// What a recording tells of itself.
struct Told {
    model: String,
    serial: String,
    pages: i64,
    supplies: Vec<Supply>,
}

impl Told {
    fn of(recording: &Recording) -> Self {
        let walk = Walk::from(recording);
        let first = |object: &[u32]| {
            let row = walk.under(object).next().map(|(row, _)| row);
            row.and_then(|row| walk.text(object, row))
                .unwrap_or_default()
        };
        let rows = walk.rows(&[mib::PRT_SUPPLY_DESCRIPTION]);
        let number = |object: &[u32], row: &[u32]| walk.number(object, row).unwrap_or(-2);
        let supply = |row: &[u32]| {
            let name = walk
                .text(mib::PRT_SUPPLY_DESCRIPTION, row)
                .unwrap_or_default();
            let level = number(mib::PRT_SUPPLY_LEVEL, row);
            (name, level, number(mib::PRT_SUPPLY_CAPACITY, row))
        };
        Self {
            model: first(mib::SYS_DESCR),
            serial: first(mib::PRT_SERIAL_NUMBER),
            pages: number(mib::PRT_MARKER_LIFE_COUNT, &[1, 1]),
            supplies: rows.into_iter().map(supply).collect(),
        }
    }
}

impl DoorSeeds {
    /// Makes them of the recordings, and of what lies in the folder of the project and beside it.
    pub fn gather(root: &Path, recordings: &[Recording]) -> Self {
        let mut seeds = Self::default();
        for recording in recordings {
            let told = Told::of(recording);
            seeds.of_printer(&told);
            let packed = Walk::from(recording).pack(&Shapes::default());
            seeds.packed.push(packed.octets());
        }
        for (at, device) in ["designjet", "officejet"].into_iter().enumerate() {
            let folder = root.join("src/printer/tests/ledm").join(device);
            let found: Vec<Vec<u8>> = files(&folder)
                .iter()
                .filter_map(|path| std::fs::read(path).ok())
                .collect();
            assert!(found.len() > 2, "documents of LEDM are here: {at}");
            for (number, document) in found.iter().enumerate() {
                // Each for the document that it is, and for one that it is not.
                for choice in [number as u8, number as u8 + 1] {
                    seeds.ledm.push([&[choice], &document[..]].concat());
                }
            }
            seeds.whole.push([vec![1], together(&found)].concat());
        }
        seeds
            .lpr
            .extend(QUEUES.iter().map(|it| it.as_bytes().to_vec()));
        for path in files(&root.join("../shared/recordings/ipp")) {
            let octets = std::fs::read(path).unwrap_or_default();
            seeds.whole.push([&[0], &octets[..]].concat());
            seeds.ipp.push(octets);
        }
        seeds
    }

    fn of_printer(&mut self, told: &Told) {
        let ipp = ipp(told);
        self.whole.push([&[0], &ipp[..]].concat());
        self.ipp.push(ipp);
        let texts = [
            told.model.as_str(),
            &told.serial,
            "dock-4",
            "V93.21.17Z",
            "6.6",
            "1489 INCHES, 3784 CENTIMETERS",
            &told.pages.to_string(),
            "?",
            "120 INCHES",
            "ok",
            "ok",
        ];
        let mut said: Vec<Vec<u8>> = texts.map(|it| format!("\"{it}\"").into_bytes()).into();
        said.push(READY.as_bytes().to_vec());
        self.whole.push([vec![2], together(&said)].concat());
        self.sgd.extend(said);
        let said = pjl(told);
        for (number, answer) in said.iter().enumerate() {
            self.pjl.push([&[number as u8], &answer[..]].concat());
        }
        self.whole.push([vec![3], together(&said)].concat());
        let queue = format!("{} is ready\n\nno entries\n", told.model);
        self.lpr.push(queue.into_bytes());
    }
}

/// Answers to every category, in the order of the targets.
fn pjl(told: &Told) -> Vec<Vec<u8>> {
    let supplies = told.supplies.iter().map(|(name, level, _)| {
        let name = name.to_uppercase().replace(' ', "_");
        format!("{name}={level}%\r\n")
    });
    let supplies: String = supplies.collect();
    let (model, serial) = (&told.model, &told.serial);
    let bodies = [
        ("ID", format!("\"{model}\"\r\n")),
        (
            "CONFIG",
            "IN TRAYS [2 ENUMERATED]\r\n\tINTRAY1 MP\r\n\tINTRAY2 PC\r\nDUPLEX\r\n".to_owned(),
        ),
        (
            "MEMORY",
            "TOTAL=536870912\r\nLARGEST=268435456\r\n".to_owned(),
        ),
        (
            "STATUS",
            "CODE=10001\r\nDISPLAY=\"Ready\"\r\nONLINE=TRUE\r\n".to_owned(),
        ),
        ("PAGECOUNT", format!("PAGECOUNT={}\r\n", told.pages)),
        ("SUPPLIES", supplies),
        (
            "PRODINFO",
            format!("ProductName = \"{model}\"\r\nProductSerialNumber = \"{serial}\"\r\n"),
        ),
        (
            "VARIABLES",
            "COPIES=1 [2 RANGE]\r\n\t1\r\n\t999\r\n".to_owned(),
        ),
    ];
    let answer = |(name, body): (&str, String)| {
        let echo = format!("@PJL ECHO PLATEN {PJL_NUMBER}\r\n\x0c");
        format!("{echo}@PJL INFO {name}\r\n{body}\x0c").into_bytes()
    };
    bodies.map(answer).into()
}

/// An answer of IPP (RFC 8010 §3), with every kind of value.
fn ipp(told: &Told) -> Vec<u8> {
    type Row = (&'static str, u8, fn(&Supply) -> Vec<u8>);
    const INTEGER: u8 = 0x21;
    const ENUM: u8 = 0x23;
    const OCTETS: u8 = 0x30;
    const TEXT: u8 = 0x41;
    const NAME: u8 = 0x42;
    const KEYWORD: u8 = 0x44;
    let mut octets = vec![2, 0, 0, 0, 0, 0, 0, 1, 1];
    attribute(&mut octets, (0x47, "attributes-charset"), b"utf-8");
    attribute(&mut octets, (0x48, "attributes-natural-language"), b"en");
    octets.push(4);
    let mut put = |tag: u8, name: &str, value: &[u8]| attribute(&mut octets, (tag, name), value);
    put(TEXT, "printer-make-and-model", told.model.as_bytes());
    let id = format!("MFG:HP;MDL:{};SER:{};", told.model, told.serial);
    put(TEXT, "printer-device-id", id.as_bytes());
    put(
        0x45,
        "printer-uuid",
        b"urn:uuid:4509a320-00a0-008f-00b6-002507510eca",
    );
    put(0x35, "printer-location", b"\x00\x02en\x00\x05lobby");
    put(ENUM, "printer-state", &3_i32.to_be_bytes());
    put(KEYWORD, "printer-state-reasons", b"toner-low-warning");
    put(KEYWORD, "", b"media-empty-error");
    let pages = i32::try_from(told.pages).unwrap_or(-1);
    put(
        INTEGER,
        "printer-impressions-completed",
        &pages.to_be_bytes(),
    );
    put(INTEGER, "printer-up-time", &314_854_i32.to_be_bytes());
    let kinds: [Row; 5] = [
        ("marker-names", NAME, |it| it.0.clone().into_bytes()),
        ("marker-types", KEYWORD, |_| b"toner".to_vec()),
        ("marker-colors", NAME, |_| b"#00FFFF".to_vec()),
        ("marker-levels", INTEGER, |it| {
            (it.1 as i32).to_be_bytes().to_vec()
        }),
        ("printer-supply", OCTETS, |it| {
            let (level, max) = (it.1, it.2);
            let row = "index=1;class=supplyThatIsConsumed;type=toner;unit=percent;";
            format!("{row}maxcapacity={max};level={level};").into_bytes()
        }),
    ];
    for (name, tag, value) in kinds {
        for (place, supply) in told.supplies.iter().enumerate() {
            put(tag, if place == 0 { name } else { "" }, &value(supply));
        }
    }
    put(
        OCTETS,
        "printer-input-tray",
        b"type=sheetFeedAutoRemovableTray;maxcapacity=250;level=-3;name=Tray 1;",
    );
    put(0x34, "media-col-default", b"");
    put(0x4a, "", b"media-type");
    put(KEYWORD, "", b"stationery");
    put(0x37, "", b"");
    octets.push(3);
    octets
}

fn attribute(octets: &mut Vec<u8>, (tag, name): (u8, &str), value: &[u8]) {
    octets.push(tag);
    for part in [name.as_bytes(), value] {
        let length = u16::try_from(part.len()).expect("short");
        octets.extend(length.to_be_bytes());
        octets.extend(part);
    }
}
