//! Octets that nobody should send, by the million: no decoder panics, forgets its bounds or takes
//! its time, and whatever a device answers can be judged.
//!
//! The cases grow from our own recordings, from packets in `../shared/corpora` where those are, and
//! from a grammar of their own. Everything follows from a seed, so a case that fails is found again.
//! The tests run some thousand cases each; `scripts/fuzz` runs as many million as it is told.

#![cfg(test)]

#[path = "fuzz/grow.rs"]
mod grow;
#[path = "fuzz/seeds.rs"]
mod seeds;
#[path = "fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use grow::Grower;
use seeds::Seeds;
use targets::Target;

/// Cases of one target in the tests: a second or two of each.
const CASES: u64 = 12_000;

/// How many cases of each target: for the long run.
const CASES_VARIABLE: &str = "PLATEN_FUZZ_CASES";

/// Where chance begins: another number is another run.
const SEED_VARIABLE: &str = "PLATEN_FUZZ_SEED";

/// Longest that one case may take, on a machine that does much else: nothing may be of another order
/// than the rest.
const CASE_MAX: Duration = Duration::from_millis(250);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What a run of one target has shown.
#[derive(Debug, Default)]
struct Run {
    cases: u64,
    accepted: u64,
    worst: Duration,
    slowest: Vec<u8>,
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Runs some cases from one seed.
fn run(target: Target, seeds: &Seeds, (cases, seed): (u64, u64)) -> Run {
    let mut grower = Grower::new(seed);
    let mut run = Run::default();
    for case in 0..cases {
        let octets = grower.next(target.seeds(seeds));
        let started = Instant::now();
        let accepted = catch_unwind(AssertUnwindSafe(|| target.holds(octets, seeds)));
        let took = started.elapsed();
        let accepted = accepted
            .unwrap_or_else(|_| panic!("{target:?}, case {case} of seed {seed}: {}", hex(octets)));
        run.cases += 1;
        run.accepted += u64::from(accepted);
        if took > run.worst {
            run.worst = took;
            run.slowest = octets.to_vec();
        }
    }
    run
}

/// How long a case takes when nothing else gets the processor meanwhile: the best of some.
fn quietly(target: Target, seeds: &Seeds, octets: &[u8]) -> Duration {
    let again = |_| {
        let started = Instant::now();
        target.holds(octets, seeds);
        started.elapsed()
    };
    (0..5).map(again).min().unwrap_or_default()
}

/// Runs all cases of a target, on every processor.
fn fuzz(target: Target) {
    let seeds = Seeds::gather();
    let cases = number(CASES_VARIABLE).unwrap_or(CASES);
    let seed = number(SEED_VARIABLE).unwrap_or(1);
    let workers = thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let runs: Vec<Run> = thread::scope(|scope| {
        let seeds = &seeds;
        let share = |worker: u64| (cases / workers, seed * 1_000 + worker);
        let started: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || run(target, seeds, share(worker))))
            .collect();
        let ended = started.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|run| run.expect("no case panics")).collect()
    });
    let sum = |of: fn(&Run) -> u64| runs.iter().map(of).sum::<u64>();
    let slowest = runs.iter().max_by_key(|run| run.worst).expect("a run");
    let worst = quietly(target, &seeds, &slowest.slowest);
    println!(
        "{target:?}: {} cases, {} accepted, 0 panics, slowest {worst:?} with {} octets",
        sum(|run| run.cases),
        sum(|run| run.accepted),
        slowest.slowest.len(),
    );
    assert!(
        sum(|run| run.accepted) > 0,
        "no case got through: the fuzzer is blind"
    );
    assert!(worst < CASE_MAX, "{worst:?}: {}", hex(&slowest.slowest));
}

#[test]
fn no_message_breaks_the_decoder() {
    fuzz(Target::Message);
}

#[test]
fn no_text_breaks_a_recording() {
    fuzz(Target::Recording);
}

#[test]
fn no_answers_break_a_walk() {
    fuzz(Target::Traverse);
}

#[test]
fn no_answers_break_a_reading() {
    fuzz(Target::Reading);
}
