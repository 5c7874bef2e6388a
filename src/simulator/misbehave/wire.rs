//! Octets that no proper encoder writes: BER by hand, as right or wrong as asked.

use snmp::{Message, Version};

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const RESPONSE: u8 = 0xa2;

/// Tag, length and contents; the length in four octets, which holds every size.
pub(super) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let size = u32::try_from(contents.len()).unwrap_or(u32::MAX);
    let mut octets = vec![tag, 0x84];
    octets.extend_from_slice(&size.to_be_bytes());
    octets.extend_from_slice(contents);
    octets
}

/// An object identifier of any arcs, each with `padding` needless octets before it.
pub(super) fn oid(arcs: &[u64], padding: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    let (first, rest) = match arcs {
        [first, second, rest @ ..] => (first * 40 + second, rest),
        _ => (0, arcs),
    };
    for arc in [first].iter().chain(rest) {
        octets.extend(std::iter::repeat_n(0x80, padding));
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            // Seven bits fit an octet.
            let seven = u8::try_from(arc >> (7 * group) & 0x7f).unwrap_or(0);
            octets.push(if group > 0 { seven | 0x80 } else { seven });
        }
    }
    element(OBJECT_ID, &octets)
}

/// An object whose value is the number 1.
pub(super) fn varbind(oid: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[oid, &element(INTEGER, &[1])].concat())
}

/// A whole answer to a question, with these objects.
pub(super) fn answer(question: &Message, varbinds: &[u8]) -> Vec<u8> {
    let pdu = [
        element(INTEGER, &question.pdu.request_id.to_be_bytes()),
        element(INTEGER, &[0]),
        element(INTEGER, &[0]),
        element(SEQUENCE, varbinds),
    ];
    let version = match question.version {
        Version::V1 => 0,
        Version::V2c => 1,
    };
    let message = [
        element(INTEGER, &[version]),
        element(OCTET_STRING, &question.community),
        element(RESPONSE, &pdu.concat()),
    ];
    element(SEQUENCE, &message.concat())
}

/// This many sequences, one in the other; as deep as a datagram can hold.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    let mut sizes = Vec::with_capacity(depth);
    let mut size = 0_usize;
    for _ in 0..depth {
        sizes.push(size);
        size += if size < 0x80 { 2 } else { 4 };
    }
    let mut octets = Vec::with_capacity(size);
    for size in sizes.into_iter().rev() {
        octets.push(SEQUENCE);
        match u8::try_from(size) {
            Ok(short) if short < 0x80 => octets.push(short),
            _ => {
                let size = u16::try_from(size).unwrap_or(u16::MAX);
                octets.push(0x82);
                octets.extend_from_slice(&size.to_be_bytes());
            }
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_is_a_message_where_it_should_be() {
        let question = snmp::Message {
            version: Version::V2c,
            community: b"public".to_vec(),
            pdu: snmp::Pdu {
                kind: snmp::PduKind::GetNext,
                request_id: 4_711,
                error_status: snmp::ErrorStatus::NoError,
                error_index: 0,
                varbinds: Vec::new(),
            },
        };
        let wanted = snmp::Oid::new(&[1, 3, 6, 1, 4_294_967_295]);
        for padding in [0, 3] {
            let object = varbind(&oid(&[1, 3, 6, 1, 4_294_967_295], padding));
            let read = snmp::decode(&answer(&question, &object)).unwrap();
            assert_eq!(read.pdu.request_id, 4_711);
            assert_eq!(
                read.pdu.varbinds[0].oid, wanted,
                "{padding} octets of padding"
            );
        }
        let object = varbind(&oid(&[1, 3, 6, 1, 1 << 33], 0));
        let refused = snmp::decode(&answer(&question, &object));
        assert_eq!(refused, Err(snmp::DecodeError::Oid));
        assert_eq!(nested(3), [0x30, 4, 0x30, 2, 0x30, 0]);
    }
}
