//! What a printer complains about over IPP: printer-state-reasons (RFC 8011 §5.4.12) and
//! printer-alert (PWG 5100.9) in the words that readings have.

use super::answer::Answer;
use super::rows::fields;
use crate::alert::{ALERTS_MAX, Alert, code_name, code_of};
use crate::status::CONDITIONS;

/// The state of a printer that stands still (RFC 8011 §5.4.11).
const STOPPED: i64 = 5;

/// Reasons that hrPrinterDetectedErrorState has too, and their names there.
const REASONS: &[(&str, &str)] = &[
    ("cover-open", "doorOpen"),
    ("door-open", "doorOpen"),
    ("input-tray-missing", "inputTrayMissing"),
    ("interlock-open", "doorOpen"),
    ("marker-supply-empty", "noToner"),
    ("marker-supply-low", "lowToner"),
    ("marker-supply-missing", "markerSupplyMissing"),
    ("media-empty", "inputTrayEmpty"),
    ("media-jam", "jammed"),
    ("media-low", "lowPaper"),
    ("media-needed", "noPaper"),
    ("offline", "offline"),
    ("output-area-almost-full", "outputNearFull"),
    ("output-area-full", "outputFull"),
    ("output-tray-missing", "outputTrayMissing"),
    ("shutdown", "offline"),
    ("toner-empty", "noToner"),
    ("toner-low", "lowToner"),
];

/// Other reasons, and the alert that means the same (PWG 5100.9, table 1).
const ALERTS: &[(&str, u32)] = &[
    ("developer-empty", 1114),
    ("developer-low", 1113),
    ("fuser-over-temp", 1002),
    ("fuser-under-temp", 1001),
    ("marker-waste-almost-full", 1107),
    ("marker-waste-full", 1109),
    ("opc-life-over", 1112),
    ("opc-near-eol", 1111),
];

/// PrtAlertGroupTC (IANA-PRINTER-MIB).
const GROUPS: &[(&str, u32)] = &[
    ("other", 1),
    ("hostResourcesMIBStorageTable", 3),
    ("hostResourcesMIBDeviceTable", 4),
    ("generalPrinter", 5),
    ("cover", 6),
    ("localization", 7),
    ("input", 8),
    ("output", 9),
    ("marker", 10),
    ("markerSupplies", 11),
    ("markerColorant", 12),
    ("mediaPath", 13),
    ("channel", 14),
    ("interpreter", 15),
    ("consoleDisplayBuffer", 16),
    ("consoleLights", 17),
    ("alert", 18),
    ("finDevice", 30),
    ("finSupply", 31),
    ("finSupplyMediaInput", 32),
    ("finAttribute", 33),
];

/// Names of prtAlertSeverityLevel and prtAlertTrainingLevel.
const SEVERITIES: [&str; 4] = ["other", "critical", "warning", "warningBinaryChangeEvent"];
const TRAININGS: [&str; 6] = [
    "other",
    "untrained",
    "trained",
    "fieldService",
    "management",
    "noInterventionRequired",
];

/// A reason without its suffix, and how bad it is by that.
struct Reason<'a> {
    word: &'a str,
    /// As an alert's: `critical`, `warning` or `other`.
    severity: &'static str,
}

impl<'a> Reason<'a> {
    /// A reason without a suffix is an error by the RFC. Printers that go on all the same have
    /// many (`paused`, words of their makers), which are mere warnings then.
    fn read(text: &'a str, is_stopped: bool) -> Self {
        let suffixes = [
            ("-error", "critical"),
            ("-warning", "warning"),
            ("-report", "other"),
        ];
        let found = suffixes
            .iter()
            .find_map(|(suffix, severity)| Some((text.strip_suffix(suffix)?, *severity)));
        let unsaid = if is_stopped { "critical" } else { "warning" };
        let (word, severity) = found.unwrap_or((text, unsaid));
        Self { word, severity }
    }

    fn condition(&self) -> Option<&'static str> {
        let found = REASONS.iter().find(|(word, _)| *word == self.word);
        found
            .filter(|_| self.severity != "other")
            .map(|(_, condition)| *condition)
    }
}

fn reasons(answer: &Answer) -> Vec<Reason<'_>> {
    let is_stopped = answer.number("printer-state") == Some(STOPPED);
    let texts = answer.texts("printer-state-reasons").into_iter();
    texts
        .filter(|text| !text.is_empty() && *text != "none")
        .map(|text| Reason::read(text, is_stopped))
        .collect()
}

/// The conditions, in bit order.
pub(super) fn conditions(answer: &Answer) -> Vec<&'static str> {
    let said: Vec<_> = reasons(answer)
        .iter()
        .filter_map(Reason::condition)
        .collect();
    CONDITIONS
        .into_iter()
        .filter(|name| said.contains(name))
        .collect()
}

/// The rows of printer-alert, and the reasons that are no conditions.
pub(super) fn alerts(answer: &Answer) -> Vec<Alert> {
    let descriptions = answer.texts("printer-alert-description");
    let rows = answer.texts("printer-alert").into_iter().enumerate();
    let rows = rows.filter_map(|(row, text)| {
        let description = descriptions.get(row).copied().unwrap_or_default();
        alert(row, text, description)
    });
    let others = reasons(answer).into_iter().enumerate();
    let others = others.filter(|(_, reason)| reason.condition().is_none());
    let others = others.map(|(row, reason)| of_reason(row, &reason));
    rows.chain(others).take(ALERTS_MAX).collect()
}

/// `code=jam;index=1;severity=critical;group=mediaPath;groupindex=2;training=trained`; none where a
/// printer writes something else, as `none`.
fn alert(row: usize, text: &str, description: &str) -> Option<Alert> {
    let fields = fields(text);
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let code = field("code")?;
    let code = code.parse().ok().or_else(|| code_of(code)).unwrap_or(1);
    let group = GROUPS
        .iter()
        .find(|(name, _)| Some(*name) == field("group"));
    let one_of = |known: &[&'static str], name: &str| {
        let found = known.iter().find(|it| Some(**it) == field(name));
        found.map_or("unknown", |it| *it).to_owned()
    };
    let index = field("index").and_then(|index| index.parse::<u32>().ok());
    Some(Alert {
        index: index.map_or_else(|| (row + 1).to_string(), |index| index.to_string()),
        severity: one_of(&SEVERITIES, "severity"),
        group: group.map_or(1, |(_, number)| *number),
        group_index: field("groupindex").and_then(|index| index.parse().ok()),
        code,
        name: code_name(code).to_owned(),
        description: description.to_owned(),
        training: one_of(&TRAININGS, "training"),
    })
}

/// A reason as an alert: the printer's word is its description.
fn of_reason(row: usize, reason: &Reason<'_>) -> Alert {
    let found = ALERTS.iter().find(|(word, _)| *word == reason.word);
    let code = found.map_or(1, |(_, code)| *code);
    Alert {
        index: format!("reason.{}", row + 1),
        severity: reason.severity.to_owned(),
        group: 1,
        group_index: None,
        code,
        name: code_name(code).to_owned(),
        description: reason.word.to_owned(),
        training: "unknown".to_owned(),
    }
}
