//! From what a printer said over PJL to a reading, of the same shape as one over SNMP.

use std::net::IpAddr;

use jiff::Timestamp;

use super::Info;
use super::answer::Answer;
use crate::identity::{Identity, is_plausible_serial};
use crate::level;
use crate::meter::{Meter, MeterName, Unit};
use crate::reading::{Evidence, Reading, SCHEMA};
use crate::sources::{self, Sources, Told};
use crate::status::{self, CONDITIONS, State, Status};
use crate::supply::{SUPPLIES_MAX, Supply, class_of};
use crate::tray::{TRAYS_MAX, Tray};
use crate::{brand, facts, supply_words, text};

/// The door in the evidence.
const DOOR: &str = "pjl";

/// Status codes that have a meaning of their own (HP, PJL Technical Reference, appendix D), and the
/// condition that says the same; none is of the printer as a whole.
const CODES: &[(u32, State, Option<&str>)] = &[
    (10_001, State::Idle, None),
    (10_002, State::Stopped, Some("offline")),
    (10_003, State::Warmup, None),
    (10_006, State::Idle, Some("lowToner")),
    (10_007, State::Printing, None),
    (10_023, State::Printing, None),
    (35_078, State::Standby, None),
    (40_010, State::Stopped, Some("markerSupplyMissing")),
    (40_019, State::Stopped, Some("outputFull")),
    (40_021, State::Stopped, Some("doorOpen")),
    (40_022, State::Stopped, Some("jammed")),
    (40_038, State::Idle, Some("lowToner")),
    (40_079, State::Stopped, Some("offline")),
];

/// Ranges of codes: background mounting and trays (the printer goes on), a tray that a job waits
/// for, jams, hardware.
const CODES_FROM: &[(std::ops::Range<u32>, State, Option<&str>)] = &[
    (11_000..12_000, State::Idle, Some("inputTrayEmpty")),
    (41_000..42_000, State::Stopped, Some("noPaper")),
    (42_000..43_000, State::Stopped, Some("jammed")),
    (44_000..45_000, State::Stopped, Some("jammed")),
    (50_000..60_000, State::Stopped, Some("serviceRequested")),
];

/// What a printer said, category by category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(Vec<(Info, Answer)>);

impl Said {
    /// Takes the answer to one category.
    pub fn take(&mut self, info: Info, answer: Answer) {
        self.0.retain(|(known, _)| *known != info);
        self.0.push((info, answer));
    }

    /// Whether it answered nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, info: Info) -> Option<&Answer> {
        let found = self.0.iter().find(|(known, _)| *known == info);
        found.map(|(_, answer)| answer)
    }

    fn field(&self, info: Info, name: &str) -> Option<String> {
        self.of(info)?.field(name).map(str::to_owned)
    }
}

/// Reads a printer from what it said.
#[must_use]
pub fn judge(said: &Said, address: Option<IpAddr>, at: Timestamp) -> Reading {
    let meters = meters(said);
    let mut reading = Reading {
        schema: SCHEMA,
        is_printer: true,
        address,
        at,
        up_secs: None,
        identity: identity(said),
        status: status_of(said),
        facts: facts::of(&meters),
        meters,
        supplies: supplies(said),
        trays: trays(said),
        alerts: Vec::new(),
        sources: Sources::new(),
    };
    reading.sources = sources::over(DOOR, &reading, &told(said));
    reading
}

/// The categories that can tell each value, in the order in which they are believed.
fn told(said: &Said) -> Vec<Told<'static>> {
    let field = |name, object, (info, field)| (name, object, said.field(info, field));
    let id = || Some(said.of(Info::Id)?.first()?.to_owned());
    let product = "INFO PRODINFO";
    vec![
        field("vendor", product, (Info::ProdInfo, "ProductName")),
        ("vendor", "INFO ID", id()),
        field("model", product, (Info::ProdInfo, "ProductName")),
        ("model", "INFO ID", id()),
        field("serial", product, (Info::ProdInfo, "ProductSerialNumber")),
        field("serial", product, (Info::ProdInfo, "SerialNumber")),
        field("firmware", product, (Info::ProdInfo, "FirmwareDateCode")),
        field("firmware", product, (Info::ProdInfo, "FirmwareRevision")),
        field("state", "INFO STATUS", (Info::Status, "CODE")),
        field("state", "INFO STATUS", (Info::Status, "ONLINE")),
        field("console", "INFO STATUS", (Info::Status, "DISPLAY")),
        field("conditions", "INFO STATUS", (Info::Status, "CODE")),
        field("conditions", "INFO STATUS", (Info::Status, "ONLINE")),
    ]
}

fn identity(said: &Said) -> Identity {
    let product = |name| said.field(Info::ProdInfo, name);
    let by_id = || said.of(Info::Id)?.first().map(str::to_owned);
    let model = product("ProductName").or_else(by_id);
    let brand = model.as_deref().and_then(brand::leading);
    let serials = ["ProductSerialNumber", "SerialNumber"];
    let serial = serials.into_iter().find_map(product);
    let firmware = ["FirmwareDateCode", "FirmwareRevision"];
    Identity {
        vendor: brand.map(|brand| brand.name.to_owned()),
        model: model.map(|model| {
            let bare = brand.map_or(model.as_str(), |brand| brand::without_brand(&model, brand));
            bare.trim().to_owned()
        }),
        serial: serial.filter(|serial| is_plausible_serial(serial)),
        firmware: firmware.into_iter().filter_map(product).collect(),
        ..Identity::default()
    }
}

/// Its page count: `PAGECOUNT=123`, on older printers the number alone. No recording proves it.
fn meters(said: &Said) -> Vec<Meter> {
    let value = || {
        let answer = said.of(Info::PageCount)?;
        let told = answer.field("PAGECOUNT").or_else(|| answer.first())?;
        let value = told.parse().ok()?;
        let raw = format!("text: {}", text::clean(told));
        Some(Meter {
            name: MeterName::TOTAL,
            label: None,
            value,
            unit: Unit::Impressions,
            beta: true,
            rolls_over_at: None,
            evidence: Evidence::by(DOOR, "INFO PAGECOUNT", raw, "pjl/pagecount"),
        })
    };
    value().into_iter().collect()
}

fn status_of(said: &Said) -> Status {
    let code = said.field(Info::Status, "CODE");
    let code = code.and_then(|code| code.parse::<u32>().ok());
    let known = code.and_then(|code| {
        let exact = CODES.iter().find(|(known, ..)| *known == code);
        let exact = exact.map(|(_, how, condition)| (*how, *condition));
        let in_range = || CODES_FROM.iter().find(|(range, ..)| range.contains(&code));
        exact.or_else(|| in_range().map(|(_, how, condition)| (*how, *condition)))
    });
    let is_online = said.field(Info::Status, "ONLINE");
    let is_off = is_online.is_some_and(|word| word.eq_ignore_ascii_case("FALSE"));
    let (how, condition) = match known {
        Some((how, condition)) => (Some(how), condition),
        None if is_off => (Some(State::Stopped), Some("offline")),
        None => (None, None),
    };
    let is_told = |name: &&str| condition == Some(*name);
    let conditions: Vec<&'static str> = CONDITIONS.into_iter().filter(is_told).collect();
    let display = said.field(Info::Status, "DISPLAY");
    Status {
        console: display.into_iter().collect(),
        ..status::of_said(how, &conditions, &[])
    }
}

/// Every `NAME=VALUE%` that names a supply. The form is not documented: what is not of it is left
/// out.
fn supplies(said: &Said) -> Vec<Supply> {
    let Some(answer) = said.of(Info::Supplies) else {
        return Vec::new();
    };
    let fields = answer.fields().filter_map(|(name, value)| {
        let percent = value.strip_suffix('%')?.trim().parse::<i64>().ok()?;
        let words = name.replace('_', " ").to_lowercase();
        let kind = supply_words::kind_of(&words);
        let color = supply_words::color_of(&words);
        let is_one = color.is_some() || !matches!(kind, "unknown" | "other");
        is_one.then_some((name, color, kind, percent))
    });
    let fields = fields.take(SUPPLIES_MAX).enumerate();
    fields
        .map(|(row, (name, color, kind, percent))| {
            let fill = level::decide(Some(percent), Some(100), Unit::Percent);
            let (raw, rule) = (format!("text: {percent}%"), "pjl/supplies");
            let rule = format!("{rule}, {}", fill.rule);
            Supply {
                index: (row + 1).to_string(),
                description: text::clean(name),
                class: class_of(None, kind),
                kind: kind.to_owned(),
                color,
                level: fill.level,
                direction: None,
                capacity: fill.capacity,
                remaining: fill.remaining,
                unit: Unit::Percent,
                part: None,
                serial: None,
                evidence: Evidence::by(DOOR, "INFO SUPPLIES", raw, &rule),
            }
        })
        .collect()
}

/// The trays that CONFIG lists; how full they are it does not say.
fn trays(said: &Said) -> Vec<Tray> {
    let Some(answer) = said.of(Info::Config) else {
        return Vec::new();
    };
    let names = answer.list("IN TRAYS").into_iter().take(TRAYS_MAX);
    names
        .enumerate()
        .map(|(row, name)| {
            let fill = level::decide(None, None, Unit::Unknown);
            let raw = format!("text: {name}");
            Tray {
                index: (row + 1).to_string(),
                name: name.to_owned(),
                media: None,
                level: fill.level,
                capacity: fill.capacity,
                remaining: fill.remaining,
                unit: Unit::Unknown,
                evidence: Evidence::by(DOOR, "INFO CONFIG", raw, "pjl/config"),
            }
        })
        .collect()
}
