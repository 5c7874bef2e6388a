//! A walk: what a device answered, ordered, with lookups by type.
//!
//! Used by everything that makes meaning of answers. An object that the device does not have
//! (noSuchObject and its kin) is not in here, so that looking it up finds nothing.

mod packed;

use std::collections::{BTreeMap, BTreeSet};

use snmp::recording::Recording;
use snmp::{Oid, Value, VarBind};

pub use self::packed::PackedWalk;
use crate::{mib, text};

/// What a device answered, object by object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    objects: BTreeMap<Oid, Value>,
}

impl Walk {
    /// Nothing answered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an object. A value that says that there is none takes the object away.
    pub fn insert(&mut self, oid: Oid, value: Value) {
        if value.is_absent() {
            self.objects.remove(&oid);
        } else {
            self.objects.insert(oid, value);
        }
    }

    /// Lays newer answers over older ones.
    pub fn overlay(&mut self, varbinds: Vec<VarBind>) {
        for varbind in varbinds {
            self.insert(varbind.oid, varbind.value);
        }
    }

    /// Forgets a subtree, before it is walked again: rows may have gone.
    pub fn remove_under(&mut self, root: &Oid) {
        let mut tail = self.objects.split_off(root);
        if let Some(behind) = tail.keys().find(|oid| !oid.is_under(root)).cloned() {
            self.objects.append(&mut tail.split_off(&behind));
        }
    }

    /// The value of an object.
    #[must_use]
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.objects.get(oid)
    }

    /// Every object, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Oid, &Value)> {
        self.objects.iter()
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing was answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects under a root, in order, each with the arcs behind the root: a column with its
    /// rows.
    pub fn under<'a>(&'a self, root: &[u32]) -> impl Iterator<Item = (&'a [u32], &'a Value)> {
        let root = Oid::new(root);
        let skip = root.arcs().len();
        self.objects
            .range(root.clone()..)
            .take_while(move |(oid, _)| oid.is_under(&root))
            .map(move |(oid, value)| (&oid.arcs()[skip..], value))
    }

    /// The rows that any of these columns has, in order.
    #[must_use]
    pub fn rows<'a>(&'a self, columns: &[&[u32]]) -> BTreeSet<&'a [u32]> {
        columns
            .iter()
            .flat_map(|column| self.under(column))
            .map(|(row, _)| row)
            .collect()
    }

    /// The value in a column's row.
    #[must_use]
    pub fn at(&self, column: &[u32], row: &[u32]) -> Option<&Value> {
        self.objects.get(&Oid::new(column).with(row))
    }

    /// The number in a column's row, of whatever integer type: some printers answer INTEGER where
    /// the MIB has Counter32.
    #[must_use]
    pub fn number(&self, column: &[u32], row: &[u32]) -> Option<i64> {
        self.at(column, row).and_then(number_of)
    }

    /// The octets in a column's row.
    #[must_use]
    pub fn octets(&self, column: &[u32], row: &[u32]) -> Option<&[u8]> {
        let Value::OctetString(octets) = self.at(column, row)? else {
            return None;
        };
        Some(octets)
    }

    /// The text in a column's row, decoded and bounded; `None` where it is empty.
    #[must_use]
    pub fn text(&self, column: &[u32], row: &[u32]) -> Option<String> {
        let decoded = text::decode_by(self.octets(column, row)?, || self.charset());
        (!decoded.is_empty()).then_some(decoded)
    }

    /// The enterprise number in sysObjectID (RFC 2578: the arc behind 1.3.6.1.4.1).
    #[must_use]
    pub fn enterprise(&self) -> Option<u32> {
        let Value::ObjectId(oid) = self.at(mib::SYS_OBJECT_ID, &[mib::SCALAR])? else {
            return None;
        };
        oid.arcs().strip_prefix(mib::ENTERPRISES)?.first().copied()
    }

    /// The character set of the device's texts, as it says itself.
    #[must_use]
    pub fn charset(&self) -> text::Charset {
        let current = self.under(mib::PRT_CURRENT_LOCALIZATION).next();
        let row = current.and_then(|(device, value)| {
            let localization = u32::try_from(number_of(value)?).ok()?;
            Some([device.first().copied()?, localization])
        });
        let by_row = row.and_then(|row| self.number(mib::PRT_CHARACTER_SET, &row));
        let first = || {
            self.under(mib::PRT_CHARACTER_SET)
                .next()
                .and_then(|(_, v)| number_of(v))
        };
        by_row
            .or_else(first)
            .map_or(text::Charset::Unsaid, text::Charset::from_mib_enum)
    }
}

/// The number in a value of any integer type.
#[must_use]
pub fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
            Some(i64::from(*number))
        }
        Value::Counter64(number) => i64::try_from(*number).ok(),
        Value::OctetString(_)
        | Value::ObjectId(_)
        | Value::IpAddress(_)
        | Value::Opaque(_)
        | Value::Null
        | Value::NoSuchObject
        | Value::NoSuchInstance
        | Value::EndOfMibView
        | Value::Unknown { .. } => None,
    }
}

impl FromIterator<VarBind> for Walk {
    fn from_iter<I: IntoIterator<Item = VarBind>>(varbinds: I) -> Self {
        // A map that is made at once is made in a fraction of the time; of two values of one object
        // the later stands.
        let pair = |varbind: VarBind| (varbind.oid, varbind.value);
        let mut objects: BTreeMap<Oid, Value> = varbinds.into_iter().map(pair).collect();
        objects.retain(|_, value| !value.is_absent());
        Self { objects }
    }
}

impl From<&Recording> for Walk {
    fn from(recording: &Recording) -> Self {
        let mut walk = Self::new();
        for (oid, value) in recording.iter() {
            walk.insert(oid.clone(), value.clone());
        }
        walk
    }
}
