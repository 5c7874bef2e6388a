//! One port: who gets to which door, and who does not.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code as GrpcCode;

use crate::door::tests::{Enrolled, PATIENCE, Site, assert_refused};
use crate::permission::Rights;
use crate::store::Tenant;

/// What an HTTP/1.1 request is answered: status, and all of it.
struct Answer {
    status: u16,
    text: String,
}

impl Site {
    /// A TLS connection that asks for `localhost`, as a stranger or as an agent.
    async fn connect(&self, agent: Option<&Enrolled>) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::clone(&self.stranger());
        if let Some(agent) = agent {
            let chain = CertificateDer::pem_slice_iter(agent.reply.certificate.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_slice(agent.key.as_bytes()).unwrap();
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.authority.certificate().clone()).unwrap();
            config = ClientConfig::builder()
                .with_root_certificates(roots)
                .with_client_auth_cert(chain, key)
                .unwrap();
        }
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TcpStream::connect(self.bound.uplink).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        connecting.await.unwrap()
    }

    async fn ask(&self, agent: Option<&Enrolled>, path: &str, headers: &str) -> Answer {
        let mut stream = self.connect(agent).await;
        let question = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut octets = Vec::new();
        // Whoever is upgraded or cut says no goodbye.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut octets))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&octets).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        Answer {
            status: status.unwrap_or(0),
            text,
        }
    }
}

const HOST: &str = "Host: localhost\r\n";

/// A handshake for a WebSocket (RFC 6455, 1.2), for MQTT.
const WEBSOCKET: &str = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n";

#[tokio::test]
async fn the_portal_opens_over_https_with_a_cookie_for_this_host_alone() {
    let site = Site::start().await;
    let link = site
        .store
        .portal_link_create(
            &Tenant::DEFAULT,
            ("anna", &Rights::usual()),
            Timestamp::now(),
        )
        .await
        .unwrap();
    let closed = site.ask(None, "/", HOST).await;
    assert_eq!(closed.status, 401, "{}", closed.text);
    let path = format!("/enter/{}", link.reveal());
    let entered = site.ask(None, &path, HOST).await;
    assert_eq!(entered.status, 303, "{}", entered.text);
    let cookie = entered
        .text
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.unwrap();
    assert!(
        cookie.starts_with("__Host-platen=") && cookie.contains("; Secure"),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap();
    let open = site
        .ask(None, "/", &format!("{HOST}Cookie: {session}\r\n"))
        .await;
    assert_eq!(open.status, 200, "{}", open.text);
    // The session of a loopback page is none here, and neither opens an agent's route.
    let session = session.replace("__Host-platen", "platen_80");
    let other = site
        .ask(None, "/", &format!("{HOST}Cookie: {session}\r\n"))
        .await;
    assert_eq!(other.status, 401);
}

#[tokio::test]
async fn an_agents_certificate_opens_no_page_and_a_session_no_agents_route() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    for path in [
        "/",
        "/assets/portal.css",
        "/livez",
        "/enter/x",
        "/printers/1",
    ] {
        let answer = site.ask(Some(&agent), path, HOST).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text);
    }
    site.poll(&agent, super::poll(1, vec![])).await.unwrap();
    // Without a certificate, whatever cookie there is.
    let mut client = proto::v1::uplink_client::UplinkClient::new(site.channel(None).await.unwrap());
    let mut request = tonic::Request::new(super::poll(1, vec![]));
    let session = "__Host-platen=0123456789abcdef0123456789abcdef"
        .parse()
        .unwrap();
    request.metadata_mut().insert("cookie", session);
    let refused = client.poll(request).await;
    assert_refused(refused, GrpcCode::Unauthenticated, "certificate");
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_answered_by_nobody() {
    let site = Site::start().await;
    for host in [
        "evil.example.org",
        "localhost.evil.example.org",
        "localhost@evil.example.org",
    ] {
        let answer = site.ask(None, "/", &format!("Host: {host}\r\n")).await;
        assert_eq!(answer.status, 421, "{host}: {}", answer.text);
    }
    let twice = site
        .ask(None, "/", "Host: localhost\r\nHost: evil.example.org\r\n")
        .await;
    assert!(matches!(twice.status, 400 | 421), "{}", twice.text);
    // Asked for by another of our names than TLS was: two sites could be one to a browser.
    let other = site.ask(None, "/", "Host: 127.0.0.1\r\n").await;
    assert_eq!(other.status, 421, "{}", other.text);
}

#[tokio::test]
async fn mqtt_is_for_agents_and_not_for_pages() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    let stranger = site.ask(None, "/mqtt", WEBSOCKET).await;
    assert_eq!(stranger.status, 401, "{}", stranger.text);
    let page = format!("{WEBSOCKET}Origin: https://localhost\r\n");
    let page = site.ask(Some(&agent), "/mqtt", &page).await;
    assert_eq!(page.status, 403, "{}", page.text);
    let plain = site.ask(Some(&agent), "/mqtt", HOST).await;
    assert_eq!(plain.status, 426, "{}", plain.text);
    let other = WEBSOCKET.replace("mqtt", "chat");
    assert_eq!(site.ask(Some(&agent), "/mqtt", &other).await.status, 426);
    let mut upgraded = site.connect(Some(&agent)).await;
    let question = format!("GET /mqtt HTTP/1.1\r\n{WEBSOCKET}\r\n");
    upgraded.write_all(question.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let count = timeout(PATIENCE, upgraded.read(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    // RFC 6455, 1.3: the answer to this key.
    assert!(
        answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{answer}"
    );
    assert!(answer.contains("sec-websocket-protocol: mqtt"), "{answer}");
}

#[tokio::test]
async fn a_door_with_a_name_or_an_address_of_its_own_is_there_alone() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "state_dir = {:?}\n[uplink]\nlisten = \"127.0.0.1:0\"\nnames = [\"dca.example.org\"]\n\
         [portal]\nlisten = \"127.0.0.1:0\"\nnames = [\"localhost\"]\n\
         https_listen = \"127.0.0.1:0\"\n[mqtt]\nnames = [\"mqtt.example.org\"]\n",
        folder.path()
    );
    let config = crate::config::HubConfig::parse("hub.toml", &text, std::iter::empty()).unwrap();
    let site = Site::of(folder, &config).await;
    // The port of the agents has no pages any more, and MQTT answers by its own name alone.
    assert_eq!(site.ask(None, "/", HOST).await.status, 404);
    assert_eq!(site.ask(None, "/mqtt", WEBSOCKET).await.status, 421);
    // The other port has pages, and nothing else.
    let bound = crate::state::Bound {
        uplink: site.bound.portal_https.unwrap(),
        ..site.bound
    };
    let site = Site { bound, ..site };
    assert_eq!(site.ask(None, "/", HOST).await.status, 401);
    assert_eq!(site.ask(None, "/mqtt", WEBSOCKET).await.status, 404);
    let called = site.poll_as_stranger().await;
    assert_ne!(called, GrpcCode::Unauthenticated);
}

#[tokio::test]
async fn http_2_serves_pages_too() {
    let site = Site::start().await;
    let stream = TcpStream::connect(site.bound.uplink).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(site.stranger())
        .connect(name, stream)
        .await
        .unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(tls))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = axum::http::Request::get("https://localhost/")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key("content-security-policy"));
}
