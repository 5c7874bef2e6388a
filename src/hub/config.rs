//! The hub's configuration: refused with line and column, or valid; nothing between.
//!
//! A TOML file, then the environment over it (`PLATEN_HUB_SECTION__KEY`), then checks. Every key
//! with its default and reason stands in config/hub.toml; `platen-hub config default` prints it.

mod doors;
mod gateway;
mod web;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::ServerName;
use serde::Deserialize;

use self::doors::{RawMqtt, RawPortal};
use self::gateway::RawGateway;
use self::web::RawWebAccess;

pub use self::doors::{BrokerConfig, DoorsConfig};
pub use self::gateway::{GatewayConfig, SshdConfig};
pub use self::web::WebConfig;

/// config/hub.toml: every key, its default, its reason.
pub const SAMPLE: &str = include_str!("../../config/hub.toml");

/// What the environment's keys begin with.
pub const ENV_PREFIX: &str = "PLATEN_HUB_";

/// How far a key may be from a known one to be offered in its place (Jaro-Winkler, 0 to 1).
const NEAREST_MIN: f64 = 0.7;

/// Shortest and longest time between two polls, in seconds.
const POLL_SECS: std::ops::RangeInclusive<u32> = 1..=3_600;

/// What may be logged.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// What a hub is run with. Made from [`Raw`] only, so it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubConfig {
    /// Where the hub keeps its keys, and its readings on SQLite.
    pub state_dir: PathBuf,
    /// Where the readings are kept: `sqlite:FILE` or `postgres://…`.
    pub store_url: String,
    /// Where agents are listened for.
    pub uplink_listen: SocketAddr,
    /// What agents call the hub: the names and addresses in its certificate. Never empty.
    pub names: Vec<String>,
    /// The port agents call, where it is not the one listened on.
    pub public_port: Option<u16>,
    /// How often an agent polls.
    pub poll_every: Duration,
    /// Whether an agent polls as soon as something new is in its spool.
    pub report_at_once: bool,
    /// Whether a person compares an agent's key before it is let in, unless an invitation says so.
    pub approval: bool,
    /// Where the portal is listened for without TLS: a loopback address.
    pub portal_listen: SocketAddr,
    /// The portal over https, and MQTT.
    pub doors: DoorsConfig,
    /// Printers' pages.
    pub web: WebConfig,
    /// Where agents come over SSH.
    pub gateway: GatewayConfig,
    /// What is logged (`info`, or a filter of tracing-subscriber).
    pub log_level: String,
    /// How a log line looks.
    pub log_format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why a configuration is refused. The message says where, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or a key or its type is wrong.
    #[error("{place}: {message}")]
    Wrong {
        /// `file:line:column`, or the name of the variable.
        place: String,
        /// What is wrong, with the nearest key if one is unknown.
        message: String,
    },
    /// A value cannot be.
    #[error("{key}: {message}")]
    Value {
        /// `section.key`.
        key: &'static str,
        /// What is wrong, and what may stand there.
        message: String,
    },
}

/// The configuration as it is written: every key may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    state_dir: Option<PathBuf>,
    #[serde(default)]
    store: RawStore,
    #[serde(default)]
    uplink: RawUplink,
    #[serde(default)]
    enrollment: RawEnrollment,
    #[serde(default)]
    portal: RawPortal,
    #[serde(default)]
    mqtt: RawMqtt,
    #[serde(default)]
    web_access: RawWebAccess,
    gateway: RawGateway,
    #[serde(default)]
    log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUplink {
    listen: Option<String>,
    names: Option<Vec<String>>,
    public_port: Option<u16>,
    poll_secs: Option<u32>,
    report_at_once: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnrollment {
    approval: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    level: Option<String>,
    format: Option<LogFormat>,
}

impl HubConfig {
    /// Reads the file, if there is one to read, and the environment over it.
    ///
    /// `environment` are all variables; those without [`ENV_PREFIX`] are not looked at.
    ///
    /// # Errors
    /// [`ConfigError`], for a person to read.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                    path: path.to_owned(),
                    source,
                })?
            }
        };
        let name = file.map_or_else(String::new, |path| path.display().to_string());
        Self::parse(&name, &text, environment)
    }

    /// As [`Self::load`], with the file's name and text given.
    ///
    /// # Errors
    /// [`ConfigError`], for a person to read.
    pub fn parse(
        name: &str,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| in_file(name, text, &error))?;
        let raw = environment
            .filter(|(variable, _)| variable.starts_with(ENV_PREFIX))
            .try_fold(raw, |raw, (variable, value)| {
                overlay(raw, &variable, &value)
            })?;
        Self::try_from(raw)
    }

    /// The portal's address for browsers on other machines; none on a trial. `bound` is where it
    /// listens for them.
    #[must_use]
    pub fn portal_url(&self, bound: SocketAddr) -> Option<String> {
        let names = [&self.doors.portal_names, &self.names];
        let name = names.into_iter().find_map(|names| names.first())?;
        let is_local = name == "localhost" || name.starts_with("127.");
        let port = match self.doors.portal_https_listen {
            Some(_) => bound.port(),
            None => self.public_port.unwrap_or_else(|| bound.port()),
        };
        (!is_local).then(|| url(name, port))
    }

    /// The address of this hub as agents are told it. `bound` is where the uplink listens.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> String {
        let name = self.names.first().map_or("localhost", String::as_str);
        let port = self.public_port.unwrap_or_else(|| bound.port());
        url(name, port)
    }
}

impl TryFrom<Raw> for HubConfig {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let poll_secs = raw.uplink.poll_secs.unwrap_or(300);
        if !POLL_SECS.contains(&poll_secs) {
            let message = format!(
                "{poll_secs} is not from {} to {}",
                POLL_SECS.start(),
                POLL_SECS.end()
            );
            return Err(ConfigError::Value {
                key: "uplink.poll_secs",
                message,
            });
        }
        let uplink_listen = listen(
            "uplink.listen",
            raw.uplink.listen,
            (Ipv4Addr::UNSPECIFIED, 443),
        )?;
        let names = names(raw.uplink.names)?;
        let portal_listen = listen(
            "portal.listen",
            raw.portal.listen.clone(),
            (Ipv4Addr::LOCALHOST, 8080),
        )?;
        let doors = DoorsConfig::check(raw.portal, raw.mqtt, uplink_listen, &names)?;
        let every_name: Vec<_> = names.iter().chain(doors.names()).collect();
        Ok(Self {
            web: WebConfig::check(raw.web_access, &every_name)?,
            state_dir: raw
                .state_dir
                .unwrap_or_else(|| PathBuf::from("/var/lib/platen-hub")),
            store_url: raw.store.url.unwrap_or_else(|| "sqlite:hub.db".to_owned()),
            doors,
            gateway: GatewayConfig::check(raw.gateway, uplink_listen)?,
            uplink_listen,
            names,
            public_port: raw.uplink.public_port.filter(|port| *port != 0),
            poll_every: Duration::from_secs(u64::from(poll_secs)),
            report_at_once: raw.uplink.report_at_once.unwrap_or(true),
            approval: raw.enrollment.approval.unwrap_or(false),
            portal_listen: loopback(portal_listen)?,
            log_level: log_level(raw.log.level)?,
            log_format: raw.log.format.unwrap_or(LogFormat::Text),
        })
    }
}

fn url(name: &str, port: u16) -> String {
    match name.parse() {
        Ok(IpAddr::V6(v6)) => format!("https://[{v6}]:{port}"),
        Ok(IpAddr::V4(_)) | Err(_) => format!("https://{name}:{port}"),
    }
}

fn listen(
    key: &'static str,
    text: Option<String>,
    default: (Ipv4Addr, u16),
) -> Result<SocketAddr, ConfigError> {
    let Some(text) = text else {
        return Ok(SocketAddr::from(default));
    };
    text.parse().map_err(|_| {
        let message = format!(
            "'{text}' is no ADDRESS:PORT such as {}:{}",
            default.0, default.1
        );
        ConfigError::Value { key, message }
    })
}

/// This listener has no TLS: only this machine may reach it. Others come to `portal.names`.
fn loopback(address: SocketAddr) -> Result<SocketAddr, ConfigError> {
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let message = format!(
        "{address} can be reached from other machines, and this listener has no TLS; browsers \
         elsewhere use https on uplink.listen; write a loopback address such as 127.0.0.1:{}",
        address.port()
    );
    Err(ConfigError::Value {
        key: "portal.listen",
        message,
    })
}

/// A lone word that is no level would be taken for a part of the program, and silence the rest.
fn log_level(text: Option<String>) -> Result<String, ConfigError> {
    let text = text.unwrap_or_else(|| "info".to_owned());
    let is_known = |part: &str| part.contains('=') || LEVELS.contains(&part.trim());
    if text.split(',').all(is_known) {
        return Ok(text);
    }
    let message = format!("'{text}' is no level; write one of {}", LEVELS.join(", "));
    Err(ConfigError::Value {
        key: "log.level",
        message,
    })
}

fn names(names: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    let Some(names) = names else {
        return Ok(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
    };
    if names.is_empty() {
        return Err(ConfigError::Value {
            key: "uplink.names",
            message: "is empty; write at least one name that agents call".to_owned(),
        });
    }
    checked_names("uplink.names", names)
}

/// Names and addresses as a certificate has them.
fn checked_names(key: &'static str, names: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let mut checked = Vec::with_capacity(names.len());
    for name in names {
        match ServerName::try_from(name.as_str()) {
            Ok(ServerName::IpAddress(address)) => checked.push(IpAddr::from(address).to_string()),
            Ok(ServerName::DnsName(dns)) => checked.push(dns.as_ref().to_ascii_lowercase()),
            Ok(_) | Err(_) => {
                let message = format!("'{name}' is neither a host name nor an address");
                return Err(ConfigError::Value { key, message });
            }
        }
    }
    Ok(checked)
}

/// Puts one variable of the environment over what the file says.
fn overlay(raw: Raw, variable: &str, value: &str) -> Result<Raw, ConfigError> {
    let wrong = |message| ConfigError::Wrong {
        place: variable.to_owned(),
        message,
    };
    let path = variable
        .trim_start_matches(ENV_PREFIX)
        .to_ascii_lowercase()
        .replace("__", ".");
    // A list, number or boolean is written as in TOML; anything else is a text.
    let as_toml = toml::from_str::<Raw>(&format!("{path} = {value}"));
    let quoted = toml::Value::String(value.to_owned());
    let over = as_toml
        .or_else(|_| toml::from_str::<Raw>(&format!("{path} = {quoted}")))
        .map_err(|error| wrong(with_nearest(error.message())))?;
    Ok(Raw {
        state_dir: over.state_dir.or(raw.state_dir),
        store: RawStore {
            url: over.store.url.or(raw.store.url),
        },
        uplink: RawUplink {
            listen: over.uplink.listen.or(raw.uplink.listen),
            names: over.uplink.names.or(raw.uplink.names),
            public_port: over.uplink.public_port.or(raw.uplink.public_port),
            poll_secs: over.uplink.poll_secs.or(raw.uplink.poll_secs),
            report_at_once: over.uplink.report_at_once.or(raw.uplink.report_at_once),
        },
        enrollment: RawEnrollment {
            approval: over.enrollment.approval.or(raw.enrollment.approval),
        },
        portal: over.portal.or(raw.portal),
        mqtt: over.mqtt.or(raw.mqtt),
        web_access: over.web_access.or(raw.web_access),
        gateway: over.gateway.or(raw.gateway),
        log: RawLog {
            level: over.log.level.or(raw.log.level),
            format: over.log.format.or(raw.log.format),
        },
    })
}

fn in_file(name: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count())
        + 1;
    ConfigError::Wrong {
        place: format!("{name}:{line}:{column}"),
        message: with_nearest(error.message()),
    }
}

/// A parser's complaint without the names of its types.
fn in_words(message: &str) -> String {
    let mistaken = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|kind| message.strip_prefix(kind)?.rsplit_once(", expected "));
    if let Some((found, expected)) = mistaken {
        let expected = match expected {
            "u16" => "a whole number from 0 to 65535, without quotes",
            "u32" => "a whole number without quotes",
            "a sequence" => "a list in brackets, as [\"hub.example.org\"]",
            "a string" => "a text in quotes",
            "a boolean" => "true or false, without quotes",
            other => other,
        };
        let found = found
            .replace("floating point", "the number")
            .replace('`', "");
        return format!("{found} cannot stand here; write {expected}");
    }
    match message.strip_prefix("unknown variant ") {
        Some(rest) => rest
            .replace('`', "'")
            .replacen(", expected", " cannot stand here; write", 1),
        None => message.replace('`', "'"),
    }
}

/// Adds the nearest known key to "unknown field `x`, expected one of `a`, `b`".
fn with_nearest(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (Some((unknown, known)), true) =
        (quoted.split_first(), message.starts_with("unknown field"))
    else {
        return in_words(message.trim_end());
    };
    let nearest = known
        .iter()
        .map(|key| (strsim::jaro_winkler(unknown, key), *key))
        .filter(|(likeness, _)| *likeness >= NEAREST_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((_, key)) => format!("there is no key '{unknown}'; did you mean '{key}'?"),
        None => format!(
            "there is no key '{unknown}'; here may stand: {}",
            known.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests;
