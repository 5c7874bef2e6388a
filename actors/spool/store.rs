//! The tables of the spool, and every change to them: one transaction each.
//!
//! Used by the keeper alone, on its thread. Knows redb and nothing of threads or handles.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, Table, WriteTransaction,
};

use super::format::SEALED;
use super::record::Record;
use super::room::{self, Step};
use super::seal::{Place, Sealer};
use super::tables::{
    ACKS, DEVICES, LID, LID_NAME, META, Meta, REPORTS, TELLINGS, THINNABLE, Tables,
};
use super::{Content, NewReport, PEEK_REPORTS_MAX, Sequence, SpoolLimits, SpoolStats, Spooled};

/// The step in which acks are dated: a year of them takes 1 MiB, and nobody misses ten minutes.
const ACK_STEP_MS: u64 = 10 * 60 * 1_000;

/// Shortest life of an epoch that was begun because the hub asked: a hub that refuses every epoch
/// cannot make the agent begin one after the other.
const EPOCH_MS_MIN: u64 = 10 * 60 * 1_000;

/// Records that are tried with a key when the lid does not open: the lid itself may be damaged.
const TRIED_MAX: usize = 8;

/// An open spool.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) database: Database,
    pub(super) sealer: Sealer,
    pub(super) limits: SpoolLimits,
    /// The last sequence that may have been handed out. The hub may have kept what was handed
    /// out, so that is not thinned.
    pub(super) peeked: u64,
    /// How densely the history that waits is kept.
    step: Step,
}

/// What the registry remembered.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    pub(super) devices: Vec<(DeviceId, Vec<u8>)>,
    /// Entries that the disk has damaged, left out.
    pub(super) damaged: u64,
}

/// How a spool stands, and what its alarms are told from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) stats: SpoolStats,
    pub(super) meta: Meta,
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum StoreError {
    /// There is no room, even after thinning.
    Full,
    /// The key opens nothing in it.
    Locked,
    /// The database failed.
    Database(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl Store {
    /// Takes an open database, and makes the tables where there are none.
    pub(super) fn open(
        database: Database,
        sealer: Sealer,
        limits: SpoolLimits,
        now_ms: u64,
    ) -> Result<Self, StoreError> {
        let mut store = Self {
            database,
            sealer,
            limits,
            peeked: 0,
            step: Step::default(),
        };
        if store.meta()?.is_none() {
            store.make(Meta {
                epoch: now_ms.max(1),
                made: now_ms.max(1),
                ..Meta::default()
            })?;
        }
        store.check_key()?;
        store.peeked = store.first_waiting()?;
        Ok(store)
    }

    /// Makes the tables of a new spool.
    pub(super) fn make(&mut self, meta: Meta) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        {
            transaction.open_table(ACKS)?;
            transaction.open_table(DEVICES)?;
            transaction.open_table(REPORTS)?;
            transaction.open_table(THINNABLE)?;
            transaction.open_table(TELLINGS)?;
            let lid = self.seal(Place::Lid { made: meta.made }, b"")?;
            transaction
                .open_table(LID)?
                .insert(LID_NAME, lid.as_slice())?;
        }
        let format = SEALED;
        Meta { format, ..meta }.save(&transaction)?;
        Ok(transaction.commit()?)
    }

    pub(super) fn standing(&self) -> Result<Standing, StoreError> {
        let transaction = self.database.begin_read()?;
        let meta = Meta::of(&transaction.open_table(META)?)?;
        let reports = transaction.open_table(REPORTS)?;
        let oldest = match reports.range(meta.acked + 1..)?.next() {
            Some(entry) => {
                let (sequence, octets) = entry?;
                self.decode(meta.made, sequence.value(), octets.value())
                    .map(|record| record.at)
            }
            None => None,
        };
        let stats = SpoolStats {
            epoch: meta.epoch,
            waiting: meta.waiting,
            oldest,
            bytes: meta.bytes,
            thinned: meta.thinned,
            damaged: meta.damaged,
            last: Sequence(meta.last),
            acked: Sequence(meta.acked),
        };
        Ok(Standing { stats, meta })
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
            let mut tables = Tables::open(&transaction, &self.sealer, meta.made)?;
            for report in new {
                tables.put(&mut meta, &Record::of_report(report))?;
            }
            let unsent = self.peeked.max(meta.acked) + 1..first;
            let room = (self.limits, &mut self.step);
            room::make(&mut tables, &mut meta, room, unsent, now_ms)?;
        }
        meta.save(&transaction)?;
        transaction.commit()?;
        Ok(Sequence(first)..=Sequence(first + new.len() as u64 - 1))
    }

    pub(super) fn peek(
        &mut self,
        (reports_max, bytes_max): (usize, usize),
        now_ms: u64,
    ) -> Result<Vec<Spooled>, StoreError> {
        let transaction = self.database.begin_read()?;
        let meta = Meta::of(&transaction.open_table(META)?)?;
        let reports = transaction.open_table(REPORTS)?;
        let mut peeked: Vec<Spooled> = Vec::new();
        let mut damaged = Vec::new();
        let mut bytes = 0;
        for entry in reports.range(meta.acked + 1..)?.take(reports_max) {
            let (sequence, octets) = entry?;
            let sequence = Sequence(sequence.value());
            let record = self.decode(meta.made, sequence.0, octets.value());
            let spooled = record.and_then(|record| record.spooled(sequence));
            let spooled = spooled.unwrap_or_else(|| {
                damaged.push(sequence);
                lost(sequence)
            });
            bytes += spooled.size_bytes();
            if bytes > bytes_max && !peeked.is_empty() {
                damaged.retain(|damaged| *damaged != sequence);
                break;
            }
            peeked.push(spooled);
        }
        drop((reports, transaction));
        if !damaged.is_empty() {
            self.bury(&damaged, now_ms)?;
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
            let mut tables = Tables::open(&transaction, &self.sealer, meta.made)?;
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
        self.step = Step::default();
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
            let mut tables = Tables::open(&transaction, &self.sealer, meta.made)?;
            let mut returned = Vec::new();
            for entry in tables.reports.range(acked + 1..=meta.acked)? {
                returned.push(entry?.0.value());
            }
            meta.waiting += returned.len() as u64;
            for sequence in returned {
                let record = tables.read(sequence)?;
                if record.is_some_and(|record| record.is_thinnable()) {
                    tables.thinnable.insert(sequence, ())?;
                }
            }
        }
        meta.acked = acked;
        meta.save(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Puts what waits under a new epoch, newer than `newest`. What was acked under the old one is
    /// forgotten: told again under the new one, it would be there twice. False, and nothing is
    /// changed, where the last such beginning is too short ago.
    pub(super) fn begin_epoch(&mut self, newest: u64, now_ms: u64) -> Result<bool, StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        if meta.begun_ms > 0 && now_ms.abs_diff(meta.begun_ms) < EPOCH_MS_MIN {
            transaction.abort()?;
            return Ok(false);
        }
        meta.epoch = now_ms.max(meta.epoch.max(newest).saturating_add(1));
        meta.begun_ms = now_ms.max(1);
        {
            let mut tables = Tables::open(&transaction, &self.sealer, meta.made)?;
            tables.drop_acked(&mut meta, u64::MAX)?;
            transaction.open_table(ACKS)?.retain(|_, _| false)?;
        }
        meta.save(&transaction)?;
        transaction.commit()?;
        Ok(true)
    }

    pub(super) fn remember(&mut self, devices: &[(DeviceId, Vec<u8>)]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let made = Meta::load(&transaction)?.made;
        {
            let mut table = transaction.open_table(DEVICES)?;
            for (device, octets) in devices {
                let sealed = self.seal(Place::Device { made, device }, octets)?;
                table.insert(device.as_str(), sealed.as_slice())?;
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
        let made = Meta::of(&transaction.open_table(META)?)?.made;
        let mut recalled = Recalled::default();
        for entry in transaction.open_table(DEVICES)?.iter()? {
            let (id, octets) = entry?;
            match self.recalled(made, id.value(), octets.value()) {
                Some(device) => recalled.devices.push(device),
                None => recalled.damaged += 1,
            }
        }
        Ok(recalled)
    }

    /// Notes in a new file that the one before was set aside.
    pub(super) fn note_aside(&mut self, is_locked: bool, now_ms: u64) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        if is_locked {
            meta.aside_locked_ms = now_ms;
        } else {
            meta.aside_damaged_ms = now_ms;
        }
        meta.save(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Whether the database's own checksums hold; repairs what can be.
    pub(super) fn is_sound(&mut self) -> bool {
        self.database.check_integrity().is_ok()
    }

    pub(super) fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        Ok(transaction)
    }

    pub(super) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(self.sealer.seal(place, plain).map_err(redb::Error::Io)?)
    }

    /// The counters; none in a file that has no tables yet.
    fn meta(&self) -> Result<Option<Meta>, StoreError> {
        let transaction = self.database.begin_read()?;
        let meta = match transaction.open_table(META) {
            Ok(table) => Meta::of(&table)?,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok((meta.epoch > 0).then_some(meta))
    }

    /// Proves the key by the lid, or by any record.
    fn check_key(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_read()?;
        let made = Meta::of(&transaction.open_table(META)?)?.made;
        let lid = transaction.open_table(LID)?;
        let lid = lid.get(LID_NAME)?;
        let opens = lid.is_some_and(|lid| {
            let place = Place::Lid { made };
            self.sealer.open(place, lid.value()).is_some()
        });
        if opens || self.opens_any(&transaction, made)? {
            Ok(())
        } else {
            Err(StoreError::Locked)
        }
    }

    fn opens_any(&self, transaction: &ReadTransaction, made: u64) -> Result<bool, StoreError> {
        for entry in transaction.open_table(REPORTS)?.iter()?.take(TRIED_MAX) {
            let (sequence, octets) = entry?;
            if self
                .decode(made, sequence.value(), octets.value())
                .is_some()
            {
                return Ok(true);
            }
        }
        for entry in transaction.open_table(DEVICES)?.iter()?.take(TRIED_MAX) {
            let (id, octets) = entry?;
            if self.recalled(made, id.value(), octets.value()).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last of the reports that the life before may have handed out: it began with the first
    /// that waits now, and nobody asks for more than [`PEEK_REPORTS_MAX`] at once.
    fn first_waiting(&self) -> Result<u64, StoreError> {
        let transaction = self.database.begin_read()?;
        let acked = Meta::of(&transaction.open_table(META)?)?.acked;
        let reports = transaction.open_table(REPORTS)?;
        let mut last = acked;
        for entry in reports.range(acked + 1..)?.take(PEEK_REPORTS_MAX) {
            last = entry?.0.value();
        }
        Ok(last)
    }

    fn decode(&self, made: u64, sequence: u64, octets: &[u8]) -> Option<Record> {
        let sequence = Sequence(sequence);
        let opened = self.sealer.open(Place::Report { made, sequence }, octets)?;
        Record::decode(&opened)
    }

    fn recalled(&self, made: u64, id: &str, octets: &[u8]) -> Option<(DeviceId, Vec<u8>)> {
        let device = DeviceId::parse(id)?;
        let place = Place::Device {
            made,
            device: &device,
        };
        let opened = self.sealer.open(place, octets)?;
        Some((device, opened))
    }

    /// Puts a note in place of records that the disk has damaged, and counts them.
    fn bury(&mut self, damaged: &[Sequence], now_ms: u64) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let mut meta = Meta::load(&transaction)?;
        {
            let mut tables = Tables::open(&transaction, &self.sealer, meta.made)?;
            for sequence in damaged {
                tables.remove(&mut meta, sequence.0)?;
                tables.put_at(&mut meta, sequence.0, &Record::of_damaged())?;
                meta.damaged += 1;
            }
        }
        meta.damaged_ms = now_ms;
        meta.save(&transaction)?;
        Ok(transaction.commit()?)
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
