//! What a page shows of its printer: taken from the living device at the moment it is asked for.

use snmp::{Oid, Value};

use crate::device::Device;
use crate::life::Activity;
use crate::life::hand::Stand;
use crate::mib;

/// Rows of a table that a page shows.
const ROWS_MAX: usize = 64;

/// A printer as its own page shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Portrait {
    /// The model.
    pub(crate) model: String,
    /// The serial number.
    pub(crate) serial: String,
    /// Its name in the network.
    pub(crate) name: String,
    /// The line of its console.
    pub(crate) status: String,
    /// The total of its life.
    pub(crate) pages: String,
    /// Name, level and capacity of each supply.
    pub(crate) supplies: Vec<(String, i64, i64)>,
    /// What is wrong.
    pub(crate) alerts: Vec<String>,
    /// Of a label printer: its firmware; empty for any other.
    pub(crate) firmware: String,
    /// Its level of Link-OS.
    pub(crate) link_os: String,
    /// How many labels it printed, and since somebody set that back.
    pub(crate) labels: String,
    pub(crate) user_labels: String,
    /// How long they are together: `1489 INCHES, 3784 CENTIMETERS`.
    pub(crate) length: String,
    /// Why it stands, if it does.
    pub(crate) stands: Option<Stand>,
    /// Whether it prints.
    pub(crate) is_printing: bool,
}

impl Portrait {
    /// Draws a device as it is at this simulated time.
    pub(crate) fn of(device: &Device, now_ms: u64) -> Self {
        let rows = |root: Oid| rows(device, now_ms, &root);
        let column = |table: &[u32], column: u32| rows(Oid::new(table).with(&[column]));
        let first = |rows: Vec<(Oid, Value)>| {
            let value = rows.first().map(|(_, value)| words(value));
            value.unwrap_or_default()
        };
        let number = |column: u32, row: &[u32]| {
            let oid = Oid::new(mib::SUPPLY).with(&[column]).with(row);
            match device.get(&oid, now_ms) {
                Some(Value::Integer(number)) => number,
                _ => -2,
            }
        };
        let text = |oid: Oid| {
            let value = device.get(&oid, now_ms);
            value.map(|value| words(&value)).unwrap_or_default()
        };
        let status = rows(Oid::new(mib::PRINTER_STATUS));
        let printer = status
            .first()
            .and_then(|(oid, _)| oid.arcs().last().copied());
        let serial = Some(first(column(mib::GENERAL, 17))).filter(|serial| !serial.is_empty());
        let recorded = &device.machine.serial;
        let own = match &device.identity {
            Some(identity) => identity.put_into(recorded),
            None => recorded.clone(),
        };
        let zebra = |tail: &[u32]| text(Oid::new(mib::ZEBRA).with(tail));
        let life = device.life.as_deref();
        let supplies = column(mib::SUPPLY, 6);
        let supplies = supplies.iter().filter_map(|(oid, value)| {
            let row = oid.arcs().get(mib::SUPPLY.len() + 1..)?;
            Some((words(value), number(9, row), number(8, row)))
        });
        Self {
            model: text(Oid::new(mib::DEVICE).with(&[3, printer.unwrap_or(1)])),
            serial: serial.unwrap_or_else(|| clean(&own)),
            name: text(Oid::new(mib::NAME)),
            status: first(rows(Oid::new(mib::CONSOLE))),
            pages: first(column(mib::MARKER, 4)),
            supplies: supplies.collect(),
            alerts: column(mib::ALERT, 8)
                .iter()
                .map(|(_, value)| words(value))
                .collect(),
            firmware: zebra(&[1, 2, 0]),
            link_os: zebra(&[1, 18, 0]),
            labels: zebra(&[200, 17, 2, 0]),
            user_labels: zebra(&[200, 17, 1, 0]),
            length: zebra(&[200, 17, 3, 0]),
            stands: life.and_then(|life| life.stands()),
            is_printing: life.is_some_and(|life| life.activity() == Activity::Printing),
        }
    }
}

/// A column from its root on, as a walk finds it.
fn rows(device: &Device, now_ms: u64, root: &Oid) -> Vec<(Oid, Value)> {
    let mut rows = Vec::new();
    let mut at = root.clone();
    while let Some(next) = device.next(&at, now_ms, |_| true) {
        if !next.oid.is_under(root) || rows.len() >= ROWS_MAX {
            break;
        }
        at = next.oid.clone();
        rows.push((next.oid, next.value));
    }
    rows
}

fn words(value: &Value) -> String {
    match value {
        Value::OctetString(text) => clean(text),
        Value::Integer(number) => number.to_string(),
        Value::Counter32(number) | Value::Gauge32(number) => number.to_string(),
        Value::Counter64(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The text without what makers put around it: symbol sets, NUL, blanks at the end.
fn clean(text: &[u8]) -> String {
    let text = text.strip_prefix(b"\x01\x15").unwrap_or(text);
    String::from_utf8_lossy(text)
        .trim_matches(|c: char| c.is_control() || c == ' ')
        .to_owned()
}
