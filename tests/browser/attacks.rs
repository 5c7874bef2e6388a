//! Every attack that a simulated printer plays, through the web door.
//!
//! Used by the browser test. Scripts say themselves what they managed; what other attacks send is
//! judged octet by octet.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use hub::session::{Cause, End};
use jiff::Timestamp;
use simulator::web::{HOSTILE, Plays};
use simulator::{Fleet, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::chrome::Browser;
use crate::door::{Doors, Printer};

/// Longest that a script tries: it gives each of its steps four seconds.
const VERDICT_WITHIN: Duration = Duration::from_secs(60);

/// How long an answer is read that may have no end.
const READ_FOR: Duration = Duration::from_millis(300);

/// Most octets of an answer that are read: enough to say that it goes on.
const READ_MAX: usize = 4 * 1024 * 1024;

/// What a script may leave behind in spite of everything: a browser lets a page set cookies for the
/// domain above it, which is no name of the portal's and of no use to a sibling.
const LEFT_BEHIND: [&str; 2] = ["cookie-toss-script", "cookie-bomb"];

/// Takes such cookies away again.
const CLEAR: &str = "for (const name of ['tossed', 'session', 'platen-session']) \
                     document.cookie = `${name}=; Domain=dwa.localhost; Path=/; Max-Age=0`; \
                     return 'done'";

/// A fleet of one hostile printer.
fn hostile(address: &str) -> (Running, SocketAddr) {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let text = format!(
        "port = 0\nrecordings = {recordings:?}\n[[printers]]\n\
         recording = \"kyocera-taskalfa-4054ci\"\naddresses = \"{address}\"\n\
         web = {{ page = \"hostile\", port = 8080 }}\n"
    );
    let fleet = Fleet::parse(&text, Path::new(".")).unwrap();
    let running = simulator::run(fleet, std::future::pending()).unwrap();
    (running, SocketAddr::new(address.parse().unwrap(), 8080))
}

/// Opens every script's page; none reads what is not its own.
pub(crate) async fn scripts(doors: &Doors, browser: &Browser) {
    let (_running, at) = hostile("127.53.0.1");
    let evil = doors.with(at);
    doors.enter(browser, &doors.good).await;
    doors.enter(browser, &evil).await;
    let targets = format!(
        "portal=http://localhost:{}&sibling={}&path=/next",
        doors.port,
        doors.origin(&doors.good)
    );
    let mut played = 0;
    for attack in HOSTILE
        .iter()
        .filter(|attack| attack.plays == Plays::Script)
    {
        let page = format!("{}/hostile/{}?{targets}", doors.origin(&evil), attack.name);
        browser.open(&page).await;
        let verdict = verdict(browser).await;
        assert!(!verdict.contains("read:"), "{}: {verdict}", attack.name);
        let is_left = verdict.contains("wrote:");
        assert!(
            !is_left || LEFT_BEHIND.contains(&attack.name),
            "{}: {verdict}",
            attack.name
        );
        // What one has left behind is not the next one's booty.
        browser.words(CLEAR).await;
        played += 1;
    }
    assert!(played >= 40, "{played}");
    let heard = doors.portal_heard().join("\n");
    assert!(!heard.contains("POST"), "{heard}");
    let heard = doors.good.heard().join("\n");
    assert!(!heard.contains("POST"), "{heard}");
}

async fn verdict(browser: &Browser) -> String {
    let began = Instant::now();
    while began.elapsed() < VERDICT_WITHIN {
        let title = browser.words("return document.title").await;
        if title == "blocked" || title.contains("read:") || title.contains("wrote:") {
            return title;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let html = "return location.href + document.documentElement.outerHTML";
    panic!("no verdict: {}", browser.words(html).await);
}

/// Asks for every other attack twice, so that what one answer leaves behind meets the next request.
pub(crate) async fn answers(doors: &Doors) {
    let (_running, at) = hostile("127.53.0.2");
    for attack in HOSTILE
        .iter()
        .filter(|attack| attack.plays != Plays::Script)
    {
        let evil = doors.with(at);
        let key = evil.session.key(Timestamp::now()).unwrap();
        let cookie = evil.session.enter(&key, Timestamp::now()).unwrap().unwrap();
        for variant in 0..10 {
            let is_varied = attack.name == "te-variants";
            if variant > 1 && !is_varied {
                break;
            }
            let path = format!("/hostile/{}?variant={variant}", attack.name);
            let answer = ask(doors, (&evil, &cookie), &path, attack.plays).await;
            let head = answer.split("\r\n\r\n").next().unwrap_or_default();
            judge(doors, &evil, attack.name, head);
            assert!(!answer.contains("smuggled"), "{path}: {answer}");
        }
        the_session_ends(doors, (&evil, &cookie), attack.name).await;
    }
}

/// What the hub says within a moment.
async fn ask(doors: &Doors, (evil, cookie): (&Printer, &str), path: &str, plays: Plays) -> String {
    let mut stream = begun(doors, (evil, cookie), path, plays).await;
    let mut octets = Vec::new();
    let reading = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            octets.extend_from_slice(&buffer[..len]);
            if octets.len() > READ_MAX {
                break;
            }
        }
    };
    // Whoever has no end is left in the middle.
    let _ = timeout(READ_FOR, reading).await;
    String::from_utf8_lossy(&octets).into_owned()
}

async fn begun(
    doors: &Doors,
    (evil, cookie): (&Printer, &str),
    path: &str,
    plays: Plays,
) -> TcpStream {
    let origin = doors.origin(evil);
    let host = origin.trim_start_matches("http://");
    let port = doors.port;
    let upgrade = match plays {
        Plays::Upgrade if !path.contains("unasked") => format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: {origin}\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        ),
        _ => "Connection: close\r\n".to_owned(),
    };
    // Only there is a body too much.
    let method = match path.contains("head-body") {
        true => "HEAD",
        false => "GET",
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: platen_session_{port}={cookie}\r\n{upgrade}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// No head leads elsewhere, outlives the session or speaks for others.
fn judge(doors: &Doors, evil: &Printer, name: &str, head: &str) {
    let home = format!("{}/", doors.origin(evil));
    let mut policies = 0;
    for (key, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        let key = key.to_ascii_lowercase();
        let is_wrong = match key.as_str() {
            "location" | "content-location" => !value.starts_with(&home),
            "refresh" => value.contains("url=") && !value.contains(&home),
            "set-cookie" => {
                let value = value.to_ascii_lowercase();
                value.contains("domain=")
                    || value.contains("platen")
                    || value.contains("tossed;") && name == "trailer-smuggle"
            }
            "content-security-policy" => {
                policies += 1;
                !value.contains("frame-ancestors 'self'")
            }
            "cache-control" => value != "no-store",
            "strict-transport-security"
            | "clear-site-data"
            | "alt-svc"
            | "report-to"
            | "nel"
            | "reporting-endpoints"
            | "link"
            | "sourcemap"
            | "service-worker-allowed"
            | "public-key-pins"
            | "proxy-authenticate" => true,
            key => key.starts_with("access-control-"),
        };
        assert!(!is_wrong, "{name}: {key}: {value}");
    }
    let is_switched = head.starts_with("HTTP/1.1 101 ");
    assert!(
        head.is_empty() || is_switched || policies == 1,
        "{name}: {head}"
    );
}

/// Whatever goes on, it is cut within 5 s of the session's end.
async fn the_session_ends(doors: &Doors, (evil, cookie): (&Printer, &str), name: &str) {
    let attack = HOSTILE.iter().find(|attack| attack.name == name).unwrap();
    let path = format!("/hostile/{name}");
    let mut stream = begun(doors, (evil, cookie), &path, attack.plays).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let end = End::new(Cause::Person, "closed");
    evil.session.end(end);
    let rest = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(1..) = stream.read(&mut buffer).await {}
    };
    let cut = timeout(Duration::from_secs(5), rest).await;
    assert!(cut.is_ok(), "{name} is not cut");
}
