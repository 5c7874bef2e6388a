//! `platen run`: the agent as a service, until SIGTERM or SIGINT.

use std::io::IsTerminal;
use std::panic;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

use super::{CliError, Exit};
use crate::config::{AgentConfig, Level, LogConfig, LogFormat};

/// Where a verb finds the configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The configuration; without it /etc/platen/agent.toml, if there is one
    #[arg(long, short, value_name = "FILE", env = "PLATEN_CONFIG")]
    config: Option<PathBuf>,
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
        AgentConfig::load(self.config.as_deref(), environment).map_err(|error| {
            CliError::new(Exit::BAD_CONFIG, format!("{}: {}", error.place, error.what))
                .try_next(error.hint)
        })
    }
}

/// Runs the agent until it is told to end.
///
/// # Errors
/// [`CliError`] when it does not come up.
pub async fn run(args: ConfigArgs) -> Result<Exit, CliError> {
    let config = args.load()?;
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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal);
    let is_text = match config.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    // Refused only if a log was set up before, as a test does; that one is as good.
    let _ = if is_text {
        builder.try_init()
    } else {
        builder.json().try_init()
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
