//! Trays: where a printer's paper lies (RFC 3805, prtInputTable).

use serde::{Deserialize, Serialize};

use crate::meter::Unit;
use crate::reading::Evidence;
use crate::supply::Level;
use crate::walk::{Column, Walk, number_of, rows_of};
use crate::{level, mib};

/// Most inputs of one device; presses with every stacker have some 30.
pub(crate) const TRAYS_MAX: usize = 64;

/// One input of a printer at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tray {
    /// `hrDeviceIndex.prtInputIndex`.
    pub index: String,
    /// Name, else description, as the device has it.
    pub name: String,
    /// What lies in it, in the device's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// How full it is.
    pub level: Level,
    /// What it holds when full, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// What lies in it, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// Unit of `capacity` and `remaining`.
    pub unit: Unit,
    /// Where the level comes from.
    pub evidence: Evidence,
}

/// Reads the trays of a device.
pub(crate) fn read(walk: &Walk) -> Vec<Tray> {
    let [unit, capacity, level, media, name, description] = walk.columns([
        mib::PRT_INPUT_UNIT,
        mib::PRT_INPUT_CAPACITY,
        mib::PRT_INPUT_LEVEL,
        mib::PRT_INPUT_MEDIA,
        mib::PRT_INPUT_NAME,
        mib::PRT_INPUT_DESCRIPTION,
    ]);
    let rows = rows_of(&[&level, &capacity, &name]);
    let mut table = Table {
        unit,
        capacity,
        level,
        name,
        description,
        media,
    };
    let rows = rows.into_iter().take(TRAYS_MAX);
    rows.map(|row| read_row(&mut table, row)).collect()
}

/// The columns that are read.
struct Table<'w> {
    unit: Column<'w>,
    capacity: Column<'w>,
    level: Column<'w>,
    name: Column<'w>,
    description: Column<'w>,
    media: Column<'w>,
}

fn read_row(table: &mut Table, row: &[u32]) -> Tray {
    let unit = Unit::from_mib(table.unit.number(row));
    let level = table.level.at(row);
    let fill = level::decide(level.and_then(number_of), table.capacity.number(row), unit);
    let name = table.name.text(row);
    Tray {
        index: snmp::dotted(row),
        name: name
            .or_else(|| table.description.text(row))
            .unwrap_or_default(),
        media: table.media.text(row),
        level: fill.level,
        capacity: fill.capacity,
        remaining: fill.remaining,
        unit,
        evidence: Evidence::in_row(mib::PRT_INPUT_LEVEL, row, level, fill.rule),
    }
}
