//! What came from a device and was no answer to what it was asked.

use std::fmt;

use snmp::DecodeError;
use snmp::usm::Doubt;

/// Why a datagram answers nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It cannot be read.
    #[error(transparent)]
    NoMessage(#[from] DecodeError),
    /// It is in another version than the question.
    #[error("the answer is in another version of SNMP than the question")]
    Version,
    /// It is a question itself, say.
    #[error("what came is no response")]
    Kind,
    /// It answers something else: it is late, came twice, or is forged.
    #[error("the answer has the request-id of another question")]
    RequestId,
    /// It cannot be believed (version 3).
    #[error(transparent)]
    Doubtful(#[from] Doubt),
}

/// What was wrong with the last datagram that answered nothing, if one came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Odd(pub Option<NoAnswer>);

impl fmt::Display for Odd {
    /// As the end of a sentence about a reading that ended early.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(why) => write!(f, "; what it sent was of no use: {why}"),
            None => Ok(()),
        }
    }
}

/// The datagrams that came while a question waited, and answered nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unusable {
    /// How many.
    pub datagrams: u32,
    /// What was wrong with the last one.
    pub why: Option<NoAnswer>,
}

impl Unusable {
    pub(super) fn note(&mut self, why: NoAnswer) {
        self.datagrams = self.datagrams.saturating_add(1);
        self.why = Some(why);
    }
}

impl fmt::Display for Unusable {
    /// As the end of a sentence about silence; nothing where nothing came.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(
                f,
                "; {} datagrams came that were of no use: {why}",
                self.datagrams
            ),
            None => Ok(()),
        }
    }
}
