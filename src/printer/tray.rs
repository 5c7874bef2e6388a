//! Trays: where a printer's paper lies (RFC 3805, prtInputTable).

use serde::{Deserialize, Serialize};
use snmp::Oid;

use crate::meter::Unit;
use crate::reading::Evidence;
use crate::supply::Level;
use crate::walk::Walk;
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
    let columns = [
        mib::PRT_INPUT_LEVEL,
        mib::PRT_INPUT_CAPACITY,
        mib::PRT_INPUT_NAME,
    ];
    let rows = walk.rows(&columns).into_iter().take(TRAYS_MAX);
    rows.map(|row| read_row(walk, row)).collect()
}

fn read_row(walk: &Walk, row: &[u32]) -> Tray {
    let unit = Unit::from_mib(walk.number(mib::PRT_INPUT_UNIT, row));
    let capacity = walk.number(mib::PRT_INPUT_CAPACITY, row);
    let fill = level::decide(walk.number(mib::PRT_INPUT_LEVEL, row), capacity, unit);
    let object = Oid::new(mib::PRT_INPUT_LEVEL).with(row);
    let name = walk.text(mib::PRT_INPUT_NAME, row);
    Tray {
        index: Oid::new(row).to_string(),
        name: name
            .or_else(|| walk.text(mib::PRT_INPUT_DESCRIPTION, row))
            .unwrap_or_default(),
        media: walk.text(mib::PRT_INPUT_MEDIA, row),
        level: fill.level,
        capacity: fill.capacity,
        remaining: fill.remaining,
        unit,
        evidence: Evidence::snmp(&object, walk.get(&object), fill.rule),
    }
}
