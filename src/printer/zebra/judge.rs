//! From what a Zebra said to a reading, of the same shape as one over SNMP.

use std::net::IpAddr;

use jiff::Timestamp;

use super::BRAND;
use super::host::HostStatus;
use super::sgd::{Answer, Variable};
use crate::alert::{Alert, code_name};
use crate::identity::{Identity, is_plausible_serial};
use crate::meter::{Meter, MeterName, Unit};
use crate::reading::{Evidence, Reading, SCHEMA};
use crate::sources::{self, Sources, Told};
use crate::status::{self, CONDITIONS, State, Status};
use crate::{brand, facts, text};

/// The door in the evidence.
const DOOR: &str = "zebra";

/// Why a printer that answers SGD may be silent to `~HS`.
const SILENT: &str = "silent to ~HS: media out, ribbon out, head open, or head too hot";

/// Why one that answers nothing may be silent.
const MUTE: &str = "accepts a connection and answers nothing: media out, ribbon out, head open, head \
                    too hot, or set to another language than ZPL";

/// Alerts of the Printer MIB that say the same.
const OFFLINE: u32 = 22;
const TOO_COLD: u32 = 35;
const TOO_HOT: u32 = 36;
const MEMORY_FULL: u32 = 34;
const STORAGE_LOST: u32 = 32;

/// The group of the marker (PrtAlertGroupTC).
const MARKER: u32 = 10;

/// What a printer said: its variables, and how it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    variables: Vec<(Variable, Answer)>,
    host: Option<HostStatus>,
}

impl Said {
    /// Takes the answer to one variable.
    pub fn take(&mut self, variable: Variable, answer: Answer) {
        self.variables.retain(|(known, _)| *known != variable);
        self.variables.push((variable, answer));
    }

    /// Takes the answer to `~HS`; without one the printer was silent.
    pub fn take_host(&mut self, host: HostStatus) {
        self.host = Some(host);
    }

    /// Whether it said nothing at all.
    #[must_use]
    pub fn is_mute(&self) -> bool {
        self.variables.is_empty() && self.host.is_none()
    }

    fn text(&self, variable: Variable) -> Option<&str> {
        let found = self.variables.iter().find(|(known, _)| *known == variable);
        match found {
            Some((_, Answer::Text(text))) if !text.is_empty() => Some(text),
            Some(_) | None => None,
        }
    }
}

/// Reads a printer from what it said. Silence is no error: it is how a Zebra says that it stands.
#[must_use]
pub fn judge(said: &Said, address: Option<IpAddr>, at: Timestamp) -> Reading {
    let meters = meters(said);
    let alerts = alerts(said);
    let mut reading = Reading {
        schema: SCHEMA,
        is_printer: true,
        address,
        at,
        up_secs: None,
        identity: identity(said),
        status: status_of(said, &alerts),
        facts: facts::of(&meters),
        meters,
        supplies: Vec::new(),
        trays: Vec::new(),
        alerts,
        sources: Sources::new(),
    };
    reading.sources = sources::over(DOOR, &reading, &told(said));
    reading
}

/// What can tell each value, in the order in which it is believed. Whoever is asked here is a Zebra
/// over SNMP, whatever it says; and silence tells of its state.
fn told(said: &Said) -> Vec<Told<'static>> {
    let text = |name, variable: Variable| {
        let text = said.text(variable).map(str::to_owned);
        (name, variable.name(), text)
    };
    let host = || match said.host {
        Some(host) => format!("{host:?}"),
        None => "silence".to_owned(),
    };
    vec![
        text("vendor", Variable::ProductName),
        ("vendor", "~HS", Some(host())),
        text("model", Variable::ProductName),
        text("serial", Variable::UniqueId),
        text("firmware", Variable::Firmware),
        text("firmware", Variable::LinkOs),
        text("host_name", Variable::FriendlyName),
        ("state", "~HS", Some(host())),
        ("conditions", "~HS", Some(host())),
        ("alerts", "~HS", Some(host())),
    ]
}

fn identity(said: &Said) -> Identity {
    let own = |variable| said.text(variable).map(str::to_owned);
    let model = said.text(Variable::ProductName).map(|name| {
        let brand = brand::leading(name);
        let bare = brand.map_or(name, |brand| brand::without_brand(name, brand));
        bare.trim().to_owned()
    });
    let link_os = own(Variable::LinkOs).map(|level| format!("Link-OS {level}"));
    Identity {
        vendor: Some(BRAND.to_owned()),
        model,
        serial: own(Variable::UniqueId).filter(|serial| is_plausible_serial(serial)),
        firmware: own(Variable::Firmware).into_iter().chain(link_os).collect(),
        host_name: own(Variable::FriendlyName),
        ..Identity::default()
    }
}

/// What its odometers say, each in its unit. No recording proves one of them yet, so all are beta.
fn meters(said: &Said) -> Vec<Meter> {
    let lengths = [
        (Variable::PrintLength, "length"),
        (Variable::HeadClean, "other"),
    ];
    let lengths = lengths.into_iter().filter_map(|(variable, name)| {
        let (value, unit) = length(said.text(variable)?)?;
        meter(said, variable, (name, value, unit))
    });
    let counts = [
        (Variable::LabelCount, "total"),
        (Variable::UserLabelCount, "other"),
    ];
    let counts = counts.into_iter().filter_map(|(variable, name)| {
        let value = said.text(variable)?.trim().parse().ok()?;
        meter(said, variable, (name, value, Unit::Items))
    });
    counts.chain(lengths).collect()
}

fn meter(said: &Said, variable: Variable, (name, value, unit): (&str, u64, Unit)) -> Option<Meter> {
    let name = MeterName::try_from(name.to_owned()).ok()?;
    let object = variable.name();
    let raw = format!("text: {}", text::clean(said.text(variable)?));
    Some(Meter {
        label: (name == MeterName::OTHER).then(|| object.to_owned()),
        name,
        value,
        unit,
        beta: true,
        rolls_over_at: None,
        evidence: Evidence::by(DOOR, object, raw, &format!("sgd/{object}")),
    })
}

/// `1489 INCHES, 3784 CENTIMETERS` in whole meters; in whole feet where there are inches alone.
fn length(text: &str) -> Option<(u64, Unit)> {
    let before = |word: &str| {
        let upper = text.to_uppercase();
        let (head, _) = upper.split_once(word)?;
        let number = head.trim().rsplit([' ', ',']).next()?;
        number.parse::<u64>().ok()
    };
    let meters = before("CENTIMETERS").map(|cm| (cm / 100, Unit::Meters));
    meters.or_else(|| before("INCHES").map(|inches| (inches / 12, Unit::Feet)))
}

fn status_of(said: &Said, alerts: &[Alert]) -> Status {
    let conditions = conditions(said);
    let how = match said.host {
        Some(host) if is_stopped(&host) => Some(State::Stopped),
        Some(host) if host.labels_left > 0 || host.formats > 0 => Some(State::Printing),
        Some(_) => Some(State::Idle),
        // What is silent to everything may only be set to another language.
        None if said.is_mute() => None,
        None => Some(State::Stopped),
    };
    status::of_said(how, &conditions, alerts)
}

fn is_stopped(host: &HostStatus) -> bool {
    host.is_paper_out
        || host.is_ribbon_out
        || host.is_head_open
        || host.is_paused
        || host.is_too_hot
        || host.is_ram_corrupt
}

/// The conditions, in bit order: from `~HS`, and from the two variables that say why it is silent.
fn conditions(said: &Said) -> Vec<&'static str> {
    let host = said.host.unwrap_or_default();
    let is = |variable, word: &str| {
        let told = said.text(variable);
        told.is_some_and(|told| told.trim().eq_ignore_ascii_case(word))
    };
    let told = [
        (
            "noPaper",
            host.is_paper_out || is(Variable::MediaStatus, "out"),
        ),
        ("noToner", host.is_ribbon_out),
        (
            "doorOpen",
            host.is_head_open || is(Variable::HeadLatch, "open"),
        ),
        ("offline", host.is_paused),
        ("outputFull", host.is_label_waiting),
    ];
    let is_told = |name: &&str| told.contains(&(name, true));
    CONDITIONS.into_iter().filter(is_told).collect()
}

fn alerts(said: &Said) -> Vec<Alert> {
    let host = said.host.unwrap_or_default();
    let is_silent = said.host.is_none();
    let all = [
        (is_silent && said.is_mute(), "warning", OFFLINE, MUTE),
        (is_silent && !said.is_mute(), "critical", OFFLINE, SILENT),
        (host.is_too_cold, "warning", TOO_COLD, "head too cold"),
        (host.is_too_hot, "critical", TOO_HOT, "head too hot"),
        (host.is_buffer_full, "warning", MEMORY_FULL, "memory full"),
        (
            host.is_ram_corrupt,
            "critical",
            STORAGE_LOST,
            "settings lost",
        ),
    ];
    let held = all.into_iter().filter(|(is_so, ..)| *is_so);
    let alert = |(row, (_, severity, code, words)): (usize, (bool, &str, u32, &str))| Alert {
        index: format!("hs.{}", row + 1),
        severity: severity.to_owned(),
        group: MARKER,
        group_index: None,
        code,
        name: code_name(code).to_owned(),
        description: words.to_owned(),
        training: "unknown".to_owned(),
    };
    held.enumerate().map(alert).collect()
}
