//! `platen read --via ipp|ledm|zebra|pjl`: reads a printer by another door than SNMP.
//!
//! Nothing is sent to that door of an address before SNMP has said that it is a printer, and one of
//! HP's for LEDM, unless the person at the keyboard vouches for it; and for zebra and pjl nobody can,
//! since what is sent there is a document to any other device. But for LEDM it is asked again on each
//! connection.

mod ledm;
pub(super) mod raw;

use std::net::IpAddr;

use actors::reach::http::HttpError;
use actors::reach::identified;
use actors::reach::ipp::{self, Asked, IppReadError};
use actors::reach::range::AddressRange;
use actors::reach::scope::{Door, InScope, Scope};
use actors::reach::stream::NoStream;
use actors::reach::survey::{self, Introduced, ReadError};
use clap::{Args, ValueEnum};
use printer::reading::{Reading, Verdict};

use self::ledm::LedmArgs;

use super::asking::{self, AskingArgs};
use super::{CliError, Exit};

/// Packets per second: one device is asked who it is, one question at a time.
pub(super) const RATE: u32 = 1_000;

/// A door to read a printer by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Via {
    /// Over UDP, as everywhere else
    Snmp,
    /// Get-Printer-Attributes over TCP, in the clear
    Ipp,
    /// The documents of HP's printers over HTTP or HTTPS
    Ledm,
    /// SGD and ~HS over a raw TCP port, of Zebra's label printers
    Zebra,
    /// INFO over a raw TCP port, of printers that list PJL
    Pjl,
}

/// Which way a printer is read.
#[derive(Debug, Args)]
pub struct ViaArgs {
    /// Read it by this door: snmp; ipp, ledm, zebra or pjl once SNMP has said that it is such a printer
    #[arg(long, value_name = "DOOR", value_enum, conflicts_with_all = ["from_recording", "record"])]
    #[arg(hide_possible_values = true)]
    via: Option<Via>,
    /// TCP port of the printer's IPP
    #[arg(long, value_name = "P", default_value_t = ipp::PORT, value_parser = asking::port)]
    ipp_port: u16,
    #[command(flatten)]
    ledm: LedmArgs,
    /// TCP port of a Zebra's SGD and ~HS
    #[arg(long, value_name = "P", default_value_t = actors::reach::raw::PORT)]
    #[arg(value_parser = asking::port)]
    zebra_port: u16,
    /// TCP port of the printer's PJL
    #[arg(long, value_name = "P", default_value_t = actors::reach::raw::PORT)]
    #[arg(value_parser = asking::port)]
    pjl_port: u16,
    /// With --via ipp or ledm: ask it although SNMP does not say what it is. You vouch for it:
    /// another device may print what it is sent
    #[arg(long, requires = "via")]
    unidentified: bool,
}

impl ViaArgs {
    /// Whether the door is another than SNMP.
    ///
    /// # Errors
    /// [`CliError`] where another option needs IPP or LEDM, and neither is the door.
    pub fn is_other(&self) -> Result<bool, CliError> {
        if self.unidentified && !matches!(self.via, Some(Via::Ipp | Via::Ledm)) {
            let what = "--unidentified is for --via ipp and --via ledm only";
            let next = match self.via {
                Some(Via::Zebra | Via::Pjl) => "leave it out: another device would print it",
                Some(_) | None => "leave it out: SNMP never prints",
            };
            return Err(CliError::new(Exit::USAGE, what).try_next(next));
        }
        Ok(!matches!(self.via, None | Some(Via::Snmp)))
    }

    /// Reads a printer by its other door.
    ///
    /// # Errors
    /// [`CliError`] when it is not known to be such a printer, or does not answer.
    pub async fn read(&self, written: &str, asking: &AskingArgs) -> Result<Verdict, CliError> {
        let whole = |reading: Reading| Verdict::Printer(Box::new(reading));
        match self.via {
            Some(Via::Zebra) => {
                let door = Door::Zebra {
                    port: self.zebra_port,
                };
                raw::read_zebra(written, asking, door).await.map(whole)
            }
            Some(Via::Pjl) => {
                let door = Door::Pjl {
                    port: self.pjl_port,
                };
                raw::read_pjl(written, asking, door).await.map(whole)
            }
            Some(Via::Snmp | Via::Ipp | Via::Ledm) | None => self.read_asked(written, asking).await,
        }
    }

    /// Reads over IPP or LEDM.
    async fn read_asked(&self, written: &str, asking: &AskingArgs) -> Result<Verdict, CliError> {
        let (range, address) = asking::address(written).await?;
        let (name, door) = if self.via == Some(Via::Ledm) {
            ("ledm", self.ledm.door())
        } else {
            let port = self.ipp_port;
            ("ipp", Door::Ipp { port })
        };
        let introduced = match identify((&range, address), asking).await? {
            Ok(introduced) => Some(introduced),
            Err(error) if self.unidentified => {
                let shown = name.to_uppercase();
                eprintln!("not identified over SNMP ({error}); asked over {shown} on your word");
                None
            }
            Err(error) => return Err(unidentified(written, name, &error)),
        };
        if let Some(Verdict::NotAPrinter { reason }) = introduced.as_ref().map(|it| &it.verdict) {
            let reason = reason.clone();
            return Ok(Verdict::NotAPrinter { reason });
        }
        let target = admit(&range, address, door)?;
        let reading = if self.via == Some(Via::Ledm) {
            let known = (introduced.as_ref(), self.unidentified);
            self.ledm.read(written, &target, known).await?
        } else {
            let reading = match &introduced {
                Some(_) => {
                    let caller = raw::Caller::new(written, asking, door).await?;
                    let proof = identified::printer(caller.asking(), caller.door).await;
                    let proof = proof.map_err(|why| caller.trouble(written, name).unsent(&why))?;
                    ipp::read_device(Asked::Printer(&proof)).await
                }
                None => ipp::read_device(Asked::Vouched(&target)).await,
            };
            reading.map_err(|error| unread(written, self.ipp_port, &error))?
        };
        Ok(Verdict::Printer(Box::new(reading)))
    }
}

/// The proof that this one door of this one address was asked for.
pub(super) fn admit(
    range: &AddressRange,
    address: IpAddr,
    door: Door,
) -> Result<InScope, CliError> {
    let usage = |why: String| CliError::new(Exit::USAGE, why);
    let scope = Scope::new(std::slice::from_ref(range), &[], &[door]);
    let scope = scope.map_err(|error| usage(error.to_string()))?;
    scope
        .admit(address, door)
        .map_err(|error| usage(error.to_string()))
}

/// Asks over SNMP what stands there.
async fn identify(
    (range, address): (&AddressRange, IpAddr),
    asking: &AskingArgs,
) -> Result<Result<Introduced, ReadError>, CliError> {
    let target = admit(range, address, asking.door())?;
    let credentials = survey::with_v1(&[asking.credential()?]);
    let (snmp, profiles) = (asking.open(RATE)?, asking.profiles()?);
    Ok(survey::introduce(&snmp, &target, &credentials, &profiles).await)
}

/// Says that nobody knows what stands there, and that nothing was sent to it by that door.
fn unidentified(written: &str, door: &str, error: &ReadError) -> CliError {
    let shown = door.to_uppercase();
    let what =
        format!("{written} is not known to be a printer: nothing was sent to it over {shown}");
    CliError::new(Exit::FAILED, what)
        .because(error.to_string())
        .try_next(format!(
            "give it an SNMP credential (--community C, --v3-user NAME), or vouch for it: platen \
             read {written} --via {door} --unidentified"
        ))
}

/// Says why a printer was not read over IPP, and what to do about it.
fn unread(written: &str, port: u16, error: &IppReadError) -> CliError {
    let next = match error {
        IppReadError::Http(HttpError::NoStream(NoStream::Silent(_) | NoStream::Refused(..))) => {
            format!(
                "check that IPP is enabled on it and that TCP port {port} is open on the way, or name \
             another port: --ipp-port P"
            )
        }
        IppReadError::Http(HttpError::NoStream(_)) => "name the address of a printer".to_owned(),
        IppReadError::Http(HttpError::Slow(_)) => {
            format!("try again: platen read {written} --via ipp")
        }
        IppReadError::NotIdentified(_) => {
            "find out who is there: platen discover, then try again".to_owned()
        }
        IppReadError::Http(_) | IppReadError::Status { .. } | IppReadError::Ipp { .. } => {
            format!("read it over SNMP: platen read {written}")
        }
    };
    CliError::new(Exit::FAILED, format!("cannot read {written} over IPP"))
        .because(error.to_string())
        .try_next(next)
}
