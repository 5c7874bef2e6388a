//! What readings notice of a transfer at full speed: how late they are, in windows that alternate.
//!
//! A reading is late by the time from its turn, which is a fixed phase of each second, until the
//! agent has it whole. One kind of window has the same transfer go by OpenSSH's ssh in place of
//! the agent: what that costs, the machine costs. What is not at a site in the world, hub, reader
//! and device of the transfer, has a processor of its own in one of both measurements.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use stories::World;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout_at};

use crate::figures::{load, median, percentile, wanted};
use crate::openssh::Sshd;
use crate::rig::{self, Gateway, Rig, SOURCE, Tunnel, source};

/// The printers of the site, each read once in a period.
const PRINTERS: usize = 50;
const PERIOD_MS: f64 = 1_000.0;

/// The agent tells each reading.
const LOG: &str = "[log]\nlevel = \"debug\"\nformat = \"json\"\n";

/// What is left out at the beginning of a window.
const SETTLING: Duration = Duration::from_secs(1);

/// The cipher of both transfers.
const CIPHER: &str = "aes128-gcm@openssh.com";

/// What a line of 1 Gbit/s carries, in MiB in a second.
const LINE: f64 = 112.0;

const NAMES: [&str; 4] = [
    "no transfer",
    "transfer by the agent at 1 Gbit/s",
    "transfer by the agent",
    "transfer by ssh -R",
];

/// Reads from a tunnel until then, so many MiB in a second at most; how many they were.
async fn transfer(tunnel: &Tunnel, rate: f64, until: Instant) -> f64 {
    let began = Instant::now();
    let mut stream = tunnel.connect().await;
    let mut buffer = vec![0; 64 * 1024];
    let mut came = 0_u64;
    while let Ok(read) = timeout_at(until, stream.read(&mut buffer)).await {
        came += read.unwrap() as u64;
        let due = came as f64 / f64::from(1 << 20) / rate;
        let early = due - began.elapsed().as_secs_f64();
        if early > 0.001 {
            sleep(Duration::from_secs_f64(early)).await;
        }
    }
    came as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64()
}

/// By how many milliseconds a reading of a device was late that is due once in a period. The device's
/// turn is as `actors/schedule.rs` has it.
pub fn late_ms(device: &str, at: Timestamp, period_ms: f64) -> f64 {
    let phase = u32::from_str_radix(&device[..8], 16).expect("hex digits");
    let phase = (f64::from(phase) * period_ms / f64::from(u32::MAX)).floor();
    let at_ms = at.as_microsecond() as f64 / 1e3;
    let late = (at_ms - phase).rem_euclid(period_ms);
    // A timer counts whole milliseconds.
    if late > period_ms - 2.0 {
        late - period_ms
    } else {
        late
    }
}

/// Every reading in the agent's log: of which device, and when it was whole.
pub fn readings(log: &str) -> Vec<(String, Timestamp)> {
    let reading = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_one = line["message"] == "read" || line["fields"]["message"] == "read";
        let device = line["device"]
            .as_str()
            .or(line["fields"]["device"].as_str());
        let at = line["timestamp"].as_str()?.parse().ok()?;
        is_one.then_some((device?.to_owned(), at))
    };
    log.lines().filter_map(reading).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and an idle machine: scripts/bench/tunnel"]
async fn readings_do_not_wait_for_a_transfer_of_their_agent() {
    beside(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and an idle machine: scripts/bench/tunnel"]
async fn readings_wait_for_who_shares_their_processors() {
    beside(false).await;
}

/// Measures, with what is at a site on a processor of its own if it is `apart`.
async fn beside(apart: bool) {
    let world = World::new();
    let sshd = Sshd::start(&world).await;
    let mut rig = Rig::start(Gateway::OfTheHub, world, ("127.75.4", PRINTERS), LOG).await;
    source(rig.device(SOURCE), u64::MAX).await;
    let ssh = sshd.forwards(CIPHER, rig.device(SOURCE)).await;
    if apart {
        let [agent, printers] = rig.at_the_site();
        rig::apart(&[agent, printers, ssh.pid()], &[sshd.pid()]);
    }
    let by_agent = || async { Tunnel::Ours(rig.opens(SOURCE).await) };
    let tunnels = [
        None,
        Some((by_agent().await, LINE)),
        Some((by_agent().await, f64::INFINITY)),
        Some((Tunnel::Port(ssh.at), f64::INFINITY)),
    ];
    // The last ones may be left out.
    let kinds = wanted("PLATEN_BENCH_KINDS", 4) as usize;
    sleep(2 * SETTLING).await;
    let window = Duration::from_secs(wanted("PLATEN_BENCH_WINDOW_SECS", 12));
    let mut windows = Vec::new();
    println!(
        "the site has a processor of its own: {apart}; load {}",
        load()
    );
    for turn in 0..wanted("PLATEN_BENCH_ROUNDS", 4) as usize {
        for step in 0..kinds {
            let kind = (step + turn) % kinds;
            let (end, from) = (Instant::now() + window, Timestamp::now() + SETTLING);
            let speed = match &tunnels[kind] {
                Some((tunnel, rate)) => transfer(tunnel, *rate, end).await,
                None => {
                    tokio::time::sleep_until(end).await;
                    0.0
                }
            };
            windows.push((kind, from, Timestamp::now(), speed));
        }
    }
    println!("load {}", load());
    let readings = readings(&rig.world.log_of("agent"));
    let mut all: [Vec<f64>; 4] = Default::default();
    let mut p99s: [Vec<f64>; 4] = Default::default();
    let mut speeds: [Vec<f64>; 4] = Default::default();
    for (kind, from, to, speed) in windows {
        let within = readings.iter().filter(|(_, at)| (from..to).contains(at));
        let late: Vec<f64> = within.map(|(id, at)| late_ms(id, *at, PERIOD_MS)).collect();
        p99s[kind].push(percentile(&late, 0.99));
        speeds[kind].push(speed);
        all[kind].extend(late);
    }
    for kind in 0..kinds {
        let late = &all[kind];
        println!(
            "{}: {:.0} MiB/s, {} readings, late by median {:.1} ms, 99th percentile {:.1} ms \
             (by windows {:?}), at most {:.1} ms; 99th percentile to that without {:.2}",
            NAMES[kind],
            median(&speeds[kind]),
            late.len(),
            median(late),
            percentile(late, 0.99),
            p99s[kind],
            percentile(late, 1.0),
            percentile(late, 0.99) / percentile(&all[0], 0.99)
        );
    }
}
