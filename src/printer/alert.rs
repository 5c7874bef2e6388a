//! Alerts: what a printer complains about (RFC 3805, prtAlertTable, 43.18).

use serde::{Deserialize, Serialize};

use crate::mib;
use crate::walk::{Column, Walk, rows_of};

/// Most alerts of one device: tables of some devices keep hundreds of old ones.
pub(crate) const ALERTS_MAX: usize = 256;

/// One row of a printer's alert table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `hrDeviceIndex.prtAlertIndex`. Rows come and go: group, group index and code are the key.
    pub index: String,
    /// `other`, `critical`, `warning`, `warningBinaryChangeEvent`, or `unknown`.
    pub severity: String,
    /// prtAlertGroup as a number.
    pub group: u32,
    /// prtAlertGroupIndex, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_index: Option<i64>,
    /// prtAlertCode as a number.
    pub code: u32,
    /// The code's name in the MIB, `other` where it has none.
    pub name: String,
    /// The device's own words, decoded and bounded.
    pub description: String,
    /// Who can help, prtAlertTrainingLevel by its name in the MIB.
    pub training: String,
}

/// Reads the alert table.
pub(crate) fn read(walk: &Walk) -> Vec<Alert> {
    let [severity, training, group, group_index, code, description] = walk.columns([
        mib::PRT_ALERT_SEVERITY,
        mib::PRT_ALERT_TRAINING,
        mib::PRT_ALERT_GROUP,
        mib::PRT_ALERT_GROUP_INDEX,
        mib::PRT_ALERT_CODE,
        mib::PRT_ALERT_DESCRIPTION,
    ]);
    let rows = rows_of(&[&severity, &code, &group]);
    let mut table = Table {
        severity,
        training,
        group,
        group_index,
        code,
        description,
    };
    let rows = rows.into_iter().take(ALERTS_MAX);
    rows.map(|row| read_row(&mut table, row)).collect()
}

/// The columns that are read.
struct Table<'w> {
    severity: Column<'w>,
    training: Column<'w>,
    group: Column<'w>,
    group_index: Column<'w>,
    code: Column<'w>,
    description: Column<'w>,
}

fn read_row(table: &mut Table, row: &[u32]) -> Alert {
    let not_negative = |number: Option<i64>| {
        number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or_default()
    };
    let code = not_negative(table.code.number(row));
    Alert {
        index: snmp::dotted(row),
        severity: severity_name(table.severity.number(row)).to_owned(),
        group: not_negative(table.group.number(row)),
        group_index: table.group_index.number(row),
        code,
        name: code_name(code).to_owned(),
        description: table.description.text(row).unwrap_or_default(),
        training: training_name(table.training.number(row)).to_owned(),
    }
}

impl Alert {
    /// Whether the alert only tells of a normal event (ready, asleep, switched on): such rows are
    /// kept, but nobody is asked to look.
    #[must_use]
    pub fn is_mere_notice(&self) -> bool {
        matches!(self.code, 0 | 1 | 2 | 4 | 6 | 7 | 19 | 20 | 23..=26 | 502..=507 | 1801)
    }
}

/// PrtAlertSeverityLevelTC.
fn severity_name(number: Option<i64>) -> &'static str {
    match number {
        Some(1) => "other",
        Some(3) => "critical",
        Some(4) => "warning",
        Some(5) => "warningBinaryChangeEvent",
        Some(_) | None => "unknown",
    }
}

/// PrtAlertTrainingLevelTC.
fn training_name(number: Option<i64>) -> &'static str {
    match number {
        Some(1) => "other",
        Some(3) => "untrained",
        Some(4) => "trained",
        Some(5) => "fieldService",
        Some(6) => "management",
        Some(7) => "noInterventionRequired",
        Some(_) | None => "unknown",
    }
}

/// The name of a code in PrtAlertCodeTC (IANA-PRINTER-MIB), `other` where it has none.
#[must_use]
pub fn code_name(code: u32) -> &'static str {
    let position = CODES.binary_search_by_key(&code, |(number, _)| *number);
    position.map_or("other", |position| CODES[position].1)
}

/// The code that has this name in PrtAlertCodeTC.
pub(crate) fn code_of(name: &str) -> Option<u32> {
    let found = CODES.iter().find(|(_, known)| *known == name);
    found.map(|(code, _)| *code)
}

/// PrtAlertCodeTC without the finishers' codes, in order.
const CODES: &[(u32, &str)] = &[
    (1, "other"),
    (2, "unknown"),
    (3, "coverOpen"),
    (4, "coverClosed"),
    (5, "interlockOpen"),
    (6, "interlockClosed"),
    (7, "configurationChange"),
    (8, "jam"),
    (9, "subunitMissing"),
    (10, "subunitLifeAlmostOver"),
    (11, "subunitLifeOver"),
    (12, "subunitAlmostEmpty"),
    (13, "subunitEmpty"),
    (14, "subunitAlmostFull"),
    (15, "subunitFull"),
    (16, "subunitNearLimit"),
    (17, "subunitAtLimit"),
    (18, "subunitOpened"),
    (19, "subunitClosed"),
    (20, "subunitTurnedOn"),
    (21, "subunitTurnedOff"),
    (22, "subunitOffline"),
    (23, "subunitPowerSaver"),
    (24, "subunitWarmingUp"),
    (25, "subunitAdded"),
    (26, "subunitRemoved"),
    (27, "subunitResourceAdded"),
    (28, "subunitResourceRemoved"),
    (29, "subunitRecoverableFailure"),
    (30, "subunitUnrecoverableFailure"),
    (31, "subunitRecoverableStorageError"),
    (32, "subunitUnrecoverableStorageError"),
    (33, "subunitMotorFailure"),
    (34, "subunitMemoryExhausted"),
    (35, "subunitUnderTemperature"),
    (36, "subunitOverTemperature"),
    (37, "subunitTimingFailure"),
    (38, "subunitThermistorFailure"),
    (501, "doorOpen"),
    (502, "doorClosed"),
    (503, "powerUp"),
    (504, "powerDown"),
    (505, "printerNMSReset"),
    (506, "printerManualReset"),
    (507, "printerReadyToPrint"),
    (801, "inputMediaTrayMissing"),
    (802, "inputMediaSizeChange"),
    (803, "inputMediaWeightChange"),
    (804, "inputMediaTypeChange"),
    (805, "inputMediaColorChange"),
    (806, "inputMediaFormPartsChange"),
    (807, "inputMediaSupplyLow"),
    (808, "inputMediaSupplyEmpty"),
    (809, "inputMediaChangeRequest"),
    (810, "inputManualInputRequest"),
    (811, "inputTrayPositionFailure"),
    (812, "inputTrayElevationFailure"),
    (813, "inputCannotFeedSizeSelected"),
    (901, "outputMediaTrayMissing"),
    (902, "outputMediaTrayAlmostFull"),
    (903, "outputMediaTrayFull"),
    (904, "outputMailboxSelectFailure"),
    (1001, "markerFuserUnderTemperature"),
    (1002, "markerFuserOverTemperature"),
    (1003, "markerFuserTimingFailure"),
    (1004, "markerFuserThermistorFailure"),
    (1005, "markerAdjustingPrintQuality"),
    (1101, "markerTonerEmpty"),
    (1102, "markerInkEmpty"),
    (1103, "markerPrintRibbonEmpty"),
    (1104, "markerTonerAlmostEmpty"),
    (1105, "markerInkAlmostEmpty"),
    (1106, "markerPrintRibbonAlmostEmpty"),
    (1107, "markerWasteTonerReceptacleAlmostFull"),
    (1108, "markerWasteInkReceptacleAlmostFull"),
    (1109, "markerWasteTonerReceptacleFull"),
    (1110, "markerWasteInkReceptacleFull"),
    (1111, "markerOpcLifeAlmostOver"),
    (1112, "markerOpcLifeOver"),
    (1113, "markerDeveloperAlmostEmpty"),
    (1114, "markerDeveloperEmpty"),
    (1115, "markerTonerCartridgeMissing"),
    (1301, "mediaPathMediaTrayMissing"),
    (1302, "mediaPathMediaTrayAlmostFull"),
    (1303, "mediaPathMediaTrayFull"),
    (1304, "mediaPathCannotDuplexMediaSelected"),
    (1501, "interpreterMemoryIncrease"),
    (1502, "interpreterMemoryDecrease"),
    (1503, "interpreterCartridgeAdded"),
    (1504, "interpreterCartridgeDeleted"),
    (1505, "interpreterResourceAdded"),
    (1506, "interpreterResourceDeleted"),
    (1507, "interpreterResourceUnavailable"),
    (1509, "interpreterComplexPageEncountered"),
    (1801, "alertRemovalOfBinaryChangeEntry"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_so_that_they_are_found() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(code_name(1001), "markerFuserUnderTemperature");
        assert_eq!(code_name(8), "jam");
        assert_eq!(code_name(30_208), "other");
    }
}
