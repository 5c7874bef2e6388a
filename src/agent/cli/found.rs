//! What a discovery found, as a table, as JSON, and as CSV.

use std::net::IpAddr;

use actors::reach::survey::{ReadError, Survey};
use printer::meter::{Meter, MeterName};
use printer::reading::{Reading, SCHEMA, Verdict};
use printer::status::Severity;
use printer::summary;
use serde::Serialize;

use super::table::{self, NOTHING, cell, grouped};

/// The headings of the CSV form.
const CSV_HEADINGS: [&str; 18] = [
    "address",
    "vendor",
    "model",
    "serial",
    "mac",
    "host_name",
    "location",
    "state",
    "severity",
    "status",
    "total",
    "mono",
    "color",
    "copy",
    "print",
    "supplies",
    "at",
    "reason",
];

/// What one device turned out to be.
#[derive(Debug)]
pub enum Found {
    /// A printer.
    Printer(Box<Reading>),
    /// Something else, and how that was seen.
    Other(String),
    /// It answered the sweep but could not be read.
    Unread(String),
    /// It answers, but no credential fits.
    Refused(String),
}

/// A device that is no printer, as JSON.
#[derive(Debug, Serialize)]
pub struct NoPrinter<'r> {
    schema: u32,
    is_printer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    reason: &'r str,
}

impl<'r> NoPrinter<'r> {
    /// Says why it is none.
    #[must_use]
    pub fn new(address: Option<IpAddr>, reason: &'r str) -> Self {
        Self {
            schema: SCHEMA,
            is_printer: false,
            address,
            reason,
        }
    }
}

/// One element of the list that `--json` prints.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item<'r> {
    Printer(&'r Reading),
    Other(NoPrinter<'r>),
}

/// Why found devices cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// As JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// As CSV.
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
}

impl Found {
    /// Takes the outcome of a reading.
    #[must_use]
    pub fn from_outcome(outcome: Result<Survey, ReadError>) -> Self {
        match outcome {
            Ok(survey) => Self::from_verdict(survey.verdict),
            Err(ReadError::NoCredentialFits { why, .. }) => {
                Self::Refused(format!("answers, but no credential fits: {why}"))
            }
            Err(error) => Self::Unread(error.to_string()),
        }
    }

    /// Takes what a device was judged to be.
    #[must_use]
    pub fn from_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Printer(reading) => Self::Printer(reading),
            Verdict::NotAPrinter { reason } => Self::Other(reason),
        }
    }
}

/// The table of `platen discover`.
#[must_use]
pub fn table(found: &[(IpAddr, Found)], with_others: bool, is_colored: bool) -> String {
    let row = |(address, found): &(IpAddr, Found)| match found {
        Found::Printer(reading) => Some((printer_row(*address, reading), reading.status.severity)),
        Found::Unread(reason) | Found::Refused(reason) => {
            Some((other_row(*address, reason), Severity::Warning))
        }
        Found::Other(reason) if with_others => Some((
            other_row(*address, &format!("no printer: {reason}")),
            Severity::Unknown,
        )),
        Found::Other(_) => None,
    };
    let rows: Vec<_> = found.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let headings = [
        "ADDRESS",
        "MODEL",
        "SERIAL",
        table::PAGES,
        "SUPPLIES",
        "STATUS",
    ];
    table::table(&headings, &rows, is_colored)
}

/// A list of readings; with the others if asked for.
///
/// # Errors
/// [`WriteError::Json`], which the types here rule out.
pub fn json(found: &[(IpAddr, Found)], with_others: bool) -> Result<String, WriteError> {
    let items: Vec<Item<'_>> = found
        .iter()
        .filter_map(|(address, found)| match found {
            Found::Printer(reading) => Some(Item::Printer(reading)),
            Found::Other(reason) | Found::Unread(reason) | Found::Refused(reason) => {
                with_others.then(|| Item::Other(NoPrinter::new(Some(*address), reason)))
            }
        })
        .collect();
    let mut text = table::json(&items)?;
    text.push('\n');
    Ok(text)
}

/// One line a printer, under headings (RFC 4180); with the others if asked for.
///
/// # Errors
/// [`WriteError::Csv`], which writing into memory rules out.
pub fn csv(found: &[(IpAddr, Found)], with_others: bool) -> Result<String, WriteError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CSV_HEADINGS)?;
    for (address, found) in found {
        match found {
            Found::Printer(reading) => writer.write_record(csv_row(*address, reading))?,
            Found::Other(reason) | Found::Unread(reason) | Found::Refused(reason)
                if with_others =>
            {
                let mut row = vec![String::new(); CSV_HEADINGS.len()];
                row[0] = address.to_string();
                row[CSV_HEADINGS.len() - 1] = cell(reason);
                writer.write_record(row)?;
            }
            Found::Other(_) | Found::Unread(_) | Found::Refused(_) => {}
        }
    }
    let octets = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

fn csv_row(address: IpAddr, reading: &Reading) -> Vec<String> {
    let identity = &reading.identity;
    let text = |value: &Option<String>| cell(value.as_deref().unwrap_or_default());
    let meter = |name: &str| meter(reading, name).map_or_else(String::new, |v| v.to_string());
    vec![
        address.to_string(),
        text(&identity.vendor),
        text(&identity.model),
        text(&identity.serial),
        text(&identity.mac),
        text(&identity.host_name),
        text(&identity.location),
        word(&reading.status.state),
        word(&reading.status.severity),
        cell(&summary::status_line(reading)),
        meter("total"),
        meter("mono"),
        meter("color"),
        meter("copy"),
        meter("print"),
        cell(&summary::supplies(&reading.supplies)),
        reading.at.to_string(),
        String::new(),
    ]
}

fn printer_row(address: IpAddr, reading: &Reading) -> Vec<String> {
    let or_nothing = |text: String| {
        if text.is_empty() {
            NOTHING.to_owned()
        } else {
            text
        }
    };
    let pages = total(reading).map(|total| {
        let beta = if total.beta { " beta" } else { "" };
        format!("{}{beta}", grouped(total.value))
    });
    vec![
        address.to_string(),
        or_nothing(full_model(reading)),
        or_nothing(reading.identity.serial.clone().unwrap_or_default()),
        or_nothing(pages.unwrap_or_default()),
        or_nothing(summary::supplies(&reading.supplies)),
        or_nothing(summary::status_line(reading)),
    ]
}

fn other_row(address: IpAddr, reason: &str) -> Vec<String> {
    let mut row = vec![NOTHING.to_owned(); 6];
    row[0] = address.to_string();
    row[5] = reason.to_owned();
    row
}

/// Brand and model in one.
#[must_use]
pub fn full_model(reading: &Reading) -> String {
    let identity = &reading.identity;
    let parts = [identity.vendor.as_deref(), identity.model.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The word that JSON has for a value of a closed list.
#[must_use]
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

fn total(reading: &Reading) -> Option<&Meter> {
    let mut meters = reading.meters.iter();
    meters.find(|meter| meter.name == MeterName::TOTAL)
}

/// A meter's value by its name, for a list that is made for billing: none that nothing proves.
fn meter(reading: &Reading, name: &str) -> Option<u64> {
    reading
        .meters
        .iter()
        .find(|meter| meter.name.as_str() == name && !meter.beta)
        .map(|meter| meter.value)
}
