//! How a library of others is measured: as Platen's engine is, by as many workers, each of which takes
//! the next printer.

use std::error::Error;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
    /// Collects the objects of one printer by GetBulk with so many repetitions.
    fn walk(
        &mut self,
        address: Ipv4Addr,
        repetitions: u32,
    ) -> impl Future<Output = Result<Walked, Trouble>> + Send;
}

/// What all workers count.
#[derive(Default)]
struct Counts {
    whole: AtomicU32,
    packets: AtomicU32,
}

/// Reads the printers that the command line says, `PRINTERS AT_ONCE REPETITIONS`, by workers of this
/// library; prints a line of the form that `ours` prints.
///
/// # Errors
///
/// The command line is another, or a worker has panicked.
pub async fn run<P: Peer>(name: &str, worker: impl Fn() -> P) -> Result<(), Trouble> {
    let words = std::env::args().skip(1).map(|it| it.parse());
    let words: Vec<u32> = words.collect::<Result<_, _>>()?;
    let [printers, at_once, repetitions] = words[..] else {
        return Err("PRINTERS AT_ONCE REPETITIONS".into());
    };
    let (began, cpu_before) = (Instant::now(), cpu());
    let next = Arc::new(Mutex::new(addresses(printers)));
    let counts = Arc::new(Counts::default());
    let wanted = office().len();
    let workers = (0..at_once.min(printers)).map(|_| {
        let (mut peer, next, counts) = (worker(), next.clone(), counts.clone());
        tokio::spawn(async move {
            while let Some(address) = next.lock().ok().and_then(|mut it| it.next()) {
                let walk = tokio::time::timeout(WALK_MAX, peer.walk(address, repetitions));
                let walked = walk.await.unwrap_or_else(|late| Err(late.into()));
                let Ok(walked) = walked.inspect_err(|error| eprintln!("{address}: {error}")) else {
                    continue;
                };
                let whole = u32::from(walked.objects == wanted);
                counts.whole.fetch_add(whole, Ordering::Relaxed);
                counts.packets.fetch_add(walked.packets, Ordering::Relaxed);
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    for worker in workers {
        worker.await?;
    }
    println!(
        "{name} {repetitions}: {} of {printers}, {:.4} s, {:.4} s CPU, {:.2} packets a printer, 0 again",
        counts.whole.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
        (cpu() - cpu_before).as_secs_f64(),
        f64::from(counts.packets.load(Ordering::Relaxed)) / f64::from(printers),
    );
    println!("{}", peak()?);
    Ok(())
}
