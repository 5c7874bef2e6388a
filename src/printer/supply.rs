//! Supplies: what a printer consumes and fills (RFC 3805, prtMarkerSuppliesTable).

use serde::{Deserialize, Serialize};

use crate::meter::Unit;
use crate::reading::Evidence;

/// One supply or receptacle of a printer at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Supply {
    /// `hrDeviceIndex.prtMarkerSuppliesIndex`.
    pub index: String,
    /// The device's own words, decoded and bounded.
    pub description: String,
    /// Whether it empties or fills.
    pub class: SupplyClass,
    /// What it is, by its name in the MIB (`toner`, `wasteToner`, `opc`, …).
    #[serde(rename = "type")]
    pub kind: String,
    /// `black`, `cyan`, `magenta`, `yellow`, or the device's own word, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// How much is left, or how much space.
    pub level: Level,
    /// What it holds when full, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// What is left (consumed) or free (receptacle), in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// Unit of `capacity` and `remaining`.
    pub unit: Unit,
    /// Part number, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Serial number of the supply itself, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Where the level comes from.
    pub evidence: Evidence,
}

/// Whether a supply empties or fills (PrtMarkerSuppliesClassTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SupplyClass {
    /// supplyThatIsConsumed (3).
    Consumed,
    /// receptacleThatIsFilled (4).
    Receptacle,
    /// other (1), or absent.
    Other,
}

/// How much is left. A sentinel is never a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Level {
    /// A share of the capacity, 0 to 100, unrounded.
    Percent {
        /// The share in percent.
        percent: f64,
    },
    /// `remaining` is known, the capacity is not.
    Quantity,
    /// Something is left, nobody knows how much (-3).
    Some,
    /// Nobody knows (-2), or nothing was said.
    Unknown,
    /// The device puts no limit on it (-1).
    Unlimited,
    /// A maker's code for "low".
    Low,
    /// A maker's code for "empty".
    Empty,
    /// A maker's code for "full".
    Full,
    /// A number that cannot be: above the capacity, or below -3. The raw value is the evidence.
    Implausible,
}
