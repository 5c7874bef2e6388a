//! Bytes to messages: strict first (snmp-parser), then lenient for what real printers send.

use crate::Message;

/// Why some bytes are no SNMP message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Neither decoder could read it.
    #[error("not an SNMP message of version 1 or 2c")]
    NotAMessage,
}

/// Decodes one message.
///
/// # Errors
/// [`DecodeError`] when neither decoder can read it.
pub fn decode(_bytes: &[u8]) -> Result<Message, DecodeError> {
    Err(DecodeError::NotAMessage)
}
