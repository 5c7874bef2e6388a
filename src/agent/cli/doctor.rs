//! `platen doctor`: why is this printer missing, or why is this value missing?

mod ask;
mod facts;
mod judge;
mod past;
mod steps;
#[cfg(test)]
mod tests;
mod values;
mod worth;

use std::io::Write;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::facts::{Device, Facts};
use self::judge::{Diagnosis, judge};
use self::steps::Step;
use super::check::finding::State;
use super::running::ConfigArgs;
use super::table::{self, Color};
use super::{CliError, Exit};

/// Version of the JSON shape.
const SCHEMA: u32 = 1;

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
    let facts = ask::ask(&config, &args.address, args.value.as_deref()).await?;
    let (steps, diagnosis) = (steps::of(&facts), judge(&facts));
    let text = if args.json {
        let text = table::json(&as_json(&facts, &steps, &diagnosis));
        text.map_err(|error| CliError::new(Exit::FAILED, error.to_string()))? + "\n"
    } else {
        steps::text(&steps, values(&facts), &diagnosis, args.color.is_on())
    };
    // Who reads may have gone (`| head`): what was not read is nobody's loss.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(match diagnosis.state {
        State::Failed => Exit::NOTHING,
        State::Ok | State::Warning | State::Skipped => Exit::OK,
    })
}

fn values(facts: &Facts) -> &[values::Value] {
    match &facts.device {
        Some(Device::Printer(printer)) => &printer.values,
        Some(Device::Other(_) | Device::Swapped | Device::Unread(_)) | None => &[],
    }
}

/// What was found, for programs.
fn as_json(facts: &Facts, steps: &[Step], diagnosis: &Diagnosis) -> Value {
    json!({
        "schema": SCHEMA,
        "at": Timestamp::now(),
        "asked": facts.written,
        "address": facts.place.address(),
        "range": facts.place.label(),
        "diagnosis": diagnosis,
        "steps": steps,
        "values": values(facts),
    })
}
