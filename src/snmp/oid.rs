//! Object identifiers, ordered as SNMP orders them.

use std::fmt;
use std::str::FromStr;

use smallvec::SmallVec;

/// Most arcs an object identifier may have (RFC 3416 §4.1 note, RFC 2578 §3.5).
pub const ARCS_MAX: usize = 128;

/// Arcs that are held without memory of their own: those of nearly every object of a printer. Of the
/// objects in our recordings one in a hundred has more.
const ARCS_INLINE: usize = 22;

/// An object identifier: up to 128 arcs of 32 bits (RFC 2578 §3.5), ordered arc by arc.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Oid(SmallVec<[u32; ARCS_INLINE]>);

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
        Self(SmallVec::from_slice(arcs))
    }

    /// The arcs, first to last.
    #[must_use]
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// This identifier with more arcs behind it.
    #[must_use]
    pub fn with(&self, tail: &[u32]) -> Self {
        let mut arcs = SmallVec::from_slice(&self.0);
        arcs.extend_from_slice(tail);
        Self(arcs)
    }

    /// Whether this identifier lies in the subtree of `root` (or is `root`).
    #[must_use]
    pub fn is_under(&self, root: &Self) -> bool {
        self.0.starts_with(&root.0)
    }

    /// The arcs after `root`, or `None` outside its subtree.
    #[must_use]
    pub fn tail_of(&self, root: &Self) -> Option<&[u32]> {
        self.0.strip_prefix(root.arcs())
    }
}

impl Clone for Oid {
    fn clone(&self) -> Self {
        // One copy of octets: the derived one goes arc by arc.
        Self::new(&self.0)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One piece: evidence names an object in every value, and pieces cost more than digits.
        f.write_str(&dotted(&self.0))
    }
}

/// Writes arcs as people do: `1.3.6.1`.
#[must_use]
pub fn dotted(arcs: &[u32]) -> String {
    dotted_row(arcs, &[])
}

/// Writes a column and a row of it as one, as [`dotted`].
#[must_use]
pub fn dotted_row(column: &[u32], row: &[u32]) -> String {
    let mut text = Vec::with_capacity(3 * (column.len() + row.len()));
    for arc in column.iter().chain(row) {
        push_arc(&mut text, *arc);
    }
    text.pop();
    // Digits and dots are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// Writes an arc and a dot. Most have one or two digits.
fn push_arc(text: &mut Vec<u8>, arc: u32) {
    let digit = |number: u32| b'0' + number.to_le_bytes()[0];
    match arc {
        0..10 => text.extend_from_slice(&[digit(arc), b'.']),
        10..100 => text.extend_from_slice(&[digit(arc / 10), digit(arc % 10), b'.']),
        _ => {
            text.extend_from_slice(arc.to_string().as_bytes());
            text.push(b'.');
        }
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
            .collect::<Result<SmallVec<[u32; ARCS_INLINE]>, _>>()?;
        if arcs.len() > ARCS_MAX {
            return Err(ParseOidError::TooLong);
        }
        Ok(Self(arcs))
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
