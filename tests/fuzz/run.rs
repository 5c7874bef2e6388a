//! Case after case of one target, and what was seen meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::grow::{Grower, Seed};
use crate::seeds::Seeds;
use crate::targets::Target;

/// Slow cases that are kept, to be timed again: what is slow once may have been interrupted.
const SLOW_MAX: usize = 32;

/// Panics that end a run: the same one comes again and again.
const PANICS_MAX: usize = 5;

/// What a run of one target has shown.
#[derive(Debug, Default)]
pub struct Run {
    pub cases: u64,
    pub accepted: u64,
    /// The cases that panicked.
    pub panics: Vec<Vec<u8>>,
    /// The slowest cases in no order, by what makes them again.
    slow: Vec<(Duration, Seed)>,
}

impl Run {
    /// Runs some cases from one seed, timed by this clock.
    pub fn of(
        target: Target,
        seeds: &Seeds,
        (cases, seed): (u64, u64),
        clock: impl Fn() -> Duration,
    ) -> Self {
        let mut grower = Grower::new(seed);
        let mut run = Self {
            slow: Vec::with_capacity(SLOW_MAX),
            ..Self::default()
        };
        for _ in 0..cases {
            let seed = grower.seed();
            let octets = grower.next(target.seeds(seeds));
            let started = clock();
            let accepted = catch_unwind(AssertUnwindSafe(|| target.holds(octets, seeds)));
            let took = clock().saturating_sub(started);
            run.cases += 1;
            match accepted {
                Ok(accepted) => run.accepted += u64::from(accepted),
                Err(_) => run.panics.push(octets.to_vec()),
            }
            run.note(took, seed);
            if run.panics.len() >= PANICS_MAX {
                break;
            }
        }
        run
    }

    fn note(&mut self, took: Duration, seed: Seed) {
        if self.slow.len() < SLOW_MAX {
            self.slow.push((took, seed));
            return;
        }
        let quickest = self.slow.iter_mut().min_by_key(|(took, _)| *took);
        if let Some(quickest) = quickest
            && quickest.0 < took
        {
            *quickest = (took, seed);
        }
    }

    /// The slowest case, and how long it takes when nothing else gets the processor meanwhile: the
    /// best of some.
    pub fn slowest(
        &self,
        target: Target,
        seeds: &Seeds,
        clock: impl Fn() -> Duration,
    ) -> (Duration, Vec<u8>) {
        let once = |octets: &[u8]| {
            let started = clock();
            // What panics has been told of.
            let _ = catch_unwind(AssertUnwindSafe(|| target.holds(octets, seeds)));
            clock().saturating_sub(started)
        };
        let timed = self.slow.iter().map(|(_, seed)| {
            let octets = Grower::again(*seed, target.seeds(seeds));
            let quietly = (0..5).map(|_| once(&octets)).min().unwrap_or_default();
            (quietly, octets)
        });
        timed.max_by_key(|(took, _)| *took).unwrap_or_default()
    }
}

/// Octets for a person who wants to see them again.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
