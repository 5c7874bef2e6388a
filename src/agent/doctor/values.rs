//! Each value of a reading: which rule gave it, or why it is not there. Pure.

use actors::reach::survey::Survey;
use printer::coverage;
use printer::doctor::{How, Value};
use printer::mib;
use printer::profile::{Profile, Profiles};
use printer::reading::{Evidence, Reading};
use printer::supply::Level;
use printer::walk::Walk;
use snmp::Oid;

use crate::cli::show::{level_text, unit_word};
use crate::cli::table::grouped;

/// A value of which nothing more is known yet.
fn blank(kind: &'static str, name: impl Into<String>, state: How) -> Value {
    let empty = String::new;
    Value {
        kind: kind.to_owned(),
        name: name.into(),
        state,
        value: None,
        why: empty(),
        object: empty(),
        raw: empty(),
        rule: empty(),
    }
}

/// The same with what it is, and why that is not enough.
fn told(value: Value, shown: Option<String>, why: &str) -> Value {
    Value {
        value: shown,
        why: why.to_owned(),
        ..value
    }
}

/// The same with where it comes from.
fn by(value: Value, evidence: &Evidence) -> Value {
    Value {
        object: evidence.object.clone(),
        raw: evidence.raw.clone(),
        rule: evidence.rule.clone(),
        ..value
    }
}

/// Every value of a reading, and those that one would expect and that are not there.
pub fn of(reading: &Reading, survey: &Survey, profiles: &Profiles) -> Vec<Value> {
    let said = Said {
        walk: &survey.walk,
        unanswered: &survey.unanswered,
    };
    let mut values = identity(reading, &said);
    meters(reading, &said, profiles.for_walk(&survey.walk), &mut values);
    supplies(reading, &said, &mut values);
    values
}

/// What a device said, and what it would not.
struct Said<'w> {
    walk: &'w Walk,
    unanswered: &'w [Oid],
}

impl Said<'_> {
    /// Why an object gave no value.
    fn gone(&self, kind: &'static str, name: &str, object: &Oid) -> Value {
        let is_refused = |column: &Oid| object.is_under(column) || column.is_under(object);
        let evidence = |oid: &Oid| Evidence::snmp(oid, self.walk.get(oid), "");
        if let Some((tail, _)) = self.walk.under(object.arcs()).next() {
            let why = "what it says there is no such value: it does not know, or says so by a number \
                       that stands for \"unknown\"";
            let value = told(blank(kind, name, How::Unknown), None, why);
            return by(value, &evidence(&object.clone().with(tail)));
        }
        if self.unanswered.iter().any(is_refused) {
            let why = "it lives, and would not answer this";
            let value = told(blank(kind, name, How::Refused), None, why);
            return by(value, &evidence(object));
        }
        let why = "there is no such object in its MIB";
        let value = told(blank(kind, name, How::Missing), None, why);
        by(value, &evidence(object))
    }
}

impl Said<'_> {
    /// A sum of which a part is not there.
    fn too_low(&self, name: &str, part: &Oid) -> Value {
        let why = "it is a sum, and this part of it is not there: the rest alone would be too low";
        let value = told(blank("meter", name, How::Unknown), None, why);
        by(value, &Evidence::snmp(part, self.walk.get(part), ""))
    }
}

fn identity(reading: &Reading, said: &Said<'_>) -> Vec<Value> {
    let identity = &reading.identity;
    let named = [
        ("model", &identity.model, mib::HR_DEVICE_DESCR),
        ("serial", &identity.serial, mib::PRT_SERIAL_NUMBER),
        ("mac", &identity.mac, mib::IF_PHYS_ADDRESS),
    ];
    let there = |name: &str, text: String| {
        let value = told(blank("identity", name, How::Ok), Some(text), "");
        match reading.sources.get(name) {
            Some(evidence) => by(value, evidence),
            None => value,
        }
    };
    let value = |(name, value, object): (&str, &Option<String>, &[u32])| match value {
        Some(text) => there(name, text.clone()),
        None => said.gone("identity", name, &Oid::new(object)),
    };
    let mut values: Vec<Value> = named.into_iter().map(value).collect();
    // What not every printer tells is not missed.
    let firmware = (!identity.firmware.is_empty()).then(|| identity.firmware.join(", "));
    let state = match serde_json::to_value(reading.status.state) {
        Ok(serde_json::Value::String(word)) if word != "unknown" => Some(word),
        Ok(_) | Err(_) => None,
    };
    let more = [
        ("vendor", identity.vendor.clone()),
        ("firmware", firmware),
        ("state", state),
    ];
    values.extend(
        more.into_iter()
            .filter_map(|(name, text)| Some(there(name, text?))),
    );
    values
}

fn meters(reading: &Reading, said: &Said<'_>, profile: Option<&Profile>, values: &mut Vec<Value>) {
    for meter in &reading.meters {
        let (state, why) = match meter.beta {
            false => (How::Ok, ""),
            true => (
                How::Beta,
                "no recording of a real device proves it, so it is never billed",
            ),
        };
        let name = meter.label.as_deref().unwrap_or(meter.name.as_str());
        let shown = format!("{} {}", grouped(meter.value), unit_word(meter.unit));
        let shown = Some(shown.trim().to_owned());
        let value = told(blank("meter", name, state), shown, why);
        values.push(by(value, &meter.evidence));
    }
    let is_there = |name: &str| reading.meters.iter().any(|it| it.name.as_str() == name);
    if !is_there("total") {
        values.push(said.gone("meter", "total", &Oid::new(mib::PRT_MARKER_LIFE_COUNT)));
    }
    let Some(profile) = profile else {
        return;
    };
    for known in coverage::of_one(profile).meters {
        let name = known.name.as_str();
        if name != "total"
            && !is_there(name)
            && let Some(object) = profile.object_of(&known.name)
        {
            let lacking = profile.lacking(&known.name, said.walk);
            values.push(match lacking.first() {
                Some(part) => said.too_low(name, part),
                None => said.gone("meter", name, object),
            });
        }
    }
}

fn supplies(reading: &Reading, said: &Said<'_>, values: &mut Vec<Value>) {
    if reading.supplies.is_empty() {
        let level = Oid::new(mib::PRT_SUPPLY_LEVEL);
        values.push(said.gone("supply", "supplies", &level));
    }
    for supply in &reading.supplies {
        let name = match supply.description.as_str() {
            "" => supply.kind.as_str(),
            description => description,
        };
        let (state, why) = match supply.level {
            Level::Unknown => (How::Unknown, "it says that it does not know the level"),
            Level::Some => (
                How::Unknown,
                "it says that something is left, and not how much",
            ),
            Level::Implausible => (How::Unknown, "the level that it says cannot be"),
            Level::Percent { .. }
            | Level::Quantity
            | Level::Unlimited
            | Level::Low
            | Level::Empty
            | Level::Full => (How::Ok, ""),
        };
        let shown = level_text(&supply.level, supply.remaining, supply.unit);
        let value = told(blank("supply", name, state), Some(shown), why);
        values.push(by(value, &supply.evidence));
    }
}
