//! The values of an SNMP message (RFC 1157, RFC 3416).

use crate::Oid;

/// The versions spoken here, with their number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// SNMPv1 (RFC 1157), 0 on the wire.
    V1,
    /// Community-based SNMPv2 (RFC 1901), 1 on the wire.
    V2c,
}

/// A whole message: version, community, and one PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Version of the message.
    pub version: Version,
    /// The community, any octets.
    pub community: Vec<u8>,
    /// What is asked or answered.
    pub pdu: Pdu,
}

/// One question or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// What it is.
    pub kind: PduKind,
    /// Pairs an answer with its question. We send 1..2³¹−1; anything may come back.
    pub request_id: i64,
    /// Zero in a question.
    pub error_status: ErrorStatus,
    /// One-based index of the varbind that failed, 0 where none did.
    pub error_index: u32,
    /// The objects asked or answered.
    pub varbinds: Vec<VarBind>,
}

/// The kinds of PDU that Platen can say or hear. SetRequest can be heard (by the simulator, to
/// refuse it) but has no encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PduKind {
    /// GetRequest.
    Get,
    /// GetNextRequest.
    GetNext,
    /// GetBulkRequest, version 2c only.
    GetBulk {
        /// How many leading varbinds are asked once only.
        non_repeaters: u32,
        /// How often the others are asked on.
        max_repetitions: u32,
    },
    /// Response.
    Response,
    /// SetRequest: heard, never sent.
    Set,
}

/// What went wrong with a question (RFC 3416 §3, error-status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStatus {
    /// noError (0).
    NoError,
    /// tooBig (1): the answer does not fit into one message.
    TooBig,
    /// noSuchName (2): version 1 for "no such object", and for the end of a walk.
    NoSuchName,
    /// readOnly (4).
    ReadOnly,
    /// genErr (5).
    GenErr,
    /// Any other, by its number.
    Other(u32),
}

impl ErrorStatus {
    /// The status behind a number on the wire.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::NoError,
            1 => Self::TooBig,
            2 => Self::NoSuchName,
            4 => Self::ReadOnly,
            5 => Self::GenErr,
            other => Self::Other(other),
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::NoError => 0,
            Self::TooBig => 1,
            Self::NoSuchName => 2,
            Self::ReadOnly => 4,
            Self::GenErr => 5,
            Self::Other(other) => other,
        }
    }
}

/// One object and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarBind {
    /// The object's instance.
    pub oid: Oid,
    /// Its value; [`Value::Null`] in a question.
    pub value: Value,
}

/// A value as it came: nothing is interpreted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// INTEGER. Some printers answer with more than 32 bits.
    Integer(i64),
    /// OCTET STRING.
    OctetString(Vec<u8>),
    /// NULL.
    Null,
    /// OBJECT IDENTIFIER: few objects hold one, and it would be three times the others' size.
    ObjectId(Box<Oid>),
    /// IpAddress; any length was seen in the field, so the octets stand as they came.
    IpAddress(Vec<u8>),
    /// Counter32.
    Counter32(u32),
    /// Gauge32 or Unsigned32.
    Gauge32(u32),
    /// TimeTicks, hundredths of a second.
    TimeTicks(u32),
    /// Opaque.
    Opaque(Vec<u8>),
    /// Counter64, version 2c only.
    Counter64(u64),
    /// noSuchObject: the device does not know the object.
    NoSuchObject,
    /// noSuchInstance: the object exists, this instance does not.
    NoSuchInstance,
    /// endOfMibView: nothing follows.
    EndOfMibView,
    /// A tag that no RFC knows, with its octets.
    Unknown {
        /// The BER tag.
        tag: u8,
        /// The contents.
        octets: Vec<u8>,
    },
}

impl VarBind {
    /// Pairs an object with its value.
    #[must_use]
    pub fn new(oid: Oid, value: Value) -> Self {
        Self { oid, value }
    }

    /// Names an object in a question: its value is NULL.
    #[must_use]
    pub fn asking(oid: Oid) -> Self {
        Self {
            oid,
            value: Value::Null,
        }
    }
}

impl Value {
    /// How many octets the value takes in memory, for budgets.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::OctetString(octets)
            | Self::IpAddress(octets)
            | Self::Opaque(octets)
            | Self::Unknown { octets, .. } => octets.len(),
            Self::ObjectId(oid) => size_of_val(oid.arcs()),
            Self::Integer(_) | Self::Counter64(_) => 8,
            Self::Counter32(_) | Self::Gauge32(_) | Self::TimeTicks(_) => 4,
            Self::Null | Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView => 0,
        }
    }

    /// Whether the value says that there is none (noSuchObject, noSuchInstance, endOfMibView, NULL).
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(
            self,
            Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView | Self::Null
        )
    }
}
