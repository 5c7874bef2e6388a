//! A walk as few octets: what is remembered of a printer until it is asked again.
//!
//! Ten thousand printers are remembered at once. An object is written as what its name adds to the
//! name before it, then its value; numbers take as many octets as they need (LEB128).

use std::sync::Arc;

use snmp::{Oid, Value};

use super::Walk;
use super::names::Names;
use super::shape::{Shape, Shapes};

/// Octets that most values take, for which room is made.
const VALUE_BYTES: usize = 10;

/// The same of names.
const NAME_BYTES: usize = 5;

/// Octets of a length, at most.
const LENGTH_MAX: usize = 10;

/// A walk that is kept and not looked at: some 1 KiB for an office printer, and 400 octets more where
/// no other walk has its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedWalk {
    names: PackedNames,
    values: Box<[u8]>,
}

/// The names of a packed walk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PackedNames {
    /// Those that walks share.
    Shared(Arc<Shape>),
    /// Its own.
    Own(Box<[u8]>),
}

impl Walk {
    /// Packs the walk. Its names are kept once for all that have them, while there is room.
    #[must_use]
    pub fn pack(&self, shapes: &Shapes) -> PackedWalk {
        let mut values = Vec::with_capacity(VALUE_BYTES * self.len());
        for value in &self.values {
            put_value(&mut values, value);
        }
        let names = match shapes.shared(&self.names) {
            Some(shape) => PackedNames::Shared(shape),
            None => PackedNames::Own(packed_names(&self.names)),
        };
        let values = values.into();
        PackedWalk { names, values }
    }
}

impl PackedWalk {
    /// The walk again; none where the octets are no packed walk, which [`Walk::pack`] never makes.
    #[must_use]
    pub fn unpack(&self) -> Option<Walk> {
        let names = match &self.names {
            PackedNames::Shared(shape) => shape.clone(),
            PackedNames::Own(octets) => Arc::new(unpacked(octets)?.into()),
        };
        let mut octets = &self.values[..];
        let mut values = Vec::with_capacity(names.len());
        for _ in 0..names.len() {
            values.push(take_value(&mut octets)?);
        }
        octets.is_empty().then_some(Walk { names, values })
    }

    /// As octets, of which it can be made again.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let packed;
        let names = match &self.names {
            PackedNames::Shared(shape) => {
                packed = packed_names(shape);
                &packed
            }
            PackedNames::Own(names) => names,
        };
        let mut out = Vec::with_capacity(LENGTH_MAX + names.len() + self.values.len());
        put_octets(&mut out, names);
        out.extend_from_slice(&self.values);
        out
    }
}

impl From<&[u8]> for PackedWalk {
    fn from(mut octets: &[u8]) -> Self {
        let names = take_octets(&mut octets).unwrap_or_default();
        Self {
            names: PackedNames::Own(names.into()),
            values: octets.into(),
        }
    }
}

fn packed_names(names: &Names) -> Box<[u8]> {
    let mut out = Vec::with_capacity(NAME_BYTES * names.len());
    let mut before: &[u32] = &[];
    for at in 0..names.len() {
        let name = names.get(at);
        let same = name.iter().zip(before);
        let shared = same.take_while(|(a, b)| a == b).count();
        put(&mut out, length(shared));
        put_arcs(&mut out, &name[shared..]);
        before = name;
    }
    out.into()
}

fn unpacked(mut octets: &[u8]) -> Option<Names> {
    let mut names = Names::default();
    while !octets.is_empty() {
        let shared = usize::try_from(take(&mut octets)?).ok()?;
        let count = take(&mut octets)?;
        let arc = || take(&mut octets).and_then(|arc| u32::try_from(arc).ok());
        if !names.push_sharing(shared, count, arc) {
            return None;
        }
    }
    Some(names)
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(0x80 | number.to_le_bytes()[0]);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn take(octets: &mut &[u8]) -> Option<u64> {
    // Nearly every number is below 128.
    if let [octet @ ..0x80, rest @ ..] = *octets {
        *octets = rest;
        return Some(u64::from(*octet));
    }
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_arcs(out: &mut Vec<u8>, arcs: &[u32]) {
    put(out, length(arcs.len()));
    for arc in arcs {
        put(out, u64::from(*arc));
    }
}

fn take_arcs(octets: &mut &[u8]) -> Option<Vec<u32>> {
    let count = take(octets)?;
    (0..count)
        .map(|_| u32::try_from(take(octets)?).ok())
        .collect()
}

fn put_octets(out: &mut Vec<u8>, octets: &[u8]) {
    put(out, length(octets.len()));
    out.extend_from_slice(octets);
}

fn take_octets(octets: &mut &[u8]) -> Option<Vec<u8>> {
    let count = usize::try_from(take(octets)?).ok()?;
    let (taken, rest) = octets.split_at_checked(count)?;
    *octets = rest;
    Some(taken.to_vec())
}

/// Writes a value: which kind it is, then what it holds. Negative numbers alternate with positive
/// ones, so that small ones are short.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut number = |kind: u8, number: u64| {
        out.push(kind);
        put(out, number);
    };
    match value {
        Value::Integer(it) => number(0, ((it << 1) ^ (it >> 63)).cast_unsigned()),
        Value::Counter32(it) => number(1, u64::from(*it)),
        Value::Gauge32(it) => number(2, u64::from(*it)),
        Value::TimeTicks(it) => number(3, u64::from(*it)),
        Value::Counter64(it) => number(4, *it),
        Value::OctetString(octets) => {
            out.push(5);
            put_octets(out, octets);
        }
        Value::IpAddress(octets) => {
            out.push(6);
            put_octets(out, octets);
        }
        Value::Opaque(octets) => {
            out.push(7);
            put_octets(out, octets);
        }
        Value::ObjectId(oid) => {
            out.push(8);
            put_arcs(out, oid.arcs());
        }
        Value::Unknown { tag, octets } => {
            out.extend_from_slice(&[9, *tag]);
            put_octets(out, octets);
        }
        // A walk holds no object that says that there is none.
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {
            out.push(10);
        }
    }
}

fn take_value(octets: &mut &[u8]) -> Option<Value> {
    let (kind, rest) = octets.split_first()?;
    *octets = rest;
    let number32 = |octets: &mut &[u8]| u32::try_from(take(octets)?).ok();
    Some(match kind {
        0 => {
            let number = take(octets)?;
            Value::Integer((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
        }
        1 => Value::Counter32(number32(octets)?),
        2 => Value::Gauge32(number32(octets)?),
        3 => Value::TimeTicks(number32(octets)?),
        4 => Value::Counter64(take(octets)?),
        5 => Value::OctetString(take_octets(octets)?),
        6 => Value::IpAddress(take_octets(octets)?),
        7 => Value::Opaque(take_octets(octets)?),
        8 => Value::ObjectId(Oid::new(&take_arcs(octets)?).into()),
        9 => {
            let (tag, rest) = octets.split_first()?;
            *octets = rest;
            Value::Unknown {
                tag: *tag,
                octets: take_octets(octets)?,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use snmp::VarBind;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let octets = || proptest::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            any::<u32>().prop_map(Value::Counter32),
            any::<u32>().prop_map(Value::Gauge32),
            any::<u32>().prop_map(Value::TimeTicks),
            any::<u64>().prop_map(Value::Counter64),
            octets().prop_map(Value::OctetString),
            octets().prop_map(Value::IpAddress),
            octets().prop_map(Value::Opaque),
            arcs().prop_map(|arcs| Value::ObjectId(Oid::new(&arcs).into())),
            (any::<u8>(), octets()).prop_map(|(tag, octets)| Value::Unknown { tag, octets }),
        ]
    }

    fn arcs() -> impl Strategy<Value = Vec<u32>> {
        let arc = prop_oneof![0..3_u32, any::<u32>()];
        proptest::collection::vec(arc, 0..40)
    }

    proptest! {
        #[test]
        fn a_walk_comes_out_as_it_went_in(objects in proptest::collection::vec((arcs(), value()), 0..60)) {
            let varbind = |(arcs, value): (Vec<u32>, Value)| VarBind::new(Oid::new(&arcs), value);
            let walk: Walk = objects.into_iter().map(varbind).collect();
            let packed = walk.pack(&Shapes::default());
            prop_assert_eq!(packed.unpack(), Some(walk.clone()));
            let octets = packed.octets();
            prop_assert_eq!(PackedWalk::from(&octets[..]).unpack(), Some(walk), "of its own names");
        }

        #[test]
        fn other_octets_are_no_walk_and_do_no_harm(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = PackedWalk::from(&octets[..]).unpack();
        }
    }

    #[test]
    fn a_name_that_grows_with_each_object_is_none() {
        // Each adds one arc to the name before it.
        let deeper: Vec<u8> = (0..200_u64)
            .flat_map(|n| {
                let mut name = Vec::new();
                put(&mut name, n);
                name.extend([1, 1]);
                name
            })
            .collect();
        assert!(unpacked(&deeper[..3 * 128]).is_some());
        assert!(unpacked(&deeper).is_none());
    }
}
