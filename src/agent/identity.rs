//! Who this agent is to its hub, as kept on disk: one file, written whole or not at all.
//!
//! It holds the key, so only the agent's user may read it. Made by enrollment, read at each
//! start, written anew at each renewal ([`keeper`]); never sent anywhere. Beside it stand the number
//! of the last start ([`starts`]) and the refusals of the hub ([`refusals`]).

pub mod keeper;
pub mod refusals;
pub mod starts;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use actors::reach::credential::Secret;
use serde::{Deserialize, Serialize};

use crate::sealing::SealingKey;

/// The file in the state folder.
const FILE: &str = "identity.json";
/// Written and removed to prove that the folder can be.
const TRIAL_FILE: &str = "trial";
/// Mode of the state folder: the agent's user alone.
const FOLDER_MODE: u32 = 0o700;
/// Mode of the file.
const FILE_MODE: u32 = 0o600;

/// Who this agent is to its hub.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Where the hub is.
    pub hub_url: String,
    /// The name in the certificate.
    pub agent_id: String,
    /// What the hub calls the agent.
    pub agent_name: String,
    /// PEM, the hub's own CA.
    pub authority: String,
    /// PEM, the agent's certificate.
    pub certificate: String,
    /// PEM, the agent's key.
    pub key: String,
    /// Hex, the hub's Ed25519 key: what signs commands. Absent from an agent that was enrolled
    /// before there were commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_key: Option<String>,
    /// Hex, our X25519 key: opens what the hub sealed to us. Absent as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<String>,
}

/// An agent that was enrolled before there were commands obeys none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this agent knows no key of its hub that signs commands, because it was enrolled before there \
     were any; enroll it anew: platen enroll --again URL CODE"
)]
pub struct NoCommands;

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("hub_url", &self.hub_url)
            .field("agent_id", &self.agent_id)
            .field("agent_name", &self.agent_name)
            .field("key", &"***")
            .finish_non_exhaustive()
    }
}

/// Why the identity cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The folder or the file cannot be used.
    #[error("{path} cannot be used: {}", said(error))]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file was changed by somebody, or cut short.
    #[error("{path} is damaged: {error}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The certificate in the identity is none.
    #[error("{path} holds no certificate")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

/// What the system refused, for people: its own words leave out what a newcomer asks first.
fn said(error: &io::Error) -> String {
    let meaning = match error.kind() {
        io::ErrorKind::PermissionDenied => "this user lacks the permission",
        io::ErrorKind::NotADirectory => "a part of this path is a file and not a folder",
        io::ErrorKind::ReadOnlyFilesystem => "the disk cannot be written",
        io::ErrorKind::StorageFull => "the disk is full",
        _ => return error.to_string(),
    };
    format!("{meaning} ({error})")
}

impl Identity {
    /// What opens the secrets that the hub sealed to this agent; none for one that was enrolled
    /// without a key for that.
    #[must_use]
    pub fn opener(&self) -> Option<SealingKey> {
        let private = self.sealing_key().ok()?;
        Some(SealingKey::new(
            Secret::new(private.to_vec()),
            self.agent_id.as_str(),
        ))
    }

    /// Reads the identity; none if this agent was never enrolled.
    ///
    /// # Errors
    /// [`IdentityError`] when there is one that cannot be read.
    pub fn load(state_dir: &Path) -> Result<Option<Self>, IdentityError> {
        let path = state_dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IdentityError::Unusable { path, error }),
        };
        let identity = serde_json::from_str(&text);
        identity
            .map(Some)
            .map_err(|error| IdentityError::Damaged { path, error })
    }

    /// Puts the identity on disk, in place of any before: after a power cut there is the old one
    /// or the new one.
    ///
    /// # Errors
    /// [`IdentityError::Unusable`]; the one before is still there then.
    pub fn save(&self, state_dir: &Path) -> Result<(), IdentityError> {
        let path = state_dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| IdentityError::Damaged {
            path: path.clone(),
            error,
        })?;
        write_whole(&path, &text)
    }

    /// The key that signs the hub's commands.
    ///
    /// # Errors
    /// [`NoCommands`] when none was pinned.
    pub fn command_key(&self) -> Result<[u8; 32], NoCommands> {
        self.command_key
            .as_deref()
            .and_then(octets)
            .ok_or(NoCommands)
    }

    /// Our key that opens what the hub sealed to us.
    ///
    /// # Errors
    /// [`NoCommands`] when there is none.
    pub fn sealing_key(&self) -> Result<[u8; 32], NoCommands> {
        self.sealing_key
            .as_deref()
            .and_then(octets)
            .ok_or(NoCommands)
    }
}

/// Lower-case hex.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// 64 hex digits as octets.
pub(crate) fn octets(hex: &str) -> Option<[u8; 32]> {
    let mut octets = [0; 32];
    if hex.len() != octets.len() * 2 || !hex.is_ascii() {
        return None;
    }
    for (octet, digits) in octets.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(octets)
}

/// Makes the state folder if it is not there, closes it to others, and proves that it can be
/// written: before a code is used up, not after.
///
/// # Errors
/// [`IdentityError::Unusable`] names what cannot be done.
pub fn prepare(state_dir: &Path) -> Result<(), IdentityError> {
    let unusable = |error| IdentityError::Unusable {
        path: state_dir.to_owned(),
        error,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(state_dir)
        .map_err(unusable)?;
    fs::set_permissions(state_dir, fs::Permissions::from_mode(FOLDER_MODE)).map_err(unusable)?;
    let trial = write_beside(&state_dir.join(TRIAL_FILE), b"").map_err(unusable)?;
    fs::remove_file(&trial).map_err(unusable)
}

/// Writes a file that only its owner can read, whole or not at all, and on disk when it returns.
pub(crate) fn write_whole(path: &Path, octets: &[u8]) -> Result<(), IdentityError> {
    let write = || {
        let new = write_beside(path, octets)?;
        fs::rename(&new, path)?;
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(|error| IdentityError::Unusable {
        path: path.to_owned(),
        error,
    })
}

/// Writes a new private file beside `path`, under a name of its own: others may write too.
fn write_beside(path: &Path, octets: &[u8]) -> io::Result<PathBuf> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(io::Error::other)?;
    let new = path.with_extension(format!("new-{}", hex(&unique)));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&new)?;
    file.write_all(octets)?;
    file.sync_all()?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            hub_url: "https://hub.example.org:8443".to_owned(),
            agent_id: "a1".to_owned(),
            agent_name: "lyon-1".to_owned(),
            authority: "CA".to_owned(),
            certificate: "CERT".to_owned(),
            key: "hush".to_owned(),
            command_key: Some("0a".repeat(32)),
            sealing_key: Some("hush".to_owned()),
        }
    }

    #[test]
    fn an_identity_comes_back_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let state_dir = folder.path().join("state");
        assert!(Identity::load(&state_dir).expect("readable").is_none());
        prepare(&state_dir).expect("can be written");
        identity().save(&state_dir).expect("saved");
        assert_eq!(
            Identity::load(&state_dir).expect("readable"),
            Some(identity())
        );
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&state_dir), 0o700);
        assert_eq!(mode(&state_dir.join(FILE)), 0o600);
        let files = fs::read_dir(&state_dir).expect("listed");
        assert_eq!(files.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_key_never_shows_itself() {
        assert!(!format!("{:?}", identity()).contains("hush"));
    }

    #[test]
    fn an_identity_from_before_there_were_commands_obeys_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = r#"{"hub_url": "https://hub", "agent_id": "a1", "agent_name": "lyon-1",
            "authority": "CA", "certificate": "CERT", "key": "hush"}"#;
        fs::write(folder.path().join(FILE), old).expect("written");
        let loaded = Identity::load(folder.path())
            .expect("readable")
            .expect("there");
        assert_eq!(loaded.command_key(), Err(NoCommands));
        assert_eq!(loaded.sealing_key(), Err(NoCommands));
        assert_eq!(identity().command_key(), Ok([10; 32]));
    }

    #[test]
    fn a_damaged_identity_is_an_error_and_not_a_stranger() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "{").expect("written");
        let loaded = Identity::load(folder.path());
        assert!(matches!(loaded, Err(IdentityError::Damaged { .. })));
    }
}
