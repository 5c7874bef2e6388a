//! What all programs here agree on: the office printer, who is asked, and what it answers.

pub mod answer;
pub mod measure;
pub mod office;
pub mod peer;
pub mod pure;

use std::net::Ipv4Addr;

/// The agent's allocator, for Platen's engine and for the other libraries alike.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Where the responder listens: the addresses of 127/8 are all this machine's.
pub const PORT: u16 = 16_161;
/// How long each answer takes.
pub const ROUND_TRIP_MILLIS: u64 = 20;

/// The addresses of so many printers.
pub fn addresses(count: u32) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(127, 20, 0, 1));
    (0..count).map(move |at| Ipv4Addr::from(first + at))
}
