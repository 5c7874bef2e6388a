//! A broker that plays Azure IoT Hub, as its documentation describes it: MQTT 3.1.1 over TLS or over
//! a WebSocket, SAS tokens or X.509 certificates, one connection a device, a twin, at most five filters, QoS 0 and 1, nothing retained, commands
//! that wait until they are acknowledged. What the documentation forbids ends the connection, and
//! is noted.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use dial::Stream;
use dial::websocket::Octets;
use rcgen::{CertificateParams, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::token::is_token;

type Line = Box<dyn Stream>;

/// How a device proves itself.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A SAS token of this key.
    Key(Vec<u8>),
    /// A certificate of this authority, PEM, with the device's id as its name.
    Certificate(String),
}

/// What carries MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Tls,
    WebSocket,
}

/// What the service sees and does.
pub struct IotHub {
    pub port: u16,
    pub authority: String,
    state: Arc<State>,
    pub events: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
}

#[derive(Default)]
struct Seen {
    /// Passwords of all connections.
    passwords: Vec<String>,
    /// What was done against the rules.
    sins: Vec<String>,
    /// Commands to the device that have no acknowledgement yet, by packet id.
    waiting: BTreeMap<u16, (String, Vec<u8>)>,
    next_id: u16,
    desired: Value,
    /// The reported properties, and each change of them.
    twin: Value,
    reported: Vec<Value>,
    filters: Vec<String>,
}

struct State {
    device: String,
    proof: Proof,
    over: Over,
    seen: Mutex<Seen>,
    /// Something is to be sent.
    news: Notify,
    /// Counts connections: the newest alone lives.
    newest: watch::Sender<u64>,
    events: mpsc::UnboundedSender<(String, Vec<u8>)>,
}

impl IotHub {
    /// Starts it for the device `lyon-1` with this key, over TLS.
    pub async fn start(key: &[u8]) -> Self {
        Self::start_for("lyon-1", Proof::Key(key.to_vec()), Over::Tls).await
    }

    /// Starts it for a device.
    pub async fn start_for(device: &str, proof: Proof, over: Over) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (config, authority) = server(&proof);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (say, events) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            device: device.to_owned(),
            proof,
            over,
            seen: Mutex::new(Seen {
                desired: json!({ "$version": 1 }),
                twin: json!({ "$version": 1 }),
                ..Seen::default()
            }),
            news: Notify::new(),
            newest: watch::Sender::new(0),
            events: say,
        });
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    let Ok(line) = acceptor.accept(stream).await else {
                        return;
                    };
                    let name = name_of(&line);
                    if let Ok(line) = opened(line, &state).await {
                        let _ = serve(line, name, &state).await;
                    }
                });
            }
        });
        Self {
            port,
            authority,
            state,
            events,
        }
    }

    /// Sends a message to the device; it waits while the device is away.
    pub fn send(&self, topic: &str, payload: &[u8]) {
        let mut seen = self.state.seen.lock().expect("no panic");
        seen.next_id += 1;
        let id = seen.next_id;
        seen.waiting
            .insert(id, (topic.to_owned(), payload.to_vec()));
        drop(seen);
        self.state.news.notify_waiters();
    }

    /// Changes the desired properties, and tells the device.
    pub fn desire(&self, properties: &Value) {
        self.desire_silently(properties);
        let version = &properties["$version"];
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        self.send(&topic, properties.to_string().as_bytes());
    }

    /// Changes the desired properties while nobody is told.
    pub fn desire_silently(&self, properties: &Value) {
        let mut seen = self.state.seen.lock().expect("no panic");
        properties.clone_into(&mut seen.desired);
    }

    pub fn passwords(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").passwords.clone()
    }

    pub fn sins(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").sins.clone()
    }

    pub fn reported(&self) -> Vec<Value> {
        self.state.seen.lock().expect("no panic").reported.clone()
    }

    pub fn filters(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").filters.clone()
    }
}

/// The service's TLS, and whom to believe for it.
fn server(proof: &Proof) -> (ServerConfig, String) {
    let pair = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let authority = params.self_signed(&pair).expect("signed").pem();
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
    let private = PrivateKeyDer::from_pem_slice(pair.serialize_pem().as_bytes());
    let config = ServerConfig::builder();
    let config = match proof {
        Proof::Key(_) => config.with_no_client_auth(),
        Proof::Certificate(devices) => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(devices)).expect("a root");
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            config.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let config = config.with_single_cert(vec![certificate(&authority)], private.expect("PEM"));
    (config.expect("TLS"), authority)
}

/// The name in a device's certificate, if it showed one.
fn name_of(line: &TlsStream<TcpStream>) -> Option<String> {
    let certificate = line.get_ref().1.peer_certificates()?.first()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    Some(names.next()?.as_str().ok()?.to_owned())
}

/// What MQTT is spoken over; a WebSocket must ask for the documented path and subprotocol.
async fn opened(line: TlsStream<TcpStream>, state: &State) -> Result<Line, String> {
    if state.over == Over::Tls {
        return Ok(Box::new(line));
    }
    let wanted = match state.proof {
        Proof::Key(_) => "/$iothub/websocket?iothub-no-client-cert=true",
        Proof::Certificate(_) => "/$iothub/websocket",
    };
    // Its type is the library's own.
    #[allow(clippy::result_large_err)]
    let shake = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let protocol = request.headers().get("sec-websocket-protocol").cloned();
        let path = request.uri().path_and_query().map(ToString::to_string);
        if path.as_deref() != Some(wanted) || protocol.as_ref().is_none_or(|it| it != "mqtt") {
            let mut seen = state.seen.lock().expect("no panic");
            seen.sins
                .push(format!("a WebSocket at {path:?} for {protocol:?}"));
        }
        response.headers_mut().extend(protocol.map(|it| {
            let name = http::header::SEC_WEBSOCKET_PROTOCOL;
            (name, it)
        }));
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(line, shake).await;
    let socket = socket.map_err(|error| error.to_string())?;
    Ok(Box::new(Octets::new(socket)))
}

/// One connection, from its CONNECT to its end.
async fn serve(line: Line, name: Option<String>, state: &State) -> io::Result<()> {
    let (mut reads, mut writes) = split(line);
    let (kind, connect) = packet(&mut reads).await?;
    if kind >> 4 != 1 || !lets_in(&connect, name.as_deref(), state) {
        // CONNACK, return code 5, not authorized (MQTT 3.1.1, 3.2.2.3).
        writes.write_all(&[0x20, 2, 0, 5]).await?;
        writes.flush().await?;
        return writes.shutdown().await;
    }
    let mut mine = 0;
    state.newest.send_modify(|newest| {
        *newest += 1;
        mine = *newest;
    });
    let mut newest = state.newest.subscribe();
    writes.write_all(&[0x20, 2, 1, 0]).await?;
    writes.flush().await?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let reading = read(&mut reads, state, tell);
    let writing = write(&mut writes, state, &mut told);
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
        _ = newest.wait_for(|newest| *newest > mine) => Ok(()),
    }
}

/// Whether a CONNECT is what the documentation asks for.
fn lets_in(connect: &[u8], name: Option<&str>, state: &State) -> bool {
    let mut rest = connect;
    let mut seen = state.seen.lock().expect("no panic");
    let protocol = text(&mut rest);
    let (level, flags) = (rest[0], rest[1]);
    rest = &rest[4..];
    let client = text(&mut rest);
    let will = (flags & 0x04 != 0).then(|| (text(&mut rest), text(&mut rest)));
    let user = text(&mut rest);
    let password = (flags & 0x40 != 0).then(|| text(&mut rest));
    let device = &state.device;
    let events = format!("devices/{device}/messages/events/");
    let mut sin = |what: &str| seen.sins.push(what.to_owned());
    if (protocol.as_str(), level) != ("MQTT", 4) {
        sin("not MQTT 3.1.1");
    }
    if flags & 0x02 != 0 {
        sin("a clean session loses what waits");
    }
    if will.is_some_and(|(topic, _)| !topic.starts_with(&events)) {
        sin("a will elsewhere than among the events");
    }
    if flags & 0x20 != 0 {
        sin("a retained will");
    }
    let user_of = format!("127.0.0.1/{device}/?api-version=2021-04-12");
    let is_proven = match (&state.proof, &password) {
        (Proof::Key(key), Some(password)) => is_token(key, device, password),
        (Proof::Certificate(_), None) => name == Some(device),
        (Proof::Key(_), None) | (Proof::Certificate(_), Some(_)) => {
            sin("a password and a certificate are one too many, or none");
            false
        }
    };
    seen.passwords.extend(password);
    client == *device && user == user_of && is_proven
}

async fn read(
    reads: &mut ReadHalf<Line>,
    state: &State,
    tell: mpsc::UnboundedSender<Vec<u8>>,
) -> io::Result<()> {
    loop {
        let (head, body) = packet(reads).await?;
        match head >> 4 {
            3 => publish(head, &body, state, &tell),
            4 => {
                let id = u16::from_be_bytes([body[0], body[1]]);
                state.seen.lock().expect("no panic").waiting.remove(&id);
            }
            8 => subscribe(&body, state, &tell),
            12 => drop(tell.send(vec![0xd0, 0])),
            14 => return Ok(()),
            other => {
                let mut seen = state.seen.lock().expect("no panic");
                seen.sins.push(format!("packet {other}"));
                return Ok(());
            }
        }
    }
}

fn publish(head: u8, body: &[u8], state: &State, tell: &mpsc::UnboundedSender<Vec<u8>>) {
    let mut rest = body;
    let topic = text(&mut rest);
    let qos = (head >> 1) & 3;
    if qos > 0 {
        let id = [rest[0], rest[1]];
        rest = &rest[2..];
        drop(tell.send(vec![0x40, 2, id[0], id[1]]));
    }
    let mut seen = state.seen.lock().expect("no panic");
    if qos == 2 || head & 1 != 0 {
        seen.sins.push(format!("QoS 2 or retained on {topic}"));
    }
    if let Some(rid) = topic.strip_prefix("$iothub/twin/GET/?$rid=") {
        let answer = json!({ "desired": seen.desired, "reported": seen.twin }).to_string();
        let topic = format!("$iothub/twin/res/200/?$rid={rid}");
        drop(tell.send(message(&topic, answer.as_bytes(), None)));
    } else if let Some(rid) = topic.strip_prefix("$iothub/twin/PATCH/properties/reported/?$rid=") {
        let change: Value = serde_json::from_slice(rest).expect("JSON");
        for (name, value) in change.as_object().expect("properties") {
            seen.twin[name] = value.clone();
        }
        seen.reported.push(change);
        let topic = format!("$iothub/twin/res/204/?$rid={rid}&$version=2");
        drop(tell.send(message(&topic, b"", None)));
    } else if topic.starts_with(&format!("devices/{}/messages/events/", state.device))
        || topic.starts_with("$iothub/methods/res/")
    {
        drop(state.events.send((topic, rest.to_vec())));
    } else {
        seen.sins.push(format!("published to {topic}"));
    }
}

fn subscribe(body: &[u8], state: &State, tell: &mpsc::UnboundedSender<Vec<u8>>) {
    let mut rest = &body[2..];
    let mut answer = vec![body[0], body[1]];
    let mut filters = Vec::new();
    while !rest.is_empty() {
        filters.push(text(&mut rest));
        answer.push(rest[0].min(1));
        rest = &rest[1..];
    }
    let mut packet = vec![0x90, u8::try_from(answer.len()).expect("a few")];
    packet.extend(answer);
    drop(tell.send(packet));
    let mut seen = state.seen.lock().expect("no panic");
    if filters.len() > 5 {
        seen.sins.push("more than five filters".to_owned());
    }
    seen.filters = filters;
    drop(seen);
    state.news.notify_waiters();
}

async fn write(
    writes: &mut WriteHalf<Line>,
    state: &State,
    told: &mut mpsc::UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    let mut sent = Vec::new();
    loop {
        let news = state.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        let waiting = {
            let seen = state.seen.lock().expect("no panic");
            let is_new = |id: &&u16| !sent.contains(*id) && !seen.filters.is_empty();
            let ids: Vec<u16> = seen.waiting.keys().filter(is_new).copied().collect();
            ids.into_iter()
                .map(|id| (id, seen.waiting[&id].clone()))
                .collect::<Vec<_>>()
        };
        for (id, (topic, payload)) in waiting {
            sent.push(id);
            writes
                .write_all(&message(&topic, &payload, Some(id)))
                .await?;
        }
        writes.flush().await?;
        tokio::select! {
            packet = told.recv() => match packet {
                // It is flushed at the next turn, or a WebSocket would keep it.
                Some(packet) => writes.write_all(&packet).await?,
                None => return Ok(()),
            },
            () = news => {}
        }
    }
}

/// PUBLISH (MQTT 3.1.1, 3.3), QoS 1 where there is an id.
fn message(topic: &str, payload: &[u8], id: Option<u16>) -> Vec<u8> {
    let mut body = u16::try_from(topic.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    body.extend(topic.as_bytes());
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    body.extend(payload);
    let mut packet = vec![if id.is_some() { 0x32 } else { 0x30 }];
    let mut left = body.len();
    loop {
        let digit = u8::try_from(left % 128).expect("seven bits");
        left /= 128;
        packet.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

async fn packet(reads: &mut ReadHalf<Line>) -> io::Result<(u8, Vec<u8>)> {
    let head = reads.read_u8().await?;
    let (mut length, mut shift) = (0usize, 0);
    loop {
        let octet = reads.read_u8().await?;
        length |= usize::from(octet & 0x7f) << shift;
        shift += 7;
        if octet & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    reads.read_exact(&mut body).await?;
    Ok((head, body))
}

fn text(rest: &mut &[u8]) -> String {
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    let text = String::from_utf8_lossy(&rest[2..2 + length]).into_owned();
    *rest = &rest[2 + length..];
    text
}
