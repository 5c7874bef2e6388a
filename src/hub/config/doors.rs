//! What is configured of the portal over https and of MQTT: names, addresses, another broker.
//!
//! One name and one port serve everything by default. A door with names of its own answers by
//! those alone, and one with an address of its own is not on `uplink.listen` any more.

use std::net::SocketAddr;
use std::path::PathBuf;

use dial::Destination;
use serde::Deserialize;

use super::{ConfigError, checked_names};

/// Port of MQTT over TLS (IANA).
const MQTTS_PORT: u16 = 8883;

/// Port of HTTPS (IANA).
const HTTPS_PORT: u16 = 443;

/// The portal over https, and MQTT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoorsConfig {
    /// By which names browsers reach the portal; none: by those of the uplink.
    pub portal_names: Vec<String>,
    /// Where browsers are listened for, if not on `uplink.listen`.
    pub portal_https_listen: Option<SocketAddr>,
    /// Certificate and key that browsers see, PEM files, if not the hub's own.
    pub portal_certificate: Option<(PathBuf, PathBuf)>,
    /// By which names agents reach MQTT; none: by those of the uplink.
    pub mqtt_names: Vec<String>,
    /// Where MQTT over TLS is listened for; `None`: nowhere.
    pub mqtt_listen: Option<SocketAddr>,
    /// Where MQTT over WebSocket is listened for, if not on `uplink.listen`.
    pub mqtt_websocket_listen: Option<SocketAddr>,
    /// The broker that is used in place of the hub's own.
    pub broker: Option<BrokerConfig>,
}

/// A broker that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Where it is.
    pub to: Destination,
    /// The roots that are believed there, a PEM file; none: the hub's own authority.
    pub ca_file: Option<PathBuf>,
    /// The hub's certificate and key there, PEM files; none: one that the hub's authority signs.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The hub's user name and the file of its password.
    pub login: Option<(String, PathBuf)>,
}

/// `[portal]` as it is written, but for `listen`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPortal {
    pub(super) listen: Option<String>,
    names: Option<Vec<String>>,
    https_listen: Option<String>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

/// `[mqtt]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMqtt {
    listen: Option<String>,
    names: Option<Vec<String>>,
    websocket_listen: Option<String>,
    broker: Option<String>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
}

impl RawPortal {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            names: self.names.or(other.names),
            https_listen: self.https_listen.or(other.https_listen),
            certificate_file: self.certificate_file.or(other.certificate_file),
            key_file: self.key_file.or(other.key_file),
        }
    }
}

impl RawMqtt {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            names: self.names.or(other.names),
            websocket_listen: self.websocket_listen.or(other.websocket_listen),
            broker: self.broker.or(other.broker),
            ca_file: self.ca_file.or(other.ca_file),
            certificate_file: self.certificate_file.or(other.certificate_file),
            key_file: self.key_file.or(other.key_file),
            user: self.user.or(other.user),
            password_file: self.password_file.or(other.password_file),
        }
    }
}

impl DoorsConfig {
    /// Checks what is written. `uplink` is where agents are listened for, and `names` by which.
    pub(super) fn check(
        portal: RawPortal,
        mqtt: RawMqtt,
        uplink: SocketAddr,
        names: &[String],
    ) -> Result<Self, ConfigError> {
        let portal_names = checked_names("portal.names", portal.names.unwrap_or_default())?;
        let mqtt_names = checked_names("mqtt.names", mqtt.names.clone().unwrap_or_default())?;
        let files = ("portal.certificate_file", "portal.key_file");
        let portal_certificate = pair(portal.certificate_file, portal.key_file, files)?;
        let is_shared = |name: &String| names.contains(name) || mqtt_names.contains(name);
        if portal_certificate.is_some()
            && (portal_names.is_empty() || portal_names.iter().any(is_shared))
        {
            let message = "agents believe the hub's own certificate only; give the portal names \
                           of its own in portal.names"
                .to_owned();
            return Err(ConfigError::Value {
                key: "portal.certificate_file",
                message,
            });
        }
        Ok(Self {
            portal_names,
            portal_https_listen: address("portal.https_listen", portal.https_listen, HTTPS_PORT)?,
            portal_certificate,
            mqtt_names,
            mqtt_listen: mqtt_listen(mqtt.listen.as_deref(), uplink)?,
            mqtt_websocket_listen: address(
                "mqtt.websocket_listen",
                mqtt.websocket_listen.clone(),
                HTTPS_PORT,
            )?,
            broker: broker(mqtt)?,
        })
    }

    /// Every name that stands here.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.portal_names.iter().chain(&self.mqtt_names)
    }
}

/// A trial on one machine needs no second port: its agents come over the first.
fn mqtt_listen(text: Option<&str>, uplink: SocketAddr) -> Result<Option<SocketAddr>, ConfigError> {
    match text {
        None if uplink.ip().is_loopback() => Ok(None),
        None => Ok(Some(SocketAddr::new(uplink.ip(), MQTTS_PORT))),
        Some("off") => Ok(None),
        Some(text) => address("mqtt.listen", Some(text.to_owned()), MQTTS_PORT),
    }
}

pub(super) fn address(
    key: &'static str,
    text: Option<String>,
    usual_port: u16,
) -> Result<Option<SocketAddr>, ConfigError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| ConfigError::Value {
        key,
        message: format!("'{text}' is no ADDRESS:PORT such as 0.0.0.0:{usual_port}"),
    })
}

/// Both, or neither.
pub(super) fn pair<A, B>(
    one: Option<A>,
    other: Option<B>,
    (key, other_key): (&'static str, &'static str),
) -> Result<Option<(A, B)>, ConfigError> {
    let alone = |key, missing| ConfigError::Value {
        key,
        message: format!("needs {missing} beside it"),
    };
    match (one, other) {
        (None, None) => Ok(None),
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (Some(_), None) => Err(alone(key, other_key)),
        (None, Some(_)) => Err(alone(other_key, key)),
    }
}

fn broker(mqtt: RawMqtt) -> Result<Option<BrokerConfig>, ConfigError> {
    let files = ("mqtt.certificate_file", "mqtt.key_file");
    let certificate = pair(mqtt.certificate_file, mqtt.key_file, files)?;
    let words = ("mqtt.user", "mqtt.password_file");
    let login = pair(mqtt.user, mqtt.password_file, words)?;
    let Some(url) = mqtt.broker.filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    let wrong = || ConfigError::Value {
        key: "mqtt.broker",
        message: format!("'{url}' is no mqtts://HOST:PORT; a broker is reached over TLS only"),
    };
    let place = url.strip_prefix("mqtts://").ok_or_else(wrong)?;
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (place, MQTTS_PORT),
    };
    Ok(Some(BrokerConfig {
        to: Destination::new(host, port).map_err(|_| wrong())?,
        ca_file: mqtt.ca_file,
        certificate,
        login,
    }))
}

#[cfg(test)]
mod tests {
    use crate::config::HubConfig;

    fn parse(text: &str) -> Result<HubConfig, String> {
        HubConfig::parse("hub.toml", text, std::iter::empty()).map_err(|error| error.to_string())
    }

    #[test]
    fn mqtt_listens_beside_the_uplink_unless_that_is_a_trial() {
        let listen = |text| parse(text).unwrap().doors.mqtt_listen;
        let usual = listen("[uplink]\nlisten = \"10.0.0.1:443\"\n");
        assert_eq!(usual, Some("10.0.0.1:8883".parse().unwrap()));
        assert_eq!(listen("[uplink]\nlisten = \"127.0.0.1:0\"\n"), None);
        assert_eq!(listen("[mqtt]\nlisten = \"off\"\n"), None);
    }

    #[test]
    fn a_certificate_for_browsers_is_not_shown_to_agents() {
        let files = "certificate_file = \"/c\"\nkey_file = \"/k\"\n";
        let shared = parse(&format!("[portal]\n{files}")).unwrap_err();
        assert!(shared.contains("portal.names"), "{shared}");
        let apart = parse(&format!("[portal]\nnames = [\"hub.example.org\"]\n{files}"));
        assert!(apart.unwrap().doors.portal_certificate.is_some());
        let half = parse("[portal]\ncertificate_file = \"/c\"\n").unwrap_err();
        assert!(half.contains("needs portal.key_file"), "{half}");
    }

    #[test]
    fn a_broker_is_reached_over_tls_only() {
        let to = |url: &str| {
            let config = parse(&format!("[mqtt]\nbroker = \"{url}\"\n"))?;
            Ok::<_, String>(config.doors.broker.unwrap().to.to_string())
        };
        assert_eq!(
            to("mqtts://broker.example.org").unwrap(),
            "broker.example.org:8883"
        );
        assert_eq!(to("mqtts://[::1]:1883").unwrap(), "[::1]:1883");
        for url in [
            "mqtt://broker:1883",
            "broker",
            "mqtts://",
            "mqtts://a b",
            "mqtts://a:x",
        ] {
            assert!(to(url).unwrap_err().contains("mqtts://HOST:PORT"), "{url}");
        }
    }
}
