//! `platen-sim`: a fleet of simulated printers until it is told to end.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use simulator::Fleet;

/// Plays fleets of printers on loopback addresses.
#[derive(Parser)]
#[command(name = "platen-sim", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
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
}

fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let Verb::Run {
        fleet,
        recordings,
        port,
    } = Arguments::parse().verb;
    let mut fleet = Fleet::read(&fleet, recordings.as_deref())?;
    fleet.port = port.unwrap_or(fleet.port);
    let count = fleet.addresses().count();
    let first = fleet.addresses().next();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let running = simulator::run(fleet, interrupted())?;
    let port = running.port;
    // The port on stdout, for scripts that asked for a free one.
    println!("{port}");
    match first {
        Some(first) => tracing::info!(count, port, %first, "fleet answers"),
        None => tracing::warn!(port, "the fleet has no printers"),
    }
    runtime.block_on(running.ended())?;
    tracing::info!("fleet ended");
    Ok(())
}

/// Waits for an interrupt or a request to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler the signal itself ends the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
