//! The agents' door: gRPC over TLS. A stranger may enroll with a code; an agent may poll.
//!
//! Who an agent is comes from the certificate its connection was verified with, never from a
//! field: [`Uplink::prove`] makes the [`AgentId`] that keeping reports asks for. What a message
//! says is checked in [`super::wire`]; what it may cost is bounded here.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proto::v1;
use proto::v1::enrollment_server::{Enrollment, EnrollmentServer};
use proto::v1::uplink_server::UplinkServer;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tracing::{debug, error, info, warn};

use crate::ca::{Authority, CheckedRequest};
use crate::door::code::Code;
use crate::door::tls::Peer;
use crate::door::wire;
use crate::store::accept::AcceptError;
use crate::store::agents::AgentId;
use crate::store::invitations::{self, Answer, Invitation};
use crate::store::report::Batch;
use crate::store::{Store, StoreError, Tenant};

/// Largest poll, unpacked: 2 MiB of reports as uplink.proto promises, and room for their frame.
const POLL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest enrollment: a code and a signing request of a few hundred bytes.
const ENROLL_BYTES_MAX: usize = 32 * 1024;

/// What the agents' door needs to know.
#[derive(Debug)]
pub struct UplinkParts {
    /// Where reports are kept.
    pub store: Store,
    /// Whose agents they are.
    pub tenant: Tenant,
    /// Signs agents.
    pub authority: Authority,
    /// How often an agent polls.
    pub poll_every: Duration,
    /// Whether an agent polls as soon as something new is in its spool.
    pub report_at_once: bool,
}

/// The agents' door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uplink {
    parts: Arc<UplinkParts>,
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

    /// Proves who sent a request, by the certificate of its connection.
    async fn prove<T>(&self, request: &Request<T>, now: Timestamp) -> Result<AgentId, Status> {
        let peer = request.extensions().get::<Peer>();
        let Some(fingerprint) = peer.and_then(|peer| peer.fingerprint.as_deref()) else {
            return Err(Status::unauthenticated(
                "polling takes a certificate of this hub",
            ));
        };
        let known = self
            .parts
            .store
            .agent_of(&self.parts.tenant, fingerprint, now)
            .await;
        known.map_err(|error| away(&error))?.ok_or_else(|| {
            warn!(
                fingerprint,
                "a certificate that is revoked, replaced or unknown was refused"
            );
            Status::unauthenticated(
                "this certificate is revoked, replaced or unknown; enroll again",
            )
        })
    }

    /// Looks the code up, and counts it against the sender's network if it opens nothing.
    async fn invitation(
        &self,
        text: &str,
        network: &str,
        now: Timestamp,
    ) -> Result<Invitation, Status> {
        let parts = &self.parts;
        let code =
            Code::parse(text).filter(|code| code.fingerprint() == parts.authority.fingerprint());
        let answer = match &code {
            None => Answer::Unknown,
            Some(code) => {
                let answer = parts
                    .store
                    .invitation(&parts.tenant, code.secret(), now)
                    .await;
                answer.map_err(|error| away(&error))?
            }
        };
        let reason = match answer {
            Answer::Open(invitation) => return Ok(invitation),
            Answer::Unknown => "this hub knows no such code",
            Answer::Used => "this code was used; make a new one",
            Answer::Expired => "this code is too old; make a new one",
            Answer::Closed => "this code was refused too often; make a new one",
        };
        warn!(network, reason, "an enrollment was refused");
        let is_patient = parts.store.refused(&parts.tenant, network, now).await;
        if is_patient.map_err(|error| away(&error))? {
            Err(Status::permission_denied(reason))
        } else {
            Err(Status::resource_exhausted(
                "too many refusals; try again in 15 minutes",
            ))
        }
    }

    async fn enroll_agent(
        &self,
        request: v1::EnrollRequest,
        network: &str,
    ) -> Result<v1::EnrollReply, Status> {
        let now = Timestamp::now();
        let parts = &self.parts;
        let invitation = self.invitation(&request.code, network, now).await?;
        let checked = check(&request.signing_request, request.agent_version);
        let (signing_request, version) = match checked {
            Ok(checked) => checked,
            Err(refusal) => {
                let counted = parts
                    .store
                    .invitation_failed(&parts.tenant, &invitation)
                    .await;
                counted.map_err(|error| away(&error))?;
                return Err(refusal);
            }
        };
        let certificate = parts
            .authority
            .sign_agent(&signing_request, &invitation.agent, now)
            .map_err(|error| {
                error!(%error, "an agent could not be given a certificate");
                Status::unavailable("the hub cannot sign")
            })?;
        let enrollment = invitations::Enrollment {
            invitation: &invitation,
            fingerprint: &certificate.fingerprint,
            until: certificate.until,
            version: &version,
        };
        let is_done = parts.store.enroll(&parts.tenant, &enrollment, now).await;
        if !is_done.map_err(|error| away(&error))? {
            return Err(Status::permission_denied(
                "this code was used; make a new one",
            ));
        }
        info!(
            agent = invitation.agent_name,
            network, "an agent was enrolled"
        );
        Ok(v1::EnrollReply {
            agent_id: invitation.agent,
            agent_name: invitation.agent_name,
            certificate: certificate.pem,
            authority: parts.authority.certificate_pem().to_owned(),
            ..v1::EnrollReply::default()
        })
    }
}

#[tonic::async_trait]
impl Enrollment for Uplink {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollReply>, Status> {
        let network = request
            .extensions()
            .get::<Peer>()
            .map(|peer| network(peer.address.ip()));
        let network = network.unwrap_or_default();
        self.enroll_agent(request.into_inner(), &network)
            .await
            .map(Response::new)
    }
}

#[tonic::async_trait]
impl v1::uplink_server::Uplink for Uplink {
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewReply>, Status> {
        let now = Timestamp::now();
        let agent = self.prove(&request, now).await?;
        debug!(agent = agent.name(), "asked to renew");
        Err(Status::unimplemented("this hub renews no certificates yet"))
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

fn check(signing_request: &str, version: String) -> Result<(CheckedRequest, String), Status> {
    let version = wire::agent_version(version)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let request = CheckedRequest::parse(signing_request)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    Ok((request, version))
}

/// The network that refusals are counted against: an IPv6 site has a whole /64 (RFC 6177).
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let network = Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX));
            format!("{network}/64")
        }
    }
}

fn away(error: &StoreError) -> Status {
    error!(%error, "the store does not answer");
    Status::unavailable("the store is away; send again later")
}

fn impossible(agent: &AgentId, error: &wire::WireError) -> Status {
    warn!(agent = agent.name(), %error, "a poll that cannot be was refused");
    Status::invalid_argument(error.to_string())
}

fn refuse(agent: &AgentId, error: &AcceptError) -> Status {
    match error {
        AcceptError::Store(error) => away(error),
        AcceptError::Revoked => Status::unauthenticated(error.to_string()),
        AcceptError::TooLarge(_) => Status::invalid_argument(error.to_string()),
        AcceptError::EpochWentBack { .. } | AcceptError::Altered { .. } => {
            error!(agent = agent.name(), %error, "reports were refused");
            Status::failed_precondition(error.to_string())
        }
    }
}
