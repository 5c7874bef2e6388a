//! A runtime for who takes long: one thread, which waits for all others where a processor is short.
//!
//! What is answered without end is decoded without end. Beside honest readings on the threads of one
//! runtime it would hold each of them up for the milliseconds that one such answer takes.

use std::io;

#[cfg(target_os = "linux")]
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle};
use tracing::warn;

use crate::reach::own_runtime::OwnRuntime;

/// How far its thread steps back where a processor is short: nice(2) of 19, a tenth of what the
/// readings' threads get.
const NICE: i32 = 10;

/// The runtime, until this is dropped.
#[derive(Debug)]
pub(crate) struct Behind(OwnRuntime);

impl Behind {
    /// Starts its thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(crate) fn open() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("behind");
        OwnRuntime::of(builder.on_thread_start(step_back)).map(Self)
    }

    /// What puts work on it.
    pub(crate) fn handle(&self) -> &Handle {
        self.0.handle()
    }
}

/// Has this thread wait for those that read devices.
pub(crate) fn step_back() {
    // A priority is a thread's own on Linux alone; elsewhere it would be everybody's.
    #[cfg(target_os = "linux")]
    if let Err(error) = getpriority_process(None)
        // Whoever was started further back stays there.
        .and_then(|now| setpriority_process(None, now.max(NICE)))
    {
        warn!(%error, "a thread that should wait keeps the priority of the others");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn its_thread_has_a_lower_priority_than_who_opened_it() {
        let priority = || getpriority_process(None).expect("a priority");
        let behind = Behind::open().expect("a thread");
        let there = behind.handle().spawn(async move { priority() });
        assert_eq!(there.await.expect("it runs"), NICE.max(priority()));
    }
}
