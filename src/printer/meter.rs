//! Meters: what a printer has counted (names after PWG 5106.1).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::reading::Evidence;

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
}
