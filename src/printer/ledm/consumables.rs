//! What a printer consumes over LEDM: ConsumableConfigDyn or, where it lacks that, the consumables
//! of ProductUsageDyn; and the ink that it has used.

use super::quantity::{self, Kind};
use super::xml::{self, Element};
use super::{Document, Documents, judge};
use crate::meter::{Meter, Unit};
use crate::reading::Evidence;
use crate::supply::{Level, SUPPLIES_MAX, Supply, class_of, kind_named};
use crate::supply_words;

/// Where levels stand, the one that its pages show before the one without a floor.
const LEVELS: [&str; 2] = [
    "ConsumablePercentageLevelRemaining",
    "ConsumableRawPercentageLevelRemaining",
];

/// The codes on cartridges, and their colors.
const CODES: &[(&str, &str)] = &[
    ("K", "black"),
    ("C", "cyan"),
    ("M", "magenta"),
    ("Y", "yellow"),
    ("CMY", "cyan magenta yellow"),
    ("PK", "photo black"),
    ("MK", "matte black"),
    ("LC", "light cyan"),
    ("LM", "light magenta"),
    ("LG", "light gray"),
    ("GY", "gray"),
    ("G", "gray"),
    ("R", "red"),
    ("GN", "green"),
    ("B", "blue"),
];

/// Words of ConsumableTypeEnum in lower case that the Printer MIB has under another name. A
/// printhead is in no list of it.
const KINDS: &[(&str, &str)] = &[
    ("printhead", "other"),
    ("drum", "opc"),
    ("imagingdrum", "opc"),
    ("imageunit", "opc"),
    ("tonercartridge", "tonerCartridge"),
    ("inkcartridge", "inkCartridge"),
    ("inktank", "inkCartridge"),
    ("maintenancekit", "fuser"),
    ("fuserkit", "fuser"),
    ("transferkit", "transferUnit"),
    ("transferbelt", "transferUnit"),
    ("collectionunit", "wasteToner"),
    ("tonercollectionunit", "wasteToner"),
    ("maintenancecartridge", "wasteInk"),
];

/// States of a cartridge that is not there: a level beside them is of the one before.
const ABSENT: [&str; 4] = ["missing", "notinstalled", "empty-slot", "nocartridge"];

/// A name of the documents in words: the color of a cartridge of three inks, CyanMagentaYellow.
pub(super) fn spaced(camel: &str) -> String {
    let mut words = String::new();
    for letter in camel.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// Every supply. The direction of a receptacle is for who knows the alerts.
pub(super) fn read(documents: &Documents) -> Vec<Supply> {
    let config = documents.get(Document::ConsumableConfigDyn);
    let rows: Vec<&Element> = config.map_or_else(Vec::new, |root| {
        root.all("ConsumableInfo").take(SUPPLIES_MAX).collect()
    });
    if !rows.is_empty() {
        let object = format!("{}/ConsumableInfo", Document::ConsumableConfigDyn);
        let rows = rows.into_iter().enumerate();
        return rows
            .map(|(place, row)| supply(row, place, &object))
            .collect();
    }
    let Some(usage) = documents.get(Document::ProductUsageDyn) else {
        return Vec::new();
    };
    let object = format!("{}/ConsumableSubunit/Consumable", Document::ProductUsageDyn);
    let rows = in_usage(usage).take(SUPPLIES_MAX).enumerate();
    rows.map(|(place, row)| supply(row, place, &object))
        .collect()
}

fn in_usage(root: &Element) -> impl Iterator<Item = &Element> {
    let subunits = root.all("ConsumableSubunit");
    subunits.flat_map(|subunit| subunit.all("Consumable"))
}

/// One row; only what is directly in it: it may hold the data of the cartridge before it as well.
fn supply(row: &Element, place: usize, object: &str) -> Supply {
    let word = row.text("ConsumableTypeEnum").unwrap_or_default();
    let kind = kind_of(&word);
    let number = row.text("ConsumableSelectibilityNumber");
    let code = row.text("ConsumableLabelCode");
    let color = color_of(row);
    let named = [color.clone().or(code), Some(spaced(&word)), number.clone()];
    let named: Vec<String> = named
        .into_iter()
        .flatten()
        .filter(|it| !it.is_empty())
        .collect();
    let element = LEVELS.into_iter().find(|name| row.text(name).is_some());
    let element = element.unwrap_or(LEVELS[0]);
    let raw = row.text(element);
    let (level, rule) = level(row, kind, raw.as_deref());
    let capacity = capacity(row);
    Supply {
        index: row
            .text("ConsumableStation")
            .filter(|station| station.chars().all(|c| c.is_ascii_digit()))
            .unwrap_or_else(|| (place + 1).to_string()),
        description: named.join(" "),
        class: class_of(None, kind),
        kind: kind.to_owned(),
        color: color.filter(|_| !kind.starts_with("waste")),
        level,
        direction: None,
        capacity: capacity.as_ref().map(|it| it.value),
        remaining: None,
        unit: capacity.map_or(Unit::Percent, |it| it.unit),
        part: row.text("ProductNumber").or(number),
        serial: row.text("SerialNumber"),
        evidence: Evidence::ledm(format!("{object}[{}]/{element}", place + 1), raw, rule),
    }
}

fn capacity(row: &Element) -> Option<quantity::Quantity> {
    let capacity = row.at("Capacity")?;
    let unit = capacity.text("Unit").or_else(|| capacity.text("Units"))?;
    let read = quantity::of(&capacity.text("MaxCapacity")?, &unit)?;
    (read.kind == Kind::Volume && read.value > 0).then_some(read)
}

fn color_of(row: &Element) -> Option<String> {
    let code = row.text("ConsumableLabelCode");
    let code = code.map(|code| code.to_uppercase());
    let found = CODES
        .iter()
        .find(|(known, _)| Some(*known) == code.as_deref());
    let of_code = found.map(|(_, color)| (*color).to_owned());
    let said = || row.text("MarkerColor").map(|color| spaced(&color));
    let color = of_code.or_else(said);
    color.filter(|color| !matches!(color.as_str(), "none" | "other" | "unknown"))
}

fn kind_of(word: &str) -> &'static str {
    let lower = word.to_lowercase();
    let found = KINDS.iter().find(|(known, _)| *known == lower);
    let found = found.map(|(_, kind)| *kind).or_else(|| kind_named(word));
    found.unwrap_or_else(|| match supply_words::kind_of(word) {
        "unknown" => "other",
        kind => kind,
    })
}

/// How much is left, and the rule. LEDM has no sentinels: what is no share of a hundred is none.
fn level(row: &Element, kind: &str, raw: Option<&str>) -> (Level, &'static str) {
    let within = |name: &str| {
        let own = row.text(name);
        own.or_else(|| row.text(&format!("ConsumableLifeState/{name}")))
    };
    let state = within("ConsumableState").unwrap_or_default().to_lowercase();
    if ABSENT.contains(&state.as_str()) {
        return (Level::Unknown, "ledm/not-installed");
    }
    if kind == "other" {
        // The share of a printhead counts its life or nothing, by model.
        return (Level::Unknown, "ledm/level-of-no-supply");
    }
    let number = raw.and_then(xml::number::<f64>);
    match number {
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            (Level::Percent { percent }, "ledm/level-in-percent")
        }
        Some(number) if number > 100.0 => (Level::Implausible, "ledm/level-above-100-percent"),
        Some(_) => (Level::Unknown, "ledm/level-below-0"),
        None => {
            let measured = within("MeasuredQuantityState").unwrap_or_default();
            match measured.to_lowercase().as_str() {
                "ok" => (Level::Some, "ledm/quantity-ok"),
                "low" | "verylow" => (Level::Low, "ledm/quantity-low"),
                "empty" | "depleted" => (Level::Empty, "ledm/quantity-empty"),
                _ => (Level::Unknown, "ledm/level-absent"),
            }
        }
    }
}

/// The ink that each consumable has used, in its own unit of volume.
pub(super) fn used(root: &Element) -> Vec<Meter> {
    let rows = in_usage(root).take(SUPPLIES_MAX).enumerate();
    rows.filter_map(|(place, row)| {
        let element = "CumulativeMarkingAgentUsed";
        let read = quantity::read(row.at(element)?)?;
        let color = color_of(row).unwrap_or_else(|| format!("consumable {}", place + 1));
        let kind = spaced(&row.text("ConsumableTypeEnum").unwrap_or_default());
        let label = format!("{color} {kind} used");
        let path = format!("ConsumableSubunit/Consumable[{}]/{element}", place + 1);
        let meter = judge::meter(("other", &path), (read.value, read.unit), read.raw);
        Some(Meter {
            label: Some(label),
            ..meter
        })
    })
    .filter(|meter| meter.unit == Unit::TenthsOfMilliliters)
    .collect()
}
