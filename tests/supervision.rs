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
    until("the spool is empty again", PATIENCE, || async {
        (world.status()?["queue"]["waiting"] == 0).then_some(())
    })
    .await;
    assert_eq!(world.agent_ends().await, Some(0));
    assert_eq!(
        world.spooled().await,
        world.stored().await,
        "what the spool took is at the hub, once"
    );
}
