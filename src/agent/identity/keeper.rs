//! The identity in use: what the life is given of it, changed on disk first and then in memory.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::keeper::{Counted, Keeper, KeyChoice, Papers, SigningRequest};
use actors::parts::HubLink;
use actors::reach::credential::Secret;
use actors::{RenewError, renew};
use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::watch;
use tracing::{error, info, warn};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::refusals::Tally;
use super::starts::Start;
use super::{Identity, IdentityError};

/// Keeps `identity.json` of one state folder while the agent runs.
#[derive(Debug)]
pub struct IdentityKeeper {
    state_dir: PathBuf,
    start: Start,
    current: Mutex<(Identity, Papers)>,
    ending: watch::Sender<Option<Ending>>,
}

/// Why an agent cannot go on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The hub has refused it too often.
    Disabled,
    /// It was enrolled anew while it ran: started again, it is who it is now.
    EnrolledAnew,
}

impl IdentityKeeper {
    /// Takes over the identity of a state folder, which this process has locked.
    ///
    /// # Errors
    /// [`IdentityError`] when the start cannot be counted, or the certificate is none.
    pub fn new(state_dir: &Path, identity: Identity) -> Result<Self, IdentityError> {
        let papers = papers(&identity).ok_or_else(|| IdentityError::NoCertificate {
            path: state_dir.join(super::FILE),
        })?;
        Ok(Self {
            state_dir: state_dir.to_owned(),
            start: Start::begin(state_dir)?,
            current: Mutex::new((identity, papers)),
            ending: watch::Sender::default(),
        })
    }

    /// Waits until the hub's refusals end this agent.
    pub async fn ended(&self) -> Ending {
        let mut ending = self.ending.subscribe();
        // The sender is our own, so it is there for as long as anybody waits.
        let ended = ending.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|ended| *ended)
            .unwrap_or(Ending::Disabled)
    }

    /// Whether the state folder holds another identity than the one in use.
    fn is_enrolled_anew(&self) -> bool {
        // Held over the look at the disk: a renewal is on disk a moment before it is in use.
        let ours = self.locked();
        let kept = Identity::load(&self.state_dir);
        kept.is_ok_and(|kept| kept.is_some_and(|kept| kept.key != ours.0.key))
    }

    /// The identity as it is now.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.locked().0.clone()
    }

    // Nothing panics while it holds the lock, and what it guards is changed in one assignment.
    fn locked(&self) -> MutexGuard<'_, (Identity, Papers)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper for IdentityKeeper {
    fn current(&self) -> Papers {
        self.locked().1.clone()
    }

    fn boot(&self) -> u64 {
        self.start.boot
    }

    fn instance(&self) -> &str {
        &self.start.instance
    }

    fn request(&self, key: KeyChoice) -> Result<SigningRequest, String> {
        let identity = self.identity();
        let key = match key {
            KeyChoice::Same => KeyPair::from_pem(&identity.key),
            KeyChoice::New => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        };
        let pem = |key: &KeyPair| {
            let mut params = CertificateParams::default();
            let name = identity.agent_id.as_str();
            params.distinguished_name.push(DnType::CommonName, name);
            params.serialize_request(key)?.pem()
        };
        let requested = key.and_then(|key| {
            Ok(SigningRequest {
                pem: pem(&key)?,
                key_pem: Secret::new(key.serialize_pem()),
            })
        });
        requested.map_err(|error| format!("no certificate can be asked for: {error}"))
    }

    fn replace(&self, certificate_pem: String, key_pem: Secret) -> Result<(), String> {
        let key = String::from_utf8(key_pem.expose().to_vec());
        let identity = Identity {
            certificate: certificate_pem,
            key: key.map_err(|_| "the new key is not written as PEM")?,
            ..self.identity()
        };
        let papers = papers(&identity).ok_or("the hub answered without a certificate")?;
        let mut current = self.locked();
        identity
            .save(&self.state_dir)
            .map_err(|error| error.to_string())?;
        *current = (identity, papers);
        Ok(())
    }

    fn refused(&self, why: &str) -> Counted {
        if self.is_enrolled_anew() {
            // It is the old identity that is refused, and nobody's any more.
            info!("enrolled anew while it ran; the agent ends, to be started as who it is now");
            self.ending.send_replace(Some(Ending::EnrolledAnew));
            return Counted::So(0);
        }
        let hub_url = self.identity().hub_url;
        match Tally::note(&self.state_dir, (&hub_url, why), Timestamp::now()) {
            Ok(tally) if tally.is_disabled() => {
                self.ending.send_replace(Some(Ending::Disabled));
                Counted::Disabled
            }
            Ok(tally) => Counted::So(tally.refusals),
            Err(error) => {
                error!(%error, "a refusal was not counted");
                Counted::So(0)
            }
        }
    }

    fn accepted(&self) {
        if let Err(error) = Tally::forget(&self.state_dir) {
            warn!(%error, "the refusals so far were not forgotten");
        }
    }
}

/// Has a new key certified in place of the one in use; the uplink connects anew with it.
///
/// # Errors
/// [`RenewError`]: the old key stays in use.
pub async fn renew_with_new_key(hub: &HubLink, deadline: Duration) -> Result<(), RenewError> {
    renew(hub, KeyChoice::New, deadline).await
}

/// What the life needs of an identity; none if its certificate is none.
fn papers(identity: &Identity) -> Option<Papers> {
    let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let validity = certificate.validity();
    Some(Papers {
        certificate_pem: identity.certificate.clone(),
        key_pem: Secret::new(identity.key.clone()),
        from: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        until: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(key: &KeyPair) -> Identity {
        let certificate = CertificateParams::default()
            .self_signed(key)
            .expect("signed");
        Identity {
            hub_url: "https://hub.example.org".to_owned(),
            agent_id: "a1".to_owned(),
            agent_name: "lyon-1".to_owned(),
            authority: "CA".to_owned(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            command_key: None,
            sealing_key: None,
        }
    }

    fn key() -> KeyPair {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
    }

    #[test]
    fn a_new_certificate_is_on_disk_before_it_is_in_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = IdentityKeeper::new(folder.path(), identity(&key())).expect("kept");
        let same = keeper.request(KeyChoice::Same).expect("a request");
        let fresh = keeper.request(KeyChoice::New).expect("a request");
        assert_eq!(same.key_pem.expose(), keeper.current().key_pem.expose());
        assert_ne!(same.key_pem.expose(), fresh.key_pem.expose());
        let next = identity(&key());
        let given = (next.certificate.clone(), Secret::new(next.key.clone()));

        keeper.replace(given.0, given.1).expect("replaced");

        assert_eq!(keeper.current().certificate_pem, next.certificate);
        let kept = Identity::load(folder.path()).expect("readable");
        assert_eq!(kept, Some(next));
    }

    #[test]
    fn what_cannot_be_kept_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = IdentityKeeper::new(folder.path(), identity(&key())).expect("kept");
        let before = keeper.current().certificate_pem;
        let nonsense = keeper.replace("nonsense".to_owned(), Secret::new(String::new()));
        assert!(nonsense.is_err());
        let next = identity(&key());
        drop(folder);
        let lost = keeper.replace(next.certificate, Secret::new(next.key));
        assert!(lost.is_err());
        assert_eq!(keeper.current().certificate_pem, before);
    }

    #[tokio::test]
    async fn the_refusals_of_an_old_identity_do_not_disable_the_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = IdentityKeeper::new(folder.path(), identity(&key())).expect("kept");
        identity(&key()).save(folder.path()).expect("enrolled anew");
        for _ in 0..10 {
            assert_eq!(keeper.refused("replaced"), Counted::So(0));
        }
        assert_eq!(keeper.ended().await, Ending::EnrolledAnew);
        assert_eq!(Tally::load(folder.path()).expect("none"), Tally::default());
    }

    #[tokio::test]
    async fn the_fifth_refusal_is_told_and_a_success_forgets_four() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = IdentityKeeper::new(folder.path(), identity(&key())).expect("kept");
        for count in 1..=4 {
            assert_eq!(keeper.refused("revoked"), Counted::So(count));
        }
        keeper.accepted();
        for count in 1..=4 {
            assert_eq!(keeper.refused("revoked"), Counted::So(count));
        }
        assert_eq!(keeper.refused("revoked"), Counted::Disabled);
        assert_eq!(keeper.ended().await, Ending::Disabled);
        assert!(Tally::load(folder.path()).expect("kept").is_disabled());
    }
}
