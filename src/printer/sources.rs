//! Where each value of a reading comes from that has no evidence beside it: who the printer is, how
//! it is, how long it runs, what it complains about.
//!
//! A reading's [`Sources`] are found after it: of the objects that can tell a value, in the order in
//! which they are believed, the first that says it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use snmp::{Oid, Value};

use crate::profile::{IdentityField, Profile};
use crate::reading::{Evidence, Reading};
use crate::status::State;
use crate::walk::Walk;
use crate::{brand, identify, mib, sys_descr, text};

/// Evidence by the name of its value: the keys of `identity` and `status`, `alerts` and `up_secs`.
pub type Sources = BTreeMap<String, Evidence>;

/// Every value that has a source.
pub const NAMES: [&str; 15] = [
    "vendor",
    "model",
    "serial",
    "firmware",
    "mac",
    "host_name",
    "asset",
    "location",
    "engine_id",
    "uuid",
    "up_secs",
    "state",
    "conditions",
    "console",
    "alerts",
];

/// Longest text that a source repeats, in characters.
const TEXT_CHARS_MAX: usize = 64;

/// Which rows of a table are looked at for one value: a device has a few interfaces and one serial
/// number for each of its parts.
const ROWS_MAX: usize = 64;

/// What a reading says under a name: its text, empty where it has none to compare.
fn value<'r>(reading: &'r Reading, name: &str) -> Option<&'r str> {
    let identity = &reading.identity;
    let is = |there: bool| there.then_some("");
    match name {
        "vendor" => identity.vendor.as_deref(),
        "model" => identity.model.as_deref(),
        "serial" => identity.serial.as_deref(),
        "firmware" => identity.firmware.first().map(String::as_str),
        "mac" => identity.mac.as_deref(),
        "host_name" => identity.host_name.as_deref(),
        "asset" => identity.asset.as_deref(),
        "location" => identity.location.as_deref(),
        "engine_id" => identity.engine_id.as_deref(),
        "uuid" => identity.uuid.as_deref(),
        "up_secs" => is(reading.up_secs.is_some()),
        "state" => is(reading.status.state != State::Unknown),
        "conditions" => is(!reading.status.conditions.is_empty()),
        "console" => is(!reading.status.console.is_empty()),
        "alerts" => is(!reading.alerts.is_empty()),
        _ => None,
    }
}

/// The names of what a reading says and no source tells of.
#[must_use]
pub fn missing(reading: &Reading) -> Vec<&'static str> {
    let is_missing =
        |name: &&str| value(reading, name).is_some() && !reading.sources.contains_key(*name);
    NAMES.into_iter().filter(is_missing).collect()
}

/// Whether a text says a value of this name.
fn says(name: &str, value: &str, text: &str) -> bool {
    if name == "vendor" {
        let maker = sys_descr::device_id_field(text, &["MFG", "MANUFACTURER"]);
        let brand = maker.as_deref().and_then(brand::leading);
        let brand = brand.or_else(|| brand::leading(text));
        return brand.is_some_and(|brand| brand.name == value);
    }
    // Nearly always, it stands there as it is.
    text.is_ascii() && text.contains(value) || text.to_lowercase().contains(&value.to_lowercase())
}

/// What another door told: a value's name, the object that can tell it, and what that said.
pub(crate) type Told<'a> = (&'a str, &'a str, Option<String>);

/// The sources of a reading over another door than SNMP.
pub(crate) fn over(door: &str, reading: &Reading, told: &[Told<'_>]) -> Sources {
    let mut sources = Sources::new();
    for name in NAMES {
        let Some(value) = value(reading, name) else {
            continue;
        };
        let rows = || {
            let named = told.iter().filter(|(of, _, _)| *of == name);
            named.filter_map(|(_, object, raw)| Some((*object, raw.as_deref()?)))
        };
        let chosen = rows().find(|(_, raw)| says(name, value, raw));
        let Some((object, raw)) = chosen.or_else(|| rows().next()) else {
            continue;
        };
        let raw: String = text::clean(raw).chars().take(TEXT_CHARS_MAX).collect();
        let rule = format!("{door}/{name}");
        let evidence = Evidence::by(door, object, format!("text: {raw}"), &rule);
        sources.insert(name.to_owned(), evidence);
    }
    sources
}

/// Takes over the sources of what was taken over from another reading.
pub(crate) fn take(ours: &mut Sources, theirs: &Sources, names: &[&str]) {
    for name in names {
        match theirs.get(*name) {
            Some(evidence) => ours.insert((*name).to_owned(), evidence.clone()),
            None => ours.remove(*name),
        };
    }
}

/// A text that may say a value.
struct Candidate<'w> {
    /// The object that it comes from, with its value.
    object: Object<'w>,
    text: String,
    /// The rule that reads it; none for the maker's own.
    rule: Option<&'static str>,
}

/// An object: a column, a row of it, and its value.
type Object<'w> = (&'w [u32], &'w [u32], &'w Value);

/// Where texts are that may say a value.
type Place<'w> = fn(&Names<'w>) -> Vec<Candidate<'w>>;

/// The sources of a reading over SNMP. `device` is its row in hrDeviceTable.
pub(crate) fn of(
    walk: &Walk,
    device: u32,
    profile: Option<&Profile>,
    reading: &Reading,
) -> Sources {
    let names = Names {
        walk,
        device: &[device],
        profile,
    };
    let mut sources = Sources::new();
    for name in NAMES {
        let evidence = value(reading, name).and_then(|value| names.evidence(name, value));
        sources.extend(evidence.map(|evidence| (name.to_owned(), evidence)));
    }
    sources
}

/// What a walk says that can name a device.
struct Names<'w> {
    walk: &'w Walk,
    /// Its row in hrDeviceTable.
    device: &'w [u32],
    profile: Option<&'w Profile>,
}

/// The row of an object that has one instance.
const SCALAR: &[u32] = &[mib::SCALAR];

impl<'w> Names<'w> {
    fn evidence(&self, name: &str, value: &str) -> Option<Evidence> {
        match name {
            "vendor" => self.vendor(value),
            "model" => self.said(
                name,
                value,
                &[Self::own_model, Self::row, Self::ids, Self::descr],
            ),
            "serial" => self.said(
                name,
                value,
                &[Self::serials, Self::own_serial, Self::descr, Self::ids],
            ),
            "firmware" => self.said(name, value, &[Self::own_firmware, Self::descr]),
            "asset" => self.said(name, value, &[Self::own_asset]),
            "mac" => self.mac(value),
            "host_name" => self.one(mib::SYS_NAME, SCALAR, "mib-2/sys-name"),
            "location" => self.one(mib::SYS_LOCATION, SCALAR, "mib-2/sys-location"),
            "engine_id" => self.one(mib::SNMP_ENGINE_ID, SCALAR, "snmp-framework/engine-id"),
            "up_secs" => self.one(mib::SYS_UP_TIME, SCALAR, "mib-2/sys-up-time"),
            "state" => self.state(),
            "conditions" => self.one(
                mib::HR_PRINTER_ERROR_STATE,
                self.device,
                "host-resources/detected-error-state",
            ),
            "console" => self.first(mib::PRT_CONSOLE_TEXT, "printer-mib/console"),
            // A device may leave columns of the table out.
            "alerts" => [
                mib::PRT_ALERT_SEVERITY,
                mib::PRT_ALERT_GROUP,
                mib::PRT_ALERT_CODE,
                mib::PRT_ALERT_DESCRIPTION,
                mib::PRT_ALERT_GROUP_INDEX,
                mib::PRT_ALERT_TRAINING,
            ]
            .into_iter()
            .find_map(|column| self.first(column, "printer-mib/alert")),
            _ => None,
        }
    }

    /// The evidence for what a rule reads of an object; without a rule, for the maker's own.
    fn found(&self, (column, row, value): Object<'_>, rule: Option<&str>) -> Evidence {
        let stamp = || self.profile.map(Profile::stamp).unwrap_or_default();
        let rule = rule.map_or_else(|| Cow::Owned(stamp() + "/identity"), Cow::Borrowed);
        Evidence::in_row(column, row, Some(value), &rule)
    }

    fn one(&self, column: &[u32], row: &[u32], rule: &str) -> Option<Evidence> {
        let value = self.walk.at(column, row)?;
        Some(Evidence::in_row(column, row, Some(value), rule))
    }

    /// A table, by its first row.
    fn first(&self, column: &[u32], rule: &str) -> Option<Evidence> {
        let (row, value) = self.walk.under(column).next()?;
        Some(Evidence::in_row(column, row, Some(value), rule))
    }

    /// The first text that says a value, of the sources in the order in which they are believed.
    fn said(&self, name: &str, value: &str, order: &[Place<'w>]) -> Option<Evidence> {
        // What was put behind the name of a network card is ours.
        let value = text::before(value, " (");
        let mut first = None;
        for place in order {
            for Candidate { object, text, rule } in place(self) {
                if says(name, value, &text) {
                    return Some(self.found(object, rule));
                }
                first.get_or_insert((object, rule));
            }
        }
        first.map(|(object, rule)| self.found(object, rule))
    }

    /// The brand: by what names the device, else by the number of the agent's maker.
    fn vendor(&self, value: &str) -> Option<Evidence> {
        let order: [Place<'w>; 3] = [Self::ids, Self::descr, Self::row];
        let mut all = order.iter().flat_map(|place| place(self));
        if let Some(it) = all.find(|it| says("vendor", value, &it.text)) {
            return Some(self.found(it.object, it.rule));
        }
        self.one(mib::SYS_OBJECT_ID, SCALAR, "mib-2/enterprise")
    }

    fn mac(&self, value: &str) -> Option<Evidence> {
        let interfaces = self.walk.under(mib::IF_PHYS_ADDRESS).take(ROWS_MAX);
        let mut interfaces = interfaces.filter(|(_, said)| match said {
            Value::OctetString(octets) => identify::hex(octets, ":") == value,
            _ => false,
        });
        let (row, said) = interfaces.next()?;
        let rule = "mib-2/if-phys-address";
        Some(Evidence::in_row(
            mib::IF_PHYS_ADDRESS,
            row,
            Some(said),
            rule,
        ))
    }

    fn state(&self) -> Option<Evidence> {
        let objects = [
            mib::HR_PRINTER_STATUS,
            mib::HR_DEVICE_STATUS,
            mib::HR_PRINTER_ERROR_STATE,
        ];
        let objects = objects.map(|column| Oid::new(column).with(self.device));
        let evidence = Evidence::sum(&objects, self.walk, "host-resources/status");
        (!evidence.object.is_empty()).then_some(evidence)
    }

    fn column(&self, column: &'w [u32], rule: &'static str) -> Vec<Candidate<'w>> {
        let rows = self.walk.under(column).take(ROWS_MAX);
        let said = rows.filter_map(|(row, value)| {
            Some(Candidate {
                object: (column, row, value),
                text: self.walk.text_of(value)?,
                rule: Some(rule),
            })
        });
        said.collect()
    }

    fn serials(&self) -> Vec<Candidate<'w>> {
        self.column(mib::PRT_SERIAL_NUMBER, "printer-mib/serial-number")
    }

    fn descr(&self) -> Vec<Candidate<'w>> {
        self.column(mib::SYS_DESCR, "mib-2/sys-descr")
    }

    /// Its row of the printers, and the name that its owner may have set.
    fn row(&self) -> Vec<Candidate<'w>> {
        let at = |column: &'w [u32], rule: &'static str| {
            let value = self.walk.at(column, self.device)?;
            Some(Candidate {
                object: (column, self.device, value),
                text: self.walk.text_of(value)?,
                rule: Some(rule),
            })
        };
        let row = at(mib::HR_DEVICE_DESCR, "host-resources/device-descr");
        let name = at(mib::PRT_PRINTER_NAME, "printer-mib/printer-name");
        row.into_iter().chain(name).collect()
    }

    /// Its IEEE 1284 device ids.
    fn ids(&self) -> Vec<Candidate<'w>> {
        let mut ids = self.column(mib::PPM_DEVICE_ID, "ppm/device-id");
        ids.extend(self.own(IdentityField::DeviceId));
        ids
    }

    fn own_model(&self) -> Vec<Candidate<'w>> {
        self.own(IdentityField::Model)
    }

    fn own_serial(&self) -> Vec<Candidate<'w>> {
        self.own(IdentityField::Serial)
    }

    fn own_firmware(&self) -> Vec<Candidate<'w>> {
        self.own(IdentityField::Firmware)
    }

    fn own_asset(&self) -> Vec<Candidate<'w>> {
        self.own(IdentityField::Asset)
    }

    /// What the maker's own objects say of this kind.
    fn own(&self, field: IdentityField) -> Vec<Candidate<'w>> {
        let Some(profile) = self.profile else {
            return Vec::new();
        };
        let rules = profile.identity.iter().filter(|rule| rule.field == field);
        let said = rules.filter_map(|rule| {
            let value = self.walk.get(&rule.object)?;
            let Value::OctetString(octets) = value else {
                return None;
            };
            let text = match field {
                IdentityField::DeviceId => text::decode_device_id(octets, self.walk.charset()),
                IdentityField::Serial
                | IdentityField::Model
                | IdentityField::Firmware
                | IdentityField::Asset => text::decode(octets, self.walk.charset()),
            };
            (!text.is_empty()).then(|| Candidate {
                object: (rule.object.arcs(), &[], value),
                text,
                rule: None,
            })
        });
        said.collect()
    }
}
