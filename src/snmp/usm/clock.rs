//! What is known of an engine's clock (RFC 3414 §2.2, §2.3, §3.2 step 7 b).
//!
//! Our own time is handed in as the span since any fixed moment.

use std::time::Duration;

/// How far behind its engine's clock a message may be, in seconds (RFC 3414 §2.2.3).
pub const WINDOW_SECS: u32 = 150;

/// Highest number of boots. An engine that is there takes no authenticated message any more until
/// somebody sets it up anew (RFC 3414 §2.2.2).
pub const BOOTS_MAX: u32 = i32::MAX.unsigned_abs();

/// An engine's boots and time, as we believe them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    boots: u32,
    /// The engine's time when it was last heard.
    time: u32,
    /// Our own time then.
    heard_at: Duration,
    /// Whether an authentic message said so, or only a discovery, which anybody can answer.
    is_authentic: bool,
}

/// What a message's boots and time say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeliness {
    /// It is of now.
    Fresh,
    /// It is older than the window, or of an earlier life of the engine.
    Stale,
    /// The engine's boots are at their end.
    Latched,
}

impl Clock {
    /// Takes what a discovery said, which is a guess until something authentic comes.
    #[must_use]
    pub fn guessed(boots: u32, time: u32, now: Duration) -> Self {
        Self {
            boots,
            time,
            heard_at: now,
            is_authentic: false,
        }
    }

    /// The engine's boots and time now.
    #[must_use]
    pub fn at(&self, now: Duration) -> (u32, u32) {
        let passed = now.saturating_sub(self.heard_at).as_secs();
        let time = u64::from(self.time).saturating_add(passed);
        let time = u32::try_from(time).unwrap_or(BOOTS_MAX).min(BOOTS_MAX);
        (self.boots, time)
    }

    /// Judges an authentic message and learns from it what is newer (RFC 3414 §3.2 step 7 b).
    ///
    /// The RFC learns first, so that a message which somebody held back for an hour is of now if it
    /// is the newest that came. Here it is judged first; an engine whose clock is that slow is found
    /// anew.
    pub fn judge(&mut self, boots: u32, time: u32, now: Duration) -> Timeliness {
        let (known_boots, known_time) = self.at(now);
        let is_stale = boots < known_boots
            || (boots == known_boots && time < known_time.saturating_sub(WINDOW_SECS));
        if self.is_authentic && is_stale {
            return if known_boots >= BOOTS_MAX {
                Timeliness::Latched
            } else {
                Timeliness::Stale
            };
        }
        if !self.is_authentic || boots > self.boots || time > self.time {
            *self = Self {
                boots,
                time,
                heard_at: now,
                is_authentic: true,
            };
        }
        if self.boots >= BOOTS_MAX {
            Timeliness::Latched
        } else {
            Timeliness::Fresh
        }
    }
}
