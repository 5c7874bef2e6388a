//! What differs between two readings of one device.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::decrease::{self, Decrease};
use crate::identity::Identity;
use crate::meter::{Meter, MeterName};
use crate::reading::Reading;
use crate::status::{Severity, State, Status};
use crate::supply::{Level, Supply};
use crate::tray::Tray;

/// A supply whose level rose by this many points of percent is another one: levels that are
/// measured again were seen to rise by a few points only.
const REPLACED_RISE_PERCENT: f64 = 20.0;

/// Shares closer than this, in points of percent, are one. The finest level seen counts a
/// capacity of some hundred thousand.
const SAME_PERCENT: f64 = 1e-9;

/// Where a time since the start begins again, in seconds: 2^32 hundredths (RFC 2578, TimeTicks).
const UP_SECS_END: u64 = (1 << 32) / 100;

/// How exactly a time that began again must fit the time between two readings, in seconds: clocks
/// of printers go wrong by less than this between two readings.
const WRAP_SECS: u64 = 600;

/// One difference between an older and a newer reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "camelCase")]
pub enum Change {
    /// A counter grew, or is new. One that fell is [`Change::CounterDecreased`].
    Meter {
        /// Which.
        name: MeterName,
        /// Its own label, for [`MeterName::OTHER`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// The older value, absent where the meter is new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
        /// The newer value.
        to: u64,
    },
    /// A counter fell, and why. What it counted in between is in no difference of the two values.
    CounterDecreased {
        /// Which.
        name: MeterName,
        /// Its own label, for [`MeterName::OTHER`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// The older value.
        from: u64,
        /// The newer value, the smaller one.
        to: u64,
        /// Why.
        #[serde(flatten)]
        cause: Decrease,
    },
    /// It was started again. What is not told is absent.
    Rebooted {
        /// How long it had run, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_secs: Option<u64>,
        /// How long it has run now, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_secs: Option<u64>,
    },
    /// Its firmware is another.
    Firmware {
        /// The older levels.
        from: Vec<String>,
        /// The newer levels.
        to: Vec<String>,
    },
    /// It answers at another address.
    Address {
        /// The older.
        from: IpAddr,
        /// The newer.
        to: IpAddr,
    },
    /// A supply's level moved.
    SupplyLevel {
        /// Row of the supply.
        index: String,
        /// The older level.
        from: Level,
        /// The newer level.
        to: Level,
    },
    /// A supply was replaced, came, or went.
    SupplyReplaced {
        /// Row of the supply.
        index: String,
        /// What is there, in the device's words; empty where it went.
        description: String,
        /// What the old one had left when it was taken out; absent where there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Level>,
        /// What the new one has; absent where none came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Level>,
        /// The life count of the device at that time. What the old one printed is the difference
        /// to the count at the last such change, see [`crate::supply_life`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    },
    /// State, severity, conditions or display changed.
    Status {
        /// The older.
        from: Status,
        /// The newer.
        to: Status,
    },
    /// An alert came.
    AlertRaised {
        /// It.
        alert: Alert,
    },
    /// An alert went.
    AlertCleared {
        /// It.
        alert: Alert,
    },
    /// A tray's level or media changed, or a tray came or went.
    Tray {
        /// Row of the tray.
        index: String,
        /// The older level, absent where the tray is new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Level>,
        /// The newer level, absent where the tray went.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Level>,
    },
    /// A part of the identity changed (serial number, host name, location, …).
    Identity {
        /// The field, by its name in the JSON.
        field: String,
        /// The older value.
        from: String,
        /// The newer value.
        to: String,
    },
}

/// Lists what differs, in the order of the reading. Nothing differs when only the time or the
/// display does.
#[must_use]
pub fn between(older: &Reading, newer: &Reading) -> Vec<Change> {
    let mut changes: Vec<Change> = address(older, newer).into_iter().collect();
    changes.extend(rebooted(older, newer));
    changes.extend(identity(&older.identity, &newer.identity));
    if status_key(&older.status) != status_key(&newer.status) {
        changes.push(Change::Status {
            from: older.status.clone(),
            to: newer.status.clone(),
        });
    }
    changes.extend(meters(older, newer));
    changes.extend(supplies(older, newer));
    changes.extend(trays(&older.trays, &newer.trays));
    changes.extend(alerts(&older.alerts, &newer.alerts));
    changes
}

fn identity(older: &Identity, newer: &Identity) -> Vec<Change> {
    fn fields(identity: &Identity) -> [(&'static str, &str); 7] {
        fn text(field: &Option<String>) -> &str {
            field.as_deref().unwrap_or_default()
        }
        [
            ("vendor", text(&identity.vendor)),
            ("model", text(&identity.model)),
            ("serial", text(&identity.serial)),
            ("mac", text(&identity.mac)),
            ("host_name", text(&identity.host_name)),
            ("asset", text(&identity.asset)),
            ("location", text(&identity.location)),
        ]
    }
    let firmware = (older.firmware != newer.firmware).then(|| Change::Firmware {
        from: older.firmware.clone(),
        to: newer.firmware.clone(),
    });
    let pairs = fields(older).into_iter().zip(fields(newer));
    let others = pairs
        .filter(|((_, from), (_, to))| from != to)
        .map(|((field, from), (_, to))| Change::Identity {
            field: field.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        });
    others.chain(firmware).collect()
}

fn address(older: &Reading, newer: &Reading) -> Option<Change> {
    let (from, to) = (older.address?, newer.address?);
    (from != to).then_some(Change::Address { from, to })
}

/// Whether it was started in between: its time since the start fell, or what it made since then.
/// A time that falls because it began again after 497 days is none.
fn rebooted(older: &Reading, newer: &Reading) -> Option<Change> {
    let (from_secs, to_secs) = (older.up_secs, newer.up_secs);
    let by_time = match (from_secs, to_secs) {
        (Some(from), Some(to)) if to < from => {
            let elapsed = newer.at.as_second().saturating_sub(older.at.as_second());
            let elapsed = u64::try_from(elapsed).unwrap_or_default();
            let wrapped = from.saturating_add(elapsed).checked_sub(UP_SECS_END);
            Some(wrapped.is_none_or(|wrapped| wrapped.abs_diff(to) > WRAP_SECS))
        }
        (Some(_), Some(_)) => Some(false),
        (_, _) => None,
    };
    let since = |reading: &Reading| {
        let mut meters = reading.meters.iter();
        let found = meters.find(|meter| meter.name == MeterName::SINCE_POWER_ON);
        found.map(|meter| meter.value)
    };
    let is_fewer = matches!((since(older), since(newer)), (Some(was), Some(is)) if is < was);
    (by_time.unwrap_or(is_fewer)).then_some(Change::Rebooted { from_secs, to_secs })
}

/// What makes a status another one. The display changes all the time and is not in it.
fn status_key(status: &Status) -> (State, Severity, &[String]) {
    (status.state, status.severity, &status.conditions)
}

fn meters(older: &Reading, newer: &Reading) -> Vec<Change> {
    let of = |meter: &Meter| {
        let known = |old: &&Meter| old.name == meter.name && old.label == meter.label;
        older.meters.iter().find(known)
    };
    let change = |meter: &Meter| {
        let (name, label, to) = (meter.name.clone(), meter.label.clone(), meter.value);
        match of(meter) {
            Some(old) if old.value == to && old.unit == meter.unit => None,
            // What a start sets to nothing is no counter that fell.
            Some(old) if to < old.value && name != MeterName::SINCE_POWER_ON => {
                Some(Change::CounterDecreased {
                    name,
                    label,
                    from: old.value,
                    to,
                    cause: decrease::cause(older, newer, old, meter),
                })
            }
            known => Some(Change::Meter {
                name,
                label,
                from: known.map(|old| old.value),
                to,
            }),
        }
    };
    newer.meters.iter().filter_map(change).collect()
}

/// The life count of a device, where it tells one.
pub(crate) fn life_count(reading: &Reading) -> Option<u64> {
    let mut meters = reading.meters.iter();
    let found = meters.find(|meter| meter.name == MeterName::TOTAL);
    found.map(|meter| meter.value)
}

fn supplies(older: &Reading, newer: &Reading) -> Vec<Change> {
    let count = life_count(newer);
    let mut changes = Vec::new();
    for supply in &newer.supplies {
        let known = older.supplies.iter().find(|old| old.index == supply.index);
        if known.is_none_or(|old| is_replaced(old, supply)) {
            changes.push(Change::SupplyReplaced {
                index: supply.index.clone(),
                description: supply.description.clone(),
                from: known.map(|old| old.level),
                to: Some(supply.level),
                count,
            });
        }
        if let Some(old) = known
            && !is_same(old.level, supply.level)
        {
            let index = supply.index.clone();
            changes.push(Change::SupplyLevel {
                index,
                from: old.level,
                to: supply.level,
            });
        }
    }
    let is_gone = |old: &&Supply| {
        let mut supplies = newer.supplies.iter();
        supplies.all(|supply| supply.index != old.index)
    };
    let gone = older.supplies.iter().filter(is_gone);
    changes.extend(gone.map(|old| Change::SupplyReplaced {
        index: old.index.clone(),
        description: String::new(),
        from: Some(old.level),
        to: None,
        count,
    }));
    changes
}

/// Whether another supply is in its place: another serial number or name, or a level that rose
/// further than one that is merely measured again.
fn is_replaced(old: &Supply, new: &Supply) -> bool {
    let other_serial = matches!((&old.serial, &new.serial), (Some(a), Some(b)) if a != b);
    let rose = match (old.level, new.level) {
        (Level::Percent { percent: from }, Level::Percent { percent: to }) => {
            to - from >= REPLACED_RISE_PERCENT
        }
        (Level::Empty | Level::Low, Level::Full | Level::Some) => true,
        (_, _) => false,
    };
    other_serial || old.description != new.description || rose
}

/// Whether two levels are one. A share that was written as text and read back may differ in its
/// last digit.
fn is_same(old: Level, new: Level) -> bool {
    match (old, new) {
        (Level::Percent { percent: from }, Level::Percent { percent: to }) => {
            (from - to).abs() < SAME_PERCENT
        }
        (old, new) => old == new,
    }
}

fn trays(older: &[Tray], newer: &[Tray]) -> Vec<Change> {
    let mut changes = Vec::new();
    for tray in newer {
        let known = older.iter().find(|old| old.index == tray.index);
        if known.is_none_or(|old| !is_same(old.level, tray.level) || old.media != tray.media) {
            changes.push(Change::Tray {
                index: tray.index.clone(),
                from: known.map(|old| old.level),
                to: Some(tray.level),
            });
        }
    }
    let is_gone = |old: &&Tray| newer.iter().all(|tray| tray.index != old.index);
    changes.extend(older.iter().filter(is_gone).map(|old| Change::Tray {
        index: old.index.clone(),
        from: Some(old.level),
        to: None,
    }));
    changes
}

/// Rows come and go while the table is walked, so an alert is known by what it says, not by its
/// row.
fn alerts(older: &[Alert], newer: &[Alert]) -> Vec<Change> {
    let key = |alert: &Alert| (alert.group, alert.group_index, alert.code);
    let lacks = |list: &[Alert], alert: &Alert| list.iter().all(|other| key(other) != key(alert));
    let raised = newer.iter().filter(|alert| lacks(older, alert)).cloned();
    let cleared = older.iter().filter(|alert| lacks(newer, alert)).cloned();
    raised
        .map(|alert| Change::AlertRaised { alert })
        .chain(cleared.map(|alert| Change::AlertCleared { alert }))
        .collect()
}
