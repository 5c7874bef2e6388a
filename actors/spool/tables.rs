//! The tables of the spool's file, and the small steps that every change is made of.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::store::StoreError;
use super::{Sequence, Spooled, record};

/// Every report, acked ones included: sequence → record.
pub(super) const REPORTS: TableDefinition<u64, &[u8]> = TableDefinition::new("reports");
/// Reports not acked that may be thinned.
pub(super) const THINNABLE: TableDefinition<u64, ()> = TableDefinition::new("thinnable");
/// When what was acked: ten-minute step of Unix time → last sequence acked in it.
pub(super) const ACKS: TableDefinition<u64, u64> = TableDefinition::new("acks");
/// What the registry remembers: device id → octets under a checksum.
pub(super) const DEVICES: TableDefinition<&str, &[u8]> = TableDefinition::new("devices");
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
    pub(super) epoch: u64,
    pub(super) last: u64,
    pub(super) acked: u64,
    pub(super) waiting: u64,
    pub(super) bytes: u64,
    pub(super) thinned: u64,
    pub(super) damaged: u64,
}

/// The tables of reports, open for writing.
pub(super) struct Tables<'t> {
    pub(super) reports: Table<'t, u64, &'static [u8]>,
    pub(super) thinnable: Table<'t, u64, ()>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let reports = transaction.open_table(REPORTS)?;
        Ok(Self {
            reports,
            thinnable: transaction.open_table(THINNABLE)?,
        })
    }

    /// Puts a record behind the last one.
    pub(super) fn put(
        &mut self,
        meta: &mut Meta,
        at: Sequence,
        octets: &[u8],
    ) -> Result<(), StoreError> {
        meta.last = at.0;
        meta.waiting += 1;
        if record::is_thinnable(octets) {
            self.thinnable.insert(at.0, ())?;
        }
        self.put_at(meta, at, octets)
    }

    pub(super) fn put_at(
        &mut self,
        meta: &mut Meta,
        at: Sequence,
        octets: &[u8],
    ) -> Result<(), StoreError> {
        self.reports.insert(at.0, octets)?;
        meta.bytes += footprint_bytes(octets.len());
        Ok(())
    }

    pub(super) fn read(&self, sequence: u64) -> Result<Option<Spooled>, StoreError> {
        let octets = self.reports.get(sequence)?;
        Ok(octets.and_then(|octets| record::decode(Sequence(sequence), octets.value())))
    }

    pub(super) fn remove(&mut self, meta: &mut Meta, sequence: u64) -> Result<(), StoreError> {
        self.thinnable.remove(sequence)?;
        if let Some(octets) = self.reports.remove(sequence)? {
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

    fn fields(&mut self) -> [(&'static str, &mut u64); 7] {
        [
            ("epoch", &mut self.epoch),
            ("last", &mut self.last),
            ("acked", &mut self.acked),
            ("waiting", &mut self.waiting),
            ("bytes", &mut self.bytes),
            ("thinned", &mut self.thinned),
            ("damaged", &mut self.damaged),
        ]
    }
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
