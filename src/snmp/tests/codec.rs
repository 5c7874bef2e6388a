//! The codec against bytes that others wrote, and against itself.

#![expect(clippy::expect_used, reason = "a helper of tests fails as a test does")]

use proptest::prelude::*;
use snmp::{
    DecodeError, EncodeError, ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind, Version,
    decode,
};

/// sysDescr.0, the object that every example asks.
const SYS_DESCR: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 1, 0];

/// A Response with request-id 1 around these octets of one value (tag, length, contents), for
/// object 1.3.6.1.2.1.1.1.0, version 2c, community `public`.
fn response_around(value: &[u8]) -> Vec<u8> {
    let object = [0x06, 0x08, 0x2b, 6, 1, 2, 1, 1, 1, 0];
    let pair = wrap(0x30, &[&object, value].concat());
    let frame = [0x02, 1, 1, 0x02, 1, 0, 0x02, 1, 0];
    let pdu = wrap(0xa2, &[&frame[..], &wrap(0x30, &pair)].concat());
    wrap(0x30, &[b"\x02\x01\x01\x04\x06public", &pdu[..]].concat())
}

fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let header = if length < 0x80 {
        vec![tag, length as u8]
    } else {
        vec![tag, 0x82, (length >> 8) as u8, length as u8]
    };
    [&header, contents].concat()
}

fn value_of(octets: &[u8]) -> Value {
    let message = decode(&response_around(octets)).expect("decodes");
    message
        .pdu
        .varbinds
        .into_iter()
        .next()
        .expect("one varbind")
        .value
}

fn question(kind: PduKind, version: Version) -> Message {
    let varbinds = vec![VarBind::asking(SYS_DESCR.into())];
    let pdu = Pdu {
        kind,
        request_id: 1,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds,
    };
    Message {
        version,
        community: b"public".to_vec(),
        pdu,
    }
}

#[test]
fn a_get_request_is_written_as_x690_says() {
    // By hand after X.690 and RFC 1157 §4.1.2; net-snmp's snmpget writes the same octets.
    let octets = [
        0x30, 0x26, 0x02, 0x01, 0x00, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x19,
        0x02, 0x01, 0x01, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x08,
        0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x00, 0x05, 0x00,
    ];
    let message = question(PduKind::Get, Version::V1);
    assert_eq!(message.encode().as_deref(), Ok(&octets[..]));
    assert_eq!(decode(&octets), Ok(message));
}

#[test]
fn a_bulk_request_carries_its_two_numbers() {
    let kind = PduKind::GetBulk {
        non_repeaters: 0,
        max_repetitions: 300,
    };
    let octets = question(kind, Version::V2c).encode().expect("encodes");
    assert_eq!(octets[13], 0xa5, "the tag of GetBulkRequest, RFC 3416 §3");
    assert_eq!(octets[18..25], [0x02, 1, 0, 0x02, 2, 0x01, 0x2c]);
    assert_eq!(decode(&octets).map(|message| message.pdu.kind), Ok(kind));
}

#[test]
fn no_set_and_no_bulk_of_version_1_is_ever_written() {
    assert_eq!(
        question(PduKind::Set, Version::V2c).encode(),
        Err(EncodeError::Set)
    );
    let bulk = PduKind::GetBulk {
        non_repeaters: 0,
        max_repetitions: 1,
    };
    assert_eq!(
        question(bulk, Version::V1).encode(),
        Err(EncodeError::BulkInVersion1)
    );
}

#[test]
fn a_set_is_heard() {
    let mut octets = question(PduKind::Get, Version::V2c)
        .encode()
        .expect("encodes");
    octets[13] = 0xa3;
    assert_eq!(
        decode(&octets).map(|message| message.pdu.kind),
        Ok(PduKind::Set)
    );
}

#[test]
fn odd_values_of_real_devices_are_read() {
    // Each was seen to make a strict decoder reject the whole message.
    let raw = |tag, octets: &[u8]| Value::Unknown {
        tag,
        octets: octets.to_vec(),
    };
    let table: &[(&[u8], Value)] = &[
        (
            &[0x41, 4, 0xff, 0xff, 0xff, 0xfe],
            Value::Counter32(4_294_967_294),
        ),
        (&[0x42, 4, 0x80, 0, 0, 0], Value::Gauge32(2_147_483_648)),
        (&[0x43, 4, 0x80, 0, 0, 1], Value::TimeTicks(2_147_483_649)),
        (
            &[0x41, 5, 0, 0xff, 0xff, 0xff, 0xff],
            Value::Counter32(u32::MAX),
        ),
        (
            &[0x41, 5, 0xff, 0xff, 0xff, 0xff, 0xfe],
            Value::Counter32(4_294_967_294),
        ),
        (&[0x41, 5, 1, 0, 0, 0, 0], raw(0x41, &[1, 0, 0, 0, 0])),
        (&[0x42, 1, 0xfb], raw(0x42, &[0xfb])),
        (&[0x41, 3, 0x80, 0, 0], raw(0x41, &[0x80, 0, 0])),
        (&[0x42, 2, 0, 0xfb], Value::Gauge32(251)),
        (
            &[0x02, 5, 0, 0xff, 0xff, 0xff, 0xff],
            Value::Integer(4_294_967_295),
        ),
        (&[0x02, 1, 0xfd], Value::Integer(-3)),
        (&[0x02, 0], Value::Null),
        (&[0x41, 0], Value::Null),
        (&[0x41, 1, 0], Value::Counter32(0)),
        (
            &[0x02, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            raw(0x02, &[1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
        (&[0x40, 0], Value::IpAddress(vec![])),
        (
            &[
                0x40, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
            ],
            { Value::IpAddress((1..=16).collect()) },
        ),
        (
            &[0x46, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255],
            Value::Counter64(u64::MAX),
        ),
        (
            &[0x46, 8, 255, 255, 255, 255, 255, 255, 255, 255],
            Value::Counter64(u64::MAX),
        ),
        (&[0x06, 0], Value::ObjectId(Box::default())),
        (&[0x06, 1, 0], Value::ObjectId(Box::new([0, 0].into()))),
        (
            &[0x06, 6, 0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f],
            Value::ObjectId(Box::new([1, 3, u32::MAX].into())),
        ),
        // Root 2 with a second arc of 40 and up, and padding before the first octet.
        (
            &[0x06, 2, 0x81, 0x34],
            Value::ObjectId(Box::new([2, 100].into())),
        ),
        (
            &[0x06, 3, 0x79, 0x01, 0x02],
            Value::ObjectId(Box::new([2, 41, 1, 2].into())),
        ),
        (
            &[0x06, 4, 0x80, 0x2b, 0x06, 0x01],
            Value::ObjectId(Box::new([1, 3, 6, 1].into())),
        ),
        (&[0x04, 2, 0xe4, 0xff], Value::OctetString(vec![0xe4, 0xff])),
        (&[0x45, 1, 7], raw(0x45, &[7])),
        (&[0x80, 0], Value::NoSuchObject),
        // With the bit for "constructed" set: one decoder must not differ from the other.
        (&[0xa0, 0], Value::NoSuchObject),
        (&[0x64, 0], Value::Opaque(Vec::new())),
        (&[0x81, 0], Value::NoSuchInstance),
        (&[0x82, 0], Value::EndOfMibView),
    ];
    for (octets, expected) in table {
        assert_eq!(&value_of(octets), expected, "{octets:02x?}");
    }
}

/// A value that only the lenient decoder reads, so that it decides about the whole message.
const ODD: [u8; 3] = [0x1f, 0x1f, 0x00];

/// The first value of an answer with these two.
fn first_of(values: [&[u8]; 2]) -> Option<Value> {
    let varbinds =
        values.map(|value| wrap(0x30, &[&[0x06, 0x03, 0x2b, 0x06, 0x01][..], value].concat()));
    let pdu = [
        &[2, 1, 1, 2, 1, 0, 2, 1, 0][..],
        &wrap(0x30, &varbinds.concat()),
    ]
    .concat();
    let message = [&[2, 1, 1, 4, 1, b'p'][..], &wrap(0xa2, &pdu)].concat();
    let message = snmp::decode(&wrap(0x30, &message)).ok()?;
    Some(message.pdu.varbinds.first()?.value.clone())
}

#[test]
fn a_value_is_the_same_whatever_stands_beside_it() {
    let contents: [&[u8]; 6] = [
        &[],
        &[4],
        &[0x07, 0xd4],
        &[0xff; 4],
        &[0x2b, 6, 1, 2],
        &[1; 9],
    ];
    let short = (0..=u8::MAX).filter(|tag| tag & 0x1f != 0x1f);
    let short = short.map(|tag| vec![tag]);
    // The number in octets of its own: one, and two of which the first is a leading zero or more.
    let long = (0..8_u8).flat_map(|class| {
        let first = class << 5 | 0x1f;
        let one = (0..0x80).map(move |number| vec![first, number]);
        let leading = [0x80, 0x81, 0xff].map(|leading| (leading, 0..0x80));
        let two = leading.into_iter().flat_map(move |(leading, numbers)| {
            numbers.map(move |number| vec![first, leading, number])
        });
        one.chain(two)
    });
    for tag in short.chain(long) {
        for octets in contents {
            let (first, rest) = tag.split_first().expect("a tag");
            // What else there is of the tag stands before the length.
            let mut value = wrap(*first, octets);
            value.splice(1..1, rest.iter().copied());
            let beside_a_plain_one = first_of([&value, &[2, 1, 5]]);
            let beside_an_odd_one = first_of([&value, &ODD]);
            assert_eq!(
                beside_a_plain_one, beside_an_odd_one,
                "{tag:02x?} {octets:?}"
            );
        }
    }
}

#[test]
fn a_tag_says_the_same_in_one_octet_and_in_more() {
    let told = |value: &[u8]| first_of([value, &ODD]).expect("a value");
    assert_eq!(told(&[0x5f, 0x02, 1, 7]), Value::Gauge32(7));
    assert_eq!(told(&[0x1f, 0x80, 0x04, 1, b'x']), told(&[4, 1, b'x']));
    let unknown = |tag| Value::Unknown {
        tag,
        octets: vec![7],
    };
    assert_eq!(told(&[0x1f, 0x0c, 1, 7]), unknown(0x0c));
    for number in [&[0x1f][..], &[0x7f], &[0x81, 0x02]] {
        let value = [&[0x5f][..], number, &[1, 7]].concat();
        assert_eq!(told(&value), unknown(0x5f), "{number:02x?}");
    }
}

#[test]
fn a_tag_without_end_is_refused() {
    let ends = |tag: &[u8]| snmp::decode(&response_around(tag));
    assert_eq!(ends(&[0x5f]), Err(DecodeError::Truncated));
    assert_eq!(ends(&[0x5f, 0x81]), Err(DecodeError::Truncated));
    assert_eq!(ends(&[0x5f, 2]), Err(DecodeError::Truncated));
    let endless = [&[0x5f][..], &[0x81; 5], &[2, 0]].concat();
    assert_eq!(ends(&endless), Err(DecodeError::NotAMessage));
}

#[test]
fn what_is_unknown_is_the_same_when_it_was_written_again() {
    for tag in [0x1f, 0x3f, 0x5f, 0xdf] {
        let value = [tag, 0x1f, 1, 7];
        let read = snmp::decode(&response_around(&value)).expect("an answer");
        assert_eq!(snmp::decode(&read.encode().expect("encodes")), Ok(read));
    }
}

#[test]
fn a_value_in_a_question_is_told_from_null() {
    // Found by the fuzzer: written again and read, it had become another.
    let mut octets = question(PduKind::Get, Version::V1)
        .encode()
        .expect("encodes");
    let tag = octets.len() - 2;
    assert_eq!(octets[tag..], [0x05, 0]);
    for other in [0x25, 0x45, 0x65, 0xc5, 0xe5] {
        octets[tag] = other;
        let read = snmp::decode(&octets).expect("a question");
        let last = &read.pdu.varbinds.last().expect("an object").value;
        assert_ne!(*last, Value::Null, "{other:#04x}");
        assert_eq!(snmp::decode(&read.encode().expect("encodes")), Ok(read));
    }
}

#[test]
fn a_frame_that_strict_decoders_reject_is_read() {
    let plain = question(PduKind::Get, Version::V2c)
        .encode()
        .expect("encodes");
    let negative = wrap(
        0x30,
        &[&plain[2..15], &[0x02, 1, 0xff], &plain[18..]].concat(),
    );
    assert_eq!(
        decode(&negative).map(|message| message.pdu.request_id),
        Ok(-1)
    );

    let mut community = plain.clone();
    community[7..9].copy_from_slice(&[0xff, 0xfe]);
    assert_eq!(
        decode(&community).map(|message| message.community[0]),
        Ok(0xff)
    );

    let trailing = [&plain[..], &[0, 0, 0]].concat();
    assert_eq!(decode(&trailing), decode(&plain));
}

#[test]
fn what_is_no_message_says_why() {
    let plain = question(PduKind::Get, Version::V2c)
        .encode()
        .expect("encodes");
    assert_eq!(decode(&[]), Err(DecodeError::Truncated));
    assert_eq!(decode(&plain[..20]), Err(DecodeError::Truncated));
    let mut third = plain.clone();
    third[4] = 3;
    assert_eq!(decode(&third), Err(DecodeError::Version(3)));
    let mut trap = plain;
    trap[13] = 0xa7;
    assert_eq!(decode(&trap), Err(DecodeError::Kind(0xa7)));
    assert_eq!(
        decode(b"GET / HTTP/1.1\r\n\r\n"),
        Err(DecodeError::Truncated)
    );
    let long = [&[0x04, 0x82, 0x20, 0x01][..], &[b'a'; 8_193]].concat();
    assert_eq!(
        decode(&response_around(&long)),
        Err(DecodeError::ValueTooLong)
    );
    let arcs = [&[0x06, 0x81, 0x80, 0x2b][..], &[1; 127]].concat();
    assert_eq!(decode(&response_around(&arcs)), Err(DecodeError::Oid));
    let arc = [0x06, 6, 0x2b, 0x90, 0x80, 0x80, 0x80, 0x00];
    assert_eq!(decode(&response_around(&arc)), Err(DecodeError::Oid));
}

#[test]
fn packets_of_other_projects_never_panic() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora/snmp");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: no corpus of packets beside this checkout");
        return;
    };
    for entry in entries {
        let octets = std::fs::read(entry.expect("entry").path()).expect("readable");
        let _ = decode(&octets);
        // Captures hold packets at any offset: every SEQUENCE in the file is tried as a message.
        for at in (0..octets.len()).filter(|at| octets[*at] == 0x30) {
            let end = octets.len().min(at + 1_500);
            if let Ok(message) = decode(&octets[at..end]) {
                let _ = message.encode();
            }
        }
    }
    for (name, objects) in [("snmpv1_req.bin", 1), ("snmpv2c-get-response.bin", 3)] {
        let octets = std::fs::read(format!("{folder}/{name}")).expect("readable");
        let message = decode(&octets).expect(name);
        assert_eq!(message.pdu.varbinds.len(), objects, "{name}");
    }
}

fn any_oid() -> impl Strategy<Value = Oid> {
    let tail = proptest::collection::vec(any::<u32>(), 0..20);
    (0_u32..=2, any::<u32>(), tail).prop_map(|(first, second, tail)| {
        let second = if first < 2 { second % 40 } else { second };
        Oid::new(&[first, second]).with(&tail)
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        octets().prop_map(Value::OctetString),
        Just(Value::Null),
        any_oid().prop_map(|oid| Value::ObjectId(oid.into())),
        octets().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        octets().prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let kind = prop_oneof![
        Just(PduKind::Get),
        Just(PduKind::GetNext),
        Just(PduKind::Response),
        (any::<u32>(), any::<u32>()).prop_map(|(non_repeaters, max_repetitions)| {
            PduKind::GetBulk {
                non_repeaters,
                max_repetitions,
            }
        }),
    ];
    let varbinds = proptest::collection::vec(
        (any_oid(), any_value()).prop_map(|(oid, value)| VarBind { oid, value }),
        0..8,
    );
    let community = proptest::collection::vec(any::<u8>(), 0..20);
    (
        kind,
        any::<i64>(),
        any::<u32>(),
        any::<u32>(),
        community,
        varbinds,
    )
        .prop_map(|(kind, request_id, status, index, community, varbinds)| {
            let is_bulk = matches!(kind, PduKind::GetBulk { .. });
            let (status, error_index) = if is_bulk { (0, 0) } else { (status, index) };
            let error_status = ErrorStatus::from_number(status);
            let pdu = Pdu {
                kind,
                request_id,
                error_status,
                error_index,
                varbinds,
            };
            Message {
                version: Version::V2c,
                community,
                pdu,
            }
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(message in any_message()) {
        let octets = message.encode().expect("encodes");
        prop_assert_eq!(decode(&octets), Ok(message));
    }

    #[test]
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&octets);
    }

    #[test]
    fn a_damaged_message_never_panics(
        message in any_message(), at in any::<prop::sample::Index>(), octet in any::<u8>(),
    ) {
        let mut octets = message.encode().expect("encodes");
        let at = at.index(octets.len());
        octets[at] = octet;
        if let Ok(message) = decode(&octets) {
            let _ = message.encode();
        }
        let _ = decode(&octets[..at]);
    }
}
