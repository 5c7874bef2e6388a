//! One device: a machine, its own identity and its own life, asked for single objects.

use std::sync::Arc;

use snmp::{Oid, Value, VarBind};

use crate::identity::Identity;
use crate::life::{FULL, Life, LifeSettings};
use crate::machine::{Live, Machine, Object, Unit};
use crate::mib;
use crate::trouble::{self, Alert};

/// Inches a label is long, for meters of length: a shipping label of 4 by 6.
const LABEL_INCHES: u64 = 6;

/// A device as it stands in the rack.
#[derive(Debug)]
pub(crate) struct Device {
    /// What it is; shared with the others of its kind.
    pub(crate) machine: Arc<Machine>,
    /// Who it is, where that differs from the recording.
    pub(crate) identity: Option<Box<Identity>>,
    /// Its life, once somebody has asked for it.
    pub(crate) life: Option<Box<Life>>,
}

impl Device {
    /// Brings the life to this simulated time; the first call begins it.
    pub(crate) fn live(&mut self, settings: &LifeSettings, seed: u64, now_ms: u64) {
        if self.machine.printer.is_none() {
            return;
        }
        let clone = self.identity.is_some();
        let machine = &self.machine;
        let life = self
            .life
            .get_or_insert_with(|| Box::new(Life::begin(machine, settings, seed, clone)));
        life.advance(machine, settings, now_ms);
    }

    /// Whether it answers nothing now.
    pub(crate) fn is_silent(&self, settings: &LifeSettings) -> bool {
        self.life
            .as_ref()
            .is_some_and(|life| life.is_silent(settings))
    }

    /// The value at exactly this instance.
    pub(crate) fn get(&self, oid: &Oid, now_ms: u64) -> Option<Value> {
        if let Some(object) = self.machine.get(oid) {
            return Some(self.value(object, now_ms));
        }
        let [column, device, index] = oid.arcs().strip_prefix(mib::ALERT)? else {
            return None;
        };
        let (life, printer) = self.alive()?;
        let alert = life.alerts().iter().find(|alert| alert.index == *index)?;
        (*device == printer).then(|| self.alert_value(alert, *column))?
    }

    /// The first object behind this instance that has a value `wanted`.
    pub(crate) fn next(
        &self,
        oid: &Oid,
        now_ms: u64,
        wanted: fn(&Value) -> bool,
    ) -> Option<VarBind> {
        let object = self
            .machine
            .after(oid)
            .iter()
            .find(|object| wanted(&object.value));
        match (object, self.next_alert(oid)) {
            (Some(object), Some(alert)) if alert.oid < object.oid => Some(alert),
            (Some(object), _) => Some(VarBind::new(object.oid.clone(), self.value(object, now_ms))),
            (None, alert) => alert,
        }
    }

    fn alive(&self) -> Option<(&Life, u32)> {
        Some((self.life.as_deref()?, self.machine.printer?))
    }

    /// The first object of the living alert table behind this instance.
    fn next_alert(&self, oid: &Oid) -> Option<VarBind> {
        let (life, printer) = self.alive()?;
        let after = oid.arcs();
        if life.alerts().is_empty() || (after > mib::ALERT && !after.starts_with(mib::ALERT)) {
            return None;
        }
        let columns = 1..=9_u32;
        let cells =
            columns.flat_map(|column| life.alerts().iter().map(move |alert| (column, alert)));
        for (column, alert) in cells {
            let tail = [column, printer, alert.index];
            let is_behind = after < mib::ALERT || after.strip_prefix(mib::ALERT)? < &tail[..];
            if is_behind {
                let value = self.alert_value(alert, column)?;
                return Some(VarBind::new(Oid::new(mib::ALERT).with(&tail), value));
            }
        }
        None
    }

    fn alert_value(&self, alert: &Alert, column: u32) -> Option<Value> {
        let spelled = alert.condition.spelled(&self.machine);
        Some(match column {
            1 => Value::Integer(i64::from(alert.index)),
            2 => Value::Integer(if alert.condition.is_critical() { 3 } else { 4 }),
            3 => Value::Integer(3),
            4 => Value::Integer(spelled.group),
            5 => Value::Integer(spelled.row),
            6 => Value::Integer(-2),
            7 => Value::Integer(spelled.code),
            8 => Value::OctetString(spelled.words.into_bytes()),
            9 => Value::TimeTicks(ticks(0, alert.raised_ms)),
            _ => return None,
        })
    }

    /// What an object says now.
    fn value(&self, object: &Object, now_ms: u64) -> Value {
        match object.live {
            Live::Still => return object.value.clone(),
            Live::UpTime => return self.up_time(&object.value, now_ms),
            Live::Identity | Live::Name | Live::Mac => return self.own(object),
            _ => {}
        }
        match self.alive() {
            Some((life, _)) => self.living(object, life),
            None => object.value.clone(),
        }
    }

    fn up_time(&self, recorded: &Value, now_ms: u64) -> Value {
        let Value::TimeTicks(recorded) = *recorded else {
            return recorded.clone();
        };
        let (up_ms, counts_on) = match self.life.as_deref() {
            Some(life) => life.up_ms(),
            None => (now_ms, true),
        };
        Value::TimeTicks(ticks(if counts_on { recorded } else { 0 }, up_ms))
    }

    fn own(&self, object: &Object) -> Value {
        let (Some(identity), Value::OctetString(recorded)) = (&self.identity, &object.value) else {
            return object.value.clone();
        };
        Value::OctetString(match object.live {
            Live::Name => identity.name(),
            Live::Mac => identity.mac(recorded),
            _ => identity.put_into(recorded),
        })
    }

    fn living(&self, object: &Object, life: &Life) -> Value {
        let recorded = &object.value;
        let machine = &*self.machine;
        let (critical, all) = life.events();
        match object.live {
            Live::Still | Live::UpTime | Live::Identity | Live::Name | Live::Mac => {
                recorded.clone()
            }
            Live::LifeCount(unit) => {
                counter(recorded, in_unit(life.counted(mib::EVERY_PAGE), unit), life)
            }
            Live::SincePowerOn(unit) => {
                let pages = in_unit(life.pages_since_start(), unit);
                if life.up_ms().1 {
                    more(recorded, pages)
                } else {
                    like(recorded, pages)
                }
            }
            Live::Meter(meter) => counter(recorded, life.counted(meter), life),
            Live::BrotherCounters => brother_counters(recorded, life),
            Live::BrotherToner => like(recorded, u64::from(self.toner_flag(life))),
            Live::ZebraLength => zebra_length(recorded, life),
            Live::Level(at) => Value::Integer(self.level(life, at)),
            Live::TrayLevel(at) => Value::Integer(self.sheets(life, at)),
            Live::TrayStatus(at) => Value::Integer(self.tray_status(life, at)),
            Live::CoverStatus => {
                let open = life
                    .alerts()
                    .iter()
                    .any(|a| a.condition == trouble::Condition::CoverOpen);
                Value::Integer(if open { 3 } else { 4 })
            }
            Live::DeviceStatus => Value::Integer(trouble::statuses(life).0),
            Live::PrinterStatus => Value::Integer(trouble::statuses(life).1),
            Live::ErrorState => {
                let octets = if let Value::OctetString(recorded) = recorded {
                    recorded.len()
                } else {
                    2
                };
                Value::OctetString(trouble::error_state(life, machine, octets))
            }
            Live::CriticalEvents => events(recorded, critical, life),
            Live::AllEvents => events(recorded, all, life),
            Live::Console => match recorded {
                Value::OctetString(text) => {
                    Value::OctetString(trouble::console(life, machine, text))
                }
                other => other.clone(),
            },
        }
    }

    /// The level of a supply, in the way this device tells levels.
    fn level(&self, life: &Life, at: usize) -> i64 {
        let Some(supply) = self.machine.supplies.get(at) else {
            return -2;
        };
        if !supply.moves() {
            return supply.recorded;
        }
        match life.supply(at) {
            0 => self.machine.empty_level,
            _ if supply.recorded == -3 => -3,
            // Rounded up: a supply says 0 only when it is used up.
            left => scaled(left, supply.capacity),
        }
    }

    fn sheets(&self, life: &Life, at: usize) -> i64 {
        let sheets = i64::try_from(life.tray(at)).unwrap_or(i64::MAX);
        let is_coded = self
            .machine
            .trays
            .get(at)
            .is_some_and(|tray| tray.recorded == -3);
        if is_coded && sheets > 0 { -3 } else { sheets }
    }

    /// PrtSubUnitStatusTC: available and idle, with the flags for what is not critical (8) and
    /// critical (16); unavailable on request (1) when empty.
    fn tray_status(&self, life: &Life, at: usize) -> i64 {
        life.alerts()
            .iter()
            .find_map(|alert| match alert.condition {
                trouble::Condition::TrayLow(tray) if tray == at => Some(8),
                trouble::Condition::TrayEmpty(tray) if tray == at => Some(9),
                trouble::Condition::PaperOut(tray) if tray == at => Some(17),
                _ => None,
            })
            .unwrap_or(0)
    }

    /// Brother's flag: 0 full, 1 low, 3 empty, of the first supply.
    fn toner_flag(&self, life: &Life) -> u8 {
        let of_first = life
            .alerts()
            .iter()
            .find_map(|alert| match alert.condition {
                trouble::Condition::SupplyLow(0) => Some(1),
                trouble::Condition::SupplyEmpty(0) | trouble::Condition::SupplyOut(0) => Some(3),
                _ => None,
            });
        of_first.unwrap_or(0)
    }
}

fn scaled(left: u64, capacity: i64) -> i64 {
    let exact = u128::from(left) * u128::from(capacity.unsigned_abs());
    i64::try_from(exact.div_ceil(u128::from(FULL))).unwrap_or(i64::MAX)
}

/// TimeTicks (RFC 2578): hundredths of a second, around again after 497 days.
fn ticks(recorded: u32, ms: u64) -> u32 {
    // The remainder of a division by 2³² always fits.
    u32::try_from((u64::from(recorded) + ms / 10) % (1 << 32)).unwrap_or(0)
}

fn in_unit(pages: u64, unit: Unit) -> u64 {
    match unit {
        Unit::Pages => pages,
        Unit::Feet => pages * LABEL_INCHES / 12,
        Unit::Meters => pages * LABEL_INCHES * 254 / 10_000,
    }
}

/// What a counter of pages shows that has counted so much since the life began or it was reset.
fn counter(recorded: &Value, counted: u64, life: &Life) -> Value {
    let from = match recorded {
        Value::Integer(from) => u64::try_from(*from).ok(),
        Value::Counter32(from) | Value::Gauge32(from) => Some(u64::from(*from)),
        Value::Counter64(from) => Some(*from),
        Value::OctetString(text) => String::from_utf8_lossy(text).trim().parse().ok(),
        _ => None,
    };
    from.map_or_else(
        || recorded.clone(),
        |from| like(recorded, life.shows(from, counted)),
    )
}

/// The number, further by `count`.
fn more(recorded: &Value, count: u64) -> Value {
    match recorded {
        Value::Integer(from) => Value::Integer(from.saturating_add_unsigned(count)),
        Value::Counter32(from) => like(recorded, u64::from(*from) + count),
        Value::Gauge32(from) => like(recorded, u64::from(*from) + count),
        Value::Counter64(from) => Value::Counter64(from.wrapping_add(count)),
        Value::OctetString(text) => {
            let from = String::from_utf8_lossy(text).trim().parse::<u64>();
            from.map_or_else(|_| recorded.clone(), |from| like(recorded, from + count))
        }
        other => other.clone(),
    }
}

/// A number in the type that the device uses for it; a Counter32 goes around at 2³².
fn like(recorded: &Value, number: u64) -> Value {
    let low = u32::try_from(number % (1 << 32)).unwrap_or(0);
    match recorded {
        Value::Integer(_) => Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Counter32(_) => Value::Counter32(low),
        Value::Gauge32(_) => Value::Gauge32(low),
        Value::Counter64(_) => Value::Counter64(number),
        Value::OctetString(_) => Value::OctetString(number.to_string().into_bytes()),
        other => other.clone(),
    }
}

fn events(recorded: &Value, count: u32, life: &Life) -> Value {
    let count = u64::from(count);
    if life.up_ms().1 {
        more(recorded, count)
    } else {
        like(recorded, count)
    }
}

/// The block with its counters moved on: records of id, 01, 04 and 32 bits, then ff.
fn brother_counters(recorded: &Value, life: &Life) -> Value {
    let Value::OctetString(octets) = recorded else {
        return recorded.clone();
    };
    let mut block = octets.clone();
    for record in block.chunks_exact_mut(7) {
        let [id, _, _, a, b, c, d] = *record else {
            continue;
        };
        let count = life.counted(mib::brother_record(id));
        let moved = life.shows(u64::from(u32::from_be_bytes([a, b, c, d])), count);
        let low = u32::try_from(moved % (1 << 32)).unwrap_or(0);
        record[3..].copy_from_slice(&low.to_be_bytes());
    }
    Value::OctetString(block)
}

fn zebra_length(recorded: &Value, life: &Life) -> Value {
    let Value::OctetString(text) = recorded else {
        return recorded.clone();
    };
    let text = String::from_utf8_lossy(text);
    let Some(inches) = text
        .split(' ')
        .next()
        .and_then(|inches| inches.parse::<u64>().ok())
    else {
        return recorded.clone();
    };
    let inches = life.shows(inches, life.counted(mib::EVERY_PAGE) * LABEL_INCHES);
    let centimeters = inches * 254 / 100;
    Value::OctetString(format!("{inches} INCHES, {centimeters} CENTIMETERS").into_bytes())
}
