//! Reads printers with Platen's engine, as the agent does: every one whole and made into a reading,
//! then whole again, then only what moves.
//!
//! `ours PRINTERS AT_ONCE`: a line a round: how many, wall and CPU seconds, packets a printer.

use std::error::Error;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::reach::again::read_again;
use actors::reach::credential::Credential;
use actors::reach::packed::Packed;
use actors::reach::scope::{Door, InScope, Scope};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::reach::survey::{self, Survey};
use printer::profile::Profiles;
use printer::reading::Verdict;
use walks::{PORT, addresses};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<u32> = std::env::args()
        .skip(1)
        .map(|it| it.parse())
        .collect::<Result<_, _>>()?;
    let [printers, at_once] = words[..] else {
        return Err("ours PRINTERS AT_ONCE".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(read(printers, usize::try_from(at_once)?))
}

async fn read(printers: u32, at_once: usize) -> Result<(), Box<dyn Error>> {
    let settings = SnmpSettings {
        in_flight_max: at_once,
        packets_per_second_max: 10_000_000,
        ..SnmpSettings::default()
    };
    let snmp = Snmp::open(settings)?;
    let door = Door::Snmp { port: PORT };
    let range = ["127.20.0.0/16".parse()?];
    let scope = Scope::new(&range, &[], &[door])?;
    let targets: Vec<InScope> = addresses(printers)
        .map(|it| scope.admit(IpAddr::V4(it), door))
        .collect::<Result<_, _>>()?;
    let profiles = Arc::new(Profiles::embedded()?);
    let credentials = vec![Credential::v2c("public")];
    let count = printers;
    let printers: Arc<Vec<(InScope, Mutex<Option<Packed>>)>> = Arc::new(
        targets
            .into_iter()
            .map(|it| (it, Mutex::default()))
            .collect(),
    );
    for round in ["first walk", "walk again", "steady"] {
        let (began, cpu, sent) = (Instant::now(), cpu(), snmp.counts());
        let next = Arc::new(AtomicUsize::new(0));
        let whole = Arc::new(AtomicU32::new(0));
        let workers = (0..at_once).map(|_| {
            let (snmp, profiles, credentials) =
                (snmp.clone(), profiles.clone(), credentials.clone());
            let (printers, next, whole) = (printers.clone(), next.clone(), whole.clone());
            tokio::spawn(async move {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((target, last)) = printers.get(at) else {
                        return;
                    };
                    let before = last.lock().ok().and_then(|mut it| it.take());
                    // As a device's actor does: the last reading comes out of what is remembered.
                    let before = before.and_then(|it| it.unpack(&profiles));
                    let read = match (round, &before) {
                        ("steady", Some(last)) => {
                            survey::read_status(&snmp, target, last, &profiles).await
                        }
                        ("walk again", Some(last)) => {
                            read_again(&snmp, target, last, &credentials, &profiles).await
                        }
                        _ => survey::read_device(&snmp, target, &credentials, &profiles).await,
                    };
                    let Ok(read) = read.inspect_err(|error| eprintln!("{error}")) else {
                        continue;
                    };
                    whole.fetch_add(u32::from(is_whole(&read)), Ordering::Relaxed);
                    if let Ok(mut last) = last.lock() {
                        *last = read.pack();
                    }
                }
            })
        });
        let workers: Vec<_> = workers.collect();
        for worker in workers {
            worker.await?;
        }
        let whole = whole.load(Ordering::Relaxed);
        let now = snmp.counts();
        println!(
            "{round}: {whole} of {count}, {:.2} s, {:.2} s CPU, {:.2} packets a printer, {} again",
            began.elapsed().as_secs_f64(),
            (self::cpu() - cpu).as_secs_f64(),
            (now.packets_sent - sent.packets_sent) as f64 / f64::from(count),
            now.retries - sent.retries
        );
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!(
        "{}",
        status
            .lines()
            .find(|it| it.starts_with("VmHWM"))
            .unwrap_or_default()
    );
    Ok(())
}

/// Whether a reading holds what the office printer has.
fn is_whole(read: &Survey) -> bool {
    match &read.verdict {
        Verdict::Printer(reading) => {
            let counts = (
                reading.supplies.len(),
                reading.trays.len(),
                reading.alerts.len(),
            );
            read.trouble.is_none() && counts == (6, 4, 3)
        }
        Verdict::NotAPrinter { .. } => false,
    }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let Ok(usage) = usage else {
        return Duration::ZERO;
    };
    let time = |it: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(it.tv_sec() * 1_000_000 + it.tv_usec()).unwrap_or(0))
    };
    time(usage.user_time()) + time(usage.system_time())
}
