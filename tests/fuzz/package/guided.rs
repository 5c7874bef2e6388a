//! One target under libFuzzer, which looks for cases that reach code no case reached before.
//!
//! `PLATEN_FUZZ_TARGET` names it. `scripts/fuzz --guided` runs every target in turn.

#![no_main]

#[path = "../door_seeds.rs"]
mod door_seeds;
#[path = "../doors.rs"]
mod doors;
#[path = "../memory.rs"]
mod memory;
#[path = "../seeds.rs"]
mod seeds;
#[path = "../targets.rs"]
#[expect(dead_code, reason = "the seeds are on disk already, as files")]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use seeds::Seeds;
use targets::Target;

static SEEDS: LazyLock<Seeds> = LazyLock::new(Seeds::gather);

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("PLATEN_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("PLATEN_FUZZ_TARGET: no target '{name}'"))
});

fuzz_target!(
    init: {
        // What is made once counts for no case.
        TARGET.holds(&[], &SEEDS);
    },
    |octets: &[u8]| {
        TARGET.holds(octets, &SEEDS);
    }
);
