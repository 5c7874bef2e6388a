//! Where a site lets us reach: address ranges as people write them, and the proof that one
//! address and door are inside.
//!
//! Every function of `reach` that touches a device takes an [`InScope`], which only
//! [`Scope::admit`] and [`Scope::targets`] make. What comes from the hub goes through `admit` like
//! everything else, so the hub cannot widen a range. Names are resolved beforehand, by
//! [`super::resolve`]. This file opens nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::range::AddressRange;
use super::span::Span;

/// A way to a device that a site has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// SNMP over UDP.
    Snmp {
        /// The port, 161 on nearly every device.
        port: u16,
    },
    /// ICMP echo.
    Icmp,
    /// A person's session with a device's own page, over TCP.
    Web {
        /// The port.
        port: u16,
    },
    /// IPP over TCP, in the clear.
    Ipp {
        /// The port, 631 on nearly every device.
        port: u16,
    },
    /// HP's LEDM over HTTP, or over HTTPS on port 443.
    Ledm {
        /// The port: 80, 443 or 8080.
        port: u16,
    },
    /// Zebra's SGD and `~HS` over TCP.
    Zebra {
        /// The port, 9100 on nearly every device.
        port: u16,
    },
    /// PJL's INFO over TCP.
    Pjl {
        /// The port, 9100 on nearly every device.
        port: u16,
    },
    /// LPR over TCP (RFC 1179).
    Lpr {
        /// The port, 515 on nearly every device.
        port: u16,
    },
}

impl Door {
    /// The port behind the door; ICMP has none, which is 0.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Snmp { port }
            | Self::Web { port }
            | Self::Ipp { port }
            | Self::Ledm { port }
            | Self::Zebra { port }
            | Self::Pjl { port }
            | Self::Lpr { port } => port,
            Self::Icmp => 0,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snmp { port } => write!(f, "port {port}"),
            Self::Icmp => f.write_str("ICMP"),
            Self::Web { port } => write!(f, "web port {port}"),
            Self::Ipp { port } => write!(f, "IPP port {port}"),
            Self::Ledm { port } => write!(f, "LEDM port {port}"),
            Self::Zebra { port } => write!(f, "Zebra port {port}"),
            Self::Pjl { port } => write!(f, "PJL port {port}"),
            Self::Lpr { port } => write!(f, "LPR port {port}"),
        }
    }
}

/// A proof that an address and a door are in the ranges and doors this site configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InScope {
    addr: SocketAddr,
}

impl InScope {
    /// Where to send.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Why an address is not to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// No configured range holds it.
    #[error("{0} is in none of the configured ranges")]
    NotConfigured(IpAddr),
    /// A configured exclusion holds it.
    #[error("{0} is excluded by the configuration")]
    Excluded(IpAddr),
    /// A multicast, broadcast or unspecified address, or the end of a subnet: no single device.
    #[error("{0} is not the address of one device")]
    NoDevice(IpAddr),
    /// The site has not opened this door.
    #[error("{door} of {address} is not open to us by the configuration")]
    DoorClosed {
        /// The address.
        address: IpAddr,
        /// The door that was asked for.
        door: Door,
    },
}

/// Why some ranges make no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A host name must be resolved first (see `resolve`).
    #[error("the name '{0}' has not been resolved to an address")]
    Unresolved(String),
}

/// The addresses and doors a site has opened to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Disjoint, ascending, without anything excluded.
    spans: Vec<Span>,
    /// As configured, to say why an address is out.
    excluded: Vec<Span>,
    doors: Vec<Door>,
}

impl Scope {
    /// Puts ranges and exclusions together. Overlapping ranges count once; an exclusion of a
    /// subnet includes its first and last address, a range of one does not.
    ///
    /// # Errors
    /// [`ScopeError::Unresolved`] when a range or an exclusion is still a name: leaving out an
    /// exclusion would widen the scope.
    pub fn new(
        ranges: &[AddressRange],
        excludes: &[AddressRange],
        doors: &[Door],
    ) -> Result<Self, ScopeError> {
        let unresolved = |range: &AddressRange| ScopeError::Unresolved(range.to_string());
        let mut spans = Vec::new();
        for range in ranges {
            spans.push(range.hosts().ok_or_else(|| unresolved(range))?);
        }
        let mut excluded = Vec::new();
        for range in excludes {
            excluded.push(range.whole().ok_or_else(|| unresolved(range))?);
        }
        let mut spans = merge(spans);
        for hole in excluded.iter().copied().chain(no_devices()) {
            spans = spans
                .into_iter()
                .flat_map(|span| span.without(hole))
                .collect();
        }
        Ok(Self {
            spans,
            excluded,
            doors: doors.to_vec(),
        })
    }

    /// Proves that a door of an address is in scope.
    ///
    /// # Errors
    /// [`OutOfScope`] says why not.
    pub fn admit(&self, address: IpAddr, door: Door) -> Result<InScope, OutOfScope> {
        let address = address.to_canonical();
        if !self.doors.contains(&door) {
            return Err(OutOfScope::DoorClosed { address, door });
        }
        if self.spans.iter().any(|span| span.contains(address)) {
            return Ok(InScope {
                addr: SocketAddr::new(address, door.port()),
            });
        }
        if no_devices().iter().any(|span| span.contains(address)) {
            return Err(OutOfScope::NoDevice(address));
        }
        if self.excluded.iter().any(|span| span.contains(address)) {
            return Err(OutOfScope::Excluded(address));
        }
        Err(OutOfScope::NotConfigured(address))
    }

    /// The first address in scope that is not in another one.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Option<IpAddr> {
        let outside = self.spans.iter().find_map(|span| {
            let holes = other.spans.iter();
            let left = holes.fold(vec![*span], |left, hole| {
                left.into_iter().flat_map(|it| it.without(*hole)).collect()
            });
            left.first().copied()
        });
        outside?.addresses().next()
    }

    /// The scope without the addresses that no outsider may choose: loopback, link-local (where
    /// cloud machines keep their secrets), unless one of `named` lies in them whole.
    #[must_use]
    pub fn without_own_machine(mut self, named: &[AddressRange]) -> Self {
        for hole in own_machine() {
            let is_within = |span: Span| span.without(hole).next().is_none();
            let is_named = named.iter().filter_map(AddressRange::whole).any(is_within);
            if !is_named {
                self.spans = self
                    .spans
                    .into_iter()
                    .flat_map(|span| span.without(hole))
                    .collect();
            }
        }
        self
    }

    /// The scope of sessions with web pages in the same ranges: without this machine and its link
    /// unless a range names them, and without the places where clouds keep their secrets.
    ///
    /// # Errors
    /// As [`Scope::new`].
    pub fn of_web(
        ranges: &[AddressRange],
        excludes: &[AddressRange],
        ports: &[u16],
    ) -> Result<Self, ScopeError> {
        let doors: Vec<Door> = ports.iter().map(|port| Door::Web { port: *port }).collect();
        let mut scope = Self::new(ranges, excludes, &doors)?.without_own_machine(ranges);
        for hole in metadata() {
            let spans = scope.spans.into_iter();
            scope.spans = spans.flat_map(|span| span.without(hole)).collect();
        }
        Ok(scope)
    }

    /// The doors that the site has opened here.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// Every address in scope once, ascending, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + Clone + Send + use<> {
        self.spans.clone().into_iter().flat_map(Span::addresses)
    }

    /// Every address in scope as a target behind `door`; none when the site has not opened it.
    pub fn targets(&self, door: Door) -> impl Iterator<Item = InScope> + Clone + Send + use<> {
        let is_open = self.doors.contains(&door);
        self.addresses()
            .take_while(move |_| is_open)
            .map(move |address| InScope {
                addr: SocketAddr::new(address, door.port()),
            })
    }

    /// How many addresses are in scope.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| span.count())
            .fold(0, u64::saturating_add)
    }
}

/// Joins spans that overlap or touch, and sorts them.
fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged
            .last_mut()
            .and_then(|last| last.joined(span).map(|joined| (last, joined)))
        {
            Some((last, joined)) => *last = joined,
            None => merged.push(span),
        }
    }
    merged
}

/// Addresses behind which there is never one device: unspecified, multicast, broadcast.
fn no_devices() -> [Span; 5] {
    let v4 = |first: [u8; 4], last: [u8; 4]| {
        Span::between(IpAddr::V4(first.into()), IpAddr::V4(last.into()))
    };
    let v6 = |first: [u16; 8], last: [u16; 8]| {
        Span::between(IpAddr::V6(first.into()), IpAddr::V6(last.into()))
    };
    [
        Span::one(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        v4([224, 0, 0, 0], [239, 255, 255, 255]),
        Span::one(IpAddr::V4(Ipv4Addr::BROADCAST)),
        Span::one(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        v6([0xff00, 0, 0, 0, 0, 0, 0, 0], [0xffff; 8]),
    ]
}

/// Addresses of this very machine and its link (RFC 1122 §3.2.1.3, RFC 3927, RFC 4291 §2.5).
fn own_machine() -> [Span; 4] {
    let v4 = |first: [u8; 4], last: [u8; 4]| {
        Span::between(IpAddr::V4(first.into()), IpAddr::V4(last.into()))
    };
    let link = [
        0xfebf, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
    ];
    [
        v4([127, 0, 0, 0], [127, 255, 255, 255]),
        v4([169, 254, 0, 0], [169, 254, 255, 255]),
        Span::one(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        Span::between(
            IpAddr::V6([0xfe80, 0, 0, 0, 0, 0, 0, 0].into()),
            IpAddr::V6(Ipv6Addr::from(link)),
        ),
    ]
}

/// Where cloud machines ask for their own secrets: AWS, Azure, GCP and others on the link-local one;
/// Azure's wire server, Alibaba's and AWS's by IPv6.
fn metadata() -> [Span; 4] {
    [
        Span::one(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))),
        Span::one(IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16))),
        Span::one(IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200))),
        Span::one(IpAddr::V6(Ipv6Addr::new(
            0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254,
        ))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: Door = Door::Snmp { port: 161 };

    #[test]
    fn a_subnet_holds_its_hosts_and_nothing_else() {
        let scope = scope_of(&["10.0.0.0/29"], &[]);
        assert_eq!(scope.count(), 6);
        let seen: Vec<String> = scope.addresses().map(|a| a.to_string()).collect();
        assert_eq!(seen.first().map(String::as_str), Some("10.0.0.1"));
        assert_eq!(seen.last().map(String::as_str), Some("10.0.0.6"));
        assert!(scope.admit(ip("10.0.0.6"), SNMP).is_ok());
        assert_eq!(
            out(&scope, "10.0.0.7"),
            OutOfScope::NotConfigured(ip("10.0.0.7"))
        );
        assert_eq!(
            out(&scope, "10.0.0.0"),
            OutOfScope::NotConfigured(ip("10.0.0.0"))
        );
    }

    #[test]
    fn an_exclusion_takes_the_ends_of_its_subnet_too() {
        let scope = scope_of(&["10.0.0.0/16"], &["10.0.1.0/24", "10.0.2.7"]);
        for address in ["10.0.1.0", "10.0.1.9", "10.0.1.255", "10.0.2.7"] {
            assert_eq!(out(&scope, address), OutOfScope::Excluded(ip(address)));
        }
        assert_eq!(scope.count(), 65_534 - 256 - 1);
        assert_eq!(scope.addresses().count() as u64, scope.count());
    }

    #[test]
    fn overlapping_ranges_count_once() {
        let scope = scope_of(&["10.0.0.0/24", "10.0.0.10-20", "10.0.0.200-10.0.1.3"], &[]);
        assert_eq!(scope.count(), 254 + 1 + 4);
        let mut seen: Vec<IpAddr> = scope.addresses().collect();
        seen.dedup();
        assert_eq!(seen.len() as u64, scope.count());
    }

    #[test]
    fn what_is_no_single_device_is_refused_even_if_configured() {
        let scope = scope_of(
            &["223.255.255.250-224.0.0.5", "0.0.0.0-0.0.0.3", "ff02::1"],
            &[],
        );
        for address in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
            assert_eq!(
                out(&scope, address),
                OutOfScope::NoDevice(ip(address)),
                "{address}"
            );
        }
        assert_eq!(scope.count(), 6 + 3);
    }

    #[test]
    fn only_an_opened_door_is_admitted() {
        let scope = scope_of(&["10.0.0.1"], &[]);
        let closed = OutOfScope::DoorClosed {
            address: ip("10.0.0.1"),
            door: Door::Snmp { port: 9100 },
        };
        assert_eq!(
            scope.admit(ip("10.0.0.1"), Door::Snmp { port: 9100 }),
            Err(closed)
        );
        assert_eq!(scope.targets(Door::Snmp { port: 9100 }).count(), 0);
        assert_eq!(scope.targets(SNMP).count(), 1);
    }

    #[test]
    fn a_mapped_address_is_the_address_it_maps() {
        let scope = scope_of(&["10.0.0.1", "2001:db8::/126"], &[]);
        let proof = scope.admit(ip("::ffff:10.0.0.1"), SNMP).unwrap();
        assert_eq!(proof.addr().to_string(), "10.0.0.1:161");
        assert_eq!(scope.count(), 1 + 4);
    }

    #[test]
    fn a_name_must_be_resolved_first() {
        let (name, address) = (
            "printer.example".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
        );
        let unresolved = ScopeError::Unresolved("printer.example".into());
        assert_eq!(Scope::new(&[address], &[name], &[SNMP]), Err(unresolved));
    }

    #[test]
    fn what_is_beyond_another_scope_is_found() {
        let wide = scope_of(&["10.0.0.0/24", "10.0.1.0/24", "2001:db8::/120"], &[]);
        for (ranges, excludes, beyond) in [
            (vec!["10.0.0.0/24"], vec![], None),
            (vec!["10.0.0.1-254", "10.0.1.9"], vec![], None),
            (vec!["2001:db8::7"], vec![], None),
            (vec!["10.0.0.1-10.0.1.5"], vec![], Some("10.0.0.255")),
            (
                vec!["10.0.0.250-10.0.1.5"],
                vec!["10.0.0.255-10.0.1.0"],
                None,
            ),
            (vec!["10.0.0.0/8"], vec![], Some("10.0.0.255")),
            (vec!["10.0.1.9", "192.168.1.1"], vec![], Some("192.168.1.1")),
            (vec!["::1"], vec![], Some("::1")),
        ] {
            let found = scope_of(&ranges, &excludes).beyond(&wide);
            assert_eq!(found, beyond.map(ip), "{ranges:?}");
        }
    }

    #[test]
    fn an_own_machine_is_in_scope_only_by_name() {
        for (named, asked, is_in) in [
            ("126.255.0.0-127.0.0.9", "127.0.0.1", false),
            ("126.255.0.0-127.0.0.9", "126.255.0.1", true),
            ("127.0.0.0/8", "127.0.0.1", true),
            ("127.7.0.0/16", "127.7.0.1", true),
            ("169.0.0.0/8", "169.254.169.254", false),
            ("169.254.7.0/24", "169.254.7.1", true),
        ] {
            let range: AddressRange = named.parse().unwrap();
            let scope = scope_of(&[named], &[]).without_own_machine(&[range]);
            assert_eq!(scope.admit(ip(asked), SNMP).is_ok(), is_in, "{named}");
        }
    }

    #[test]
    fn a_wide_range_opens_no_web_page_of_this_machine_or_its_cloud() {
        let wide: Vec<AddressRange> = [
            "0.0.0.0/24",
            "10.0.0.0/8",
            "100.100.0.0/16",
            "126.255.255.0-127.127.255.254",
            "168.63.0.0/16",
            "169.253.0.0-169.255.0.0",
            "223.255.0.0-224.1.0.0",
            "255.255.255.0/24",
            "::-::ff",
            "fd00:ec2::/112",
            "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ff00-fe80::ff",
            "ff02::/112",
        ]
        .map(|text| text.parse().unwrap())
        .into();
        let scope = Scope::of_web(&wide, &[], &[80]).unwrap();
        let web = Door::Web { port: 80 };
        for address in [
            "127.0.0.1",
            "127.127.255.254",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "169.254.169.254",
            "169.254.0.1",
            "168.63.129.16",
            "100.100.100.200",
            "fd00:ec2::254",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "ff02::1",
            "::",
        ] {
            assert!(scope.admit(ip(address), web).is_err(), "{address}");
        }
        assert!(scope.admit(ip("10.0.0.7"), web).is_ok());
        assert!(scope.admit(ip("10.0.0.7"), Door::Web { port: 81 }).is_err());
        assert!(scope.admit(ip("10.0.0.7"), SNMP).is_err());
        let named = ["127.60.0.0/16".parse().unwrap()];
        let scope = Scope::of_web(&named, &[], &[80]).unwrap();
        assert!(scope.admit(ip("127.60.0.1"), web).is_ok());
        let named = ["169.254.169.0/24".parse().unwrap()];
        let scope = Scope::of_web(&named, &[], &[80]).unwrap();
        assert!(scope.admit(ip("169.254.169.254"), web).is_err());
    }

    fn scope_of(ranges: &[&str], excludes: &[&str]) -> Scope {
        let parse = |texts: &[&str]| -> Vec<AddressRange> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        Scope::new(&parse(ranges), &parse(excludes), &[SNMP]).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn out(scope: &Scope, address: &str) -> OutOfScope {
        scope.admit(ip(address), SNMP).unwrap_err()
    }
}
