//! `platen release`: reads a device again that was set aside.

use clap::Args;

use super::running::ConfigArgs;
use super::status::unreached;
use super::table::printable;
use super::{CliError, Exit};
use crate::control::{self, ControlError, Question};

/// Arguments of `platen release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Which: its id, as platen status shows it
    device: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Releases one device.
///
/// # Errors
/// [`CliError`] when no agent runs, or no such device is set aside.
pub async fn run(args: ReleaseArgs) -> Result<Exit, CliError> {
    let state_dir = args.config.load()?.state_dir;
    let question = Question::Release {
        device: args.device.clone(),
    };
    match control::ask(&state_dir, &question).await {
        Ok(_) => {
            println!("{} is read again", printable(&args.device));
            Ok(Exit::OK)
        }
        Err(ControlError::Refused(why)) => Err(CliError::new(Exit::NOTHING, printable(&why))
            .try_next("platen status shows which are set aside")),
        Err(error) => Err(unreached(&state_dir, error)),
    }
}
