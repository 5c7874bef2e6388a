//! What was found out, a line for each step: for people and as JSON. Pure.

use std::fmt::Write;

use actors::reach::knock::Knocked;
use printer::status::Severity;
use serde::Serialize;

use super::ask::in_words;
use super::facts::{Agent, Device, Echo, Facts, Outcome, Place, Tcp};
use super::judge::Diagnosis;
use super::values::{How, Value};
use crate::cli::check::finding::State;
use crate::cli::table::{grouped, painted, printable};

/// Width of the first column.
const STEP_WIDTH: usize = 9;
/// Width of what was asked.
const SUBJECT_WIDTH: usize = 20;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which: `address`, `scope`, `icmp`, `port`, `tcp`, `snmp`, `device`, `profile`, `agent`, `last`.
    pub step: &'static str,
    /// What was asked: a credential by its name and version, a port.
    pub subject: String,
    /// How it went.
    pub state: State,
    /// What was found.
    pub what: String,
}

fn step(step: &'static str, subject: &str, state: State, what: impl Into<String>) -> Step {
    Step {
        step,
        subject: subject.to_owned(),
        state,
        what: what.into(),
    }
}

/// Every step that was taken, in its order.
pub fn of(facts: &Facts) -> Vec<Step> {
    let mut steps = place(facts);
    if let Some(echo) = &facts.echo {
        steps.push(match echo {
            Echo::Answers(took) => step("icmp", "", State::Ok, in_words(*took)),
            Echo::Silent => step("icmp", "", State::Warning, "no answer to ping"),
            Echo::NotPermitted(why) => step("icmp", "", State::Skipped, why),
        });
    }
    steps.extend(facts.knock.as_ref().map(|knocked| port(facts, knocked)));
    for asked in &facts.asked {
        let subject = format!("{} '{}'", asked.version, asked.name);
        let (state, what) = outcome(&asked.outcome);
        steps.push(step("snmp", &subject, state, what));
    }
    steps.extend(facts.tcp.map(|(port, told)| {
        let (state, what) = match told {
            Tcp::Accepts => (State::Ok, "accepts a connection, so it is on"),
            Tcp::Refuses => (State::Ok, "refuses a connection, so it is on"),
            Tcp::Silent => (State::Warning, "no answer"),
        };
        step("tcp", &port.to_string(), state, what)
    }));
    steps.extend(facts.device.iter().flat_map(device));
    steps.extend(facts.agent.as_ref().map(agent));
    steps.extend(facts.last.as_ref().map(|last| {
        let serial = last.serial.as_deref().unwrap_or("not told");
        let total = last.total.map_or_else(String::new, |total| {
            format!(", {} pages in all", grouped(total))
        });
        let what = format!("{}: {}, serial {serial}{total}", last.at, last.title);
        step("last", "", State::Ok, what)
    }));
    steps
}

fn place(facts: &Facts) -> Vec<Step> {
    let Some(address) = facts.place.address() else {
        let why = match &facts.place {
            Place::NoAddress { why, .. } | Place::Unresolved { why } => why.as_str(),
            _ => "",
        };
        return vec![step("address", "", State::Failed, why)];
    };
    let (state, what) = match &facts.place {
        Place::Inside { label, .. } => (State::Ok, format!("in the range '{label}'")),
        Place::NoRanges(_) => (State::Failed, "there are no ranges".to_owned()),
        Place::RangeUnresolved { why, .. } => (State::Failed, why.clone()),
        Place::Outside { .. } => (State::Failed, "in none of the ranges".to_owned()),
        Place::Excluded { label, .. } => {
            (State::Failed, format!("excluded in the range '{label}'"))
        }
        Place::NoDevice(_) | Place::NoAddress { .. } | Place::Unresolved { .. } => {
            (State::Failed, "not the address of one device".to_owned())
        }
    };
    vec![
        step("address", "", State::Ok, address.to_string()),
        step("scope", "", state, what),
    ]
}

fn port(facts: &Facts, knocked: &Knocked) -> Step {
    let (state, what) = match knocked {
        Knocked::Engine => (State::Ok, "an SNMPv3 engine names itself"),
        Knocked::Spoke => (State::Warning, "something speaks there that is no SNMPv3"),
        Knocked::Closed => (State::Failed, "closed: ICMP says that nobody listens"),
        Knocked::Prohibited => (State::Failed, "prohibited on the way: ICMP says so"),
        Knocked::Silent => (State::Skipped, "no SNMPv3 engine, and no ICMP error"),
        Knocked::Unsendable(why) => (State::Failed, why.as_str()),
    };
    let subject = match facts.place {
        Place::Inside { port, .. } => format!("UDP {port}"),
        _ => String::new(),
    };
    step("port", &subject, state, what)
}

fn outcome(outcome: &Outcome) -> (State, String) {
    match outcome {
        Outcome::Answers => (State::Ok, "answers".to_owned()),
        Outcome::Mute => (State::Failed, "answers, and shows nothing".to_owned()),
        Outcome::Silent { waited, odd } => {
            let odd = odd.as_ref().map(|odd| format!(", but this came: {odd}"));
            let odd = odd.unwrap_or_default();
            let what = format!("no answer in {}{odd}", in_words(*waited));
            (State::Failed, what)
        }
        Outcome::Refused(refusal) => (State::Failed, refusal.to_string()),
        Outcome::Unsendable(why) => (State::Failed, why.clone()),
    }
}

fn device(device: &Device) -> Vec<Step> {
    let failed = |what: &str| vec![step("device", "", State::Failed, what)];
    match device {
        Device::Other(why) => failed(&format!("not a printer: {why}")),
        Device::Swapped => failed("two devices answer in turn"),
        Device::Unread(why) => failed(why),
        Device::Printer(printer) => {
            let serial = printer.serial.as_deref().unwrap_or("not told");
            let what = format!("a printer: {}, serial {serial}", printer.title);
            let (state, profile) = match &printer.profile {
                Some(stamp) => (State::Ok, format!("{stamp}: {}", printer.profile_why)),
                None => (State::Warning, format!("none: {}", printer.profile_why)),
            };
            let mut steps = vec![
                step("device", "", State::Ok, what),
                step("profile", "", state, profile),
            ];
            steps.extend(printer.trouble.as_ref().map(|trouble| {
                let what = format!("not whole: {trouble}");
                step("reading", "", State::Warning, what)
            }));
            steps
        }
    }
}

fn agent(agent: &Agent) -> Step {
    let (state, what) = match agent {
        Agent::Away(why) => (State::Warning, why.clone()),
        Agent::Runs {
            set_aside: Some((device, cause)),
            ..
        } => (State::Failed, format!("{device} is set aside: {cause}")),
        Agent::Runs {
            says: Some(says), ..
        } => (State::Warning, format!("says: {says}")),
        Agent::Runs { .. } => (State::Ok, "runs, and complains of nothing here".to_owned()),
    };
    step("agent", "", state, what)
}

/// The report for people.
pub fn text(steps: &[Step], values: &[Value], diagnosis: &Diagnosis, is_colored: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |name: &str, state, subject: &str, what: &str| {
        let mark = mark(state, is_colored);
        let (subject, what) = (printable(subject), printable(what));
        let line = format!("{name:<STEP_WIDTH$} {mark} {subject:<SUBJECT_WIDTH$}  {what}");
        let _ = writeln!(text, "{}", line.trim_end());
    };
    for it in steps {
        line(it.step, it.state, &it.subject, &it.what);
    }
    for it in values {
        let state = match it.state {
            How::Ok => State::Ok,
            How::Beta | How::Unknown => State::Warning,
            How::Refused => State::Failed,
            How::Missing => State::Skipped,
        };
        let by = match it.rule.as_str() {
            "" => String::new(),
            rule => format!("  ({} by {rule})", it.raw),
        };
        let value = it.value.clone().unwrap_or_default();
        let why = match it.why.as_str() {
            "" => String::new(),
            _ if it.state == How::Beta => "  beta".to_owned(),
            why => format!("  {why}"),
        };
        line("value", state, &it.name, format!("{value}{why}{by}").trim());
    }
    let mark = mark(diagnosis.state, is_colored);
    let _ = writeln!(text, "\n{mark} {}", printable(&diagnosis.what));
    if !diagnosis.why.is_empty() {
        let _ = writeln!(text, "  {}", printable(&diagnosis.why));
    }
    if !diagnosis.next.is_empty() {
        let _ = writeln!(text, "  → {}", printable(&diagnosis.next));
    }
    text
}

fn mark(state: State, is_colored: bool) -> String {
    let (mark, severity) = match state {
        State::Ok => ("✓", Severity::Ok),
        State::Warning => ("!", Severity::Warning),
        State::Failed => ("✗", Severity::Critical),
        State::Skipped => ("–", Severity::Unknown),
    };
    painted(mark, severity, is_colored)
}
