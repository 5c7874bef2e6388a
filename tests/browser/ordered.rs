//! Commands in the portal: what a person orders, and what an agent made of it.
//!
//! Used by the browser test. The agent's words are put into the store as the desk would.

use std::time::Duration;

use hub::permission::{Action, Object, Subject, permit};
use hub::store::commands::{CommandState, LastWord, NewCommand};
use hub::store::{Store, Tenant};
use jiff::Timestamp;

use crate::HOSTILE;
use crate::chrome::Browser;

/// How long the page may take to load itself again: it does so every two seconds.
const RELOADED_WITHIN: Duration = Duration::from_secs(20);

/// The agent of the sample that polls.
pub(crate) async fn agent(store: &Store) -> String {
    let agents = store.agents(&Tenant::DEFAULT).await.unwrap();
    let lyon = agents.into_iter().find(|agent| agent.name == "lyon-1");
    lyon.unwrap().id
}

/// Commands of every outcome; the id of one with a result.
pub(crate) async fn fill(store: &Store, agent: &str) -> String {
    let check =
        br#"{"address":"10.20.4.17","icmp":{"received":3,"sent":3,"took_ms":[0.41,0.38,0.4]},
        "snmp":{"port":161,"tried":[{"answers":true,"credential":1,"version":"2c"}]},
        "device":{"is_printer":true,"vendor":"Kyocera","model":"TASKalfa 6052ci"}}"#;
    let ended: [(Action, CommandState, &str, &[u8]); 5] = [
        (Action::Read, CommandState::Done, "", b"{\"read\":9}"),
        (
            Action::Walk,
            CommandState::Failed,
            "10.20.4.18:161 did not answer 2 tries",
            b"",
        ),
        (
            Action::Ping,
            CommandState::Refused,
            "10.9.0.1 is in none of the configured ranges",
            b"",
        ),
        (Action::Diag, CommandState::Expired, HOSTILE, b""),
        (Action::Check, CommandState::Done, "", check),
    ];
    let now = Timestamp::now();
    let mut last = String::new();
    for (number, (action, state, why, result)) in (1..).zip(ended) {
        let object = Object {
            tenant: &Tenant::DEFAULT,
            agent,
            is_enrolled: true,
        };
        let permission = permit(&Subject::Operator, action, object).unwrap();
        let id = format!("{number:032x}");
        let new = NewCommand {
            id: &id,
            reason: "user says it is off",
            body: b"signed",
            made: now - Duration::from_mins(60 - 10 * number),
            expires: now + Duration::from_mins(10),
        };
        assert!(store.command_add(&permission, &new).await.unwrap());
        let word = LastWord { state, why, result };
        let who = (agent, id.as_str());
        store
            .command_answer(&Tenant::DEFAULT, who, &word, now)
            .await
            .unwrap();
        last = id;
    }
    last
}

pub(crate) async fn the_agent_says_what_it_should(browser: &Browser) {
    let text = browser.words("return document.body.innerText").await;
    for words in [
        "lyon-1",
        "Readings (gRPC)",
        "Commands (MQTT)",
        "Check an address",
        "refused",
        "in none of the configured ranges",
    ] {
        assert!(
            text.contains(words),
            "the agent's page says {words:?}:\n{text}"
        );
    }
    let foreign = "return document.querySelectorAll('script,[onerror],img:not([alt])').length";
    assert_eq!(browser.number(foreign).await, 0);
    let offered = "return document.querySelectorAll('#kind option').length";
    assert_eq!(browser.number(offered).await, 9);
}

/// Fills in the form as a person does; the id of the command.
pub(crate) async fn a_form_is_sent(browser: &Browser) -> String {
    let fill = "document.querySelector('#kind').value = 'ping';\
                document.querySelector('#target').value = '10.20.4';\
                document.querySelector('#reason').value = 'user says it is off';\
                document.querySelector('form.order button').click()";
    browser.run(fill).await;
    comes(browser, "write one address").await;
    let kept = "return document.querySelector('#reason').value";
    assert_eq!(
        browser.words(kept).await,
        "user says it is off",
        "nothing is typed twice"
    );
    let cure = "document.querySelector('#target').value = '10.20.4.17';\
                document.querySelector('form.order button').click()";
    browser.run(cure).await;
    comes(browser, "What has happened").await;
    let place = browser.words("return location.pathname").await;
    let (_, id) = place.rsplit_once("/commands/").expect(&place);
    id.to_owned()
}

/// The page follows the command by itself, and rests when it has ended.
pub(crate) async fn it_is_shown_until_it_ends(store: &Store, browser: &Browser, id: &str) {
    let command = store.command(&Tenant::DEFAULT, id).await.unwrap().unwrap();
    assert_eq!(
        (command.kind.as_str(), command.issuer.as_str()),
        ("ping", "anna")
    );
    let text = browser.words("return document.body.innerText").await;
    assert!(text.contains("waits for the agent"), "{text}");
    let who = (command.agent.as_str(), id);
    store
        .command_progress(&Tenant::DEFAULT, who, "2 of 4 asked")
        .await
        .unwrap();
    comes(browser, "2 of 4 asked").await;
    let word = LastWord {
        state: CommandState::Done,
        why: "",
        result: b"{\"received\":4}",
    };
    store
        .command_answer(&Tenant::DEFAULT, who, &word, Timestamp::now())
        .await
        .unwrap();
    comes(browser, "\"received\": 4").await;
    let refresh = "return document.querySelectorAll('meta[http-equiv=refresh]').length";
    assert_eq!(browser.number(refresh).await, 0, "it rests");
}

async fn comes(browser: &Browser, words: &str) {
    let what = format!("the page says {words:?}");
    stories::until(&what, RELOADED_WITHIN, || async {
        let text = browser.words("return document.body.innerText").await;
        text.contains(words).then_some(())
    })
    .await;
}
