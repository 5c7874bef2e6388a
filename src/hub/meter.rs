//! Pages per day: a pure judgement over the readings of one printer's `total` meter.
//!
//! Used by the store, which feeds it, and shown by the portal. It knows no clock and no database.
//! It never guesses: a day without a reading is a gap, not a zero, and what was printed across a
//! gap belongs to no single day.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Most pages a minute that are believed between two readings. The fastest cut-sheet presses of
/// 2026 make under 400 a minute; what is above is a counter that jumped, not paper.
const BELIEVED_PAGES_PER_MINUTE: u64 = 1_000;

/// Fewest pages that a step below an old mark must have to be taken for a counter that comes back
/// instead of paper: what is less is no spike, whatever it is.
const RETURN_PAGES_MIN: u64 = 1_000;

/// Longest range asked at once, in days: two years and a bit, so that a page stays bounded.
const RANGE_DAYS_MAX: usize = 800;

/// What the `total` meter said at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// When.
    pub at: Timestamp,
    /// Impressions since the printer was made.
    pub total: u64,
}

/// What was printed on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPages {
    /// The day, UTC.
    pub day: Date,
    /// Pages counted up to the last reading of this day, since the last reading of the day before
    /// (since the first reading of this day, where the day before has none). Absent on a day
    /// without a reading: a gap, not a zero.
    pub pages: Option<u64>,
    /// Pages made across the gap that this day ended. They belong to none of the days of the gap
    /// and are in no `pages`.
    pub gap_pages: u64,
    /// A counter went backwards or jumped on this day: what it hides is in no number.
    pub is_broken: bool,
    /// How many printers were counted on this day.
    pub printers: u32,
}

impl DayPages {
    const fn gap(day: Date) -> Self {
        Self {
            day,
            pages: None,
            gap_pages: 0,
            is_broken: false,
            printers: 0,
        }
    }
}

/// Counts the pages of each day from `from` to `to`, both included.
///
/// `counts` are the readings of one printer, ascending by time. Readings before `from` are only
/// used to know where the counter stood, so give the last one before `from` too.
/// At most two years are answered; a reversed range is empty.
#[must_use]
pub fn daily_pages(counts: &[Count], from: Date, to: Date) -> Vec<DayPages> {
    let mut days = empty_days(from, to);
    let mut last: Option<Count> = None;
    let mut peak: Option<u64> = None;
    for &count in counts {
        let step = last.map_or(Step::First, |last| step(last, count, &mut peak));
        let day = day_of(count.at);
        let before = last.map(|last| day_of(last.at));
        last = Some(count);
        if let Some(entry) = days.get_mut(&day) {
            enter(entry, step, before);
        }
    }
    days.into_values().collect()
}

/// Adds up the days of several printers: the same range for each.
///
/// A day is a gap only where every printer has one.
#[must_use]
pub fn sum(printers: &[Vec<DayPages>], from: Date, to: Date) -> Vec<DayPages> {
    let mut days = empty_days(from, to);
    for day in printers.iter().flatten() {
        if let Some(entry) = days.get_mut(&day.day) {
            if let Some(pages) = day.pages {
                entry.pages = Some(entry.pages.unwrap_or(0).saturating_add(pages));
            }
            entry.gap_pages = entry.gap_pages.saturating_add(day.gap_pages);
            entry.is_broken |= day.is_broken;
            entry.printers = entry.printers.saturating_add(day.printers);
        }
    }
    days.into_values().collect()
}

/// The UTC day of an instant.
#[must_use]
pub fn day_of(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// What happened between two readings.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// There was none before.
    First,
    /// So many pages.
    Pages(u64),
    /// The counter went backwards, or further than paper goes.
    Broken,
}

/// Judges one step of the counter. `peak` is where it stood before it fell, while it is below.
fn step(last: Count, now: Count, peak: &mut Option<u64>) -> Step {
    if now.total < last.total {
        *peak = Some(peak.map_or(last.total, |peak| peak.max(last.total)));
        return Step::Broken;
    }
    let pages = match *peak {
        // A reading that fell and came back was a lie of the printer: only what is above the old
        // mark is new. For a counter that truly began again this gives up one step, once.
        Some(mark) if now.total >= mark => {
            *peak = None;
            now.total - mark.max(last.total)
        }
        // So was one that fell and comes most of the way back at once: a board that was set anew
        // and then given its old count again.
        Some(mark) if is_return(last.total, now.total, mark) => return Step::Broken,
        Some(_) | None => now.total - last.total,
    };
    let minutes = now.at.duration_since(last.at).as_secs().unsigned_abs() / 60 + 1;
    if pages > minutes.saturating_mul(BELIEVED_PAGES_PER_MINUTE) {
        return Step::Broken;
    }
    Step::Pages(pages)
}

/// Whether one step makes good more than half of what a counter is below its old mark.
fn is_return(from: u64, to: u64, mark: u64) -> bool {
    let (made, missing) = (to - from, mark.saturating_sub(from));
    made >= RETURN_PAGES_MIN && made > missing / 2
}

fn enter(entry: &mut DayPages, step: Step, before: Option<Date>) {
    let pages = entry.pages.get_or_insert(0);
    entry.printers = 1;
    match step {
        Step::First => {}
        Step::Broken => entry.is_broken = true,
        Step::Pages(new) => {
            let is_across_gap = before.is_some_and(|before| before < day_before(entry.day));
            if is_across_gap {
                entry.gap_pages = entry.gap_pages.saturating_add(new);
            } else {
                *pages = pages.saturating_add(new);
            }
        }
    }
}

fn day_before(day: Date) -> Date {
    day.saturating_sub(Span::new().days(1))
}

fn empty_days(from: Date, to: Date) -> BTreeMap<Date, DayPages> {
    from.series(Span::new().days(1))
        .take_while(|day| *day <= to)
        .take(RANGE_DAYS_MAX)
        .map(|day| (day, DayPages::gap(day)))
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::{BELIEVED_PAGES_PER_MINUTE, Count, DayPages, daily_pages, sum};

    #[test]
    fn pages_count_for_the_day_of_the_later_reading() {
        let days = november(
            &[(1, 8, 1_000), (2, 8, 1_100), (2, 20, 1_130), (3, 8, 1_150)],
            1,
            3,
        );
        assert_eq!(pages(&days), [Some(0), Some(130), Some(20)]);
    }

    #[test]
    fn a_day_without_a_reading_is_a_gap_and_its_pages_belong_to_no_day() {
        let days = november(&[(1, 8, 1_000), (4, 8, 1_300), (4, 9, 1_310)], 1, 5);
        assert_eq!(pages(&days), [Some(0), None, None, Some(10), None]);
        assert_eq!(days[3].gap_pages, 300);
        assert_eq!(days.iter().map(|day| day.gap_pages).sum::<u64>(), 300);
    }

    #[test]
    fn a_reading_before_the_range_says_where_the_counter_stood() {
        let days = november(&[(1, 8, 1_000), (2, 8, 1_100)], 2, 2);
        assert_eq!(pages(&days), [Some(100)]);
    }

    #[test]
    fn a_counter_that_begins_again_is_neither_negative_nor_huge() {
        let days = november(&[(1, 8, 90_000), (2, 8, 3), (3, 8, 53)], 1, 3);
        assert_eq!(pages(&days), [Some(0), Some(0), Some(50)]);
        assert!(days[1].is_broken && !days[2].is_broken);
    }

    #[test]
    fn a_counter_that_falls_and_comes_back_counts_only_what_is_new() {
        let days = november(&[(1, 8, 90_000), (2, 8, 0), (3, 8, 90_040)], 1, 3);
        assert_eq!(pages(&days), [Some(0), Some(0), Some(40)]);
    }

    #[test]
    fn a_jump_no_paper_could_make_is_no_day() {
        let day_minutes = 24 * 60 + 1;
        let most = BELIEVED_PAGES_PER_MINUTE * day_minutes;
        let days = november(&[(1, 8, 10), (2, 8, 11 + most), (3, 8, 21 + most)], 1, 3);
        assert_eq!(pages(&days), [Some(0), Some(0), Some(10)]);
        assert!(days[1].is_broken);
    }

    #[test]
    fn a_counter_that_is_set_back_to_nearly_its_old_count_is_no_spike() {
        let days = november(
            &[
                (1, 8, 482_424),
                (1, 20, 10),
                (2, 8, 482_000),
                (3, 8, 482_100),
            ],
            1,
            3,
        );
        assert_eq!(pages(&days), [Some(0), Some(0), Some(100)]);
        assert!(days[0].is_broken && days[1].is_broken && !days[2].is_broken);
    }

    #[test]
    fn a_counter_that_began_again_goes_on_counting_below_its_old_mark() {
        let days = november(
            &[(1, 8, 90_000), (1, 9, 0), (2, 9, 700), (3, 9, 1_400)],
            1,
            3,
        );
        assert_eq!(pages(&days), [Some(0), Some(700), Some(700)]);
    }

    proptest! {
        /// No number of pages is negative, above what paper allows, or above what the counter rose
        /// to over where it began, whatever it does in between.
        #[test]
        fn whatever_a_counter_does_no_day_is_a_spike(
            steps in proptest::collection::vec((0_i64..3_000, any_total()), 1..40),
        ) {
            let mut at = TimeZone::UTC.to_timestamp(date(2026, 11, 1).at(0, 0, 0, 0)).unwrap();
            let mut counts = Vec::new();
            for (minutes, total) in steps {
                at += SignedDuration::from_mins(minutes);
                counts.push(Count { at, total });
            }
            let days = daily_pages(&counts, date(2026, 11, 1), date(2027, 1, 31));
            let all: u128 = days.iter()
                .map(|day| u128::from(day.pages.unwrap_or(0)) + u128::from(day.gap_pages)).sum();
            // Every rise counts at most once, and never more than paper allows.
            let most: u128 = counts.windows(2).map(|two| {
                let rise = two[1].total.saturating_sub(two[0].total);
                let minutes = two[1].at.duration_since(two[0].at).as_secs().unsigned_abs() / 60 + 1;
                u128::from(rise.min(minutes * BELIEVED_PAGES_PER_MINUTE))
            }).sum();
            prop_assert!(all <= most, "{} of at most {}", all, most);
            for two in counts.windows(2).filter(|two| two[1].total < two[0].total) {
                let day = days.iter().find(|day| day.day == super::day_of(two[1].at));
                prop_assert!(day.is_none_or(|day| day.is_broken));
            }
        }

        /// A counter that only falls, by any two readings, has no page.
        #[test]
        fn a_fall_alone_is_no_page(from in any::<u64>(), to in any::<u64>(), minutes in 0_i64..90_000) {
            let at = TimeZone::UTC.to_timestamp(date(2026, 11, 1).at(0, 0, 0, 0)).unwrap();
            let later = at + SignedDuration::from_mins(minutes);
            let counts = [Count { at, total: from.max(to) }, Count { at: later, total: from.min(to) }];
            let days = daily_pages(&counts, date(2026, 11, 1), date(2027, 1, 31));
            let all: u64 = days.iter().map(|day| day.pages.unwrap_or(0) + day.gap_pages).sum();
            prop_assert_eq!(all, 0);
        }

        /// What was printed, then lost by a fall, then given back in one step is no page.
        #[test]
        fn a_fall_that_is_taken_back_is_no_page(
            from in 2_000_u64..9_000_000, left in 0_u64..1_000, back in 0.51_f64..1.0,
        ) {
            let at = |hours| TimeZone::UTC.to_timestamp(date(2026, 11, 1).at(0, 0, 0, 0)).unwrap()
                + SignedDuration::from_hours(hours);
            let returned = left + (((from - left) as f64 * back) as u64).max(1_000);
            prop_assume!(returned < from);
            let counts = [(0, from), (2, left), (20, returned)]
                .map(|(hours, total)| Count { at: at(hours), total });
            let days = daily_pages(&counts, date(2026, 11, 1), date(2026, 11, 2));
            let all: u64 = days.iter().map(|day| day.pages.unwrap_or(0) + day.gap_pages).sum();
            prop_assert_eq!(all, 0);
        }
    }

    fn any_total() -> impl Strategy<Value = u64> {
        prop_oneof![
            0_u64..100,
            0_u64..500_000,
            480_000_u64..490_000,
            any::<u64>(),
            Just(0)
        ]
    }

    #[test]
    fn several_printers_add_up_and_only_a_common_gap_is_one() {
        let one = november(&[(1, 8, 10), (2, 8, 20)], 1, 3);
        let other = november(&[(2, 8, 5), (2, 9, 12)], 1, 3);
        let both = sum(&[one, other], date(2026, 11, 1), date(2026, 11, 3));
        assert_eq!(pages(&both), [Some(0), Some(17), None]);
        assert_eq!(both[1].printers, 2);
    }

    #[test]
    fn a_reversed_range_is_empty() {
        assert!(november(&[(1, 8, 10)], 3, 1).is_empty());
    }

    fn november(readings: &[(i8, i8, u64)], from: i8, to: i8) -> Vec<DayPages> {
        let counts: Vec<Count> = readings
            .iter()
            .map(|&(day, hour, total)| Count {
                at: TimeZone::UTC
                    .to_timestamp(date(2026, 11, day).at(hour, 0, 0, 0))
                    .unwrap(),
                total,
            })
            .collect();
        daily_pages(&counts, date(2026, 11, from), date(2026, 11, to))
    }

    fn pages(days: &[DayPages]) -> Vec<Option<u64>> {
        days.iter().map(|day| day.pages).collect()
    }
}
