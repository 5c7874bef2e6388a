//! Identity: who a printer is, and how it is known again, whatever its address.

mod rules;
pub mod score;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::reading::Reading;
use crate::walk::Walk;
use crate::{identify, mib};

/// Fewest characters of a serial number that can tell devices apart.
const SERIAL_CHARS_MIN: usize = 4;

/// The first 64 bits of every masked address: `100::/64` (RFC 6666).
const MASKED_PREFIX: u128 = 0x0100 << 112;

/// Octets of a device id: half of a SHA-256.
const DEVICE_ID_OCTETS: usize = 16;

/// Who a printer is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The brand on the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The model, without the brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The serial number of the printer (not of its network card).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Every firmware level it tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<String>,
    /// Its Ethernet address, `00:17:c8:65:e2:b9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// sysName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The owner's asset number, where the device tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// sysLocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The vendor profile that read it, absent for the standard objects alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// snmpEngineID in hex, where the device tells (RFC 3411).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_id: Option<String>,
    /// The UUID that it tells over IPP (printer-uuid), as `4509a320-00a0-008f-00b6-002507510eca`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// A serial number as a key: behind the maker's enterprise number, lower case.
fn with_enterprise(walk: &Walk, serial: &str) -> String {
    format!("{}/{serial}", walk.enterprise().unwrap_or_default()).to_lowercase()
}

/// Names one device for good, whatever its address: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(String);

/// The plausible keys of one device, strongest first. What many devices share is no key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Vendor and serial number, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Ethernet address, `00:17:c8:65:e2:b9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// snmpEngineID in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_id: Option<String>,
}

impl Fingerprint {
    /// The keys in an identity.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        let vendor = identity.vendor.as_deref().unwrap_or_default();
        let serial = identity
            .serial
            .as_deref()
            .filter(|serial| is_plausible_serial(serial));
        Self {
            serial: serial.map(|serial| format!("{vendor}/{serial}").to_lowercase()),
            mac: identity.mac.clone(),
            engine_id: identity.engine_id.clone(),
        }
    }

    /// The keys in the answer to [`crate::question::identity`]. Compare such a one with such a
    /// one only: it sees fewer objects than a full reading.
    #[must_use]
    pub fn of_answer(answer: &Walk) -> Self {
        let serial = answer
            .under(mib::PRT_SERIAL_NUMBER)
            .find_map(|(row, _)| answer.text(mib::PRT_SERIAL_NUMBER, row))
            .filter(|serial| is_plausible_serial(serial));
        Self {
            serial: serial.map(|serial| with_enterprise(answer, &serial)),
            mac: identify::first_mac(answer),
            engine_id: identify::engine_id(answer),
        }
    }

    /// The same with the serial number that a reading has from the maker's own objects, where
    /// [`crate::question::identity`] is answered by none. Written as if that had told it, since a later
    /// firmware may.
    #[must_use]
    pub fn or_serial_of(mut self, reading: &Reading, walk: &Walk) -> Self {
        let told = score::Traits::of(reading).keys.serial.is_some();
        if let Some(serial) = reading.identity.serial.as_deref().filter(|_| told)
            && self.serial.is_none()
        {
            self.serial = Some(with_enterprise(walk, serial));
        }
        self
    }

    /// Whether both have a key of one kind and the strongest of these differs.
    #[must_use]
    pub fn contradicts(&self, other: &Self) -> bool {
        self.agreement(other) == Some(false)
    }

    /// Whether both have a key of one kind and the strongest of these is the same.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.agreement(other) == Some(true)
    }

    /// Whether any key that both have differs.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let differs =
            |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        differs(&self.serial, &other.serial)
            || differs(&self.mac, &other.mac)
            || differs(&self.engine_id, &other.engine_id)
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.serial.is_none() && self.mac.is_none() && self.engine_id.is_none()
    }

    fn agreement(&self, other: &Self) -> Option<bool> {
        let both = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        both(&self.serial, &other.serial)
            .or_else(|| both(&self.mac, &other.mac))
            .or_else(|| both(&self.engine_id, &other.engine_id))
    }
}

impl DeviceId {
    /// Derives the id from the strongest key, or from the address where there is none.
    #[must_use]
    pub fn derive(fingerprint: &Fingerprint, address: IpAddr) -> Self {
        let key = match fingerprint {
            Fingerprint {
                serial: Some(serial),
                ..
            } => format!("serial/{serial}"),
            Fingerprint { mac: Some(mac), .. } => format!("mac/{mac}"),
            Fingerprint {
                engine_id: Some(engine),
                ..
            } => format!("engine/{engine}"),
            Fingerprint {
                serial: None,
                mac: None,
                engine_id: None,
            } => format!("ip/{address}"),
        };
        Self::digest(&key)
    }

    fn digest(key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let octets = digest.iter().take(DEVICE_ID_OCTETS);
        Self(octets.map(|octet| format!("{octet:02x}")).collect())
    }

    /// An id for a device whose own is another's already: two have one serial number, or nobody can
    /// tell whether they are two. `turn` tells several of them apart.
    #[must_use]
    pub fn derive_apart(fingerprint: &Fingerprint, address: IpAddr, turn: u32) -> Self {
        let part = |key: &Option<String>| key.clone().unwrap_or_default();
        let keys = [
            &fingerprint.serial,
            &fingerprint.mac,
            &fingerprint.engine_id,
        ]
        .map(part);
        Self::digest(&format!("apart/{}/{address}/{turn}", keys.join("/")))
    }

    /// Takes 32 lower-case hex digits, else `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 2 * DEVICE_ID_OCTETS && text.bytes().all(is_hex))
            .then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address that stands for one which a site keeps to itself: of the discard prefix (RFC 6666),
/// where no device ever is.
#[must_use]
pub fn masked_address(pseudonym: u64) -> IpAddr {
    Ipv6Addr::from(MASKED_PREFIX | u128::from(pseudonym)).into()
}

/// The pseudonym that an address is, if a site masked it.
#[must_use]
pub fn address_pseudonym(address: IpAddr) -> Option<u64> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let pseudonym = u64::try_from(u128::from(address) ^ MASKED_PREFIX);
    pseudonym.ok()
}

/// An address for a person: a masked one as `addr-3f9a2c8100d1e2f3`.
#[must_use]
pub fn shown_address(address: IpAddr) -> String {
    match address_pseudonym(address) {
        Some(pseudonym) => format!("addr-{pseudonym:016x}"),
        None => address.to_string(),
    }
}

/// Whether a serial number can be one: blanked, empty, all-alike and counted-up ones are shared by
/// many.
#[must_use]
pub fn is_plausible_serial(serial: &str) -> bool {
    let serial = serial.trim();
    let is_placeholder = [
        "<private>",
        "unknown",
        "none",
        "n/a",
        "serial number",
        "not available",
        "not set",
        "default",
        "to be filled by o.e.m.",
    ]
    .contains(&serial.to_lowercase().as_str());
    let said: String = serial.chars().filter(|c| c.is_alphanumeric()).collect();
    let first = said.chars().next();
    said.chars().nth(SERIAL_CHARS_MIN - 1).is_some()
        && !is_placeholder
        && !said.chars().all(|c| Some(c) == first)
        && !"01234567890".contains(&said)
        && !"ABCDEFGHIJKLMNOPQRSTUVWXYZ".contains(&said)
        && said
            .chars()
            .any(|c| c.is_ascii_digit() && c != '0' || c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(serial: Option<&str>, mac: Option<&str>) -> Fingerprint {
        let own = |text: &str| text.to_owned();
        Fingerprint {
            serial: serial.map(own),
            mac: mac.map(own),
            engine_id: None,
        }
    }

    #[test]
    fn the_strongest_shared_key_decides() {
        let whole = print(Some("hp/a1b2"), Some("00:17:c8:65:e2:b9"));
        let other_board = print(Some("hp/a1b2"), Some("00:17:c8:00:00:01"));
        let other_device = print(Some("hp/z9z9"), Some("00:17:c8:65:e2:b9"));
        let no_serial = print(None, Some("00:17:c8:65:e2:b9"));
        assert!(whole.matches(&other_board) && !whole.contradicts(&other_board));
        assert!(whole.contradicts(&other_device) && !whole.matches(&other_device));
        assert!(whole.matches(&no_serial));
        assert!(!whole.matches(&print(None, None)) && !whole.contradicts(&print(None, None)));
    }

    #[test]
    fn what_many_share_is_no_serial() {
        for serial in [
            "",
            "   ",
            "00000000",
            "XXXXXXXX",
            "<private>",
            "N/A",
            "0000-000",
            "XX-XX-XX",
            "-",
            "1234567890",
            "ABCDEFGH",
            "not set",
            "123",
        ] {
            assert!(!is_plausible_serial(serial), "{serial}");
        }
        for serial in ["U64641E7J134163", "7062184", "AAA0A00000"] {
            assert!(is_plausible_serial(serial), "{serial}");
        }
    }

    #[test]
    fn an_id_follows_the_key_and_not_the_address() {
        let (here, there) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let known = print(Some("hp/a1b2"), None);
        assert_eq!(
            DeviceId::derive(&known, here),
            DeviceId::derive(&known, there)
        );
        let nameless = print(None, None);
        assert_ne!(
            DeviceId::derive(&nameless, here),
            DeviceId::derive(&nameless, there)
        );
        let id = DeviceId::derive(&known, here);
        assert_eq!(DeviceId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn a_masked_address_is_told_from_every_other() {
        let masked = masked_address(0x3f9a_2c81_00d1_e2f3);
        assert_eq!(masked.to_string(), "100::3f9a:2c81:d1:e2f3");
        assert_eq!(shown_address(masked), "addr-3f9a2c8100d1e2f3");
        for text in ["10.0.0.7", "100:0:0:1::1", "::1", "2001:db8::100"] {
            assert_eq!(shown_address(text.parse().unwrap()), text);
        }
    }
}
