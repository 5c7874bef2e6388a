//! The lenient decoder: what real printers send and a strict one rejects.
//!
//! Used by `decode` after the strict decoder gave up, and by `usm` for what stands around a PDU. It accepts counters with the high bit
//! set, wide integers, IpAddress of any length, negative request-ids, any community, values
//! without octets, unknown tags, and octets behind the message. It never guesses a number: what
//! cannot be one is kept raw, and what has no octets is NULL.

use crate::ber;
use crate::decode::{DecodeError, VALUE_SIZE_MAX, VARBINDS_MAX};
use crate::oid::ARCS_MAX;
use crate::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind, Version};

/// Most octets of a length in the long form: four say 4 GiB, and no datagram holds that.
const LENGTH_OCTETS_MAX: usize = 4;

/// Most octets of a tag's number in the long form: five hold 32 bits.
const TAG_OCTETS_MAX: usize = 5;

/// Highest first subidentifier: root 2 and the highest arc (X.690 §8.19.4).
const FIRST_SUBIDENTIFIER_MAX: u64 = 80 + u32::MAX as u64;

/// Tags from here on are SNMP's own, application or context class (X.690 §8.1.2).
const CLASS_APPLICATION: u8 = 0x40;

/// Arcs of an object identifier that is short: all but one in a thousand of a printer's.
const ARCS_SHORT: usize = 24;

/// The bit of a tag that says that elements are inside.
const CONSTRUCTED: u8 = 0x20;
/// The first tag of the class "private".
const CLASS_PRIVATE: u8 = 0xc0;

/// A position in some octets.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// Takes one element: tag and contents.
    pub(crate) fn element(&mut self) -> Result<(u8, &'a [u8]), DecodeError> {
        let (tag, after) = tag(self.0)?;
        let [length, rest @ ..] = after else {
            return Err(DecodeError::Truncated);
        };
        let (length, rest) = if *length < 0x80 {
            (usize::from(*length), rest)
        } else {
            let digits = usize::from(*length & 0x7f);
            if digits == 0 || digits > LENGTH_OCTETS_MAX {
                return Err(DecodeError::NotAMessage);
            }
            let Some((digits, rest)) = rest.split_at_checked(digits) else {
                return Err(DecodeError::Truncated);
            };
            (
                digits
                    .iter()
                    .fold(0, |sum, digit| (sum << 8) | usize::from(*digit)),
                rest,
            )
        };
        let Some((contents, rest)) = rest.split_at_checked(length) else {
            return Err(DecodeError::Truncated);
        };
        self.0 = rest;
        Ok((tag, contents))
    }

    /// Takes one element that must have this tag.
    pub(crate) fn tagged(&mut self, wanted: u8) -> Result<&'a [u8], DecodeError> {
        let (tag, contents) = self.element()?;
        if tag == wanted {
            Ok(contents)
        } else {
            Err(DecodeError::NotAMessage)
        }
    }

    /// Takes an INTEGER of the message's frame.
    pub(crate) fn integer(&mut self) -> Result<i64, DecodeError> {
        signed(self.tagged(ber::INTEGER)?).ok_or(DecodeError::NotAMessage)
    }
}

/// Takes a tag. One whose number takes octets of its own (X.690 §8.1.2.4) is the same as in one octet
/// where the number fits in there, as it is to the strict decoder, which keeps 32 bits of it; of others
/// the first octet stands for all.
fn tag(octets: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let [first, rest @ ..] = octets else {
        return Err(DecodeError::Truncated);
    };
    if first & ber::NUMBER != ber::NUMBER {
        return Ok((*first, rest));
    }
    let mut digits = rest.iter().take(TAG_OCTETS_MAX);
    let Some(last) = digits.position(|digit| *digit < 0x80) else {
        return Err(match rest.len() {
            ..TAG_OCTETS_MAX => DecodeError::Truncated,
            _ => DecodeError::NotAMessage,
        });
    };
    let (digits, rest) = rest.split_at(last + 1);
    let number = digits
        .iter()
        .fold(0_u32, |sum, digit| (sum << 7) | u32::from(digit & 0x7f));
    let number = u8::try_from(number).unwrap_or(ber::NUMBER).min(ber::NUMBER);
    Ok((first & !ber::NUMBER | number, rest))
}

/// Decodes one message.
pub(crate) fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    let mut message = Reader(Reader(bytes).tagged(ber::SEQUENCE)?);
    let version = match message.integer()? {
        0 => Version::V1,
        1 => Version::V2c,
        other => return Err(DecodeError::Version(other)),
    };
    let community = message.tagged(ber::OCTET_STRING)?.to_vec();
    let (tag, contents) = message.element()?;
    Ok(Message {
        version,
        community,
        pdu: pdu(tag, contents)?,
    })
}

fn pdu(tag: u8, contents: &[u8]) -> Result<Pdu, DecodeError> {
    let mut reader = Reader(contents);
    if !matches!(
        tag,
        ber::GET | ber::GET_NEXT | ber::RESPONSE | ber::SET | ber::GET_BULK
    ) {
        return Err(DecodeError::Kind(tag));
    }
    let request_id = reader.integer()?;
    let (second, third) = (
        not_negative(reader.integer()?),
        not_negative(reader.integer()?),
    );
    let kind = match tag {
        ber::GET => PduKind::Get,
        ber::GET_NEXT => PduKind::GetNext,
        ber::RESPONSE => PduKind::Response,
        ber::SET => PduKind::Set,
        _ => PduKind::GetBulk {
            non_repeaters: second,
            max_repetitions: third,
        },
    };
    let (error_status, error_index) = match kind {
        PduKind::GetBulk { .. } => (ErrorStatus::NoError, 0),
        PduKind::Get | PduKind::GetNext | PduKind::Response | PduKind::Set => {
            (ErrorStatus::from_number(second), third)
        }
    };
    let varbinds = varbinds(reader.tagged(ber::SEQUENCE)?)?;
    Ok(Pdu {
        kind,
        request_id,
        error_status,
        error_index,
        varbinds,
    })
}

/// Decodes the contents of a list of varbinds.
pub(crate) fn varbinds(contents: &[u8]) -> Result<Vec<VarBind>, DecodeError> {
    let mut list = Reader(contents);
    let mut varbinds = Vec::new();
    while !list.0.is_empty() {
        if varbinds.len() == VARBINDS_MAX {
            return Err(DecodeError::TooManyVarbinds);
        }
        let mut pair = Reader(list.tagged(ber::SEQUENCE)?);
        let oid = oid(pair.tagged(ber::OBJECT_ID)?)?;
        let (tag, octets) = pair.element()?;
        varbinds.push(VarBind {
            oid,
            value: value(tag, octets)?,
        });
    }
    Ok(varbinds)
}

fn value(tag: u8, octets: &[u8]) -> Result<Value, DecodeError> {
    if octets.len() > VALUE_SIZE_MAX {
        return Err(DecodeError::ValueTooLong);
    }
    let raw = || Value::Unknown {
        tag,
        octets: octets.to_vec(),
    };
    // The strict decoder looks at the number alone of a universal or private tag, and passes over the
    // bit for "constructed" of others, so both must: a value is not another one for what is beside it.
    let number = tag & ber::NUMBER;
    let is_universal = matches!(number, ber::INTEGER | ber::OCTET_STRING | ber::OBJECT_ID);
    let known = match tag {
        ..CLASS_APPLICATION | CLASS_PRIVATE.. if is_universal => number,
        ..CLASS_APPLICATION => tag,
        _ => tag & !CONSTRUCTED,
    };
    let value = match known {
        ber::OCTET_STRING => Value::OctetString(octets.to_vec()),
        ber::OBJECT_ID => Value::ObjectId(Box::new(oid(octets)?)),
        ber::IP_ADDRESS => Value::IpAddress(octets.to_vec()),
        ber::OPAQUE => Value::Opaque(octets.to_vec()),
        ber::NULL => Value::Null,
        ber::NO_SUCH_OBJECT => Value::NoSuchObject,
        ber::NO_SUCH_INSTANCE => Value::NoSuchInstance,
        ber::END_OF_MIB_VIEW => Value::EndOfMibView,
        ber::INTEGER | ber::COUNTER32 | ber::GAUGE32 | ber::TIME_TICKS | ber::COUNTER64
            if octets.is_empty() =>
        {
            Value::Null
        }
        ber::INTEGER => signed(octets).map_or_else(raw, Value::Integer),
        ber::COUNTER32 => unsigned32(octets).map_or_else(raw, Value::Counter32),
        ber::GAUGE32 => unsigned32(octets).map_or_else(raw, Value::Gauge32),
        ber::TIME_TICKS => unsigned32(octets).map_or_else(raw, Value::TimeTicks),
        ber::COUNTER64 => unsigned64(octets).map_or_else(raw, Value::Counter64),
        _ => raw(),
    };
    Ok(value)
}

/// Reads an object identifier. No octets at all are no arcs: some devices answer so.
pub(crate) fn oid(octets: &[u8]) -> Result<Oid, DecodeError> {
    // An octet ends one arc at most, and the first ends two. Nearly all are short, most of arcs of one
    // octet each.
    if let [first, rest @ ..] = octets
        && octets.len() < ARCS_SHORT
        && octets.iter().fold(0, |all, octet| all | octet) < 0x80
    {
        let root = (*first / 40).min(2);
        let mut arcs = [0; ARCS_SHORT];
        (arcs[0], arcs[1]) = (u32::from(root), u32::from(*first - root * 40));
        for (arc, octet) in arcs[2..].iter_mut().zip(rest) {
            *arc = u32::from(*octet);
        }
        Ok(Oid::new(&arcs[..octets.len() + 1]))
    } else if octets.len() < ARCS_SHORT {
        oid_within::<ARCS_SHORT>(octets)
    } else {
        oid_within::<ARCS_MAX>(octets)
    }
}

fn oid_within<const ROOM: usize>(octets: &[u8]) -> Result<Oid, DecodeError> {
    // On the stack: only what is in the message takes memory, four octets for one at most.
    let mut arcs = [0_u32; ROOM];
    let mut count = 0;
    let mut put = |arc: u64| {
        let place = arcs.get_mut(count).ok_or(DecodeError::Oid)?;
        *place = u32::try_from(arc).map_err(|_| DecodeError::Oid)?;
        count += 1;
        Ok(count)
    };
    let mut is_first = true;
    let mut arc: u64 = 0;
    let mut is_complete = true;
    for octet in octets {
        arc = (arc << 7) | u64::from(octet & 0x7f);
        if arc > FIRST_SUBIDENTIFIER_MAX {
            return Err(DecodeError::Oid);
        }
        is_complete = octet & 0x80 == 0;
        if !is_complete {
            continue;
        }
        if std::mem::take(&mut is_first) {
            let root = (arc / 40).min(2);
            put(root)?;
            arc -= root * 40;
        }
        put(arc)?;
        arc = 0;
    }
    if is_complete {
        Ok(Oid::new(&arcs[..count]))
    } else {
        Err(DecodeError::Oid)
    }
}

/// Two's complement of up to 64 bits; more octets only where they merely repeat the sign.
fn signed(octets: &[u8]) -> Option<i64> {
    let negative = octets.first()? & 0x80 != 0;
    let number = octets
        .iter()
        .try_fold(if negative { -1_i128 } else { 0 }, |sum, octet| {
            let next = (sum << 8) | i128::from(*octet);
            i64::try_from(next).is_ok().then_some(next)
        })?;
    i64::try_from(number).ok()
}

/// 32 bits without a sign. Leading octets may repeat the sign that some devices mistake the high
/// bit for; anything more cannot be a 32-bit number. Fewer octets with the high bit set are none: -5,
/// 251 without its zero, or 4,294,967,291 as somebody's sign.
fn unsigned32(octets: &[u8]) -> Option<u32> {
    if octets.len() < 4 && octets.first().is_some_and(|octet| *octet >= 0x80) {
        return None;
    }
    let split = octets.len().saturating_sub(4);
    let (lead, digits) = octets.split_at_checked(split)?;
    let repeats_zero = lead.iter().all(|octet| *octet == 0);
    let repeats_sign =
        lead.iter().all(|octet| *octet == 0xff) && digits.first().is_some_and(|d| *d >= 0x80);
    (repeats_zero || repeats_sign).then(|| {
        digits
            .iter()
            .fold(0, |sum, digit| (sum << 8) | u32::from(*digit))
    })
}

/// 64 bits without a sign; one leading zero octet is what BER asks for.
fn unsigned64(octets: &[u8]) -> Option<u64> {
    let split = octets.len().saturating_sub(8);
    let (lead, digits) = octets.split_at_checked(split)?;
    lead.iter().all(|octet| *octet == 0).then(|| {
        digits
            .iter()
            .fold(0, |sum, digit| (sum << 8) | u64::from(*digit))
    })
}

/// A number of the frame that the RFCs keep non-negative; a negative one counts as 0
/// (RFC 3416 §4.2.3 says so of GetBulk).
fn not_negative(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
