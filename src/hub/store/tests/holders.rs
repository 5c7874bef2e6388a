//! Who holds an identity: certificates, starts, quarantine, approval.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::accept::{AcceptError, Accepted};
use crate::store::agents::{AgentId, AgentRow, AgentStatus};
use crate::store::approvals::Alarm;
use crate::store::holders::{LATE_MAX, Presented, REFUSALS_MAX, Standing};
use crate::store::invitations::{
    Answer, Approval, Enrollment, INVITATION_LIFE, Invited, TRIES_MAX,
};
use crate::store::report::Batch;
use crate::store::tests::{Place, agent, invitation, now};
use crate::store::{Store, StoreError, Tenant};

const TENANT: Tenant = Tenant::DEFAULT;
const LIFE: Duration = Duration::from_hours(24);

/// Polls from a start of the agent, with nothing to report.
async fn poll_from(
    store: &Store,
    agent: &AgentId,
    (boot, instance): (u64, &str),
    (epoch, at): (u64, Timestamp),
) -> Result<Accepted, AcceptError> {
    let status = AgentStatus {
        version: "0.1.0".to_owned(),
        boot,
        instance: instance.to_owned(),
        ..AgentStatus::default()
    };
    let reports = &[];
    let batch = Batch {
        epoch,
        status: &status,
        reports,
    };
    store.accept(agent, &batch, at).await
}

async fn row(store: &Store) -> AgentRow {
    store.agents(&TENANT).await.unwrap().remove(0)
}

fn presented(agent: &AgentId, fingerprint: &str, issued: Timestamp) -> Presented {
    Presented {
        fingerprint: fingerprint.to_owned(),
        agent: agent.as_str().to_owned(),
        issued,
        until: issued + LIFE,
    }
}

/// Enrolls an agent whose certificate is called `a`, made at `made`.
async fn enrolled(store: &Store, made: Timestamp) -> (AgentId, Presented) {
    let invitation = invitation(store, &TENANT, "lyon").await;
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: "a",
        key_hash: "0a",
        sealing_key: None,
        until: made + LIFE,
        version: "0.1.0",
    };
    assert!(store.enroll(&TENANT, &enrollment, made).await.unwrap());
    let agent = store.agent_of(&TENANT, "a", made).await.unwrap().unwrap();
    let certificate = presented(&agent, "a", made);
    (agent, certificate)
}

async fn renewed(store: &Store, agent: &AgentId, name: &str, at: Timestamp) -> Presented {
    let certificate = presented(agent, name, at);
    store.renewed(agent, &certificate, "0a").await.unwrap();
    certificate
}

async fn prove(store: &Store, certificate: &Presented, at: Timestamp) -> Standing {
    store.prove(&TENANT, certificate, at).await.unwrap()
}

#[track_caller]
fn is_quarantine<T: std::fmt::Debug>(refused: &Result<T, AcceptError>) {
    assert!(
        matches!(refused, Err(AcceptError::Quarantined(_))),
        "{refused:?}"
    );
}

pub(super) async fn an_epoch_that_goes_back_is_quarantine_until_a_person_releases(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    poll_from(&store, &agent, (1, "x"), (9, now()))
        .await
        .unwrap();

    is_quarantine(&poll_from(&store, &agent, (1, "x"), (8, now())).await);

    let (since, reason) = row(&store).await.quarantined.unwrap();
    assert_eq!(since, now());
    assert!(reason.contains("from 9 to 8"), "{reason}");
    is_quarantine(&poll_from(&store, &agent, (1, "x"), (9, now())).await);
    assert!(store.release(&TENANT, "lyon").await.unwrap());
    assert!(
        !store.release(&TENANT, "lyon").await.unwrap(),
        "released already"
    );
    let told = poll_from(&store, &agent, (1, "x"), (8, now())).await;
    assert!(
        matches!(told, Err(AcceptError::EpochWentBack { .. })),
        "{told:?}"
    );
    poll_from(&store, &agent, (1, "x"), (10, now()))
        .await
        .unwrap();
    assert_eq!(row(&store).await.quarantined, None);
}

pub(super) async fn a_start_that_comes_back_is_quarantine(place: Place) {
    let store = place.open().await;
    let agent = agent(&store, "lyon").await;
    poll_from(&store, &agent, (5, "a"), (1, now()))
        .await
        .unwrap();
    poll_from(&store, &agent, (6, "b"), (1, now()))
        .await
        .unwrap();

    let on_its_way = poll_from(&store, &agent, (5, "a"), (1, now())).await;
    assert!(
        matches!(on_its_way, Err(AcceptError::Late)),
        "{on_its_way:?}"
    );
    assert_eq!(row(&store).await.quarantined, None);
    let later = now() + LATE_MAX;
    is_quarantine(&poll_from(&store, &agent, (5, "a"), (1, later)).await);

    is_quarantine(&poll_from(&store, &agent, (6, "b"), (1, later)).await);
    assert!(store.release(&TENANT, agent.as_str()).await.unwrap());
    poll_from(&store, &agent, (5, "a"), (1, later))
        .await
        .unwrap();
    poll_from(&store, &agent, (6, "b"), (1, later))
        .await
        .unwrap();
}

pub(super) async fn a_certificate_is_good_until_a_later_one_is_used(place: Place) {
    let store = place.open().await;
    let (agent, a) = enrolled(&store, now()).await;
    let good = Standing::Good(agent.clone());
    let half = now() + LIFE / 2;

    let lost = renewed(&store, &agent, "lost", half).await;
    assert_eq!(prove(&store, &a, half).await, good, "its answer was lost");
    let b = renewed(&store, &agent, "b", half).await;
    assert_eq!(prove(&store, &a, half).await, good);
    assert_eq!(prove(&store, &b, half).await, good);

    assert_eq!(row(&store).await.certificate_until, b.until);
    assert_eq!(prove(&store, &a, half).await, Standing::Late, "sent before");
    for (name, is_known) in [("a", false), ("lost", false), ("b", true)] {
        let known = store.agent_of(&TENANT, name, half).await.unwrap();
        assert_eq!(known.is_some(), is_known, "{name}");
    }
    let _ = lost;
}

pub(super) async fn a_certificate_that_a_used_one_replaced_is_quarantine_when_it_comes_back(
    place: Place,
) {
    let store = place.open().await;
    let (agent, a) = enrolled(&store, now()).await;
    let b = renewed(&store, &agent, "b", now()).await;
    prove(&store, &b, now()).await;
    let later = now() + LATE_MAX;

    let two = prove(&store, &a, later).await;

    assert!(
        matches!(&two, Standing::Quarantined(reason) if reason.contains("two hold")),
        "{two:?}"
    );
    let other = prove(&store, &b, later).await;
    assert!(matches!(other, Standing::Quarantined(_)), "{other:?}");
    assert!(store.agent_of(&TENANT, "b", later).await.unwrap().is_none());
    assert!(store.release(&TENANT, "lyon").await.unwrap());
    assert_eq!(
        prove(&store, &a, later).await,
        Standing::Good(agent),
        "the next that speaks"
    );
    assert_eq!(prove(&store, &b, later).await, Standing::Late);
}

pub(super) async fn a_hub_restored_from_a_backup_believes_what_its_authority_signed_since(
    place: Place,
) {
    let store = place.open().await;
    let (agent, a) = enrolled(&store, now()).await;
    poll_from(&store, &agent, (3, "x"), (1, now()))
        .await
        .unwrap();
    let (half, later) = (now() + LIFE / 2, now() + LIFE);
    // What was given out and used after the backup was made is not in it.
    let forgotten = presented(&agent, "c", half);
    let older = presented(&agent, "z", now() - LIFE / 2);

    assert_eq!(prove(&store, &older, half).await, Standing::Unknown);
    assert_eq!(
        prove(&store, &forgotten, half).await,
        Standing::Good(agent.clone())
    );
    poll_from(&store, &agent, (9, "y"), (1, half))
        .await
        .unwrap();

    assert_eq!(row(&store).await.quarantined, None);
    let two = prove(&store, &a, half + LATE_MAX).await;
    assert!(matches!(two, Standing::Quarantined(_)), "{two:?}");
    let nobody = Presented {
        agent: "0".repeat(32),
        ..forgotten
    };
    assert_eq!(prove(&store, &nobody, later).await, Standing::Unknown);
}

pub(super) async fn an_ended_certificate_is_told_from_a_good_one(place: Place) {
    let store = place.open().await;
    let (agent, a) = enrolled(&store, now()).await;
    let late = now() + LIFE;
    assert_eq!(
        prove(&store, &a, late).await,
        Standing::Ended(agent.clone())
    );
    assert!(store.agent_of(&TENANT, "a", late).await.unwrap().is_none());

    let b = renewed(&store, &agent, "b", late).await;

    assert_eq!(
        prove(&store, &a, late).await,
        Standing::Ended(agent.clone())
    );
    assert_eq!(prove(&store, &b, late).await, Standing::Good(agent));
    store.revoke(&TENANT, "lyon", late).await.unwrap();
    assert_eq!(prove(&store, &b, late).await, Standing::Revoked);
}

pub(super) async fn whoever_is_shut_out_is_listed(place: Place) {
    let store = place.open().await;
    let (one, two) = (agent(&store, "one").await, agent(&store, "two").await);
    agent(&store, "three").await;
    let later = now() + Duration::from_mins(1);
    store.revoke(&TENANT, "one", now()).await.unwrap();
    store
        .quarantine(&TENANT, two.as_str(), "two", later)
        .await
        .unwrap();

    let before = now() - Duration::from_secs(1);
    let mut both = [one.as_str().to_owned(), two.as_str().to_owned()];
    both.sort();
    assert_eq!(store.agents_shut_out(&TENANT, before).await.unwrap(), both);
    let since = store.agents_shut_out(&TENANT, now()).await.unwrap();
    assert_eq!(since, [two.as_str()]);
}

pub(super) async fn refusals_of_a_revoked_agent_are_counted_to_five(place: Place) {
    let store = place.open().await;
    let (_, a) = enrolled(&store, now()).await;
    store.revoke(&TENANT, "lyon", now()).await.unwrap();
    for _ in 0..7 {
        assert_eq!(prove(&store, &a, now()).await, Standing::Revoked);
    }
    assert_eq!(row(&store).await.refusals, REFUSALS_MAX);

    let again = invitation(&store, &TENANT, "lyon").await;
    let enrollment = Enrollment {
        invitation: &again,
        fingerprint: "b",
        key_hash: "0b",
        sealing_key: None,
        until: now() + LIFE,
        version: "0.1.0",
    };
    assert!(store.enroll(&TENANT, &enrollment, now()).await.unwrap());
    assert_eq!(row(&store).await.refusals, 0);
    assert_eq!(prove(&store, &a, now()).await, Standing::Replaced);
}

async fn wanted(store: &Store) -> crate::store::invitations::Invitation {
    let invited = Invited {
        name: "lyon",
        site: "Lyon, quai 3",
        approval: true,
    };
    store
        .invite(&TENANT, invited, "secret", now())
        .await
        .unwrap();
    opened(store).await
}

async fn opened(store: &Store) -> crate::store::invitations::Invitation {
    match store.invitation(&TENANT, "secret", now()).await.unwrap() {
        Answer::Open(invitation) => invitation,
        other => panic!("{other:?}"),
    }
}

async fn asks(store: &Store, key: &str) -> Result<bool, StoreError> {
    let invitation = opened(store).await;
    store
        .ask_approval(&TENANT, &invitation, (key, "10.0.0.1"), now())
        .await
}

pub(super) async fn a_key_waits_for_a_person(place: Place) {
    let store = place.open().await;
    assert_eq!(wanted(&store).await.approval, Approval::Wanted);
    assert!(asks(&store, "0a").await.unwrap());
    assert!(asks(&store, "0a").await.unwrap(), "it asks again");
    assert!(!asks(&store, "0b").await.unwrap(), "another key");
    assert_eq!(
        opened(&store).await.approval,
        Approval::Waits("0a".to_owned())
    );
    let pending = store.pending(&TENANT, now()).await.unwrap();
    let [one] = pending.as_slice() else {
        panic!("{pending:?}")
    };
    let told = (
        one.agent_name.as_str(),
        one.site.as_str(),
        one.asked_from.as_str(),
    );
    assert_eq!(told, ("lyon", "Lyon, quai 3", "10.0.0.1"));

    assert!(!store.approve(&TENANT, "0b").await.unwrap());
    assert!(store.approve(&TENANT, "0a").await.unwrap());

    assert_eq!(
        opened(&store).await.approval,
        Approval::Given("0a".to_owned())
    );
    assert!(store.pending(&TENANT, now()).await.unwrap().is_empty());
    let late = now() + INVITATION_LIFE;
    assert_eq!(
        store.invitation(&TENANT, "secret", late).await.unwrap(),
        Answer::Expired
    );
}

pub(super) async fn a_key_that_is_turned_down_closes_its_code(place: Place) {
    let store = place.open().await;
    wanted(&store).await;
    assert!(asks(&store, "0a").await.unwrap());

    assert!(store.turn_down(&TENANT, "0a").await.unwrap());

    let answer = store.invitation(&TENANT, "secret", now()).await.unwrap();
    assert_eq!(answer, Answer::TurnedDown);
    assert!(
        !store.approve(&TENANT, "0a").await.unwrap(),
        "it was decided"
    );
}

pub(super) async fn of_a_hundred_failed_tries_at_once_five_count(place: Place) {
    let store = place.open().await;
    let invitation = invitation(&store, &TENANT, "lyon").await;
    let tries = (0..100).map(|_| {
        let (store, invitation) = (store.clone(), invitation.clone());
        tokio::spawn(async move { store.invitation_failed(&TENANT, &invitation).await.unwrap() })
    });
    let mut counted = 0;
    for tried in tries.collect::<Vec<_>>() {
        counted += i64::from(tried.await.unwrap());
    }
    assert_eq!(counted, TRIES_MAX);
    let alarms = store.enrollment_alarms(&TENANT, now()).await.unwrap();
    let agent_name = "lyon".to_owned();
    assert_eq!(alarms, [Alarm::Closed { agent_name }]);
}

pub(super) async fn an_agent_keeps_its_site_and_its_keys(place: Place) {
    let store = place.open().await;
    let invitation = wanted(&store).await;
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: "a",
        key_hash: "0a",
        sealing_key: Some([0xf7; 32]),
        until: now() + LIFE,
        version: "0.1.0",
    };
    assert!(store.enroll(&TENANT, &enrollment, now()).await.unwrap());
    let row = row(&store).await;
    let kept = (row.site.as_str(), row.key_hash.as_str(), row.sealing_key);
    assert_eq!(kept, ("Lyon, quai 3", "0a", Some([0xf7; 32])));
}
