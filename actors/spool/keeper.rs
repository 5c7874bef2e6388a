//! The thread that owns the spool's file: opens it, works off the calls, opens it anew after a
//! failure.

use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use printer::identity::DeviceId;
use redb::{Builder, Database, DatabaseError, StorageError};
use tokio::sync::{mpsc, watch};
use tracing::{error, warn};

use super::store::{Store, StoreError};
use super::{NewReport, Sequence, SpoolError, SpoolLimits, SpoolStats, Spooled, set_aside};

/// Page cache of the database: the default grows the process by 61 MB, and a queue reads each page
/// once.
const CACHE_BYTES: usize = 8 * 1_024 * 1_024;

/// A call handed to the thread.
pub(super) type Job = Box<dyn FnOnce(&mut Keeper) + Send>;

/// How a database is opened; the tests put a failing disk here.
type Opener = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send>;

/// The owner of the file.
pub(super) struct Keeper {
    path: PathBuf,
    limits: SpoolLimits,
    open: Opener,
    now_ms: fn() -> u64,
    store: Option<Store>,
    /// The database found itself damaged: look closely at the next opening.
    is_suspect: bool,
    is_closed: bool,
    stats: watch::Sender<SpoolStats>,
    news: watch::Sender<u64>,
}

impl Keeper {
    pub(super) fn new(path: PathBuf, limits: SpoolLimits) -> Self {
        Self {
            path,
            limits,
            open: Box::new(open_file),
            now_ms,
            store: None,
            is_suspect: false,
            is_closed: false,
            stats: watch::Sender::default(),
            news: watch::Sender::default(),
        }
    }

    /// The same keeper on another disk and clock.
    #[cfg(test)]
    pub(super) fn on(self, open: Opener, now_ms: fn() -> u64) -> Self {
        Self {
            open,
            now_ms,
            ..self
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn views(&self) -> (watch::Receiver<SpoolStats>, watch::Receiver<u64>) {
        (self.stats.subscribe(), self.news.subscribe())
    }

    /// Works off calls until nobody can call any more, or the spool is closed.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            if catch_unwind(AssertUnwindSafe(|| job(&mut self))).is_err() {
                // The caller sees `Closed`. What the database holds in memory is not to be trusted.
                error!(path = %self.path.display(), "the spool's database panicked");
                self.store = None;
                self.is_suspect = true;
            }
            if self.is_closed {
                return;
            }
        }
    }

    pub(super) fn ready(&mut self) -> Result<(), SpoolError> {
        self.with_store(|_, _| Ok(()))
    }

    pub(super) fn append(
        &mut self,
        reports: &[NewReport],
    ) -> Result<RangeInclusive<Sequence>, SpoolError> {
        let range = self.with_store(|store, now_ms| store.append(reports, now_ms))?;
        self.news.send_replace(self.stats.borrow().last.0);
        Ok(range)
    }

    pub(super) fn peek(
        &mut self,
        reports_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Spooled>, SpoolError> {
        self.with_store(|store, _| store.peek(reports_max, bytes_max))
    }

    pub(super) fn ack(&mut self, up_to: Sequence) -> Result<(), SpoolError> {
        self.with_store(|store, now_ms| store.ack(up_to, now_ms))
    }

    pub(super) fn rewind(&mut self, from: Sequence) -> Result<(), SpoolError> {
        self.with_store(|store, _| store.rewind(from))
    }

    pub(super) fn remember(&mut self, devices: &[(DeviceId, Vec<u8>)]) -> Result<(), SpoolError> {
        self.with_store(|store, _| store.remember(devices))
    }

    pub(super) fn forget(&mut self, device: &DeviceId) -> Result<(), SpoolError> {
        self.with_store(|store, _| store.forget(device))
    }

    pub(super) fn recall(&mut self) -> Result<Vec<(DeviceId, Vec<u8>)>, SpoolError> {
        let recalled = self.with_store(|store, _| store.recall())?;
        if recalled.damaged > 0 {
            warn!(
                damaged = recalled.damaged,
                "remembered devices were damaged on disk and are forgotten"
            );
        }
        Ok(recalled.devices)
    }

    pub(super) fn close(&mut self) {
        self.store = None;
        self.is_closed = true;
    }

    /// Does one thing with the store, opened first if need be, and tells how it stands then.
    fn with_store<T>(
        &mut self,
        work: impl FnOnce(&mut Store, u64) -> Result<T, StoreError>,
    ) -> Result<T, SpoolError> {
        let now_ms = (self.now_ms)();
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.open_store(now_ms)?,
        };
        let done = work(&mut store, now_ms).and_then(|done| Ok((done, store.stats()?)));
        match done {
            Ok((done, stats)) => {
                self.stats
                    .send_if_modified(|told| std::mem::replace(told, stats) != stats);
                self.store = Some(store);
                Ok(done)
            }
            Err(StoreError::Full) => {
                self.store = Some(store);
                Err(SpoolError::Full {
                    bytes_max: self.limits.bytes_max,
                })
            }
            // After a failure redb refuses everything: the next call opens the file anew.
            Err(StoreError::Database(error)) => {
                self.is_suspect |= is_damage(&error);
                Err(self.unusable(error))
            }
        }
    }

    fn open_store(&mut self, now_ms: u64) -> Result<Store, SpoolError> {
        match self.try_open(now_ms) {
            Ok(mut store) => {
                if !self.is_suspect || store.is_sound() {
                    self.is_suspect = false;
                    return Ok(store);
                }
            }
            Err(StoreError::Database(error)) if is_damage(&error) => {}
            Err(StoreError::Database(error)) => return Err(self.unusable(error)),
            Err(StoreError::Full) => {
                return Err(SpoolError::Full {
                    bytes_max: self.limits.bytes_max,
                });
            }
        }
        self.begin_anew(now_ms)
    }

    /// Sets a file aside that is no spool any more, and makes a new one.
    fn begin_anew(&mut self, now_ms: u64) -> Result<Store, SpoolError> {
        let aside = set_aside(&self.path, now_ms);
        error!(path = %self.path.display(), aside = %aside.display(), "the spool is damaged: it is set aside");
        std::fs::rename(&self.path, &aside).map_err(|error| self.unusable(error.into()))?;
        self.is_suspect = false;
        self.try_open(now_ms).map_err(|error| match error {
            StoreError::Database(error) => self.unusable(error),
            StoreError::Full => SpoolError::Full {
                bytes_max: self.limits.bytes_max,
            },
        })
    }

    fn try_open(&self, now_ms: u64) -> Result<Store, StoreError> {
        Store::new((self.open)(&self.path)?, self.limits, now_ms)
    }

    fn unusable(&self, error: redb::Error) -> SpoolError {
        SpoolError::Unusable {
            path: self.path.clone(),
            error: Box::new(error),
        }
    }
}

/// Whether an error says that the file is no database any more, rather than that the disk failed.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(error) => error.kind() == ErrorKind::InvalidData,
        _ => false,
    }
}

/// Opens or makes the file, its folder included, and makes sure that a new file's name is on disk
/// before anything is promised.
fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let is_new = !path.exists();
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(StorageError::Io)?;
    }
    let database = Builder::new().set_cache_size(CACHE_BYTES).create(path)?;
    if is_new {
        let folder = folder.unwrap_or(Path::new("."));
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(StorageError::Io)?;
    }
    Ok(database)
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
