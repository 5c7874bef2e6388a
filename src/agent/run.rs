//! The agent's life from configuration to drain: open what is needed, start the actors, wait.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actors::certificates;
use actors::command::{CommandParts, Journal, MqttCarriage};
use actors::outbox::Outbox;
use actors::parts::{HubLink, Parts, Subnet, Word};
use actors::reach::range::AddressRange;
use actors::reach::resolve::Resolver;
use actors::reach::scope::{Door, Scope};
use actors::reach::snmp::Snmp;
use actors::spool::{Spool, SpoolKey, SpoolLimits};
use jiff::Timestamp;
use tracing::{error, warn};

use crate::cli::enrolling::explain_disabled;
use crate::cli::{CliError, Exit};
use crate::config::{AgentConfig, RangeConfig};
use crate::control::About;
use crate::identity::keeper::IdentityKeeper;
use crate::identity::refusals::Tally;
use crate::identity::{self, Identity, IdentityError};
use crate::profiles;
use crate::site::Program;

pub(crate) mod lives;

/// How long everyone may take to finish when the agent is told to end.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(8);
/// The spool's file in the state folder.
pub(crate) const SPOOL_FILE: &str = "spool.redb";
/// What was done of the hub's commands, in the state folder.
const JOURNAL_FILE: &str = "commands.redb";
/// Held locked while an agent runs on the state folder.
const LOCK_FILE: &str = "lock";

/// Runs the agent until `shutdown` resolves or its life ends by itself.
pub async fn run(config: AgentConfig, shutdown: impl Future<Output = ()>) -> Exit {
    match try_run(config, shutdown).await {
        Ok(exit) => exit,
        Err(error) => {
            error!(why = %error.why, next = %error.next, "{}", error.what);
            error.exit
        }
    }
}

/// As [`run`], for a caller who tells a person why it could not.
///
/// # Errors
/// [`CliError`] when the agent did not come up.
pub async fn try_run(
    config: AgentConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<Exit, CliError> {
    // Refused only if there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    identity::prepare(&config.state_dir).map_err(|error| {
        CliError::new(Exit::BAD_CONFIG, error.to_string())
            .because("the queue and the key are kept there, readable by the agent's user alone")
            .try_next(
                "set state_dir (PLATEN_STATE_DIR) to a folder of the agent's own user, or run as \
                 the user who owns it",
            )
    })?;
    let _lock = lock(&config.state_dir)?;
    check_enabled(&config.state_dir)?;
    let identity = identity_of(&config)?;
    let path = config.state_dir.join(SPOOL_FILE);
    let spool = Spool::open(path, spool_key(&config)?, SpoolLimits::default())
        .await
        .map_err(|error| {
            CliError::new(Exit::FAILED, error.to_string())
                .try_next("look at the disk of the state folder; nothing in it was changed")
        })?;
    let about = About {
        name: config.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        enrolled_as: identity
            .as_ref()
            .map(|identity| identity.agent_name.clone()),
    };
    let program = Program::new(config.clone(), identity.as_ref().and_then(Identity::opener));
    let keeper = identity.map(|identity| keeper(&config.state_dir, identity));
    let keeper = keeper.transpose()?;
    let means = Means {
        journal: journal(&config, keeper.as_deref()).await?,
        keeper,
        spool: spool.clone(),
        outbox: lives::outbox(&config),
    };
    let exit = lives::run(&program, &means, about, shutdown).await;
    spool.close().await;
    exit
}

/// What outlasts a life: the next one has it too.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    /// Who we are to the hub; none for an agent that stands alone.
    pub(crate) keeper: Option<Arc<IdentityKeeper>>,
    /// What was done of the hub's commands; none takes none.
    pub(crate) journal: Option<Journal>,
    /// Where reports wait.
    pub(crate) spool: Spool,
    /// Where everything that is sent is noted.
    pub(crate) outbox: Outbox,
}

/// An agent that the hub has refused too often does not run until it is enrolled anew.
fn check_enabled(state_dir: &Path) -> Result<(), CliError> {
    let tally = Tally::load(state_dir).map_err(|error| {
        CliError::new(Exit::BAD_CONFIG, error.to_string())
            .because("it may say that this agent is disabled")
            .try_next("enroll again: platen enroll --again URL CODE")
    })?;
    if tally.is_disabled() {
        return Err(explain_disabled(&tally));
    }
    Ok(())
}

/// Takes the identity over for this start, which is counted.
fn keeper(state_dir: &Path, identity: Identity) -> Result<Arc<IdentityKeeper>, CliError> {
    let kept = IdentityKeeper::new(state_dir, identity);
    kept.map(Arc::new).map_err(|error| match &error {
        // A full disk has room again some day: whoever restarts us shall try.
        IdentityError::Unusable { .. } => CliError::new(Exit::FAILED, error.to_string())
            .because("the number of each start must be on disk before the hub is called")
            .try_next("look at the disk of the state folder"),
        IdentityError::Damaged { .. } | IdentityError::NoCertificate { .. } => {
            CliError::new(Exit::BAD_CONFIG, error.to_string())
                .try_next("enroll again: platen enroll --again URL CODE")
        }
    })
}

/// Takes the state folder for this process alone.
fn lock(state_dir: &Path) -> Result<File, CliError> {
    let path = state_dir.join(LOCK_FILE);
    let shown = path.display().to_string();
    let unusable = |error: std::io::Error| {
        CliError::new(Exit::BAD_CONFIG, format!("{shown} cannot be locked"))
            .because(error.to_string())
    };
    let file = File::create(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = format!("another agent runs on {}", state_dir.display());
            Err(CliError::new(Exit::FAILED, what)
                .because("two would report the same printers under one name")
                .try_next("stop it, or give this one a state_dir of its own"))
        }
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// What the spool is sealed with: the configured file, or the key in the state folder.
fn spool_key(config: &AgentConfig) -> Result<SpoolKey, CliError> {
    let (key, next) = match &config.spool_key_file {
        Some(file) => (
            SpoolKey::from_file(file),
            "put the key there again, readable by the agent's user alone: 32 random octets, or 64 \
             hexadecimal digits as of openssl rand -hex 32",
        ),
        None => (
            SpoolKey::of_folder(&config.state_dir),
            "put the file back from a backup; if it is lost, remove it: the spool is then set \
             aside, and a new one is begun with a new key",
        ),
    };
    key.map_err(|error| {
        CliError::new(Exit::BAD_CONFIG, error.to_string())
            .because("what waits for the hub is sealed with it")
            .try_next(next)
    })
}

/// Who we are to the hub; none for an agent that stands alone.
fn identity_of(config: &AgentConfig) -> Result<Option<Identity>, CliError> {
    let loaded = Identity::load(&config.state_dir).map_err(|error| {
        CliError::new(Exit::BAD_CONFIG, error.to_string())
            .try_next("enroll again: platen enroll --again URL CODE")
    })?;
    if let (None, Some(url)) = (&loaded, &config.hub_url) {
        return Err(CliError::new(
            Exit::BAD_CONFIG,
            format!("the configuration names the hub {url}, but this agent is not enrolled"),
        )
        .because(format!(
            "there is no identity in {}",
            config.state_dir.display()
        ))
        .try_next(format!(
            "platen enroll {url} CODE, with a code of platen-hub agent invite"
        )));
    }
    Ok(loaded)
}

/// Opens everything the actors need.
pub(crate) async fn parts(
    config: &AgentConfig,
    means: &Means,
    word: Word,
) -> Result<Parts, CliError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        CliError::new(Exit::FAILED, what).because(error.to_string())
    };
    let profiles = profiles::load(config.profiles_dir.as_deref()).map_err(|error| {
        CliError::new(Exit::BAD_CONFIG, "the vendor profiles cannot be used")
            .because(error.to_string())
            .try_next("correct the file, or take profiles_dir out of the configuration")
    })?;
    let snmp =
        Snmp::open(config.snmp).map_err(|error| failed("no UDP socket could be opened", &error))?;
    if config.ranges.is_empty() {
        warn!("there are no [[ranges]] in the configuration: no printer is looked for");
    }
    let mut subnets = Vec::with_capacity(config.ranges.len());
    for range in &config.ranges {
        subnets.push(Arc::new(subnet(range, config.snmp_port).await?));
    }
    let keeper = means.keeper.clone();
    let hub = keeper.map(|keeper| HubLink {
        outbox: means.outbox.clone(),
        ..hub_link(config, keeper)
    });
    let commands = hub.as_ref().and_then(|hub| commands(hub, means));
    let hub_url = hub.as_ref().map(|hub| hub.url.clone());
    Ok(Parts {
        settings: config.settings,
        subnets,
        snmp,
        spool: means.spool.clone(),
        profiles: Arc::new(profiles),
        hub,
        commands,
        site: None,
        web_access: config.web_access.policy(hub_url.as_deref()),
        word,
        quarantine: Some(config.state_dir.join(actors::quarantine::FOLDER)),
        certificates: Some(config.state_dir.join(certificates::FOLDER)),
        started_at: Timestamp::now(),
        runtime: tokio::runtime::Handle::current(),
    })
}

/// Where the hub is, by the configuration or else by the enrollment, and how commands come.
pub(crate) fn hub_link(config: &AgentConfig, keeper: Arc<IdentityKeeper>) -> HubLink {
    let identity = keeper.identity();
    let url = config.hub_url.clone().unwrap_or(identity.hub_url);
    let mqtt = config.mqtt.link(&url, &config.state_dir);
    let mqtt = mqtt.map_err(|why| error!(%why, "there is no broker: no commands are taken"));
    HubLink {
        route: config.route.route.clone(),
        mqtt: mqtt.ok(),
        ..HubLink::new(url, identity.authority, keeper)
    }
}

/// What was done of the hub's commands; none for an agent that was enrolled before there were any.
async fn journal(
    config: &AgentConfig,
    keeper: Option<&IdentityKeeper>,
) -> Result<Option<Journal>, CliError> {
    let Some(keeper) = keeper else {
        return Ok(None);
    };
    if let Err(error) = keeper.identity().command_key() {
        warn!(%error, "no commands are taken");
        return Ok(None);
    }
    let journal = Journal::open(config.state_dir.join(JOURNAL_FILE)).await;
    journal.map(Some).map_err(|error| {
        CliError::new(Exit::FAILED, error.to_string())
            .because("without it a command could be done twice")
            .try_next(format!(
                "look at the disk of the state folder; if {JOURNAL_FILE} is damaged, remove it: \
                 it holds no reading"
            ))
    })
}

/// Whom to believe in commands, and how they come.
fn commands(hub: &HubLink, means: &Means) -> Option<CommandParts> {
    let identity = means.keeper.as_ref()?.identity();
    let carriage = MqttCarriage::of(hub, &identity.agent_id)?;
    Some(CommandParts {
        carriage: Arc::new(carriage),
        command_key: identity.command_key().ok()?.to_vec(),
        agent_id: identity.agent_id,
        journal: means.journal.clone()?,
    })
}

/// A configured range with its names resolved.
pub(crate) async fn subnet(range: &RangeConfig, port: u16) -> Result<Subnet, CliError> {
    let addresses = resolved(&range.addresses, &range.label).await?;
    let exclude = resolved(&range.exclude, &range.label).await?;
    let door = Door::Snmp { port };
    let others = range.doors.open().map(|(_, door)| door);
    let doors: Vec<Door> = [door, Door::Icmp].into_iter().chain(others).collect();
    let scope = Scope::new(&addresses, &exclude, &doors)
        .map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?;
    let web = Scope::of_web(&addresses, &exclude, &range.web_ports)
        .map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?;
    let (names, credentials) = range.credentials.iter().cloned().unzip();
    Ok(Subnet {
        label: range.label.clone(),
        scope,
        door,
        web,
        credentials,
        names,
    })
}

/// Ranges with every name resolved. A name that nobody knows ends the start: an exclusion left
/// out would widen the scope, and an address left out would go unnoticed.
async fn resolved(ranges: &[AddressRange], label: &str) -> Result<Vec<AddressRange>, CliError> {
    if ranges.iter().all(|range| range.name().is_none()) {
        return Ok(ranges.to_vec());
    }
    let unknown = |error: &dyn std::fmt::Display| {
        CliError::new(
            Exit::FAILED,
            format!("a host name of the range '{label}' is not known"),
        )
        .because(error.to_string())
        .try_next("correct it, or write its address")
    };
    let resolver = Resolver::from_system().map_err(|error| unknown(&error))?;
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        all.extend(
            resolver
                .resolve(range)
                .await
                .map_err(|error| unknown(&error))?,
        );
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
