//! printer ↔ proto: the only file of the agent that knows both languages.
//!
//! Used by the Uplink when it polls. The way back serves the tests: what the hub would read must
//! be what the printer said, field by field.

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::reading::{Evidence, Reading, SCHEMA};
use printer::supply::Level;
use printer::{alert, direction, facts, identity, meter, status, supply, tray};
use proto::v1;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::report::Report;

/// Why a message of the hub's language is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field that must be there is not.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A field says what its type cannot.
    #[error("the field {field} cannot be '{text}'")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it says.
        text: String,
    },
}

/// Puts a report into the hub's language under its sequence.
#[must_use]
pub fn to_proto(sequence: u64, report: &Report) -> v1::Report {
    let (device, body) = match report {
        Report::Full { device, reading } => (
            Some(device),
            v1::report::Body::Reading(reading_to_proto(reading, false)),
        ),
        Report::Status { device, reading } => (
            Some(device),
            v1::report::Body::Reading(reading_to_proto(reading, true)),
        ),
        Report::Silent {
            device,
            at,
            address,
        } => {
            let silent = v1::Silent {
                at_ms: at.as_millisecond(),
                address: address
                    .map(|address| address.to_string())
                    .unwrap_or_default(),
            };
            (Some(device), v1::report::Body::Silent(silent))
        }
        Report::Thinned {
            device,
            reports,
            first,
            last,
        } => {
            let thinned = v1::Thinned {
                device_id: device.as_ref().map(ToString::to_string).unwrap_or_default(),
                reports: *reports,
                first_ms: first.as_millisecond(),
                last_ms: last.as_millisecond(),
            };
            (None, v1::report::Body::Thinned(thinned))
        }
    };
    let device_id = device.map(ToString::to_string).unwrap_or_default();
    v1::Report {
        sequence,
        device_id,
        body: Some(body),
    }
}

/// Takes a report out of the hub's language.
///
/// # Errors
/// [`WireError`] names the field that cannot be; the message is not ours.
pub fn from_proto(message: v1::Report) -> Result<(u64, Report), WireError> {
    let device = |text: &str| DeviceId::parse(text).ok_or_else(|| invalid("device_id", text));
    let report = match message.body.ok_or(WireError::Missing("body"))? {
        v1::report::Body::Reading(reading) => {
            let device = device(&message.device_id)?;
            let is_status = reading.is_status;
            let reading = Box::new(reading_from_proto(reading)?);
            if is_status {
                Report::Status { device, reading }
            } else {
                Report::Full { device, reading }
            }
        }
        v1::report::Body::Silent(silent) => Report::Silent {
            device: device(&message.device_id)?,
            at: instant("at_ms", silent.at_ms)?,
            address: optional("address", &silent.address)?,
        },
        v1::report::Body::Thinned(thinned) => Report::Thinned {
            device: match thinned.device_id.as_str() {
                "" => None,
                id => Some(device(id)?),
            },
            reports: thinned.reports,
            first: instant("first_ms", thinned.first_ms)?,
            last: instant("last_ms", thinned.last_ms)?,
        },
    };
    Ok((message.sequence, report))
}

fn reading_to_proto(reading: &Reading, is_status: bool) -> v1::Reading {
    v1::Reading {
        is_status,
        address: reading
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        at_ms: reading.at.as_millisecond(),
        identity: Some(identity_to_proto(&reading.identity)),
        status: Some(v1::Status {
            state: name_of(&reading.status.state),
            severity: name_of(&reading.status.severity),
            conditions: reading.status.conditions.clone(),
            console: reading.status.console.clone(),
        }),
        meters: reading.meters.iter().map(meter_to_proto).collect(),
        supplies: reading.supplies.iter().map(supply_to_proto).collect(),
        trays: reading.trays.iter().map(tray_to_proto).collect(),
        alerts: reading.alerts.iter().map(alert_to_proto).collect(),
        up_secs: reading.up_secs,
        sources: reading.sources.iter().map(source_to_proto).collect(),
    }
}

fn source_to_proto((name, evidence): (&String, &Evidence)) -> v1::Source {
    v1::Source {
        name: name.clone(),
        evidence: Some(evidence_to_proto(evidence)),
    }
}

fn source_from_proto(source: v1::Source) -> Result<(String, Evidence), WireError> {
    Ok((source.name, evidence_from_proto(source.evidence)?))
}

fn reading_from_proto(reading: v1::Reading) -> Result<Reading, WireError> {
    let status = reading.status.ok_or(WireError::Missing("status"))?;
    let alerts: Vec<_> = reading.alerts.into_iter().map(alert_from_proto).collect();
    let meters = all(reading.meters, meter_from_proto)?;
    let mut supplies = all(reading.supplies, supply_from_proto)?;
    for supply in &mut supplies {
        supply.direction = direction::Direction::of(supply, &alerts);
    }
    Ok(Reading {
        schema: SCHEMA,
        is_printer: true,
        up_secs: reading.up_secs,
        facts: facts::of(&meters),
        address: optional("address", &reading.address)?,
        at: instant("at_ms", reading.at_ms)?,
        identity: identity_from_proto(reading.identity.ok_or(WireError::Missing("identity"))?),
        status: status::Status {
            state: named("state", &status.state)?,
            severity: named("severity", &status.severity)?,
            conditions: status.conditions,
            console: status.console,
        },
        meters,
        supplies,
        trays: all(reading.trays, tray_from_proto)?,
        sources: all(reading.sources, source_from_proto)?
            .into_iter()
            .collect(),
        alerts,
    })
}

fn identity_to_proto(identity: &identity::Identity) -> v1::Identity {
    v1::Identity {
        vendor: identity.vendor.clone(),
        model: identity.model.clone(),
        serial: identity.serial.clone(),
        firmware: identity.firmware.clone(),
        mac: identity.mac.clone(),
        host_name: identity.host_name.clone(),
        asset: identity.asset.clone(),
        location: identity.location.clone(),
        profile: identity.profile.clone(),
        engine_id: identity.engine_id.clone(),
        uuid: identity.uuid.clone(),
    }
}

fn identity_from_proto(identity: v1::Identity) -> identity::Identity {
    identity::Identity {
        vendor: identity.vendor,
        model: identity.model,
        serial: identity.serial,
        firmware: identity.firmware,
        mac: identity.mac,
        host_name: identity.host_name,
        asset: identity.asset,
        location: identity.location,
        profile: identity.profile,
        engine_id: identity.engine_id,
        uuid: identity.uuid,
    }
}

fn meter_to_proto(meter: &meter::Meter) -> v1::Meter {
    v1::Meter {
        name: meter.name.to_string(),
        label: meter.label.clone(),
        value: meter.value,
        unit: name_of(&meter.unit),
        beta: meter.beta,
        rolls_over_at: meter.rolls_over_at,
        evidence: Some(evidence_to_proto(&meter.evidence)),
    }
}

fn meter_from_proto(meter: v1::Meter) -> Result<meter::Meter, WireError> {
    Ok(meter::Meter {
        name: named("name", &meter.name)?,
        label: meter.label,
        value: meter.value,
        unit: named("unit", &meter.unit)?,
        beta: meter.beta,
        rolls_over_at: meter.rolls_over_at,
        evidence: evidence_from_proto(meter.evidence)?,
    })
}

fn supply_to_proto(supply: &supply::Supply) -> v1::Supply {
    v1::Supply {
        index: supply.index.clone(),
        description: supply.description.clone(),
        class: name_of(&supply.class),
        r#type: supply.kind.clone(),
        color: supply.color.clone(),
        level: Some(level_to_proto(supply.level)),
        capacity: supply.capacity,
        remaining: supply.remaining,
        unit: name_of(&supply.unit),
        part: supply.part.clone(),
        serial: supply.serial.clone(),
        evidence: Some(evidence_to_proto(&supply.evidence)),
    }
}

fn supply_from_proto(supply: v1::Supply) -> Result<supply::Supply, WireError> {
    Ok(supply::Supply {
        index: supply.index,
        description: supply.description,
        class: named("class", &supply.class)?,
        kind: supply.r#type,
        color: supply.color,
        level: level_from_proto(supply.level)?,
        direction: None,
        capacity: supply.capacity,
        remaining: supply.remaining,
        unit: named("unit", &supply.unit)?,
        part: supply.part,
        serial: supply.serial,
        evidence: evidence_from_proto(supply.evidence)?,
    })
}

fn tray_to_proto(tray: &tray::Tray) -> v1::Tray {
    v1::Tray {
        index: tray.index.clone(),
        name: tray.name.clone(),
        media: tray.media.clone(),
        level: Some(level_to_proto(tray.level)),
        capacity: tray.capacity,
        remaining: tray.remaining,
        unit: name_of(&tray.unit),
        evidence: Some(evidence_to_proto(&tray.evidence)),
    }
}

fn tray_from_proto(tray: v1::Tray) -> Result<tray::Tray, WireError> {
    Ok(tray::Tray {
        index: tray.index,
        name: tray.name,
        media: tray.media,
        level: level_from_proto(tray.level)?,
        capacity: tray.capacity,
        remaining: tray.remaining,
        unit: named("unit", &tray.unit)?,
        evidence: evidence_from_proto(tray.evidence)?,
    })
}

fn alert_to_proto(alert: &alert::Alert) -> v1::Alert {
    v1::Alert {
        index: alert.index.clone(),
        severity: alert.severity.clone(),
        group: alert.group,
        group_index: alert.group_index,
        code: alert.code,
        name: alert.name.clone(),
        description: alert.description.clone(),
        training: alert.training.clone(),
    }
}

fn alert_from_proto(alert: v1::Alert) -> alert::Alert {
    alert::Alert {
        index: alert.index,
        severity: alert.severity,
        group: alert.group,
        group_index: alert.group_index,
        code: alert.code,
        name: alert.name,
        description: alert.description,
        training: alert.training,
    }
}

fn evidence_to_proto(evidence: &Evidence) -> v1::Evidence {
    v1::Evidence {
        door: evidence.door.clone(),
        object: evidence.object.clone(),
        raw: evidence.raw.clone(),
        rule: evidence.rule.clone(),
    }
}

fn evidence_from_proto(evidence: Option<v1::Evidence>) -> Result<Evidence, WireError> {
    let evidence = evidence.ok_or(WireError::Missing("evidence"))?;
    Ok(Evidence {
        door: evidence.door,
        object: evidence.object,
        raw: evidence.raw,
        rule: evidence.rule,
    })
}

fn level_to_proto(level: Level) -> v1::Level {
    let percent = match level {
        Level::Percent { percent } => Some(percent),
        Level::Quantity
        | Level::Some
        | Level::Unknown
        | Level::Unlimited
        | Level::Low
        | Level::Empty
        | Level::Full
        | Level::Implausible => None,
    };
    // The JSON of a level is an object whose `state` is its name.
    let state = serde_json::to_value(level)
        .ok()
        .and_then(|json| json.get("state").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_default();
    v1::Level { state, percent }
}

fn level_from_proto(level: Option<v1::Level>) -> Result<Level, WireError> {
    let level = level.ok_or(WireError::Missing("level"))?;
    let json = serde_json::json!({ "state": level.state, "percent": level.percent });
    serde_json::from_value(json).map_err(|_| invalid("level.state", &level.state))
}

/// The name that a closed list has in JSON; the hub's language uses the same lists.
fn name_of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}

fn named<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<T, WireError> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| invalid(field, text))
}

fn optional<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<Option<T>, WireError> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| invalid(field, text)),
    }
}

fn instant(field: &'static str, ms: i64) -> Result<Timestamp, WireError> {
    Timestamp::from_millisecond(ms).map_err(|_| invalid(field, &ms.to_string()))
}

fn all<P, T>(
    items: Vec<P>,
    convert: impl Fn(P) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    items.into_iter().map(convert).collect()
}

fn invalid(field: &'static str, text: &str) -> WireError {
    WireError::Invalid {
        field,
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading with every kind of value, as docs/reading.md shows it.
    const READING: &str = r#"{
        "schema": 1, "is_printer": true, "address": "10.20.4.17", "at": "2026-11-23T08:00:03Z",
        "up_secs": 612844,
        "identity": {"vendor": "Kyocera", "model": "TASKalfa 6052ci", "serial": "W2D8303202",
            "firmware": ["2V8_S000.002.801"], "mac": "00:17:c8:65:e2:b9", "profile": "kyocera",
            "uuid": "4509a320-00a0-008f-00b6-002507510eca"},
        "status": {"state": "idle", "severity": "warning", "conditions": ["lowToner"],
            "console": ["Preparing to print..."]},
        "meters": [
            {"name": "total", "value": 432951, "unit": "impressions", "evidence":
                {"door": "snmp", "object": "o", "raw": "Counter32: 432951", "rule": "r"}},
            {"name": "other", "label": "Banner", "value": 18446744073709551615, "unit": "feet",
             "beta": true, "rolls_over_at": 1000000, "evidence": {"door": "snmp", "object": "o", "raw": "", "rule": "r"}}],
        "supplies": [
            {"index": "1.2", "description": "TK-8337C", "class": "consumed", "type": "toner",
             "color": "cyan", "level": {"state": "percent", "percent": 8.25}, "capacity": 15000,
             "remaining": 1200, "unit": "impressions", "part": "TK-8337C", "serial": "S",
             "evidence": {"door": "snmp", "object": "o", "raw": "", "rule": "r"}},
            {"index": "1.5", "description": "Waste", "class": "receptacle", "type": "wasteToner",
             "level": {"state": "some"}, "unit": "unknown",
             "evidence": {"door": "snmp", "object": "o", "raw": "", "rule": "r"}}],
        "trays": [{"index": "1.2", "name": "Cassette 1", "media": "A4",
            "level": {"state": "unlimited"}, "capacity": 500, "remaining": 150,
            "unit": "sheets", "evidence": {"door": "snmp", "object": "o", "raw": "", "rule": "r"}}],
        "alerts": [{"index": "1.1835", "severity": "warning", "group": 10, "group_index": -1,
            "code": 1001, "name": "markerFuserUnderTemperature", "description": "",
            "training": "untrained"}],
        "sources": {"serial": {"door": "snmp", "object": "o", "raw": "", "rule": "r"},
            "uuid": {"door": "ipp", "object": "printer-uuid", "raw": "text: u", "rule": "r"}}
    }"#;

    fn device() -> DeviceId {
        DeviceId::parse("00112233445566778899aabbccddeeff").expect("32 digits")
    }

    #[test]
    fn every_report_comes_back_as_it_went() {
        let reading: Box<Reading> = serde_json::from_str(READING).expect("a reading");
        let at = reading.at;
        let address = Some([10, 20, 4, 17].into());
        let reports = [
            Report::Full {
                device: device(),
                reading: reading.clone(),
            },
            Report::Status {
                device: device(),
                reading,
            },
            Report::Silent {
                device: device(),
                at,
                address,
            },
            Report::Silent {
                device: device(),
                at,
                address: None,
            },
            Report::Thinned {
                device: Some(device()),
                reports: 7,
                first: at,
                last: at,
            },
            Report::Thinned {
                device: None,
                reports: 1,
                first: at,
                last: at,
            },
        ];
        for (sequence, report) in (1..).zip(reports) {
            let body = report.to_body();
            assert_eq!(Report::from_body(&body).expect("the body"), report);
            let back = from_proto(to_proto(sequence, &report));
            assert_eq!(back, Ok((sequence, report)));
        }
    }

    #[test]
    fn every_level_keeps_its_state() {
        let states = [
            Level::Percent { percent: 0.5 },
            Level::Quantity,
            Level::Some,
            Level::Unknown,
            Level::Unlimited,
            Level::Low,
            Level::Empty,
            Level::Full,
            Level::Implausible,
        ];
        for level in states {
            assert_eq!(level_from_proto(Some(level_to_proto(level))), Ok(level));
        }
    }

    #[test]
    fn a_word_outside_the_closed_lists_is_refused_by_name() {
        let reading: Box<Reading> = serde_json::from_str(READING).expect("a reading");
        let mut message = to_proto(
            1,
            &Report::Full {
                device: device(),
                reading,
            },
        );
        if let Some(v1::report::Body::Reading(reading)) = &mut message.body {
            reading.meters[0].unit = "bananas".to_owned();
        }
        assert_eq!(from_proto(message), Err(invalid("unit", "bananas")));
    }
}
