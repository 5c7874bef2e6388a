//! The short words for a printer: its status in a line, its lowest supply.
//!
//! Used by the fleet and the printer page. Pure.

use std::cmp::Ordering;

use printer::reading::Reading;
use printer::status::{Severity, State};
use printer::supply::{Level, Supply};

use super::words;

/// A supply at or below this share is low.
const LOW_PERCENT: f64 = 10.0;

/// The status in a few words: the first alert that explains it, else what the printer does.
#[must_use]
pub fn status_line(reading: &Reading) -> String {
    let status = &reading.status;
    if matches!(status.severity, Severity::Warning | Severity::Critical) {
        if let Some(condition) = status.conditions.first() {
            return words::spaced(condition).to_lowercase();
        }
        if let Some(alert) = reading.alerts.first() {
            return words::alert(alert).to_lowercase();
        }
    }
    let words = match status.state {
        State::Idle => "ready",
        State::Printing => "printing",
        State::Warmup => "warming up",
        State::Standby => "asleep",
        State::Offline => "offline",
        State::Stopped => "stopped",
        State::Unknown => "does not say",
    };
    words.to_owned()
}

/// Whether someone should order or empty this supply soon.
#[must_use]
pub fn is_low(supply: &Supply) -> bool {
    match supply.level {
        Level::Percent { percent } => percent <= LOW_PERCENT,
        Level::Low | Level::Empty | Level::Full => true,
        Level::Quantity | Level::Some | Level::Unknown | Level::Unlimited | Level::Implausible => {
            false
        }
    }
}

/// The supply that runs out first, of those that say how much is left.
#[must_use]
pub fn lowest(supplies: &[Supply]) -> Option<&Supply> {
    let told = supplies.iter().filter(|supply| rank(supply).is_some());
    told.min_by(|a, b| by_rank(a, b))
}

/// Orders supplies by who runs out first.
#[must_use]
pub fn by_rank(a: &Supply, b: &Supply) -> Ordering {
    let rank = |supply| rank(supply).unwrap_or(f64::INFINITY);
    rank(a).total_cmp(&rank(b))
}

fn rank(supply: &Supply) -> Option<f64> {
    match supply.level {
        Level::Empty | Level::Full => Some(-2.0),
        Level::Low => Some(-1.0),
        Level::Percent { percent } => Some(percent),
        Level::Quantity | Level::Some | Level::Unknown | Level::Unlimited | Level::Implausible => {
            None
        }
    }
}
