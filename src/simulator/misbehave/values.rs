//! Wrong values in right answers, and recordings with wrong things in them.

use std::time::Duration;

use snmp::recording::Recording;
use snmp::{Oid, Value, VarBind};

use super::list::Trick;
use super::play::{Record, minute_of};
use crate::mib;

/// prtMarkerLifeCount and prtMarkerPowerOnCount, below [`mib::MARKER`].
const LIFE_COUNT: u32 = 4;
/// prtMarkerSuppliesDescription, MaxCapacity and Level, below [`mib::SUPPLY`].
const SUPPLY_NAME: u32 = 6;
const SUPPLY_MAX: u32 = 8;
const SUPPLY_LEVEL: u32 = 9;
/// prtGeneralSerialNumber, below [`mib::GENERAL`].
const SERIAL: u32 = 17;
/// Columns that hold words: entry and column.
const WORDS: [(&[u32], u32); 6] = [
    (mib::DEVICE, 3),
    (mib::GENERAL, 16),
    (mib::INPUT, 13),
    (mib::INPUT, 18),
    (mib::SUPPLY, SUPPLY_NAME),
    (mib::CONSOLE, 1),
];
/// A level above every capacity of the recordings.
const LEVEL_OVER: i64 = 4_000_000;
/// Rows of supplies of a device that has too many.
const SUPPLIES: u32 = 256;
/// Interfaces of a device that routes.
const INTERFACES: u32 = 10_000;
/// sysObjectID of a Catalyst 2960.
const SWITCH: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 1, 1208];
/// Some counts before the end of a Counter32.
const NEAR_THE_END: u32 = u32::MAX - 9;
/// The tag of Gauge32.
const GAUGE32: u8 = 0x42;
/// -5 in two's complement, which a Gauge32 cannot be.
const MINUS_FIVE: u8 = 0xfb;

/// Whether an object is the name of a supply.
pub(super) fn is_supply_name(oid: &Oid) -> bool {
    is_in(oid, mib::SUPPLY, SUPPLY_NAME)
}

/// Puts the wrong values of a trick into an answer.
pub(super) fn bend(trick: Trick, record: &Record, elapsed: Duration, varbinds: &mut [VarBind]) {
    for VarBind { oid, value } in varbinds {
        if let Some(other) = other(trick, record, elapsed, (oid, value)) {
            *value = other;
        }
    }
}

/// What the trick says an object is; none if it says nothing of it.
fn other(
    trick: Trick,
    record: &Record,
    elapsed: Duration,
    (oid, value): (&Oid, &Value),
) -> Option<Value> {
    let turn = record.asked;
    let is_count = is_in(oid, mib::MARKER, LIFE_COUNT);
    let is_serial = is_in(oid, mib::GENERAL, SERIAL);
    let is_up_time = oid.arcs() == mib::UP_TIME;
    Some(match trick {
        Trick::NoInstance if is_count || is_serial => Value::NoSuchInstance,
        Trick::NoInstance if oid.arcs().starts_with(mib::SUPPLY) => Value::NoSuchInstance,
        Trick::TypeChanges if is_count && turn.is_multiple_of(2) => {
            Value::OctetString(b"12345".to_vec())
        }
        Trick::TypeChanges if is_count => Value::Counter32(12_345),
        Trick::CounterWraps if is_count => Value::Counter32(NEAR_THE_END.wrapping_add(turn)),
        Trick::CounterResets if is_count && turn.is_multiple_of(4) => Value::Counter32(0),
        Trick::CounterUnknown(number) if is_count => Value::Integer(number),
        Trick::Counter64InV1 if is_count => Value::Counter64(12_345),
        Trick::GaugeNegative if is_in(oid, mib::SUPPLY, SUPPLY_LEVEL) => Value::Unknown {
            tag: GAUGE32,
            octets: vec![MINUS_FIVE],
        },
        Trick::TicksBack if is_up_time => Value::TimeTicks(10_000_u32.saturating_sub(turn)),
        Trick::Reboots if is_up_time => {
            let up = minute_of(elapsed).as_millis() / 10;
            Value::TimeTicks(u32::try_from(up).unwrap_or(0))
        }
        Trick::Text(words) if has_words(oid) => Value::OctetString(words.to_vec()),
        Trick::Serial(serial) if is_serial && !value.is_absent() => {
            Value::OctetString(serial.to_vec())
        }
        Trick::SerialChanges if is_serial && !value.is_absent() => {
            Value::OctetString(format!("SN{turn:08}").into_bytes())
        }
        Trick::SupplyMax(max) if is_in(oid, mib::SUPPLY, SUPPLY_MAX) => Value::Integer(max),
        Trick::SupplyOverMax if is_in(oid, mib::SUPPLY, SUPPLY_LEVEL) => Value::Integer(LEVEL_OVER),
        Trick::SwitchObjectId if oid.arcs() == mib::OBJECT_ID => {
            Value::ObjectId(Oid::new(SWITCH).into())
        }
        _ => return None,
    })
}

fn has_words(oid: &Oid) -> bool {
    oid.arcs() == mib::NAME
        || WORDS
            .iter()
            .any(|(entry, column)| is_in(oid, entry, *column))
}

/// Whether an object lies in a column of a table.
fn is_in(oid: &Oid, entry: &[u32], column: u32) -> bool {
    oid.arcs().strip_prefix(entry).and_then(<[u32]>::first) == Some(&column)
}

/// The recording as a device with this trick has it.
pub(crate) fn rewritten(mut recording: Recording, trick: Option<Trick>) -> Recording {
    match trick {
        Some(Trick::Supplies256) => {
            let supply = Oid::new(mib::SUPPLY);
            let rows: Vec<(Oid, Value)> = recording
                .iter()
                .filter(|(oid, _)| matches!(oid.tail_of(&supply), Some([_, _, 1])))
                .map(|(oid, value)| (oid.clone(), value.clone()))
                .collect();
            for (oid, value) in rows {
                let [before @ .., _] = oid.arcs() else {
                    continue;
                };
                for row in 1..=SUPPLIES {
                    recording.insert(Oid::new(before).with(&[row]), value.clone());
                }
            }
        }
        Some(Trick::RouterInterfaces) => {
            recording.insert(Oid::new(mib::IP_FORWARDING), Value::Integer(1));
            let interface = Oid::new(mib::INTERFACE);
            for index in 1..=INTERFACES {
                let [_, _, high, low] = index.to_be_bytes();
                let columns = [
                    (1, Value::Integer(i64::from(index))),
                    (3, Value::Integer(6)),
                    (6, Value::OctetString(vec![2, 0, 0, 0, high, low])),
                    (8, Value::Integer(1)),
                ];
                for (column, value) in columns {
                    recording.insert(interface.with(&[column, index]), value);
                }
            }
        }
        _ => {}
    }
    recording
}
