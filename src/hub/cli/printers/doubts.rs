//! `printer doubts`: printers that may be another one, as their agents say, until a person says.

use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use printer::identity::DeviceId;
use serde_json::{Value, json};

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{plain, say};
use crate::likeness::{self, Open};
use crate::store::agents::Doubtful;
use crate::store::merges::{Families, Merge};
use crate::store::printers::PrinterRow;
use crate::store::{Store, Tenant};

/// Lists every one that nobody has answered.
pub(super) async fn list(
    store: &Store,
    fleet: &[PrinterRow],
    json: bool,
) -> Result<Exit, Complaint> {
    let tenant = Tenant::DEFAULT;
    let agents = store.agents(&tenant).await?;
    let merges = store.merges(&tenant).await?;
    let open = likeness::open(&agents, &merges);
    if json {
        let doubts: Vec<Value> = open.iter().map(as_json).collect();
        say(json!({"schema": 1, "doubts": doubts}))?;
        return Ok(Exit::OK);
    }
    if open.is_empty() {
        eprintln!("every agent knows of each of its printers which one it is");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["PRINTER", "ADDRESS", "AGENT", "SERIAL", "MAY BE", "WHY"]);
    for it in &open {
        let row = fleet.iter().find(|row| row.device == it.doubt.device);
        let serial = row.and_then(|row| row.reading.identity.serial.as_deref());
        table.add_row([
            it.doubt.device.to_string(),
            plain(&it.doubt.address),
            plain(it.agent),
            plain(serial.unwrap_or_default()),
            any_of(it.doubt),
            plain(&it.doubt.why),
        ]);
    }
    say(table.trim_fmt())?;
    eprintln!(
        "one printer: platen-hub printer merge PART PRINTER --reason '…'; two: platen-hub printer \
         apart PRINTER --reason '…'"
    );
    Ok(Exit::OK)
}

/// Lines below `printer show`: what the agents cannot tell of this printer.
pub(super) fn of(open: &[Open<'_>], merges: &[Merge], root: &DeviceId) -> String {
    let families = Families::of(merges);
    let is_it = |device: &DeviceId| families.root(device) == *root;
    let mut text = String::new();
    for Open { agent, doubt } in open {
        let why = plain(&doubt.why);
        // Writing to a String cannot fail.
        if is_it(&doubt.device) {
            let _ = write!(
                text,
                "\n agent {} cannot tell whether it is {}: {why}\n  two printers: platen-hub printer \
                 apart {} --reason '…'",
                plain(agent),
                any_of(doubt),
                doubt.device
            );
        } else if doubt.may_be.iter().any(is_it) {
            let _ = write!(text, "\n {} may be this one: {why}", doubt.device);
        }
    }
    text
}

fn any_of(doubt: &Doubtful) -> String {
    let named: Vec<String> = doubt.may_be.iter().map(ToString::to_string).collect();
    match doubt.more {
        0 => named.join(" or "),
        more => format!("{} or one of {more} more", named.join(", ")),
    }
}

fn as_json(it: &Open<'_>) -> Value {
    let doubt = it.doubt;
    json!({
        "agent": it.agent, "device": doubt.device, "address": doubt.address, "may_be": doubt.may_be,
        "more": doubt.more, "why": doubt.why, "since": doubt.since,
    })
}
