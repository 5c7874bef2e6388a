//! A hub small enough to read: keeps what it is sent, over TLS with a CA of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use actors::parts::HubLink;
use proto::v1;
use proto::v1::uplink_server::{Uplink, UplinkServer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::{oneshot, watch};
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::identity::{Moods, Wallet};

/// A hub that can be away.
pub struct Hub {
    /// What the agent keeps of itself.
    pub wallet: Arc<Wallet>,
    /// How this hub answers, and what it heard.
    pub moods: Arc<Moods>,
    address: SocketAddr,
    tls: ServerTlsConfig,
    kept: watch::Sender<BTreeSet<u64>>,
    closing: Option<oneshot::Sender<()>>,
}

impl Hub {
    /// A hub that does not listen yet, and the link of an agent that it knows.
    pub fn away() -> (Self, HubLink) {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let authority_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![]).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = params.self_signed(&authority_key).expect("a CA").pem();
        let issuer = Issuer::new(params, authority_key);
        let signed = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("params");
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        };
        let (certificate, key) = signed("127.0.0.1");
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(&authority_pem));
        let papers = signed("agent");
        let wallet = Arc::new(Wallet::new(papers.0, papers.1));
        let link = HubLink::new(format!("https://{address}"), authority_pem, wallet.clone());
        (
            Self {
                wallet,
                moods: Arc::new(Moods::new(issuer)),
                address,
                tls,
                kept: watch::Sender::default(),
                closing: None,
            },
            link,
        )
    }

    /// Begins to listen.
    pub async fn open(&mut self) {
        let desk = Desk {
            moods: self.moods.clone(),
            kept: self.kept.clone(),
        };
        let service = UplinkServer::new(desk)
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        let (closing, closed) = oneshot::channel();
        let mut server = Server::builder().tls_config(self.tls.clone()).expect("TLS");
        let address = self.address;
        tokio::spawn(async move {
            let closed = async { drop(closed.await) };
            server
                .add_service(service)
                .serve_with_shutdown(address, closed)
                .await
        });
        self.closing = Some(closing);
    }

    /// Loses everything, as a hub that is restored from a backup made before the first report.
    pub fn restore_empty(&self) {
        self.kept.send_modify(BTreeSet::clear);
    }

    /// The sequences of all reports that are kept, ascending.
    pub fn sequences(&self) -> Vec<u64> {
        self.kept.borrow().iter().copied().collect()
    }
}

struct Desk {
    moods: Arc<Moods>,
    kept: watch::Sender<BTreeSet<u64>>,
}

#[tonic::async_trait]
impl Uplink for Desk {
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewReply>, Status> {
        self.moods.renew(&request.into_inner().signing_request)
    }

    async fn poll(
        &self,
        request: Request<v1::PollRequest>,
    ) -> Result<Response<v1::PollReply>, Status> {
        let request = request.into_inner();
        self.moods.hear(request.status.as_ref())?;
        let before = self.whole();
        let first = request.reports.first().map(|report| report.sequence);
        self.kept
            .send_modify(|kept| kept.extend(request.reports.iter().map(|it| it.sequence)));
        // What comes after a gap was acknowledged in a life that this hub has forgotten.
        let resend_from = match first {
            Some(first) if first > before + 1 => before + 1,
            Some(_) | None => 0,
        };
        let is_forgetful = first.is_none() && before == 0;
        Ok(Response::new(v1::PollReply {
            epoch: request.epoch,
            acked: if resend_from > 0 { 0 } else { self.whole() },
            next_poll_secs: 0,
            report_at_once: true,
            resend_from: if is_forgetful { 1 } else { resend_from },
        }))
    }
}

impl Desk {
    /// The last sequence without a gap before it.
    fn whole(&self) -> u64 {
        let kept = self.kept.borrow();
        (1..)
            .take_while(|sequence| kept.contains(sequence))
            .last()
            .unwrap_or(0)
    }
}
