//! The command line of `platen-sim`.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Fleet, FleetError};

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen-sim run --fleet tests/fleets/demo.toml --port 1161
  platen discover 127.20.0.0/24 --port 1161";

/// Plays fleets of printers on loopback addresses
#[derive(Debug, Parser)]
#[command(name = "platen-sim", version, max_term_width = 80, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `platen-sim` can be told to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Answer for every printer of a fleet file, until Ctrl-C or SIGTERM
    Run {
        /// The fleet file (config/simulator.toml explains every key)
        #[arg(long, value_name = "FILE")]
        fleet: PathBuf,
        /// Where the recordings are, instead of where the file says
        #[arg(long, value_name = "DIR")]
        recordings: Option<PathBuf>,
        /// The UDP port, instead of the file's; 0 takes a free one
        #[arg(long, value_parser = port)]
        port: Option<u16>,
    },
    /// List the devices of a fleet file: address, printer or other, recording
    List {
        /// The fleet file
        #[arg(long, value_name = "FILE")]
        fleet: PathBuf,
    },
}

/// Why a fleet file cannot be played, with its name.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read; the error names it already.
    #[error(transparent)]
    Unreadable(FleetError),
    /// Something in it is wrong.
    #[error("{}: {error}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What is wrong in it, and in which line.
        error: FleetError,
    },
}

/// Reads a fleet file.
///
/// # Errors
/// [`FileError`] names the file, and what is wrong in it.
pub fn read(file: &Path, recordings: Option<&Path>) -> Result<Fleet, FileError> {
    Fleet::read(file, recordings).map_err(|error| match error {
        FleetError::Unreadable { .. } => FileError::Unreadable(error),
        error => FileError::Wrong {
            file: file.to_owned(),
            error,
        },
    })
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse();
    port.map_err(|_| format!("write a whole number from 0 to {}", u16::MAX))
}

/// Waits for an interrupt or a request to end.
pub async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler the signal itself ends the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
