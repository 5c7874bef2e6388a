//! Proofs that what answers at an address is what a door is for: a printer, a Zebra, a printer that
//! lists PJL. Only this file makes them, over SNMP, and the ports 9100 and 515 open to nobody else; 631
//! only to whom a person vouches for.
//!
//! What is sent there is a document to any other device, which prints it. So a proof is not believed
//! for long: each connection is made first, then SNMP is asked again who answers, and only then an
//! octet may pass. A connection belongs to whoever was asked after it stood.

use std::net::{IpAddr, SocketAddr};

use printer::identity::Fingerprint;
use printer::profile::Profiles;
use printer::reading::Verdict;
use printer::walk::Walk;
use printer::{mib, pjl, question, zebra};
use snmp::Oid;

use super::credential::Credential;
use super::scope::InScope;
use super::snmp::{AskError, Snmp};
use super::stream::{self, DeviceStream, NoStream};
use super::survey::{self, ReadError};

/// Who is asked over SNMP, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The way.
    pub snmp: &'a Snmp,
    /// The SNMP door of the address.
    pub target: &'a InScope,
    /// Tried in this order.
    pub credentials: &'a [Credential],
    /// Vendor knowledge.
    pub profiles: &'a Profiles,
    /// Whose answers are wanted; none takes whoever is there.
    pub wanted: Option<&'a Fingerprint>,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum NotIdentified {
    /// SNMP does not say who is there.
    #[error("nobody knows what answers there: {0}")]
    Unknown(#[from] ReadError),
    /// The second question was not answered.
    #[error("nobody knows who answers there now: {0}")]
    UnknownNow(#[from] AskError),
    /// Something else.
    #[error("it is no printer: {0}")]
    NoPrinter(String),
    /// A printer of another maker.
    #[error("it is a printer of {0}, not a Zebra")]
    NoZebra(String),
    /// A printer that does not list PJL.
    #[error("it does not list PJL among its languages")]
    NoPjl,
    /// Not the device that was meant.
    #[error("another device answers at {0} than the one that was meant")]
    Another(IpAddr),
    /// Not the device that answered a moment ago.
    #[error("another device took the address {0} meanwhile")]
    Swapped(IpAddr),
    /// Two addresses where one is due.
    #[error("SNMP and the door are at two addresses")]
    TwoAddresses,
}

/// Why there is no connection over which something may be sent.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// No connection.
    #[error(transparent)]
    NoStream(#[from] NoStream),
    /// Nobody knows to whom.
    #[error(transparent)]
    NotIdentified(#[from] NotIdentified),
}

/// A proof that SNMP called it a printer.
#[derive(Debug, Clone)]
pub struct Printer(Seen);

/// A proof that SNMP called it a Zebra.
#[derive(Debug, Clone)]
pub struct Zebra(Seen);

/// A proof that it lists PJL among its languages.
#[derive(Debug, Clone)]
pub struct PjlPrinter(Seen);

/// Who was seen, and how to ask again.
#[derive(Debug, Clone)]
struct Seen {
    door: InScope,
    snmp: Snmp,
    target: InScope,
    credential: Credential,
    fingerprint: Fingerprint,
    walk: Walk,
}

/// Proves that a printer answers, whose `door` may then be knocked at.
///
/// # Errors
/// [`NotIdentified`]; nothing was sent to the door.
pub async fn printer(asking: Asking<'_>, door: InScope) -> Result<Printer, NotIdentified> {
    see(asking, door).await.map(|(seen, _)| Printer(seen))
}

/// Proves that a Zebra answers.
///
/// # Errors
/// [`NotIdentified`]; nothing was sent to the door.
pub async fn zebra(asking: Asking<'_>, door: InScope) -> Result<Zebra, NotIdentified> {
    let (seen, vendor) = see(asking, door).await?;
    if !zebra::is_zebra(&seen.walk) {
        return Err(NotIdentified::NoZebra(vendor));
    }
    Ok(Zebra(seen))
}

/// Proves that a printer answers that lists PJL.
///
/// # Errors
/// [`NotIdentified`]; nothing was sent to the door.
pub async fn pjl(asking: Asking<'_>, door: InScope) -> Result<PjlPrinter, NotIdentified> {
    let (seen, _) = see(asking, door).await?;
    let column = [pjl::interpreters()];
    let listed = seen.snmp.columns(&seen.target, &seen.credential, &column);
    let listed: Walk = listed.await?.into_iter().collect();
    if !pjl::lists_pjl(&listed) {
        return Err(NotIdentified::NoPjl);
    }
    Ok(PjlPrinter(seen))
}

/// Asks who is there: the printer, and its maker in words.
async fn see(asking: Asking<'_>, door: InScope) -> Result<(Seen, String), NotIdentified> {
    let (target, address) = (*asking.target, door.addr().ip());
    if target.addr().ip() != address {
        return Err(NotIdentified::TwoAddresses);
    }
    let (snmp, credentials) = (asking.snmp, asking.credentials);
    let seen = survey::introduce(snmp, &target, credentials, asking.profiles).await?;
    let vendor = match seen.verdict {
        Verdict::Printer(reading) => reading.identity.vendor,
        Verdict::NotAPrinter { reason } => return Err(NotIdentified::NoPrinter(reason)),
    };
    if let Some(wanted) = asking.wanted
        && !wanted.is_empty()
        && !seen.fingerprint.matches(wanted)
    {
        return Err(NotIdentified::Another(address));
    }
    let vendor = vendor.unwrap_or_else(|| "an unknown maker".to_owned());
    let seen = Seen {
        door,
        snmp: snmp.clone(),
        target,
        credential: seen.credential,
        fingerprint: seen.fingerprint,
        walk: seen.walk,
    };
    Ok((seen, vendor))
}

impl Seen {
    /// Connects, and asks again who answers before anything is sent.
    async fn connect(&self) -> Result<(DeviceStream, Walk), NoWay> {
        let stream = stream::connect(&self.door, &[]).await?;
        let question = who();
        let asked = self.snmp.get(&self.target, &self.credential, &question);
        let answers = asked.await.map_err(NotIdentified::from)?;
        let walk: Walk = answers.into_iter().collect();
        if !self.is_still(&walk) {
            return Err(NotIdentified::Swapped(self.door.addr().ip()).into());
        }
        Ok((stream, walk))
    }

    /// Whether an answer is of who was seen. One that has lost its keys is another.
    fn is_still(&self, walk: &Walk) -> bool {
        let now = survey::fingerprint(walk);
        let has_keys = !self.fingerprint.is_empty() || !now.is_empty();
        let same = |object: &[u32]| {
            let scalar = Oid::new(object).with(&[mib::SCALAR]);
            self.walk.get(&scalar) == walk.get(&scalar)
        };
        (!has_keys || self.fingerprint.matches(&now))
            && same(mib::SYS_OBJECT_ID)
            && same(mib::SYS_DESCR)
    }
}

/// What the first answer held, asked in one question.
fn who() -> Vec<Oid> {
    let mut oids = question::probe();
    for oid in question::identity().into_iter().chain([question::model()]) {
        if !oids.contains(&oid) {
            oids.push(oid);
        }
    }
    oids
}

impl Printer {
    /// Address and port that this is the proof for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.door.addr()
    }

    /// A connection over which something may be sent.
    pub(super) async fn connect(&self) -> Result<DeviceStream, NoWay> {
        self.0.connect().await.map(|(stream, _)| stream)
    }
}

impl Zebra {
    /// Address and port that this is the proof for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.door.addr()
    }

    /// A connection over which something may be sent.
    pub(super) async fn connect(&self) -> Result<DeviceStream, NoWay> {
        let (stream, walk) = self.0.connect().await?;
        if !zebra::is_zebra(&walk) {
            return Err(NotIdentified::Swapped(self.0.door.addr().ip()).into());
        }
        Ok(stream)
    }
}

impl PjlPrinter {
    /// Address and port that this is the proof for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.door.addr()
    }

    /// A connection over which something may be sent.
    pub(super) async fn connect(&self) -> Result<DeviceStream, NoWay> {
        self.0.connect().await.map(|(stream, _)| stream)
    }
}
