//! A reading: everything one printer said at one instant, each value with its evidence.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snmp::{Oid, Value};

use crate::alert::Alert;
use crate::facts::Fact;
use crate::identity::Identity;
use crate::meter::Meter;
use crate::sources::Sources;
use crate::status::Status;
use crate::supply::Supply;
use crate::tray::Tray;
use crate::walk::Walk;

/// Version of the JSON shape. It changes only when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// Most octets of a raw value that evidence repeats.
const RAW_OCTETS_MAX: usize = 64;

/// Most parts of a sum that evidence names: a maker's table of jobs by size has some thirty rows.
const PARTS_MAX: usize = 32;

/// Everything one printer said at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Version of this shape, [`SCHEMA`].
    pub schema: u32,
    /// Always true: a device that is no printer has no reading, see [`Verdict`].
    pub is_printer: bool,
    /// Where the printer answered; absent for a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// When the last answer came, UTC, whole seconds.
    pub at: Timestamp,
    /// Seconds since its SNMP agent started (sysUpTime), which begins again after 497 days; over IPP
    /// since the printer started (printer-up-time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_secs: Option<u64>,
    /// Who it is.
    pub identity: Identity,
    /// How it is.
    pub status: Status,
    /// What it has counted.
    pub meters: Vec<Meter>,
    /// What it consumes and fills.
    pub supplies: Vec<Supply>,
    /// Where its paper lies.
    pub trays: Vec<Tray>,
    /// What it complains about.
    pub alerts: Vec<Alert>,
    /// Where its counts do not add up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// Where who it is and how it is come from, by the name of the value.
    #[serde(default, skip_serializing_if = "Sources::is_empty")]
    pub sources: Sources,
}

/// What a device turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// A printer, and what it said.
    Printer(Box<Reading>),
    /// Something else, and how that was seen, for a person to read.
    NotAPrinter {
        /// One sentence, lower case, no full stop.
        reason: String,
    },
}

impl Verdict {
    /// The reading of a printer.
    #[must_use]
    pub fn into_reading(self) -> Option<Box<Reading>> {
        match self {
            Self::Printer(reading) => Some(reading),
            Self::NotAPrinter { .. } => None,
        }
    }
}

/// Where a value comes from: what a billing clerk shows when it is disputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The way it was read: `snmp`, `ipp`, `ledm`, `zebra` or `pjl`.
    pub door: String,
    /// The object asked: a dotted OID for SNMP (of a sum, the first of its parts), the name of an
    /// attribute for IPP, of a variable for Zebra's SGD, of a category for PJL, document and element
    /// for LEDM.
    pub object: String,
    /// Type and value as they came: `Counter32: 432951`.
    pub raw: String,
    /// The rule that made it a value: `printer-mib/life-count`.
    pub rule: String,
}

impl Evidence {
    /// The evidence for a value read over SNMP. `value` is `None` where the object is absent.
    #[must_use]
    pub fn snmp(object: &Oid, value: Option<&Value>, rule: &str) -> Self {
        Self::in_row(object.arcs(), &[], value, rule)
    }

    /// As [`Evidence::snmp`], of an object that is a column and a row behind it.
    pub(crate) fn in_row(column: &[u32], row: &[u32], value: Option<&Value>, rule: &str) -> Self {
        Self {
            door: "snmp".to_owned(),
            object: snmp::dotted_row(column, row),
            raw: value.map_or_else(|| "absent".to_owned(), raw),
            rule: rule.to_owned(),
        }
    }

    /// The evidence for a value read over IPP.
    pub(crate) fn ipp(attribute: &str, raw: String, rule: &str) -> Self {
        Self {
            door: "ipp".to_owned(),
            object: attribute.to_owned(),
            raw,
            rule: rule.to_owned(),
        }
    }

    /// The evidence for a value read over LEDM. `value` is `None` where the element is absent.
    pub(crate) fn ledm(object: String, value: Option<String>, rule: &str) -> Self {
        Self {
            door: "ledm".to_owned(),
            object,
            raw: value.unwrap_or_else(|| "absent".to_owned()),
            rule: rule.to_owned(),
        }
    }

    /// The evidence for a value read by a door that has no types of its own.
    pub(crate) fn by(door: &str, object: &str, raw: String, rule: &str) -> Self {
        Self {
            door: door.to_owned(),
            object: object.to_owned(),
            raw,
            rule: rule.to_owned(),
        }
    }

    /// The evidence for the sum of several objects. The rule names all parts, the raw value has
    /// each as it came; a part that the device lacks is left out, and where all are, no object is named.
    pub(crate) fn sum(parts: &[Oid], walk: &Walk, rule: &str) -> Self {
        let mut there = parts.iter().filter_map(|oid| Some((oid, walk.get(oid)?)));
        let shown: Vec<_> = there.by_ref().take(PARTS_MAX).collect();
        let more = if there.next().is_some() { " + …" } else { "" };
        let dotted = |(oid, _): &(&Oid, &Value)| snmp::dotted(oid.arcs());
        let names: Vec<String> = shown.iter().map(dotted).collect();
        let values: Vec<String> = shown.iter().map(|(_, value)| raw(value)).collect();
        Self {
            door: "snmp".to_owned(),
            raw: values.join(" + ") + more,
            rule: [rule, " of ", &names.join(" + "), more].concat(),
            object: names.into_iter().next().unwrap_or_default(),
        }
    }
}

/// Writes type and value as they came, octets in hex and bounded.
fn raw(value: &Value) -> String {
    match value {
        Value::Integer(number) => typed("INTEGER: ", &number.to_string()),
        Value::Counter32(number) => typed("Counter32: ", &number.to_string()),
        Value::Gauge32(number) => typed("Gauge32: ", &number.to_string()),
        Value::TimeTicks(number) => typed("TimeTicks: ", &number.to_string()),
        Value::Counter64(number) => typed("Counter64: ", &number.to_string()),
        Value::ObjectId(oid) => typed("OID: ", &snmp::dotted(oid.arcs())),
        Value::OctetString(octets) => hex("Hex-STRING: ", octets),
        Value::IpAddress(octets) => hex("IpAddress: ", octets),
        Value::Opaque(octets) => hex("Opaque: ", octets),
        Value::Unknown { tag, octets } => hex(&format!("tag {tag:#04x}: "), octets),
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {
            "absent".to_owned()
        }
    }
}

/// One piece of both: every value has an evidence, and pieces that are formatted cost more than digits.
fn typed(kind: &str, value: &str) -> String {
    let mut text = String::with_capacity(kind.len() + value.len());
    text.push_str(kind);
    text.push_str(value);
    text
}

fn hex(kind: &str, octets: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut digits = [0; 2 * RAW_OCTETS_MAX];
    for (pair, octet) in digits.as_chunks_mut().0.iter_mut().zip(octets) {
        *pair = [
            DIGITS[usize::from(octet >> 4)],
            DIGITS[usize::from(octet & 0xf)],
        ];
    }
    let shown = &digits[..2 * octets.len().min(RAW_OCTETS_MAX)];
    let mut text = typed(kind, std::str::from_utf8(shown).unwrap_or_default());
    if octets.len() > RAW_OCTETS_MAX {
        text.push('…');
    }
    text
}
