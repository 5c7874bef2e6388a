//! `sessions`: lists sessions with printers' pages, shows one, ends one.
//!
//! Read from the store, so that it works beside the hub; an end is asked of the running hub there.

use std::time::Duration;

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{open, plain, say};
use crate::config::HubConfig;
use crate::session::SessionId;
use crate::state;
use crate::store::web_sessions::{SessionRow, SessionState};
use crate::store::{Store, Tenant};

/// Sessions in one list.
const LISTED_MAX: usize = 100;

/// Longest that the hub may take to end one; it looks every second.
const END_PATIENCE: Duration = Duration::from_secs(15);

/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What can be asked of sessions.
#[derive(Debug, Subcommand)]
pub enum SessionsVerb {
    /// List the newest
    Ls {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one
    Show {
        /// The session's id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End one
    End {
        /// The session's id
        id: String,
    },
}

/// Answers what was asked of sessions.
pub(super) async fn run(verb: SessionsVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    match verb {
        SessionsVerb::Ls { json } => list(&store, json).await,
        SessionsVerb::Show { id, json } => {
            let row = find(&store, &session_id(&id)?).await?;
            if json {
                say(as_json(&row))?;
            } else {
                say(words(&row))?;
            }
            Ok(Exit::OK)
        }
        SessionsVerb::End { id } => end(&store, config, &session_id(&id)?).await,
    }
}

/// A session's id as somebody wrote it.
pub(super) fn session_id(text: &str) -> Result<SessionId, Complaint> {
    SessionId::parse(text.trim()).ok_or_else(|| {
        let what = format!("'{}' is no session", plain(text));
        Complaint::new(Exit::NOTHING, what)
            .because("a session's id has 32 hex digits")
            .try_next("platen-hub sessions ls lists them")
    })
}

async fn find(store: &Store, id: &SessionId) -> Result<SessionRow, Complaint> {
    let row = store.web_session(&Tenant::DEFAULT, id).await?;
    row.ok_or_else(|| {
        Complaint::new(Exit::NOTHING, format!("there is no session {id}"))
            .because("none of this hub has this id")
            .try_next("platen-hub sessions ls lists them")
    })
}

async fn end(store: &Store, config: &HubConfig, id: &SessionId) -> Result<Exit, Complaint> {
    let row = find(store, id).await?;
    if row.state == SessionState::Ended {
        eprintln!("it has ended: {}", plain(&row.why));
        return Ok(Exit::OK);
    }
    store
        .web_session_want_end(&Tenant::DEFAULT, id, "operator")
        .await?;
    if state::running(&config.state_dir).is_none() {
        eprintln!("no hub runs here, so nothing of it lives; the next one writes its end down");
        return Ok(Exit::OK);
    }
    let ended = async {
        loop {
            let row = find(store, id).await?;
            if row.state == SessionState::Ended {
                return Ok::<_, Complaint>(row);
            }
            sleep(LOOK_EVERY).await;
        }
    };
    match timeout(END_PATIENCE, ended).await {
        Ok(row) => {
            eprintln!("{}", plain(&row?.why));
            Ok(Exit::OK)
        }
        Err(_) => Err(Complaint::new(Exit::FAILED, "the hub has not ended it yet")
            .because("it looks every second, and its store may be slow")
            .try_next(format!("platen-hub sessions show {id}"))),
    }
}

async fn list(store: &Store, json: bool) -> Result<Exit, Complaint> {
    let rows = store.web_sessions(&Tenant::DEFAULT, LISTED_MAX).await?;
    if json {
        let sessions: Vec<Value> = rows.iter().map(as_json).collect();
        say(json!({"schema": 1, "sessions": sessions}))?;
        return Ok(Exit::OK);
    }
    if rows.is_empty() {
        eprintln!("nobody has opened a session");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "OPENED", "WHO", "DEVICE", "PORT", "STATE", "REQUESTS", "WHY", "ID",
    ]);
    for row in &rows {
        table.add_row([
            row.opened.to_string(),
            plain(&row.holder),
            row.device.as_str().to_owned(),
            row.port.to_string(),
            row.state.as_str().to_owned(),
            row.totals.requests.to_string(),
            plain(if row.why.is_empty() {
                &row.reason
            } else {
                &row.why
            }),
            row.id.as_str().to_owned(),
        ]);
    }
    say(table.trim_fmt())?;
    Ok(Exit::OK)
}

fn words(row: &SessionRow) -> String {
    let ended = row.ended.map_or_else(String::new, |at| at.to_string());
    let facts = [
        ("id", row.id.as_str().to_owned()),
        ("state", row.state.as_str().to_owned()),
        ("device", row.device.as_str().to_owned()),
        ("port", row.port.to_string()),
        ("agent", row.agent.clone()),
        ("who", row.holder.clone()),
        ("from", row.from.clone()),
        ("reason", row.reason.clone()),
        ("opened", row.opened.to_string()),
        ("until", row.until.to_string()),
        ("read-only", row.is_read_only.to_string()),
        ("approved by", row.approved_by.clone()),
        ("requests", row.totals.requests.to_string()),
        ("sent", row.totals.sent.to_string()),
        ("received", row.totals.received.to_string()),
        ("ended", ended),
        ("by", row.cause.clone()),
        ("why", row.why.clone()),
    ];
    let told = facts.iter().filter(|(_, fact)| !fact.is_empty());
    let lines: Vec<String> = told
        .map(|(name, fact)| format!("{name:<12} {}", plain(fact)))
        .collect();
    lines.join("\n")
}

fn as_json(row: &SessionRow) -> Value {
    json!({
        "id": row.id.as_str(),
        "state": row.state.as_str(),
        "device": row.device.as_str(),
        "port": row.port,
        "agent": row.agent,
        "who": row.holder,
        "from": row.from,
        "reason": row.reason,
        "opened": row.opened,
        "until": row.until,
        "is_read_only": row.is_read_only,
        "is_fallback": row.is_fallback,
        "command": row.command,
        "approved_by": row.approved_by,
        "requests": row.totals.requests,
        "sent": row.totals.sent,
        "received": row.totals.received,
        "ended": row.ended,
        "cause": row.cause,
        "why": row.why,
    })
}
