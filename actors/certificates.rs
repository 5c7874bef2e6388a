//! The certificates that printers showed first, one small file a device in the state folder.
//!
//! Devices sign their own certificates, so the first one is believed and kept, and another one
//! later is refused until a person forgets the first. No state in memory: a running agent and
//! `platen read` share the folder, and each file is written whole or not at all. Everything here
//! blocks.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use printer::identity::DeviceId;
use serde::{Deserialize, Serialize};

use crate::private;
use crate::reach::http::Thumbprint;
use crate::registry::DEVICES_MAX;

/// The folder, in the state folder.
pub const FOLDER: &str = "certificates";

/// Longest file that is read: what is written has some 250 octets.
const FILE_BYTES_MAX: u64 = 4 * 1_024;

/// A certificate that a device showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Whose.
    pub device: DeviceId,
    /// Where it stood then.
    pub address: IpAddr,
    /// The certificate.
    pub sha256: Thumbprint,
    /// Since when it is believed.
    pub since: Timestamp,
}

/// The certificate of a device; none where it has shown none yet.
///
/// # Errors
/// What the disk says. A file that cannot be read is an error and never counts as none: whoever
/// damages it would choose the certificate.
pub fn of(folder: &Path, device: &DeviceId) -> io::Result<Option<Kept>> {
    match read(&file_of(folder, device)) {
        Ok(kept) => Ok(Some(kept)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps the first certificate of a device.
///
/// # Errors
/// What the disk says.
pub fn keep(folder: &Path, kept: &Kept) -> io::Result<()> {
    private::make_folder(folder)?;
    let name = name_of(&kept.device);
    private::write_whole(folder, &name, &serde_json::to_vec_pretty(kept)?)
}

/// Forgets the certificates of whoever stood at an address: those that were forgotten.
///
/// # Errors
/// What the disk says.
pub fn forget(folder: &Path, address: IpAddr) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut forgotten = Vec::new();
    for entry in entries.take(DEVICES_MAX) {
        let path = entry?.path();
        let is_kept = path.extension().is_some_and(|it| it == "json");
        // One that cannot be read is nobody's, and stays for whoever looks into it.
        let Some(kept) = is_kept.then(|| read(&path).ok()).flatten() else {
            continue;
        };
        if kept.address == address {
            fs::remove_file(&path)?;
            forgotten.push(kept);
        }
    }
    Ok(forgotten)
}

fn read(path: &Path) -> io::Result<Kept> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than any that is written"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// The file of a device: its id has hexadecimal digits only.
fn file_of(folder: &Path, device: &DeviceId) -> PathBuf {
    folder.join(name_of(device))
}

fn name_of(device: &DeviceId) -> String {
    format!("{device}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(digit: &str, address: [u8; 4]) -> Kept {
        Kept {
            device: DeviceId::parse(&digit.repeat(32)).unwrap(),
            address: address.into(),
            sha256: Thumbprint::try_from("ab".repeat(32)).unwrap(),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_certificate_is_kept_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join(FOLDER);
        let (one, other) = (kept("a", [10, 0, 0, 1]), kept("b", [10, 0, 0, 2]));
        assert_eq!(of(&folder, &one.device).unwrap(), None);
        assert!(forget(&folder, one.address).unwrap().is_empty());
        keep(&folder, &one).unwrap();
        keep(&folder, &other).unwrap();
        assert_eq!(of(&folder, &one.device).unwrap().as_ref(), Some(&one));
        assert_eq!(
            forget(&folder, one.address).unwrap(),
            std::slice::from_ref(&one)
        );
        assert_eq!(of(&folder, &one.device).unwrap(), None);
        assert_eq!(of(&folder, &other.device).unwrap(), Some(other));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_first_time() {
        let folder = tempfile::tempdir().unwrap();
        let one = kept("a", [10, 0, 0, 1]);
        keep(folder.path(), &one).unwrap();
        fs::write(file_of(folder.path(), &one.device), "{").unwrap();
        assert!(of(folder.path(), &one.device).is_err());
    }
}
