//! What one session may reach, in the life's own words, checked as far as its form goes.
//!
//! The uplink makes a [`Ticket`] of a signed command. Nothing in it names a host to dial: where
//! the gateway is, the site says. Whether the device is known and its port open, the Supervisor
//! asks.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use russh::keys::{Algorithm, PublicKey};

/// Digits of a session's id (command.proto).
const ID_LEN: usize = 32;

/// Longest host key, in octets: an Ed25519 key has 51, an RSA key of 4096 bits 535.
const HOST_KEY_BYTES_MAX: usize = 1024;

/// Longest user or name to have forwarded, in octets: a session's id has 32.
const NAME_BYTES_MAX: usize = 64;

/// Shortest and longest that a session may be silent before it ends.
const IDLE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(1));

/// Names a session: 32 lower-case hex digits, made by the hub, never used twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// Takes 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
        (text.len() == ID_LEN && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The only key that is believed of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

impl HostKey {
    /// Takes a public key as RFC 4253, section 6.6 has it.
    ///
    /// # Errors
    /// Words, for the hub.
    pub fn parse(octets: &[u8]) -> Result<Self, String> {
        if octets.len() > HOST_KEY_BYTES_MAX {
            return Err(format!(
                "the gateway's host key has at most {HOST_KEY_BYTES_MAX} octets"
            ));
        }
        let key = PublicKey::from_bytes(octets)
            .map_err(|_| "the gateway's host key is no SSH public key".to_owned())?;
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(Self(key)),
            other => Err(format!(
                "a gateway's host key of the kind {other} is not taken; give it one of Ed25519 or \
                 ECDSA"
            )),
        }
    }

    /// Whether this is the key.
    #[must_use]
    pub(crate) fn is(&self, key: &PublicKey) -> bool {
        self.0.key_data() == key.key_data()
    }

    /// Its kind: the gateway is asked for this one of its keys.
    #[must_use]
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }
}

/// What one session may reach, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Which session.
    pub session: SessionId,
    /// Which device, as the hub calls it.
    pub device: DeviceId,
    /// Which of its ports.
    pub port: u16,
    /// When it ends, whatever goes on.
    pub until: Timestamp,
    /// How long it may be silent.
    pub idle_max: Duration,
    /// The gateway's key.
    pub host_key: HostKey,
    /// As whom we authenticate at the gateway.
    pub user: String,
    /// What we ask to have forwarded there.
    pub bind: (String, u16),
    /// Whether the hub lets `GET` and `HEAD` through alone.
    pub is_read_only: bool,
    /// Whether it is plain HTTP because the device's TLS is too old to be spoken.
    pub is_fallback: bool,
    /// Who asked, for people: bounded, without characters that act.
    pub issuer: String,
    /// Why, likewise.
    pub reason: String,
    /// When the order ends: nobody approves it after that.
    pub expires: Timestamp,
}

/// A port of the wire, where 0 is none.
///
/// # Errors
/// Words, for the hub.
pub fn port(what: &str, port: u32) -> Result<u16, String> {
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("the {what} is a number from 1 to 65535"))
}

/// A name that is shown to a gateway: short, ASCII, nothing in it that acts.
///
/// # Errors
/// Words, for the hub.
pub fn name(what: &str, text: &str) -> Result<String, String> {
    let is_plain = |octet: u8| octet.is_ascii_graphic();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(is_plain) {
        return Err(format!(
            "the {what} has 1 to {NAME_BYTES_MAX} characters of ASCII and no space"
        ));
    }
    Ok(text.to_owned())
}

/// How long a session may be silent.
///
/// # Errors
/// Words, for the hub.
pub fn idle(secs: u32) -> Result<Duration, String> {
    let idle = Duration::from_secs(u64::from(secs));
    if !(IDLE.0..=IDLE.1).contains(&idle) {
        return Err("a session may be silent for 30 s to 1 h".to_owned());
    }
    Ok(idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_its_form_is_no_part_of_a_ticket() {
        assert!(SessionId::parse(&"0f".repeat(16)).is_some());
        for text in ["", "0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F", &"0f".repeat(17)] {
            assert!(SessionId::parse(text).is_none(), "{text}");
        }
        assert!(port("port", 0).is_err() && port("port", 65_536).is_err());
        assert_eq!(port("port", 9100), Ok(9100));
        for text in ["", "a b", "a\nb", "ü", &"x".repeat(65)] {
            assert!(name("user", text).is_err(), "{text}");
        }
        assert!(idle(29).is_err() && idle(3601).is_err() && idle(30).is_ok());
    }

    #[test]
    fn a_host_key_is_an_ssh_key_of_a_kind_that_is_spoken() {
        let octets = |kind: &str, rest: &[u8]| {
            let field = |octets: &[u8]| {
                let length = u32::try_from(octets.len()).expect("short").to_be_bytes();
                [&length[..], octets].concat()
            };
            [field(kind.as_bytes()), field(rest)].concat()
        };
        let key = octets("ssh-ed25519", &[7; 32]);
        assert!(HostKey::parse(&key).is_ok());
        for wrong in [
            Vec::new(),
            b"ssh-ed25519".to_vec(),
            octets("ssh-ed25519", &[7; 31]),
            octets("ssh-made-up", &[7; 32]),
            vec![0; HOST_KEY_BYTES_MAX + 1],
        ] {
            assert!(HostKey::parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
