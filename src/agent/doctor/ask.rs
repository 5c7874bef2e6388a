//! What the doctor asks, in the order in which a technician would. Only what the site's ranges
//! permit is contacted: everything here takes its proof from the range that holds the address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actors::Handle;
use actors::mask::Masks;
use actors::parts::Subnet;
use actors::reach::credential::Credential;
use actors::reach::icmp::{self, PingError};
use actors::reach::knock::{Knocked, knock};
use actors::reach::range::{AddressRange, RangeError};
use actors::reach::resolve::Resolver;
use actors::reach::scope::{Door, InScope, OutOfScope};
use actors::reach::snmp::{AskError, Snmp};
use actors::reach::stream::{self, NoStream};
use actors::reach::survey::{self, ReadError};
use actors::status::StatusSnapshot;
use actors::tunnel::policy::Allow;
use jiff::{SignedDuration, Timestamp};
use printer::doctor::Named;
use printer::identity::DeviceId;
use printer::profile::Profiles;
use printer::question;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use snmp::Version;

use super::facts::{Agent, Asked, Device, Echo, Facts, Last, Outcome, Place, Printer, Tcp};
use super::{past, values};
use crate::cli::found::full_model;
use crate::cli::{CliError, Exit};
use crate::config::AgentConfig;
use crate::{control, profiles, run};

/// Echoes that are asked for: one may be lost.
const ECHOES: u8 = 2;
/// TCP ports that tell whether a silent device is on, the first that the site has opened: pages,
/// never a door that prints.
const PAGES: [u16; 2] = [443, 80];
/// How far back a last reading is looked for, in days: what the outbox keeps by default.
const BACK_DAYS: i64 = 31;

/// What it is asked with: the tools of a running life, or those that the command line makes itself.
pub struct Tools<'a> {
    life: Option<Life>,
    says: Box<dyn Fn(IpAddr) + Send + Sync + 'a>,
}

impl std::fmt::Debug for Tools<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

/// The tools of a running life: what the doctor asks is paced with everything else that it asks.
#[derive(Debug, Clone)]
pub struct Life {
    /// Its sockets.
    pub snmp: Snmp,
    /// The profiles that it reads by.
    pub profiles: Arc<Profiles>,
    /// The life itself, which is asked for its status.
    pub handle: Arc<Handle>,
    /// What may not leave the site as it is.
    pub masks: Masks,
}

impl<'a> Tools<'a> {
    /// Those of a command line. `says` hears which address is asked.
    pub fn of_a_command_line(says: impl Fn(IpAddr) + Send + Sync + 'a) -> Self {
        let says = Box::new(says);
        Self { life: None, says }
    }

    /// Those of a running life.
    pub fn of_a_life(life: Life, says: impl Fn(IpAddr) + Send + Sync + 'a) -> Self {
        Self {
            life: Some(life),
            says: Box::new(says),
        }
    }

    fn profiles(&self, config: &AgentConfig) -> Result<Arc<Profiles>, CliError> {
        match &self.life {
            Some(life) => Ok(Arc::clone(&life.profiles)),
            None => profiles::load(config.profiles_dir.as_deref())
                .map(Arc::new)
                .map_err(|error| CliError::new(Exit::BAD_CONFIG, error.to_string())),
        }
    }

    fn snmp(&self, config: &AgentConfig) -> Result<Snmp, CliError> {
        match &self.life {
            Some(life) => Ok(life.snmp.clone()),
            None => Snmp::open(config.snmp).map_err(|error| {
                CliError::new(Exit::FAILED, "no UDP socket could be opened")
                    .because(error.to_string())
                    .try_next("see `ulimit -n`")
            }),
        }
    }

    /// How the agent of this machine is, or why it does not say.
    async fn status(&self, config: &AgentConfig) -> Result<StatusSnapshot, String> {
        match &self.life {
            Some(life) => match life.handle.status().await {
                Ok(status) => Ok(*status),
                Err(gone) => Err(gone.to_string()),
            },
            None => match control::status(&config.state_dir).await {
                Ok(status) => Ok(status.snapshot),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    /// A device's id as it is told: the hub knows it by its pseudonym where the site masks.
    fn told(&self, device: &DeviceId) -> String {
        match &self.life {
            Some(life) => life.masks.device(device).to_string(),
            None => device.to_string(),
        }
    }
}

/// Asks everything about an address as it is written.
///
/// # Errors
/// [`CliError`] when this machine gives no socket, or the profiles cannot be used.
pub async fn ask(
    config: &AgentConfig,
    (written, wanted): (&str, Option<&str>),
    tools: &Tools<'_>,
) -> Result<Facts, CliError> {
    let (place, subnet) = place(config, written).await;
    let mut facts = Facts {
        written: written.to_owned(),
        wanted: wanted.map(str::to_owned),
        place,
        echo: None,
        knock: None,
        tcp: None,
        asked: Vec::new(),
        device: None,
        agent: None,
        last: None,
    };
    let (Some(subnet), Some(address)) = (subnet, facts.place.address()) else {
        return Ok(facts);
    };
    // Both were admitted with the range.
    let (Ok(snmp_door), Ok(icmp_door)) = (
        subnet.scope.admit(address, subnet.door),
        subnet.scope.admit(address, Door::Icmp),
    ) else {
        return Ok(facts);
    };
    let profiles = tools.profiles(config)?;
    let snmp = tools.snmp(config)?;
    (tools.says)(address);
    let (echoed, knocked) = tokio::join!(echo(&icmp_door), knock(&snmp_door, config.snmp.timeout));
    (facts.echo, facts.knock) = (Some(echoed), Some(knocked));
    let (asked, opens) = credentials(&snmp, &snmp_door, &subnet).await;
    facts.asked = asked;
    match opens {
        Some(credential) => {
            facts.device = Some(device(&snmp, &snmp_door, credential, &profiles).await);
        }
        // Where something else told already whether it is on, its pages are left alone.
        None if is_open_whether_on(&facts) => facts.tcp = tcp(config, &subnet, address).await,
        None => {}
    }
    facts.agent = Some(agent(tools, config, address).await);
    facts.last = last(config, address).await;
    Ok(facts)
}

/// Whether nothing has told yet that a silent device is on.
fn is_open_whether_on(facts: &Facts) -> bool {
    let is_heard = facts.asked.iter().any(|asked| {
        matches!(
            asked.outcome,
            Outcome::Answers | Outcome::Mute | Outcome::Refused(_) | Outcome::Unsendable(_)
        )
    });
    let has_echoed = matches!(facts.echo, Some(Echo::Answers(_)));
    !is_heard && !has_echoed && facts.knock == Some(Knocked::Silent)
}

/// Where the address is, and the range that holds it.
async fn place(config: &AgentConfig, written: &str) -> (Place, Option<Subnet>) {
    let address = match address(written).await {
        Ok(address) => address,
        Err(place) => return (place, None),
    };
    if config.ranges.is_empty() {
        return (Place::NoRanges(address), None);
    }
    let mut outside = None;
    for range in &config.ranges {
        let subnet = match run::subnet(range, config.snmp_port).await {
            Ok(subnet) => subnet,
            Err(CliError { what, why, .. }) => {
                let why = format!("{what}: {why}");
                outside = Some(Place::RangeUnresolved { address, why });
                continue;
            }
        };
        let label = range.label.clone();
        match subnet.scope.admit(address, subnet.door) {
            Ok(proof) => {
                let (address, port) = (proof.addr().ip(), proof.addr().port());
                let place = Place::Inside {
                    address,
                    label,
                    port,
                };
                return (place, Some(subnet));
            }
            Err(OutOfScope::Excluded(_)) => outside = Some(Place::Excluded { address, label }),
            Err(OutOfScope::NoDevice(_)) => outside = Some(Place::NoDevice(address)),
            Err(OutOfScope::NotConfigured(_) | OutOfScope::DoorClosed { .. }) => {}
        }
    }
    let all = config.ranges.iter().map(|range| {
        let addresses: Vec<String> = range.addresses.iter().map(ToString::to_string).collect();
        format!("'{}' {}", range.label, addresses.join(" "))
    });
    let ranges = all.collect::<Vec<_>>().join(", ");
    let outside = outside.unwrap_or(Place::Outside { address, ranges });
    (outside, None)
}

/// The one address that was written, or that a name stands for.
async fn address(written: &str) -> Result<IpAddr, Place> {
    let many = || Place::NoAddress {
        why: "it stands for many addresses, or for none".to_owned(),
        cure: format!("name one address; the printers of a range: platen discover {written}"),
    };
    let range: AddressRange = written.parse().map_err(|error: RangeError| {
        let (why, cure) = error.halves();
        Place::NoAddress { why, cure }
    })?;
    if range.name().is_none() {
        let first = range.first().filter(|_| range.count() == 1);
        return first.ok_or_else(many);
    }
    let unresolved = |why: String| Place::Unresolved { why };
    let resolver = Resolver::from_system().map_err(|error| unresolved(error.to_string()))?;
    let found = resolver.resolve(&range).await;
    let found = found.map_err(|error| unresolved(error.why()))?;
    found.first().and_then(AddressRange::first).ok_or_else(many)
}

async fn echo(target: &InScope) -> Echo {
    match icmp::ping(target, ECHOES).await {
        Ok(echoes) => match echoes.took.iter().flatten().next() {
            Some(took) => Echo::Answers(*took),
            None => Echo::Silent,
        },
        Err(PingError::Unsendable { .. }) => Echo::Silent,
        Err(error @ PingError::NotAllowed) => Echo::NotPermitted(error.to_string()),
    }
}

/// Tries every credential of a range, and one of version 2c that is silent in version 1 too; the
/// first that opens is given.
async fn credentials(
    snmp: &Snmp,
    target: &InScope,
    subnet: &Subnet,
) -> (Vec<Asked>, Option<Credential>) {
    let (mut all, mut opens) = (Vec::new(), None);
    for (credential, name) in subnet.credentials.iter().zip(&subnet.names) {
        let mut tried = vec![credential.clone()];
        if !credential.is_user() && credential.pdus() == Version::V2c {
            tried.push(credential.in_version(Version::V1));
        }
        for credential in tried {
            let outcome = one(snmp, target, &credential).await;
            let is_silent = matches!(outcome, Outcome::Silent { .. });
            if outcome == Outcome::Answers && opens.is_none() {
                opens = Some(credential.clone());
            }
            all.push(Asked {
                name: name.clone(),
                version: credential.version(),
                outcome,
            });
            if !is_silent {
                break;
            }
        }
    }
    (all, opens)
}

async fn one(snmp: &Snmp, target: &InScope, credential: &Credential) -> Outcome {
    match snmp.get(target, credential, &question::probe()).await {
        Ok(said) if said.is_empty() => Outcome::Mute,
        Ok(_) => Outcome::Answers,
        Err(AskError::Silent {
            waited, unusable, ..
        }) => Outcome::Silent {
            waited,
            odd: unusable.why.map(|why| why.to_string()),
        },
        Err(AskError::Refused { refusal, .. }) => Outcome::Refused(refusal),
        Err(error) => Outcome::Unsendable(error.to_string()),
    }
}

/// Whether a page of a silent device tells that it is on: connected to, and nothing sent. Only where
/// the site lets its pages be reached at all.
async fn tcp(config: &AgentConfig, subnet: &Subnet, address: IpAddr) -> Option<(u16, Tcp)> {
    if config.web_access.allow == Allow::Never {
        return None;
    }
    let mut open = PAGES
        .into_iter()
        .filter_map(|port| Some((port, subnet.web.admit(address, Door::Web { port }).ok()?)));
    let (port, target) = open.next()?;
    let told = match stream::connect(&target, &[]).await {
        Ok(_) => Tcp::Accepts,
        Err(NoStream::Refused(_, error)) if is_reset(&error) => Tcp::Refuses,
        Err(NoStream::Refused(..) | NoStream::Silent(_)) => Tcp::Silent,
        Err(NoStream::OwnMachine(_) | NoStream::Hub(_)) => return None,
    };
    Some((port, told))
}

fn is_reset(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ConnectionRefused
}

/// Reads the device with the credential that opens it.
async fn device(
    snmp: &Snmp,
    target: &InScope,
    credential: Credential,
    profiles: &Profiles,
) -> Device {
    let survey = match survey::read_device(snmp, target, &[credential], profiles).await {
        Ok(survey) => survey,
        Err(ReadError::SwappedUnderway { .. }) => return Device::Swapped,
        Err(error) => return Device::Unread(error.to_string()),
    };
    let reading = match &survey.verdict {
        Verdict::Printer(reading) => reading,
        Verdict::NotAPrinter { reason } => return Device::Other(reason.clone()),
    };
    let profile = profiles.for_walk(&survey.walk);
    Device::Printer(Box::new(Printer {
        named: named(reading),
        profile: profile.map(printer::profile::Profile::stamp),
        profile_why: why_profile(&survey.walk, profile.map(|it| it.makers.as_slice())),
        trouble: survey.trouble.clone(),
        values: values::of(reading, &survey, profiles),
    }))
}

/// What names it.
fn named(reading: &Reading) -> Named {
    let identity = reading.identity.clone();
    Named {
        title: full_model(reading),
        serial: identity.serial,
        mac: identity.mac,
        host_name: identity.host_name,
        asset: identity.asset,
        location: identity.location,
    }
}

/// Why a profile reads this device, or why none does.
fn why_profile(walk: &Walk, makers: Option<&[String]>) -> String {
    let number = match walk.enterprise() {
        Some(number) => format!("its maker's number is {number}"),
        None => "it tells no maker's number".to_owned(),
    };
    match makers {
        Some(makers) => format!("{number}; the profile reads {}", makers.join(", ")),
        None => format!("{number}, and neither that nor its description is in a profile"),
    }
}

/// What the agent that runs here says of the address.
async fn agent(tools: &Tools<'_>, config: &AgentConfig, address: IpAddr) -> Agent {
    let status = match tools.status(config).await {
        Ok(status) => status,
        Err(why) => return Agent::Away(why),
    };
    let mut aside = status.set_aside.iter();
    let aside = aside.find(|it| it.address == Some(address));
    let printers = &status.printers;
    let mut silent = printers.silent_listed.iter();
    let silent = silent.find(|it| it.address == Some(address));
    let mut refusing = printers.refusing_listed.iter();
    let mut troubled = printers.troubled_listed.iter();
    let says = silent
        .map(|it| format!("it has been silent since {}", it.since))
        .or_else(|| Some(refusing.find(|it| it.address == address)?.why.clone()))
        .or_else(|| {
            let trouble = troubled.find(|it| it.address == Some(address))?;
            Some(trouble.trouble.clone())
        });
    Agent::Runs {
        set_aside: aside.map(|it| (tools.told(&it.device), it.cause.clone())),
        says,
    }
}

/// The last reading of this address that went to the hub; none where there is no hub.
async fn last(config: &AgentConfig, address: IpAddr) -> Option<Last> {
    let (state_dir, settings) = (config.state_dir.clone(), config.word.masks);
    let shown = Masks::trial(&state_dir, settings).ok()?.address(address);
    let now = Timestamp::now();
    let since = now.checked_sub(SignedDuration::from_hours(24 * BACK_DAYS));
    let since = since.ok()?;
    let is_masked = settings.serial_tails > 0;
    let found = tokio::task::spawn_blocking(move || past::last(&state_dir, (since, now), shown));
    // What cannot be read is as good as not there.
    let last = found.await.ok()?.ok()??;
    Some(Last {
        serial: last.serial.filter(|_| !is_masked),
        ..last
    })
}

/// A wait in words.
pub(super) fn in_words(wait: Duration) -> String {
    if wait < Duration::from_secs(1) {
        format!("{:.1} ms", wait.as_secs_f64() * 1_000.0)
    } else {
        format!("{:.1} s", wait.as_secs_f64())
    }
}
