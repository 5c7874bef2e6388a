//! Who the agent is to its hub, as the life uses it. The program keeps it: the life knows nothing of
//! the state folder.
//!
//! Used by the uplink. The agent's program implements [`Keeper`] over `identity.json`; the tests
//! play it.

use std::fmt;

use jiff::Timestamp;

use crate::reach::credential::Secret;

/// A certificate and its key, and when it wants attention.
#[derive(Clone)]
pub struct Papers {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// Its key, PEM.
    pub key_pem: Secret,
    /// When it became valid.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl fmt::Debug for Papers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Papers")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// Which key a new certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChoice {
    /// The one in use.
    Same,
    /// One that is made for it.
    New,
}

/// A request to sign a key, PKCS #10 in PEM, and the key.
#[derive(Debug, Clone)]
pub struct SigningRequest {
    /// What the hub is sent.
    pub pem: String,
    /// The key it is for, which stays here.
    pub key_pem: Secret,
}

/// What came of counting a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// So many in a row by now.
    So(u32),
    /// It was one too many: the agent is disabled, and its program ends.
    Disabled,
}

/// Keeps the identity. Everything here may touch the disk: it is called on the runtime, never on
/// the actors' thread.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// The certificate and key in use.
    fn current(&self) -> Papers;

    /// Which start of the agent this is, from 1 up: counted on disk, before anybody was called.
    fn boot(&self) -> u64;

    /// 32 hex digits, random, of this start alone.
    fn instance(&self) -> &str;

    /// Asks for a certificate.
    ///
    /// # Errors
    /// Why no key or request could be made, for a person.
    fn request(&self, key: KeyChoice) -> Result<SigningRequest, String>;

    /// Takes a certificate and its key into use, once both are on disk.
    ///
    /// # Errors
    /// Why they cannot be kept, for a person; the ones before stay in use.
    fn replace(&self, certificate_pem: String, key_pem: Secret) -> Result<(), String>;

    /// Counts, on disk, a refusal that the hub itself made.
    fn refused(&self, why: &str) -> Counted;

    /// Forgets the refusals so far: the hub has let us in.
    fn accepted(&self);
}
