//! `printer merge` and `printer split`, and what `printer show` says of who is who.

use std::fmt::Write;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::identity::score::{Place, Traits, weigh};

use crate::audit::Entry;
use crate::audit::writer::Chain;
use crate::cli::complaint::{Complaint, Exit};
use crate::cli::plain;
use crate::config::HubConfig;
use crate::likeness;
use crate::store::merges::{Families, Merge, Merged};
use crate::store::printers::{PastReading, PrinterRow};
use crate::store::{Store, Tenant};

/// Who merges by this program.
const OPERATOR: &str = "platen-hub";

/// Changes of identity that are shown: a printer has a handful in its life.
const CHANGES_MAX: usize = 10;

/// Shows a device as part of another from now on.
pub(super) async fn merge(
    (store, config): (Store, &HubConfig),
    (part, printer): (&PrinterRow, &PrinterRow),
    reason: &str,
) -> Result<Exit, Complaint> {
    let merge = Merge {
        device: part.root.clone(),
        into: printer.root.clone(),
        at: Timestamp::now(),
        by: OPERATOR.to_owned(),
        reason: worded(reason)?,
    };
    if merge.device == merge.into {
        let what = "they are one printer already".to_owned();
        return Err(Complaint::new(Exit::NOTHING, what)
            .because(format!("both are shown as {}", merge.into))
            .try_next(format!("platen-hub printer show {}", merge.into)));
    }
    let tenant = Tenant::DEFAULT;
    let chain = Chain::open(store.clone(), &config.state_dir)?;
    // Written down first, as everything is.
    chain
        .add(&[Entry::printers_merged(&tenant, &merge)], merge.at)
        .await?;
    match store.merge(&tenant, &merge).await? {
        Merged::Done => {
            eprintln!(
                "{} is shown as part of {}; back: platen-hub printer split {} --reason '…'",
                merge.device, merge.into, merge.device
            );
            Ok(Exit::OK)
        }
        Merged::Already | Merged::Unknown => {
            let undone = Entry::printers_split(&tenant, &merge);
            chain.add(&[undone], merge.at).await?;
            let what = "they were merged or removed meanwhile".to_owned();
            Err(Complaint::new(Exit::FAILED, what).try_next("platen-hub printer ls"))
        }
    }
}

/// Says of a printer that it is one of its own.
pub(super) async fn keep_apart(
    (store, config): (Store, &HubConfig),
    printer: &PrinterRow,
    reason: &str,
) -> Result<Exit, Complaint> {
    let said = Merge {
        device: printer.root.clone(),
        into: printer.root.clone(),
        at: Timestamp::now(),
        by: OPERATOR.to_owned(),
        reason: worded(reason)?,
    };
    let tenant = Tenant::DEFAULT;
    let chain = Chain::open(store.clone(), &config.state_dir)?;
    let entry = Entry::printer_apart(&tenant, &said);
    chain.add(&[entry], said.at).await?;
    if !store.keep_apart(&tenant, &said).await? {
        let what = "it was merged or removed meanwhile".to_owned();
        return Err(Complaint::new(Exit::FAILED, what).try_next("platen-hub printer ls"));
    }
    eprintln!(
        "{} is a printer of its own; back: platen-hub printer merge PART PRINTER --reason '…'",
        said.device
    );
    Ok(Exit::OK)
}

/// Takes a device out of the printer that it is part of.
pub(super) async fn split(
    (store, config): (Store, &HubConfig),
    part: &str,
    reason: &str,
) -> Result<Exit, Complaint> {
    let tenant = Tenant::DEFAULT;
    let reason = worded(reason)?;
    let merges = store.merges(&tenant).await?;
    let is_it = |it: &Merge| it.device.as_str() == part && !it.is_apart();
    let Some(merge) = merges.into_iter().find(is_it) else {
        let what = format!("no device '{}' is part of another", plain(part));
        return Err(Complaint::new(Exit::NOTHING, what)
            .because("a part is named by its device id")
            .try_next("platen-hub printer show PRINTER lists the parts"));
    };
    let merge = Merge {
        by: OPERATOR.to_owned(),
        reason,
        ..merge
    };
    let chain = Chain::open(store.clone(), &config.state_dir)?;
    let entry = Entry::printers_split(&tenant, &merge);
    chain.add(&[entry], Timestamp::now()).await?;
    store.split(&tenant, &merge.device).await?;
    eprintln!("{} is a printer of its own again", merge.device);
    Ok(Exit::OK)
}

fn worded(reason: &str) -> Result<String, Complaint> {
    let reason = reason.trim();
    if reason.is_empty() {
        let what = "there is no reason".to_owned();
        return Err(Complaint::new(Exit::FAILED, what)
            .because("it stands in the audit")
            .try_next("--reason 'the network board was changed'"));
    }
    Ok(reason.to_owned())
}

/// Lines below `printer show`: its parts, what became of its keys, and who it may be.
pub(super) fn shown(
    row: &PrinterRow,
    fleet: &[PrinterRow],
    (merges, history): (&[Merge], &[PastReading]),
) -> String {
    let mut text = String::new();
    let families = Families::of(merges);
    let is_part = |it: &&Merge| families.root(&it.device) == row.root && !it.is_apart();
    // Writing to a String cannot fail.
    for it in merges.iter().filter(is_part) {
        let (by, why) = (plain(&it.by), plain(&it.reason));
        let _ = write!(
            text,
            "\n part {} since {}, by {by}: {why}",
            it.device, it.at
        );
    }
    for (at, words) in changes(history) {
        let _ = write!(text, "\n identity {at}: {}", plain(&words));
    }
    for like in likeness::of(fleet, &row.root, merges) {
        let other: &DeviceId = &like.other.root;
        let why = plain(&like.words);
        let _ = write!(
            text,
            "\n may be the same as {other}: {why}\n  if so: platen-hub printer merge {other} {} \
             --reason '…'",
            row.root
        );
    }
    text
}

/// Where a key changed between two readings, newest first, and why it is the same printer.
fn changes(history: &[PastReading]) -> Vec<(Timestamp, String)> {
    let pairs = history.iter().zip(history.iter().skip(1));
    let changed = pairs.filter_map(|(newer, older)| {
        let (was, is) = (Traits::of(&older.reading), Traits::of(&newer.reading));
        let place = if older.reading.address == newer.reading.address {
            Place::Same
        } else {
            Place::Elsewhere
        };
        let words = || weigh(&was, &is, place).words();
        was.is_changed(&is).then(|| (newer.reading.at, words()))
    });
    changed.take(CHANGES_MAX).collect()
}
