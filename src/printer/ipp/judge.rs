//! From an answer to a reading, of the same shape as one over SNMP.

use std::net::IpAddr;

use jiff::Timestamp;

use super::answer::{Answer, IppError};
use super::{reasons, rows};
use crate::direction::Direction;
use crate::identity::{Identity, is_plausible_serial};
use crate::meter::{Meter, MeterName, Unit};
use crate::reading::{Evidence, Reading, SCHEMA};
use crate::sources::{self, Sources, Told};
use crate::{brand, facts, status, sys_descr};

/// Levels that printer-firmware-name lists beside the firmware: of languages, not of the device.
const NO_FIRMWARE: [&str; 2] = ["IPP", "URF"];

/// The counts, their names here and what they count. None has been seen from a real device, so each
/// is beta; a page and a sheet are no impressions.
const COUNTS: [(&str, MeterName, Unit); 3] = [
    (
        "printer-impressions-completed",
        MeterName::TOTAL,
        Unit::Impressions,
    ),
    ("printer-pages-completed", MeterName::OTHER, Unit::Other),
    (
        "printer-media-sheets-completed",
        MeterName::OTHER,
        Unit::Sheets,
    ),
];

/// Reads a printer from its answer.
///
/// # Errors
/// [`IppError::NoPrinter`] where the answer names no printer and tells no state.
pub fn judge(answer: &Answer, address: Option<IpAddr>, at: Timestamp) -> Result<Reading, IppError> {
    let state = answer.number("printer-state");
    let identity = identity(answer);
    if state.is_none() && identity.model.is_none() {
        return Err(IppError::NoPrinter);
    }
    let alerts = reasons::alerts(answer);
    let meters = meters(answer);
    let mut supplies = rows::supplies(answer);
    for supply in &mut supplies {
        supply.direction = Direction::of(supply, &alerts);
    }
    let up_secs = answer.number("printer-up-time");
    let mut reading = Reading {
        schema: SCHEMA,
        is_printer: true,
        address,
        at,
        up_secs: up_secs.and_then(|secs| u64::try_from(secs).ok()),
        identity,
        status: status::of_ipp(state, &reasons::conditions(answer), &alerts),
        facts: facts::of(&meters),
        meters,
        supplies,
        trays: rows::trays(answer),
        alerts,
        sources: Sources::new(),
    };
    reading.sources = sources::over("ipp", &reading, &told(answer));
    Ok(reading)
}

/// The attributes that can tell each value, in the order in which they are believed.
fn told(answer: &Answer) -> Vec<Told<'static>> {
    let text = |name, attribute| (name, attribute, answer.text(attribute));
    let number = |name, attribute| {
        let number = answer.number(attribute);
        (name, attribute, number.map(|number| number.to_string()))
    };
    let texts = |name, attribute| {
        let texts = answer.texts(attribute).join(", ");
        (name, attribute, (!texts.is_empty()).then_some(texts))
    };
    vec![
        text("vendor", "printer-device-id"),
        text("vendor", "printer-make-and-model"),
        text("model", "printer-make-and-model"),
        text("model", "printer-device-id"),
        text("serial", "printer-serial-number"),
        text("serial", "printer-device-id"),
        texts("firmware", "printer-firmware-string-version"),
        text("location", "printer-location"),
        text("uuid", "printer-uuid"),
        number("up_secs", "printer-up-time"),
        number("state", "printer-state"),
        texts("state", "printer-state-reasons"),
        texts("conditions", "printer-state-reasons"),
        texts("alerts", "printer-state-reasons"),
        text("alerts", "printer-alert"),
    ]
}

fn identity(answer: &Answer) -> Identity {
    let device_id = answer.text("printer-device-id").unwrap_or_default();
    let field = |names: &[&str]| sys_descr::device_id_field(&device_id, names);
    let made = answer.text("printer-make-and-model");
    let maker = field(&["MFG", "MANUFACTURER"]);
    let brand = maker.as_deref().and_then(brand::leading);
    let brand = brand.or_else(|| brand::leading(made.as_deref()?));
    let model = made.or_else(|| field(&["MDL", "MODEL"]));
    let model = model.map(|model| match brand {
        Some(brand) => brand::without_brand(&model, brand).trim().to_owned(),
        None => model,
    });
    // Kyocera has SER.
    let by_id = field(&["SERN", "SN", "SER", "SERIAL"]);
    let serial = answer.text("printer-serial-number");
    let serials = serial.into_iter().chain(by_id);
    Identity {
        vendor: brand.map(|brand| brand.name.to_owned()),
        model,
        serial: serials.into_iter().find(|it| is_plausible_serial(it)),
        firmware: firmware(answer),
        location: answer.text("printer-location"),
        uuid: uuid(answer),
        ..Identity::default()
    }
}

fn firmware(answer: &Answer) -> Vec<String> {
    let names = answer.texts("printer-firmware-name");
    let levels = answer.texts("printer-firmware-string-version");
    let is_firmware = |place: usize| {
        let name = names.get(place);
        name.is_none_or(|name| !NO_FIRMWARE.contains(name))
    };
    levels
        .into_iter()
        .enumerate()
        .filter(|(place, level)| !level.is_empty() && is_firmware(*place))
        .map(|(_, level)| level.to_owned())
        .collect()
}

/// The UUID in `urn:uuid:4509a320-…` (RFC 4122), lower case; none where it is not one, or nothing
/// but zeros.
fn uuid(answer: &Answer) -> Option<String> {
    let text = answer.text("printer-uuid")?.to_lowercase();
    let uuid = text.strip_prefix("urn:uuid:")?;
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    let digits = || uuid.chars().filter(|c| *c != '-');
    let is_one = lengths == [8, 4, 4, 4, 12]
        && digits().all(|c| c.is_ascii_hexdigit())
        && digits().any(|c| c != '0');
    is_one.then(|| uuid.to_owned())
}

/// What it has counted; a negative count is none.
fn meters(answer: &Answer) -> Vec<Meter> {
    let meter = |(attribute, name, unit): (&str, MeterName, Unit)| {
        let value = u64::try_from(answer.number(attribute)?).ok()?;
        let label = (name == MeterName::OTHER).then(|| attribute.to_owned());
        let rule = format!("ipp/{attribute}");
        Some(Meter {
            name,
            label,
            value,
            unit,
            beta: true,
            rolls_over_at: None,
            evidence: Evidence::ipp(attribute, format!("integer: {value}"), &rule),
        })
    };
    COUNTS.into_iter().filter_map(meter).collect()
}
