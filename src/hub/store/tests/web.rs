//! Sessions with printers' pages and the certificates seen there, as they are kept.

use std::time::Duration;

use jiff::ToSpan;

use crate::session::{Cause, End, SessionId, Terms};
use crate::store::Tenant;
use crate::store::tests::{Place, agent, device_id, now};
use crate::store::web_sessions::{SessionState, Totals};

const TENANT: Tenant = Tenant::DEFAULT;

pub(super) fn terms(agent: &str) -> Terms {
    Terms {
        id: SessionId::new().unwrap(),
        tenant: TENANT,
        agent: agent.to_owned(),
        device: device_id(1),
        address: None,
        port: 443,
        holder: "a.martin".to_owned(),
        reason: "paper jam".to_owned(),
        from: Some("10.1.2.3".parse().unwrap()),
        opened: now(),
        until: now() + 15.minutes(),
        idle_max: Duration::from_mins(5),
        is_read_only: true,
        is_fallback: false,
    }
}

pub(super) async fn a_web_session_is_kept_from_its_beginning_to_its_end(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let terms = terms(lyon.as_str());
    store.web_session_add(&terms).await.unwrap();
    store
        .web_session_ordered(&TENANT, &terms.id, "c")
        .await
        .unwrap();
    let row = store
        .web_session(&TENANT, &terms.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.state, row.command.as_str(), row.from.as_str()),
        (SessionState::Requested, "c", "10.1.2.3")
    );
    assert!(row.is_read_only && !row.is_fallback);
    let opened = store.web_session_opened(&TENANT, &terms.id, "m.dupont");
    opened.await.unwrap();
    let totals = Totals {
        requests: 3,
        sent: 4,
        received: 5,
    };
    store
        .web_session_count(&TENANT, &terms.id, totals)
        .await
        .unwrap();
    let row = store
        .web_session(&TENANT, &terms.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.state, row.approved_by.as_str(), row.totals),
        (SessionState::Open, "m.dupont", totals)
    );
    let end = |why| End::new(Cause::Person, why);
    let kept = async |why| {
        let end = end(why);
        let kept = store.web_session_end(&TENANT, &terms.id, (&end, totals), now());
        kept.await.unwrap()
    };
    assert!(kept("closed").await);
    assert!(!kept("closed again").await, "the first end stays");
    store
        .web_session_opened(&TENANT, &terms.id, "late")
        .await
        .unwrap();
    let row = store
        .web_session(&TENANT, &terms.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.state, row.cause.as_str(), row.why.as_str(), row.ended),
        (SessionState::Ended, "person", "closed", Some(now()))
    );
    let other = Tenant(std::borrow::Cow::Borrowed("other"));
    assert!(store.web_sessions(&other, 10).await.unwrap().is_empty());
    assert_eq!(store.web_sessions(&TENANT, 10).await.unwrap(), [row]);
}

pub(super) async fn what_a_dead_hub_left_and_who_wants_an_end_are_found(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let (one, two) = (terms(lyon.as_str()), terms(lyon.as_str()));
    for terms in [&one, &two] {
        store.web_session_add(terms).await.unwrap();
    }
    store
        .web_session_opened(&TENANT, &two.id, "")
        .await
        .unwrap();
    assert_eq!(store.web_sessions_left(&TENANT).await.unwrap().len(), 2);
    let want = async |id| {
        store
            .web_session_want_end(&TENANT, id, "operator")
            .await
            .unwrap()
    };
    assert!(want(&one.id).await);
    let nobodys = SessionId::new().unwrap();
    assert!(!want(&nobodys).await);
    let wanted = store.web_sessions_to_end(&TENANT).await.unwrap();
    assert_eq!(wanted, [(one.id.clone(), "operator".to_owned())]);
    let end = End::new(Cause::HubEnds, "the hub was stopped");
    for terms in [&one, &two] {
        let ended = store.web_session_end(&TENANT, &terms.id, (&end, Totals::default()), now());
        assert!(ended.await.unwrap());
    }
    assert!(store.web_sessions_left(&TENANT).await.unwrap().is_empty());
    assert!(store.web_sessions_to_end(&TENANT).await.unwrap().is_empty());
    assert!(!want(&one.id).await, "over");
}

pub(super) async fn a_pinned_certificate_changes_by_a_person_alone(place: Place) {
    let store = place.open().await;
    let printer = device_id(1);
    let take = async |old: Option<&str>, new: &str, by: &str| {
        let taken = store.pin_take(&TENANT, (&printer, 443), (old, new), (by, now()));
        taken.await.unwrap()
    };
    assert_eq!(store.pin_of(&TENANT, &printer, 443).await.unwrap(), None);
    assert!(!take(Some("aa"), "bb", "anna").await, "nothing to replace");
    assert!(take(None, "aa", "anna").await);
    assert!(
        !take(None, "bb", "bert").await,
        "the second is not the first"
    );
    assert!(!take(Some("cc"), "bb", "bert").await, "another is pinned");
    assert!(take(Some("aa"), "bb", "bert").await);
    let pin = store.pin_of(&TENANT, &printer, 443).await.unwrap().unwrap();
    assert_eq!(
        (pin.fingerprint.as_str(), pin.taken_by.as_str()),
        ("bb", "bert")
    );
    assert_eq!(store.pin_of(&TENANT, &printer, 631).await.unwrap(), None);
    assert_eq!(
        store.pin_of(&TENANT, &device_id(2), 443).await.unwrap(),
        None
    );
}
