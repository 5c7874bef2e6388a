//! What to ask a device, as data: the agent sends it, here it is only decided.
//!
//! Version 1 answers noSuchName for a whole GET when one object is missing; whoever asks leaves
//! the named object out and asks again.

use std::sync::LazyLock;

use snmp::{Oid, Value, VarBind};

use crate::identity::Fingerprint;
use crate::mib;
use crate::profile::Profiles;
use crate::recognize;
use crate::walk::Walk;

/// Most lines of a display that are asked for: the largest seen has 8.
const CONSOLE_LINES_MAX: usize = 16;

/// Most rows of one table whose moving values are asked for by name. A sorter with every input
/// has some 20 trays; supplies go up to about 40.
const ROWS_MAX: usize = 64;

/// The row under which nearly every printer keeps itself. Only a hint: a full read looks.
const USUAL_DEVICE: u32 = 1;

/// The columns of a full reading of whatever device, by group.
static STANDARD: LazyLock<Vec<Vec<Oid>>> = LazyLock::new(|| {
    vec![
        columns(&[
            mib::HR_DEVICE_TYPE,
            mib::HR_DEVICE_DESCR,
            mib::HR_DEVICE_STATUS,
            mib::HR_PRINTER_STATUS,
            mib::HR_PRINTER_ERROR_STATE,
            mib::IF_TYPE,
            mib::IF_PHYS_ADDRESS,
            mib::IF_OPER_STATUS,
            mib::PPM_DEVICE_ID,
        ]),
        columns(&[
            mib::PRT_CONFIG_CHANGES,
            mib::PRT_CURRENT_LOCALIZATION,
            mib::PRT_PRINTER_NAME,
            mib::PRT_SERIAL_NUMBER,
            mib::PRT_ALERT_CRITICAL_EVENTS,
            mib::PRT_ALERT_ALL_EVENTS,
            mib::PRT_CHARACTER_SET,
            mib::PRT_MARKER_UNIT,
            mib::PRT_MARKER_LIFE_COUNT,
            mib::PRT_MARKER_POWER_ON_COUNT,
        ]),
        columns(&[
            mib::PRT_SUPPLY_COLORANT,
            mib::PRT_SUPPLY_CLASS,
            mib::PRT_SUPPLY_TYPE,
            mib::PRT_SUPPLY_DESCRIPTION,
            mib::PRT_SUPPLY_UNIT,
            mib::PRT_SUPPLY_CAPACITY,
            mib::PRT_SUPPLY_LEVEL,
            mib::PRT_COLORANT_VALUE,
        ]),
        columns(&[
            mib::PRT_INPUT_UNIT,
            mib::PRT_INPUT_CAPACITY,
            mib::PRT_INPUT_LEVEL,
            mib::PRT_INPUT_MEDIA,
            mib::PRT_INPUT_NAME,
            mib::PRT_INPUT_DESCRIPTION,
        ]),
        alerts(),
    ]
});

/// What a full reading asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Exact instances, for GETs.
    pub scalars: Vec<Oid>,
    /// Columns to walk; those of one group fit into one question.
    pub tables: Vec<Vec<Oid>>,
}

/// What a sweep asks every address for. The first three are on every SNMP device; the others tell
/// a printer.
#[must_use]
pub fn probe() -> Vec<Oid> {
    vec![
        scalar(mib::SYS_DESCR),
        scalar(mib::SYS_OBJECT_ID),
        scalar(mib::SYS_NAME),
        Oid::new(mib::HR_DEVICE_TYPE).with(&[USUAL_DEVICE]),
        Oid::new(mib::PRT_CONFIG_CHANGES).with(&[USUAL_DEVICE]),
    ]
}

/// The root whose next object tells of a device that says nothing of a printer whether it is one after
/// all: only printers have any there.
#[must_use]
pub fn doubt() -> Oid {
    Oid::new(mib::PRINTER_MIB)
}

/// Whether an answer to [`probe`] is worth a full reading: it may be a printer.
#[must_use]
pub fn is_candidate(varbinds: &[VarBind]) -> bool {
    let walk: Walk = varbinds.iter().cloned().collect();
    recognize::may_be_a_printer(&walk)
}

/// The GET that opens and closes every reading: who answers at this address?
#[must_use]
pub fn identity() -> Vec<Oid> {
    vec![
        scalar(mib::SYS_OBJECT_ID),
        scalar(mib::SYS_NAME),
        Oid::new(mib::PRT_SERIAL_NUMBER).with(&[USUAL_DEVICE]),
        Oid::new(mib::IF_PHYS_ADDRESS).with(&[1]),
        Oid::new(mib::IF_PHYS_ADDRESS).with(&[2]),
        scalar(mib::SNMP_ENGINE_ID),
    ]
}

/// The one GET that a sweep asks where a device is known to live: [`probe`] and [`identity`].
#[must_use]
pub fn introduction() -> Vec<Oid> {
    let mut all = probe();
    let others = identity().into_iter().filter(|oid| !all.contains(oid));
    let others: Vec<Oid> = others.collect();
    all.extend(others);
    all
}

/// The GET that opens a whole reading: who answers, whether it may be a printer, and what stands
/// alone on every device.
#[must_use]
pub fn greeting() -> Vec<Oid> {
    let others = [scalar(mib::SYS_UP_TIME), scalar(mib::SYS_LOCATION)];
    introduction().into_iter().chain(others).collect()
}

/// The object in which nearly every printer says its model.
#[must_use]
pub fn model() -> Oid {
    Oid::new(mib::HR_DEVICE_DESCR).with(&[USUAL_DEVICE])
}

/// Everything a full reading asks; what [`greeting`] has asked already is in it, too.
#[must_use]
pub fn full(known: &Walk, profiles: &Profiles) -> Plan {
    let mut scalars = vec![
        scalar(mib::SYS_DESCR),
        scalar(mib::SYS_UP_TIME),
        scalar(mib::SYS_NAME),
        scalar(mib::SYS_LOCATION),
    ];
    let mut tables = STANDARD.clone();
    if let Some(profile) = profiles.for_walk(known) {
        scalars.extend(profile.scalars());
        let columns = profile.columns();
        if !columns.is_empty() {
            tables.push(columns);
        }
    }
    Plan { scalars, tables }
}

/// The exact instances of what moves, from the last full walk: status, meters, levels, display,
/// and the counters that tell whether [`alerts`] must be walked again.
#[must_use]
pub fn status(last: &Walk, profiles: &Profiles) -> Vec<Oid> {
    let mut oids = vec![scalar(mib::SYS_UP_TIME)];
    let moving = [
        mib::PRT_CONFIG_CHANGES,
        mib::PRT_ALERT_CRITICAL_EVENTS,
        mib::PRT_ALERT_ALL_EVENTS,
        mib::HR_PRINTER_STATUS,
        mib::HR_PRINTER_ERROR_STATE,
        mib::PRT_MARKER_LIFE_COUNT,
        mib::PRT_MARKER_POWER_ON_COUNT,
        mib::PRT_SUPPLY_LEVEL,
        mib::PRT_INPUT_LEVEL,
    ];
    for column in moving {
        oids.extend(rows(last, column).take(ROWS_MAX));
    }
    let printers = last
        .under(mib::HR_PRINTER_STATUS)
        .map(|(device, _)| device.to_vec());
    oids.extend(
        printers
            .take(ROWS_MAX)
            .map(|row| Oid::new(mib::HR_DEVICE_STATUS).with(&row)),
    );
    oids.extend(rows(last, mib::PRT_CONSOLE_TEXT).take(CONSOLE_LINES_MAX));
    if let Some(profile) = profiles.for_walk(last) {
        oids.extend(profile.moving(last));
    }
    oids.extend(serial(last, profiles));
    oids
}

/// Where a maker alone tells the serial number: asked with what moves, so that nobody else is taken for
/// the device. Empty where [`identity`] asks for it.
#[must_use]
pub fn serial(last: &Walk, profiles: &Profiles) -> Vec<Oid> {
    let profile = profiles.for_walk(last);
    let is_standard = Fingerprint::of_answer(last).serial.is_some();
    let private = profile.filter(|_| !is_standard);
    private.map_or_else(Vec::new, |profile| profile.serials(last))
}

/// The columns that are walked again when the alert counters move.
#[must_use]
pub fn alerts() -> Vec<Oid> {
    columns(&[
        mib::PRT_ALERT_SEVERITY,
        mib::PRT_ALERT_TRAINING,
        mib::PRT_ALERT_GROUP,
        mib::PRT_ALERT_GROUP_INDEX,
        mib::PRT_ALERT_CODE,
        mib::PRT_ALERT_DESCRIPTION,
        mib::PRT_CONSOLE_TEXT,
    ])
}

fn scalar(object: &[u32]) -> Oid {
    Oid::new(object).with(&[mib::SCALAR])
}

fn columns(objects: &[&[u32]]) -> Vec<Oid> {
    objects.iter().map(|object| Oid::new(object)).collect()
}

fn rows<'a>(walk: &'a Walk, column: &'a [u32]) -> impl Iterator<Item = Oid> + 'a {
    let is_worth_asking = |value: &Value| !value.is_absent();
    walk.under(column)
        .filter(move |(_, value)| is_worth_asking(value))
        .map(move |(row, _)| Oid::new(column).with(row))
}
