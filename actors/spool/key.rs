//! The key that a spool is sealed with: 32 octets that never show themselves.
//!
//! Made at random in the state folder unless the configuration names a file of its own: a thief of
//! the folder alone then reads nothing. A spool whose key is lost is not lost itself: it is set
//! aside and opens again with its key.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Octets of a key: ChaCha20-Poly1305 takes 256 bits (RFC 8439).
pub(super) const KEY_BYTES: usize = 32;

/// The key's file in the state folder.
const FILE: &str = "spool.key";
/// Where a new key stands until it is whole.
const NEW_FILE: &str = "spool.key.new";
/// Only the agent's user may read a key.
const FILE_MODE: u32 = 0o600;
/// Longest file that is read for a key: 64 hex digits, and what an editor puts behind them.
const FILE_BYTES_MAX: u64 = 128;

/// What a spool is sealed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SpoolKey([u8; KEY_BYTES]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, or a new one cannot be written.
    #[error("the spool's key {path} cannot be used: {error}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than the agent's user may read it.
    #[error("the spool's key {path} can be read by others (mode {mode:04o})")]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds something else.
    #[error("{path} holds no key of a spool: 32 octets, or 64 hexadecimal digits")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl SpoolKey {
    /// The key of a state folder; made there, down to the disk, where there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_folder(state_dir: &Path) -> Result<Self, KeyError> {
        let path = state_dir.join(FILE);
        match Self::from_file(&path) {
            Err(KeyError::Unusable { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Self::make(state_dir).map_err(|error| KeyError::Unusable { path, error })
            }
            read => read,
        }
    }

    /// The key in a file that only its owner can read: 32 octets, or 64 hexadecimal digits. Never
    /// made here.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let unusable = |error| KeyError::Unusable {
            path: path.to_owned(),
            error,
        };
        let about = fs::metadata(path).map_err(unusable)?;
        let mode = about.permissions().mode() & 0o777;
        let path = path.to_owned();
        if mode & 0o077 != 0 {
            return Err(KeyError::Shared { path, mode });
        }
        if about.len() > FILE_BYTES_MAX {
            return Err(KeyError::Malformed { path });
        }
        let octets = fs::read(&path).map_err(unusable)?;
        Self::parse(&octets).ok_or(KeyError::Malformed { path })
    }

    pub(super) fn octets(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        if let Ok(key) = octets.try_into() {
            return Some(Self(key));
        }
        let digits = octets.trim_ascii();
        if digits.len() != 2 * KEY_BYTES {
            return None;
        }
        let mut key = [0; KEY_BYTES];
        for (octet, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(key))
    }

    /// Makes a key. It has its name only when it is on disk: after a power cut there is a whole
    /// key, or none, and nothing was sealed with it.
    fn make(state_dir: &Path) -> io::Result<Self> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        fs::create_dir_all(state_dir)?;
        let new = state_dir.join(NEW_FILE);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&new)?;
        file.write_all(&key)?;
        file.sync_all()?;
        fs::rename(&new, state_dir.join(FILE))?;
        File::open(state_dir)?.sync_all()?;
        Ok(Self(key))
    }
}

impl fmt::Debug for SpoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let made = SpoolKey::of_folder(folder.path()).unwrap();
        assert_eq!(SpoolKey::of_folder(folder.path()).unwrap(), made);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, FILE_MODE);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(SpoolKey::of_folder(other.path()).unwrap(), made);
        assert_eq!(format!("{made:?}"), "***");
    }

    #[test]
    fn a_key_file_holds_octets_or_digits_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let write = |octets: &[u8], mode: u32| {
            fs::write(&path, octets).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            SpoolKey::from_file(&path)
        };
        let digits = write("0a".repeat(32).as_bytes(), 0o600).unwrap();
        let with_end = format!("{}\n", "0A".repeat(32));
        assert_eq!(write(with_end.as_bytes(), 0o400).unwrap(), digits);
        assert_eq!(write(&[10; 32], 0o600).unwrap(), digits);
        for wrong in ["", "0a", &"0a".repeat(33), &"zz".repeat(32)] {
            let refused = write(wrong.as_bytes(), 0o600);
            assert!(
                matches!(refused, Err(KeyError::Malformed { .. })),
                "{wrong}"
            );
        }
        let refused = write(&[10; 32], 0o640);
        assert!(matches!(refused, Err(KeyError::Shared { .. })));
        let absent = SpoolKey::from_file(&folder.path().join("none"));
        assert!(matches!(absent, Err(KeyError::Unusable { .. })));
    }
}
