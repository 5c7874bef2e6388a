//! The keys that an agent enrolls with, kept until the hub has decided.
//!
//! Where a person at the hub compares the key first, that takes minutes: whoever ends `platen enroll`
//! meanwhile and runs the same line again must come with the same key.

use std::fs;
use std::io;
use std::path::Path;

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::EnrollError;
use crate::identity::{IdentityError, hex, write_whole};

/// The file in the state folder, while an enrollment is under way.
const FILE: &str = "enrolling.json";
/// Longest name of an agent, in characters: the limit of X.520 for a common name.
const NAME_CHARS_MAX: usize = 64;
/// Digits of a fingerprint that stand together: what an ear keeps.
const GROUP_LEN: usize = 4;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// SHA-256 of the code that the keys are used with.
    code_hash: String,
    /// PEM.
    key: String,
    /// Hex, the private half.
    sealing_key: String,
}

/// What an agent enrolls with.
pub(super) struct Keys {
    /// Proves who the agent is.
    pub(super) key: KeyPair,
    /// Private half of what the hub seals to, hex.
    pub(super) sealing_key: String,
    sealing_public: Vec<u8>,
}

impl Keys {
    /// The keys of an enrollment with this code: those of an attempt before, or new ones.
    pub(super) fn of(state_dir: &Path, code: &str) -> Result<Self, EnrollError> {
        let path = state_dir.join(FILE);
        let code_hash = hex(&Sha256::digest(code));
        let kept = fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice::<Kept>(&text).ok())
            .filter(|kept| kept.code_hash == code_hash);
        // What cannot be used any more is made anew, which the hub will tell from the first.
        if let Some(keys) = kept.and_then(Self::restored) {
            return Ok(keys);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| IdentityError::Unusable {
            path: path.clone(),
            error: io::Error::other(error),
        })?;
        let (secret, _) = X25519HkdfSha256::derive_keypair(&seed);
        let kept = Kept {
            code_hash,
            key: key.serialize_pem(),
            sealing_key: hex(&secret.to_bytes()),
        };
        let text = serde_json::to_vec_pretty(&kept).map_err(|error| IdentityError::Damaged {
            path: path.clone(),
            error,
        })?;
        write_whole(&path, &text)?;
        Self::restored(kept).ok_or(EnrollError::NoKey(rcgen::Error::CouldNotParseKeyPair))
    }

    fn restored(kept: Kept) -> Option<Self> {
        let key = KeyPair::from_pem(&kept.key).ok()?;
        let secret = crate::identity::octets(&kept.sealing_key)?;
        let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&secret).ok()?;
        Some(Self {
            key,
            sealing_key: kept.sealing_key,
            sealing_public: X25519HkdfSha256::sk_to_pk(&secret).to_bytes().to_vec(),
        })
    }

    /// Forgets what was kept: the hub has decided.
    pub(super) fn forget(state_dir: &Path) {
        // One that stays is used by nobody: it belongs to its code.
        let _ = fs::remove_file(state_dir.join(FILE));
    }

    /// A request to sign our key, PEM (PKCS #10).
    pub(super) fn signing_request(&self, name: &str) -> Result<String, rcgen::Error> {
        let mut params = CertificateParams::default();
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serialize_request(&self.key)?.pem()
    }

    /// What the hub seals secrets to.
    pub(super) fn sealing_public(&self) -> Vec<u8> {
        self.sealing_public.clone()
    }

    /// SHA-256 of the public key (its SubjectPublicKeyInfo), as people read it to each other.
    pub(super) fn fingerprint(&self) -> String {
        let hash = hex(&Sha256::digest(self.key.subject_public_key_info()));
        let digits: Vec<char> = hash.chars().collect();
        let groups = digits.chunks(GROUP_LEN).map(|group| group.iter().collect());
        groups.collect::<Vec<String>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_one_code_survive_and_those_of_another_are_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = |code| Keys::of(folder.path(), code).expect("keys");
        let first = keys("one");
        let again = keys("one");
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(first.sealing_public(), again.sealing_public());
        assert_eq!(first.sealing_public().len(), 32);
        assert_eq!(first.fingerprint().len(), 16 * 5 - 1);
        assert_ne!(keys("two").fingerprint(), first.fingerprint());
        Keys::forget(folder.path());
        assert_ne!(keys("two").fingerprint(), again.fingerprint());
    }
}
