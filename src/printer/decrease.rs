//! Why a counter went back: the one place that decides it.
//!
//! A decrease is never a negative number of pages. It has one of four causes, decided from what
//! both readings say, in the order of what is surest: another device, another board, a counter
//! that began again at its limit, a counter that was set anew.

use serde::{Deserialize, Serialize};

use crate::identity::Fingerprint;
use crate::meter::Meter;
use crate::reading::Reading;

/// Most that is believed to have been counted across a limit, a minute: the fastest presses of
/// 2026 make under 400 pages, and meters of length count faster than pages.
const COUNTED_PER_MINUTE_MAX: u64 = 1_000;

/// Least that is believed, however short the time: clocks of both readings are whole seconds.
const COUNTED_MIN: u64 = 1_000;

/// Where a Counter32 begins again (RFC 2578).
const COUNTER32_END: u64 = 1 << 32;

/// Where an INTEGER that is used as a counter begins again.
const INTEGER32_END: u64 = 1 << 31;

/// Why a counter went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "camelCase")]
pub enum Decrease {
    /// It reached its limit and began again.
    Rollover {
        /// The first value that it cannot show.
        limit: u64,
        /// What it counted in between.
        counted: u64,
    },
    /// It was set anew: by a person, a firmware, or a repair.
    Reset,
    /// The same device has another network or formatter board, which counts on its own.
    BoardChanged,
    /// Another device answers here.
    AnotherDevice,
}

/// Decides why `old` became the smaller `new`.
pub(crate) fn cause(older: &Reading, newer: &Reading, old: &Meter, new: &Meter) -> Decrease {
    let (was, is) = (
        Fingerprint::of(&older.identity),
        Fingerprint::of(&newer.identity),
    );
    if was.contradicts(&is) {
        return Decrease::AnotherDevice;
    }
    if let Some(rollover) = rollover(older, newer, old, new) {
        return rollover;
    }
    let differs =
        |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    if differs(&was.mac, &is.mac) || differs(&was.engine_id, &is.engine_id) {
        return Decrease::BoardChanged;
    }
    Decrease::Reset
}

/// Whether a counter can have reached its limit between two readings: the maker's, else that of
/// the type it came in.
fn rollover(older: &Reading, newer: &Reading, old: &Meter, new: &Meter) -> Option<Decrease> {
    let by_type = || {
        let raw = old.evidence.raw.as_str();
        let is_one = |kind: &str| raw.starts_with(kind) && !raw.contains(" + ");
        let by_kind = [
            ("Counter32:", COUNTER32_END),
            ("Gauge32:", COUNTER32_END),
            ("INTEGER:", INTEGER32_END),
        ];
        let found = by_kind.into_iter().find(|(kind, _)| is_one(kind));
        found.map(|(_, end)| end)
    };
    let limit = old.rolls_over_at.or_else(by_type)?;
    let counted = limit.checked_sub(old.value)?.checked_add(new.value)?;
    let seconds = newer.at.as_second().saturating_sub(older.at.as_second());
    let minutes = u64::try_from(seconds).ok()?.div_ceil(60);
    let most = minutes
        .saturating_mul(COUNTED_PER_MINUTE_MAX)
        .max(COUNTED_MIN)
        // What crosses a small limit more than once cannot be told from what crosses it once.
        .min(limit / 2);
    (counted <= most).then_some(Decrease::Rollover { limit, counted })
}
