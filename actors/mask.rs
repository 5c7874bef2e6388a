//! The site's masks: what names a place, a person or a machine leaves the site as a pseudonym.
//!
//! Used by the uplink on everything that it sends, by the outbox through it, and by `platen diag`.
//! A pseudonym is a keyed hash (HMAC-SHA-256, RFC 2104): the same value always has the same one, so
//! that a printer's history stays joined, and without the key, which never leaves the state folder,
//! nobody can try values until one fits. What is on the site's own disk is not masked.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use printer::identity::{DeviceId, address_pseudonym, masked_address};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::Report;
use crate::spool::{Sequence, SpoolStats};

mod keys;
mod sweep;

use self::keys::Kind;
use self::sweep::Sweep;

/// The file in the state folder: the key, and when device ids began to be pseudonyms.
const FILE: &str = "masks.json";
/// Longest such file that is read, in bytes: a key and [`CHANGES_MAX`] short lines.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// Octets of the key: as many as the hash has (RFC 2104 §3).
const KEY_OCTETS: usize = 32;
/// Hex digits of a pseudonym: of 100,000 printers one in a million sites has two of one name.
const PSEUDONYM_DIGITS: usize = 16;
/// Hex digits that stand for the tail of a serial number, whose head stays beside them.
const TAIL_DIGITS: usize = 8;
/// Most changes of the masks that are remembered. Only those matter that are younger than the
/// reports in the spool.
const CHANGES_MAX: usize = 16;

/// Which values are masked; all of them leave as they are by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaskSettings {
    /// IP addresses, Ethernet addresses and SNMP engine ids.
    pub addresses: bool,
    /// Host names and asset numbers: what the owner called the device.
    pub host_names: bool,
    /// Locations.
    pub locations: bool,
    /// So many of the last characters of each serial number; 0 for none.
    pub serial_tails: usize,
}

impl MaskSettings {
    /// Whether anything is masked.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// Whether device ids are pseudonyms too: they are hashes of serial numbers and addresses, and
    /// without a key these could be found by trying.
    fn keys_ids(self) -> bool {
        self.addresses || self.serial_tails > 0
    }
}

/// Why masks that the site wants cannot be applied. Nothing may be sent then.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// The key cannot be read or kept.
    #[error("the key of the masks {path} cannot be used: {error}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is not what was written: another key would make every printer a new one.
    #[error("the key of the masks {0} is damaged")]
    Damaged(PathBuf),
}

/// The masks of a site, with their key; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    settings: MaskSettings,
    /// Absent only where nothing was ever masked.
    key: Option<Arc<hmac::Key>>,
    changes: Arc<[Change]>,
}

/// From this report on, ids were pseudonyms, or were no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    epoch: u64,
    from: u64,
    keyed: bool,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    changes: Vec<Change>,
}

impl Masks {
    /// The masks with their key, which is made the first time, and with a note of where in the
    /// spool they began. Reports that wait from before keep the id that they may have been sent
    /// with, since the hub takes the same report under another id for a spool with two holders.
    ///
    /// # Errors
    /// [`MaskError`]: nothing may be sent then.
    pub fn open(
        state_dir: &Path,
        settings: MaskSettings,
        stats: &SpoolStats,
    ) -> Result<Self, MaskError> {
        let path = state_dir.join(FILE);
        let kept = read(&path)?;
        if kept.is_none() && !settings.any() {
            return Ok(Self::default());
        }
        let is_new = kept.is_none();
        let mut kept = match kept {
            Some(kept) => kept,
            None => Kept::made(&path)?,
        };
        let before = kept.changes.last().is_some_and(|change| change.keyed);
        if before != settings.keys_ids() {
            kept.changes.push(Change {
                epoch: stats.epoch,
                from: stats.last.0.saturating_add(1),
                keyed: settings.keys_ids(),
            });
            let surplus = kept.changes.len().saturating_sub(CHANGES_MAX);
            kept.changes.drain(..surplus);
        }
        if is_new || before != settings.keys_ids() {
            write(state_dir, &path, &kept)?;
        }
        kept.masks(settings, &path)
    }

    /// The masks as they would be, without writing anything: for a look at what would be sent.
    /// Without a key on disk the pseudonyms are of a passing one.
    ///
    /// # Errors
    /// As [`Masks::open`].
    pub fn trial(state_dir: &Path, settings: MaskSettings) -> Result<Self, MaskError> {
        if !settings.any() {
            return Ok(Self::default());
        }
        let path = state_dir.join(FILE);
        let kept = match read(&path)? {
            Some(kept) => kept,
            None => Kept::made(&path)?,
        };
        kept.masks(settings, &path)
    }

    /// Whether anything is masked: then nothing may leave that cannot be, such as a recording.
    #[must_use]
    pub fn any(&self) -> bool {
        self.settings.any()
    }

    /// A report as it leaves the site. `epoch` and `sequence` are its place in the spool.
    #[must_use]
    pub fn report(&self, epoch: u64, sequence: Sequence, report: Report) -> Report {
        let keyed = self.is_keyed(epoch, sequence);
        if !self.any() && !keyed {
            return report;
        }
        let masked = serde_json::to_value(&report).ok().and_then(|mut json| {
            self.sweep(&json, keyed).apply(&mut json);
            serde_json::from_value(json).ok()
        });
        // What could not be masked does not leave: only its place is told.
        masked.unwrap_or_else(|| withheld(&report))
    }

    /// JSON that leaves the site: the result of a command, a bundle of diagnostics. Values are
    /// known by their keys, the names of docs/reading.md.
    pub fn json(&self, json: &mut Value) {
        if self.any() {
            self.sweep(json, self.settings.keys_ids()).apply(json);
        }
    }

    /// The result of a command as it leaves the site. What is no JSON, such as a recording, cannot be
    /// masked, so it does not leave.
    #[must_use]
    pub fn result(&self, octets: Vec<u8>) -> Vec<u8> {
        if !self.any() {
            return octets;
        }
        let Ok(mut json) = serde_json::from_slice::<Value>(&octets) else {
            return Vec::new();
        };
        self.json(&mut json);
        serde_json::to_vec(&json).unwrap_or_default()
    }

    /// Words that leave the site: addresses in them become pseudonyms.
    #[must_use]
    pub fn words(&self, words: &str) -> String {
        if !self.any() {
            return words.to_owned();
        }
        self.sweep(&Value::Null, false).words(words)
    }

    /// The id under which the hub knows a device, from now on.
    #[must_use]
    pub fn device(&self, device: &DeviceId) -> DeviceId {
        if self.settings.keys_ids() {
            self.keyed(device)
        } else {
            device.clone()
        }
    }

    fn keyed(&self, device: &DeviceId) -> DeviceId {
        DeviceId::parse(&self.hash("device", device.as_str())).unwrap_or_else(|| device.clone())
    }

    fn sweep(&self, json: &Value, keys_ids: bool) -> Sweep<'_> {
        Sweep::new(self, json, keys_ids)
    }

    /// Whether the id of a report in the spool leaves as a pseudonym.
    fn is_keyed(&self, epoch: u64, sequence: Sequence) -> bool {
        let of_spool = |change: &&Change| change.epoch == epoch;
        let mut changes = self.changes.iter().filter(of_spool).peekable();
        if changes.peek().is_none() {
            return self.settings.keys_ids();
        }
        let last = changes
            .take_while(|change| change.from <= sequence.0)
            .last();
        match last {
            Some(change) => change.keyed,
            // Before the first change it was the other way round.
            None => self
                .changes
                .iter()
                .find(of_spool)
                .is_some_and(|change| !change.keyed),
        }
    }

    /// What a value of a kind leaves as; none if it may leave as it is.
    fn pseudonym(&self, kind: Kind, value: &str) -> Option<String> {
        let settings = self.settings;
        let short = |prefix: &str, value: &str| {
            let digits = self.hash(prefix, value);
            let digits = digits.get(..PSEUDONYM_DIGITS).unwrap_or_default();
            Some(format!("{prefix}-{digits}"))
        };
        match kind {
            Kind::Address if settings.addresses => {
                let address: IpAddr = value.parse().ok()?;
                Some(self.address(address).to_string())
            }
            Kind::Mac if settings.addresses => short("mac", &value.to_lowercase()),
            Kind::Engine if settings.addresses => short("engine", &value.to_lowercase()),
            Kind::HostName if settings.host_names => short("host", value),
            Kind::Asset if settings.host_names => short("asset", value),
            Kind::Location if settings.locations => short("place", value),
            Kind::Serial if settings.serial_tails > 0 => Some(self.serial(value)),
            Kind::Address
            | Kind::Mac
            | Kind::Engine
            | Kind::HostName
            | Kind::Asset
            | Kind::Location
            | Kind::Serial
            | Kind::Device => None,
        }
    }

    /// The address under which the hub knows a device: of the discard prefix, if it is masked.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> IpAddr {
        let address = address.to_canonical();
        if !self.settings.addresses || address_pseudonym(address).is_some() {
            return address;
        }
        let digits = self.hash("address", &address.to_string());
        let low = digits
            .get(..PSEUDONYM_DIGITS)
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .unwrap_or_default();
        masked_address(low)
    }

    /// A serial number with its tail as a pseudonym: `W2D830~3f9a2c81`.
    fn serial(&self, serial: &str) -> String {
        let kept = serial
            .chars()
            .count()
            .saturating_sub(self.settings.serial_tails);
        let head: String = serial.chars().take(kept).collect();
        let digits = self.hash("serial", serial);
        format!("{head}~{}", digits.get(..TAIL_DIGITS).unwrap_or_default())
    }

    /// The keyed hash of a value of a kind, as hex; as long as a device id.
    fn hash(&self, kind: &str, value: &str) -> String {
        let Some(key) = &self.key else {
            return String::new();
        };
        let tag = hmac::sign(key, format!("{kind}\n{value}").as_bytes());
        let octets = tag.as_ref().iter().take(KEY_OCTETS / 2);
        octets.map(|octet| format!("{octet:02x}")).collect()
    }
}

/// A report of which nothing may be told but that it was.
fn withheld(report: &Report) -> Report {
    let at = match report {
        Report::Full { reading, .. } | Report::Status { reading, .. } => reading.at,
        Report::Silent { at, .. } => *at,
        Report::Thinned { last, .. } => *last,
    };
    Report::Thinned {
        device: None,
        reports: 1,
        first: at,
        last: at,
    }
}

impl Kept {
    fn made(path: &Path) -> Result<Self, MaskError> {
        let mut key = [0; KEY_OCTETS];
        getrandom::fill(&mut key).map_err(|error| MaskError::Unusable {
            path: path.to_owned(),
            error: io::Error::other(error),
        })?;
        Ok(Self {
            key: key.iter().map(|octet| format!("{octet:02x}")).collect(),
            changes: Vec::new(),
        })
    }

    fn masks(self, settings: MaskSettings, path: &Path) -> Result<Masks, MaskError> {
        let octets: Option<Vec<u8>> = (0..KEY_OCTETS)
            .map(|at| u8::from_str_radix(self.key.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        let octets = octets.filter(|_| self.key.len() == 2 * KEY_OCTETS);
        let octets = octets.ok_or_else(|| MaskError::Damaged(path.to_owned()))?;
        Ok(Masks {
            settings,
            key: Some(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &octets))),
            changes: self.changes.into(),
        })
    }
}

fn read(path: &Path) -> Result<Option<Kept>, MaskError> {
    let unusable = |error| MaskError::Unusable {
        path: path.to_owned(),
        error,
    };
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    };
    if about.len() > FILE_BYTES_MAX {
        return Err(MaskError::Damaged(path.to_owned()));
    }
    let octets = fs::read(path).map_err(unusable)?;
    let kept = serde_json::from_slice(&octets);
    kept.map(Some)
        .map_err(|_| MaskError::Damaged(path.to_owned()))
}

/// Puts the file on disk, whole or not at all, for its owner alone.
fn write(state_dir: &Path, path: &Path, kept: &Kept) -> Result<(), MaskError> {
    let unusable = |error| MaskError::Unusable {
        path: path.to_owned(),
        error,
    };
    let octets = serde_json::to_vec(kept).map_err(|error| unusable(io::Error::other(error)))?;
    crate::private::write_whole(state_dir, FILE, &octets).map_err(unusable)
}

#[cfg(test)]
mod tests;
