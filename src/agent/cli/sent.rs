//! Messages to the hub for a person: of `platen outbox`, what left, and of `platen run --dry-run`,
//! what would.

use actors::outbox::{Entry, Kind};
use actors::report::Report;
use printer::identity::shown_address;
use printer::meter::MeterName;
use printer::reading::Reading;
use printer::summary;
use serde_json::Value;

use super::found::full_model;
use super::table::{grouped, printable};

/// A message as lines: what it was, and one more for each report in it.
#[must_use]
pub fn lines(entry: &Entry) -> String {
    let at = entry.at.strftime("%Y-%m-%d %H:%M:%SZ");
    let mut text = match entry.kind {
        Kind::Poll => format!("{at}  {}\n", poll(&entry.message)),
        Kind::Gap => {
            let missed = entry.message["messages"].as_u64().unwrap_or_default();
            format!("{at}  gap: {missed} messages were sent and could not be noted\n")
        }
        Kind::Dropped => {
            let file = plain(&entry.message["file"]);
            format!("{at}  dropped: {file} was given up for room\n")
        }
        Kind::Outcome | Kind::Presence | Kind::Enrollment | Kind::Renewal | Kind::Session => {
            let kind = serde_json::to_value(entry.kind).unwrap_or_default();
            format!("{at}  {}{}\n", plain(&kind), fields(&entry.message))
        }
    };
    let reports = entry.message["reports"].as_array();
    for sent in reports.into_iter().flatten() {
        text.push_str(&format!("  {}\n", report(sent)));
    }
    text
}

fn poll(message: &Value) -> String {
    let status = &message["status"];
    let reports = message["reports"].as_array().map_or(0, Vec::len);
    let number = |key: &str| status[key].as_u64().unwrap_or_default();
    let mut text = format!(
        "poll: {reports} reports · agent {} · {} printers, {} silent · {} waiting",
        plain(&status["version"]),
        number("devices"),
        number("devices_silent"),
        number("spool_reports"),
    );
    for alarm in status["alarms"].as_array().into_iter().flatten() {
        text.push_str(&format!(" · alarm: {}", plain(alarm)));
    }
    text
}

/// One report in a line.
fn report(sent: &Value) -> String {
    let sequence = sent["sequence"].as_u64().unwrap_or_default();
    let said = match serde_json::from_value::<Report>(sent.clone()) {
        Ok(Report::Full { reading, .. }) => format!("reading  {}", reading_line(&reading)),
        Ok(Report::Status { reading, .. }) => format!("status   {}", reading_line(&reading)),
        Ok(Report::Silent {
            device, address, ..
        }) => {
            let address = address.map(|address| format!(" at {}", shown_address(address)));
            format!("silent   device {device}{}", address.unwrap_or_default())
        }
        Ok(Report::Thinned { reports, .. }) => {
            format!("thinned  {reports} reports were given up for room")
        }
        Err(_) => format!("other    {}", printable(&sent.to_string())),
    };
    format!("#{sequence:<6} {said}")
}

/// Everything that names a printer, its pages, supplies and status.
fn reading_line(reading: &Reading) -> String {
    let identity = &reading.identity;
    let total = reading
        .meters
        .iter()
        .find(|meter| meter.name == MeterName::TOTAL)
        .map(|meter| format!("{} {}", grouped(meter.value), plain_unit(&meter.unit)));
    let named = |name: &str, value: &Option<String>| {
        let value = value.as_ref()?;
        Some(format!("{name} {value}"))
    };
    let parts = [
        Some(full_model(reading)),
        reading.address.map(shown_address),
        named("serial", &identity.serial),
        named("mac", &identity.mac),
        named("host", &identity.host_name),
        named("place", &identity.location),
        named("asset", &identity.asset),
        named("engine", &identity.engine_id),
        total,
        Some(summary::supplies(&reading.supplies)),
        Some(summary::status_line(reading)),
    ];
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    printable(&parts.collect::<Vec<_>>().join(" · "))
}

fn plain_unit(unit: &printer::meter::Unit) -> String {
    let unit = serde_json::to_value(unit).unwrap_or_default();
    plain(&unit)
}

/// Every field of a small message.
fn fields(message: &Value) -> String {
    let fields = message.as_object().into_iter().flatten();
    fields
        .map(|(key, value)| format!(" · {key} {}", plain(value)))
        .collect()
}

/// A value without quotes, fit for a terminal.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Null => "-".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            printable(&value.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_has_its_line_and_no_text_steers_the_terminal() {
        let line = |kind, message| {
            let at = "2026-11-25T08:00:03Z".parse().expect("an instant");
            lines(&Entry { at, kind, message })
        };
        let silent = json!({"kind": "silent", "device": "00112233445566778899aabbccddeeff",
            "at": "2026-11-25T08:00:03Z", "address": "10.0.0.7", "sequence": 17});
        let status = json!({"version": "0.1.0", "devices": 3, "devices_silent": 1,
            "spool_reports": 0, "alarms": ["disk\u{1b}[2J"]});
        let said = line(Kind::Poll, json!({"status": status, "reports": [silent]}));
        assert_eq!(
            said,
            "2026-11-25 08:00:03Z  poll: 1 reports · agent 0.1.0 · 3 printers, 1 silent · \
             0 waiting · alarm: disk[2J\n  #17     silent   device \
             00112233445566778899aabbccddeeff at 10.0.0.7\n"
        );
        for kind in [
            Kind::Outcome,
            Kind::Presence,
            Kind::Enrollment,
            Kind::Renewal,
        ] {
            let said = line(kind, json!({"why": "\u{1b}c"}));
            assert!(
                said.contains(" · why ") && !said.contains('\u{1b}'),
                "{said}"
            );
        }
        assert!(line(Kind::Gap, json!({"messages": 3})).contains("gap: 3 messages"));
        assert!(line(Kind::Dropped, json!({"file": "x"})).contains("dropped: x"));
    }
}
