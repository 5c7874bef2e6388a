//! The agents' door: gRPC over TLS. A stranger may enroll with a code ([`super::enrolling`]); an
//! agent may poll, and renew its certificate.
//!
//! Who an agent is comes from the certificate its connection was verified with, never from a
//! field: [`Uplink::prove`] makes the [`AgentId`] that keeping reports asks for. What a message
//! says is checked in [`super::wire`]; what it may cost is bounded here.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proto::v1;
use proto::v1::enrollment_server::EnrollmentServer;
use proto::v1::uplink_server::UplinkServer;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tracing::{debug, error, info, warn};

use crate::ca::{AgentCertificate, Authority, CheckedRequest};
use crate::door::tls::Peer;
use crate::door::wire;
use crate::store::accept::AcceptError;
use crate::store::agents::AgentId;
use crate::store::holders::{Presented, Standing};
use crate::store::report::Batch;
use crate::store::{Store, StoreError, Tenant};

/// Largest poll, unpacked: 2 MiB of reports as uplink.proto promises, and room for their frame.
const POLL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest enrollment: a code and a signing request of a few hundred bytes.
const ENROLL_BYTES_MAX: usize = 32 * 1024;

/// Where an agent whose epoch is refused as older reads which is the newest (uplink.proto).
const NEWEST_EPOCH: &str = "platen-newest-epoch";

/// What the agents' door needs to know.
#[derive(Debug)]
pub struct UplinkParts {
    /// Where reports are kept.
    pub store: Store,
    /// Whose agents they are.
    pub tenant: Tenant,
    /// Signs agents.
    pub authority: Authority,
    /// What signs commands: its public half, which agents pin when they enroll.
    pub command_key: [u8; 32],
    /// How often an agent polls.
    pub poll_every: Duration,
    /// Whether an agent polls as soon as something new is in its spool.
    pub report_at_once: bool,
}

/// The agents' door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uplink {
    pub(super) parts: Arc<UplinkParts>,
}

impl Uplink {
    /// Makes the door; [`Self::serve`] opens it.
    #[must_use]
    pub fn new(parts: UplinkParts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The routes of the agents' door, for [`super::front`] to serve.
    pub fn routes(self) -> axum::Router {
        let enrollment =
            EnrollmentServer::new(self.clone()).max_decoding_message_size(ENROLL_BYTES_MAX);
        let uplink = UplinkServer::new(self)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(POLL_BYTES_MAX);
        Routes::new(enrollment)
            .add_service(uplink)
            .into_axum_router()
    }

    /// Proves who sent a request, by the certificate of its connection, which has not ended.
    async fn prove<T>(&self, request: &Request<T>, now: Timestamp) -> Result<AgentId, Status> {
        match self.standing(request, now).await? {
            Standing::Good(agent) => Ok(agent),
            Standing::Ended(agent) => {
                debug!(
                    agent = agent.name(),
                    "came with a certificate that has ended"
                );
                Err(Status::aborted(format!(
                    "this certificate has ended, it is {now} here; renew it (or is the clock at \
                     the site wrong?)"
                )))
            }
            other => Err(shut_out(&other)),
        }
    }

    /// As [`Self::prove`], for the one call that a certificate past its end opens.
    async fn prove_for_renewal<T>(
        &self,
        request: &Request<T>,
        now: Timestamp,
    ) -> Result<AgentId, Status> {
        match self.standing(request, now).await? {
            Standing::Good(agent) | Standing::Ended(agent) => Ok(agent),
            other => Err(shut_out(&other)),
        }
    }

    async fn standing<T>(&self, request: &Request<T>, now: Timestamp) -> Result<Standing, Status> {
        let peer = request.extensions().get::<Peer>();
        let Some(presented) = peer.and_then(|peer| peer.certificate.as_ref()) else {
            return Err(Status::unauthenticated(
                "polling takes a certificate of this hub",
            ));
        };
        let standing = self.parts.store.prove(&self.parts.tenant, presented, now);
        let standing = standing.await.map_err(|error| away(&error))?;
        if !matches!(standing, Standing::Good(_)) {
            let fingerprint = &presented.fingerprint;
            warn!(
                fingerprint,
                ?standing,
                "a certificate does not open this call"
            );
        }
        Ok(standing)
    }

    /// Signs a certificate for an agent that has proven itself, and keeps that it was given.
    async fn renew_agent(
        &self,
        agent: &AgentId,
        request: v1::RenewRequest,
        now: Timestamp,
    ) -> Result<v1::RenewReply, Status> {
        let (signing_request, _) = check(&request.signing_request, request.agent_version)?;
        let certificate = sign(&self.parts.authority, &signing_request, agent.as_str(), now)?;
        let presented = Presented {
            fingerprint: certificate.fingerprint,
            agent: agent.as_str().to_owned(),
            issued: certificate.issued,
            until: certificate.until,
        };
        let key_hash = signing_request.key_hash();
        let kept = self.parts.store.renewed(agent, &presented, &key_hash);
        kept.await.map_err(|error| away(&error))?;
        info!(agent = agent.name(), until = %certificate.until, "a certificate was renewed");
        Ok(v1::RenewReply {
            certificate: certificate.pem,
        })
    }
}

#[tonic::async_trait]
impl v1::uplink_server::Uplink for Uplink {
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewReply>, Status> {
        let now = Timestamp::now();
        let agent = self.prove_for_renewal(&request, now).await?;
        let renewed = self.renew_agent(&agent, request.into_inner(), now).await?;
        Ok(Response::new(renewed))
    }

    async fn poll(
        &self,
        request: Request<v1::PollRequest>,
    ) -> Result<Response<v1::PollReply>, Status> {
        let now = Timestamp::now();
        let agent = self.prove(&request, now).await?;
        let v1::PollRequest {
            epoch,
            status,
            reports,
        } = request.into_inner();
        let status = wire::status(status).map_err(|error| impossible(&agent, &error))?;
        let reports = wire::reports(reports).map_err(|error| impossible(&agent, &error))?;
        let batch = Batch {
            epoch,
            status: &status,
            reports: &reports,
        };
        let accepted = self.parts.store.accept(&agent, &batch, now).await;
        let accepted = accepted.map_err(|error| refuse(&agent, &error))?;
        debug!(
            agent = agent.name(),
            reports = reports.len(),
            repeated = accepted.repeated,
            acked = accepted.acked,
            "polled"
        );
        Ok(Response::new(v1::PollReply {
            epoch,
            acked: accepted.acked,
            next_poll_secs: u32::try_from(self.parts.poll_every.as_secs()).unwrap_or(u32::MAX),
            report_at_once: self.parts.report_at_once,
            resend_from: accepted.resend_from.unwrap_or(0),
        }))
    }
}

/// Checks what a certificate is asked for with.
pub(super) fn check(
    signing_request: &str,
    version: String,
) -> Result<(CheckedRequest, String), Status> {
    let version = wire::agent_version(version)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let request = CheckedRequest::parse(signing_request)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    Ok((request, version))
}

/// Signs a certificate for the agent `id`.
pub(super) fn sign(
    authority: &Authority,
    request: &CheckedRequest,
    id: &str,
    now: Timestamp,
) -> Result<AgentCertificate, Status> {
    authority.sign_agent(request, id, now).map_err(|error| {
        error!(%error, "an agent could not be given a certificate");
        Status::unavailable("the hub cannot sign")
    })
}

/// Marks an error as this hub's considered refusal: what an agent counts.
pub(super) fn for_good(mut refusal: Status) -> Status {
    let mark = MetadataValue::from_static("1");
    refusal.metadata_mut().insert(proto::REFUSAL, mark);
    refusal
}

pub(super) fn away(error: &StoreError) -> Status {
    error!(%error, "the store does not answer");
    Status::unavailable("the store is away; send again later")
}

/// The answer to a certificate that opens nothing.
fn shut_out(standing: &Standing) -> Status {
    let refused = |why: &str| {
        for_good(Status::unauthenticated(format!(
            "this certificate is {why}; enroll again"
        )))
    };
    match standing {
        Standing::Revoked => refused("revoked"),
        Standing::Replaced => refused("replaced by a newer enrollment"),
        Standing::Unknown => refused("unknown"),
        Standing::Quarantined(reason) => {
            Status::permission_denied(format!("quarantined: {reason}"))
        }
        Standing::Late | Standing::Good(_) | Standing::Ended(_) => {
            Status::unavailable("a later certificate of this agent is in use; send again")
        }
    }
}

fn impossible(agent: &AgentId, error: &wire::WireError) -> Status {
    warn!(agent = agent.name(), %error, "a poll that cannot be was refused");
    Status::invalid_argument(error.to_string())
}

fn refuse(agent: &AgentId, error: &AcceptError) -> Status {
    match error {
        AcceptError::Store(error) => away(error),
        AcceptError::Revoked => for_good(Status::unauthenticated(error.to_string())),
        AcceptError::TooLarge(_) => Status::invalid_argument(error.to_string()),
        AcceptError::Late => Status::unavailable(error.to_string()),
        AcceptError::Quarantined(_) => {
            error!(agent = agent.name(), %error, "reports were refused");
            Status::permission_denied(error.to_string())
        }
        AcceptError::EpochWentBack { .. } | AcceptError::Altered { .. } => {
            error!(agent = agent.name(), %error, "reports were refused");
            let mut status = Status::failed_precondition(error.to_string());
            if let AcceptError::EpochWentBack { newest, .. } = error {
                status.metadata_mut().insert(NEWEST_EPOCH, (*newest).into());
            }
            status
        }
    }
}
