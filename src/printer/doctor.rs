//! The doctor's report: why a printer, or a value of one, is missing. An agent makes it, `platen
//! doctor` and the hub show it in the same words.
//!
//! Only its shape and its lines are here; what is asked, and how it is judged, is the agent's.

use std::fmt::Write;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the JSON shape.
pub const SCHEMA: u32 = 1;

/// Longest report, in octets of JSON: a result of a command has at most 256 KiB, and the site's
/// pseudonyms may make it longer.
pub const BYTES_MAX: usize = 192 * 1024;

/// Most values of one report. A printer has some ten meters and a supply for each of its colors.
const VALUES_MAX: usize = 400;

/// Longest text of a report, in characters; a device may say octets of 8 KiB.
const TEXT_CHARS_MAX: usize = 400;

/// Width of the first column.
const STEP_WIDTH: usize = 9;
/// Width of what was asked.
const SUBJECT_WIDTH: usize = 20;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// The agent works without it.
    Warning,
    /// Something does not work.
    Failed,
    /// Not looked at, and why.
    Skipped,
}

impl State {
    /// The mark in front of a line.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warning => "!",
            Self::Failed => "✗",
            Self::Skipped => "–",
        }
    }
}

/// Everything that was found out about one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When it was asked.
    pub at: Timestamp,
    /// What was asked for, as it was written.
    pub asked: String,
    /// The address; absent where there is none.
    pub address: Option<IpAddr>,
    /// The label of the range that holds it; absent where none does, and nothing was sent then.
    pub range: Option<String>,
    /// The printer that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printer: Option<Named>,
    /// What is the matter, and the one thing to do next.
    pub diagnosis: Diagnosis,
    /// What was done, in its order.
    pub steps: Vec<Step>,
    /// Each value of its reading, with where it comes from or why it is not there.
    pub values: Vec<Value>,
    /// How many more values there were than a report holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What names a printer. A site that masks such values knows them by these keys, and takes them out
/// of every other text of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Maker and model.
    pub title: String,
    /// The serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The Ethernet address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// sysName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The owner's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// What is the matter, and the one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// For programs (docs/reference/cli.md); absent where nothing is the matter.
    pub cause: Option<String>,
    /// How bad it is.
    pub state: State,
    /// What is the matter.
    pub what: String,
    /// Why, or what is known of it.
    pub why: String,
    /// What to do; empty where there is nothing.
    pub next: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which: `address`, `scope`, `icmp`, `port`, `tcp`, `snmp`, `device`, `profile`, `agent`, `last`.
    pub step: String,
    /// What was asked: a credential by its name and version, a port.
    pub subject: String,
    /// How it went.
    pub state: State,
    /// What was found.
    pub what: String,
}

/// How it stands with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl How {
    /// How bad that is.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Self::Ok => State::Ok,
            Self::Beta | Self::Unknown => State::Warning,
            Self::Refused => State::Failed,
            Self::Missing => State::Skipped,
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// `identity`, `meter` or `supply`.
    pub kind: String,
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
    /// The value in a line's words: what it is, or why it is not, and what gave it.
    #[must_use]
    pub fn words(&self) -> String {
        let by = match self.rule.as_str() {
            "" => String::new(),
            rule => format!("  ({} by {rule})", self.raw),
        };
        let value = self.value.as_deref().unwrap_or_default();
        let why = match self.why.as_str() {
            "" => String::new(),
            _ if self.state == How::Beta => "  beta".to_owned(),
            why => format!("  {why}"),
        };
        format!("{value}{why}{by}").trim().to_owned()
    }
}

impl Report {
    /// The report within its bounds: long texts are cut, values over the bound are counted. `octets`
    /// says how long it is as JSON.
    #[must_use]
    pub fn bounded(mut self, octets: impl Fn(&Self) -> usize) -> Self {
        let all = self.values.len();
        self.values.truncate(VALUES_MAX);
        self.each_text(cut);
        while !self.values.is_empty() && octets(&self) > BYTES_MAX {
            self.values.truncate(self.values.len() / 2);
        }
        self.left_out += all - self.values.len();
        self
    }

    /// Does something to each text that a device, an agent or the system may have written.
    fn each_text(&mut self, cut: impl Fn(&mut String)) {
        cut(&mut self.asked);
        self.range.as_mut().into_iter().for_each(&cut);
        if let Some(named) = &mut self.printer {
            cut(&mut named.title);
            let rest = [&mut named.serial, &mut named.mac, &mut named.host_name];
            rest.into_iter().flatten().for_each(&cut);
            let rest = [&mut named.asset, &mut named.location];
            rest.into_iter().flatten().for_each(&cut);
        }
        let told = &mut self.diagnosis;
        [&mut told.what, &mut told.why, &mut told.next]
            .into_iter()
            .for_each(&cut);
        for step in &mut self.steps {
            [&mut step.subject, &mut step.what]
                .into_iter()
                .for_each(&cut);
        }
        for it in &mut self.values {
            it.value.as_mut().into_iter().for_each(&cut);
            [
                &mut it.name,
                &mut it.why,
                &mut it.object,
                &mut it.raw,
                &mut it.rule,
            ]
            .into_iter()
            .for_each(&cut);
        }
    }

    /// The report for people. `clean` makes a device's words harmless where they are shown, `paint`
    /// colors a mark.
    pub fn text(
        &self,
        clean: impl Fn(&str) -> String,
        paint: impl Fn(&'static str, State) -> String,
    ) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |name: &str, state: State, subject: &str, what: &str| {
            let mark = paint(state.mark(), state);
            let (name, subject, what) = (clean(name), clean(subject), clean(what));
            let line = format!("{name:<STEP_WIDTH$} {mark} {subject:<SUBJECT_WIDTH$}  {what}");
            let _ = writeln!(text, "{}", line.trim_end());
        };
        for it in &self.steps {
            line(&it.step, it.state, &it.subject, &it.what);
        }
        for it in &self.values {
            line("value", it.state.state(), &it.name, &it.words());
        }
        if self.left_out > 0 {
            let what = format!("{} more are not told here", self.left_out);
            line("value", State::Skipped, "", &what);
        }
        let told = &self.diagnosis;
        let mark = paint(told.state.mark(), told.state);
        let _ = writeln!(text, "\n{mark} {}", clean(&told.what));
        if !told.why.is_empty() {
            let _ = writeln!(text, "  {}", clean(&told.why));
        }
        if !told.next.is_empty() {
            let _ = writeln!(text, "  → {}", clean(&told.next));
        }
        text
    }
}

fn cut(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        text.truncate(at);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value {
            kind: "meter".to_owned(),
            name: text.to_owned(),
            state: How::Unknown,
            value: None,
            why: text.to_owned(),
            object: "1.3.6".to_owned(),
            raw: text.to_owned(),
            rule: "rule".to_owned(),
        }
    }

    fn octets(report: &Report) -> usize {
        serde_json::to_vec(report).expect("JSON").len()
    }

    fn report(values: Vec<Value>) -> Report {
        Report {
            schema: SCHEMA,
            at: Timestamp::UNIX_EPOCH,
            asked: "10.0.0.17".to_owned(),
            address: "10.0.0.17".parse().ok(),
            range: Some("office".to_owned()),
            printer: None,
            diagnosis: Diagnosis {
                cause: Some("snmp_silent".to_owned()),
                state: State::Failed,
                what: "it is silent".to_owned(),
                why: "it sleeps".to_owned(),
                next: "wake it".to_owned(),
            },
            steps: Vec::new(),
            values,
            left_out: 0,
        }
    }

    #[test]
    fn a_report_is_bounded_whatever_a_device_says() {
        let long = "\u{1}".repeat(10_000);
        let all = 3_000;
        let bounded = report(vec![value(&long); all]).bounded(octets);
        assert!(octets(&bounded) <= BYTES_MAX, "{}", octets(&bounded));
        assert_eq!(bounded.values.len() + bounded.left_out, all);
        assert!(!bounded.values.is_empty());
        let text = bounded.text(str::to_owned, |mark, _| mark.to_owned());
        assert!(text.contains("more are not told here"));
    }

    #[test]
    fn a_report_comes_out_of_json_as_it_went_in() {
        let report = report(vec![value("total")]);
        let json = serde_json::to_string(&report).expect("JSON");
        let back: Report = serde_json::from_str(&json).expect("a report");
        assert_eq!(back, report);
        assert_eq!(
            back.clone().bounded(octets),
            report,
            "what fits is left alone"
        );
    }
}
