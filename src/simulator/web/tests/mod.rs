//! The pages over real sockets on loopback.

mod hostile;
mod plain;
mod raw;
mod swap;
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Fleet, FleetError, Running};

/// Longest to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A fleet of one group with these further keys.
fn parse(rest: &str) -> Result<Fleet, FleetError> {
    parse_of("kyocera-taskalfa-4054ci", rest)
}

/// The same that plays this recording.
fn parse_of(recording: &str, rest: &str) -> Result<Fleet, FleetError> {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let text = format!(
        "port = 0\nrecordings = {recordings:?}\n[[printers]]\n\
         recording = \"{recording}\"\n{rest}"
    );
    Fleet::parse(&text, Path::new("."))
}

fn fleet(rest: &str) -> Running {
    crate::run(parse(rest).unwrap(), std::future::pending()).unwrap()
}

fn fleet_of(recording: &str, rest: &str) -> Running {
    crate::run(parse_of(recording, rest).unwrap(), std::future::pending()).unwrap()
}

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port)
}

/// Everything that comes back, until the printer closes.
async fn exchange(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let talk = async {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A reset at the end is an answer too: what came before it counts.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    tokio::time::timeout(PATIENCE, talk).await.unwrap()
}

/// The page at a path, with its head.
async fn get(to: SocketAddr, path: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}\r\n");
    String::from_utf8_lossy(&exchange(to, request.as_bytes()).await).into_owned()
}

async fn post(to: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    String::from_utf8_lossy(&exchange(to, request.as_bytes()).await).into_owned()
}

#[test]
fn an_unknown_page_is_refused_with_the_nearest_one() {
    let refused = |web: &str| {
        let error = parse(&format!("addresses = \"127.51.0.1\"\n{web}\n")).unwrap_err();
        error.to_string()
    };
    let of = "fleet, printers of kyocera-taskalfa-4054ci: ";
    assert_eq!(
        refused("web = \"pannel\""),
        format!("{of}no page 'pannel': did you mean 'panel'?")
    );
    let many = refused("web = [\"panel\", { page = \"hostil\", port = 81 }]");
    assert_eq!(
        many,
        format!("{of}no page 'hostil': did you mean 'hostile'?")
    );
    let none = refused("web = \"zzz\"");
    assert!(
        none.contains("no page 'zzz': there are panel, links, login"),
        "{none}"
    );
    let twice = refused("web = [\"panel\", \"login\"]");
    assert!(twice.contains("two pages at port 80"), "{twice}");
    assert!(refused("raw = 0").contains("port 0 is no door"));
    assert!(refused("web = 3").contains("web is a page such as"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let first = fleet("addresses = \"127.51.0.2\"\nraw = 9100\n");
    let second = parse("addresses = \"127.51.0.2\"\nraw = 9100\n").unwrap();
    let error = crate::run(second, std::future::pending())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot open the page at 127.51.0.2:9100"),
        "{error}"
    );
    drop(first);
}
