//! How full something is: the one decision table for supplies and trays.
//!
//! RFC 3805 gives level, capacity and unit, each of which may be a sentinel. A sentinel never
//! becomes a number here, and neither does a number whose meaning nobody states.

use crate::meter::Unit;
use crate::supply::Level;

/// A sentinel of RFC 3805: no restriction.
const NO_RESTRICTION: i64 = -1;
/// A sentinel of RFC 3805: unknown.
const UNKNOWN: i64 = -2;
/// A sentinel of RFC 3805: something is left, or some space.
const SOME: i64 = -3;
/// The most that a level in percent can be.
const PERCENT_MAX: i64 = 100;

/// What was decided about one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fill {
    pub(crate) level: Level,
    pub(crate) capacity: Option<u64>,
    pub(crate) remaining: Option<u64>,
    /// The rule, for the evidence.
    pub(crate) rule: &'static str,
}

/// Decides how full a row is from what the device says.
pub(crate) fn decide(level: Option<i64>, capacity: Option<i64>, unit: Unit) -> Fill {
    let known_capacity = capacity.filter(|capacity| *capacity > 0);
    let fill = |level, rule| Fill {
        level,
        capacity: known_capacity.and_then(|capacity| u64::try_from(capacity).ok()),
        remaining: None,
        rule,
    };
    let number = match level {
        None => return fill(Level::Unknown, "printer-mib/level-absent"),
        Some(NO_RESTRICTION) => return fill(Level::Unlimited, "printer-mib/level-no-restriction"),
        Some(UNKNOWN) => return fill(Level::Unknown, "printer-mib/level-unknown"),
        Some(SOME) => return fill(Level::Some, "printer-mib/level-some"),
        Some(number) if number < SOME => {
            return fill(Level::Implausible, "printer-mib/level-below-sentinels");
        }
        Some(number) => number,
    };
    let remaining = u64::try_from(number).ok();
    match known_capacity {
        Some(capacity) if number <= capacity => Fill {
            remaining,
            ..fill(
                Level::Percent {
                    percent: share(number, capacity),
                },
                "printer-mib/level-of-capacity",
            )
        },
        Some(_) => fill(Level::Implausible, "printer-mib/level-above-capacity"),
        None if unit == Unit::Percent && number <= PERCENT_MAX => fill(
            Level::Percent {
                percent: share(number, PERCENT_MAX),
            },
            "printer-mib/level-in-percent",
        ),
        None if unit == Unit::Percent => {
            fill(Level::Implausible, "printer-mib/level-above-100-percent")
        }
        None if matches!(unit, Unit::Unknown | Unit::Other) => fill(
            Level::Unknown,
            "printer-mib/level-without-unit-and-capacity",
        ),
        None => Fill {
            remaining,
            ..fill(Level::Quantity, "printer-mib/level-without-capacity")
        },
    }
}

/// A share in percent.
fn share(part: i64, whole: i64) -> f64 {
    100.0 * part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(percent: f64) -> Level {
        Level::Percent { percent }
    }

    #[test]
    fn the_decision_table_holds() {
        let table = [
            // level, capacity, unit, expected level, remaining
            (Some(50), Some(100), Unit::Percent, percent(50.0), Some(50)),
            (
                Some(4_800),
                Some(15_000),
                Unit::Impressions,
                percent(32.0),
                Some(4_800),
            ),
            (Some(0), Some(250), Unit::Sheets, percent(0.0), Some(0)),
            (
                Some(1),
                Some(3),
                Unit::Unknown,
                percent(100.0 / 3.0),
                Some(1),
            ),
            (Some(64), Some(-2), Unit::Percent, percent(64.0), None),
            (Some(64), Some(0), Unit::Percent, percent(64.0), None),
            (Some(64), None, Unit::Percent, percent(64.0), None),
            (Some(101), Some(-2), Unit::Percent, Level::Implausible, None),
            (
                Some(300),
                Some(-2),
                Unit::Sheets,
                Level::Quantity,
                Some(300),
            ),
            // Sharp's waste box: a number without unit and capacity is no percentage.
            (Some(100), Some(-2), Unit::Unknown, Level::Unknown, None),
            (Some(100), None, Unit::Other, Level::Unknown, None),
            (Some(-1), Some(100), Unit::Percent, Level::Unlimited, None),
            (Some(-2), Some(100), Unit::Percent, Level::Unknown, None),
            // Brother's toner: something is left, and that is all there is to say.
            (Some(-3), Some(-2), Unit::TenthsOfGrams, Level::Some, None),
            // Ricoh's code for empty is the profile's business.
            (
                Some(-100),
                Some(100),
                Unit::Percent,
                Level::Implausible,
                None,
            ),
            // A firmware bug seen in the field: level 143065 of 100.
            (
                Some(143_065),
                Some(100),
                Unit::Percent,
                Level::Implausible,
                None,
            ),
            (None, Some(100), Unit::Percent, Level::Unknown, None),
            (None, None, Unit::Unknown, Level::Unknown, None),
            (
                Some(i64::MIN),
                Some(i64::MIN),
                Unit::Percent,
                Level::Implausible,
                None,
            ),
            (
                Some(i64::MAX),
                Some(i64::MAX),
                Unit::Percent,
                percent(100.0),
                Some(i64::MAX as u64),
            ),
        ];
        for (level, capacity, unit, expected, remaining) in table {
            let fill = decide(level, capacity, unit);
            assert_eq!(fill.level, expected, "{level:?} of {capacity:?} {unit:?}");
            assert_eq!(
                fill.remaining, remaining,
                "{level:?} of {capacity:?} {unit:?}"
            );
        }
    }
}
