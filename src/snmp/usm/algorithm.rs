//! The algorithms of version 3, with the lengths that follow from them.

use std::fmt;

/// Octets of a key of DES with its pre-IV (RFC 3414 §8.1.1.1).
const DES_KEY_BYTES: usize = 16;

/// How a message shows who wrote it: an HMAC, cut to a fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Auth {
    /// HMAC-MD5-96 (RFC 3414 §6).
    Md5,
    /// HMAC-SHA-96 (RFC 3414 §7).
    Sha1,
    /// HMAC-SHA-224 in 128 bits (RFC 7860).
    Sha224,
    /// HMAC-SHA-256 in 192 bits (RFC 7860).
    Sha256,
    /// HMAC-SHA-384 in 256 bits (RFC 7860).
    Sha384,
    /// HMAC-SHA-512 in 384 bits (RFC 7860).
    Sha512,
}

impl Auth {
    /// Every one, in the order of their strength.
    pub const ALL: [Self; 6] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// The word for it in a configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm behind a word; `sha1` is `sha`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = if word == "sha1" { "sha" } else { word };
        Self::ALL.into_iter().find(|auth| auth.word() == word)
    }

    /// Octets of the hash, and so of a localized key.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Octets of a message's MAC: these and no others (RFC 3414 §6.3.1, §7.3.1; RFC 7860 §4.1).
    #[must_use]
    pub fn mac_bytes(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }
}

/// How a key is made longer than the hash that it comes from. No RFC says it, so there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extension {
    /// draft-blumenthal-aes-usm-04 §3.1.2.1: net-snmp's `AES-256`.
    Blumenthal,
    /// draft-reeder-snmpv3-usm-3desede-00 §2.1: Cisco's, net-snmp's `AES-256-C`.
    Reeder,
}

/// How a message is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privacy {
    /// DES in CBC (RFC 3414 §8).
    Des,
    /// AES with 128 bits in CFB (RFC 3826).
    Aes128,
    /// AES with 192 bits in CFB.
    Aes192(Extension),
    /// AES with 256 bits in CFB.
    Aes256(Extension),
}

impl Privacy {
    /// Every one, in the order of their strength.
    pub const ALL: [Self; 6] = [
        Self::Des,
        Self::Aes128,
        Self::Aes192(Extension::Blumenthal),
        Self::Aes192(Extension::Reeder),
        Self::Aes256(Extension::Blumenthal),
        Self::Aes256(Extension::Reeder),
    ];

    /// The word for it in a configuration; a `c` behind it is Cisco's way, after Reeder.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::Aes128 => "aes128",
            Self::Aes192(Extension::Blumenthal) => "aes192",
            Self::Aes192(Extension::Reeder) => "aes192c",
            Self::Aes256(Extension::Blumenthal) => "aes256",
            Self::Aes256(Extension::Reeder) => "aes256c",
        }
    }

    /// The algorithm behind a word; `aes` is `aes128`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = if word == "aes" { "aes128" } else { word };
        Self::ALL.into_iter().find(|privacy| privacy.word() == word)
    }

    /// Octets of its key; DES's hold the pre-IV too.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Self::Des => DES_KEY_BYTES,
            Self::Aes128 => 16,
            Self::Aes192(_) => 24,
            Self::Aes256(_) => 32,
        }
    }

    /// How its key is made longer, where the hash is shorter.
    #[must_use]
    pub fn extension(self) -> Option<Extension> {
        match self {
            Self::Des | Self::Aes128 => None,
            Self::Aes192(extension) | Self::Aes256(extension) => Some(extension),
        }
    }
}

/// How well a message is secured (RFC 3411 §3.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    NoAuthNoPriv,
    /// It shows who wrote it.
    AuthNoPriv,
    /// And nobody else can read it.
    AuthPriv,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAuthNoPriv => "noAuthNoPriv",
            Self::AuthNoPriv => "authNoPriv",
            Self::AuthPriv => "authPriv",
        })
    }
}
