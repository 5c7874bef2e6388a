//! Enrollment: a code opens once, and every refusal says why.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::KeyPair;
use tonic::Code as GrpcCode;

use crate::door::code::Code;
use crate::door::tests::{Site, assert_refused, poll, report, request};
use crate::store::Tenant;
use crate::store::invitations::{INVITATION_LIFE, REFUSALS_MAX, TRIES_MAX};

#[tokio::test]
async fn an_invited_site_enrolls_and_reports() {
    let site = Site::start().await;

    let agent = site.enroll("lyon").await;
    let reply = site
        .poll(&agent, poll(1, vec![report(1), report(2)]))
        .await
        .unwrap();

    assert_eq!(agent.reply.agent_name, "lyon");
    assert_eq!(agent.reply.authority, site.authority.certificate_pem());
    assert_eq!((reply.epoch, reply.acked, reply.resend_from), (1, 2, 0));
    assert_eq!((reply.next_poll_secs, reply.report_at_once), (7, true));
    let fleet = site.store.fleet(&Tenant::DEFAULT).await.unwrap();
    assert_eq!(fleet[0].agent, agent.reply.agent_id);
    site.stop().await.unwrap();
}

#[tokio::test]
async fn a_used_code_is_refused() {
    let site = Site::start().await;
    let code = site.code("lyon", Timestamp::now()).await.reveal();
    let request = request(&KeyPair::generate().unwrap());
    site.try_enroll(&code, &request).await.unwrap();

    let again = site.try_enroll(&code, &request).await;

    assert_refused(again, GrpcCode::PermissionDenied, "was used");
}

#[tokio::test]
async fn of_two_that_hold_one_code_one_enrolls() {
    let site = Site::start().await;
    let code = site.code("lyon", Timestamp::now()).await.reveal();
    let requests = [
        request(&KeyPair::generate().unwrap()),
        request(&KeyPair::generate().unwrap()),
    ];

    let (one, other) = tokio::join!(
        site.try_enroll(&code, &requests[0]),
        site.try_enroll(&code, &requests[1])
    );

    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(site.store.agents(&Tenant::DEFAULT).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_old_code_is_refused() {
    let site = Site::start().await;
    let made = Timestamp::now() - INVITATION_LIFE - Duration::from_secs(1);
    let code = site.code("lyon", made).await.reveal();

    let refused = site
        .try_enroll(&code, &request(&KeyPair::generate().unwrap()))
        .await;

    assert_refused(refused, GrpcCode::PermissionDenied, "too old");
}

#[tokio::test]
async fn a_guessed_code_is_refused_and_so_is_that_of_another_hub() {
    let site = Site::start().await;
    let request = request(&KeyPair::generate().unwrap());
    let guess = Code::generate(&site.authority.fingerprint())
        .unwrap()
        .reveal();
    let ours = site.code("lyon", Timestamp::now()).await;
    let foreign = format!("{}.{}", ours.secret(), "0".repeat(64));

    for code in [guess.as_str(), foreign.as_str(), "", "nonsense"] {
        let refused = site.try_enroll(code, &request).await;
        assert_refused(refused, GrpcCode::PermissionDenied, "no such code");
    }
}

#[tokio::test]
async fn a_code_is_closed_after_five_requests_that_cannot_be() {
    let site = Site::start().await;
    let code = site.code("lyon", Timestamp::now()).await.reveal();
    for _ in 0..TRIES_MAX {
        let refused = site.try_enroll(&code, "no request").await;
        assert_refused(refused, GrpcCode::InvalidArgument, "PKCS #10");
    }

    let refused = site
        .try_enroll(&code, &request(&KeyPair::generate().unwrap()))
        .await;

    assert_refused(refused, GrpcCode::PermissionDenied, "refused too often");
}

#[tokio::test]
async fn a_guesser_is_told_to_wait_and_a_good_code_still_opens() {
    let site = Site::start().await;
    let request = request(&KeyPair::generate().unwrap());
    for _ in 0..REFUSALS_MAX {
        let refused = site.try_enroll("guess", &request).await;
        assert_refused(refused, GrpcCode::PermissionDenied, "no such code");
    }
    let refused = site.try_enroll("guess", &request).await;
    assert_refused(refused, GrpcCode::ResourceExhausted, "try again");

    // Whoever guesses from a site's network cannot keep that site out.
    let code = site.code("lyon", Timestamp::now()).await.reveal();
    site.try_enroll(&code, &request).await.unwrap();
}
