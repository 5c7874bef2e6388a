//! What became of each command, on disk: written before anything is done, and before it is told.
//!
//! A command is done once however often it is delivered, also when the agent died in between: what
//! was begun and has no end is then said to be unknown, never begun again. A file of its own beside
//! the spool, because it may be made anew without losing a reading. Every commit is on the disk
//! when it returns.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use redb::{Builder, Database, Durability, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};

use super::outcome::{Outcome, State};

/// Most commands that are remembered: a minute's most for an hour and more, every hour of which
/// nobody keeps up for a day.
const ENTRIES_MAX: u64 = 5_000;

/// How long a command is remembered at least. It cannot be carried out for longer than 24 h.
const KEEP: SignedDuration = SignedDuration::from_hours(48);

/// Most octets of results that are kept for a second delivery; the oldest go first.
const RESULTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Page cache of the database: a command is looked at once or twice.
const CACHE_BYTES: usize = 1024 * 1024;

/// Id → [`Entry`] as JSON.
const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("commands");

/// Unix milliseconds of the end and id → result. Oldest first.
const RESULTS: TableDefinition<(i64, &str), &[u8]> = TableDefinition::new("results");

/// What is said of a command that the agent died over.
const UNKNOWN_END: &str = "the agent was restarted while this was carried out; whether it took \
                           effect is not known";

/// What is said where the result itself is no longer kept.
const RESULT_GONE: &str = "done; the result was told once and is no longer kept here";

/// Why the journal cannot be used. Then nothing is done.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk, or the file on it.
    #[error("the journal of commands cannot be used: {0}")]
    Disk(#[source] Box<redb::Error>),
    /// More commands than are remembered, none of which may be forgotten yet.
    #[error("the journal of commands is full: {ENTRIES_MAX} in two days")]
    Full,
    /// The runtime is shutting down.
    #[error("the journal of commands is closed")]
    Closed,
}

impl<E: Into<redb::Error>> From<E> for JournalError {
    fn from(error: E) -> Self {
        Self::Disk(Box::new(error.into()))
    }
}

/// The journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    database: Arc<Database>,
}

/// A command as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    kind: String,
    issuer: String,
    /// SHA-256 of what was signed, in hex.
    digest: String,
    begun_ms: i64,
    expires_ms: i64,
    end: Option<End>,
}

/// How it ended; the result stands in its own table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct End {
    at_ms: i64,
    state: State,
    why: String,
    has_result: bool,
}

/// What is to be written down before anything is done.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) issuer: String,
    pub(super) digest: [u8; 32],
    pub(super) expires_ms: i64,
}

/// What the journal knows of a command that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begun {
    /// Nothing: it is written down now, and may be carried out.
    First,
    /// It is being carried out.
    Underway,
    /// It has ended with this. `is_same` is false when another command had this id.
    Ended { outcome: Outcome, is_same: bool },
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`JournalError::Disk`] when neither works.
    pub async fn open(path: PathBuf) -> Result<Self, JournalError> {
        blocking(move || {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            let journal = Self {
                database: Arc::new(builder.create(path)?),
            };
            let write = journal.writing()?;
            write.open_table(ENTRIES)?;
            write.open_table(RESULTS)?;
            write.commit()?;
            Ok(journal)
        })
        .await
    }

    /// Ends what an earlier life left without an end. Called before the first command is heard.
    pub(super) async fn settle(&self, now: Timestamp) -> Result<u64, JournalError> {
        let journal = self.clone();
        blocking(move || journal.settle_now(now)).await
    }

    /// Writes down that a command begins, unless it is known.
    pub(super) async fn begin(
        &self,
        beginning: Beginning,
        now: Timestamp,
    ) -> Result<Begun, JournalError> {
        let journal = self.clone();
        blocking(move || journal.begin_now(&beginning, now)).await
    }

    /// Writes down how a command ended.
    pub(super) async fn end(&self, outcome: Outcome) -> Result<(), JournalError> {
        let journal = self.clone();
        blocking(move || journal.end_now(&outcome)).await
    }

    fn writing(&self) -> Result<redb::WriteTransaction, JournalError> {
        let mut write = self.database.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        Ok(write)
    }

    fn begin_now(&self, new: &Beginning, now: Timestamp) -> Result<Begun, JournalError> {
        let digest = hex(&new.digest);
        let write = self.writing()?;
        let begun = {
            let mut entries = write.open_table(ENTRIES)?;
            let known = entries
                .get(new.id.as_str())?
                .and_then(|it| read(it.value()));
            match known {
                Some(Entry { end: None, .. }) => Begun::Underway,
                Some(entry) => {
                    let results = write.open_table(RESULTS)?;
                    Begun::Ended {
                        is_same: entry.digest == digest,
                        outcome: recall(&new.id, entry, &results)?,
                    }
                }
                None => {
                    if entries.len()? >= ENTRIES_MAX {
                        forget(&mut entries, now)?;
                    }
                    if entries.len()? >= ENTRIES_MAX {
                        return Err(JournalError::Full);
                    }
                    let entry = Entry {
                        kind: new.kind.to_owned(),
                        issuer: new.issuer.clone(),
                        digest,
                        begun_ms: now.as_millisecond(),
                        expires_ms: new.expires_ms,
                        end: None,
                    };
                    entries.insert(new.id.as_str(), written(&entry).as_slice())?;
                    Begun::First
                }
            }
        };
        if begun == Begun::First {
            write.commit()?;
        }
        Ok(begun)
    }

    fn end_now(&self, outcome: &Outcome) -> Result<(), JournalError> {
        let write = self.writing()?;
        {
            let mut entries = write.open_table(ENTRIES)?;
            let known = entries
                .get(outcome.id.as_str())?
                .and_then(|it| read(it.value()));
            let Some(mut entry) = known else {
                return Ok(());
            };
            entry.end = Some(End {
                at_ms: outcome.at_ms,
                state: outcome.state,
                why: outcome.why.clone(),
                has_result: !outcome.result.is_empty(),
            });
            entries.insert(outcome.id.as_str(), written(&entry).as_slice())?;
            if !outcome.result.is_empty() {
                let mut results = write.open_table(RESULTS)?;
                let key = (outcome.at_ms, outcome.id.as_str());
                results.insert(key, outcome.result.as_slice())?;
                while results.stats()?.stored_bytes() > RESULTS_BYTES_MAX {
                    results.pop_first()?;
                }
            }
        }
        write.commit()?;
        Ok(())
    }

    fn settle_now(&self, now: Timestamp) -> Result<u64, JournalError> {
        let write = self.writing()?;
        let mut settled = 0;
        {
            let mut entries = write.open_table(ENTRIES)?;
            forget(&mut entries, now)?;
            let mut open = Vec::new();
            for item in entries.iter()? {
                let (id, octets) = item?;
                if let Some(entry) = read(octets.value()).filter(|entry| entry.end.is_none()) {
                    open.push((id.value().to_owned(), entry));
                }
            }
            for (id, mut entry) in open {
                entry.end = Some(End {
                    at_ms: now.as_millisecond(),
                    state: State::Failed,
                    why: UNKNOWN_END.to_owned(),
                    has_result: false,
                });
                entries.insert(id.as_str(), written(&entry).as_slice())?;
                settled += 1;
            }
        }
        write.commit()?;
        Ok(settled)
    }
}

/// Forgets what can no longer be carried out and was kept long enough.
fn forget(entries: &mut redb::Table<'_, &str, &[u8]>, now: Timestamp) -> Result<(), JournalError> {
    let now_ms = now.as_millisecond();
    let old_ms = now_ms.saturating_sub(i64::try_from(KEEP.as_millis()).unwrap_or(i64::MAX));
    entries.retain(|_, octets| {
        read(octets).is_some_and(|entry| entry.begun_ms > old_ms || entry.expires_ms > now_ms)
    })?;
    Ok(())
}

/// The outcome of an entry that has ended.
fn recall(
    id: &str,
    entry: Entry,
    results: &redb::Table<'_, (i64, &str), &[u8]>,
) -> Result<Outcome, JournalError> {
    let end = entry.end.unwrap_or(End {
        at_ms: entry.begun_ms,
        state: State::Failed,
        why: UNKNOWN_END.to_owned(),
        has_result: false,
    });
    let kept = results.get((end.at_ms, id))?.map(|it| it.value().to_vec());
    let why = if end.has_result && kept.is_none() {
        RESULT_GONE.to_owned()
    } else {
        end.why
    };
    Ok(Outcome {
        id: id.to_owned(),
        at_ms: end.at_ms,
        state: end.state,
        why,
        result: kept.unwrap_or_default(),
    })
}

/// An entry that cannot be read counts as none: its command may then be refused as expired, or be
/// carried out by a hub that sends it again within its life.
fn read(octets: &[u8]) -> Option<Entry> {
    serde_json::from_slice(octets).ok()
}

fn written(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).unwrap_or_default()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Runs a step on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    tokio::task::spawn_blocking(step)
        .await
        .unwrap_or(Err(JournalError::Closed))
}

#[cfg(test)]
mod tests;
