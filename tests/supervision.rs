//! Supervision: whoever panics or hangs comes back, and nobody else notices.

use std::time::Duration;

use serde_json::Value;
use stories::{PATIENCE, World, until};

/// A rack of three printers.
const FLEET: &str = "seed = 3
[[printers]]
recording = \"kyocera-taskalfa-4054ci\"
\
                     addresses = [\"127.31.0.1\", \"127.31.0.2\", \"127.31.0.3\"]
";

/// A printer whose reading never ends by itself, at an address of its own.
const ENDLESS: &str = "seed = 3\nfrozen = true\n[[printers]]\n\
    recording = \"kyocera-taskalfa-4054ci\"\naddresses = \"127.44.2.1\"\n\
    misbehave = \"oid-endless\"\n";

/// Questions that are asked within a reading only: a sweep asks one or two.
const IN_A_READING: u64 = 20;

/// Longest a hang may go unnoticed before the actor is replaced, with its backoff.
const HANG_NOTICED: Duration = Duration::from_secs(60);

fn restarts_of(status: &Value, child: &str) -> u64 {
    let children = status["restarts"]["children"].as_array();
    let known = children.and_then(|all| all.iter().find(|row| row["child"] == child));
    known.and_then(|row| row["restarts"].as_u64()).unwrap_or(0)
}

fn has_restarted(world: &World, child: &str, times: u64) -> Option<()> {
    let status = world.status()?;
    let rows = status["restarts"]["children"].as_array()?;
    let is_alive = rows
        .iter()
        .any(|row| row["child"] == child && row["is_alive"] == true);
    (restarts_of(&status, child) >= times && is_alive).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_actor_comes_back_after_a_panic_and_after_a_hang() {
    let rack = stories::rack(FLEET);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.31.0.0/29"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("three printers are stored", PATIENCE, || async {
        (world.printers().len() == 3).then_some(())
    })
    .await;

    let device = world.printers()[0]["device"]
        .as_str()
        .expect("an id")
        .to_owned();
    let device = format!("device:{device}");
    for child in ["uplink", "scanner:range 1", &device] {
        world.provoke(child, "panic");
        until(
            &format!("{child} is back after a panic"),
            PATIENCE,
            || async { has_restarted(&world, child, 1) },
        )
        .await;
        world.provoke(child, "hang");
        until(
            &format!("{child} is back after a hang"),
            HANG_NOTICED,
            || async { has_restarted(&world, child, 2) },
        )
        .await;
    }

    let status = world.status().expect("the agent answers");
    assert_eq!(
        status["restarts"]["total"], 6,
        "siblings were disturbed: {status}"
    );
    let spooled = world.settles(rack).await;
    assert_eq!(
        spooled,
        world.stored().await,
        "what the spool took is at the hub, once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printer_that_kills_three_readers_is_set_aside_with_what_it_said() {
    let rack = stories::rack(ENDLESS);
    let mut world = World::new();
    world.agent_is_configured(&["127.44.2.1"], rack.port, "");
    // Slow enough that a reading is under way when its actor is killed.
    let config = std::fs::read_to_string(world.path("agent.toml")).expect("a configuration");
    let slow = config.replace("packets_per_second = 20000", "packets_per_second = 40");
    std::fs::write(world.path("agent.toml"), slow).expect("a configuration");
    world.agent_is_started();
    until("the printer is known", PATIENCE, || async {
        (world.status()?["printers"]["known"] == 1).then_some(())
    })
    .await;
    let device = device_in(&world).await;
    for death in 1..=3 {
        let heard = rack.counts().await.heard;
        until("it is being read", PATIENCE, || async {
            (rack.counts().await.heard > heard + IN_A_READING).then_some(())
        })
        .await;
        world.provoke(&format!("device:{device}"), "panic");
        until("its actor died", PATIENCE, || async {
            (world.status()?["restarts"]["total"] == death).then_some(())
        })
        .await;
    }
    let status = world.status().expect("the agent answers");
    let held = &status["set_aside"][0];
    assert_eq!(held["device"], device.as_str(), "{status}");
    assert!(held["bytes"].as_u64() > Some(100), "{held}");
    let file = held["file"].as_str().expect("a file").to_owned();
    let kept = std::fs::read(&file).expect("the file of what it said");
    let kept: Value = serde_json::from_slice(&kept).expect("JSON");
    let answers = kept["answers"].as_array().expect("answers");
    let is_message = |answer: &Value| answer.as_str().is_some_and(|hex| hex.starts_with("30"));
    assert!((1..=8).contains(&answers.len()) && answers.iter().all(is_message));
    let said = world.agent_says("status", &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("Set aside 127.44.2.1"), "{said}");

    let heard = rack.counts().await.heard;
    let released = world.agent_says("release", &[&device]);
    assert!(released.status.success(), "{released:?}");
    until("it is read again", PATIENCE, || async {
        (rack.counts().await.heard > heard + IN_A_READING).then_some(())
    })
    .await;
    assert!(!std::path::Path::new(&file).exists());
    let again = world.agent_says("release", &[&device]);
    assert_eq!(again.status.code(), Some(3), "{again:?}");
    assert_eq!(world.agent_ends().await, Some(0));
}

/// The id of the only printer, which the agent's log tells.
async fn device_in(world: &World) -> String {
    until("the log names the device", PATIENCE, || async {
        let log = world.log_of("agent");
        let found = log
            .lines()
            .find(|line| line.contains("found a new device"))?;
        let hex = |word: &&str| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit());
        let mut words = found.split(|c: char| !c.is_ascii_alphanumeric());
        words.find(hex).map(str::to_owned)
    })
    .await
}
