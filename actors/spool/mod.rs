//! A queue on disk that survives a power cut: append, peek, ack.
//!
//! Devices append what they read; the uplink peeks, sends, and acks what the hub has kept. A report
//! is on disk when [`Spool::append`] returns and leaves only after its ack, or when the disk's share
//! is full and it is one that may be thinned; the thinning is a report itself. The same file
//! remembers the devices that the registry knows. Everything in it is sealed: without the key the
//! file tells nothing, and what was changed or moved in it is noticed.
//!
//! Not an actor: a handle to one thread that owns the file, so that no disk call blocks an actor.
//! A disk that fails makes calls fail and rings an alarm; the file is opened anew at a later call.

mod alarm;
mod format;
mod keeper;
mod key;
mod pack;
mod record;
mod room;
mod seal;
mod store;
mod tables;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::sync::{mpsc, oneshot, watch};

pub use alarm::Alarm;
use keeper::{Append, Job, Keeper, Remember, Views};
pub use key::{KeyError, SpoolKey};

/// Most reports that are asked for at once (uplink.proto). So many may have been sent when the
/// agent ended, and are not given up.
pub const PEEK_REPORTS_MAX: usize = 500;

/// Most octets of one report: a printer with 40 supplies and 100 alerts makes some 40 KiB.
pub const REPORT_BYTES_MAX: usize = 1_024 * 1_024;

/// Most octets remembered of one device: the walk of the largest in our recordings has 300 KiB.
pub const DEVICE_BYTES_MAX: usize = 1_024 * 1_024;

/// Calls that wait for the disk; more wait in line.
const CALLS_MAX: usize = 64;

/// A report's place in the queue: 1 and up, given once and never again in one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Sequence(pub u64);

/// Whether a report may be given up when the disk's share is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Never: alerts, replaced supplies, the daily meters.
    Keep,
    /// Readings between others, those that lie closest first.
    Thinnable,
}

/// A report to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// Whether it may be thinned.
    pub importance: Importance,
    /// Whose it is, where it is one device's.
    pub device: Option<DeviceId>,
    /// When it was made.
    pub at: Timestamp,
    /// What it says, in whatever form the uplink reads.
    pub body: Vec<u8>,
}

/// A report in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    /// Its place.
    pub sequence: Sequence,
    /// Whose it is.
    pub device: Option<DeviceId>,
    /// When it was made.
    pub at: Timestamp,
    /// What it says.
    pub content: Content,
}

/// What a report in the queue says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// What was appended.
    Report(Vec<u8>),
    /// So many reports of the device were given up for room.
    Thinned {
        /// How many.
        reports: u32,
        /// When the first of them was made.
        first: Timestamp,
        /// When the last of them was made.
        last: Timestamp,
    },
    /// The disk gave back other octets than it was given: one report is lost.
    Damaged,
}

impl Spooled {
    /// What it takes in a batch: its body, and room for what stands around it.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        const AROUND_BYTES: usize = 64;
        match &self.content {
            Content::Report(body) => body.len() + AROUND_BYTES,
            Content::Thinned { .. } | Content::Damaged => AROUND_BYTES,
        }
    }
}

/// How much a spool may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Most octets on disk for reports, the database's own overhead included. What is remembered of
    /// devices comes on top.
    pub bytes_max: u64,
    /// How long acked reports are kept, so that a hub restored from a backup can ask again.
    pub keep_acked: Duration,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self {
            bytes_max: 256 * 1_024 * 1_024,
            keep_acked: Duration::from_secs(72 * 3_600),
        }
    }
}

/// How a spool stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolStats {
    /// Unix time in milliseconds at which the spool was made, or began to count anew: another one
    /// is another spool. 0 while it could not be opened yet.
    pub epoch: u64,
    /// Reports not acked.
    pub waiting: u64,
    /// When the oldest of them was made.
    pub oldest: Option<Timestamp>,
    /// Octets that all reports take on disk, acked ones included.
    pub bytes: u64,
    /// Reports given up for room, ever.
    pub thinned: u64,
    /// Reports lost to the disk, ever.
    pub damaged: u64,
    /// The last sequence given.
    pub last: Sequence,
    /// The last sequence acked.
    pub acked: Sequence,
}

/// Why the spool could not do it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk failed, or is full, or cannot be written.
    #[error("the spool {path} cannot be used: {error}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the database said.
        error: Box<redb::Error>,
    },
    /// Everything that may be thinned is, and there is still no room.
    #[error("the spool is full: {bytes_max} bytes of reports that must be kept wait for the hub")]
    Full {
        /// The limit on disk.
        bytes_max: u64,
    },
    /// The report is longer than [`REPORT_BYTES_MAX`], or the device's memory than
    /// [`DEVICE_BYTES_MAX`].
    #[error("{size_bytes} bytes are too many for one entry of the spool")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// The disk failed a moment ago; the file is tried again in a few seconds.
    #[error("the spool {path} failed a moment ago and is tried again in a few seconds")]
    Resting {
        /// The file.
        path: PathBuf,
    },
    /// The key does not open the file, nor the one that was made in its place.
    #[error("the spool {path} does not open with this key")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The spool was closed, or the call ended in a panic of the database.
    #[error("the spool is closed")]
    Closed,
}

/// A handle to the spool; cheap to clone. The file is closed when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Spool {
    jobs: mpsc::Sender<Job>,
    stats: watch::Receiver<SpoolStats>,
    news: watch::Receiver<u64>,
    alarms: watch::Receiver<Vec<Alarm>>,
}

impl Spool {
    /// Opens the spool, or makes one. A file that is no spool any more is set aside beside it
    /// (`.damaged-…`), and so is one that the key does not open (`.locked-…`); a new one is made,
    /// under a new epoch: collection goes on. A disk that fails is an alarm and no error: every
    /// call fails until it is mended.
    ///
    /// # Errors
    /// [`SpoolError::Unusable`] when another program holds the file, or a newer one wrote it.
    pub async fn open(
        path: impl Into<PathBuf>,
        key: SpoolKey,
        limits: SpoolLimits,
    ) -> Result<Self, SpoolError> {
        Self::start(Keeper::new(path.into(), key, limits, keeper::now_ms)).await
    }

    async fn start(keeper: Keeper) -> Result<Self, SpoolError> {
        let Views {
            stats,
            news,
            alarms,
        } = keeper.views();
        let path = keeper.path().to_owned();
        let (jobs, waiting) = mpsc::channel(CALLS_MAX);
        let spool = Self {
            jobs,
            stats,
            news,
            alarms,
        };
        std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || keeper.run(waiting))
            .map_err(|error| SpoolError::Unusable {
                path,
                error: Box::new(error.into()),
            })?;
        spool.call(Keeper::ready).await?;
        Ok(spool)
    }

    /// Puts reports behind the others, all or none, and returns their places once they are on disk
    /// (fdatasync, one for all calls that wait). Makes room first where there is too little.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing was appended then.
    pub async fn append(
        &self,
        reports: Vec<NewReport>,
    ) -> Result<RangeInclusive<Sequence>, SpoolError> {
        let largest = reports
            .iter()
            .map(|report| report.body.len())
            .max()
            .unwrap_or(0);
        if largest > REPORT_BYTES_MAX {
            return Err(SpoolError::TooLarge {
                size_bytes: largest,
            });
        }
        let (answer, answered) = oneshot::channel();
        let job = Job::Append(Append { reports, answer });
        self.hand(job, answered).await
    }

    /// The oldest reports not acked: so many, and so many octets of bodies, but at least one.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn peek(
        &self,
        reports_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Spooled>, SpoolError> {
        self.call(move |keeper| keeper.peek(reports_max, bytes_max))
            .await
    }

    /// Takes everything up to this place as kept by the hub. Beyond the last place, or behind what
    /// is acked already, it changes nothing more.
    ///
    /// # Errors
    /// [`SpoolError`]; the ack may be given again.
    pub async fn ack(&self, up_to: Sequence) -> Result<(), SpoolError> {
        self.call(move |keeper| keeper.ack(up_to)).await
    }

    /// Takes back acks, so that the next peek begins at this place, or at the first behind it that
    /// is still kept.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn rewind(&self, from: Sequence) -> Result<(), SpoolError> {
        self.call(move |keeper| keeper.rewind(from)).await
    }

    /// Puts what waits under a new epoch, newer than `newest`: the hub knows other reports by the
    /// numbers of this one, because the spool was restored from a backup or is used twice. The
    /// numbers go on; nothing that waits is lost, and what was acked is not told again. False where
    /// the last such beginning is less than ten minutes ago: then nothing is changed.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn begin_epoch(&self, newest: u64) -> Result<bool, SpoolError> {
        self.call(move |keeper| keeper.begin_epoch(newest)).await
    }

    /// Remembers devices, each in place of what was remembered of it before.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing was remembered then.
    pub async fn remember(&self, devices: Vec<(DeviceId, Vec<u8>)>) -> Result<(), SpoolError> {
        let largest = devices
            .iter()
            .map(|(_, octets)| octets.len())
            .max()
            .unwrap_or(0);
        if largest > DEVICE_BYTES_MAX {
            return Err(SpoolError::TooLarge {
                size_bytes: largest,
            });
        }
        let (answer, answered) = oneshot::channel();
        let job = Job::Remember(Remember { devices, answer });
        self.hand(job, answered).await
    }

    /// Forgets a device.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn forget(&self, device: DeviceId) -> Result<(), SpoolError> {
        self.call(move |keeper| keeper.forget(&device)).await
    }

    /// Everything remembered, by device. What the disk has damaged is left out and logged.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub async fn recall(&self) -> Result<Vec<(DeviceId, Vec<u8>)>, SpoolError> {
        self.call(Keeper::recall).await
    }

    /// How it stands, as of the last call that changed it.
    #[must_use]
    pub fn stats(&self) -> SpoolStats {
        *self.stats.borrow()
    }

    /// What a person should know, most important first.
    #[must_use]
    pub fn alarms(&self, now: Timestamp) -> Vec<Alarm> {
        let mut alarms = self.alarms.borrow().clone();
        alarms.retain(|alarm| alarm.rings(now));
        alarms
    }

    /// Tells the last sequence each time something was appended.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// Closes the file and returns when it is closed; every other handle fails from then on.
    pub async fn close(self) {
        let closed = self.call(|keeper| {
            keeper.close();
            Ok(())
        });
        // A spool whose thread is gone is closed already.
        let _ = closed.await;
    }

    /// Hands a call to the thread and waits for its answer.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Keeper) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Other(Box::new(move |keeper: &mut Keeper| {
            // Who asked may have gone; what was done stays done.
            let _ = answer.send(call(keeper));
        }));
        self.hand(job, answered).await
    }

    async fn hand<T>(
        &self,
        job: Job,
        answered: oneshot::Receiver<Result<T, SpoolError>>,
    ) -> Result<T, SpoolError> {
        if self.jobs.send(job).await.is_err() {
            return Err(SpoolError::Closed);
        }
        answered.await.unwrap_or(Err(SpoolError::Closed))
    }
}
