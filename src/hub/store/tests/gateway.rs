//! Who may tunnel: keys of agents and of people, and the ports of an sshd.

use std::time::Duration;

use crate::permission::{Right, Rights};
use crate::session::SessionId;
use crate::store::gateway::SshKey;
use crate::store::holders::Presented;
use crate::store::tests::{Place, agent, now};
use crate::store::{Store, Tenant};

const TENANT: Tenant = Tenant::DEFAULT;

fn key(name: &str, fingerprint: &str) -> SshKey {
    SshKey {
        name: name.to_owned(),
        fingerprint: fingerprint.to_owned(),
        public_key: format!("ssh-ed25519 {fingerprint}"),
        rights: Rights::of([Right::Web]),
        made: now(),
    }
}

pub(super) async fn an_agents_key_is_good_as_long_as_its_certificate(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let nice = agent(&store, "nice").await;
    let is_good = async |id: &str, hash: &str, at| {
        let found = store.agent_of_key(&TENANT, (id, hash), at).await.unwrap();
        found.is_some_and(|agent| agent.as_str() == id)
    };
    let id = lyon.as_str();
    assert!(is_good(id, "0a", now()).await);
    assert!(!is_good(id, "0b", now()).await, "another key");
    assert!(!is_good("nobody", "0a", now()).await);
    let ended = now() + Duration::from_hours(24 * 366);
    assert!(!is_good(id, "0a", ended).await, "the certificate has ended");
    let next = Presented {
        fingerprint: "next".to_owned(),
        agent: id.to_owned(),
        issued: now(),
        until: now() + Duration::from_hours(24),
    };
    store.renewed(&lyon, &next, "0b").await.unwrap();
    assert!(is_good(id, "0a", now()).await && is_good(id, "0b", now()).await);
    store.prove(&TENANT, &next, now()).await.unwrap();
    assert!(!is_good(id, "0a", now()).await, "the one before is past");
    assert!(is_good(id, "0b", now()).await);
    store.quarantine(&TENANT, id, "two", now()).await.unwrap();
    assert!(!is_good(id, "0b", now()).await, "set aside");
    assert!(store.revoke(&TENANT, "nice", now()).await.unwrap());
    assert!(!is_good(nice.as_str(), "0a", now()).await, "revoked");
}

pub(super) async fn a_persons_keys_are_their_own_and_bounded(place: Place) {
    let store = place.open().await;
    let rights = async |store: &Store, name: &str, fingerprint: &str| {
        store
            .rights_of_ssh_key(&TENANT, (name, fingerprint))
            .await
            .unwrap()
    };
    assert!(
        store
            .ssh_key_add(&TENANT, &key("m.dupont", "f1"))
            .await
            .unwrap()
    );
    assert_eq!(
        rights(&store, "m.dupont", "f1").await,
        Some(Rights::of([Right::Web]))
    );
    assert_eq!(rights(&store, "eve", "f1").await, None);
    let mut lesser = key("m.dupont", "f1");
    lesser.rights = Rights::of([Right::Read]);
    assert!(store.ssh_key_add(&TENANT, &lesser).await.unwrap());
    assert_eq!(store.ssh_keys(&TENANT).await.unwrap(), [lesser.clone()]);
    for n in 2..=16 {
        assert!(
            store
                .ssh_key_add(&TENANT, &key("m.dupont", &format!("f{n}")))
                .await
                .unwrap()
        );
    }
    assert!(
        !store
            .ssh_key_add(&TENANT, &key("m.dupont", "f17"))
            .await
            .unwrap()
    );
    assert!(
        store.ssh_key_add(&TENANT, &lesser).await.unwrap(),
        "it is there already"
    );
    assert!(store.ssh_key_add(&TENANT, &key("eve", "f1")).await.unwrap());
    assert_eq!(
        store
            .ssh_key_remove(&TENANT, ("m.dupont", "f1"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .ssh_key_remove(&TENANT, ("m.dupont", "f1"))
            .await
            .unwrap(),
        0
    );
    assert_eq!(rights(&store, "m.dupont", "f1").await, None);
    assert!(rights(&store, "eve", "f1").await.is_some());
}

pub(super) async fn a_port_of_the_sshd_is_one_sessions_and_its_agents(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    let until = now() + Duration::from_mins(10);
    let (one, other) = (SessionId::new().unwrap(), SessionId::new().unwrap());
    let begin = async |session: &SessionId, port: u16| {
        let place = (session, lyon.as_str(), port);
        store.forward_begin(&TENANT, place, until).await.unwrap()
    };
    let ports = async |hash: &str, at| store.forwards_of_key(&TENANT, hash, at).await.unwrap();
    assert!(begin(&one, 22_101).await);
    assert!(!begin(&other, 22_101).await, "the port is taken");
    assert!(!begin(&one, 22_102).await, "the session has one");
    assert!(begin(&other, 22_100).await);
    assert_eq!(ports("0a", now()).await, [22_100, 22_101]);
    assert_eq!(ports("0b", now()).await, [0_u16; 0], "another key");
    assert_eq!(ports("0a", until).await, [0_u16; 0], "its time is up");
    store.forward_end(&TENANT, &one).await.unwrap();
    assert_eq!(ports("0a", now()).await, [22_100]);
    assert!(store.revoke(&TENANT, "lyon", now()).await.unwrap());
    assert_eq!(ports("0a", now()).await, [0_u16; 0], "revoked");
    store.forwards_clear(&TENANT).await.unwrap();
    assert!(begin(&one, 22_100).await);
}
