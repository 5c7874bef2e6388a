//! `~HS`: how a Zebra is, in three strings between STX and ETX (ZPL II Programming Guide, `~HS`).
//!
//! A printer whose media or ribbon is out, whose head is open or too hot does not answer at all:
//! silence is a state, and whoever asked says so. The third string holds the printer's password, so
//! it is not looked at.

/// The question, as it is sent.
pub const QUESTION: &[u8] = b"~HS\r\n";

/// Longest answer, in octets: the documented one has 84.
pub const ANSWER_BYTES_MAX: usize = 512;

/// Strings of an answer.
const STRINGS: usize = 3;

/// Longest field, in octets: the documented ones have up to 8.
const FIELD_BYTES_MAX: usize = 10;

/// Fewest fields of the first string, and of the second.
const FIRST_FIELDS: usize = 12;
const SECOND_FIELDS: usize = 11;

const STX: u8 = 0x02;
const ETX: u8 = 0x03;

/// How a printer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostStatus {
    /// No media.
    pub is_paper_out: bool,
    /// Somebody has paused it.
    pub is_paused: bool,
    /// The label's length, in dots.
    pub label_length_dots: u32,
    /// Formats that wait in its memory.
    pub formats: u32,
    /// Its memory for them is full.
    pub is_buffer_full: bool,
    /// Its settings are lost.
    pub is_ram_corrupt: bool,
    /// The head is too cold.
    pub is_too_cold: bool,
    /// The head is too hot.
    pub is_too_hot: bool,
    /// The head is open.
    pub is_head_open: bool,
    /// No ribbon.
    pub is_ribbon_out: bool,
    /// It prints with a ribbon.
    pub uses_ribbon: bool,
    /// A label waits to be taken away.
    pub is_label_waiting: bool,
    /// Labels of the job that are still to be printed.
    pub labels_left: u32,
}

/// Why octets are no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// A string has too few fields, or one that is no number.
    #[error("the answer to ~HS is not as documented: string {0}")]
    Malformed(usize),
    /// It does not end.
    #[error("the answer to ~HS is longer than {ANSWER_BYTES_MAX} octets")]
    TooLong,
}

/// Reads what has come so far; `None` where the answer has not ended yet.
///
/// # Errors
/// [`HostError`] for what is none and will not become one.
pub fn decode(octets: &[u8]) -> Result<Option<HostStatus>, HostError> {
    let strings = strings(octets);
    let [first, second, _] = strings.as_slice() else {
        return if octets.len() > ANSWER_BYTES_MAX {
            Err(HostError::TooLong)
        } else {
            Ok(None)
        };
    };
    let first = fields(first, FIRST_FIELDS).ok_or(HostError::Malformed(1))?;
    let second = fields(second, SECOND_FIELDS).ok_or(HostError::Malformed(2))?;
    let of = |fields: &[u32], at: usize| fields.get(at).copied().unwrap_or_default();
    let is = |fields: &[u32], at: usize| of(fields, at) == 1;
    Ok(Some(HostStatus {
        is_paper_out: is(&first, 1),
        is_paused: is(&first, 2),
        label_length_dots: of(&first, 3),
        formats: of(&first, 4),
        is_buffer_full: is(&first, 5),
        is_ram_corrupt: is(&first, 9),
        is_too_cold: is(&first, 10),
        is_too_hot: is(&first, 11),
        is_head_open: is(&second, 2),
        is_ribbon_out: is(&second, 3),
        uses_ribbon: is(&second, 4),
        is_label_waiting: is(&second, 7),
        labels_left: of(&second, 8),
    }))
}

/// The strings that have come whole, without their marks.
fn strings(octets: &[u8]) -> Vec<&[u8]> {
    let parts = octets.split(|octet| *octet == STX).skip(1);
    let whole = parts.filter_map(|part| {
        let end = part.iter().position(|octet| *octet == ETX)?;
        part.get(..end)
    });
    whole.take(STRINGS).collect()
}

/// The fields of a string, all of them numbers.
fn fields(string: &[u8], least: usize) -> Option<Vec<u32>> {
    let number = |field: &[u8]| {
        let text = std::str::from_utf8(field).ok()?.trim();
        let is_short = text.len() <= FIELD_BYTES_MAX;
        (is_short && text.bytes().all(|octet| octet.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    let fields: Option<Vec<u32>> = string.split(|octet| *octet == b',').map(number).collect();
    fields.filter(|fields| fields.len() >= least)
}
