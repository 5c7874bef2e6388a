//! The machine's own links: which addresses are directly attached, and what its table of neighbors
//! bears.
//!
//! Before a packet leaves for an attached address, the kernel asks by ARP who has it, and keeps an
//! entry while it waits. When the table is full it drops the packet and tells nobody. So a sweep
//! has to know where that holds: the route table tells. What is done about it is for `sweep.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::span::Span;

/// Entries that the table holds where the system does not say: Linux's default.
const TABLE_DEFAULT: u64 = 1_024;

/// How long an entry stays for an address that nobody has: three requests, a second apart
/// (`mcast_solicit`, `retrans_time_ms`).
const FAILED_SECS: u64 = 3;

/// How long an entry stays for a device that answered, before the kernel takes it out of a full
/// table (`neigh_forced_gc`).
const ANSWERED_SECS: u64 = 5;

/// Lines of the route table that are read: a router with more is none that collects meters.
const ROUTES_MAX: usize = 10_000;

/// A route that is up (RTF_UP, linux/route.h).
const UP: u32 = 0x1;
/// A route that refuses (RTF_REJECT, linux/route.h).
const REJECT: u32 = 0x200;

/// What a sweep does about addresses on the machine's own links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnLink {
    /// New addresses there are asked at a pace that the table of neighbors bears.
    Paced {
        /// Addresses in scope there.
        addresses: u64,
        /// New addresses in a second, at most.
        per_second: u32,
        /// Entries that the table holds.
        table: u64,
    },
    /// They are asked by ARP first, past the table, and then only those that have an owner.
    Arp {
        /// Addresses in scope there.
        addresses: u64,
        /// Of them, those that have an owner.
        owned: u64,
    },
}

/// One network that is directly attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) span: Span,
    pub(super) interface: String,
}

/// The directly attached networks. A more special route through a gateway takes its part out.
pub(super) fn attached() -> Vec<Attached> {
    let asking = asking_interfaces();
    let v4 = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let routes = v4.lines().skip(1).take(ROUTES_MAX).filter_map(v4_route);
    let routes: Vec<Route> = routes
        .chain(v6.lines().take(ROUTES_MAX).filter_map(v6_route))
        .map(|route| Route {
            is_attached: route.is_attached && asking.contains(&route.interface),
            ..route
        })
        .collect();
    attached_of(routes)
}

/// How many entries the table of neighbors holds.
pub(super) fn table() -> u64 {
    fs::read_to_string("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(TABLE_DEFAULT)
}

/// How many entries a sweep may use: an eighth is left to whoever else the machine talks to.
pub(super) fn room(table: u64) -> u64 {
    table / 8 * 7
}

/// How many new addresses in a second the table bears where hardly any has an owner: 298 of 1,024
/// entries.
pub(super) fn new_per_second(table: u64) -> u32 {
    per_second(room(table) / FAILED_SECS)
}

/// The same where every address has an owner.
pub(super) fn owned_per_second(table: u64) -> u32 {
    per_second(room(table) / ANSWERED_SECS)
}

/// How often the kernel dropped packets since its table of neighbors was full, since it started: that
/// of IPv4 and that of IPv6.
pub(super) fn table_fulls() -> u64 {
    ["arp_cache", "ndisc_cache"].map(fulls_of).into_iter().sum()
}

fn fulls_of(table: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/net/stat/{table}")).unwrap_or_default();
    let mut lines = text.lines().map(str::split_whitespace);
    let column = lines
        .next()
        .and_then(|mut names| names.position(|name| name == "table_fulls"));
    let Some(column) = column else { return 0 };
    // One line a processor, in hexadecimal.
    lines
        .filter_map(|mut counts| u64::from_str_radix(counts.nth(column)?, 16).ok())
        .sum()
}

/// The interfaces on which a neighbor is asked for.
fn asking_interfaces() -> BTreeSet<String> {
    let silent =
        InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_NOARP | InterfaceFlags::IFF_POINTOPOINT;
    let Ok(interfaces) = getifaddrs() else {
        return BTreeSet::new();
    };
    interfaces
        .filter(|interface| !interface.flags.intersects(silent))
        .map(|interface| interface.interface_name)
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    span: Span,
    /// Bits of the network.
    length: u32,
    is_attached: bool,
    interface: String,
}

fn attached_of(mut routes: Vec<Route>) -> Vec<Attached> {
    // The widest first: a later one is more special, and takes precedence.
    routes.sort_by_key(|route| route.length);
    let mut attached: Vec<Attached> = Vec::new();
    for route in routes {
        attached = attached
            .into_iter()
            .flat_map(|wider| {
                let interface = wider.interface;
                wider.span.without(route.span).map(move |span| Attached {
                    span,
                    interface: interface.clone(),
                })
            })
            .collect();
        if route.is_attached {
            attached.push(Attached {
                span: route.span,
                interface: route.interface,
            });
        }
    }
    attached
}

/// A line of /proc/net/route: addresses stand as the machine has them in memory, in hexadecimal.
fn v4_route(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let address = |at: usize| {
        u32::from_str_radix(words.get(at)?, 16)
            .ok()
            .map(u32::from_be)
    };
    let (first, gateway, mask) = (address(1)?, address(2)?, address(7)?);
    let flags = u32::from_str_radix(words.get(3)?, 16).ok()?;
    let ends = [first & mask, first | !mask].map(|at| IpAddr::V4(Ipv4Addr::from(at)));
    (flags & UP != 0).then(|| Route {
        span: Span::between(ends[0], ends[1]),
        length: mask.count_ones(),
        is_attached: gateway == 0 && flags & REJECT == 0,
        interface: words[0].to_owned(),
    })
}

/// A line of /proc/net/ipv6_route.
fn v6_route(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let address = |at: usize| u128::from_str_radix(words.get(at)?, 16).ok();
    let (first, gateway) = (address(0)?, address(4)?);
    let length = u32::from_str_radix(words.get(1)?, 16).ok()?;
    let flags = u32::from_str_radix(words.get(8)?, 16).ok()?;
    let host = u128::MAX.checked_shr(length).unwrap_or(0);
    let ends = [first & !host, first | host].map(|at| IpAddr::V6(Ipv6Addr::from(at)));
    (flags & UP != 0).then(|| Route {
        span: Span::between(ends[0], ends[1]),
        length,
        is_attached: gateway == 0 && flags & REJECT == 0 && length < 128,
        interface: (*words.last().unwrap_or(&"")).to_owned(),
    })
}

fn per_second(addresses: u64) -> u32 {
    u32::try_from(addresses).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a machine with one Ethernet link, little-endian.
    #[cfg(target_endian = "little")]
    #[test]
    fn the_route_table_tells_what_is_attached() {
        let text = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n\
                    eth0\t0001000A\t010200C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        let attached = attached_of(text.lines().filter_map(v4_route).collect());
        let span =
            |first: &str, last: &str| Span::between(first.parse().unwrap(), last.parse().unwrap());
        let spans: Vec<Span> = attached.iter().map(|it| it.span).collect();
        let expected = [
            span("10.0.0.0", "10.0.0.255"),
            span("10.0.2.0", "10.255.255.255"),
        ];
        assert_eq!(spans, expected, "a part of it is behind a gateway");
        assert!(attached.iter().all(|it| it.interface == "eth0"));
    }

    #[test]
    fn so_does_that_of_version_6() {
        let text = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
                    00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
                    00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                    fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0";
        let attached = attached_of(text.lines().filter_map(v6_route).collect());
        assert_eq!(attached.len(), 1);
        assert!(attached[0].span.contains("fd00::5".parse().unwrap()));
        assert!(!attached[0].span.contains("fd00:0:0:1::5".parse().unwrap()));
    }

    #[test]
    fn the_usual_table_bears_300_new_addresses_a_second() {
        assert_eq!(new_per_second(1_024), 298);
        assert_eq!(owned_per_second(1_024), 179);
        assert_eq!(new_per_second(0), 1, "and a strange one still some");
    }
}
