//! Printers that answer over IPP as they should, in the version and at the path they want, and those
//! that do not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use printer::ipp::IppError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::reach::http::HttpError;
use crate::reach::ipp::{Asked as Who, IppReadError, read_device};
use crate::reach::range::AddressRange;
use crate::reach::scope::{Door, InScope, Scope};

/// What is far less than a wait that was given up.
const SOON: Duration = Duration::from_secs(5);

/// A group of operation attributes, and one of a printer that is idle and has a name.
const SOUND: &[u8] = b"\x01\x47\0\x12attributes-charset\0\x05utf-8\
    \x04\x41\0\x16printer-make-and-model\0\x0cBrother X-70\x23\0\x0dprinter-state\0\x04\0\0\0\x03\x03";

/// A question as it came: its path, and its octets.
struct Asked {
    path: String,
    body: Vec<u8>,
}

/// A printer on a port of its own: what it answers to each question, octet by octet.
struct Printer {
    target: InScope,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Printer {
    async fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(listener.local_addr().unwrap());
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(question) = question(&mut stream).await else {
                    continue;
                };
                // Who asks may have seen enough before the last octet.
                let _ = stream.write_all(&answer(&question)).await;
                let _ = stream.shutdown().await;
                if tell.send(question).is_err() {
                    break;
                }
            }
        });
        Self { target, asked }
    }

    /// Path and version of every question so far.
    fn heard(&mut self) -> Vec<(String, [u8; 2])> {
        let mut heard = Vec::new();
        while let Ok(asked) = self.asked.try_recv() {
            heard.push((asked.path, [asked.body[0], asked.body[1]]));
        }
        heard
    }
}

fn target(addr: SocketAddr) -> InScope {
    let door = Door::Ipp { port: addr.port() };
    let scope = Scope::new(&[AddressRange::one(addr.ip())], &[], &[door]).unwrap();
    scope.admit(addr.ip(), door).unwrap()
}

async fn question(stream: &mut TcpStream) -> Option<Asked> {
    let mut octets = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let (_, length) = lower.split_once("content-length: ")?;
            let length: usize = length.lines().next()?.parse().ok()?;
            if octets.len() >= head.len() + 4 + length {
                let path = head.split(' ').nth(1)?.to_owned();
                let body = octets.split_off(head.len() + 4);
                return Some(Asked { path, body });
            }
        }
        if stream.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
    }
}

fn http(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn ipp(status: u16, groups: &[u8]) -> Vec<u8> {
    let [high, low] = status.to_be_bytes();
    let body = [&[1, 1, high, low, 0, 0, 0, 1], groups].concat();
    http("200 OK", &body)
}

#[tokio::test]
async fn a_printer_is_asked_once_where_it_answers_at_once() {
    let mut printer = Printer::start(|_| ipp(0, SOUND)).await;
    let reading = read_device(Who::Vouched(&printer.target)).await.unwrap();
    assert_eq!(reading.identity.model.as_deref(), Some("X-70"));
    assert_eq!(reading.address, Some(printer.target.addr().ip()));
    assert_eq!(printer.heard(), [("/ipp/print".to_owned(), [2, 0])]);
}

#[tokio::test]
async fn a_printer_that_wants_the_older_version_at_another_path_gets_it() {
    let mut printer = Printer::start(|asked| match (asked.path.as_str(), asked.body[0]) {
        ("/ipp", 1) => ipp(0, SOUND),
        ("/ipp", _) => ipp(0x0503, b"\x03"),
        _ => http("404 Not Found", b""),
    })
    .await;
    read_device(Who::Vouched(&printer.target)).await.unwrap();
    let path = |path: &str| path.to_owned();
    let wanted = [
        (path("/ipp/print"), [2, 0]),
        (path("/ipp"), [2, 0]),
        (path("/ipp"), [1, 1]),
    ];
    assert_eq!(printer.heard(), wanted);
}

#[tokio::test]
async fn what_is_no_answer_of_a_printer_is_a_clear_error_and_soon() {
    let long = vec![b'x'; 400_000];
    let chunked = |chunk: &[u8]| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let size = format!("{:x}\r\n", chunk.len());
        [head, size.as_bytes(), chunk, b"\r\n"].concat()
    };
    let table: [(&str, Vec<u8>, &str); 9] = [
        ("hangs up", Vec::new(), "does not speak HTTP"),
        (
            "another protocol",
            b"220 ready\r\n\r\n".to_vec(),
            "does not speak HTTP",
        ),
        (
            "two gigabytes promised",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n".to_vec(),
            "answers more than 262144 bytes",
        ),
        (
            "chunks without end",
            chunked(&long),
            "answers more than 262144 bytes",
        ),
        (
            "cut in a chunk",
            chunked(SOUND)[..80].to_vec(),
            "does not speak HTTP",
        ),
        (
            "headers without end",
            [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), long.clone()].concat(),
            "does not speak HTTP",
        ),
        (
            "sends elsewhere",
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            "answers HTTP status 302",
        ),
        (
            "wants TLS",
            http("426 Upgrade Required", b""),
            "answers HTTP status 426",
        ),
        ("cut", ipp(0, &SOUND[..60]), "ends in the middle"),
    ];
    for (what, answer, words) in table {
        let mut printer = Printer::start(move |_| answer.clone()).await;
        let begun = Instant::now();
        let error = read_device(Who::Vouched(&printer.target))
            .await
            .expect_err(what);
        assert!(error.to_string().contains(words), "{what}: {error}");
        assert!(begun.elapsed() < SOON, "{what}");
        assert_eq!(printer.heard().len(), 1, "{what}: not asked again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_printer_that_accepts_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(listener.local_addr().unwrap());
    let error = read_device(Who::Vouched(&target))
        .await
        .expect_err("silence");
    assert!(
        matches!(error, IppReadError::Http(HttpError::Slow(_))),
        "{error}"
    );
}

#[tokio::test]
async fn who_finds_no_printer_anywhere_says_so_after_every_path() {
    let mut printer = Printer::start(|_| ipp(0x0406, b"\x03")).await;
    let error = read_device(Who::Vouched(&printer.target))
        .await
        .expect_err("not found");
    let is_refusal = |error: &IppError| *error == IppError::Refused(0x0406);
    assert!(
        matches!(&error, IppReadError::Ipp { error, .. } if is_refusal(error)),
        "{error}"
    );
    let paths: Vec<String> = printer.heard().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/ipp/print", "/ipp", "/"]);
}
