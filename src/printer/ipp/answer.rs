//! Decodes an answer (RFC 8010 §3), for ever bounded, whatever the octets are.
//!
//! Only the attributes of [`ATTRIBUTES`] in the printer's own group are kept. What else a printer
//! sends is stepped over unread, so a value that its maker got wrong there does no harm; nothing is
//! built from collections, whose depth is counted and nothing else.

use super::{
    ATTRIBUTES, BEGIN_COLLECTION, END, END_COLLECTION, ENUM, INTEGER, KEYWORD, NAME,
    NAME_WITH_LANGUAGE, OCTET_STRING, PRINTER_GROUP, TEXT, TEXT_WITH_LANGUAGE, URI,
};
use crate::text::{self, Charset};

/// Most octets of an answer. The longest of real printers, with every attribute, has 18,152.
pub const ANSWER_BYTES_MAX: usize = 262_144;

/// Most attributes of an answer; real printers have up to 130.
const ATTRIBUTES_MAX: usize = 2_048;

/// Most values of an answer, those within collections too: presses list every size of paper.
const VALUES_MAX: usize = 16_384;

/// Most collections within each other; media-col-database has three.
const DEPTH_MAX: usize = 16;

/// Longest length that two octets with a sign can say (RFC 8010 §3.1.1).
const LENGTH_MAX: u16 = 0x7fff;

/// Octets before the first group: version, status, number of the question.
const HEADER_BYTES: usize = 8;

/// The first status that is no success (RFC 8010 §3.4.3, RFC 8011 appendix B).
const REFUSALS_FROM: u16 = 0x0100;

/// Delimiter tags end here (RFC 8010 §3.5.1).
const DELIMITERS_END: u8 = 0x10;

/// Why an answer says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IppError {
    /// It is longer than any printer's.
    #[error("the IPP answer is longer than {ANSWER_BYTES_MAX} octets")]
    TooLong,
    /// It ends before it is complete.
    #[error("the IPP answer ends in the middle: octet {at} is missing")]
    Truncated {
        /// The first octet that is not there.
        at: usize,
    },
    /// A length is negative.
    #[error("the IPP answer has a negative length at octet {at}")]
    NegativeLength {
        /// Where.
        at: usize,
    },
    /// A value stands where none can: before the first group or attribute.
    #[error("the IPP answer has a value without a name at octet {at}")]
    Stray {
        /// Where.
        at: usize,
    },
    /// A group tag that cannot be.
    #[error("the IPP answer has a group of tag 0x00 at octet {at}")]
    NoGroup {
        /// Where.
        at: usize,
    },
    /// A collection ends that has not begun, or does not end.
    #[error("the IPP answer has a collection that does not add up at octet {at}")]
    Unbalanced {
        /// Where.
        at: usize,
    },
    /// Collections within collections without end.
    #[error("the IPP answer has more than {DEPTH_MAX} collections within each other")]
    TooDeep,
    /// More attributes or values than any printer has.
    #[error("the IPP answer has more than {ATTRIBUTES_MAX} attributes or {VALUES_MAX} values")]
    TooMany,
    /// A number that has not four octets.
    #[error("the IPP answer has a number of {length} octets in {attribute}, which needs 4")]
    WrongLength {
        /// Of which attribute.
        attribute: &'static str,
        /// What it has.
        length: usize,
    },
    /// The printer refuses.
    #[error("the printer refuses the IPP question: {}", status_words(*.0))]
    Refused(u16),
    /// There is no printer in it.
    #[error("the IPP answer is complete, and says nothing of a printer")]
    NoPrinter,
}

impl IppError {
    /// Whether the printer does not speak the version it was asked in
    /// (server-error-version-not-supported).
    #[must_use]
    pub fn is_of_version(&self) -> bool {
        *self == Self::Refused(0x0503)
    }

    /// Whether there is no printer at the path that was asked (client-error-not-found).
    #[must_use]
    pub fn is_of_path(&self) -> bool {
        *self == Self::Refused(0x0406)
    }
}

/// The words of RFC 8011 appendix B for what a Get-Printer-Attributes can be answered.
fn status_words(status: u16) -> String {
    let words = match status {
        0x0400 => "bad request",
        0x0401 => "forbidden",
        0x0402 => "not authenticated",
        0x0403 => "not authorized",
        0x0404 => "not possible",
        0x0406 => "not found",
        0x040b => "attributes or values not supported",
        0x040d => "charset not supported",
        0x0500 => "internal error",
        0x0501 => "operation not supported",
        0x0502 => "service unavailable",
        0x0503 => "version not supported",
        0x0504 => "device error",
        0x0505 => "temporary error",
        0x0507 => "busy",
        _ => return format!("status 0x{status:04x}"),
    };
    format!("{words} (status 0x{status:04x})")
}

/// What a printer said: the attributes that were asked for, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    kept: Vec<(&'static str, Vec<Value>)>,
}

/// One value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// integer or enum.
    Number(i32),
    /// Any kind of text, decoded; the octets of octetString too, whose form PWG 5100.9 makes text.
    Text(String),
    /// Another type, or an out-of-band one (unknown, no-value): nothing to be read.
    Other,
}

impl Value {
    fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(_) | Self::Other => "",
        }
    }
}

impl Answer {
    /// The values of an attribute; none where the printer lacks it. A single value is a list of one.
    pub(super) fn values(&self, name: &str) -> &[Value] {
        let found = self.kept.iter().find(|(kept, _)| *kept == name);
        found.map_or(&[], |(_, values)| values.as_slice())
    }

    /// The numbers of an attribute; `None` in the place of what is none.
    pub(super) fn numbers(&self, name: &str) -> Vec<Option<i64>> {
        let number = |value: &Value| match value {
            Value::Number(number) => Some(i64::from(*number)),
            Value::Text(_) | Value::Other => None,
        };
        self.values(name).iter().map(number).collect()
    }

    /// The first number of an attribute.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.numbers(name).first().copied().flatten()
    }

    /// The texts of an attribute; empty ones keep their places.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        self.values(name).iter().map(Value::as_text).collect()
    }

    /// The first text of an attribute, if there is anything in it.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let first = self.texts(name).first().copied()?;
        (!first.is_empty()).then(|| first.to_owned())
    }
}

/// Decodes the answer to [`super::question`].
///
/// # Errors
/// [`IppError`]; `Refused` is what a sound printer says when it does not want to.
pub fn decode(octets: &[u8]) -> Result<Answer, IppError> {
    if octets.len() > ANSWER_BYTES_MAX {
        return Err(IppError::TooLong);
    }
    let mut reader = Reader { octets, at: 0 };
    let header = reader.take(HEADER_BYTES)?;
    let status = match header {
        [_, _, high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => return Err(IppError::Truncated { at: reader.at }),
    };
    // A printer that refuses may say so in a version that we do not know.
    if status >= REFUSALS_FROM {
        return Err(IppError::Refused(status));
    }
    let mut taken = Taken::default();
    loop {
        let at = reader.at;
        let tag = reader.octet()?;
        if tag == END {
            break;
        } else if tag < DELIMITERS_END {
            taken.group(tag, at)?;
        } else {
            let name = reader.field()?;
            let value = reader.field()?;
            taken.value(tag, (name, value), at)?;
        }
    }
    taken.finish(reader.at)
}

/// Octets, and how far they are read.
struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], IppError> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let at = self.octets.len();
        let taken = rest.get(..count).ok_or(IppError::Truncated { at })?;
        self.at += count;
        Ok(taken)
    }

    fn octet(&mut self) -> Result<u8, IppError> {
        let at = self.octets.len();
        let taken = self.take(1)?.first().copied();
        taken.ok_or(IppError::Truncated { at })
    }

    /// A length in two octets, and so many.
    fn field(&mut self) -> Result<&'a [u8], IppError> {
        let at = self.at;
        let length = u16::from_be_bytes([self.octet()?, self.octet()?]);
        if length > LENGTH_MAX {
            return Err(IppError::NegativeLength { at });
        }
        self.take(usize::from(length))
    }
}

/// What has been taken from an answer so far.
#[derive(Default)]
struct Taken {
    /// The group that is being read; none before the first.
    group: Option<u8>,
    /// Whether there is an attribute that a value without a name belongs to.
    has_attribute: bool,
    /// The attribute that is being read, where it is one to keep.
    current: Option<&'static str>,
    depth: usize,
    attributes: usize,
    values: usize,
    answer: Answer,
}

impl Taken {
    fn group(&mut self, tag: u8, at: usize) -> Result<(), IppError> {
        if tag == 0 {
            return Err(IppError::NoGroup { at });
        }
        if self.depth > 0 {
            return Err(IppError::Unbalanced { at });
        }
        self.group = Some(tag);
        self.has_attribute = false;
        self.current = None;
        Ok(())
    }

    fn value(&mut self, tag: u8, (name, value): (&[u8], &[u8]), at: usize) -> Result<(), IppError> {
        self.values += 1;
        let is_new = !name.is_empty() && self.depth == 0;
        self.attributes += usize::from(is_new);
        if self.values > VALUES_MAX || self.attributes > ATTRIBUTES_MAX {
            return Err(IppError::TooMany);
        }
        if is_new && self.group.is_some() {
            self.begin(name);
        }
        if !self.has_attribute {
            return Err(IppError::Stray { at });
        }
        match tag {
            BEGIN_COLLECTION => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(IppError::TooDeep);
                }
            }
            END_COLLECTION => {
                let out = self.depth.checked_sub(1);
                self.depth = out.ok_or(IppError::Unbalanced { at })?;
            }
            // Nothing that is asked for is a collection.
            _ if self.depth > 0 => {}
            _ => return self.keep(tag, value),
        }
        Ok(())
    }

    /// Begins an attribute. Of two with one name the first stands.
    fn begin(&mut self, name: &[u8]) {
        self.has_attribute = true;
        let is_known = |known: &str| self.answer.kept.iter().any(|(kept, _)| *kept == known);
        let wanted = ATTRIBUTES.iter().find(|known| known.as_bytes() == name);
        let wanted = wanted.filter(|known| self.group == Some(PRINTER_GROUP) && !is_known(known));
        self.current = wanted.copied();
        if let Some(name) = self.current {
            self.answer.kept.push((name, Vec::new()));
        }
    }

    fn keep(&mut self, tag: u8, octets: &[u8]) -> Result<(), IppError> {
        let (Some(attribute), Some((_, values))) = (self.current, self.answer.kept.last_mut())
        else {
            return Ok(());
        };
        // What has fields within is longer than other texts.
        let is_long = tag == OCTET_STRING || attribute == "printer-device-id";
        let text = |octets: &[u8]| {
            Value::Text(if is_long {
                text::decode_device_id(octets, Charset::Unsaid)
            } else {
                text::decode(octets, Charset::Unsaid)
            })
        };
        values.push(match tag {
            INTEGER | ENUM => {
                let length = octets.len();
                let wrong = |_| IppError::WrongLength { attribute, length };
                Value::Number(i32::from_be_bytes(octets.try_into().map_err(wrong)?))
            }
            TEXT | NAME | KEYWORD | URI | OCTET_STRING => text(octets),
            TEXT_WITH_LANGUAGE | NAME_WITH_LANGUAGE => {
                without_language(octets).map_or(Value::Other, text)
            }
            _ => Value::Other,
        });
        Ok(())
    }

    fn finish(self, at: usize) -> Result<Answer, IppError> {
        if self.depth > 0 {
            return Err(IppError::Unbalanced { at });
        }
        Ok(self.answer)
    }
}

/// The text behind its language (RFC 8010 §3.9): each with a length of its own.
fn without_language(octets: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader { octets, at: 0 };
    reader.field().ok()?;
    reader.field().ok()
}
