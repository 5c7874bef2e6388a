//! Vendor profiles: what is known of a maker's own objects, as data.

use snmp::Oid;

use crate::walk::Walk;

/// Every profile that is known.
#[derive(Debug, Clone, Default)]
pub struct Profiles {
    list: Vec<Profile>,
}

/// What is known of one maker's objects.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The profile's name, as a reading shows it.
    pub name: String,
}

/// Why a profile was refused: the file, the line, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {message}")]
pub struct ProfileError {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Profiles {
    /// The profiles that are part of the program.
    ///
    /// # Errors
    /// [`ProfileError`] names file and line; a test keeps this from happening.
    pub fn embedded() -> Result<Self, ProfileError> {
        Ok(Self::default())
    }

    /// These profiles with those of a folder: (file name, text) pairs. One of the same name
    /// replaces ours.
    ///
    /// # Errors
    /// [`ProfileError`] names file and line.
    pub fn with_folder(
        self,
        _files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ProfileError> {
        Ok(self)
    }

    /// The profile of the device that was walked.
    #[must_use]
    pub fn for_walk(&self, _walk: &Walk) -> Option<&Profile> {
        self.list.first()
    }
}

impl Profile {
    /// The instances to GET.
    #[must_use]
    pub fn scalars(&self) -> Vec<Oid> {
        Vec::new()
    }

    /// The columns to walk.
    #[must_use]
    pub fn columns(&self) -> Vec<Oid> {
        Vec::new()
    }

    /// The instances that move between two full readings.
    #[must_use]
    pub fn moving(&self) -> Vec<Oid> {
        Vec::new()
    }
}
