//! Devices that lose, double, delay and lie, over real sockets on loopback.

mod doubt;
mod fake_device;
mod ipp;
mod known;
mod ledm;
mod raw;
mod refound;
mod user;

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::{mib, question};
use snmp::recording::Recording;
use snmp::{ErrorStatus, Message, Oid, PduKind, Value, VarBind, Version};

use super::credential::Credential;
use super::scope::{Door, InScope, Scope};
use super::snmp::{AskError, Snmp, SnmpSettings};
use super::survey::{ReadError, read_device, read_status};
use super::sweep::{Answered, Sweep, SweepOptions};
use fake_device::{FakeDevice, answer, fleet, refuse};

/// Where an answer comes: it is never waited out, however busy the machine.
const PATIENT: Duration = Duration::from_secs(10);

/// Where silence is the point: it is waited out each time.
const IMPATIENT: Duration = Duration::from_millis(150);

/// A sweep always waits this long for late answers.
const SWEEP_TIMEOUT: Duration = Duration::from_millis(400);

/// Serial numbers as printers have them.
const FIRST: &str = "CNBRN54321";
const SECOND: &str = "JPBCD12345";

#[tokio::test]
async fn a_lost_question_is_asked_again() {
    let mut lost = 0;
    let device = FakeDevice::start(move |asked| {
        lost += 1;
        if lost <= 2 {
            Vec::new()
        } else {
            vec![answer(&printer(FIRST), &asked)]
        }
    });
    let snmp = impatient(2);
    let got = snmp
        .get(&device.await.target(), &public(), &[serial()])
        .await
        .unwrap();
    assert_eq!(got, [VarBind::new(serial(), text(FIRST))]);
    assert_eq!(snmp.counts().retries, 2);
}

#[tokio::test]
async fn an_answer_that_comes_after_its_time_still_counts() {
    // The first answer is held back until the question is asked again.
    let mut held = None;
    let device = FakeDevice::start(move |asked| {
        let late = held.replace(answer(&printer(FIRST), &asked));
        late.into_iter().collect()
    });
    let got = impatient(1)
        .get(&device.await.target(), &public(), &[serial()])
        .await
        .unwrap();
    assert_eq!(got, [VarBind::new(serial(), text(FIRST))]);
}

#[tokio::test]
async fn an_answer_that_comes_thrice_counts_once() {
    let device = FakeDevice::start(|asked| vec![answer(&printer(FIRST), &asked); 3]).await;
    let snmp = patient();
    for _question in 0..3 {
        let got = snmp
            .get(&device.target(), &public(), &[serial()])
            .await
            .unwrap();
        assert_eq!(got, [VarBind::new(serial(), text(FIRST))]);
    }
    assert_eq!(snmp.counts().answers, 3);
}

#[tokio::test]
async fn what_answers_no_question_is_dropped() {
    let forgeries: [fn(&mut Message); 3] = [
        |forged| forged.pdu.request_id ^= 1,
        |forged| forged.version = Version::V1,
        |forged| forged.pdu.kind = PduKind::Get,
    ];
    for forge in forgeries {
        let device = FakeDevice::start(move |asked| {
            let mut forged = answer(&printer(FIRST), &asked);
            forge(&mut forged);
            vec![forged]
        });
        let snmp = impatient(0);
        let refusal = snmp
            .get(&device.await.target(), &public(), &[serial()])
            .await;
        assert!(
            matches!(refusal, Err(AskError::Silent { tries: 1, .. })),
            "{refusal:?}"
        );
        assert_eq!(snmp.counts().strays, 1);
    }
}

#[tokio::test]
async fn an_answer_from_elsewhere_is_dropped() {
    let device = FakeDevice::start_answering_from_another_port(|asked| {
        vec![answer(&printer(FIRST), &asked)]
    });
    let snmp = impatient(0);
    let refusal = snmp
        .get(&device.await.target(), &public(), &[serial()])
        .await;
    assert!(
        matches!(refusal, Err(AskError::Silent { .. })),
        "{refusal:?}"
    );
    // The system itself drops it: the socket hears its device only.
    assert_eq!(snmp.counts().strays, 0);
}

#[tokio::test]
async fn a_device_with_little_room_is_asked_for_less() {
    let device = FakeDevice::start(|asked| {
        if asked.pdu.varbinds.len() > 3 {
            return vec![refuse(&asked, ErrorStatus::TooBig, 0)];
        }
        vec![answer(&printer(FIRST), &asked)]
    });
    let wanted = question::identity();
    let got = patient()
        .get(&device.await.target(), &public(), &wanted)
        .await
        .unwrap();
    assert!(
        got.contains(&VarBind::new(serial(), text(FIRST))),
        "{got:?}"
    );
}

#[tokio::test]
async fn in_version_1_a_missing_object_costs_only_itself() {
    let device = FakeDevice::start(|asked| vec![answer(&printer(FIRST), &asked)]).await;
    let missing = Oid::new(mib::PRT_PRINTER_NAME).with(&[1]);
    let wanted = [missing, serial(), Oid::new(mib::SYS_LOCATION).with(&[0])];
    let credential = public().in_version(Version::V1);
    let got = patient()
        .get(&device.target(), &credential, &wanted)
        .await
        .unwrap();
    assert_eq!(got, [VarBind::new(serial(), text(FIRST))]);
}

#[tokio::test]
async fn a_device_without_end_uses_up_its_budget() {
    let root = Oid::new(mib::PRINTER_MIB);
    let device = FakeDevice::start(|asked| {
        // One row whatever is asked, and always one more.
        let mut arcs = asked.pdu.varbinds[0].oid.arcs().to_vec();
        match &mut arcs[mib::PRINTER_MIB.len()..] {
            [] => arcs.push(1),
            [.., last] => *last += 1,
        }
        let mut endless = refuse(&asked, ErrorStatus::NoError, 0);
        endless.pdu.varbinds = vec![VarBind::new(Oid::new(&arcs), text("more"))];
        vec![endless]
    });
    let refusal = patient()
        .walk(&device.await.target(), &public(), &root)
        .await;
    assert!(
        matches!(refusal, Err(AskError::OverBudget { .. })),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_printer_is_read_whole_and_then_cheaply() {
    let device = FakeDevice::start(|asked| vec![answer(&printer(FIRST), &asked)]).await;
    let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
    let whole = read_device(&snmp, &device.target(), &[public()], &profiles)
        .await
        .unwrap();
    let Verdict::Printer(reading) = &whole.verdict else {
        panic!("{:?}", whole.verdict)
    };
    assert_eq!(reading.identity.serial.as_deref(), Some(FIRST));
    assert_eq!(reading.address, Some(device.target().addr().ip()));
    let cheap = read_status(&snmp, &device.target(), whole.last(), &profiles)
        .await
        .unwrap();
    assert!(
        !cheap.is_whole && cheap.pdus == 1,
        "{} questions",
        cheap.pdus
    );
    let Verdict::Printer(again) = &cheap.verdict else {
        panic!("{:?}", cheap.verdict)
    };
    assert_eq!(
        (&again.meters, &again.identity),
        (&reading.meters, &reading.identity)
    );
}

#[tokio::test]
async fn nothing_is_read_of_two_devices_at_one_address() {
    let mut questions = 0;
    let device = FakeDevice::start(move |asked| {
        questions += 1;
        let serial = if questions <= 3 { FIRST } else { SECOND };
        vec![answer(&printer(serial), &asked)]
    });
    let profiles = Profiles::embedded().unwrap();
    let refusal = read_device(&patient(), &device.await.target(), &[public()], &profiles).await;
    assert!(
        matches!(refusal, Err(ReadError::SwappedUnderway { .. })),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_status_of_another_device_is_refused() {
    let mut is_swapped = false;
    let device = FakeDevice::start(move |asked| {
        let serial = if is_swapped { SECOND } else { FIRST };
        // The closing question of a whole reading asks who is there, and nothing else.
        let names = asked.pdu.varbinds.iter().map(|varbind| &varbind.oid);
        is_swapped |= names.eq(&question::identity());
        vec![answer(&printer(serial), &asked)]
    })
    .await;
    let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
    let whole = read_device(&snmp, &device.target(), &[public()], &profiles)
        .await
        .unwrap();
    let refusal = read_status(&snmp, &device.target(), whole.last(), &profiles).await;
    assert!(
        matches!(refusal, Err(ReadError::AnotherDevice { .. })),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_sweep_of_4096_addresses_finds_exactly_who_is_there() {
    let addresses: Vec<String> = (0..16).map(|n| format!("127.90.{n}.{}", 255 - n)).collect();
    let at: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let port = fleet(&at, |asked| vec![answer(&printer(FIRST), &asked); 2]).await;
    let (snmp, scope, door) = (
        patient(),
        scope("127.90.0.0-127.90.15.255", port),
        door(port),
    );
    let sweep = snmp.sweep(&scope, door, &[public()], options(1)).unwrap();
    let (found, sweep) = drain(sweep).await;
    let mut at: Vec<IpAddr> = found.iter().map(|found| found.target.addr().ip()).collect();
    at.sort();
    let mut expected: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    expected.sort();
    assert_eq!(at, expected);
    assert!(
        found
            .iter()
            .all(|found| question::is_candidate(&found.varbinds))
    );
    let progress = sweep.progress();
    assert_eq!((progress.addresses, progress.packets_sent), (4_096, 4_096));
    assert_eq!((progress.answered, progress.duplicates), (16, 16));
}

#[tokio::test]
async fn a_sweep_finds_who_speaks_version_1_only() {
    let port = fleet(&["127.91.0.1"], |asked| match asked.version {
        Version::V1 => vec![answer(&printer(FIRST), &asked)],
        Version::V2c => Vec::new(),
    });
    let (found, _) = sweep_of("127.91.0.0/29", port.await, 2).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].credential, public().in_version(Version::V1));
    assert!(!found[0].varbinds.is_empty());
}

#[tokio::test]
async fn a_lost_packet_makes_nobody_a_version_1_device() {
    let mut questions = 0;
    let port = fleet(&["127.92.0.1"], move |asked| {
        questions += 1;
        if questions == 1 {
            Vec::new()
        } else {
            vec![answer(&printer(FIRST), &asked)]
        }
    });
    let (found, _) = sweep_of("127.92.0.0/29", port.await, 2).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].credential, public());
}

#[tokio::test]
async fn a_sweep_believes_no_stranger() {
    let port = fleet(&["127.93.0.1", "127.93.0.9"], |asked| {
        let mut forged = answer(&printer(FIRST), &asked);
        forged.pdu.request_id = 4_711;
        vec![forged]
    });
    let (found, sweep) = sweep_of("127.93.0.0/28", port.await, 1).await;
    assert_eq!(found, []);
    assert_eq!(sweep.progress().strays, 2);
}

async fn sweep_of(range: &str, port: u16, tries: u32) -> (Vec<Answered>, Sweep) {
    let (snmp, scope) = (patient(), scope(range, port));
    drain(
        snmp.sweep(&scope, door(port), &[public()], options(tries))
            .unwrap(),
    )
    .await
}

async fn drain(mut sweep: Sweep) -> (Vec<Answered>, Sweep) {
    let mut found = Vec::new();
    while let Some(answered) = sweep.next().await {
        found.push(answered);
    }
    (found, sweep)
}

fn options(tries: u32) -> SweepOptions {
    SweepOptions {
        probe: question::probe(),
        probe_of_known: question::introduction(),
        tries,
        timeout: SWEEP_TIMEOUT,
        first: Vec::new(),
        as_users: HashSet::new(),
    }
}

fn patient() -> Snmp {
    open(PATIENT, 0)
}

fn impatient(retries: u32) -> Snmp {
    open(IMPATIENT, retries)
}

fn open(timeout: Duration, retries: u32) -> Snmp {
    let settings = SnmpSettings {
        timeout,
        retries,
        in_flight_max: 16,
        packets_per_second_max: 100_000,
    };
    Snmp::open(settings).unwrap()
}

fn door(port: u16) -> Door {
    Door::Snmp { port }
}

fn scope(range: &str, port: u16) -> Scope {
    Scope::new(&[range.parse().unwrap()], &[], &[door(port)]).unwrap()
}

impl FakeDevice {
    /// The proof for this device, as a site that configured it has.
    fn target(&self) -> InScope {
        let at: SocketAddr = self.addr();
        let scope = scope(&at.ip().to_string(), at.port());
        scope.admit(at.ip(), door(at.port())).unwrap()
    }
}

fn public() -> Credential {
    Credential::v2c("public")
}

fn serial() -> Oid {
    Oid::new(mib::PRT_SERIAL_NUMBER).with(&[1])
}

fn text(text: &str) -> Value {
    Value::OctetString(text.into())
}

/// A printer with just enough to be read as one.
fn printer(serial_number: &str) -> Recording {
    let at = |object: &[u32], row: &[u32]| Oid::new(object).with(row);
    let printer_type = Value::ObjectId(Oid::new(mib::HR_DEVICE_PRINTER).into());
    let maker = Value::ObjectId(Oid::new(mib::ENTERPRISES).with(&[11, 2, 3, 9, 1]).into());
    [
        VarBind::new(
            at(mib::SYS_DESCR, &[0]),
            text("HP ETHERNET MULTI-ENVIRONMENT,JETDIRECT"),
        ),
        VarBind::new(at(mib::SYS_OBJECT_ID, &[0]), maker),
        VarBind::new(at(mib::SYS_NAME, &[0]), text("printer")),
        VarBind::new(at(mib::HR_DEVICE_TYPE, &[1]), printer_type),
        VarBind::new(at(mib::PRT_CONFIG_CHANGES, &[1]), Value::Counter32(7)),
        VarBind::new(serial(), text(serial_number)),
        VarBind::new(at(mib::PRT_MARKER_UNIT, &[1, 1]), Value::Integer(7)),
        VarBind::new(
            at(mib::PRT_MARKER_LIFE_COUNT, &[1, 1]),
            Value::Counter32(432_951),
        ),
    ]
    .into_iter()
    .collect()
}
