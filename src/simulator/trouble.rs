//! What is wrong with a printer, and how it says so: alerts, error bits, statuses, console.
//!
//! All of them come from one list of conditions, so that they never contradict each other.

use crate::life::{Activity, FULL, Life, LifeSettings};
use crate::machine::{Kind, Machine};

/// What stops a printer until somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Paper is jammed.
    Jam,
    /// No tray has paper; the first of them is asked for.
    PaperOut(usize),
    /// A supply that the job needs is used up.
    SupplyOut(usize),
}

/// Something that the device complains about. Numbers are places in the machine's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Paper is jammed.
    Jam,
    /// The cover is open.
    CoverOpen,
    /// A tray is nearly empty.
    TrayLow(usize),
    /// A tray is empty, another one feeds.
    TrayEmpty(usize),
    /// No tray has paper.
    PaperOut(usize),
    /// A supply is low.
    SupplyLow(usize),
    /// A supply is used up, which no job has needed yet.
    SupplyEmpty(usize),
    /// A supply is used up, and a job waits for it.
    SupplyOut(usize),
}

/// A row of prtAlertTable, before it is spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// prtAlertIndex.
    pub(crate) index: u32,
    /// What it is about.
    pub(crate) condition: Condition,
    /// When it came, in milliseconds since the start.
    pub(crate) raised_ms: u64,
}

/// The columns of prtAlertTable that depend on the condition.
pub(crate) struct AlertText {
    /// prtAlertGroup.
    pub(crate) group: i64,
    /// prtAlertGroupIndex.
    pub(crate) row: i64,
    /// prtAlertCode.
    pub(crate) code: i64,
    /// prtAlertDescription.
    pub(crate) words: String,
}

impl Condition {
    /// Whether the printer cannot go on.
    pub(crate) fn is_critical(self) -> bool {
        match self {
            Self::Jam | Self::CoverOpen | Self::PaperOut(_) | Self::SupplyOut(_) => true,
            Self::TrayLow(_) | Self::TrayEmpty(_) => false,
            Self::SupplyLow(_) | Self::SupplyEmpty(_) => false,
        }
    }

    /// The bits of hrPrinterDetectedErrorState (RFC 2790), first octet in the high half.
    fn bits(self, machine: &Machine) -> u16 {
        let bit = |number: u16| 0x8000_u16 >> number;
        match self {
            Self::TrayLow(_) => bit(0),
            Self::PaperOut(_) => bit(1) | bit(13),
            Self::TrayEmpty(_) => bit(13),
            Self::SupplyLow(at) => match kind(machine, at) {
                Kind::Toner | Kind::Ink | Kind::Ribbon => bit(2),
                _ => bit(14),
            },
            Self::SupplyEmpty(at) | Self::SupplyOut(at) => match kind(machine, at) {
                Kind::Toner | Kind::Ink | Kind::Ribbon => bit(3),
                _ => bit(7),
            },
            Self::CoverOpen => bit(4),
            Self::Jam => bit(5),
        }
    }

    /// How the alert table words it (PrtAlertGroupTC and PrtAlertCodeTC of the IANA-PRINTER-MIB).
    pub(crate) fn spelled(self, machine: &Machine) -> AlertText {
        let text = |group, row, code, words: String| AlertText {
            group,
            row,
            code,
            words,
        };
        match self {
            Self::Jam => text(13, 1, 8, "Paper jam".to_owned()),
            Self::CoverOpen => {
                let row = machine.cover.as_ref().map_or(1, |(row, _)| i64::from(*row));
                text(6, row, 3, format!("{} is open", cover_name(machine)))
            }
            Self::TrayLow(at) => text(
                8,
                tray_row(machine, at),
                807,
                format!("{}: paper low", tray_name(machine, at)),
            ),
            Self::TrayEmpty(at) | Self::PaperOut(at) => text(
                8,
                tray_row(machine, at),
                808,
                format!("{}: no paper", tray_name(machine, at)),
            ),
            Self::SupplyLow(at) => {
                let code = match kind(machine, at) {
                    Kind::Toner => 1104,
                    Kind::Ink => 1105,
                    Kind::Ribbon => 1106,
                    Kind::WasteToner => 1107,
                    Kind::WasteInk => 1108,
                    Kind::Drum => 1111,
                    Kind::Part => 10,
                };
                text(
                    11,
                    supply_row(machine, at),
                    code,
                    format!("{} low", supply_name(machine, at)),
                )
            }
            Self::SupplyEmpty(at) | Self::SupplyOut(at) => {
                let code = match kind(machine, at) {
                    Kind::Toner => 1101,
                    Kind::Ink => 1102,
                    Kind::Ribbon => 1103,
                    Kind::WasteToner => 1109,
                    Kind::WasteInk => 1110,
                    Kind::Drum => 1112,
                    Kind::Part => 11,
                };
                text(
                    11,
                    supply_row(machine, at),
                    code,
                    format!("Replace {}", supply_name(machine, at)),
                )
            }
        }
    }
}

/// Everything that is wrong now, the worst first.
pub(crate) fn conditions(
    life: &Life,
    machine: &Machine,
    settings: &LifeSettings,
) -> Vec<Condition> {
    let mut wrong = Vec::new();
    let trouble = match life.activity() {
        Activity::Stopped(trouble) | Activity::Opened(trouble) => Some(trouble),
        _ => None,
    };
    if trouble == Some(Trouble::Jam) {
        wrong.push(Condition::Jam);
    }
    if matches!(life.activity(), Activity::Opened(_)) && machine.cover.is_some() {
        wrong.push(Condition::CoverOpen);
    }
    for (at, tray) in machine
        .trays
        .iter()
        .enumerate()
        .filter(|(_, tray)| tray.moves())
    {
        let (sheets, capacity) = (life.tray(at), tray.capacity.unsigned_abs());
        if trouble == Some(Trouble::PaperOut(at)) {
            wrong.push(Condition::PaperOut(at));
        } else if sheets == 0 {
            wrong.push(Condition::TrayEmpty(at));
        } else if sheets * 10 <= capacity {
            wrong.push(Condition::TrayLow(at));
        }
    }
    for (at, _) in machine
        .supplies
        .iter()
        .enumerate()
        .filter(|(_, supply)| supply.moves())
    {
        let left = life.supply(at);
        if trouble == Some(Trouble::SupplyOut(at)) {
            wrong.push(Condition::SupplyOut(at));
        } else if left == 0 {
            wrong.push(Condition::SupplyEmpty(at));
        } else if left * 100 <= FULL * u64::from(settings.low_percent) {
            wrong.push(Condition::SupplyLow(at));
        }
    }
    wrong
}

/// hrPrinterDetectedErrorState, in as many octets as this device sends.
pub(crate) fn error_state(life: &Life, machine: &Machine, octets: usize) -> Vec<u8> {
    let bits = life
        .alerts()
        .iter()
        .fold(0, |bits, alert| bits | alert.condition.bits(machine));
    let mut state = bits.to_be_bytes().to_vec();
    state.resize(octets, 0);
    state
}

/// hrDeviceStatus and hrPrinterStatus, combined as RFC 3805 §2.2.13.2 has them.
pub(crate) fn statuses(life: &Life) -> (i64, i64) {
    const RUNNING: i64 = 2;
    const WARNING: i64 = 3;
    const DOWN: i64 = 5;
    const OTHER: i64 = 1;
    let printer = match life.activity() {
        Activity::Stopped(_) | Activity::Opened(_) => return (DOWN, OTHER),
        Activity::Asleep => return (RUNNING, OTHER),
        Activity::WarmingUp | Activity::Starting => 5,
        Activity::Printing => 4,
        Activity::Idle => 3,
    };
    (
        if life.alerts().is_empty() {
            RUNNING
        } else {
            WARNING
        },
        printer,
    )
}

/// The first line of the console, in the dress of the recorded one.
pub(crate) fn console(life: &Life, machine: &Machine, recorded: &[u8]) -> Vec<u8> {
    let worst = life
        .alerts()
        .first()
        .map(|alert| alert.condition.spelled(machine).words);
    let words = match life.activity() {
        Activity::Stopped(_) | Activity::Opened(_) => life
            .alerts()
            .iter()
            .find(|alert| alert.condition.is_critical())
            .map(|alert| alert.condition.spelled(machine).words)
            .unwrap_or_default(),
        Activity::Asleep => "Sleep mode".to_owned(),
        Activity::WarmingUp | Activity::Starting => "Please wait".to_owned(),
        Activity::Printing => "Printing".to_owned(),
        Activity::Idle => match worst {
            Some(words) => words,
            None => return recorded.to_vec(),
        },
    };
    let prefix: &[u8] = if recorded.starts_with(b"\x01\x15") {
        b"\x01\x15"
    } else {
        b""
    };
    let mut line = [prefix, words.as_bytes()].concat();
    if recorded.ends_with(b" ") {
        line.resize(line.len().max(recorded.len()), b' ');
    }
    line
}

fn kind(machine: &Machine, at: usize) -> Kind {
    machine
        .supplies
        .get(at)
        .map_or(Kind::Part, |supply| supply.kind)
}

fn supply_row(machine: &Machine, at: usize) -> i64 {
    machine
        .supplies
        .get(at)
        .map_or(0, |supply| i64::from(supply.row))
}

fn supply_name(machine: &Machine, at: usize) -> &str {
    machine
        .supplies
        .get(at)
        .map_or("supply", |supply| &supply.text)
}

fn tray_row(machine: &Machine, at: usize) -> i64 {
    machine.trays.get(at).map_or(0, |tray| i64::from(tray.row))
}

fn tray_name(machine: &Machine, at: usize) -> &str {
    machine.trays.get(at).map_or("tray", |tray| &tray.name)
}

fn cover_name(machine: &Machine) -> &str {
    machine.cover.as_ref().map_or("cover", |(_, name)| name)
}
