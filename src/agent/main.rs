//! `platen`: parses the arguments, runs the verb, ends with its exit code.

use std::process::ExitCode;

use agent::cli::{Cli, run};
use clap::Parser;

/// An agent lives for months and has ten thousand printers in memory: this gives memory back that is no
/// longer used, and scatters less of it than the system's. How, `.cargo/config.toml` says.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    // Refused only if there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(match runtime.block_on(run(cli)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{error}");
            error.exit.into()
        }
    })
}
