//! Certificates that devices signed themselves, and ends that are too old.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

use super::{at, exchange, fleet, parse};

/// Keeps the certificate that was shown, and believes the signatures made with it only.
#[derive(Debug, Default)]
struct Shown(Mutex<Vec<u8>>);

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap() = end.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, end, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, end, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = default_provider().signature_verification_algorithms;
        known.supported_schemes()
    }
}

async fn connect(to: SocketAddr, name: &str) -> std::io::Result<(Vec<u8>, TlsStream<TcpStream>)> {
    let shown = Arc::new(Shown::default());
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&shown) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let certificate = shown.0.lock().unwrap().clone();
    Ok((certificate, stream))
}

/// The certificate and the page behind it.
async fn page(to: SocketAddr, name: &str, path: &str) -> std::io::Result<(Vec<u8>, String)> {
    let (certificate, mut stream) = connect(to, name).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    Ok((certificate, page))
}

async fn visit(to: SocketAddr, name: &str) -> std::io::Result<(Vec<u8>, String)> {
    page(to, name, "/").await
}

#[tokio::test]
async fn a_device_keeps_its_certificate_until_its_generation_changes() {
    let text = |generation: u32| {
        format!(
            "addresses = [\"127.51.3.1\", \"127.51.3.2\"]\ntls_generation = {generation}\n\
             web = [{{ page = \"tls\", port = 8443 }}, {{ page = \"tls-expired\", port = 8444 }}]\n"
        )
    };
    let (first, second) = (at("127.51.3.1", 8443), at("127.51.3.2", 8443));
    let mut seen = Vec::new();
    for generation in [0, 0, 1] {
        let running = fleet(&text(generation));
        let (certificate, page) = visit(first, "127.51.3.1").await.unwrap();
        assert!(page.contains("TASKalfa 4054ci"), "{page}");
        let (other, _) = visit(second, "127.51.3.2").await.unwrap();
        assert_ne!(certificate, other, "each device has its own");
        let (over, _) = visit(at("127.51.3.1", 8444), "127.51.3.1").await.unwrap();
        assert_ne!(certificate, over);
        seen.push((certificate, other, over));
        end(running).await;
    }
    assert_eq!(seen[0], seen[1], "the same after a restart");
    assert_ne!(seen[1].0, seen[2].0);
    assert_ne!(seen[1].1, seen[2].1);
}

/// Waits until the ports are free for the next.
async fn end(running: crate::Running) {
    drop(running);
    while TcpStream::connect(at("127.51.3.1", 8443)).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_old_end_refuses_every_version_of_today() {
    let running = fleet("addresses = \"127.51.3.3\"\nweb = { page = \"tls10\", port = 8443 }\n");
    let to = at("127.51.3.3", 8443);
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 3];
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut alert = Vec::new();
    let mut octets = [0; 64];
    let length = stream.read(&mut octets).await.unwrap();
    alert.extend_from_slice(&octets[..length]);
    assert_eq!(alert, [21, 3, 1, 0, 2, 2, 70]);
    let error = visit(to, "printer").await.unwrap_err().to_string();
    assert!(error.contains("ProtocolVersion"), "{error}");
    drop(running);
    let usual = parse("addresses = \"127.51.3.3\"\nweb = \"tls10\"\n").unwrap();
    let ports: Vec<u16> = usual.groups[0].doors.iter().map(|door| door.port).collect();
    assert_eq!(ports, [80, 443], "a plain page beside it");
}

#[tokio::test]
async fn an_end_that_knows_no_names_drops_who_sends_one() {
    let running = fleet("addresses = \"127.51.3.4\"\nweb = { page = \"tls-sni\", port = 8443 }\n");
    let to = at("127.51.3.4", 8443);
    assert!(visit(to, "printer.example").await.is_err());
    // No name is sent for an address (RFC 6066 §3).
    let (_, page) = visit(to, "127.51.3.4").await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(
        exchange(to, b"GET / HTTP/1.1\r\n\r\n").await.len() < 16,
        "no HTTP in the clear"
    );
    drop(running);
}

#[tokio::test]
async fn any_sound_page_is_shown_over_tls_where_the_file_says_so() {
    let running = fleet(
        "addresses = [\"127.51.3.5\", \"127.51.3.6\"]\n\
         web = [{ page = \"links\", port = 8443, tls = true },\
         { page = \"websocket\", port = 8444, tls = true }]\n",
    );
    let (_, links) = page(at("127.51.3.5", 8443), "printer", "/links")
        .await
        .unwrap();
    assert!(
        links.contains("href=\"https://127.51.3.5:8443/old\""),
        "{links}"
    );
    let (_, bare) = page(at("127.51.3.5", 8443), "printer", "/bare")
        .await
        .unwrap();
    assert!(
        bare.contains("location: //127.51.3.5:8443/new\r\n"),
        "{bare}"
    );

    let (_, stream) = connect(at("127.51.3.5", 8444), "printer").await.unwrap();
    let address = "ws://printer/socket";
    let (mut socket, _) = tokio_tungstenite::client_async(address, stream)
        .await
        .unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::text("hello")
    );
    let [a, b] = ["127.51.3.5", "127.51.3.6"].map(|text| text.parse().unwrap());
    running.swap(a, b).await.unwrap();
    let ended = socket.next().await;
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");

    let wrong =
        "addresses = \"127.51.3.5\"\nweb = { page = \"hostile\", port = 8443, tls = true }\n";
    let error = parse(wrong).unwrap_err().to_string();
    assert!(
        error.ends_with("page 'hostile' is not shown over TLS"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_of_512_bits_is_shown_and_refused() {
    let running = fleet("addresses = \"127.51.3.7\"\nweb = { page = \"tls-weak\", port = 8443 }\n");
    let to = at("127.51.3.7", 8443);
    let error = visit(to, "printer").await.unwrap_err();
    // rustls names the certificate: it came, and its key was looked at.
    assert!(error.to_string().contains("peer certificate"), "{error}");
    let shown = exchange(to, &[22, 3, 1, 0, 5, 1, 0, 0, 1, 3]);
    let shown = tokio::time::timeout(super::PATIENCE, shown).await.unwrap();
    let certificate = crate::web::weak::SHORT_KEY;
    assert!(
        shown
            .windows(certificate.len())
            .any(|window| window == certificate)
    );
    drop(running);
}
