//! Identities through the door: approval, renewal, revocation on an open connection, two holders.

use std::time::Duration;

use jiff::Timestamp;
use proto::v1;
use proto::v1::uplink_client::UplinkClient;
use rcgen::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::{Channel, Identity};
use tonic::{Code as GrpcCode, Status};

use crate::ca::{AGENT_LIFE, CheckedRequest};
use crate::door::code::Code;
use crate::door::tests::{Enrolled, Site, assert_refused, poll, report, request};
use crate::store::Tenant;
use crate::store::holders::LATE_MAX;
use crate::store::invitations::{Answer, Enrollment, Invited};

const TENANT: Tenant = Tenant::DEFAULT;

impl Site {
    async fn renew(&self, agent: &Enrolled, key: &KeyPair) -> Result<Enrolled, Status> {
        let signing_request = request(key);
        let agent_version = "0.1.0".to_owned();
        let asked = v1::RenewRequest {
            signing_request,
            agent_version,
        };
        let certificate = self
            .client(agent)
            .await
            .renew(asked)
            .await?
            .into_inner()
            .certificate;
        let reply = v1::EnrollReply {
            certificate,
            ..agent.reply.clone()
        };
        Ok(Enrolled {
            key: key.serialize_pem(),
            reply,
        })
    }

    async fn client(&self, agent: &Enrolled) -> UplinkClient<Channel> {
        let identity = Identity::from_pem(&agent.reply.certificate, &agent.key);
        UplinkClient::new(self.channel(Some(identity)).await.unwrap())
    }

    /// An agent that was enrolled at `made`, and what it was given then.
    async fn enrolled_at(&self, made: Timestamp) -> Enrolled {
        let code = self.code("lyon", made).await;
        let key = KeyPair::generate().unwrap();
        let checked = CheckedRequest::parse(&request(&key)).unwrap();
        let answer = self
            .store
            .invitation(&TENANT, code.secret(), made)
            .await
            .unwrap();
        let Answer::Open(invitation) = answer else {
            panic!("{answer:?}")
        };
        let signed = self
            .authority
            .sign_agent(&checked, &invitation.agent, made)
            .unwrap();
        let enrollment = Enrollment {
            invitation: &invitation,
            fingerprint: &signed.fingerprint,
            key_hash: &checked.key_hash(),
            sealing_key: None,
            until: signed.until,
            version: "0.1.0",
        };
        assert!(self.store.enroll(&TENANT, &enrollment, made).await.unwrap());
        let reply = v1::EnrollReply {
            agent_id: invitation.agent.clone(),
            certificate: signed.pem,
            ..v1::EnrollReply::default()
        };
        Enrolled {
            key: key.serialize_pem(),
            reply,
        }
    }
}

/// A poll from a start of the agent.
fn poll_from(boot: u64, instance: &str) -> v1::PollRequest {
    let mut asked = poll(1, vec![]);
    if let Some(status) = &mut asked.status {
        status.boot = boot;
        status.instance = instance.to_owned();
    }
    asked
}

#[track_caller]
fn is_for_good(refusal: &Status) -> bool {
    refusal.metadata().contains_key(proto::REFUSAL)
}

#[tokio::test]
async fn an_enrolled_agent_is_told_the_key_that_signs_commands() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    let key = crate::command_key::CommandKey::open(site.folder.path()).unwrap();
    assert_eq!(agent.reply.command_key, key.public());
}

#[tokio::test]
async fn a_key_is_let_in_after_a_person_has_compared_it() {
    let site = Site::start().await;
    let code = Code::generate(&site.authority.fingerprint()).unwrap();
    let invited = Invited {
        name: "lyon",
        site: "",
        approval: true,
    };
    let kept = site
        .store
        .invite(&TENANT, invited, code.secret(), Timestamp::now());
    kept.await.unwrap();
    let (code, key) = (code.reveal(), request(&KeyPair::generate().unwrap()));

    let waits = site.try_enroll(&code, &key).await.unwrap();
    assert!(waits.awaits_approval && waits.ask_again_secs > 0 && waits.certificate.is_empty());
    let other = site
        .try_enroll(&code, &request(&KeyPair::generate().unwrap()))
        .await;
    assert_refused(other, GrpcCode::PermissionDenied, "another key");
    let hash = CheckedRequest::parse(&key).unwrap().key_hash();
    let pending = site.store.pending(&TENANT, Timestamp::now()).await.unwrap();
    assert_eq!((pending.len(), &pending[0].key_hash), (1, &hash));

    assert!(site.store.approve(&TENANT, &hash).await.unwrap());

    let enrolled = site.try_enroll(&code, &key).await.unwrap();
    assert!(!enrolled.awaits_approval && enrolled.certificate.contains("CERTIFICATE"));
    let used = site.try_enroll(&code, &key).await.unwrap_err();
    assert!(
        used.message().contains("was used") && is_for_good(&used),
        "{used}"
    );
}

#[tokio::test]
async fn of_a_hundred_wrong_requests_at_once_five_are_heard_and_the_code_is_closed() {
    let site = std::sync::Arc::new(Site::start().await);
    let code = site.code("lyon", Timestamp::now()).await.reveal();
    let tries: Vec<_> = (0..100)
        .map(|_| {
            let (site, code) = (site.clone(), code.clone());
            tokio::spawn(async move { site.try_enroll(&code, "no request").await.unwrap_err() })
        })
        .collect();
    let mut heard = 0;
    for tried in tries {
        let refusal = tried.await.unwrap();
        if refusal.code() == GrpcCode::InvalidArgument {
            heard += 1;
        } else {
            let closed = [GrpcCode::PermissionDenied, GrpcCode::ResourceExhausted];
            assert!(closed.contains(&refusal.code()), "{refusal}");
        }
    }
    assert_eq!(heard, 5);
}

#[tokio::test]
async fn a_certificate_is_renewed_and_the_old_one_is_good_until_the_new_one_is_used() {
    let site = Site::start().await;
    let old = site.enroll("lyon").await;
    let key = KeyPair::from_pem(&old.key).unwrap();

    let lost = site.renew(&old, &key).await.unwrap();
    site.poll(&old, poll(1, vec![report(1)])).await.unwrap();
    let new = site
        .renew(&old, &KeyPair::generate().unwrap())
        .await
        .unwrap();
    site.poll(&new, poll(1, vec![report(2)])).await.unwrap();

    let late = site.poll(&old, poll(1, vec![])).await;
    assert_refused(late, GrpcCode::Unavailable, "later certificate");
    tokio::time::sleep(LATE_MAX).await;
    for stolen in [&old, &lost] {
        let refused = site.poll(stolen, poll(1, vec![])).await.unwrap_err();
        assert_eq!(refused.code(), GrpcCode::PermissionDenied, "{refused}");
        assert!(refused.message().starts_with("quarantined: "), "{refused}");
        assert!(!is_for_good(&refused), "the hub's to release: {refused}");
    }
    let refused = site.poll(&new, poll(1, vec![])).await;
    assert_refused(refused, GrpcCode::PermissionDenied, "quarantined");
    assert!(site.renew(&new, &key).await.is_err());
    assert!(site.store.release(&TENANT, "lyon").await.unwrap());
    site.poll(&new, poll(1, vec![report(3)])).await.unwrap();
}

#[tokio::test]
async fn an_ended_certificate_opens_renewal_alone() {
    let site = Site::start().await;
    let month_ago = Timestamp::now() - Duration::from_hours(30 * 24);
    let agent = site.enrolled_at(month_ago).await;

    let refused = site.poll(&agent, poll(1, vec![])).await.unwrap_err();
    assert_eq!(refused.code(), GrpcCode::Aborted, "{refused}");
    assert!(
        refused.message().contains("clock") && !is_for_good(&refused),
        "{refused}"
    );

    let renewed = site
        .renew(&agent, &KeyPair::generate().unwrap())
        .await
        .unwrap();
    site.poll(&renewed, poll(1, vec![report(1)])).await.unwrap();
    site.store
        .revoke(&TENANT, "lyon", Timestamp::now())
        .await
        .unwrap();
    let refused = site.renew(&agent, &KeyPair::generate().unwrap()).await;
    assert_refused(refused.map(|_| ()), GrpcCode::Unauthenticated, "revoked");
}

#[tokio::test]
async fn a_certificate_that_ended_too_long_ago_does_not_get_through_tls() {
    let site = Site::start().await;
    let long_ago = Timestamp::now() - crate::ca::RENEWABLE_FOR - AGENT_LIFE * 2;
    let agent = site.enrolled_at(long_ago).await;
    let identity = Identity::from_pem(&agent.reply.certificate, &agent.key);
    // TLS 1.3 tells a client of the refusal only when it next reads: connect or the call fails.
    let Ok(channel) = site.channel(Some(identity)).await else {
        return;
    };
    let refused = UplinkClient::new(channel)
        .poll(poll(1, vec![]))
        .await
        .unwrap_err();
    let answered = [GrpcCode::Ok, GrpcCode::Unauthenticated, GrpcCode::Aborted];
    assert!(!answered.contains(&refused.code()), "{refused}");
}

#[tokio::test]
async fn revocation_is_felt_on_an_open_connection() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    let mut client = site.client(&agent).await;
    client.poll(poll(1, vec![report(1)])).await.unwrap();

    site.store
        .revoke(&TENANT, "lyon", Timestamp::now())
        .await
        .unwrap();

    let refused = client.poll(poll(1, vec![report(2)])).await.unwrap_err();
    assert_eq!(refused.code(), GrpcCode::Unauthenticated);
    assert!(is_for_good(&refused), "{refused}");
}

#[tokio::test]
async fn two_starts_of_one_identity_are_set_apart_and_shown() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    site.poll(&agent, poll_from(5, "aa")).await.unwrap();
    site.poll(&agent, poll_from(6, "bb")).await.unwrap();

    let late = site.poll(&agent, poll_from(5, "aa")).await;
    assert_refused(late, GrpcCode::Unavailable, "later start");
    tokio::time::sleep(LATE_MAX).await;
    let refused = site.poll(&agent, poll_from(5, "aa")).await;
    assert_refused(refused, GrpcCode::PermissionDenied, "quarantined: start 5");

    let row = site.store.agents(&TENANT).await.unwrap().remove(0);
    assert!(row.quarantined.unwrap().1.contains("copied"));
}

#[tokio::test]
async fn an_agents_certificate_opens_no_page_of_the_portal() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    // The portal has no session for whoever comes, whatever certificate they hold; where the two
    // meet on one port, this is what must still hold.
    for path in ["/", "/printers/00000000000000000000000000000001"] {
        let mut stream = tokio::net::TcpStream::connect(site.bound.portal)
            .await
            .unwrap();
        let asked = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             X-Forwarded-Client-Cert: Hash={}\r\nConnection: close\r\n\r\n",
            agent.reply.agent_id, agent.reply.agent_id
        );
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
    }
}
