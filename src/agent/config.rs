//! The agent's configuration: refused with file, line and column, or valid; nothing between.
//!
//! Defaults, then a TOML file, then those of the folder beside it, then the environment
//! (`PLATEN_SECTION__KEY`), then flags. Every key with its default and its reason stands in
//! `config/agent.toml`. What the hub configures comes on top, in `remote.rs`. Secrets are never
//! shown.

pub(crate) mod credential;
mod files;
mod layers;
pub mod mqtt;
mod range;
mod route;
mod secret;
mod show;
pub mod web_access;
pub mod word;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::parts::Settings;
use actors::reach::credential::Credential;
use actors::reach::range::AddressRange;
use actors::reach::snmp::SnmpSettings;
use serde::Deserialize;
use toml::Spanned;

use self::range::parse_ranges;
use self::web_access::WebAccessConfig;
use self::word::SiteWord;
pub use range::Doors;
pub use route::RouteConfig;

/// The commented sample: every key, its default and its reason.
pub const SAMPLE: &str = include_str!("../../config/agent.toml");
/// Where the configuration is looked for unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/platen/agent.toml";
/// Where the state is kept unless told otherwise.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/platen";

/// The credential that is there without being configured: what printers leave the factory with.
pub(crate) const BUILT_IN_CREDENTIAL: &str = "public";
/// Longest period that can be set: a week. Longer, and a printer's month has no readings.
pub(crate) const PERIOD_SECS_MAX: u64 = 7 * 86_400;
/// The first reading of a found device comes within this share of the period, at most 10 s.
pub(crate) const FIRST_READ_SHARE: u32 = 10;

/// A configuration that can be run.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// What the agent is called at enrollment.
    pub name: String,
    /// Where its state is kept.
    pub state_dir: PathBuf,
    /// Where vendor profiles are that replace ours of the same name.
    pub profiles_dir: Option<PathBuf>,
    /// What the spool is sealed with, if not with the key in the state folder.
    pub spool_key_file: Option<PathBuf>,
    /// Where the hub is, if the configuration says so; else the enrollment does.
    pub hub_url: Option<String>,
    /// How to get there.
    pub route: RouteConfig,
    /// Where printers are.
    pub ranges: Vec<RangeConfig>,
    /// Periods and deadlines of the actors.
    pub settings: Settings,
    /// How SNMP is spoken.
    pub snmp: SnmpSettings,
    /// The SNMP port of the printers.
    pub snmp_port: u16,
    /// Every credential by its name, also those that no range names.
    pub credentials: BTreeMap<String, Credential>,
    /// How commands reach this agent.
    pub mqtt: mqtt::MqttConfig,
    /// How much is logged, and in what form.
    pub log: LogConfig,
    /// Whether and how a hub may reach the printers' own pages.
    pub web_access: WebAccessConfig,
    /// What the site keeps to itself: no hub can change it.
    pub word: SiteWord,
    /// Where each value comes from.
    origins: layers::Origins,
}

/// One subnet.
#[derive(Debug, Clone)]
pub struct RangeConfig {
    /// Its name.
    pub label: String,
    /// What is contacted.
    pub addresses: Vec<AddressRange>,
    /// What of it is not.
    pub exclude: Vec<AddressRange>,
    /// Names and credentials, tried in this order.
    pub credentials: Vec<(String, Credential)>,
    /// Ports that sessions with web pages may reach.
    pub web_ports: Vec<u16>,
    /// Doors beside SNMP by which its printers are read: none unless the site opens them.
    pub doors: Doors,
}

/// How much is logged, and in what form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogConfig {
    /// The least important line that is logged.
    pub level: Level,
    /// The form of a line.
    pub format: LogFormat,
}

/// Importance of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A person must act.
    Error,
    /// It will be retried.
    Warn,
    /// A state changed.
    #[default]
    Info,
    /// Each exchange.
    Debug,
    /// Everything.
    Trace,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON, one object a line.
    Json,
}

/// A configuration that cannot be run, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// `file:line:column`, or the environment's variable.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to write instead; empty where nothing is near.
    pub hint: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.hint)
        }
    }
}

impl std::error::Error for ConfigError {}

impl AgentConfig {
    /// Reads the configuration from a file, the `.toml` files in the folder beside it
    /// (`agent.d` beside `agent.toml`) by their names, an environment, and flags (`KEY=VALUE`).
    ///
    /// Without a path the usual file is read if it exists, else there are only defaults.
    ///
    /// # Errors
    /// [`ConfigError`] says where and what; nothing can be run then.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[String],
    ) -> Result<Self, ConfigError> {
        let usual = Path::new(DEFAULT_PATH);
        let (path, text) = match path {
            None if !usual.exists() => (usual, String::new()),
            None => (usual, files::read(usual)?),
            Some(path) => (path, files::read(path)?),
        };
        let files = files::layers(path, text)?;
        Self::layered(&files, environment, flags)
    }

    /// Reads the configuration from a text; `origin` names it in errors.
    ///
    /// # Errors
    /// As [`AgentConfig::load`].
    pub fn parse(
        origin: &str,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (origin, text) = (origin.to_owned(), text.to_owned());
        Self::layered(&[layers::Layer { origin, text }], environment, &[])
    }

    fn layered(
        files: &[layers::Layer],
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[String],
    ) -> Result<Self, ConfigError> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let (raw, places) = layers::read(files, environment.clone(), flags)?;
        let route = route::check(&raw.hub, &environment, &places)?;
        Ok(Self {
            route,
            ..check(raw, &places)?
        })
    }

    /// The configuration as it is in effect, as TOML, secrets as `***`.
    #[must_use]
    pub fn show(&self) -> String {
        show::show(self)
    }

    /// Every value that is in effect with where it comes from, a line each. `by_hub` names where
    /// those come from that the hub changed, by their section or key.
    #[must_use]
    pub fn show_origins(&self, by_hub: &BTreeMap<String, String>) -> String {
        show::origins(self, by_hub)
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Raw {
    name: Option<String>,
    state_dir: Option<PathBuf>,
    profiles_dir: Option<PathBuf>,
    state: RawState,
    hub: RawHub,
    ranges: Vec<range::RawRange>,
    credentials: BTreeMap<String, credential::RawCredential>,
    schedule: RawSchedule,
    snmp: RawSnmp,
    mqtt: mqtt::RawMqtt,
    log: RawLog,
    lock: Option<Vec<Spanned<String>>>,
    site: word::RawSite,
    masks: word::RawMasks,
    outbox: word::RawOutbox,
    web_access: web_access::RawWebAccess,
    tunnel: web_access::RawTunnel,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawState {
    key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawHub {
    url: Option<Spanned<String>>,
    poll_secs: Option<Spanned<u64>>,
    proxy: Option<Spanned<String>>,
    proxy_password_file: Option<Spanned<PathBuf>>,
    no_proxy: Vec<String>,
    intercept_ca_file: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSchedule {
    read_secs: Option<Spanned<u64>>,
    status_secs: Option<Spanned<u64>>,
    discover_secs: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSnmp {
    port: Option<Spanned<u64>>,
    timeout_ms: Option<Spanned<u64>>,
    retries: Option<Spanned<u64>>,
    in_flight: Option<Spanned<u64>>,
    packets_per_second: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    level: Level,
    format: LogFormat,
}

/// Where values stand, for errors.
pub(crate) use layers::Places;

/// Makes what is written valid, or says where it is not.
fn check(raw: Raw, places: &Places) -> Result<AgentConfig, ConfigError> {
    let credentials = credential::check(raw.credentials, places)?;
    let web_access = web_access::check(raw.web_access, raw.tunnel, places)?;
    let mut ranges: Vec<RangeConfig> = Vec::with_capacity(raw.ranges.len());
    for (position, range) in (1..).zip(raw.ranges) {
        let around = (&credentials, web_access.ports.as_slice());
        let range = range::check(position, range, around, &ranges, places)?;
        ranges.push(range);
    }
    let defaults = Settings::default();
    let period = |value: Option<Spanned<u64>>, default: Duration| {
        let secs = bounded(value, default.as_secs(), 1, PERIOD_SECS_MAX, places)?;
        Ok::<_, ConfigError>(Duration::from_secs(secs))
    };
    let snmp = SnmpSettings::default();
    let pace = u64::from(snmp.packets_per_second_max);
    let pace = bounded(raw.snmp.packets_per_second, pace, 1, 100_000, places)?;
    let pace = u32::try_from(pace).unwrap_or(u32::MAX);
    let retries = bounded(raw.snmp.retries, u64::from(snmp.retries), 0, 10, places)?;
    let in_flight = u64::try_from(snmp.in_flight_max).unwrap_or(u64::MAX);
    let in_flight = bounded(raw.snmp.in_flight, in_flight, 1, 4096, places)?;
    let timeout = u64::try_from(snmp.timeout.as_millis()).unwrap_or(u64::MAX);
    let timeout = bounded(raw.snmp.timeout_ms, timeout, 10, 60_000, places)?;
    let port = bounded(raw.snmp.port, 161, 1, 65_535, places)?;
    let read_every = period(raw.schedule.read_secs, defaults.read_every)?;
    Ok(AgentConfig {
        name: raw.name.unwrap_or_else(host_name),
        state_dir: raw.state_dir.unwrap_or_else(|| DEFAULT_STATE_DIR.into()),
        profiles_dir: raw.profiles_dir,
        spool_key_file: raw.state.key_file,
        hub_url: raw
            .hub
            .url
            .map(|url| route::check_url(url, places))
            .transpose()?,
        route: RouteConfig::default(),
        ranges,
        settings: Settings {
            read_every,
            status_every: period(raw.schedule.status_secs, defaults.status_every)?,
            discover_every: period(raw.schedule.discover_secs, defaults.discover_every)?,
            poll_every: period(raw.hub.poll_secs, defaults.poll_every)?,
            first_read_within: defaults
                .first_read_within
                .min(read_every / FIRST_READ_SHARE),
            packets_per_second: pace,
            ..defaults
        },
        snmp: SnmpSettings {
            timeout: Duration::from_millis(timeout),
            retries: u32::try_from(retries).unwrap_or(u32::MAX),
            in_flight_max: usize::try_from(in_flight).unwrap_or(usize::MAX),
            packets_per_second_max: pace,
        },
        snmp_port: u16::try_from(port).unwrap_or(u16::MAX),
        credentials,
        web_access,
        word: word::check((raw.lock, raw.site), raw.masks, raw.outbox, places)?,
        origins: places.origins().clone(),
        mqtt: raw.mqtt.check(places)?,
        log: LogConfig {
            level: raw.log.level,
            format: raw.log.format,
        },
    })
}

/// A number within its bounds, or its default.
fn bounded(
    value: Option<Spanned<u64>>,
    default: u64,
    min: u64,
    max: u64,
    places: &Places,
) -> Result<u64, ConfigError> {
    let Some(value) = value else {
        return Ok(default);
    };
    if (min..=max).contains(value.as_ref()) {
        return Ok(value.into_inner());
    }
    let what = format!("{} cannot stand here", value.as_ref());
    Err(places.error(&value, what, format!("write a number from {min} to {max}")))
}

/// The name of this machine.
fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "agent".to_owned())
}

#[cfg(test)]
mod tests;
