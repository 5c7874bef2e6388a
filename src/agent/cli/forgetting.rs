//! `platen forget-certificate`: lets a printer show a new certificate.

use std::path::PathBuf;

use actors::certificates;
use clap::Args;

use super::{CliError, Exit, asking};
use crate::config::DEFAULT_STATE_DIR;

/// Arguments of `platen forget-certificate`.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// The printer's address or host name
    address: String,
    /// The agent's state folder
    #[arg(long, value_name = "DIR", env = "PLATEN_STATE_DIR", default_value = DEFAULT_STATE_DIR)]
    state_dir: PathBuf,
}

/// Forgets what was kept of the printer at an address. A running agent notices by itself.
///
/// # Errors
/// [`CliError`] when nothing is kept, or the disk refuses.
pub async fn run(args: &ForgetArgs) -> Result<Exit, CliError> {
    let (_, address) = asking::address(&args.address).await?;
    let folder = args.state_dir.join(certificates::FOLDER);
    let forgotten = certificates::forget(&folder, address).map_err(|error| {
        let what = format!("cannot forget the certificate of {}", args.address);
        CliError::new(Exit::FAILED, what)
            .because(format!("{}: {error}", folder.display()))
            .try_next("run it as the user of the agent, or name its state folder: --state-dir DIR")
    })?;
    if forgotten.is_empty() {
        let what = format!("no certificate of {} is kept", args.address);
        return Err(CliError::new(Exit::NOTHING, what)
            .because(format!("none in {} is of this address", folder.display()))
            .try_next("name the address at which it showed it first, or --state-dir DIR"));
    }
    for kept in forgotten {
        println!(
            "the certificate of {address} is forgotten (SHA-256 {}, believed since {})",
            kept.sha256, kept.since
        );
    }
    Ok(Exit::OK)
}
