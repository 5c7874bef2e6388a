//! Pages per day as columns: from what the store knows to the numbers of an SVG.
//!
//! Used by the fleet page and the printer page, drawn by `templates/chart.html`. Pure. A day that
//! nobody read is a gap, never a zero; a counter that went backwards is no column at all.

use super::text::{count, counted};
use crate::meter::DayPages;

/// Height of the drawing and of its two edges, in CSS pixels. The template repeats none of them.
const HEIGHT: f64 = 176.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 150.0;

/// Shortest column, in CSS pixels: a day with no page is still a day that was read.
const COLUMN_MIN: f64 = 1.5;

/// Share of a day's width that its column takes; the rest is air.
const COLUMN_SHARE: f64 = 0.72;

/// Days that have room at least: a fleet read for the first time today is not one column across
/// the page.
const DAYS_MIN: usize = 30;

/// Most pages a column can stand for. No fleet makes as many in a day; it keeps the scale finite.
const PAGES_MAX: u64 = 1_000_000_000_000;

/// Width of the scale: an edge, and one digit or space, in CSS pixels.
const AXIS_EDGE: usize = 4;
const AXIS_DIGIT: usize = 7;

/// Most steps of the scale. Three lines can be read at a glance.
const STEPS_MAX: u64 = 3;

/// Days at the left edge whose month would be written over the next month's name.
const LABEL_DAYS_MIN: usize = 9;

/// A chart ready to be drawn: shares of the width in percent, heights in CSS pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What the columns show, in words.
    pub summary: String,
    /// How many days are gaps, in words; absent where none is.
    pub gap_words: Option<String>,
    /// Height of the drawing.
    pub height: f64,
    /// Where the columns stand.
    pub bottom: f64,
    /// Days with a number.
    pub columns: Vec<Block>,
    /// Runs of days without one.
    pub gaps: Vec<Block>,
    /// The scale, from the bottom.
    pub steps: Vec<Step>,
    /// The first day of each month.
    pub months: Vec<Label>,
    /// The same as a table, newest first.
    pub table: Vec<Row>,
}

/// A rectangle of the chart with the words that a pointer brings up.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Left edge, percent of the width.
    pub x: String,
    /// Width, percent.
    pub width: String,
    /// Upper edge, pixels.
    pub y: String,
    /// Height, pixels.
    pub height: String,
    /// What it says.
    pub title: String,
}

/// A line of the scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where, pixels from the top.
    pub y: f64,
    /// Its number.
    pub label: String,
}

/// A month's name under its first day.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Where, percent of the width.
    pub x: String,
    /// `Oct`.
    pub text: String,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `Mon 23 Nov 2026`.
    pub day: String,
    /// The number, or the words for its absence.
    pub pages: String,
}

impl Chart {
    /// Lays out `days`; `None` where no day has a number, for there is nothing to look at.
    #[must_use]
    pub fn of(days: &[DayPages]) -> Option<Self> {
        let all = days;
        let days = since_first_reading(all);
        let highest = days
            .iter()
            .filter_map(|day| day.pages)
            .max()?
            .min(PAGES_MAX);
        let step = step_of(highest);
        let top = highest.div_ceil(step).max(1) * step;
        let printers_max = days.iter().map(|day| day.printers).max().unwrap_or(0);
        let room = days.len().max(all.len().min(DAYS_MIN));
        let shown = all.get(all.len() - room..).unwrap_or(all);
        let scale = Scale {
            empty: room - days.len(),
            width: 100.0 / to_f64(room as u64),
            top: to_f64(top),
            printers_max,
        };
        Some(Self {
            summary: summary(days, highest),
            gap_words: gap_words(days),
            height: HEIGHT,
            bottom: BOTTOM,
            columns: days
                .iter()
                .enumerate()
                .filter_map(|(at, day)| scale.column(at, day))
                .collect(),
            gaps: scale.gaps(days),
            steps: (0..=top / step)
                .map(|n| Step {
                    y: scale.y(to_f64(n * step)),
                    label: count(n * step),
                })
                .collect(),
            months: scale.months(shown),
            table: days.iter().rev().map(|day| scale.row(day)).collect(),
        })
    }

    /// Width that the scale's numbers need, pixels.
    #[must_use]
    pub fn axis_width(&self) -> usize {
        let longest = self
            .steps
            .iter()
            .map(|step| step.label.chars().count())
            .max()
            .unwrap_or(0);
        AXIS_EDGE + AXIS_DIGIT * longest
    }
}

/// What is known of a day, in words.
fn words(day: &DayPages, printers_max: u32) -> String {
    let Some(pages) = day.pages else {
        return "no reading".to_owned();
    };
    let mut words = counted(pages, "page");
    if day.printers < printers_max {
        words += &format!(" on {} of {printers_max} printers", day.printers);
    }
    if day.gap_pages > 0 {
        words += &format!(
            ", and {} from the days without a reading",
            count(day.gap_pages)
        );
    }
    if day.is_broken {
        words += ", a meter was set anew";
    }
    words
}

/// Leaves out the days before anyone read anything: nothing was missed on them.
fn since_first_reading(days: &[DayPages]) -> &[DayPages] {
    let silent = days.iter().take_while(|day| day.pages.is_none()).count();
    days.get(silent..).unwrap_or(days)
}

/// How days and pages become percent and pixels.
struct Scale {
    /// Days of room before the first that is drawn.
    empty: usize,
    width: f64,
    top: f64,
    printers_max: u32,
}

impl Scale {
    fn y(&self, pages: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * pages / self.top
    }

    fn wide(&self, days: usize) -> f64 {
        self.width * to_f64(days as u64)
    }

    fn x(&self, at: usize) -> f64 {
        self.wide(self.empty + at)
    }

    fn column(&self, at: usize, day: &DayPages) -> Option<Block> {
        let pages = day.pages?.min(PAGES_MAX);
        let height = (BOTTOM - self.y(to_f64(pages))).max(COLUMN_MIN);
        let air = self.width * (1.0 - COLUMN_SHARE) / 2.0;
        Some(Block {
            x: percent(self.x(at) + air),
            width: percent(self.width * COLUMN_SHARE),
            y: format!("{:.1}", BOTTOM - height),
            height: format!("{height:.1}"),
            title: format!(
                "{}: {}",
                day.day.strftime("%a %-d %b"),
                words(day, self.printers_max)
            ),
        })
    }

    /// One block for each run of days without a number of their own.
    fn gaps(&self, days: &[DayPages]) -> Vec<Block> {
        let mut at = 0;
        let mut gaps = Vec::new();
        for run in days.chunk_by(|a, b| a.pages.is_none() == b.pages.is_none()) {
            if let (Some(first), Some(last)) = (run.first(), run.last())
                && first.pages.is_none()
            {
                gaps.push(self.gap(at, run.len(), first, last));
            }
            at += run.len();
        }
        gaps
    }

    fn gap(&self, at: usize, length: usize, first: &DayPages, last: &DayPages) -> Block {
        let short = |day: &DayPages| day.day.strftime("%-d %b").to_string();
        let span = match length {
            1 => short(first),
            _ => format!("{} to {}", short(first), short(last)),
        };
        Block {
            x: percent(self.x(at)),
            width: percent(self.wide(length)),
            y: format!("{TOP:.1}"),
            height: format!("{:.1}", BOTTOM - TOP),
            title: format!("{span}: no reading"),
        }
    }

    fn row(&self, day: &DayPages) -> Row {
        Row {
            day: day.day.strftime("%a %-d %b %Y").to_string(),
            pages: words(day, self.printers_max),
        }
    }

    /// The names of the months, over all days that have room.
    fn months(&self, days: &[DayPages]) -> Vec<Label> {
        let mut labels = Vec::new();
        for (at, day) in days.iter().enumerate() {
            let fits = at + LABEL_DAYS_MIN / 2 < days.len();
            if (day.day.day() == 1 && fits) || (at == 0 && day.day.day() < 22) {
                let text = day.day.strftime("%b").to_string();
                labels.push(Label {
                    x: percent(self.wide(at)),
                    text,
                });
            }
        }
        labels
    }
}

/// The sum and the busiest day, for whoever does not see the picture.
fn summary(days: &[DayPages], highest: u64) -> String {
    let sum = days
        .iter()
        .filter_map(|day| day.pages)
        .fold(0, u64::saturating_add);
    if let [only] = days {
        let day = only.day.strftime("%-d %b");
        return format!(
            "{} on {day}, the first day of readings",
            counted(sum, "page")
        );
    }
    let busiest = days.iter().find(|day| day.pages == Some(highest));
    let on = busiest.map_or(String::new(), |day| {
        day.day.strftime(" on %-d %b").to_string()
    });
    let length = counted(days.len() as u64, "day");
    format!(
        "{} in {length}, most {}{on}",
        counted(sum, "page"),
        count(highest)
    )
}

fn gap_words(days: &[DayPages]) -> Option<String> {
    let gaps = days.iter().filter(|day| day.pages.is_none()).count() as u64;
    (gaps > 0).then(|| format!("{} without a reading", counted(gaps, "day")))
}

/// The step of the scale: 1, 2 or 5 times a power of ten, at most [`STEPS_MAX`] of them.
fn step_of(highest: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if highest <= step.saturating_mul(STEPS_MAX) {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn percent(share: f64) -> String {
    format!("{share:.3}%")
}

/// Pages and days as a float: exact up to 2^53, which no printer reaches.
fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_gap_is_a_gap() {
        let mut days = november(&[Some(10), None, None, Some(4)]);
        days[3].gap_pages = 790;
        let chart = Chart::of(&days).unwrap();
        assert_eq!(chart.columns.len(), 2);
        assert_eq!(chart.gaps.len(), 1, "days side by side are one hatch");
        assert_eq!(chart.gaps[0].width, "50.000%");
        assert_eq!(chart.gaps[0].title, "2 Nov to 3 Nov: no reading");
        assert_eq!(chart.gap_words.as_deref(), Some("2 days without a reading"));
        let after = "Wed 4 Nov: 4 pages, and 790 from the days without a reading";
        assert_eq!(chart.columns[1].title, after);
        assert_eq!(
            chart.steps.last().unwrap().label,
            "10",
            "pages of a gap are no spike"
        );
    }

    #[test]
    fn a_reset_is_no_spike() {
        let mut days = november(&[Some(20), Some(0), Some(20)]);
        days[1].is_broken = true;
        let chart = Chart::of(&days).unwrap();
        assert_eq!(chart.columns[1].height, "1.5");
        assert_eq!(
            chart.columns[1].title,
            "Mon 2 Nov: 0 pages, a meter was set anew"
        );
        assert_eq!(chart.steps.last().unwrap().label, "20");
    }

    #[test]
    fn a_day_with_few_printers_says_so() {
        let mut days = november(&[Some(20), Some(9)]);
        days[0].printers = 24;
        let chart = Chart::of(&days).unwrap();
        assert_eq!(
            chart.columns[1].title,
            "Mon 2 Nov: 9 pages on 1 of 24 printers"
        );
    }

    #[test]
    fn the_days_before_the_first_reading_are_left_out() {
        let mut pages = vec![None; 60];
        pages.extend([Some(5); 40]);
        let chart = Chart::of(&november(&pages)).unwrap();
        assert_eq!((chart.columns.len(), chart.gap_words), (40, None));
        pages.truncate(65);
        let chart = Chart::of(&november(&pages)).unwrap();
        assert_eq!(
            (chart.table.len(), chart.gaps.len(), &chart.gap_words),
            (5, 0, &None)
        );
        assert_eq!(
            chart.columns[0].x, "83.800%",
            "the first of five days of thirty"
        );
    }

    #[test]
    fn the_first_day_is_told_as_such() {
        let mut pages = vec![None; 40];
        pages.push(Some(7));
        let chart = Chart::of(&november(&pages)).unwrap();
        assert_eq!(
            chart.summary,
            "7 pages on 11 Dec, the first day of readings"
        );
    }

    #[test]
    fn nothing_read_is_no_chart() {
        assert_eq!(Chart::of(&november(&[None, None])), None);
        assert_eq!(Chart::of(&[]), None);
    }

    #[test]
    fn the_scale_has_few_round_steps() {
        for (highest, step) in [(0, 1), (3, 1), (4, 2), (10, 5), (31, 20), (4_812, 2_000)] {
            assert_eq!(step_of(highest), step, "{highest}");
        }
        assert!(Chart::of(&november(&[Some(u64::MAX), Some(u64::MAX)])).is_some());
    }

    #[test]
    fn the_table_says_what_the_picture_says() {
        let chart = Chart::of(&november(&[Some(10), None])).unwrap();
        let rows: Vec<_> = chart
            .table
            .iter()
            .map(|r| (r.day.as_str(), r.pages.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                ("Mon 2 Nov 2026", "no reading"),
                ("Sun 1 Nov 2026", "10 pages")
            ]
        );
        assert_eq!(chart.summary, "10 pages in 2 days, most 10 on 1 Nov");
    }

    fn november(pages: &[Option<u64>]) -> Vec<DayPages> {
        let days = date(2026, 11, 1)
            .series(jiff::Span::new().days(1))
            .zip(pages);
        days.map(|(day, &pages)| DayPages {
            day,
            pages,
            gap_pages: 0,
            is_broken: false,
            printers: u32::from(pages.is_some()),
        })
        .collect()
    }
}
