//! `platen read`: reads one printer, or a recording of one.

use clap::Args;

use super::{CliError, Exit};

/// Arguments of `platen read`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// The printer's address or host name
    address: Option<String>,
}

/// Reads one printer and prints what it said.
///
/// # Errors
/// [`CliError`] when it does not answer, or the recording cannot be read.
pub async fn run(args: ReadArgs) -> Result<Exit, CliError> {
    let address = args.address.unwrap_or_default();
    Err(CliError::new(
        Exit::FAILED,
        format!("{address} cannot be read yet"),
    ))
}
