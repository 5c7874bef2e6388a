//! Files of the state folder that only the agent's user may read.
//!
//! Used for what must be whole or not there at all: the key of the masks, the hub's word, who is set
//! aside, the certificates that printers showed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Mode of the files.
pub(crate) const FILE_MODE: u32 = 0o600;

/// Mode of a folder of such files.
const FOLDER_MODE: u32 = 0o700;

/// Makes a folder for such files, where it is not there yet.
///
/// # Errors
/// What the system says.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut maker = fs::DirBuilder::new();
    maker.recursive(true).mode(FOLDER_MODE).create(folder)
}

/// Puts a file in a folder in place of any before: after a power cut there is the old one or the
/// new one.
///
/// # Errors
/// What the system says; the one before is still there then.
pub fn write_whole(folder: &Path, name: &str, octets: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    match fs::remove_file(&new) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&new)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(folder)?.sync_all()
}
