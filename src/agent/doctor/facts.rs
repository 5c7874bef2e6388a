//! What the doctor found out, as data: nothing is asked here, and nothing judged.

use std::net::IpAddr;
use std::time::Duration;

use actors::reach::knock::Knocked;
use jiff::Timestamp;
use printer::doctor::{Named, Value};
use snmp::usm::Refusal;

/// Everything that was found out about one address, in the order in which it was asked. What was not
/// asked is absent.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What was asked for, as it was written.
    pub written: String,
    /// The value that the person misses, where one was named.
    pub wanted: Option<String>,
    /// Where that is.
    pub place: Place,
    /// Whether it echoes.
    pub echo: Option<Echo>,
    /// What a knock at its SNMP port told.
    pub knock: Option<Knocked>,
    /// What a TCP port told, and which; asked only where SNMP is silent.
    pub tcp: Option<(u16, Tcp)>,
    /// Each credential of its range.
    pub asked: Vec<Asked>,
    /// What it is.
    pub device: Option<Device>,
    /// What the agent of this machine says of it.
    pub agent: Option<Agent>,
    /// The last reading that went to the hub from here.
    pub last: Option<Last>,
}

/// Where an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is none.
    NoAddress {
        /// What is wrong with it.
        why: String,
        /// What to write.
        cure: String,
    },
    /// It is a name that nobody knows.
    Unresolved {
        /// What the resolver says.
        why: String,
    },
    /// The site has no ranges.
    NoRanges(IpAddr),
    /// A name in the ranges is not known, so that nobody can say what they hold.
    RangeUnresolved {
        /// The address.
        address: IpAddr,
        /// What and why.
        why: String,
    },
    /// No range holds it.
    Outside {
        /// The address.
        address: IpAddr,
        /// The ranges that there are, for people.
        ranges: String,
    },
    /// A range leaves it out.
    Excluded {
        /// The address.
        address: IpAddr,
        /// The range's label.
        label: String,
    },
    /// It is not the address of one device.
    NoDevice(IpAddr),
    /// It is in scope.
    Inside {
        /// The address.
        address: IpAddr,
        /// The range's label.
        label: String,
        /// The port of SNMP.
        port: u16,
    },
}

impl Place {
    /// The address, where there is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::NoAddress { .. } | Self::Unresolved { .. } => None,
            Self::NoRanges(address)
            | Self::RangeUnresolved { address, .. }
            | Self::Outside { address, .. }
            | Self::Excluded { address, .. }
            | Self::NoDevice(address)
            | Self::Inside { address, .. } => Some(*address),
        }
    }

    /// The label of the range that holds it.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Inside { label, .. } => Some(label),
            _ => None,
        }
    }
}

/// What came of an ICMP echo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// It answers.
    Answers(Duration),
    /// It does not.
    Silent,
    /// This user may not ask.
    NotPermitted(String),
}

/// What came of a TCP connection, over which nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tcp {
    /// It was accepted.
    Accepts,
    /// It was reset: the device lives, and has no such door.
    Refuses,
    /// Nothing came.
    Silent,
}

/// One credential that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its name in the configuration; what it hides is nowhere here.
    pub name: String,
    /// The version as people write it.
    pub version: &'static str,
    /// What came.
    pub outcome: Outcome,
}

/// What came of a question with one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answers,
    /// An answer in which nothing stands: this credential may see nothing.
    Mute,
    /// Nothing, or nothing of use, which is told then.
    Silent {
        /// How long it was waited.
        waited: Duration,
        /// What came that was no answer.
        odd: Option<String>,
    },
    /// The engine of version 3 says no.
    Refused(Refusal),
    /// It could not be asked.
    Unsendable(String),
}

/// What lives at the address.
#[derive(Debug, Clone)]
pub enum Device {
    /// A printer.
    Printer(Box<Printer>),
    /// Something else, and why.
    Other(String),
    /// Two devices answered in turn.
    Swapped,
    /// It answered who it is, and then could not be read.
    Unread(String),
}

/// A printer, as it was read now.
#[derive(Debug, Clone)]
pub struct Printer {
    /// What names it: maker and model, its serial number.
    pub named: Named,
    /// The profile that reads it, with its version.
    pub profile: Option<String>,
    /// Why that one, or why none.
    pub profile_why: String,
    /// What is missing of the reading as a whole, in words.
    pub trouble: Option<String>,
    /// Each value, with where it comes from or why it is not there.
    pub values: Vec<Value>,
}

/// The agent on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agent {
    /// None answers.
    Away(String),
    /// It runs.
    Runs {
        /// The device's id and how its last actor died, if it is set aside.
        set_aside: Option<(String, String)>,
        /// What else it says of the address, in words.
        says: Option<String>,
    },
}

/// A reading that was sent to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// When it was read.
    pub at: Timestamp,
    /// Maker and model.
    pub title: String,
    /// The serial number; absent where the site masks it.
    pub serial: Option<String>,
    /// Its total.
    pub total: Option<u64>,
}
