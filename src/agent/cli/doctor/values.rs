//! Each value of a reading: which rule gave it, or why it is not there. Pure.

use actors::reach::survey::Survey;
use printer::coverage;
use printer::mib;
use printer::profile::{Profile, Profiles};
use printer::reading::{Evidence, Reading};
use printer::supply::Level;
use printer::walk::Walk;
use serde::Serialize;
use snmp::Oid;

use crate::cli::show::{level_text, unit_word};
use crate::cli::table::grouped;

/// How it stands with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It is there.
    Ok,
    /// It is there, no recording of a real device proves it, and it is never billed.
    Beta,
    /// The device says that it does not know, or what it says cannot be.
    Unknown,
    /// The device lives and would not answer this.
    Refused,
    /// The device has no such object.
    Missing,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// `identity`, `meter` or `supply`.
    pub kind: &'static str,
    /// Its name: a meter's, `serial`, or what a supply calls itself.
    pub name: String,
    /// How it stands.
    pub state: How,
    /// The value for people; absent where there is none.
    pub value: Option<String>,
    /// Why it is not there; empty where it is.
    pub why: String,
    /// The object that was asked; empty where no single one is known.
    pub object: String,
    /// What came, with its type.
    pub raw: String,
    /// The rule that made it a value.
    pub rule: String,
}

impl Value {
    fn new(kind: &'static str, name: impl Into<String>, state: How) -> Self {
        let empty = String::new;
        Self {
            kind,
            name: name.into(),
            state,
            value: None,
            why: empty(),
            object: empty(),
            raw: empty(),
            rule: empty(),
        }
    }

    fn of(self, value: Option<String>, why: &str) -> Self {
        let why = why.to_owned();
        Self { value, why, ..self }
    }

    fn by(self, evidence: &Evidence) -> Self {
        Self {
            object: evidence.object.clone(),
            raw: evidence.raw.clone(),
            rule: evidence.rule.clone(),
            ..self
        }
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
            let value = Value::new(kind, name, How::Unknown).of(None, why);
            return value.by(&evidence(&object.clone().with(tail)));
        }
        if self.unanswered.iter().any(is_refused) {
            let why = "it lives, and would not answer this";
            return Value::new(kind, name, How::Refused)
                .of(None, why)
                .by(&evidence(object));
        }
        let why = "there is no such object in its MIB";
        Value::new(kind, name, How::Missing)
            .of(None, why)
            .by(&evidence(object))
    }
}

fn identity(reading: &Reading, said: &Said<'_>) -> Vec<Value> {
    let identity = &reading.identity;
    let named = [
        ("model", &identity.model, mib::HR_DEVICE_DESCR),
        ("serial", &identity.serial, mib::PRT_SERIAL_NUMBER),
        ("mac", &identity.mac, mib::IF_PHYS_ADDRESS),
    ];
    let value = |(name, value, object): (&str, &Option<String>, &[u32])| match value {
        Some(text) => Value::new("identity", name, How::Ok).of(Some(text.clone()), ""),
        None => said.gone("identity", name, &Oid::new(object)),
    };
    named.into_iter().map(value).collect()
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
        let value = Value::new("meter", name, state).of(Some(shown.trim().to_owned()), why);
        values.push(value.by(&meter.evidence));
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
            values.push(said.gone("meter", name, object));
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
        let value = Value::new("supply", name, state).of(Some(shown), why);
        values.push(value.by(&supply.evidence));
    }
}
