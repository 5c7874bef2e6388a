//! Who may report, and who may look.

use std::time::Duration;

use crate::permission::Rights;
use crate::store::Tenant;
use crate::store::accept::AcceptError;
use crate::store::invitations::{Answer, Enrollment, INVITATION_LIFE, REFUSALS_MAX, TRIES_MAX};
use crate::store::portal::{LINK_LIFE, SESSION_LIFE, Session};
use crate::store::tests::{Place, accept, agent, at, invitation, now, read};

const TENANT: Tenant = Tenant::DEFAULT;

pub(super) async fn a_code_opens_once(place: Place) {
    let store = place.open().await;
    store
        .invite(&TENANT, "lyon", "secret", now())
        .await
        .unwrap();
    let Answer::Open(invitation) = store.invitation(&TENANT, "secret", now()).await.unwrap() else {
        panic!("the code is not open");
    };
    assert_eq!(invitation.agent_name, "lyon");
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: "00",
        key_hash: "0a",
        sealing_key: None,
        until: at("2027-01-01T00:00:00Z"),
        version: "0.1.0",
    };

    assert!(store.enroll(&TENANT, &enrollment, now()).await.unwrap());
    assert!(!store.enroll(&TENANT, &enrollment, now()).await.unwrap());

    assert_eq!(
        store.invitation(&TENANT, "secret", now()).await.unwrap(),
        Answer::Used
    );
    assert_eq!(
        store.invitation(&TENANT, "other", now()).await.unwrap(),
        Answer::Unknown
    );
    assert_eq!(store.agents(&TENANT).await.unwrap().len(), 1);
}

pub(super) async fn a_code_ends_after_its_time(place: Place) {
    let store = place.open().await;
    let invitation = {
        store
            .invite(&TENANT, "lyon", "secret", now())
            .await
            .unwrap();
        invitation(&store, &TENANT, "lyon").await
    };
    let late = now() + INVITATION_LIFE;
    assert_eq!(
        store.invitation(&TENANT, "secret", late).await.unwrap(),
        Answer::Expired
    );

    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: "00",
        key_hash: "0a",
        sealing_key: None,
        until: at("2027-01-01T00:00:00Z"),
        version: "0.1.0",
    };
    assert!(!store.enroll(&TENANT, &enrollment, late).await.unwrap());
    assert!(store.agents(&TENANT).await.unwrap().is_empty());
}

pub(super) async fn a_code_is_closed_after_too_many_tries(place: Place) {
    let store = place.open().await;
    store
        .invite(&TENANT, "lyon", "secret", now())
        .await
        .unwrap();
    for _ in 0..TRIES_MAX {
        let Answer::Open(open) = store.invitation(&TENANT, "secret", now()).await.unwrap() else {
            panic!("the code was closed too early");
        };
        store.invitation_failed(&TENANT, &open).await.unwrap();
    }
    assert_eq!(
        store.invitation(&TENANT, "secret", now()).await.unwrap(),
        Answer::Closed
    );
}

pub(super) async fn an_agent_that_enrolls_again_keeps_its_printers(place: Place) {
    let store = place.open().await;
    let before = agent(&store, "lyon").await;
    let batch = [read(1, 1, "2026-11-22T08:00:00Z", 10)];
    accept(&store, &before, 1, &batch).await.unwrap();
    store.revoke(&TENANT, "lyon", now()).await.unwrap();
    let old = store.agents(&TENANT).await.unwrap();

    let again = invitation(&store, &TENANT, "lyon").await;
    let enrollment = Enrollment {
        invitation: &again,
        fingerprint: "new",
        key_hash: "0b",
        sealing_key: None,
        until: at("2027-01-01T00:00:00Z"),
        version: "0.2.0",
    };
    assert!(store.enroll(&TENANT, &enrollment, now()).await.unwrap());

    let agents = store.agents(&TENANT).await.unwrap();
    assert_eq!(agents.len(), 1);
    assert_eq!((&agents[0].id, agents[0].printers), (&old[0].id, 1));
    assert_eq!(agents[0].revoked, None);
    assert!(
        store
            .agent_of(&TENANT, "new", now())
            .await
            .unwrap()
            .is_some()
    );
}

pub(super) async fn a_revoked_agent_is_nobody(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;

    assert!(store.revoke(&TENANT, "lyon", now()).await.unwrap());

    let refused = accept(&store, &agent, 1, &[]).await;
    assert!(matches!(refused, Err(AcceptError::Revoked)), "{refused:?}");
    assert!(!store.revoke(&TENANT, "lyon", now()).await.unwrap());
    assert!(!store.revoke(&TENANT, "paris", now()).await.unwrap());
}

pub(super) async fn guessing_tires_one_network_and_no_other(place: Place) {
    let store = place.open().await;
    for _ in 0..REFUSALS_MAX {
        assert!(store.refused(&TENANT, "10.0.0.1", now()).await.unwrap());
    }
    assert!(!store.refused(&TENANT, "10.0.0.1", now()).await.unwrap());
    assert!(store.refused(&TENANT, "10.0.0.2", now()).await.unwrap());
    let later = now() + Duration::from_mins(16);
    assert!(store.refused(&TENANT, "10.0.0.1", later).await.unwrap());
}

pub(super) async fn a_portal_link_opens_one_session(place: Place) {
    let store = place.open().await;
    let link = store
        .portal_link_create(&TENANT, ("anna", &Rights::usual()), now())
        .await
        .unwrap();
    let stale = store
        .portal_link_create(&TENANT, ("anna", &Rights::usual()), now())
        .await
        .unwrap();

    let session = store
        .portal_link_use(&TENANT, link.reveal(), now())
        .await
        .unwrap()
        .unwrap();

    assert!(
        store
            .portal_link_use(&TENANT, link.reveal(), now())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .portal_link_use(&TENANT, "guess", now())
            .await
            .unwrap()
            .is_none()
    );
    let late = now() + LINK_LIFE;
    assert!(
        store
            .portal_link_use(&TENANT, stale.reveal(), late)
            .await
            .unwrap()
            .is_none()
    );
    let session_is = store
        .portal_session_check(&TENANT, session.reveal(), now())
        .await
        .unwrap();
    let expected = Session {
        until: now() + SESSION_LIFE,
        name: "anna".to_owned(),
        rights: Rights::usual(),
    };
    assert_eq!(session_is, Some(expected));
    assert!(
        store
            .portal_session_check(&TENANT, link.reveal(), now())
            .await
            .unwrap()
            .is_none()
    );
}

pub(super) async fn a_session_ends(place: Place) {
    let store = place.open().await;
    let link = store
        .portal_link_create(&TENANT, ("anna", &Rights::usual()), now())
        .await
        .unwrap();
    let session = store
        .portal_link_use(&TENANT, link.reveal(), now())
        .await
        .unwrap()
        .unwrap();
    let late = now() + SESSION_LIFE;
    assert!(
        store
            .portal_session_check(&TENANT, session.reveal(), late)
            .await
            .unwrap()
            .is_none()
    );

    store
        .portal_session_end(&TENANT, session.reveal())
        .await
        .unwrap();

    assert!(
        store
            .portal_session_check(&TENANT, session.reveal(), now())
            .await
            .unwrap()
            .is_none()
    );
}
