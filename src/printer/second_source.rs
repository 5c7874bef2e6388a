//! A second source: what another door says beside SNMP, added to a reading.
//!
//! SNMP stays first: what it says is never replaced, only what it does not say is added, with the
//! evidence of the other door. Where both have a count and differ, the other one stands beside it
//! under a name of its own, and [`crate::facts`] makes a fact of the two.

use crate::facts;
use crate::identity::Identity;
use crate::meter::{Meter, MeterName};
use crate::reading::Reading;
use crate::sources;
use crate::status::State;
use crate::supply::{Level, SUPPLIES_MAX, Supply};
use crate::tray::{TRAYS_MAX, Tray};

/// Most meters of one reading, whatever was added: a color device of ours has some 30.
const METERS_MAX: usize = 256;

/// Kinds of supply that put color on paper: of these a color names one.
const COLORING: [&str; 8] = [
    "toner",
    "tonerCartridge",
    "ink",
    "inkCartridge",
    "inkRibbon",
    "solidWax",
    "matteToner",
    "matteInk",
];

/// Another printer answers behind the other door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("over {door} it has the serial number {theirs}, over SNMP {ours}: nothing is added")]
pub struct AnotherPrinter {
    /// The other door, as evidence names it.
    pub door: String,
    /// The serial number over SNMP.
    pub ours: String,
    /// The other one.
    pub theirs: String,
}

/// What another door said.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// The door, as evidence names it: `ipp`, `ledm`.
    pub door: &'static str,
    /// What it said.
    pub reading: Reading,
    /// False when it was asked again since and did not answer: then it only says what the printer
    /// has, and no longer how much.
    pub is_fresh: bool,
}

/// Adds what another door said.
///
/// # Errors
/// [`AnotherPrinter`] when the serial numbers contradict each other.
pub fn add(reading: &mut Reading, second: &Second) -> Result<(), AnotherPrinter> {
    let door = second.door;
    agree(&reading.identity, &second.reading.identity, door)?;
    identity(reading, &second.reading);
    supplies(reading, second);
    if reading.trays.is_empty() {
        let trays = second.reading.trays.iter().take(TRAYS_MAX).cloned();
        reading.trays = trays.map(|tray| named_tray(tray, second)).collect();
    }
    if !second.is_fresh {
        return Ok(());
    }
    for meter in &second.reading.meters {
        if reading.meters.len() >= METERS_MAX {
            break;
        }
        reading.meters.extend(added(&reading.meters, meter, door));
    }
    if reading.status.state == State::Unknown && second.reading.status.state != State::Unknown {
        let console = std::mem::take(&mut reading.status.console);
        reading.status = second.reading.status.clone();
        reading.status.console = console;
        let theirs = &second.reading.sources;
        sources::take(&mut reading.sources, theirs, &["state", "conditions"]);
        if reading.alerts.is_empty() {
            reading.alerts.clone_from(&second.reading.alerts);
            sources::take(&mut reading.sources, theirs, &["alerts"]);
        }
    }
    reading.facts = facts::of(&reading.meters);
    Ok(())
}

/// Whether both may be one printer. One that tells no number contradicts nobody; a number with
/// something before or behind it is the same.
fn agree(ours: &Identity, theirs: &Identity, door: &str) -> Result<(), AnotherPrinter> {
    let (Some(ours), Some(theirs)) = (&ours.serial, &theirs.serial) else {
        return Ok(());
    };
    let (a, b) = (ours.trim().to_lowercase(), theirs.trim().to_lowercase());
    if a.contains(&b) || b.contains(&a) {
        return Ok(());
    }
    Err(AnotherPrinter {
        door: door.to_owned(),
        ours: ours.clone(),
        theirs: theirs.clone(),
    })
}

fn identity(ours: &mut Reading, theirs: &Reading) {
    let mut filled = Vec::new();
    let mut fill = |name, ours: &mut Option<String>, theirs: &Option<String>| {
        if ours.is_none() && theirs.is_some() {
            ours.clone_from(theirs);
            filled.push(name);
        }
    };
    let (who, they) = (&mut ours.identity, &theirs.identity);
    fill("vendor", &mut who.vendor, &they.vendor);
    fill("model", &mut who.model, &they.model);
    fill("serial", &mut who.serial, &they.serial);
    fill("asset", &mut who.asset, &they.asset);
    fill("location", &mut who.location, &they.location);
    fill("uuid", &mut who.uuid, &they.uuid);
    if who.firmware.is_empty() && !they.firmware.is_empty() {
        who.firmware.clone_from(&they.firmware);
        filled.push("firmware");
    }
    sources::take(&mut ours.sources, &theirs.sources, &filled);
}

/// The meter as it is added: none where the same count is there already.
fn added(known: &[Meter], meter: &Meter, door: &str) -> Option<Meter> {
    let is_same = |other: &&Meter| other.name == meter.name && other.label == meter.label;
    let Some(ours) = known.iter().find(is_same) else {
        return Some(meter.clone());
    };
    if ours.value == meter.value && ours.unit == meter.unit {
        return None;
    }
    let name = meter.label.as_deref().unwrap_or(meter.name.as_str());
    Some(Meter {
        name: MeterName::OTHER,
        label: Some(facts::label_over(name, door)),
        ..meter.clone()
    })
}

fn supplies(reading: &mut Reading, second: &Second) {
    // The device's own order decides between two that could be one: each is matched once.
    let mut matched = vec![false; reading.supplies.len()];
    let mut others = Vec::new();
    for theirs in &second.reading.supplies {
        let mut places = reading.supplies.iter().enumerate();
        let found = places
            .find(|(place, ours)| matched.get(*place) == Some(&false) && is_one(ours, theirs));
        match found.map(|(place, _)| place) {
            Some(place) => {
                if let (Some(done), Some(ours)) =
                    (matched.get_mut(place), reading.supplies.get_mut(place))
                {
                    *done = true;
                    fill(ours, theirs, second.is_fresh);
                }
            }
            None => others.push(theirs),
        }
    }
    // One of ours that says neither kind nor color could be any of theirs.
    let mut unmatched = reading
        .supplies
        .iter()
        .zip(&matched)
        .filter(|(_, done)| !**done);
    if unmatched.any(|(ours, _)| is_nameless(ours)) {
        return;
    }
    let room = SUPPLIES_MAX.saturating_sub(reading.supplies.len());
    let others = others.into_iter().take(room);
    let others: Vec<Supply> = others.map(|it| named_supply(it.clone(), second)).collect();
    reading.supplies.extend(others);
}

fn is_coloring(supply: &Supply) -> bool {
    COLORING.contains(&supply.kind.as_str())
}

fn is_nameless(supply: &Supply) -> bool {
    supply.color.is_none() && matches!(supply.kind.as_str(), "unknown" | "other")
}

/// Whether two rows are one supply: by its own number, else by its color, else by its kind.
fn is_one(ours: &Supply, theirs: &Supply) -> bool {
    if let (Some(a), Some(b)) = (&ours.serial, &theirs.serial) {
        return a == b;
    }
    // Ours may have a color and no kind: cartridges with a bare part number.
    let is_ink = is_coloring(ours) || ours.kind == "unknown";
    if is_ink && is_coloring(theirs) && ours.color.is_some() {
        return ours.color == theirs.color;
    }
    ours.kind == theirs.kind && ours.color == theirs.color && ours.kind != "unknown"
}

/// Fills in what ours does not say.
fn fill(ours: &mut Supply, theirs: &Supply, is_fresh: bool) {
    ours.part = ours.part.take().or_else(|| theirs.part.clone());
    ours.serial = ours.serial.take().or_else(|| theirs.serial.clone());
    let is_unsaid = matches!(
        ours.level,
        Level::Unknown | Level::Some | Level::Implausible
    );
    let is_told = matches!(theirs.level, Level::Percent { .. } | Level::Quantity);
    if is_fresh && is_unsaid && is_told {
        ours.level = theirs.level;
        ours.direction = theirs.direction;
        ours.capacity = theirs.capacity;
        ours.remaining = theirs.remaining;
        ours.unit = theirs.unit;
        ours.evidence = theirs.evidence.clone();
    }
}

/// A supply under a number that SNMP cannot have.
fn named_supply(supply: Supply, second: &Second) -> Supply {
    let index = format!("{}.{}", second.door, supply.index);
    if second.is_fresh {
        return Supply { index, ..supply };
    }
    Supply {
        index,
        level: Level::Unknown,
        direction: None,
        remaining: None,
        ..supply
    }
}

fn named_tray(tray: Tray, second: &Second) -> Tray {
    let index = format!("{}.{}", second.door, tray.index);
    if second.is_fresh {
        return Tray { index, ..tray };
    }
    Tray {
        index,
        level: Level::Unknown,
        remaining: None,
        ..tray
    }
}

#[cfg(test)]
mod tests;
