//! The hours in which a site lets sessions be: some windows of the week. Pure; the clock and its
//! zone are the caller's.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use jiff::{Timestamp, ToSpan, ZonedDateTime};

/// The days as they are written, Monday first.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A text that is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no window of hours")]
pub struct NoWindow(pub String);

/// One window: some days, and from when to when on each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    text: String,
    /// Monday first.
    days: [bool; 7],
    /// Minutes since midnight; the end is not in it.
    from: u16,
    to: u16,
}

impl FromStr for Window {
    type Err = NoWindow;

    /// Takes `07:00-19:00` (every day), `mon-fri 07:00-19:00`, `sat 08:00-12:00`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_window = || NoWindow(text.to_owned());
        let trimmed = text.trim();
        let (days, clock) = match trimmed.rsplit_once(' ') {
            None => ([true; 7], trimmed),
            Some((days, clock)) => (parse_days(days.trim()).ok_or_else(no_window)?, clock),
        };
        let (from, to) = clock.split_once('-').ok_or_else(no_window)?;
        let minutes = |clock: &str| parse_clock(clock).ok_or_else(no_window);
        let (from, to) = (minutes(from)?, minutes(to)?);
        if from >= to {
            return Err(no_window());
        }
        let text = trimmed.to_owned();
        Ok(Self {
            text,
            days,
            from,
            to,
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Window {
    fn holds(&self, day: usize, minute: u16) -> bool {
        let is_day = self.days.get(day).copied().unwrap_or_default();
        is_day && (self.from..self.to).contains(&minute)
    }
}

/// When sessions may be; without a window, always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hours(pub Vec<Window>);

impl Hours {
    /// Until when sessions may be that are open now; `None` if they may not be now. Windows that
    /// follow one another on a day are one; at midnight each ends.
    #[must_use]
    pub fn open_until(&self, now: &ZonedDateTime) -> Option<Timestamp> {
        if self.0.is_empty() {
            return Some(Timestamp::MAX);
        }
        let day = usize::try_from(now.weekday().to_monday_zero_offset()).unwrap_or_default();
        let clock = |part: i8| u16::try_from(part).unwrap_or_default();
        let minute = clock(now.hour()) * 60 + clock(now.minute());
        let mut until = minute;
        while let Some(window) = self.0.iter().find(|it| it.holds(day, until)) {
            until = window.to;
        }
        (until > minute).then(|| instant(now, until)).flatten()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows: Vec<&str> = self.0.iter().map(|window| window.text.as_str()).collect();
        f.write_str(&windows.join(", "))
    }
}

/// An instant of today, given in minutes since midnight.
fn instant(now: &ZonedDateTime, minute: u16) -> Option<Timestamp> {
    if minute >= DAY_MINUTES {
        let tomorrow = now.checked_add(1.day()).ok()?;
        return Some(tomorrow.start_of_day().ok()?.timestamp());
    }
    let part = |part: u16| i8::try_from(part).ok();
    let time = Time::new(part(minute / 60)?, part(minute % 60)?, 0, 0).ok()?;
    Some(now.with().time(time).build().ok()?.timestamp())
}

fn parse_days(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| {
        let at = DAYS
            .iter()
            .position(|(known, _)| name.eq_ignore_ascii_case(known))?;
        Some(at)
    };
    let (first, last) = match text.split_once('-') {
        None => (day(text)?, day(text)?),
        Some((first, last)) => (day(first)?, day(last)?),
    };
    let mut days = [false; 7];
    for step in 0..7 {
        let at = (first + step) % 7;
        if let Some(day) = days.get_mut(at) {
            *day = true;
        }
        if at == last {
            return Some(days);
        }
    }
    None
}

/// `07:00` in minutes since midnight; `24:00` is the end of the day.
fn parse_clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(windows: &[&str]) -> Hours {
        Hours(
            windows
                .iter()
                .map(|it| it.parse().expect("valid"))
                .collect(),
        )
    }

    fn at(text: &str) -> ZonedDateTime {
        format!("{text}[UTC]").parse().expect("an instant")
    }

    #[test]
    fn a_session_may_be_within_a_window_and_until_its_end() {
        // 2026-11-25 is a Wednesday.
        let office = ["mon-fri 07:00-19:00", "sat 08:00-12:00"];
        for (windows, now, until) in [
            (
                &office[..],
                "2026-11-25T07:00+00",
                Some("2026-11-25T19:00Z"),
            ),
            (
                &office[..],
                "2026-11-25T18:59:59+00",
                Some("2026-11-25T19:00Z"),
            ),
            (&office[..], "2026-11-25T19:00+00", None),
            (&office[..], "2026-11-25T06:59+00", None),
            (
                &office[..],
                "2026-11-28T09:00+00",
                Some("2026-11-28T12:00Z"),
            ),
            (&office[..], "2026-11-29T09:00+00", None),
            (
                &["22:00-24:00"][..],
                "2026-11-25T23:59+00",
                Some("2026-11-26T00:00Z"),
            ),
            (
                &["08:00-12:00", "12:00-13:00"][..],
                "2026-11-25T11:00+00",
                Some("2026-11-25T13:00Z"),
            ),
            (
                &["sat-mon 08:00-09:00"][..],
                "2026-11-29T08:30+00",
                Some("2026-11-29T09:00Z"),
            ),
            (&["sat-mon 08:00-09:00"][..], "2026-11-25T08:30+00", None),
        ] {
            let until = until.map(|text| text.parse::<Timestamp>().expect("an instant"));
            assert_eq!(
                hours(windows).open_until(&at(now)),
                until,
                "{windows:?} at {now}"
            );
        }
        let always = Hours::default().open_until(&at("2026-11-25T03:00+00"));
        assert_eq!(always, Some(Timestamp::MAX));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "7:00-19:00",
            "19:00-07:00",
            "07:00-07:00",
            "07:00",
            "07:00-24:01",
            "07:60-08:00",
            "mo-fr 07:00-19:00",
            "mon- 07:00-19:00",
            "mon-fri",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }
}
