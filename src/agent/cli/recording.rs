//! `platen read --record`: the whole of a device as a file, without what is a person's.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use actors::reach::credential::Credential;
use actors::reach::record::{AT_THE_SITE, blanked, everything};
use actors::reach::scope::InScope;
use actors::reach::session::Session;
use actors::reach::snmp::{AskError, Snmp};

use super::{CliError, Exit};

/// A recording that was made.
#[derive(Debug)]
pub struct Recorded {
    /// How many objects it holds.
    pub objects: usize,
    /// Why it is not whole, if it is not.
    pub stopped: Option<AskError>,
}

/// Walks a device into a new file.
///
/// # Errors
/// [`CliError`] when the file stands already or cannot be written, or the device answers nothing.
pub async fn record(
    snmp: &Snmp,
    target: &InScope,
    credential: &Credential,
    (path, is_private): (&Path, bool),
) -> Result<Recorded, CliError> {
    let mut file = create(path)?;
    let mut session = Session::new(snmp.clone(), *target, credential.clone(), AT_THE_SITE);
    let (varbinds, stopped) = everything(&mut session).await;
    let recording = blanked(varbinds, is_private);
    let objects = recording.len();
    let written = file
        .write_all(&recording.to_text())
        .and_then(|()| file.sync_all());
    match written {
        Ok(()) if objects > 0 => Ok(Recorded { objects, stopped }),
        Ok(()) => {
            discard(path);
            let why = stopped.map(|error| error.to_string()).unwrap_or_default();
            Err(CliError::new(Exit::FAILED, "there is nothing to record").because(why))
        }
        Err(error) => {
            discard(path);
            Err(unwritable(path, &error))
        }
    }
}

fn create(path: &Path) -> Result<File, CliError> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    created.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::new(Exit::USAGE, format!("{} stands already", path.display()))
                .because("a recording never overwrites a file")
                .try_next("name another file, or remove that one")
        }
        _ => unwritable(path, &error),
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::FAILED, format!("cannot write {}", path.display()))
        .because(error.to_string())
        .try_next("name a file in a folder that you may write to")
}

/// Removes a file that was begun and holds nothing of use.
fn discard(path: &Path) {
    // If it cannot be removed either, an empty file is left: the error before says why.
    let _ = std::fs::remove_file(path);
}
