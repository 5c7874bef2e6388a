//! Bytes to messages: strict first (snmp-parser), then lenient for what real printers send.
//!
//! The strict decoder is a well-tested crate and decides every ordinary message; it rejects a
//! whole message for one odd value, so what it rejects is read again by [`crate::lenient`].

use snmp_parser::{
    NetworkAddress, ObjectSyntax, PduType, SnmpMessage, SnmpPdu, SnmpVariable, VarBindValue,
    parse_snmp_v1, parse_snmp_v2c,
};

use crate::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind, Version, lenient};

/// Most varbinds in one message. We ask for some forty; the simulator answers what it is asked.
pub const VARBINDS_MAX: usize = 2_048;

/// Most octets of one value. The longest seen in a recording of a printer has under 1,000.
pub const VALUE_SIZE_MAX: usize = 8 * 1_024;

/// Longest message that the strict decoder is given. Answers to our own questions have under 2 KiB;
/// of the smallest objects it makes 20 times the memory of their octets, and it knows no bound.
const STRICT_SIZE_MAX: usize = 8 * 1_024;

/// Tags that snmp-parser takes for NULL by their number: a constructed NULL, `[APPLICATION 5]` and
/// `[PRIVATE 5]`, plain and constructed.
const TAKEN_FOR_NULL: [u8; 5] = [0x25, 0x45, 0x65, 0xc5, 0xe5];

/// Why some bytes are no SNMP message for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Neither decoder could read it.
    #[error("not an SNMP message of version 1 or 2c")]
    NotAMessage,
    /// An element says it is longer than what is there.
    #[error("the message is cut off")]
    Truncated,
    /// Another version, by its number on the wire (3 is SNMPv3).
    #[error("SNMP version number {0} is neither version 1 nor 2c")]
    Version(i64),
    /// A PDU that is neither question nor answer (a trap, say), by its tag.
    #[error("a PDU with tag {0:#04x} is neither question nor answer")]
    Kind(u8),
    /// An object identifier with more than 128 arcs, or an arc above 32 bits.
    #[error("an object identifier is beyond 128 arcs of 32 bits")]
    Oid,
    /// More than [`VARBINDS_MAX`].
    #[error("more than {VARBINDS_MAX} varbinds")]
    TooManyVarbinds,
    /// A value above [`VALUE_SIZE_MAX`].
    #[error("a value is longer than {VALUE_SIZE_MAX} bytes")]
    ValueTooLong,
}

/// Decodes one message.
///
/// Octets behind the message are ignored, as many devices pad their answers.
///
/// # Errors
/// [`DecodeError`] when neither decoder can read it, or it is beyond the limits here.
pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    if bytes.len() > STRICT_SIZE_MAX {
        return lenient::decode(bytes);
    }
    match strict(bytes) {
        Some(message) if !is_doubtful(&message, bytes) => Ok(message),
        Some(_) | None => lenient::decode(bytes),
    }
}

/// Whether a message holds a value that snmp-parser 0.11 makes of two different things: it takes
/// a counter without octets for 0, and `[APPLICATION 5]` for NULL. The lenient decoder tells them
/// apart. A question is full of NULL and asks for no value, so it is doubtful only where one of the
/// others can be in it.
fn is_doubtful(message: &Message, bytes: &[u8]) -> bool {
    let is_either = |value: &Value| {
        matches!(
            value,
            Value::Null
                | Value::Counter32(0)
                | Value::Gauge32(0)
                | Value::TimeTicks(0)
                | Value::Counter64(0)
        )
    };
    let may_differ = message.pdu.kind == PduKind::Response
        || bytes.iter().any(|octet| TAKEN_FOR_NULL.contains(octet));
    let mut varbinds = message.pdu.varbinds.iter();
    may_differ && varbinds.any(|varbind| is_either(&varbind.value))
}

/// Decodes by snmp-parser; `None` where it fails or says something that has no place in
/// [`Message`], so that one decoder decides about each whole message.
fn strict(bytes: &[u8]) -> Option<Message> {
    let message = parse_snmp_v2c(bytes)
        .or_else(|_| parse_snmp_v1(bytes))
        .ok()?
        .1;
    let SnmpMessage {
        version,
        community,
        pdu,
    } = message;
    let version = match version {
        0 => Version::V1,
        1 => Version::V2c,
        _ => return None,
    };
    let pdu = match pdu {
        SnmpPdu::Generic(pdu) => Pdu {
            kind: match pdu.pdu_type {
                PduType::GetRequest => PduKind::Get,
                PduType::GetNextRequest => PduKind::GetNext,
                PduType::Response => PduKind::Response,
                PduType::SetRequest => PduKind::Set,
                _ => return None,
            },
            request_id: i64::from(pdu.req_id),
            error_status: ErrorStatus::from_number(pdu.err.0),
            error_index: pdu.err_index,
            varbinds: varbinds(&pdu.var)?,
        },
        SnmpPdu::Bulk(pdu) => Pdu {
            kind: PduKind::GetBulk {
                non_repeaters: pdu.non_repeaters,
                max_repetitions: pdu.max_repetitions,
            },
            request_id: i64::from(pdu.req_id),
            error_status: ErrorStatus::NoError,
            error_index: 0,
            varbinds: varbinds(&pdu.var)?,
        },
        SnmpPdu::TrapV1(_) => return None,
    };
    Some(Message {
        version,
        community: community.into_bytes(),
        pdu,
    })
}

fn varbinds(variables: &[SnmpVariable<'_>]) -> Option<Vec<VarBind>> {
    if variables.len() > VARBINDS_MAX {
        return None;
    }
    let mut varbinds = Vec::with_capacity(variables.len());
    for variable in variables {
        varbinds.push(VarBind {
            oid: oid(&variable.oid)?,
            value: value(&variable.val)?,
        });
    }
    Some(varbinds)
}

fn oid(oid: &asn1_rs::Oid<'_>) -> Option<Oid> {
    // asn1-rs 0.7 takes the first octet for the first two arcs, also where they take more octets
    // or are 2.40 and up, so its octets are read here.
    // Two arcs are what snmp-parser makes of no octets at all; the lenient decoder tells them apart.
    match lenient::oid(oid.as_bytes()) {
        Ok(oid) if oid.arcs().len() > 2 => Some(oid),
        Ok(_) | Err(_) => None,
    }
}

fn value(value: &VarBindValue<'_>) -> Option<Value> {
    let value = match value {
        VarBindValue::Unspecified => Value::Null,
        VarBindValue::NoSuchObject => Value::NoSuchObject,
        VarBindValue::NoSuchInstance => Value::NoSuchInstance,
        VarBindValue::EndOfMibView => Value::EndOfMibView,
        VarBindValue::Value(syntax) => match syntax {
            ObjectSyntax::Number(number) => Value::Integer(i64::from(*number)),
            ObjectSyntax::String(octets) => Value::OctetString(bounded(octets)?),
            ObjectSyntax::Object(name) => Value::ObjectId(Box::new(oid(name)?)),
            ObjectSyntax::IpAddress(NetworkAddress::IPv4(address)) => {
                Value::IpAddress(address.octets().to_vec())
            }
            ObjectSyntax::Counter32(number) => Value::Counter32(*number),
            ObjectSyntax::Gauge32(number) => Value::Gauge32(*number),
            ObjectSyntax::TimeTicks(number) => Value::TimeTicks(*number),
            ObjectSyntax::Counter64(number) => Value::Counter64(*number),
            ObjectSyntax::Opaque(octets) => Value::Opaque(bounded(octets)?),
            ObjectSyntax::BitString(_)
            | ObjectSyntax::Empty
            | ObjectSyntax::UnknownSimple(_)
            | ObjectSyntax::NsapAddress(_)
            | ObjectSyntax::UInteger32(_)
            | ObjectSyntax::UnknownApplication(_) => return None,
        },
    };
    Some(value)
}

fn bounded(octets: &[u8]) -> Option<Vec<u8>> {
    (octets.len() <= VALUE_SIZE_MAX).then(|| octets.to_vec())
}
