//! Meters: what a printer has counted (names after PWG 5106.1).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use snmp::{Oid, Value};

use crate::mib;
use crate::reading::Evidence;
use crate::walk::{Walk, number_of};

/// Most markers of one device. Every recording has one; production presses have a handful.
const MARKERS_MAX: usize = 16;

/// A counter of a printer at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// What is counted.
    pub name: MeterName,
    /// The device's own words, for [`MeterName::OTHER`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The count, in `unit`, since the device was made unless the name says otherwise.
    pub value: u64,
    /// Unit of `value`.
    pub unit: Unit,
    /// True while no recording of a real device proves this meter. Never billed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beta: bool,
    /// The first value that it cannot show, where its maker gives it fewer digits than its type
    /// has: it begins again there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_over_at: Option<u64>,
    /// Where the value comes from.
    pub evidence: Evidence,
}

/// The name of a meter: one of a closed list, `total` to `since_power_on`, or `other`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeterName(Cow<'static, str>);

/// A text that names no meter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a meter")]
pub struct UnknownMeter(pub String);

impl MeterName {
    /// Everything the first marker ever made.
    pub const TOTAL: Self = Self(Cow::Borrowed("total"));
    /// Made since the power was last switched on.
    pub const SINCE_POWER_ON: Self = Self(Cow::Borrowed("since_power_on"));
    /// A counter that only the device's own label names.
    pub const OTHER: Self = Self(Cow::Borrowed("other"));

    /// Every base name; each but `since_power_on` and `other` also exists with the suffix
    /// `_large` (A3 and up).
    pub const NAMES: [&'static str; 17] = [
        "total",
        "engine",
        "mono",
        "color",
        "print",
        "print_mono",
        "print_color",
        "copy",
        "copy_mono",
        "copy_color",
        "fax",
        "scan",
        "duplex",
        "length",
        "area",
        "since_power_on",
        "other",
    ];

    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MeterName {
    type Error = UnknownMeter;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let base = text.strip_suffix("_large").unwrap_or(&text);
        if Self::NAMES.contains(&base) {
            Ok(Self(Cow::Owned(text)))
        } else {
            Err(UnknownMeter(text))
        }
    }
}

impl From<MeterName> for String {
    fn from(name: MeterName) -> Self {
        name.0.into_owned()
    }
}

impl fmt::Display for MeterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Units of markers, supplies and trays (RFC 3805, PrtMarkerCounterUnitTC,
/// PrtMarkerSuppliesSupplyUnitTC, PrtCapacityUnitTC), by their names there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// other (1).
    Other,
    /// unknown (2), or absent.
    Unknown,
    /// tenThousandthsOfInches (3).
    TenThousandthsOfInches,
    /// micrometers (4).
    Micrometers,
    /// characters (5).
    Characters,
    /// lines (6).
    Lines,
    /// impressions (7).
    Impressions,
    /// sheets (8).
    Sheets,
    /// dotRow (9).
    DotRow,
    /// hours (11).
    Hours,
    /// thousandthsOfOunces (12).
    ThousandthsOfOunces,
    /// tenthsOfGrams (13).
    TenthsOfGrams,
    /// hundrethsOfFluidOunces (14), spelled as in the MIB.
    HundrethsOfFluidOunces,
    /// tenthsOfMilliliters (15).
    TenthsOfMilliliters,
    /// feet (16).
    Feet,
    /// meters (17).
    Meters,
    /// items (18).
    Items,
    /// percent (19).
    Percent,
    /// Square meters: not of the RFC, which has no areas.
    SquareMeters,
    /// Square feet: not of the RFC either.
    SquareFeet,
}

impl Unit {
    /// The unit behind a number of the three unit conventions of RFC 3805, which agree.
    #[must_use]
    pub fn from_mib(number: Option<i64>) -> Self {
        match number {
            Some(1) => Self::Other,
            Some(3) => Self::TenThousandthsOfInches,
            Some(4) => Self::Micrometers,
            Some(5) => Self::Characters,
            Some(6) => Self::Lines,
            Some(7) => Self::Impressions,
            Some(8) => Self::Sheets,
            Some(9) => Self::DotRow,
            Some(11) => Self::Hours,
            Some(12) => Self::ThousandthsOfOunces,
            Some(13) => Self::TenthsOfGrams,
            Some(14) => Self::HundrethsOfFluidOunces,
            Some(15) => Self::TenthsOfMilliliters,
            Some(16) => Self::Feet,
            Some(17) => Self::Meters,
            Some(18) => Self::Items,
            Some(19) => Self::Percent,
            Some(_) | None => Self::Unknown,
        }
    }
}

impl Unit {
    /// The unit that has this name there, or this number: IPP has both.
    pub(crate) fn named(word: &str) -> Self {
        let by_number = word.parse().ok().map(|number| Self::from_mib(Some(number)));
        let by_name = || match word {
            "impressions" => Self::Impressions,
            "sheets" => Self::Sheets,
            "percent" => Self::Percent,
            "tenthsOfGrams" => Self::TenthsOfGrams,
            "tenthsOfMilliliters" => Self::TenthsOfMilliliters,
            "thousandthsOfOunces" => Self::ThousandthsOfOunces,
            "hundrethsOfFluidOunces" => Self::HundrethsOfFluidOunces,
            "items" => Self::Items,
            "hours" => Self::Hours,
            "feet" => Self::Feet,
            "meters" => Self::Meters,
            _ => Self::Unknown,
        };
        by_number.unwrap_or_else(by_name)
    }
}

/// -3 to -1 as a count of 32 bits: devices that do not know say so in a type that has no sign.
const UNKNOWN_AS_COUNT: std::ops::RangeInclusive<u64> = 4_294_967_293..=4_294_967_295;

/// Reads the meters of the standard: the life count of every marker, and what the first has made
/// since power-on.
///
/// The first marker is the device's `total`; further ones are kept under their own label, because
/// nobody but the maker knows whether they add up. A marker without a count is left out: some
/// printers list a marker they lack.
pub(crate) fn read(walk: &Walk) -> Vec<Meter> {
    let mut meters = Vec::new();
    let mut device = None;
    let markers = walk.under(mib::PRT_MARKER_LIFE_COUNT).take(MARKERS_MAX);
    for (position, (row, value)) in markers.enumerate() {
        let rule = "printer-mib/life-count";
        let evidence = || Evidence::in_row(mib::PRT_MARKER_LIFE_COUNT, row, Some(value), rule);
        let Some(mut meter) = marker_meter(walk, row, value, evidence) else {
            continue;
        };
        device = device.or(row.first().copied());
        if position > 0 {
            meter.name = MeterName::OTHER;
            meter.label = Some(marker_label(row, device));
        }
        meters.push(meter);
    }
    if let Some((row, value)) = walk.under(mib::PRT_MARKER_POWER_ON_COUNT).next() {
        let rule = "printer-mib/power-on-count";
        let evidence = || Evidence::in_row(mib::PRT_MARKER_POWER_ON_COUNT, row, Some(value), rule);
        let meter = marker_meter(walk, row, value, evidence);
        meters.extend(meter.map(|meter| Meter {
            name: MeterName::SINCE_POWER_ON,
            ..meter
        }));
    }
    meters
}

/// Names a further marker: by its row, and by its device where that is another than the first
/// marker's.
fn marker_label(row: &[u32], device: Option<u32>) -> String {
    let (of, marker) = row
        .split_first()
        .map_or((None, row), |(of, rest)| (Some(*of), rest));
    let marker = Oid::new(marker);
    match of {
        Some(of) if Some(of) != device => format!("device {of} marker {marker}"),
        Some(_) | None => format!("marker {marker}"),
    }
}

fn marker_meter(
    walk: &Walk,
    row: &[u32],
    value: &Value,
    evidence: impl Fn() -> Evidence,
) -> Option<Meter> {
    let value = u64::try_from(number_of(value)?).ok()?;
    if UNKNOWN_AS_COUNT.contains(&value) {
        return None;
    }
    Some(Meter {
        name: MeterName::TOTAL,
        label: None,
        value,
        unit: Unit::from_mib(walk.number(mib::PRT_MARKER_UNIT, row)),
        beta: false,
        rolls_over_at: None,
        evidence: evidence(),
    })
}
