//! Every message that passes between two actors, and the words they share.
//!
//! A request is an imperative (`Read`), a fact a past participle (`Found`). Messages own their data.
//! They carry no addresses. What only one actor says to itself stays in its own file.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

mod identity;

use actix::{Message, MessageResponse};
use jiff::Timestamp;
use printer::identity::{DeviceId, score::Traits};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::order::{Ended, Order, Progress};
use crate::parts::OtherDoors;
use crate::reach::credential::Credential;
use crate::reach::scope::InScope;
use crate::status::{Refusing, StatusSnapshot};
use crate::tunnel::SessionStatus;
use crate::tunnel::{ending::End, ticket::SessionId};
use crate::uplink::mqtt::LineState;

pub use self::identity::{IsAlone, SharesSerial};

/// Names one child of the Supervisor for good, whichever actor lives under the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ChildId {
    /// The scanner of the subnet with this label.
    Scanner(String),
    /// The device with this id.
    Device(DeviceId),
    /// The uplink.
    Uplink,
    /// The session with this id.
    Tunnel(SessionId),
}

/// The kinds of children, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Sweeps a subnet.
    Scanner,
    /// Reads a printer.
    Device,
    /// Polls the hub.
    Uplink,
    /// Carries a session.
    Tunnel,
}

impl ChildId {
    /// What kind of child it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Scanner(_) => Kind::Scanner,
            Self::Device(_) => Kind::Device,
            Self::Uplink => Kind::Uplink,
            Self::Tunnel(_) => Kind::Tunnel,
        }
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scanner(label) => write!(f, "scanner:{label}"),
            Self::Device(id) => write!(f, "device:{id}"),
            Self::Uplink => f.write_str("uplink"),
            Self::Tunnel(session) => write!(f, "tunnel:{session}"),
        }
    }
}

/// A text that names no child.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no actor; write uplink, scanner:LABEL, device:ID or tunnel:ID")]
pub struct UnknownChild(pub String);

impl FromStr for ChildId {
    type Err = UnknownChild;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownChild(text.to_owned());
        match text.split_once(':') {
            None if text == "uplink" => Ok(Self::Uplink),
            Some(("scanner", label)) => Ok(Self::Scanner(label.to_owned())),
            Some(("device", id)) => DeviceId::parse(id).map(Self::Device).ok_or_else(unknown),
            Some(("tunnel", id)) => SessionId::parse(id).map(Self::Tunnel).ok_or_else(unknown),
            None | Some(_) => Err(unknown()),
        }
    }
}

impl TryFrom<String> for ChildId {
    type Error = UnknownChild;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ChildId> for String {
    fn from(child: ChildId) -> Self {
        child.to_string()
    }
}

/// Why a child died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// It panicked, saying this.
    Panicked(String),
    /// It hung, and the Supervisor cut its lifeline.
    Hung(HangReason),
    /// It ended by itself, or was told to.
    Stopped,
}

/// How a hang was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HangReason {
    /// A [`Beat`] had no answer within its deadline.
    NoAnswer,
    /// The named piece of work is older than its deadline.
    Overdue(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(words) => write!(f, "panicked: {words}"),
            Self::Hung(HangReason::NoAnswer) => f.write_str("hung: no answer"),
            Self::Hung(HangReason::Overdue(work)) => write!(f, "hung: {work} took too long"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// A child's lifeline to the Supervisor: the child has died.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Exited {
    /// Who.
    pub child: ChildId,
    /// Which of the actors that lived under this name.
    pub incarnation: u64,
    /// Why.
    pub cause: Cause,
}

/// The Supervisor to every child: are you there, and since when are you at what?
#[derive(Debug, Message)]
#[rtype(result = "Pulse")]
pub struct Beat;

/// The answer to a [`Beat`].
#[derive(Debug, Clone, PartialEq, MessageResponse)]
pub struct Pulse {
    /// The piece of work in hand; a child that waits for a timer has none.
    pub work: Option<Work>,
    /// What the status page shows of it.
    pub vitals: Vitals,
}

/// A piece of work with its own deadline, so that a never-ending await is seen too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// What it is, for the log.
    pub name: &'static str,
    /// When it began.
    pub since: Instant,
    /// How long it may take.
    pub deadline: Duration,
}

impl Work {
    /// Begins a piece of work.
    #[must_use]
    pub fn begin(name: &'static str, deadline: Duration) -> Self {
        Self {
            name,
            since: Instant::now(),
            deadline,
        }
    }

    /// Whether it should have ended before `now`.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > self.deadline
    }
}

/// What each kind of child says of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Vitals {
    /// Of a scanner.
    Scanner(ScannerVitals),
    /// Of a device.
    Device(DeviceVitals),
    /// Of the uplink.
    Uplink(UplinkVitals),
    /// Of a tunnel, whose counts are read where they are shown.
    Tunnel,
}

/// What a scanner says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannerVitals {
    /// End of the last whole sweep.
    pub swept_at: Option<Timestamp>,
    /// How many printers it saw then.
    pub seen: u32,
    /// When the next sweep begins.
    pub next_at: Option<Timestamp>,
    /// How many answered then and accepted no credential.
    #[serde(default)]
    pub refusing: u32,
    /// Those, at most [`crate::status::REFUSING_LISTED_MAX`].
    #[serde(default)]
    pub refusing_listed: Vec<Refusing>,
}

/// What a device says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceVitals {
    /// Last reading that was spooled or found unchanged.
    pub read_at: Option<Timestamp>,
    /// Since when it has not answered.
    pub silent_since: Option<Timestamp>,
    /// When the next full reading begins.
    pub next_at: Option<Timestamp>,
    /// What was wrong with the last attempt to read, in words; none while all is well.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Where it answers and accepts no credential, and what it says; none if it does.
    #[serde(default)]
    pub refused: Option<Refusing>,
}

/// What the uplink says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkVitals {
    /// Last poll that the hub answered.
    pub contact_at: Option<Timestamp>,
    /// What was wrong with the last one that failed since; none while all is well.
    pub trouble: Option<String>,
    /// Since when it answers, or does not; none until the first exchange has ended.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How the line of commands stands; none where no commands are taken.
    #[serde(default)]
    pub commands: Option<LineState>,
    /// Highest sequence that the hub has kept.
    pub acked: u64,
}

/// A printer-like thing that answered at an address: who it says it is.
#[derive(Debug, Clone)]
pub struct Sighted {
    /// Its keys, and what it told where it was read; none for one that tells nothing of itself.
    pub traits: Box<Traits>,
    /// Where it answered.
    pub target: InScope,
    /// What it answered to.
    pub credential: Credential,
}

/// A Scanner to the Supervisor: something that may be a printer answered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Found(pub Sighted);

/// A Scanner to the Supervisor: where do known devices live in my subnet, and which as users only?
#[derive(Debug, Message)]
#[rtype(result = "Vec<(IpAddr, bool)>")]
pub struct WhoLives {
    /// The subnet's label.
    pub label: String,
}

/// A Scanner to the Supervisor: a whole sweep of its subnet has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Swept {
    /// The subnet's label.
    pub label: String,
}

/// The Supervisor to a Device: you live at this address from here on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Relocate {
    /// The new address; none while nobody knows it.
    pub target: Option<InScope>,
    /// The doors beside SNMP that are open there.
    pub doors: OtherDoors,
    /// What to try there, in this order; none keeps what was tried before.
    pub credentials: Vec<Credential>,
}

/// The Supervisor to a Device: someone with your name was seen elsewhere. Are you still here?
#[derive(Debug, Message)]
#[rtype(result = "Confirmation")]
pub struct Confirm;

/// The answer to a [`Confirm`].
#[derive(Debug)]
pub enum Confirmation {
    /// It answered at its address, and it is itself.
    Here,
    /// Nothing answered there.
    Gone,
    /// Somebody else answered there.
    Other(Sighted),
    /// The device is being read just now; that reading will tell.
    Busy,
}

/// A Device to the Supervisor: somebody else answers at my address, so I kept nothing of it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Contradicted {
    /// Whose address it was.
    pub device: DeviceId,
    /// Who answered.
    pub seen: Sighted,
}

/// A Device to the Supervisor: nothing answered at my address.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Missed {
    /// Who was not there.
    pub device: DeviceId,
}

/// A Device to the Supervisor: I was read; this is who I am.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Proved {
    /// Who.
    pub device: DeviceId,
    /// Every key that the full reading showed, and what it told.
    pub traits: Traits,
    /// What it answered to.
    pub credential: Credential,
}

/// A Device to the Supervisor: what answers there is no printer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unmasked {
    /// Who.
    pub device: DeviceId,
    /// How it was seen, for the log.
    pub reason: String,
}

/// The Uplink to the Supervisor: have this carried out.
#[derive(Debug, Message)]
#[rtype(result = "Ended")]
pub struct Execute {
    /// What.
    pub order: Order,
    /// Where to say how far it is.
    pub progress: Progress,
}

/// The Supervisor to a Device: read everything now, out of turn.
#[derive(Debug, Message)]
#[rtype(result = "ReadNow")]
pub struct Read;

/// What came of a [`Read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadNow {
    /// It was read, and the reading is on disk.
    Kept,
    /// It did not answer, or somebody else did.
    Missed,
    /// It answered, and the reading could not be kept.
    NotKept,
}

/// The Supervisor to a Scanner: sweep now. Answered at the sweep's end by how many were seen.
#[derive(Debug, Message)]
#[rtype(result = "Result<u32, String>")]
pub struct Sweep;

/// The Supervisor to a Tunnel: end, for this reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EndTunnel(pub End);

/// A Tunnel to the Supervisor: my session has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TunnelEnded {
    /// Which.
    pub session: SessionId,
    /// How.
    pub end: End,
}

/// The Handle to the Supervisor: which sessions are there?
#[derive(Debug, Message)]
#[rtype(result = "Vec<SessionStatus>")]
pub struct TellSessions;

/// The Handle to the Supervisor: a person at the site has decided about a session that waits.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Decide {
    /// Which.
    pub session: SessionId,
    /// Who has decided.
    pub by: String,
    /// How.
    pub verdict: Verdict,
}

/// What a person at the site says of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It may be.
    Approve,
    /// It may not.
    Refuse,
}

/// The Handle to the Supervisor: the site ends this session, or all. Answered by how many.
#[derive(Debug, Message)]
#[rtype(result = "u32")]
pub struct EndSessions(pub Option<SessionId>);

/// The Handle to the Supervisor: read a device again that was set aside. The error says why not.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), String>")]
pub struct Release(pub DeviceId);

/// The Supervisor to a child: finish what is in hand, begin nothing new, stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// The Handle to the Supervisor: how is everyone?
#[derive(Debug, Message)]
#[rtype(result = "Box<StatusSnapshot>")]
pub struct TellStatus;

/// The Handle to the Supervisor: drain every child, then end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Shutdown {
    /// Whoever is not done by then is dropped.
    pub limit: Duration,
}

/// The Supervisor to a child: fail, so that a test sees what follows.
#[cfg(feature = "provoke")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Provoke(pub Fault);

/// The Handle to the Supervisor: make that child fail. True if such a child lives.
#[cfg(feature = "provoke")]
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "bool")]
pub struct ProvokeChild {
    /// Who.
    pub child: ChildId,
    /// How.
    pub fault: Fault,
}

/// Ways to fail on purpose.
#[cfg(feature = "provoke")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// Panics in its handler.
    Panic,
    /// Waits forever, deaf to every message.
    Hang,
    /// Begins a piece of work that never ends, but still answers.
    Stall,
}
