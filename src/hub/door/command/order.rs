//! What can be ordered, in the hub's own words, and the same on the wire.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::lpr::Queue;
use printer::zebra::Command;
use proto::v1;
use proto::v1::command::Order as Wire;

use crate::permission::Action;
use crate::session::SessionId;

/// Something to order of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Read one printer, or all of them.
    Read(Option<DeviceId>),
    /// Sweep the subnet of this label, or all of them.
    Discover(Option<String>),
    /// ICMP echo.
    Ping {
        /// Whom.
        address: IpAddr,
        /// How often.
        count: u32,
    },
    /// What is seen of an address.
    Check(IpAddr),
    /// Why the printer at an address, or a value of it, is missing.
    Doctor {
        /// Which address.
        address: IpAddr,
        /// The value that is missing; none in particular.
        value: Option<String>,
    },
    /// Record a walk.
    Walk(IpAddr),
    /// A command to a Zebra.
    Zebra {
        /// Which device.
        device: DeviceId,
        /// What it is told.
        command: Command,
    },
    /// The state of a print queue.
    Lpr {
        /// Which device.
        device: DeviceId,
        /// Which queue.
        queue: Queue,
    },
    /// What the hub configures from here on.
    Configure(Configuration),
    /// Let a person reach a printer's web page.
    TunnelOpen(Ticket),
    /// End that.
    TunnelClose {
        /// Which session.
        session: String,
    },
    /// Read a device again that was set aside.
    Release(DeviceId),
    /// Make a new key and certificate.
    Rotate,
    /// Send what `platen diag` writes.
    Diag,
    /// Install a version; empty is the newest.
    Update {
        /// Which.
        version: String,
    },
}

/// What one session may reach, and until when (command.proto says what each is for).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Of whom it is.
    pub session: SessionId,
    /// Which device.
    pub device: DeviceId,
    /// Which of its ports.
    pub port: u16,
    /// When it ends, whatever goes on.
    pub until: Timestamp,
    /// How long it may be silent.
    pub idle_max: Duration,
    /// The gateway's public key (RFC 4253, section 6.6).
    pub host_key: Vec<u8>,
    /// As whom the agent authenticates there.
    pub user: String,
    /// What the agent asks to have forwarded there.
    pub bind: (String, u16),
    /// Whether only `GET` and `HEAD` are let through.
    pub is_read_only: bool,
    /// Whether it is plain HTTP in place of a TLS that is too old.
    pub is_fallback: bool,
}

/// What the hub configures. What is absent is the site's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Between two full readings of a device.
    pub read_every: Option<Duration>,
    /// Between two status readings of a device.
    pub status_every: Option<Duration>,
    /// Between two sweeps of a subnet.
    pub discover_every: Option<Duration>,
    /// Subnets in place of the site's.
    pub ranges: Vec<Range>,
    /// Credentials beside the site's.
    pub credentials: Vec<Credential>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Its name.
    pub label: String,
    /// As in an agent's `[[ranges]] addresses`.
    pub addresses: Vec<String>,
    /// As in `[[ranges]] exclude`.
    pub exclude: Vec<String>,
    /// As in `[[ranges]] credentials`.
    pub credentials: Vec<String>,
}

/// A credential that only the agent can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// `1` or `2c`.
    pub version: &'static str,
    /// The community or the user, sealed ([`super::seal`]).
    pub sealed: Vec<u8>,
}

/// Longest name of a value that the doctor is asked for, in octets: what an agent takes.
const VALUE_BYTES_MAX: usize = 64;

/// The name of a value, as the doctor is asked for it.
///
/// # Errors
/// A sentence that says what a name is.
pub fn value_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > VALUE_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "a value's name has 1 to {VALUE_BYTES_MAX} octets, as total, serial or supplies"
        ));
    }
    Ok(text.to_owned())
}

impl Order {
    /// What the order needs to be permitted as.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Read(_) => Action::Read,
            Self::Discover(_) => Action::Discover,
            Self::Ping { .. } => Action::Ping,
            Self::Check(_) => Action::Check,
            Self::Doctor { .. } => Action::Doctor,
            Self::Walk(_) => Action::Walk,
            Self::Zebra { .. } => Action::Zebra,
            Self::Lpr { .. } => Action::Lpr,
            Self::Configure(_) => Action::Configure,
            Self::TunnelOpen(_) => Action::TunnelOpen,
            Self::TunnelClose { .. } => Action::TunnelClose,
            Self::Release(_) => Action::Release,
            Self::Rotate => Action::Rotate,
            Self::Diag => Action::Diag,
            Self::Update { .. } => Action::Update,
        }
    }

    /// The order as it is signed.
    pub(super) fn to_wire(&self) -> Wire {
        let id = |device: &DeviceId| device.to_string();
        match self {
            Self::Read(device) => Wire::ReadNow(v1::ReadNow {
                device_id: device.as_ref().map(id).unwrap_or_default(),
            }),
            Self::Discover(subnet) => Wire::DiscoverNow(v1::DiscoverNow {
                subnet: subnet.clone().unwrap_or_default(),
            }),
            Self::Ping { address, count } => Wire::Ping(v1::Ping {
                address: address.to_string(),
                count: *count,
            }),
            Self::Check(address) => Wire::CheckTarget(v1::CheckTarget {
                address: address.to_string(),
            }),
            Self::Doctor { address, value } => Wire::Doctor(v1::Doctor {
                address: address.to_string(),
                value: value.clone().unwrap_or_default(),
            }),
            Self::Walk(address) => Wire::RecordWalk(v1::RecordWalk {
                address: address.to_string(),
            }),
            Self::Zebra { device, command } => Wire::Zebra(zebra(id(device), command)),
            Self::Lpr { device, queue } => Wire::LprQueue(v1::LprQueue {
                device_id: id(device),
                queue: queue.to_string(),
            }),
            Self::Configure(configuration) => Wire::Configure(configuration.to_wire()),
            Self::TunnelOpen(ticket) => Wire::OpenTunnel(v1::OpenTunnel {
                ticket: Some(ticket.to_wire()),
            }),
            Self::TunnelClose { session } => Wire::CloseTunnel(v1::CloseTunnel {
                session: session.clone(),
            }),
            Self::Release(device) => Wire::ReleaseQuarantine(v1::ReleaseQuarantine {
                device_id: id(device),
            }),
            Self::Rotate => Wire::RotateIdentity(v1::RotateIdentity {}),
            Self::Diag => Wire::SendDiagnostics(v1::SendDiagnostics {}),
            Self::Update { version } => Wire::UpdateNow(v1::UpdateNow {
                version: version.clone(),
            }),
        }
    }
}

impl Ticket {
    fn to_wire(&self) -> v1::Ticket {
        v1::Ticket {
            session: self.session.to_string(),
            device_id: self.device.to_string(),
            port: u32::from(self.port),
            until_ms: self.until.as_millisecond(),
            idle_secs: u32::try_from(self.idle_max.as_secs()).unwrap_or(u32::MAX),
            host_key: self.host_key.clone(),
            user: self.user.clone(),
            bind_host: self.bind.0.clone(),
            bind_port: u32::from(self.bind.1),
            is_read_only: self.is_read_only,
            is_fallback: self.is_fallback,
        }
    }
}

/// A command to a Zebra as it is signed. The agent makes it anew from these words.
fn zebra(device_id: String, command: &Command) -> v1::Zebra {
    use v1::zebra::Action;
    let (action, [variable, value, label]) = match command {
        Command::Calibrate => (Action::Calibrate, Default::default()),
        Command::Feed => (Action::Feed, Default::default()),
        Command::PrintConfiguration => (Action::PrintConfiguration, Default::default()),
        Command::Reset => (Action::Reset, Default::default()),
        Command::Set(setting) => {
            let variable = setting.variable().name().to_owned();
            (
                Action::SetVariable,
                [variable, setting.value(), String::new()],
            )
        }
        Command::PrintStored(label) => {
            let label = label.to_string();
            (
                Action::SendStoredLabel,
                [String::new(), String::new(), label],
            )
        }
    };
    v1::Zebra {
        device_id,
        action: action.into(),
        variable,
        value,
        label,
    }
}

impl Configuration {
    fn to_wire(&self) -> v1::Configure {
        let secs = |every: Option<Duration>| {
            every.map(|every| u32::try_from(every.as_secs()).unwrap_or(u32::MAX))
        };
        let range = |range: &Range| v1::RemoteRange {
            label: range.label.clone(),
            addresses: range.addresses.clone(),
            exclude: range.exclude.clone(),
            credentials: range.credentials.clone(),
        };
        let credential = |credential: &Credential| v1::SealedCredential {
            name: credential.name.clone(),
            version: credential.version.to_owned(),
            sealed: credential.sealed.clone(),
        };
        v1::Configure {
            read_secs: secs(self.read_every),
            status_secs: secs(self.status_every),
            discover_secs: secs(self.discover_every),
            ranges: self.ranges.iter().map(range).collect(),
            credentials: self.credentials.iter().map(credential).collect(),
        }
    }
}
