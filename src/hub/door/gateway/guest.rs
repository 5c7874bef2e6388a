//! Who comes over SSH, by user and key: an agent by its certificate's key, a person by their own.

use jiff::Timestamp;
use russh::keys::PublicKey;
use russh::keys::ssh_key::public::{EcdsaPublicKey, KeyData};

use crate::permission::Right;
use crate::store::agents::AgentId;
use crate::store::{Store, StoreError, Tenant, hash_hex};

/// Longest user name that is looked at, in bytes: ids have 32, names of people at most 64.
const USER_LEN_MAX: usize = 64;

/// A SubjectPublicKeyInfo of P-256 before its point (RFC 5480, section 2).
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guest {
    /// An agent, for the sessions that were opened with devices of its site.
    Agent(AgentId),
    /// A person, for the sessions that they opened.
    Person(String),
}

impl Guest {
    /// Its name, for the log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Agent(agent) => agent.name(),
            Self::Person(name) => name,
        }
    }
}

/// Who this user with this key is; nobody, if the key is not theirs or not good now.
pub(super) async fn judge(
    store: &Store,
    tenant: &Tenant,
    (user, key): (&str, &PublicKey),
) -> Result<Option<Guest>, StoreError> {
    if user.is_empty() || user.len() > USER_LEN_MAX {
        return Ok(None);
    }
    if let Some(key_hash) = key_hash(key) {
        let now = Timestamp::now();
        let agent = store.agent_of_key(tenant, (user, &key_hash), now).await?;
        if let Some(agent) = agent {
            return Ok(Some(Guest::Agent(agent)));
        }
    }
    let Some(fingerprint) = fingerprint(key) else {
        return Ok(None);
    };
    let rights = store
        .rights_of_ssh_key(tenant, (user, &fingerprint))
        .await?;
    let is_welcome = rights.is_some_and(|rights| rights.has(Right::Web));
    Ok(is_welcome.then(|| Guest::Person(user.to_owned())))
}

/// SHA-256 of a key's SubjectPublicKeyInfo, in hex, as the store has those of agents; none for a
/// key that no agent has.
#[must_use]
pub fn key_hash(key: &PublicKey) -> Option<String> {
    match key.key_data() {
        KeyData::Ecdsa(point @ EcdsaPublicKey::NistP256(_)) => {
            Some(hash_hex(&[&P256_INFO, point.as_sec1_bytes()].concat()))
        }
        _ => None,
    }
}

/// SHA-256 of a key as SSH writes it, in hex.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> Option<String> {
    key.to_bytes().ok().map(|blob| hash_hex(&blob))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::ca::CheckedRequest;

    #[test]
    fn an_agents_key_has_one_hash_in_tls_and_in_ssh() {
        let pair = KeyPair::generate().unwrap();
        let request = CertificateParams::default()
            .serialize_request(&pair)
            .unwrap();
        let request = CheckedRequest::parse(&request.pem().unwrap()).unwrap();
        let point = EcdsaPublicKey::from_sec1_bytes(pair.public_key_raw()).unwrap();
        let key = PublicKey::new(KeyData::Ecdsa(point), "");
        assert_eq!(key_hash(&key).unwrap(), request.key_hash());
    }
}
