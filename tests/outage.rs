//! The hub is away: nothing changes but the spool's length, and nothing is lost.

use serde_json::Value;
use stories::{PATIENCE, World, until};

/// Reports that must have gathered before the hub comes back.
const GATHERED: u64 = 12;

fn waiting(status: &Value) -> u64 {
    status["queue"]["waiting"].as_u64().expect("a number")
}

/// Waits until both channels are up, or both down with a reason; what is said of them.
async fn channels_are(world: &World, up: bool) -> Value {
    let what = if up {
        "both channels are up"
    } else {
        "both channels are down"
    };
    until(what, PATIENCE, || async {
        let status = world.status()?;
        let (readings, commands) = (&status["hub"], &status["hub"]["commands"]);
        let is_up = commands["is_connected"].as_bool()?;
        let is_dated = readings["since"].is_string() && commands["since"].is_string();
        let has_reason = |channel: &Value| channel["trouble"].is_string();
        let is_so =
            is_dated && is_up == up && has_reason(readings) != up && has_reason(commands) != up;
        is_so.then(|| status["hub"].clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_away_gets_everything_once() {
    let fleet = "seed = 5\nspeed = 600.0\n[[printers]]\n\
                 recording = \"kyocera-taskalfa-4054ci\"\naddresses = [\"127.33.0.1\", \"127.33.0.2\", \"127.33.0.3\"]\n";
    let rack = stories::rack(fleet);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.33.0.1-3"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("three printers are stored", PATIENCE, || async {
        (world.printers().len() == 3).then_some(())
    })
    .await;

    let before = channels_are(&world, true).await;
    world.hub_is_killed();
    let away = channels_are(&world, false).await;
    let said = world.agent_says("status", &[]).stdout;
    let said = String::from_utf8(said).expect("text");
    assert!(
        said.contains("mqtt ✗ for ") && said.contains("\n          mqtt: "),
        "{said}"
    );
    let status = until("reports gather in the spool", PATIENCE, || async {
        world.status().filter(|status| waiting(status) >= GATHERED)
    })
    .await;
    assert_eq!(
        status["printers"]["silent"], 0,
        "collection noticed: {status}"
    );
    assert_eq!(
        status["restarts"]["total"], 0,
        "somebody died of it: {status}"
    );
    let health = world.agent_says("health", &[]);
    assert!(
        health.status.success(),
        "a hub away is not the agent's illness"
    );
    let ready = world.agent_says("health", &["--ready"]);
    assert_eq!(ready.status.code(), Some(69), "alive and not ready");

    world.hub_is_started();
    until("the spool is empty again", PATIENCE, || async {
        world.status().filter(|status| waiting(status) == 0)
    })
    .await;
    until("the agent is ready again", PATIENCE, || async {
        let ready = world.agent_says("health", &["--ready"]);
        ready.status.success().then_some(())
    })
    .await;
    let after = channels_are(&world, true).await;
    for since in ["/since", "/commands/since"] {
        let at = [&before, &away, &after].map(|hub| {
            let at = hub.pointer(since).and_then(Value::as_str);
            at.expect("a time")
                .parse::<jiff::Timestamp>()
                .expect("a time")
        });
        assert!(at.is_sorted_by(|one, next| one < next), "{since}: {at:?}");
    }
    let spooled = world.settles(rack).await;
    assert!(spooled.len() as u64 >= GATHERED);
    assert_eq!(spooled, world.stored().await);
}
