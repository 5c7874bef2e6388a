//! `platen read --via ledm`: the documents of one of HP's printers, and the certificate it shows.
//!
//! The certificate is compared with the one in the state folder, which a running agent uses as well.

use std::io;
use std::path::PathBuf;

use actors::certificates::{self, Kept};
use actors::reach::http::{HttpError, Thumbprint};
use actors::reach::ledm::{self, LedmReadError};
use actors::reach::scope::{Door, InScope};
use actors::reach::stream::NoStream;
use actors::reach::survey::Introduced;
use clap::Args;
use jiff::Timestamp;
use printer::identity::{DeviceId, Fingerprint};
use printer::reading::{Reading, Verdict};

use crate::cli::table::printable;
use crate::cli::{CliError, Exit, asking};
use crate::config::DEFAULT_STATE_DIR;

/// Where LEDM is, and what is known of certificates.
#[derive(Debug, Args)]
pub struct LedmArgs {
    /// TCP port of the printer's LEDM: HTTPS on 443 and on ports that end in it, as 8443, else HTTP
    #[arg(long, value_name = "P", default_value_t = ledm::PORT, value_parser = asking::port)]
    ledm_port: u16,
    /// With --via ledm: the agent's state folder, where the certificates of printers are kept
    #[arg(long, value_name = "DIR", env = "PLATEN_STATE_DIR", default_value = DEFAULT_STATE_DIR)]
    state_dir: PathBuf,
}

impl LedmArgs {
    pub(super) fn door(&self) -> Door {
        Door::Ledm {
            port: self.ledm_port,
        }
    }

    /// Reads a printer, and keeps the first certificate that it shows. `known` is what SNMP said of
    /// it, and whether the person vouches for it.
    pub(super) async fn read(
        &self,
        written: &str,
        target: &InScope,
        (introduced, is_vouched): (Option<&Introduced>, bool),
    ) -> Result<Reading, CliError> {
        let identity = introduced.and_then(|it| match &it.verdict {
            Verdict::Printer(reading) => Some(&reading.identity),
            Verdict::NotAPrinter { .. } => None,
        });
        let is_spoken = identity.is_some_and(printer::ledm::is_spoken_by);
        if !is_spoken && !is_vouched {
            return Err(of_another_maker(written));
        }
        let address = target.addr().ip();
        let fingerprint = introduced.map(|it| it.fingerprint.clone());
        let device = DeviceId::derive(&fingerprint.unwrap_or_else(Fingerprint::default), address);
        let known = self.known(&device)?;
        let read = ledm::read_device(target, known).await;
        let read = read.map_err(|error| self.unread(written, &error))?;
        if let Some(trouble) = read.trouble {
            eprintln!("the reading is not whole: {}", printable(&trouble));
        }
        if let (None, Some(sha256)) = (known, read.certificate) {
            self.keep(&Kept {
                device,
                address,
                sha256,
                since: Timestamp::now(),
            });
        }
        Ok(read.reading)
    }

    fn folder(&self) -> PathBuf {
        self.state_dir.join(certificates::FOLDER)
    }

    /// The certificate that the printer showed before. A folder that this user may not see is said,
    /// and no reason to read nothing.
    fn known(&self, device: &DeviceId) -> Result<Option<Thumbprint>, CliError> {
        if !ledm::is_tls(self.ledm_port) {
            return Ok(None);
        }
        match certificates::of(&self.folder(), device) {
            Ok(kept) => Ok(kept.map(|kept| kept.sha256)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let folder = self.folder();
                let shown = folder.display();
                eprintln!("its certificate is compared with none: {shown} cannot be read");
                Ok(None)
            }
            Err(error) => {
                let what = "the certificate that it showed before cannot be read";
                let next = "remove its file, or name another state folder: --state-dir DIR";
                Err(CliError::new(Exit::FAILED, what)
                    .because(format!("{}: {error}", self.folder().display()))
                    .try_next(next))
            }
        }
    }

    fn keep(&self, kept: &Kept) {
        match certificates::keep(&self.folder(), kept) {
            Ok(()) => eprintln!(
                "its certificate is believed from now on (SHA-256 {})",
                kept.sha256
            ),
            Err(error) => {
                let folder = self.folder();
                let shown = folder.display();
                eprintln!("its certificate is not kept: {shown}: {error}");
            }
        }
    }

    /// Says why a printer was not read over LEDM, and what to do about it.
    fn unread(&self, written: &str, error: &LedmReadError) -> CliError {
        let port = self.ledm_port;
        let over_snmp = format!("read it over SNMP: platen read {written}");
        let next = match error {
            LedmReadError::Http(HttpError::Changed { .. }) => format!(
                "if the printer was reset or has got a new certificate, forget the old one: platen \
                 forget-certificate {written}; if not, find out who answers there"
            ),
            LedmReadError::Http(HttpError::NoStream(
                NoStream::Silent(_) | NoStream::Refused(..),
            )) => format!(
                "check that its web server is enabled and that TCP port {port} is open on the way, \
                 or name another port: --ledm-port P"
            ),
            LedmReadError::Http(HttpError::NoStream(_)) => "name the address of a printer".into(),
            LedmReadError::Http(HttpError::Slow(_)) | LedmReadError::Slow(_) => {
                format!("try again: platen read {written} --via ledm")
            }
            LedmReadError::Http(HttpError::Tls { .. }) => {
                "renew its firmware or its certificate, or read it in the clear: --ledm-port 80"
                    .into()
            }
            LedmReadError::WantsTls(_) => "name its port of HTTPS: --ledm-port 443".into(),
            LedmReadError::Http(HttpError::Http { .. } | HttpError::TooLong { .. })
            | LedmReadError::NotServed(_)
            | LedmReadError::Status { .. }
            | LedmReadError::Redirect { .. }
            | LedmReadError::Ledm { .. } => over_snmp,
        };
        CliError::new(Exit::FAILED, format!("cannot read {written} over LEDM"))
            .because(printable(&error.to_string()))
            .try_next(next)
    }
}

fn of_another_maker(written: &str) -> CliError {
    let what = format!("{written} is no printer of HP's: nothing was sent to it over LEDM");
    CliError::new(Exit::FAILED, what)
        .because("SNMP names another maker, and only HP's printers speak LEDM")
        .try_next(format!(
            "read it over SNMP: platen read {written}, or vouch for it: platen read {written} \
             --via ledm --unidentified"
        ))
}
