//! Messages to bytes (BER, X.690), always in the shortest form.
//!
//! There is deliberately no way to encode a SetRequest.

use crate::ber;
use crate::oid::ARCS_MAX;
use crate::{Message, Oid, Pdu, PduKind, Value, VarBind, Version};

/// Arcs below the roots 0 and 1 (X.690 §8.19.4).
const ARCS_UNDER_ROOT: u32 = 40;

/// Why a message cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A SetRequest: Platen never writes to a device.
    #[error("a SetRequest is never sent")]
    Set,
    /// GetBulk exists from version 2c on.
    #[error("version 1 has no GetBulkRequest")]
    BulkInVersion1,
    /// An object identifier that BER cannot say.
    #[error("{0} cannot be written: two to 128 arcs, the first up to 2")]
    Oid(Box<Oid>),
}

impl Message {
    /// Writes the message.
    ///
    /// # Errors
    /// [`EncodeError`] for a SetRequest, for GetBulk in version 1, and for an impossible object
    /// identifier.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let pdu = encode_pdu(&self.pdu, self.version)?;
        let mut body = Vec::with_capacity(pdu.len() + self.community.len() + 8);
        let version = match self.version {
            Version::V1 => 0,
            Version::V2c => 1,
        };
        put_integer(&mut body, ber::INTEGER, version);
        put(&mut body, ber::OCTET_STRING, &self.community);
        body.extend_from_slice(&pdu);
        let mut out = Vec::with_capacity(body.len() + 4);
        put(&mut out, ber::SEQUENCE, &body);
        Ok(out)
    }
}

pub(crate) fn encode_pdu(pdu: &Pdu, version: Version) -> Result<Vec<u8>, EncodeError> {
    let status = i64::from(pdu.error_status.number());
    let index = i64::from(pdu.error_index);
    let (tag, second, third) = match pdu.kind {
        PduKind::Get => (ber::GET, status, index),
        PduKind::GetNext => (ber::GET_NEXT, status, index),
        PduKind::Response => (ber::RESPONSE, status, index),
        PduKind::GetBulk { .. } if version == Version::V1 => {
            return Err(EncodeError::BulkInVersion1);
        }
        PduKind::GetBulk {
            non_repeaters,
            max_repetitions,
        } => (
            ber::GET_BULK,
            i64::from(non_repeaters),
            i64::from(max_repetitions),
        ),
        PduKind::Set => return Err(EncodeError::Set),
    };
    let mut varbinds = Vec::new();
    for varbind in &pdu.varbinds {
        put_varbind(&mut varbinds, varbind)?;
    }
    let mut body = Vec::with_capacity(varbinds.len() + 24);
    put_integer(&mut body, ber::INTEGER, pdu.request_id);
    put_integer(&mut body, ber::INTEGER, second);
    put_integer(&mut body, ber::INTEGER, third);
    put(&mut body, ber::SEQUENCE, &varbinds);
    let mut out = Vec::with_capacity(body.len() + 4);
    put(&mut out, tag, &body);
    Ok(out)
}

fn put_varbind(out: &mut Vec<u8>, varbind: &VarBind) -> Result<(), EncodeError> {
    let mut body = Vec::with_capacity(32);
    put(&mut body, ber::OBJECT_ID, &oid_octets(&varbind.oid)?);
    put_value(&mut body, &varbind.value)?;
    put(out, ber::SEQUENCE, &body);
    Ok(())
}

fn put_value(out: &mut Vec<u8>, value: &Value) -> Result<(), EncodeError> {
    match value {
        Value::Integer(number) => put_integer(out, ber::INTEGER, *number),
        Value::OctetString(octets) => put(out, ber::OCTET_STRING, octets),
        Value::Null => put(out, ber::NULL, &[]),
        Value::ObjectId(oid) => put(out, ber::OBJECT_ID, &oid_octets(oid)?),
        Value::IpAddress(octets) => put(out, ber::IP_ADDRESS, octets),
        Value::Counter32(number) => put_integer(out, ber::COUNTER32, i64::from(*number)),
        Value::Gauge32(number) => put_integer(out, ber::GAUGE32, i64::from(*number)),
        Value::TimeTicks(number) => put_integer(out, ber::TIME_TICKS, i64::from(*number)),
        Value::Opaque(octets) => put(out, ber::OPAQUE, octets),
        Value::Counter64(number) => put_number(out, ber::COUNTER64, i128::from(*number)),
        Value::NoSuchObject => put(out, ber::NO_SUCH_OBJECT, &[]),
        Value::NoSuchInstance => put(out, ber::NO_SUCH_INSTANCE, &[]),
        Value::EndOfMibView => put(out, ber::END_OF_MIB_VIEW, &[]),
        Value::Unknown { tag, octets } => put(out, *tag, octets),
    }
    Ok(())
}

pub(crate) fn put_integer(out: &mut Vec<u8>, tag: u8, number: i64) {
    put_number(out, tag, i128::from(number));
}

/// Writes a number in two's complement with no superfluous leading octet (X.690 §8.3.2).
fn put_number(out: &mut Vec<u8>, tag: u8, number: i128) {
    let octets = number.to_be_bytes();
    let needless = octets
        .windows(2)
        .take_while(|pair| {
            matches!(pair, [0x00, next] if *next < 0x80)
                || matches!(pair, [0xff, next] if *next >= 0x80)
        })
        .count();
    put(out, tag, &octets[needless..]);
}

/// Writes tag, length and contents (X.690 §8.1).
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    out.push(tag);
    let length = contents.len().to_be_bytes();
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(_) | Err(_) => {
            let leading = length.iter().take_while(|octet| **octet == 0).count();
            let digits = &length[leading..];
            // A length has at most eight octets, so the count fits beside the long-form bit.
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            out.extend_from_slice(digits);
        }
    }
    out.extend_from_slice(contents);
}

/// The contents of an object identifier (X.690 §8.19). No arcs at all give no octets: some devices
/// answer so where they have no identifier.
fn oid_octets(oid: &Oid) -> Result<Vec<u8>, EncodeError> {
    let refuse = || EncodeError::Oid(Box::new(oid.clone()));
    let (first, second, rest) = match oid.arcs() {
        [] => return Ok(Vec::new()),
        [first, second, rest @ ..] => (*first, *second, rest),
        [_] => return Err(refuse()),
    };
    if first > 2 || (first < 2 && second >= ARCS_UNDER_ROOT) || oid.arcs().len() > ARCS_MAX {
        return Err(refuse());
    }
    let mut octets = Vec::with_capacity(oid.arcs().len() + 4);
    put_arc(
        &mut octets,
        u64::from(first * ARCS_UNDER_ROOT) + u64::from(second),
    );
    for arc in rest {
        put_arc(&mut octets, u64::from(*arc));
    }
    Ok(octets)
}

/// Writes one arc, seven bits an octet, most significant first.
fn put_arc(out: &mut Vec<u8>, arc: u64) {
    let mut shift = 28 + 7;
    while shift > 0 && arc >> shift == 0 {
        shift -= 7;
    }
    while shift > 0 {
        out.push(0x80 | low_seven_bits(arc >> shift));
        shift -= 7;
    }
    out.push(low_seven_bits(arc));
}

fn low_seven_bits(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}
