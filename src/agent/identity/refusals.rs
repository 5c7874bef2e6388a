//! The rule of five: after five refusals that the hub itself made, the agent disables itself.
//!
//! Counted on disk, under a lock, so that it is exact however many ask at once and whatever is
//! restarted between. Only what the hub said for good, over TLS that proved it to be the hub, is
//! brought here ([`crate::enroll`], the uplink): no network error, and nothing that a proxy made
//! up, else anyone on the way could switch agents off. A success forgets all of it; so does a new
//! code.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FILE_MODE, IdentityError, write_whole};

/// The refusals in a row after which the agent disables itself.
pub const REFUSALS_MAX: u32 = 5;

/// The count in the state folder; absent while there is none.
const FILE: &str = "refusals.json";
/// Locked by whoever counts.
const LOCK_FILE: &str = "refusals.lock";
/// Longest reason that is kept of what a hub said, in characters.
const WHY_CHARS_MAX: usize = 200;

/// The refusals so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many in a row, never more than [`REFUSALS_MAX`].
    pub refusals: u32,
    /// Which hub made the last one.
    pub hub_url: String,
    /// What it said.
    pub why: String,
    /// When it was one too many; none while the agent may run.
    pub disabled_at: Option<Timestamp>,
}

impl Tally {
    /// Reads the count; the default if there is none.
    ///
    /// # Errors
    /// [`IdentityError`] when there is one that cannot be read: it may say "disabled".
    pub fn load(state_dir: &Path) -> Result<Self, IdentityError> {
        let path = state_dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            // A folder that is none holds no count; whoever needs the folder says so.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Ok(Self::default());
            }
            Err(error) => return Err(IdentityError::Unusable { path, error }),
        };
        serde_json::from_str(&text).map_err(|error| IdentityError::Damaged { path, error })
    }

    /// Whether the agent is disabled.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.disabled_at.is_some()
    }

    /// Counts one refusal, and returns the count with it. A disabled agent is refused nothing more.
    ///
    /// # Errors
    /// [`IdentityError`] when the count cannot be kept.
    pub fn note(
        state_dir: &Path,
        (hub_url, why): (&str, &str),
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let _lock = lock(state_dir)?;
        let before = Self::load(state_dir)?;
        if before.is_disabled() {
            return Ok(before);
        }
        let refusals = before.refusals.saturating_add(1);
        let tally = Self {
            refusals,
            hub_url: hub_url.to_owned(),
            why: why.chars().take(WHY_CHARS_MAX).collect(),
            disabled_at: (refusals >= REFUSALS_MAX).then_some(now),
        };
        let path = state_dir.join(FILE);
        let text = serde_json::to_vec_pretty(&tally).map_err(|error| IdentityError::Damaged {
            path: path.clone(),
            error,
        })?;
        write_whole(&path, &text)?;
        Ok(tally)
    }

    /// Forgets all refusals.
    ///
    /// # Errors
    /// [`IdentityError::Unusable`] when they cannot be removed.
    pub fn forget(state_dir: &Path) -> Result<(), IdentityError> {
        let path = state_dir.join(FILE);
        // As a rule there are none, and each poll asks.
        if !path.exists() {
            return Ok(());
        }
        let _lock = lock(state_dir)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(IdentityError::Unusable { path, error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Waits for our turn to count. The system takes the lock back when the file is closed.
fn lock(state_dir: &Path) -> Result<File, IdentityError> {
    let path: PathBuf = state_dir.join(LOCK_FILE);
    let locked = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(FILE_MODE)
        .open(&path)
        .and_then(|file| {
            file.lock()?;
            Ok(file)
        });
    locked.map_err(|error| IdentityError::Unusable { path, error })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn note(folder: &Path) -> Tally {
        let now = Timestamp::now();
        Tally::note(folder, ("https://hub", "no such code"), now).expect("counted")
    }

    #[test]
    fn the_fifth_refusal_disables_and_no_sixth_is_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Tally::load(folder.path()).expect("none"), Tally::default());
        let counts: Vec<_> = (0..7).map(|_| note(folder.path()).refusals).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 5, 5]);
        let kept = Tally::load(folder.path()).expect("read back");
        assert!(kept.is_disabled());
        assert_eq!(kept.why, "no such code");
        Tally::forget(folder.path()).expect("forgotten");
        assert_eq!(note(folder.path()).refusals, 1);
    }

    #[test]
    fn of_a_hundred_at_once_each_is_counted_once_up_to_five() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut counts: Vec<u32> = thread::scope(|scope| {
            let path = folder.path();
            let counting: Vec<_> = (0..100).map(|_| scope.spawn(move || note(path))).collect();
            let counted = counting
                .into_iter()
                .map(|it| it.join().expect("counted").refusals);
            counted.collect()
        });
        counts.sort_unstable();
        assert_eq!(counts[..5], [1, 2, 3, 4, 5]);
        assert!(counts[5..].iter().all(|count| *count == 5));
        assert_eq!(Tally::load(folder.path()).expect("kept").refusals, 5);
    }

    #[test]
    fn a_count_that_cannot_be_read_is_no_licence_to_run() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "{").expect("written");
        let read = Tally::load(folder.path());
        assert!(
            matches!(read, Err(IdentityError::Damaged { .. })),
            "{read:?}"
        );
    }
}
