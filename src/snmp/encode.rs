//! Messages to bytes (BER, X.690), always in the shortest form.
//!
//! There is deliberately no way to encode a SetRequest.

use crate::ber;
use crate::oid::ARCS_MAX;
use crate::{Message, Oid, Pdu, PduKind, Value, Version};

/// Arcs below the roots 0 and 1 (X.690 §8.19.4).
const ARCS_UNDER_ROOT: u32 = 40;

/// Octets that one object of a message takes, more or less: room is made for so many at once.
const OBJECT_BYTES: usize = 24;

/// Octets of a question beside its objects and its community, at most.
const FRAME_BYTES: usize = 64;

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
        let varbinds = &self.pdu.varbinds;
        let mut out = Backwards(Vec::with_capacity(64 + OBJECT_BYTES * varbinds.len()));
        out.pdu(&self.pdu, self.version)?;
        Ok(out.framed(self.version, &self.community))
    }
}

/// Writes a question for these objects, as [`Message::encode`] does, without making a message first.
///
/// # Errors
/// As [`Message::encode`].
pub fn question(
    asked_as: (Version, &[u8]),
    kind: PduKind,
    request_id: i64,
    oids: &[Oid],
) -> Result<Vec<u8>, EncodeError> {
    question_of(asked_as, kind, request_id, &asking(oids)?)
}

/// Writes objects as a question names them: each with no value.
///
/// # Errors
/// [`EncodeError::Oid`].
pub fn asking(oids: &[Oid]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Backwards(Vec::with_capacity(OBJECT_BYTES * oids.len()));
    for oid in oids.iter().rev() {
        out.varbind(oid, &Value::Null)?;
    }
    Ok(out.finish())
}

/// As [`question`], of objects that [`asking`] has written.
///
/// # Errors
/// As [`Message::encode`].
pub fn question_of(
    (version, community): (Version, &[u8]),
    kind: PduKind,
    request_id: i64,
    written: &[u8],
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Backwards(Vec::with_capacity(
        FRAME_BYTES + community.len() + written.len(),
    ));
    out.0.extend(written.iter().rev());
    out.head(kind, version, (request_id, 0, 0))?;
    Ok(out.framed(version, community))
}

pub(crate) fn encode_pdu(pdu: &Pdu, version: Version) -> Result<Vec<u8>, EncodeError> {
    let mut out = Backwards(Vec::new());
    out.pdu(pdu, version)?;
    Ok(out.finish())
}

/// Octets that are written from the last to the first: how long an element is, is known when its
/// length is written, so nothing is written twice.
struct Backwards(Vec<u8>);

impl Backwards {
    /// The octets in their order.
    fn finish(mut self) -> Vec<u8> {
        self.0.reverse();
        self.0
    }

    /// Ends an element whose contents began at this position, by its length and tag (X.690 §8.1).
    fn close(&mut self, tag: u8, from: usize) {
        let mut length = self.0.len() - from;
        if length < 0x80 {
            self.0.push(low_octet(length));
        } else {
            let digits = self.0.len();
            while length > 0 {
                self.0.push(low_octet(length));
                length >>= 8;
            }
            // A length has at most eight octets, so the count fits beside the long-form bit.
            self.0.push(0x80 | low_octet(self.0.len() - digits));
        }
        if tag & ber::NUMBER == ber::NUMBER {
            // Somebody's unknown tag, of whose number nothing is kept: any that needs the long form.
            self.0.push(ber::NUMBER);
        }
        self.0.push(tag);
    }

    fn octets(&mut self, tag: u8, octets: &[u8]) {
        let from = self.0.len();
        self.0.extend(octets.iter().rev());
        self.close(tag, from);
    }

    /// Writes a number in two's complement with no superfluous leading octet (X.690 §8.3.2).
    fn integer(&mut self, tag: u8, mut number: i64) {
        let from = self.0.len();
        loop {
            let octet = number.to_le_bytes()[0];
            self.0.push(octet);
            number >>= 8;
            let sign = if octet < 0x80 { 0 } else { -1 };
            if number == sign {
                break;
            }
        }
        self.close(tag, from);
    }

    fn unsigned(&mut self, tag: u8, number: u64) {
        if let Ok(number) = i64::try_from(number) {
            return self.integer(tag, number);
        }
        let from = self.0.len();
        self.0.extend(number.to_le_bytes());
        self.0.push(0);
        self.close(tag, from);
    }

    /// Writes an object identifier (X.690 §8.19). No arcs at all give no octets: some devices
    /// answer so where they have no identifier.
    fn oid(&mut self, oid: &Oid) -> Result<(), EncodeError> {
        let refuse = || EncodeError::Oid(Box::new(oid.clone()));
        let from = self.0.len();
        match oid.arcs() {
            [] => {}
            [_] => return Err(refuse()),
            [first, second, rest @ ..] => {
                let is_beyond = *first > 2 || (*first < 2 && *second >= ARCS_UNDER_ROOT);
                if is_beyond || oid.arcs().len() > ARCS_MAX {
                    return Err(refuse());
                }
                if rest.iter().fold(0, |all, arc| all | arc) < 0x80 {
                    self.0
                        .extend(rest.iter().rev().map(|arc| arc.to_le_bytes()[0]));
                } else {
                    for arc in rest.iter().rev() {
                        self.arc(u64::from(*arc));
                    }
                }
                self.arc(u64::from(first * ARCS_UNDER_ROOT) + u64::from(*second));
            }
        }
        self.close(ber::OBJECT_ID, from);
        Ok(())
    }

    /// Writes one arc, seven bits an octet.
    fn arc(&mut self, mut arc: u64) {
        let mut more = 0;
        loop {
            self.0.push(more | (arc.to_le_bytes()[0] & 0x7f));
            arc >>= 7;
            more = 0x80;
            if arc == 0 {
                break;
            }
        }
    }

    fn value(&mut self, value: &Value) -> Result<(), EncodeError> {
        match value {
            Value::Integer(number) => self.integer(ber::INTEGER, *number),
            Value::OctetString(octets) => self.octets(ber::OCTET_STRING, octets),
            Value::Null => self.octets(ber::NULL, &[]),
            Value::ObjectId(oid) => self.oid(oid)?,
            Value::IpAddress(octets) => self.octets(ber::IP_ADDRESS, octets),
            Value::Counter32(number) => self.integer(ber::COUNTER32, i64::from(*number)),
            Value::Gauge32(number) => self.integer(ber::GAUGE32, i64::from(*number)),
            Value::TimeTicks(number) => self.integer(ber::TIME_TICKS, i64::from(*number)),
            Value::Opaque(octets) => self.octets(ber::OPAQUE, octets),
            Value::Counter64(number) => self.unsigned(ber::COUNTER64, *number),
            Value::NoSuchObject => self.octets(ber::NO_SUCH_OBJECT, &[]),
            Value::NoSuchInstance => self.octets(ber::NO_SUCH_INSTANCE, &[]),
            Value::EndOfMibView => self.octets(ber::END_OF_MIB_VIEW, &[]),
            Value::Unknown { tag, octets } => self.octets(*tag, octets),
        }
        Ok(())
    }

    fn varbind(&mut self, oid: &Oid, value: &Value) -> Result<(), EncodeError> {
        let from = self.0.len();
        self.value(value)?;
        self.oid(oid)?;
        self.close(ber::SEQUENCE, from);
        Ok(())
    }

    fn pdu(&mut self, pdu: &Pdu, version: Version) -> Result<(), EncodeError> {
        for varbind in pdu.varbinds.iter().rev() {
            self.varbind(&varbind.oid, &varbind.value)?;
        }
        let status = i64::from(pdu.error_status.number());
        let numbers = (pdu.request_id, status, i64::from(pdu.error_index));
        self.head(pdu.kind, version, numbers)
    }

    /// Ends a PDU that holds nothing but its varbinds so far. The numbers: request-id, error-status,
    /// error-index; GetBulk has its own in place of the latter two.
    fn head(
        &mut self,
        kind: PduKind,
        version: Version,
        (request_id, status, index): (i64, i64, i64),
    ) -> Result<(), EncodeError> {
        let (tag, second, third) = match kind {
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
        self.close(ber::SEQUENCE, 0);
        self.integer(ber::INTEGER, third);
        self.integer(ber::INTEGER, second);
        self.integer(ber::INTEGER, request_id);
        self.close(tag, 0);
        Ok(())
    }

    /// Puts the frame around a PDU.
    fn framed(mut self, version: Version, community: &[u8]) -> Vec<u8> {
        let version = match version {
            Version::V1 => 0,
            Version::V2c => 1,
        };
        self.octets(ber::OCTET_STRING, community);
        self.integer(ber::INTEGER, version);
        self.close(ber::SEQUENCE, 0);
        self.finish()
    }
}

fn low_octet(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

/// Writes a number, for what stands around a PDU of version 3.
pub(crate) fn put_integer(out: &mut Vec<u8>, tag: u8, number: i64) {
    let mut written = Backwards(Vec::with_capacity(10));
    written.integer(tag, number);
    out.extend(written.finish());
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
