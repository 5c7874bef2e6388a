//! Addresses of a fleet: single ones, whole ranges, and some spread over a range by a seed.
//!
//! Loopback only: a simulator that answered from other addresses could be taken for a device.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use crate::dice::Dice;

/// Most addresses of one range: a /16.
const RANGE_MAX: u32 = 65_536;

/// Why addresses are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither an address nor a CIDR.
    #[error("'{0}' is not an address such as 127.20.0.1, a range such as 127.20.0.0/24, or ::1")]
    Text(String),
    /// Not on the loopback interface.
    #[error("{0} is not within 127.0.0.0/8, and not ::1")]
    NotLoopback(String),
    /// Too large a range.
    #[error("{0} has more than {RANGE_MAX} addresses")]
    TooLarge(String),
    /// More printers than addresses.
    #[error("{range} has no room for {count}: it has {room} addresses")]
    NoRoom {
        /// The range.
        range: String,
        /// How many were wanted.
        count: u32,
        /// How many there are, without the network's and the broadcast address.
        room: u32,
    },
}

/// Every address of these texts. A CIDR stands for all of its addresses, first and last included.
pub(crate) fn all(texts: &[String]) -> Result<Vec<IpAddr>, AddressError> {
    let mut addresses = Vec::new();
    for text in texts {
        if text.contains('/') {
            let (first, length) = range(text)?;
            addresses
                .extend((first..=first + (length - 1)).map(|at| IpAddr::V4(Ipv4Addr::from(at))));
            continue;
        }
        let address: IpAddr = text.parse().map_err(|_| AddressError::Text(text.clone()))?;
        let is_ours = match address {
            IpAddr::V4(v4) => v4.is_loopback(),
            IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST,
        };
        if !is_ours {
            return Err(AddressError::NotLoopback(text.clone()));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

/// `count` addresses of a range, chosen by the seed, in order. The network's own address and the
/// broadcast address are no hosts and stay empty.
pub(crate) fn spread(text: &str, count: u32, seed: u64) -> Result<Vec<IpAddr>, AddressError> {
    let (first, length) = range(text)?;
    let (from, room) = if length > 2 {
        (first + 1, length - 2)
    } else {
        (first, length)
    };
    if count > room {
        return Err(AddressError::NoRoom {
            range: text.to_owned(),
            count,
            room,
        });
    }
    // The first `count` cards of a deck that is shuffled only as far as needed.
    let mut deck: Vec<u32> = (from..from + room).collect();
    let mut dice = Dice::new(seed);
    for at in 0..count {
        let other = u64::from(at) + dice.below(u64::from(room - at));
        deck.swap(at as usize, other as usize);
    }
    deck.truncate(count as usize);
    deck.sort_unstable();
    Ok(deck
        .into_iter()
        .map(|at| IpAddr::V4(Ipv4Addr::from(at)))
        .collect())
}

/// The first address of a range and how many it has.
fn range(text: &str) -> Result<(u32, u32), AddressError> {
    let net: Ipv4Net = text
        .parse()
        .map_err(|_| AddressError::Text(text.to_owned()))?;
    let too_large = || AddressError::TooLarge(text.to_owned());
    let bits = 32 - u32::from(net.prefix_len());
    let length = 1_u32
        .checked_shl(bits)
        .filter(|length| *length <= RANGE_MAX)
        .ok_or_else(too_large)?;
    if !net.network().is_loopback() {
        return Err(AddressError::NotLoopback(text.to_owned()));
    }
    Ok((u32::from(net.network()), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_exactly_as_many_hosts_as_asked_for() {
        let some = spread("127.20.0.0/16", 655, 3).unwrap();
        assert_eq!(some.len(), 655);
        assert!(some.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(some, spread("127.20.0.0/16", 655, 3).unwrap());
        assert_ne!(some, spread("127.20.0.0/16", 655, 4).unwrap());
        let full = spread("127.20.0.0/29", 6, 1).unwrap();
        assert_eq!(full[0].to_string(), "127.20.0.1");
        assert!(spread("127.20.0.0/29", 7, 1).is_err());
    }

    #[test]
    fn a_range_stands_for_all_of_it_and_only_loopback_is_taken() {
        assert_eq!(all(&["127.20.0.0/16".to_owned()]).unwrap().len(), 65_536);
        for wrong in [
            "10.0.0.1",
            "127.0.0.0/8",
            "10.0.0.0/24",
            "fe80::1",
            "printer",
        ] {
            assert!(all(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        assert!(all(&["::1".to_owned()]).is_ok());
    }
}
