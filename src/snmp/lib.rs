//! SNMP messages, versions 1, 2c and 3: bytes and values.
//!
//! Used by the agent (asks), the simulator (answers) and `printer` (reads the answers).
//! Pure: no socket, no clock, no disk. There is no encoder for SetRequest anywhere, on purpose:
//! on some printers a SET runs commands (CVE-2024-27143), so the agent cannot send one.

mod ber;
mod decode;
mod encode;
mod lenient;
mod message;
mod oid;
pub mod recording;
pub mod traverse;
pub mod usm;

pub use decode::{DecodeError, VALUE_SIZE_MAX, VARBINDS_MAX, decode};
pub use encode::{EncodeError, asking, question, question_of};
pub use message::{ErrorStatus, Message, Pdu, PduKind, Value, VarBind, Version};
pub use oid::{ARCS_MAX, Oid, ParseOidError, dotted, dotted_row};
