//! `platen diag`: one file for those who help, without a secret.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use actors::mask::Masks;
use clap::Args;

use super::running::ConfigArgs;
use super::table::json;
use super::{CliError, Exit, check};
use crate::control::{self, Answer, Question};
use crate::diag;

/// Mode of the file: it names printers and places, as far as the masks let it.
const FILE_MODE: u32 = 0o600;

/// Arguments of `platen diag`.
#[derive(Debug, Args)]
#[command(after_help = "Example: platen diag --output diag.json")]
pub struct DiagArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Write it there, into a new file; to stdout without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the bundle, of the agent that runs, else of what stands on the disk; and what a check
/// finds now.
///
/// # Errors
/// [`CliError`] when the configuration is not valid, or the file cannot be written.
pub async fn run(args: DiagArgs) -> Result<Exit, CliError> {
    let effect = args.config.in_effect()?;
    let state_dir = &effect.config.state_dir;
    let masks = Masks::trial(state_dir, effect.config.word.masks).map_err(|error| {
        CliError::new(Exit::FAILED, error.to_string()).because("the site masks what it gives out")
    })?;
    let failed = |error: serde_json::Error| CliError::new(Exit::FAILED, error.to_string());
    let mut bundle = match control::ask(state_dir, &Question::Diagnostics {}).await {
        Ok(Answer::Diagnostics(bundle)) => *bundle,
        Ok(
            Answer::Status(_)
            | Answer::Sessions(_)
            | Answer::Ended(_)
            | Answer::Done {}
            | Answer::Error(_),
        )
        | Err(_) => {
            eprintln!(
                "no agent runs on {}: its status is left out",
                state_dir.display()
            );
            serde_json::from_slice(&diag::bundle(&effect, None, &masks)).map_err(failed)?
        }
    };
    let mut found = check::as_json(&check::look(&effect.config, check::STEP_TIMEOUT).await);
    masks.json(&mut found);
    bundle["check"] = found;
    let bundle = json(&bundle).map_err(failed)?;
    match &args.output {
        Some(path) => write(path, &bundle)?,
        None => match writeln!(std::io::stdout(), "{bundle}") {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(CliError::new(Exit::FAILED, error.to_string())),
        },
    }
    Ok(Exit::OK)
}

fn write(path: &Path, bundle: &str) -> Result<(), CliError> {
    let shown = path.display();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .and_then(|mut file| writeln!(file, "{bundle}"));
    written.map_err(|error| {
        CliError::new(Exit::FAILED, format!("cannot write {shown}"))
            .because(error.to_string())
            .try_next("name a new file in a folder that you may write to")
    })?;
    eprintln!("{shown} is written; read it before you send it");
    Ok(())
}
