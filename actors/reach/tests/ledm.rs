//! Printers that serve LEDM as they should, in the clear and over TLS, and those that do not: each a
//! clear error, soon, and nothing that they send is followed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use printer::ledm::{Document, LedmError};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::reach::http::HttpError;
use crate::reach::ledm::{LedmReadError, is_tls, read_device};
use crate::reach::range::AddressRange;
use crate::reach::scope::{Door, InScope, Scope};

/// What is far less than a wait that was given up.
const SOON: Duration = Duration::from_secs(5);

/// Longest head of a request that is read.
const HEAD_MAX: usize = 4_096;

/// What a printer answers to a path.
type Answer = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// A printer on a port of its own.
struct Printer {
    target: InScope,
    asked: mpsc::UnboundedReceiver<String>,
}

impl Printer {
    async fn plain(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(plain_port().await, vec![None], Arc::new(answer))
    }

    /// One that shows these certificates, a connection each, the last for all that follow.
    async fn secured(ends: Vec<TlsAcceptor>, answer: Answer) -> Self {
        let ends = ends.into_iter().map(Some).collect();
        Self::start(tls_port().await, ends, answer)
    }

    fn start(listener: TcpListener, ends: Vec<Option<TlsAcceptor>>, answer: Answer) -> Self {
        let target = target(listener.local_addr().unwrap());
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for turn in 0.. {
                let Ok((stream, _)) = listener.accept().await else {
                    break;
                };
                let end = ends.get(turn).or(ends.last()).unwrap();
                match end {
                    None => serve(stream, &answer, &tell).await,
                    // Who refuses the certificate goes.
                    Some(end) => {
                        if let Ok(stream) = end.accept(stream).await {
                            serve(stream, &answer, &tell).await;
                        }
                    }
                }
            }
        });
        Self { target, asked }
    }

    /// Every request line so far.
    fn heard(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Ok(asked) = self.asked.try_recv() {
            heard.push(asked);
        }
        heard
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: &Answer,
    tell: &mpsc::UnboundedSender<String>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_MAX {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let _ = tell.send(head);
    // Who asks may have seen enough before the last octet.
    let _ = stream.write_all(&answer(&path)).await;
    let _ = stream.shutdown().await;
}

/// A free port that does not end as those of HTTPS do, as one in a thousand of the kernel's does.
async fn plain_port() -> TcpListener {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if !is_tls(listener.local_addr().unwrap().port()) {
            return listener;
        }
    }
}

/// A free port that ends as those of HTTPS do.
async fn tls_port() -> TcpListener {
    for thousand in 10..60_u16 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", thousand * 1_000 + 443)).await {
            return listener;
        }
    }
    panic!("every port that ends in 443 is taken");
}

fn target(addr: SocketAddr) -> InScope {
    let door = Door::Ledm { port: addr.port() };
    let scope = Scope::new(&[AddressRange::one(addr.ip())], &[], &[door]).unwrap();
    scope.admit(addr.ip(), door).unwrap()
}

/// A certificate that a printer signed itself, for nobody.
fn end() -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn http(status: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "", body.as_bytes())
}

fn tree(documents: &[&str]) -> Vec<u8> {
    let entries: String = documents
        .iter()
        .map(|uri| format!("<SupportedTree><ResourceURI>{uri}</ResourceURI></SupportedTree>"))
        .collect();
    ok(&format!("<DiscoveryTree>{entries}</DiscoveryTree>"))
}

const CONFIG: &str = "<ProductConfigDyn><ProductInformation>\
    <MakeAndModel>HP X 70</MakeAndModel></ProductInformation></ProductConfigDyn>";

/// A sound printer with one document and one that nobody is to ask for.
fn sound(path: &str) -> Vec<u8> {
    match path {
        "/DevMgmt/DiscoveryTree.xml" => tree(&["/DevMgmt/ProductConfigDyn.xml", "/Jobs/JobList"]),
        "/DevMgmt/ProductConfigDyn.xml" => ok(CONFIG),
        _ => http("404 Not Found", "", b""),
    }
}

#[tokio::test]
async fn a_printer_is_asked_for_what_it_lists_and_nothing_else() {
    let mut printer = Printer::plain(sound).await;
    let read = read_device(&printer.target, None).await.unwrap();
    assert_eq!(read.reading.identity.model.as_deref(), Some("X 70"));
    assert_eq!(read.reading.address, Some(printer.target.addr().ip()));
    assert_eq!((read.certificate, read.trouble), (None, None));
    let heard = printer.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    for (head, path) in heard.iter().zip(["DiscoveryTree", "ProductConfigDyn"]) {
        let line = format!("GET /DevMgmt/{path}.xml HTTP/1.1\r\n");
        assert!(head.starts_with(&line), "{head}");
        for word in ["cookie", "authorization", "accept-encoding"] {
            assert!(!head.to_lowercase().contains(word), "{head}");
        }
    }
}

#[tokio::test]
async fn one_document_that_cannot_be_read_spoils_no_other() {
    let printer = Printer::plain(|path| match path {
        "/DevMgmt/DiscoveryTree.xml" => tree(&[
            "/DevMgmt/ProductConfigDyn.xml",
            "/DevMgmt/ProductUsageDyn.xml",
        ]),
        "/DevMgmt/ProductUsageDyn.xml" => http("500 Internal Server Error", "", b""),
        path => sound(path),
    })
    .await;
    let read = read_device(&printer.target, None).await.unwrap();
    assert!(read.reading.identity.model.is_some());
    let trouble = read.trouble.unwrap();
    assert!(trouble.contains("500"), "{trouble}");
    assert!(trouble.contains("ProductUsageDyn"), "{trouble}");
}

#[tokio::test]
async fn the_first_certificate_is_believed_and_no_other_after_it() {
    let (first, second) = (end(), end());
    let mut printer = Printer::secured(vec![first.clone()], Arc::new(sound)).await;
    let read = read_device(&printer.target, None).await.unwrap();
    let known = read.certificate.unwrap();
    assert_eq!(read.reading.identity.model.as_deref(), Some("X 70"));
    assert_eq!(printer.heard().len(), 2);
    let again = read_device(&printer.target, Some(known)).await.unwrap();
    assert_eq!(again.certificate, Some(known));

    let mut other = Printer::secured(vec![second.clone()], Arc::new(sound)).await;
    let error = read_device(&other.target, Some(known)).await.unwrap_err();
    let LedmReadError::Http(HttpError::Changed { was, is, .. }) = &error else {
        panic!("{error}");
    };
    assert!(*was == known && *is != known);
    let words = error.to_string();
    assert!(words.contains(&known.to_string()), "{words}");
    assert!(other.heard().is_empty(), "nothing is sent to it");

    // One that changes in the middle of a reading is heard no further.
    let mut swapped = Printer::secured(vec![first, second], Arc::new(sound)).await;
    let error = read_device(&swapped.target, None).await.unwrap_err();
    let is_changed = matches!(error, LedmReadError::Http(HttpError::Changed { .. }));
    assert!(is_changed, "{error}");
    assert_eq!(swapped.heard().len(), 1);
}

#[tokio::test]
async fn no_tls_of_today_is_a_clear_error() {
    // The alert protocol_version of TLS 1.0, and what is no TLS at all.
    for answer in [&b"\x15\x03\x01\x00\x02\x02\x46"[..], b"220 ready\r\n", b""] {
        let listener = tls_port().await;
        let target = target(listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 512];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(answer).await;
        });
        let error = read_device(&target, None).await.unwrap_err();
        let is_tls = matches!(error, LedmReadError::Http(HttpError::Tls { .. }));
        assert!(is_tls, "{error}");
        let words = error.to_string();
        assert!(words.contains("does not speak TLS 1.2 or 1.3"), "{words}");
    }
}

#[tokio::test]
async fn what_is_no_list_of_documents_is_a_clear_error_and_soon() {
    let redirect = |to: &str| http("302 Found", &format!("Location: {to}\r\n"), b"");
    let long = vec![b'x'; 700_000];
    let chunk = format!("{:x}\r\n", long.len()).into_bytes();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "does not speak HTTP"),
        (b"220 ready\r\n\r\n".to_vec(), "does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n".to_vec(),
            "answers more than 524288 bytes",
        ),
        (
            [chunked, chunk, long.clone()].concat(),
            "answers more than 524288 bytes",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), long].concat(),
            "does not speak HTTP",
        ),
        (
            http("200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8b\x08"),
            "packs what it was not asked to pack",
        ),
        (http("404 Not Found", "", b""), "serves no LEDM"),
        (http("401 Unauthorized", "", b""), "HTTP status 401"),
        (redirect("/login.htm"), "sends whoever asks to '/login.htm'"),
        (
            redirect("http://169.254.169.254/latest/meta-data/"),
            "which is not followed",
        ),
        (
            redirect("https://127.0.0.1/DevMgmt/DiscoveryTree.xml"),
            "only answers over HTTPS",
        ),
        (
            redirect("https://127.0.0.1.example.org/"),
            "which is not followed",
        ),
        (
            redirect("https://127.0.0.1@example.org/"),
            "which is not followed",
        ),
        (
            ok("<html><body>EWS</body></html>"),
            "its DiscoveryTree is a 'html'",
        ),
        (
            ok("<!DOCTYPE a [<!ENTITY b 'c'>]><DiscoveryTree/>"),
            "declares a document type",
        ),
        (ok("<DiscoveryTree>"), "ends in the middle"),
    ];
    for (answer, words) in table {
        let mut printer = Printer::plain(move |_| answer.clone()).await;
        let begun = Instant::now();
        let error = read_device(&printer.target, None).await.expect_err(words);
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(begun.elapsed() < SOON, "{words}");
        assert_eq!(printer.heard().len(), 1, "{words}: not asked again");
    }
    // A list with nothing in it is no reading.
    let printer = Printer::plain(|_| tree(&[])).await;
    let error = read_device(&printer.target, None).await.unwrap_err();
    let is_none =
        matches!(&error, LedmReadError::Ledm { error, .. } if *error == LedmError::NoPrinter);
    assert!(is_none, "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_drips_or_says_nothing_is_given_up() {
    for is_dripping in [false, true] {
        let listener = plain_port().await;
        let target = target(listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                if is_dripping {
                    tokio::spawn(async move {
                        while stream.write_all(b"H").await.is_ok() {
                            tokio::time::sleep(Duration::from_secs(30)).await;
                        }
                    });
                } else {
                    held.push(stream);
                }
            }
        });
        let error = read_device(&target, None).await.unwrap_err();
        let is_slow = matches!(
            error,
            LedmReadError::Http(HttpError::Slow(_)) | LedmReadError::Slow(_)
        );
        assert!(is_slow, "{error}");
    }
    assert_eq!(
        Document::READ.len(),
        4,
        "each may take its time, all together not"
    );
}
