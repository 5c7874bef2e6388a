//! The desk over a real store, with a carrier that only remembers.

use std::sync::Mutex;

use jiff::ToSpan;
use tempfile::TempDir;

use super::issue::{IssueError, LIFE_USUAL, issue};
use super::order::Order;
use super::*;
use crate::command_key::CommandKey;
use crate::permission::{Action, Object, Permission, Subject, permit};
use crate::store::invitations::{Answer, Enrollment};

/// Carries nothing anywhere; remembers what it was given, and can be away.
#[derive(Debug, Default)]
struct Memory {
    carried: Mutex<Vec<(String, Vec<u8>)>>,
    is_away: std::sync::atomic::AtomicBool,
}

impl Carries for Memory {
    fn carry<'a>(&'a self, agent: &'a str, command: Vec<u8>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if self.is_away.load(std::sync::atomic::Ordering::Relaxed) {
                return Err("the broker is away".to_owned());
            }
            self.carried
                .lock()
                .unwrap()
                .push((agent.to_owned(), command));
            Ok(())
        })
    }
}

struct Hub {
    desk: Desk,
    memory: Arc<Memory>,
    key: CommandKey,
    agent: String,
    _folder: TempDir,
}

impl Hub {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:hub.db", folder.path()).await.unwrap();
        let key = CommandKey::open(folder.path()).unwrap();
        let agent = enroll(&store).await;
        let memory = Arc::new(Memory::default());
        let desk = Desk::new(store, Tenant::DEFAULT, memory.clone());
        Self {
            desk,
            memory,
            key,
            agent,
            _folder: folder,
        }
    }

    fn permission(&self, action: Action) -> Permission {
        let object = Object {
            tenant: &Tenant::DEFAULT,
            agent: &self.agent,
            is_enrolled: true,
        };
        permit(&Subject::Operator, action, object).unwrap()
    }

    async fn order(&self, order: Order) -> Result<String, IssueError> {
        let permission = self.permission(order.action());
        let made = (&self.desk.store, &self.key);
        issue(
            made,
            &permission,
            &order,
            ("a test", LIFE_USUAL),
            Timestamp::now(),
        )
        .await
    }

    async fn says(&self, outcome: &v1::Outcome) {
        let said = Arrival {
            agent_id: self.agent.clone(),
            said: Use::Outcome,
            payload: outcome.encode_to_vec(),
        };
        self.desk.hear(&said, Timestamp::now()).await.unwrap();
    }

    fn carried(&self) -> usize {
        self.memory.carried.lock().unwrap().len()
    }
}

async fn enroll(store: &Store) -> String {
    let now = Timestamp::now();
    store
        .invite(&Tenant::DEFAULT, "lyon", "secret", now)
        .await
        .unwrap();
    let Answer::Open(invitation) = store
        .invitation(&Tenant::DEFAULT, "secret", now)
        .await
        .unwrap()
    else {
        panic!("the code is not open");
    };
    let enrollment = Enrollment {
        invitation: &invitation,
        fingerprint: "00",
        until: now + 24.hours(),
        version: "0.1.0",
        key_hash: "00",
        sealing_key: None,
    };
    assert!(
        store
            .enroll(&Tenant::DEFAULT, &enrollment, now)
            .await
            .unwrap()
    );
    invitation.agent.clone()
}

fn outcome(id: &str, state: v1::outcome::State, why: &str, result: &[u8]) -> v1::Outcome {
    v1::Outcome {
        command_id: id.to_owned(),
        at_ms: 0,
        state: state.into(),
        why: why.to_owned(),
        result: result.to_vec(),
    }
}

#[tokio::test]
async fn a_command_goes_out_comes_back_and_is_kept() {
    let hub = Hub::new().await;
    let id = hub.order(Order::Read(None)).await.unwrap();
    hub.desk.turn(Timestamp::now()).await.unwrap();
    hub.desk.turn(Timestamp::now()).await.unwrap();
    assert_eq!(hub.carried(), 1, "it is not sent twice within its time");
    hub.says(&outcome(
        &id,
        v1::outcome::State::Progress,
        "3 of 9\u{1b}[2J",
        b"",
    ))
    .await;
    let kept = hub
        .desk
        .store
        .command(&Tenant::DEFAULT, &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.state, kept.progress.as_str()),
        (CommandState::Underway, "3 of 9[2J")
    );
    hub.says(&outcome(&id, v1::outcome::State::Done, "", b"{}"))
        .await;
    hub.says(&outcome(&id, v1::outcome::State::Failed, "late", b""))
        .await;
    let kept = hub
        .desk
        .store
        .command(&Tenant::DEFAULT, &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.state, kept.result.as_slice()),
        (CommandState::Done, b"{}".as_slice())
    );
    hub.desk
        .turn(Timestamp::now() + 31.seconds())
        .await
        .unwrap();
    assert_eq!(hub.carried(), 1);
}

#[tokio::test]
async fn what_has_no_answer_is_sent_again_and_at_once_to_who_has_come() {
    let hub = Hub::new().await;
    hub.memory
        .is_away
        .store(true, std::sync::atomic::Ordering::Relaxed);
    hub.order(Order::Rotate).await.unwrap();
    hub.desk.turn(Timestamp::now()).await.unwrap();
    assert_eq!(hub.carried(), 0);
    hub.memory
        .is_away
        .store(false, std::sync::atomic::Ordering::Relaxed);
    hub.desk.turn(Timestamp::now()).await.unwrap();
    hub.desk
        .turn(Timestamp::now() + 31.seconds())
        .await
        .unwrap();
    assert_eq!(hub.carried(), 2);
    let presence = v1::Presence {
        is_online: true,
        ..v1::Presence::default()
    };
    let said = Arrival {
        agent_id: hub.agent.clone(),
        said: Use::Presence,
        payload: presence.encode_to_vec(),
    };
    hub.desk.hear(&said, Timestamp::now()).await.unwrap();
    assert_eq!(hub.carried(), 3);
}

#[tokio::test]
async fn nonsense_of_an_agent_changes_nothing() {
    let hub = Hub::new().await;
    let id = hub.order(Order::Diag).await.unwrap();
    for payload in [vec![], vec![0xff; 40], b"{}".to_vec()] {
        for kind in [Use::Outcome, Use::Presence, Use::Command] {
            let said = Arrival {
                agent_id: hub.agent.clone(),
                said: kind,
                payload: payload.clone(),
            };
            hub.desk.hear(&said, Timestamp::now()).await.unwrap();
        }
    }
    hub.says(&outcome(&id, v1::outcome::State::Unspecified, "", b""))
        .await;
    hub.says(&outcome(
        &"9".repeat(4_000),
        v1::outcome::State::Done,
        "",
        b"",
    ))
    .await;
    let kept = hub
        .desk
        .store
        .command(&Tenant::DEFAULT, &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.state, CommandState::Open);
    let long = vec![b'x'; RESULT_BYTES_MAX + 1];
    hub.says(&outcome(
        &id,
        v1::outcome::State::Done,
        &"y".repeat(9_000),
        &long,
    ))
    .await;
    let kept = hub
        .desk
        .store
        .command(&Tenant::DEFAULT, &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.why.len(), kept.result.len()), (WORDS_MAX, 0));
}

#[tokio::test]
async fn a_command_needs_its_own_permission_a_reason_and_a_life() {
    let hub = Hub::new().await;
    let made = (&hub.desk.store, &hub.key);
    let now = Timestamp::now();
    let permission = hub.permission(Action::Read);
    let other = issue(made, &permission, &Order::Rotate, ("why", LIFE_USUAL), now).await;
    assert!(matches!(other, Err(IssueError::NotPermitted)), "{other:?}");
    let order = Order::Read(None);
    for reason in ["", "  ", &"x".repeat(201)] {
        let refused = issue(made, &permission, &order, (reason, LIFE_USUAL), now).await;
        assert!(matches!(refused, Err(IssueError::Reason)), "{refused:?}");
    }
    for life in [Duration::ZERO, Duration::from_hours(25)] {
        let refused = issue(made, &permission, &order, ("why", life), now).await;
        assert!(matches!(refused, Err(IssueError::Life)), "{refused:?}");
    }
    assert_eq!(hub.carried(), 0);
}
