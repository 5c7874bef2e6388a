//! A person orders something of an agent, with the real programs on both ends and MQTT between them.

use std::time::Duration;

use serde_json::Value;
use stories::{PATIENCE, World, until};

const FLEET: &str = "seed = 62\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
                     addresses = [\"127.62.0.1\", \"127.62.0.2\"]\n";

/// How often the identity is rotated under a stream of commands.
const ROTATIONS: usize = 3;

/// Commands beside each rotation: an agent takes 60 deliveries in a minute, repeats included.
const BESIDE: usize = 6;

/// The hub looks again at a standing connection every 15 s, and cuts one whose certificate was
/// replaced.
const LOOKED_AGAIN: Duration = Duration::from_secs(16);

/// Why, in every command of this story.
const REASON: &str = "--reason=a story";

/// Orders something and waits for its end: the exit code, and the outcome as JSON.
fn ordered(world: &World, words: &[&str]) -> (Option<i32>, Value) {
    let words = [&["cmd"], words, &[REASON, "--json"]].concat();
    let said = world.hub_says(&words);
    let outcome = serde_json::from_slice(&said.stdout).unwrap_or(Value::Null);
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(
        !outcome.is_null(),
        "{words:?}: {told}\n{}",
        world.log_of("agent")
    );
    (said.status.code(), outcome)
}

/// A world whose agent has read both printers.
async fn world(rack: &simulator::Running) -> World {
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.62.0.1-4"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("both printers are stored", PATIENCE, || async {
        (world.printers().len() == 2).then_some(())
    })
    .await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ordered_is_done_or_refused_with_the_reason() {
    let rack = stories::rack(FLEET);
    let world = world(&rack).await;

    let (exit, read) = ordered(&world, &["read", "story"]);
    assert_eq!(
        (exit, &read["state"]),
        (Some(0), &Value::from("done")),
        "{read}"
    );
    assert_eq!(
        (&read["result"]["devices"], &read["result"]["read"]),
        (&2.into(), &2.into())
    );

    let (exit, swept) = ordered(&world, &["discover", "story"]);
    assert_eq!(
        (exit, &swept["result"]["subnets"][0]["seen"]),
        (Some(0), &2.into()),
        "{swept}"
    );

    let (exit, check) = ordered(&world, &["check", "story", "127.62.0.1"]);
    let what = &check["result"]["device"];
    assert_eq!(
        (exit, &what["is_printer"]),
        (Some(0), &true.into()),
        "{check}"
    );
    assert_eq!(what["vendor"], "Kyocera", "{check}");
    assert!(
        !check.to_string().contains("public"),
        "a community was told: {check}"
    );

    let (exit, walk) = ordered(&world, &["walk", "story", "127.62.0.2"]);
    assert_eq!(exit, Some(0), "{walk}");
    let recording = walk["result"].as_str().expect("a recording");
    let recording = snmp::recording::Recording::parse(recording.as_bytes()).expect("a recording");
    assert!(recording.len() > 100, "{} objects", recording.len());

    // Either is right; which one depends on the system's ping_group_range.
    let (exit, ping) = ordered(&world, &["ping", "story", "127.62.0.1", "--count", "1"]);
    match exit {
        Some(0) => assert_eq!(ping["result"]["received"], 1, "{ping}"),
        _ => assert!(
            ping["why"].as_str().expect("why").contains("ICMP"),
            "{ping}"
        ),
    }

    let (exit, outside) = ordered(&world, &["ping", "story", "127.62.0.9"]);
    assert_eq!(
        (exit, &outside["state"]),
        (Some(77), &"refused".into()),
        "{outside}"
    );
    let why = outside["why"].as_str().expect("why");
    assert!(why.contains("in none of the configured ranges"), "{why}");
    let (exit, update) = ordered(&world, &["update", "story"]);
    assert_eq!(
        (exit, &update["why"]),
        (Some(77), &"not supported by this agent".into())
    );

    let listed = world.hub_says(&["cmd", "ls", "story", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(
        listed["commands"].as_array().map(Vec::len),
        Some(7),
        "{listed}"
    );
    let log = world.log_of("agent");
    for command in listed["commands"].as_array().expect("a list") {
        let id = command["id"].as_str().expect("an id");
        assert!(log.contains(id), "the site's log misses {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_an_agent_and_survives_the_hubs_end() {
    let rack = stories::rack(FLEET);
    let mut world = world(&rack).await;
    world.agent_is_killed();
    let given = world.hub_says(&["cmd", "read", "story", "--no-wait", REASON]);
    let id = String::from_utf8(given.stdout)
        .expect("text")
        .trim()
        .to_owned();
    let outcome = |world: &World| {
        let shown = world.hub_says(&["cmd", "show", &id, "--json"]);
        serde_json::from_slice::<Value>(&shown.stdout).expect("JSON")
    };
    until("it was sent", PATIENCE, || async {
        (outcome(&world)["sent"].as_i64() > Some(0)).then_some(())
    })
    .await;
    world.hub_is_killed();
    world.hub_is_started();
    world.hub_is_healthy().await;
    assert_eq!(outcome(&world)["state"], "open");
    world.agent_is_started();
    let ended = until("it was done", PATIENCE, || async {
        let outcome = outcome(&world);
        (outcome["state"] == "done").then_some(outcome)
    })
    .await;
    assert_eq!(ended["result"]["devices"], 2, "{ended}");
    let begun = world.log_of("agent").matches(&id).count();
    assert_eq!(begun, 1, "it was carried out once");

    let late = world.hub_says(&["cmd", "read", "nobody", REASON]);
    assert_eq!(late.status.code(), Some(3), "no such agent");
    world.agent_is_killed();
    let late = world.hub_says(&["cmd", "read", "story", "--expires", "10s", REASON]);
    assert_eq!(
        late.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&late.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_makes_the_session_anew_and_costs_no_command() {
    let rack = stories::rack(FLEET);
    let world = world(&rack).await;
    let stands = |times: usize| {
        let log = world.log_of("agent");
        (log.matches("the command line stands").count() == times).then_some(())
    };
    let what = "the command line stands";
    until(what, PATIENCE, || async { stands(1) }).await;
    let give = |words: &[&str]| {
        let said = world.hub_says(&[&["cmd"], words, &["--no-wait", REASON]].concat());
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "{words:?}: {told}");
        String::from_utf8(said.stdout)
            .expect("text")
            .trim()
            .to_owned()
    };

    let mut given = Vec::new();
    for turn in 1..=ROTATIONS {
        // Nobody is at .3: it is under way while the session is made anew.
        given.push(give(&["check", "story", "127.62.0.3"]));
        given.push(give(&["rotate", "story"]));
        for _ in 1..BESIDE {
            given.push(give(&["check", "story", "127.62.0.1"]));
        }
        until(what, PATIENCE, || async { stands(1 + turn) }).await;
    }

    let listed = until("every command has an outcome", PATIENCE * 2, || async {
        let said = world.hub_says(&["cmd", "ls", "story", "--json"]);
        let listed: Value = serde_json::from_slice(&said.stdout).ok()?;
        let all = listed["commands"].as_array()?.clone();
        (all.iter().all(|command| command["state"] == "done")).then_some(all)
    })
    .await;
    assert_eq!(listed.len(), given.len());
    let log = world.log_of("agent");
    for id in &given {
        assert_eq!(
            log.matches(id.as_str()).count(),
            1,
            "{id} was done once: {log}"
        );
    }

    tokio::time::sleep(LOOKED_AGAIN).await;
    let log = world.log_of("agent");
    assert!(stands(1 + ROTATIONS).is_some(), "once for each: {log}");
    assert!(!log.contains("the command line is down"), "{log}");
    assert!(
        !world.log_of("hub").contains("MQTT was cut"),
        "the hub had to"
    );
}
