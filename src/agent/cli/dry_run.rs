//! `platen run --dry-run`: discovers and reads once, shows what would be sent, and sends nothing.
//!
//! The life is the agent's own, without a hub and on a spool of its own in a temporary folder; the
//! messages are made by the uplink's own code. What is in the state folder is not touched.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::mask::Masks;
use actors::outbox::{Entry, Kind, Outbox};
use actors::parts::Word;
use actors::spool::{Spool, SpoolKey, SpoolLimits};
use actors::status::{StatusSnapshot, Totals};
use actors::{Handle, would_send};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{CliError, Exit, sent};
use crate::remote::InEffect;
use crate::run::{DRAIN_LIMIT, Means, SPOOL_FILE, parts};

/// Longest that a dry run takes: a /16 is swept in some 25 minutes at the usual pace.
const DRY_RUN_MAX: Duration = Duration::from_secs(3_600);
/// How often it is looked whether everything was read.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// So many looks in a row must find everything read: what a sweep found is told to the devices a
/// moment later.
const LOOKS: u32 = 4;

/// Looks at everything once and prints what would be sent.
///
/// # Errors
/// [`CliError`] when the agent would not come up either.
pub async fn run(effect: InEffect, as_json: bool) -> Result<Exit, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::new(Exit::FAILED, error.to_string());
    let folder = Folder::made()?;
    let key = SpoolKey::of_folder(&folder.0).map_err(|error| failed(&error))?;
    let spool = Spool::open(folder.0.join(SPOOL_FILE), key, SpoolLimits::default())
        .await
        .map_err(|error| failed(&error))?;
    let config = &effect.config;
    let masks = Masks::trial(&config.state_dir, config.word.masks);
    let word = Word {
        masks: masks.map_err(|error| failed(&error))?,
        configuration: effect.id.clone(),
        alarms: effect.refusals.clone(),
    };
    let means = Means {
        keeper: None,
        journal: None,
        spool: spool.clone(),
        outbox: Outbox::default(),
    };
    let parts = parts(config, &means, word.clone()).await?;
    let started_at = parts.started_at;
    let life = actors::start(parts).await.map_err(|error| failed(&error))?;
    let status = looked_around(&life).await;
    life.drain(DRAIN_LIMIT).await;
    let totals = status.map(|status| Totals {
        known: status.printers.known,
        silent: status.printers.silent,
        restarts: status.restarts.total,
        refusing: status.printers.refusing_listed,
        doubtful: status.printers.doubtful_listed,
    });
    let polls = would_send(&spool, &word, totals.unwrap_or_default(), started_at).await;
    spool.close().await;
    let polls = polls.map_err(|error| failed(&error))?;
    let at = Timestamp::now();
    let entries = polls.into_iter().map(|message| Entry {
        at,
        kind: Kind::Poll,
        message,
    });
    match print(entries, as_json) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => return Err(failed(&error)),
    }
    eprintln!("nothing was sent, and nothing was kept");
    Ok(Exit::OK)
}

fn print(entries: impl Iterator<Item = Entry>, as_json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for entry in entries {
        if as_json {
            writeln!(out, "{}", super::table::json_line(&entry)?)?;
        } else {
            write!(out, "{}", sent::lines(&entry))?;
        }
    }
    Ok(())
}

/// Waits until every subnet was swept and every printer found in it was read; an interrupted look
/// shows what was seen.
async fn looked_around(life: &Handle) -> Option<Box<StatusSnapshot>> {
    let deadline = Instant::now() + DRY_RUN_MAX;
    let mut done = 0;
    let mut last = None;
    while done < LOOKS && Instant::now() < deadline {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            _ = tokio::signal::ctrl_c() => break,
        }
        last = life.status().await.ok();
        done = match &last {
            Some(status) if is_whole(status) => done + 1,
            Some(_) => 0,
            None => break,
        };
    }
    last
}

fn is_whole(status: &StatusSnapshot) -> bool {
    let mut subnets = status.subnets.iter();
    let printers = &status.printers;
    subnets.all(|subnet| subnet.scanner.swept_at.is_some())
        && printers.read.saturating_add(printers.silent) >= printers.known
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn made() -> Result<Self, CliError> {
        let mut digits = [0; 8];
        let made = getrandom::fill(&mut digits)
            .map_err(std::io::Error::other)
            .and_then(|()| {
                let name = format!("platen-dry-run-{:016x}", u64::from_ne_bytes(digits));
                let path = std::env::temp_dir().join(name);
                let mut builder = std::fs::DirBuilder::new();
                std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
                builder.create(&path)?;
                Ok(path)
            });
        made.map(Self).map_err(|error| {
            CliError::new(Exit::FAILED, "no temporary folder can be made")
                .because(error.to_string())
                .try_next("set TMPDIR to a folder that can be written")
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        // Left over in the worst case: readings of one look, for this user's eyes alone.
        let _ = std::fs::remove_dir_all(path);
    }
}
