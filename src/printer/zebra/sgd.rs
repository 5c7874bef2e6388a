//! SGD (Set-Get-Do): variables of a Zebra asked by name, from a closed list.
//!
//! One question has one answer, a text in quotes; `?` means that the printer has no such variable.

use crate::text::{self, Charset};

/// Longest answer to one question, in octets: the longest variable of the list, an odometer, has 40.
pub const ANSWER_BYTES_MAX: usize = 1_024;

/// What a printer says for a variable that it does not have.
const NOT_THERE: &str = "?";

/// A variable of the closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    /// The model.
    ProductName,
    /// The serial number.
    UniqueId,
    /// The name that its owner gave it.
    FriendlyName,
    /// The firmware's level.
    Firmware,
    /// The level of Link-OS, on printers that have it.
    LinkOs,
    /// The length of everything it printed: `1489 INCHES, 3784 CENTIMETERS`.
    PrintLength,
    /// How many labels it printed; older printers lack it.
    LabelCount,
    /// How many since somebody set that count back.
    UserLabelCount,
    /// The length it printed since its head was cleaned.
    HeadClean,
    /// Whether the head is `ok` or `open`.
    HeadLatch,
    /// Whether the media is `ok` or `out`.
    MediaStatus,
    /// How dark it prints.
    Tone,
    /// How fast, in inches a second.
    Speed,
    /// How wide, in dots.
    PrintWidth,
    /// How long a label is, in dots.
    LabelLength,
}

impl Variable {
    /// What a reading asks, the one that every printer has first.
    pub const READING: [Self; 11] = [
        Self::ProductName,
        Self::UniqueId,
        Self::FriendlyName,
        Self::Firmware,
        Self::LinkOs,
        Self::PrintLength,
        Self::LabelCount,
        Self::UserLabelCount,
        Self::HeadClean,
        Self::HeadLatch,
        Self::MediaStatus,
    ];

    /// Its name (Zebra, ZPL II Programming Guide, SGD commands).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProductName => "device.product_name",
            Self::UniqueId => "device.unique_id",
            Self::FriendlyName => "device.friendly_name",
            Self::Firmware => "appl.name",
            Self::LinkOs => "appl.link_os_version",
            Self::PrintLength => "odometer.total_print_length",
            Self::LabelCount => "odometer.total_label_count",
            Self::UserLabelCount => "odometer.user_label_count",
            Self::HeadClean => "odometer.headclean",
            Self::HeadLatch => "head.latch",
            Self::MediaStatus => "media.status",
            Self::Tone => "print.tone",
            Self::Speed => "media.speed",
            Self::PrintWidth => "ezpl.print_width",
            Self::LabelLength => "zpl.label_length",
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The value, decoded and bounded.
    Text(String),
    /// The printer has no such variable.
    NotThere,
}

/// Why octets are no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SgdError {
    /// It does not begin as an answer does.
    #[error("the answer is no text in quotes")]
    NoQuote,
    /// It does not end.
    #[error("the answer is longer than {ANSWER_BYTES_MAX} octets")]
    TooLong,
}

/// The question for a variable, as it is sent.
#[must_use]
pub fn question(variable: Variable) -> Vec<u8> {
    format!("! U1 getvar \"{}\"\r\n", variable.name()).into_bytes()
}

/// Reads what has come so far; `None` where the answer has not ended yet.
///
/// # Errors
/// [`SgdError`] for what is none and will not become one.
pub fn answer(octets: &[u8]) -> Result<Option<Answer>, SgdError> {
    let begun = octets.trim_ascii_start();
    let inner = match begun {
        [] => return waiting(octets),
        [b'"', inner @ ..] => inner,
        // Some firmware leaves the quotes out here.
        [b'?', ..] => return Ok(Some(Answer::NotThere)),
        _ => return Err(SgdError::NoQuote),
    };
    let Some(end) = inner.iter().position(|octet| *octet == b'"') else {
        return waiting(octets);
    };
    if end > ANSWER_BYTES_MAX {
        return Err(SgdError::TooLong);
    }
    let value = text::decode(inner.get(..end).unwrap_or_default(), Charset::Unsaid);
    Ok(Some(if value == NOT_THERE {
        Answer::NotThere
    } else {
        Answer::Text(value)
    }))
}

fn waiting(octets: &[u8]) -> Result<Option<Answer>, SgdError> {
    if octets.len() > ANSWER_BYTES_MAX {
        return Err(SgdError::TooLong);
    }
    Ok(None)
}
