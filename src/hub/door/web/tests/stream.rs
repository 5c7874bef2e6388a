//! Bodies and sockets that flow: held back where nobody reads, cut when the session ends.

use super::*;
use crate::session::{Cause, End};

const MIB: usize = 1024 * 1024;

/// What firmware and logs come to.
const LARGE: usize = 200 * MIB;

/// Most octets in flight between two ends where one has stopped: pipes and buffers of both sides.
const IN_FLIGHT_MAX: usize = 2 * MIB;

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let arrived = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&arrived);
    let site = Site::new(printer(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            let heard = head(&mut stream).await.unwrap();
            assert!(
                heard.contains(&format!("Content-Length: {LARGE}\r\n")),
                "{heard}"
            );
            assert!(!heard.contains("Expect"), "{heard}");
            let mut buffer = vec![0; 64 * 1024];
            while count.load(Ordering::SeqCst) < LARGE {
                let len = stream.read(&mut buffer).await.unwrap();
                count.fetch_add(len, Ordering::SeqCst);
            }
            stream.write_all(PAGE.as_bytes()).await.unwrap();
        }
    }));
    let mut browser = site.connect();
    let request = format!(
        "POST /firmware HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\nOrigin: {}\r\n\
         Content-Length: {LARGE}\r\nExpect: 100-continue\r\n\r\n",
        site.authority,
        site.cookie,
        site.origin()
    );
    browser.write_all(request.as_bytes()).await.unwrap();
    let go_on = head(&mut browser).await.unwrap();
    assert!(go_on.starts_with("HTTP/1.1 100 "), "{go_on}");
    let block = vec![7; MIB];
    for _ in 0..LARGE / MIB {
        browser.write_all(&block).await.unwrap();
    }
    let answer = Answer::read(&mut browser).await;
    assert_eq!(answer.status, 200);
    assert_eq!(arrived.load(Ordering::SeqCst), LARGE);
    assert_eq!(
        site.session.tally().sent.load(Ordering::Relaxed),
        LARGE as u64
    );
}

#[tokio::test]
async fn a_large_download_arrives_whole() {
    let site = Site::new(printer(async |mut stream: DuplexStream| {
        let _ = head(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let block = vec![7; MIB];
        for _ in 0..LARGE / MIB {
            stream.write_all(&block).await.unwrap();
        }
    }));
    let mut browser = begun(&site, "/log").await;
    assert!(head(&mut browser).await.unwrap().contains("200 OK"));
    let mut arrived = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match browser.read(&mut buffer).await.unwrap() {
            0 => break,
            len => arrived += len,
        }
    }
    assert_eq!(arrived, LARGE);
}

/// A GET that has been sent, and not been read.
async fn begun(site: &Site, path: &str) -> DuplexStream {
    let mut browser = site.connect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
        site.authority, site.cookie
    );
    browser.write_all(request.as_bytes()).await.unwrap();
    browser
}

/// A printer that says an endless body, and how much it could say.
fn endless(head_text: &'static str, piece: &'static [u8]) -> (Printer, Arc<AtomicUsize>) {
    let said = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&said);
    let printer = printer(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            let _ = head(&mut stream).await;
            let _ = stream.write_all(head_text.as_bytes()).await;
            while stream.write_all(piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    });
    (printer, said)
}

/// Waits until a count stands still.
async fn stands(count: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    loop {
        let now = count.load(Ordering::SeqCst);
        if now == before && now > 0 {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn what_nobody_reads_is_not_fetched() {
    let kinds = ["text/plain", "text/html"];
    for kind in kinds {
        let head_text = match kind {
            "text/html" => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\n\r\n",
        };
        let (printer, said) = endless(head_text, &[b'x'; 4_096]);
        let site = Site::new(printer);
        let _browser = begun(&site, "/").await;
        let in_flight = timeout(PATIENCE, stands(&said)).await.unwrap();
        assert!(in_flight < IN_FLIGHT_MAX, "{kind}: {in_flight}");
    }
}

#[tokio::test]
async fn what_the_printer_does_not_read_is_not_taken() {
    let site = Site::new(printer(async |mut stream: DuplexStream| {
        let _ = head(&mut stream).await;
        tokio::time::sleep(PATIENCE).await;
    }));
    let mut browser = site.connect();
    let request = format!(
        "POST /firmware HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nOrigin: {}\r\n\
         Content-Length: {LARGE}\r\n\r\n",
        site.authority,
        site.cookie,
        site.origin()
    );
    browser.write_all(request.as_bytes()).await.unwrap();
    let taken = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while browser.write_all(&[7; 4_096]).await.is_ok() {
            count.fetch_add(4_096, Ordering::SeqCst);
        }
    });
    let in_flight = timeout(PATIENCE, stands(&taken)).await.unwrap();
    assert!(in_flight < IN_FLIGHT_MAX, "{in_flight}");
}

#[tokio::test]
async fn an_endless_answer_ends_with_its_session() {
    let (printer, said) = endless("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4_096]);
    let site = Site::new(printer);
    let mut browser = begun(&site, "/").await;
    let mut buffer = vec![0; 64 * 1024];
    let mut read = 0;
    while read < 8 * MIB {
        read += browser.read(&mut buffer).await.unwrap();
    }
    let ended = tokio::time::Instant::now();
    site.session.end(End::new(Cause::Person, "closed"));
    let rest = async { while browser.read(&mut buffer).await.is_ok_and(|len| len > 0) {} };
    timeout(Duration::from_secs(5), rest).await.unwrap();
    let last = stands(&said).await;
    assert!(last - read < IN_FLIGHT_MAX, "{last} said, {read} read");
    assert!(ended.elapsed() < Duration::from_secs(5));
    assert_eq!(
        Arc::strong_count(&site.notes),
        2,
        "the session's and the test's"
    );
}

/// A printer that takes a WebSocket's handshake, and says again what it hears.
fn echoes() -> Printer {
    printer(async |mut stream: DuplexStream| {
        let heard = head(&mut stream).await.unwrap();
        assert!(heard.contains("Connection: Upgrade\r\n"), "{heard}");
        assert!(heard.contains("Upgrade: websocket\r\n"), "{heard}");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\nSet-Cookie: a=b\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut buffer = [0; 1_024];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..len]).await.unwrap();
        }
    })
}

async fn upgraded(site: &Site, origin: &str) -> (DuplexStream, String) {
    let mut browser = site.connect();
    let request = format!(
        "GET /live HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nOrigin: {origin}\r\n\
         Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
        site.authority, site.cookie
    );
    browser.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut browser).await.unwrap();
    (browser, answer)
}

#[tokio::test]
async fn a_websocket_is_carried_counted_and_cut() {
    let site = Site::new(echoes());
    let (mut browser, answer) = upgraded(&site, &site.origin()).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let answer = answer.to_ascii_lowercase();
    assert!(answer.contains("sec-websocket-accept: x"), "{answer}");
    assert!(!answer.contains("set-cookie"), "{answer}");
    let mut heard = [0; 5];
    for _ in 0..3 {
        browser.write_all(b"\x81\x03abc").await.unwrap();
        browser.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"\x81\x03abc");
    }
    let tally = site.session.tally();
    assert_eq!(tally.sent.load(Ordering::Relaxed), 15);
    assert_eq!(tally.received.load(Ordering::Relaxed), 15);
    site.session.end(End::new(Cause::Person, "closed"));
    let rest = browser.read(&mut heard);
    let rest = timeout(Duration::from_secs(5), rest).await.unwrap();
    assert!(matches!(rest, Ok(0) | Err(_)), "{rest:?}");
}

#[tokio::test]
async fn another_origin_opens_no_websocket() {
    let site = Site::new(echoes());
    for origin in ["https://hub.example.org", "null", "https://evil.example"] {
        let (_, answer) = upgraded(&site, origin).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
    }
    assert_eq!(site.opened(), 0);
}
