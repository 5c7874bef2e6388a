//! `platen-sim`: a fleet of simulated printers until it is told to end.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use simulator::Fleet;
use simulator::cli::{Arguments, Verb, interrupted, read};

fn main() -> ExitCode {
    match begin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("  next: config/simulator.toml explains every key of a fleet file");
            ExitCode::FAILURE
        }
    }
}

fn begin() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match Arguments::parse().verb {
        Verb::Run {
            fleet,
            recordings,
            port,
        } => {
            let mut fleet = read(&fleet, recordings.as_deref())?;
            fleet.port = port.unwrap_or(fleet.port);
            run(fleet)
        }
        Verb::List { fleet } => list(&read(&fleet, None)?),
    }
}

fn list(fleet: &Fleet) -> anyhow::Result<()> {
    for device in simulator::list(fleet)? {
        let kind = if device.is_printer {
            "printer"
        } else {
            "other"
        };
        println!("{}\t{kind}\t{}", device.address, device.recording);
    }
    Ok(())
}

fn run(fleet: Fleet) -> anyhow::Result<()> {
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
