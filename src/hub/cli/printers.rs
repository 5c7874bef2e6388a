//! `printer`: list the fleet, show one; say which devices are one.

mod doubts;
mod merging;

use std::collections::BTreeSet;

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use printer::identity::{DeviceId, shown_address};
use printer::meter::MeterName;
use printer::reading::Reading;
use printer::summary;
use serde_json::{Value, json};

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{open, plain, say};
use crate::config::HubConfig;
use crate::likeness;
use crate::store::Tenant;
use crate::store::printers::PrinterRow;

/// Readings that are looked through for what became of a printer's identity.
const HISTORY_READINGS: u32 = 300;

/// What can be asked about printers.
#[derive(Debug, Subcommand)]
pub enum PrinterVerb {
    /// List every printer
    Ls {
        /// As JSON: what docs/reading.md says of each, with its device id and agent
        #[arg(long, conflicts_with = "count")]
        json: bool,
        /// Only how many there are
        #[arg(long)]
        count: bool,
        /// Each part of a merged printer too, which is else in the printer that it is a part of
        #[arg(long)]
        parts: bool,
    },
    /// Show one printer
    Show {
        /// Its device id, serial number or address
        printer: String,
        /// As JSON: what docs/reading.md says, with its device id and agent
        #[arg(long)]
        json: bool,
    },
    /// List every printer that may be another one, and why nobody can tell
    Doubts {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say of a printer that it is one of its own: it is none of those that it may be
    Apart {
        /// Its device id, serial number or address
        printer: String,
        /// Why: stands in the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Show a device as part of another: they are one printer
    Merge {
        /// What becomes a part: a device id, serial number or address
        part: String,
        /// The printer that it is a part of
        printer: String,
        /// Why: stands in the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take a part out again: each has its own history as before
    Split {
        /// The device id of the part
        part: String,
        /// Why: stands in the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Answers what was asked about printers.
pub(super) async fn run(verb: PrinterVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let mut fleet = store.fleet(&Tenant::DEFAULT).await?;
    // By address, as whoever looks for one device walks through a site.
    fleet.sort_by(|a, b| {
        let place = |row: &PrinterRow| (row.agent_name.clone(), row.reading.address);
        place(a).cmp(&place(b))
    });
    if let PrinterVerb::Ls { parts: false, .. } = verb {
        fleet = whole(fleet);
    }
    match verb {
        PrinterVerb::Ls { count: true, .. } => say(fleet.len())?,
        PrinterVerb::Ls { json: true, .. } => {
            let printers: Vec<Value> = fleet.iter().map(as_json).collect::<Result<_, _>>()?;
            say(json!({"schema": 1, "printers": printers}))?;
        }
        PrinterVerb::Ls { .. } if fleet.is_empty() => {
            eprintln!("no printer was reported yet; see that an agent polls: platen-hub agent ls");
        }
        PrinterVerb::Ls { .. } => say(list(&fleet))?,
        PrinterVerb::Show { printer, json } => {
            let row = find(&fleet, &printer)?;
            if json {
                say(as_json(row)?)?;
            } else {
                let tenant = Tenant::DEFAULT;
                let merges = store.merges(&tenant).await?;
                let agents = store.agents(&tenant).await?;
                let doubts = doubts::of(&likeness::open(&agents, &merges), &merges, &row.root);
                let history = store.history(&tenant, &row.root, HISTORY_READINGS).await?;
                say(format!(
                    "{}{}{doubts}",
                    show(row),
                    merging::shown(row, &fleet, (&merges, &history))
                ))?;
            }
        }
        PrinterVerb::Doubts { json } => return doubts::list(&store, &fleet, json).await,
        PrinterVerb::Apart { printer, reason } => {
            let row = find(&fleet, &printer)?;
            return merging::keep_apart((store, config), row, &reason).await;
        }
        PrinterVerb::Merge {
            part,
            printer,
            reason,
        } => {
            let both = (find(&fleet, &part)?, find(&fleet, &printer)?);
            return merging::merge((store, config), both, &reason).await;
        }
        PrinterVerb::Split { part, reason } => {
            return merging::split((store, config), &part, &reason).await;
        }
    }
    Ok(Exit::OK)
}

/// The fleet with each merged printer once, as the part of it tells that was heard last.
fn whole(fleet: Vec<PrinterRow>) -> Vec<PrinterRow> {
    let merged: BTreeSet<DeviceId> = fleet
        .iter()
        .filter(|row| row.root != row.device)
        .map(|row| row.root.clone())
        .collect();
    let last = |root: &DeviceId| {
        let parts = fleet.iter().filter(|row| row.root == *root);
        parts
            .max_by_key(|row| row.last_seen)
            .map(|row| (row.device.clone(), row.agent.clone()))
    };
    let last: BTreeSet<_> = merged.iter().filter_map(last).collect();
    let is_shown = |row: &PrinterRow| {
        !merged.contains(&row.root) || last.contains(&(row.device.clone(), row.agent.clone()))
    };
    fleet.into_iter().filter(is_shown).collect()
}

/// The one printer that `wanted` names; of two agents' views of it, the one heard last.
pub(super) fn find<'a>(fleet: &'a [PrinterRow], wanted: &str) -> Result<&'a PrinterRow, Complaint> {
    let is_it = |row: &&PrinterRow| {
        row.device.as_str() == wanted
            || row
                .reading
                .identity
                .serial
                .as_deref()
                .is_some_and(|serial| plain(serial) == wanted)
            || row.reading.address.is_some_and(|address| {
                shown_address(address) == wanted || address.to_string() == wanted
            })
    };
    let mut found: Vec<&PrinterRow> = fleet.iter().filter(is_it).collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
    let Some((first, others)) = found.split_first() else {
        let what = format!("there is no printer '{}'", plain(wanted));
        return Err(Complaint::new(Exit::NOTHING, what)
            .because("no printer has this device id, serial number or address")
            .try_next("platen-hub printer ls lists every one"));
    };
    // A device by its own id, though it is part of another.
    if others.iter().any(|other| other.root != first.root) {
        let ids: Vec<&str> = found.iter().map(|row| row.device.as_str()).collect();
        let what = format!("{} printers are '{}'", found.len(), plain(wanted));
        return Err(Complaint::new(Exit::NOTHING, what)
            .try_next(format!("name one by its device id: {}", ids.join(", "))));
    }
    Ok(first)
}

/// The reading as docs/reading.md has it, and who reported it.
fn as_json(row: &PrinterRow) -> Result<Value, Complaint> {
    let mut value = serde_json::to_value(&row.reading).map_err(|error| {
        Complaint::new(
            Exit::FAILED,
            format!("a reading cannot be written as JSON: {error}"),
        )
    })?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("device".to_owned(), json!(row.device));
        if row.root != row.device {
            fields.insert("part_of".to_owned(), json!(row.root));
        }
        fields.insert("agent".to_owned(), json!(row.agent_name));
        fields.insert("first_seen".to_owned(), json!(row.first_seen));
        fields.insert("last_seen".to_owned(), json!(row.last_seen));
        if let Some(since) = row.silent_since {
            fields.insert("silent_since".to_owned(), json!(since));
        }
    }
    Ok(value)
}

fn list(fleet: &[PrinterRow]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "PRINTER", "SERIAL", "ADDRESS", "AGENT", "STATUS", "PAGES", "SUPPLIES",
    ]);
    for row in fleet {
        table.add_row([
            title(&row.reading),
            plain(row.reading.identity.serial.as_deref().unwrap_or_default()),
            row.reading.address.map(shown_address).unwrap_or_default(),
            plain(&row.agent_name),
            status(row),
            pages(&row.reading),
            plain(&summary::supplies(&row.reading.supplies)),
        ]);
    }
    table.trim_fmt()
}

fn show(row: &PrinterRow) -> String {
    let identity = &row.reading.identity;
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            table.add_row([name.to_owned(), value]);
        }
    };
    line("printer", title(&row.reading));
    line(
        "serial",
        plain(identity.serial.as_deref().unwrap_or_default()),
    );
    line(
        "address",
        row.reading.address.map(shown_address).unwrap_or_default(),
    );
    line("mac", plain(identity.mac.as_deref().unwrap_or_default()));
    line("firmware", plain(&identity.firmware.join(", ")));
    line(
        "location",
        plain(identity.location.as_deref().unwrap_or_default()),
    );
    line("agent", plain(&row.agent_name));
    line("device id", row.device.to_string());
    line("status", status(row));
    line("read", row.reading.at.to_string());
    for meter in &row.reading.meters {
        let name = meter.label.as_deref().unwrap_or(meter.name.as_str());
        let beta = if meter.beta { " (beta)" } else { "" };
        line(&plain(name), format!("{}{beta}", meter.value));
    }
    for fact in &row.reading.facts {
        line("differs", plain(&fact.text));
    }
    line("supplies", plain(&summary::supplies(&row.reading.supplies)));
    for alert in &row.reading.alerts {
        let words = if alert.description.is_empty() {
            &alert.name
        } else {
            &alert.description
        };
        line(
            "alert",
            format!("{}: {}", plain(&alert.severity), plain(words)),
        );
    }
    table.trim_fmt()
}

fn title(reading: &Reading) -> String {
    let identity = &reading.identity;
    let words = [identity.vendor.as_deref(), identity.model.as_deref()];
    plain(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn status(row: &PrinterRow) -> String {
    match row.silent_since {
        Some(since) => format!("silent since {since}"),
        None => plain(&summary::status_line(&row.reading)),
    }
}

/// The life count, and whether nothing proves it yet.
fn pages(reading: &Reading) -> String {
    let is_total = |meter: &&printer::meter::Meter| meter.name == MeterName::TOTAL;
    let total = reading.meters.iter().find(is_total);
    total.map_or_else(String::new, |total| {
        let beta = if total.beta { " beta" } else { "" };
        format!("{}{beta}", total.value)
    })
}
