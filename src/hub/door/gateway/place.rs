//! Who may stand at the gateway at once: so many in all, and so many from one network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Most connections at once: each session has one, and a technician one more.
const PLACES_MAX: usize = 512;

/// Most of them from one network: a site's sessions leave by one address.
const PLACES_OF_ONE_MAX: usize = 256;

/// The places.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<Network, usize>>>);

/// An IPv4 address, or a /64 of IPv6: what one customer of a provider has.
type Network = [u8; 8];

/// One place. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    network: Network,
    /// How many were taken when this one was, itself among them.
    pub(super) standing: usize,
}

impl Places {
    /// Takes a place for a peer; none if all are taken, or those of its network.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let network = network(peer);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&network).copied().unwrap_or_default();
        if all >= PLACES_MAX || own >= PLACES_OF_ONE_MAX {
            return None;
        }
        taken.insert(network, own + 1);
        Some(Place {
            places: self.clone(),
            network,
            standing: all + 1,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get(&self.network).map_or(0, |own| own - 1);
        if left == 0 {
            taken.remove(&self.network);
        } else {
            taken.insert(self.network, left);
        }
    }
}

fn network(peer: IpAddr) -> Network {
    let mut network = Network::default();
    match peer.to_canonical() {
        IpAddr::V4(v4) => {
            // No /64 begins so: it is the reserved block of mapped addresses.
            network[2..4].fill(0xff);
            network[4..].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => network.copy_from_slice(&v6.octets()[..8]),
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_never_takes_every_place_and_gives_its_own_back() {
        let places = Places::default();
        let of = |text: &str| places.take(text.parse().unwrap());
        let mut held: Vec<_> = (0..PLACES_OF_ONE_MAX).map(|_| of("192.0.2.1")).collect();
        let standing = |at: usize| held[at].as_ref().map(|place: &Place| place.standing);
        assert_eq!((standing(0), standing(9)), (Some(1), Some(10)));
        assert!(held.iter().all(Option::is_some));
        assert!(of("192.0.2.1").is_none());
        assert!(
            of("::ffff:192.0.2.1").is_none(),
            "the same, written otherwise"
        );
        let other = of("2001:db8::1").unwrap();
        held.pop();
        held.push(of("192.0.2.1"));
        assert!(held.iter().all(Option::is_some));
        held.extend((0..PLACES_MAX).map(|_| of("2001:db8::2")));
        assert!(of("198.51.100.1").is_none(), "all are taken");
        drop((held, other));
        assert!(places.0.lock().unwrap().is_empty());
    }
}
