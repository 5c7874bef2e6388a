//! The key that says who the gateway is: Ed25519, made once, kept in the state folder.
//!
//! It signs key exchanges of SSH and nothing else. Its public half stands in each ticket, so that
//! an agent believes no other gateway.

use std::path::{Path, PathBuf};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

use crate::state::{self, StateError, create_whole};

/// The key as OpenSSH writes it, readable by the hub alone.
const FILE: &str = "gateway-key";

/// Why the gateway has no key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file is not what the hub wrote there.
    #[error("{0} holds no key of this hub's gateway; restore it from a backup")]
    Unreadable(PathBuf),
    /// No key could be made.
    #[error("no key could be made for the gateway: {0}")]
    Make(#[from] russh::keys::ssh_key::Error),
}

/// The gateway's key.
#[derive(Clone)]
pub struct HostKey {
    key: PrivateKey,
    blob: Vec<u8>,
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostKey(***)")
    }
}

impl HostKey {
    /// Loads the key of a state folder, or makes it at the first start.
    ///
    /// # Errors
    /// [`HostKeyError`] when the folder cannot be used or holds something else.
    pub fn open(state_dir: &Path) -> Result<Self, HostKeyError> {
        let path = state_dir.join(FILE);
        if let Some(key) = Self::load(&path)? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(StateError::Random)?;
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
        let text = PrivateKey::new(pair, "")?.to_openssh(LineEnding::LF)?;
        create_whole(&path, text.as_bytes())?;
        // Another process may have been first: what lies there is the key.
        Self::load(&path)?.ok_or(HostKeyError::Unreadable(path))
    }

    fn load(path: &Path) -> Result<Option<Self>, HostKeyError> {
        let Some(text) = state::read(path)? else {
            return Ok(None);
        };
        let key = PrivateKey::from_openssh(text).ok();
        let key = key.filter(|key| key.algorithm() == russh::keys::Algorithm::Ed25519);
        let key = key.ok_or_else(|| HostKeyError::Unreadable(path.to_owned()))?;
        let blob = key.public_key().to_bytes()?;
        Ok(Some(Self { key, blob }))
    }

    /// The whole key, for the exchange.
    pub(super) fn private(&self) -> PrivateKey {
        self.key.clone()
    }

    /// The public half as SSH writes it (RFC 8709, section 4): what a ticket carries.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{FILE, HostKey, HostKeyError};

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = HostKey::open(one.path()).unwrap();
        assert_eq!(first.blob(), HostKey::open(one.path()).unwrap().blob());
        assert_ne!(first.blob(), HostKey::open(other.path()).unwrap().blob());
        assert!(first.blob().starts_with(b"\0\0\0\x0bssh-ed25519\0\0\0\x20"));
        let mode = std::fs::metadata(one.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "nonsense").unwrap();
        let refused = HostKey::open(folder.path());
        assert!(
            matches!(refused, Err(HostKeyError::Unreadable(_))),
            "{refused:?}"
        );
        assert_eq!(
            std::fs::read(folder.path().join(FILE)).unwrap(),
            b"nonsense"
        );
    }
}
