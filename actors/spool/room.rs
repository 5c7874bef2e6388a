//! Room for what is new: which reports are given up when the disk's share is full, and who is told.
//!
//! Acked reports go first, oldest first. Then readings that lie close behind another one of the
//! same device, oldest first; where that is not enough, those that lie twice as close, and so on: a
//! long history is kept at even steps. What must be kept is never given up.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use printer::identity::DeviceId;
use redb::ReadableTable;

use super::SpoolLimits;
use super::record::{Record, Tally};
use super::store::StoreError;
use super::tables::{Meta, Tables, name_of};

/// The reports' share of the bytes on disk, in percent. redb doubles its file when it is full, and
/// adds a sixteenth for its allocator: a file of at most half the bytes never doubles past them.
const REPORTS_SHARE_PERCENT: u64 = 45;

/// Thinning goes on to this share of the room, in percent, so that it is not done for each report.
const THIN_DOWN_TO_PERCENT: u64 = 90;

/// The step at which a history is kept, at first: every second reading of the densest schedule that
/// sites run, one every 15 minutes.
const STEP_MIN: SignedDuration = SignedDuration::from_mins(30);

/// The longest step: what is still too much at one reading every two months is given up altogether.
const STEP_MAX: SignedDuration = SignedDuration::from_hours(64 * 24);

/// The step at which a spool keeps the history that waits; it grows while that only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step(SignedDuration);

impl Default for Step {
    fn default() -> Self {
        Self(STEP_MIN)
    }
}

/// Frees room, so that all reports fit into their share; only those of `unsent` are given up.
pub(super) fn make(
    tables: &mut Tables<'_>,
    meta: &mut Meta,
    (limits, step): (SpoolLimits, &mut Step),
    unsent: Range<u64>,
    now_ms: u64,
) -> Result<(), StoreError> {
    let room = limits.bytes_max / 100 * REPORTS_SHARE_PERCENT;
    while meta.bytes > room {
        let oldest = tables
            .reports
            .first()?
            .map(|(sequence, _)| sequence.value());
        match oldest {
            Some(sequence) if sequence <= meta.acked => tables.remove(meta, sequence)?,
            Some(_) | None => break,
        }
    }
    if meta.bytes <= room {
        return Ok(());
    }
    if !unsent.is_empty() {
        let target = room / 100 * THIN_DOWN_TO_PERCENT;
        let given_up = thin(tables, meta, unsent.clone(), (target, step))?;
        tell(tables, meta, unsent, given_up, now_ms)?;
    }
    if meta.bytes > room {
        Err(StoreError::Full)
    } else {
        Ok(())
    }
}

/// What was given up, by device.
type GivenUp = BTreeMap<Option<DeviceId>, Tally>;

/// Gives up reports of `range` until `target` bytes are left, or none may be given up any more.
fn thin(
    tables: &mut Tables<'_>,
    meta: &mut Meta,
    range: Range<u64>,
    (target, step): (u64, &mut Step),
) -> Result<GivenUp, StoreError> {
    let mut given_up = GivenUp::new();
    loop {
        walk(tables, meta, range.clone(), (target, *step), &mut given_up)?;
        if meta.bytes <= target || step.0 > STEP_MAX {
            return Ok(given_up);
        }
        step.0 = step.0.saturating_add(step.0);
    }
}

/// Gives up what lies less than a step behind a spared report of the same device; beyond the
/// longest step, everything.
fn walk(
    tables: &mut Tables<'_>,
    meta: &mut Meta,
    range: Range<u64>,
    (target, step): (u64, Step),
    given_up: &mut GivenUp,
) -> Result<(), StoreError> {
    let mut spared: HashMap<Option<DeviceId>, Timestamp> = HashMap::new();
    let mut from = range.start;
    while meta.bytes > target
        && let Some(sequence) = tables.next_thinnable(from..range.end)?
    {
        from = sequence + 1;
        // A damaged one is told as such when it is handed out.
        let Some(Record { device, at, .. }) = tables.read(sequence)? else {
            continue;
        };
        let is_close = spared
            .get(&device)
            .is_some_and(|before| at.duration_since(*before) < step.0);
        if !is_close && step.0 <= STEP_MAX {
            spared.insert(device, at);
            continue;
        }
        let tally = Tally::of_one(at);
        given_up
            .entry(device)
            .and_modify(|before| *before = before.and(tally))
            .or_insert(tally);
        tables.remove(meta, sequence)?;
        meta.waiting = meta.waiting.saturating_sub(1);
        meta.thinned += 1;
    }
    Ok(())
}

/// Appends one report per device that tells of what was given up. One that still waits from the
/// last time is taken in, so that there is at most one a device.
fn tell(
    tables: &mut Tables<'_>,
    meta: &mut Meta,
    unsent: Range<u64>,
    given_up: GivenUp,
    now_ms: u64,
) -> Result<(), StoreError> {
    let at = i64::try_from(now_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
    for (device, mut tally) in given_up {
        let told_at = tables.tellings.get(name_of(device.as_ref()))?;
        let told_at = told_at.map(|sequence| sequence.value());
        if let Some(before) = told_at.filter(|sequence| unsent.contains(sequence))
            && let Some(told) = tables.read(before)?.and_then(|record| record.tally())
        {
            tally = tally.and(told);
            tables.remove(meta, before)?;
            meta.waiting = meta.waiting.saturating_sub(1);
        }
        let record = Record::of_thinned(device.clone(), tally, at);
        let sequence = tables.put(meta, &record)?;
        tables.tellings.insert(name_of(device.as_ref()), sequence)?;
    }
    Ok(())
}
