//! How the portal writes foreign text, numbers and times, so that they can be read and do no harm.
//!
//! Used by every template: `askama.toml` names [`Page`] as the escaper of all HTML, so a value
//! reaches a page through it or not at all. Colors, classes and layout are not decided here.

use std::fmt::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Combining marks kept on one letter. Real scripts stack two; a pile of them paints over other
/// lines.
const COMBINING_MAX: usize = 3;

/// Stands for a character that would act instead of being read.
const NEUTRAL: char = '\u{fffd}';

/// Between groups of three digits: narrow, and never a line's end.
const DIGIT_GAP: char = '\u{202f}';

/// Seconds in a minute, an hour and a day.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The portal's escaper: markup becomes text, and characters that act become `U+FFFD`.
///
/// A device may say anything. `<script>` is one way to act on a page; a right-to-left override,
/// a zero-width joiner or an escape sequence are others, and HTML escaping leaves those alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page;

impl askama::filters::Escaper for Page {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut combining = 0;
        for c in text.chars() {
            combining = if is_combining(c) { combining + 1 } else { 0 };
            if combining <= COMBINING_MAX {
                write_char(&mut dest, c)?;
            }
        }
        Ok(())
    }
}

/// Writes one character so that HTML, in text and in a quoted attribute, takes it as itself.
fn write_char(dest: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '<' => dest.write_str("&lt;"),
        '>' => dest.write_str("&gt;"),
        '&' => dest.write_str("&amp;"),
        '"' => dest.write_str("&#34;"),
        '\'' => dest.write_str("&#39;"),
        '\n' | '\t' => dest.write_char(c),
        c if acts(c) => dest.write_char(NEUTRAL),
        c => dest.write_char(c),
    }
}

/// Whether a character changes how others are shown rather than showing anything itself.
///
/// Source: Unicode 17, `Cc`; the bidirectional controls of UAX #9 (section 2); default-ignorable
/// joiners, tags and separators of UTS #39 (section 3.1), all of which hide or reorder text.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character is drawn onto the one before it.
fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Writes a count with its digits in groups of three: `412 907`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(DIGIT_GAP);
        }
        text.push(digit);
    }
    text
}

/// Writes a count and its noun: `1 printer`, `24 printers`.
#[must_use]
pub fn counted(value: u64, noun: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(value))
}

/// Writes how long ago something was, in one unit: `now`, `4 min`, `3 h`, `12 days`.
///
/// An instant after `now` is `now`: a clock that is a little ahead is no news to a reader.
#[must_use]
pub fn age(at: Timestamp, now: Timestamp) -> String {
    match now.as_second() - at.as_second() {
        ..MINUTE => "now".to_owned(),
        secs @ MINUTE..HOUR => format!("{} min", secs / MINUTE),
        secs @ HOUR..DAY => format!("{} h", secs / HOUR),
        secs => counted(secs.unsigned_abs() / DAY.unsigned_abs(), "day"),
    }
}

/// Writes how long ago something was as a phrase: `now`, `4 min ago`.
#[must_use]
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let age = age(at, now);
    if age == "now" {
        "just now".to_owned()
    } else {
        format!("{age} ago")
    }
}

/// Writes an instant for a person, in UTC with its zone: `23 Nov 2026 08:00 UTC`.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    TimeZone::UTC
        .to_datetime(at)
        .strftime("%-d %b %Y %H:%M UTC")
        .to_string()
}

/// Writes an instant without its year: `23 Nov 08:00`. The page says once that times are UTC.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    TimeZone::UTC
        .to_datetime(at)
        .strftime("%-d %b %H:%M")
        .to_string()
}

#[cfg(test)]
mod tests {
    use askama::filters::Escaper;

    use super::*;

    #[test]
    fn text_that_acts_becomes_text_that_is_read() {
        let cases = [
            ("HP LaserJet", "HP LaserJet"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("\" onload='x'", "&#34; onload=&#39;x&#39;"),
            ("a&b", "a&amp;b"),
            ("\u{1b}[31mred\u{7}", "\u{fffd}[31mred\u{fffd}"),
            ("inv\u{202e}gpj.exe", "inv\u{fffd}gpj.exe"),
            ("\u{2066}x\u{2069}", "\u{fffd}x\u{fffd}"),
            ("zero\u{200b}width", "zero\u{fffd}width"),
            ("two\nlines", "two\nlines"),
            ("\0\u{85}", "\u{fffd}\u{fffd}"),
            ("\u{e0041}tag", "\u{fffd}tag"),
            ("مرحبا", "مرحبا"),
            ("プリンタ", "プリンタ"),
        ];
        for (given, shown) in cases {
            assert_eq!(written(given), shown, "{given:?}");
        }
    }

    #[test]
    fn a_pile_of_marks_is_cut() {
        let pile = format!("e{}x", "\u{301}".repeat(40));
        assert_eq!(
            written(&pile),
            format!("e{}x", "\u{301}".repeat(COMBINING_MAX))
        );
    }

    #[test]
    fn counts_are_grouped_in_threes() {
        let gap = DIGIT_GAP;
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(412_907), format!("412{gap}907"));
        assert_eq!(count(1_000_000), format!("1{gap}000{gap}000"));
        assert_eq!(counted(1, "printer"), "1 printer");
        assert_eq!(counted(2, "printer"), "2 printers");
    }

    #[test]
    fn an_age_has_one_unit() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let before = |secs: i64| Timestamp::from_second(1_000_000 - secs).unwrap();
        let cases = [
            (-30, "now"),
            (59, "now"),
            (60, "1 min"),
            (HOUR - 1, "59 min"),
            (HOUR, "1 h"),
            (DAY, "1 day"),
            (9 * DAY + 5, "9 days"),
        ];
        for (secs, words) in cases {
            assert_eq!(age(before(secs), now), words);
        }
        assert_eq!(ago(before(240), now), "4 min ago");
    }

    fn written(text: &str) -> String {
        let mut page = String::new();
        Page.write_escaped_str(&mut page, text).unwrap();
        page
    }
}
