//! Printers' pages in a browser: one that works, and one that attacks its neighbors.
//!
//! Used by the browser test. The web door is the hub's own; behind it, in place of tunnel and
//! agent, printers of a few lines each, on ports of this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Html;
use hub::door::web::{PinError, Pins, WebDoor, entry_link};
use hub::session::{
    Deed, Later, NoWay, NotNoted, Session, SessionId, Sessions, Stream, Terms, Way, Witness,
};
use hub::store::Tenant;
use jiff::Timestamp;
use printer::identity::DeviceId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::chrome::Browser;

/// What the printer writes into its pages: nobody answers there.
const ADDRESS: &str = "10.0.4.17";

#[derive(Debug)]
struct Silent;

impl Witness for Silent {
    fn note(&self, _: &Terms, _: Deed) -> Later<Result<(), NotNoted>> {
        Box::pin(async { Ok(()) })
    }
}

impl Pins for Silent {
    fn get(&self, _: &Terms) -> Later<Result<Option<String>, PinError>> {
        Box::pin(async { Ok(None) })
    }

    fn first(&self, _: &Terms, _: &str) -> Later<Result<(), PinError>> {
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug)]
struct Straight(u16);

impl Way for Straight {
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
        let port = self.0;
        Box::pin(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await;
            let stream = stream.map_err(|error| NoWay::Refused(error.to_string()))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// What was asked of a printer, or of the portal: method, path, and every header.
type Heard = Arc<Mutex<Vec<String>>>;

/// One printer behind one session.
pub(crate) struct Printer {
    session: Session,
    heard: Heard,
}

impl Printer {
    /// Everything it was asked so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// A web door, two printers behind it, and a portal beside it.
pub(crate) struct Doors {
    pub(crate) good: Printer,
    pub(crate) evil: Printer,
    portal_heard: Heard,
    port: u16,
    _served: JoinSet<()>,
}

impl Doors {
    pub(crate) async fn open() -> Self {
        let (sessions, mut served) = (Sessions::default(), JoinSet::new());
        let good = printer(&sessions, &mut served).await;
        let evil = printer(&sessions, &mut served).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let portal_heard = Heard::default();
        let portal = Router::new()
            .fallback(portal)
            .with_state(Arc::clone(&portal_heard));
        let door = WebDoor::new(sessions, Arc::new(Silent), "dwa.example.org");
        let both = door.local().beside(portal);
        served.spawn(async move { axum::serve(listener, both).await.unwrap() });
        Self {
            good,
            evil,
            portal_heard,
            port,
            _served: served,
        }
    }

    pub(crate) fn origin(&self, printer: &Printer) -> String {
        let id = &printer.session.terms().id;
        format!("http://s-{id}.dwa.localhost:{}", self.port)
    }

    /// Goes from the portal into a session, as a person does.
    pub(crate) async fn enter(&self, browser: &Browser, printer: &Printer) {
        browser
            .open(&format!("http://localhost:{}/", self.port))
            .await;
        let key = printer.session.key(Timestamp::now()).unwrap();
        let link = entry_link(&self.origin(printer), &key);
        browser
            .run(&format!("document.querySelector('a').href = '{link}'"))
            .await;
        browser.run("document.querySelector('a').click()").await;
        shows(browser, "Welcome").await;
    }

    pub(crate) fn portal_heard(&self) -> Vec<String> {
        self.portal_heard.lock().unwrap().clone()
    }
}

async fn portal(
    State(heard): State<Heard>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Html<&'static str> {
    let line = format!("{method} {uri} {headers:?}");
    heard.lock().unwrap().push(line);
    Html("<!doctype html><title>Portal</title><a href='/'>open</a>")
}

async fn printer(sessions: &Sessions, served: &mut JoinSet<()>) -> Printer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    served.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, Arc::clone(&hears)));
        }
    });
    let now = Timestamp::now();
    let terms = Terms {
        id: SessionId::new().unwrap(),
        tenant: Tenant::DEFAULT,
        agent: "a".repeat(32),
        device: DeviceId::parse(&"d".repeat(32)).unwrap(),
        address: Some(ADDRESS.parse().unwrap()),
        port: 80,
        holder: "anna".to_owned(),
        reason: "jam".to_owned(),
        from: None,
        opened: now,
        until: now + Duration::from_mins(15),
        idle_max: Duration::from_mins(5),
        is_read_only: false,
        is_fallback: false,
    };
    let session = sessions.begin(terms, Arc::new(Silent)).unwrap();
    session.has_way(Some(Arc::new(Straight(port))));
    Printer { session, heard }
}

/// Speaks HTTP as small processors do.
async fn serve(mut stream: TcpStream, heard: Heard) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(octet) = stream.read_u8().await else {
                return;
            };
            head.push(octet);
        }
        let head = String::from_utf8(head).unwrap();
        let len = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; len.map_or(0, |len| len.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        let body = String::from_utf8(body).unwrap();
        heard.lock().unwrap().push(format!("{head}{body}"));
        if head.starts_with("GET /live ") {
            echo(stream, &head).await;
            return;
        }
        let answer = answer(&head, &body);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The first page, with frames, absolute links and a form.
const FIRST: &str = "<!doctype html><title>Welcome</title><h1>Welcome</h1>\
    <a id=next href='http://10.0.4.17/next'>next</a>\
    <img id=mark src='//10.0.4.17/mark.svg'>\
    <iframe id=frame src='http://10.0.4.17:80/frame'></iframe>\
    <form method=post action='http://10.0.4.17/login'><input name=user value=admin>\
    <button id=login>in</button></form>\
    <script>var inline = 'runs'; var made = eval('1+1');</script>";

fn answer(head: &str, body: &str) -> String {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let page = |kind: &str, more: &str, body: &str| {
        let len = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {len}\r\n\r\n{body}"
        )
    };
    let has_logged_in = head.contains("user=admin");
    match path {
        "/" => page("text/html", "", FIRST),
        "/next" => page("text/html", "", "<title>Next</title>"),
        "/frame" => page("text/html", "", "<title>Frame</title>framed"),
        "/mark.svg" => page(
            "image/svg+xml",
            "",
            "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'/>",
        ),
        "/login" if body == "user=admin" => "HTTP/1.1 302 Found\r\nLocation: \
             http://10.0.4.17/inside\r\nSet-Cookie: user=admin; Domain=10.0.4.17; Path=/\r\n\
             Content-Length: 0\r\n\r\n"
            .to_owned(),
        "/inside" if has_logged_in => page("text/html", "", "<title>Inside</title>"),
        "/said" => page("text/plain", "", body),
        "/sw.js" => page("text/javascript", "Service-Worker-Allowed: /\r\n", "1"),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
}

/// Takes a WebSocket's handshake, and sends back the first frame unmasked.
async fn echo(mut stream: TcpStream, head: &str) {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-Websocket-Key: "));
    let accept = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.unwrap());
    let accept = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, accept.as_bytes());
    let accept = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, accept);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    let mut head = [0; 6];
    stream.read_exact(&mut head).await.unwrap();
    let mut text = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut text).await.unwrap();
    for (octet, mask) in text.iter_mut().zip(head[2..].iter().cycle()) {
        *octet ^= mask;
    }
    let mut frame = vec![0x81, u8::try_from(text.len()).unwrap()];
    frame.extend(text);
    stream.write_all(&frame).await.unwrap();
    // Until the browser closes.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

/// Waits until a page with this title is there.
async fn shows(browser: &Browser, title: &str) {
    for _ in 0..200 {
        if browser.words("return document.title").await == title {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let html = "return location.href + document.documentElement.outerHTML";
    panic!("no page {title}, but {}", browser.words(html).await);
}

/// What a technician does on a page that means well.
pub(crate) async fn a_page_works(doors: &Doors, browser: &Browser) {
    let home = doors.origin(&doors.good);
    doors.enter(browser, &doors.good).await;
    assert_eq!(
        browser.words("return location.href").await,
        format!("{home}/")
    );
    for (script, value) in [
        ("return inline", json!("runs")),
        ("return made", json!(2)),
        (
            "return document.getElementById('mark').naturalWidth",
            json!(7),
        ),
        (
            "return document.getElementById('frame').contentDocument.title",
            json!("Frame"),
        ),
        (
            "return fetch('/said', {method: 'POST', body: 'heard'}).then(a => a.text())",
            json!("heard"),
        ),
        (
            "return new Promise(done => { const s = new WebSocket('ws://' + location.host + '/live'); \
             s.onopen = () => s.send('echo'); s.onmessage = e => { done(e.data); s.close() }; \
             s.onerror = () => done('refused') })",
            json!("echo"),
        ),
        ("return document.cookie", json!("")),
    ] {
        assert_eq!(browser.run(script).await, value, "{script}");
    }
    browser
        .run("document.getElementById('login').click()")
        .await;
    shows(browser, "Inside").await;
    assert_eq!(browser.words("return document.cookie").await, "user=admin");
    browser.open(&format!("{home}/")).await;
    browser.run("document.getElementById('next').click()").await;
    shows(browser, "Next").await;
    let heard = doors.good.heard().join("\n");
    assert!(
        !heard.contains("platen") && !heard.contains("localhost"),
        "{heard}"
    );
    assert!(heard.contains("Origin: http://10.0.4.17\r\n"), "{heard}");
}

/// What a page that means ill tries on a neighbor and on the portal.
const ATTACKS: [&str; 12] = [
    "return fetch('AT/said', {credentials: 'include'}).then(a => a.text()).catch(() => 'refused')",
    "return fetch('AT/said', {credentials: 'include', mode: 'no-cors', method: 'POST', body: 'x'})\
     .then(() => 'sent').catch(() => 'refused')",
    "return new Promise(done => { const i = new Image(); i.onload = () => done('shown'); \
     i.onerror = () => done('refused'); i.src = 'AT/mark.svg' })",
    "return new Promise(done => { const s = document.createElement('script'); \
     s.onload = () => done('ran'); s.onerror = () => done('refused'); s.src = 'AT/sw.js'; \
     document.head.append(s) })",
    "return new Promise(done => { const f = document.createElement('iframe'); \
     f.onload = () => { try { done(f.contentDocument.title || 'refused') } \
     catch { done('refused') } }; f.src = 'AT/next'; document.body.append(f); \
     setTimeout(() => done('refused'), 2000) })",
    "return new Promise(done => { const s = new WebSocket('AT/live'.replace('http', 'ws')); \
     s.onopen = () => done('open'); s.onerror = () => done('refused') })",
    "return Promise.resolve(navigator.sendBeacon('AT/said', 'x')).then(() => 'refused')",
    "const f = document.createElement('form'); f.method = 'post'; f.action = 'AT/login'; \
     f.target = 'elsewhere'; f.innerHTML = '<input name=user value=admin>'; \
     document.body.append(f); f.submit(); return 'refused'",
    "return navigator.serviceWorker.register('/sw.js').then(() => 'registered')\
     .catch(() => 'refused')",
    "try { new Worker('/sw.js'); return new Promise(d => setTimeout(() => d('refused'), 200)) } \
     catch { return 'refused' }",
    "try { document.domain = 'dwa.localhost'; return document.domain == 'dwa.localhost' ? 'loose' \
     : 'refused' } catch { return 'refused' }",
    "const w = window.open('AT/next'); return new Promise(done => setTimeout(() => { \
     try { done(w.document.title || 'refused') } catch { done('refused') } }, 500))",
];

/// Tries every attack on the neighbor and on the portal; nothing of it succeeds.
pub(crate) async fn an_evil_page_reaches_nobody(doors: &Doors, browser: &Browser) {
    doors.enter(browser, &doors.evil).await;
    let portal = format!("http://localhost:{}", doors.port);
    let (neighbor, before) = (doors.origin(&doors.good), doors.good.heard().len());
    let portal_before = doors.portal_heard().len();
    for target in [&neighbor, &portal] {
        for attack in ATTACKS {
            let script = attack.replace("AT/", &format!("{target}/"));
            let outcome = browser.run(&script).await;
            assert_eq!(outcome, Value::from("refused"), "{script}");
        }
    }
    // A window may be opened, and shows its page to nobody else; all else was never asked.
    for heard in &doors.good.heard()[before..] {
        assert!(heard.starts_with("GET /next "), "{heard}");
    }
    for heard in &doors.portal_heard()[portal_before..] {
        assert!(
            heard.starts_with("GET /next ") || heard.contains("\"same-origin\""),
            "{heard}"
        );
    }
    let toss = "for (const domain of ['dwa.localhost', location.hostname.slice(2), 'localhost']) \
                for (let n = 0; n < 4; n++) \
                document.cookie = `platen_session_PORT=evil${n}; domain=${domain}; path=/`; \
                localStorage.setItem('mark', 'evil'); return 'done'";
    let toss = toss.replace("PORT", &doors.port.to_string());
    browser.words(&toss).await;
    browser.open(&format!("{neighbor}/next")).await;
    shows(browser, "Next").await;
    let kept = browser.run("return localStorage.getItem('mark')").await;
    assert_eq!(kept, Value::Null, "each session has a storage of its own");
}
