//! Agent and hub are killed with SIGKILL at random instants while printers are read. What the spool
//! accepted is at the hub exactly once; `scripts/chaos` runs the long form.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use stories::{World, until};

/// Lively printers, so that every life of the agent has something to spool: so many, of two makes
/// in turn, on 127.34.0.1 and up.
fn fleet(printers: u64) -> String {
    let makes = ["kyocera-taskalfa-4054ci", "xerox-versalink-c505"];
    let mut fleet = "seed = 9\nspeed = 900.0\n".to_owned();
    for (turn, make) in makes.iter().enumerate() {
        let addresses: Vec<String> = (0..printers)
            .filter(|printer| printer % 2 == turn as u64)
            .map(|printer| format!("\"127.34.{}.{}\"", printer / NET, printer % NET + 1))
            .collect();
        let addresses = addresses.join(", ");
        fleet += &format!("[[printers]]\nrecording = \"{make}\"\naddresses = [{addresses}]\n");
    }
    fleet
}

/// Printers in one of the simulated /24 networks.
const NET: u64 = 200;

/// Longest the spool may take to be emptied after the last kill. An agent that found the hub away
/// waits before it tries again.
const DRAIN: Duration = Duration::from_secs(120);

/// So many kills of the hub leave no doubt that some fell between its commit and its answer.
const MANY: u64 = 100;

fn asked(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).unwrap_or_default();
    value.parse().unwrap_or(default)
}

/// A repeatable sequence of numbers (splitmix64): the seed is the whole state.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_spool_accepted_is_at_the_hub_exactly_once() {
    let agent_kills = asked("PLATEN_CHAOS_AGENT_KILLS", 10);
    let hub_kills = asked("PLATEN_CHAOS_HUB_KILLS", 6);
    let printers = asked("PLATEN_CHAOS_PRINTERS", 8);
    let rack = stories::rack(&fleet(printers));
    let nets: Vec<String> = (0..printers.div_ceil(NET))
        .map(|net| format!("127.34.{net}.1-{}", NET.min(printers - net * NET)))
        .collect();
    let mut world = World::new();
    world.hub_runs().await;
    let more = "[log]\nlevel = \"debug\"\n";
    world.agent_is_configured(
        &nets.iter().map(String::as_str).collect::<Vec<_>>(),
        rack.port,
        more,
    );
    world.agent_is_enrolled();
    world.agent_is_started();

    kill(&mut world, agent_kills, hub_kills).await;

    until("the spool is empty after the last kill", DRAIN, || async {
        let status = world.status()?;
        (status["queue"]["waiting"] == 0).then_some(())
    })
    .await;
    let spooled = world.settles(rack).await;
    let stored = world.stored().await;
    assert_eq!(spooled, stored, "the hub holds what the spool holds");

    let sequences: Vec<u64> = spooled.iter().map(|mark| mark.1).collect();
    let unbroken: Vec<u64> = (1..=sequences.len() as u64).collect();
    assert_eq!(sequences, unbroken, "the spool has no holes");
    let devices: BTreeSet<&String> = spooled.iter().map(|mark| &mark.2).collect();
    assert_eq!(devices.len() as u64, printers, "each printer is one device");

    // The agent's log is a witness outside of the spool.
    let told = said(&world, "agent", "spooled", "sequence");
    assert!(told.len() > 20, "the agent tells what it spooled");
    let lost: Vec<_> = told
        .iter()
        .filter(|told| !sequences.contains(told))
        .collect();
    assert!(lost.is_empty(), "the spool said that it had {lost:?}");

    let repeated: u64 = said(&world, "hub", "polled", "repeated").iter().sum();
    assert!(
        repeated > 0 || hub_kills < MANY,
        "nothing was ever sent twice: an empty test"
    );
    println!(
        "{} reports are at the hub once, {} of them told by the agent's log, {repeated} sent twice",
        sequences.len(),
        told.len()
    );
}

/// Kills agent and hub so often, in an order and at instants that the seed decides, and starts each
/// again at once.
async fn kill(world: &mut World, mut agent_kills: u64, mut hub_kills: u64) {
    let mut dice = Dice(asked("PLATEN_CHAOS_SEED", 1));
    while agent_kills + hub_kills > 0 {
        let mut pause = tokio::time::interval(Duration::from_millis(20 + dice.below(1_500)));
        pause.tick().await;
        pause.tick().await;
        if dice.below(agent_kills + hub_kills) < agent_kills {
            agent_kills -= 1;
            world.agent_is_killed();
            world.agent_is_started();
        } else {
            hub_kills -= 1;
            world.hub_is_killed();
            world.hub_is_started();
        }
    }
}

/// The numbers that a program's log lines with this message carry in a field.
fn said(world: &World, program: &str, message: &str, field: &str) -> Vec<u64> {
    let log = world.log_of(program);
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["fields"]["message"] == message)
        .filter_map(|line| line["fields"][field].as_u64())
        .collect()
}
