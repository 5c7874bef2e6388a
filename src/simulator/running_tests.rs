//! A fleet that runs, asked over real sockets on loopback.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind, Version};

use crate::{Fleet, Running, run};

/// Longest to wait for an answer that must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest to wait for one that must not come: loopback takes microseconds.
const DOUBT: Duration = Duration::from_millis(200);

/// prtGeneralSerialNumber of the recorded printer.
pub(crate) const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
const PAGES: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";

#[tokio::test]
async fn answers_leave_from_the_address_that_was_asked() {
    let running = fleet("addresses = [\"127.50.0.1\", \"127.50.9.9\", \"::1\"]\n");
    for address in ["127.50.0.1", "127.50.9.9", "::1"] {
        let to = SocketAddr::new(address.parse().unwrap(), running.port);
        let (from, _) = ask(to, SERIAL, PATIENCE).unwrap();
        assert_eq!(from, to);
    }
    let nobody = SocketAddr::new("127.50.0.2".parse().unwrap(), running.port);
    assert!(ask(nobody, SERIAL, DOUBT).is_none());
    let counts = running.counts().await;
    assert_eq!((counts.answered, counts.empty), (3, 1));
}

#[tokio::test]
async fn printers_are_swapped_silenced_and_heard_again_while_they_run() {
    let running = fleet("addresses = [\"127.50.1.1\", \"127.50.1.2\"]\n");
    let [a, b]: [IpAddr; 2] = ["127.50.1.1", "127.50.1.2"].map(|text| text.parse().unwrap());
    let serial = |address, wait| {
        let answer = ask(SocketAddr::new(address, running.port), SERIAL, wait);
        answer.map(|(_, value)| value)
    };
    let (of_a, of_b) = (serial(a, PATIENCE), serial(b, PATIENCE));
    assert!(of_a.is_some() && of_b.is_some() && of_a != of_b);
    running.swap(a, b).await.unwrap();
    assert_eq!(
        (serial(b, PATIENCE), serial(a, PATIENCE)),
        (of_a.clone(), of_b)
    );
    running.silence(b).await.unwrap();
    assert_eq!(serial(b, DOUBT), None);
    running.unsilence(b).await.unwrap();
    assert_eq!(serial(b, PATIENCE), of_a);
    running.lose(100).await;
    assert_eq!(serial(b, DOUBT), None);
    assert!(
        running
            .silence("127.50.1.3".parse().unwrap())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_day_of_life_takes_no_time_when_the_fleet_jumps() {
    let running = fleet("addresses = \"127.50.2.1\"\nlife = { reboot_hours = 0 }\n");
    let to = SocketAddr::new("127.50.2.1".parse().unwrap(), running.port);
    let pages = || match ask(to, PAGES, PATIENCE) {
        Some((_, Value::Counter32(pages))) => pages,
        other => panic!("no page count: {other:?}"),
    };
    let before = pages();
    running.jump(Duration::from_secs(24 * 3600)).await;
    assert!(pages() > before + 500);
}

#[tokio::test]
async fn a_fleet_ends_with_its_shutdown() {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let text = fleet_text("addresses = \"127.50.3.1\"\n");
    let shutdown = async move {
        let _ = ended.await;
    };
    let running = run(Fleet::parse(&text, Path::new(".")).unwrap(), shutdown).unwrap();
    let to = SocketAddr::new("127.50.3.1".parse().unwrap(), running.port);
    assert!(ask(to, SERIAL, PATIENCE).is_some());
    end.send(()).unwrap();
    running.ended().await.unwrap();
}

fn fleet(rest: &str) -> Running {
    let fleet = Fleet::parse(&fleet_text(rest), Path::new(".")).unwrap();
    run(fleet, std::future::pending()).unwrap()
}

fn fleet_text(rest: &str) -> String {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    format!(
        "port = 0\nrecordings = {recordings:?}\n[[printers]]\n\
         recording = \"kyocera-taskalfa-4054ci\"\n{rest}"
    )
}

/// Who answered, and what; `None` when nobody does in time.
pub(crate) fn ask(to: SocketAddr, oid: &str, wait: Duration) -> Option<(SocketAddr, Value)> {
    let own: IpAddr = if to.is_ipv6() {
        Ipv6Addr::LOCALHOST.into()
    } else {
        [127, 0, 0, 1].into()
    };
    let socket = UdpSocket::bind((own, 0)).unwrap();
    socket.set_read_timeout(Some(wait)).unwrap();
    let pdu = Pdu {
        kind: PduKind::Get,
        request_id: 1,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds: vec![VarBind::asking(oid.parse::<Oid>().unwrap())],
    };
    let question = Message {
        version: Version::V2c,
        community: b"public".to_vec(),
        pdu,
    };
    socket.send_to(&question.encode().unwrap(), to).unwrap();
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    let answer = snmp::decode(&buffer[..length]).unwrap();
    Some((from, answer.pdu.varbinds[0].value.clone()))
}
