//! A hub that lies in its replies: to polls, and to an agent that renews its certificate.
//!
//! The agent's own identity on disk, its own uplink, real TLS. What the hub says is one lie after the
//! other; then it is honest, and every report must come to it all the same.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::parts::HubLink;
use agent::identity::Identity;
use agent::identity::keeper::IdentityKeeper;
use proto::v1;
use proto::v1::uplink_server::{Uplink, UplinkServer};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Identity as TlsIdentity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::site::AGENT;

/// What the hub says to a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// The truth.
    Honest,
    /// Everything is kept, and much more than there is.
    KeptTooMuch,
    /// Send it all again, at every poll.
    Forgetful,
    /// The reply of another spool.
    OtherEpoch,
    /// A reply of a megabyte.
    Giant,
    /// Ask again in 136 years.
    Never,
    /// An error that makes no sense.
    Mad,
}

/// Every lie.
pub const LIES: [Mood; 6] = [
    Mood::KeptTooMuch,
    Mood::Forgetful,
    Mood::OtherEpoch,
    Mood::Giant,
    Mood::Never,
    Mood::Mad,
];

/// The hub that lies.
pub struct Liar {
    heard: Arc<Heard>,
    folder: std::path::PathBuf,
    certificate: String,
}

#[derive(Debug)]
struct Heard {
    mood: Mutex<Mood>,
    /// What an honest hub has, by epoch.
    kept: Mutex<BTreeSet<(u64, u64)>>,
    polls: Mutex<u64>,
    renewals: Mutex<u64>,
    stranger: Mutex<(String, String)>,
}

impl Liar {
    /// Listens, and gives the link of an agent whose identity is in `folder` and whose certificate
    /// wants renewal.
    pub fn listens(folder: &Path) -> (Self, HubLink) {
        let authority_key = KeyPair::generate().expect("a key");
        let params = authority();
        let authority_pem = params.self_signed(&authority_key).expect("a CA").pem();
        let issuer = Issuer::new(params, authority_key);
        let signed = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
            // Past its half since long, and far from its end.
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2029, 1, 1);
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        };
        let (certificate, key) = signed("127.0.0.1");
        let tls = ServerTlsConfig::new()
            .identity(TlsIdentity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(&authority_pem));
        let (certificate, key) = signed("agent");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("bound"));
        let identity = Identity {
            hub_url: url.clone(),
            agent_id: AGENT.to_owned(),
            agent_name: "story".to_owned(),
            authority: authority_pem.clone(),
            certificate: certificate.clone(),
            key,
            command_key: None,
            sealing_key: None,
        };
        identity.save(folder).expect("saved");
        let heard = Arc::new(Heard {
            mood: Mutex::new(Mood::Honest),
            kept: Mutex::default(),
            polls: Mutex::default(),
            renewals: Mutex::default(),
            stranger: Mutex::new(stranger()),
        });
        serve(listener, tls, Arc::clone(&heard));
        let keeper = IdentityKeeper::new(folder, identity).expect("an identity");
        let link = HubLink::new(url, authority_pem, Arc::new(keeper));
        let liar = Self {
            heard,
            folder: folder.to_owned(),
            certificate,
        };
        (liar, link)
    }

    /// Changes its mind.
    pub fn says(&self, mood: Mood) {
        *self.heard.mood.lock().expect("the mood") = mood;
    }

    /// How often it was polled.
    pub fn polls(&self) -> u64 {
        *self.heard.polls.lock().expect("the polls")
    }

    /// How often a certificate was asked for.
    pub fn renewals(&self) -> u64 {
        *self.heard.renewals.lock().expect("the renewals")
    }

    /// The numbers of the reports that it has, of whatever epoch.
    pub fn kept(&self) -> BTreeSet<u64> {
        let kept = self.heard.kept.lock().expect("the reports");
        kept.iter().map(|(_, sequence)| *sequence).collect()
    }

    /// Whether the agent's identity on disk is what it was.
    pub fn identity_is_untouched(&self) -> bool {
        let identity = Identity::load(&self.folder)
            .expect("readable")
            .expect("there");
        identity.certificate == self.certificate
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A certificate of another authority, for another key.
fn stranger() -> (String, String) {
    let authority_key = KeyPair::generate().expect("a key");
    let issuer = Issuer::new(authority(), authority_key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["agent".to_owned()]).expect("params");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// The key of a request, certified by another authority than the agent's.
fn by_a_stranger(request: &str) -> String {
    let key = KeyPair::generate().expect("a key");
    let issuer = Issuer::new(authority(), key);
    let request = CertificateSigningRequestParams::from_pem(request).expect("a request");
    request.signed_by(&issuer).expect("a certificate").pem()
}

fn serve(listener: TcpListener, tls: ServerTlsConfig, heard: Arc<Heard>) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let service = UplinkServer::from_arc(Arc::new(Desk(heard)))
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_encoding_message_size(64 * 1024 * 1024);
    let mut server = Server::builder().tls_config(tls).expect("TLS");
    tokio::spawn(async move {
        server
            .add_service(service)
            .serve_with_incoming(incoming)
            .await
    });
}

struct Desk(Arc<Heard>);

#[tonic::async_trait]
impl Uplink for Desk {
    /// One after the other: for another key, our key by another authority, nonsense.
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewReply>, Status> {
        let mut renewals = self.0.renewals.lock().expect("the renewals");
        *renewals += 1;
        let certificate = match *renewals % 3 {
            1 => self.0.stranger.lock().expect("the stranger").0.clone(),
            2 => by_a_stranger(&request.into_inner().signing_request),
            _ => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
        };
        Ok(Response::new(v1::RenewReply { certificate }))
    }

    async fn poll(
        &self,
        request: Request<v1::PollRequest>,
    ) -> Result<Response<v1::PollReply>, Status> {
        let request = request.into_inner();
        let mood = *self.0.mood.lock().expect("the mood");
        *self.0.polls.lock().expect("the polls") += 1;
        let last = request.reports.last().map_or(0, |report| report.sequence);
        let lie = v1::PollReply {
            epoch: request.epoch,
            acked: last,
            next_poll_secs: 1,
            report_at_once: true,
            resend_from: 0,
        };
        let reply = match mood {
            Mood::Honest => self.honest(&request),
            Mood::KeptTooMuch => v1::PollReply {
                acked: u64::MAX,
                ..lie
            },
            Mood::Forgetful => v1::PollReply {
                resend_from: 1,
                ..lie
            },
            Mood::OtherEpoch => v1::PollReply {
                epoch: lie.epoch ^ 1,
                ..lie
            },
            Mood::Never => v1::PollReply {
                next_poll_secs: u32::MAX,
                ..lie
            },
            Mood::Giant => return Err(Status::internal("x".repeat(1024 * 1024))),
            Mood::Mad => return Err(Status::data_loss("\u{1b}[2Jdelete everything")),
        };
        Ok(Response::new(reply))
    }
}

impl Desk {
    /// Keeps what comes. Of an epoch that it has not heard of it asks for everything once: what it
    /// said before was a lie.
    fn honest(&self, request: &v1::PollRequest) -> v1::PollReply {
        let epoch = request.epoch;
        let mut kept = self.0.kept.lock().expect("the reports");
        let is_new = !kept.iter().any(|(of, _)| *of == epoch);
        kept.extend(
            request
                .reports
                .iter()
                .map(|report| (epoch, report.sequence)),
        );
        let mut of_epoch = kept
            .range((epoch, 0)..=(epoch, u64::MAX))
            .map(|(_, it)| *it);
        let first = of_epoch.next().unwrap_or(0);
        let last = of_epoch.fold(
            first,
            |last, next| if next == last + 1 { next } else { last },
        );
        v1::PollReply {
            epoch,
            acked: if is_new { 0 } else { last },
            next_poll_secs: 1,
            report_at_once: true,
            resend_from: u64::from(is_new),
        }
    }
}

/// How long each lie is told.
pub const A_LIE: Duration = Duration::from_secs(3);
