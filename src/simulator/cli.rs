//! The command line of `platen-sim`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Plays fleets of printers on loopback addresses.
#[derive(Debug, Parser)]
#[command(name = "platen-sim", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `platen-sim` can be told to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Answers for every printer of a fleet file until interrupted.
    Run {
        /// The fleet file (every key is explained in config/simulator.toml).
        #[arg(long, value_name = "FILE")]
        fleet: PathBuf,
        /// Where the recordings are, instead of where the file says.
        #[arg(long, value_name = "DIR")]
        recordings: Option<PathBuf>,
        /// The UDP port, instead of the file's; 0 takes a free one.
        #[arg(long)]
        port: Option<u16>,
    },
    /// Lists the devices of a fleet file: address, printer or other, recording.
    List {
        /// The fleet file.
        #[arg(long, value_name = "FILE")]
        fleet: PathBuf,
    },
}
