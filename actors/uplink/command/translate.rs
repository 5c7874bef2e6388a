//! An order of the wire in the life's own words; what cannot be one is refused with the reason.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::lpr::Queue;
use printer::zebra::{Command, Setting, StoredLabel};
use proto::v1;
use proto::v1::command::Order as Wire;

use crate::order::{Order, PINGS_MAX};
use crate::site::{SealedCredential, Unwilling, Wanted, WantedRange};
use crate::tunnel::ticket::{self, HostKey, SessionId, Ticket};

/// What is answered to an order that this agent cannot carry out.
pub(super) const UNSUPPORTED: &str = "not supported by this agent";

/// Longest label or name, in octets.
const NAME_BYTES_MAX: usize = 64;

/// Most ranges of one configuration.
const RANGES_MAX: usize = 64;

/// Most addresses, exclusions or credentials of one range.
const RANGE_ITEMS_MAX: usize = 256;

/// Most credentials of one configuration.
const CREDENTIALS_MAX: usize = 16;

/// Longest sealed credential: 32 octets of key, a community of 255, 16 octets of tag.
const SEALED_BYTES_MAX: usize = 512;

/// The order's name, as `platen-hub cmd` has it.
pub(super) fn name(order: &Wire) -> &'static str {
    match order {
        Wire::ReadNow(_) => "read",
        Wire::DiscoverNow(_) => "discover",
        Wire::Ping(_) => "ping",
        Wire::CheckTarget(_) => "check",
        Wire::RecordWalk(_) => "walk",
        Wire::Zebra(_) => "zebra",
        Wire::LprQueue(_) => "lpr",
        Wire::Configure(_) => "configure",
        Wire::OpenTunnel(_) => "tunnel-open",
        Wire::CloseTunnel(_) => "tunnel-close",
        Wire::ReleaseQuarantine(_) => "release",
        Wire::RotateIdentity(_) => "rotate",
        Wire::SendDiagnostics(_) => "diag",
        Wire::UpdateNow(_) => "update",
        Wire::Doctor(_) => "doctor",
    }
}

/// The command around an order, as far as some orders need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// Its id: it names a configuration.
    pub(super) id: &'a str,
    /// Who asked, and why.
    pub(super) issuer: &'a str,
    pub(super) reason: &'a str,
    /// When it ends.
    pub(super) expires: Timestamp,
}

/// Takes an order from the wire.
pub(super) fn order(around: Around<'_>, order: &Wire) -> Result<Order, Unwilling> {
    Ok(match order {
        Wire::ReadNow(read) if read.device_id.is_empty() => Order::Read(None),
        Wire::ReadNow(read) => Order::Read(Some(device(&read.device_id)?)),
        Wire::DiscoverNow(discover) if discover.subnet.is_empty() => Order::Discover(None),
        Wire::DiscoverNow(discover) => Order::Discover(Some(named("subnet", &discover.subnet)?)),
        Wire::Ping(ping) => Order::Ping {
            address: address(&ping.address)?,
            count: count(ping.count)?,
        },
        Wire::CheckTarget(check) => Order::Check(address(&check.address)?),
        Wire::Doctor(doctor) => Order::Doctor {
            address: address(&doctor.address)?,
            wanted: match doctor.value.as_str() {
                "" => None,
                value => Some(named("value", value)?),
            },
        },
        Wire::RecordWalk(walk) => Order::Walk(address(&walk.address)?),
        Wire::Configure(configure) => Order::Configure(wanted(around.id, configure)?),
        Wire::ReleaseQuarantine(release) => Order::Release(device(&release.device_id)?),
        Wire::RotateIdentity(_) => Order::RotateIdentity,
        Wire::SendDiagnostics(_) => Order::SendDiagnostics,
        Wire::OpenTunnel(open) => {
            let ticket = open.ticket.as_ref();
            let ticket = ticket.ok_or_else(|| refused("there is no ticket in it"))?;
            Order::OpenTunnel(Box::new(ticket_of(around, ticket)?))
        }
        Wire::CloseTunnel(close) => Order::CloseTunnel(session(&close.session)?),
        Wire::Zebra(zebra) => Order::Zebra {
            device: device(&zebra.device_id)?,
            command: command(zebra)?,
        },
        Wire::LprQueue(lpr) => Order::Queue {
            device: device(&lpr.device_id)?,
            queue: Queue::parse(&lpr.queue).map_err(|why| refused(why.to_string()))?,
        },
        Wire::UpdateNow(_) => return Err(refused(UNSUPPORTED)),
    })
}

fn refused(why: impl Into<String>) -> Unwilling {
    Unwilling::Refused(why.into())
}

fn device(id: &str) -> Result<DeviceId, Unwilling> {
    DeviceId::parse(id).ok_or_else(|| refused("a device id is 32 hex digits"))
}

/// One of the closed list; nothing else of what came reaches a printer.
fn command(zebra: &v1::Zebra) -> Result<Command, Unwilling> {
    use v1::zebra::Action;
    let why = |why: printer::zebra::NoCommand| refused(why.to_string());
    let action = Action::try_from(zebra.action).unwrap_or(Action::Unspecified);
    Ok(match action {
        Action::Unspecified => return Err(refused(UNSUPPORTED)),
        Action::Calibrate => Command::Calibrate,
        Action::Feed => Command::Feed,
        Action::PrintConfiguration => Command::PrintConfiguration,
        Action::Reset => Command::Reset,
        Action::SetVariable => {
            Command::Set(Setting::parse(&zebra.variable, &zebra.value).map_err(why)?)
        }
        Action::SendStoredLabel => {
            Command::PrintStored(StoredLabel::parse(&zebra.label).map_err(why)?)
        }
    })
}

/// An address; a name is none: who resolves it decides where it leads.
fn address(text: &str) -> Result<IpAddr, Unwilling> {
    text.parse().map_err(|_| {
        refused("an address is written as 10.0.0.17 or 2001:db8::1; names are not taken")
    })
}

fn count(count: u32) -> Result<u8, Unwilling> {
    let count = u8::try_from(count).unwrap_or(u8::MAX);
    if !(1..=PINGS_MAX).contains(&count) {
        return Err(refused(format!("a ping asks 1 to {PINGS_MAX} times")));
    }
    Ok(count)
}

/// A label or name of the hub's: short, and nothing in it that acts.
fn named(what: &str, text: &str) -> Result<String, Unwilling> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(refused(format!(
            "the name of a {what} has 1 to {NAME_BYTES_MAX} octets and no control characters"
        )));
    }
    Ok(text.to_owned())
}

fn session(id: &str) -> Result<SessionId, Unwilling> {
    SessionId::parse(id).ok_or_else(|| refused("a session's id is 32 hex digits"))
}

fn ticket_of(around: Around<'_>, wire: &v1::Ticket) -> Result<Ticket, Unwilling> {
    let until = Timestamp::from_millisecond(wire.until_ms);
    let bind_port = ticket::port("port to have forwarded", wire.bind_port);
    Ok(Ticket {
        session: session(&wire.session)?,
        device: device(&wire.device_id)?,
        port: ticket::port("device's port", wire.port).map_err(refused)?,
        until: until.map_err(|_| refused("its end is no time"))?,
        idle_max: ticket::idle(wire.idle_secs).map_err(refused)?,
        host_key: HostKey::parse(&wire.host_key).map_err(refused)?,
        user: ticket::name("user", &wire.user).map_err(refused)?,
        bind: (
            ticket::name("name to have forwarded", &wire.bind_host).map_err(refused)?,
            bind_port.map_err(refused)?,
        ),
        is_read_only: wire.is_read_only,
        is_fallback: wire.is_fallback,
        issuer: around.issuer.to_owned(),
        reason: around.reason.to_owned(),
        expires: around.expires,
    })
}

fn wanted(id: &str, configure: &v1::Configure) -> Result<Wanted, Unwilling> {
    if configure.ranges.len() > RANGES_MAX || configure.credentials.len() > CREDENTIALS_MAX {
        return Err(refused(format!(
            "a configuration has at most {RANGES_MAX} ranges and {CREDENTIALS_MAX} credentials"
        )));
    }
    let secs = |secs: Option<u32>| secs.map(|secs| Duration::from_secs(u64::from(secs)));
    let ranges: Result<Vec<_>, _> = configure.ranges.iter().map(range).collect();
    let credentials: Result<Vec<_>, _> = configure.credentials.iter().map(credential).collect();
    Ok(Wanted {
        id: id.to_owned(),
        read_every: secs(configure.read_secs),
        status_every: secs(configure.status_secs),
        discover_every: secs(configure.discover_secs),
        ranges: ranges?,
        credentials: credentials?,
    })
}

fn range(range: &v1::RemoteRange) -> Result<WantedRange, Unwilling> {
    let lists = [&range.addresses, &range.exclude, &range.credentials];
    if lists.iter().any(|list| list.len() > RANGE_ITEMS_MAX) {
        return Err(refused(format!(
            "a range has at most {RANGE_ITEMS_MAX} addresses, exclusions or credentials"
        )));
    }
    let items = |what: &str, list: &[String]| -> Result<Vec<String>, Unwilling> {
        list.iter().map(|item| named(what, item)).collect()
    };
    Ok(WantedRange {
        label: named("range", &range.label)?,
        addresses: items("range", &range.addresses)?,
        exclude: items("range", &range.exclude)?,
        credentials: items("credential", &range.credentials)?,
    })
}

fn credential(sealed: &v1::SealedCredential) -> Result<SealedCredential, Unwilling> {
    if sealed.sealed.is_empty() || sealed.sealed.len() > SEALED_BYTES_MAX {
        return Err(refused(format!(
            "a sealed credential has 1 to {SEALED_BYTES_MAX} octets"
        )));
    }
    if !["1", "2c"].contains(&sealed.version.as_str()) {
        return Err(refused("a credential is of version 1 or 2c"));
    }
    Ok(SealedCredential {
        name: named("credential", &sealed.name)?,
        version: sealed.version.clone(),
        sealed: sealed.sealed.clone(),
    })
}
