//! The portal's words for what a reading holds: names of meters, supplies, units, levels, alerts.
//!
//! Used by both pages. Pure. What the command line says too comes from [`printer::summary`], so
//! that both agree; here is only what a page says at more length.

use printer::alert::Alert;
use printer::direction::Direction;
use printer::identity::shown_address;
use printer::meter::{Meter, MeterName, Unit};
use printer::reading::Reading;
use printer::summary::is_low;
use printer::supply::{Level, Supply, SupplyClass};

use super::text::count;

/// Turns a MIB's name into words: `markerFuserUnderTemperature` → `Marker fuser under temperature`.
#[must_use]
pub fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
            words.push(c.to_ascii_lowercase());
        } else {
            words.push(c);
        }
    }
    capital(&words)
}

/// Makes the first letter a capital.
#[must_use]
pub fn capital(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

/// Names a printer by brand and model, else by what it calls itself, else by where it is.
#[must_use]
pub fn printer_name(reading: &Reading) -> String {
    let identity = &reading.identity;
    let names = [&identity.vendor, &identity.model].into_iter().flatten();
    let name: Vec<_> = names
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    if !name.is_empty() {
        return name.join(" ");
    }
    let address = || reading.address.map(shown_address);
    identity
        .host_name
        .clone()
        .or_else(address)
        .unwrap_or_else(|| "Printer".to_owned())
}

/// The meter that bills, where the printer has one.
#[must_use]
pub fn total(reading: &Reading) -> Option<&Meter> {
    reading
        .meters
        .iter()
        .find(|meter| meter.name == MeterName::TOTAL)
}

/// What the meter that bills counts. A label printer counts feet, and some count sheets.
#[must_use]
pub fn total_unit(total: &Meter) -> &'static str {
    match total.unit {
        Unit::Impressions | Unit::Other | Unit::Unknown => "pages",
        other => unit(other),
    }
}

/// Names a condition of a printer.
#[must_use]
pub fn condition(name: &str) -> String {
    match name {
        "overduePreventMaint" => "Maintenance due".to_owned(),
        name => spaced(name),
    }
}

/// Names a supply: `Cyan`, `Waste toner`, `Black drum`, else the device's own words.
#[must_use]
pub fn supply_name(supply: &Supply) -> String {
    let kind = match supply.kind.as_str() {
        "toner" | "ink" | "inkCartridge" | "tonerCartridge" | "solidWax" => "",
        "opc" => "drum",
        "other" | "unknown" => return own_words(&supply.description, "Supply"),
        kind => kind,
    };
    match (&supply.color, kind) {
        (Some(color), "") => spaced(color),
        (Some(color), kind) => format!("{} {}", spaced(color), spaced(kind).to_lowercase()),
        (None, "") => own_words(&supply.description, &spaced(&supply.kind)),
        (None, kind) => spaced(kind),
    }
}

/// The device's words, or ours where it has none.
fn own_words(words: &str, ours: &str) -> String {
    if words.trim().is_empty() {
        ours.to_owned()
    } else {
        words.to_owned()
    }
}

/// Names a meter: `Total`, `Print, color, A3 and up`, or the device's own label.
#[must_use]
pub fn meter_name(meter: &Meter) -> String {
    meter_name_of(&meter.name, meter.label.as_deref())
}

/// Names a meter of which only name and label are known.
#[must_use]
pub fn meter_name_of(name: &MeterName, label: Option<&str>) -> String {
    if let (true, Some(label)) = (*name == MeterName::OTHER, label) {
        return label.to_owned();
    }
    let name = name.as_str();
    let base = name.strip_suffix("_large").unwrap_or(name);
    let words = match base {
        "since_power_on" => "Since power on".to_owned(),
        base => capital(&base.replace('_', ", ")),
    };
    if base == name {
        words
    } else {
        format!("{words}, A3 and up")
    }
}

/// Names a unit.
#[must_use]
pub fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Other | Unit::Unknown => "",
        Unit::TenThousandthsOfInches => "× 0.0001 in",
        Unit::Micrometers => "µm",
        Unit::Characters => "characters",
        Unit::Lines => "lines",
        Unit::Impressions => "impressions",
        Unit::Sheets => "sheets",
        Unit::DotRow => "dot rows",
        Unit::Hours => "hours",
        Unit::ThousandthsOfOunces => "× 0.001 oz",
        Unit::TenthsOfGrams => "× 0.1 g",
        Unit::HundrethsOfFluidOunces => "× 0.01 fl oz",
        Unit::TenthsOfMilliliters => "× 0.1 ml",
        Unit::Feet => "feet",
        Unit::Meters => "meters",
        Unit::Items => "items",
        Unit::Percent => "%",
        Unit::SquareMeters => "square meters",
        Unit::SquareFeet => "square feet",
    }
}

/// Whether a supply runs out, or a receptacle is about to be full.
#[must_use]
pub fn needs_someone(supply: &Supply) -> bool {
    let is_said_full = supply.class == SupplyClass::Receptacle && supply.level == Level::Full;
    let direction = supply.direction.unwrap_or(Direction::NotProven);
    is_low(supply) || is_said_full || direction.is_almost_full(supply.level)
}

/// A level in a word or two; a number only where the device gave one.
#[must_use]
pub fn level(level: Level, remaining: Option<u64>, of: Unit) -> String {
    match level {
        Level::Percent { percent } => format!("{percent:.0} %"),
        Level::Quantity => remaining.map_or("unknown".to_owned(), |left| quantity(left, of)),
        Level::Some => "some".to_owned(),
        Level::Unknown => "unknown".to_owned(),
        Level::Unlimited => "no limit".to_owned(),
        Level::Low => "low".to_owned(),
        Level::Empty => "empty".to_owned(),
        Level::Full => "full".to_owned(),
        Level::Implausible => "implausible".to_owned(),
    }
}

/// What the level is made of, or why it is no number.
#[must_use]
pub fn level_note(level: Level, remaining: Option<u64>, capacity: Option<u64>, of: Unit) -> String {
    match (level, remaining, capacity) {
        (Level::Percent { .. }, Some(left), Some(capacity)) if of != Unit::Percent => {
            format!("{} of {}", count(left), quantity(capacity, of))
        }
        (Level::Percent { .. }, ..) => String::new(),
        (Level::Quantity, ..) => "capacity not told".to_owned(),
        (Level::Some, ..) => "not measured".to_owned(),
        (Level::Unknown, ..) => "the printer does not say".to_owned(),
        (Level::Unlimited, ..) => String::new(),
        (Level::Low | Level::Empty | Level::Full, ..) => "as the printer says".to_owned(),
        (Level::Implausible, ..) => "see the raw value".to_owned(),
    }
}

/// A count with its unit.
fn quantity(value: u64, of: Unit) -> String {
    format!("{} {}", count(value), unit(of))
        .trim_end()
        .to_owned()
}

/// What an alert says: the MIB's name for its code, else the device's words, else the number.
#[must_use]
pub fn alert(alert: &Alert) -> String {
    match alert.name.as_str() {
        "other" | "unknown" | "" if alert.description.trim().is_empty() => {
            format!("Alert {} of group {}", alert.code, alert.group)
        }
        "other" | "unknown" | "" => alert.description.clone(),
        name => spaced(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_mib_become_words() {
        assert_eq!(
            spaced("markerFuserUnderTemperature"),
            "Marker fuser under temperature"
        );
        assert_eq!(spaced("jammed"), "Jammed");
        assert_eq!(spaced(""), "");
    }

    #[test]
    fn a_level_without_a_number_is_a_word() {
        let level = |of| level(of, None, Unit::Impressions);
        assert_eq!(level(Level::Percent { percent: 7.6 }), "8 %");
        assert_eq!(level(Level::Some), "some");
        assert_eq!(level(Level::Quantity), "unknown");
        assert_eq!(level(Level::Implausible), "implausible");
    }
}
