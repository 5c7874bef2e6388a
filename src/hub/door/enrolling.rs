//! Enrollment: a stranger with a one-time code becomes an agent.
//!
//! What may open is decided in the store, each time in one statement, so that of a hundred calls at
//! once no more get through than of a hundred in a row. Where the invitation wants it, a person
//! compares the key's fingerprint first; until then the agent is told to ask again.

use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use proto::v1;
use proto::v1::enrollment_server::Enrollment;
use tonic::{Request, Response, Status};
use tracing::{info, warn};

use crate::door::code::Code;
use crate::door::tls::Peer;
use crate::door::uplink::{Uplink, away, check, for_good, sign};
use crate::store::invitations::{self, Answer, Approval, Invitation};

/// When an agent that waits for approval asks again, in seconds: a person looks for minutes.
const ASK_AGAIN_SECS: u32 = 5;

const USED: &str = "this code was used; make a new one";
const CLOSED: &str = "this code was refused too often; make a new one";

/// What a request asks for, once it can be at all.
struct Applicant {
    signing_request: crate::ca::CheckedRequest,
    version: String,
    key_hash: String,
    sealing_key: Option<[u8; 32]>,
}

impl Applicant {
    fn of(request: v1::EnrollRequest) -> Result<Self, Status> {
        let (signing_request, version) = check(&request.signing_request, request.agent_version)?;
        let sealing_key = match request.sealing_key.as_slice() {
            [] => None,
            octets => Some(<[u8; 32]>::try_from(octets).map_err(|_| {
                Status::invalid_argument("the sealing key is no X25519 key of 32 octets")
            })?),
        };
        Ok(Self {
            key_hash: signing_request.key_hash(),
            signing_request,
            version,
            sealing_key,
        })
    }
}

impl Uplink {
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
            Answer::Used => USED,
            Answer::Expired => "this code is too old; make a new one",
            Answer::Closed => CLOSED,
            Answer::TurnedDown => "a person refused this agent's key; make a new code",
        };
        warn!(network, reason, "an enrollment was refused");
        let is_patient = parts.store.refused(&parts.tenant, network, now).await;
        if is_patient.map_err(|error| away(&error))? {
            Err(for_good(Status::permission_denied(reason)))
        } else {
            Err(Status::resource_exhausted(
                "too many refusals; try again in 15 minutes",
            ))
        }
    }

    /// Counts a failed try against the code, and says what the sender is told: why, or that the
    /// code was closed before.
    async fn failed(&self, invitation: &Invitation, why: Status) -> Status {
        let parts = &self.parts;
        match parts
            .store
            .invitation_failed(&parts.tenant, invitation)
            .await
        {
            Ok(true) => why,
            Ok(false) => for_good(Status::permission_denied(CLOSED)),
            Err(error) => away(&error),
        }
    }

    /// Whether a person has let this key in; an agent that comes with another key than the one
    /// that asked first has failed.
    async fn is_let_in(
        &self,
        invitation: &Invitation,
        applicant: &Applicant,
        (network, now): (&str, Timestamp),
    ) -> Result<bool, Status> {
        let parts = &self.parts;
        let is_same = match &invitation.approval {
            Approval::NotWanted => return Ok(true),
            Approval::Given(key) if *key == applicant.key_hash => return Ok(true),
            Approval::Given(_) => false,
            Approval::Wanted | Approval::Waits(_) => {
                let asked = parts.store.ask_approval(
                    &parts.tenant,
                    invitation,
                    (&applicant.key_hash, network),
                    now,
                );
                asked.await.map_err(|error| away(&error))?
            }
        };
        if is_same {
            return Ok(false);
        }
        warn!(
            agent = invitation.agent_name,
            network, "another key came with a code that a key has asked with"
        );
        let why = "another key has asked with this code; make a new one, and see who holds it";
        let refusal = for_good(Status::permission_denied(why));
        Err(self.failed(invitation, refusal).await)
    }

    async fn enroll_agent(
        &self,
        request: v1::EnrollRequest,
        network: &str,
    ) -> Result<v1::EnrollReply, Status> {
        let now = Timestamp::now();
        let parts = &self.parts;
        let invitation = self.invitation(&request.code, network, now).await?;
        let applicant = match Applicant::of(request) {
            Ok(applicant) => applicant,
            Err(refusal) => return Err(self.failed(&invitation, refusal).await),
        };
        let is_let_in = self
            .is_let_in(&invitation, &applicant, (network, now))
            .await?;
        if !is_let_in {
            let (agent, key) = (&invitation.agent_name, &applicant.key_hash);
            info!(agent, key, network, "an agent waits for approval");
            return Ok(v1::EnrollReply {
                awaits_approval: true,
                ask_again_secs: ASK_AGAIN_SECS,
                ..v1::EnrollReply::default()
            });
        }
        let request = &applicant.signing_request;
        let certificate = sign(&parts.authority, request, &invitation.agent, now)?;
        let enrollment = invitations::Enrollment {
            invitation: &invitation,
            fingerprint: &certificate.fingerprint,
            key_hash: &applicant.key_hash,
            sealing_key: applicant.sealing_key,
            until: certificate.until,
            version: &applicant.version,
        };
        let is_done = parts.store.enroll(&parts.tenant, &enrollment, now).await;
        if !is_done.map_err(|error| away(&error))? {
            return Err(for_good(Status::permission_denied(USED)));
        }
        let (agent, key) = (&invitation.agent_name, &applicant.key_hash);
        info!(agent, key, network, "an agent was enrolled");
        Ok(v1::EnrollReply {
            agent_id: invitation.agent,
            agent_name: invitation.agent_name,
            certificate: certificate.pem,
            authority: parts.authority.certificate_pem().to_owned(),
            command_key: parts.command_key.to_vec(),
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
