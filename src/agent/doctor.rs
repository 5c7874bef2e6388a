//! Why is a printer missing, or a value of one? What is asked, and how it is judged.
//!
//! Used by `platen doctor`, and by the program where the hub orders the same of a running agent.
//! Nothing is sent to an address outside the site's own ranges.

mod ask;
mod facts;
mod judge;
mod past;
mod steps;
#[cfg(test)]
mod tests;
mod values;
mod worth;

use jiff::Timestamp;
use printer::doctor::{Report, SCHEMA};

pub use self::ask::{Life, Tools};
use self::facts::{Device, Facts};
use self::judge::judge;
use crate::cli::CliError;
use crate::config::AgentConfig;

/// Asks everything about an address as it is written, and about one value if one is named.
///
/// # Errors
/// [`CliError`] when this machine gives no socket, or the profiles cannot be used.
pub async fn report(
    config: &AgentConfig,
    (address, wanted): (&str, Option<&str>),
    tools: &Tools<'_>,
) -> Result<Report, CliError> {
    let facts = ask::ask(config, (address, wanted), tools).await?;
    Ok(of(&facts, Timestamp::now()))
}

/// What was found, told.
fn of(facts: &Facts, at: Timestamp) -> Report {
    let (named, values) = match &facts.device {
        Some(Device::Printer(printer)) => (Some(printer.named.clone()), printer.values.clone()),
        Some(Device::Other(_) | Device::Swapped | Device::Unread(_)) | None => (None, Vec::new()),
    };
    let report = Report {
        schema: SCHEMA,
        at,
        asked: facts.written.clone(),
        address: facts.place.address(),
        range: facts.place.label().map(str::to_owned),
        printer: named,
        diagnosis: judge(facts).told(),
        steps: steps::of(facts),
        values,
        left_out: 0,
    };
    report.bounded(|report| serde_json::to_vec(report).map_or(0, |octets| octets.len()))
}
