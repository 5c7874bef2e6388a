//! What was ordered stays ordered until it is answered or over.

use jiff::ToSpan;

use crate::permission::{Action, Object, Permission, Subject, permit};
use crate::store::commands::{CommandState, GRACE, Heard, LastWord, NewCommand, OPEN_MAX, RUN_MAX};
use crate::store::tests::{Place, agent, now};
use crate::store::{Store, Tenant};

const TENANT: Tenant = Tenant::DEFAULT;

fn permission(agent: &str) -> Permission {
    let object = Object {
        tenant: &TENANT,
        agent,
        is_enrolled: true,
    };
    permit(&Subject::Operator, Action::Ping, object).unwrap()
}

fn id(number: i64) -> String {
    format!("{number:032x}")
}

async fn add(store: &Store, agent: &str, number: i64) -> bool {
    let new = NewCommand {
        id: &id(number),
        reason: "a test",
        body: b"signed\x00",
        made: now(),
        expires: now() + 10.minutes(),
    };
    store.command_add(&permission(agent), &new).await.unwrap()
}

fn word(state: CommandState, result: &[u8]) -> LastWord<'_> {
    LastWord {
        state,
        why: "",
        result,
    }
}

async fn state(store: &Store, number: i64) -> CommandState {
    let command = store.command(&TENANT, &id(number)).await.unwrap();
    command.unwrap().state
}

pub(super) async fn a_command_is_sent_until_it_is_answered(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    assert!(add(&store, lyon.as_str(), 1).await);
    let due = |at| store.commands_due(&TENANT, at - 30.seconds(), at);
    let first = due(now()).await.unwrap();
    assert_eq!(
        (first.len(), first[0].body.as_slice()),
        (1, b"signed\x00".as_slice())
    );
    let body = store.command_body(&TENANT, &id(1)).await.unwrap();
    assert_eq!(body.as_deref(), Some(b"signed\x00".as_slice()));
    assert_eq!(store.command_body(&TENANT, &id(9)).await.unwrap(), None);
    store.command_sent(&TENANT, &id(1), now()).await.unwrap();
    assert!(due(now() + 29.seconds()).await.unwrap().is_empty());
    assert_eq!(due(now() + 30.seconds()).await.unwrap().len(), 1);
    assert_eq!(
        store
            .commands_due_for(&TENANT, lyon.as_str())
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        due(now() + 1.seconds()).await.unwrap().len(),
        1,
        "it has just come"
    );
    drop(store);

    let store = place.open().await;
    let at = now() + 2.seconds();
    let again = store
        .commands_due(&TENANT, at - 30.seconds(), at)
        .await
        .unwrap();
    assert_eq!(again.len(), 1, "a restart forgets nothing");
    let who = (lyon.as_str(), id(1));
    let who = (who.0, who.1.as_str());
    assert!(store.command_progress(&TENANT, who, "half").await.unwrap());
    assert_eq!(state(&store, 1).await, CommandState::Underway);
    let done = store
        .command_answer(&TENANT, who, &word(CommandState::Done, b"{}"), at)
        .await;
    assert_eq!(done.unwrap(), Heard::First);
    let after = now() + 40.seconds();
    let none = store
        .commands_due(&TENANT, after - 30.seconds(), after)
        .await
        .unwrap();
    assert!(none.is_empty());
}

pub(super) async fn the_first_last_word_stays(place: Place) {
    let store = place.open().await;
    let (lyon, paris) = (agent(&store, "lyon").await, agent(&store, "paris").await);
    add(&store, lyon.as_str(), 1).await;
    let first = id(1);
    let answer = async |who: &str, id: &str, state, result: &[u8]| {
        let heard = store
            .command_answer(&TENANT, (who, id), &word(state, result), now())
            .await;
        heard.unwrap()
    };
    let (done, failed) = (CommandState::Done, CommandState::Failed);
    assert_eq!(
        answer(paris.as_str(), &first, failed, b"").await,
        Heard::Unknown
    );
    assert_eq!(
        answer(lyon.as_str(), &id(9), done, b"").await,
        Heard::Unknown
    );
    assert_eq!(
        answer(lyon.as_str(), &first, done, b"1").await,
        Heard::First
    );
    assert_eq!(
        answer(lyon.as_str(), &first, done, b"1").await,
        Heard::Again
    );
    assert_eq!(
        answer(lyon.as_str(), &first, failed, b"").await,
        Heard::Other(done)
    );
    assert!(
        !store
            .command_progress(&TENANT, (lyon.as_str(), &first), "late")
            .await
            .unwrap()
    );
    let kept = store.command(&TENANT, &first).await.unwrap().unwrap();
    assert_eq!(
        (kept.state, kept.result.as_slice()),
        (done, b"1".as_slice())
    );
    let listed = store.commands_of(&TENANT, lyon.as_str(), 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].result.len()), (1, 0));
    let other = store
        .commands_of(&TENANT, paris.as_str(), 10)
        .await
        .unwrap();
    assert!(other.is_empty(), "another agent's");
}

pub(super) async fn a_command_ends_with_its_time(place: Place) {
    let store = place.open().await;
    let lyon = agent(&store, "lyon").await;
    for number in 1..=3 {
        add(&store, lyon.as_str(), number).await;
    }
    store.command_sent(&TENANT, &id(2), now()).await.unwrap();
    store.command_sent(&TENANT, &id(3), now()).await.unwrap();
    store
        .command_progress(&TENANT, (lyon.as_str(), &id(3)), "begun")
        .await
        .unwrap();
    let end = now() + 10.minutes();
    assert_eq!(
        store
            .commands_expire(&TENANT, end - 1.seconds())
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store.commands_expire(&TENANT, end).await.unwrap(),
        1,
        "never sent"
    );
    assert_eq!(state(&store, 1).await, CommandState::Expired);
    assert_eq!(
        state(&store, 2).await,
        CommandState::Open,
        "its answer may be on the way"
    );
    assert_eq!(
        store.commands_expire(&TENANT, end + GRACE).await.unwrap(),
        1
    );
    assert_eq!(state(&store, 2).await, CommandState::Expired);
    assert_eq!(state(&store, 3).await, CommandState::Underway);
    assert_eq!(
        store.commands_expire(&TENANT, end + RUN_MAX).await.unwrap(),
        1
    );
    assert_eq!(state(&store, 3).await, CommandState::Failed);
}

pub(super) async fn one_agents_open_commands_are_bounded(place: Place) {
    let store = place.open().await;
    let (lyon, paris) = (agent(&store, "lyon").await, agent(&store, "paris").await);
    for number in 0..OPEN_MAX {
        assert!(add(&store, lyon.as_str(), number).await);
    }
    assert!(!add(&store, lyon.as_str(), OPEN_MAX).await);
    assert!(add(&store, paris.as_str(), OPEN_MAX).await);
}
