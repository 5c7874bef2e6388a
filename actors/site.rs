//! What the program does for the life because the life cannot do it itself: change the
//! configuration, the identity, or tell about the machine.
//!
//! The uplink's commands ask for these; the agent's program implements them and the tests play
//! them. Everything here may take time and touch the disk, so it runs on the runtime, never on the
//! actors' thread.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use printer::profile::Profiles;

use crate::order::Progress;
use crate::reach::snmp::Snmp;

/// An answer that takes a while.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why the site does not do what the hub wants. Both are for a person to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwilling {
    /// The site's own word stands against it; nothing was done.
    #[error("{0}")]
    Refused(String),
    /// It was tried and did not work; everything is as before.
    #[error("{0}")]
    Failed(String),
}

/// What the hub may configure. What is absent is the site's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names this configuration: the id of its command.
    pub id: String,
    /// Between two full readings of a device.
    pub read_every: Option<Duration>,
    /// Between two status readings of a device.
    pub status_every: Option<Duration>,
    /// Between two sweeps of a subnet.
    pub discover_every: Option<Duration>,
    /// Subnets in place of the site's; empty keeps those.
    pub ranges: Vec<WantedRange>,
    /// Credentials beside the site's, each sealed to the agent.
    pub credentials: Vec<SealedCredential>,
}

/// A subnet as the hub wants it, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedRange {
    /// Its name.
    pub label: String,
    /// As in `[[ranges]] addresses`.
    pub addresses: Vec<String>,
    /// As in `[[ranges]] exclude`.
    pub exclude: Vec<String>,
    /// As in `[[ranges]] credentials`.
    pub credentials: Vec<String>,
}

/// A credential as the hub keeps it: it cannot read it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SealedCredential {
    /// Its name.
    pub name: String,
    /// `1` or `2c`.
    pub version: String,
    /// The community, by HPKE (RFC 9180) to the agent's sealing key.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCredential")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What the doctor is asked of the program of a running life.
#[derive(Debug)]
pub struct Consulted {
    /// Which address, in scope or not.
    pub address: IpAddr,
    /// The value that is missing, by its name.
    pub wanted: Option<String>,
    /// The life's own sockets, with their pace.
    pub snmp: Snmp,
    /// The profiles that the life reads by.
    pub profiles: Arc<Profiles>,
    /// Hears how far it is.
    pub progress: Progress,
}

/// What the program does for the life.
pub trait Site: fmt::Debug + Send + Sync {
    /// Puts what the hub wants into effect, whole or not at all. The life begins anew with it some
    /// seconds after this returns.
    fn configure(&self, wanted: Wanted) -> Later<Result<(), Unwilling>>;

    /// Makes a new key and has it certified; the uplink connects anew with it.
    fn rotate_identity(&self) -> Later<Result<(), Unwilling>>;

    /// What `platen diag` writes, redacted: JSON, at most 256 KiB.
    fn diagnostics(&self) -> Later<Result<Vec<u8>, Unwilling>>;

    /// What `platen doctor --json` prints here, at most 256 KiB. Nothing is sent to an address that
    /// is in none of the ranges in effect.
    fn doctor(&self, asked: Consulted) -> Later<Result<Vec<u8>, Unwilling>>;
}
