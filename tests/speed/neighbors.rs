//! What honest printers notice of those that misbehave: how late their readings are, in an agent that
//! has 900 of them, and in one that has every behavior of the simulator's list beside them.
//!
//! The two agents run in turns, a window each, on one simulator. A reading is late by the time from
//! its turn until the agent has it whole. Everybody is read in full once in a window, as whoever walks
//! without end must be for anything to be noticed. Every reading that fails begins anew, in full, at
//! the next turn, so that whoever takes a reading's whole budget is being read all the time.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use simulator::{BEHAVIORS, WITH_V3};
use stories::{Running, World, program};
use tokio::time::{Instant, sleep, sleep_until};

use crate::figures::{busy_ms, load, median, memory, percentile, told, wanted};
use crate::readings::{late_ms, readings};
use crate::rig::apart;

/// Honest printers: 225 in each of four networks of a range.
const NEIGHBORS: u64 = 900;
const IN_A_NETWORK: u64 = 225;

/// How often each is read for what moves.
const PERIOD_SECS: u64 = 4;

/// And in full: as many times as seldom as by default.
const FULL_SECS: u64 = 12 * PERIOD_SECS;

/// What is left out of a window: the agent finds everybody, and reads them for the first time.
const SETTLING: Duration = Duration::from_secs(25);

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The memory that an agent may take, in MiB.
const MEMORY_MAX: f64 = 96.0;

/// The thread of all actors.
const ACTORS: &str = "actors";

/// Fewest printers with which something is wrong, as the agent says it, beside those that misbehave:
/// with fewer nothing was measured. Many do what is no trouble, such as a text in another alphabet.
const AMISS_LEAST: u64 = 30;

/// The user that those of version 3 know.
const USER: &str = "[[users]]\nname = \"mps\"\nauth = \"sha256\"\nauth_password = \"auth-password\"\n\
    priv = \"aes128\"\npriv_password = \"priv-password\"\n";

/// What one kind of window showed.
#[derive(Default)]
struct Kind {
    late: Vec<f64>,
    p99s: Vec<f64>,
    memory: Vec<f64>,
    most: f64,
    /// Honest printers that were read, window by window.
    devices: Vec<usize>,
    /// Printers that the agent knew at the end.
    known: u64,
    restarts: u64,
    /// Milliseconds of a processor that the thread of all actors had in each second.
    actors_ms: Vec<f64>,
    /// Readings of whoever is not honest that were whole, or as much of it as there is, by windows.
    others: Vec<usize>,
    /// Printers that were cut short or answer oddly, that are silent, and that take no credential.
    amiss: [u64; 3],
}

/// Every behavior at an address of its own, those of version 3 in a network of theirs.
fn misbehaving(number: usize) -> Ipv4Addr {
    let network = if WITH_V3.contains(&BEHAVIORS[number].number) {
        9
    } else {
        8
    };
    Ipv4Addr::new(
        127,
        76,
        network,
        u8::try_from(10 + number).expect("few behaviors"),
    )
}

fn fleet(recordings: &std::path::Path) -> String {
    let group = |addresses: String, more: &str| {
        format!(
            "[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = [{addresses}]\n\
             serial = \"NB{{n:5}}\"\n{more}\n"
        )
    };
    let honest: Vec<String> = (0..NEIGHBORS)
        .map(|n| format!("\"127.76.{}.{}\"", n / IN_A_NETWORK, n % IN_A_NETWORK + 1))
        .collect();
    let mut fleet = format!("seed = 76\nfrozen = true\nrecordings = {recordings:?}\n{USER}");
    fleet += &group(honest.join(", "), "");
    for (number, behavior) in BEHAVIORS.iter().enumerate() {
        let mut how = format!("misbehave = \"{}\"\n", behavior.name);
        if WITH_V3.contains(&behavior.number) {
            how += "versions = [\"3\"]\n";
        }
        fleet += &group(format!("\"{}\"", misbehaving(number)), &how);
    }
    fleet
}

/// An agent's world: honest printers, and those that misbehave if they are to be there. It has the
/// usual bounds, but for the pace, which is as much above the usual one as the schedule is.
fn world(snmp: u16, with_all: bool) -> World {
    let world = World::new();
    let secret = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = world.path(name);
        std::fs::write(&path, format!("{name}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let mut more = "[log]\nlevel = \"debug\"\nformat = \"json\"\n".to_owned();
    if with_all {
        more += &format!(
            "[[ranges]]\naddresses = [\"127.76.9.0/24\"]\ncredentials = [\"mps\"]\n\
             [credentials.mps]\nversion = \"3\"\nuser = \"mps\"\nauth = \"sha256\"\n\
             auth_password_file = {:?}\npriv = \"aes128\"\npriv_password_file = {:?}\n",
            secret("auth-password"),
            secret("priv-password"),
        );
    }
    let ranges: &[&str] = if with_all {
        &["127.76.0.0/22", "127.76.8.0/24"]
    } else {
        &["127.76.0.0/22"]
    };
    world.agent_is_configured(ranges, snmp, &more);
    let file = world.path("agent.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let pace = wanted("PLATEN_BENCH_RATE", 50 * 300 / PERIOD_SECS);
    let config = config
        .replace("read_secs = 2\n", &format!("read_secs = {FULL_SECS}\n"))
        .replace(
            "status_secs = 1\n",
            &format!("status_secs = {PERIOD_SECS}\n"),
        )
        .replace("discover_secs = 3\n", "discover_secs = 3600\n")
        .replace("timeout_ms = 500\n", "")
        .replace(
            "packets_per_second = 20000\n",
            &format!("packets_per_second = {pace}\n"),
        );
    std::fs::write(file, config).unwrap();
    world
}

/// Every reading within a window: whose it is, and by how many milliseconds it was late.
type Late = Vec<(String, f64)>;

/// Runs the agent for a window, and takes what its log and its process tell.
async fn window(world: &mut World, sim: &Running, kind: &mut Kind, length: Duration) -> Late {
    let _ = std::fs::remove_file(world.path("agent.log"));
    world.agent_is_started();
    let agent = world.agent().expect("it runs").pid();
    apart(&[agent], &[sim.pid()]);
    sleep(SETTLING).await;
    let (from, end) = (Timestamp::now(), Instant::now() + length);
    let busy_before = busy_ms(agent, ACTORS);
    while Instant::now() < end {
        let (now, most) = memory(agent);
        kind.memory.push(now);
        kind.most = kind.most.max(most);
        sleep_until(end.min(Instant::now() + LOOK_EVERY)).await;
    }
    let to = Timestamp::now();
    let busy = busy_ms(agent, ACTORS) - busy_before;
    kind.actors_ms.push(busy / length.as_secs_f64());
    let status = world.status().expect("the agent answers");
    kind.restarts += status["restarts"]["total"].as_u64().expect("a count");
    let printers = &status["printers"];
    kind.known = printers["known"].as_u64().expect("a count");
    let troubled = printers["troubled_listed"].as_array().expect("a list");
    kind.amiss = [
        troubled.len() as u64,
        printers["silent"].as_u64().expect("a count"),
        printers["refusing"].as_u64().expect("a count"),
    ];
    assert_eq!(world.agent_ends().await, Some(0));
    let all = readings(&world.log_of("agent")).into_iter();
    let within = all.filter(|(_, at)| (from..to).contains(at));
    within
        .map(|(id, at)| {
            // A reading in full has a turn of its own.
            let late = |secs: u64| late_ms(&id, at, (secs * 1_000) as f64);
            let late = late(PERIOD_SECS).min(late(FULL_SECS));
            (id, late)
        })
        .collect()
}

/// Takes the readings of the honest.
fn take(kind: &mut Kind, late: Late, honest: &BTreeSet<String>) {
    let (late, others): (Late, Late) = late.into_iter().partition(|(id, _)| honest.contains(id));
    kind.others.push(others.len());
    let devices: BTreeSet<&String> = late.iter().map(|(id, _)| id).collect();
    kind.devices.push(devices.len());
    let late: Vec<f64> = late.into_iter().map(|(_, late)| late).collect();
    kind.p99s.push(percentile(&late, 0.99));
    kind.late.extend(late);
}

fn tell(name: &str, kind: &Kind) {
    let late = &kind.late;
    println!(
        "{name}: {} readings of {:?} neighbors, {} printers known, late by median {:.2} ms, 99th \
         percentile {:.2} ms (by windows {:.2?}), at most {:.1} ms; RSS {} MiB, at most {:.1}; {} \
         restarts; the actors' thread had {} ms of a second; {:?} readings of others, {:?} printers \
         with trouble, silent, refusing",
        late.len(),
        kind.devices,
        kind.known,
        median(late),
        percentile(late, 0.99),
        kind.p99s,
        percentile(late, 1.0),
        told(&kind.memory),
        kind.most,
        kind.restarts,
        told(&kind.actors_ms),
        kind.others,
        kind.amiss,
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and an idle machine: scripts/bench/neighbors"]
async fn neighbors_do_not_wait_for_who_misbehaves() {
    let place = World::new();
    std::fs::write(place.path("fleet.toml"), fleet(&stories::recordings())).unwrap();
    let port = stories::free_port();
    let (file, text) = (place.path("fleet.toml"), port.to_string());
    let words = ["run", "--fleet", file.to_str().unwrap(), "--port", &text].map(OsStr::new);
    let sim = Running::start(&program("platen-sim"), &words, &place.path("simulator.log"));
    let mut worlds = [world(port, false), world(port, true)];
    let mut kinds = [Kind::default(), Kind::default()];
    let mut lates: [Vec<Late>; 2] = Default::default();
    let length = Duration::from_secs(wanted("PLATEN_BENCH_WINDOW_SECS", FULL_SECS));
    println!("load {}", load());
    for turn in 0..wanted("PLATEN_BENCH_ROUNDS", 4) as usize {
        for step in 0..2 {
            let n = (turn + step) % 2;
            let late = window(&mut worlds[n], &sim, &mut kinds[n], length).await;
            lates[n].push(late);
        }
    }
    println!("load {}", load());
    // Whoever is read where nobody misbehaves is honest.
    let alone = lates[0].iter().flatten();
    let honest: BTreeSet<String> = alone.map(|(id, _)| id.clone()).collect();
    assert_eq!(honest.len() as u64, NEIGHBORS);
    for (kind, lates) in kinds.iter_mut().zip(lates) {
        for late in lates {
            take(kind, late, &honest);
        }
    }
    tell("900 printers", &kinds[0]);
    tell(
        &format!("900 printers and {} that misbehave", BEHAVIORS.len()),
        &kinds[1],
    );
    let [without, with] = &kinds;
    println!(
        "99th percentile to that without {:.3}, by turns {:.3?}",
        percentile(&with.late, 0.99) / percentile(&without.late, 0.99),
        with.p99s
            .iter()
            .zip(&without.p99s)
            .map(|(a, b)| a / b)
            .collect::<Vec<_>>(),
    );
    let amiss: u64 = with.amiss.iter().sum();
    assert!(amiss >= AMISS_LEAST, "only {amiss} of them misbehave");
    assert_eq!(with.restarts, 0, "an actor died");
    assert!(with.most < MEMORY_MAX, "{} MiB", with.most);
}
