//! Puts the audit's lines on disk, in groups: what waits is committed together, so that a page of
//! forty pictures costs a few commits and not eighty.
//!
//! A group is committed to the database, then its end is written down ([`super::head`]); only then
//! is the deed done that waits for it. A crash between the two leaves the table one group ahead of
//! the end that was written down, sealed by this hub: the next group takes that for what it is. A
//! table that is behind, or ahead by anything else, is never taken: nothing is written any more,
//! and so no session opens, until a person has looked.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::error;

use super::head::{Head, HeadError, Held};
use super::{Entry, Mark, Wrong};
use crate::session::{Deed, Later, NotNoted, Terms, Witness};
use crate::store::{Store, StoreError};

/// Entries that wait for the disk; more than every session's browser asks for at once.
const QUEUE_MAX: usize = 1_024;

/// Most entries in one commit.
pub const GROUP_MAX: usize = 256;

/// Longest that a deed waits to be written down. The store waits 10 s for another writer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that are read at once when the chain is gone through.
const PAGE: usize = 1_000;

/// Why nothing can be written to the audit, or it is not whole.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The end of the chain is not known.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The store does not answer, or its disk is full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are lines, and the file that says where they end is gone.
    #[error("the audit has {0} lines, and audit.head is not in the state folder")]
    NoHead(u64),
    /// The chain is not whole.
    #[error("the audit is not whole: {0}")]
    Wrong(#[from] Wrong),
    /// The program ends.
    #[error("the hub ends")]
    Ending,
}

/// Writes to the audit. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    queue: mpsc::Sender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    done: oneshot::Sender<Result<(), NotNoted>>,
}

impl Audit {
    /// Begins to write, until the last clone is dropped.
    ///
    /// # Errors
    /// [`HeadError`] when the state folder holds no usable key.
    pub fn open(store: Store, state_dir: &Path) -> Result<Self, HeadError> {
        let chain = Chain::open(store, state_dir)?;
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(write_all(chain, waiting));
        Ok(Self { queue })
    }

    /// Writes an entry down; it is on disk when this returns.
    ///
    /// # Errors
    /// [`NotNoted`]: it may or may not be there, and what waits for it must not be done.
    pub async fn write(&self, entry: Entry) -> Result<(), NotNoted> {
        let write = async {
            let (done, is_done) = oneshot::channel();
            let ending = |_| NotNoted(AuditError::Ending.to_string());
            let sent = self.queue.send(Waiting { entry, done }).await;
            sent.map_err(|_| NotNoted(AuditError::Ending.to_string()))?;
            is_done.await.map_err(ending)?
        };
        let late = || NotNoted(format!("the disk took more than {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, write).await.map_err(|_| late())?
    }
}

impl Witness for Audit {
    fn note(&self, terms: &Terms, deed: Deed) -> Later<Result<(), NotNoted>> {
        let (audit, entry) = (self.clone(), Entry::deed(terms, &deed));
        Box::pin(async move { audit.write(entry).await })
    }
}

async fn write_all(chain: Chain, mut waiting: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
        let (entries, done): (Vec<_>, Vec<_>) =
            group.drain(..).map(|one| (one.entry, one.done)).unzip();
        let written = chain.add(&entries, Timestamp::now()).await;
        let written = written.map_err(|error| {
            error!(%error, "the audit cannot be written: no session opens, and what is open ends");
            NotNoted(error.to_string())
        });
        for done in done {
            // Whoever waited may be gone.
            let _ = done.send(written.clone().map(|_| ()));
        }
    }
}

/// The chain of one hub: the table, and where it ends.
#[derive(Debug, Clone)]
pub struct Chain {
    store: Store,
    head: Head,
}

impl Chain {
    /// The chain of a state folder and its store.
    ///
    /// # Errors
    /// [`HeadError`] when the state folder holds no usable key.
    pub fn open(store: Store, state_dir: &Path) -> Result<Self, HeadError> {
        let head = Head::open(state_dir)?;
        Ok(Self { store, head })
    }

    /// Adds entries as one group; they are on disk when this returns. Says where the chain ends.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn add(&self, entries: &[Entry], now: Timestamp) -> Result<Mark, AuditError> {
        let (mut held, end) = self.end(self.hold().await?).await?;
        let lines = self.head.sealer().lines(&end, entries, now);
        self.store.audit_add(&lines).await?;
        let end = Mark::at(lines.last());
        let to = end.clone();
        run(move || held.move_to(to)).await??;
        Ok(end)
    }

    /// Goes through every line; says where the chain ends. It goes on growing meanwhile.
    ///
    /// # Errors
    /// [`AuditError::Wrong`] names the first wrong line.
    pub async fn verify(&self) -> Result<Mark, AuditError> {
        let mut end = self.follow(Mark::beginning()).await?;
        let held = self.held().await?;
        // What came meanwhile; nothing comes while the chain is held.
        end = self.follow(end).await?;
        let Some(held) = held else {
            return match end.sequence {
                0 => Ok(end),
                lines => Err(AuditError::NoHead(lines)),
            };
        };
        self.compare(&held.end(), &end).await
    }

    /// Goes on with the chain as it is: writes down that it ends where the table does, and says so
    /// in it. For a store that was restored from a backup. Says what was expected.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn adopt(
        &self,
        tenant: &crate::store::Tenant,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<Mark>, AuditError> {
        let found = Mark::at(self.store.audit_last().await?.as_ref());
        let expected = match self.held().await? {
            Some(mut held) => {
                let expected = held.end();
                let to = found.clone();
                run(move || held.replace(&to)).await??;
                Some(expected)
            }
            None => {
                let (head, to) = (self.head.clone(), found.clone());
                run(move || head.make(&to)).await??;
                None
            }
        };
        let entry = Entry::adopted(tenant, (expected.as_ref(), &found), why);
        self.add(&[entry], now).await?;
        Ok(expected)
    }

    async fn follow(&self, mut end: Mark) -> Result<Mark, AuditError> {
        loop {
            let lines = self.store.audit_after(end.sequence, PAGE).await?;
            if lines.is_empty() {
                return Ok(end);
            }
            for line in &lines {
                end = self.head.sealer().follow(&end, line)?;
            }
        }
    }

    /// Takes the chain for this process; begins it where there is none.
    async fn hold(&self) -> Result<Held, AuditError> {
        if let Some(held) = self.held().await? {
            return Ok(held);
        }
        if let Some(line) = self.store.audit_last().await? {
            return Err(AuditError::NoHead(line.sequence));
        }
        let head = self.head.clone();
        run(move || head.make(&Mark::beginning())).await??;
        self.held().await?.ok_or(AuditError::NoHead(0))
    }

    async fn held(&self) -> Result<Option<Held>, AuditError> {
        let head = self.head.clone();
        Ok(run(move || head.hold()).await??)
    }

    /// Where the table ends, after what an interrupted commit left is taken in.
    async fn end(&self, mut held: Held) -> Result<(Held, Mark), AuditError> {
        let written = held.end();
        let last = Mark::at(self.store.audit_last().await?.as_ref());
        let end = self.compare(&written, &last).await?;
        if end == written {
            return Ok((held, end));
        }
        let to = end.clone();
        let held = run(move || held.move_to(to).map(|()| held)).await??;
        Ok((held, end))
    }

    /// Where the chain ends, by the end that was written down and the last line there is.
    async fn compare(&self, written: &Mark, last: &Mark) -> Result<Mark, AuditError> {
        if last.sequence < written.sequence {
            let (last, written) = (last.sequence, written.sequence);
            return Err(Wrong::Cut { last, written }.into());
        }
        if last.sequence == written.sequence && last != written {
            return Err(Wrong::Changed(last.sequence).into());
        }
        let after = self.store.audit_after(written.sequence, GROUP_MAX + 1);
        Ok(self.head.sealer().interrupted(written, &after.await?)?)
    }
}

/// Runs what waits for the disk off the thread.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AuditError> {
    spawn_blocking(work).await.map_err(|_| AuditError::Ending)
}
