//! From a walk to an identity: vendor, model, serial, firmware, Ethernet address.

use std::borrow::Cow;

use snmp::Value;

use crate::brand::{self, Brand};
use crate::identity::{Identity, is_plausible_serial};
use crate::mib;
use crate::profile::{Profile, VendorIdentity};
use crate::sys_descr::{self, Said};
use crate::text;
use crate::walk::Walk;

/// Most interfaces that are looked at: a printer has a handful.
const INTERFACES_MAX: usize = 64;

/// Descriptions that a controller gives instead of a model (Fiery and its kin).
const NAMELESS: &[&str] = &["generic ", "unknown", "printer"];

/// Words by which the name of a network card says what it is, lower case.
const CARD_WORDS: &[&str] = &["card", "server", "adapter"];

/// Everything that names the device, gathered once.
struct Names {
    said: Said,
    sys_descr: String,
    device_descr: String,
    printer_name: String,
    device_id: String,
}

/// Reads who a printer is. `device` is its row in hrDeviceTable.
pub(crate) fn read(walk: &Walk, device: u32, profile: Option<&Profile>) -> Identity {
    let vendor_says = profile
        .map(|profile| profile.identity(walk))
        .unwrap_or_default();
    let names = gather(walk, device, &vendor_says);
    let brand = brand_of(walk, &names);
    let scalar = |object| walk.text(object, &[mib::SCALAR]);
    let mut firmware = vendor_says.firmware.clone();
    firmware.extend(
        names
            .said
            .firmware
            .iter()
            .filter(|f| !vendor_says.firmware.contains(f))
            .cloned(),
    );
    Identity {
        vendor: brand.map(|brand| brand.name.to_owned()),
        model: model(&names, &vendor_says, brand),
        serial: serial(walk, &names, &vendor_says),
        firmware,
        mac: mac(walk),
        host_name: scalar(mib::SYS_NAME),
        asset: vendor_says.asset,
        location: scalar(mib::SYS_LOCATION),
        profile: profile.map(|profile| profile.name.clone()),
        engine_id: engine_id(walk),
        uuid: None,
    }
}

/// The row of the printer in hrDeviceTable: never simply 1.
pub(crate) fn printer_row(walk: &Walk) -> u32 {
    let first_of = |column| walk.under(column).find_map(|(row, _)| row.first().copied());
    let by_status = first_of(mib::HR_PRINTER_STATUS);
    let by_type = || {
        let mut types = walk.under(mib::HR_DEVICE_TYPE);
        types
            .find(|(_, kind)| crate::recognize::is_printer_type(kind))?
            .0
            .first()
            .copied()
    };
    by_status
        .or_else(by_type)
        .or_else(|| first_of(mib::HR_PRINTER_ERROR_STATE))
        .or_else(|| first_of(mib::PRT_MARKER_LIFE_COUNT))
        .or_else(|| first_of(mib::PRT_SUPPLY_LEVEL))
        .unwrap_or(1)
}

fn gather(walk: &Walk, device: u32, vendor_says: &VendorIdentity) -> Names {
    let sys_descr = walk
        .text(mib::SYS_DESCR, &[mib::SCALAR])
        .unwrap_or_default();
    let device_id = walk
        .under(mib::PPM_DEVICE_ID)
        .find_map(|(_, value)| match value {
            Value::OctetString(octets) => Some(text::decode_device_id(octets, walk.charset())),
            _ => None,
        });
    Names {
        said: sys_descr::read(&sys_descr),
        sys_descr,
        device_descr: walk
            .text(mib::HR_DEVICE_DESCR, &[device])
            .unwrap_or_default(),
        printer_name: walk
            .text(mib::PRT_PRINTER_NAME, &[device])
            .unwrap_or_default(),
        device_id: device_id
            .or_else(|| vendor_says.device_id.clone())
            .unwrap_or_default(),
    }
}

/// The brand on the device. The enterprise number comes last: an engine's maker is not the brand.
fn brand_of(walk: &Walk, names: &Names) -> Option<&'static Brand> {
    let maker = sys_descr::device_id_field(&names.device_id, &["MFG", "MANUFACTURER"]);
    let by_maker = maker.as_deref().and_then(brand::leading);
    by_maker
        .or_else(|| brand::leading(&names.sys_descr))
        .or_else(|| brand::leading(&names.device_descr))
        .or_else(|| brand::leading(&names.printer_name))
        .or_else(|| brand::enterprise(walk).and_then(brand::of_enterprise))
}

/// The model without its brand: the maker's own object, else the device id, else the printer's
/// row, else sysDescr unless that is a network card's, else the name that its owner may have set,
/// else the card, which is said to be one.
fn model(names: &Names, vendor_says: &VendorIdentity, brand: Option<&Brand>) -> Option<String> {
    let by_id = sys_descr::device_id_field(&names.device_id, &["MDL", "MODEL"]);
    let is_name = |text: &&str| {
        let lower = text.to_lowercase();
        !lower.is_empty() && !NAMELESS.iter().any(|nameless| lower.starts_with(nameless))
    };
    let candidates = [
        vendor_says.model.as_deref(),
        // Some makers put firmware levels behind a semicolon (Xerox).
        names.device_descr.split(';').next(),
        by_id.as_deref(),
        names.said.model.as_deref(),
        Some(&names.printer_name),
    ];
    let card = || names.said.card.as_deref().map(card_name);
    let model = match candidates.into_iter().flatten().find(is_name) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(card().filter(|name| is_name(&name.as_str()))?),
    };
    let model = brand.map_or(&*model, |brand| brand::without_brand(&model, brand));
    Some(model.trim().to_owned())
}

/// The name of a network card where nothing names the printer behind it.
fn card_name(card: &str) -> String {
    let lower = card.to_lowercase();
    let says_so = CARD_WORDS.iter().any(|word| lower.contains(word));
    let suffix = if says_so { "" } else { " (network card)" };
    format!("{card}{suffix}")
}

fn serial(walk: &Walk, names: &Names, vendor_says: &VendorIdentity) -> Option<String> {
    let standard = walk
        .under(mib::PRT_SERIAL_NUMBER)
        .filter_map(|(_, value)| walk.text_of(value));
    let by_id = sys_descr::device_id_field(&names.device_id, &["SERN", "SN", "SERIAL"]);
    standard
        .chain(vendor_says.serial.clone())
        .chain(names.said.serial.clone())
        .chain(by_id)
        .find(|serial| is_plausible_serial(serial))
}

/// The Ethernet address: the first that is up, else the first.
fn mac(walk: &Walk) -> Option<String> {
    let [mut kinds, mut states] = walk.columns([mib::IF_TYPE, mib::IF_OPER_STATUS]);
    let mut first = None;
    for (row, value) in walk.under(mib::IF_PHYS_ADDRESS).take(INTERFACES_MAX) {
        // 6 ethernetCsmacd, 7 iso88023Csmacd (Brother), 62 fastEther, 117 gigabitEthernet.
        let is_ethernet = matches!(kinds.number(row), None | Some(6 | 7 | 62 | 117));
        let octets = if let Value::OctetString(octets) = value {
            octets.as_slice()
        } else {
            &[]
        };
        if is_ethernet && let Some(mac) = mac_text(octets) {
            if states.number(row) == Some(1) {
                return Some(mac);
            }
            first.get_or_insert(mac);
        }
    }
    first
}

/// The first plausible Ethernet address among the interfaces.
pub(crate) fn first_mac(walk: &Walk) -> Option<String> {
    walk.under(mib::IF_PHYS_ADDRESS)
        .find_map(|(_, value)| match value {
            Value::OctetString(octets) => mac_text(octets),
            _ => None,
        })
}

/// snmpEngineID in hex, where it is one (RFC 3411: 5 to 32 octets).
pub(crate) fn engine_id(walk: &Walk) -> Option<String> {
    let octets = walk.octets(mib::SNMP_ENGINE_ID, &[mib::SCALAR])?;
    let is_one = (5..=32).contains(&octets.len()) && octets.iter().any(|octet| *octet != 0);
    is_one.then(|| hex(octets, ""))
}

/// Writes an Ethernet address, where it is one: six octets, not all alike, not multicast.
fn mac_text(octets: &[u8]) -> Option<String> {
    let [first, rest @ ..] = <[u8; 6]>::try_from(octets).ok()?;
    if first & 1 == 1 || rest.iter().all(|octet| *octet == first) {
        return None;
    }
    Some(hex(octets, ":"))
}

/// Writes octets in hex, with this between them.
pub(crate) fn hex(octets: &[u8], between: &str) -> String {
    let digit = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or('0');
    let mut text = String::with_capacity((2 + between.len()) * octets.len());
    for octet in octets {
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push(digit(octet >> 4));
        text.push(digit(octet & 0xf));
    }
    text
}
