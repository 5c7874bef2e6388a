//! The agents' door from outside: a real hub on a free port, real TLS, a real client.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proto::v1;
use proto::v1::enrollment_client::EnrollmentClient;
use proto::v1::uplink_client::UplinkClient;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code as GrpcCode, Status};

use crate::RunError;
use crate::ca::Authority;
use crate::config::HubConfig;
use crate::door::code::Code;
use crate::state::Bound;
use crate::store::{Store, Tenant};

mod enrolling;
mod front;
mod identity;
mod polling;
mod transport;
mod web;
mod wire;

/// Longest any of this may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hub that runs, in a folder of its own.
struct Site {
    folder: TempDir,
    bound: Bound,
    store: Store,
    authority: Authority,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), RunError>>,
}

/// An agent as the hub made it: its key, and what it was given.
struct Enrolled {
    key: String,
    reply: v1::EnrollReply,
}

impl Site {
    async fn start() -> Self {
        // Fails when another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        Self::of(folder, &config).await
    }

    async fn of(folder: TempDir, config: &HubConfig) -> Self {
        let hub = crate::bind(config).await.unwrap();
        let (bound, store) = (hub.bound(), hub.store().clone());
        let authority = Authority::find(folder.path()).unwrap().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let ended = tokio::spawn(hub.serve(shutdown));
        Self {
            folder,
            bound,
            store,
            authority,
            stop,
            ended,
        }
    }

    async fn stop(self) -> Result<(), RunError> {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.ended)
            .await
            .unwrap()
            .unwrap()
    }

    /// A code for an agent of this name, made at `made`.
    async fn code(&self, name: &str, made: Timestamp) -> Code {
        let code = Code::generate(&self.authority.fingerprint()).unwrap();
        self.store
            .invite(&Tenant::DEFAULT, name, code.secret(), made)
            .await
            .unwrap();
        code
    }

    async fn enroll(&self, name: &str) -> Enrolled {
        let code = self.code(name, Timestamp::now()).await;
        let key = KeyPair::generate().unwrap();
        let reply = self
            .try_enroll(&code.reveal(), &request(&key))
            .await
            .unwrap();
        Enrolled {
            key: key.serialize_pem(),
            reply,
        }
    }

    async fn try_enroll(&self, code: &str, request: &str) -> Result<v1::EnrollReply, Status> {
        let mut client = EnrollmentClient::new(self.channel(None).await.unwrap());
        let request = v1::EnrollRequest {
            code: code.to_owned(),
            signing_request: request.to_owned(),
            agent_version: "0.1.0".to_owned(),
            ..v1::EnrollRequest::default()
        };
        client
            .enroll(request)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn poll(&self, agent: &Enrolled, poll: v1::PollRequest) -> Result<v1::PollReply, Status> {
        let identity = Identity::from_pem(&agent.reply.certificate, &agent.key);
        let channel = self.channel(Some(identity)).await;
        let channel = channel.map_err(|error| Status::from_error(Box::new(error)))?;
        UplinkClient::new(channel)
            .poll(poll)
            .await
            .map(tonic::Response::into_inner)
    }

    /// How a poll without a certificate is answered.
    async fn poll_as_stranger(&self) -> GrpcCode {
        let mut client = UplinkClient::new(self.channel(None).await.unwrap());
        client.poll(poll(1, vec![])).await.unwrap_err().code()
    }

    async fn channel(
        &self,
        identity: Option<Identity>,
    ) -> Result<Channel, tonic::transport::Error> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.authority.certificate_pem()))
            .domain_name("localhost");
        let tls = match identity {
            Some(identity) => tls.identity(identity),
            None => tls,
        };
        let url = format!("https://{}", self.bound.uplink);
        Endpoint::from_shared(url)
            .unwrap()
            .tls_config(tls)?
            .connect()
            .await
    }

    /// TLS settings of a client that believes this hub and shows no certificate.
    fn stranger(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::clone(self.authority.certificate()))
            .unwrap();
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

fn config(folder: &TempDir) -> HubConfig {
    let text = format!(
        "state_dir = {:?}\n[uplink]\nlisten = \"127.0.0.1:0\"\npoll_secs = 7\n\
         [portal]\nlisten = \"127.0.0.1:0\"\n",
        folder.path()
    );
    HubConfig::parse("hub.toml", &text, std::iter::empty()).unwrap()
}

fn request(key: &KeyPair) -> String {
    CertificateParams::default()
        .serialize_request(key)
        .unwrap()
        .pem()
        .unwrap()
}

fn poll(epoch: u64, reports: Vec<v1::Report>) -> v1::PollRequest {
    let status = v1::AgentStatus {
        version: "0.1.0".to_owned(),
        ..v1::AgentStatus::default()
    };
    v1::PollRequest {
        epoch,
        status: Some(status),
        reports,
    }
}

/// The smallest report of a reading that can be.
fn report(sequence: u64) -> v1::Report {
    let status = v1::Status {
        state: "idle".to_owned(),
        severity: "ok".to_owned(),
        ..v1::Status::default()
    };
    let reading = v1::Reading {
        at_ms: 1_795_420_800_000,
        identity: Some(v1::Identity::default()),
        status: Some(status),
        ..v1::Reading::default()
    };
    v1::Report {
        sequence,
        device_id: "0".repeat(31) + "1",
        body: Some(v1::report::Body::Reading(reading)),
    }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: GrpcCode, words: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().contains(words), "{status}");
}
