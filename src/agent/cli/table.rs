//! Text for terminals and files: what devices say is attacker text, so it is stripped of control
//! characters wherever it is shown, and of formulas wherever a spreadsheet may open it.

use std::io::IsTerminal;

use clap::ValueEnum;
use printer::status::Severity;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// What stands where nothing is known.
pub const NOTHING: &str = "–";

/// The heading of the column whose numbers stand under each other.
pub const PAGES: &str = "PAGES";

/// Spaces between two columns.
const GAP: usize = 2;

/// When output is colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether stdout is to be colored.
    #[must_use]
    pub fn is_on(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_refused = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
                std::io::stdout().is_terminal() && !is_refused
            }
        }
    }
}

/// Paints a text as bad as `severity` is.
#[must_use]
pub fn painted(text: &str, severity: Severity, is_colored: bool) -> String {
    let code = match severity {
        _ if !is_colored => return text.to_owned(),
        Severity::Ok => 32,
        Severity::Unknown => 2,
        Severity::Warning => 33,
        Severity::Critical => 31,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A text without characters that steer a terminal or turn the writing direction.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { c })
        .filter(|c| !steers(*c))
        .collect()
}

/// A text for a cell of a CSV file. A spreadsheet takes cells that begin with one of these as
/// formulas (OWASP, CSV injection); an apostrophe in front makes them text.
#[must_use]
pub fn cell(text: &str) -> String {
    let clean = printable(text);
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r'])
        || clean.trim_start().starts_with(['=', '+', '-', '@']);
    if is_formula {
        format!("'{clean}")
    } else {
        clean
    }
}

/// JSON that is safe to print: characters that steer a terminal are escaped.
///
/// # Errors
/// When the value cannot be serialized, which the types here can.
pub fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(safe(&serde_json::to_string_pretty(value)?))
}

/// As [`json`], on one line.
///
/// # Errors
/// As [`json`].
pub fn json_line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(safe(&serde_json::to_string(value)?))
}

fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && steers(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A number in groups of three: `412 907`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Rows under headings, one line a row; the last column is painted by its row's severity.
#[must_use]
pub fn table(headings: &[&str], rows: &[(Vec<String>, Severity)], is_colored: bool) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for (cells, _) in rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(printable(cell).width());
        }
    }
    let columns: Vec<(&str, usize)> = headings.iter().copied().zip(widths).collect();
    let mut text = String::new();
    line(&mut text, &columns, headings, |last| last.to_owned());
    for (cells, severity) in rows {
        let paint = |last: &str| painted(last, *severity, is_colored);
        line(&mut text, &columns, cells, paint);
    }
    text
}

/// Appends one line, without spaces at its end.
fn line(
    text: &mut String,
    columns: &[(&str, usize)],
    cells: &[impl AsRef<str>],
    paint: impl Fn(&str) -> String,
) {
    let start = text.len();
    for (index, ((heading, width), cell)) in columns.iter().zip(cells).enumerate() {
        let cell = printable(cell.as_ref());
        let last = cell.trim_end();
        if index + 1 == columns.len() && !last.is_empty() {
            text.push_str(&paint(last));
            break;
        }
        let space = width.saturating_sub(cell.width());
        let (before, behind) = match *heading {
            PAGES => (space, GAP),
            _ => (0, space + GAP),
        };
        text.extend(std::iter::repeat_n(' ', before));
        text.push_str(&cell);
        text.extend(std::iter::repeat_n(' ', behind));
    }
    text.truncate(start + text[start..].trim_end_matches(' ').len());
    text.push('\n');
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and the marks that turn the
/// writing direction (Unicode UAX #9) or hide.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_gone() {
        assert_eq!(
            printable("a\u{1b}[31mb\u{9b}c\u{202e}d\r\ne\u{7f}"),
            "a[31mbcd e"
        );
    }

    #[test]
    fn a_formula_is_text() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "' =1"),
            ("\u{200b}=1", "'=1"),
            ("  -2", "'  -2"),
            ("LaserJet +", "LaserJet +"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn json_escapes_what_steers() {
        let text = json(&"a\u{1b}\u{9b}\u{202e}é\n").unwrap();
        assert_eq!(text, "\"a\\u001b\\u009b\\u202eé\\n\"");
        assert_eq!(
            serde_json::from_str::<String>(&text).unwrap(),
            "a\u{1b}\u{9b}\u{202e}é\n"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 000"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_row_is_a_line_and_its_end_is_painted() {
        let rows = [(
            vec!["10.0.0.1".to_owned(), "evil\u{1b}]0;x".to_owned()],
            Severity::Critical,
        )];
        let text = table(&["ADDRESS", "STATUS"], &rows, true);
        assert_eq!(
            text,
            "ADDRESS   STATUS\n10.0.0.1  \u{1b}[31mevil]0;x\u{1b}[0m\n"
        );
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let row = |cells: [&str; 3]| (cells.map(str::to_owned).into(), Severity::Ok);
        let rows = [row(["a", "1", "ok"]), row(["プリンタ", "1 000", ""])];
        let text = table(&["NAME", PAGES, "STATUS"], &rows, false);
        assert_eq!(
            text,
            "NAME      PAGES  STATUS\na             1  ok\nプリンタ  1 000\n"
        );
    }
}
