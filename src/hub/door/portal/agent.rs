//! The agent's page: how it is, what was ordered of it, and the form that orders more.
//!
//! Used by the router. The page is built by a pure function from what the store gives. What a form
//! brings is taken by [`super::order`].

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::gate::Viewer;
use super::mark::{Kind, Mark, Now};
use super::text::{ago, count, counted, instant, moment};
use super::{PageError, PortalState, page};
use crate::likeness;
use crate::permission::{Action, Object, permit};
use crate::store::agents::{AgentRow, Doubtful, Refusing};
use crate::store::commands::{CommandRow, CommandState};

/// Commands in the list. Older ones: `platen-hub cmd ls`.
const COMMANDS_MAX: usize = 20;

/// What the doctor is asked, in the words of its button.
pub(super) const WHY_MISSING: &str = "Why is this missing?";

/// What the form offers: what needs few words. The rest is for the command line.
pub(super) const OFFERED: [(Action, &str); 9] = [
    (Action::Read, "Read printers now"),
    (Action::Discover, "Search for printers now"),
    (Action::Ping, "Ping an address"),
    (Action::Check, "Check an address"),
    (Action::Doctor, WHY_MISSING),
    (Action::Walk, "Record a device"),
    (Action::Zebra, "Tell a Zebra something"),
    (Action::Lpr, "Ask for a print queue"),
    (Action::Diag, "Send diagnostics"),
];

/// What stood in a form that could not be taken, and why.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) reason: String,
    pub(super) complaint: String,
}

/// A line of the list of commands.
struct CommandLine {
    href: String,
    what: String,
    mark: Mark,
    why: String,
    issuer: String,
    reason: String,
    ordered: String,
}

/// A choice of the form.
struct Choice {
    value: &'static str,
    words: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "agent.html")]
struct AgentPage {
    at: String,
    name: String,
    site: String,
    action: String,
    mark: Mark,
    channels: Vec<(&'static str, Mark)>,
    facts: Vec<(&'static str, String)>,
    printers: String,
    alarms: Vec<String>,
    refusing: Vec<Refusing>,
    doubtful: Vec<Doubtful>,
    choices: Vec<Choice>,
    may_consult: bool,
    form: Form,
    commands: Vec<CommandLine>,
}

/// Shows one agent.
///
/// # Errors
/// [`PageError::NotFound`] for an agent that was never enrolled.
pub async fn show(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(agent): Path<String>,
) -> Result<Response, PageError> {
    with_form(&viewer, &state, &agent, Form::default()).await
}

/// Shows one agent with a form that could not be taken.
pub(super) async fn with_form(
    viewer: &Viewer,
    state: &PortalState,
    agent: &str,
    form: Form,
) -> Result<Response, PageError> {
    let agents = state.store.agents(&state.tenant).await?;
    let row = agents.iter().find(|row| row.id == agent);
    let row = row.ok_or(PageError::NotFound)?;
    let merges = state.store.merges(&state.tenant).await?;
    let commands = state
        .store
        .commands_of(&state.tenant, agent, COMMANDS_MAX)
        .await?;
    let now = Now {
        at: Timestamp::now(),
        poll_every: state.poll_every,
        agents: &agents,
    };
    let object = object(state, row);
    let may = |action| permit(&viewer.subject(), action, object).is_ok();
    let has_complaint = !form.complaint.is_empty();
    let mut built = build(row, &commands, (form, may), now);
    // What a person has answered since is asked no more.
    let open = likeness::open(std::slice::from_ref(row), &merges).into_iter();
    built.doubtful = open.map(|it| it.doubt.clone()).collect();
    let shown = page(&built)?;
    Ok(if has_complaint {
        (StatusCode::UNPROCESSABLE_ENTITY, shown).into_response()
    } else {
        shown
    })
}

/// An agent as the policy sees it.
pub(super) fn object<'a>(state: &'a PortalState, agent: &'a AgentRow) -> Object<'a> {
    Object {
        tenant: &state.tenant,
        agent: &agent.id,
        is_enrolled: agent.revoked.is_none() && agent.quarantined.is_none(),
    }
}

fn build(
    agent: &AgentRow,
    commands: &[CommandRow],
    (form, may): (Form, impl Fn(Action) -> bool),
    now: Now<'_>,
) -> AgentPage {
    let offered = OFFERED.iter().filter(|(action, _)| may(*action));
    let status = agent.status.clone().unwrap_or_default();
    AgentPage {
        at: instant(now.at),
        name: agent.name.clone(),
        site: agent.site.clone(),
        action: format!("/agents/{}/commands", agent.id),
        mark: Mark::of_agent(agent, now),
        channels: channels(agent, now),
        facts: facts(agent, now.at),
        printers: counted(agent.printers, "printer"),
        alarms: status.alarms,
        refusing: status.refusing,
        doubtful: status.doubtful,
        choices: offered
            .map(|(action, words)| Choice {
                value: action.as_str(),
                words,
                is_chosen: form.kind == action.as_str(),
            })
            .collect(),
        may_consult: may(Action::Doctor),
        form,
        commands: commands
            .iter()
            .map(|command| CommandLine::of(command, now.at))
            .collect(),
    }
}

/// The two ways to the hub: what the agent brings by polls, and what it hears by MQTT.
fn channels(agent: &AgentRow, now: Now<'_>) -> Vec<(&'static str, Mark)> {
    let readings = Mark::of_agent(agent, now);
    let is_connected = agent
        .status
        .as_ref()
        .is_some_and(|status| status.commands_connected);
    let commands = match (readings.kind, is_connected) {
        (Kind::Ok, true) => mark(Kind::Ok, "connected"),
        (Kind::Ok, false) => mark(Kind::Warning, "not connected"),
        _ => mark(Kind::Unknown, "not known"),
    };
    vec![("Readings (gRPC)", readings), ("Commands (MQTT)", commands)]
}

fn facts(agent: &AgentRow, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        (
            "Last poll",
            agent
                .last_poll
                .map_or("never".to_owned(), |at| ago(at, now)),
        ),
        ("Version", agent.version.clone()),
        ("Enrolled", instant(agent.enrolled)),
        ("Certificate until", instant(agent.certificate_until)),
    ];
    if let Some(status) = &agent.status {
        let started = status.started_at.map(instant);
        facts.extend(started.map(|started| ("Started", started)));
        facts.push(("Reports waiting", count(status.spool_reports)));
        facts.push((
            "Printers that do not answer",
            count(u64::from(status.devices_silent)),
        ));
        facts.push(("Restarts of its parts", count(u64::from(status.restarts))));
        if !status.configuration.is_empty() {
            facts.push(("Configured by command", status.configuration.clone()));
        }
    }
    facts.push(("Id", agent.id.clone()));
    facts
}

impl CommandLine {
    fn of(command: &CommandRow, now: Timestamp) -> Self {
        Self {
            href: href(command),
            what: words(&command.kind).to_owned(),
            mark: state_mark(command.state),
            why: if command.state.is_answered() {
                command.why.clone()
            } else {
                command.progress.clone()
            },
            issuer: command.issuer.clone(),
            reason: command.reason.clone(),
            ordered: if now.duration_since(command.made).as_hours() < 24 {
                ago(command.made, now)
            } else {
                moment(command.made)
            },
        }
    }
}

/// The address of a command's page.
pub(super) fn href(command: &CommandRow) -> String {
    format!("/agents/{}/commands/{}", command.agent, command.id)
}

/// A kind in words.
pub(super) fn words(kind: &str) -> &str {
    let offered = OFFERED.iter().find(|(action, _)| action.as_str() == kind);
    offered.map_or(kind, |(_, words)| words)
}

/// How a command stands.
pub(super) fn state_mark(state: CommandState) -> Mark {
    match state {
        CommandState::Open => mark(Kind::Unknown, "waits for the agent"),
        CommandState::Underway => mark(Kind::Unknown, "under way"),
        CommandState::Done => mark(Kind::Ok, "done"),
        CommandState::Refused => mark(Kind::Warning, "refused"),
        CommandState::Failed => mark(Kind::Critical, "failed"),
        CommandState::Expired => mark(Kind::Silent, "expired"),
    }
}

fn mark(kind: Kind, words: &str) -> Mark {
    Mark {
        kind,
        words: words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use printer::identity::DeviceId;

    use super::super::tests::sample_agent;
    use super::*;
    use crate::store::agents::AgentStatus;

    #[test]
    fn who_accepts_no_credential_stands_on_the_page_with_what_it_says() {
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let mut agent = sample_agent("here", at);
        let page = |agent: &AgentRow| {
            let now = Now {
                at,
                poll_every: Duration::from_secs(60),
                agents: &[],
            };
            let form = (Form::default(), |_: Action| false);
            build(agent, &[], form, now).render().unwrap()
        };
        let title = "Answers, but no credential fits";
        assert!(!page(&agent).contains(title));
        let refusing = |address: &str, device: &str| Refusing {
            address: address.to_owned(),
            why: "user '<b>': the user name is not known there".to_owned(),
            device: device.to_owned(),
        };
        agent.status = Some(AgentStatus {
            refusing: vec![refusing("10.20.4.17", ""), refusing("10.20.4.18", "0a0b")],
            ..AgentStatus::default()
        });
        let shown = page(&agent);
        assert!(shown.contains(title) && shown.contains("<bdi>10.20.4.17</bdi>"));
        assert!(shown.contains("<a href=\"/printers/0a0b\"><bdi>10.20.4.18</bdi></a>"));
        assert!(shown.contains("the user name is not known there"));
        assert!(!shown.contains("<b>"), "it is text");
        let id = |text: &str| DeviceId::parse(&text.repeat(16)).unwrap();
        let title = "May be another printer";
        assert!(!shown.contains(title));
        agent.status = Some(AgentStatus {
            doubtful: vec![Doubtful {
                device: id("0a"),
                address: "10.20.4.19".to_owned(),
                may_be: vec![id("0b")],
                more: 0,
                why: "new MAC, <b>same model".to_owned(),
                since: Timestamp::UNIX_EPOCH,
            }],
            ..AgentStatus::default()
        });
        let shown = page(&agent);
        assert!(shown.contains(title) && shown.contains("<bdi>10.20.4.19</bdi>"));
        assert!(shown.contains("new MAC, &lt;b&gt;same model"), "{shown}");
        assert!(!shown.contains("<b>"), "it is text");
    }
}
