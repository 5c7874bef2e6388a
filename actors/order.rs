//! What the hub may order, in the life's own words, and how far the doing of it has come.
//!
//! A closed list. The uplink makes an [`Order`] out of a signed command, the Supervisor has it
//! carried out, and the answer returns along the same call: JSON or a recording as text, or why
//! not. That an address is in scope is not known yet here; whoever carries the order out asks.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::lpr::Queue;
use printer::zebra::Command;
use tokio::sync::watch;

use crate::site::{Unwilling, Wanted};
use crate::tunnel::ticket::{SessionId, Ticket};

/// Most echo requests of one ping.
pub const PINGS_MAX: u8 = 10;

/// Longest a result may be, in octets (command.proto).
pub const RESULT_BYTES_MAX: usize = 256 * 1024;

/// How long a tunnel may take to open once it may: the device is asked, the gateway dialed.
const TUNNEL_OPENS: Duration = Duration::from_secs(60);

/// Longest the doctor may take over one address: 16 credentials in two versions of 7 s each, and a
/// reading of 90 s.
pub const DOCTOR_PATIENCE: Duration = Duration::from_mins(6);

/// Something to do, checked as far as its form goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Read one device in full now, or all of them.
    Read(Option<DeviceId>),
    /// Sweep the subnet with this label now, or all of them.
    Discover(Option<String>),
    /// Ask for an echo this often.
    Ping {
        /// Whom.
        address: IpAddr,
        /// How often: 1 to [`PINGS_MAX`].
        count: u8,
    },
    /// Say what is seen of an address from here.
    Check(IpAddr),
    /// Say why the printer at an address is missing, or a value of it.
    Doctor {
        /// Which address, in scope or not.
        address: IpAddr,
        /// The value that is missing, by its name.
        wanted: Option<String>,
    },
    /// Walk a device and give the recording, without what names persons.
    Walk(IpAddr),
    /// Tell a Zebra one of a closed list of things.
    Zebra {
        /// Whom.
        device: DeviceId,
        /// What.
        command: Command,
    },
    /// Say how a print queue is.
    Queue {
        /// Whose.
        device: DeviceId,
        /// Which.
        queue: Queue,
    },
    /// Put what the hub wants into effect.
    Configure(Wanted),
    /// Read a device again that was set aside.
    Release(DeviceId),
    /// Make a new key and have it certified.
    RotateIdentity,
    /// Tell what `platen diag` writes.
    SendDiagnostics,
    /// Let a person reach a port of a device.
    OpenTunnel(Box<Ticket>),
    /// End that.
    CloseTunnel(SessionId),
}

/// What an order ended with: the result's octets, or why there is none.
pub type Ended = Result<Vec<u8>, Unwilling>;

impl Order {
    /// How long carrying it out may take before the hub is told that it failed.
    #[must_use]
    pub fn patience(&self) -> Duration {
        match self {
            // A reading may take 90 s, and a thousand devices share one pace.
            Self::Read(_) => Duration::from_mins(15),
            // A sweep of a /16 at 50 packets a second takes three quarters of an hour.
            Self::Discover(_) => Duration::from_mins(60),
            Self::Ping { .. } => Duration::from_secs(60),
            // SNMP says who it is, twice; then the printer has its time.
            Self::Check(_) | Self::Zebra { .. } | Self::Queue { .. } => Duration::from_mins(2),
            // Every credential is tried, then the printer is read.
            Self::Doctor { .. } => DOCTOR_PATIENCE,
            Self::Walk(_) => Duration::from_mins(16),
            // A name may have to be resolved, a key made, a hub asked for a certificate.
            Self::Configure(_) | Self::RotateIdentity | Self::SendDiagnostics => {
                Duration::from_mins(2)
            }
            Self::Release(_) => Duration::from_secs(10),
            // A person at the site may have to approve it, as long as the order is good.
            Self::OpenTunnel(ticket) => {
                let left = ticket.expires.duration_since(Timestamp::now());
                Duration::try_from(left).unwrap_or_default() + TUNNEL_OPENS
            }
            Self::CloseTunnel(_) => Duration::from_secs(30),
        }
    }
}

/// The word for how far an order has come; only the newest counts.
#[derive(Debug, Clone, Default)]
pub struct Progress(watch::Sender<String>);

impl Progress {
    /// Says how far it is.
    pub fn tell(&self, words: impl fmt::Display) {
        self.0.send_replace(words.to_string());
    }

    /// Hears how far it is.
    #[must_use]
    pub fn hear(&self) -> watch::Receiver<String> {
        self.0.subscribe()
    }
}

/// JSON as the octets of a result; a failure if it is longer than a result may be.
///
/// # Errors
/// [`Unwilling::Failed`] says how long it would have been.
pub fn json(value: &serde_json::Value) -> Ended {
    bounded(value.to_string().into_bytes())
}

/// A result, unless it is longer than [`RESULT_BYTES_MAX`].
///
/// # Errors
/// [`Unwilling::Failed`] says how long it would have been.
pub fn bounded(octets: Vec<u8>) -> Ended {
    if octets.len() > RESULT_BYTES_MAX {
        return Err(Unwilling::Failed(format!(
            "the result has {} KiB, and at most {} KiB are sent",
            octets.len().div_ceil(1024),
            RESULT_BYTES_MAX / 1024
        )));
    }
    Ok(octets)
}
