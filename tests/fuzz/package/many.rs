//! Millions of cases of every target, on every processor: how many, how many panicked, how long the
//! slowest took, and how much memory the dearest.
//!
//! A worker process for each processor, with one thread, so that what is allocated is of one case.
//! `scripts/fuzz` runs it. The cases and what must hold of them are those of the tests.

#[path = "../door_seeds.rs"]
mod door_seeds;
#[path = "../doors.rs"]
mod doors;
#[path = "../grow.rs"]
mod grow;
#[path = "../memory.rs"]
mod memory;
#[path = "../run.rs"]
mod run;
#[path = "../seeds.rs"]
mod seeds;
#[path = "../targets.rs"]
mod targets;

use std::alloc::System;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use cap::Cap;
use nix::time::{ClockId, clock_gettime};
use run::{Run, hex};
use seeds::Seeds;
use serde_json::{Value, json};
use targets::Target;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Longest that a decoder may take over one packet.
const DECODED_WITHIN: Duration = Duration::from_millis(1);

/// Longest that anything else may take over one case: of no other order than the rest.
const DONE_WITHIN: Duration = Duration::from_millis(100);

/// Most memory that a decoder may take for one packet: the budget of a whole reading.
const DECODED_BYTES_MAX: u64 = 512 * 1_024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_well = match words[..] {
        ["worker", target, cases, seed] => worker(target, cases, seed),
        ["seeds", target, folder] => write_seeds(target, Path::new(folder)),
        ["case", target, file] => case(target, Path::new(file)),
        [millions, seed] => all(millions, seed),
        _ => None,
    };
    match is_well {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("usage: many MILLIONS SEED | many seeds TARGET FOLDER | many case TARGET FILE");
            ExitCode::from(2)
        }
    }
}

/// Processor time of this thread: what others take of it meanwhile does not count.
fn clock() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}

/// Runs every target: the decoder of SNMP so many million times, the others a tenth of that.
fn all(millions: &str, seed: &str) -> Option<bool> {
    let (millions, seed): (u64, u64) = (millions.parse().ok()?, seed.parse().ok()?);
    let mut is_well = true;
    for target in Target::ALL {
        let cases = millions
            * if target == Target::Decode {
                1_000_000
            } else {
                100_000
            };
        is_well &= summary(target, cases, seed)?;
    }
    Some(is_well)
}

/// Runs one target in as many processes as there are processors, and says what came of it.
fn summary(target: Target, cases: u64, seed: u64) -> Option<bool> {
    let workers = std::thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let program = std::env::current_exe().ok()?;
    let start = |worker: u64| {
        let share = cases / workers + u64::from(worker < cases % workers);
        Command::new(&program)
            .args(["worker", target.name()])
            .args([share.to_string(), (seed * 1_000 + worker).to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .ok()
    };
    let started: Vec<_> = (0..workers).map(start).collect();
    let mut said: Vec<Value> = Vec::new();
    for worker in started {
        let output = worker?.wait_with_output().ok()?;
        said.push(serde_json::from_slice(&output.stdout).unwrap_or_default());
    }
    let numbers = |key: &'static str| said.iter().map(move |it| it[key].as_u64());
    let sum = |key| numbers(key).map(Option::unwrap_or_default).sum::<u64>();
    let most = |key| numbers(key).flatten().max().unwrap_or_default();
    // A worker that died told nothing.
    let dead = numbers("cases").filter(Option::is_none).count() as u64;
    let (panics, bytes, nanos) = (sum("panics") + dead, most("bytes"), most("slowest_ns"));
    let slowest = Duration::from_nanos(nanos);
    println!(
        "{:10} {} cases, {} accepted, {panics} panics, at most {} KiB for one, slowest {slowest:?}",
        target.name(),
        sum("cases"),
        sum("accepted"),
        bytes.div_ceil(1_024),
    );
    let (within, bytes_max) = if target.is_decoder() {
        (DECODED_WITHIN, DECODED_BYTES_MAX)
    } else {
        (DONE_WITHIN, u64::MAX)
    };
    if slowest > within {
        let case = said
            .iter()
            .find(|it| it["slowest_ns"].as_u64() == Some(nanos))?;
        println!("too slow: {}", case["slowest"]);
    }
    Some(panics == 0 && sum("accepted") > 0 && slowest <= within && bytes <= bytes_max)
}

/// Runs cases, and says what came of them as JSON.
fn worker(target: &str, cases: &str, seed: &str) -> Option<bool> {
    let target = Target::named(target)?;
    let seeds = Seeds::gather();
    // What is made once.
    target.holds(&[], &seeds);
    // The highest mark so far is of the seeds: fill up to it, and whatever is above is of a case.
    let below = MEMORY.max_allocated().saturating_sub(MEMORY.allocated());
    let ballast = vec![0_u8; below];
    let before = MEMORY.allocated();
    let run = Run::of(
        target,
        &seeds,
        (cases.parse().ok()?, seed.parse().ok()?),
        clock,
    );
    let bytes = MEMORY.max_allocated().saturating_sub(before);
    drop(ballast);
    for case in &run.panics {
        eprintln!("{} panics: {}", target.name(), hex(case));
    }
    let (slowest, octets) = run.slowest(target, &seeds, clock);
    let said = json!({
        "cases": run.cases,
        "accepted": run.accepted,
        "panics": run.panics.len(),
        "bytes": bytes,
        "slowest_ns": u64::try_from(slowest.as_nanos()).unwrap_or(u64::MAX),
        "slowest": hex(&octets),
    });
    println!("{said}");
    Some(run.panics.is_empty())
}

/// Feeds one case that was found, and says what it took.
fn case(target: &str, file: &Path) -> Option<bool> {
    let target = Target::named(target)?;
    let (seeds, octets) = (Seeds::gather(), std::fs::read(file).ok()?);
    target.holds(&[], &seeds);
    let ballast = vec![0_u8; MEMORY.max_allocated().saturating_sub(MEMORY.allocated())];
    let (before, started) = (MEMORY.allocated(), clock());
    let accepted = target.holds(&octets, &seeds);
    let took = clock().saturating_sub(started);
    let bytes = MEMORY.max_allocated().saturating_sub(before) as u64;
    drop(ballast);
    let kib = bytes.div_ceil(1_024);
    println!("accepted: {accepted}, at most {kib} KiB, {took:?}");
    Some(true)
}

/// Writes what a target's cases grow from, a file each.
fn write_seeds(target: &str, folder: &Path) -> Option<bool> {
    let target = Target::named(target)?;
    std::fs::create_dir_all(folder).ok()?;
    for (number, octets) in target.seeds(&Seeds::gather()).iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:04}")), octets).ok()?;
    }
    Some(true)
}
