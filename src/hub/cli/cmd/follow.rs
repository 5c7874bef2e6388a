//! Follows a command to its end on a terminal, and says how it ended.

use std::time::Duration;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{plain, say};
use crate::door::command::doctor;
use crate::store::commands::{CommandRow, CommandState};
use crate::store::{Store, Tenant};

/// How often the store is looked at: a person sees it as at once.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Waits for the last word, and says on stderr how far it is. Ends with the command's own time.
pub(super) async fn to_the_end(store: &Store, id: &str) -> Result<CommandRow, Complaint> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut said = String::new();
    loop {
        looks.tick().await;
        let Some(command) = store.command(&Tenant::DEFAULT, id).await? else {
            return Err(Complaint::new(
                Exit::FAILED,
                "the command is not in the store any more",
            ));
        };
        if command.state.is_answered() || is_over_unsent(&command) {
            return Ok(command);
        }
        let words = words(&command);
        if words != said {
            eprintln!("{words}");
            said = words;
        }
    }
}

/// Where no hub runs, nobody ends a command whose time is over.
fn is_over_unsent(command: &CommandRow) -> bool {
    command.sent == 0 && command.expires <= jiff::Timestamp::now()
}

fn words(command: &CommandRow) -> String {
    match (command.state, command.sent) {
        (CommandState::Underway, _) => plain(&command.progress),
        (_, 0) => "waits to be sent".to_owned(),
        (_, 1) => "sent".to_owned(),
        (_, times) => format!("sent {times} times; no answer yet"),
    }
}

/// Prints how a command ended; data to stdout. The exit code says it too.
pub(super) fn tell(command: &CommandRow, json: bool) -> Result<Exit, Complaint> {
    let exit = match command.state {
        CommandState::Done => Exit::OK,
        CommandState::Refused => Exit::REFUSED,
        CommandState::Failed => Exit::FAILED,
        CommandState::Expired | CommandState::Open | CommandState::Underway => Exit::NOTHING,
    };
    if json {
        say(as_json(command))?;
        return Ok(exit);
    }
    let text = String::from_utf8_lossy(&command.result);
    if let Some(report) = doctor::report(command) {
        let shown = report.text(plain, |mark, _| mark.to_owned());
        say(shown.trim_end())?;
    } else if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
        say(plain_lines(&format!("{value:#}")))?;
    } else if !text.is_empty() {
        say(plain_lines(text.trim_end()))?;
    }
    match command.state {
        CommandState::Done => eprintln!("done"),
        CommandState::Open | CommandState::Underway => eprintln!("over before anything was sent"),
        CommandState::Refused | CommandState::Failed | CommandState::Expired => {
            eprintln!("{}: {}", command.state.as_str(), plain(&command.why));
        }
    }
    Ok(exit)
}

/// An agent's text for a terminal, line by line.
fn plain_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(plain).collect();
    lines.join("\n")
}

/// A command as JSON; its result as JSON where it is, else as text.
pub(super) fn as_json(command: &CommandRow) -> serde_json::Value {
    let text = String::from_utf8_lossy(&command.result).into_owned();
    let result = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => value,
        Err(_) if text.is_empty() => serde_json::Value::Null,
        Err(_) => serde_json::Value::String(text),
    };
    serde_json::json!({
        "id": command.id,
        "agent": command.agent,
        "kind": command.kind,
        "issuer": command.issuer,
        "reason": command.reason,
        "made": command.made,
        "expires": command.expires,
        "sent": command.sent,
        "state": command.state.as_str(),
        "progress": command.progress,
        "why": command.why,
        "answered": command.answered,
        "result": result,
    })
}
