//! Which start of the agent this is: a number that only grows, on disk before anybody is called,
//! and a random name. By them a hub notices two agents that run on copies of one state folder.

use std::fs;
use std::path::Path;

use tracing::warn;

use super::{IdentityError, write_whole};

/// The number of the last start, as decimal digits.
const FILE: &str = "starts";

/// One start of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// 1 and up.
    pub boot: u64,
    /// 32 hex digits by chance.
    pub instance: String,
}

impl Start {
    /// Counts a start. The folder must be locked by this process.
    ///
    /// # Errors
    /// [`IdentityError`] when the number cannot be kept: an agent that would forget it must not
    /// speak.
    pub fn begin(state_dir: &Path) -> Result<Self, IdentityError> {
        let path = state_dir.join(FILE);
        let before = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().unwrap_or_else(|error| {
                // The hub will ask a person about an agent that counts from the beginning again.
                warn!(path = %path.display(), %error, "the number of the last start is lost");
                0
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0_u64,
            Err(error) => return Err(IdentityError::Unusable { path, error }),
        };
        let boot = before.saturating_add(1);
        write_whole(&path, boot.to_string().as_bytes())?;
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(|error| IdentityError::Unusable {
            path,
            error: std::io::Error::other(error),
        })?;
        let instance = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        Ok(Self { boot, instance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_counted_and_each_has_a_name_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Start::begin(folder.path()).expect("counted");
        let second = Start::begin(folder.path()).expect("counted");
        assert_eq!((first.boot, second.boot), (1, 2));
        assert_ne!(first.instance, second.instance);
        assert_eq!(first.instance.len(), 32);
    }

    #[test]
    fn a_number_that_cannot_be_kept_is_an_error() {
        let start = Start::begin(Path::new("/nowhere"));
        assert!(
            matches!(start, Err(IdentityError::Unusable { .. })),
            "{start:?}"
        );
    }
}
