//! The key that signs commands: Ed25519, made at the first start, kept in the state folder.
//!
//! It has nothing to do with TLS. Agents are told its public half when they enroll and believe no
//! other from then on, so a broker, a proxy or a gateway can carry commands and make none.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PKCS_ED25519};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use crate::state::{self, StateError, create_whole};

/// The key, PEM (PKCS #8), readable by the hub alone.
const FILE: &str = "command-key.pem";

/// Why there is no key to sign commands with.
#[derive(Debug, thiserror::Error)]
pub enum CommandKeyError {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file is not what the hub wrote there.
    #[error("{0} holds no key of this hub; restore it from a backup")]
    Unreadable(PathBuf),
    /// No key could be made.
    #[error("no key could be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// Signs commands.
pub struct CommandKey(Ed25519KeyPair);

impl std::fmt::Debug for CommandKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommandKey(***)")
    }
}

impl CommandKey {
    /// Loads the key of a state folder, or makes it at the first start.
    ///
    /// # Errors
    /// [`CommandKeyError`] when the folder cannot be used or holds something else.
    pub fn open(state_dir: &Path) -> Result<Self, CommandKeyError> {
        let path = state_dir.join(FILE);
        if let Some(key) = Self::load(&path)? {
            return Ok(key);
        }
        let made = KeyPair::generate_for(&PKCS_ED25519)?.serialize_pem();
        create_whole(&path, made.as_bytes())?;
        // Another process may have been first: what lies there is the key.
        Self::load(&path)?.ok_or(CommandKeyError::Unreadable(path))
    }

    fn load(path: &Path) -> Result<Option<Self>, CommandKeyError> {
        let Some(text) = state::read(path)? else {
            return Ok(None);
        };
        let unreadable = || CommandKeyError::Unreadable(path.to_owned());
        let key = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| unreadable())?;
        let key = Ed25519KeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| unreadable())?;
        Ok(Some(Self(key)))
    }

    /// The signature of these octets.
    #[must_use]
    pub fn sign(&self, octets: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        // An Ed25519 signature has 64 octets (RFC 8032, 5.1.6).
        signature.copy_from_slice(self.0.sign(octets).as_ref());
        signature
    }

    /// The public half, which agents pin.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        // An Ed25519 public key has 32 octets (RFC 8032, 5.1.5).
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::{CommandKey, CommandKeyError, FILE};

    #[test]
    fn the_key_is_made_once_kept_private_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let first = CommandKey::open(folder.path()).unwrap();
        let second = CommandKey::open(folder.path()).unwrap();
        assert_eq!(first.public(), second.public());
        let signature = second.sign(b"words");
        let key = UnparsedPublicKey::new(&ED25519, first.public());
        key.verify(b"words", &signature).unwrap();
        assert!(key.verify(b"other words", &signature).is_err());
        let mode = std::fs::metadata(folder.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "nonsense").unwrap();
        let refused = CommandKey::open(folder.path());
        assert!(
            matches!(refused, Err(CommandKeyError::Unreadable(_))),
            "{refused:?}"
        );
    }
}
