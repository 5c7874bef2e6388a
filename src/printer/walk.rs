//! A walk: what a device answered, ordered, with lookups by type.
//!
//! Used by everything that makes meaning of answers. An object that the device does not have
//! (noSuchObject and its kin) is not in here, so that looking it up finds nothing.

mod names;
mod packed;
mod shape;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use snmp::recording::Recording;
use snmp::{Oid, Value, VarBind};

use self::names::Names;
pub use self::packed::PackedWalk;
use self::shape::Shape;
pub use self::shape::Shapes;
use crate::again::Course;
use crate::{mib, text};

/// What a device answered, object by object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// The names, which walks of one shape may share.
    names: Arc<Shape>,
    /// The value of each name.
    values: Vec<Value>,
}

impl Walk {
    /// Nothing answered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an object. A value that says that there is none takes the object away.
    pub fn insert(&mut self, oid: Oid, value: Value) {
        self.overlay(vec![VarBind::new(oid, value)]);
    }

    /// Lays newer answers over older ones; of two to one object the later stands.
    pub fn overlay(&mut self, varbinds: Vec<VarBind>) {
        let places: Option<Vec<usize>> = varbinds
            .iter()
            .map(|it| {
                self.names
                    .find(it.oid.arcs())
                    .filter(|_| !it.value.is_absent())
            })
            .collect();
        match places {
            Some(places) => {
                for (at, varbind) in places.into_iter().zip(varbinds) {
                    self.values[at] = varbind.value;
                }
            }
            None => self.merge(varbinds),
        }
    }

    fn merge(&mut self, mut varbinds: Vec<VarBind>) {
        varbinds.sort_by(|a, b| a.oid.cmp(&b.oid));
        let before = std::mem::take(self);
        let mut merged = Objects::with_capacity(before.len() + varbinds.len());
        let mut older = (0..before.names.len()).zip(before.values).peekable();
        let mut newer = varbinds.into_iter().peekable();
        while let Some(VarBind { oid, value }) = newer.next() {
            while let Some((at, value)) =
                older.next_if(|(at, _)| before.names.get(*at) < oid.arcs())
            {
                merged.push(before.names.get(at), value);
            }
            older.next_if(|(at, _)| before.names.get(*at) == oid.arcs());
            let is_last = newer.peek().is_none_or(|next| next.oid != oid);
            if is_last && !value.is_absent() {
                merged.push(oid.arcs(), value);
            }
        }
        for (at, value) in older {
            merged.push(before.names.get(at), value);
        }
        *self = merged.into();
    }

    /// Forgets a subtree, before it is walked again: rows may have gone.
    pub fn remove_under(&mut self, root: &Oid) {
        let gone = self.names.under(root.arcs());
        self.values.drain(gone.clone());
        Arc::make_mut(&mut self.names).remove(gone);
    }

    /// The value of an object.
    #[must_use]
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.names.find(oid.arcs()).map(|at| &self.values[at])
    }

    /// Every object, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Oid, &Value)> {
        let names = (0..self.len()).map(|at| Oid::new(self.names.get(at)));
        names.zip(&self.values)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing was answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The name of an object, by its position.
    pub(crate) fn name(&self, at: usize) -> &[u32] {
        self.names.get(at)
    }

    /// The value of an object, by its position.
    pub(crate) fn value(&self, at: usize) -> &Value {
        &self.values[at]
    }

    /// The position of an object.
    pub(crate) fn position(&self, oid: &Oid) -> Option<usize> {
        self.names.find(oid.arcs())
    }

    /// The positions of the objects under a root.
    pub(crate) fn positions(&self, root: &[u32]) -> Range<usize> {
        self.names.under(root)
    }

    /// The objects under a root, in order, each with the arcs behind the root: a column with its
    /// rows.
    pub fn under<'a>(
        &'a self,
        root: &[u32],
    ) -> impl Iterator<Item = (&'a [u32], &'a Value)> + use<'a> {
        let skip = root.len();
        self.names
            .under(root)
            .map(move |at| (&self.names.get(at)[skip..], &self.values[at]))
    }

    /// Columns, whose rows are then looked up among each other alone. Each is looked for behind the one
    /// before it: those of one table in ascending order are found quickest.
    pub(crate) fn columns<const N: usize>(&self, columns: [&[u32]; N]) -> [Column<'_>; N] {
        let mut near = None;
        columns.map(|column| {
            let rows = match near {
                Some(near) => self.names.under_near(near, column),
                None => self.names.under(column),
            };
            near = Some(rows.end);
            Column {
                walk: self,
                next: rows.start,
                rows,
                skip: column.len(),
            }
        })
    }

    /// The rows that any of these columns has, in order.
    #[must_use]
    pub fn rows<'a>(&'a self, columns: &[&[u32]]) -> Vec<&'a [u32]> {
        let mut rows = Vec::new();
        for column in columns {
            add_rows(&mut rows, self.under(column).map(|(row, _)| row));
        }
        rows
    }

    /// The value in a column's row.
    #[must_use]
    pub fn at(&self, column: &[u32], row: &[u32]) -> Option<&Value> {
        let at = self.names.find_row(column, row)?;
        Some(&self.values[at])
    }

    /// The same objects with these values, by position, and without those that have none.
    pub(crate) fn with_values(&self, values: Vec<Value>) -> Self {
        if !values.iter().any(Value::is_absent) {
            let names = self.names.clone();
            return Self { names, values };
        }
        let mut objects = Objects::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            if !value.is_absent() {
                objects.push(self.name(at), value);
            }
        }
        objects.into()
    }

    /// How to walk the device again, where that is known of walks of this shape.
    pub(crate) fn course(&self) -> &OnceLock<Arc<Course>> {
        self.names.course()
    }

    /// Whether another walk holds the same, but for one object.
    pub(crate) fn is_same_but(&self, other: &Self, object: &Oid) -> bool {
        let apart = self.position(object);
        let mut pairs = self.values.iter().zip(&other.values).enumerate();
        self.names == other.names && pairs.all(|(at, (a, b))| a == b || Some(at) == apart)
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
        self.text_of(self.at(column, row)?)
    }

    /// The text in a value, as [`Walk::text`].
    pub(crate) fn text_of(&self, value: &Value) -> Option<String> {
        let Value::OctetString(octets) = value else {
            return None;
        };
        let decoded = text::decode_by(octets, || self.charset());
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

/// A walk that is being put together.
struct Objects {
    names: Names,
    values: Vec<Value>,
}

impl Objects {
    fn with_capacity(objects: usize) -> Self {
        Self {
            names: Names::with_capacity(objects),
            values: Vec::with_capacity(objects),
        }
    }

    /// Puts an object behind all others; one that does not belong there is left out.
    fn push(&mut self, name: &[u32], value: Value) {
        if self.names.push(name) {
            self.values.push(value);
        }
    }
}

impl From<Objects> for Walk {
    fn from(objects: Objects) -> Self {
        let Objects { names, values } = objects;
        let names = Arc::new(names.into());
        Self { names, values }
    }
}

/// A column of a walk.
pub(crate) struct Column<'w> {
    walk: &'w Walk,
    rows: Range<usize>,
    skip: usize,
    /// The position behind the value that was found last: who looks up one row after the other finds
    /// the next one there.
    next: usize,
}

impl<'w> Column<'w> {
    /// The value in a row.
    pub(crate) fn at(&mut self, row: &[u32]) -> Option<&'w Value> {
        let name = |at: usize| &self.walk.name(at)[self.skip..];
        let at = if self.next < self.rows.end && name(self.next) == row {
            self.next
        } else {
            self.find(row)?
        };
        self.next = at + 1;
        Some(self.walk.value(at))
    }

    /// The position of a row.
    fn find(&self, row: &[u32]) -> Option<usize> {
        let (mut low, mut high) = (self.rows.start, self.rows.end);
        while low < high {
            let middle = (low + high) / 2;
            match self.walk.name(middle)[self.skip..].cmp(row) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// As [`Walk::number`].
    pub(crate) fn number(&mut self, row: &[u32]) -> Option<i64> {
        self.at(row).and_then(number_of)
    }

    /// As [`Walk::text`].
    pub(crate) fn text(&mut self, row: &[u32]) -> Option<String> {
        self.walk.text_of(self.at(row)?)
    }
}

/// The rows that any of these columns has, in order.
pub(crate) fn rows_of<'w>(columns: &[&Column<'w>]) -> Vec<&'w [u32]> {
    let mut rows = Vec::with_capacity(columns.first().map_or(0, |first| first.rows.len()));
    for column in columns {
        let Column { walk, skip, .. } = column;
        let of_it = column.rows.clone().map(|at| &walk.name(at)[*skip..]);
        add_rows(&mut rows, of_it);
    }
    rows
}

/// Adds the rows of a column to those of others.
fn add_rows<'w>(rows: &mut Vec<&'w [u32]>, column: impl Iterator<Item = &'w [u32]>) {
    let known = rows.len();
    let mut next = 0;
    for row in column {
        // Nearly always, each column has the rows of the one before.
        if rows[..known].get(next) == Some(&row) {
            next += 1;
        } else {
            rows.push(row);
        }
    }
    if rows.len() > known && known > 0 {
        rows.sort_unstable();
        rows.dedup();
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
        let mut walk = Self::new();
        walk.merge(varbinds.into_iter().collect());
        walk
    }
}

impl From<&Recording> for Walk {
    fn from(recording: &Recording) -> Self {
        let objects = recording.iter();
        objects
            .map(|(oid, value)| VarBind::new(oid.clone(), value.clone()))
            .collect()
    }
}
