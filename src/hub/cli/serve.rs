//! `serve`: runs the hub until it is told to stop.

use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::complaint::{Complaint, Exit};

use crate::config::{HubConfig, LogFormat};

/// Runs the hub until SIGTERM or SIGINT.
pub(super) async fn serve(config: HubConfig) -> Result<Exit, Complaint> {
    start_log(&config)?;
    let hears = |kind| {
        signal(kind).map_err(|error| {
            Complaint::new(Exit::FAILED, "signals cannot be listened for")
                .because(error.to_string())
        })
    };
    let (mut term, mut interrupt) = (
        hears(SignalKind::terminate())?,
        hears(SignalKind::interrupt())?,
    );
    let told = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    crate::run(config, told).await?;
    Ok(Exit::OK)
}

fn start_log(config: &HubConfig) -> Result<(), Complaint> {
    // RUST_LOG is honored over the file, as everywhere.
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| config.log_level.clone());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Complaint::new(
            Exit::BAD_CONFIG,
            format!("log.level: '{wanted}' is no filter"),
        )
        .because(error.to_string())
        .try_next("write one of error, warn, info, debug, trace")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match config.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|error| Complaint::new(Exit::FAILED, error.to_string()))
}
