//! What is configured of the gateway: where agents come over SSH for a session with a printer's
//! page, or which sshd serves them in its place.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use dial::Destination;
use serde::Deserialize;

use super::doors::address;
use super::{ConfigError, checked_names};

/// Port of SSH (IANA).
const SSH_PORT: u16 = 22;

/// Most ports that the hub gives out at an sshd: one a session.
const PORTS_MAX: usize = 1_024;

/// Longest user name at an sshd, in bytes: Linux has no longer ones.
const USER_LEN_MAX: usize = 32;

/// The gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Where SSH is listened for; `None`: nowhere of its own.
    pub listen: Option<SocketAddr>,
    /// The port people and agents call, where it is not the one listened on.
    pub public_port: Option<u16>,
    /// Whether SSH is also taken on `uplink.listen`, beside TLS.
    pub beside_https: bool,
    /// Whether OpenSSH before 9.9 may come.
    pub older_clients: bool,
    /// The sshd that is used in place of the hub's own gateway.
    pub sshd: Option<SshdConfig>,
}

/// An sshd that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdConfig {
    /// Where agents dial it.
    pub at: Destination,
    /// As whom they log in.
    pub user: String,
    /// Its host key, the public half: a line of OpenSSH.
    pub host_key_file: PathBuf,
    /// The ports it lets them listen on, one a session.
    pub ports: RangeInclusive<u16>,
    /// Where the hub reaches those ports.
    pub reach: String,
}

/// `[gateway]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
    listen: Option<String>,
    public_port: Option<u16>,
    beside_https: Option<bool>,
    older_clients: Option<bool>,
    sshd: Option<String>,
    sshd_user: Option<String>,
    sshd_host_key_file: Option<PathBuf>,
    sshd_ports: Option<String>,
    sshd_reach: Option<String>,
}

impl RawGateway {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            public_port: self.public_port.or(other.public_port),
            beside_https: self.beside_https.or(other.beside_https),
            older_clients: self.older_clients.or(other.older_clients),
            sshd: self.sshd.or(other.sshd),
            sshd_user: self.sshd_user.or(other.sshd_user),
            sshd_host_key_file: self.sshd_host_key_file.or(other.sshd_host_key_file),
            sshd_ports: self.sshd_ports.or(other.sshd_ports),
            sshd_reach: self.sshd_reach.or(other.sshd_reach),
        }
    }
}

impl GatewayConfig {
    /// Checks what is written. `uplink` is where agents are listened for.
    pub(super) fn check(raw: RawGateway, uplink: SocketAddr) -> Result<Self, ConfigError> {
        // A trial on one machine needs no second port, and that machine may have an sshd.
        let listen = match raw.listen.as_deref() {
            None if uplink.ip().is_loopback() => None,
            None => Some(SocketAddr::new(uplink.ip(), SSH_PORT)),
            Some("off") => None,
            Some(text) => address("gateway.listen", Some(text.to_owned()), SSH_PORT)?,
        };
        Ok(Self {
            listen,
            public_port: raw.public_port.filter(|port| *port != 0),
            beside_https: raw.beside_https.unwrap_or(true),
            older_clients: raw.older_clients.unwrap_or(false),
            sshd: sshd(raw)?,
        })
    }
}

fn sshd(raw: RawGateway) -> Result<Option<SshdConfig>, ConfigError> {
    let wrong = |key, message| ConfigError::Value { key, message };
    let Some(place) = raw.sshd.filter(|place| !place.is_empty()) else {
        return Ok(None);
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (place.as_str(), Some(SSH_PORT)),
    };
    let at = port.and_then(|port| Destination::new(host, port).ok());
    let at = at.ok_or_else(|| {
        let message = format!("'{place}' is no HOST:PORT such as ssh.example.org:{SSH_PORT}");
        wrong("gateway.sshd", message)
    })?;
    let user = raw.sshd_user.unwrap_or_else(|| "platen".to_owned());
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if user.is_empty() || user.len() > USER_LEN_MAX || !user.bytes().all(is_sign) {
        let message = format!("'{user}' is no user name of the sshd's machine");
        return Err(wrong("gateway.sshd_user", message));
    }
    let host_key_file = raw.sshd_host_key_file.ok_or_else(|| {
        let message = "is missing; write the file of the sshd's public host key, such as \
                       /etc/ssh/ssh_host_ed25519_key.pub"
            .to_owned();
        wrong("gateway.sshd_host_key_file", message)
    })?;
    let reach = raw.sshd_reach.unwrap_or_else(|| "127.0.0.1".to_owned());
    let reach = checked_names("gateway.sshd_reach", vec![reach])?.remove(0);
    Ok(Some(SshdConfig {
        at,
        user,
        host_key_file,
        ports: ports(raw.sshd_ports.as_deref().unwrap_or("22100-22199"))?,
        reach,
    }))
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, ConfigError> {
    let parsed = text.split_once('-').and_then(|(first, last)| {
        let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
        let is_sound = !range.is_empty() && *range.start() >= 1_024 && range.len() <= PORTS_MAX;
        is_sound.then_some(range)
    });
    parsed.ok_or_else(|| ConfigError::Value {
        key: "gateway.sshd_ports",
        message: format!(
            "'{text}' is no FIRST-LAST such as 22100-22199, from 1024 up and at most {PORTS_MAX}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::HubConfig;

    fn parse(text: &str) -> Result<HubConfig, String> {
        HubConfig::parse("hub.toml", text, std::iter::empty()).map_err(|error| error.to_string())
    }

    #[test]
    fn ssh_listens_beside_the_uplink_unless_that_is_a_trial() {
        let listen = |text| parse(text).unwrap().gateway.listen;
        let usual = listen("[uplink]\nlisten = \"10.0.0.1:443\"\n");
        assert_eq!(usual, Some("10.0.0.1:22".parse().unwrap()));
        assert_eq!(listen("[uplink]\nlisten = \"127.0.0.1:0\"\n"), None);
        assert_eq!(listen("[gateway]\nlisten = \"off\"\n"), None);
        assert!(
            parse("[gateway]\nlisten = \"22\"\n")
                .unwrap_err()
                .contains("0.0.0.0:22")
        );
    }

    #[test]
    fn an_sshd_is_named_whole_or_refused_in_words() {
        let sshd = |more: &str| {
            let text = format!(
                "[gateway]\nsshd = \"ssh.example.org\"\nsshd_host_key_file = \"/k.pub\"\n{more}"
            );
            parse(&text).map(|config| config.gateway.sshd.unwrap())
        };
        let usual = sshd("").unwrap();
        assert_eq!(usual.at.to_string(), "ssh.example.org:22");
        assert_eq!(
            (usual.user.as_str(), usual.reach.as_str()),
            ("platen", "127.0.0.1")
        );
        assert_eq!(usual.ports, 22_100..=22_199);
        for (more, key) in [
            ("sshd_user = \"a b\"", "sshd_user"),
            ("sshd_ports = \"80-90\"", "sshd_ports"),
            ("sshd_ports = \"22101-22100\"", "sshd_ports"),
            ("sshd_ports = \"1024-65535\"", "sshd_ports"),
            ("sshd_reach = \"a b\"", "sshd_reach"),
        ] {
            let refused = sshd(more).unwrap_err();
            assert!(refused.contains(key), "{more}: {refused}");
        }
        let no_key = parse("[gateway]\nsshd = \"ssh.example.org\"\n").unwrap_err();
        assert!(no_key.contains("ssh_host_ed25519_key.pub"), "{no_key}");
    }
}
