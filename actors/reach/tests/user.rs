//! A device of version 3 over real sockets: what a reading costs, what is recovered from, and what
//! is found of it by a sweep.

use std::sync::{Arc, Mutex, OnceLock};

use snmp::usm::{
    Auth, Draft, Frame, Keys, Level, Privacy, Refusal, Report, Scoped, Security, User,
    plain_report, plain_scoped,
};
use tokio::net::UdpSocket;

use super::fake_device::answer;
use super::*;
use crate::reach::survey;

/// The counters of usmStats that this device reports.
const NOT_IN_TIME: u32 = 2;
const UNKNOWN_USER: u32 = 3;
const UNKNOWN_ENGINE: u32 = 4;

/// Octets between a discovery and a question of [`known`] under its MAC, encrypted: a device that
/// takes no more tells its engine and nothing else.
const DISCOVERY_BYTES_MAX: usize = 100;

/// What a test changes of an engine while it lives.
struct Engine {
    id: Vec<u8>,
    boots: u32,
    /// Questions that are lost, from now on.
    lost: u32,
    /// Longest question that it takes, in octets; longer ones it drops.
    size_max: usize,
}

/// A printer that knows one user.
struct Device {
    engine: Arc<Mutex<Engine>>,
    addr: SocketAddr,
}

impl Device {
    async fn start(at: &str) -> Self {
        let engine = Arc::new(Mutex::new(Engine {
            id: b"\x80\x00\x1f\x88\x04one".to_vec(),
            boots: 1,
            lost: 0,
            size_max: usize::MAX,
        }));
        let socket = UdpSocket::bind(at).await.unwrap();
        let addr = socket.local_addr().unwrap();
        let shared = engine.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_535];
            loop {
                let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
                let said = says(&mut shared.lock().unwrap(), &buffer[..size]);
                if let Some(said) = said {
                    socket.send_to(&said, from).await.unwrap();
                }
            }
        });
        Self { engine, addr }
    }

    fn target(&self) -> InScope {
        let port = self.addr.port();
        let scope = scope(&self.addr.ip().to_string(), port);
        scope.admit(self.addr.ip(), door(port)).unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Engine)) {
        change(&mut self.engine.lock().unwrap());
    }
}

/// What the device says to a datagram; it has no time of its own, only boots.
fn says(engine: &mut Engine, datagram: &[u8]) -> Option<Vec<u8>> {
    if datagram.len() > engine.size_max {
        return None;
    }
    if engine.lost > 0 {
        engine.lost -= 1;
        return None;
    }
    // It does not speak version 2c.
    let frame = Frame::decode(datagram).ok()?;
    let open = Keys::none();
    if frame.engine_id != engine.id {
        return Some(report(engine, &open, frame.message_id, UNKNOWN_ENGINE));
    }
    let keys = known().localize(&engine.id);
    if frame.user != known().name().as_bytes() || !frame.is_authentic(&keys) {
        return Some(report(engine, &open, frame.message_id, UNKNOWN_USER));
    }
    if frame.boots != engine.boots {
        return Some(report(engine, &keys, frame.message_id, NOT_IN_TIME));
    }
    let Ok(Scoped::Pdu { pdu, .. }) = frame.contents(&keys) else {
        return None;
    };
    let asked = Message {
        version: Version::V2c,
        community: Vec::new(),
        pdu,
    };
    let answer = answer(&printer(FIRST), &asked).pdu;
    let scoped = plain_scoped(&engine.id, b"", &answer).unwrap();
    Some(written(engine, &keys, frame.message_id, &scoped))
}

fn written(engine: &Engine, keys: &Keys, message_id: u32, scoped: &[u8]) -> Vec<u8> {
    let draft = Draft {
        message_id,
        is_reportable: false,
        engine_id: &engine.id,
        boots: engine.boots,
        time: 5,
        user: known().name().as_bytes(),
        scoped,
    };
    draft.encode(keys, 1)
}

/// A Report of a counter of usmStats.
fn report(engine: &Engine, keys: &Keys, message_id: u32, counter: u32) -> Vec<u8> {
    let oid = Oid::new(&[1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0]);
    let scoped = plain_report(&engine.id, &Report::from_oid(&oid), 1).unwrap();
    written(engine, keys, message_id, &scoped)
}

/// The one user that the device knows; made once, since that takes its time.
fn known() -> &'static Arc<User> {
    static KNOWN: OnceLock<Arc<User>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let auth = (Auth::Sha256, &b"auth-password"[..]);
        let privacy = (Privacy::Aes128, &b"priv-password"[..]);
        let user = User::new("mps", "", Security::AuthPriv(auth, privacy));
        Arc::new(user.unwrap())
    })
}

fn mps() -> Credential {
    Credential::User(known().clone())
}

fn stranger() -> Credential {
    let user = User::new("stranger", "", Security::None).unwrap();
    Credential::User(Arc::new(user))
}

#[tokio::test]
async fn a_user_costs_one_packet_more_and_only_once() {
    let device = Device::start("127.0.0.1:0").await;
    let (snmp, target) = (patient(), device.target());
    for packets in [2, 3, 4] {
        let got = snmp.get(&target, &mps(), &[serial()]).await.unwrap();
        assert_eq!(got, [VarBind::new(serial(), text(FIRST))]);
        assert_eq!(snmp.counts().packets_sent, packets);
    }
}

#[tokio::test]
async fn a_reboot_costs_two_packets_and_another_engine_three() {
    let device = Device::start("127.0.0.1:0").await;
    let (snmp, target) = (patient(), device.target());
    snmp.get(&target, &mps(), &[serial()]).await.unwrap();
    device.change(|engine| engine.boots += 1);
    snmp.get(&target, &mps(), &[serial()]).await.unwrap();
    assert_eq!(snmp.counts().packets_sent, 2 + 2);
    device.change(|engine| engine.id = b"\x80\x00\x1f\x88\x04two".to_vec());
    snmp.get(&target, &mps(), &[serial()]).await.unwrap();
    assert_eq!(snmp.counts().packets_sent, 2 + 2 + 3);
}

#[tokio::test]
async fn a_lost_question_of_a_user_is_asked_again() {
    let device = Device::start("127.0.0.1:0").await;
    let snmp = impatient(1);
    // The discovery, and then the question.
    for lost in 0..2 {
        device.change(|engine| engine.lost = 1);
        let got = snmp.get(&device.target(), &mps(), &[serial()]).await;
        assert_eq!(got.unwrap().len(), 1, "{lost}");
    }
    assert_eq!(snmp.counts().retries, 2);
}

#[tokio::test]
async fn a_user_asks_for_less_where_a_long_question_is_dropped() {
    let device = Device::start("127.0.0.1:0").await;
    let snmp = impatient(0);
    let mut session = snmp.session(&device.target(), &mps());
    session.get(&[serial()]).await.unwrap();
    device.change(|engine| engine.size_max = 400);
    let many: Vec<Oid> = (1..=40)
        .map(|row| Oid::new(mib::PRT_SERIAL_NUMBER).with(&[row]))
        .collect();
    let got = session.get(&many).await.unwrap();
    assert_eq!(got, [VarBind::new(serial(), text(FIRST))]);
}

#[tokio::test]
async fn a_printer_is_read_whole_as_a_user() {
    let device = Device::start("127.0.0.1:0").await;
    let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
    let credentials = [stranger(), mps()];
    let survey = read_device(&snmp, &device.target(), &credentials, &profiles)
        .await
        .unwrap();
    assert_eq!(survey.credential, mps(), "the second one that was tried");
    let Verdict::Printer(reading) = survey.verdict else {
        panic!("{:?}", survey.verdict);
    };
    assert_eq!(reading.identity.serial.as_deref(), Some(FIRST));
}

#[tokio::test]
async fn who_refuses_every_credential_is_not_silent() {
    let device = Device::start("127.0.0.1:0").await;
    let (snmp, profiles) = (impatient(0), Profiles::embedded().unwrap());
    let target = device.target();
    let credentials = [stranger(), public()];
    let refused = read_device(&snmp, &target, &credentials, &profiles).await;
    let said = refused.map(|_| ()).unwrap_err().to_string();
    let words =
        "answers, but no credential fits: user 'stranger': the user name is not known there";
    assert_eq!(said, format!("{} {words}", device.addr));
    device.change(|engine| engine.lost = u32::MAX);
    let silent = read_device(&snmp, &target, &credentials, &profiles).await;
    assert!(matches!(
        silent,
        Err(ReadError::Ask(AskError::Silent { .. }))
    ));
}

#[tokio::test]
async fn a_device_that_tells_its_engine_alone_is_said_to() {
    let device = Device::start("127.0.0.1:0").await;
    let snmp = impatient(0);
    device.change(|engine| engine.size_max = DISCOVERY_BYTES_MAX);
    let asked = snmp.get(&device.target(), &mps(), &[serial()]).await;
    let refused = asked.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("does not answer the user: often"), "{said}");
    let AskError::Refused { refusal, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal, Refusal::Unanswered(Level::AuthPriv));
    assert_eq!(snmp.counts().packets_sent, 2, "the discovery, the question");
    device.change(|engine| engine.size_max = usize::MAX);
    let answered = snmp.get(&device.target(), &mps(), &[serial()]).await;
    assert_eq!(answered.unwrap().len(), 1, "nothing else was wrong");
}

#[tokio::test]
async fn a_sweep_finds_an_engine_and_the_credential_that_fits() {
    let device = Device::start("127.94.0.1:0").await;
    let port = device.addr.port();
    let snmp = impatient(1);
    let credentials = [public(), stranger(), mps()];
    let scope = scope("127.94.0.0/29", port);
    let sweep = snmp.sweep(&scope, door(port), &credentials, options(1));
    let (found, sweep) = drain(sweep.unwrap()).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].is_engine());
    let progress = sweep.progress();
    assert_eq!((progress.addresses, progress.packets_sent), (6, 12));
    let fits = survey::fit(&snmp, &found[0].target, &credentials).await;
    let (credential, walk) = fits.unwrap();
    assert_eq!(credential, mps());
    assert!(survey::is_candidate(&walk));
}
