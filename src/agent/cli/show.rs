//! One reading for a person: identity, status, meters, supplies, trays, alerts.

use printer::direction::Direction;
use printer::meter::Unit;
use printer::reading::{Evidence, Reading};
use printer::status::Severity;
use printer::summary;
use printer::supply::{Level, Supply, SupplyClass};

use super::found::{full_model, word};
use super::table::{NOTHING, grouped, painted, printable};

/// Characters of a full bar.
const BAR_WIDTH: usize = 20;

/// Width of the first column.
const NAME_WIDTH: usize = 30;

/// Writes a reading for a person; with the evidence of each value if asked for.
#[must_use]
pub fn reading(reading: &Reading, with_evidence: bool, is_colored: bool) -> String {
    let mut page = Page {
        text: String::new(),
        with_evidence,
        is_colored,
    };
    page.identity(reading);
    page.meters(reading);
    page.supplies(reading);
    page.trays(reading);
    page.alerts(reading);
    page.text
}

/// The text as it grows.
struct Page {
    text: String,
    with_evidence: bool,
    is_colored: bool,
}

impl Page {
    fn identity(&mut self, reading: &Reading) {
        let identity = &reading.identity;
        let title = match full_model(reading) {
            model if model.is_empty() => "printer".to_owned(),
            model => model,
        };
        let status = summary::status_line(reading);
        let status = if status.is_empty() {
            word(&reading.status.state)
        } else {
            status
        };
        let status = painted(
            &printable(&status),
            reading.status.severity,
            self.is_colored,
        );
        self.line(&format!("{}  {status}", printable(&title)));
        self.pair(
            "address",
            reading.address.map(|address| address.to_string()),
        );
        self.pair("serial", identity.serial.clone());
        self.pair("mac", identity.mac.clone());
        self.pair("host name", identity.host_name.clone());
        self.pair("location", identity.location.clone());
        self.pair("asset", identity.asset.clone());
        let firmware = identity.firmware.join(", ");
        self.pair("firmware", (!firmware.is_empty()).then_some(firmware));
        self.pair("profile", identity.profile.clone());
        self.pair("read at", Some(reading.at.to_string()));
        self.pair("state", Some(word(&reading.status.state)));
        let conditions = reading.status.conditions.join(", ");
        self.pair("conditions", (!conditions.is_empty()).then_some(conditions));
        for line in &reading.status.console {
            self.pair("display", Some(line.clone()));
        }
    }

    fn meters(&mut self, reading: &Reading) {
        self.heading("Meters", reading.meters.is_empty());
        for meter in &reading.meters {
            let name = meter.label.as_deref().unwrap_or(meter.name.as_str());
            let beta = if meter.beta { "  (not proven yet)" } else { "" };
            let (value, unit) = (grouped(meter.value), unit_word(meter.unit));
            self.row(name, &format!("{value:>12} {unit}{beta}"));
            self.evidence(&meter.evidence);
        }
        for fact in &reading.facts {
            self.row("differs", &printable(&fact.text));
        }
    }

    fn supplies(&mut self, reading: &Reading) {
        self.heading("Supplies", reading.supplies.is_empty());
        for supply in &reading.supplies {
            let name = if supply.description.is_empty() {
                &supply.kind
            } else {
                &supply.description
            };
            let severity = severity_of(supply);
            let state = level_text(&supply.level, supply.remaining, supply.unit);
            let share = match supply.direction {
                Some(Direction::Free) => " free",
                Some(Direction::Filled) => " full",
                Some(Direction::NotProven) => ", of what is not proven",
                None => "",
            };
            let level = match supply.level {
                Level::Percent { .. } => format!("{state}{share}"),
                _ => state,
            };
            let level = painted(&level, severity, self.is_colored);
            let detail = [
                supply.color.clone(),
                supply.part.clone(),
                supply.serial.clone(),
            ];
            let detail: Vec<String> = detail.into_iter().flatten().collect();
            let detail = printable(&detail.join(" · "));
            self.row(
                name,
                format!("{} {level}  {detail}", bar(&supply.level)).trim_end(),
            );
            self.evidence(&supply.evidence);
        }
    }

    fn trays(&mut self, reading: &Reading) {
        self.heading("Trays", reading.trays.is_empty());
        for tray in &reading.trays {
            let level = level_text(&tray.level, tray.remaining, tray.unit);
            let media = printable(tray.media.as_deref().unwrap_or(NOTHING));
            self.row(
                &tray.name,
                &format!("{} {level}  {media}", bar(&tray.level)),
            );
            self.evidence(&tray.evidence);
        }
    }

    fn alerts(&mut self, reading: &Reading) {
        self.heading("Alerts", reading.alerts.is_empty());
        for alert in &reading.alerts {
            let severity = match alert.severity.as_str() {
                "critical" => Severity::Critical,
                "warning" => Severity::Warning,
                _ => Severity::Unknown,
            };
            let words = if alert.description.is_empty() {
                &alert.name
            } else {
                &alert.description
            };
            let text = format!("{} ({})", printable(words), alert.code);
            let text = painted(&text, severity, self.is_colored);
            self.row(&alert.severity, &text);
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn pair(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.line(&format!("  {name:<12}{}", printable(&value)));
        }
    }

    fn heading(&mut self, heading: &str, is_empty: bool) {
        let empty = if is_empty {
            format!(": {NOTHING}")
        } else {
            String::new()
        };
        self.line(&format!("\n{heading}{empty}"));
    }

    /// A row whose second part is printable already.
    fn row(&mut self, name: &str, rest: &str) {
        let name: String = printable(name).chars().take(NAME_WIDTH).collect();
        self.line(&format!("  {name:<NAME_WIDTH$}  {rest}"));
    }

    fn evidence(&mut self, evidence: &Evidence) {
        if self.with_evidence {
            let Evidence {
                door,
                object,
                raw,
                rule,
            } = evidence;
            let text = format!("{door} {object} = {raw} by {rule}");
            self.line(&format!("      {}", printable(&text)));
        }
    }
}

/// A bar as long as the level is high; dots where there is no number.
fn bar(level: &Level) -> String {
    let Level::Percent { percent } = level else {
        return "·".repeat(BAR_WIDTH);
    };
    // Percent is 0 to 100, so the product fits; rounding up keeps a little left in sight.
    let full = (0..BAR_WIDTH).filter(|step| *percent > *step as f64 * 100.0 / BAR_WIDTH as f64);
    let full = full.count();
    format!("{}{}", "█".repeat(full), "░".repeat(BAR_WIDTH - full))
}

/// A level for people.
pub(crate) fn level_text(level: &Level, remaining: Option<u64>, unit: Unit) -> String {
    match level {
        Level::Percent { percent } => format!("{percent:.0} %"),
        Level::Quantity => match remaining {
            Some(remaining) => format!("{} {}", grouped(remaining), unit_word(unit)),
            None => "unknown".to_owned(),
        },
        Level::Some => "some left".to_owned(),
        Level::Unknown => "unknown".to_owned(),
        Level::Unlimited => "no limit".to_owned(),
        Level::Low => "low".to_owned(),
        Level::Empty => "empty".to_owned(),
        Level::Full => "full".to_owned(),
        Level::Implausible => "implausible".to_owned(),
    }
}

fn severity_of(supply: &Supply) -> Severity {
    if let Some(direction) = supply.direction {
        return if direction.is_almost_full(supply.level) {
            Severity::Warning
        } else {
            Severity::Ok
        };
    }
    match supply.level {
        Level::Percent { percent } if percent <= 0.0 => Severity::Critical,
        Level::Percent { percent } if percent <= summary::LOW_PERCENT => Severity::Warning,
        Level::Percent { .. } | Level::Quantity | Level::Some | Level::Unlimited => Severity::Ok,
        Level::Full if supply.class == SupplyClass::Receptacle => Severity::Critical,
        Level::Full => Severity::Ok,
        Level::Low => Severity::Warning,
        Level::Empty => Severity::Critical,
        Level::Unknown | Level::Implausible => Severity::Unknown,
    }
}

/// A unit for people; nothing where it is not known.
pub(crate) fn unit_word(unit: Unit) -> String {
    match unit {
        Unit::Unknown | Unit::Other => String::new(),
        unit => word(&unit),
    }
}
