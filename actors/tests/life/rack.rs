//! Printers on loopback: each answers SNMP from a recording, under a serial number of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use printer::mib;
use snmp::recording::Recording;
use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind};
use tokio::net::UdpSocket;
use tokio::sync::watch;

const RECORDING: &[u8] = include_bytes!("../../../tests/recordings/hp-laserjet-m507dn.snmprec");

/// Counts racks, so that each has addresses of its own.
static RACKS: AtomicU32 = AtomicU32::new(0);

/// What a printer answers from; nothing while it is silent.
type Mind = Option<Arc<Recording>>;

/// Some printers side by side.
pub struct Rack {
    minds: Vec<watch::Sender<Mind>>,
    recordings: Vec<Arc<Recording>>,
    addresses: Vec<IpAddr>,
    port: u16,
}

impl Rack {
    /// So many printers, all answering.
    pub async fn of(count: u8) -> Self {
        let rack = RACKS.fetch_add(1, Ordering::Relaxed) ^ std::process::id();
        let [_, _, high, low] = rack.to_be_bytes();
        let address = |n: u8| IpAddr::V4(Ipv4Addr::new(127, high | 64, low, n + 1));
        let addresses: Vec<IpAddr> = (0..count).map(address).collect();
        let mut rack = Self {
            minds: vec![],
            recordings: vec![],
            addresses,
            port: 0,
        };
        for n in 0..count {
            let place = SocketAddr::new(rack.addresses[usize::from(n)], rack.port);
            let socket = UdpSocket::bind(place).await.expect("a socket");
            rack.port = socket.local_addr().expect("bound").port();
            let recording = Arc::new(recording(n));
            let (mind, thoughts) = watch::channel(Some(recording.clone()));
            tokio::spawn(answer(socket, thoughts));
            rack.minds.push(mind);
            rack.recordings.push(recording);
        }
        rack
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    pub fn range(&self) -> String {
        format!(
            "{}-{}",
            self.addresses[0],
            self.addresses[self.addresses.len() - 1]
        )
    }

    pub fn address(&self, n: usize) -> IpAddr {
        self.addresses[n]
    }

    /// The serial number of the printer that was put up at a place.
    pub fn serial(&self, n: usize) -> String {
        serial(u8::try_from(n).expect("few"))
    }

    /// As [`Rack::serial`], for a claim about who it was before any swap.
    pub fn first_serial_of(&self, n: usize) -> String {
        self.serial(n)
    }

    /// The printer at a place stops answering.
    pub fn silence(&self, n: usize) {
        self.minds[n].send_replace(None);
    }

    /// The printer that was put up at a place answers there again.
    pub fn answer_again(&self, n: usize) {
        self.minds[n].send_replace(Some(self.recordings[n].clone()));
    }

    /// Two printers, or a printer and a silence, change places.
    pub fn swap(&self, one: usize, other: usize) {
        let mind = self.minds[one].borrow().clone();
        let mind = self.minds[other].send_replace(mind);
        self.minds[one].send_replace(mind);
    }
}

fn serial(n: u8) -> String {
    format!("PHTEST{n:02}A7")
}

/// The recorded printer with keys that no other on the rack has.
fn recording(n: u8) -> Recording {
    let recorded = Recording::parse(RECORDING).expect("a recording");
    let is_key = |oid: &Oid| {
        [
            mib::PRT_SERIAL_NUMBER,
            mib::IF_PHYS_ADDRESS,
            mib::SNMP_ENGINE_ID,
        ]
        .iter()
        .any(|key| oid.arcs().starts_with(key))
    };
    let mut recording: Recording = recorded
        .iter()
        .filter(|(oid, _)| !is_key(oid))
        .map(|(oid, value)| VarBind {
            oid: oid.clone(),
            value: value.clone(),
        })
        .collect();
    let mac = vec![0x00, 0x17, 0xc8, 0x00, 0x00, n];
    recording.insert(
        Oid::new(mib::PRT_SERIAL_NUMBER).with(&[1]),
        Value::OctetString(serial(n).into_bytes()),
    );
    recording.insert(
        Oid::new(mib::IF_PHYS_ADDRESS).with(&[1]),
        Value::OctetString(mac),
    );
    recording
}

/// Answers until the test ends.
async fn answer(socket: UdpSocket, thoughts: watch::Receiver<Mind>) {
    let mut datagram = vec![0; 65_535];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut datagram).await else {
            continue;
        };
        let Some(mind) = thoughts.borrow().clone() else {
            continue;
        };
        let Ok(question) = snmp::decode(&datagram[..length]) else {
            continue;
        };
        let answer = Message {
            pdu: respond(&mind, &question.pdu),
            ..question
        };
        let _ = socket
            .send_to(&answer.encode().expect("an answer"), peer)
            .await;
    }
}

fn respond(mind: &Recording, asked: &Pdu) -> Pdu {
    let mut varbinds = Vec::new();
    let next = |oid: &Oid| match mind.next_after(oid) {
        Some((oid, value)) => VarBind {
            oid: oid.clone(),
            value: value.clone(),
        },
        None => VarBind {
            oid: oid.clone(),
            value: Value::EndOfMibView,
        },
    };
    match asked.kind {
        PduKind::GetNext => varbinds.extend(asked.varbinds.iter().map(|it| next(&it.oid))),
        PduKind::GetBulk { .. } => {
            let mut row: Vec<Oid> = asked.varbinds.iter().map(|it| it.oid.clone()).collect();
            for _ in 0..10 {
                let answers: Vec<VarBind> = row.iter().map(&next).collect();
                row = answers.iter().map(|it| it.oid.clone()).collect();
                varbinds.extend(answers);
            }
        }
        _ => varbinds.extend(asked.varbinds.iter().map(|it| VarBind {
            oid: it.oid.clone(),
            value: mind.get(&it.oid).cloned().unwrap_or(Value::NoSuchInstance),
        })),
    }
    Pdu {
        kind: PduKind::Response,
        request_id: asked.request_id,
        error_status: ErrorStatus::NoError,
        error_index: 0,
        varbinds,
    }
}
