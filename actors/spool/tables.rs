//! The tables of the spool's file, and the small steps that every change is made of.

use printer::identity::DeviceId;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::Sequence;
use super::record::Record;
use super::seal::{Place, Sealer};
use super::store::StoreError;

/// Every report, acked ones included: sequence → sealed record.
pub(super) const REPORTS: TableDefinition<u64, &[u8]> = TableDefinition::new("reports");
/// Reports not acked that may be thinned.
pub(super) const THINNABLE: TableDefinition<u64, ()> = TableDefinition::new("thinnable");
/// Where the last report stands that tells of a device's thinned ones: device id, or nothing for
/// reports of no device → sequence.
pub(super) const TELLINGS: TableDefinition<&str, u64> = TableDefinition::new("tellings");
/// When what was acked: ten-minute step of Unix time → last sequence acked in it.
pub(super) const ACKS: TableDefinition<u64, u64> = TableDefinition::new("acks");
/// What the registry remembers: device id → sealed octets.
pub(super) const DEVICES: TableDefinition<&str, &[u8]> = TableDefinition::new("devices");
/// What shows that the key is the right one, under [`LID_NAME`].
pub(super) const LID: TableDefinition<&str, &[u8]> = TableDefinition::new("lid");
/// The only entry of [`LID`].
pub(super) const LID_NAME: &str = "lid";
/// Counters by the names below.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// Records up to this size share pages of 4 KiB, which are half full after a split; longer ones
/// have pages of their own, which redb makes in powers of two.
const SHARED_PAGE_BYTES_MAX: usize = 1_024;

/// What a record costs beside its octets: key, offsets, and the head of its page.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// The counters of a spool, as they stand in [`META`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meta {
    /// Version of the file's form: 0 before records were sealed, [`super::format::SEALED`] since.
    pub(super) format: u64,
    /// The epoch in which the file was made: records are sealed for it.
    pub(super) made: u64,
    pub(super) epoch: u64,
    /// Unix time in milliseconds at which the epoch began; 0 if the file was made with it.
    pub(super) begun_ms: u64,
    pub(super) last: u64,
    pub(super) acked: u64,
    pub(super) waiting: u64,
    pub(super) bytes: u64,
    pub(super) thinned: u64,
    pub(super) damaged: u64,
    /// When a damaged report was last found.
    pub(super) damaged_ms: u64,
    /// When the file before this one was set aside as damaged.
    pub(super) aside_damaged_ms: u64,
    /// When the file before this one was set aside because the key did not open it.
    pub(super) aside_locked_ms: u64,
}

/// The tables of reports, open for writing.
pub(super) struct Tables<'t> {
    pub(super) reports: Table<'t, u64, &'static [u8]>,
    pub(super) thinnable: Table<'t, u64, ()>,
    pub(super) tellings: Table<'t, &'static str, u64>,
    sealer: &'t Sealer,
    made: u64,
}

impl<'t> Tables<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        sealer: &'t Sealer,
        made: u64,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            reports: transaction.open_table(REPORTS)?,
            thinnable: transaction.open_table(THINNABLE)?,
            tellings: transaction.open_table(TELLINGS)?,
            sealer,
            made,
        })
    }

    /// Puts a record behind the last one.
    pub(super) fn put(&mut self, meta: &mut Meta, record: &Record) -> Result<u64, StoreError> {
        meta.last += 1;
        meta.waiting += 1;
        if record.is_thinnable() {
            self.thinnable.insert(meta.last, ())?;
        }
        self.put_at(meta, meta.last, record)?;
        Ok(meta.last)
    }

    pub(super) fn put_at(
        &mut self,
        meta: &mut Meta,
        at: u64,
        record: &Record,
    ) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(self.place(at), &record.encode());
        let sealed = sealed.map_err(redb::Error::Io)?;
        self.reports.insert(at, sealed.as_slice())?;
        meta.bytes += footprint_bytes(sealed.len());
        Ok(())
    }

    /// The record at a place; `None` when there is none, or a damaged one.
    pub(super) fn read(&self, at: u64) -> Result<Option<Record>, StoreError> {
        let octets = self.reports.get(at)?;
        let opened = octets.and_then(|octets| self.sealer.open(self.place(at), octets.value()));
        Ok(opened.and_then(|octets| Record::decode(&octets)))
    }

    pub(super) fn remove(&mut self, meta: &mut Meta, at: u64) -> Result<(), StoreError> {
        self.thinnable.remove(at)?;
        if let Some(octets) = self.reports.remove(at)? {
            let size = footprint_bytes(octets.value().len());
            meta.bytes = meta.bytes.saturating_sub(size);
        }
        Ok(())
    }

    pub(super) fn drop_acked(&mut self, meta: &mut Meta, up_to: u64) -> Result<(), StoreError> {
        loop {
            let oldest = self.reports.first()?.map(|(sequence, _)| sequence.value());
            match oldest {
                Some(sequence) if sequence <= up_to.min(meta.acked) => {
                    self.remove(meta, sequence)?;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// The first report of a range that may be thinned.
    pub(super) fn next_thinnable(
        &self,
        range: std::ops::Range<u64>,
    ) -> Result<Option<u64>, StoreError> {
        let next = self.thinnable.range(range)?.next().transpose()?;
        Ok(next.map(|(sequence, _)| sequence.value()))
    }

    fn place(&self, at: u64) -> Place<'static> {
        let (made, sequence) = (self.made, Sequence(at));
        Place::Report { made, sequence }
    }
}

impl Meta {
    pub(super) fn load(transaction: &WriteTransaction) -> Result<Self, StoreError> {
        Self::of(&transaction.open_table(META)?)
    }

    pub(super) fn of(table: &impl ReadableTable<&'static str, u64>) -> Result<Self, StoreError> {
        let mut meta = Self::default();
        for (name, value) in meta.fields() {
            *value = table.get(name)?.map_or(0, |stored| stored.value());
        }
        Ok(meta)
    }

    pub(super) fn save(mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = transaction.open_table(META)?;
        for (name, value) in self.fields() {
            table.insert(name, *value)?;
        }
        Ok(())
    }

    fn fields(&mut self) -> [(&'static str, &mut u64); 13] {
        [
            ("format", &mut self.format),
            ("made", &mut self.made),
            ("epoch", &mut self.epoch),
            ("begun_ms", &mut self.begun_ms),
            ("last", &mut self.last),
            ("acked", &mut self.acked),
            ("waiting", &mut self.waiting),
            ("bytes", &mut self.bytes),
            ("thinned", &mut self.thinned),
            ("damaged", &mut self.damaged),
            ("damaged_ms", &mut self.damaged_ms),
            ("aside_damaged_ms", &mut self.aside_damaged_ms),
            ("aside_locked_ms", &mut self.aside_locked_ms),
        ]
    }
}

/// The name under which [`TELLINGS`] knows a device.
pub(super) fn name_of(device: Option<&DeviceId>) -> &str {
    device.map_or("", DeviceId::as_str)
}

/// What a record of that size takes on disk, at most.
fn footprint_bytes(size_bytes: usize) -> u64 {
    let whole = size_bytes + RECORD_OVERHEAD_BYTES;
    let taken = if whole <= SHARED_PAGE_BYTES_MAX {
        2 * whole
    } else {
        whole.next_power_of_two()
    };
    taken as u64
}
