//! Adjacent addresses, and what can be done with them: the arithmetic under ranges and scopes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Adjacent addresses of one family, both ends included. IPv4 sorts before IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    V4 { first: u32, last: u32 },
    V6 { first: u128, last: u128 },
}

impl Span {
    pub(super) fn one(address: IpAddr) -> Self {
        Self::between(address, address)
    }

    /// From the first to the last address, which the caller knows to be of one family; of two
    /// families it is the first address alone.
    pub(super) fn between(first: IpAddr, last: IpAddr) -> Self {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Self::V4 {
                first: first.into(),
                last: last.into(),
            },
            (IpAddr::V6(first), IpAddr::V6(last)) => Self::V6 {
                first: first.into(),
                last: last.into(),
            },
            (IpAddr::V4(only), IpAddr::V6(_)) => Self::V4 {
                first: only.into(),
                last: only.into(),
            },
            (IpAddr::V6(only), IpAddr::V4(_)) => Self::V6 {
                first: only.into(),
                last: only.into(),
            },
        }
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { first, last }, IpAddr::V4(a)) => (first..=last).contains(&u32::from(a)),
            (Self::V6 { first, last }, IpAddr::V6(a)) => (first..=last).contains(&u128::from(a)),
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }

    pub(super) fn count(self) -> u64 {
        match self {
            Self::V4 { first, last } => u64::from(last - first) + 1,
            Self::V6 { first, last } => {
                u64::try_from(last - first).map_or(u64::MAX, |more| more.saturating_add(1))
            }
        }
    }

    pub(super) fn addresses(self) -> Addresses {
        Addresses { rest: Some(self) }
    }

    /// This span and a later one as a single span, where they overlap or touch.
    pub(super) fn joined(self, later: Self) -> Option<Self> {
        match (self, later) {
            (
                Self::V4 { first, last },
                Self::V4 {
                    first: next,
                    last: end,
                },
            ) => (next <= last.saturating_add(1)).then_some(Self::V4 {
                first,
                last: last.max(end),
            }),
            (
                Self::V6 { first, last },
                Self::V6 {
                    first: next,
                    last: end,
                },
            ) => (next <= last.saturating_add(1)).then_some(Self::V6 {
                first,
                last: last.max(end),
            }),
            (Self::V4 { .. }, Self::V6 { .. }) | (Self::V6 { .. }, Self::V4 { .. }) => None,
        }
    }

    /// What is left of this span without `hole`: nothing, one piece, or two.
    pub(super) fn without(self, hole: Self) -> impl Iterator<Item = Self> {
        let (before, after) = match (self, hole) {
            (
                Self::V4 { first, last },
                Self::V4 {
                    first: from,
                    last: to,
                },
            ) if from <= last && to >= first => {
                let before = (first < from).then(|| Self::V4 {
                    first,
                    last: from - 1,
                });
                (
                    before,
                    (to < last).then(|| Self::V4 {
                        first: to + 1,
                        last,
                    }),
                )
            }
            (
                Self::V6 { first, last },
                Self::V6 {
                    first: from,
                    last: to,
                },
            ) if from <= last && to >= first => {
                let before = (first < from).then(|| Self::V6 {
                    first,
                    last: from - 1,
                });
                (
                    before,
                    (to < last).then(|| Self::V6 {
                        first: to + 1,
                        last,
                    }),
                )
            }
            (Self::V4 { .. } | Self::V6 { .. }, _) => (Some(self), None),
        };
        before.into_iter().chain(after)
    }
}

/// The addresses of a span, ascending.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    rest: Option<Span>,
}

impl Iterator for Addresses {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let span = self.rest?;
        match span {
            Span::V4 { first, last } => {
                self.rest = (first < last).then(|| Span::V4 {
                    first: first + 1,
                    last,
                });
                Some(IpAddr::V4(Ipv4Addr::from(first)))
            }
            Span::V6 { first, last } => {
                self.rest = (first < last).then(|| Span::V6 {
                    first: first + 1,
                    last,
                });
                Some(IpAddr::V6(Ipv6Addr::from(first)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_of_all_ends_the_iteration() {
        let top = Span::between(ip("255.255.255.254"), ip("255.255.255.255"));
        assert_eq!(top.addresses().count(), 2);
        let top = Span::one(IpAddr::V6(u128::MAX.into()));
        assert_eq!(top.addresses().count(), 1);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
