//! Dialling through real proxies, and what each refusal is called.

// Every line here is of a test: a failed expectation is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "dialing/proxies.rs"]
mod proxies;

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use self::proxies::{squid, tinyproxy};
use dial::{Destination, DialError, Dialer, NoProxy, Proxy, ProxyError, Route, TlsProblem, Trust};

/// A hub's CA, and a certificate of it for `localhost` that counts in these years.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    fn certify(&self, host: &str, years: (i32, i32)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn trust(&self) -> Trust {
        Trust {
            roots_pem: self.pem.clone(),
            identity: None,
        }
    }
}

/// An echo behind TLS on a free port of loopback; ends with the runtime.
async fn echo((certificate, key): (String, String)) -> Destination {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut octets = [0; 4];
                if stream.read_exact(&mut octets).await.is_ok() {
                    let _ = stream.write_all(&octets).await;
                }
            });
        }
    });
    Destination::new("localhost", port).unwrap()
}

async fn says_ping(dialer: &Dialer, to: &Destination) -> Result<(), DialError> {
    let mut stream = dialer.tls(to, &[]).await?;
    stream.write_all(b"ping").await.unwrap();
    let mut octets = [0; 4];
    stream.read_exact(&mut octets).await.unwrap();
    assert_eq!(&octets, b"ping");
    Ok(())
}

const NOW: (i32, i32) = (2020, 2090);

fn by(proxy: &str) -> Route {
    Route::through(Proxy::parse(proxy, None).unwrap(), NoProxy::default())
}

#[tokio::test]
async fn a_real_proxy_makes_the_tunnel_with_none_basic_and_digest() {
    let authority = Authority::new("hub");
    let hub = echo(authority.certify("localhost", NOW)).await;
    let (open, basic) = (tinyproxy(false), tinyproxy(true));
    let (squid_basic, squid_digest) = (squid("basic"), squid("digest"));
    for (proxy, user, scheme) in [
        (&open, "", None),
        (&basic, "anna:word", Some("Basic")),
        (&squid_basic, "anna:word", Some("Basic")),
        (&squid_digest, "anna:word", Some("Digest")),
    ] {
        let dial = |user: &str| {
            let route = by(&format!("http://{user}@127.0.0.1:{}", proxy.port));
            Dialer::through(&authority.trust(), route).unwrap()
        };
        let dialer = dial(user);
        // Twice: the second uses what the first learned.
        says_ping(&dialer, &hub)
            .await
            .unwrap_or_else(|error| panic!("{scheme:?}: {error}"));
        says_ping(&dialer, &hub)
            .await
            .unwrap_or_else(|error| panic!("{scheme:?}: {error}"));
        let Some(scheme) = scheme else { continue };
        let refused = says_ping(&dial("anna:wrong"), &hub).await.unwrap_err();
        let is_named = matches!(&refused, DialError::Proxy {
            error: ProxyError::WrongUser { schemes, .. }, ..
        } if schemes == scheme);
        assert!(is_named, "{refused}");
        let route = by(&format!("http://127.0.0.1:{}", proxy.port));
        let nobody = Dialer::through(&authority.trust(), route).unwrap();
        let refused = says_ping(&nobody, &hub).await.unwrap_err();
        let is_named = matches!(&refused, DialError::Proxy {
            error: ProxyError::WantsUser { schemes }, ..
        } if schemes == scheme);
        assert!(is_named, "{refused}");
    }
}

#[tokio::test]
async fn a_proxy_that_finds_nobody_says_so_and_whom_the_rules_name_is_reached_directly() {
    let authority = Authority::new("hub");
    let hub = echo(authority.certify("localhost", NOW)).await;
    let proxy = tinyproxy(false);
    let at = format!("http://127.0.0.1:{}", proxy.port);
    let dialer = Dialer::through(&authority.trust(), by(&at)).unwrap();
    let nobody = Destination::new("127.0.0.1", proxies::free_port()).unwrap();
    let refused = says_ping(&dialer, &nobody).await.unwrap_err();
    assert!(
        matches!(
            refused,
            DialError::Proxy {
                error: ProxyError::Refused { status: 500.., .. },
                ..
            }
        ),
        "{refused}"
    );
    drop(proxy);
    let refused = says_ping(&dialer, &hub).await.unwrap_err();
    assert!(
        matches!(refused, DialError::Refused { .. }),
        "the proxy is gone: {refused}"
    );
    let around = Route::through(
        Proxy::parse(&at, None).unwrap(),
        NoProxy::parse("localhost"),
    );
    says_ping(&Dialer::through(&authority.trust(), around).unwrap(), &hub)
        .await
        .unwrap();
}

async fn problem_of(server: (String, String), trust: &Trust) -> TlsProblem {
    let to = echo(server).await;
    match says_ping(&Dialer::new(trust).unwrap(), &to)
        .await
        .unwrap_err()
    {
        DialError::Tls { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_wrong_certificate_is_called_by_its_fault() {
    let (ours, other) = (Authority::new("hub"), Authority::new("middlebox"));
    let trust = ours.trust();
    let problem = problem_of(other.certify("localhost", NOW), &trust).await;
    let TlsProblem::UnknownIssuer { seen: Some(seen) } = &problem else {
        panic!("{problem}")
    };
    assert!(
        seen.issuer.contains("middlebox") && seen.names_host("localhost"),
        "{problem}"
    );
    let problem = problem_of(ours.certify("other.test", NOW), &trust).await;
    assert!(matches!(problem, TlsProblem::WrongName { .. }), "{problem}");
    for (years, is_over) in [((2001, 2002), true), ((2088, 2090), false)] {
        for (authority, expected) in [(&ours, true), (&other, false)] {
            let problem = problem_of(authority.certify("localhost", years), &trust).await;
            match problem {
                TlsProblem::Expired { is_trusted, .. } if is_over => {
                    assert_eq!(is_trusted, expected);
                }
                TlsProblem::NotYetValid { is_trusted, .. } if !is_over => {
                    assert_eq!(is_trusted, expected);
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn another_time_makes_an_old_certificate_good_and_a_foreign_one_no_better() {
    let (ours, other) = (Authority::new("hub"), Authority::new("middlebox"));
    let then = "2001-06-01T00:00:00Z".parse().unwrap();
    let dialer = Dialer::new(&ours.trust()).unwrap().as_if_at(then);
    let old = echo(ours.certify("localhost", (2001, 2002))).await;
    says_ping(&dialer, &old).await.unwrap();
    let foreign = echo(other.certify("localhost", (2001, 2002))).await;
    assert!(says_ping(&dialer, &foreign).await.is_err());
}

#[tokio::test]
async fn an_intercepting_proxy_is_believed_only_where_it_is_configured() {
    let (ours, other) = (Authority::new("hub"), Authority::new("middlebox"));
    let intercepted = echo(other.certify("localhost", NOW)).await;
    let hub = echo(ours.certify("localhost", NOW)).await;
    let route = Route::direct().believing(&other.pem).unwrap();
    let configured = Dialer::through(&ours.trust(), route).unwrap();
    says_ping(&configured, &intercepted).await.unwrap();
    says_ping(&configured, &hub).await.unwrap();
    assert!(
        says_ping(&Dialer::new(&ours.trust()).unwrap(), &intercepted)
            .await
            .is_err()
    );
    assert!(Route::direct().believing("no PEM").is_err());
}

#[tokio::test]
async fn names_that_nobody_knows_and_servers_without_tls_are_told_apart() {
    let dialer = Dialer::new(&Authority::new("hub").trust()).unwrap();
    let nowhere = Destination::new("hub.invalid", 443).unwrap();
    let unresolved = dialer.tcp(&nowhere).await.err().unwrap();
    assert!(
        matches!(unresolved, DialError::Unresolved { .. }),
        "{unresolved}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = Destination::new("127.0.0.1", port).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        let (_silent, _) = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    });
    let refused = dialer.tls(&to, &[]).await.err().unwrap();
    assert!(
        matches!(
            refused,
            DialError::Tls {
                problem: TlsProblem::NoTls,
                ..
            }
        ),
        "{refused}"
    );
    let hasty = dialer.within(Duration::from_millis(200));
    let silent = hasty.tls(&to, &[]).await.err().unwrap();
    assert!(matches!(silent, DialError::Silent { .. }), "{silent}");
}
