//! What was found out, a line for each step. Pure.

use actors::reach::knock::Knocked;
use printer::doctor::{State, Step};

use super::ask::in_words;
use super::facts::{Agent, Device, Echo, Facts, Outcome, Place, Tcp};
use crate::cli::table::grouped;

fn step(step: &'static str, subject: &str, state: State, what: impl Into<String>) -> Step {
    Step {
        step: step.to_owned(),
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
            let serial = printer.named.serial.as_deref().unwrap_or("not told");
            let what = format!("a printer: {}, serial {serial}", printer.named.title);
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
