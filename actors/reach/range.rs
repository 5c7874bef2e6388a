//! Address ranges as people write them.
//!
//! Used by the configuration, by `platen discover`, and by [`super::scope`]. A range that cannot be
//! is refused with what is wrong and how it is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::span::Span;

/// Most addresses one range may hold: a 10.0.0.0/8. At the politest pace it takes four days to
/// sweep, and the largest IPv6 subnets could not be swept in a lifetime.
pub const RANGE_ADDRESSES_MAX: u64 = 1 << 24;

/// Longest host name (RFC 1035 §2.3.4).
const NAME_OCTETS_MAX: usize = 253;

/// Longest label of a host name (RFC 1035 §2.3.4).
const LABEL_OCTETS_MAX: usize = 63;

/// Stands in every [`RangeError`] between what is wrong and how it is written.
const CURE: &str = ": write ";

/// How a subnet is written.
const FORM_OF_SUBNET: &str = "the bits of the network, as in 10.0.0.0/24";

/// How ranges are written, for every refusal.
const FORMS: &str = "write an address (10.0.0.17), a subnet (10.0.0.0/24), \
     a range (10.0.0.10-20 or 10.0.0.1-10.0.1.9), or a host name";

/// Some addresses as a person wrote them: an address, a subnet, a range, or a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRange {
    written: String,
    kind: Kind,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Span(Span),
    Subnet(IpNet),
    Name,
}

/// Why a text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Nothing was written.
    #[error("the range is empty: {FORMS}")]
    Empty,
    /// Several ranges in one.
    #[error("'{0}' looks like several ranges: write each on its own")]
    Several(String),
    /// A web address.
    #[error("'{0}' looks like a web address: {FORMS}")]
    WebAddress(String),
    /// An address with a port.
    #[error("'{0}' has a port in it, which is set apart: {FORMS}")]
    Port(String),
    /// `*` in an address.
    #[error("'{written}' has a star in it: write {meant}")]
    Star {
        /// What was written.
        written: String,
        /// The subnet that was probably meant.
        meant: String,
    },
    /// Too few or too many parts for an IPv4 address.
    #[error("'{written}' has {parts} parts and an IPv4 address has four: {FORMS}")]
    Parts {
        /// What was written.
        written: String,
        /// How many parts it has.
        parts: usize,
    },
    /// A part of an IPv4 address that is no octet.
    #[error("'{part}' in '{written}' is not a number from 0 to 255: {FORMS}")]
    Octet {
        /// What was written.
        written: String,
        /// The part that cannot be.
        part: String,
    },
    /// Neither an IPv4 nor an IPv6 address where one has to stand.
    #[error("'{part}' in '{written}' is not an address: {FORMS}")]
    NotAnAddress {
        /// What was written.
        written: String,
        /// The part that cannot be.
        part: String,
    },
    /// The prefix of a subnet cannot be.
    #[error(
        "'/{prefix}' in '{written}' is not a prefix length from 0 to {longest}: write {FORM_OF_SUBNET}"
    )]
    Prefix {
        /// What was written.
        written: String,
        /// What stands behind the slash.
        prefix: String,
        /// The longest prefix of that family.
        longest: u8,
    },
    /// The end of a range is before its start.
    #[error("'{written}' ends before it starts: write {meant}")]
    Reversed {
        /// What was written.
        written: String,
        /// The range the other way round.
        meant: String,
    },
    /// An IPv4 and an IPv6 address in one range.
    #[error("'{0}' starts in one address family and ends in the other: write two ranges")]
    Mixed(String),
    /// More addresses than can be swept.
    #[error("'{written}' holds more than {RANGE_ADDRESSES_MAX} addresses: write smaller ranges")]
    TooLarge {
        /// What was written.
        written: String,
    },
    /// Not an address, and not a host name either.
    #[error("'{0}' is neither an address nor a host name: {FORMS}")]
    NotAName(String),
}

impl RangeError {
    /// What is wrong, and how it is written instead: for a complaint that says them apart.
    #[must_use]
    pub fn halves(&self) -> (String, String) {
        let text = self.to_string();
        match text.rsplit_once(CURE) {
            Some((what, cure)) => (what.to_owned(), format!("write {cure}")),
            None => (text, String::new()),
        }
    }
}

impl AddressRange {
    /// The range of exactly one address.
    #[must_use]
    pub fn one(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            written: address.to_string(),
            kind: Kind::Span(Span::one(address)),
        }
    }

    /// The host name, if it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self.kind {
            Kind::Name => Some(&self.written),
            Kind::Span(_) | Kind::Subnet(_) => None,
        }
    }

    /// The addresses that can be a device's: an IPv4 subnet shorter than /31 loses its first (the
    /// network) and its last (the broadcast) address. `None` for a name.
    pub(super) fn hosts(&self) -> Option<Span> {
        match &self.kind {
            Kind::Subnet(IpNet::V4(net)) if net.prefix_len() < 31 => Some(Span::V4 {
                first: u32::from(net.network()).saturating_add(1),
                last: u32::from(net.broadcast()).saturating_sub(1),
            }),
            Kind::Subnet(_) | Kind::Span(_) | Kind::Name => self.whole(),
        }
    }

    /// Every address, the ends of a subnet included. `None` for a name.
    pub(super) fn whole(&self) -> Option<Span> {
        match &self.kind {
            Kind::Subnet(net) => Some(Span::between(net.network(), net.broadcast())),
            Kind::Span(span) => Some(*span),
            Kind::Name => None,
        }
    }

    /// The first address that can be a device's. `None` for a name.
    #[must_use]
    pub fn first(&self) -> Option<IpAddr> {
        self.hosts()?.addresses().next()
    }

    /// How many addresses can be a device's; one for a name.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.hosts().map_or(1, |span| span.count())
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let written = text.to_owned();
        if text.is_empty() {
            return Err(RangeError::Empty);
        }
        if text.contains("://") {
            return Err(RangeError::WebAddress(written));
        }
        if text.contains([',', ';', ' ', '\t']) {
            return Err(RangeError::Several(written));
        }
        if text.contains('*') {
            return Err(starred(text));
        }
        let kind = if let Some((address, prefix)) = text.split_once('/') {
            subnet(text, address, prefix)?
        } else if let Some((first, last)) = split_range(text) {
            span(text, first, last)?
        } else if looks_like_address(text) {
            Kind::Span(Span::one(address(text, text)?))
        } else {
            name(text)?
        };
        let range = Self { written, kind };
        if range
            .whole()
            .is_some_and(|span| span.count() > RANGE_ADDRESSES_MAX)
        {
            return Err(RangeError::TooLarge {
                written: range.written,
            });
        }
        Ok(range)
    }
}

/// Splits `first-last`, leaving host names such as `printer-2` whole.
fn split_range(text: &str) -> Option<(&str, &str)> {
    let (first, last) = text.split_once('-')?;
    looks_like_address(first).then_some((first, last))
}

/// Whether a text is meant to be an address: only digits and dots, or a colon somewhere.
fn looks_like_address(text: &str) -> bool {
    let is_dotted = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_dotted || text.contains(':')
}

/// Reads one address, telling what is wrong with it.
fn address(written: &str, part: &str) -> Result<IpAddr, RangeError> {
    let written = written.to_owned();
    if let Ok(address) = part.parse::<IpAddr>() {
        return Ok(address.to_canonical());
    }
    if part.starts_with('[') || part.matches(':').count() == 1 {
        return Err(RangeError::Port(written));
    }
    if part.contains(':') || !looks_like_address(part) || part.is_empty() {
        return Err(RangeError::NotAnAddress {
            written,
            part: part.to_owned(),
        });
    }
    let octets: Vec<&str> = part.split('.').collect();
    let wrong = octets.iter().find(|octet| octet.parse::<u8>().is_err());
    match wrong {
        Some(octet) => Err(RangeError::Octet {
            written,
            part: (*octet).to_owned(),
        }),
        None if octets.len() != 4 => Err(RangeError::Parts {
            written,
            parts: octets.len(),
        }),
        // Four octets that std refuses: a leading zero, which some tools read as octal.
        None => Err(RangeError::NotAnAddress {
            written,
            part: part.to_owned(),
        }),
    }
}

fn subnet(written: &str, base: &str, prefix: &str) -> Result<Kind, RangeError> {
    let base = address(written, base)?;
    let longest = if base.is_ipv4() { 32 } else { 128 };
    let net = match prefix.parse::<IpAddr>() {
        Ok(mask) => IpNet::with_netmask(base, mask).ok(),
        Err(_) => prefix
            .parse::<u8>()
            .ok()
            .and_then(|length| IpNet::new(base, length).ok()),
    };
    let wrong = || RangeError::Prefix {
        written: written.to_owned(),
        prefix: prefix.to_owned(),
        longest,
    };
    Ok(Kind::Subnet(net.ok_or_else(wrong)?.trunc()))
}

fn span(written: &str, first: &str, last: &str) -> Result<Kind, RangeError> {
    let start = address(written, first)?;
    let end = match (start, last.parse::<u8>()) {
        (IpAddr::V4(start), Ok(octet)) => {
            let [a, b, c, _] = start.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, octet))
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => address(written, last)?,
    };
    if start.is_ipv4() != end.is_ipv4() {
        return Err(RangeError::Mixed(written.to_owned()));
    }
    if end < start {
        let meant = format!("{end}-{start}");
        return Err(RangeError::Reversed {
            written: written.to_owned(),
            meant,
        });
    }
    Ok(Kind::Span(Span::between(start, end)))
}

fn name(text: &str) -> Result<Kind, RangeError> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=LABEL_OCTETS_MAX).contains(&label.len())
            && label.bytes().all(is_name_byte)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if bare.len() <= NAME_OCTETS_MAX && bare.split('.').all(is_label) {
        return Ok(Kind::Name);
    }
    Err(RangeError::NotAName(text.to_owned()))
}

/// `10.0.*.*` is a habit from other tools: says which subnet it means.
fn starred(text: &str) -> RangeError {
    let written = text.to_owned();
    let parts: Vec<&str> = text.split('.').collect();
    let stars = parts.iter().rev().take_while(|part| **part == "*").count();
    let octets: Option<Vec<u8>> = parts
        .iter()
        .take(parts.len() - stars)
        .map(|part| part.parse().ok())
        .collect();
    match octets {
        Some(mut octets) if parts.len() == 4 && (1..4).contains(&stars) => {
            let prefix = octets.len() * 8;
            octets.resize(4, 0);
            let base: Vec<String> = octets.iter().map(u8::to_string).collect();
            RangeError::Star {
                written,
                meant: format!("{}/{prefix}", base.join(".")),
            }
        }
        Some(_) | None => RangeError::NotAName(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, count) in [
            ("10.0.0.17", 1),
            (" 10.0.0.0/24 ", 254),
            ("10.0.0.9/24", 254),
            ("10.0.0.0/255.255.255.0", 254),
            ("10.0.0.0/31", 2),
            ("10.0.0.1/32", 1),
            ("10.0.0.10-20", 11),
            ("10.0.0.1-10.0.1.9", 265),
            ("2001:db8::5", 1),
            ("2001:db8::/112", 65_536),
            ("2001:db8::1-2001:db8::ff", 255),
            ("::ffff:10.0.0.1", 1),
            ("printer-2.example.org", 1),
            ("10.0.0.0/8", (1 << 24) - 2),
        ] {
            let range: AddressRange = text.parse().unwrap();
            assert_eq!(range.count(), count, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_how_it_is_written() {
        for (text, says) in [
            ("", "is empty: write an address"),
            (
                "10.0.0.256",
                "'256' in '10.0.0.256' is not a number from 0 to 255",
            ),
            ("10.0.0", "has 3 parts and an IPv4 address has four"),
            ("10.0.0.1.2", "has 5 parts"),
            ("10..0.1", "'' in '10..0.1' is not a number"),
            ("10.0.0.010", "is not an address"),
            (
                "10.0.0.0/33",
                "'/33' in '10.0.0.0/33' is not a prefix length from 0 to 32",
            ),
            ("10.0.0.0/", "'/' in"),
            ("2001:db8::/129", "from 0 to 128"),
            (
                "10.0.0.20-10",
                "ends before it starts: write 10.0.0.10-10.0.0.20",
            ),
            (
                "10.0.0.1-300",
                "'300' in '10.0.0.1-300' is not a number from 0 to 255",
            ),
            ("10.0.0.1-x", "'x' in '10.0.0.1-x' is not an address"),
            ("10.0.0.1-2001:db8::1", "starts in one address family"),
            ("10.0.*.*", "write 10.0.0.0/16"),
            ("10.0.0.1,10.0.0.2", "several ranges"),
            ("http://10.0.0.1/", "looks like a web address"),
            ("10.0.0.1:161", "has a port in it"),
            ("2001:db8::/64", "more than 16777216 addresses"),
            ("printer_%", "neither an address nor a host name"),
            ("-x", "neither an address nor a host name"),
        ] {
            let error = text.parse::<AddressRange>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(error.contains(CURE), "{text}: {error}");
        }
    }
}
