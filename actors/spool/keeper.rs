//! The thread that owns the spool's file: opens it, works off the calls, opens it anew after a
//! failure.

mod group;

use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use printer::identity::DeviceId;
use redb::{Builder, Database, DatabaseError, StorageError};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use self::group::WRITES_AT_ONCE;
pub(super) use self::group::{Append, Job, Remember};
use super::alarm::Alarm;
use super::key::SpoolKey;
use super::seal::Sealer;
use super::store::{Standing, Store, StoreError};
use super::{NewReport, Sequence, SpoolError, SpoolLimits, SpoolStats, Spooled, alarm, format};

/// Page cache of the database: the default grows the process by 61 MB, and a queue reads each page
/// once.
const CACHE_BYTES: usize = 2 * 1_024 * 1_024;
/// What a file of the first form is carried over into, beside it.
const CARRIED_EXTENSION: &str = "carried";

/// Openings of the file that may fail one after the other before calls are refused without one: an
/// opening after a failure reads the whole file.
const OPENINGS_AT_ONCE: u32 = 5;
/// How long calls are refused then, before the file is tried again.
const OPENING_EVERY: Duration = Duration::from_secs(5);

/// How a database is opened; the tests put a failing disk here.
type Opener = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send>;

/// Unix time in milliseconds; the tests put another one here.
pub(super) type Clock = fn() -> u64;

/// The owner of the file.
pub(super) struct Keeper {
    path: PathBuf,
    key: SpoolKey,
    limits: SpoolLimits,
    open: Opener,
    clock: Clock,
    store: Option<Store>,
    /// The database found itself damaged: look closely at the next opening.
    is_suspect: bool,
    is_closed: bool,
    /// Failures of the disk: all of them, those since the last success, and the last one.
    failures: u64,
    failures_in_a_row: u32,
    failed_at: Instant,
    /// What the disk has done to us; the other alarms stand in the file.
    failing: Option<Alarm>,
    full: Option<Alarm>,
    stats: watch::Sender<SpoolStats>,
    news: watch::Sender<u64>,
    alarms: watch::Sender<Vec<Alarm>>,
}

/// What the handle sees of the keeper.
pub(super) struct Views {
    pub(super) stats: watch::Receiver<SpoolStats>,
    pub(super) news: watch::Receiver<u64>,
    pub(super) alarms: watch::Receiver<Vec<Alarm>>,
}

impl Keeper {
    pub(super) fn new(path: PathBuf, key: SpoolKey, limits: SpoolLimits, clock: Clock) -> Self {
        Self {
            path,
            key,
            limits,
            open: Box::new(open_file),
            clock,
            store: None,
            is_suspect: false,
            is_closed: false,
            failures: 0,
            failures_in_a_row: 0,
            failed_at: Instant::now(),
            failing: None,
            full: None,
            stats: watch::Sender::default(),
            news: watch::Sender::default(),
            alarms: watch::Sender::default(),
        }
    }

    /// The same keeper on another disk.
    #[cfg(test)]
    pub(super) fn on(self, open: Opener) -> Self {
        Self { open, ..self }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn views(&self) -> Views {
        Views {
            stats: self.stats.subscribe(),
            news: self.news.subscribe(),
            alarms: self.alarms.subscribe(),
        }
    }

    /// Works off calls until nobody can call any more, or the spool is closed.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            let (mut appends, mut remembers, mut other) = (Vec::new(), Vec::new(), None);
            let mut waiting = Some(job);
            while let Some(job) = waiting.take() {
                match job {
                    Job::Append(append) => appends.push(append),
                    Job::Remember(remember) => remembers.push(remember),
                    Job::Other(call) => other = Some(call),
                }
                if other.is_none() && appends.len() + remembers.len() < WRITES_AT_ONCE {
                    waiting = jobs.try_recv().ok();
                }
            }
            if !appends.is_empty() {
                self.guarded(|keeper| keeper.append_all(appends));
            }
            if !remembers.is_empty() {
                self.guarded(|keeper| keeper.remember_all(remembers));
            }
            if let Some(call) = other {
                self.guarded(call);
            }
            if self.is_closed {
                return;
            }
        }
    }

    /// Does a call. If the database panics, the caller sees `Closed`.
    fn guarded(&mut self, call: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| call(self))).is_err() {
            // What the database holds in memory is not to be trusted.
            error!(path = %self.path.display(), "the spool's database panicked");
            self.store = None;
            let error = io::Error::other("the database panicked");
            self.refusal(io_error(error), (self.clock)());
            self.is_suspect = true;
        }
    }

    /// Opens the file. A disk that fails is no reason not to begin: the next call tries again.
    pub(super) fn ready(&mut self) -> Result<(), SpoolError> {
        match self.with_store(|_, _| Ok(())) {
            Err(SpoolError::Unusable { path, error })
                if matches!(*error, redb::Error::Io(_) | redb::Error::PreviousIo) =>
            {
                error!(path = %path.display(), %error, "the spool cannot be opened yet");
                Ok(())
            }
            ready => ready,
        }
    }

    fn append(&mut self, reports: &[NewReport]) -> Result<RangeInclusive<Sequence>, SpoolError> {
        let range = self.with_store(|store, now_ms| store.append(reports, now_ms))?;
        self.news.send_replace(self.stats.borrow().last.0);
        Ok(range)
    }

    pub(super) fn peek(
        &mut self,
        reports_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Spooled>, SpoolError> {
        self.with_store(|store, now_ms| store.peek((reports_max, bytes_max), now_ms))
    }

    pub(super) fn ack(&mut self, up_to: Sequence) -> Result<(), SpoolError> {
        self.with_store(|store, now_ms| store.ack(up_to, now_ms))
    }

    pub(super) fn rewind(&mut self, from: Sequence) -> Result<(), SpoolError> {
        self.with_store(|store, _| store.rewind(from))
    }

    pub(super) fn begin_epoch(&mut self, newest: u64) -> Result<bool, SpoolError> {
        let is_begun = self.with_store(|store, now_ms| store.begin_epoch(newest, now_ms))?;
        if is_begun {
            let epoch = self.stats.borrow().epoch;
            error!(
                epoch,
                "the hub knows more of the spool than itself: a new epoch begins"
            );
        }
        Ok(is_begun)
    }

    fn remember(&mut self, devices: &[(DeviceId, Vec<u8>)]) -> Result<(), SpoolError> {
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
        let now_ms = (self.clock)();
        if self.store.is_none()
            && self.failures_in_a_row >= OPENINGS_AT_ONCE
            && self.failed_at.elapsed() < OPENING_EVERY
        {
            let path = self.path.clone();
            return Err(SpoolError::Resting { path });
        }
        let done = self.opened(now_ms).and_then(|mut store| {
            let done = work(&mut store, now_ms);
            match done.and_then(|done| Ok((done, store.standing()?))) {
                // After a failure redb refuses everything: the next call opens the file anew.
                Err(StoreError::Database(error)) => Err(StoreError::Database(error)),
                Err(error) => {
                    self.store = Some(store);
                    Err(error)
                }
                Ok((done, standing)) => {
                    self.store = Some(store);
                    self.failures_in_a_row = 0;
                    self.tell(&standing);
                    Ok(done)
                }
            }
        });
        done.map_err(|error| self.refusal(error, now_ms))
    }

    /// Turns a failure into what the caller hears, and rings for it.
    fn refusal(&mut self, error: StoreError, now_ms: u64) -> SpoolError {
        let last = instant(now_ms);
        let refusal = match error {
            StoreError::Full => {
                self.full = Some(Alarm::Full { last });
                SpoolError::Full {
                    bytes_max: self.limits.bytes_max,
                }
            }
            StoreError::Locked => SpoolError::Locked {
                path: self.path.clone(),
            },
            StoreError::Database(error) => {
                self.is_suspect |= is_damage(&error);
                self.failures += 1;
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.failed_at = Instant::now();
                self.failing = Some(Alarm::failing(self.failures, last, &error.to_string()));
                SpoolError::Unusable {
                    path: self.path.clone(),
                    error: Box::new(error),
                }
            }
        };
        let mut alarms = self.alarms.borrow().clone();
        alarms.retain(|alarm| !matches!(alarm, Alarm::Failing { .. } | Alarm::Full { .. }));
        alarms.extend(self.failing.iter().chain(&self.full).cloned());
        self.ring(alarms);
        refusal
    }

    /// Tells how the spool stands.
    fn tell(&self, standing: &Standing) {
        let stats = standing.stats;
        self.stats
            .send_if_modified(|told| std::mem::replace(told, stats) != stats);
        let mut alarms = alarm::of_standing(standing, &self.path);
        alarms.extend(self.failing.iter().chain(&self.full).cloned());
        self.ring(alarms);
    }

    fn ring(&self, mut alarms: Vec<Alarm>) {
        alarms.sort();
        self.alarms
            .send_if_modified(|told| std::mem::replace(told, alarms.clone()) != alarms);
    }

    /// The store, opened if need be; a file that is no spool of this key is set aside first.
    fn opened(&mut self, now_ms: u64) -> Result<Store, StoreError> {
        if let Some(store) = self.store.take() {
            return Ok(store);
        }
        let word = match self.try_open(now_ms) {
            Ok(mut store) => {
                if !self.is_suspect || store.is_sound() {
                    self.is_suspect = false;
                    return Ok(store);
                }
                "damaged"
            }
            Err(StoreError::Locked) => "locked",
            Err(StoreError::Database(error)) if is_damage(&error) => "damaged",
            Err(error) => return Err(error),
        };
        self.begin_anew(word, now_ms)
    }

    /// Sets a file aside that is no spool of this key, and makes a new one.
    fn begin_anew(&mut self, word: &str, now_ms: u64) -> Result<Store, StoreError> {
        let name = aside_name(&self.path, word, now_ms);
        let aside = self.path.with_file_name(&name);
        match word {
            "locked" => {
                error!(path = %self.path.display(), aside = %aside.display(), "the key does not open the spool: it is set aside; put the old key back to read it")
            }
            _ => {
                error!(path = %self.path.display(), aside = %aside.display(), "the spool is damaged: it is set aside")
            }
        }
        std::fs::rename(&self.path, &aside).map_err(redb::Error::Io)?;
        self.is_suspect = false;
        let mut store = self.try_open(now_ms)?;
        store.note_aside(word == "locked", now_ms)?;
        Ok(store)
    }

    fn try_open(&self, now_ms: u64) -> Result<Store, StoreError> {
        let is_new = !self.path.exists();
        let database = (self.open)(&self.path).inspect_err(|_| {
            if is_new {
                // Half made, it would look like a damaged one; where it stays, it is set aside.
                let _ = std::fs::remove_file(&self.path);
            }
        })?;
        if !format::is_first(&database)? {
            return Store::open(database, self.sealer()?, self.limits, now_ms);
        }
        let new_path = self.path.with_extension(CARRIED_EXTENSION);
        // One left over from a cut is not whole.
        match std::fs::remove_file(&new_path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error(error)),
            Ok(()) | Err(_) => {}
        }
        let new = (self.open)(&new_path)?;
        let mut new = Store::open(new, self.sealer()?, self.limits, now_ms)?;
        format::carry_over(&database, &mut new)?;
        drop((database, new));
        std::fs::rename(&new_path, &self.path).map_err(io_error)?;
        sync_folder(&self.path).map_err(io_error)?;
        info!(path = %self.path.display(), "the spool is sealed from here on");
        Store::open(
            (self.open)(&self.path)?,
            self.sealer()?,
            self.limits,
            now_ms,
        )
    }

    fn sealer(&self) -> Result<Sealer, StoreError> {
        Sealer::new(&self.key).map_err(io_error)
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
    let is_new = !path.exists();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(StorageError::Io)?;
    }
    let database = Builder::new().set_cache_size(CACHE_BYTES).create(path)?;
    if is_new {
        sync_folder(path).map_err(StorageError::Io)?;
    }
    Ok(database)
}

/// Puts the name of a file on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// What a file is called that is set aside.
pub(super) fn aside_name(path: &Path, word: &str, now_ms: u64) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.{word}-{now_ms}")
}

/// The time of this machine.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn instant(ms: u64) -> Timestamp {
    let at = i64::try_from(ms).ok();
    at.and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn io_error(error: io::Error) -> StoreError {
    StoreError::Database(redb::Error::Io(error))
}
