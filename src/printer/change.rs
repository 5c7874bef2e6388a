//! What differs between two readings of one device.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
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

/// One difference between an older and a newer reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "camelCase")]
pub enum Change {
    /// A counter moved; `to` below `from` is a reset or another board.
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
    /// A part of the identity changed (firmware, host name, location, …).
    Identity {
        /// The field, by its name in the JSON.
        field: String,
        /// The older value.
        from: String,
        /// The newer value.
        to: String,
    },
}

/// Lists what differs, in the order of the reading. Nothing differs when only the time, the
/// address or the display does.
#[must_use]
pub fn between(older: &Reading, newer: &Reading) -> Vec<Change> {
    let mut changes = identity(&older.identity, &newer.identity);
    if status_key(&older.status) != status_key(&newer.status) {
        changes.push(Change::Status {
            from: older.status.clone(),
            to: newer.status.clone(),
        });
    }
    changes.extend(meters(&older.meters, &newer.meters));
    changes.extend(supplies(&older.supplies, &newer.supplies));
    changes.extend(trays(&older.trays, &newer.trays));
    changes.extend(alerts(&older.alerts, &newer.alerts));
    changes
}

fn identity(older: &Identity, newer: &Identity) -> Vec<Change> {
    let fields = |identity: &Identity| {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        [
            ("vendor", text(&identity.vendor)),
            ("model", text(&identity.model)),
            ("serial", text(&identity.serial)),
            ("firmware", identity.firmware.join(", ")),
            ("mac", text(&identity.mac)),
            ("host_name", text(&identity.host_name)),
            ("asset", text(&identity.asset)),
            ("location", text(&identity.location)),
        ]
    };
    let pairs = fields(older).into_iter().zip(fields(newer));
    pairs
        .filter(|((_, from), (_, to))| from != to)
        .map(|((field, from), (_, to))| Change::Identity {
            field: field.to_owned(),
            from,
            to,
        })
        .collect()
}

/// What makes a status another one. The display changes all the time and is not in it.
fn status_key(status: &Status) -> (State, Severity, &[String]) {
    (status.state, status.severity, &status.conditions)
}

fn meters(older: &[Meter], newer: &[Meter]) -> Vec<Change> {
    let of = |meter: &Meter| {
        let known = |old: &&Meter| old.name == meter.name && old.label == meter.label;
        older.iter().find(known).map(|old| old.value)
    };
    let moved = newer.iter().filter(|meter| of(meter) != Some(meter.value));
    moved
        .map(|meter| Change::Meter {
            name: meter.name.clone(),
            label: meter.label.clone(),
            from: of(meter),
            to: meter.value,
        })
        .collect()
}

fn supplies(older: &[Supply], newer: &[Supply]) -> Vec<Change> {
    let mut changes = Vec::new();
    for supply in newer {
        let known = older.iter().find(|old| old.index == supply.index);
        if known.is_none_or(|old| is_replaced(old, supply)) {
            changes.push(Change::SupplyReplaced {
                index: supply.index.clone(),
                description: supply.description.clone(),
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
    let is_gone = |old: &&Supply| newer.iter().all(|supply| supply.index != old.index);
    changes.extend(
        older
            .iter()
            .filter(is_gone)
            .map(|old| Change::SupplyReplaced {
                index: old.index.clone(),
                description: String::new(),
            }),
    );
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
