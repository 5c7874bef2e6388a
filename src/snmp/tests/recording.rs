//! Recordings: what is written is read back, and what is wrong is named by its line.

use proptest::prelude::*;
use snmp::recording::{LineFault, Recording};
use snmp::{Oid, Value, VarBind};

#[test]
fn a_recording_is_read_object_by_object() {
    let text = b"1.3.6.1.2.1.1.1.0|4|Some | printer \n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.1347.41\n\
        1.3.6.1.2.1.1.3.0|67|4294967295\n1.3.6.1.2.1.1.5.0|4x|00ff\n1.3.6.1.2.1.2.1.0|2|-3\n\
        1.3.6.1.2.1.4.1.0|64|10.0.0.1\n1.3.6.1.2.1.4.2.0|5|\n1.3.6.1.2.1.10.1.0|65|7\n";
    let recording = Recording::parse(text).expect("parses");
    let oid = |text: &str| text.parse::<Oid>().expect("an object");
    let value = |text: &str| recording.get(&oid(text)).cloned().expect("is there");
    assert_eq!(
        value("1.3.6.1.2.1.1.1.0"),
        Value::OctetString(b"Some | printer ".to_vec())
    );
    assert_eq!(value("1.3.6.1.2.1.1.3.0"), Value::TimeTicks(u32::MAX));
    assert_eq!(value("1.3.6.1.2.1.1.5.0"), Value::OctetString(vec![0, 255]));
    assert_eq!(value("1.3.6.1.2.1.2.1.0"), Value::Integer(-3));
    assert_eq!(
        value("1.3.6.1.2.1.4.1.0"),
        Value::IpAddress(vec![10, 0, 0, 1])
    );
    let (next, _) = recording
        .next_after(&oid("1.3.6.1.2.1.4.2.0"))
        .expect("more follows");
    assert_eq!(
        *next,
        oid("1.3.6.1.2.1.10.1.0"),
        "number by number, not as text"
    );
    assert_eq!(recording.next_after(&oid("1.3.6.1.2.1.10.1.0")), None);
    assert_eq!(recording.to_text(), text);
}

#[test]
fn a_wrong_line_is_named() {
    let table: &[(&[u8], usize)] = &[
        (b"1.3|2|1\nnonsense\n", 2),
        (b"1.x|2|1\n", 1),
        (b"\n\n1.3|999|1\n", 3),
        (b"1.3|2|one\n", 1),
        (b"1.3|4x|0f0\n", 1),
        (b"1.3|4x|zz\n", 1),
        (b"1.3|64|10.0.0\n", 1),
        (b"1.3|65|-1\n", 1),
    ];
    for (text, line) in table {
        let error = Recording::parse(text).expect_err("is wrong");
        assert_eq!(error.line, *line, "{error}");
    }
    let error = Recording::parse(b"1.3|2\n").expect_err("is wrong");
    assert_eq!(error.fault, LineFault::Bars);
    assert_eq!(error.to_string(), "line 1: not OID|TAG|VALUE");
}

fn any_value() -> impl Strategy<Value = Value> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        octets().prop_map(Value::OctetString),
        "[ -~]{0,40}".prop_map(|text| Value::OctetString(text.into_bytes())),
        Just(Value::Null),
        proptest::collection::vec(any::<u32>(), 0..9)
            .prop_map(|a| Value::ObjectId(Oid::new(&a).into())),
        octets().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        octets().prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::EndOfMibView),
        octets().prop_map(|octets| Value::Unknown { tag: 0x45, octets }),
        Just(Value::Unknown {
            tag: 0x02,
            octets: vec![1; 9]
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        objects in proptest::collection::vec(
            (proptest::collection::vec(any::<u32>(), 1..12), any_value()), 0..20,
        ),
    ) {
        let recording: Recording =
            objects.into_iter().map(|(arcs, value)| VarBind::new(Oid::new(&arcs), value)).collect();
        prop_assert_eq!(Recording::parse(&recording.to_text()), Ok(recording));
    }

    #[test]
    fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Recording::parse(&text);
    }
}
