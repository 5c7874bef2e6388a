//! Every standard object in use, one line each with its RFC and unit.
//!
//! The only place in the code with object identifiers; makers' own objects are data in
//! `config/vendors/`. Columns stand without their row.

/// The object of an instance of a scalar: `.0`.
pub const SCALAR: u32 = 0;

// SNMPv2-MIB, RFC 3418.
/// sysDescr: what the device says it is, text.
pub const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1];
/// sysObjectID: the maker's name for the kind of device.
pub const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2];
/// sysUpTime: hundredths of a second since the agent started.
pub const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3];
/// sysName: the host name, text.
pub const SYS_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5];
/// sysLocation: where it stands, text.
pub const SYS_LOCATION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 6];

// IF-MIB, RFC 2863.
/// ifType: 6 ethernetCsmacd, 7 iso88023Csmacd, 71 ieee80211 (IANAifType-MIB).
pub const IF_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 3];
/// ifPhysAddress: octets.
pub const IF_PHYS_ADDRESS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 6];
/// ifOperStatus: 1 up.
pub const IF_OPER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8];

// HOST-RESOURCES-MIB, RFC 2790.
/// hrDeviceType: what kind a device of the host is.
pub const HR_DEVICE_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 2];
/// hrDeviceDescr: text.
pub const HR_DEVICE_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3];
/// hrDeviceStatus: 1 unknown 2 running 3 warning 4 testing 5 down.
pub const HR_DEVICE_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 5];
/// hrPrinterStatus: 1 other 2 unknown 3 idle 4 printing 5 warmup.
pub const HR_PRINTER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 5, 1, 1];
/// hrPrinterDetectedErrorState: bits, most significant first.
pub const HR_PRINTER_ERROR_STATE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 5, 1, 2];
/// hrDevicePrinter, the value of hrDeviceType for a printer.
pub const HR_DEVICE_PRINTER: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 5];

// Printer-MIB, RFC 3805.
/// The whole Printer-MIB.
pub const PRINTER_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 43];
/// prtGeneralConfigChanges: a counter that moves with the configuration.
pub const PRT_CONFIG_CHANGES: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 1];
/// prtGeneralCurrentLocalization: row of the localization table.
pub const PRT_CURRENT_LOCALIZATION: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 2];
/// prtGeneralPrinterName: text, often the owner's.
pub const PRT_PRINTER_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 16];
/// prtGeneralSerialNumber: text.
pub const PRT_SERIAL_NUMBER: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17];
/// prtAlertCriticalEvents: critical alerts since power-on.
pub const PRT_ALERT_CRITICAL_EVENTS: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 18];
/// prtAlertAllEvents: alerts since power-on.
pub const PRT_ALERT_ALL_EVENTS: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 19];
/// prtLocalizationCharacterSet: MIBenum of IANA's character sets.
pub const PRT_CHARACTER_SET: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 7, 1, 1, 4];
/// prtInputCapacityUnit: PrtCapacityUnitTC.
pub const PRT_INPUT_UNIT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1, 8];
/// prtInputMaxCapacity: in that unit, or a sentinel.
pub const PRT_INPUT_CAPACITY: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1, 9];
/// prtInputCurrentLevel: in that unit, or a sentinel.
pub const PRT_INPUT_LEVEL: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1, 10];
/// prtInputMediaName: text.
pub const PRT_INPUT_MEDIA: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1, 12];
/// prtInputName: text.
pub const PRT_INPUT_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1, 13];
/// prtInputDescription: text.
pub const PRT_INPUT_DESCRIPTION: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 8, 2, 1, 18];
/// prtMarkerCounterUnit: PrtMarkerCounterUnitTC.
pub const PRT_MARKER_UNIT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 10, 2, 1, 3];
/// prtMarkerLifeCount: in that unit, since the device was made.
pub const PRT_MARKER_LIFE_COUNT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 10, 2, 1, 4];
/// prtMarkerPowerOnCount: in that unit, since power-on.
pub const PRT_MARKER_POWER_ON_COUNT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 10, 2, 1, 5];
/// prtMarkerSuppliesColorantIndex: row of the colorant table, 0 for none.
pub const PRT_SUPPLY_COLORANT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 3];
/// prtMarkerSuppliesClass: PrtMarkerSuppliesClassTC.
pub const PRT_SUPPLY_CLASS: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 4];
/// prtMarkerSuppliesType: PrtMarkerSuppliesTypeTC.
pub const PRT_SUPPLY_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 5];
/// prtMarkerSuppliesDescription: text.
pub const PRT_SUPPLY_DESCRIPTION: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 6];
/// prtMarkerSuppliesSupplyUnit: PrtMarkerSuppliesSupplyUnitTC.
pub const PRT_SUPPLY_UNIT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 7];
/// prtMarkerSuppliesMaxCapacity: in that unit, or a sentinel.
pub const PRT_SUPPLY_CAPACITY: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 8];
/// prtMarkerSuppliesLevel: in that unit, or a sentinel.
pub const PRT_SUPPLY_LEVEL: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1, 9];
/// prtMarkerColorantValue: text.
pub const PRT_COLORANT_VALUE: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 12, 1, 1, 4];
/// prtInterpreterLangFamily: PrtInterpreterLangFamilyTC; 5 is PJL.
pub const PRT_INTERPRETER_FAMILY: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 15, 1, 1, 2];
/// prtConsoleDisplayBufferText: a line of the display, text.
pub const PRT_CONSOLE_TEXT: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 16, 5, 1, 2];
/// prtAlertSeverityLevel: PrtAlertSeverityLevelTC.
pub const PRT_ALERT_SEVERITY: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1, 2];
/// prtAlertTrainingLevel: PrtAlertTrainingLevelTC.
pub const PRT_ALERT_TRAINING: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1, 3];
/// prtAlertGroup: PrtAlertGroupTC.
pub const PRT_ALERT_GROUP: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1, 4];
/// prtAlertGroupIndex: row in that group's table.
pub const PRT_ALERT_GROUP_INDEX: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1, 5];
/// prtAlertCode: PrtAlertCodeTC.
pub const PRT_ALERT_CODE: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1, 7];
/// prtAlertDescription: text.
pub const PRT_ALERT_DESCRIPTION: &[u32] = &[1, 3, 6, 1, 2, 1, 43, 18, 1, 1, 8];

// Others.
/// ppmPrinterIEEE1284DeviceId: text (PWG 5107.1).
pub const PPM_DEVICE_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 2699, 1, 2, 1, 2, 1, 1, 3];
/// snmpEngineID: octets (RFC 3411).
pub const SNMP_ENGINE_ID: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 2, 1, 1];
/// The makers' own objects: the next arc is the enterprise number (RFC 2578).
pub const ENTERPRISES: &[u32] = &[1, 3, 6, 1, 4, 1];

/// mib-2 (RFC 1213): the root of every standard object.
pub const MIB_2: &[u32] = &[1, 3, 6, 1, 2, 1];
/// What names a person or a place, blanked in recordings: sysContact, sysName, sysLocation
/// (RFC 3418), prtGeneralCurrentOperator, prtGeneralServicePerson, prtGeneralPrinterName
/// (RFC 3805), ppmPrinterName (PWG 5107.1).
pub const PERSONAL: &[&[u32]] = &[
    &[1, 3, 6, 1, 2, 1, 1, 4],
    SYS_NAME,
    SYS_LOCATION,
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 4],
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 5],
    PRT_PRINTER_NAME,
    &[1, 3, 6, 1, 4, 1, 2699, 1, 2, 1, 2, 1, 1, 2],
];
/// Job logs, never collected: jmMIB (PWG 2699.1.1, RFC 2707).
pub const JOBS: &[&[u32]] = &[&[1, 3, 6, 1, 4, 1, 2699, 1, 1]];
