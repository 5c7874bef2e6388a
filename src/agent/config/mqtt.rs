//! `[mqtt]`: how commands reach this agent.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::mqtt::{Destination, MqttDialect, MqttLink, MqttTransport, TOKEN_LIFE_MAX, Version};
use actors::reach::credential::Secret;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::secret::secret_from;
use super::{ConfigError, Places, bounded};

/// Port of MQTT over WebSocket, where the hub's address names none, and of MQTT over TLS (IANA).
const HTTPS_PORT: u16 = 443;
const MQTTS_PORT: u16 = 8883;
/// Shortest and longest keep-alive, in seconds: less is traffic for nothing, more is refused by
/// Azure IoT Hub (1177 s) and outlives what routers remember.
const KEEP_ALIVE_SECS: (u64, u64) = (10, 1_100);
/// The usual keep-alive, in seconds.
const KEEP_ALIVE_SECS_DEFAULT: u64 = 60;
/// Shortest life of a password, in seconds: it is renewed at three quarters.
const TOKEN_SECS_MIN: u64 = 60;

/// How commands reach this agent.
#[derive(Debug, Clone)]
pub struct MqttConfig {
    /// Whose conventions are followed.
    pub dialect: MqttDialect,
    /// What carries it.
    pub transport: MqttTransport,
    /// The broker's host; none: the hub's.
    pub host: Option<String>,
    /// The broker's port; none: the usual one.
    pub port: Option<u16>,
    /// The roots that are believed there, a PEM file; none: the hub's own.
    pub ca_file: Option<PathBuf>,
    /// Which MQTT is spoken.
    pub version: Version,
    /// How long a silence may last.
    pub keep_alive: Duration,
    /// What stands in `[mqtt.azure]`, for showing.
    azure: Table,
}

/// `[mqtt]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMqtt {
    dialect: RawDialect,
    transport: RawTransport,
    host: Option<Spanned<String>>,
    port: Option<Spanned<u64>>,
    ca_file: Option<PathBuf>,
    version: RawVersion,
    keep_alive_secs: Option<Spanned<u64>>,
    azure: RawAzure,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAzure {
    device_id: Option<Spanned<String>>,
    key_file: Option<Spanned<PathBuf>>,
    token_secs: Option<Spanned<u64>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawDialect {
    #[default]
    Plain,
    Azure,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawTransport {
    #[default]
    Wss,
    Tls,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
enum RawVersion {
    #[default]
    #[serde(rename = "5")]
    V5,
    #[serde(rename = "3.1.1")]
    V311,
}

impl RawMqtt {
    /// Makes it valid, or says where it is not.
    pub(super) fn check(self, places: &Places) -> Result<MqttConfig, ConfigError> {
        let is_azure = self.dialect == RawDialect::Azure;
        if is_azure && self.host.is_none() {
            let what = "mqtt.dialect is azure, and there is no mqtt.host".to_owned();
            return Err(places.missing(what, "write host = \"NAME.azure-devices.net\""));
        }
        if let Some(host) = &self.host
            && Destination::new(host.as_ref(), HTTPS_PORT).is_err()
        {
            let what = format!("'{}' is neither a host name nor an address", host.as_ref());
            return Err(places.error(host, what, "write the broker's host alone, without a port"));
        }
        let port = match self.port {
            None => None,
            Some(port) => u16::try_from(bounded(Some(port), 0, 1, 65_535, places)?).ok(),
        };
        let (min, max) = KEEP_ALIVE_SECS;
        let keep_alive = self.keep_alive_secs;
        let keep_alive = bounded(keep_alive, KEEP_ALIVE_SECS_DEFAULT, min, max, places)?;
        let (azure, dialect) = self.azure.check(is_azure, places)?;
        Ok(MqttConfig {
            dialect,
            transport: match self.transport {
                RawTransport::Wss => MqttTransport::Wss,
                RawTransport::Tls => MqttTransport::Tls,
            },
            host: self.host.map(Spanned::into_inner),
            port,
            ca_file: self.ca_file,
            version: match self.version {
                RawVersion::V5 if is_azure => Version::V311,
                RawVersion::V5 => Version::V5,
                RawVersion::V311 => Version::V311,
            },
            keep_alive: Duration::from_secs(keep_alive),
            azure,
        })
    }
}

impl RawAzure {
    fn check(self, is_azure: bool, places: &Places) -> Result<(Table, MqttDialect), ConfigError> {
        let mut shown = Table::new();
        let mut show = |key: &str, value: Value| shown.insert(key.to_owned(), value);
        if let Some(device_id) = &self.device_id {
            show("device_id", device_id.as_ref().clone().into());
        }
        if let Some(key_file) = &self.key_file {
            show("key_file", key_file.as_ref().display().to_string().into());
        }
        let max = TOKEN_LIFE_MAX.as_secs();
        let secs = bounded(self.token_secs, max, TOKEN_SECS_MIN, max, places)?;
        show("token_secs", i64::try_from(secs).unwrap_or(i64::MAX).into());
        if !is_azure {
            return Ok((shown, MqttDialect::Plain));
        }
        let key: Option<Secret> = match &self.key_file {
            None => None,
            Some(file) => Some(secret_from(file, places)?),
        };
        let dialect = MqttDialect::Azure {
            device_id: self.device_id.map(Spanned::into_inner),
            key,
            token_life: Duration::from_secs(secs),
        };
        Ok((shown, dialect))
    }
}

impl MqttConfig {
    /// What the life is given: where the broker of this hub is, and how it is spoken to.
    ///
    /// # Errors
    /// Words, where there is no broker to be found or its roots cannot be read.
    pub fn link(&self, hub_url: &str, state_dir: &Path) -> Result<MqttLink, String> {
        let place = hub_url.strip_prefix("https://").unwrap_or(hub_url);
        let (hub_host, hub_port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (place, None),
        };
        let host = self.host.as_deref().unwrap_or(hub_host);
        let usual = match self.transport {
            MqttTransport::Wss if self.host.is_none() => hub_port.unwrap_or(HTTPS_PORT),
            MqttTransport::Wss => HTTPS_PORT,
            MqttTransport::Tls => MQTTS_PORT,
        };
        let broker = Destination::new(host, self.port.unwrap_or(usual));
        let broker = broker.map_err(|error| error.to_string())?;
        let authority_pem = match &self.ca_file {
            None => None,
            Some(path) => Some(fs::read_to_string(path).map_err(|error| {
                format!("mqtt.ca_file: {} cannot be read: {error}", path.display())
            })?),
        };
        Ok(MqttLink {
            dialect: self.dialect.clone(),
            transport: self.transport,
            broker,
            authority_pem,
            version: self.version,
            keep_alive: self.keep_alive,
            folder: state_dir.to_owned(),
        })
    }

    /// The section as it is in effect, without secrets.
    pub(super) fn show(&self) -> Table {
        let mut shown = Table::new();
        let mut show = |key: &str, value: Value| shown.insert(key.to_owned(), value);
        let dialect = match self.dialect {
            MqttDialect::Plain => "plain",
            MqttDialect::Azure { .. } => "azure",
        };
        show("dialect", dialect.into());
        let transport = match self.transport {
            MqttTransport::Wss => "wss",
            MqttTransport::Tls => "tls",
        };
        show("transport", transport.into());
        if let Some(host) = &self.host {
            show("host", host.clone().into());
        }
        if let Some(port) = self.port {
            show("port", i64::from(port).into());
        }
        if let Some(path) = &self.ca_file {
            show("ca_file", path.display().to_string().into());
        }
        let version = match self.version {
            Version::V5 => "5",
            Version::V311 => "3.1.1",
        };
        show("version", version.into());
        let secs = i64::try_from(self.keep_alive.as_secs()).unwrap_or(i64::MAX);
        show("keep_alive_secs", secs.into());
        show("azure", self.azure.clone().into());
        shown
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use actors::mqtt::{MqttDialect, Version};

    use crate::config::AgentConfig;

    fn parse(text: &str) -> Result<AgentConfig, String> {
        AgentConfig::parse("agent.toml", text, []).map_err(|error| error.to_string())
    }

    fn broker(text: &str, hub_url: &str) -> String {
        let link = parse(text).unwrap().mqtt.link(hub_url, Path::new("/"));
        link.unwrap().broker.to_string()
    }

    #[test]
    fn the_broker_is_the_hub_unless_it_is_named() {
        let url = "https://hub.example.org:8443";
        assert_eq!(broker("", url), "hub.example.org:8443");
        assert_eq!(broker("", "https://[::1]"), "[::1]:443");
        let tls = "[mqtt]\ntransport = \"tls\"\n";
        assert_eq!(broker(tls, url), "hub.example.org:8883");
        let named = "[mqtt]\nhost = \"mqtt.example.org\"\n";
        assert_eq!(broker(named, url), "mqtt.example.org:443");
        assert_eq!(
            broker(&format!("{named}port = 9443\n"), url),
            "mqtt.example.org:9443"
        );
    }

    #[test]
    fn azure_needs_a_host_and_speaks_3_1_1() {
        let alone = parse("[mqtt]\ndialect = \"azure\"\n").unwrap_err();
        assert!(alone.contains("mqtt.host"), "{alone}");
        let named = "[mqtt]\ndialect = \"azure\"\nhost = \"x.azure-devices.net\"\n";
        let config = parse(named).unwrap().mqtt;
        assert_eq!(config.version, Version::V311);
        assert!(matches!(
            config.dialect,
            MqttDialect::Azure { key: None, .. }
        ));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (text, says) in [
            ("[mqtt]\nhost = \"a b\"\n", "agent.toml:2:8"),
            ("[mqtt]\nport = 0\n", "from 1 to 65535"),
            ("[mqtt]\nkeep_alive_secs = 1\n", "from 10 to 1100"),
            ("[mqtt.azure]\ntoken_secs = 7200\n", "from 60 to 3600"),
            ("[mqtt]\nversion = \"4\"\n", "agent.toml:2:11"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
