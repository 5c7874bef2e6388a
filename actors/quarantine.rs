//! Devices that are set aside: each killed its actor three times, so nobody reads it any more.
//!
//! Bookkeeping of the Supervisor. With a device that is set aside go the last octets it sent, into
//! a file of the state folder, so that what kills us can be found and mended. It stays set aside
//! after a new start, until somebody releases it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use printer::identity::DeviceId;
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::private;

/// Deaths that one device may cause without a whole reading between them: two may be bad luck.
pub const DEATHS_MAX: usize = 3;

/// Devices with a file of their octets: 160 KiB each at most. Those beyond are set aside without.
const FILES_MAX: usize = 64;

/// Longest file that is read at a start: what is written has less.
const FILE_BYTES_MAX: u64 = 512 * 1_024;

/// The folder, in the state folder.
pub const FOLDER: &str = "quarantine";

/// A device that is set aside, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Which.
    pub device: DeviceId,
    /// Where it lived.
    pub address: Option<IpAddr>,
    /// Since when.
    pub since: Timestamp,
    /// How it killed its actors, oldest first.
    pub deaths: Vec<String>,
    /// Its last answers, oldest first, in hexadecimal.
    pub answers: Vec<String>,
}

/// What kills, and what was set aside for it.
#[derive(Debug, Default)]
pub(crate) struct Quarantine {
    folder: Option<PathBuf>,
    held: BTreeMap<DeviceId, SetAside>,
    deaths: BTreeMap<DeviceId, Vec<String>>,
}

impl Quarantine {
    /// Nobody yet; the files are in this folder. Without one nothing is kept.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            ..Self::default()
        }
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Takes back what was kept on disk.
    pub(crate) fn recall(&mut self, kept: Vec<SetAside>) {
        self.held
            .extend(kept.into_iter().map(|it| (it.device.clone(), it)));
    }

    /// Whether a device is set aside.
    pub(crate) fn holds(&self, device: &DeviceId) -> bool {
        self.held.contains_key(device)
    }

    /// Every device that is set aside.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SetAside> {
        self.held.values()
    }

    /// Counts a death. With the last that is one too many the device is set aside: what is to be
    /// written down comes back.
    pub(crate) fn blame(
        &mut self,
        device: &DeviceId,
        cause: String,
        (address, since): (Option<IpAddr>, Timestamp),
        last_words: &[Vec<u8>],
    ) -> Option<SetAside> {
        let deaths = self.deaths.entry(device.clone()).or_default();
        deaths.push(cause);
        if deaths.len() < DEATHS_MAX {
            return None;
        }
        let set_aside = SetAside {
            device: device.clone(),
            address,
            since,
            deaths: self.deaths.remove(device).unwrap_or_default(),
            answers: last_words.iter().map(|octets| hex(octets)).collect(),
        };
        self.held.insert(device.clone(), set_aside.clone());
        Some(set_aside)
    }

    /// A whole reading of the device was kept: what it did before is forgotten.
    pub(crate) fn forgive(&mut self, device: &DeviceId) {
        self.deaths.remove(device);
    }

    /// Releases a device; false if it is not set aside.
    pub(crate) fn release(&mut self, device: &DeviceId) -> bool {
        self.deaths.remove(device);
        self.held.remove(device).is_some()
    }
}

/// Reads what is set aside. Blocks; a file that cannot be read is left out.
pub(crate) fn load(folder: &Path) -> Vec<SetAside> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            error!(folder = %folder.display(), %error, "what is set aside cannot be read");
            return Vec::new();
        }
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let read = |path: PathBuf| match read(&path) {
        Ok(set_aside) => Some(set_aside),
        Err(error) => {
            warn!(path = %path.display(), %error, "a device that was set aside is left out");
            None
        }
    };
    let files = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    files.take(FILES_MAX).filter_map(read).collect()
}

fn read(path: &Path) -> io::Result<SetAside> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than any that is written"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Writes a device's file, whole or not at all. Blocks.
pub(crate) fn keep(folder: &Path, set_aside: &SetAside) -> io::Result<()> {
    private::make_folder(folder)?;
    let path = file_of(folder, &set_aside.device);
    if !path.exists() && fs::read_dir(folder)?.count() >= FILES_MAX {
        return Err(io::Error::other("there are as many files as there may be"));
    }
    let name = name_of(&set_aside.device);
    private::write_whole(folder, &name, &serde_json::to_vec_pretty(set_aside)?)
}

/// Removes a device's file. Blocks.
pub(crate) fn forget(folder: &Path, device: &DeviceId) -> io::Result<()> {
    match fs::remove_file(file_of(folder, device)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file of a device: its id has hexadecimal digits only.
pub(crate) fn file_of(folder: &Path, device: &DeviceId) -> PathBuf {
    folder.join(name_of(device))
}

fn name_of(device: &DeviceId) -> String {
    format!("{device}.json")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(digit: &str) -> DeviceId {
        DeviceId::parse(&digit.repeat(32)).unwrap()
    }

    fn blame(quarantine: &mut Quarantine, device: &DeviceId) -> Option<SetAside> {
        let at = (None, Timestamp::UNIX_EPOCH);
        quarantine.blame(device, "panicked: ouch".to_owned(), at, &[vec![0x30, 0x84]])
    }

    #[test]
    fn the_third_death_sets_a_device_aside_with_its_last_words() {
        let mut quarantine = Quarantine::new(None);
        let guilty = device("a");
        assert_eq!(blame(&mut quarantine, &guilty), None);
        assert_eq!(blame(&mut quarantine, &guilty), None);
        assert_eq!(blame(&mut quarantine, &device("b")), None, "another one");
        let set_aside = blame(&mut quarantine, &guilty).unwrap();
        assert_eq!(set_aside.answers, ["3084"]);
        assert_eq!(set_aside.deaths.len(), 3);
        assert!(quarantine.holds(&guilty) && !quarantine.holds(&device("b")));
        assert!(quarantine.release(&guilty), "it was");
        assert!(!quarantine.release(&guilty), "it is no longer");
        assert_eq!(blame(&mut quarantine, &guilty), None, "it starts anew");
    }

    #[test]
    fn a_whole_reading_is_a_pardon() {
        let mut quarantine = Quarantine::new(None);
        for _ in 0..5 {
            assert_eq!(blame(&mut quarantine, &device("a")), None);
            assert_eq!(blame(&mut quarantine, &device("a")), None);
            quarantine.forgive(&device("a"));
        }
    }

    #[test]
    fn what_is_set_aside_stays_on_disk_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join(FOLDER);
        assert!(load(&folder).is_empty());
        let mut quarantine = Quarantine::new(Some(folder.clone()));
        let set_aside = (0..3).find_map(|_| blame(&mut quarantine, &device("a")));
        let set_aside = set_aside.unwrap();
        keep(&folder, &set_aside).unwrap();
        fs::write(folder.join("odd.json"), "{").unwrap();
        assert_eq!(load(&folder), [set_aside]);
        forget(&folder, &device("a")).unwrap();
        forget(&folder, &device("a")).unwrap();
        assert!(load(&folder).is_empty());
    }

    #[test]
    fn the_files_have_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let set_aside = |number: usize| SetAside {
            device: DeviceId::parse(&format!("{number:032x}")).unwrap(),
            address: None,
            since: Timestamp::UNIX_EPOCH,
            deaths: Vec::new(),
            answers: Vec::new(),
        };
        for number in 0..FILES_MAX {
            keep(folder.path(), &set_aside(number)).unwrap();
        }
        assert!(keep(folder.path(), &set_aside(FILES_MAX)).is_err());
        keep(folder.path(), &set_aside(0)).unwrap();
    }
}
