//! A number with its unit: `Value` or `ValueFloat` beside `Unit`.
//!
//! A meter is whole, in a unit that readings have. What is left over is cut, never rounded up: a
//! count that only grows stays one. The evidence has the number as it came.

use super::xml::{self, Element};
use crate::meter::Unit;

/// The largest number that is taken from a document, as one that a double holds exactly.
const NUMBER_MAX: f64 = 9_007_199_254_740_992.0;

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Length,
    Area,
    Volume,
}

/// A quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quantity {
    pub(super) kind: Kind,
    /// In `unit`.
    pub(super) value: u64,
    pub(super) unit: Unit,
    /// As it came: `1234.5 squareMeters`.
    pub(super) raw: String,
}

/// Units by their names in lower case, singular: what they measure, the unit that is kept, and how
/// many of that one is, as a fraction.
const UNITS: &[(&str, Kind, Unit, f64, f64)] = &[
    ("meter", Kind::Length, Unit::Meters, 1.0, 1.0),
    ("foot", Kind::Length, Unit::Feet, 1.0, 1.0),
    ("feet", Kind::Length, Unit::Feet, 1.0, 1.0),
    ("inch", Kind::Length, Unit::Feet, 1.0, 12.0),
    ("inche", Kind::Length, Unit::Feet, 1.0, 12.0),
    ("centimeter", Kind::Length, Unit::Meters, 1.0, 100.0),
    ("millimeter", Kind::Length, Unit::Meters, 1.0, 1_000.0),
    ("squaremeter", Kind::Area, Unit::SquareMeters, 1.0, 1.0),
    ("squarefeet", Kind::Area, Unit::SquareFeet, 1.0, 1.0),
    ("squarefoot", Kind::Area, Unit::SquareFeet, 1.0, 1.0),
    ("squareinch", Kind::Area, Unit::SquareFeet, 1.0, 144.0),
    ("squareinche", Kind::Area, Unit::SquareFeet, 1.0, 144.0),
    (
        "squarecentimeter",
        Kind::Area,
        Unit::SquareMeters,
        1.0,
        10_000.0,
    ),
    (
        "microliter",
        Kind::Volume,
        Unit::TenthsOfMilliliters,
        1.0,
        100.0,
    ),
    (
        "milliliter",
        Kind::Volume,
        Unit::TenthsOfMilliliters,
        10.0,
        1.0,
    ),
    (
        "centiliter",
        Kind::Volume,
        Unit::TenthsOfMilliliters,
        100.0,
        1.0,
    ),
    (
        "liter",
        Kind::Volume,
        Unit::TenthsOfMilliliters,
        10_000.0,
        1.0,
    ),
];

/// The quantity that an element holds; none where it holds no number, or a unit that is not known.
pub(super) fn read(element: &Element) -> Option<Quantity> {
    let named = |names: [&str; 2]| names.into_iter().find_map(|name| element.text(name));
    of(&named(["Value", "ValueFloat"])?, &named(["Unit", "Units"])?)
}

/// The quantity in two texts.
pub(super) fn of(number: &str, unit: &str) -> Option<Quantity> {
    // British and American, one and many.
    let name = unit.to_lowercase().replace("litre", "liter");
    let name = name.replace("metre", "meter").replace([' ', '_', '-'], "");
    let name = name.strip_suffix('s').unwrap_or(&name);
    let (_, kind, kept, times, by) = UNITS.iter().find(|(known, ..)| *known == name)?;
    Some(Quantity {
        kind: *kind,
        value: whole(xml::number::<f64>(number)? * times / by)?,
        unit: *kept,
        raw: format!("{number} {unit}"),
    })
}

/// A count: a whole number, or one with a fraction, which is cut.
pub(super) fn count(text: &str) -> Option<u64> {
    let exact = xml::number::<u64>(text);
    exact.or_else(|| whole(xml::number::<f64>(text)?))
}

fn whole(number: f64) -> Option<u64> {
    let is_count = (0.0..=NUMBER_MAX).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within bounds that a double holds exactly, and cut on purpose"
    )]
    is_count.then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_keep_their_unit_and_are_cut() {
        let table = [
            ("1234.9", "squareMeters", Unit::SquareMeters, 1_234),
            ("15", "Square Feet", Unit::SquareFeet, 15),
            ("300", "squareInches", Unit::SquareFeet, 2),
            ("250", "centimetres", Unit::Meters, 2),
            ("7", "feet", Unit::Feet, 7),
            ("1208", "milliliters", Unit::TenthsOfMilliliters, 12_080),
            ("12345", "microlitres", Unit::TenthsOfMilliliters, 123),
            ("1.5", "liters", Unit::TenthsOfMilliliters, 15_000),
        ];
        for (number, unit, kept, value) in table {
            let read = of(number, unit).unwrap();
            assert_eq!((read.unit, read.value), (kept, value), "{number} {unit}");
            assert_eq!(read.raw, format!("{number} {unit}"));
        }
    }

    #[test]
    fn what_is_no_number_or_no_known_unit_is_no_quantity() {
        for (number, unit) in [
            ("", "liters"),
            ("many", "liters"),
            ("-1", "liters"),
            ("NaN", "liters"),
            ("inf", "liters"),
            ("1e300", "liters"),
            ("5", "furlongs"),
            ("5", ""),
        ] {
            assert_eq!(of(number, unit), None, "{number} {unit}");
        }
        assert_eq!(count("18446744073709551615"), Some(u64::MAX));
        assert_eq!(count(" 12 "), Some(12));
        assert_eq!(count("12.7"), Some(12));
        assert_eq!(count("-1"), None);
    }
}
