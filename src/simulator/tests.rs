//! The simulator as a whole, without a socket: questions to the rack, and lives over months.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use snmp::recording::Recording;
use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind, Version};

use crate::device::Device;
use crate::fleet::Fleet;
use crate::life::{Life, LifeSettings};
use crate::machine::{Live, Machine};
use crate::mib;
use crate::rack::Rack;

const KYOCERA: &str = "kyocera-taskalfa-4054ci";
const RECORDED: [&str; 8] = [
    KYOCERA,
    "hp-laserjet-m507dn",
    "brother-hl-l6400dw",
    "canon-ir-adv-c3826",
    "ricoh-im-c2500",
    "xerox-versalink-c505",
    "epson-wf-c5890",
    "zebra-zt411",
];
/// Of the recordings of every maker, those with counters that move.
const MAKERS: [&str; 7] = [
    "makers/konica-minolta-bizhub-c459",
    "makers/lexmark-cx725",
    "makers/oki-c844",
    "makers/pantum-bm5100fdw",
    "makers/sharp-mx-4071",
    "makers/toshiba-e-studio3515ac",
    "makers/utax-5008ci",
];
const HOUR: u64 = 3_600_000;

#[test]
fn a_walk_by_getnext_is_the_recording_in_its_order() {
    let mut rack = frozen(KYOCERA);
    let walked = walk(&mut rack, Version::V2c, "public");
    let recorded: Vec<VarBind> = recording(KYOCERA)
        .iter()
        .map(|(oid, value)| VarBind::new(oid.clone(), value.clone()))
        .collect();
    assert_eq!(walked, recorded);
}

#[test]
fn a_walk_in_version_1_steps_over_counter64() {
    let mut rack = frozen(KYOCERA);
    let walked = walk(&mut rack, Version::V1, "public");
    let recording = recording(KYOCERA);
    let sayable = recording
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Counter64(_)));
    assert_eq!(walked.len(), sayable.count());
    assert!(walked.len() < recording.len());
}

#[test]
fn getbulk_gives_the_leading_objects_once_and_the_others_row_by_row() {
    let mut rack = frozen(KYOCERA);
    let kind = PduKind::GetBulk {
        non_repeaters: 1,
        max_repetitions: 3,
    };
    let asked = [
        "1.3.6.1.2.1.1.3",
        "1.3.6.1.2.1.43.11.1.1.8",
        "1.3.6.1.2.1.43.11.1.1.9",
    ];
    let answer = ask(&mut rack, Version::V2c, "public", kind, &asked).unwrap();
    let names: Vec<String> = answer
        .varbinds
        .iter()
        .map(|varbind| varbind.oid.to_string())
        .collect();
    let rows = |row: u32| [8, 9].map(|column| format!("1.3.6.1.2.1.43.11.1.1.{column}.1.{row}"));
    let mut wanted = vec!["1.3.6.1.2.1.1.3.0".to_owned()];
    wanted.extend((1..=3).flat_map(rows));
    assert_eq!(names, wanted);
}

#[test]
fn a_long_getbulk_is_cut_off_and_a_long_get_is_too_big() {
    let mut rack = frozen(KYOCERA);
    let kind = PduKind::GetBulk {
        non_repeaters: 0,
        max_repetitions: 10_000,
    };
    let bytes = question(Version::V2c, "public", kind, &["1.3"]);
    let answer = rack.answer(first(), &bytes, Duration::ZERO).unwrap();
    assert!(
        (1_300..=1_472).contains(&answer.len()),
        "{} bytes",
        answer.len()
    );
    let cut = snmp::decode(&answer).unwrap().pdu;
    assert_eq!(cut.error_status, ErrorStatus::NoError);
    assert!(cut.varbinds.len() > 20);
    let many = ["1.3.6.1.2.1.1.1.0"; 40];
    let answer = ask(&mut rack, Version::V2c, "public", PduKind::Get, &many).unwrap();
    assert_eq!(
        (answer.error_status, answer.varbinds.len()),
        (ErrorStatus::TooBig, 0)
    );
    let answer = ask(&mut rack, Version::V1, "public", PduKind::Get, &many).unwrap();
    assert_eq!(
        (answer.error_status, answer.varbinds.len()),
        (ErrorStatus::TooBig, 40)
    );
}

#[test]
fn what_lies_behind_the_end_is_an_exception_or_an_error_by_version() {
    let mut rack = frozen(KYOCERA);
    let behind = ["1.3.6.1.2.1.1.1.0", "1.4"];
    let answer = ask(&mut rack, Version::V2c, "public", PduKind::GetNext, &behind).unwrap();
    assert_eq!(answer.varbinds[1].value, Value::EndOfMibView);
    let answer = ask(&mut rack, Version::V1, "public", PduKind::GetNext, &behind).unwrap();
    assert_eq!(
        (answer.error_status, answer.error_index),
        (ErrorStatus::NoSuchName, 2)
    );
    let absent = ["1.3.6.1.2.1.1.1.1", "1.3.6.1.2.1.99.1.0"];
    let answer = ask(&mut rack, Version::V2c, "public", PduKind::Get, &absent).unwrap();
    assert_eq!(answer.varbinds[0].value, Value::NoSuchInstance);
    assert_eq!(answer.varbinds[1].value, Value::NoSuchObject);
    let bulk = PduKind::GetBulk {
        non_repeaters: 0,
        max_repetitions: 5,
    };
    let answer = ask(&mut rack, Version::V2c, "public", bulk, &["1.4"]).unwrap();
    assert_eq!(answer.varbinds.len(), 1);
    assert!(
        ask(&mut rack, Version::V2c, "public", bulk, &[])
            .unwrap()
            .varbinds
            .is_empty()
    );
}

#[test]
fn nothing_can_be_set() {
    let mut rack = frozen(KYOCERA);
    // SetRequest sysName.0 := "x", from RFC 3416's syntax; there is no encoder on purpose.
    let mut bytes =
        b"\x30\x28\x02\x01\x01\x04\x06public\xa3\x1b\x02\x01\x07\x02\x01\x00\x02\x01\x00\
        \x30\x10\x30\x0e\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x04\x02xy"
            .to_vec();
    let mut set = |bytes: &[u8]| {
        let answer = rack.answer(first(), bytes, Duration::ZERO).unwrap();
        snmp::decode(&answer).unwrap().pdu.error_status
    };
    assert_eq!(set(&bytes), ErrorStatus::Other(17));
    bytes[4] = 0;
    assert_eq!(set(&bytes), ErrorStatus::NoSuchName);
}

#[test]
fn a_wrong_community_gets_no_answer_and_a_suffix_asks_for_a_context() {
    let mut rack = frozen("hp-laserjet-m507dn");
    let mut descr = |community| {
        ask(
            &mut rack,
            Version::V2c,
            community,
            PduKind::Get,
            &["1.3.6.1.2.1.1.1.0"],
        )
    };
    assert!(descr("public").is_some());
    for stranger in ["private", "", "publi", "public@", "public@Other", "publicX"] {
        assert!(descr(stranger).is_none(), "{stranger}");
    }
    assert_eq!(rack.counts.strangers, 6);
    let walked = walk(&mut rack, Version::V2c, "public@Jetdirect");
    assert_eq!(
        walked.len(),
        recording("hp-laserjet-m507dn@Jetdirect").len()
    );
}

#[test]
fn a_range_with_655_live_answers_exactly_those() {
    let text = format!(
        "seed = 9\n[[printers]]\nrecording = \"{KYOCERA}\"\n\
         addresses = {{ range = \"127.30.0.0/16\", count = 655 }}\n"
    );
    let fleet = Fleet::parse(&text, &PathBuf::new()).unwrap();
    let listed: Vec<IpAddr> = fleet.addresses().collect();
    let mut rack = rack(&text);
    let bytes = question(
        Version::V2c,
        "public",
        PduKind::Get,
        &["1.3.6.1.2.1.43.5.1.1.17.1"],
    );
    let mut serials = std::collections::BTreeSet::new();
    let mut answering = Vec::new();
    for low in 0..=u16::MAX {
        let [c, d] = low.to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(127, 30, c, d));
        if let Some(answer) = rack.answer(address, &bytes, Duration::ZERO) {
            answering.push(address);
            let value = snmp::decode(&answer).unwrap().pdu.varbinds.remove(0).value;
            let Value::OctetString(serial) = value else {
                panic!("{value:?}")
            };
            serials.insert(serial);
        }
    }
    assert_eq!(answering, listed);
    assert_eq!(serials.len(), 655, "each printer its own serial number");
}

#[test]
fn swapped_printers_answer_from_each_others_addresses() {
    let text = format!(
        "[[printers]]\nrecording = \"{KYOCERA}\"\naddresses = [\"127.30.0.1\", \"127.30.0.2\"]\n"
    );
    let mut rack = rack(&text);
    let [a, b] = ["127.30.0.1", "127.30.0.2"].map(|address| address.parse::<IpAddr>().unwrap());
    let bytes = question(
        Version::V2c,
        "public",
        PduKind::Get,
        &["1.3.6.1.2.1.43.5.1.1.17.1"],
    );
    let serial = |rack: &mut Rack, at| rack.answer(at, &bytes, Duration::ZERO);
    let before = (serial(&mut rack, a), serial(&mut rack, b));
    rack.swap(a, b).unwrap();
    assert_eq!((serial(&mut rack, b), serial(&mut rack, a)), before);
    assert_ne!(before.0, before.1);
    assert!(rack.swap(a, "127.30.0.3".parse().unwrap()).is_err());
    assert_eq!((serial(&mut rack, b), serial(&mut rack, a)), before);
}

#[test]
fn the_same_seed_lives_the_same_life_however_often_it_is_asked() {
    for name in RECORDED {
        let machine = Machine::living(&recording(name));
        let settings = busy();
        let mut asked_once = Life::begin(&machine, &settings, 5, false);
        asked_once.advance(&machine, &settings, 60 * HOUR);
        let mut asked_often = Life::begin(&machine, &settings, 5, false);
        for hour in 0..=60 {
            asked_often.advance(&machine, &settings, hour * HOUR);
        }
        assert_eq!(asked_once, asked_often, "{name}");
        let mut other = Life::begin(&machine, &settings, 6, false);
        other.advance(&machine, &settings, 60 * HOUR);
        assert_ne!(asked_once, other, "{name}");
    }
}

#[test]
fn counters_only_grow_but_for_those_that_a_start_resets() {
    for name in RECORDED.into_iter().chain(MAKERS) {
        let mut last: BTreeMap<Oid, i64> = BTreeMap::new();
        let mut starts = 0;
        live(name, 200, HOUR, |device, moving| {
            let started = device.life.as_ref().is_some_and(|life| !life.up_ms().1);
            let mut is_restarted = false;
            for (oid, live, value) in moving {
                let may_fall = match live {
                    Live::UpTime => true,
                    Live::LifeCount(_) | Live::Meter(_) => false,
                    Live::SincePowerOn(_) | Live::CriticalEvents | Live::AllEvents => is_restarted,
                    _ => continue,
                };
                let value = number(value);
                let before = last.insert(oid.clone(), value).unwrap_or(value);
                is_restarted |= *live == Live::UpTime && value < before;
                assert!(
                    may_fall || value >= before,
                    "{name} {oid}: {before}, {value}"
                );
            }
            starts += u32::from(is_restarted);
            assert!(started || starts == 0);
        });
        let machine = Machine::living(&recording(name));
        let moves = |object: &&crate::machine::Object| matches!(object.live, Live::Meter(_));
        let meters = machine.objects().iter().filter(moves).count();
        assert!(
            meters > 0 || RECORDED.contains(&name),
            "{name}: no meter moves"
        );
        assert!(starts > 0, "{name} was never started again");
    }
}

#[test]
fn levels_fall_to_nothing_and_never_below_and_are_replaced() {
    for name in RECORDED {
        let mut levels: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        live(name, 240, HOUR / 2, |device, moving| {
            for (_, live, value) in moving {
                let Live::Level(at) = live else { continue };
                let level = number(value);
                let (capacity, empty) = (
                    device.machine.supplies[*at].capacity,
                    device.machine.empty_level,
                );
                assert!(
                    level >= 0 || level == -3 || level == empty,
                    "{name} {level}"
                );
                assert!(level <= capacity.max(0), "{name} {level}");
                levels.entry(*at).or_default().push(level);
            }
        });
        let mut pairs = levels.values().flat_map(|levels| levels.windows(2));
        let is_replaced =
            pairs.any(|pair| pair[1] > pair[0] + 1 || (pair[0] == 0 && pair[1] == -3));
        assert!(is_replaced, "{name}: no supply was replaced: {levels:?}");
    }
}

#[test]
fn alerts_bits_statuses_and_counters_agree() {
    let mut seen = [0_u32; 16];
    for name in RECORDED {
        let mut events = 0;
        live(name, 1_500, 120_000, |device, moving| {
            let column = |column: u32| {
                let mut cells = Vec::new();
                let mut at = Oid::new(mib::ALERT).with(&[column]);
                let root = at.clone();
                while let Some(next) = device
                    .next(&at, 0, |_| true)
                    .filter(|next| next.oid.is_under(&root))
                {
                    cells.push(number(&next.value));
                    at = next.oid;
                }
                cells
            };
            let (severities, codes) = (column(2), column(7));
            let of = |wanted: Live| {
                moving
                    .iter()
                    .find(|(_, live, _)| *live == wanted)
                    .map(|(_, _, value)| value)
            };
            let stopped = of(Live::PrinterStatus).map(number) == Some(1)
                && of(Live::DeviceStatus).map(number) == Some(5);
            assert_eq!(severities.contains(&3), stopped, "{name} {codes:?}");
            let all = of(Live::AllEvents).map_or(0, number);
            assert!(
                all >= events || all <= codes.len() as i64,
                "{name}: {events}, {all}"
            );
            events = all;
            let Some(Value::OctetString(bits)) = of(Live::ErrorState) else {
                panic!("{name} has no error state")
            };
            let bit = |number: usize| {
                bits.get(number / 8)
                    .is_some_and(|octet| octet & (0x80 >> (number % 8)) != 0)
            };
            if !bits.is_empty() {
                assert_eq!(bit(5), codes.contains(&8), "{name}: jam");
                assert_eq!(bit(4), codes.contains(&3), "{name}: cover");
            }
            for (number, count) in seen.iter_mut().enumerate() {
                *count += u32::from(bit(number));
            }
        });
    }
    for number in [0, 1, 2, 3, 4, 5] {
        assert!(seen[number] > 0, "bit {number} was never set: {seen:?}");
    }
}

#[test]
fn a_clone_says_its_own_name_and_address_everywhere() {
    let text = format!(
        "[[printers]]\nrecording = \"{KYOCERA}\"\naddresses = [\"127.0.0.1\", \"127.30.0.2\"]\n"
    );
    let mut rack = rack(&text);
    let of = |rack: &mut Rack, at: &str| {
        let bytes = question(
            Version::V2c,
            "public",
            PduKind::Get,
            &[
                "1.3.6.1.2.1.1.5.0",
                "1.3.6.1.2.1.2.2.1.6.1",
                "1.3.6.1.4.1.1347.43.5.1.1.28.1",
                "1.3.6.1.4.1.1347.40.10.1.1.5.1",
            ],
        );
        let answer = rack
            .answer(at.parse().unwrap(), &bytes, Duration::ZERO)
            .unwrap();
        snmp::decode(&answer)
            .unwrap()
            .pdu
            .varbinds
            .into_iter()
            .map(|v| v.value)
            .collect::<Vec<_>>()
    };
    let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
    let mac = |last| Value::OctetString(vec![0, 0x17, 0xc8, 0x7a, 0x10, last]);
    assert_eq!(
        of(&mut rack, "127.0.0.1"),
        [
            text("KM7A10C4"),
            mac(0xc4),
            text("R4H0A00118"),
            text("KM7A10C4")
        ]
    );
    assert_eq!(
        of(&mut rack, "127.30.0.2"),
        [
            text("KM7A10D4"),
            mac(0xd4),
            text("R4H0A00119"),
            text("KM7A10D4")
        ]
    );
}

fn busy() -> LifeSettings {
    LifeSettings {
        pages_per_hour: 600,
        jams_per_10000_pages: 20,
        reboot_hours: 100,
        ..LifeSettings::default()
    }
}

fn first() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings")
}

fn recording(name: &str) -> Recording {
    let text = std::fs::read(recordings().join(format!("{name}.snmprec"))).unwrap();
    Recording::parse(&text).unwrap()
}

fn rack(text: &str) -> Rack {
    let text = format!("recordings = {:?}\n{text}", recordings());
    Rack::set_up(&Fleet::parse(&text, Path::new(".")).unwrap()).unwrap()
}

fn frozen(name: &str) -> Rack {
    rack(&format!(
        "frozen = true\n[[printers]]\nrecording = \"{name}\"\naddresses = \"127.0.0.1\"\n"
    ))
}

type Moving = Vec<(Oid, Live, Value)>;

/// Lets a printer live, and shows it with all that moves, `steps` times.
fn live(name: &str, steps: u64, step_ms: u64, mut show: impl FnMut(&Device, &Moving)) {
    let machine = Arc::new(Machine::living(&recording(name)));
    let mut device = Device {
        machine,
        identity: None,
        life: None,
    };
    for step in 0..steps {
        device.live(&busy(), 5, step * step_ms);
        let moving = device
            .machine
            .objects()
            .iter()
            .filter(|object| object.live != Live::Still);
        let moving = moving.map(|object| {
            let value = device.get(&object.oid, step * step_ms).unwrap();
            (object.oid.clone(), object.live, value)
        });
        show(&device, &moving.collect());
    }
}

fn question(version: Version, community: &str, kind: PduKind, oids: &[&str]) -> Vec<u8> {
    let varbinds = oids
        .iter()
        .map(|oid| VarBind::asking(oid.parse().unwrap()))
        .collect();
    let pdu = Pdu {
        kind,
        request_id: 7,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds,
    };
    Message {
        version,
        community: community.into(),
        pdu,
    }
    .encode()
    .unwrap()
}

fn ask(
    rack: &mut Rack,
    version: Version,
    community: &str,
    kind: PduKind,
    oids: &[&str],
) -> Option<Pdu> {
    let bytes = question(version, community, kind, oids);
    let answer = rack.answer(first(), &bytes, Duration::ZERO)?;
    Some(snmp::decode(&answer).unwrap().pdu)
}

fn walk(rack: &mut Rack, version: Version, community: &str) -> Vec<VarBind> {
    let mut walked: Vec<VarBind> = Vec::new();
    loop {
        let last = walked
            .last()
            .map_or("1.3".to_owned(), |varbind| varbind.oid.to_string());
        let answer = ask(rack, version, community, PduKind::GetNext, &[&last]).unwrap();
        let varbind = answer.varbinds[0].clone();
        if answer.error_status != ErrorStatus::NoError || varbind.value == Value::EndOfMibView {
            return walked;
        }
        walked.push(varbind);
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
            i64::from(*number)
        }
        Value::OctetString(text) => String::from_utf8_lossy(text).parse().unwrap(),
        other => panic!("no number: {other:?}"),
    }
}
