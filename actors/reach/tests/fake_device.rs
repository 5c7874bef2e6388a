//! A device for tests: a UDP socket on loopback that answers as the test says.

use std::net::SocketAddr;

use snmp::recording::Recording;
use snmp::{ErrorStatus, Message, PduKind, Value, VarBind, Version};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// How often a fleet looks for a port that is free at all its addresses.
const PORT_TRIES_MAX: usize = 50;

/// A device; it falls silent when it is dropped.
pub(super) struct FakeDevice {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl FakeDevice {
    /// Starts one that gives these answers to each question.
    pub(super) async fn start(
        behave: impl FnMut(Message) -> Vec<Message> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(socket, None, behave));
        Self {
            addr,
            _tasks: tasks,
        }
    }

    /// Starts one whose answers come from a port that nobody asked.
    pub(super) async fn start_answering_from_another_port(
        behave: impl FnMut(Message) -> Vec<Message> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(socket, Some(other), behave));
        Self {
            addr,
            _tasks: tasks,
        }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Starts a device at each address, all on one port, which is returned. They live as long as the
/// test's runtime.
pub(super) async fn fleet(
    addresses: &[&str],
    behave: impl FnMut(Message) -> Vec<Message> + Clone + Send + 'static,
) -> u16 {
    for _try in 0..PORT_TRIES_MAX {
        let first = UdpSocket::bind(format!("{}:0", addresses[0]))
            .await
            .unwrap();
        let port = first.local_addr().unwrap().port();
        let mut sockets = vec![first];
        for address in &addresses[1..] {
            if let Ok(socket) = UdpSocket::bind(format!("{address}:{port}")).await {
                sockets.push(socket);
            }
        }
        if sockets.len() == addresses.len() {
            for socket in sockets {
                tokio::spawn(serve(socket, None, behave.clone()));
            }
            return port;
        }
    }
    panic!("no port is free at all addresses");
}

async fn serve(
    socket: UdpSocket,
    answer_from: Option<UdpSocket>,
    mut behave: impl FnMut(Message) -> Vec<Message> + Send,
) {
    let mut buffer = vec![0; 65_535];
    loop {
        let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
        let asked = snmp::decode(&buffer[..size]).unwrap();
        for answer in behave(asked) {
            let bytes = answer.encode().unwrap();
            let through = answer_from.as_ref().unwrap_or(&socket);
            through.send_to(&bytes, from).await.unwrap();
        }
    }
}

/// The answer of a well-behaved device that holds these objects.
pub(super) fn answer(held: &Recording, asked: &Message) -> Message {
    let next = |varbind: &VarBind| match held.next_after(&varbind.oid) {
        Some((oid, value)) => VarBind::new(oid.clone(), value.clone()),
        None => VarBind::new(varbind.oid.clone(), Value::EndOfMibView),
    };
    let mut row: Vec<VarBind> = asked.pdu.varbinds.clone();
    let varbinds = match asked.pdu.kind {
        PduKind::GetNext => row.iter().map(next).collect(),
        PduKind::GetBulk {
            max_repetitions, ..
        } => {
            let mut rows = Vec::new();
            for _repetition in 0..max_repetitions {
                row = row.iter().map(next).collect();
                rows.extend(row.iter().cloned());
            }
            rows
        }
        PduKind::Get | PduKind::Response | PduKind::Set => row
            .iter()
            .map(|varbind| {
                let value = held
                    .get(&varbind.oid)
                    .cloned()
                    .unwrap_or(Value::NoSuchObject);
                VarBind::new(varbind.oid.clone(), value)
            })
            .collect::<Vec<_>>(),
    };
    let missing = varbinds
        .iter()
        .position(|varbind| varbind.value.is_absent());
    if let (Version::V1, Some(missing)) = (asked.version, missing) {
        let index = u32::try_from(missing + 1).unwrap();
        return refuse(asked, ErrorStatus::NoSuchName, index);
    }
    let mut answer = asked.clone();
    answer.pdu.kind = PduKind::Response;
    answer.pdu.varbinds = varbinds;
    answer
}

/// A refusal: the objects as they were asked, and why.
pub(super) fn refuse(asked: &Message, error_status: ErrorStatus, error_index: u32) -> Message {
    let mut refusal = asked.clone();
    refusal.pdu.kind = PduKind::Response;
    refusal.pdu.error_status = error_status;
    refusal.pdu.error_index = error_index;
    refusal
}
