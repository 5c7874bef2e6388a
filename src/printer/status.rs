//! Status: how a printer is. One function decides state and severity, for every list and page.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::mib;
use crate::walk::Walk;

/// Most lines of a display that are kept.
const CONSOLE_LINES_MAX: usize = 16;

/// The bits of hrPrinterDetectedErrorState, most significant first (RFC 2790, and RFC 3805 for
/// the second octet).
pub const CONDITIONS: [&str; 15] = [
    "lowPaper",
    "noPaper",
    "lowToner",
    "noToner",
    "doorOpen",
    "jammed",
    "offline",
    "serviceRequested",
    "inputTrayMissing",
    "outputTrayMissing",
    "markerSupplyMissing",
    "outputNearFull",
    "outputFull",
    "inputTrayEmpty",
    "overduePreventMaint",
];

/// The conditions that stop a printer which does not say that it goes on.
const STOPPING: [&str; 6] = [
    "noPaper",
    "noToner",
    "doorOpen",
    "jammed",
    "markerSupplyMissing",
    "outputFull",
];

/// How a printer is at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// What hrPrinterDetectedErrorState says, by the names of RFC 2790, in bit order.
    pub conditions: Vec<String>,
    /// The lines of its display.
    pub console: Vec<String>,
}

/// What a printer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Ready.
    Idle,
    /// At work.
    Printing,
    /// Getting warm.
    Warmup,
    /// Asleep.
    Standby,
    /// Switched off line.
    Offline,
    /// Stopped by an error.
    Stopped,
    /// It does not say.
    Unknown,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Nothing to do.
    Ok,
    /// It does not say.
    Unknown,
    /// Someone should look.
    Warning,
    /// It does not print.
    Critical,
}

/// What hrPrinterStatus says (RFC 2790).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PrinterStatus {
    Other,
    Idle,
    Printing,
    Warmup,
    /// unknown (2), or nothing said.
    Unsaid,
}

/// What hrDeviceStatus says (RFC 2790).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceStatus {
    Running,
    Warning,
    Testing,
    Down,
    /// unknown (1), or nothing said.
    Unsaid,
}

/// Reads how a printer is. `device` is its row in hrDeviceTable.
pub(crate) fn read(walk: &Walk, device: u32, alerts: &[Alert]) -> Status {
    let row = [device];
    let printer = match walk.number(mib::HR_PRINTER_STATUS, &row) {
        Some(1) => PrinterStatus::Other,
        Some(3) => PrinterStatus::Idle,
        Some(4) => PrinterStatus::Printing,
        Some(5) => PrinterStatus::Warmup,
        Some(_) | None => PrinterStatus::Unsaid,
    };
    let host = match walk.number(mib::HR_DEVICE_STATUS, &row) {
        Some(2) => DeviceStatus::Running,
        Some(3) => DeviceStatus::Warning,
        Some(4) => DeviceStatus::Testing,
        Some(5) => DeviceStatus::Down,
        Some(_) | None => DeviceStatus::Unsaid,
    };
    let conditions = conditions(
        walk.octets(mib::HR_PRINTER_ERROR_STATE, &row)
            .unwrap_or_default(),
    );
    let (state, severity) = decide(printer, host, &conditions, alerts);
    let conditions = conditions.into_iter().map(str::to_owned).collect();
    Status {
        state,
        severity,
        conditions,
        console: console(walk),
    }
}

/// How a printer is by what it says over IPP: printer-state (RFC 8011 §5.4.11), and conditions by
/// the names here, in bit order.
pub(crate) fn of_ipp(state: Option<i64>, conditions: &[&'static str], alerts: &[Alert]) -> Status {
    let (printer, host) = match state {
        Some(3) => (PrinterStatus::Idle, DeviceStatus::Running),
        Some(4) => (PrinterStatus::Printing, DeviceStatus::Running),
        Some(5) => (PrinterStatus::Other, DeviceStatus::Down),
        Some(_) | None => (PrinterStatus::Unsaid, DeviceStatus::Unsaid),
    };
    let (state, severity) = decide(printer, host, conditions, alerts);
    Status {
        state,
        severity,
        conditions: conditions.iter().copied().map(str::to_owned).collect(),
        console: Vec::new(),
    }
}

/// How a printer is by what it says in a language of its maker's: what it does, and conditions by the
/// names here, in bit order.
pub(crate) fn of_said(
    state: Option<State>,
    conditions: &[&'static str],
    alerts: &[Alert],
) -> Status {
    let (printer, host) = match state {
        Some(State::Idle) => (PrinterStatus::Idle, DeviceStatus::Running),
        Some(State::Printing) => (PrinterStatus::Printing, DeviceStatus::Running),
        Some(State::Warmup) => (PrinterStatus::Warmup, DeviceStatus::Running),
        Some(State::Standby) => (PrinterStatus::Other, DeviceStatus::Running),
        Some(State::Stopped | State::Offline) => (PrinterStatus::Other, DeviceStatus::Down),
        Some(State::Unknown) | None => (PrinterStatus::Unsaid, DeviceStatus::Unsaid),
    };
    let (state, severity) = decide(printer, host, conditions, alerts);
    Status {
        state,
        severity,
        conditions: conditions.iter().copied().map(str::to_owned).collect(),
        console: Vec::new(),
    }
}

/// Decides state and severity, by RFC 3805 §2.2.13.2 and what devices do in the field.
///
/// A printer that says it is idle or printing is believed: an empty tray or an old alert beside it
/// is a warning, not a standstill. An octet that is missing says nothing, not "no error".
fn decide(
    printer: PrinterStatus,
    host: DeviceStatus,
    conditions: &[&'static str],
    alerts: &[Alert],
) -> (State, Severity) {
    let has = |name: &str| conditions.contains(&name);
    let is_working = matches!(
        printer,
        PrinterStatus::Idle | PrinterStatus::Printing | PrinterStatus::Warmup
    );
    let is_stopped = !is_working && conditions.iter().any(|name| STOPPING.contains(name));
    let says_nothing = host == DeviceStatus::Unsaid && printer == PrinterStatus::Unsaid;
    let is_critical = alerts.iter().any(|alert| alert.severity == "critical");

    let state = match (printer, host) {
        (PrinterStatus::Printing, _) => State::Printing,
        (PrinterStatus::Warmup, _) => State::Warmup,
        (PrinterStatus::Idle, DeviceStatus::Down) => State::Stopped,
        (PrinterStatus::Idle, _) => State::Idle,
        (_, _) if has("offline") => State::Offline,
        (_, DeviceStatus::Down) => State::Stopped,
        (_, _) if is_stopped => State::Stopped,
        (PrinterStatus::Other, DeviceStatus::Running | DeviceStatus::Warning) => State::Standby,
        (_, _) => State::Unknown,
    };
    let is_standing = matches!(state, State::Stopped | State::Offline);
    let stands_still = is_critical && !is_working && host != DeviceStatus::Running;
    let severity = if is_standing || stands_still {
        Severity::Critical
    } else if is_critical || !conditions.is_empty() || is_warned(host, alerts) {
        Severity::Warning
    } else if says_nothing {
        Severity::Unknown
    } else {
        Severity::Ok
    };
    (state, severity)
}

fn is_warned(host: DeviceStatus, alerts: &[Alert]) -> bool {
    let asks_someone = |alert: &Alert| alert.severity == "warning" && !alert.is_mere_notice();
    matches!(host, DeviceStatus::Warning | DeviceStatus::Down) || alerts.iter().any(asks_someone)
}

/// The names of the bits that are set, in bit order.
fn conditions(octets: &[u8]) -> Vec<&'static str> {
    let is_set = |bit: usize| {
        octets
            .get(bit / 8)
            .is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0)
    };
    CONDITIONS
        .iter()
        .enumerate()
        .filter(|(bit, _)| is_set(*bit))
        .map(|(_, name)| *name)
        .collect()
}

fn console(walk: &Walk) -> Vec<String> {
    let lines = walk.under(mib::PRT_CONSOLE_TEXT).take(CONSOLE_LINES_MAX);
    lines.filter_map(|(_, line)| walk.text_of(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(severity: &str, code: u32) -> Alert {
        Alert {
            index: "1.1".to_owned(),
            severity: severity.to_owned(),
            group: 8,
            group_index: None,
            code,
            name: String::new(),
            description: String::new(),
            training: String::new(),
        }
    }

    #[test]
    fn bits_have_names_in_their_order() {
        assert_eq!(conditions(&[]), Vec::<&str>::new());
        assert_eq!(conditions(&[0x20, 0x00]), ["lowToner"]);
        assert_eq!(conditions(&[0x84]), ["lowPaper", "jammed"]);
        assert_eq!(
            conditions(&[0x00, 0x0e]),
            ["outputFull", "inputTrayEmpty", "overduePreventMaint"]
        );
        assert_eq!(conditions(&[0xff, 0xff, 0xff]).len(), CONDITIONS.len());
    }

    #[test]
    fn state_and_severity_follow_the_table() {
        use DeviceStatus as D;
        use PrinterStatus as P;
        let none: &[Alert] = &[];
        let jam = &[alert("critical", 8)][..];
        let powered = &[alert("warning", 503)][..];
        let low = &[alert("warning", 807)][..];
        type Row<'a> = (P, D, &'a [&'static str], &'a [Alert], State, Severity);
        let table: &[Row<'_>] = &[
            (P::Idle, D::Running, &[], none, State::Idle, Severity::Ok),
            (
                P::Printing,
                D::Running,
                &[],
                none,
                State::Printing,
                Severity::Ok,
            ),
            (
                P::Idle,
                D::Warning,
                &["lowToner"],
                none,
                State::Idle,
                Severity::Warning,
            ),
            (
                P::Idle,
                D::Warning,
                &["noPaper"],
                none,
                State::Idle,
                Severity::Warning,
            ),
            (
                P::Other,
                D::Down,
                &["jammed"],
                none,
                State::Stopped,
                Severity::Critical,
            ),
            (
                P::Other,
                D::Down,
                &["offline"],
                none,
                State::Offline,
                Severity::Critical,
            ),
            (
                P::Other,
                D::Warning,
                &["doorOpen"],
                none,
                State::Stopped,
                Severity::Critical,
            ),
            (
                P::Printing,
                D::Warning,
                &["offline"],
                none,
                State::Printing,
                Severity::Warning,
            ),
            (
                P::Warmup,
                D::Down,
                &[],
                none,
                State::Warmup,
                Severity::Warning,
            ),
            (
                P::Other,
                D::Running,
                &[],
                none,
                State::Standby,
                Severity::Ok,
            ),
            (
                P::Unsaid,
                D::Running,
                &[],
                none,
                State::Unknown,
                Severity::Ok,
            ),
            (
                P::Unsaid,
                D::Unsaid,
                &[],
                none,
                State::Unknown,
                Severity::Unknown,
            ),
            (
                P::Other,
                D::Warning,
                &[],
                jam,
                State::Standby,
                Severity::Critical,
            ),
            (
                P::Idle,
                D::Running,
                &[],
                jam,
                State::Idle,
                Severity::Warning,
            ),
            (P::Idle, D::Running, &[], powered, State::Idle, Severity::Ok),
            (
                P::Idle,
                D::Running,
                &[],
                low,
                State::Idle,
                Severity::Warning,
            ),
        ];
        for (printer, host, conditions, alerts, state, severity) in table {
            let decided = decide(*printer, *host, conditions, alerts);
            assert_eq!(
                decided,
                (*state, *severity),
                "{printer:?} {host:?} {conditions:?}"
            );
        }
    }
}
