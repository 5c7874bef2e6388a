//! The watch over the Supervisor itself: a plain thread outside of every runtime.
//!
//! A child that hangs in an await is the Supervisor's to see. Code that never gives the thread
//! back stops the Supervisor with it, and no timer of that thread could tell; where it holds the
//! threads of a runtime that asks devices, nobody is read there any more. So the Supervisor has those
//! runtimes count up a number, and this thread looks whether it moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// How many looks the watchdog takes within its patience.
const LOOKS: u32 = 8;

/// The number that moves while the Supervisor and the runtimes live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heart(Arc<AtomicU64>);

impl Heart {
    /// Shows that the caller lives, and both runtimes.
    pub(crate) fn beat(&self, runtime: &Handle, behind: &Handle) {
        let (number, behind) = (self.0.clone(), behind.clone());
        runtime.spawn(async move {
            behind.spawn(async move { number.fetch_add(1, Ordering::Relaxed) });
        });
    }
}

/// Ends its thread when it is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _leash: SyncSender<()>,
}

/// Calls `bark` once, from a thread of its own, if the heart stands still for `patience`.
///
/// # Errors
/// The operating system refused a thread.
pub(crate) fn watch(
    heart: Heart,
    patience: Duration,
    bark: impl FnOnce() + Send + 'static,
) -> std::io::Result<Watchdog> {
    let (leash, gone) = sync_channel(1);
    thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            if stands_still(&heart, patience, &gone) {
                bark();
            }
        })?;
    Ok(Watchdog { _leash: leash })
}

/// Looks until the heart has stood still for too long (true) or nobody needs the watch (false).
fn stands_still(heart: &Heart, patience: Duration, gone: &Receiver<()>) -> bool {
    let mut seen = heart.0.load(Ordering::Relaxed);
    let mut moved = Instant::now();
    loop {
        match gone.recv_timeout(patience / LOOKS) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return false,
        }
        let current = heart.0.load(Ordering::Relaxed);
        if current != seen {
            seen = current;
            moved = Instant::now();
        } else if moved.elapsed() >= patience {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).build().expect("a runtime")
    }

    #[test]
    fn a_heart_stands_still_while_a_runtime_is_held() {
        let (one, other) = (runtime(), runtime());
        for held in [&one, &other] {
            let heart = Heart::default();
            let beats = || heart.0.load(Ordering::Relaxed);
            let (hold, until) = sync_channel::<()>(0);
            let holding = held.spawn(async move { until.recv() });
            heart.beat(one.handle(), other.handle());
            thread::sleep(Duration::from_millis(50));
            assert_eq!(beats(), 0);
            hold.send(()).expect("it is held");
            let told = held.block_on(holding).expect("it is free");
            assert_eq!(told, Ok(()));
            let began = Instant::now();
            while beats() == 0 {
                assert!(began.elapsed() < Duration::from_secs(10), "it beats again");
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_heart_that_stands_still_makes_it_bark() {
        let (bark, barked) = sync_channel(1);
        let (runtime, heart) = (runtime(), Heart::default());
        heart.beat(runtime.handle(), runtime.handle());
        let patience = Duration::from_millis(20);
        let watchdog = watch(heart, patience, move || {
            bark.send(()).expect("the test waits")
        });
        assert_eq!(barked.recv_timeout(Duration::from_secs(10)), Ok(()));
        drop(watchdog);
    }

    #[test]
    fn without_a_leash_it_goes_home() {
        let (bark, barked) = sync_channel::<()>(1);
        let watchdog = watch(Heart::default(), Duration::from_secs(3600), move || {
            drop(bark)
        });
        drop(watchdog);
        assert_eq!(
            barked.recv_timeout(Duration::from_secs(10)),
            Err(RecvTimeoutError::Disconnected),
            "the thread ended without barking"
        );
    }
}
