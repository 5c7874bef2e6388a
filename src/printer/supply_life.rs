//! Lives of supplies: from one replacement to the next, over a row of readings.
//!
//! Used by whoever has a history. Pages are counted step by step, so that a counter that was set
//! anew in between makes the number unknown and never wrong.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::{self, Change};
use crate::decrease::Decrease;
use crate::meter::MeterName;
use crate::reading::Reading;
use crate::supply::Level;

/// Most lives that are told of one row of readings.
const LIVES_MAX: usize = 1_024;

/// A supply that was replaced: what it printed, and what was thrown away with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupplyLife {
    /// Row of the supply.
    pub index: String,
    /// When the reading was made that saw the new one.
    pub replaced_at: Timestamp,
    /// The life count of the device then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What the old one had left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thrown_away: Option<Level>,
    /// What the device printed while it was in; unknown where its beginning was not seen, or the
    /// counter was set anew meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<u64>,
}

/// A supply that is in: what was printed since it came, where that is known.
struct Current {
    index: String,
    printed: Option<u64>,
}

/// Tells the lives of all supplies that ended within these readings of one device, oldest first.
#[must_use]
pub fn lives<'r>(readings: impl IntoIterator<Item = &'r Reading>) -> Vec<SupplyLife> {
    let mut lives = Vec::new();
    let mut current: Vec<Current> = Vec::new();
    let mut last: Option<&Reading> = None;
    for reading in readings {
        if let Some(older) = last {
            let changes = change::between(older, reading);
            let pages = pages(older, reading, &changes);
            for supply in &mut current {
                supply.printed = supply
                    .printed
                    .zip(pages)
                    .map(|(sum, more)| sum.saturating_add(more));
            }
            for change in changes {
                let Change::SupplyReplaced {
                    index, from, count, ..
                } = change
                else {
                    continue;
                };
                let known = current.iter().position(|supply| supply.index == index);
                let printed = known.and_then(|at| current.swap_remove(at).printed);
                if from.is_some() && lives.len() < LIVES_MAX {
                    lives.push(SupplyLife {
                        index: index.clone(),
                        replaced_at: reading.at,
                        count,
                        thrown_away: from,
                        printed,
                    });
                }
                current.push(Current {
                    index,
                    printed: Some(0),
                });
            }
        }
        last = Some(reading);
    }
    lives
}

/// What was printed between two readings, where the life count tells.
fn pages(older: &Reading, newer: &Reading, changes: &[Change]) -> Option<u64> {
    let fell = changes.iter().find_map(|change| match change {
        Change::CounterDecreased { name, cause, .. } if *name == MeterName::TOTAL => Some(*cause),
        _ => None,
    });
    match fell {
        Some(Decrease::Rollover { counted, .. }) => Some(counted),
        Some(Decrease::Reset | Decrease::BoardChanged | Decrease::AnotherDevice) => None,
        None => change::life_count(newer)?.checked_sub(change::life_count(older)?),
    }
}
