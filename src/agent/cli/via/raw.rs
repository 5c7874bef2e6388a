//! A printer's raw port and its print queue, for the verbs `read` and `queue`: who answers is proven
//! over SNMP, then the door is knocked at.

use std::net::SocketAddr;

use actors::reach::credential::Credential;
use actors::reach::identified::{self, Asking, NoWay, NotIdentified};
use actors::reach::raw::RawError;
use actors::reach::scope::{Door, InScope};
use actors::reach::snmp::Snmp;
use actors::reach::stream::NoStream;
use actors::reach::survey::with_v1;
use actors::reach::{pjl, zebra};
use printer::profile::Profiles;
use printer::reading::Reading;

use super::{RATE, admit};
use crate::cli::asking::{self, AskingArgs};
use crate::cli::{CliError, Exit};

/// Everything that proves who answers at an address, and the door that is meant.
pub(in crate::cli) struct Caller {
    snmp: Snmp,
    target: InScope,
    credentials: Vec<Credential>,
    profiles: Profiles,
    /// The door.
    pub(in crate::cli) door: InScope,
}

impl Caller {
    /// Gets ready to ask at one address.
    ///
    /// # Errors
    /// [`CliError`] when the address, a credential or a profile cannot be.
    pub(in crate::cli) async fn new(
        written: &str,
        args: &AskingArgs,
        door: Door,
    ) -> Result<Self, CliError> {
        let (range, address) = asking::address(written).await?;
        Ok(Self {
            snmp: args.open(RATE)?,
            target: admit(&range, address, args.door())?,
            credentials: with_v1(&[args.credential()?]),
            profiles: args.profiles()?,
            door: admit(&range, address, door)?,
        })
    }

    /// How it is asked who answers.
    pub(in crate::cli) fn asking(&self) -> Asking<'_> {
        Asking {
            snmp: &self.snmp,
            target: &self.target,
            credentials: &self.credentials,
            profiles: &self.profiles,
            wanted: None,
        }
    }

    /// What goes wrong, in words for a person.
    pub(in crate::cli) fn trouble(&self, written: &str, what: &'static str) -> Trouble {
        Trouble {
            written: written.to_owned(),
            peer: self.door.addr(),
            what,
        }
    }
}

/// Reads a Zebra.
///
/// # Errors
/// [`CliError`] when it is not known to be one, or does not answer.
pub(super) async fn read_zebra(
    written: &str,
    args: &AskingArgs,
    door: Door,
) -> Result<Reading, CliError> {
    let caller = Caller::new(written, args, door).await?;
    let trouble = caller.trouble(written, "zebra");
    let proof = identified::zebra(caller.asking(), caller.door).await;
    let proof = proof.map_err(|why| trouble.unsent(&why))?;
    let read = zebra::read_device(&proof).await;
    read.map_err(|error| trouble.unread(&error))
}

/// Reads a printer over PJL.
///
/// # Errors
/// [`CliError`] when it does not list PJL, or does not answer.
pub(super) async fn read_pjl(
    written: &str,
    args: &AskingArgs,
    door: Door,
) -> Result<Reading, CliError> {
    let caller = Caller::new(written, args, door).await?;
    let trouble = caller.trouble(written, "pjl");
    let proof = identified::pjl(caller.asking(), caller.door).await;
    let proof = proof.map_err(|why| trouble.unsent(&why))?;
    let read = pjl::read_device(&proof).await;
    read.map_err(|error| trouble.unread(&error))
}

/// What is said where a door was not opened, or not answered.
pub(in crate::cli) struct Trouble {
    written: String,
    peer: SocketAddr,
    /// `zebra`, `pjl` or `lpr`.
    what: &'static str,
}

impl Trouble {
    /// Says that nothing was sent, and why.
    pub(in crate::cli) fn unsent(&self, why: &NotIdentified) -> CliError {
        let Self { written, what, .. } = self;
        let next = match why {
            NotIdentified::Unknown(_) | NotIdentified::UnknownNow(_) => format!(
                "give it an SNMP credential (--community C, --v3-user NAME); platen doctor {written} \
                 says what it answers"
            ),
            NotIdentified::NoPrinter(_) | NotIdentified::TwoAddresses => {
                "name the address of a printer".to_owned()
            }
            NotIdentified::NoZebra(_) | NotIdentified::NoPjl => {
                format!("read it over SNMP: platen read {written}")
            }
            NotIdentified::Another(_) | NotIdentified::Swapped(_) => {
                "find out who is there: platen discover, then try again".to_owned()
            }
        };
        let what = format!("nothing was sent to the {what} port of {written}");
        CliError::new(Exit::FAILED, what)
            .because(why.to_string())
            .try_next(next)
    }

    /// Says why there is no answer.
    pub(in crate::cli) fn unread(&self, error: &RawError) -> CliError {
        let Self {
            written,
            peer,
            what,
        } = self;
        let next = match error {
            RawError::NoWay(NoWay::NotIdentified(why)) => return self.unsent(why),
            RawError::NoWay(NoWay::NoStream(NoStream::Silent(_) | NoStream::Refused(..))) => {
                format!(
                    "check that the port is enabled on it and that TCP port {} is open on the way, \
                     or name another port: --{what}-port P",
                    peer.port()
                )
            }
            RawError::NoWay(NoWay::NoStream(_)) => "name the address of a printer".to_owned(),
            RawError::Broken { .. } | RawError::HungUp(_) | RawError::Stuck(_) => {
                "try again: another program may be printing on that port".to_owned()
            }
            RawError::NotUnderstood { .. }
            | RawError::TooMuch(_)
            | RawError::Mute { .. }
            | RawError::NotTaken { .. }
            | RawError::NotKept { .. } => format!("read it over SNMP: platen read {written}"),
        };
        CliError::new(Exit::FAILED, format!("cannot read {written} over {what}"))
            .because(error.to_string())
            .try_next(next)
    }
}
