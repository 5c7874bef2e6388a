//! The files of the configuration: one, and those in the folder beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::layers::Layer;

/// A file and those beside it, in the order in which they count.
pub(super) fn layers(path: &Path, text: String) -> Result<Vec<Layer>, ConfigError> {
    let origin = path.display().to_string();
    let mut files = vec![Layer { origin, text }];
    for beside in beside(path)? {
        files.push(Layer {
            origin: beside.display().to_string(),
            text: read(&beside)?,
        });
    }
    Ok(files)
}

/// The `.toml` files in the folder beside a file, by their names.
fn beside(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = path.with_extension("d");
    let unreadable = |error: std::io::Error| ConfigError {
        place: folder.display().to_string(),
        what: format!("cannot be read: {error}"),
        hint: "let the agent's user read it, or remove it".to_owned(),
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What a file says.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|error| ConfigError {
        place: path.display().to_string(),
        what: format!("cannot be read: {error}"),
        hint: "`platen config default > FILE` makes one to begin with".to_owned(),
    })
}
