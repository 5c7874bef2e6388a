//! `platen discover`: finds the printers in some ranges and reads them once.

use clap::Args;

use super::{CliError, Exit};

/// Arguments of `platen discover`.
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// Where to look: 10.0.0.0/24, 10.0.0.10-20, 10.0.0.1-10.0.1.9, an address, or a host name
    #[arg(required = true, value_name = "RANGE")]
    ranges: Vec<String>,
}

/// Finds the printers in the ranges asked for.
///
/// # Errors
/// [`CliError`] when the ranges or options cannot be, or no socket can be opened.
pub async fn run(args: DiscoverArgs) -> Result<Exit, CliError> {
    let ranges = args.ranges.join(" ");
    Err(CliError::new(
        Exit::FAILED,
        format!("{ranges} cannot be discovered yet"),
    ))
}
