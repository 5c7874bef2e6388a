//! proto → printer: what an agent sent, checked and made into the hub's own types.
//!
//! The only file of the hub that knows both languages. Everything here was written by a stranger
//! until it is checked: each text and list is bounded, each closed list is closed. A report that
//! cannot be is refused by the name of its field; nothing is repaired on the way.

mod doubtful;

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use printer::alert::Alert;
use printer::direction::Direction;
use printer::facts;
use printer::identity::{DeviceId, Identity};
use printer::meter::{Meter, MeterName};
use printer::reading::{Evidence, Reading, SCHEMA};
use printer::status::Status;
use printer::supply::{Level, Supply};
use printer::tray::Tray;
use proto::v1;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::store::agents::{AgentStatus, Refusing};
use crate::store::report::{Body, Report};

/// Most reports in one poll, as uplink.proto promises.
pub const REPORTS_MAX: usize = 500;

/// Longest name out of a list (a condition, an alert, a door), in bytes.
const NAME_LEN_MAX: usize = 128;

/// Longest text in a device's own words, in bytes. Agents bound theirs well below.
const TEXT_LEN_MAX: usize = 4 * 1024;

/// Longest raw value: 8 KiB of octets in hex, and its type before it.
const RAW_LEN_MAX: usize = 32 * 1024;

/// Most rows of one list of a reading. Agents bound theirs well below: a label table of meters is
/// the longest, with 1,024 rows.
const ROWS_MAX: usize = 4_096;

/// Most devices that accept no credential in one status, as uplink.proto promises.
const REFUSING_MAX: usize = 100;

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field is missing that must be there.
    #[error("{field} is missing")]
    Missing {
        /// Its path from the message's root.
        field: String,
    },
    /// A text or list is longer than it may be.
    #[error("{field} is longer than {max}")]
    TooLong {
        /// Its path from the message's root.
        field: String,
        /// The bound, in bytes or rows.
        max: usize,
    },
    /// A value is not one of those it may be.
    #[error("{field} cannot be {value:?}")]
    Impossible {
        /// Its path from the message's root.
        field: String,
        /// What it was, bounded.
        value: String,
    },
}

/// Where in a message a value stands: kept as a chain, written out only for a refusal.
#[derive(Clone, Copy)]
struct At<'a> {
    before: Option<&'a At<'a>>,
    name: &'static str,
    index: Option<usize>,
}

impl<'a> At<'a> {
    const fn root(name: &'static str, index: usize) -> Self {
        Self {
            before: None,
            name,
            index: Some(index),
        }
    }

    const fn field(&'a self, name: &'static str) -> Self {
        Self {
            before: Some(self),
            name,
            index: None,
        }
    }

    const fn row(&'a self, name: &'static str, index: usize) -> Self {
        Self {
            before: Some(self),
            name,
            index: Some(index),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            write!(f, "{before}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

type Checked<T> = Result<T, WireError>;

/// Checks the reports of a poll: at most [`REPORTS_MAX`], ascending by sequence.
///
/// # Errors
/// [`WireError`] naming the field that cannot be.
pub fn reports(sent: Vec<v1::Report>) -> Checked<Vec<Report>> {
    if sent.len() > REPORTS_MAX {
        return Err(WireError::TooLong {
            field: "reports".to_owned(),
            max: REPORTS_MAX,
        });
    }
    let mut before = 0;
    let mut checked = Vec::with_capacity(sent.len());
    for (index, report) in sent.into_iter().enumerate() {
        let at = At::root("reports", index);
        if report.sequence <= before {
            return Err(impossible(
                &at.field("sequence"),
                &report.sequence.to_string(),
            ));
        }
        before = report.sequence;
        checked.push(Report {
            sequence: report.sequence,
            body: body(&at, report)?,
        });
    }
    Ok(checked)
}

/// Checks what an agent tells of itself.
///
/// # Errors
/// [`WireError`] naming the field that cannot be.
pub fn status(sent: Option<v1::AgentStatus>) -> Checked<AgentStatus> {
    let sent = sent.unwrap_or_default();
    let at = At {
        before: None,
        name: "status",
        index: None,
    };
    Ok(AgentStatus {
        version: version(&at.field("version"), sent.version)?,
        started_at: maybe_time(&at.field("started_at_ms"), sent.started_at_ms)?,
        spool_reports: sent.spool_reports,
        spool_oldest: maybe_time(&at.field("spool_oldest_ms"), sent.spool_oldest_ms)?,
        devices: sent.devices,
        devices_silent: sent.devices_silent,
        restarts: sent.restarts,
        boot: sent.boot,
        instance: name(&at.field("instance"), sent.instance)?,
        commands_connected: sent.commands_connected,
        alarms: rows(&at, "alarms", sent.alarms, text)?,
        configuration: name(&at.field("configuration"), sent.configuration)?,
        refusing: few(&at, "refusing", sent.refusing)?,
        doubtful: doubtful::check(&at, sent.doubtful)?,
    })
}

/// Checks who accepts no credential: no more than an agent may tell of.
fn few(at: &At<'_>, field: &'static str, sent: Vec<v1::Refusing>) -> Checked<Vec<Refusing>> {
    doubtful::few(at, field, sent.len(), REFUSING_MAX)?;
    rows(at, field, sent, |at, row| {
        Ok(Refusing {
            address: bounded(&at.field("address"), row.address, NAME_LEN_MAX)?,
            why: text(&at.field("why"), row.why)?,
            device: name(&at.field("device_id"), row.device_id)?,
        })
    })
}

/// Checks the version an agent enrolls with.
///
/// # Errors
/// [`WireError`] when it is no version.
pub fn agent_version(sent: String) -> Checked<String> {
    version(
        &At {
            before: None,
            name: "agent_version",
            index: None,
        },
        sent,
    )
}

fn version(at: &At<'_>, text: String) -> Checked<String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(impossible(at, &text));
    }
    bounded(at, text, NAME_LEN_MAX)
}

fn body(at: &At<'_>, report: v1::Report) -> Checked<Body> {
    let device = || device(&at.field("device_id"), &report.device_id);
    match report.body {
        None => Err(WireError::Missing {
            field: at.field("body").to_string(),
        }),
        Some(v1::report::Body::Reading(sent)) => {
            let is_status = sent.is_status;
            let reading = Box::new(reading(&at.field("reading"), sent)?);
            Ok(Body::Reading {
                device: device()?,
                is_status,
                reading,
            })
        }
        Some(v1::report::Body::Silent(sent)) => {
            let at = at.field("silent");
            Ok(Body::Silent {
                device: device()?,
                at: time(&at.field("at_ms"), sent.at_ms)?,
                address: address(&at.field("address"), &sent.address)?,
            })
        }
        Some(v1::report::Body::Thinned(sent)) => thinned(&at.field("thinned"), &sent),
    }
}

fn thinned(at: &At<'_>, sent: &v1::Thinned) -> Checked<Body> {
    let of = match sent.device_id.as_str() {
        "" => None,
        id => Some(device(&at.field("device_id"), id)?),
    };
    Ok(Body::Thinned {
        device: of,
        reports: sent.reports,
        first: time(&at.field("first_ms"), sent.first_ms)?,
        last: time(&at.field("last_ms"), sent.last_ms)?,
    })
}

fn reading(at: &At<'_>, sent: v1::Reading) -> Checked<Reading> {
    let meters = rows(at, "meters", sent.meters, meter)?;
    let mut supplies = rows(at, "supplies", sent.supplies, supply)?;
    let alerts = rows(at, "alerts", sent.alerts, alert)?;
    for supply in &mut supplies {
        supply.direction = Direction::of(supply, &alerts);
    }
    Ok(Reading {
        schema: SCHEMA,
        is_printer: true,
        up_secs: sent.up_secs,
        facts: facts::of(&meters),
        address: address(&at.field("address"), &sent.address)?,
        at: time(&at.field("at_ms"), sent.at_ms)?,
        identity: identity(&at.field("identity"), sent.identity)?,
        status: printer_status(&at.field("status"), sent.status)?,
        meters,
        supplies,
        trays: rows(at, "trays", sent.trays, tray)?,
        sources: rows(at, "sources", sent.sources, source)?
            .into_iter()
            .collect(),
        alerts,
    })
}

fn identity(at: &At<'_>, sent: Option<v1::Identity>) -> Checked<Identity> {
    let sent = required(at, sent)?;
    Ok(Identity {
        vendor: maybe_text(&at.field("vendor"), sent.vendor)?,
        model: maybe_text(&at.field("model"), sent.model)?,
        serial: maybe_text(&at.field("serial"), sent.serial)?,
        firmware: rows(at, "firmware", sent.firmware, text)?,
        mac: maybe_text(&at.field("mac"), sent.mac)?,
        host_name: maybe_text(&at.field("host_name"), sent.host_name)?,
        asset: maybe_text(&at.field("asset"), sent.asset)?,
        location: maybe_text(&at.field("location"), sent.location)?,
        profile: maybe_text(&at.field("profile"), sent.profile)?,
        engine_id: maybe_text(&at.field("engine_id"), sent.engine_id)?,
        uuid: maybe_text(&at.field("uuid"), sent.uuid)?,
    })
}

fn printer_status(at: &At<'_>, sent: Option<v1::Status>) -> Checked<Status> {
    let sent = required(at, sent)?;
    Ok(Status {
        state: closed(&at.field("state"), &sent.state)?,
        severity: closed(&at.field("severity"), &sent.severity)?,
        conditions: rows(at, "conditions", sent.conditions, name)?,
        console: rows(at, "console", sent.console, text)?,
    })
}

fn meter(at: &At<'_>, sent: v1::Meter) -> Checked<Meter> {
    let name = MeterName::try_from(sent.name)
        .map_err(|unknown| impossible(&at.field("name"), &unknown.0))?;
    Ok(Meter {
        name,
        label: maybe_text(&at.field("label"), sent.label)?,
        value: sent.value,
        unit: closed(&at.field("unit"), &sent.unit)?,
        beta: sent.beta,
        rolls_over_at: sent.rolls_over_at,
        evidence: evidence(&at.field("evidence"), sent.evidence)?,
    })
}

fn supply(at: &At<'_>, sent: v1::Supply) -> Checked<Supply> {
    Ok(Supply {
        index: text(&at.field("index"), sent.index)?,
        description: text(&at.field("description"), sent.description)?,
        class: closed(&at.field("class"), &sent.class)?,
        kind: text(&at.field("type"), sent.r#type)?,
        color: maybe_text(&at.field("color"), sent.color)?,
        level: level(&at.field("level"), sent.level)?,
        direction: None,
        capacity: sent.capacity,
        remaining: sent.remaining,
        unit: closed(&at.field("unit"), &sent.unit)?,
        part: maybe_text(&at.field("part"), sent.part)?,
        serial: maybe_text(&at.field("serial"), sent.serial)?,
        evidence: evidence(&at.field("evidence"), sent.evidence)?,
    })
}

fn tray(at: &At<'_>, sent: v1::Tray) -> Checked<Tray> {
    Ok(Tray {
        index: text(&at.field("index"), sent.index)?,
        name: text(&at.field("name"), sent.name)?,
        media: maybe_text(&at.field("media"), sent.media)?,
        level: level(&at.field("level"), sent.level)?,
        capacity: sent.capacity,
        remaining: sent.remaining,
        unit: closed(&at.field("unit"), &sent.unit)?,
        evidence: evidence(&at.field("evidence"), sent.evidence)?,
    })
}

fn alert(at: &At<'_>, sent: v1::Alert) -> Checked<Alert> {
    Ok(Alert {
        index: text(&at.field("index"), sent.index)?,
        severity: name(&at.field("severity"), sent.severity)?,
        group: sent.group,
        group_index: sent.group_index,
        code: sent.code,
        name: name(&at.field("name"), sent.name)?,
        description: text(&at.field("description"), sent.description)?,
        training: name(&at.field("training"), sent.training)?,
    })
}

fn source(at: &At<'_>, sent: v1::Source) -> Checked<(String, Evidence)> {
    let evidence = evidence(&at.field("evidence"), sent.evidence)?;
    Ok((name(&at.field("name"), sent.name)?, evidence))
}

fn evidence(at: &At<'_>, sent: Option<v1::Evidence>) -> Checked<Evidence> {
    let sent = required(at, sent)?;
    Ok(Evidence {
        door: name(&at.field("door"), sent.door)?,
        object: text(&at.field("object"), sent.object)?,
        raw: bounded(&at.field("raw"), sent.raw, RAW_LEN_MAX)?,
        rule: text(&at.field("rule"), sent.rule)?,
    })
}

fn level(at: &At<'_>, sent: Option<v1::Level>) -> Checked<Level> {
    let sent = required(at, sent)?;
    let number = at.field("percent");
    let level = match (sent.state.as_str(), sent.percent) {
        ("percent", Some(percent)) if (0.0..=100.0).contains(&percent) => {
            return Ok(Level::Percent { percent });
        }
        ("percent", None) => {
            return Err(WireError::Missing {
                field: number.to_string(),
            });
        }
        (_, Some(percent)) => return Err(impossible(&number, &percent.to_string())),
        ("quantity", None) => Level::Quantity,
        ("some", None) => Level::Some,
        ("unknown", None) => Level::Unknown,
        ("unlimited", None) => Level::Unlimited,
        ("low", None) => Level::Low,
        ("empty", None) => Level::Empty,
        ("full", None) => Level::Full,
        ("implausible", None) => Level::Implausible,
        (state, None) => return Err(impossible(&at.field("state"), state)),
    };
    Ok(level)
}

fn device(at: &At<'_>, text: &str) -> Checked<DeviceId> {
    DeviceId::parse(text).ok_or_else(|| impossible(at, text))
}

fn address(at: &At<'_>, text: &str) -> Checked<Option<IpAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| impossible(at, text))
}

/// Whole seconds, as docs/reading.md has them; the year 1970 is a clock that was never set.
fn time(at: &At<'_>, millis: i64) -> Checked<Timestamp> {
    let seconds = millis.div_euclid(1_000);
    Timestamp::from_second(seconds)
        .ok()
        .filter(|_| seconds > 0)
        .ok_or_else(|| impossible(at, &millis.to_string()))
}

fn maybe_time(at: &At<'_>, millis: i64) -> Checked<Option<Timestamp>> {
    if millis == 0 {
        Ok(None)
    } else {
        time(at, millis).map(Some)
    }
}

/// One of a closed list, by the names that its JSON has.
fn closed<T: DeserializeOwned>(at: &At<'_>, text: &str) -> Checked<T> {
    let names: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(names).map_err(|_| impossible(at, text))
}

/// A name out of a list that grows with the MIBs: letters, digits and a few signs.
fn name(at: &At<'_>, text: String) -> Checked<String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    if !text.bytes().all(is_name) {
        return Err(impossible(at, &text));
    }
    bounded(at, text, NAME_LEN_MAX)
}

fn text(at: &At<'_>, text: String) -> Checked<String> {
    bounded(at, text, TEXT_LEN_MAX)
}

fn maybe_text(at: &At<'_>, sent: Option<String>) -> Checked<Option<String>> {
    sent.map(|sent| text(at, sent)).transpose()
}

fn bounded(at: &At<'_>, text: String, max: usize) -> Checked<String> {
    if text.len() > max {
        return Err(WireError::TooLong {
            field: at.to_string(),
            max,
        });
    }
    Ok(text)
}

fn rows<S, T>(
    at: &At<'_>,
    name: &'static str,
    sent: Vec<S>,
    check: impl Fn(&At<'_>, S) -> Checked<T>,
) -> Checked<Vec<T>> {
    if sent.len() > ROWS_MAX {
        return Err(WireError::TooLong {
            field: at.field(name).to_string(),
            max: ROWS_MAX,
        });
    }
    sent.into_iter()
        .enumerate()
        .map(|(index, row)| check(&at.row(name, index), row))
        .collect()
}

fn required<T>(at: &At<'_>, sent: Option<T>) -> Checked<T> {
    sent.ok_or_else(|| WireError::Missing {
        field: at.to_string(),
    })
}

fn impossible(at: &At<'_>, value: &str) -> WireError {
    WireError::Impossible {
        field: at.to_string(),
        value: value.chars().take(60).collect(),
    }
}
