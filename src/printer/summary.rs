//! A reading in few words, the same in the terminal and in the portal.

use crate::reading::Reading;
use crate::supply::Supply;

/// A supply at or below this share of its capacity is low, in percent.
pub const LOW_PERCENT: f64 = 10.0;

/// The supplies in short: `K 64 C 8! M 37 Y 41`.
#[must_use]
pub fn supplies(_supplies: &[Supply]) -> String {
    String::new()
}

/// The status in a few words: `cyan low`, `paper jam`, `ready`.
#[must_use]
pub fn status_line(_reading: &Reading) -> String {
    String::new()
}

/// The consumed supply with the least left, of those that say a number or a maker's code.
#[must_use]
pub fn lowest_supply(_supplies: &[Supply]) -> Option<&Supply> {
    None
}
