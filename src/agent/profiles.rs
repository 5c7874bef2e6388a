//! The vendor profiles that are in effect: those of the program, and over them those of a folder.
//!
//! Used by every verb that reads printers, and by the agent. A folder's profile replaces ours of
//! the same name; whatever it reads says so in its evidence.

use std::path::{Path, PathBuf};

use printer::profile::{ProfileError, Profiles};

/// Most profiles in a folder: the program itself has some twenty.
const FILES_MAX: usize = 128;

/// Largest profile, in bytes: the largest of ours has 12 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1_024;

/// Why profiles cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// The folder cannot be read.
    #[error("the folder of profiles {} cannot be read: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file cannot be read, or is no text.
    #[error("the profile {} cannot be read: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is too large to be a profile.
    #[error("the profile {} has more than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// There are too many.
    #[error("the folder of profiles {} has more than {FILES_MAX} files", .0.display())]
    TooMany(PathBuf),
    /// There is none: a mistyped folder must not go unseen.
    #[error("there is no profile (*.toml) in the folder {}", .0.display())]
    None(PathBuf),
    /// A profile is wrong.
    #[error("a profile is wrong: {0}")]
    Wrong(#[from] ProfileError),
}

/// Loads the program's own profiles, and over them those of a folder.
///
/// # Errors
/// [`ProfilesError`] names the file, and the line where it is wrong.
pub fn load(folder: Option<&Path>) -> Result<Profiles, ProfilesError> {
    let own = Profiles::embedded()?;
    let Some(folder) = folder else {
        return Ok(own);
    };
    let unreadable = |error| ProfilesError::Folder {
        folder: folder.to_owned(),
        error,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(ProfilesError::TooMany(folder.to_owned()));
        }
    }
    if files.is_empty() {
        return Err(ProfilesError::None(folder.to_owned()));
    }
    files.sort();
    let texts = files.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(own.with_folder(texts)?)
}

/// Reads a file: its name, as errors show it, and its text.
fn read(file: PathBuf) -> Result<(String, String), ProfilesError> {
    let size = std::fs::metadata(&file).map(|metadata| metadata.len());
    if matches!(size, Ok(size) if size > FILE_BYTES_MAX) {
        return Err(ProfilesError::TooLarge(file));
    }
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok((file.display().to_string(), text)),
        Err(error) => Err(ProfilesError::File { file, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "name = \"kyocera\"\nversion = 9\nmakers = [\"Kyocera\"]\n\
                       enterprises = [1347]\n";

    #[test]
    fn a_folder_s_profile_replaces_ours_and_is_told_from_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ours.toml"), OWN).expect("writes");
        std::fs::write(folder.path().join("README.md"), "no profile").expect("writes");
        let (all, own) = (load(Some(folder.path())), load(None));
        let (all, own) = (all.expect("loads"), own.expect("loads"));
        assert_eq!(all.iter().count(), own.iter().count());
        let stamps: Vec<String> = all.iter().map(printer::profile::Profile::stamp).collect();
        let of_kyocera = stamps.iter().find(|stamp| stamp.starts_with("kyocera@"));
        let stamp = of_kyocera.expect("a profile of Kyocera");
        assert!(
            stamp.starts_with("kyocera@9+") && stamp.len() == 18,
            "{stamp}"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let complaint = || {
            load(Some(folder.path()))
                .map(|_| ())
                .expect_err("refused")
                .to_string()
        };
        assert!(
            complaint().contains("no profile (*.toml)"),
            "{}",
            complaint()
        );
        std::fs::write(folder.path().join("a.toml"), "name = 1\n").expect("writes");
        assert!(complaint().contains("a.toml, line 1"), "{}", complaint());
        let large = vec![b'#'; 256 * 1_024 + 1];
        std::fs::write(folder.path().join("a.toml"), large).expect("writes");
        assert!(
            complaint().contains("more than 262144 bytes"),
            "{}",
            complaint()
        );
        let gone = load(Some(Path::new("/nowhere/profiles"))).map(|_| ());
        assert!(matches!(gone, Err(ProfilesError::Folder { .. })));
    }
}
