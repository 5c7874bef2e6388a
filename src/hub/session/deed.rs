//! What is done in a session and has to be written down, who writes it, and what stands in the way.

use std::fmt;

use super::{Later, Terms};

/// Something that was done in a session, for the audit. Never a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A request is about to be sent to the device.
    Asked {
        /// Numbers the requests of the session, from 1 up.
        number: u64,
        /// As the browser sent it.
        method: String,
        /// Path and query.
        path: String,
    },
    /// It was answered, or not: then `status` is 0.
    Answered {
        /// As in [`Deed::Asked`].
        number: u64,
        /// What the device answered.
        status: u16,
        /// Octets of the body to the device.
        sent: u64,
        /// Octets of the body from the device.
        received: u64,
    },
    /// A connection to a raw door begins.
    RawBegan {
        /// Numbers the connections of the session, from 1 up.
        number: u64,
    },
    /// It ended.
    RawEnded {
        /// As in [`Deed::RawBegan`].
        number: u64,
        /// Octets to the device.
        sent: u64,
        /// Octets from the device.
        received: u64,
    },
    /// The device showed a certificate for the first time, or another one than before.
    Certificate {
        /// SHA-256 of its DER, hex.
        fingerprint: String,
        /// Whether it is another than the one that was pinned, and a person took it.
        is_change: bool,
    },
}

/// A deed that could not be written down: it is not done then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is done here cannot be written down: {0}; free the hub's disk, then open it again")]
pub struct NotNoted(pub String);

/// Writes deeds down, for good.
pub trait Witness: fmt::Debug + Send + Sync {
    /// Returns once the deed is on disk.
    fn note(&self, terms: &Terms, deed: Deed) -> Later<Result<(), NotNoted>>;
}

/// What stands between a person and the printer's page. Set by what serves the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The printer speaks no TLS that is still spoken.
    TlsTooOld,
    /// It shows another certificate than the one that is pinned; nothing was sent to it.
    CertificateChanged {
        /// SHA-256 of the pinned one's DER, hex.
        old: String,
        /// The same of the one it shows now.
        new: String,
    },
    /// It does not answer, or not as it should.
    Unreachable {
        /// In words, for a person.
        why: String,
    },
}
