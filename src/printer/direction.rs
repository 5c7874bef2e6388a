//! What the level of a waste box counts: free space, or what is in it. The standard says free space,
//! makers disagree, and nobody is sent with a new box before something proves it.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::change::life_count;
use crate::reading::Reading;
use crate::summary::LOW_PERCENT;
use crate::supply::{Level, Supply, SupplyClass};

/// Codes of alerts by which a receptacle is full or almost (IANA-PRINTER-MIB, PrtAlertCodeTC:
/// waste toner and ink, 1107 to 1110).
const FULL_CODES: std::ops::RangeInclusive<u32> = 1107..=1110;

/// How near to an end a level must be that an alert proves, in points of percent.
const END_PERCENT: f64 = 25.0;

/// The most that a receptacle fills between two readings, in points of percent: what moves
/// further was emptied or exchanged.
const MOVED_PERCENT_MAX: f64 = 20.0;

/// What the level of a receptacle counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Nothing proves it yet.
    NotProven,
    /// Free space, as RFC 3805 has it: 0 is full.
    Free,
    /// What is in it: 100 is full.
    Filled,
}

impl Direction {
    /// What proves the direction of a receptacle in one reading: an alert that it is (almost)
    /// full, beside a level near one of its ends. `None` for what is no receptacle, or has no
    /// number.
    #[must_use]
    pub fn of(supply: &Supply, alerts: &[Alert]) -> Option<Self> {
        let Level::Percent { percent } = supply.level else {
            return None;
        };
        if supply.class != SupplyClass::Receptacle {
            return None;
        }
        let row = supply
            .index
            .rsplit('.')
            .next()
            .and_then(|row| row.parse().ok());
        let is_of_it = |alert: &&Alert| {
            FULL_CODES.contains(&alert.code)
                && (alert.group_index.is_none() || alert.group_index == row)
        };
        let is_full = alerts.iter().any(|alert| is_of_it(&alert));
        Some(match percent {
            _ if !is_full => Self::NotProven,
            percent if percent <= END_PERCENT => Self::Free,
            percent if percent >= 100.0 - END_PERCENT => Self::Filled,
            _ => Self::NotProven,
        })
    }

    /// What proves the direction of a receptacle in a history of one device, oldest first: the
    /// first alert or movement that does.
    #[must_use]
    pub fn of_history<'r>(history: impl IntoIterator<Item = &'r Reading>, index: &str) -> Self {
        let find = |reading: &'r Reading| reading.supplies.iter().find(|it| it.index == index);
        let mut last: Option<&Reading> = None;
        for reading in history {
            let now = find(reading);
            let by_alert = now.and_then(|supply| Self::of(supply, &reading.alerts));
            if let Some(proven @ (Self::Free | Self::Filled)) = by_alert {
                return proven;
            }
            if let (Some(older), Some(now)) = (last, now)
                && let Some(was) = find(older)
            {
                let pages = life_count(reading).zip(life_count(older));
                let pages = pages.map_or(0, |(new, old)| new.saturating_sub(old));
                match Self::between(was.level, now.level, pages) {
                    Self::NotProven => {}
                    proven @ (Self::Free | Self::Filled) => return proven,
                }
            }
            last = Some(reading);
        }
        Self::NotProven
    }

    /// Whether a receptacle with this level is about to be full; never where its direction is not
    /// proven.
    #[must_use]
    pub fn is_almost_full(self, level: Level) -> bool {
        match (self, level) {
            (Self::Free, Level::Percent { percent }) => percent <= LOW_PERCENT,
            (Self::Filled, Level::Percent { percent }) => percent >= 100.0 - LOW_PERCENT,
            (_, _) => false,
        }
    }

    /// What proves the direction of a receptacle between two readings of one device: while pages
    /// are made, free space shrinks and what is in it grows. A change of more than
    /// [`MOVED_PERCENT_MAX`] is a box that was emptied, and proves nothing.
    #[must_use]
    pub fn between(older: Level, newer: Level, pages: u64) -> Self {
        let (Level::Percent { percent: from }, Level::Percent { percent: to }) = (older, newer)
        else {
            return Self::NotProven;
        };
        let moved = to - from;
        if pages == 0 || moved == 0.0 || moved.abs() > MOVED_PERCENT_MAX {
            Self::NotProven
        } else if moved < 0.0 {
            Self::Free
        } else {
            Self::Filled
        }
    }
}
