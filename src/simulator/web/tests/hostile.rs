//! Every attack is played, and the malformed ones octet for octet.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PATIENCE, at, exchange, fleet, get, post};
use crate::web::{HOSTILE, Plays};

/// Enough of a stream to say that it goes on.
const MUCH_BYTES: usize = 2 * 1024 * 1024;
/// Long enough to say that nothing comes: loopback takes microseconds.
const DOUBT: Duration = Duration::from_millis(200);

fn names(plays: Plays) -> impl Iterator<Item = &'static str> {
    let of_kind = HOSTILE.iter().filter(move |hostile| hostile.plays == plays);
    of_kind.map(|hostile| hostile.name)
}

#[test]
fn every_attack_has_a_name_of_its_own_and_stands_in_the_reference() {
    let distinct: BTreeSet<&str> = HOSTILE.iter().map(|hostile| hostile.name).collect();
    assert_eq!(distinct.len(), HOSTILE.len());
    assert!(HOSTILE.len() >= 100, "{}", HOSTILE.len());
    let reference = include_str!("../../../../docs/reference/simulated-pages.md");
    for hostile in HOSTILE {
        let line = format!("\n| `{}` | {} |\n", hostile.name, hostile.tries);
        assert!(
            reference.contains(&line),
            "{line} is missing from the reference"
        );
    }
    let script = include_str!("../hostile/attacks.js");
    for name in names(Plays::Script) {
        let has_play = script.contains(&format!("\n    \"{name}\": "));
        assert!(has_play, "{name} has no play in attacks.js");
    }
}

#[tokio::test]
async fn scripts_headers_and_redirects_are_served() {
    let running = fleet("addresses = \"127.51.4.1\"\nweb = { page = \"hostile\", port = 8080 }\n");
    let to = at("127.51.4.1", 8080);
    let ask = |path: String| async move { get(to, &path, "").await };
    let index = get(to, "/", "").await;
    // The index keeps its connection: what came is read until the length that it says.
    assert!(index.contains("href=\"/hostile/fetch-portal\""));
    for name in names(Plays::Script) {
        let page = ask(format!("/hostile/{name}")).await;
        assert!(page.contains(&format!("data-name=\"{name}\"")), "{page}");
    }
    let mut distinct = BTreeSet::new();
    for name in names(Plays::Header).chain(names(Plays::Redirect)) {
        let query = "portal=http%3A%2F%2Fhub.example&sibling=http%3A%2F%2Fs-2.hub.example";
        let answer = ask(format!(
            "/hostile/{name}?{query}&target=http%3A%2F%2Frebound.example"
        ))
        .await;
        assert!(
            distinct.insert(answer.clone()),
            "{name} plays another's part: {answer}"
        );
    }
    let toss = get(to, "/hostile/cookie-toss-parent?domain=dwa.example", "").await;
    assert!(
        toss.contains("\r\nSet-Cookie: session=tossed; Domain=dwa.example; Path=/"),
        "{toss}"
    );
    let metadata = get(to, "/hostile/redirect-metadata", "").await;
    assert!(metadata.contains("\r\nLocation: http://169.254.169.254/latest/meta-data/\r\n"));
    let script = get(to, "/hostile/attacks.js", "").await;
    assert!(script.contains("text/javascript") && script.contains("service-worker"));
    post(
        to,
        "/hostile/caught?lookalike",
        "",
        "user=m&password=secret",
    )
    .await;
    let arrived = running
        .arrived("127.51.4.1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(arrived.caught, ["lookalike user=m&password=secret"]);
}

#[tokio::test]
async fn malformed_answers_are_sent_octet_for_octet() {
    let running = fleet("addresses = \"127.51.4.2\"\nweb = { page = \"hostile\", port = 8080 }\n");
    let to = at("127.51.4.2", 8080);
    let sent = |name: &'static str| async move {
        // The second request says that nothing more comes, where the connection goes on.
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = format!("GET /hostile/{name} HTTP/1.1\r\nHost: p\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        answer
    };
    let mut distinct = BTreeSet::new();
    for name in names(Plays::Malformed) {
        let answer = sent(name).await;
        assert!(!answer.is_empty(), "{name}");
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            distinct.insert(answer),
            "{name} plays another's part: {text}"
        );
    }
    let ok = "HTTP/1.1 200 OK\r\n";
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Smuggled: yes\r\n\r\nsmuggled";
    for (name, octets) in [
        (
            "smuggle-cl-te",
            format!(
                "{ok}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
        (
            "smuggle-double-cl",
            format!("{ok}Content-Length: 4\r\nContent-Length: 75\r\n\r\nbody{smuggled}"),
        ),
        (
            "two-answers",
            format!("{ok}Content-Length: 4\r\n\r\nbody{smuggled}"),
        ),
        (
            "negative-length",
            format!("{ok}Content-Length: -1\r\n\r\nbody"),
        ),
        (
            "null-in-header",
            format!("{ok}X-Null: a\0b\r\nContent-Length: 4\r\n\r\nbody"),
        ),
        (
            "status-999",
            "HTTP/1.1 999 Whatever\r\nContent-Length: 4\r\n\r\nbody".to_owned(),
        ),
        (
            "location-crlf",
            "HTTP/1.1 302 Found\r\nLocation: /\rSet-Cookie: session=tossed\r\n\
             Content-Length: 0\r\n\r\n"
                .to_owned(),
        ),
        ("http09", "<title>HTTP/0.9</title>body".to_owned()),
    ] {
        assert_eq!(
            String::from_utf8(sent(name).await).unwrap(),
            octets,
            "{name}"
        );
    }
    assert_eq!(sent("tls-instead").await, [21, 3, 1, 0, 2, 2, 70]);
    let ipp = sent("ipp-lengths").await;
    assert!(ipp.ends_with(b"printer-name\x7f\xff\xff\xff"));
    drop(running);
}

#[tokio::test]
async fn streams_go_on_and_drips_hardly_begin() {
    let running = fleet("addresses = \"127.51.4.3\"\nweb = { page = \"hostile\", port = 8080 }\n");
    let to = at("127.51.4.3", 8080);
    let quiet = ["slow-drip", "slow-head", "never-answers", "short-body"];
    for name in names(Plays::Stream) {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = format!("GET /hostile/{name} HTTP/1.1\r\nHost: p\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut heard = vec![0; MUCH_BYTES];
        if quiet.contains(&name) {
            let more = tokio::time::timeout(DOUBT, stream.read_exact(&mut heard));
            assert!(more.await.is_err(), "{name} has said much already");
        } else {
            let more = tokio::time::timeout(PATIENCE, stream.read_exact(&mut heard));
            more.await
                .unwrap_or_else(|_| panic!("{name} has stopped"))
                .unwrap();
        }
    }
    drop(running);
}

#[tokio::test]
async fn the_bomb_is_sound_gzip_that_grows_a_thousandfold() {
    let running = fleet("addresses = \"127.51.4.4\"\nweb = { page = \"hostile\", port = 8080 }\n");
    let mut stream = TcpStream::connect(at("127.51.4.4", 8080)).await.unwrap();
    stream
        .write_all(b"GET /hostile/gzip-bomb HTTP/1.1\r\nHost: p\r\n\r\n")
        .await
        .unwrap();
    let mut heard = vec![0; 64 * 1024];
    stream.read_exact(&mut heard).await.unwrap();
    let start = heard
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let mut plain = flate2::read::GzDecoder::new(&heard[start..]);
    let mut zeros = vec![1; 32 * 1024 * 1024];
    std::io::Read::read_exact(&mut plain, &mut zeros).unwrap();
    assert!(zeros.iter().all(|octet| *octet == 0));
    drop(running);
}

#[tokio::test]
async fn protocols_change_without_being_asked() {
    let running = fleet("addresses = \"127.51.4.5\"\nweb = { page = \"hostile\", port = 8080 }\n");
    let to = at("127.51.4.5", 8080);
    for name in names(Plays::Upgrade) {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = format!("GET /hostile/{name} HTTP/1.1\r\nHost: p\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut heard = [0; 34];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"HTTP/1.1 101 Switching Protocols\r\n", "{name}");
        if name.ends_with("flood") {
            stream.read_exact(&mut vec![0; MUCH_BYTES]).await.unwrap();
        }
    }
    let unknown = exchange(
        to,
        b"GET /hostile/nothing HTTP/1.1\r\nConnection: close\r\n\r\n",
    );
    let unknown = tokio::time::timeout(PATIENCE, unknown).await.unwrap();
    assert!(unknown.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    drop(running);
}
