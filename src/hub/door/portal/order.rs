//! Orders given in the portal: takes the form, and shows a command until it has ended.
//!
//! Used by the router. The page of a command that has not ended asks the browser to load it again
//! every two seconds; no script does. What an agent sent is shown as text and nothing else.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use printer::doctor::{Report, State as Found, Step, Value};
use printer::identity::DeviceId;
use printer::lpr::Queue;
use printer::zebra::{Command, NoCommand, Setting, StoredLabel};
use serde::Deserialize;

use super::agent::{self, OFFERED, href, object, state_mark, words};
use super::gate::Viewer;
use super::mark::{Kind, Mark};
use super::text::{ago, instant};
use super::{PageError, PortalState, page};
use crate::door::command::doctor::report;
use crate::door::command::issue::{IssueError, LIFE_USUAL, issue};
use crate::door::command::order::{Order, value_name};
use crate::permission::{Action, permit};
use crate::store::commands::{CommandRow, CommandState};

/// Echoes that a ping of the portal asks for.
const PINGS: u32 = 4;

/// Longest address, device id or subnet that is looked at, in characters.
const TARGET_MAX: usize = 80;

/// What is written to tell a Zebra something.
const ZEBRA_WORDS: &str = "where: write a device id (32 digits), and calibrate, feed, \
    print-configuration, reset, set-variable NAME NUMBER, or send-stored-label NAME";

/// What the form brings.
#[derive(Debug, Deserialize)]
pub struct Given {
    kind: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    at: String,
    what: String,
    mark: Mark,
    is_over: bool,
    agent: String,
    agent_href: String,
    facts: Vec<(&'static str, String)>,
    console: Vec<String>,
    doctor: Option<DoctorsWord>,
    result: String,
}

/// What the doctor says, a mark for each line.
struct DoctorsWord {
    report: Report,
    mark: Mark,
    steps: Vec<(Mark, Step)>,
    values: Vec<(Mark, Value)>,
}

/// Takes a form: signs what it orders and goes on to the command's page.
///
/// # Errors
/// [`PageError::Denied`] without the right; [`PageError::NotFound`] for an unknown agent.
pub async fn give(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
    Form(given): Form<Given>,
) -> Result<Response, PageError> {
    let agents = state.store.agents(&state.tenant).await?;
    let agent = agents.iter().find(|agent| agent.id == id);
    let agent = agent.ok_or(PageError::NotFound)?;
    let target = format!("{} {}", given.target.trim(), given.value.trim());
    let order = match order(&given.kind, target.trim()) {
        Ok(order) => order,
        Err(complaint) => return again(&viewer, &state, &id, given, complaint).await,
    };
    let permission = permit(&viewer.subject(), order.action(), object(&state, agent))?;
    let made = (&state.store, &*state.key);
    let wanted = (given.reason.as_str(), LIFE_USUAL);
    match issue(made, &permission, &order, wanted, Timestamp::now()).await {
        Ok(command) => {
            let page = format!("/agents/{id}/commands/{command}");
            Ok((StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response())
        }
        Err(IssueError::Store(error)) => Err(error.into()),
        Err(refused) => again(&viewer, &state, &id, given, refused.to_string()).await,
    }
}

/// The agent's page with the form as it was, and what is wrong with it.
async fn again(
    viewer: &Viewer,
    state: &PortalState,
    id: &str,
    given: Given,
    complaint: String,
) -> Result<Response, PageError> {
    let form = agent::Form {
        kind: given.kind,
        target: given.target.chars().take(TARGET_MAX).collect(),
        reason: given.reason.chars().take(TARGET_MAX).collect(),
        complaint,
    };
    agent::with_form(viewer, state, id, form).await
}

/// What a form orders, or what is wrong with it.
fn order(kind: &str, target: &str) -> Result<Order, String> {
    let offered = OFFERED.iter().find(|(action, _)| action.as_str() == kind);
    let Some((action, _)) = offered else {
        return Err("choose what to do".to_owned());
    };
    if target.chars().count() > TARGET_MAX {
        return Err(format!("where: at most {TARGET_MAX} characters"));
    }
    let address = || -> Result<IpAddr, String> {
        let wrong = |_| "where: write one address, as 10.0.4.17".to_owned();
        target.parse().map_err(wrong)
    };
    Ok(match action {
        Action::Read if target.is_empty() => Order::Read(None),
        Action::Read => {
            let wrong = "where: write a device id (32 digits), or nothing for all printers";
            Order::Read(Some(DeviceId::parse(target).ok_or(wrong)?))
        }
        Action::Discover => Order::Discover((!target.is_empty()).then(|| target.to_owned())),
        Action::Ping => Order::Ping {
            address: address()?,
            count: PINGS,
        },
        Action::Check => Order::Check(address()?),
        Action::Doctor => doctor(target)?,
        Action::Walk => Order::Walk(address()?),
        Action::Zebra => zebra(target)?,
        Action::Lpr => queue(target)?,
        Action::Diag => Order::Diag,
        _ => return Err("choose what to do".to_owned()),
    })
}

/// An address, and the value that is missing if it is one in particular.
fn doctor(target: &str) -> Result<Order, String> {
    let (address, value) = target
        .split_once(char::is_whitespace)
        .unwrap_or((target, ""));
    let wrong = |_| "where: write one address, as 10.0.4.17, and the value if one is missing";
    Ok(Order::Doctor {
        address: address.parse().map_err(wrong)?,
        value: match value.trim() {
            "" => None,
            value => Some(value_name(value)?),
        },
    })
}

/// A device and what it is told: `ID feed`, `ID set-variable print.tone 12.5`.
fn zebra(target: &str) -> Result<Order, String> {
    let mut words = target.split_whitespace();
    let device = words.next().and_then(DeviceId::parse);
    let wrong = |why: NoCommand| format!("where: {why}");
    let command = match (words.next(), words.next(), words.next(), words.next()) {
        (Some("calibrate"), None, ..) => Command::Calibrate,
        (Some("feed"), None, ..) => Command::Feed,
        (Some("print-configuration"), None, ..) => Command::PrintConfiguration,
        (Some("reset"), None, ..) => Command::Reset,
        (Some("set-variable"), Some(variable), Some(value), None) => {
            Command::Set(Setting::parse(variable, value).map_err(wrong)?)
        }
        (Some("send-stored-label"), Some(label), None, None) => {
            Command::PrintStored(StoredLabel::parse(label).map_err(wrong)?)
        }
        _ => return Err(ZEBRA_WORDS.to_owned()),
    };
    let device = device.ok_or(ZEBRA_WORDS)?;
    Ok(Order::Zebra { device, command })
}

/// A device, and its queue if that is not `lp`.
fn queue(target: &str) -> Result<Order, String> {
    let wrong = "where: write a device id (32 digits), and the queue's name if it is not lp";
    let mut words = target.split_whitespace();
    let device = words.next().and_then(DeviceId::parse).ok_or(wrong)?;
    let queue = match (words.next(), words.next()) {
        (None, _) => Queue::usual(),
        (Some(name), None) => Queue::parse(name).map_err(|error| format!("where: {error}"))?,
        (Some(_), Some(_)) => return Err(wrong.to_owned()),
    };
    Ok(Order::Lpr { device, queue })
}

/// Shows one command.
///
/// # Errors
/// [`PageError::NotFound`] for a command that this agent was not given.
pub async fn show(
    _viewer: Viewer,
    State(state): State<PortalState>,
    Path((agent, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let command = state.store.command(&state.tenant, &id).await?;
    let command = command.filter(|command| command.agent == agent);
    let command = command.ok_or(PageError::NotFound)?;
    let agents = state.store.agents(&state.tenant).await?;
    let name = agents.into_iter().find(|row| row.id == agent);
    let name = name.map_or(agent, |row| row.name);
    page(&build(&command, name, Timestamp::now()))
}

fn build(command: &CommandRow, agent: String, now: Timestamp) -> OrderPage {
    OrderPage {
        at: instant(now),
        what: words(&command.kind).to_owned(),
        mark: state_mark(command.state),
        is_over: command.state.is_answered(),
        agent,
        agent_href: href(command)
            .rsplit_once("/commands/")
            .map(|(agent, _)| agent.to_owned())
            .unwrap_or_default(),
        facts: vec![
            (
                "Ordered",
                format!("{} by {}", ago(command.made, now), command.issuer),
            ),
            ("Reason", command.reason.clone()),
            ("Good until", instant(command.expires)),
            ("Id", command.id.clone()),
        ],
        console: console(command),
        doctor: report(command).map(DoctorsWord::of),
        result: result(&command.result),
    }
}

impl DoctorsWord {
    fn of(report: Report) -> Self {
        let steps = report.steps.iter().cloned();
        let values = report.values.iter().cloned();
        Self {
            mark: doctors_mark(report.diagnosis.state),
            steps: steps.map(|it| (doctors_mark(it.state), it)).collect(),
            values: values
                .map(|it| (doctors_mark(it.state.state()), it))
                .collect(),
            report,
        }
    }
}

fn doctors_mark(state: Found) -> Mark {
    let (kind, words) = match state {
        Found::Ok => (Kind::Ok, "ok"),
        Found::Warning => (Kind::Warning, "warning"),
        Found::Failed => (Kind::Critical, "failed"),
        Found::Skipped => (Kind::Unknown, "not looked at"),
    };
    Mark {
        kind,
        words: words.to_owned(),
    }
}

/// What has happened so far, a line each.
fn console(command: &CommandRow) -> Vec<String> {
    let mut lines = vec![format!("{} ordered", instant(command.made))];
    match command.sent {
        0 => {}
        1 => lines.push("sent".to_owned()),
        times => lines.push(format!("sent {times} times")),
    }
    if !command.progress.is_empty() {
        lines.push(command.progress.clone());
    }
    match (command.state, command.answered) {
        (CommandState::Open | CommandState::Underway, _) | (_, None) => {}
        (state, Some(at)) if command.why.is_empty() => {
            lines.push(format!("{} {}", instant(at), state.as_str()));
        }
        (state, Some(at)) => {
            lines.push(format!(
                "{} {}: {}",
                instant(at),
                state.as_str(),
                command.why
            ));
        }
    }
    lines
}

/// JSON with its lines laid out; anything else as it is.
fn result(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => format!("{value:#}"),
        Err(_) => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_orders_what_it_offers_and_says_what_is_wrong() {
        let id = "a".repeat(32);
        assert_eq!(order("read", ""), Ok(Order::Read(None)));
        assert!(matches!(order("read", &id), Ok(Order::Read(Some(_)))));
        assert_eq!(
            order("discover", "lyon"),
            Ok(Order::Discover(Some("lyon".to_owned())))
        );
        assert!(matches!(
            order("ping", "10.0.4.17"),
            Ok(Order::Ping { count: PINGS, .. })
        ));
        assert_eq!(order("diag", ""), Ok(Order::Diag));
        let missing = |value: Option<&str>| {
            Ok(Order::Doctor {
                address: "10.0.4.17".parse().unwrap(),
                value: value.map(str::to_owned),
            })
        };
        assert_eq!(order("doctor", "10.0.4.17"), missing(None));
        let black = order("doctor", "10.0.4.17 Black Toner");
        assert_eq!(black, missing(Some("Black Toner")));
        for words in [
            "feed",
            "set-variable print.tone 12.5",
            "send-stored-label E:SHIPPING.ZPL",
        ] {
            let told = order("zebra", &format!("{id} {words}"));
            assert!(matches!(told, Ok(Order::Zebra { .. })), "{words}: {told:?}");
        }
        assert!(matches!(order("lpr", &id), Ok(Order::Lpr { .. })));
        for (kind, target) in [
            ("read", "10.0.4.17"),
            ("ping", ""),
            ("check", "printer.example.org"),
            ("doctor", "printer.example.org"),
            ("doctor", "total"),
            ("walk", "10.0.4.0/24"),
            ("zebra", "feed"),
            ("zebra", &id),
            ("zebra", &format!("{id} feed twice")),
            ("zebra", &format!("{id} ~JR")),
            ("zebra", &format!("{id} set-variable device.command reset")),
            ("lpr", ""),
            ("lpr", &format!("{id} two words")),
            ("configure", ""),
            ("rotate", ""),
            ("update", ""),
            ("", ""),
        ] {
            assert!(order(kind, target).is_err(), "{kind} {target}");
        }
        assert!(order("discover", &"x".repeat(81)).is_err());
    }

    #[test]
    fn what_a_report_says_is_text_and_nothing_else() {
        let hostile = "<script>x</script>\"><img src=x onerror=x>";
        let report = serde_json::json!({
            "schema": 1, "at": "2026-11-26T08:00:00Z", "asked": hostile, "address": null,
            "range": hostile,
            "diagnosis": {"cause": hostile, "state": "failed", "what": hostile, "why": hostile,
                          "next": hostile},
            "steps": [{"step": hostile, "subject": hostile, "state": "warning", "what": hostile}],
            "values": [{"kind": hostile, "name": hostile, "state": "refused", "value": hostile,
                        "why": hostile, "object": hostile, "raw": hostile, "rule": hostile}],
        });
        let at = Timestamp::UNIX_EPOCH;
        let command = |result: &[u8]| CommandRow {
            id: "a".repeat(32),
            agent: "lyon".to_owned(),
            kind: "doctor".to_owned(),
            issuer: "anna".to_owned(),
            reason: String::new(),
            made: at,
            expires: at,
            sent: 1,
            state: CommandState::Done,
            progress: String::new(),
            why: String::new(),
            result: result.to_vec(),
            answered: Some(at),
        };
        let shown = |result: &[u8]| {
            let page = build(&command(result), "lyon-1".to_owned(), at);
            page.render().expect("a page")
        };
        let page = shown(report.to_string().as_bytes());
        assert!(
            page.contains("id=\"report\"") && page.contains("&lt;script&gt;"),
            "{page}"
        );
        assert!(
            !page.contains("<script>x") && !page.contains("<img src=x"),
            "{page}"
        );
        // What is no report is shown as any result.
        let page = shown(b"{\"schema\": \"<script>\"}");
        assert!(
            !page.contains("id=\"report\"") && !page.contains("\"<script>"),
            "{page}"
        );
    }
}
