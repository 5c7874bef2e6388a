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
    /// The object is a column; the number is the sum of its rows that meet every condition
    /// (Samsung counts each kind of job, size and color in a row of its own).
    Matching(Vec<Condition>),
    /// The object is a text; the number is the first in it, or the one before a word (Zebra says
    /// a length in two units).
    Text { before: Option<String> },
}

/// What a row must hold in one of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) column: Oid,
    /// Any of these.
    pub(crate) values: Vec<i64>,
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
            Self::Scalar | Self::Records { .. } | Self::Text { .. } => vec![object.clone()],
            Self::Sum(others) => {
                let mut all = vec![object.clone()];
                all.extend(others.iter().cloned());
                all
            }
            Self::Keyed { .. } | Self::Matching(_) => Vec::new(),
        }
    }

    /// The columns to walk for it, none where it is exact instances.
    pub(crate) fn columns(&self, object: &Oid) -> Vec<Oid> {
        match self {
            Self::Scalar | Self::Records { .. } | Self::Text { .. } | Self::Sum(_) => Vec::new(),
            Self::Keyed { column, .. } => vec![object.clone(), column.clone()],
            Self::Matching(conditions) => {
                let mut all = vec![object.clone()];
                all.extend(conditions.iter().map(|condition| condition.column.clone()));
                all
            }
        }
    }

    /// Every instance that the number is made of, as a walk has them.
    pub(crate) fn instances(&self, object: &Oid, walk: &Walk) -> Vec<Oid> {
        match self {
            Self::Keyed { .. } => self.instance(object, walk).into_iter().collect(),
            Self::Matching(conditions) => matching(object, conditions, walk)
                .map(|(instance, _)| instance)
                .collect(),
            Self::Scalar | Self::Records { .. } | Self::Text { .. } | Self::Sum(_) => {
                self.scalars(object)
            }
        }
    }

    /// The instance that holds the number, for evidence; the first of several.
    pub(crate) fn instance(&self, object: &Oid, walk: &Walk) -> Option<Oid> {
        if let Self::Matching(conditions) = self {
            return matching(object, conditions, walk).map(|(it, _)| it).next();
        }
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
            // A part that lacks makes the sum unknown, never smaller.
            Self::Sum(others) => {
                let mut parts = others.iter().map(|other| number_of(walk.get(other)?));
                parts.try_fold(number_of(value)?, |sum, part| sum.checked_add(part?))?
            }
            Self::Records { record } => {
                let Value::OctetString(octets) = value else {
                    return None;
                };
                find_record(octets, *record)?
            }
            Self::Matching(conditions) => matching(object, conditions, walk)
                .map(|(_, number)| number)
                .try_fold(0_i64, i64::checked_add)?,
            Self::Text { before } => {
                let Value::OctetString(octets) = value else {
                    return number_of(value).map(|number| (instance, number));
                };
                number_in(&text::decode(octets, walk.charset()), before.as_deref())?
            }
        };
        Some((instance, number))
    }
}

/// The rows of a column that meet every condition, each with its number.
fn matching<'w>(
    object: &'w Oid,
    conditions: &'w [Condition],
    walk: &'w Walk,
) -> impl Iterator<Item = (Oid, i64)> + 'w {
    let meets = |row: &[u32]| {
        conditions.iter().all(|condition| {
            let number = walk.number(condition.column.arcs(), row);
            number.is_some_and(|number| condition.values.contains(&number))
        })
    };
    walk.under(object.arcs())
        .take(KEYED_ROWS_MAX)
        .filter(move |(row, _)| meets(row))
        .filter_map(|(row, value)| Some((object.with(row), number_of(value)?)))
}

/// The first whole number in a text, or the one right before a word.
fn number_in(text: &str, before: Option<&str>) -> Option<i64> {
    let words: Vec<&str> = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let number = |word: &str| word.parse::<i64>().ok();
    match before {
        None => words.iter().find_map(|word| number(word)),
        Some(wanted) => words
            .windows(2)
            .find(|pair| pair[1].eq_ignore_ascii_case(wanted))
            .and_then(|pair| number(pair[0])),
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
    fn a_number_in_a_text_is_read() {
        // ZT411 and TLP 2824 Plus, 10642.200.17.
        let both = "1920 INCHES, 4876 CENTIMETERS";
        assert_eq!(number_in(both, None), Some(1920));
        assert_eq!(number_in(both, Some("CENTIMETERS")), Some(4876));
        assert_eq!(number_in(both, Some("METERS")), None);
        assert_eq!(number_in("?", None), None);
        assert_eq!(number_in("99999999999999999999", None), None);
    }

    #[test]
    fn a_sum_with_a_part_that_lacks_is_unknown() {
        let oid = |arc: u32| Oid::new(&[1, 3, 6, 1, 4, 1, 1, arc]);
        let sum = Decoder::Sum(vec![oid(2)]);
        let mut walk = Walk::new();
        walk.insert(oid(1), Value::Counter32(700));
        assert_eq!(sum.read(&oid(1), &walk), None);
        walk.insert(oid(2), Value::Counter32(490));
        assert_eq!(sum.read(&oid(1), &walk), Some((oid(1), 1_190)));
    }

    #[test]
    fn rows_that_meet_every_condition_are_added() {
        let column = |number: u32| Oid::new(&[1, 3, 6, 1, 4, 1, 236, number]);
        let mut walk = Walk::new();
        // Kind of job, color, count.
        for (row, (kind, color, count)) in
            [(1, 1, 40), (1, 3, 600), (2, 3, 7)].into_iter().enumerate()
        {
            let row = [row as u32 + 1];
            walk.insert(column(2).with(&row), Value::Integer(kind));
            walk.insert(column(6).with(&row), Value::Integer(color));
            walk.insert(column(7).with(&row), Value::Counter32(count));
        }
        let when = |number: u32, values: &[i64]| Condition {
            column: column(number),
            values: values.to_vec(),
        };
        let sum =
            |conditions: Vec<Condition>| Decoder::Matching(conditions).read(&column(7), &walk);
        assert_eq!(sum(vec![when(2, &[1])]).map(|it| it.1), Some(640));
        assert_eq!(
            sum(vec![when(2, &[1, 2]), when(6, &[3])]).map(|it| it.1),
            Some(607)
        );
        assert_eq!(sum(vec![when(2, &[9])]), None, "no row is no zero");
        let both = Decoder::Matching(vec![when(2, &[1])]).instances(&column(7), &walk);
        assert_eq!(both, [column(7).with(&[1]), column(7).with(&[2])]);
    }

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
