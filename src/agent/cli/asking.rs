//! Options of the verbs that ask devices themselves, and what becomes of them.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::reach::credential::Credential;
use actors::reach::range::{AddressRange, RangeError};
use actors::reach::resolve::Resolver;
use actors::reach::scope::{Door, InScope};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::reach::survey;
use clap::Args;
use printer::profile::Profiles;

use super::profiles::FolderArgs;
use super::user::{UserArgs, first_line};
use super::{CliError, Exit};

/// Longest community that a file may hold: the SNMP-COMMUNITY-MIB allows no more (RFC 3584).
const COMMUNITY_BYTES_MAX: usize = 255;

/// Longest wait for an answer that may be asked for: beyond it a sweep seems to hang.
const TIMEOUT_SECS_MAX: f64 = 60.0;

/// Most repetitions that may be asked for: beyond it a silent device takes minutes.
const RETRIES_MAX: u32 = 10;

/// Questions that wait for answers at once.
const IN_FLIGHT_MAX: usize = 256;

/// Packets per second to one device that is asked for its engine.
const ENGINE_RATE: u32 = 100;

/// How devices are asked.
#[derive(Debug, Clone, Args)]
pub struct AskingArgs {
    /// SNMP community to ask with
    #[arg(
        long,
        value_name = "C",
        env = "PLATEN_COMMUNITY",
        hide_env_values = true
    )]
    #[arg(default_value = "public", hide_default_value = false)]
    community: String,
    /// File whose first line is the community, so that no process list shows it
    #[arg(long, value_name = "FILE", conflicts_with = "community")]
    community_file: Option<PathBuf>,
    #[command(flatten)]
    user: UserArgs,
    /// UDP port of the devices' SNMP agents
    #[arg(long, value_name = "P", default_value_t = 161, value_parser = port)]
    port: u16,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = timeout)]
    timeout: Duration,
    /// How often to ask again where no answer came
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = retries)]
    retries: u32,
    #[command(flatten)]
    folder: FolderArgs,
}

impl AskingArgs {
    /// The vendor profiles in effect.
    ///
    /// # Errors
    /// [`CliError`] names the folder, or the file and the line.
    pub fn profiles(&self) -> Result<Profiles, CliError> {
        self.folder.load()
    }

    /// The door that is knocked at.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::Snmp { port: self.port }
    }

    /// How long the first try waits.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How often a silent address is asked, the first time included.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.retries + 1
    }

    /// What to look at where nobody answers.
    #[must_use]
    pub fn credential_hint(&self) -> &'static str {
        if self.user.is_there() {
            "that SNMPv3 is enabled on it"
        } else {
            "that the community is right (--community), or --v3-user where it has SNMPv3 alone"
        }
    }

    /// The credential to ask with.
    ///
    /// # Errors
    /// [`CliError`] when a file cannot be read or holds no secret, or there can be no such user.
    pub fn credential(&self) -> Result<Credential, CliError> {
        if let Some(user) = self.user.credential()? {
            return Ok(user);
        }
        let Some(path) = &self.community_file else {
            return Ok(Credential::v2c(self.community.as_bytes()));
        };
        let community = first_line(path, "community", COMMUNITY_BYTES_MAX)?;
        Ok(Credential::v2c(community.as_slice()))
    }

    /// Whether a device that does not answer a community has an engine of version 3, which tells
    /// itself to anybody. Not asked again after a user has been.
    pub async fn has_engine(&self, target: &InScope) -> bool {
        if self.user.is_there() {
            return false;
        }
        let Ok(snmp) = self.open(ENGINE_RATE) else {
            return false;
        };
        survey::has_engine(&snmp, target).await
    }

    /// Opens the sockets.
    ///
    /// # Errors
    /// [`CliError`] when the system refuses.
    pub fn open(&self, packets_per_second_max: u32) -> Result<Snmp, CliError> {
        let settings = SnmpSettings {
            timeout: self.timeout,
            retries: self.retries,
            in_flight_max: IN_FLIGHT_MAX,
            packets_per_second_max,
        };
        Snmp::open(settings).map_err(|error| {
            CliError::new(Exit::FAILED, "cannot open a UDP socket")
                .because(error.to_string())
                .try_next("check `ulimit -n` and whether this user may use the network")
        })
    }
}

/// Reads ranges as written, and resolves the names among them.
///
/// # Errors
/// [`CliError`] names the range that cannot be, or the name that nobody knows.
pub async fn ranges(written: &[String]) -> Result<Vec<AddressRange>, CliError> {
    let mut ranges = Vec::new();
    for text in written {
        let range: AddressRange = text.parse().map_err(|error: RangeError| {
            let (what, cure) = error.halves();
            CliError::new(Exit::USAGE, what).try_next(cure)
        })?;
        if range.name().is_some() {
            ranges.extend(resolve(&range).await?);
        } else {
            ranges.push(range);
        }
    }
    Ok(ranges)
}

/// Reads one address or name.
///
/// # Errors
/// [`CliError`] when it is neither, or many.
pub async fn address(written: &str) -> Result<(AddressRange, IpAddr), CliError> {
    let found = ranges(&[written.to_owned()]).await?;
    let first = found.first().filter(|range| range.count() == 1);
    let single = first.and_then(|range| Some((range.clone(), range.first()?)));
    single.ok_or_else(|| {
        CliError::new(Exit::USAGE, format!("'{written}' is not one address")).try_next(format!(
            "find the printers in it: platen discover {written}"
        ))
    })
}

async fn resolve(range: &AddressRange) -> Result<Vec<AddressRange>, CliError> {
    let unresolved = |why: String| {
        CliError::new(
            Exit::FAILED,
            format!("the name '{range}' cannot be resolved"),
        )
        .because(why)
        .try_next(if Path::new(&range.to_string()).is_file() {
            format!("read it as a recording: platen read --from-recording {range}")
        } else {
            "write the address, or check /etc/resolv.conf and /etc/hosts".to_owned()
        })
    };
    let resolver = Resolver::from_system().map_err(|error| unresolved(error.to_string()))?;
    let resolved = resolver.resolve(range).await;
    resolved.map_err(|error| unresolved(error.why()))
}

/// A whole number within its bounds; what it says otherwise follows the name of the option.
///
/// # Errors
/// What may be written.
pub fn whole_number(text: &str, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        let (min, max) = bounds.into_inner();
        format!("write a whole number from {min} to {max}")
    })
}

/// A port number.
///
/// # Errors
/// What may be written.
pub fn port(text: &str) -> Result<u16, String> {
    let number = whole_number(text, 1..=u16::MAX.into())?;
    u16::try_from(number).map_err(|error| error.to_string())
}

fn retries(text: &str) -> Result<u32, String> {
    whole_number(text, 0..=RETRIES_MAX)
}

/// A wait in seconds, which may have a fraction.
///
/// # Errors
/// What may be written.
pub fn timeout(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "write a number of seconds, as 2 or 0.5".to_owned())?;
    if seconds > 0.0 && seconds <= TIMEOUT_SECS_MAX {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!(
            "write a number above 0 and at most {TIMEOUT_SECS_MAX}"
        ))
    }
}
