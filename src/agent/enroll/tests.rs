//! Enrollment against a small hub over real TLS, and against what only looks like one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proto::v1::enrollment_server::{Enrollment as Desk, EnrollmentServer};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tonic::metadata::MetadataValue;
use tonic::transport::{Identity as TlsIdentity, Server, ServerTlsConfig};
use tonic::{Request, Response};

use super::*;

mod refusals;

const SECRET: &str = "abcdefghijklmnopqrstuvwxy2";

/// A hub on loopback with a CA of its own.
struct Hub {
    address: SocketAddr,
    fingerprint: String,
    asked: Arc<AtomicU32>,
}

struct Clerk {
    issuer: Issuer<'static, KeyPair>,
    authority: String,
    good: String,
    /// Answers without the hub's mark, as something on the way would.
    is_proxy: bool,
    asked: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl Desk for Clerk {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollReply>, Status> {
        let request = request.into_inner();
        if request.code != self.good {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let mut refusal = Status::permission_denied("this code was used; make a new one");
            if !self.is_proxy {
                let mark = MetadataValue::from_static("1");
                refusal.metadata_mut().insert(proto::REFUSAL, mark);
            }
            return Err(refusal);
        }
        let csr = CertificateSigningRequestParams::from_pem(&request.signing_request);
        let certificate = csr
            .expect("a request")
            .signed_by(&self.issuer)
            .expect("signed");
        Ok(Response::new(v1::EnrollReply {
            agent_id: "a1".to_owned(),
            agent_name: "Lyon".to_owned(),
            certificate: certificate.pem(),
            authority: self.authority.clone(),
            ..v1::EnrollReply::default()
        }))
    }
}

/// A hub whose certificate is for `name`.
async fn hub(name: &str) -> Hub {
    hub_with(name, false).await
}

async fn hub_with(name: &str, is_proxy: bool) -> Hub {
    let asked = Arc::<AtomicU32>::default();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let mut params = CertificateParams::new(vec![]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("a CA");
    let fingerprint = Sha256::digest(authority.der());
    let fingerprint: String = fingerprint
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("params");
    let leaf = params.signed_by(&key, &issuer).expect("a certificate");
    let chain = leaf.pem() + &authority.pem();
    let tls = ServerTlsConfig::new().identity(TlsIdentity::from_pem(chain, key.serialize_pem()));
    let clerk = Clerk {
        issuer,
        authority: authority.pem(),
        good: format!("{SECRET}.{fingerprint}"),
        is_proxy,
        asked: asked.clone(),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let mut server = Server::builder().tls_config(tls).expect("TLS");
    let service = EnrollmentServer::new(clerk);
    tokio::spawn(async move {
        server
            .add_service(service)
            .serve_with_incoming(incoming)
            .await
    });
    Hub {
        address,
        fingerprint,
        asked,
    }
}

async fn enroll_at(hub: &Hub, code: &str, folder: &TempDir) -> Result<Identity, EnrollError> {
    let code = code.parse().expect("a code");
    enroll_with(hub, &code, folder, false).await
}

async fn enroll_with(
    hub: &Hub,
    code: &OneTimeCode,
    folder: &TempDir,
    again: bool,
) -> Result<Identity, EnrollError> {
    let url = format!("https://{}", hub.address);
    let state_dir = folder.path();
    enroll(Enrollment {
        url: &url,
        code,
        state_dir,
        name: "lyon-1",
        again,
        timeout: Duration::from_secs(15),
        route: &Route::direct(),
    })
    .await
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_good_code_becomes_an_identity_on_disk() {
    let (hub, folder) = (hub("127.0.0.1").await, folder());
    let code = format!("{SECRET}.{}", hub.fingerprint);
    let identity = enroll_at(&hub, &code, &folder).await.expect("enrolled");
    assert_eq!(identity.agent_name, "Lyon");
    assert!(identity.key.contains("PRIVATE KEY"));
    assert_eq!(
        Identity::load(folder.path()).expect("readable"),
        Some(identity)
    );
    let twice = enroll_at(&hub, &code, &folder).await;
    assert!(
        matches!(twice, Err(EnrollError::Already { .. })),
        "{twice:?}"
    );
    let code = code.parse().expect("a code");
    enroll_with(&hub, &code, &folder, true)
        .await
        .expect("enrolled again");
}

#[tokio::test]
async fn another_hub_than_the_codes_learns_nothing() {
    let (hub, folder) = (hub("127.0.0.1").await, folder());
    let code = format!("{SECRET}.{}", "0a".repeat(32));
    let refused = enroll_at(&hub, &code, &folder).await;
    assert!(
        matches!(refused, Err(EnrollError::Impostor { .. })),
        "{refused:?}"
    );
    assert_eq!(Identity::load(folder.path()).expect("readable"), None);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (hub, folder) = (hub("hub.example.org").await, folder());
    let code = format!("{SECRET}.{}", hub.fingerprint);
    let refused = enroll_at(&hub, &code, &folder).await;
    assert!(
        matches!(refused, Err(EnrollError::Impostor { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_code_that_the_hub_refuses_says_why() {
    let (hub, folder) = (hub("127.0.0.1").await, folder());
    let code = format!("{}.{}", "z".repeat(26), hub.fingerprint);
    let refused = enroll_at(&hub, &code, &folder).await.expect_err("refused");
    assert!(
        matches!(refused, EnrollError::Refused { .. }),
        "{refused:?}"
    );
    assert!(
        refused
            .to_string()
            .ends_with("this code was used; make a new one")
    );
}

#[tokio::test]
async fn a_hub_that_is_away_is_no_refusal() {
    let folder = folder();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let hub = Hub {
        address,
        fingerprint: "0a".repeat(32),
        asked: Arc::default(),
    };
    let code = format!("{SECRET}.{}", hub.fingerprint);
    let away = enroll_at(&hub, &code, &folder).await;
    assert!(
        matches!(away, Err(EnrollError::Unreachable { .. })),
        "{away:?}"
    );
}

#[test]
fn what_is_not_written_like_a_code_is_refused() {
    let hex = "0a".repeat(32);
    let good = format!("{SECRET}.{hex}");
    assert!(good.parse::<OneTimeCode>().is_ok());
    assert_eq!(
        format!("{:?}", good.parse::<OneTimeCode>().expect("a code")),
        "***"
    );
    for bad in [
        "",
        "x",
        &format!("{SECRET}{hex}"),
        &format!("{SECRET}.{hex}0"),
        &format!("A.{hex}"),
    ] {
        assert!(bad.parse::<OneTimeCode>().is_err(), "{bad}");
    }
}

#[test]
fn only_https_addresses_are_hubs() {
    assert_eq!(
        check_url("https://hub:8443/").as_deref(),
        Ok("https://hub:8443")
    );
    for bad in [
        "http://hub",
        "hub",
        "https://",
        "https://hub/path",
        "https://a@hub",
        "https://h?q",
    ] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
}
