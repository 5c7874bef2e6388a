//! `platen-hub`: parses the arguments, runs the command, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;
use hub::cli::complaint::{Complaint, Exit};
use hub::cli::{Cli, run};

fn main() -> ExitCode {
    // A second provider anywhere in the build would make rustls refuse to choose.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return end(Err(Complaint::new(
            Exit::FAILED,
            "the TLS library was set up twice",
        )));
    }
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => end(runtime.block_on(run(cli))),
        Err(error) => end(Err(Complaint::new(
            Exit::FAILED,
            "the runtime cannot start",
        )
        .because(error.to_string()))),
    }
}

fn end(result: Result<Exit, Complaint>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(complaint) => {
            eprintln!("{complaint}");
            complaint.exit.into()
        }
    }
}
