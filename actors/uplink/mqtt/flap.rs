//! Whether somebody else holds our identity: a broker lets one session have a client id, so two
//! holders throw each other out, again and again.
//!
//! What tells it from a broker that comes and goes: the next connection is made at the first
//! attempt. Pure: it is told the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Evictions within [`WINDOW`] that are no accident.
const EVICTIONS_MIN: usize = 3;

/// In which they count.
const WINDOW: Duration = Duration::from_secs(300);

/// A connection that ended sooner than this was taken, not lost. The other holder is back within
/// its first waits: 1, 2, 4 seconds.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// How long the alarm stays after the last eviction: both holders wait up to a minute between
/// their attempts.
const ALARM_LIFE: Duration = Duration::from_secs(900);

/// What is said of it.
const ALARM: &str = "another program uses this agent's identity at the broker: each connection is \
                     ended by the other's. If this agent was copied, stop one of the two and \
                     enroll it anew";

/// The evictions of late.
#[derive(Debug, Default)]
pub(super) struct Flaps {
    evictions: VecDeque<Instant>,
    /// A connection ended soon, and none failed since.
    suspect: Option<Instant>,
    alarmed: Option<Instant>,
}

impl Flaps {
    /// A connection stands again: if the one before ended soon, and nothing failed in between, it
    /// was an eviction.
    pub(super) fn note_connected(&mut self, now: Instant) {
        if let Some(at) = self.suspect.take() {
            self.evicted(at, now);
        }
    }

    /// A connection ended that had stood for `stood`.
    pub(super) fn note_lost(&mut self, now: Instant, stood: Duration, is_taken_over: bool) {
        if is_taken_over {
            self.evicted(now, now);
        } else if stood < TAKEN_WITHIN {
            self.suspect = Some(now);
        }
    }

    /// No connection could be made: the broker itself is in trouble.
    pub(super) fn note_failed(&mut self) {
        self.suspect = None;
    }

    /// What a person must know, while it is so.
    pub(super) fn alarm(&self, now: Instant) -> Option<&'static str> {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < ALARM_LIFE;
        self.alarmed.is_some_and(is_fresh).then_some(ALARM)
    }

    fn evicted(&mut self, at: Instant, now: Instant) {
        self.evictions.push_back(at);
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > WINDOW;
        while self.evictions.front().is_some_and(is_old) {
            self.evictions.pop_front();
        }
        if self.evictions.len() >= EVICTIONS_MIN {
            self.alarmed = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(2);
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn three_short_connections_in_a_row_are_another_holder() {
        let (mut flaps, now) = (Flaps::default(), Instant::now());
        for turn in 0..3 {
            assert_eq!(flaps.alarm(now), None, "after {turn}");
            flaps.note_connected(now);
            flaps.note_lost(now, SOON, false);
        }
        flaps.note_connected(now);
        assert!(flaps.alarm(now).is_some());
        assert!(flaps.alarm(now + ALARM_LIFE).is_none());
    }

    #[test]
    fn a_broker_that_comes_and_goes_is_no_other_holder() {
        let (mut flaps, now) = (Flaps::default(), Instant::now());
        for _ in 0..20 {
            flaps.note_connected(now);
            flaps.note_lost(now, SOON, false);
            flaps.note_failed();
        }
        for _ in 0..20 {
            flaps.note_connected(now);
            flaps.note_lost(now, LONG, false);
        }
        assert_eq!(flaps.alarm(now), None);
    }

    #[test]
    fn three_evictions_in_a_day_are_accidents() {
        let (mut flaps, mut now) = (Flaps::default(), Instant::now());
        for _ in 0..5 {
            flaps.note_lost(now, LONG, true);
            now += LONG;
        }
        assert_eq!(flaps.alarm(now), None);
        for _ in 0..3 {
            flaps.note_lost(now, LONG, true);
        }
        assert!(flaps.alarm(now).is_some());
    }
}
