//! Who lives in a /16.

use std::net::Ipv4Addr;
use std::num::ParseIntError;
use std::str::FromStr;

/// Addresses of a /16.
pub const ADDRESSES: u32 = 65_536;

/// Who lives: `100` is one address in a hundred, `100/16` as many, but all in one of sixteen /24.
#[derive(Clone, Copy)]
pub struct Spread {
    one_in: u32,
    networks: u32,
}

impl FromStr for Spread {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (one_in, networks) = text.split_once('/').unwrap_or((text, "1"));
        let (one_in, networks) = (one_in.parse()?, networks.parse()?);
        Ok(Self { one_in, networks })
    }
}

impl Spread {
    /// Whether an address lives, spread by a multiplicative hash so that no scanner's order suits it.
    pub fn lives(self, address: Ipv4Addr) -> bool {
        // The ends of the network are no devices, and not everybody asks them.
        let host = u32::from(address) & 0xffff;
        let is_drawn =
            |number: u32, one_in: u32| number.wrapping_mul(0x9e37_79b1).is_multiple_of(one_in);
        let each = (self.one_in / self.networks).max(1);
        (1..0xffff).contains(&host) && is_drawn(host >> 8, self.networks) && is_drawn(host, each)
    }

    /// Everybody who lives in this /16.
    pub fn living(self, network: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> {
        let base = u32::from(network) & 0xffff_0000;
        let hosts = (0..=0xffff).map(move |host| Ipv4Addr::from(base | host));
        hosts.filter(move |address| self.lives(*address))
    }
}
