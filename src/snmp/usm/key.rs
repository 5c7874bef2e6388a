//! From a password to the keys for one engine (RFC 3414 §2.6, appendix A.2; RFC 7860 §9).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::algorithm::{Auth, Extension, Level, Privacy};

/// A password is repeated to this many octets before it is hashed, so that guessing is dear
/// (RFC 3414 §2.6).
const EXPANDED_BYTES: usize = 1_024 * 1_024;

/// Octets that are hashed at once: a block of most of the hashes.
const BLOCK_BYTES: usize = 64;

/// Does the same with whichever hash an algorithm has.
macro_rules! with_hash {
    ($auth:expr, $hash:ident => $body:expr) => {
        match $auth {
            Auth::Md5 => {
                type $hash = Md5;
                $body
            }
            Auth::Sha1 => {
                type $hash = Sha1;
                $body
            }
            Auth::Sha224 => {
                type $hash = Sha224;
                $body
            }
            Auth::Sha256 => {
                type $hash = Sha256;
                $body
            }
            Auth::Sha384 => {
                type $hash = Sha384;
                $body
            }
            Auth::Sha512 => {
                type $hash = Sha512;
                $body
            }
        }
    };
}

/// Octets of a key: never printed, and wiped when they are no longer needed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// Makes a key of a password: a megabyte of it, hashed. Takes milliseconds, on purpose.
    ///
    /// No password gives a key of no use; [`super::User`] refuses one.
    #[must_use]
    pub fn from_password(auth: Auth, password: &[u8]) -> Self {
        with_hash!(auth, Hash => {
            let mut hash = Hash::new();
            let mut octets = password.iter().cycle().copied();
            let mut block = [0; BLOCK_BYTES];
            for _ in 0..EXPANDED_BYTES / BLOCK_BYTES {
                for (to, octet) in block.iter_mut().zip(&mut octets) {
                    *to = octet;
                }
                // By reference: a copy would stay behind.
                hash.update(block.as_slice());
            }
            block.zeroize();
            Self::taken_from(&mut hash.finalize())
        })
    }

    /// Takes the octets of a hash, and wipes them where they were.
    fn taken_from(hashed: &mut [u8]) -> Self {
        let key = Self(hashed.to_vec());
        hashed.zeroize();
        key
    }

    /// The key for one engine, so that no device learns another's (RFC 3414 §2.6).
    #[must_use]
    pub fn localized(&self, auth: Auth, engine_id: &[u8]) -> Self {
        digest(auth, &[&self.0, engine_id, &self.0])
    }

    /// A localized key, as long as an encryption needs it.
    fn fitted(mut self, auth: Auth, privacy: Privacy, engine_id: &[u8]) -> Self {
        let bytes = privacy.key_bytes();
        while self.0.len() < bytes {
            let more = match privacy.extension() {
                // Each further piece is the hash of all before it.
                Some(Extension::Blumenthal) | None => digest(auth, &[&self.0]),
                // Each further piece has the piece before it as its password.
                Some(Extension::Reeder) => {
                    let last = self.0.len() - auth.key_bytes();
                    let password = &self.0[last..];
                    Self::from_password(auth, password).localized(auth, engine_id)
                }
            };
            let longer = [&*self.0, &*more.0].concat();
            // Growing in place might leave a copy behind.
            self = Self(longer);
        }
        self.0[bytes..].zeroize();
        self.0.truncate(bytes);
        self
    }

    /// The octets themselves, for a cipher and for tests with known answers.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The keys of one user for one engine.
#[derive(Debug, Clone)]
pub struct Keys {
    auth: Option<(Auth, Key)>,
    privacy: Option<(Privacy, Key)>,
}

impl Keys {
    /// Makes them of a user's keys that know no engine yet: of its authentication, and of its
    /// encryption, which is made with the same hash.
    pub(super) fn localize(
        auth: Option<&(Auth, Key)>,
        privacy: Option<&(Privacy, Key)>,
        engine_id: &[u8],
    ) -> Self {
        let Some((auth, key)) = auth else {
            return Self::none();
        };
        let fitted = |(privacy, key): &(Privacy, Key)| {
            let key = key.localized(*auth, engine_id);
            (*privacy, key.fitted(*auth, *privacy, engine_id))
        };
        Self {
            privacy: privacy.map(fitted),
            auth: Some((*auth, key.localized(*auth, engine_id))),
        }
    }

    /// No keys: for a message that shows nothing.
    #[must_use]
    pub fn none() -> Self {
        Self {
            auth: None,
            privacy: None,
        }
    }

    /// The same keys, for a message at this level or as near below it as they can.
    #[must_use]
    pub fn at(&self, level: Level) -> Self {
        match level {
            Level::NoAuthNoPriv => Self::none(),
            Level::AuthNoPriv => Self {
                auth: self.auth.clone(),
                privacy: None,
            },
            Level::AuthPriv => self.clone(),
        }
    }

    /// How well a message of these keys is secured.
    #[must_use]
    pub fn level(&self) -> Level {
        match (&self.auth, &self.privacy) {
            (None, _) => Level::NoAuthNoPriv,
            (Some(_), None) => Level::AuthNoPriv,
            (Some(_), Some(_)) => Level::AuthPriv,
        }
    }

    /// The encryption with its key.
    #[must_use]
    pub fn privacy(&self) -> Option<(Privacy, &Key)> {
        self.privacy.as_ref().map(|(privacy, key)| (*privacy, key))
    }

    /// Octets of a message's MAC, 0 without authentication.
    #[must_use]
    pub fn mac_bytes(&self) -> usize {
        self.auth.as_ref().map_or(0, |(auth, _)| auth.mac_bytes())
    }

    /// The MAC of a message that is handed in in pieces, the MAC's own place zeroed.
    #[must_use]
    pub fn mac(&self, pieces: &[&[u8]]) -> Vec<u8> {
        let Some((auth, key)) = &self.auth else {
            return Vec::new();
        };
        let mut mac = hmac(*auth, key, pieces);
        mac.truncate(auth.mac_bytes());
        mac
    }

    /// Whether a message's MAC is right: of the algorithm's length and no other (a shorter one
    /// could be guessed, CVE-2008-0960), and compared in constant time.
    #[must_use]
    pub fn is_mac(&self, pieces: &[&[u8]], shown: &[u8]) -> bool {
        let Some((auth, _)) = &self.auth else {
            return false;
        };
        shown.len() == auth.mac_bytes() && bool::from(self.mac(pieces).ct_eq(shown))
    }
}

fn digest(auth: Auth, pieces: &[&[u8]]) -> Key {
    with_hash!(auth, Hash => {
        let mut hash = Hash::new();
        for piece in pieces {
            hash.update(piece);
        }
        Key::taken_from(&mut hash.finalize())
    })
}

fn hmac(auth: Auth, key: &Key, pieces: &[&[u8]]) -> Vec<u8> {
    with_hash!(auth, Hash => {
        // HMAC takes a key of any length.
        let Ok(mut mac) = <Hmac<Hash> as KeyInit>::new_from_slice(&key.0) else {
            return Vec::new();
        };
        for piece in pieces {
            mac.update(piece);
        }
        mac.finalize().into_bytes().to_vec()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds by its type alone: what lacks it does not compile.
    fn is_wiped<T: ZeroizeOnDrop>() {}

    #[test]
    fn keys_are_wiped_as_is_every_hash_that_they_come_from() {
        is_wiped::<Key>();
        for auth in Auth::ALL {
            // A hash of a key, or the schedule of a MAC, which consists of two such states.
            with_hash!(auth, Hash => is_wiped::<Hash>());
        }
    }

    #[test]
    fn what_a_key_was_hashed_to_does_not_stay_behind() {
        let mut hashed = [7; 20];
        let key = Key::taken_from(&mut hashed);
        assert_eq!(key.expose(), [7; 20]);
        assert_eq!(hashed, [0; 20]);
    }
}
