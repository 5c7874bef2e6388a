//! How a printer is over LEDM: the categories and the alert table of ProductStatusDyn.
//!
//! It lists one Status for each thing that is so, in no order: what it does stands among words on
//! its supplies.

use super::xml::{self, Element};
use crate::alert::{ALERTS_MAX, Alert, code_name};
use crate::status::{self, CONDITIONS, State, Status};

/// Most categories that are looked at; devices tell some three.
const CATEGORIES_MAX: usize = 64;

/// Categories that say what the printer does, in the order in which they win.
const STATES: &[(&str, State)] = &[
    ("processing", State::Printing),
    ("printing", State::Printing),
    ("copying", State::Printing),
    ("inPowerSave", State::Standby),
    ("initializing", State::Warmup),
    ("warmup", State::Warmup),
    ("calibrating", State::Warmup),
    ("offline", State::Offline),
    ("shuttingDown", State::Offline),
    ("ready", State::Idle),
    ("scanProcessing", State::Idle),
    ("cancelJob", State::Idle),
];

/// Categories and alerts that hrPrinterDetectedErrorState has too, in lower case.
const WORDS: &[(&str, &str)] = &[
    ("cartridgelow", "lowToner"),
    ("cartridgemissing", "markerSupplyMissing"),
    ("cartridgeout", "noToner"),
    ("cartridgeverylow", "lowToner"),
    ("carriagejam", "jammed"),
    ("closedoororcover", "doorOpen"),
    ("dooropen", "doorOpen"),
    ("inklow", "lowToner"),
    ("inkout", "noToner"),
    ("insertcartridge", "markerSupplyMissing"),
    ("jaminprinter", "jammed"),
    ("nocartridge", "markerSupplyMissing"),
    ("outofpaper", "noPaper"),
    ("outputbinfull", "outputFull"),
    ("outputtrayfull", "outputFull"),
    ("paperjam", "jammed"),
    ("replacecartridgeout", "noToner"),
    ("tonerlow", "lowToner"),
    ("tonerout", "noToner"),
    ("trayempty", "inputTrayEmpty"),
    ("trayemptyoropen", "inputTrayEmpty"),
];

/// Conditions, and the alert that means the same (PrtAlertCodeTC).
const CODES: &[(&str, u32)] = &[
    ("doorOpen", 3),
    ("inputTrayEmpty", 808),
    ("jammed", 8),
    ("lowToner", 1_104),
    ("markerSupplyMissing", 1_115),
    ("noPaper", 808),
    ("noToner", 1_101),
    ("outputFull", 903),
];

/// How it is, and what it complains about.
pub(super) fn read(root: Option<&Element>) -> (Status, Vec<Alert>) {
    let alerts = root.map(alerts).unwrap_or_default();
    let words = root.map(categories).unwrap_or_default();
    let state = STATES
        .iter()
        .find(|(word, _)| words.iter().any(|it| it == word));
    let of_words = words.iter().filter_map(|word| condition(word));
    // An alert that only informs is no condition.
    let of_alerts = alerts.iter().filter(|alert| alert.severity != "other");
    let of_alerts = of_alerts.filter_map(|alert| condition(&alert.description));
    let said: Vec<&str> = of_words.chain(of_alerts).collect();
    let conditions: Vec<&'static str> = CONDITIONS
        .into_iter()
        .filter(|name| said.contains(name))
        .collect();
    let status = status::of_said(state.map(|(_, state)| *state), &conditions, &alerts);
    (status, alerts)
}

/// Whether the document tells anything at all.
pub(super) fn is_told(root: &Element) -> bool {
    !categories(root).is_empty()
}

/// Every category, as one text.
pub(super) fn words(root: &Element) -> String {
    categories(root).join(", ")
}

fn categories(root: &Element) -> Vec<String> {
    let words = root.all("Status").take(CATEGORIES_MAX);
    words.filter_map(|it| it.text("StatusCategory")).collect()
}

fn condition(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let found = WORDS.iter().find(|(known, _)| *known == lower);
    found.map(|(_, condition)| *condition)
}

fn alerts(root: &Element) -> Vec<Alert> {
    let rows = root.all("AlertTable").flat_map(|table| table.all("Alert"));
    let rows = rows.take(ALERTS_MAX).enumerate();
    rows.filter_map(|(place, row)| alert(place, row)).collect()
}

fn alert(place: usize, row: &Element) -> Option<Alert> {
    let word = row.text("ProductStatusAlertID")?;
    let severity = row.text("Severity").unwrap_or_default().to_lowercase();
    let severity = match severity.as_str() {
        "error" | "critical" | "stricterror" => "critical",
        "warning" | "strictwarning" => "warning",
        "info" | "information" => "other",
        _ => "unknown",
    };
    let condition = condition(&word);
    let code = CODES.iter().find(|(name, _)| Some(*name) == condition);
    let code = code.map_or(1, |(_, code)| *code);
    let sequence = row.text("SequenceNumber");
    let sequence = sequence.and_then(|text| xml::number::<u32>(&text));
    Some(Alert {
        index: sequence.map_or_else(|| (place + 1).to_string(), |it| it.to_string()),
        severity: severity.to_owned(),
        group: 1,
        group_index: None,
        code,
        name: code_name(code).to_owned(),
        description: word,
        training: "unknown".to_owned(),
    })
}
