//! The state folder: whole files, one hub at a time, and where the running hub listens.
//!
//! Used by the authority (its keys), by `run` (the lock) and by the commands, which find the
//! running hub through it. Nothing here is about readings: those are the store's.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::hex;

/// Locked for as long as a hub uses the folder.
const LOCK_FILE: &str = "hub.lock";

/// Where the hub that holds the lock listens, as JSON.
const BOUND_FILE: &str = "hub.addresses";

/// Longest file read from the folder, in bytes. A key with its certificate has about 1,500.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{path} cannot be {action}: {source}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// `made`, `read`, `written` or `locked`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another hub uses the folder.
    #[error("another hub is running on {0}")]
    InUse(PathBuf),
    /// The machine has no randomness to give.
    #[error("the machine gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Proof that this process alone is the hub of a folder. Dropping it lets the next one in.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held open: closing it unlocks")] File);

/// Where a hub listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// For agents.
    pub uplink: SocketAddr,
    /// For people, on this machine.
    pub portal: SocketAddr,
    /// For people elsewhere, if not where agents are.
    #[serde(default)]
    pub portal_https: Option<SocketAddr>,
    /// For MQTT over TLS.
    #[serde(default)]
    pub mqtt: Option<SocketAddr>,
    /// For MQTT over WebSocket, if not where agents are.
    #[serde(default)]
    pub mqtt_websocket: Option<SocketAddr>,
    /// For SSH, if not only where agents are.
    #[serde(default)]
    pub gateway: Option<SocketAddr>,
}

/// Makes the folder, for the hub alone, if it is not there.
///
/// # Errors
/// [`StateError::File`] when it cannot be made.
pub fn make(state_dir: &Path) -> Result<(), StateError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(failed(state_dir, "made"))
}

/// Takes the folder for this process. The system gives it back when the process ends, however.
///
/// # Errors
/// [`StateError::InUse`] when another hub has it.
pub fn lock(state_dir: &Path) -> Result<Lock, StateError> {
    let path = state_dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed(&path, "written"))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse(state_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(StateError::File {
            path,
            action: "locked",
            source,
        }),
    }
}

/// Says where the running hub listens, or `None` if none runs.
#[must_use]
pub fn running(state_dir: &Path) -> Option<Bound> {
    let is_running = matches!(lock(state_dir), Err(StateError::InUse(_)));
    let text = read(&state_dir.join(BOUND_FILE)).ok().flatten()?;
    is_running
        .then(|| serde_json::from_slice(&text).ok())
        .flatten()
}

/// Writes down where this hub listens.
///
/// # Errors
/// [`StateError::File`] when the folder cannot be written.
pub fn tell(state_dir: &Path, bound: Bound) -> Result<(), StateError> {
    let text = serde_json::json!(bound).to_string();
    write_whole(&state_dir.join(BOUND_FILE), text.as_bytes())
}

/// Reads a small file, or `None` if there is none.
///
/// # Errors
/// [`StateError::File`] when it is there and cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed(path, "read"))?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_LEN_MAX)
        .read_to_end(&mut bytes)
        .map_err(failed(path, "read"))?;
    Ok(Some(bytes))
}

/// Writes a file that only the hub may read: wholly or not at all, and on disk when it returns.
///
/// # Errors
/// [`StateError::File`] when it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let temporary = write_beside(path, bytes)?;
    std::fs::rename(&temporary, path)
        .and_then(|()| sync_folder(path))
        .map_err(failed(path, "written"))
}

/// As [`write_whole`], but leaves a file that is already there as it is.
///
/// # Errors
/// [`StateError::File`] when it cannot be written.
pub fn create_whole(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let temporary = write_beside(path, bytes)?;
    let linked = std::fs::hard_link(&temporary, path);
    let removed = std::fs::remove_file(&temporary);
    let done = match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed,
        linked => linked.and(removed).and_then(|()| sync_folder(path)),
    };
    done.map_err(failed(path, "written"))
}

fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, StateError> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(StateError::Random)?;
    let temporary = path.with_extension(format!("new-{}", hex(&unique)));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed(path, "written"))?;
    Ok(temporary)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::File {
        path,
        action,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Bound, StateError, create_whole, lock, read, running, tell, write_whole};

    #[test]
    fn two_hubs_on_one_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(StateError::InUse(_))));
        drop(first);
        lock(folder.path()).unwrap();
    }

    #[test]
    fn the_running_hub_is_found_and_a_dead_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let bound = Bound {
            uplink: "127.0.0.1:1".parse().unwrap(),
            portal: "127.0.0.1:2".parse().unwrap(),
            portal_https: None,
            mqtt: Some("127.0.0.1:3".parse().unwrap()),
            mqtt_websocket: None,
            gateway: Some("127.0.0.1:4".parse().unwrap()),
        };
        let lock = lock(folder.path()).unwrap();
        tell(folder.path(), bound).unwrap();
        assert_eq!(running(folder.path()), Some(bound));
        drop(lock);
        assert_eq!(running(folder.path()), None);
    }

    #[test]
    fn a_file_is_private_and_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        create_whole(&path, b"first").unwrap();
        create_whole(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"first");
        write_whole(&path, b"third").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"third");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
