//! From the documents to a reading, of the same shape as one over SNMP.

use std::net::IpAddr;

use jiff::Timestamp;

use super::quantity::{self, Kind};
use super::xml::Element;
use super::{Document, Documents, LedmError, consumables, status};
use crate::direction::Direction;
use crate::identity::{Identity, is_plausible_serial};
use crate::meter::{Meter, MeterName, Unit};
use crate::reading::{Evidence, Reading, SCHEMA};
use crate::sources::{self, Sources, Told};
use crate::{brand, facts};

/// Most meters of one device: there are fewer counts in the list below, and a few of ink.
const METERS_MAX: usize = 64;

/// The counts: subunit and element, the meter, and its unit. TotalImpressions stands in each
/// subunit, and means what that one made. None has been seen on a device beside its own pages, so
/// each is beta.
const COUNTS: &[(&str, &str, &str, Unit)] = &[
    (
        "PrinterSubunit",
        "TotalImpressions",
        "total",
        Unit::Impressions,
    ),
    (
        "PrinterSubunit",
        "MonochromeImpressions",
        "mono",
        Unit::Impressions,
    ),
    (
        "PrinterSubunit",
        "ColorImpressions",
        "color",
        Unit::Impressions,
    ),
    ("PrinterSubunit", "DuplexSheets", "duplex", Unit::Sheets),
    ("PrinterSubunit", "SimplexSheets", "other", Unit::Sheets),
    (
        "PrinterSubunit",
        "SubscriptionImpressions",
        "other",
        Unit::Impressions,
    ),
    ("PrinterSubunit", "JamEvents", "other", Unit::Other),
    ("PrinterSubunit", "MispickEvents", "other", Unit::Other),
    (
        "PrintApplicationSubunit",
        "TotalImpressions",
        "print",
        Unit::Impressions,
    ),
    (
        "PrintApplicationSubunit",
        "MonochromeImpressions",
        "print_mono",
        Unit::Impressions,
    ),
    (
        "PrintApplicationSubunit",
        "ColorImpressions",
        "print_color",
        Unit::Impressions,
    ),
    (
        "CopyApplicationSubunit",
        "TotalImpressions",
        "copy",
        Unit::Impressions,
    ),
    (
        "CopyApplicationSubunit",
        "MonochromeImpressions",
        "copy_mono",
        Unit::Impressions,
    ),
    (
        "CopyApplicationSubunit",
        "ColorImpressions",
        "copy_color",
        Unit::Impressions,
    ),
    (
        "FaxApplicationSubunit",
        "TotalImpressions",
        "fax",
        Unit::Impressions,
    ),
    (
        "ScannerEngineSubunit",
        "ScanImages",
        "scan",
        Unit::Impressions,
    ),
    (
        "ScannerEngineSubunit",
        "AdfImages",
        "other",
        Unit::Impressions,
    ),
    (
        "ScannerEngineSubunit",
        "FlatbedImages",
        "other",
        Unit::Impressions,
    ),
];

/// The element that names maker and model.
const MADE: &str = "ProductConfigDyn/ProductInformation/MakeAndModel";

/// Reads a printer from its documents.
///
/// # Errors
/// [`LedmError::NoPrinter`] where they name no printer and tell no state.
pub fn judge(
    documents: &Documents,
    address: Option<IpAddr>,
    at: Timestamp,
) -> Result<Reading, LedmError> {
    let identity = documents
        .get(Document::ProductConfigDyn)
        .map(identity)
        .unwrap_or_default();
    let told = documents.get(Document::ProductStatusDyn);
    let (status, alerts) = status::read(told);
    if identity.model.is_none() && !told.is_some_and(status::is_told) {
        return Err(LedmError::NoPrinter);
    }
    let meters = documents
        .get(Document::ProductUsageDyn)
        .map(meters)
        .unwrap_or_default();
    let mut supplies = consumables::read(documents);
    for supply in &mut supplies {
        supply.direction = Direction::of(supply, &alerts);
    }
    let mut reading = Reading {
        schema: SCHEMA,
        is_printer: true,
        address,
        at,
        up_secs: None,
        identity,
        status,
        facts: facts::of(&meters),
        meters,
        supplies,
        trays: Vec::new(),
        alerts,
        sources: Sources::new(),
    };
    reading.sources = sources::over("ledm", &reading, &sources_of(documents));
    Ok(reading)
}

/// The elements that can tell each value, in the order in which they are believed.
fn sources_of(documents: &Documents) -> Vec<Told<'static>> {
    let product = documents.get(Document::ProductConfigDyn);
    let product = product.and_then(|root| root.at("ProductInformation"));
    let text = |name, object, path| (name, object, product.and_then(|it| it.text(path)));
    let status = documents.get(Document::ProductStatusDyn).map(status::words);
    let status = |name, object| (name, object, status.clone());
    vec![
        text("vendor", MADE, "MakeAndModel"),
        text("model", MADE, "MakeAndModel"),
        text(
            "model",
            "ProductConfigDyn/ProductInformation/MakeAndModelBase",
            "MakeAndModelBase",
        ),
        text(
            "serial",
            "ProductConfigDyn/ProductInformation/SerialNumber",
            "SerialNumber",
        ),
        text(
            "firmware",
            "ProductConfigDyn/ProductInformation/Version/Revision",
            "Version/Revision",
        ),
        text("uuid", "ProductConfigDyn/ProductInformation/UUID", "UUID"),
        status("state", "ProductStatusDyn/Status/StatusCategory"),
        status("conditions", "ProductStatusDyn/Status/StatusCategory"),
        status("alerts", "ProductStatusDyn/AlertTable"),
    ]
}

/// Who it is, by its ProductInformation. The document's own Version is that of its schema; the one
/// in ProductInformation is the firmware. Contact and location are a person's as a rule, and stay
/// where they are.
fn identity(root: &Element) -> Identity {
    let Some(product) = root.at("ProductInformation") else {
        return Identity::default();
    };
    let made = product.text("MakeAndModel");
    let brand = made.as_deref().and_then(brand::leading);
    let model = made.or_else(|| product.text("MakeAndModelBase"));
    let model = model.map(|model| match brand {
        Some(brand) => brand::without_brand(&model, brand).trim().to_owned(),
        None => model,
    });
    let serial = product.text("SerialNumber");
    Identity {
        vendor: brand.map(|brand| brand.name.to_owned()),
        model,
        serial: serial.filter(|it| is_plausible_serial(it)),
        firmware: product.text("Version/Revision").into_iter().collect(),
        uuid: product.text("UUID").and_then(|text| uuid(&text)),
        ..Identity::default()
    }
}

/// A UUID in lower case; none where it is not one, or nothing but zeros.
fn uuid(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let uuid = text.strip_prefix("urn:uuid:").unwrap_or(&text);
    let is_shaped = [8, 4, 4, 4, 12]
        .into_iter()
        .eq(uuid.split('-').map(str::len));
    let mut digits = uuid.chars().filter(|c| *c != '-');
    let is_hex = digits.clone().all(|c| c.is_ascii_hexdigit());
    (is_shaped && is_hex && digits.any(|c| c != '0')).then(|| uuid.to_owned())
}

/// What it has counted: the counts, what a large format printer measures, and ink.
fn meters(root: &Element) -> Vec<Meter> {
    let counts = COUNTS.iter().filter_map(|count| counted(root, count));
    let scans = scans_in_parts(root);
    let measured = measured(root);
    let ink = consumables::used(root);
    let all = counts.chain(scans).chain(measured).chain(ink);
    all.take(METERS_MAX).collect()
}

fn counted(
    root: &Element,
    (subunit, element, name, unit): &(&str, &str, &str, Unit),
) -> Option<Meter> {
    let path = format!("{subunit}/{element}");
    let raw = root.text(&path)?;
    let value = quantity::count(&raw)?;
    Some(meter((name, &path), (value, *unit), raw))
}

/// What some elements count, in the words of the trade.
const WORDS: &[(&str, &str)] = &[
    ("SimplexSheets", "sheets printed on one side"),
    (
        "SubscriptionImpressions",
        "impressions under a subscription",
    ),
    ("JamEvents", "paper jams"),
    ("MispickEvents", "sheets not picked up"),
    ("AdfImages", "scans from the feeder"),
    ("FlatbedImages", "scans from the glass"),
    ("CumulativeMarkingAgentUsed", "ink used"),
    ("TotalMediaArea", "media area"),
    ("TotalMediaLength", "media length"),
];

/// The words for what stands at a path: known ones, else the element's own name in words, since only
/// its maker knows what it counts.
fn words(path: &str) -> String {
    let element = path.rsplit('/').next().unwrap_or(path);
    let known = WORDS.iter().find(|(name, _)| *name == element);
    known.map_or_else(
        || consumables::spaced(element),
        |(_, words)| (*words).to_owned(),
    )
}

/// A meter by its name, else by words for its path as a label. Beta, as all of them.
pub(super) fn meter((name, path): (&str, &str), (value, unit): (u64, Unit), raw: String) -> Meter {
    let known = MeterName::try_from(name.to_owned()).ok();
    let name = known.unwrap_or(MeterName::OTHER);
    let label = (name == MeterName::OTHER).then(|| words(path));
    let object = format!("{}/{path}", Document::ProductUsageDyn);
    Meter {
        name,
        label,
        value,
        unit,
        beta: true,
        rolls_over_at: None,
        evidence: Evidence::ledm(object, Some(raw), &format!("ledm/{path}")),
    }
}

/// Scans where the device only tells them by feeder and glass: the sum of both.
fn scans_in_parts(root: &Element) -> Option<Meter> {
    let scanner = root.at("ScannerEngineSubunit")?;
    if scanner.text("ScanImages").is_some() {
        return None;
    }
    let parts = [scanner.text("AdfImages")?, scanner.text("FlatbedImages")?];
    let [feeder, glass] = &parts;
    let value = quantity::count(feeder)?.checked_add(quantity::count(glass)?)?;
    let raw = parts.join(" + ");
    let path = "ScannerEngineSubunit/AdfImages + FlatbedImages";
    Some(meter(("scan", path), (value, Unit::Impressions), raw))
}

/// What a large format printer measures: every length, area and volume directly in its subunit, or
/// in one by marking agent. The first that calls itself a total is the device's `length` or `area`;
/// how others add up is known to the maker only, so they keep their own names.
fn measured(root: &Element) -> Vec<Meter> {
    let Some(printer) = root.at("PrinterSubunit") else {
        return Vec::new();
    };
    let direct = printer.children().iter().map(|it| (it, String::new()));
    let by_agent = printer.all("UsageByMarkingAgent");
    let by_agent = by_agent.flat_map(Element::children);
    let by_agent = by_agent.map(|it| (it, "UsageByMarkingAgent/".to_owned()));
    let mut taken: Vec<Kind> = Vec::new();
    let mut meters = Vec::new();
    for (element, within) in direct.chain(by_agent) {
        let Some(read) = quantity::read(element) else {
            continue;
        };
        let is_first = element.name().starts_with("Total") && !taken.contains(&read.kind);
        let name = match read.kind {
            Kind::Length if is_first => "length",
            Kind::Area if is_first => "area",
            Kind::Length | Kind::Area | Kind::Volume => "other",
        };
        if name != "other" {
            taken.push(read.kind);
        }
        let path = format!("PrinterSubunit/{within}{}", element.name());
        meters.push(meter((name, &path), (read.value, read.unit), read.raw));
        if meters.len() >= METERS_MAX {
            break;
        }
    }
    meters
}
