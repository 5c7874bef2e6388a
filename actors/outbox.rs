//! The outbox: a readable log of every message to the hub, for the people of the site.
//!
//! Written by the uplink before a message is sent, as JSON and after the masks: what stands here is
//! what left. One line a message, files by day, for 30 days and within a bound on disk; read by
//! `platen outbox`. A disk that fails holds up no message: the line is missed, and that is told.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::warn;

/// The folder in the state folder.
const FOLDER: &str = "outbox";
/// Mode of the folder: the agent's user alone.
const FOLDER_MODE: u32 = 0o700;
/// Mode of the files.
const FILE_MODE: u32 = 0o600;
/// What a file ends with.
const ENDING: &str = ".jsonl";
/// Days that are kept unless configured otherwise.
const DAYS_DEFAULT: u32 = 30;
/// Bytes that are kept unless configured otherwise: 30 days of a site with some 50 printers that
/// are read every hour (a reading of our recordings takes 3 to 5 kB).
const BYTES_DEFAULT: u64 = 256 * 1024 * 1024;
/// Longest that a file becomes before the day goes on in the next one: what is given up at once
/// where there is too much.
const PART_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Parts of which the bound has room at least, however small it is.
const PARTS_MIN: u64 = 8;
/// Most parts of a day: with fewer bytes each, the bound is met long before.
const PARTS_MAX: u32 = 9_999;
/// Messages that wait for the disk at most; a poll is 2 MiB at most.
const WAITING_MAX: usize = 8;
/// Longest that a message waits for a slow disk before it goes without its line.
const WAIT: Duration = Duration::from_millis(500);
/// Longest line that is read back, in bytes: a poll of 2 MiB, and what JSON adds to it.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Days.
    pub days: u32,
    /// Bytes on disk.
    pub bytes_max: u64,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self {
            days: DAYS_DEFAULT,
            bytes_max: BYTES_DEFAULT,
        }
    }
}

/// What kind of message it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Reports, and how the agent is.
    Poll,
    /// What came of a command.
    Outcome,
    /// That the agent is there.
    Presence,
    /// A request for the first certificate.
    Enrollment,
    /// A request for the next certificate.
    Renewal,
    /// Not a message: a session with a printer's web page was asked for, began or ended.
    Session,
    /// Not a message: so many lines are missed, because the disk failed or was too slow.
    Gap,
    /// Not a message: a file was given up for room.
    Dropped,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was sent.
    pub at: Timestamp,
    /// What it was.
    pub kind: Kind,
    /// What it said.
    pub message: Value,
}

/// A handle to the log; cheap to clone. The default one keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    entries: Option<mpsc::Sender<Entry>>,
    missed: Arc<AtomicU64>,
}

impl Outbox {
    /// Opens the log in a state folder.
    ///
    /// # Errors
    /// The system refused the folder or the thread.
    pub fn open(state_dir: &Path, limits: OutboxLimits) -> io::Result<Self> {
        let folder = folder(state_dir);
        make_folder(&folder)?;
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let keeper = Keeper {
            folder,
            limits,
            missed: missed.clone(),
            is_torn: false,
            is_failing: false,
        };
        std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || keeper.run(waiting))?;
        Ok(Self {
            entries: Some(entries),
            missed,
        })
    }

    /// Notes a message that is about to be sent. Waits for the disk, but not for long.
    pub async fn note(&self, kind: Kind, message: Value) {
        let Some(entries) = &self.entries else {
            return;
        };
        let at = Timestamp::now();
        let entry = Entry { at, kind, message };
        if entries.send_timeout(entry, WAIT).await.is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Notes one message of a program that sends no other: an enrollment.
///
/// # Errors
/// What the system says.
pub fn note_once(state_dir: &Path, kind: Kind, message: Value) -> io::Result<()> {
    let folder = folder(state_dir);
    make_folder(&folder)?;
    let mut keeper = Keeper {
        folder,
        limits: OutboxLimits::default(),
        missed: Arc::default(),
        is_torn: false,
        is_failing: false,
    };
    let at = Timestamp::now();
    keeper.append(&Entry { at, kind, message })
}

/// Hands every line from one instant to another to `each`, oldest first, until it breaks.
/// A line that was cut short is left out.
///
/// # Errors
/// What the system says; no folder is no error.
pub fn read(
    state_dir: &Path,
    (since, until): (Timestamp, Timestamp),
    mut each: impl FnMut(Entry) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder(state_dir);
    let (first, last) = (day(since), day(until));
    for name in parts(&folder)? {
        let of = name.get(..first.len()).unwrap_or_default();
        if of < first.as_str() || of > last.as_str() {
            continue;
        }
        let mut lines = BufReader::new(File::open(folder.join(&name))?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut lines)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            let entry = serde_json::from_slice::<Entry>(&line);
            if let Ok(entry) = entry
                && (since..=until).contains(&entry.at)
            {
                each(entry)?;
            }
        }
    }
    Ok(())
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
}

/// The day of an instant, UTC, as files are named by it.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take("2026-11-25".len()).collect()
}

/// The names of all files, oldest first.
fn parts(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && name.ends_with(ENDING)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The thread that writes.
struct Keeper {
    folder: PathBuf,
    limits: OutboxLimits,
    missed: Arc<AtomicU64>,
    /// The last write may have left half a line.
    is_torn: bool,
    is_failing: bool,
}

impl Keeper {
    fn run(mut self, mut waiting: mpsc::Receiver<Entry>) {
        while let Some(entry) = waiting.blocking_recv() {
            let kept = self.tell_gap(entry.at).and_then(|()| self.append(&entry));
            match kept {
                Ok(()) => self.is_failing = false,
                Err(error) => {
                    self.missed.fetch_add(1, Ordering::Relaxed);
                    if !self.is_failing {
                        let folder = self.folder.display();
                        warn!(%folder, %error, "the log of sent messages cannot be written");
                    }
                    self.is_failing = true;
                }
            }
        }
    }

    /// Tells of lines that are missed.
    fn tell_gap(&mut self, at: Timestamp) -> io::Result<()> {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed == 0 {
            return Ok(());
        }
        let gap = Entry {
            at,
            kind: Kind::Gap,
            message: json!({ "messages": missed }),
        };
        self.append(&gap).inspect_err(|_| {
            self.missed.fetch_add(missed, Ordering::Relaxed);
        })
    }

    /// Puts a line behind the others, and gives up the oldest file where there is no room.
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let dropped = self.make_room(entry.at)?;
        for name in dropped {
            self.write(&Entry {
                at: entry.at,
                kind: Kind::Dropped,
                message: json!({ "file": name }),
            })?;
        }
        self.write(entry)
    }

    fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        if self.is_torn {
            line.insert(0, b'\n');
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(FILE_MODE)
            .open(self.folder.join(self.part(entry.at)?))?;
        self.is_torn = true;
        file.write_all(&line)?;
        self.is_torn = false;
        Ok(())
    }

    /// The file that the day goes on in.
    fn part(&self, at: Timestamp) -> io::Result<String> {
        let day = day(at);
        let names = parts(&self.folder)?;
        let number = |name: &String| {
            let number = name.strip_prefix(&day)?.strip_prefix('-')?;
            number.strip_suffix(ENDING)?.parse::<u32>().ok()
        };
        let Some((last, name)) = names
            .iter()
            .filter_map(|name| Some((number(name)?, name)))
            .max()
        else {
            return Ok(format!("{day}-0001{ENDING}"));
        };
        let is_full = fs::metadata(self.folder.join(name))?.len() >= self.part_bytes();
        let number = if is_full {
            last.saturating_add(1).min(PARTS_MAX)
        } else {
            last
        };
        Ok(format!("{day}-{number:04}{ENDING}"))
    }

    fn part_bytes(&self) -> u64 {
        PART_BYTES_MAX.min(self.limits.bytes_max / PARTS_MIN)
    }

    /// Removes what is too old, silently, and what is too much, which is returned.
    fn make_room(&self, now: Timestamp) -> io::Result<Vec<String>> {
        let span = Duration::from_secs(u64::from(self.limits.days) * 86_400);
        let oldest = now.checked_sub(span).map(day).unwrap_or_default();
        let mut kept = Vec::new();
        for name in parts(&self.folder)? {
            let path = self.folder.join(&name);
            if name < oldest {
                fs::remove_file(path)?;
            } else {
                kept.push((fs::metadata(path)?.len(), name));
            }
        }
        let mut bytes: u64 = kept.iter().map(|(bytes, _)| bytes).sum();
        let mut dropped = Vec::new();
        // A part that is begun has room for its own end.
        for (size, name) in kept {
            if bytes.saturating_add(self.part_bytes()) <= self.limits.bytes_max {
                break;
            }
            fs::remove_file(self.folder.join(&name))?;
            bytes = bytes.saturating_sub(size);
            dropped.push(name);
        }
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests;
