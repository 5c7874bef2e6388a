//! Object identifiers, ordered as SNMP orders them.

use std::fmt;
use std::str::FromStr;

/// Most arcs an object identifier may have (RFC 3416 §4.1 note, RFC 2578 §3.5).
pub const ARCS_MAX: usize = 128;

/// An object identifier: up to 128 arcs of 32 bits (RFC 2578 §3.5), ordered arc by arc.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Oid(Box<[u32]>);

/// Why a text is no object identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseOidError {
    /// An arc is empty, not a number, or above 2³²−1.
    #[error("'{0}' is not an arc: each arc is a number up to 4294967295")]
    Arc(String),
    /// More than [`ARCS_MAX`] arcs.
    #[error("more than 128 arcs")]
    TooLong,
}

impl Oid {
    /// Makes an identifier of these arcs.
    #[must_use]
    pub fn new(arcs: &[u32]) -> Self {
        Self(arcs.into())
    }

    /// The arcs, first to last.
    #[must_use]
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// This identifier with more arcs behind it.
    #[must_use]
    pub fn with(&self, tail: &[u32]) -> Self {
        Self([&self.0, tail].concat().into())
    }

    /// Whether this identifier lies in the subtree of `root` (or is `root`).
    #[must_use]
    pub fn is_under(&self, root: &Self) -> bool {
        self.0.starts_with(&root.0)
    }

    /// The arcs after `root`, or `None` outside its subtree.
    #[must_use]
    pub fn tail_of(&self, root: &Self) -> Option<&[u32]> {
        self.0.strip_prefix(&*root.0)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arc) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            write!(f, "{dot}{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

impl FromStr for Oid {
    type Err = ParseOidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix('.').unwrap_or(text);
        let arcs = text
            .split('.')
            .map(|arc| arc.parse().map_err(|_| ParseOidError::Arc(arc.to_owned())))
            .collect::<Result<Vec<u32>, _>>()?;
        if arcs.len() > ARCS_MAX {
            return Err(ParseOidError::TooLong);
        }
        Ok(Self(arcs.into()))
    }
}

impl From<&[u32]> for Oid {
    fn from(arcs: &[u32]) -> Self {
        Self::new(arcs)
    }
}

impl<const N: usize> From<[u32; N]> for Oid {
    fn from(arcs: [u32; N]) -> Self {
        Self::new(&arcs)
    }
}
