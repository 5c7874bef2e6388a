//! Agent, hub and broker are killed with SIGKILL at random instants while printers are read and
//! commands are given. What the spool accepted is at the hub exactly once, unaltered and of the right
//! device; every command has one last word and was carried out at most once. `scripts/chaos` runs
//! the long form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actors::report::Report;
use actors::spool::{Content, Sequence, Spool, SpoolKey, SpoolLimits};
use hub::door::command::order::Order;
use jiff::Timestamp;
use printer::reading::Reading;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use stories::clerk::Clerk;
use stories::mosquitto::Mosquitto;
use stories::{Mark, World, until};

/// Printers in one of the simulated /24 networks.
const NET: u64 = 200;

/// Longest the spool may take to be emptied after the last kill. An agent that found the hub away
/// waits before it tries again.
const DRAIN: Duration = Duration::from_secs(300);

/// Longest the last words may take after the last kill: a line that was cut again and again waits up
/// to a minute, a command is sent again after half a minute, and an agent takes sixty a minute.
const SETTLE: Duration = Duration::from_secs(300);

/// So many kills of the hub leave no doubt that some fell between its commit and its answer.
const MANY: u64 = 100;

/// Kills between two looks into the spool, at least.
const LOOK_EVERY: u64 = 15;

/// Between two kills, at most; and between two of which one in so many is a calm.
const PAUSE_MAX_MS: u64 = 1_500;
const CALM_ONE_IN: u64 = 25;
const CALM_MAX_MS: u64 = 20_000;

/// Between two commands. An agent takes sixty a minute.
const ORDER_EVERY: Duration = Duration::from_millis(1_500);

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

/// Kills that are still to come.
#[derive(Debug, Clone, Copy)]
struct Kills {
    agent: u64,
    hub: u64,
    broker: u64,
}

impl Kills {
    fn all(self) -> u64 {
        self.agent + self.hub + self.broker
    }
}

/// The SHA-256 of each reading that the spool accepted, by sequence, written as the hub writes it. A
/// spool gives up what the hub has when its room is full, so it is looked into again and again.
#[derive(Debug, Default)]
struct Accepted {
    hashes: BTreeMap<u64, Vec<u8>>,
}

impl Accepted {
    /// Looks at what is new in the spool of an agent that does not run, in a copy of its file.
    async fn look(&mut self, world: &World) {
        let copy = world.path("copy.redb");
        std::fs::copy(world.path("agent/spool.redb"), &copy).expect("a copy");
        let key = SpoolKey::of_folder(&world.path("agent")).expect("the spool's key");
        let spool = Spool::open(copy, key, SpoolLimits::default()).await;
        let spool = spool.expect("the spool");
        let known = self.hashes.keys().next_back().copied().unwrap_or_default();
        spool.rewind(Sequence(known + 1)).await.expect("a spool");
        loop {
            let reports = spool.peek(500, 2 * 1024 * 1024).await.expect("reports");
            let Some(last) = reports.last().map(|report| report.sequence) else {
                break;
            };
            for spooled in reports {
                let Content::Report(body) = &spooled.content else {
                    panic!("{spooled:?}");
                };
                if let Some(reading) = reading_of(body) {
                    let text = serde_json::to_vec(&reading).expect("JSON");
                    let hash = digest(&SHA256, &text).as_ref().to_vec();
                    self.hashes.insert(spooled.sequence.0, hash);
                }
            }
            spool.ack(last).await.expect("an ack");
        }
        spool.close().await;
    }
}

/// A world with printers, and a Mosquitto if one is to be killed; else the hub's own broker, which
/// ends with the hub.
async fn world(printers: u64, snmp_port: u16, is_mosquitto: bool) -> (World, Option<Mosquitto>) {
    let nets: Vec<String> = (0..printers.div_ceil(NET))
        .map(|net| format!("127.34.{net}.1-{}", NET.min(printers - net * NET)))
        .collect();
    let nets: Vec<&str> = nets.iter().map(String::as_str).collect();
    let mut world = World::new();
    let mut more = "[log]\nlevel = \"debug\"\n".to_owned();
    let mut broker = is_mosquitto.then(|| Mosquitto::beside(&world));
    if let Some(broker) = &mut broker {
        world.hub_runs_with(&broker.hub_config()).await;
        broker.is_configured(&world);
        broker.starts().await;
        more += &format!(
            "[mqtt]\ntransport = \"tls\"\nhost = \"127.0.0.1\"\nport = {}\nca_file = {:?}\n",
            broker.tls_port,
            broker.ca_file()
        );
    } else {
        world.hub_runs().await;
    }
    world.agent_is_configured(&nets, snmp_port, &more);
    world.agent_is_enrolled();
    world.agent_is_started();
    (world, broker)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_at_the_hub_once_and_what_was_ordered_is_answered_once() {
    let kills = Kills {
        agent: asked("PLATEN_CHAOS_AGENT_KILLS", 10),
        hub: asked("PLATEN_CHAOS_HUB_KILLS", 6),
        broker: asked("PLATEN_CHAOS_BROKER_KILLS", 6),
    };
    let printers = asked("PLATEN_CHAOS_PRINTERS", 8);
    let rack = stories::rack(&fleet(printers));
    let (mut world, mut broker) = world(printers, rack.port, kills.broker > 0).await;
    let mut clerk = Clerk::of(&world).await;

    let is_over = AtomicBool::new(false);
    let killing = async {
        let accepted = kill(&mut world, &mut broker, kills).await;
        is_over.store(true, Ordering::Relaxed);
        accepted
    };
    let (mut accepted, ()) = tokio::join!(killing, order(&mut clerk, &is_over));

    clerk.waits(SETTLE).await;
    until("the spool is empty after the last kill", DRAIN, || async {
        let status = world.status()?;
        (status["queue"]["waiting"] == 0).then_some(())
    })
    .await;
    let spooled_at_last = world.settles(rack).await;
    let tally = clerk.judges(&world, &["agent"]).await;
    assert!(tally.done > 0, "nothing was done: an empty test: {tally:?}");

    accepted.look(&world).await;
    judge_bodies(&world, &accepted).await;
    let sequences = judge_reports(&world, &spooled_at_last).await;
    let devices = judge_readings(&world).await;
    assert_eq!(devices as u64, printers, "each printer is one device");

    // The agent's log is a witness outside of the spool.
    let told = said(&world, "agent", "spooled", "sequence");
    assert!(told.len() > 20, "the agent tells what it spooled");
    let lost: Vec<_> = told.iter().filter(|it| !sequences.contains(it)).collect();
    assert!(lost.is_empty(), "the spool said that it had {lost:?}");

    let repeated: u64 = said(&world, "hub", "polled", "repeated").iter().sum();
    assert!(
        repeated > 0 || kills.hub < MANY,
        "nothing was ever sent twice: an empty test"
    );
    println!(
        "{} reports are at the hub once, {} of them told by the agent's log, {repeated} sent twice; \
         {tally:?}",
        sequences.len(),
        told.len()
    );
}

/// Kills agent, hub and broker so often, in an order and at instants that the seed decides, and
/// starts each again at once. Now and then a dead agent's spool is looked into first.
async fn kill(world: &mut World, broker: &mut Option<Mosquitto>, mut left: Kills) -> Accepted {
    let mut dice = Dice(asked("PLATEN_CHAOS_SEED", 2));
    let (begun, all) = (Instant::now(), left.all());
    let (mut accepted, mut looked) = (Accepted::default(), all);
    while left.all() > 0 {
        let most = if dice.below(CALM_ONE_IN) == 0 {
            CALM_MAX_MS
        } else {
            PAUSE_MAX_MS
        };
        tokio::time::sleep(Duration::from_millis(20 + dice.below(most))).await;
        let turn = dice.below(left.all());
        if turn < left.agent {
            left.agent -= 1;
            world.agent_is_killed();
            if looked - left.all() >= LOOK_EVERY {
                looked = left.all();
                accepted.look(world).await;
                println!("after {:?} are left: {left:?}", begun.elapsed());
            }
            world.agent_is_started();
        } else if turn < left.agent + left.hub {
            left.hub -= 1;
            world.hub_is_killed();
            world.hub_is_started();
        } else if let Some(broker) = broker {
            left.broker -= 1;
            broker.is_killed();
            broker.is_started();
        }
    }
    accepted
}

/// Gives commands until it is over.
async fn order(clerk: &mut Clerk, is_over: &AtomicBool) {
    let target = "127.34.0.1".parse().expect("an address");
    let orders = [Order::Check(target), Order::Read(None), Order::Diag];
    for order in orders.iter().cycle() {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        clerk.orders("story", order).await;
        tokio::time::sleep(ORDER_EVERY).await;
    }
}

/// Compares what the spool still holds, and that is the newest, with the hub's reports; and says
/// which sequences the hub has.
async fn judge_reports(world: &World, spooled: &[Mark]) -> BTreeSet<u64> {
    let stored = world.stored().await;
    let given_up = stored.len().saturating_sub(spooled.len());
    assert_eq!(
        spooled,
        &stored[given_up..],
        "the hub holds what the spool holds"
    );
    let sequences: Vec<u64> = stored.iter().map(|mark| mark.1).collect();
    let unbroken: Vec<u64> = (1..=sequences.len() as u64).collect();
    assert_eq!(sequences, unbroken, "the hub's reports have no holes");
    let epochs: BTreeSet<u64> = stored.iter().map(|mark| mark.0).collect();
    assert_eq!(epochs.len(), 1, "one spool reported");
    sequences.into_iter().collect()
}

/// Compares each reading at the hub with what the spool accepted.
async fn judge_bodies(world: &World, accepted: &Accepted) {
    let kept = world.reading_bodies().await;
    for (sequence, body) in &kept {
        let hash = accepted.hashes.get(sequence);
        let same = digest(&SHA256, body.as_bytes());
        assert_eq!(
            hash.map(Vec::as_slice),
            Some(same.as_ref()),
            "report {sequence} was altered"
        );
    }
    assert_eq!(kept.len(), accepted.hashes.len(), "none is missing");
    println!(
        "{} readings are at the hub as the spool had them",
        kept.len()
    );
}

/// The reading in a report, at the milliseconds that the wire has.
fn reading_of(body: &[u8]) -> Option<Reading> {
    match Report::from_body(body).expect("a report") {
        Report::Full { mut reading, .. } | Report::Status { mut reading, .. } => {
            let at = reading.at.as_millisecond();
            reading.at = Timestamp::from_millisecond(at).expect("a time");
            Some(*reading)
        }
        Report::Silent { .. } => None,
        Report::Thinned { .. } => panic!("the spool gave something up"),
    }
}

/// Every reading is its device's: of each device, all have one serial number and one address, and no
/// two devices share either. Says how many devices there are.
async fn judge_readings(world: &World) -> usize {
    let mut whose: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let readings = world.readings().await;
    for kept in &readings {
        let reading: Value = serde_json::from_str(&kept.body).expect("JSON");
        let serial = &reading["identity"]["serial"];
        assert!(serial.is_string(), "{reading}");
        let who = format!("{serial} at {}", reading["address"]);
        whose
            .entry(who.clone())
            .or_default()
            .insert(kept.device.clone());
        of.entry(kept.device.clone()).or_default().insert(who);
    }
    for (one, others) in whose.iter().chain(&of) {
        assert_eq!(others.len(), 1, "{one} is also {others:?}");
    }
    println!("{} readings are each of the right device", readings.len());
    of.len()
}

/// The numbers that a program's log lines with this message carry in a field.
fn said(world: &World, program: &str, message: &str, field: &str) -> Vec<u64> {
    let log = world.log_of(program);
    log.lines()
        .filter(|line| line.contains(message))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["fields"]["message"] == message)
        .filter_map(|line| line["fields"][field].as_u64())
        .collect()
}
