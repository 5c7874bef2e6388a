//! Decoders: how a number is had from a maker's object. A closed set that profiles refer to.

use snmp::{Oid, Value};

use crate::text;
use crate::walk::{Walk, number_of};

/// Most records in one of Brother's blocks: the longest seen has 40.
const RECORDS_MAX: usize = 256;

/// Most rows of a keyed table that are looked through.
const KEYED_ROWS_MAX: usize = 1_024;

/// The end of one of Brother's blocks.
const RECORDS_END: u8 = 0xff;

/// How a number is had from an object: the closed set of procedures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// The object is the number.
    Scalar,
    /// The object and these together are the number.
    Sum(Vec<Oid>),
    /// The object is a column; its row is the one where the key column holds the key.
    Keyed { column: Oid, key: Key },
    /// The object is one of Brother's blocks: records of id, 01, length, number.
    Records { record: u8 },
}

/// What a key column holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Key {
    Number(i64),
    Label(String),
}

impl Decoder {
    /// The instances to GET for it; none for a table.
    pub(crate) fn scalars(&self, object: &Oid) -> Vec<Oid> {
        match self {
            Self::Scalar | Self::Records { .. } => vec![object.clone()],
            Self::Sum(others) => {
                let mut all = others.clone();
                all.push(object.clone());
                all
            }
            Self::Keyed { .. } => Vec::new(),
        }
    }

    /// The instance that holds the number, for evidence.
    pub(crate) fn instance(&self, object: &Oid, walk: &Walk) -> Option<Oid> {
        let Self::Keyed { column, key } = self else {
            return Some(object.clone());
        };
        let is_it = |value: &Value| match (key, value) {
            (Key::Number(wanted), value) => number_of(value) == Some(*wanted),
            (Key::Label(wanted), Value::OctetString(octets)) => {
                text::decode(octets, walk.charset()) == *wanted
            }
            (Key::Label(_), _) => false,
        };
        let mut rows = walk.under(column.arcs()).take(KEYED_ROWS_MAX);
        rows.find(|(_, value)| is_it(value))
            .map(|(row, _)| object.with(row))
    }

    /// Reads the number, and the instance that held it.
    pub(crate) fn read(&self, object: &Oid, walk: &Walk) -> Option<(Oid, i64)> {
        let instance = self.instance(object, walk)?;
        let value = walk.get(&instance)?;
        let number = match self {
            Self::Scalar | Self::Keyed { .. } => number_of(value)?,
            Self::Sum(others) => {
                let parts = others
                    .iter()
                    .filter_map(|other| walk.get(other))
                    .map(number_of);
                parts
                    .flatten()
                    .try_fold(number_of(value)?, i64::checked_add)?
            }
            Self::Records { record } => {
                let Value::OctetString(octets) = value else {
                    return None;
                };
                find_record(octets, *record)?
            }
        };
        Some((instance, number))
    }
}

/// Finds a record in one of Brother's blocks: id, 01, length, number, one after the other, closed
/// by FF. A block that is cut off gives what stands before the cut.
fn find_record(octets: &[u8], wanted: u8) -> Option<i64> {
    let mut rest = octets;
    for _ in 0..RECORDS_MAX {
        let [id, 0x01, length, tail @ ..] = rest else {
            return None;
        };
        let (number, tail) = tail.split_at_checked(usize::from(*length))?;
        if *id == RECORDS_END || number.len() > size_of::<u32>() {
            return None;
        }
        if *id == wanted {
            return Some(
                number
                    .iter()
                    .fold(0, |sum, octet| (sum << 8) | i64::from(*octet)),
            );
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_records_is_read() {
        // DCP-L3550CDW, block 10: pages 1611, mono 709, color 902 (bieniu/brother, fixture).
        let block = [
            0x00, 1, 4, 0, 0, 0x06, 0x4b, 0x02, 1, 4, 0, 0, 0x03, 0x86, 0x01, 1, 4, 0, 0, 0x02,
            0xc5, 0xff,
        ];
        assert_eq!(find_record(&block, 0x00), Some(1611));
        assert_eq!(find_record(&block, 0x01), Some(709));
        assert_eq!(find_record(&block, 0x02), Some(902));
        assert_eq!(find_record(&block, 0x06), None);
        assert_eq!(find_record(&[0xff], 0x00), None);
        assert_eq!(find_record(&block[..5], 0x00), None);
        // HL-5350DN has numbers of one octet.
        assert_eq!(
            find_record(&[0x31, 1, 1, 1, 0x63, 1, 1, 9, 0xff], 0x63),
            Some(9)
        );
    }
}
