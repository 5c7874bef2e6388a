//! Where to ask once more: close to where something lives.
//!
//! Printers stand in groups, so a lost answer is likeliest near those that came. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far from an address that answered its neighbors are looked for: a /24 to both sides.
const DISTANCE_MAX: u32 = 256;

/// The addresses closest to those that answered, nearest first, as many as `most`, each once and
/// only where `is_open`.
pub(super) fn nearest(
    answered: &BTreeSet<IpAddr>,
    most: usize,
    is_open: impl Fn(IpAddr) -> bool,
) -> Vec<IpAddr> {
    let mut near = Vec::new();
    let mut seen = BTreeSet::new();
    for distance in 1..=DISTANCE_MAX {
        for address in answered {
            for neighbor in both_sides(*address, distance).into_iter().flatten() {
                if near.len() >= most {
                    return near;
                }
                if !answered.contains(&neighbor) && is_open(neighbor) && seen.insert(neighbor) {
                    near.push(neighbor);
                }
            }
        }
    }
    near
}

fn both_sides(address: IpAddr, distance: u32) -> [Option<IpAddr>; 2] {
    match address {
        IpAddr::V4(address) => {
            let at = u32::from(address);
            let [below, above] = [at.checked_sub(distance), at.checked_add(distance)];
            [below, above].map(|it| it.map(|at| IpAddr::V4(Ipv4Addr::from(at))))
        }
        IpAddr::V6(address) => {
            let (at, distance) = (u128::from(address), u128::from(distance));
            let [below, above] = [at.checked_sub(distance), at.checked_add(distance)];
            [below, above].map(|it| it.map(|at| IpAddr::V6(Ipv6Addr::from(at))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_each_once_and_only_where_open() {
        let answered = BTreeSet::from([ip("10.0.0.4"), ip("10.0.0.6")]);
        let is_open = |address| address != ip("10.0.0.3");
        let near = nearest(&answered, 4, is_open);
        let expected = ["10.0.0.5", "10.0.0.7", "10.0.0.2", "10.0.0.8"];
        assert_eq!(near, expected.map(ip));
    }

    #[test]
    fn nothing_is_near_to_nobody_and_no_address_wraps() {
        assert!(nearest(&BTreeSet::new(), 10, |_| true).is_empty());
        let last = BTreeSet::from([ip("255.255.255.255"), ip("0.0.0.0")]);
        let near = nearest(&last, 2, |_| true);
        assert_eq!(near, [ip("0.0.0.1"), ip("255.255.255.254")]);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
