//! Spools of the first form, whose records stood in the open under a checksum: read once, sealed
//! into a new file.
//!
//! A new file and not the old one: what was overwritten in place would still stand on the disk.

use printer::identity::DeviceId;
use redb::{Database, ReadableDatabase, ReadableTable};
use sha2::{Digest, Sha256};

use super::record::Record;
use super::seal::Place;
use super::store::{Store, StoreError};
use super::tables::{ACKS, DEVICES, META, Meta, REPORTS, Tables};

/// The form of files whose records are sealed.
pub(super) const SEALED: u64 = 2;

/// Octets of the checksum that stood before each record.
const CHECKSUM_BYTES: usize = 8;

/// Whether a file is of the first form.
pub(super) fn is_first(database: &Database) -> Result<bool, StoreError> {
    let transaction = database.begin_read()?;
    match transaction.open_table(META) {
        Ok(table) => {
            let meta = Meta::of(&table)?;
            Ok(meta.epoch > 0 && meta.format < SEALED)
        }
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Puts everything of a file of the first form into a new and empty one, in one transaction. What
/// was damaged there becomes a note, as it would have.
pub(super) fn carry_over(old: &Database, new: &mut Store) -> Result<(), StoreError> {
    let from = old.begin_read()?;
    let first = Meta::of(&from.open_table(META)?)?;
    let mut meta = Meta {
        format: SEALED,
        made: first.epoch,
        bytes: 0,
        ..first
    };
    new.make(meta)?;
    let to = new.begin()?;
    {
        let mut tables = Tables::open(&to, &new.sealer, meta.made)?;
        for entry in from.open_table(REPORTS)?.iter()? {
            let (sequence, octets) = entry?;
            let sequence = sequence.value();
            let record = unchecked(&sequence.to_be_bytes(), octets.value())
                .and_then(Record::decode)
                .map(Record::packed);
            let record = record.unwrap_or_else(|| {
                meta.damaged += 1;
                Record::of_damaged()
            });
            if record.is_thinnable() && sequence > meta.acked {
                tables.thinnable.insert(sequence, ())?;
            }
            tables.put_at(&mut meta, sequence, &record)?;
        }
        let mut acks = to.open_table(ACKS)?;
        for entry in from.open_table(ACKS)?.iter()? {
            let (step, acked) = entry?;
            acks.insert(step.value(), acked.value())?;
        }
        let mut devices = to.open_table(DEVICES)?;
        for entry in from.open_table(DEVICES)?.iter()? {
            let (id, octets) = entry?;
            // A damaged one is forgotten, as it would have been: the next sweep finds it again.
            let known =
                DeviceId::parse(id.value()).zip(unchecked(id.value().as_bytes(), octets.value()));
            if let Some((device, plain)) = known {
                let place = Place::Device {
                    made: meta.made,
                    device: &device,
                };
                devices.insert(id.value(), new.seal(place, plain)?.as_slice())?;
            }
        }
    }
    meta.save(&to)?;
    Ok(to.commit()?)
}

/// Takes the checksum off an entry; `None` when it does not fit.
fn unchecked<'o>(key: &[u8], octets: &'o [u8]) -> Option<&'o [u8]> {
    let (sum, rest) = octets.split_first_chunk::<CHECKSUM_BYTES>()?;
    let digest = Sha256::new()
        .chain_update(key)
        .chain_update(rest)
        .finalize();
    (digest.get(..CHECKSUM_BYTES) == Some(&sum[..])).then_some(rest)
}
