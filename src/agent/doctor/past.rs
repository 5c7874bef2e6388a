//! The last reading of an address, out of what was sent to the hub.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use actors::outbox::{self, Kind};
use actors::report::Report;
use jiff::Timestamp;
use printer::meter::MeterName;
use printer::reading::Reading;

use super::facts::Last;
use crate::cli::found::full_model;

/// The last reading that was taken at an address, as it was sent (a pseudonym where the site masks).
///
/// # Errors
/// What the system says of the log.
pub fn last(
    state_dir: &Path,
    span: (Timestamp, Timestamp),
    address: IpAddr,
) -> io::Result<Option<Last>> {
    let mut last: Option<Last> = None;
    outbox::read(state_dir, span, |entry| {
        let reports = entry.message["reports"].as_array();
        for report in reports.into_iter().flatten() {
            if entry.kind == Kind::Poll
                && let Ok(Report::Full { reading, .. } | Report::Status { reading, .. }) =
                    serde_json::from_value(report.clone())
                && reading.address == Some(address)
                && last.as_ref().is_none_or(|known| known.at <= reading.at)
            {
                last = Some(brief(&reading));
            }
        }
        Ok(())
    })?;
    Ok(last)
}

fn brief(reading: &Reading) -> Last {
    let mut meters = reading.meters.iter();
    let total = meters.find(|meter| meter.name == MeterName::TOTAL);
    Last {
        at: reading.at,
        title: full_model(reading),
        serial: reading.identity.serial.clone(),
        total: total.map(|meter| meter.value),
    }
}
