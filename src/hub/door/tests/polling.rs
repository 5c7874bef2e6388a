//! Polls: who may, and what is refused.

use proto::v1;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use tonic::Code as GrpcCode;
use tonic::transport::Identity;

use crate::door::tests::{Enrolled, Site, assert_refused, poll, report};
use crate::store::Tenant;

#[tokio::test]
async fn a_client_without_a_certificate_may_not_poll() {
    let site = Site::start().await;
    let channel = site.channel(None).await.unwrap();

    let refused = v1::uplink_client::UplinkClient::new(channel)
        .poll(poll(1, vec![]))
        .await;

    assert_refused(refused, GrpcCode::Unauthenticated, "certificate");
}

#[tokio::test]
async fn a_certificate_of_another_authority_does_not_get_through_tls() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    // A forger knows everything but the authority's key, even the id to put into the name.
    let (authority_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let authority = CertificateParams::default();
    let issuer = Issuer::from_params(&authority, authority_key);
    let mut forged = CertificateParams::default();
    forged
        .distinguished_name
        .push(rcgen::DnType::CommonName, agent.reply.agent_id);
    forged.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let forged = forged.signed_by(&key, &issuer).unwrap();
    let identity = Identity::from_pem(forged.pem(), key.serialize_pem());

    // TLS 1.3 tells a client of the refusal only when it next reads: connect or the call fails.
    let refused = match site.channel(Some(identity)).await {
        Err(_) => return,
        Ok(channel) => {
            v1::uplink_client::UplinkClient::new(channel)
                .poll(poll(1, vec![]))
                .await
        }
    };

    let code = refused.unwrap_err().code();
    assert!(
        !matches!(code, GrpcCode::Ok | GrpcCode::Unauthenticated),
        "{code:?}"
    );
}

#[tokio::test]
async fn a_revoked_agent_is_refused() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    site.poll(&agent, poll(1, vec![report(1)])).await.unwrap();

    site.store
        .revoke(&Tenant::DEFAULT, "lyon", jiff::Timestamp::now())
        .await
        .unwrap();

    let refused = site.poll(&agent, poll(1, vec![report(2)])).await;
    assert_refused(refused, GrpcCode::Unauthenticated, "revoked");
}

#[tokio::test]
async fn a_certificate_that_was_replaced_is_refused_and_the_printers_stay() {
    let site = Site::start().await;
    let old = site.enroll("lyon").await;
    site.poll(&old, poll(1, vec![report(1)])).await.unwrap();

    let new = site.enroll("lyon").await;

    assert_eq!(new.reply.agent_id, old.reply.agent_id);
    let refused = site.poll(&old, poll(1, vec![report(2)])).await;
    assert_refused(refused, GrpcCode::Unauthenticated, "replaced");
    let reply = site.poll(&new, poll(2, vec![report(1)])).await.unwrap();
    assert_eq!(reply.acked, 1);
    assert_eq!(site.store.fleet(&Tenant::DEFAULT).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_hub_that_was_restored_asks_again() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;

    let first = site.poll(&agent, poll(1, vec![report(51)])).await.unwrap();
    let second = site
        .poll(&agent, poll(1, vec![report(50), report(51)]))
        .await
        .unwrap();

    assert_eq!((first.acked, first.resend_from), (0, 1));
    assert_eq!((second.acked, second.resend_from), (51, 0));
}

#[tokio::test]
async fn an_agent_whose_spool_cannot_be_opened_tells_how_it_is() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    site.poll(&agent, poll(9, vec![report(1)])).await.unwrap();

    let mut hurt = poll(0, vec![]);
    if let Some(status) = &mut hurt.status {
        status.alarms = vec!["the disk is full".to_owned()];
    }
    let reply = site.poll(&agent, hurt).await.unwrap();

    assert_eq!((reply.epoch, reply.acked, reply.resend_from), (0, 0, 0));
    let agents = site.store.agents(&Tenant::DEFAULT).await.unwrap();
    let status = agents[0].status.as_ref().unwrap();
    assert_eq!(status.alarms, ["the disk is full"]);
    let reply = site.poll(&agent, poll(9, vec![report(2)])).await.unwrap();
    assert_eq!(reply.acked, 2, "its epoch goes on");
}

#[tokio::test]
async fn a_poll_that_cannot_be_keeps_nothing() {
    let site = Site::start().await;
    let agent = site.enroll("lyon").await;
    let mut wrong = report(2);
    if let Some(v1::report::Body::Reading(reading)) = &mut wrong.body {
        reading.status = Some(v1::Status {
            state: "on fire".to_owned(),
            ..v1::Status::default()
        });
    }

    let refused = site.poll(&agent, poll(1, vec![report(1), wrong])).await;

    assert_refused(
        refused,
        GrpcCode::InvalidArgument,
        "reports[1].reading.status.state",
    );
    assert!(site.store.fleet(&Tenant::DEFAULT).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_poll_that_is_too_large_is_refused_unread() {
    let site = Site::start().await;
    let agent: Enrolled = site.enroll("lyon").await;
    let mut large = report(1);
    large.device_id = "0".repeat(5 * 1024 * 1024);

    let refused = site.poll(&agent, poll(1, vec![large])).await;

    assert_refused(refused, GrpcCode::OutOfRange, "too large");
}
