//! How a library of others is measured: as Platen's engine is, by as many workers, each of which takes
//! the next printer.

use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use printer::judge::judge;
use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::walk::Walk;
use snmp::VarBind;

use crate::addresses;
use crate::measure::{cpu, peak};
use crate::office::office;

/// Longest walk.
const WALK_MAX: Duration = Duration::from_secs(10);
/// Where a walk begins: mib-2, as all that the office printer has.
pub const ROOT: [u32; 6] = [1, 3, 6, 1, 2, 1];
/// How long a library waits for one answer, where it has such a setting.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What ended a walk.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// What a walk has brought.
pub struct Walked {
    /// Objects collected.
    pub objects: usize,
    /// Questions asked.
    pub packets: u32,
}

/// One worker's use of a library.
pub trait Peer: Send + 'static {
    /// What the last walk has collected, to make a reading of it.
    fn collected(&mut self) -> Vec<VarBind>;

    /// Collects the objects of one printer by GetBulk with so many repetitions.
    fn walk(
        &mut self,
        address: Ipv4Addr,
        repetitions: u32,
    ) -> impl Future<Output = Result<Walked, Trouble>> + Send;
}

/// Whether a reading holds what the office printer has.
#[must_use]
pub fn is_whole(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Printer(reading) => {
            let counts = (
                reading.supplies.len(),
                reading.trays.len(),
                reading.alerts.len(),
            );
            counts == (6, 4, 3)
        }
        Verdict::NotAPrinter { .. } => false,
    }
}

/// What all workers count.
#[derive(Default)]
struct Counts {
    whole: AtomicU32,
    packets: AtomicU32,
}

/// Reads the printers that the command line says, `PRINTERS AT_ONCE REPETITIONS [READINGS]`, by workers of
/// this library; prints a line of the form that `ours` prints. With 1 for READINGS a reading is made of
/// each, as Platen makes it: then both do the same.
///
/// # Errors
///
/// The command line is another, or a worker has panicked.
pub async fn run<P: Peer>(name: &str, worker: impl Fn() -> P) -> Result<(), Trouble> {
    let words = std::env::args().skip(1).map(|it| it.parse());
    let words: Vec<u32> = words.collect::<Result<_, _>>()?;
    let (printers, at_once, repetitions, judges) = match words[..] {
        [printers, at_once, repetitions] => (printers, at_once, repetitions, None),
        [printers, at_once, repetitions, 1] => {
            let profiles = Arc::new(Profiles::embedded()?);
            (printers, at_once, repetitions, Some(profiles))
        }
        _ => return Err("PRINTERS AT_ONCE REPETITIONS [1]".into()),
    };
    let (began, cpu_before) = (Instant::now(), cpu());
    let next = Arc::new(Mutex::new(addresses(printers)));
    let counts = Arc::new(Counts::default());
    let wanted = office().len();
    let workers = (0..at_once.min(printers)).map(|_| {
        let (mut peer, next, counts) = (worker(), next.clone(), counts.clone());
        let profiles = judges.clone();
        tokio::spawn(async move {
            while let Some(address) = next.lock().ok().and_then(|mut it| it.next()) {
                let walk = tokio::time::timeout(WALK_MAX, peer.walk(address, repetitions));
                let walked = walk.await.unwrap_or_else(|late| Err(late.into()));
                let Ok(walked) = walked.inspect_err(|error| eprintln!("{address}: {error}")) else {
                    continue;
                };
                let is_read = profiles.as_ref().is_none_or(|profiles| {
                    let walk: Walk = peer.collected().into_iter().collect();
                    let address = Some(IpAddr::V4(address));
                    is_whole(&judge(&walk, profiles, address, Timestamp::now()))
                });
                let whole = u32::from(walked.objects == wanted && is_read);
                counts.whole.fetch_add(whole, Ordering::Relaxed);
                counts.packets.fetch_add(walked.packets, Ordering::Relaxed);
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    for worker in workers {
        worker.await?;
    }
    let made = if judges.is_some() {
        " and readings"
    } else {
        ""
    };
    println!(
        "{name} {repetitions}{made}: {} of {printers}, {:.4} s, {:.4} s CPU, {:.2} packets a printer, 0 again",
        counts.whole.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
        (cpu() - cpu_before).as_secs_f64(),
        f64::from(counts.packets.load(Ordering::Relaxed)) / f64::from(printers),
    );
    println!("{}", peak()?);
    Ok(())
}
