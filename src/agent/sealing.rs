//! Opens what the hub sealed to this agent: it stores secrets that it cannot read.
//!
//! HPKE in base mode (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305. A sealed secret is
//! the encapsulated key, 32 octets, and the ciphertext behind it; it is bound to the agent and to
//! the credential's name, so that it opens nowhere else and under no other name.

use std::fmt;

use actors::reach::credential::Secret;
use actors::site::SealedCredential;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256 as Kem;
use hpke::{Deserializable, Kem as KemTrait, OpModeR, single_shot_open};

/// What the key schedule is bound to: no other use of the key opens these.
const INFO: &[u8] = b"platen credential v1";
/// Octets of an encapsulated X25519 key (RFC 9180 §7.1).
const ENCAPPED_OCTETS: usize = 32;
/// Longest community that is taken, in octets: SNMP bounds none, and no device takes longer ones.
const COMMUNITY_OCTETS_MAX: usize = 255;
/// Longest user of version 3 that is taken, in octets: names of 32 octets, words, and two passwords
/// of any length that a person writes.
const USER_OCTETS_MAX: usize = 2_048;

/// Why a sealed credential cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not what sealing makes.
    #[error("it is not sealed as agreed")]
    Malformed,
    /// It was sealed to another key, another agent or another name, or was changed on the way.
    #[error("it is not sealed to this agent under this name; seal it again")]
    NotForUs,
    /// What was sealed is no community and no user.
    #[error("what is sealed is empty, or longer than a community (255 octets) or a user (2048) is")]
    Length,
}

/// The key that the hub seals to, and whose it is.
#[derive(Clone)]
pub struct SealingKey {
    private: Secret,
    agent_id: String,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey")
            .field("agent_id", &self.agent_id)
            .finish_non_exhaustive()
    }
}

impl SealingKey {
    /// The X25519 private key of an agent, 32 octets.
    #[must_use]
    pub fn new(private: Secret, agent_id: impl Into<String>) -> Self {
        Self {
            private,
            agent_id: agent_id.into(),
        }
    }

    /// The community of a sealed credential, or the user of one of version 3.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, credential: &SealedCredential) -> Result<Secret, SealError> {
        let (encapped, ciphertext) = credential
            .sealed
            .split_at_checked(ENCAPPED_OCTETS)
            .ok_or(SealError::Malformed)?;
        let encapped = <Kem as KemTrait>::EncappedKey::from_bytes(encapped)
            .map_err(|_| SealError::Malformed)?;
        let private = <Kem as KemTrait>::PrivateKey::from_bytes(self.private.expose())
            .map_err(|_| SealError::NotForUs)?;
        let bound = format!("{}\n{}", self.agent_id, credential.name);
        let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &private,
            &encapped,
            INFO,
            ciphertext,
            bound.as_bytes(),
        );
        let secret = opened.map_err(|_| SealError::NotForUs)?;
        let octets_max = match credential.version.as_str() {
            "3" => USER_OCTETS_MAX,
            _ => COMMUNITY_OCTETS_MAX,
        };
        if !(1..=octets_max).contains(&secret.len()) {
            return Err(SealError::Length);
        }
        Ok(Secret::new(secret))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hpke::{OpModeS, Serializable, single_shot_seal};

    use super::*;

    /// A key pair's private half, and a sealer to its public one, as a hub has it.
    pub(crate) fn pair(agent_id: &str) -> (SealingKey, impl Fn(&str, &[u8]) -> SealedCredential) {
        let (private, public) = Kem::gen_keypair();
        let key = SealingKey::new(Secret::new(private.to_bytes().to_vec()), agent_id);
        let agent_id = agent_id.to_owned();
        let seal = move |name: &str, community: &[u8]| {
            let bound = format!("{agent_id}\n{name}");
            let (encapped, ciphertext) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(
                &OpModeS::Base,
                &public,
                INFO,
                community,
                bound.as_bytes(),
            )
            .expect("sealed");
            SealedCredential {
                name: name.to_owned(),
                version: "2c".to_owned(),
                sealed: [encapped.to_bytes().to_vec(), ciphertext].concat(),
            }
        };
        (key, seal)
    }

    #[test]
    fn what_was_sealed_to_us_opens_and_nothing_else_does() {
        let (key, seal) = pair("agent-1");
        let sealed = seal("site", b"hush");
        assert_eq!(
            key.open(&sealed).map(|it| it.expose().to_vec()),
            Ok(b"hush".to_vec())
        );
        let renamed = SealedCredential {
            name: "other".to_owned(),
            ..sealed.clone()
        };
        assert_eq!(key.open(&renamed), Err(SealError::NotForUs));
        let (anothers, _) = pair("agent-1");
        assert_eq!(anothers.open(&sealed), Err(SealError::NotForUs));
        let moved = SealingKey::new(key.private.clone(), "agent-2");
        assert_eq!(moved.open(&sealed), Err(SealError::NotForUs));
        for at in 0..sealed.sealed.len() {
            let mut changed = sealed.clone();
            changed.sealed[at] ^= 1;
            assert!(key.open(&changed).is_err(), "octet {at}");
        }
        for length in 0..sealed.sealed.len() {
            let mut short = sealed.clone();
            short.sealed.truncate(length);
            assert!(key.open(&short).is_err(), "{length} octets");
        }
    }

    #[test]
    fn what_is_no_community_is_refused() {
        let (key, seal) = pair("agent-1");
        for community in [vec![], vec![b'x'; 256]] {
            let opened = key.open(&seal("site", &community));
            assert_eq!(opened, Err(SealError::Length));
        }
    }

    #[test]
    fn a_sealing_key_never_shows_itself() {
        let key = SealingKey::new(Secret::new("hush"), "agent-1");
        assert_eq!(
            format!("{key:?}"),
            "SealingKey { agent_id: \"agent-1\", .. }"
        );
    }
}
