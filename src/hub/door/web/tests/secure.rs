//! TLS to a printer, and what is believed of it.

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::session::Notice;
use crate::store::hash_hex;

/// An HTTPS printer that signs for itself, and the fingerprint of its certificate.
fn secure(params: CertificateParams) -> (Printer, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let fingerprint = hash_hex(&certificate);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let printer = printer(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut octets = Vec::new();
            while !octets.ends_with(b"\r\n\r\n") {
                let Ok(octet) = stream.read_u8().await else {
                    return;
                };
                octets.push(octet);
            }
            let heard = String::from_utf8(octets).unwrap();
            assert!(heard.contains("Host: 10.0.4.17\r\n"), "{heard}");
            let _ = stream.write_all(PAGE.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (printer, fingerprint)
}

fn usual() -> CertificateParams {
    CertificateParams::new(vec!["printer".to_owned()]).unwrap()
}

#[tokio::test]
async fn the_first_certificate_is_pinned_and_another_is_sent_nothing() {
    let (first, old) = secure(usual());
    let site = Site::of(terms(443), first);
    assert_eq!(site.get("/").await.body, "hello");
    assert_eq!(site.pins.0.lock().unwrap().as_deref(), Some(old.as_str()));
    let deed = Deed::Certificate {
        fingerprint: old.clone(),
        is_change: false,
    };
    assert!(site.deeds().contains(&deed));
    assert_eq!(site.get("/").await.status, 200);
    let seen = site.deeds().iter().filter(|noted| **noted == deed).count();
    assert_eq!(seen, 1, "noted when it is seen first");

    let (second, new) = secure(usual());
    site.session.has_way(Some(Arc::new(Tunnel {
        printer: second,
        opened: Arc::clone(&site.opened),
    })));
    let answer = site.get("/").await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains(&old) && answer.body.contains(&new));
    let changed = Notice::CertificateChanged {
        old,
        new: new.clone(),
    };
    assert_eq!(site.session.notice(), Some(changed));
    assert_eq!(site.session.tally().received.load(Ordering::Relaxed), 10);

    // A person takes it.
    *site.pins.0.lock().unwrap() = Some(new);
    assert_eq!(site.get("/").await.body, "hello");
    assert_eq!(site.session.notice(), None);
}

#[tokio::test]
async fn odd_certificates_are_pinned_like_any_other() {
    let expired = {
        let mut params = usual();
        params.not_before = rcgen::date_time_ymd(1999, 1, 1);
        params.not_after = rcgen::date_time_ymd(2000, 1, 1);
        params
    };
    let not_yet = {
        let mut params = usual();
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
        params
    };
    let authority = {
        let mut params = usual();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
    };
    let nameless = CertificateParams::default();
    for (what, params) in [
        ("expired", expired),
        ("not yet", not_yet),
        ("an authority's", authority),
        ("nameless", nameless),
    ] {
        let (printer, fingerprint) = secure(params);
        let site = Site::of(terms(443), printer);
        let answer = site.get("/").await;
        assert_eq!(answer.body, "hello", "{what}");
        assert_eq!(
            site.pins.0.lock().unwrap().as_deref(),
            Some(fingerprint.as_str())
        );
    }
}

/// A TLS 1.0 `ServerHello` (RFC 2246, 7.4.1.3) with TLS_RSA_WITH_AES_128_CBC_SHA.
fn server_hello_of_tls_1_0() -> Vec<u8> {
    let mut hello = vec![0x03, 0x01];
    hello.extend([7; 32]);
    hello.extend([0x00, 0x00, 0x2f, 0x00]);
    let mut record = vec![0x16, 0x03, 0x01, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26];
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_printer_with_old_tls_is_told_apart() {
    for (what, says, is_old) in [
        (
            "alert protocol_version",
            vec![0x15, 3, 1, 0, 2, 2, 70],
            true,
        ),
        (
            "alert handshake_failure",
            vec![0x15, 3, 1, 0, 2, 2, 40],
            true,
        ),
        ("TLS 1.0", server_hello_of_tls_1_0(), true),
        (
            "plain HTTP",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            false,
        ),
        ("silence", vec![], false),
        ("alert internal_error", vec![0x15, 3, 3, 0, 2, 2, 80], false),
    ] {
        let site = Site::of(
            terms(443),
            printer(move |mut stream: DuplexStream| {
                let says = says.clone();
                async move {
                    let mut hello = [0; 1];
                    let _ = stream.read(&mut hello).await;
                    let _ = stream.write_all(&says).await;
                    let _ = stream.shutdown().await;
                    // Whatever else is said to it is not heard.
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    assert!(!String::from_utf8_lossy(&rest).contains("GET /"));
                }
            }),
        );
        let answer = site.get("/").await;
        assert_eq!(answer.status, 502, "{what}");
        let notice = site.session.notice();
        assert_eq!(
            notice == Some(Notice::TlsTooOld),
            is_old,
            "{what}: {notice:?}"
        );
        assert_eq!(
            answer.body.contains("TLS 1.1 or older"),
            is_old,
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_device_that_cannot_be_reached_is_said_to_be() {
    let site = Site::new(says(PAGE));
    #[derive(Debug)]
    struct Closed;
    impl Way for Closed {
        fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
            Box::pin(async { Err(NoWay::Refused("connection refused by 10.0.4.17".to_owned())) })
        }
    }
    site.session.has_way(Some(Arc::new(Closed)));
    let answer = site.get("/").await;
    assert_eq!(answer.status, 502);
    assert!(
        answer.body.contains("connection refused"),
        "{}",
        answer.body
    );
    let notice = site.session.notice().unwrap();
    assert!(matches!(notice, Notice::Unreachable(why) if why.contains("refused")));
}
