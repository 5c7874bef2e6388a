//! `audit`: goes through the chain of what was done in sessions, lists it and hands it out.
//!
//! The chain is read from the store; whether it ends where the hub left it says the state folder,
//! so this runs on the hub's own machine. It may run beside the hub.

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::head::HeadError;
use crate::audit::writer::{AuditError, Chain};
use crate::audit::{Entry, Line};
use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{open, plain, say};
use crate::config::HubConfig;
use crate::session::SessionId;
use crate::store::{Store, Tenant};

/// Lines of `audit ls`, newest first.
const LISTED_MAX: usize = 100;

/// Lines that are read at once for an export.
const PAGE: usize = 1_000;

/// The columns of an export.
const COLUMNS: [&str; 10] = [
    "sequence", "at", "tenant", "session", "kind", "entry", "opening", "before", "hash", "seal",
];

/// What can be asked of the audit.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Go through the whole chain: is any line changed, missing or put in?
    Verify,
    /// List the newest lines
    Ls {
        /// Only those of one session, by its id
        #[arg(long, value_name = "ID")]
        session: Option<String>,
        /// As JSON, a line each
        #[arg(long)]
        json: bool,
    },
    /// Print every line in order, with what its hash is made of
    Export {
        /// Only from then on, as 2026-11-25T07:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
        /// As CSV
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// As JSON, a line each [default]
        #[arg(long)]
        json: bool,
    },
    /// Go on with a chain that does not end where it should, after a restore
    Adopt {
        /// Why: stands in the chain from then on
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Answers what was asked of the audit.
pub(super) async fn run(verb: AuditVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    match verb {
        AuditVerb::Verify => verify(store, config).await,
        AuditVerb::Ls { session, json } => list(&store, session.as_deref(), json).await,
        AuditVerb::Export { since, csv, .. } => {
            export(&store, since.unwrap_or(Timestamp::MIN), csv).await
        }
        AuditVerb::Adopt { reason } => adopt(store, config, reason.trim()).await,
    }
}

async fn verify(store: Store, config: &HubConfig) -> Result<Exit, Complaint> {
    let chain = Chain::open(store, &config.state_dir)?;
    let end = chain.verify().await?;
    say(format!(
        "{} lines, whole; the last hash is {}",
        end.sequence, end.hash
    ))?;
    let entry = Entry::verified(&Tenant::DEFAULT, &end);
    if let Err(error) = chain.add(&[entry], Timestamp::now()).await {
        eprintln!("that it was verified could not be written down: {error}");
    }
    Ok(Exit::OK)
}

async fn list(store: &Store, session: Option<&str>, json: bool) -> Result<Exit, Complaint> {
    let session = session.map(super::sessions::session_id).transpose()?;
    let session: Option<&SessionId> = session.as_ref();
    let lines = store.audit_newest(&Tenant::DEFAULT, session, LISTED_MAX);
    let lines = lines.await?;
    if json {
        for line in &lines {
            say(as_json(line))?;
        }
        return Ok(Exit::OK);
    }
    if lines.is_empty() {
        eprintln!("nothing is in the audit");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["NO", "AT", "SESSION", "WHAT", "ENTRY"]);
    for line in &lines {
        table.add_row([
            line.sequence.to_string(),
            at(line),
            line.session.chars().take(8).collect(),
            plain(&line.kind),
            plain(&line.body),
        ]);
    }
    say(table.trim_fmt())?;
    Ok(Exit::OK)
}

async fn export(store: &Store, since: Timestamp, csv: bool) -> Result<Exit, Complaint> {
    if csv {
        say(COLUMNS.join(","))?;
    }
    let mut last = 0;
    loop {
        let lines = store.audit_since(last, since, PAGE).await?;
        let Some(line) = lines.last() else {
            return Ok(Exit::OK);
        };
        last = line.sequence;
        for line in &lines {
            if csv {
                say(as_csv(line))?;
            } else {
                say(as_json(line))?;
            }
        }
    }
}

async fn adopt(store: Store, config: &HubConfig, reason: &str) -> Result<Exit, Complaint> {
    if reason.is_empty() {
        return Err(Complaint::new(Exit::FAILED, "a reason is empty")
            .because("it stands in the chain from then on")
            .try_next("--reason 'the database was restored from the backup of Monday'"));
    }
    let chain = Chain::open(store, &config.state_dir)?;
    let expected = chain
        .adopt(&Tenant::DEFAULT, reason, Timestamp::now())
        .await?;
    match expected {
        Some(end) => eprintln!(
            "the chain goes on; it was to end with line {}",
            end.sequence
        ),
        None => eprintln!("the chain goes on; where it was to end is not known"),
    }
    Ok(Exit::OK)
}

fn at(line: &Line) -> String {
    Timestamp::from_millisecond(line.at_ms).map_or_else(|_| String::new(), |at| at.to_string())
}

/// A line as JSON. What its hash covers is the entry as compact JSON with its keys in order.
fn as_json(line: &Line) -> Value {
    let entry = serde_json::from_str(&line.body);
    json!({
        "sequence": line.sequence,
        "at": at(line),
        "at_ms": line.at_ms,
        "tenant": line.tenant,
        "session": line.session,
        "kind": line.kind,
        "entry": entry.unwrap_or_else(|_| Value::String(line.body.clone())),
        "opening": line.opening,
        "before": line.before,
        "hash": line.hash,
        "seal": line.seal,
    })
}

/// A line as CSV (RFC 4180), every field in quotes and as its hash covers it.
fn as_csv(line: &Line) -> String {
    let (sequence, opening) = (line.sequence.to_string(), line.opening.to_string());
    let fields = [
        &sequence,
        &at(line),
        &line.tenant,
        &line.session,
        &line.kind,
        &line.body,
        &opening,
        &line.before,
        &line.hash,
        &line.seal,
    ];
    let quoted = fields.map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
    quoted.join(",")
}

impl From<HeadError> for Complaint {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::State(error) => error.into(),
            HeadError::Random(error) => error.into(),
            HeadError::File { .. } | HeadError::Unreadable(_) => {
                Self::new(Exit::FAILED, error.to_string())
                    .because("it says where the audit ends, and only this hub can write it")
                    .try_next("run as the hub's user; restore audit.key and audit.head together")
            }
            HeadError::Busy => Self::new(Exit::FAILED, error.to_string())
                .try_next("end the other platen-hub audit, or wait until it is done"),
        }
    }
}

impl From<AuditError> for Complaint {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Head(error) => error.into(),
            AuditError::Store(error) => error.into(),
            AuditError::Ending => Self::new(Exit::FAILED, error.to_string()),
            AuditError::NoHead(_) | AuditError::Wrong(_) => {
                Self::new(Exit::NOTHING, error.to_string())
                    .because("somebody wrote to the database or the state folder beside the hub, or one of the two was restored alone")
                    .try_next("keep a copy of both and find out; after a restore: platen-hub audit adopt --reason TEXT")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_an_export_stays_one_field() {
        let line = Line {
            sequence: 7,
            at_ms: 0,
            tenant: "default".to_owned(),
            session: String::new(),
            kind: "asked".to_owned(),
            body: r#"{"path":"/a\",\n=cmd"}"#.to_owned(),
            opening: 7,
            before: "b".to_owned(),
            hash: "h".to_owned(),
            seal: "s".to_owned(),
        };
        let csv = as_csv(&line);
        assert_eq!(csv.lines().count(), 1);
        assert!(
            csv.contains(r#""{""path"":""/a\"",\n=cmd""}","7","b","h","s""#),
            "{csv}"
        );
        assert_eq!(as_json(&line)["entry"]["path"], "/a\",\n=cmd");
    }
}
