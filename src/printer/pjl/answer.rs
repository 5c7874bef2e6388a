//! Finds the answer to one INFO in what a printer sends, and takes it apart.

use super::{Info, echo};
use crate::text::{self, Charset};

/// Longest answer to one question, in octets: the variables of a large printer have some 20 KiB.
pub const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// Most lines of an answer that are kept.
const LINES_MAX: usize = 512;

/// Ends every answer.
const FORM_FEED: u8 = 0x0c;

/// What a printer answers to a category that it does not have.
const NOT_THERE: &str = "\"?\"";

/// Why octets are no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PjlError {
    /// It goes on without the answer.
    #[error("it sends more than {ANSWER_BYTES_MAX} octets that are not the answer")]
    TooLong,
}

/// The lines of an answer, without the first that repeats the question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer(Vec<String>);

/// Looks for the answer in what has come so far; `None` where it has not come yet.
///
/// # Errors
/// [`PjlError`] where a printer sends much else instead.
pub fn answer(octets: &[u8], info: Info, number: u32) -> Result<Option<Answer>, PjlError> {
    // What stands behind the last form feed has not ended.
    let end = octets.iter().rposition(|octet| *octet == FORM_FEED);
    let ended = octets.get(..end.unwrap_or_default()).unwrap_or_default();
    let mut messages = ended.split(|octet| *octet == FORM_FEED);
    let begins = |message: &[u8], command: &str| {
        let lines = message.split(|octet| *octet == b'\n');
        let mut lines = lines
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty());
        lines.next() == Some(command.as_bytes())
    };
    let ours = format!("@PJL ECHO {}", echo(number));
    let asked = format!("@PJL INFO {}", info.name());
    let is_told = messages.any(|message| begins(message, &ours));
    let found = messages.find(|message| begins(message, &asked));
    match found {
        Some(message) if is_told => Ok(Some(Answer::read(message))),
        _ if octets.len() > ANSWER_BYTES_MAX => Err(PjlError::TooLong),
        _ => Ok(None),
    }
}

impl Answer {
    fn read(message: &[u8]) -> Self {
        let lines = message.split(|octet| *octet == b'\n');
        let lines = lines.map(|line| text::decode(line, Charset::Unsaid));
        let lines = lines.filter(|line| !line.is_empty() && line != NOT_THERE);
        Self(lines.skip(1).take(LINES_MAX).collect())
    }

    /// The first line, without its quotes.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.first().map(|line| unquoted(line))
    }

    /// Every `NAME=VALUE`, the value without its quotes.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.trim(), unquoted(value)))
    }

    /// The value of a name, in whatever case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields();
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// The lines below a heading such as `IN TRAYS [2 ENUMERATED]`: those that are indented there,
    /// as many as it says.
    pub(super) fn list(&self, heading: &str) -> Vec<&str> {
        let mut lines = self.0.iter();
        let Some(head) = lines.find(|line| line.starts_with(heading)) else {
            return Vec::new();
        };
        let count = head.split_once('[').and_then(|(_, rest)| {
            let number = rest.split_whitespace().next()?;
            number.parse::<usize>().ok()
        });
        lines
            .take(count.unwrap_or_default().min(LINES_MAX))
            .map(String::as_str)
            .collect()
    }
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"').trim()
}
