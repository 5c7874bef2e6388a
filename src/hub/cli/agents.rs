//! `agent`: invite one, list them, revoke one.

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{bound, open, plain, say};
use crate::config::HubConfig;
use crate::door::code::Code;
use crate::store::Tenant;
use crate::store::agents::AgentRow;

/// Longest name of an agent, in characters: it stands in tables.
const NAME_LEN_MAX: usize = 64;

/// What can be done about agents.
#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Print the one line to run at a site; its code works once, within 30 minutes
    Invite {
        /// What the agent will be called: letters, digits, '.', '_' and '-'
        #[arg(value_parser = name)]
        name: String,
    },
    /// List every agent
    Ls {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Refuse an agent from here on; invite it again to let it back
    Revoke {
        /// Its name or id
        agent: String,
    },
}

fn name(text: &str) -> Result<String, String> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || text.len() > NAME_LEN_MAX || !text.bytes().all(is_sign) {
        return Err(format!(
            "write 1 to {NAME_LEN_MAX} letters, digits, '.', '_' or '-'"
        ));
    }
    Ok(text.to_owned())
}

/// Does what was asked about agents.
pub(super) async fn run(verb: AgentVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    match verb {
        AgentVerb::Invite { name } => invite(config, &name).await,
        AgentVerb::Ls { json } => list(config, json).await,
        AgentVerb::Revoke { agent } => revoke(config, &agent).await,
    }
}

async fn invite(config: &HubConfig, name: &str) -> Result<Exit, Complaint> {
    let (store, authority) = open(config).await?;
    let url = config.public_url(bound(config)?.uplink);
    let code = Code::generate(&authority.fingerprint()).map_err(|error| {
        Complaint::new(
            Exit::FAILED,
            format!("the machine gives no random numbers: {error}"),
        )
    })?;
    store
        .invite(&Tenant::DEFAULT, name, code.secret(), Timestamp::now())
        .await?;
    let agents = store.agents(&Tenant::DEFAULT).await?;
    say(format!("platen enroll {url} {}", code.reveal()))?;
    eprintln!("run this line at the site; it works once, within 30 minutes");
    if agents
        .iter()
        .any(|agent| agent.name == name && agent.revoked.is_none())
    {
        eprintln!("{name} is enrolled: this line takes its place and ends its certificate");
    }
    Ok(Exit::OK)
}

async fn revoke(config: &HubConfig, agent: &str) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    if !store
        .revoke(&Tenant::DEFAULT, agent, Timestamp::now())
        .await?
    {
        let what = format!("there is no agent '{}' that could be revoked", plain(agent));
        return Err(Complaint::new(Exit::NOTHING, what)
            .because("none that is enrolled has this name or id")
            .try_next("platen-hub agent ls lists every one"));
    }
    eprintln!("{} is refused from its next poll on", plain(agent));
    Ok(Exit::OK)
}

async fn list(config: &HubConfig, json: bool) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let agents = store.agents(&Tenant::DEFAULT).await?;
    if json {
        let agents: Vec<serde_json::Value> = agents.iter().map(as_json).collect();
        say(serde_json::json!({"schema": 1, "agents": agents}))?;
        return Ok(Exit::OK);
    }
    if agents.is_empty() {
        eprintln!("no agent is enrolled; invite one: platen-hub agent invite NAME");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "AGENT",
        "STATE",
        "PRINTERS",
        "WAITING",
        "VERSION",
        "LAST POLL",
        "ID",
    ]);
    for agent in &agents {
        let waiting = agent
            .status
            .as_ref()
            .map(|status| status.spool_reports.to_string());
        table.add_row([
            plain(&agent.name),
            state(agent),
            agent.printers.to_string(),
            waiting.unwrap_or_default(),
            plain(&agent.version),
            agent
                .last_poll
                .map_or_else(|| "never".to_owned(), |at| at.to_string()),
            agent.id.clone(),
        ]);
    }
    say(table.trim_fmt())?;
    Ok(Exit::OK)
}

fn state(agent: &AgentRow) -> String {
    match (&agent.revoked, &agent.trouble) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(trouble)) => format!("refused: {}", plain(trouble)),
        (None, None) => match agent
            .status
            .as_ref()
            .and_then(|status| status.alarms.first())
        {
            Some(alarm) => format!("alarm: {}", plain(alarm)),
            None => "enrolled".to_owned(),
        },
    }
}

fn as_json(agent: &AgentRow) -> serde_json::Value {
    serde_json::json!({
        "id": agent.id,
        "name": agent.name,
        "enrolled": agent.enrolled,
        "certificate_until": agent.certificate_until,
        "revoked": agent.revoked,
        "last_poll": agent.last_poll,
        "version": agent.version,
        "status": agent.status,
        "trouble": agent.trouble,
        "printers": agent.printers,
    })
}
