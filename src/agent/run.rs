//! The agent's life from configuration to drain: open what is needed, start the actors, wait.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actors::mask::Masks;
use actors::outbox::Outbox;
use actors::parts::{HubLink, Parts, Subnet, Word};
use actors::reach::credential::Secret;
use actors::reach::range::AddressRange;
use actors::reach::resolve::Resolver;
use actors::reach::scope::{Door, Scope};
use actors::reach::snmp::Snmp;
use actors::spool::{Spool, SpoolKey, SpoolLimits};
use actors::{Ended, Handle};
use jiff::Timestamp;
use printer::profile::Profiles;
use tracing::{error, info, warn};

use crate::cli::{CliError, Exit};
use crate::config::{AgentConfig, RangeConfig};
use crate::control::{self, About};
use crate::identity::{self, Identity};
use crate::remote::InEffect;
use crate::site::Program;

/// How long everyone may take to finish when the agent is told to end.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(8);
/// The spool's file in the state folder.
pub(crate) const SPOOL_FILE: &str = "spool.redb";
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
    let program = Program::new(config, identity.as_ref().and_then(Identity::opener));
    let exit = lives(&program, (identity, about), &spool, shutdown).await;
    spool.close().await;
    exit
}

/// One life after the other, each with the configuration of its beginning, on one spool.
async fn lives(
    program: &Program,
    (identity, about): (Option<Identity>, About),
    spool: &Spool,
    shutdown: impl Future<Output = ()>,
) -> Result<Exit, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::new(Exit::FAILED, error.to_string());
    let mut shutdown = std::pin::pin!(shutdown);
    let mut outbox = None;
    loop {
        let effect = program.in_effect();
        let outbox = outbox.get_or_insert_with(|| outbox_of(&effect.config));
        let word = word(&effect, spool, outbox.clone())?;
        let masks = word.masks.clone();
        let mut parts = parts(&effect.config, identity.clone(), spool.clone(), word).await?;
        parts.site = Some(Arc::new(program.clone()));
        let life = actors::start(parts).await.map_err(|error| failed(&error))?;
        let life = Arc::new(life);
        program.lives(life.clone(), masks);
        let control = control::listen(
            &effect.config.state_dir,
            about.clone(),
            (life.clone(), program.clone()),
        );
        let ended = live(&life, &mut shutdown, program).await;
        drop(control);
        if let Some(exit) = ended {
            return Ok(exit);
        }
        info!("the life begins anew, with the hub's configuration");
    }
}

/// Waits for the end, from outside or by itself; none if the life has to begin anew.
async fn live(
    life: &Handle,
    shutdown: impl Future<Output = ()>,
    program: &Program,
) -> Option<Exit> {
    let (drained, exit) = tokio::select! {
        () = shutdown => (life.drain(DRAIN_LIMIT).await, Some(Exit::OK)),
        () = program.wants_anew() => (life.drain(DRAIN_LIMIT).await, None),
        cause = life.ended() => {
            error!(%cause, "the supervisor died; start the agent again");
            return Some(Exit::FAILED);
        }
    };
    match drained {
        Ended::Drained => {
            info!("drained; what was not sent waits in the spool");
            exit
        }
        Ended::Died(cause) => {
            error!(%cause, "the supervisor died while it drained");
            Some(Exit::FAILED)
        }
    }
}

/// The log of what is sent. An agent whose disk refuses it works all the same, and says so.
fn outbox_of(config: &AgentConfig) -> Outbox {
    Outbox::open(&config.state_dir, config.word.outbox).unwrap_or_else(|error| {
        warn!(%error, "the log of sent messages cannot be written; `platen outbox` will miss them");
        Outbox::default()
    })
}

/// What the site lets out, and what it has to say. Without its masks nothing may be sent.
fn word(effect: &InEffect, spool: &Spool, outbox: Outbox) -> Result<Word, CliError> {
    let config = &effect.config;
    let masks = Masks::open(&config.state_dir, config.word.masks, &spool.stats());
    let masks = masks.map_err(|error| {
        CliError::new(Exit::FAILED, error.to_string())
            .because("the site masks what it sends, so nothing can be sent without it")
            .try_next(
                "bring the file back, or remove it: every printer is a new one to the hub then",
            )
    })?;
    let mut alarms = Vec::with_capacity(effect.refusals.len());
    for refusal in &effect.refusals {
        warn!(why = %refusal, "a part of the hub's configuration does not count");
        alarms.push(format!(
            "a part of the hub's configuration does not count: {refusal}"
        ));
    }
    Ok(Word {
        masks,
        outbox,
        configuration: effect.id.clone(),
        alarms,
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
    match (loaded, &config.hub_url) {
        (None, None) => Ok(None),
        (None, Some(url)) => Err(CliError::new(
            Exit::BAD_CONFIG,
            format!("the configuration names the hub {url}, but this agent is not enrolled"),
        )
        .because(format!(
            "there is no identity in {}",
            config.state_dir.display()
        ))
        .try_next(format!(
            "platen enroll {url} CODE, with a code of platen-hub agent invite"
        ))),
        (Some(identity), None) => Ok(Some(identity)),
        (Some(identity), Some(url)) => Ok(Some(Identity {
            hub_url: url.clone(),
            ..identity
        })),
    }
}

/// Opens everything the actors need.
pub(crate) async fn parts(
    config: &AgentConfig,
    identity: Option<Identity>,
    spool: Spool,
    word: Word,
) -> Result<Parts, CliError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        CliError::new(Exit::FAILED, what).because(error.to_string())
    };
    let profiles =
        Profiles::embedded().map_err(|error| failed("the vendor profiles are damaged", &error))?;
    let snmp =
        Snmp::open(config.snmp).map_err(|error| failed("no UDP socket could be opened", &error))?;
    if config.ranges.is_empty() {
        warn!("there are no [[ranges]] in the configuration: no printer is looked for");
    }
    let mut subnets = Vec::with_capacity(config.ranges.len());
    for range in &config.ranges {
        subnets.push(Arc::new(subnet(range, config.snmp_port).await?));
    }
    let route = config.route.route.clone();
    Ok(Parts {
        settings: config.settings,
        subnets,
        snmp,
        spool,
        profiles: Arc::new(profiles),
        hub: identity.map(|identity| HubLink {
            url: identity.hub_url,
            authority_pem: identity.authority,
            certificate_pem: identity.certificate,
            key_pem: Secret::new(identity.key),
            route,
            mqtt: None,
        }),
        word,
        commands: None,
        site: None,
        started_at: Timestamp::now(),
        runtime: tokio::runtime::Handle::current(),
    })
}

/// A configured range with its names resolved.
async fn subnet(range: &RangeConfig, port: u16) -> Result<Subnet, CliError> {
    let addresses = resolved(&range.addresses, &range.label).await?;
    let exclude = resolved(&range.exclude, &range.label).await?;
    let door = Door::Snmp { port };
    let scope = Scope::new(&addresses, &exclude, &[door, Door::Icmp])
        .map_err(|error| CliError::new(Exit::FAILED, error.to_string()))?;
    let credentials = range.credentials.iter().map(|(_, it)| it.clone()).collect();
    Ok(Subnet {
        label: range.label.clone(),
        scope,
        door,
        credentials,
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
