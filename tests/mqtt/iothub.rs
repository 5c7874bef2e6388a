//! A broker that plays Azure IoT Hub, as its documentation describes it: MQTT 3.1.1 over TLS, SAS
//! tokens, one connection a device, at most five filters, QoS 0 and 1, nothing retained, commands
//! that wait until they are acknowledged. What the documentation forbids ends the connection, and
//! is noted.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Line = TlsStream<TcpStream>;

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
    desired: String,
    reported: Vec<String>,
    filters: Vec<String>,
}

struct State {
    key: Vec<u8>,
    seen: Mutex<Seen>,
    /// Something is to be sent.
    news: Notify,
    /// Counts connections: the newest alone lives.
    newest: watch::Sender<u64>,
    events: mpsc::UnboundedSender<(String, Vec<u8>)>,
}

impl IotHub {
    /// Starts it for the device `lyon-1` with this key.
    pub async fn start(key: &[u8]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pair = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        let authority = params.self_signed(&pair).expect("signed").pem();
        let chain = vec![CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")];
        let private = PrivateKeyDer::from_pem_slice(pair.serialize_pem().as_bytes());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, private.expect("PEM"))
            .expect("TLS");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (say, events) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            key: key.to_vec(),
            seen: Mutex::new(Seen {
                desired: "{\"$version\":1}".to_owned(),
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
                    let _ = serve(line, &state).await;
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
    pub fn desire(&self, version: i64, properties: &str) {
        self.desire_silently(properties);
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        self.send(&topic, properties.as_bytes());
    }

    /// Changes the desired properties while nobody is told.
    pub fn desire_silently(&self, properties: &str) {
        let mut seen = self.state.seen.lock().expect("no panic");
        properties.clone_into(&mut seen.desired);
    }

    pub fn passwords(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").passwords.clone()
    }

    pub fn sins(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").sins.clone()
    }

    pub fn reported(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").reported.clone()
    }

    pub fn filters(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").filters.clone()
    }
}

/// The documented signature, made by a program that is not ours.
pub fn signature_by_openssl(key: &[u8], text: &str) -> String {
    let hex: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-binary", "-macopt"])
        .arg(format!("hexkey:{hex}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let mut stdin = openssl.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("written");
    drop(stdin);
    let output = openssl.wait_with_output().expect("it ends");
    STANDARD.encode(output.stdout)
}

/// Whether a password is a token of the device that has not ended.
pub fn is_token(key: &[u8], password: &str) -> bool {
    let Some(fields) = password.strip_prefix("SharedAccessSignature ") else {
        return false;
    };
    let fields: HashMap<&str, &str> = fields
        .split('&')
        .filter_map(|it| it.split_once('='))
        .collect();
    let (Some(resource), Some(signature), Some(expiry)) =
        (fields.get("sr"), fields.get("sig"), fields.get("se"))
    else {
        return false;
    };
    let signed = signature_by_openssl(key, &format!("{resource}\n{expiry}"));
    let signed = signed
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    *resource == "127.0.0.1%2Fdevices%2Flyon-1"
        && **signature == *signed
        && expiry.parse::<u64>().is_ok_and(|expiry| expiry > now)
}

/// One connection, from its CONNECT to its end.
async fn serve(line: Line, state: &State) -> std::io::Result<()> {
    let (mut reads, mut writes) = split(line);
    let (kind, connect) = packet(&mut reads).await?;
    if kind >> 4 != 1 || !lets_in(&connect, state) {
        // CONNACK, return code 5, not authorized (MQTT 3.1.1, 3.2.2.3).
        writes.write_all(&[0x20, 2, 0, 5]).await?;
        return writes.shutdown().await;
    }
    let mut mine = 0;
    state.newest.send_modify(|newest| {
        *newest += 1;
        mine = *newest;
    });
    let mut newest = state.newest.subscribe();
    writes.write_all(&[0x20, 2, 1, 0]).await?;
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
fn lets_in(connect: &[u8], state: &State) -> bool {
    let mut rest = connect;
    let mut seen = state.seen.lock().expect("no panic");
    let protocol = text(&mut rest);
    let (level, flags) = (rest[0], rest[1]);
    rest = &rest[4..];
    let client = text(&mut rest);
    let will = (flags & 0x04 != 0).then(|| (text(&mut rest), text(&mut rest)));
    let user = text(&mut rest);
    let password = text(&mut rest);
    let mut sin = |what: &str| seen.sins.push(what.to_owned());
    if (protocol.as_str(), level) != ("MQTT", 4) {
        sin("not MQTT 3.1.1");
    }
    if flags & 0x02 != 0 {
        sin("a clean session loses what waits");
    }
    if will.is_some_and(|(topic, _)| !topic.starts_with("devices/lyon-1/messages/events/")) {
        sin("a will elsewhere than among the events");
    }
    if flags & 0x20 != 0 {
        sin("a retained will");
    }
    let is_known = client == "lyon-1" && user == "127.0.0.1/lyon-1/?api-version=2021-04-12";
    let is_let_in = is_known && is_token(&state.key, &password);
    seen.passwords.push(password);
    is_let_in
}

async fn read(
    reads: &mut ReadHalf<Line>,
    state: &State,
    tell: mpsc::UnboundedSender<Vec<u8>>,
) -> std::io::Result<()> {
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
        let answer = format!(
            "{{\"desired\":{},\"reported\":{{\"$version\":1}}}}",
            seen.desired
        );
        let topic = format!("$iothub/twin/res/200/?$rid={rid}");
        drop(tell.send(message(&topic, answer.as_bytes(), None)));
    } else if let Some(rid) = topic.strip_prefix("$iothub/twin/PATCH/properties/reported/?$rid=") {
        seen.reported
            .push(String::from_utf8_lossy(rest).into_owned());
        let topic = format!("$iothub/twin/res/204/?$rid={rid}&$version=2");
        drop(tell.send(message(&topic, b"", None)));
    } else if topic.starts_with("devices/lyon-1/messages/events/")
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
) -> std::io::Result<()> {
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

async fn packet(reads: &mut ReadHalf<Line>) -> std::io::Result<(u8, Vec<u8>)> {
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
