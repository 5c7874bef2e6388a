//! Where the audit's chain ends, kept outside the database: a chain whose last lines were taken
//! away is whole in itself, and only this tells.
//!
//! `audit.head` has two places of one length, written in turn and in place: it never grows, so that
//! a full disk does not stop it, and a write that was cut short spoils the older of two ends only.
//! Each is sealed under `audit.key`, which is made once. Whoever holds the file's lock is the one
//! that writes to the chain: the hub, or a command beside it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Mark, NOTHING, Sealer};
use crate::state::{StateError, create_whole, read};
use crate::store::{StoreError, hex};

/// The end of the chain.
const HEAD_FILE: &str = "audit.head";

/// What lines and the end are sealed with, hex.
const KEY_FILE: &str = "audit.key";

/// Octets of the key: as many as SHA-256 gives (RFC 2104, section 3).
const KEY_BYTES: usize = 32;

/// Digits of a sequence, and of a hash or seal.
const SEQUENCE_DIGITS: usize = 20;
const HASH_DIGITS: usize = NOTHING.len();

/// Length of one place: sequence, hash and seal with a space between, and a line's end.
const PLACE_BYTES: usize = SEQUENCE_DIGITS + 1 + HASH_DIGITS + 1 + HASH_DIGITS + 1;

/// Longest that another writer of the chain is waited for. A group takes some milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Pause before the lock is tried again.
const LOCK_AGAIN: Duration = Duration::from_millis(5);

/// Why the end of the chain is not known.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The machine has no randomness to give.
    #[error(transparent)]
    Random(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what the hub wrote there.
    #[error("{0} holds nothing of this hub; restore it from a backup")]
    Unreadable(PathBuf),
    /// Another writer holds the chain.
    #[error("another program holds the audit's chain for more than {} s", LOCK_PATIENCE.as_secs())]
    Busy,
}

/// The file, and what seals.
#[derive(Debug, Clone)]
pub struct Head {
    path: PathBuf,
    sealer: Sealer,
}

/// The file, locked: nobody else writes to the chain until this is dropped.
#[derive(Debug)]
pub struct Held {
    head: Head,
    file: File,
    ends: [Option<Mark>; 2],
}

impl Head {
    /// Loads the key of a state folder, or makes it at the first start.
    ///
    /// # Errors
    /// [`HeadError`] when the folder cannot be used or holds something else.
    pub fn open(state_dir: &Path) -> Result<Self, HeadError> {
        let path = state_dir.join(KEY_FILE);
        if read(&path)?.is_none() {
            let mut key = [0; KEY_BYTES];
            getrandom::fill(&mut key).map_err(StoreError::Random)?;
            create_whole(&path, hex(&key).as_bytes())?;
        }
        // Another process may have been first: what lies there is the key.
        let key = read(&path)?.unwrap_or_default();
        if key.len() != 2 * KEY_BYTES || !key.iter().all(u8::is_ascii_hexdigit) {
            return Err(HeadError::Unreadable(path));
        }
        Ok(Self {
            path: state_dir.join(HEAD_FILE),
            sealer: Sealer::new(&key),
        })
    }

    /// What seals the lines.
    #[must_use]
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Takes the chain for this process, and reads where it ends; `None` where there is no such
    /// file. Blocks, for a few milliseconds as a rule.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn hold(&self) -> Result<Option<Held>, HeadError> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| self.failed(error))?,
        };
        self.lock(&file)?;
        let mut text = Vec::new();
        let most = 2 * PLACE_BYTES as u64;
        let read = (&mut file).take(most).read_to_end(&mut text);
        read.map_err(|error| self.failed(error))?;
        let ends = [0, 1].map(|place| self.end_at(&text, place));
        if ends.iter().all(Option::is_none) {
            return Err(HeadError::Unreadable(self.path.clone()));
        }
        Ok(Some(Held {
            head: self.clone(),
            file,
            ends,
        }))
    }

    /// Makes the file for a chain that ends here, if there is none yet.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn make(&self, end: &Mark) -> Result<(), HeadError> {
        let text = self.place(end).repeat(2);
        Ok(create_whole(&self.path, text.as_bytes())?)
    }

    fn lock(&self, file: &File) -> Result<(), HeadError> {
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if begun.elapsed() > LOCK_PATIENCE => {
                    return Err(HeadError::Busy);
                }
                Err(TryLockError::WouldBlock) => sleep(LOCK_AGAIN),
                Err(TryLockError::Error(error)) => return Err(self.failed(error)),
            }
        }
    }

    fn place(&self, end: &Mark) -> String {
        let text = format!("{:0SEQUENCE_DIGITS$} {}", end.sequence, end.hash);
        let seal = self.sealer.seal(&text);
        format!("{text} {seal}\n")
    }

    /// The end in one place; `None` for one whose seal is wrong, as of a write that was cut short.
    fn end_at(&self, text: &[u8], place: usize) -> Option<Mark> {
        let text = text.get(place * PLACE_BYTES..(place + 1) * PLACE_BYTES)?;
        let text = std::str::from_utf8(text).ok()?;
        let (sequence, rest) = text.split_once(' ')?;
        let end = Mark {
            sequence: sequence.parse().ok()?,
            hash: rest.get(..HASH_DIGITS)?.to_owned(),
        };
        (self.place(&end) == text).then_some(end)
    }

    fn failed(&self, source: io::Error) -> HeadError {
        let path = self.path.clone();
        HeadError::File { path, source }
    }
}

impl Held {
    /// Where the chain ends.
    #[must_use]
    pub fn end(&self) -> Mark {
        let newest = self.ends.iter().flatten().max_by_key(|end| end.sequence);
        newest.cloned().unwrap_or_else(Mark::beginning)
    }

    /// Writes down where the chain ends now; it is on disk when this returns. Blocks.
    ///
    /// # Errors
    /// [`HeadError`]; the end before still stands then.
    pub fn move_to(&mut self, end: Mark) -> Result<(), HeadError> {
        let newest = self.end();
        let place = usize::from(self.ends[0].as_ref() == Some(&newest));
        let at = (place * PLACE_BYTES) as u64;
        let text = self.head.place(&end);
        let mut write = || {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        };
        write().map_err(|error| self.head.failed(error))?;
        self.ends[place] = Some(end);
        Ok(())
    }

    /// Puts another end in place of both: for a chain that a person goes on with as it is.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn replace(&mut self, end: &Mark) -> Result<(), HeadError> {
        let text = self.head.place(end).repeat(2);
        let mut write = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        };
        write().map_err(|error| self.head.failed(error))?;
        self.ends = [Some(end.clone()), Some(end.clone())];
        Ok(())
    }
}
