//! The objects that the simulator moves: standard ones, and the meters of some makers.
//!
//! Everything else of a recording is played as it stands, so no other object needs a name here.

use snmp::{Oid, Value};

/// sysUpTime.0 (RFC 3418).
pub(crate) const UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
/// sysName.0 (RFC 3418).
pub(crate) const NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];
/// sysObjectID.0 (RFC 3418).
pub(crate) const OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
/// The entries of ifTable (RFC 2863): column, ifIndex.
pub(crate) const INTERFACE: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];
/// ipForwarding.0 (RFC 4293).
pub(crate) const IP_FORWARDING: &[u32] = &[1, 3, 6, 1, 2, 1, 4, 1, 0];
/// ifPhysAddress (RFC 2863), by ifIndex.
pub(crate) const PHYS_ADDRESS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 6];
/// hrSystemUptime.0 (RFC 2790).
pub(crate) const HOST_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 1, 1, 0];
/// The entries of hrDeviceTable (RFC 2790): column, hrDeviceIndex.
pub(crate) const DEVICE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1];
/// hrDeviceStatus (RFC 2790), by hrDeviceIndex.
pub(crate) const DEVICE_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 5];
/// hrPrinterStatus (RFC 2790), by hrDeviceIndex.
pub(crate) const PRINTER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 5, 1, 1];
/// hrPrinterDetectedErrorState (RFC 2790), by hrDeviceIndex.
pub(crate) const ERROR_STATE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 5, 1, 2];
/// The entries of prtGeneralTable (RFC 3805): column, hrDeviceIndex.
pub(crate) const GENERAL: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1];
/// The entries of prtCoverTable (RFC 3805): column, hrDeviceIndex, row. So are the next ones.
pub(crate) const COVER: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 6, 1, 1];
/// The entries of prtInputTable (RFC 3805).
pub(crate) const INPUT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1];
/// The entries of prtMarkerTable (RFC 3805).
pub(crate) const MARKER: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 10, 2, 1];
/// The entries of prtMarkerSuppliesTable (RFC 3805).
pub(crate) const SUPPLY: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1];
/// prtMarkerColorantValue (RFC 3805).
pub(crate) const COLORANT_VALUE: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 12, 1, 1, 4];
/// prtConsoleDisplayBufferText (RFC 3805), by hrDeviceIndex and line.
pub(crate) const CONSOLE: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 16, 5, 1, 2];
/// The entries of prtAlertTable (RFC 3805).
pub(crate) const ALERT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1];

/// Brother's block of counters: records of id, 01, 04 and a value of 32 bits.
pub(crate) const BROTHER_COUNTERS: &[u32] =
    &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9, 4, 2, 1, 5, 5, 10, 0];
/// Brother's flag of the toner: 0 full, 1 low, 3 empty.
pub(crate) const BROTHER_TONER: &[u32] = &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9, 1, 1, 2, 10, 1];
/// The console's line as Brother repeats it in its own tree.
pub(crate) const BROTHER_CONSOLE: &[u32] =
    &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9, 4, 2, 1, 5, 4, 5, 2, 0];
/// Ricoh's own toner levels, by row of the supply.
pub(crate) const RICOH_LEVEL: &[u32] = &[1, 3, 6, 1, 4, 1, 367, 3, 2, 1, 2, 24, 1, 1, 5];
/// Zebra's own tree.
pub(crate) const ZEBRA: &[u32] = &[1, 3, 6, 1, 4, 1, 10642];
/// Zebra's printed length, as "N INCHES, M CENTIMETERS".
pub(crate) const ZEBRA_LENGTH: &[u32] = &[1, 3, 6, 1, 4, 1, 10642, 200, 17, 3, 0];

/// Where makers keep the serial number when prtGeneralSerialNumber is silent.
pub(crate) const SERIALS: &[&[u32]] = &[
    &[1, 3, 6, 1, 4, 1, 1248, 1, 2, 2, 1, 1, 1, 5, 1],
    &[1, 3, 6, 1, 4, 1, 10642, 1, 9, 0],
    &[1, 3, 6, 1, 4, 1, 253, 8, 53, 3, 2, 1, 3, 1],
];

/// What a meter counts of the pages that a device made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meter {
    /// The kinds of page in this set, a bit each: see [`kind_of_page`].
    Pages(u8),
    /// Every page, a large one twice.
    LargeTwice,
    /// Sheets printed on both sides.
    Duplex,
    /// Originals scanned.
    Scans,
}

/// The bit of a kind of page in [`Meter::Pages`]: 1 color, 2 copied (else printed), 4 large.
pub(crate) fn kind_of_page(color: bool, copied: bool, large: bool) -> usize {
    usize::from(color) | usize::from(copied) << 1 | usize::from(large) << 2
}

const ALL: Meter = Meter::Pages(0b1111_1111);
const MONO: Meter = Meter::Pages(0b0101_0101);
const COLOR: Meter = Meter::Pages(0b1010_1010);
const PRINT: Meter = Meter::Pages(0b0011_0011);
const PRINT_MONO: Meter = Meter::Pages(0b0001_0001);
const PRINT_COLOR: Meter = Meter::Pages(0b0010_0010);
const COPY: Meter = Meter::Pages(0b1100_1100);
const COPY_MONO: Meter = Meter::Pages(0b0100_0100);
const COPY_COLOR: Meter = Meter::Pages(0b1000_1000);
const NOTHING: Meter = Meter::Pages(0);

/// An object below a maker's root, and what it counts.
type Scalar = (&'static [u32], Meter);

/// Meters at an object of their own, each under its maker's enterprise number.
const SCALARS: &[(&[u32], &[Scalar])] = &[
    // Kyocera
    (
        &[1, 3, 6, 1, 4, 1, 1347],
        &[
            (&[43, 10, 1, 1, 12, 1, 1], ALL),
            (&[42, 3, 1, 1, 1, 1, 1], PRINT),
            (&[42, 3, 1, 1, 1, 1, 2], COPY),
            (&[42, 3, 1, 2, 1, 1, 1, 1], PRINT_MONO),
            (&[42, 3, 1, 2, 1, 1, 1, 3], PRINT_COLOR),
            (&[42, 3, 1, 2, 1, 1, 2, 1], COPY_MONO),
            (&[42, 3, 1, 2, 1, 1, 2, 3], COPY_COLOR),
            (&[42, 3, 1, 3, 1, 1, 2], Meter::Scans),
        ],
    ),
    // HP
    (
        &[1, 3, 6, 1, 4, 1, 11, 2, 3, 9, 4, 2, 1, 4, 1, 2],
        &[
            (&[5, 0], ALL),
            (&[6, 0], MONO),
            (&[7, 0], COLOR),
            (&[22, 0], Meter::Duplex),
        ],
    ),
    // Canon
    (
        &[1, 3, 6, 1, 4, 1, 1602, 1, 11, 1, 3, 1, 4],
        &[
            (&[101], ALL),
            (&[102], Meter::LargeTwice),
            (&[103], Meter::Pages(0b1111_0000)),
            (&[104], Meter::Pages(0b0000_1111)),
            (&[112], Meter::Pages(0b0101_0000)),
            (&[113], Meter::Pages(0b0000_0101)),
            (&[122], Meter::Pages(0b1010_0000)),
            (&[123], Meter::Pages(0b0000_1010)),
            (&[301], PRINT),
            (&[501], Meter::Scans),
        ],
    ),
    // Xerox
    (
        &[1, 3, 6, 1, 4, 1, 253, 8, 53, 13, 2, 1, 6],
        &[
            (&[1, 20, 1], ALL),
            (&[1, 20, 34], MONO),
            (&[1, 20, 33], COLOR),
            (&[1, 20, 7], PRINT_MONO),
            (&[1, 20, 29], PRINT_COLOR),
            (&[11, 20, 3], COPY_MONO),
            (&[11, 20, 25], COPY_COLOR),
        ],
    ),
    // Epson
    (
        &[1, 3, 6, 1, 4, 1, 1248, 1, 2, 2, 27],
        &[
            (&[1, 1, 30, 1, 1], ALL),
            (&[1, 1, 3, 1, 1], MONO),
            (&[1, 1, 4, 1, 1], COLOR),
            (&[6, 1, 4, 1, 1, 1], PRINT),
            (&[6, 1, 4, 1, 1, 2], COPY),
            (&[6, 1, 5, 1, 1, 1], PRINT_COLOR),
            (&[6, 1, 5, 1, 1, 2], COPY_COLOR),
        ],
    ),
    // Konica Minolta: by color and job
    (
        &[1, 3, 6, 1, 4, 1, 18334, 1, 1, 1, 5, 7, 2],
        &[
            (&[1, 1, 0], ALL),
            (&[1, 3, 0], Meter::Duplex),
            (&[1, 5, 0], Meter::Scans),
            (&[2, 1, 5, 1, 1], COPY_MONO),
            (&[2, 1, 5, 1, 2], PRINT_MONO),
            (&[2, 1, 5, 2, 1], COPY_COLOR),
            (&[2, 1, 5, 2, 2], PRINT_COLOR),
        ],
    ),
    // Lexmark
    (
        &[1, 3, 6, 1, 4, 1, 641, 2, 1, 5],
        &[(&[1, 0], ALL), (&[2, 0], MONO), (&[3, 0], COLOR)],
    ),
    // OKI
    (
        &[1, 3, 6, 1, 4, 1, 2001, 1, 1, 1, 1, 11, 1, 10, 170, 1],
        &[(&[5, 1], ALL), (&[6, 1], COLOR), (&[7, 1], MONO)],
    ),
    // Toshiba: by group and color
    (
        &[1, 3, 6, 1, 4, 1, 1129, 2, 3, 50, 1, 3, 21, 6, 1],
        &[
            (&[2, 1, 1], COLOR),
            (&[2, 1, 3], MONO),
            (&[2, 1, 4], ALL),
            (&[3, 1, 1], PRINT_COLOR),
            (&[3, 1, 3], PRINT_MONO),
            (&[3, 1, 4], PRINT),
            (&[4, 1, 1], COPY_COLOR),
            (&[4, 1, 3], COPY_MONO),
            (&[4, 1, 4], COPY),
        ],
    ),
    // Pantum
    (
        &[1, 3, 6, 1, 4, 1, 40093, 1, 1, 3],
        &[(&[1, 0], Meter::Duplex), (&[12, 0], PRINT)],
    ),
    // Zebra
    (
        &[1, 3, 6, 1, 4, 1, 10642, 200, 17],
        &[(&[1, 0], ALL), (&[2, 0], ALL)],
    ),
];

/// A table that says in one column what it counts in another.
struct Typed {
    types: &'static [u32],
    counts: &'static [u32],
    meters: &'static [(&'static str, Meter)],
}

const TYPED: &[Typed] = &[
    // Ricoh: the type is a number.
    Typed {
        types: &[1, 3, 6, 1, 4, 1, 367, 3, 2, 1, 2, 19, 5, 1, 2],
        counts: &[1, 3, 6, 1, 4, 1, 367, 3, 2, 1, 2, 19, 5, 1, 9],
        meters: &[
            ("10", ALL),
            ("200", COPY),
            ("201", COPY_MONO),
            ("203", COPY_COLOR),
            ("400", PRINT),
            ("401", PRINT_MONO),
            ("403", PRINT_COLOR),
            ("871", Meter::Scans),
        ],
    },
    // Brother: the type is a number.
    Typed {
        types: &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9, 4, 2, 1, 5, 5, 52, 21, 1, 2],
        counts: &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9, 4, 2, 1, 5, 5, 52, 21, 1, 3],
        meters: &[
            ("1", PRINT),
            ("3", COPY),
            ("4", COPY_COLOR),
            ("5", PRINT_COLOR),
            ("7", PRINT_MONO),
            ("9", COPY_MONO),
        ],
    },
    // Lexmark: the type is a number.
    Typed {
        types: &[1, 3, 6, 1, 4, 1, 641, 6, 4, 2, 1, 1, 2],
        counts: &[1, 3, 6, 1, 4, 1, 641, 6, 4, 2, 1, 1, 4],
        meters: &[
            ("16", PRINT),
            ("17", PRINT_MONO),
            ("18", PRINT_COLOR),
            ("133", ALL),
        ],
    },
    // Sharp: the type is a label.
    Typed {
        types: &[1, 3, 6, 1, 4, 1, 2385, 1, 1, 19, 2, 1, 4],
        counts: &[1, 3, 6, 1, 4, 1, 2385, 1, 1, 19, 2, 1, 3],
        meters: &[
            ("Black & White Total Count", MONO),
            ("Full Color Total Count", COLOR),
            ("Prints", PRINT),
            ("Black & White Print Count", PRINT_MONO),
            ("Full Color Print Count", PRINT_COLOR),
            ("Copies", COPY),
            ("Black & White Copy Count", COPY_MONO),
            ("Full Color Copy Count", COPY_COLOR),
            ("Duplex", Meter::Duplex),
            ("Scan to E-mail/FTP", Meter::Scans),
        ],
    },
    // Canon: the type is a label.
    Typed {
        types: &[1, 3, 6, 1, 4, 1, 1602, 1, 11, 2, 1, 1, 2],
        counts: &[1, 3, 6, 1, 4, 1, 1602, 1, 11, 2, 1, 1, 3],
        meters: &[
            ("Total 1", ALL),
            ("Total 2", Meter::LargeTwice),
            ("Total (Large)", Meter::Pages(0b1111_0000)),
            ("Total (Small)", Meter::Pages(0b0000_1111)),
            ("Total (Black/Large)", Meter::Pages(0b0101_0000)),
            ("Total (Black/Small)", Meter::Pages(0b0000_0101)),
            ("Total (Full Color/Large)", Meter::Pages(0b1010_0000)),
            ("Total (Full Color/Small)", Meter::Pages(0b0000_1010)),
            ("Print (Total 1)", PRINT),
            ("Scan (Total 1)", Meter::Scans),
        ],
    },
];

/// What a maker's object counts, where it is known; `lookup` gives the other objects of the device.
pub(crate) fn meter_at<'a>(oid: &Oid, lookup: impl Fn(&Oid) -> Option<&'a Value>) -> Option<Meter> {
    for (root, meters) in SCALARS {
        if let Some(tail) = oid.arcs().strip_prefix(*root) {
            let found = meters.iter().find(|(at, _)| *at == tail);
            if let Some((_, meter)) = found {
                return Some(*meter);
            }
        }
    }
    for table in TYPED {
        if let Some(row) = oid.arcs().strip_prefix(table.counts) {
            let kind = match lookup(&Oid::new(table.types).with(row))? {
                Value::Integer(number) => number.to_string(),
                Value::OctetString(label) => String::from_utf8_lossy(label).into_owned(),
                _ => return None,
            };
            let found = table.meters.iter().find(|(name, _)| *name == kind);
            return found.map(|(_, meter)| *meter);
        }
    }
    None
}

/// Whether a meter counts copies, which tells that the device has a scanner.
pub(crate) fn counts_copies(meter: Meter) -> bool {
    matches!(meter, COPY | COPY_MONO | COPY_COLOR | Meter::Scans)
}

/// Whether a meter tells large pages from small ones.
pub(crate) fn tells_sizes(meter: Meter) -> bool {
    meter == Meter::LargeTwice || matches!(meter, Meter::Pages(set) if set & 0x0f != set >> 4)
}

/// What each record of [`BROTHER_COUNTERS`] counts, by its id.
pub(crate) fn brother_record(id: u8) -> Meter {
    match id {
        0x00 => ALL,
        0x01 => MONO,
        0x02 => COLOR,
        0x06 => Meter::Duplex,
        _ => NOTHING,
    }
}

/// The meter of prtMarkerLifeCount.
pub(crate) const EVERY_PAGE: Meter = ALL;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_row_counts_what_its_type_says() {
        let types = Oid::new(TYPED[0].types).with(&[4]);
        let meter = |kind| {
            let value = Value::Integer(kind);
            meter_at(&Oid::new(TYPED[0].counts).with(&[4]), |oid| {
                (*oid == types).then(|| Box::leak(Box::new(value.clone())) as &Value)
            })
        };
        assert_eq!(meter(401), Some(PRINT_MONO));
        assert_eq!(meter(999), None);
    }

    #[test]
    fn sets_of_pages_do_not_overlap() {
        let (Meter::Pages(mono), Meter::Pages(color)) = (MONO, COLOR) else {
            unreachable!()
        };
        assert_eq!((mono & color, mono | color), (0, 0xff));
        let bit = 1_u8 << kind_of_page(true, true, false);
        assert!(matches!(COPY_COLOR, Meter::Pages(set) if set & bit != 0));
    }
}
