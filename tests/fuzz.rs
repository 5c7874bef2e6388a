//! Octets that nobody should send, by the million: no decoder panics, forgets its bounds or takes
//! its time, and whatever a device answers can be judged.
//!
//! The cases grow from our own recordings, from packets in `../shared/corpora` where those are, and
//! from a grammar of their own. Everything follows from a seed, so a case that fails is found again.
//! The tests run some thousand cases each; `scripts/fuzz` runs as many million as it is told, and
//! lets coverage guide it.

#![cfg(test)]

#[path = "fuzz/door_seeds.rs"]
mod door_seeds;
#[path = "fuzz/doors.rs"]
mod doors;
#[path = "fuzz/grow.rs"]
mod grow;
#[path = "fuzz/memory.rs"]
mod memory;
#[path = "fuzz/run.rs"]
mod run;
#[path = "fuzz/seeds.rs"]
mod seeds;
#[path = "fuzz/targets.rs"]
mod targets;

use std::thread;
use std::time::{Duration, Instant};

use run::{Run, hex};
use seeds::Seeds;
use targets::Target;

/// Cases of one target in the tests: a second or two of each.
const CASES: u64 = 12_000;

/// Longest that a decoder may take over one case, unoptimized as the tests are.
const DECODED_MAX: Duration = Duration::from_millis(50);

/// Longest that one case may take, on a machine that does much else: nothing may be of another order
/// than the rest.
const CASE_MAX: Duration = Duration::from_millis(250);

/// Runs all cases of a target, on every processor.
fn fuzz(target: Target) {
    let seeds = Seeds::gather();
    let began = Instant::now();
    let clock = || began.elapsed();
    let workers = thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let runs: Vec<Run> = thread::scope(|scope| {
        let seeds = &seeds;
        let share = |worker: u64| (CASES / workers, 1_000 + worker);
        let started: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || Run::of(target, seeds, share(worker), clock)))
            .collect();
        let ended = started.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|run| run.expect("a run")).collect()
    });
    let panicked = runs.iter().flat_map(|run| &run.panics).map(|it| hex(it));
    let panicked: Vec<String> = panicked.collect();
    assert!(panicked.is_empty(), "{target:?}: {}", panicked.join("\n"));
    let accepted: u64 = runs.iter().map(|run| run.accepted).sum();
    assert!(accepted > 0, "no case got through: the fuzzer is blind");
    let slowest = runs.iter().map(|run| run.slowest(target, &seeds, clock));
    let (worst, octets) = slowest.max().expect("a run");
    // Unoptimized, the parsers of XML and of characters, which are others', are slow.
    let longest = if target.is_decoder() && target != Target::Ledm {
        DECODED_MAX
    } else {
        CASE_MAX
    };
    assert!(worst < longest, "{worst:?}: {}", hex(&octets));
}

#[test]
fn each_target_is_found_by_its_name() {
    for target in Target::ALL {
        assert_eq!(Target::named(target.name()), Some(target));
    }
    assert_eq!(Target::named("nobody"), None);
}

#[test]
fn no_datagram_breaks_a_decoder() {
    fuzz(Target::Decode);
}

#[test]
fn what_is_decoded_is_written_and_read_the_same() {
    fuzz(Target::Message);
}

#[test]
fn no_datagram_breaks_a_dialog_of_version_3() {
    fuzz(Target::Dialog);
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

#[test]
fn no_answer_breaks_ipp() {
    fuzz(Target::Ipp);
}

#[test]
fn no_document_breaks_ledm() {
    fuzz(Target::Ledm);
}

#[test]
fn no_octets_break_sgd() {
    fuzz(Target::Sgd);
}

#[test]
fn no_octets_break_pjl() {
    fuzz(Target::Pjl);
}

#[test]
fn no_queue_breaks_lpr() {
    fuzz(Target::Lpr);
}

#[test]
fn nothing_said_at_a_door_breaks_a_reading() {
    fuzz(Target::Door);
}

#[test]
fn no_octets_break_a_packed_walk() {
    fuzz(Target::Packed);
}

#[test]
fn no_answers_break_a_walk_by_what_is_known() {
    fuzz(Target::Again);
}
