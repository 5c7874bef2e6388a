//! How fast we may send: one pace for everything that goes out, so that a site's limit holds
//! whatever is asked at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How far behind its plan the pace may catch up: timers are no finer than a millisecond, and a
/// burst this short is gone before a switch's queue notices.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Most packets sent before the socket is listened to again: their answers fit the smallest
/// receive buffer that a kernel gives.
const BATCH_MAX: u32 = 64;

/// Packets per second, shared by all who send.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    nanos_per_packet: u64,
    batch: u32,
    /// When the next packet may go, in nanoseconds since `start`.
    next: AtomicU64,
}

impl Pace {
    /// A pace of that many packets a second; at least one.
    pub(super) fn new(packets_per_second: u32) -> Self {
        let packets_per_second = packets_per_second.max(1);
        Self {
            start: Instant::now(),
            nanos_per_packet: 1_000_000_000 / u64::from(packets_per_second),
            batch: (packets_per_second / 100).clamp(1, BATCH_MAX),
            next: AtomicU64::new(0),
        }
    }

    /// How many packets to reserve at once, for who has many.
    pub(super) fn batch(&self) -> u32 {
        self.batch
    }

    /// Reserves the next `packets` and tells when they may go.
    pub(super) fn reserve(&self, packets: u32, now: Instant) -> Instant {
        let elapsed = nanos(now.saturating_duration_since(self.start));
        let earliest = elapsed.saturating_sub(nanos(CATCH_UP));
        let cost = self.nanos_per_packet.saturating_mul(u64::from(packets));
        let planned = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                Some(next.max(earliest).saturating_add(cost))
            });
        // The closure always gives a value, so both arms hold the plan before this reservation.
        let (Ok(before) | Err(before)) = planned;
        self.start + Duration::from_nanos(before.max(earliest))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_holds_no_more_packets_than_the_pace() {
        let pace = Pace::new(50);
        let start = Instant::now();
        let mut sent = 0;
        while Instant::now() < start + Duration::from_secs(10) {
            tokio::time::sleep_until(pace.reserve(1, Instant::now())).await;
            sent += 1;
        }
        assert!((499..=502).contains(&sent), "{sent} packets in 10 s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_burst() {
        let pace = Pace::new(1_000);
        tokio::time::advance(Duration::from_secs(60)).await;
        let now = Instant::now();
        let at_once = (0..1_000).filter(|_| pace.reserve(1, now) <= now).count();
        assert!(at_once <= 11, "{at_once} packets at once");
    }
}
