//! What the program does for the life: applies what the hub configures, tells about the machine.
//!
//! The life asks through `actors::site::Site`. A configuration is checked whole, kept, and comes
//! into effect when the life begins anew, which `run.rs` does in this very process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::Handle;
use actors::mask::Masks;
use actors::parts::HubLink;
use actors::site::{Consulted, Later, Site, Unwilling, Wanted};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::cli::CliError;
use crate::config::AgentConfig;
use crate::diag;
use crate::doctor::{self, Life, Tools};
use crate::identity::keeper::renew_with_new_key;
use crate::remote::{self, InEffect};
use crate::sealing::SealingKey;

/// How long after a configuration was taken the life begins anew: its outcome must be on its way.
const ANEW_AFTER: Duration = Duration::from_secs(3);

/// How long a hub may take to certify a new key.
const ROTATE_TIMEOUT: Duration = Duration::from_secs(60);

/// The program behind a life; cheap to clone.
#[derive(Debug, Clone)]
pub struct Program(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The site's own configuration.
    config: AgentConfig,
    key: Option<SealingKey>,
    anew: Notify,
    now: Mutex<Option<Now>>,
    /// One configuration at a time.
    applying: Mutex<()>,
}

/// The life that runs.
#[derive(Debug, Clone)]
struct Now {
    life: Arc<Handle>,
    masks: Masks,
    hub: Option<HubLink>,
}

impl Program {
    /// The program of a site. `key` opens what the hub sealed.
    #[must_use]
    pub fn new(config: AgentConfig, key: Option<SealingKey>) -> Self {
        Self(Arc::new(Inner {
            config,
            key,
            anew: Notify::new(),
            now: Mutex::default(),
            applying: Mutex::default(),
        }))
    }

    /// The configuration that is in effect from now on.
    #[must_use]
    pub fn in_effect(&self) -> InEffect {
        InEffect::load(&self.0.config, self.0.key.as_ref())
    }

    /// Hears which life runs now.
    pub fn lives(&self, life: Arc<Handle>, masks: Masks, hub: Option<HubLink>) {
        *self.now() = Some(Now { life, masks, hub });
    }

    /// The site's own configuration.
    #[must_use]
    pub fn site(&self) -> &AgentConfig {
        &self.0.config
    }

    /// Waits until the life has to begin anew.
    pub async fn wants_anew(&self) {
        self.0.anew.notified().await;
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Option<Now>> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what the hub wants, whole, and keeps it.
    fn take(&self, wanted: &Wanted) -> Result<(), Unwilling> {
        let _one = self
            .0
            .applying
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let effect = remote::apply(&self.0.config, wanted, self.0.key.as_ref());
        if !effect.refusals.is_empty() {
            let why = effect.refusals.join("; ");
            warn!(command = %effect.id, %why, "the hub's configuration is refused");
            return Err(Unwilling::Refused(why));
        }
        remote::save(&self.0.config.state_dir, wanted)
            .map_err(|error| Unwilling::Failed(error.to_string()))?;
        info!(command = %effect.id, "the hub's configuration is taken");
        Ok(())
    }

    /// What `platen doctor` says, by the tools of the life that runs.
    async fn consult(&self, asked: Consulted) -> Result<Vec<u8>, Unwilling> {
        let now = self.now().clone();
        let Now { life, masks, .. } = now.ok_or_else(|| failed("no life has begun yet"))?;
        let program = self.clone();
        let effect = tokio::task::spawn_blocking(move || program.in_effect());
        let config = effect.await.map_err(failed)?.config;
        let life = Life {
            snmp: asked.snmp,
            profiles: asked.profiles,
            handle: life,
            masks,
        };
        let progress = asked.progress;
        let tools = Tools::of_a_life(life, move |address| {
            progress.tell(format_args!("asking {address}"));
        });
        let address = asked.address.to_string();
        let question = (address.as_str(), asked.wanted.as_deref());
        let report = doctor::report(&config, question, &tools).await;
        let report = report.map_err(|error| failed_of(&error))?;
        serde_json::to_vec(&report).map_err(failed)
    }

    async fn bundle(&self) -> Result<Vec<u8>, Unwilling> {
        let now = self.now().clone();
        let Now { life, masks, .. } = now.ok_or_else(|| failed("no life has begun yet"))?;
        // A life that does not answer is worth a bundle all the same.
        let status = life.status().await.ok();
        let program = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            diag::bundle(&program.in_effect(), status.as_deref(), &masks)
        });
        made.await.map_err(|error| failed(&error))
    }
}

fn failed_of(error: &CliError) -> Unwilling {
    Unwilling::Failed(format!("{}: {}", error.what, error.why))
}

fn failed(error: impl std::fmt::Display) -> Unwilling {
    Unwilling::Failed(error.to_string())
}

impl Site for Program {
    fn configure(&self, wanted: Wanted) -> Later<Result<(), Unwilling>> {
        let program = self.clone();
        Box::pin(async move {
            let taker = program.clone();
            let taken = tokio::task::spawn_blocking(move || taker.take(&wanted));
            taken.await.map_err(failed)??;
            tokio::spawn(async move {
                tokio::time::sleep(ANEW_AFTER).await;
                program.0.anew.notify_one();
            });
            Ok(())
        })
    }

    fn rotate_identity(&self) -> Later<Result<(), Unwilling>> {
        let hub = self.now().as_ref().and_then(|now| now.hub.clone());
        Box::pin(async move {
            let hub = hub.ok_or_else(|| failed("this agent has no hub"))?;
            let renewed = renew_with_new_key(&hub, ROTATE_TIMEOUT).await;
            renewed.map_err(failed)
        })
    }

    fn doctor(&self, asked: Consulted) -> Later<Result<Vec<u8>, Unwilling>> {
        let program = self.clone();
        Box::pin(async move { program.consult(asked).await })
    }

    fn diagnostics(&self) -> Later<Result<Vec<u8>, Unwilling>> {
        let program = self.clone();
        Box::pin(async move { program.bundle().await })
    }
}
