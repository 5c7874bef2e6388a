//! The one retry rule: how long to wait before the next attempt.
//!
//! Used by the Supervisor (restarts) and the Uplink (polls that failed). It holds no clock and
//! starts no timer: it only says a duration.

use std::time::Duration;

/// First delay and last one; between them it doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Delay after the first failure, before jitter.
    pub first: Duration,
    /// No delay is longer.
    pub max: Duration,
}

impl Default for Backoff {
    /// One second to ten minutes: quick for an accident, rare for a device that always fails.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_secs(600),
        }
    }
}

impl Backoff {
    /// Says how long to wait after so many failures in a row.
    ///
    /// `chance` is 0.0 to 1.0 (see [`chance`]): half of the delay is fixed and half is by chance,
    /// so that a thousand agents whose hub comes back do not all return in one second.
    #[must_use]
    pub fn delay(&self, failures: u32, chance: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

/// A number from 0.0 to 1.0 by chance; the middle if the system has no randomness to give.
#[must_use]
pub fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

/// Moves a period by up to a tenth either way, so that agents started together drift apart.
#[must_use]
pub fn jittered(period: Duration, chance: f64) -> Duration {
    period.mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_from_the_first_to_the_last() {
        let backoff = Backoff::default();
        let delays: Vec<u64> = (1..=12).map(|n| backoff.delay(n, 1.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    }

    #[test]
    fn half_of_the_delay_is_by_chance() {
        let backoff = Backoff {
            first: Duration::from_secs(8),
            max: Duration::from_secs(8),
        };
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(4));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_secs(8));
    }

    #[test]
    fn endless_failure_does_not_overflow() {
        assert_eq!(
            Backoff::default().delay(u32::MAX, 1.0),
            Duration::from_secs(600)
        );
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let minute = Duration::from_secs(60);
        assert_eq!(jittered(minute, 0.0), Duration::from_secs(54));
        assert_eq!(jittered(minute, 1.0), Duration::from_secs(66));
    }
}
