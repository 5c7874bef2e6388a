//! The last words of each device, for when they kill whoever heard them.
//!
//! Every answer is noted here before anything looks into it, and forgotten when the reading that
//! it belongs to has ended well. What is left after a death is what did it, or is near to it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// Answers kept of one device: the last one, and those that led up to it.
pub const ANSWERS_KEPT_MAX: usize = 8;

/// Octets kept of one device, unless the last answer alone has more.
pub const BYTES_KEPT_MAX: usize = 16 * 1_024;

/// Octets kept of all devices: two hundred and more that are read at once have their share.
const BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// What was heard, by device.
#[derive(Debug, Default)]
pub(super) struct Flight(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    of: HashMap<SocketAddr, Answers>,
    /// Devices in the order of their first answer, for when there is no room.
    order: BTreeMap<u64, SocketAddr>,
    /// How many devices have begun to answer so far.
    begun: u64,
    bytes: usize,
}

/// What one device said.
#[derive(Debug)]
struct Answers {
    /// Its place in the order.
    place: u64,
    last: VecDeque<Vec<u8>>,
}

impl Flight {
    /// Notes an answer as it came.
    pub(super) fn note(&self, peer: SocketAddr, octets: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = &mut *heard;
        let answers = heard.of.entry(peer).or_insert_with(|| {
            heard.begun += 1;
            heard.order.insert(heard.begun, peer);
            Answers {
                place: heard.begun,
                last: VecDeque::new(),
            }
        });
        let answers = &mut answers.last;
        answers.push_back(octets.to_vec());
        heard.bytes += octets.len();
        let mut kept: usize = answers.iter().map(Vec::len).sum();
        while answers.len() > 1 && (answers.len() > ANSWERS_KEPT_MAX || kept > BYTES_KEPT_MAX) {
            let dropped = answers.pop_front().map_or(0, |octets| octets.len());
            kept -= dropped;
            heard.bytes -= dropped;
        }
        while heard.bytes > BYTES_MAX {
            let Some((_, oldest)) = heard.order.pop_first() else {
                return;
            };
            heard.remove(oldest);
        }
    }

    /// Forgets what a device said.
    pub(super) fn forget(&self, peer: SocketAddr) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.remove(peer);
    }

    /// What a device said last, oldest first.
    pub(super) fn last(&self, peer: SocketAddr) -> Vec<Vec<u8>> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = heard.of.get(&peer);
        answers
            .map(|it| it.last.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl Heard {
    fn remove(&mut self, peer: SocketAddr) {
        let Some(answers) = self.of.remove(&peer) else {
            return;
        };
        self.order.remove(&answers.place);
        self.bytes -= answers.last.iter().map(Vec::len).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 161))
    }

    #[test]
    fn the_last_answers_are_kept_and_older_ones_go() {
        let flight = Flight::default();
        for octet in 0..20 {
            flight.note(peer(1), &[octet]);
        }
        let last: Vec<Vec<u8>> = (12..20).map(|octet| vec![octet]).collect();
        assert_eq!(flight.last(peer(1)), last);
        flight.note(peer(1), &[0xff; 60_000]);
        assert_eq!(
            flight.last(peer(1)),
            [vec![0xff; 60_000]],
            "the last one is whole"
        );
        flight.forget(peer(1));
        assert!(flight.last(peer(1)).is_empty());
    }

    #[test]
    fn all_devices_together_have_a_bound() {
        let flight = Flight::default();
        for last in 0..=255 {
            flight.note(peer(last), &[last; 60_000]);
        }
        let bytes = flight.0.lock().unwrap().bytes;
        assert!((BYTES_MAX - 60_000..=BYTES_MAX).contains(&bytes), "{bytes}");
        assert!(flight.last(peer(0)).is_empty(), "the oldest went first");
        assert_eq!(flight.last(peer(255)).len(), 1);
        assert!(flight.0.lock().unwrap().order.len() < 80);
    }
}
