//! `platen doctor`: why is this printer missing, or why is this value missing?

use std::io::Write;

use clap::Args;
use printer::doctor::State;
use printer::status::Severity;

use super::running::ConfigArgs;
use super::table::{self, Color, painted, printable};
use super::{CliError, Exit};
use crate::doctor::{self, Tools};

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen doctor 192.168.1.17                  why is this printer missing?
  platen doctor 192.168.1.17 --value total    why is this value missing?

Nothing is sent to an address outside the configured ranges.
Exit codes: 0 nothing failed, 3 something failed. What is marked with ! does not
count.";

/// Arguments of `platen doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// The printer's address or host name
    address: String,
    /// The value that is missing: total, color, serial, supplies, or as the printer calls a supply
    #[arg(long, value_name = "NAME")]
    value: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Whether to color
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

/// Asks everything about one address, and names one cause and one thing to do.
///
/// # Errors
/// [`CliError`] when the configuration is not valid, or this machine gives no socket.
pub async fn run(args: DoctorArgs) -> Result<Exit, CliError> {
    let config = args.config.in_effect()?.config;
    let asked = (args.address.as_str(), args.value.as_deref());
    let says = |address| eprintln!("asking {address}…");
    let report = doctor::report(&config, asked, &Tools::of_a_command_line(says)).await?;
    let text = if args.json {
        let text = table::json(&report);
        text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))? + "\n"
    } else {
        let is_colored = args.color.is_on();
        report.text(printable, |mark, state| {
            painted(mark, severity(state), is_colored)
        })
    };
    // Who reads may have gone (`| head`): what was not read is nobody's loss.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(match report.diagnosis.state {
        State::Failed => Exit::NOTHING,
        State::Ok | State::Warning | State::Skipped => Exit::OK,
    })
}

fn severity(state: State) -> Severity {
    match state {
        State::Ok => Severity::Ok,
        State::Warning => Severity::Warning,
        State::Failed => Severity::Critical,
        State::Skipped => Severity::Unknown,
    }
}
