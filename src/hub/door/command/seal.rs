//! Seals a secret so that one agent can open it, and the hub cannot: HPKE (RFC 9180) to the key
//! that the agent made for this and showed when it enrolled.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable, single_shot_seal};

/// What the sealing is for, so that nothing else sealed to the same key opens as a credential.
const INFO: &[u8] = b"platen credential v1";

/// Longest community, in octets.
pub const COMMUNITY_BYTES_MAX: usize = 255;

/// Longest user of version 3 as TOML, in octets.
pub const USER_BYTES_MAX: usize = 2_048;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Empty, or longer than it may be.
    #[error("a {what} has 1 to {max} octets")]
    Length {
        /// What was to be sealed.
        what: &'static str,
        /// The most octets.
        max: usize,
    },
    /// The agent's key is none.
    #[error("the agent's sealing key cannot be used; enroll the agent again")]
    Key,
}

/// Seals a community for the agent with this id, under this name of the credential. The result is
/// the encapsulated key and behind it the ciphertext.
///
/// # Errors
/// [`SealError`].
pub fn credential(
    sealing_key: &[u8; 32],
    (agent, name): (&str, &str),
    community: &[u8],
) -> Result<Vec<u8>, SealError> {
    let what = "community";
    seal(
        sealing_key,
        (agent, name),
        (what, COMMUNITY_BYTES_MAX),
        community,
    )
}

/// Seals a user of version 3, written as TOML, in the same way.
///
/// # Errors
/// [`SealError`].
pub fn user(
    sealing_key: &[u8; 32],
    (agent, name): (&str, &str),
    document: &[u8],
) -> Result<Vec<u8>, SealError> {
    let what = "user";
    seal(sealing_key, (agent, name), (what, USER_BYTES_MAX), document)
}

fn seal(
    sealing_key: &[u8; 32],
    (agent, name): (&str, &str),
    (what, max): (&'static str, usize),
    secret: &[u8],
) -> Result<Vec<u8>, SealError> {
    if !(1..=max).contains(&secret.len()) {
        return Err(SealError::Length { what, max });
    }
    type Public = <X25519HkdfSha256 as Kem>::PublicKey;
    let key = Public::from_bytes(sealing_key).map_err(|_| SealError::Key)?;
    // As the agent opens it: no other agent can, and under no other name.
    let aad = format!("{agent}\n{name}");
    let (encapsulated, ciphertext) = single_shot_seal::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &key, INFO, secret, aad.as_bytes())
    .map_err(|_| SealError::Key)?;
    Ok([encapsulated.to_bytes().as_slice(), &ciphertext].concat())
}

#[cfg(test)]
mod tests {
    use hpke::{OpModeR, single_shot_open};

    use super::*;

    type Suite = X25519HkdfSha256;

    fn open(secret: &<Suite as Kem>::PrivateKey, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (encapsulated, ciphertext) = sealed.split_at(32);
        let encapsulated = <Suite as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
        single_shot_open::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeR::Base,
            secret,
            &encapsulated,
            INFO,
            ciphertext,
            aad,
        )
        .ok()
    }

    #[test]
    fn only_the_agent_opens_it_and_under_its_own_name_only() {
        let (secret, public) = Suite::derive_keypair(&[7; 32]);
        let (stranger, _) = Suite::derive_keypair(&[8; 32]);
        let key: [u8; 32] = public.to_bytes().into();
        let agent = "a".repeat(32);
        let sealed = credential(&key, (&agent, "office"), b"hush").unwrap();
        let again = credential(&key, (&agent, "office"), b"hush").unwrap();
        assert_ne!(
            sealed, again,
            "nobody sees that two communities are the same"
        );
        let aad = format!("{agent}\noffice");
        assert_eq!(open(&secret, &sealed, aad.as_bytes()).unwrap(), b"hush");
        assert_eq!(
            open(&secret, &sealed, format!("{agent}\nother").as_bytes()),
            None
        );
        assert_eq!(open(&stranger, &sealed, aad.as_bytes()), None);
        assert_eq!(
            credential(&key, (&agent, "office"), b""),
            Err(SealError::Length {
                what: "community",
                max: 255
            })
        );
    }
}
