//! How fast we may send: one pace for everything that goes out, so that a site's limit holds
//! whatever is asked at once.
//!
//! Two rules together. Each packet has its slot, evenly spaced, so that nothing comes in bursts.
//! And whatever is sent is counted when it goes: who was held up, as by a busy machine, does not
//! make up for it within the same second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How far behind its plan the pace may catch up: timers are no finer than a millisecond, and a
/// burst this short is gone before a switch's queue notices.
const CATCH_UP: Duration = Duration::from_millis(10);

/// Most packets sent before the socket is listened to again: their answers fit the smallest
/// receive buffer that a kernel gives.
const BATCH_MAX: u32 = 64;

/// The same where the pace is [`WIDE_RATE_MIN`] and more, and the receive buffer has room for all their
/// answers: two threads send them.
const WIDE_BATCH: u32 = 1_024;

/// Packets a second from which on sending takes a processor whole.
const WIDE_RATE_MIN: u32 = 200_000;

/// What is sent is counted by slices of this length.
const SLICE: Duration = Duration::from_millis(10);

/// Slices over which the rate is kept: a second, the slice that has just begun, and 50 ms for what
/// lies between the count and the wire. So no second on the wire carries more than the rate.
const SLICES: usize = 106;

/// The back has one packet in so many: who answers without end is asked on and on, and however many do,
/// others have the rest. At the default rate these are six a second.
const BACK_ONE_IN: u64 = 8;

/// Packets per second, shared by all who send.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    nanos_per_packet: u64,
    packets_per_second: u32,
    batch: u32,
    plan: Mutex<Plan>,
}

#[derive(Debug)]
struct Plan {
    /// When the next packet may go, in nanoseconds since the start.
    next: u64,
    /// When the next packet of the back may.
    next_back: u64,
    /// What went in each of the last slices.
    sent: [u32; SLICES],
    /// Their sum.
    sum: u32,
    /// The latest slice that was counted in, since the start.
    slice: u64,
}

impl Pace {
    /// A pace of that many packets a second; at least one.
    pub(super) fn new(packets_per_second: u32) -> Self {
        let packets_per_second = packets_per_second.max(1);
        // Evenly spaced, the rate just fills the slices over which it is kept.
        let over = nanos(SLICE).saturating_mul(u64::try_from(SLICES).unwrap_or(u64::MAX));
        let plan = Plan {
            next: 0,
            next_back: 0,
            sent: [0; SLICES],
            sum: 0,
            slice: 0,
        };
        Self {
            start: Instant::now(),
            nanos_per_packet: over / u64::from(packets_per_second),
            packets_per_second,
            batch: (packets_per_second / 100).clamp(1, BATCH_MAX),
            plan: Mutex::new(plan),
        }
    }

    /// How many packets to reserve at once, for who has many.
    pub(super) fn batch(&self) -> u32 {
        self.batch
    }

    /// The same, for who has room for so many answers.
    pub(super) fn batch_with(&self, room: u32) -> u32 {
        match self.packets_per_second {
            WIDE_RATE_MIN.. if room >= WIDE_BATCH => WIDE_BATCH,
            _ => self.batch,
        }
    }

    /// How many packets go in this time, at most.
    pub(super) fn within(&self, time: Duration) -> u64 {
        let packets = u128::from(self.packets_per_second) * time.as_millis() / 1_000;
        u64::try_from(packets).unwrap_or(u64::MAX)
    }

    /// Waits for the turn of so many packets, which are then to be sent without delay.
    pub(super) async fn turn(&self, packets: u32) {
        let mut at = self.reserve(packets, Instant::now());
        loop {
            if at > Instant::now() {
                tokio::time::sleep_until(at).await;
            }
            match self.go(packets, Instant::now()) {
                Ok(()) => return,
                Err(later) => at = later,
            }
        }
    }

    /// Waits for the turn of one packet of who stands at the back. It takes no slot from anybody: it has
    /// its own, and counts where the rate is kept.
    pub(super) async fn turn_at_the_back(&self) {
        let mut at = self.reserve_at_the_back(Instant::now());
        loop {
            if at > Instant::now() {
                tokio::time::sleep_until(at).await;
            }
            match self.go(1, Instant::now()) {
                Ok(()) => return,
                Err(later) => at = later,
            }
        }
    }

    fn reserve_at_the_back(&self, now: Instant) -> Instant {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = plan.next_back.max(self.since_start(now));
        let cost = self.nanos_per_packet.saturating_mul(BACK_ONE_IN);
        plan.next_back = slot.saturating_add(cost);
        self.start + Duration::from_nanos(slot)
    }

    /// Reserves the next `packets` and tells when they may go, if [`Pace::go`] lets them.
    pub(super) fn reserve(&self, packets: u32, now: Instant) -> Instant {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = self.since_start(now).saturating_sub(nanos(CATCH_UP));
        let slot = plan.next.max(earliest);
        let cost = self.nanos_per_packet.saturating_mul(u64::from(packets));
        plan.next = slot.saturating_add(cost);
        self.start + Duration::from_nanos(slot)
    }

    /// Counts packets that go now.
    ///
    /// # Errors
    /// When to ask again, where this second has carried its rate.
    pub(super) fn go(&self, packets: u32, now: Instant) -> Result<(), Instant> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let slice = (self.since_start(now) / nanos(SLICE)).max(plan.slice);
        plan.forget_until(slice);
        // A batch is never larger than the rate, but whoever asks for more still gets a turn.
        if plan.sum > 0 && plan.sum.saturating_add(packets) > self.packets_per_second {
            let later = nanos(SLICE).saturating_mul(slice + 1);
            return Err(self.start + Duration::from_nanos(later));
        }
        plan.sum += packets;
        plan.sent[index(slice)] += packets;
        Ok(())
    }

    fn since_start(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.start))
    }
}

impl Plan {
    /// Begins the slices up to this one.
    fn forget_until(&mut self, slice: u64) {
        let slices = u64::try_from(SLICES).unwrap_or(u64::MAX);
        let first = (self.slice + 1).max((slice + 1).saturating_sub(slices));
        for begun in first..=slice {
            self.sum -= std::mem::take(&mut self.sent[index(begun)]);
        }
        self.slice = slice;
    }
}

fn index(slice: u64) -> usize {
    usize::try_from(slice % u64::try_from(SLICES).unwrap_or(1)).unwrap_or(0)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_holds_no_more_packets_than_the_pace() {
        for rate in [1, 50, 997] {
            let pace = Pace::new(rate);
            let start = Instant::now();
            let mut sent = Vec::new();
            while Instant::now() < start + Duration::from_secs(10) {
                pace.turn(1).await;
                sent.push(Instant::now());
            }
            let rate = usize::try_from(rate).unwrap();
            assert!(most_in_a_second(&sent) <= rate, "{rate} a second");
            let fewest = rate * 9;
            assert!(sent.len() > fewest, "{} packets in 10 s", sent.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_at_the_back_has_a_share_and_takes_no_slot() {
        let pace = std::sync::Arc::new(Pace::new(400));
        let back = std::sync::Arc::clone(&pace);
        let endless = tokio::spawn(async move {
            let mut sent = Vec::new();
            for _packet in 0..500 {
                back.turn_at_the_back().await;
                sent.push(Instant::now());
            }
            sent
        });
        let mut latest = Duration::ZERO;
        for _packet in 0..500 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let wanted = Instant::now();
            pace.turn(1).await;
            latest = latest.max(wanted.elapsed());
        }
        assert!(latest <= Duration::from_millis(1), "{latest:?}");
        let sent = endless.await.unwrap();
        assert!(most_in_a_second(&sent) <= 400 / 8, "an eighth");
    }

    #[tokio::test(start_paused = true)]
    async fn front_and_back_together_keep_the_pace() {
        let pace = std::sync::Arc::new(Pace::new(100));
        let (one, other) = (std::sync::Arc::clone(&pace), pace);
        let front = tokio::spawn(async move {
            let mut sent = Vec::new();
            for _packet in 0..900 {
                one.turn(1).await;
                sent.push(Instant::now());
            }
            sent
        });
        let mut all = Vec::new();
        for _packet in 0..60 {
            other.turn_at_the_back().await;
            all.push(Instant::now());
        }
        all.extend(front.await.unwrap());
        assert!(most_in_a_second(&all) <= 100);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_held_up_makes_no_burst() {
        let pace = Pace::new(1_000);
        let mut sent = Vec::new();
        for _second in 0..20 {
            for _packet in 0..150 {
                pace.turn(1).await;
                sent.push(Instant::now());
            }
            // Slots that are reserved and then not used in time, as by many who wait on a machine
            // that stands still.
            let slots: Vec<Instant> = (0..300).map(|_| pace.reserve(1, Instant::now())).collect();
            tokio::time::advance(Duration::from_millis(700)).await;
            assert!(slots.iter().all(|slot| *slot <= Instant::now()));
            for _slot in slots {
                while let Err(later) = pace.go(1, Instant::now()) {
                    tokio::time::sleep_until(later).await;
                }
                sent.push(Instant::now());
            }
        }
        assert!(most_in_a_second(&sent) <= 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_burst() {
        let pace = Pace::new(1_000);
        tokio::time::advance(Duration::from_secs(60)).await;
        let now = Instant::now();
        let at_once = (0..1_000).filter(|_| pace.reserve(1, now) <= now).count();
        assert!(at_once <= 11, "{at_once} packets at once");
    }

    fn most_in_a_second(sent: &[Instant]) -> usize {
        let within = |first: &Instant| {
            let end = *first + Duration::from_secs(1);
            sent.iter().filter(|at| (*first..end).contains(at)).count()
        };
        sent.iter().map(within).max().unwrap_or(0)
    }
}
