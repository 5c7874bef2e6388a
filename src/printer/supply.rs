//! Supplies: what a printer consumes and fills (RFC 3805, prtMarkerSuppliesTable).

use serde::{Deserialize, Serialize};
use snmp::Value;

use crate::direction::Direction;
use crate::meter::Unit;
use crate::reading::Evidence;
use crate::walk::{Column, Walk, number_of, rows_of};
use crate::{level, mib, supply_words};

/// Most supplies of one device; a color press with every finisher has some 40.
pub(crate) const SUPPLIES_MAX: usize = 128;

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
    /// Of a receptacle with a number: what the number counts. The standard says free space, and
    /// makers disagree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
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

/// Reads the supplies of a device, as the standard has them. `refine` makes more of each, by the number
/// that is its level.
pub(crate) fn read(walk: &Walk, refine: impl Fn(&mut Supply, Option<i64>)) -> Vec<Supply> {
    let [
        colorant,
        class,
        kind,
        description,
        unit,
        capacity,
        level,
        colorants,
    ] = walk.columns([
        mib::PRT_SUPPLY_COLORANT,
        mib::PRT_SUPPLY_CLASS,
        mib::PRT_SUPPLY_TYPE,
        mib::PRT_SUPPLY_DESCRIPTION,
        mib::PRT_SUPPLY_UNIT,
        mib::PRT_SUPPLY_CAPACITY,
        mib::PRT_SUPPLY_LEVEL,
        mib::PRT_COLORANT_VALUE,
    ]);
    let rows = rows_of(&[&level, &capacity, &description, &kind]);
    let mut table = Table {
        unit,
        capacity,
        level,
        description,
        kind,
        class,
        colorant,
        colorants,
    };
    let mut supplies = Vec::with_capacity(rows.len().min(SUPPLIES_MAX));
    for row in rows.into_iter().take(SUPPLIES_MAX) {
        let level = table.level.at(row);
        let mut supply = read_row(&mut table, row, level);
        refine(&mut supply, level.and_then(number_of));
        supplies.push(supply);
    }
    supplies
}

/// The columns that are read.
struct Table<'w> {
    unit: Column<'w>,
    capacity: Column<'w>,
    level: Column<'w>,
    description: Column<'w>,
    kind: Column<'w>,
    class: Column<'w>,
    colorant: Column<'w>,
    /// Of the colorants' own table.
    colorants: Column<'w>,
}

fn read_row(table: &mut Table, row: &[u32], level: Option<&Value>) -> Supply {
    let unit = Unit::from_mib(table.unit.number(row));
    let fill = level::decide(level.and_then(number_of), table.capacity.number(row), unit);
    let text = table.description.text(row).unwrap_or_default();
    let label = supply_words::read_label(&text);
    let kind = table.kind.number(row).and_then(kind_name);
    let kind = kind.unwrap_or_else(|| supply_words::kind_of(&label.description));
    Supply {
        index: snmp::dotted(row),
        class: class_of(table.class.number(row), kind),
        kind: kind.to_owned(),
        color: colorant(table, row).or_else(|| supply_words::color_of(&label.description)),
        level: fill.level,
        direction: None,
        capacity: fill.capacity,
        remaining: fill.remaining,
        unit,
        part: label.part,
        serial: label.serial,
        description: label.description,
        evidence: Evidence::in_row(mib::PRT_SUPPLY_LEVEL, row, level, fill.rule),
    }
}

/// The colorant's name. Its row number says nothing: every maker orders them its own way.
fn colorant(table: &mut Table, row: &[u32]) -> Option<String> {
    let index = u32::try_from(table.colorant.number(row)?).ok()?;
    let device = row.first().copied()?;
    let name = table.colorants.text(&[device, index])?.to_lowercase();
    (!matches!(name.as_str(), "none" | "other" | "unknown")).then_some(name)
}

/// The class the device says, else the one its type implies.
pub(crate) fn class_of(class: Option<i64>, kind: &str) -> SupplyClass {
    match class {
        Some(3) => SupplyClass::Consumed,
        Some(4) => SupplyClass::Receptacle,
        Some(_) => SupplyClass::Other,
        None if kind.starts_with("waste") => SupplyClass::Receptacle,
        None if matches!(kind, "other" | "unknown") => SupplyClass::Other,
        None => SupplyClass::Consumed,
    }
}

/// PrtMarkerSuppliesTypeTC by its names (IANA-PRINTER-MIB).
fn kind_name(number: i64) -> Option<&'static str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    KINDS.get(index).copied()
}

/// The kind that has this name there.
pub(crate) fn kind_named(name: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| *kind == name)
}

/// The names of PrtMarkerSuppliesTypeTC, from 1 on.
const KINDS: [&str; 36] = [
    "other",
    "unknown",
    "toner",
    "wasteToner",
    "ink",
    "inkCartridge",
    "inkRibbon",
    "wasteInk",
    "opc",
    "developer",
    "fuserOil",
    "solidWax",
    "ribbonWax",
    "wasteWax",
    "fuser",
    "coronaWire",
    "fuserOilWick",
    "cleanerUnit",
    "fuserCleaningPad",
    "transferUnit",
    "tonerCartridge",
    "fuserOiler",
    "water",
    "wasteWater",
    "glueWaterAdditive",
    "wastePaper",
    "bindingSupply",
    "bandingSupply",
    "stitchingWire",
    "shrinkWrap",
    "paperWrap",
    "staples",
    "inserts",
    "covers",
    "matteToner",
    "matteInk",
];
