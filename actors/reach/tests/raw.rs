//! Ports 9100, 515 and 631: who is not proven to be what a door is for hears nothing, a swap between proof
//! and connection included; silence is a state; and what talks nonsense or for ever is an error.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use printer::lpr::{Detail, Queue};
use printer::profile::Profiles;
use printer::status::State;
use printer::zebra::{Command, Setting};
use snmp::recording::Recording;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fake_device::{FakeDevice, answer};
use super::{patient, public};
use crate::reach::identified::{self, Asking, NoWay, NotIdentified};
use crate::reach::ipp::IppReadError;
use crate::reach::range::AddressRange;
use crate::reach::raw::RawError;
use crate::reach::scope::{Door, InScope, Scope};
use crate::reach::{ipp, lpr, pjl, zebra};

/// A Zebra as SNMP shows it, and a printer of another maker that lists PJL.
const ZEBRA: &str = "1.3.6.1.2.1.1.1.0|4|Zebra Technologies ZTC ZT411-203dpi ZPL\n\
    1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.10642.1.1\n1.3.6.1.2.1.1.5.0|4|dock-4\n\
    1.3.6.1.2.1.2.2.1.6.1|4x|00074d9a31e6\n1.3.6.1.2.1.43.5.1.1.17.1|4|52J204117730\n\
    1.3.6.1.2.1.43.15.1.1.2.1.1|2|60\n";
const BROTHER: &str = "1.3.6.1.2.1.1.1.0|4|Brother NC-8900h, Firmware Ver.1.21\n\
    1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2435.2.3.9.1\n1.3.6.1.2.1.1.5.0|4|BRN1\n\
    1.3.6.1.2.1.2.2.1.6.1|4x|3c2af49a31e6\n1.3.6.1.2.1.43.5.1.1.17.1|4|E78096K1N123456\n\
    1.3.6.1.2.1.43.15.1.1.2.1.1|2|5\n";

/// A device with SNMP and one TCP port, which hears and answers as the test says.
struct Device {
    _snmp: FakeDevice,
    snmp: InScope,
    door: InScope,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

fn admit(addr: SocketAddr, door: Door) -> InScope {
    let scope = Scope::new(&[AddressRange::one(addr.ip())], &[], &[door]).unwrap();
    scope.admit(addr.ip(), door).unwrap()
}

/// What a TCP port says to everything it has heard on one connection since its last answer.
type Says = fn(&[u8]) -> Option<Vec<u8>>;

impl Device {
    /// `identities` are what it is at the first question over SNMP, the second, and so on; the last
    /// stays.
    async fn start(identities: &[&str], says: Says) -> Self {
        let held: Vec<Recording> = identities
            .iter()
            .map(|text| Recording::parse(text.as_bytes()).unwrap())
            .collect();
        let mut asked_before = 0;
        let snmp = FakeDevice::start(move |asked| {
            let now = held.get(asked_before).or(held.last()).unwrap();
            asked_before += 1;
            vec![answer(now, &asked)]
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (heard, connections) = (Arc::default(), Arc::default());
        tokio::spawn(serve(
            listener,
            Arc::clone(&heard),
            Arc::clone(&connections),
            says,
        ));
        let port = |addr: SocketAddr| addr.port();
        Self {
            snmp: admit(
                snmp.addr(),
                Door::Snmp {
                    port: port(snmp.addr()),
                },
            ),
            door: admit(addr, Door::Zebra { port: port(addr) }),
            _snmp: snmp,
            heard,
            connections,
        }
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn zebra(&self) -> Result<identified::Zebra, NotIdentified> {
        let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
        let (credentials, target) = ([public()], &self.snmp);
        let asking = Asking {
            snmp: &snmp,
            target,
            credentials: &credentials,
            profiles: &profiles,
            wanted: None,
        };
        identified::zebra(asking, self.door).await
    }

    async fn printer(&self) -> Result<identified::Printer, NotIdentified> {
        let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
        let asking = Asking {
            snmp: &snmp,
            target: &self.snmp,
            credentials: &[public()],
            profiles: &profiles,
            wanted: None,
        };
        identified::printer(asking, self.door).await
    }

    async fn pjl(&self) -> Result<identified::PjlPrinter, NotIdentified> {
        let (snmp, profiles) = (patient(), Profiles::embedded().unwrap());
        let (credentials, target) = ([public()], &self.snmp);
        let asking = Asking {
            snmp: &snmp,
            target,
            credentials: &credentials,
            profiles: &profiles,
            wanted: None,
        };
        identified::pjl(asking, self.door).await
    }
}

async fn serve(
    listener: TcpListener,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
    says: Says,
) {
    while let Ok((mut stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let mut since = Vec::new();
        while take(&mut stream, &mut since, &heard).await {
            if let Some(answer) = says(&since) {
                since.clear();
                // Who asks may have heard enough.
                let _ = stream.write_all(&answer).await;
            }
        }
    }
}

async fn take(stream: &mut TcpStream, since: &mut Vec<u8>, heard: &Mutex<Vec<u8>>) -> bool {
    let mut buffer = [0; 1_024];
    match stream.read(&mut buffer).await {
        Ok(0) | Err(_) => false,
        Ok(length) => {
            since.extend_from_slice(&buffer[..length]);
            heard.lock().unwrap().extend_from_slice(&buffer[..length]);
            true
        }
    }
}

/// A Zebra with two variables and no label count, whose head is closed.
fn sgd(heard: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(heard).into_owned();
    let answer = match text.as_str() {
        "~HS\r\n" => {
            "\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n\
             \x02000,0,0,0,1,2,6,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
        }
        text if !text.ends_with("\r\n") => return None,
        text if text.contains("product_name") => "\"ZTC ZT411-203dpi ZPL\"",
        text if text.contains("unique_id") => "\"52J204117730\"",
        text if text.contains("getvar \"print.tone\"") => "\"12.0\"",
        _ => "\"?\"",
    };
    Some(answer.as_bytes().to_vec())
}

/// The same while it stands: it answers variables, and nothing to `~HS`.
fn standing(heard: &[u8]) -> Option<Vec<u8>> {
    if heard == b"~HS\r\n" {
        None
    } else {
        sgd(heard)
    }
}

fn nothing(_: &[u8]) -> Option<Vec<u8>> {
    None
}

fn garbage(_: &[u8]) -> Option<Vec<u8>> {
    Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())
}

fn endless(_: &[u8]) -> Option<Vec<u8>> {
    Some(b"@PJL USTATUS DEVICE\r\nCODE=10001\r\n\x0c".repeat(20_000))
}

#[tokio::test]
async fn a_proven_zebra_is_read() {
    let device = Device::start(&[ZEBRA], sgd).await;
    let reading = zebra::read_device(&device.zebra().await.unwrap())
        .await
        .unwrap();
    assert_eq!(reading.identity.serial.as_deref(), Some("52J204117730"));
    assert_eq!(reading.status.state, State::Idle);
    assert_eq!(device.connections(), 1);
}

#[tokio::test]
async fn who_is_not_proven_is_not_even_connected_to() {
    let other = Device::start(&[BROTHER], sgd).await;
    let error = other.zebra().await.expect_err("a Brother");
    assert!(
        matches!(&error, NotIdentified::NoZebra(maker) if maker == "Brother"),
        "{error}"
    );
    let zebra = Device::start(&[ZEBRA], sgd).await;
    let error = zebra.pjl().await.expect_err("a Zebra lists no PJL");
    assert!(matches!(error, NotIdentified::NoPjl), "{error}");
    let switch =
        "1.3.6.1.2.1.1.1.0|4|HP ProCurve Switch\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.7.11\n";
    let switch = Device::start(&[switch], sgd).await;
    let error = switch.zebra().await.expect_err("a switch");
    assert!(matches!(error, NotIdentified::NoPrinter(_)), "{error}");
    for device in [other, zebra, switch] {
        assert_eq!((device.connections(), device.heard().len()), (0, 0));
    }
}

#[tokio::test]
async fn who_takes_the_address_between_proof_and_connection_hears_nothing() {
    // Two questions make the proof: who, and the model.
    let twin = ZEBRA.replace("52J204117730", "99J000000001");
    let nameless = ZEBRA.lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    for (what, second) in [
        ("another maker", BROTHER),
        ("another Zebra", twin.as_str()),
        ("one without its keys", nameless.as_str()),
    ] {
        let device = Device::start(&[ZEBRA, ZEBRA, second], sgd).await;
        let proof = device.zebra().await.unwrap();
        for error in [
            zebra::read_device(&proof).await.map(drop).expect_err(what),
            zebra::tell(&proof, &Command::Feed)
                .await
                .map(drop)
                .expect_err(what),
            lpr::tell(&proof, &Queue::usual(), &Command::Feed)
                .await
                .map(drop)
                .expect_err(what),
        ] {
            let why = matches!(
                error,
                RawError::NoWay(NoWay::NotIdentified(NotIdentified::Swapped(_)))
            );
            assert!(why, "{what}: {error}");
        }
        assert_eq!(device.heard(), b"", "{what}");
    }
}

#[tokio::test]
async fn who_takes_the_address_of_a_printer_hears_no_ipp() {
    let switch = "1.3.6.1.2.1.1.1.0|4|Managed switch\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1\n";
    let device = Device::start(&[BROTHER, BROTHER, switch], nothing).await;
    let proof = device.printer().await.unwrap();
    let error = ipp::read_device(ipp::Asked::Printer(&proof)).await;
    let error = error.expect_err("a switch");
    let why = matches!(
        error,
        IppReadError::NotIdentified(NotIdentified::Swapped(_))
    );
    assert!(why, "{error}");
    assert_eq!(device.heard(), b"");
    let device = Device::start(&[switch], nothing).await;
    let error = device.printer().await.expect_err("a switch");
    assert!(matches!(error, NotIdentified::NoPrinter(_)), "{error}");
    assert_eq!(device.connections(), 0);
}

#[tokio::test]
async fn silence_of_a_zebra_is_a_state() {
    let device = Device::start(&[ZEBRA], standing).await;
    let proof = device.zebra().await.unwrap();
    let reading = zebra::read_device(&proof).await.unwrap();
    assert_eq!(reading.status.state, State::Stopped);
    assert!(reading.alerts[0].description.contains("silent to ~HS"));
    assert_eq!(reading.identity.serial.as_deref(), Some("52J204117730"));
    let device = Device::start(&[ZEBRA], nothing).await;
    let proof = device.zebra().await.unwrap();
    let reading = zebra::read_device(&proof).await.unwrap();
    assert_eq!(reading.status.state, State::Unknown);
    assert!(reading.alerts[0].description.contains("answers nothing"));
}

#[tokio::test]
async fn what_is_no_answer_is_a_clear_error() {
    let device = Device::start(&[ZEBRA], garbage).await;
    let proof = device.zebra().await.unwrap();
    let error = zebra::read_device(&proof).await.expect_err("HTTP");
    assert!(error.to_string().contains("no text in quotes"), "{error}");
    let device = Device::start(&[BROTHER], endless).await;
    let error = pjl::read_device(&device.pjl().await.unwrap())
        .await
        .expect_err("endless");
    assert!(
        error.to_string().contains("octets that are not the answer"),
        "{error}"
    );
    let device = Device::start(&[BROTHER], nothing).await;
    let error = pjl::read_device(&device.pjl().await.unwrap())
        .await
        .expect_err("silence");
    assert!(matches!(error, RawError::Mute { .. }), "{error}");
    let heard = String::from_utf8(device.heard()).unwrap();
    assert_eq!(
        heard.matches("@PJL INFO").count(),
        2,
        "then it is left alone: {heard}"
    );
}

#[tokio::test]
async fn a_variable_is_asked_whether_it_was_kept() {
    let device = Device::start(&[ZEBRA], |heard| {
        // A setvar has no answer.
        let text = String::from_utf8_lossy(heard).into_owned();
        text.contains("getvar").then(|| b"\"12.0\"".to_vec())
    })
    .await;
    let proof = device.zebra().await.unwrap();
    let set = |value| Command::Set(Setting::parse("print.tone", value).unwrap());
    let told = zebra::tell(&proof, &set("12.0")).await.unwrap();
    assert!(told.is_confirmed && told.octets > 30, "{told:?}");
    let error = zebra::tell(&proof, &set("20.0"))
        .await
        .expect_err("not kept");
    assert!(
        error.to_string().contains("print.tone is still '12.0'"),
        "{error}"
    );
}

#[tokio::test]
async fn a_job_is_taken_step_by_step_and_a_refused_one_ends_there() {
    let device = Device::start(&[ZEBRA], |_| Some(vec![0])).await;
    let proof = device.zebra().await.unwrap();
    let told = lpr::tell(&proof, &Queue::usual(), &Command::Feed)
        .await
        .unwrap();
    assert_eq!(told.octets, device.heard().len());
    assert!(device.heard().ends_with(b"~PH\r\n\0"));
    let refusing = Device::start(&[ZEBRA], |_| Some(vec![1])).await;
    let proof = refusing.zebra().await.unwrap();
    let error = lpr::tell(&proof, &Queue::usual(), &Command::Feed)
        .await
        .expect_err("refused");
    assert!(
        error.to_string().contains("answer to step 1 is 1"),
        "{error}"
    );
    assert_eq!(refusing.heard(), b"\x02lp\n");
}

#[tokio::test]
async fn the_state_of_a_queue_is_read_to_its_end() {
    let device = Device::start(&[BROTHER], nothing).await;
    let (snmp, profiles, credentials) = (patient(), Profiles::embedded().unwrap(), [public()]);
    let asking = Asking {
        snmp: &snmp,
        target: &device.snmp,
        credentials: &credentials,
        profiles: &profiles,
        wanted: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let door = admit(addr, Door::Lpr { port: addr.port() });
    let queue = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 5];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(b"lp is ready\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"no entries\n").await.unwrap();
        asked
    });
    let proof = identified::printer(asking, door).await.unwrap();
    let state = lpr::queue(&proof, &Queue::usual(), Detail::Long)
        .await
        .unwrap();
    assert_eq!((state.says.len(), state.jobs), (2, Some(0)), "{state:?}");
    assert_eq!(&queue.await.unwrap(), b"\x04lp \n");
}
