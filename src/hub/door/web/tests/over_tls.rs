//! The web door behind the front's TLS: names, certificates, and how long a browser may stay.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::StatusCode;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::ca::{Authority, CheckedRequest};
use crate::door::front::{Doors, Front, Names};
use crate::door::tls::{self, Faces, STRANGER_LIFE};
use crate::session::{Cause, End};

const HUB: &str = "hub.example.org";

/// A hub's one port, with a portal that is a teapot.
struct Port {
    at: SocketAddr,
    authority: Authority,
    _folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Port {
    async fn of(site: &Site) -> Self {
        // Fails when another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let authority = Authority::open(folder.path(), now).unwrap();
        let names = [HUB.to_owned(), format!("*.{DOMAIN}")];
        let own = authority.server_identity(folder.path(), &names, now);
        let faces = Faces {
            own: own.unwrap(),
            portal: None,
            web: None,
        };
        let settings = tls::settings(&authority, faces).unwrap();
        let portal = Router::new().fallback(async || StatusCode::IM_A_TEAPOT);
        let doors = Doors {
            portal: Some(portal),
            web: Some(site.door.clone()),
            ..Doors::default()
        };
        let names = Names {
            uplink: vec![HUB.to_owned()],
            mqtt: vec![HUB.to_owned()],
            portal: vec![HUB.to_owned()].into(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let front = Front::new(doors, names);
        tokio::spawn(front.serve(listener, settings.open, async {
            drop(stopped.await);
        }));
        Self {
            at,
            authority,
            _folder: folder,
            _stop: stop,
        }
    }

    async fn connect(&self, name: &str, is_agent: bool) -> TlsStream<TcpStream> {
        self.speak(name, is_agent, b"http/1.1").await
    }

    async fn speak(&self, name: &str, is_agent: bool, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = if is_agent {
            let key = KeyPair::generate().unwrap();
            let request = CertificateParams::default().serialize_request(&key);
            let request = CheckedRequest::parse(&request.unwrap().pem().unwrap()).unwrap();
            let signed = self
                .authority
                .sign_agent(&request, &"a".repeat(32), Timestamp::now());
            let chain = CertificateDer::from_pem_slice(signed.unwrap().pem.as_bytes()).unwrap();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            config.with_client_auth_cert(vec![chain], key).unwrap()
        } else {
            config.with_no_client_auth()
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(self.at).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        connecting.await.unwrap()
    }

    /// The status that a request under `host` gets on a connection to `name`.
    async fn status(&self, name: &str, host: &str, cookie: &str, is_agent: bool) -> u16 {
        let mut stream = self.connect(name, is_agent).await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut octets = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut octets)).await;
        let text = String::from_utf8_lossy(&octets).into_owned();
        text.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn a_session_answers_by_its_own_name_alone() {
    let site = Site::new(says(PAGE));
    let port = Port::of(&site).await;
    let own = site.authority.as_str();
    let sibling = format!("s-{}.{DOMAIN}", "0".repeat(32));
    let cookie = site.cookie.as_str();
    for (name, host, status) in [
        (own, own, 200),
        (own, HUB, 421),
        (HUB, own, 421),
        (HUB, HUB, 418),
        (own, sibling.as_str(), 421),
        (sibling.as_str(), own, 421),
        (sibling.as_str(), sibling.as_str(), 404),
    ] {
        assert_eq!(
            port.status(name, host, cookie, false).await,
            status,
            "{name} {host}"
        );
    }
    // An agent opens nothing here, whatever cookie it has.
    assert_eq!(port.status(own, own, cookie, true).await, 401);
    assert_eq!(site.opened(), 1);
}

/// A printer that sends a piece whenever it is asked to.
fn drips() -> (Printer, tokio::sync::mpsc::UnboundedSender<()>) {
    let (ask, asked) = tokio::sync::mpsc::unbounded_channel();
    let asked = Arc::new(tokio::sync::Mutex::new(asked));
    let printer = printer(move |mut stream| {
        let asked = Arc::clone(&asked);
        async move {
            let _ = head(&mut stream).await;
            let begin = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst";
            stream.write_all(begin).await.unwrap();
            while asked.lock().await.recv().await.is_some() {
                if stream.write_all(b"piece").await.is_err() {
                    return;
                }
            }
        }
    });
    (printer, ask)
}

async fn until(stream: &mut TlsStream<TcpStream>, word: &str) {
    let mut heard = String::new();
    while !heard.contains(word) {
        let mut buffer = [0; 4_096];
        let len = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap();
        let len = len.unwrap();
        assert!(len > 0, "hung up after {heard}");
        heard += &String::from_utf8_lossy(&buffer[..len]);
    }
}

#[tokio::test]
async fn who_is_in_a_session_stays_as_long_as_it_lives() {
    let (printer, ask) = drips();
    let site = Site::new(printer);
    let port = Port::of(&site).await;
    let mut stream = port.connect(&site.authority, false).await;
    let mut stranger = port.connect(HUB, false).await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n",
        site.authority, site.cookie
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    until(&mut stream, "first").await;
    tokio::time::pause();
    tokio::time::advance(STRANGER_LIFE * 2).await;
    tokio::time::resume();
    ask.send(()).unwrap();
    until(&mut stream, "piece").await;
    let mut rest = Vec::new();
    let cut = timeout(PATIENCE, stranger.read_to_end(&mut rest)).await;
    assert!(cut.is_ok(), "a stranger does not stay");

    // And no longer, also who has stopped reading.
    site.session.end(End::new(Cause::Person, "closed"));
    let cut = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(cut.is_ok(), "cut within 5 s");
}

#[tokio::test]
async fn who_does_not_read_is_cut_with_the_session() {
    let site = Site::new(printer(async |mut stream: DuplexStream| {
        let _ = head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
    }));
    let port = Port::of(&site).await;
    let mut stream = port.connect(&site.authority, false).await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n",
        site.authority, site.cookie
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // Long enough for every buffer between to be full.
    tokio::time::sleep(Duration::from_millis(500)).await;
    site.session.end(End::new(Cause::Person, "closed"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    // What the kernel holds is read, and then nothing is there to hold more.
    let mut rest = Vec::new();
    let cut = timeout(Duration::from_secs(1), stream.read_to_end(&mut rest)).await;
    assert!(cut.is_ok(), "still held after 5 s");
}

/// A browser that speaks HTTP/2, as all of today do.
async fn browser(port: &Port, site: &Site) -> hyper::client::conn::http2::SendRequest<Body> {
    let stream = port.speak(&site.authority, false, b"h2").await;
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(async move {
        // It ends as the hub ends it.
        let _ = connection.await;
    });
    sender
}

fn asks(site: &Site, method: &str, body: Body) -> axum::http::Request<Body> {
    axum::http::Request::builder()
        .method(method)
        .uri(format!("https://{}/x?y", site.authority))
        .header("cookie", "theme=dark")
        .header("cookie", &site.cookie)
        .header("origin", site.origin())
        .header("sec-fetch-site", "same-origin")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn a_browser_that_speaks_http_2_is_served_alike() {
    let size = 3 * 1024 * 1024;
    let site = Site::new(printer(move |mut stream: DuplexStream| async move {
        let heard = head(&mut stream).await.unwrap();
        assert!(heard.starts_with("POST /x?y HTTP/1.1\r\n"), "{heard}");
        for line in [
            "Host: 10.0.4.17\r\n".to_owned(),
            "Cookie: theme=dark\r\n".to_owned(),
            format!("Content-Length: {size}\r\n"),
        ] {
            assert!(heard.contains(&line), "{line} in {heard}");
        }
        let mut body = vec![0; size];
        stream.read_exact(&mut body).await.unwrap();
        let begin = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n";
        stream.write_all(begin.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
    }));
    let port = Port::of(&site).await;
    let mut browser = browser(&port, &site).await;
    let mut request = asks(&site, "POST", Body::from(vec![7; size]));
    let length = size.to_string().parse().unwrap();
    request.headers_mut().insert("content-length", length);
    let answer = browser.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("keep-alive"));
    let body = http_body_util::BodyExt::collect(answer.into_body()).await;
    assert_eq!(body.unwrap().to_bytes().len(), size);
}

#[tokio::test]
async fn a_session_ends_over_http_2_too() {
    let site = Site::new(printer(async |mut stream: DuplexStream| {
        let _ = head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
    }));
    let port = Port::of(&site).await;
    let mut browser = browser(&port, &site).await;
    let asked = browser.send_request(asks(&site, "GET", Body::empty()));
    let mut body = asked.await.unwrap().into_body();
    for _ in 0..100 {
        let frame = http_body_util::BodyExt::frame(&mut body).await;
        assert!(frame.unwrap().is_ok());
    }
    site.session.end(End::new(Cause::Person, "closed"));
    let rest = async {
        while let Some(Ok(_)) = http_body_util::BodyExt::frame(&mut body).await {}
        while browser.ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let cut = timeout(Duration::from_secs(5), rest).await;
    assert!(cut.is_ok(), "stream and connection are gone within 5 s");
}
