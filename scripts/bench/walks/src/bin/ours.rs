//! Reads printers with Platen's engine, as the agent does: every one whole and made into a reading,
//! then whole again, then only what moves.
//!
//! `ours PRINTERS AT_ONCE [WALKS]`: WALKS (1) rounds whole again; a line a round: how many, wall and CPU seconds, packets a printer.

use std::error::Error;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use actors::reach::again::read_again;
use actors::reach::credential::Credential;
use actors::reach::packed::Packed;
use actors::reach::scope::{Door, InScope, Scope};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::reach::survey::{self, ReadError, Survey};
use printer::change::between;
use printer::profile::Profiles;
use printer::reading::Verdict;
use walks::measure::{cpu, peak};
use walks::peer::is_whole;
use walks::{PORT, addresses};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<u32> = std::env::args()
        .skip(1)
        .map(|it| it.parse())
        .collect::<Result<_, _>>()?;
    let (printers, at_once, walks) = match words[..] {
        [printers, at_once] => (printers, at_once, 1),
        [printers, at_once, walks] => (printers, at_once, walks),
        _ => return Err("ours PRINTERS AT_ONCE [WALKS]".into()),
    };
    // Devices are read on the agent's runtime, a thread for each processor.
    let runtime = tokio::runtime::Runtime::new()?;
    let walks = usize::try_from(walks)?;
    runtime.block_on(read(printers, usize::try_from(at_once)?, walks))
}

/// What all rounds share.
struct Fleet {
    snmp: Snmp,
    profiles: Profiles,
    credentials: Vec<Credential>,
    /// Who is read, and what is remembered of each.
    printers: Vec<(InScope, Mutex<Option<Packed>>)>,
}

async fn read(printers: u32, at_once: usize, walks: usize) -> Result<(), Box<dyn Error>> {
    let settings = SnmpSettings {
        in_flight_max: at_once,
        packets_per_second_max: 10_000_000,
        ..SnmpSettings::default()
    };
    let door = Door::Snmp { port: PORT };
    let range = ["127.20.0.0/16".parse()?];
    let scope = Scope::new(&range, &[], &[door])?;
    let targets = addresses(printers).map(|it| scope.admit(IpAddr::V4(it), door));
    let targets: Vec<InScope> = targets.collect::<Result<_, _>>()?;
    let fleet = Arc::new(Fleet {
        snmp: Snmp::open(settings)?,
        profiles: Profiles::embedded()?,
        credentials: vec![Credential::v2c("public")],
        printers: targets
            .into_iter()
            .map(|it| (it, Mutex::default()))
            .collect(),
    });
    let again = std::iter::repeat_n("walk again", walks);
    for round in ["first walk"].into_iter().chain(again).chain(["steady"]) {
        let (began, cpu_before, sent) = (Instant::now(), cpu(), fleet.snmp.counts());
        let whole = read_all(&fleet, round, at_once).await?;
        let now = fleet.snmp.counts();
        println!(
            "{round}: {whole} of {printers}, {:.4} s, {:.4} s CPU, {:.2} packets a printer, {} again",
            began.elapsed().as_secs_f64(),
            (cpu() - cpu_before).as_secs_f64(),
            (now.packets_sent - sent.packets_sent) as f64 / f64::from(printers),
            now.retries - sent.retries
        );
    }
    println!("{}", peak()?);
    Ok(())
}

/// Reads every printer, so many at once; how many were whole.
async fn read_all(
    fleet: &Arc<Fleet>,
    round: &'static str,
    at_once: usize,
) -> Result<u32, Box<dyn Error>> {
    let next = Arc::new(AtomicUsize::new(0));
    let whole = Arc::new(AtomicU32::new(0));
    let workers = (0..at_once.min(fleet.printers.len())).map(|_| {
        let (fleet, next, whole) = (fleet.clone(), next.clone(), whole.clone());
        tokio::spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((target, last)) = fleet.printers.get(at) else {
                    return;
                };
                let before = last.lock().ok().and_then(|mut it| it.take());
                let read = read_one(&fleet, round, target, before).await;
                fleet.snmp.forget_heard(target);
                let Ok(read) = read.inspect_err(|error| eprintln!("{error}")) else {
                    continue;
                };
                let is_right = read.trouble.is_none() && is_whole(&read.verdict);
                whole.fetch_add(u32::from(is_right), Ordering::Relaxed);
                if let Ok(mut last) = last.lock() {
                    *last = read.pack(&fleet.profiles);
                }
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    for worker in workers {
        worker.await?;
    }
    Ok(whole.load(Ordering::Relaxed))
}

/// Reads one printer as a device's actor does: by what is remembered, of which the last reading is had
/// beside the new one.
async fn read_one(
    fleet: &Fleet,
    round: &str,
    target: &InScope,
    before: Option<Packed>,
) -> Result<Survey, ReadError> {
    let (snmp, profiles, credentials) = (&fleet.snmp, &fleet.profiles, &fleet.credentials);
    let walk = before.as_ref().and_then(Packed::walk);
    let Some((before, walk)) = before.as_ref().zip(walk.as_ref()) else {
        return survey::read_device(snmp, target, credentials, profiles).await;
    };
    let last = before.last(walk);
    let read = if round == "steady" {
        survey::read_status(snmp, target, last, profiles).await
    } else {
        read_again(snmp, target, last, credentials, profiles).await
    }?;
    if let Verdict::Printer(reading) = &read.verdict {
        let before = before.reading(walk, (&read.walk, reading), profiles);
        assert!(
            before.is_some_and(|it| between(&it, reading).is_empty()),
            "nothing has moved"
        );
    }
    Ok(read)
}
