//! `platen run`: the agent as a service, until SIGTERM or SIGINT.

use std::io::IsTerminal;
use std::panic;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{CliError, Exit, dry_run};
use crate::config::{AgentConfig, Level, LogConfig, LogFormat};
use crate::identity::Identity;
use crate::recent::Recent;
use crate::remote::InEffect;

/// Where a verb finds the configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The configuration; without it /etc/platen/agent.toml, if there is one
    #[arg(long, short, value_name = "FILE", env = "PLATEN_CONFIG")]
    config: Option<PathBuf>,
    /// Set a key for this run, over file and environment: --set schedule.read_secs=900
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigArgs {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`CliError`] with the place and what to write instead.
    pub fn load(&self) -> Result<AgentConfig, CliError> {
        // A variable that is no text cannot be one of ours.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        AgentConfig::load(self.config.as_deref(), environment, &self.set).map_err(|error| {
            CliError::new(Exit::BAD_CONFIG, format!("{}: {}", error.place, error.what))
                .try_next(error.hint)
        })
    }

    /// Reads the configuration, and what the hub made of it.
    ///
    /// # Errors
    /// As [`ConfigArgs::load`].
    pub fn in_effect(&self) -> Result<InEffect, CliError> {
        let config = self.load()?;
        // Without an identity that can be read, what is sealed to it stays closed.
        let identity = Identity::load(&config.state_dir).ok().flatten();
        let key = identity.as_ref().and_then(Identity::opener);
        let effect = InEffect::load(&config, key.as_ref());
        for refusal in &effect.refusals {
            eprintln!("a part of the hub's configuration does not count: {refusal}");
        }
        Ok(effect)
    }
}

/// Arguments of `platen run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Discover and read once, print what would be sent to the hub, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print it as JSON, a message a line
    #[arg(long, requires = "dry_run")]
    json: bool,
}

/// Runs the agent until it is told to end.
///
/// # Errors
/// [`CliError`] when it does not come up.
pub async fn run(args: RunArgs) -> Result<Exit, CliError> {
    if args.dry_run {
        let effect = args.config.in_effect()?;
        log(effect.config.log);
        return dry_run::run(effect, args.json).await;
    }
    let config = args.config.load()?;
    log(config.log);
    let deaf = |error: std::io::Error| {
        CliError::new(Exit::FAILED, "no signal can be heard").because(error.to_string())
    };
    let mut term = signal(SignalKind::terminate()).map_err(deaf)?;
    let mut int = signal(SignalKind::interrupt()).map_err(deaf)?;
    let shutdown = async move {
        tokio::select! {
            _ = term.recv() => info!("told to end by SIGTERM"),
            _ = int.recv() => info!("told to end by SIGINT"),
        }
    };
    crate::run::try_run(config, shutdown).await
}

/// Sends the log to stderr, and panics into the log.
fn log(config: LogConfig) {
    let level = match config.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let is_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal);
    let is_text = match config.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let all = tracing_subscriber::registry().with(filter).with(Recent);
    // Refused only if a log was set up before, as a test does; that one is as good.
    let _ = if is_text {
        all.with(lines).try_init()
    } else {
        all.with(lines.json()).try_init()
    };
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("no words");
        error!(place, words, "panicked");
    }));
}
