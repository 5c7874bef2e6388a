//! Numbers that a stranger cannot guess: of requests, messages and salts.

use std::cell::RefCell;

use tokio::time::Instant;

/// Random numbers taken from the system at once: a quarter of a KiB a thread.
const DRAWN_AT_ONCE: usize = 64;

thread_local! {
    /// Random numbers of the system that nobody has had.
    static DRAWN: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Draws a request-id that a stranger cannot guess: 1 to 2³¹−1.
pub(super) fn random_request_id() -> i64 {
    i64::from(random_number() & 0x7fff_ffff).max(1)
}

/// Draws a number that a stranger cannot guess.
pub(super) fn random_number() -> u32 {
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            *drawn = draw();
        }
        drawn.pop().unwrap_or_else(fallback_random)
    })
}

/// Takes random numbers from the system, many at once: each call costs as much as a packet's way through
/// a good part of it.
fn draw() -> Vec<u32> {
    let mut octets = [0; 4 * DRAWN_AT_ONCE];
    if getrandom::fill(&mut octets).is_err() {
        return Vec::new();
    }
    let fours = octets.as_chunks::<4>().0.iter();
    fours.map(|four| u32::from_le_bytes(*four)).collect()
}

/// Where the system gives no random numbers, the standard library's hash seed is the next best.
fn fallback_random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    let [a, b, c, d, ..] = RandomState::new().hash_one(Instant::now()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
