//! What goes through a session, counted where it passes and read where it is shown.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts of one session. Nothing depends on their order, so all of it is relaxed.
#[derive(Debug)]
pub struct Tally {
    begun: Instant,
    is_open: AtomicBool,
    connections: AtomicU64,
    refused: AtomicU64,
    open_now: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
    /// Milliseconds from `begun` to the last octet.
    moved_ms: AtomicU64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            is_open: AtomicBool::default(),
            connections: AtomicU64::default(),
            refused: AtomicU64::default(),
            open_now: AtomicU32::default(),
            sent: AtomicU64::default(),
            received: AtomicU64::default(),
            moved_ms: AtomicU64::default(),
        }
    }
}

/// A connection that is open; it is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Connected(std::sync::Arc<Tally>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.open_now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// The tunnel stands.
    pub(crate) fn opened(&self) {
        self.is_open.store(true, Ordering::Relaxed);
        self.moved();
    }

    /// Whether it does.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// A connection to the device begins.
    pub(crate) fn connected(self: &std::sync::Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.open_now.fetch_add(1, Ordering::Relaxed);
        self.moved();
        Connected(self.clone())
    }

    /// A connection was refused.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// So many octets went to the device.
    pub(crate) fn sent(&self, octets: usize) {
        self.sent.fetch_add(octets as u64, Ordering::Relaxed);
        self.moved();
    }

    /// So many octets came from the device.
    pub(crate) fn received(&self, octets: usize) {
        self.received.fetch_add(octets as u64, Ordering::Relaxed);
        self.moved();
    }

    /// How long nothing has moved.
    #[must_use]
    pub fn still(&self) -> Duration {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(moved)
    }

    /// Connections so far, those refused, and those open now.
    #[must_use]
    pub fn connections(&self) -> (u64, u64, u32) {
        (
            self.connections.load(Ordering::Relaxed),
            self.refused.load(Ordering::Relaxed),
            self.open_now.load(Ordering::Relaxed),
        )
    }

    /// Octets to the device and from it.
    #[must_use]
    pub fn octets(&self) -> (u64, u64) {
        (
            self.sent.load(Ordering::Relaxed),
            self.received.load(Ordering::Relaxed),
        )
    }

    fn moved(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(since, Ordering::Relaxed);
    }
}
