//! The web door as a browser and a printer see it: raw octets at both ends, no network.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::{PinError, Pins, WebDoor};
use crate::session::{
    Deed, Later, NoWay, NotNoted, Session, SessionId, Sessions, Stream, Terms, Way, Witness,
};
use crate::store::Tenant;

mod entry;
mod hostile;
mod over_tls;
mod proxy;
mod secure;
mod ssrf;
mod stream;

/// Longest any of this may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a pipe in these tests holds: what is in flight is counted against it.
const PIPE_LEN: usize = 16 * 1024;

const DOMAIN: &str = "dwa.hub.example.org";
const DEVICE: &str = "10.0.4.17";

/// What the printer does with each connection.
type Printer = Arc<dyn Fn(DuplexStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

struct Tunnel {
    printer: Printer,
    opened: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Way for Tunnel {
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (near, far) = duplex(PIPE_LEN);
        tokio::spawn((self.printer)(far));
        Box::pin(async { Ok(Box::new(near) as Box<dyn Stream>) })
    }
}

#[derive(Debug, Default)]
struct Notes {
    deeds: Mutex<Vec<Deed>>,
    is_full: AtomicBool,
}

impl Witness for Notes {
    fn note(&self, _: &Terms, deed: Deed) -> Later<Result<(), NotNoted>> {
        if self.is_full.load(Ordering::SeqCst) {
            return Box::pin(async { Err(NotNoted("no space left".to_owned())) });
        }
        self.deeds.lock().unwrap().push(deed);
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug, Default)]
struct Pinboard(Mutex<Option<String>>);

impl Pins for Pinboard {
    fn get(&self, _: &Terms) -> Later<Result<Option<String>, PinError>> {
        let pinned = self.0.lock().unwrap().clone();
        Box::pin(async { Ok(pinned) })
    }

    fn first(&self, _: &Terms, fingerprint: &str) -> Later<Result<(), PinError>> {
        let mut pinned = self.0.lock().unwrap();
        pinned.get_or_insert_with(|| fingerprint.to_owned());
        Box::pin(async { Ok(()) })
    }
}

/// One session with one printer, and a browser that has entered it.
struct Site {
    door: WebDoor,
    session: Session,
    notes: Arc<Notes>,
    pins: Arc<Pinboard>,
    opened: Arc<AtomicUsize>,
    authority: String,
    cookie: String,
}

fn terms(port: u16) -> Terms {
    let now = Timestamp::now();
    Terms {
        id: SessionId::new().unwrap(),
        tenant: Tenant::DEFAULT,
        agent: "a".repeat(32),
        device: DeviceId::parse(&"d".repeat(32)).unwrap(),
        address: Some(DEVICE.parse().unwrap()),
        port,
        holder: "a.martin".to_owned(),
        reason: "jam".to_owned(),
        from: None,
        opened: now,
        until: now + Duration::from_mins(15),
        idle_max: Duration::from_mins(5),
        is_read_only: false,
        is_fallback: false,
    }
}

impl Site {
    fn new(printer: Printer) -> Self {
        Self::of(terms(80), printer)
    }

    fn of(terms: Terms, printer: Printer) -> Self {
        let sessions = Sessions::default();
        let notes = Arc::<Notes>::default();
        let session = sessions.begin(terms, Arc::<Notes>::clone(&notes)).unwrap();
        let opened = Arc::<AtomicUsize>::default();
        session.has_way(Some(Arc::new(Tunnel {
            printer,
            opened: Arc::clone(&opened),
        })));
        let pins = Arc::<Pinboard>::default();
        let door = WebDoor::new(sessions, Arc::<Pinboard>::clone(&pins), DOMAIN);
        let now = Timestamp::now();
        let key = session.key(now).unwrap();
        let cookie = session.enter(&key, now).unwrap().unwrap();
        Self {
            authority: format!("s-{}.{DOMAIN}", session.terms().id),
            cookie: format!("__Host-platen-session={cookie}"),
            door,
            session,
            notes,
            pins,
            opened,
        }
    }

    /// As the portal's loopback listener serves it.
    fn local(mut self, port: u16) -> Self {
        self.door = self.door.local();
        self.authority = format!("s-{}.dwa.localhost:{port}", self.session.terms().id);
        let value = self.cookie.split_once('=').unwrap().1;
        self.cookie = format!("platen_session_{port}={value}");
        self
    }

    fn origin(&self) -> String {
        let scheme = match self.authority.contains("localhost") {
            true => "http",
            false => "https",
        };
        format!("{scheme}://{}", self.authority)
    }

    /// A browser's connection.
    fn connect(&self) -> DuplexStream {
        let (browser, hub) = duplex(PIPE_LEN);
        let service = Router::new()
            .fallback(async |State(door): State<WebDoor>, request: Request| {
                door.serve(request).await
            })
            .with_state(self.door.clone());
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(service);
            let serving = builder.serve_connection_with_upgrades(TokioIo::new(hub), service);
            // How it ends is the browser's to see.
            let _ = serving.await;
        });
        browser
    }

    /// Sends octets and reads until the hub hangs up.
    async fn raw(&self, octets: &[u8]) -> Answer {
        let mut browser = self.connect();
        browser.write_all(octets).await.unwrap();
        Answer::read(&mut browser).await
    }

    /// Asks with the session's own name and cookie, as a page of its own would.
    async fn ask(&self, line: &str, headers: &str) -> Answer {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n{headers}\r\n",
            self.authority, self.cookie
        );
        self.raw(request.as_bytes()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "").await
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    fn deeds(&self) -> Vec<Deed> {
        self.notes.deeds.lock().unwrap().clone()
    }
}

/// What the hub said on one connection.
struct Answer {
    status: u16,
    head: String,
    body: String,
    /// Whether the body ended as its head says, not just with the connection.
    is_whole: bool,
}

impl Answer {
    async fn read(browser: &mut DuplexStream) -> Self {
        let mut octets = Vec::new();
        // Whoever is cut says no goodbye.
        let _ = timeout(PATIENCE, browser.read_to_end(&mut octets))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&octets).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut answer = Self {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
            is_whole: false,
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.unchunk();
        } else if let Some(len) = answer.header("content-length") {
            answer.is_whole = len == answer.body.len().to_string();
        }
        answer
    }

    fn unchunk(&mut self) {
        let (mut rest, mut whole) = (self.body.as_str(), String::new());
        while let Some((len, after)) = rest.split_once("\r\n") {
            let len = usize::from_str_radix(len, 16).unwrap();
            self.is_whole = len == 0 && after == "\r\n";
            let Some(data) = after.get(..len).filter(|_| len > 0) else {
                break;
            };
            whole.push_str(data);
            rest = after.get(len + 2..).unwrap_or_default();
        }
        self.body = whole;
    }

    /// The values of a header, in order.
    fn all(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// What a printer was told, head by head.
type Heard = Arc<Mutex<Vec<String>>>;

async fn head(stream: &mut DuplexStream) -> Option<String> {
    let mut octets = Vec::new();
    while !octets.ends_with(b"\r\n\r\n") {
        octets.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(octets).ok()
}

/// Answers each connection's first request so, and hangs up.
fn says(answer: impl Into<Vec<u8>>) -> Printer {
    hears(answer).0
}

fn hears(answer: impl Into<Vec<u8>>) -> (Printer, Heard) {
    let (answer, heard) = (answer.into(), Heard::default());
    let printer: Printer = Arc::new({
        let heard = Arc::clone(&heard);
        move |mut stream| {
            let (answer, heard) = (answer.clone(), Arc::clone(&heard));
            Box::pin(async move {
                let Some(head) = head(&mut stream).await else {
                    return;
                };
                heard.lock().unwrap().push(head);
                // The hub may hang up first.
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            })
        }
    });
    (printer, heard)
}

/// Runs a printer of one's own.
fn printer<F>(serve: impl Fn(DuplexStream) -> F + Send + Sync + 'static) -> Printer
where
    F: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |stream| Box::pin(serve(stream)))
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
