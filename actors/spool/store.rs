//! The tables of the spool, and every change to them: one transaction each.
//!
//! Used by the keeper alone, on its thread. Knows redb and nothing of threads or handles.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use super::record;
use super::tables::{ACKS, DEVICES, META, Meta, REPORTS, THINNABLE, Tables};
use super::{Content, NewReport, Sequence, SpoolLimits, SpoolStats, Spooled};

/// The step in which acks are dated: a year of them takes 1 MiB, and nobody misses ten minutes.
const ACK_STEP_MS: u64 = 10 * 60 * 1_000;

/// The reports' share of the bytes on disk, in percent. redb doubles its file when it is full, and
/// adds a sixteenth for its allocator: a file of at most half the bytes never doubles past them.
const REPORTS_SHARE_PERCENT: u64 = 45;

/// Thinning goes on to this share of the room, in percent, so that it is not done for each report.
const THIN_DOWN_TO_PERCENT: u64 = 90;

/// An open spool.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
    limits: SpoolLimits,
    /// The last sequence handed out since the file was opened. The hub may have kept what was
    /// handed out, so that is not thinned.
    peeked: u64,
}

/// What the registry remembered.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    pub(super) devices: Vec<(DeviceId, Vec<u8>)>,
    /// Entries that the disk has damaged, left out.
    pub(super) damaged: u64,
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum StoreError {
    /// There is no room, even after thinning.
    Full,
    /// The database failed.
    Database(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl Store {
    /// Takes an open database, and makes the tables where they lack.
    pub(super) fn new(
        database: Database,
        limits: SpoolLimits,
        now_ms: u64,
    ) -> Result<Self, StoreError> {
        let store = Self {
            database,
            limits,
            peeked: 0,
        };
        let transaction = store.begin()?;
        transaction.open_table(REPORTS)?;
        transaction.open_table(THINNABLE)?;
        transaction.open_table(ACKS)?;
        transaction.open_table(DEVICES)?;
        let mut meta = Meta::load(&transaction)?;
        if meta.epoch == 0 {
            meta.epoch = now_ms.max(1);
            meta.save(&transaction)?;
        }
        transaction.commit()?;
        Ok(store)
    }

    pub(super) fn stats(&self) -> Result<SpoolStats, StoreError> {
        let transaction = self.database.begin_read()?;
        let meta = Meta::of(&transaction.open_table(META)?)?;
        let reports = transaction.open_table(REPORTS)?;
        let oldest = match reports.range(meta.acked + 1..)?.next() {
            Some(entry) => {
                let (sequence, octets) = entry?;
                record::decode(Sequence(sequence.value()), octets.value()).map(|it| it.at)
            }
            None => None,
        };
        Ok(SpoolStats {
            epoch: meta.epoch,
            waiting: meta.waiting,
            oldest,
            bytes: meta.bytes,
            thinned: meta.thinned,
            damaged: meta.damaged,
            last: Sequence(meta.last),
            acked: Sequence(meta.acked),
        })
    }

    pub(super) fn append(
        &mut self,
        new: &[NewReport],
        now_ms: u64,
    ) -> Result<RangeInclusive<Sequence>, StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        let first = meta.last + 1;
        {
            let mut tables = Tables::open(&transaction)?;
            for report in new {
                let sequence = Sequence(meta.last + 1);
                tables.put(
                    &mut meta,
                    sequence,
                    &record::encode_report(sequence, report),
                )?;
            }
            self.make_room(&mut tables, &mut meta, first, now_ms)?;
        }
        meta.save(&transaction)?;
        transaction.commit()?;
        Ok(Sequence(first)..=Sequence(first + new.len() as u64 - 1))
    }

    pub(super) fn peek(
        &mut self,
        reports_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Spooled>, StoreError> {
        let transaction = self.database.begin_read()?;
        let meta = Meta::of(&transaction.open_table(META)?)?;
        let reports = transaction.open_table(REPORTS)?;
        let mut peeked = Vec::new();
        let mut damaged = Vec::new();
        let mut bytes = 0;
        for entry in reports.range(meta.acked + 1..)?.take(reports_max) {
            let (sequence, octets) = entry?;
            bytes += octets.value().len();
            if bytes > bytes_max && !peeked.is_empty() {
                break;
            }
            let sequence = Sequence(sequence.value());
            peeked.push(record::decode(sequence, octets.value()).unwrap_or_else(|| {
                damaged.push(sequence);
                lost(sequence)
            }));
        }
        drop((reports, transaction));
        if !damaged.is_empty() {
            self.bury(&damaged)?;
        }
        self.peeked = self
            .peeked
            .max(peeked.last().map_or(0, |last| last.sequence.0));
        Ok(peeked)
    }

    pub(super) fn ack(&mut self, up_to: Sequence, now_ms: u64) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        let up_to = up_to.0.min(meta.last);
        if up_to <= meta.acked {
            return Ok(transaction.abort()?);
        }
        {
            let mut tables = Tables::open(&transaction)?;
            let acked = tables.reports.range(meta.acked + 1..=up_to)?.count() as u64;
            meta.waiting = meta.waiting.saturating_sub(acked);
            tables.thinnable.retain_in(..=up_to, |_, ()| false)?;
            meta.acked = up_to;
            let mut acks = transaction.open_table(ACKS)?;
            acks.insert(now_ms / ACK_STEP_MS, up_to)?;
            let expired = expire(&mut acks, self.limits.keep_acked, now_ms)?;
            tables.drop_acked(&mut meta, expired)?;
        }
        meta.save(&transaction)?;
        Ok(transaction.commit()?)
    }

    pub(super) fn rewind(&mut self, from: Sequence) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        let acked = from.0.saturating_sub(1);
        if acked >= meta.acked {
            return Ok(transaction.abort()?);
        }
        {
            let mut tables = Tables::open(&transaction)?;
            for entry in tables.reports.range(acked + 1..=meta.acked)? {
                let (sequence, octets) = entry?;
                meta.waiting += 1;
                if record::is_thinnable(octets.value()) {
                    tables.thinnable.insert(sequence.value(), ())?;
                }
            }
        }
        meta.acked = acked;
        meta.save(&transaction)?;
        Ok(transaction.commit()?)
    }

    pub(super) fn remember(&mut self, devices: &[(DeviceId, Vec<u8>)]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        {
            let mut table = transaction.open_table(DEVICES)?;
            for (device, octets) in devices {
                table.insert(device.as_str(), record::seal(device, octets).as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn forget(&mut self, device: &DeviceId) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        transaction.open_table(DEVICES)?.remove(device.as_str())?;
        Ok(transaction.commit()?)
    }

    /// Everything remembered, and how many entries were damaged.
    pub(super) fn recall(&self) -> Result<Recalled, StoreError> {
        let transaction = self.database.begin_read()?;
        let mut recalled = Recalled::default();
        for entry in transaction.open_table(DEVICES)?.iter()? {
            let (id, octets) = entry?;
            let id = DeviceId::parse(id.value());
            match id.and_then(|id| Some((id.clone(), record::unseal(&id, octets.value())?))) {
                Some(device) => recalled.devices.push(device),
                None => recalled.damaged += 1,
            }
        }
        Ok(recalled)
    }

    /// Whether the database's own checksums hold; repairs what can be.
    pub(super) fn is_sound(&mut self) -> bool {
        self.database.check_integrity().is_ok()
    }

    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        Ok(transaction)
    }

    /// Puts a note in place of records that the disk has damaged, and counts them.
    fn bury(&mut self, damaged: &[Sequence]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        {
            let mut tables = Tables::open(&transaction)?;
            for sequence in damaged {
                tables.remove(&mut meta, sequence.0)?;
                tables.put_at(
                    &mut meta,
                    *sequence,
                    &record::encode_spooled(&lost(*sequence)),
                )?;
                meta.damaged += 1;
            }
        }
        meta.save(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Frees room for what was appended from `first` on: acked reports go first, oldest first,
    /// then what may be thinned.
    fn make_room(
        &self,
        tables: &mut Tables<'_>,
        meta: &mut Meta,
        first: u64,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let room = self.limits.bytes_max / 100 * REPORTS_SHARE_PERCENT;
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
        let target = room / 100 * THIN_DOWN_TO_PERCENT;
        self.thin(
            tables,
            meta,
            self.peeked.max(meta.acked) + 1..first,
            (target, now_ms),
        )?;
        if meta.bytes > room {
            Err(StoreError::Full)
        } else {
            Ok(())
        }
    }

    /// Gives up reports of `range`, oldest first, until `target` bytes are left, and appends one
    /// report per device that tells of it.
    fn thin(
        &self,
        tables: &mut Tables<'_>,
        meta: &mut Meta,
        range: std::ops::Range<u64>,
        (target, now_ms): (u64, u64),
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut given_up: BTreeMap<Option<DeviceId>, (u32, Timestamp, Timestamp)> = BTreeMap::new();
        while meta.bytes > target {
            let next = tables.thinnable.range(range.clone())?.next().transpose()?;
            let Some(sequence) = next.map(|(sequence, _)| sequence.value()) else {
                break;
            };
            let known = tables
                .read(sequence)?
                .unwrap_or_else(|| lost(Sequence(sequence)));
            let row = given_up
                .entry(known.device)
                .or_insert((0, known.at, known.at));
            *row = (
                row.0.saturating_add(1),
                row.1.min(known.at),
                row.2.max(known.at),
            );
            tables.remove(meta, sequence)?;
            meta.waiting = meta.waiting.saturating_sub(1);
            meta.thinned += 1;
        }
        let at = i64::try_from(now_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
        for (device, (reports, first, last)) in given_up {
            let sequence = Sequence(meta.last + 1);
            let content = Content::Thinned {
                reports,
                first,
                last,
            };
            let octets = record::encode_spooled(&Spooled {
                sequence,
                device,
                at,
                content,
            });
            tables.put(meta, sequence, &octets)?;
        }
        Ok(())
    }
}

/// Forgets acks older than `keep`; gives the last sequence that they acked.
fn expire(acks: &mut Table<'_, u64, u64>, keep: Duration, now_ms: u64) -> Result<u64, StoreError> {
    let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    // A step is past when its last instant is.
    let oldest_kept = now_ms.saturating_sub(keep_ms) / ACK_STEP_MS;
    let mut up_to = 0;
    acks.retain_in(..oldest_kept, |_, acked| {
        up_to = up_to.max(acked);
        false
    })?;
    Ok(up_to)
}

/// What is left of a report that the disk has damaged.
fn lost(sequence: Sequence) -> Spooled {
    Spooled {
        sequence,
        device: None,
        at: Timestamp::UNIX_EPOCH,
        content: Content::Damaged,
    }
}
