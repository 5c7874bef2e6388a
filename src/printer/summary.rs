//! A reading in few words, the same in the terminal and in the portal.
//!
//! Words only: nothing here colors, aligns or escapes; whoever shows it does.

use crate::alert::Alert;
use crate::reading::Reading;
use crate::status::{Severity, State};
use crate::supply::{Level, Supply, SupplyClass};

/// A supply at or below this share of its capacity is low, in percent.
pub const LOW_PERCENT: f64 = 10.0;

/// Kinds of supply that put color on paper, by their names in the MIB.
const INKS: &[&str] = &[
    "toner",
    "tonerCartridge",
    "ink",
    "inkCartridge",
    "inkRibbon",
    "solidWax",
    "ribbonWax",
    "matteToner",
    "matteInk",
];

/// The letters of the process colors, in the order in which they are shown.
const LETTERS: &[(&str, &str)] = &[
    ("black", "K"),
    ("cyan", "C"),
    ("magenta", "M"),
    ("yellow", "Y"),
];

/// Conditions in words, the worst first; those of ink and paper left are worded by what is low.
const WORDS: &[(&str, &str)] = &[
    ("jammed", "paper jam"),
    ("doorOpen", "door open"),
    ("markerSupplyMissing", "supply missing"),
    ("noToner", "no toner"),
    ("noPaper", "no paper"),
    ("outputFull", "output full"),
    ("inputTrayMissing", "tray missing"),
    ("outputTrayMissing", "output tray missing"),
    ("offline", "offline"),
    ("serviceRequested", "service requested"),
    ("overduePreventMaint", "maintenance due"),
    ("lowToner", "toner low"),
    ("inputTrayEmpty", "tray empty"),
    ("lowPaper", "paper low"),
    ("outputNearFull", "output nearly full"),
];

/// The toners and inks in short: `K 64 C 8! M 37 Y 41`. A number is percent; `!` marks what is
/// low, `some` what has no number, `?` what nobody knows. Two cartridges of one color stay two.
#[must_use]
pub fn supplies(supplies: &[Supply]) -> String {
    let mut inks: Vec<&Supply> = supplies.iter().filter(|supply| is_ink(supply)).collect();
    inks.sort_by_key(|supply| letter_position(supply));
    let words: Vec<String> = inks
        .iter()
        .map(|supply| {
            let mark = if is_low(supply) { "!" } else { "" };
            format!("{} {}{mark}", short_name(supply), level_word(supply))
        })
        .collect();
    words.join(" ")
}

/// The status in a few words, the worst first: `paper jam`, `cyan low`, `ready`.
#[must_use]
pub fn status_line(reading: &Reading) -> String {
    let conditions = &reading.status.conditions;
    let worst = WORDS
        .iter()
        .find(|(name, _)| conditions.iter().any(|said| said == name));
    match worst {
        Some(("lowToner" | "noToner", words)) => {
            low_line(&reading.supplies).unwrap_or_else(|| (*words).to_owned())
        }
        Some((_, words)) => (*words).to_owned(),
        None => without_condition(reading),
    }
}

/// The consumed supply with the least left, of those that say a number or a maker's code.
#[must_use]
pub fn lowest_supply(supplies: &[Supply]) -> Option<&Supply> {
    let consumed = supplies
        .iter()
        .filter(|supply| supply.class != SupplyClass::Receptacle);
    consumed
        .filter_map(|supply| Some((share_left(supply)?, supply)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, supply)| supply)
}

/// Whether a consumed supply is low. A receptacle never is: makers disagree on its direction.
#[must_use]
pub fn is_low(supply: &Supply) -> bool {
    supply.class != SupplyClass::Receptacle
        && share_left(supply).is_some_and(|share| share <= LOW_PERCENT)
}

/// The status of a printer that tells no condition: what is low, then alerts, then its state.
fn without_condition(reading: &Reading) -> String {
    let asks_someone = |alert: &&Alert| {
        matches!(alert.severity.as_str(), "critical" | "warning") && !alert.is_mere_notice()
    };
    let alert = || reading.alerts.iter().find(asks_someone).map(alert_words);
    let is_standing = matches!(reading.status.state, State::Stopped | State::Offline);
    let low = || low_line(&reading.supplies);
    let worse = if is_standing {
        alert().or_else(low)
    } else {
        low().or_else(alert)
    };
    if let Some(words) = worse {
        return words;
    }
    let words = match reading.status.state {
        State::Idle => "ready",
        State::Printing => "printing",
        State::Warmup => "warming up",
        State::Standby => "asleep",
        State::Offline => "offline",
        State::Stopped => "stopped",
        State::Unknown if reading.status.severity == Severity::Ok => "running",
        State::Unknown => "unknown",
    };
    words.to_owned()
}

/// The lowest supply in words, and how many others are low: `cyan low`, `black empty +1`.
fn low_line(supplies: &[Supply]) -> Option<String> {
    let lowest = lowest_supply(supplies).filter(|supply| is_low(supply))?;
    let others = supplies.iter().filter(|supply| is_low(supply)).count() - 1;
    let name = match (&lowest.color, is_ink(lowest)) {
        (Some(color), true) => color.clone(),
        (_, _) if lowest.description.is_empty() => lowest.kind.clone(),
        (_, _) => lowest.description.clone(),
    };
    let word = if share_left(lowest) == Some(0.0) {
        "empty"
    } else {
        "low"
    };
    let more = if others > 0 {
        format!(" +{others}")
    } else {
        String::new()
    };
    Some(format!("{name} {word}{more}"))
}

/// An alert in words: the device's own, else its name in the MIB taken apart.
fn alert_words(alert: &Alert) -> String {
    if !alert.description.is_empty() {
        return alert.description.clone();
    }
    let mut words = String::new();
    for letter in alert.name.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn is_ink(supply: &Supply) -> bool {
    let is_cartridge = || {
        matches!(supply.kind.as_str(), "unknown" | "other")
            && (supply.color.is_some() || supply.description.to_lowercase().contains("cartridge"))
    };
    supply.class != SupplyClass::Receptacle
        && (INKS.contains(&supply.kind.as_str()) || is_cartridge())
}

fn letter_position(supply: &Supply) -> usize {
    let color = supply.color.as_deref().unwrap_or_default();
    LETTERS
        .iter()
        .position(|(name, _)| *name == color)
        .unwrap_or(LETTERS.len())
}

/// A letter for a process color, else the color, else what it is.
fn short_name(supply: &Supply) -> &str {
    match &supply.color {
        Some(color) => {
            let letter = LETTERS.iter().find(|(name, _)| name == color);
            letter.map_or(color.as_str(), |(_, letter)| letter)
        }
        None if supply.kind.to_lowercase().contains("ribbon") => "ribbon",
        None if supply.kind.to_lowercase().contains("ink") => "ink",
        None => "toner",
    }
}

fn level_word(supply: &Supply) -> String {
    match supply.level {
        // What is not quite empty is not shown as 0.
        Level::Percent { percent } if percent > 0.0 => format!("{:.0}", percent.max(1.0)),
        Level::Percent { .. } => "0".to_owned(),
        Level::Quantity if supply.remaining == Some(0) => "0".to_owned(),
        Level::Quantity | Level::Some => "some".to_owned(),
        Level::Unlimited => "-".to_owned(),
        Level::Low => "low".to_owned(),
        Level::Empty => "empty".to_owned(),
        Level::Full => "full".to_owned(),
        Level::Unknown | Level::Implausible => "?".to_owned(),
    }
}

/// What is left in percent, where that is known well enough to compare.
fn share_left(supply: &Supply) -> Option<f64> {
    match supply.level {
        Level::Percent { percent } => Some(percent),
        Level::Quantity if supply.remaining == Some(0) => Some(0.0),
        Level::Empty => Some(0.0),
        Level::Low => Some(LOW_PERCENT),
        Level::Full => Some(100.0),
        Level::Quantity | Level::Some | Level::Unknown | Level::Unlimited | Level::Implausible => {
            None
        }
    }
}
