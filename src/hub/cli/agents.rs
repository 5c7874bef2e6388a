//! `agent`: invite one, list them, show one, release one, revoke one. Whom to let in is
//! [`super::approvals`].

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{approvals, bound, open, plain, say};
use crate::config::HubConfig;
use crate::door::code::Code;
use crate::store::agents::AgentRow;
use crate::store::approvals::grouped;
use crate::store::holders::REFUSALS_MAX;
use crate::store::invitations::Invited;
use crate::store::{Store, Tenant};

/// Longest name of an agent, in characters: it stands in tables.
const NAME_LEN_MAX: usize = 64;

/// Longest name of a site, in characters.
const SITE_LEN_MAX: usize = 64;

/// What can be done about agents.
#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Print the one line to run at a site; its code works once, within 30 minutes
    Invite {
        /// What the agent will be called: letters, digits, '.', '_' and '-'
        #[arg(value_parser = name)]
        name: String,
        /// The site it will stand at, as people call it
        #[arg(long, value_parser = site, default_value = "", hide_default_value = true)]
        site: String,
        /// Let it in only after `agent approve`; [enrollment] approval asks for that always
        #[arg(long)]
        approve: bool,
    },
    /// List the agents that wait for approval, with the fingerprints of their keys
    Pending {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a waiting agent in, after its site has read the same fingerprint to you
    Approve {
        /// Its name, or the first 8 or more digits of its fingerprint
        agent: String,
    },
    /// Turn a waiting agent down, and its code with it
    Refuse {
        /// Its name, or the first 8 or more digits of its fingerprint
        agent: String,
    },
    /// Show one agent: certificate, key, quarantine, what it last said
    Show {
        /// Its name or id
        agent: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End an agent's quarantine: whoever of it speaks next is the agent
    Release {
        /// Its name or id
        agent: String,
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

pub(super) fn name(text: &str) -> Result<String, String> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || text.len() > NAME_LEN_MAX || !text.bytes().all(is_sign) {
        return Err(format!(
            "write 1 to {NAME_LEN_MAX} letters, digits, '.', '_' or '-'"
        ));
    }
    Ok(text.to_owned())
}

fn site(text: &str) -> Result<String, String> {
    if text.chars().count() > SITE_LEN_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "write at most {SITE_LEN_MAX} characters on one line"
        ));
    }
    Ok(text.trim().to_owned())
}

/// Does what was asked about agents.
pub(super) async fn run(verb: AgentVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    match verb {
        AgentVerb::Invite {
            name,
            site,
            approve,
        } => {
            let invited = Invited {
                name: &name,
                site: &site,
                approval: approve || config.approval,
            };
            invite(config, invited).await
        }
        AgentVerb::Pending { json } => approvals::pending(config, json).await,
        AgentVerb::Approve { agent } => approvals::approve(config, &agent).await,
        AgentVerb::Refuse { agent } => approvals::refuse(config, &agent).await,
        AgentVerb::Show { agent, json } => show(config, &agent, json).await,
        AgentVerb::Release { agent } => release(config, &agent).await,
        AgentVerb::Ls { json } => list(config, json).await,
        AgentVerb::Revoke { agent } => revoke(config, &agent).await,
    }
}

async fn invite(config: &HubConfig, invited: Invited<'_>) -> Result<Exit, Complaint> {
    let (store, authority) = open(config).await?;
    let url = config.public_url(bound(config)?.uplink);
    let code = Code::generate(&authority.fingerprint()).map_err(|error| {
        Complaint::new(
            Exit::FAILED,
            format!("the machine gives no random numbers: {error}"),
        )
    })?;
    store
        .invite(&Tenant::DEFAULT, invited, code.secret(), Timestamp::now())
        .await?;
    let agents = store.agents(&Tenant::DEFAULT).await?;
    say(format!("platen enroll {url} {}", code.reveal()))?;
    eprintln!("run this line at the site; it works once, within 30 minutes");
    if invited.approval {
        eprintln!("then compare the fingerprint it prints: platen-hub agent pending");
    }
    let name = invited.name;
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

async fn release(config: &HubConfig, agent: &str) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    if !store.release(&Tenant::DEFAULT, agent).await? {
        let what = format!("there is no agent '{}' in quarantine", plain(agent));
        return Err(Complaint::new(Exit::NOTHING, what)
            .because("none that is set aside has this name or id")
            .try_next("platen-hub agent ls says who is"));
    }
    let agent = plain(agent);
    eprintln!("{agent} is released: whoever of it speaks next is the agent");
    eprintln!(
        "if another holder may be left, make a new code instead: platen-hub agent invite {agent}"
    );
    Ok(Exit::OK)
}

async fn show(config: &HubConfig, wanted: &str, json: bool) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let agents = store.agents(&Tenant::DEFAULT).await?;
    let found = agents
        .iter()
        .find(|agent| agent.name == wanted || agent.id == wanted);
    let Some(agent) = found else {
        let what = format!("there is no agent '{}'", plain(wanted));
        return Err(Complaint::new(Exit::NOTHING, what)
            .because("none has this name or id")
            .try_next("platen-hub agent ls lists every one"));
    };
    if json {
        say(serde_json::json!({"schema": 1, "agent": as_json(agent)}))?;
        return Ok(Exit::OK);
    }
    let status = agent.status.clone().unwrap_or_default();
    let mut lines = vec![
        ("agent", plain(&agent.name)),
        ("site", plain(&agent.site)),
        ("id", agent.id.clone()),
        ("state", state(agent)),
        ("key", grouped(&agent.key_hash)),
        ("enrolled", agent.enrolled.to_string()),
        ("certificate", format!("until {}", agent.certificate_until)),
        ("last poll", last_poll(agent)),
        ("version", plain(&agent.version)),
        ("start", format!("number {}", status.boot)),
        ("printers", agent.printers.to_string()),
    ];
    lines.extend(status.alarms.iter().map(|alarm| ("alarm", plain(alarm))));
    let refusing = status.refusing.iter();
    lines.extend(refusing.map(|it| {
        let said = format!(
            "{} answers, but no credential fits: {}",
            plain(&it.address),
            plain(&it.why)
        );
        ("refusing", said)
    }));
    let doubtful = status.doubtful.iter();
    lines.extend(doubtful.map(|it| {
        let (address, why) = (plain(&it.address), plain(&it.why));
        let said = format!("{address} {} may be another printer: {why}", it.device);
        ("doubtful", said)
    }));
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        say(format!("{name:12} {value}"))?;
    }
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
    tell_alarms(&store).await?;
    if agents.is_empty() {
        eprintln!("no agent is enrolled; invite one: platen-hub agent invite NAME");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "AGENT",
        "SITE",
        "STATE",
        "PRINTERS",
        "REFUSING",
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
            plain(&agent.site),
            state(agent),
            agent.printers.to_string(),
            refusing(agent),
            waiting.unwrap_or_default(),
            plain(&agent.version),
            last_poll(agent),
            agent.id.clone(),
        ]);
    }
    say(table.trim_fmt())?;
    Ok(Exit::OK)
}

/// What a person should know about enrollments, beside the list.
pub(super) async fn tell_alarms(store: &Store) -> Result<(), Complaint> {
    let alarms = store.enrollment_alarms(&Tenant::DEFAULT, Timestamp::now());
    for alarm in alarms.await? {
        eprintln!("alarm: {}", plain(&alarm.to_string()));
    }
    Ok(())
}

/// How many devices answer there and accept no credential.
fn refusing(agent: &AgentRow) -> String {
    let status = agent.status.as_ref();
    status.map_or_else(String::new, |status| status.refusing.len().to_string())
}

fn last_poll(agent: &AgentRow) -> String {
    let at = agent.last_poll.map(|at| at.to_string());
    at.unwrap_or_else(|| "never".to_owned())
}

fn state(agent: &AgentRow) -> String {
    match (&agent.revoked, &agent.quarantined, &agent.trouble) {
        (Some(at), ..) if agent.refusals >= REFUSALS_MAX => {
            format!("revoked {at}; disabled itself after {REFUSALS_MAX} refusals")
        }
        (Some(at), ..) => format!("revoked {at}"),
        (None, Some((_, reason)), _) => format!("quarantined: {}", plain(reason)),
        (None, None, Some(trouble)) => format!("refused: {}", plain(trouble)),
        (None, None, None) => {
            let alarms = agent.status.as_ref().map(|status| &status.alarms);
            match alarms.and_then(|alarms| alarms.first()) {
                Some(alarm) => format!("alarm: {}", plain(alarm)),
                None => "enrolled".to_owned(),
            }
        }
    }
}

fn as_json(agent: &AgentRow) -> serde_json::Value {
    serde_json::json!({
        "id": agent.id,
        "name": agent.name,
        "site": agent.site,
        "key": agent.key_hash,
        "quarantined": agent.quarantined.as_ref().map(|(since, _)| since),
        "quarantine": agent.quarantined.as_ref().map(|(_, reason)| reason),
        "refusals": agent.refusals,
        "is_disabled": agent.revoked.is_some() && agent.refusals >= REFUSALS_MAX,
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
