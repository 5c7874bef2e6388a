//! `[web_access]` and `[tunnel]`: whether, when and how a hub may reach the printers' own pages.

use std::time::Duration;

use actors::tunnel::hours::{Hours, NoWindow, Window};
use actors::tunnel::policy::{Allow, SESSION_DEFAULT, SESSION_MAX, WebAccess};
use dial::Destination;
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::{ConfigError, Places, bounded};

/// The ports that sessions may reach unless the site says otherwise: web pages, and raw printing.
pub const PORTS_DEFAULT: [u16; 5] = [80, 443, 8000, 631, 9100];
/// Port of SSH (IANA).
const SSH_PORT: u16 = 22;
/// Longest name of an approver, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Seconds of a minute.
const MINUTE: u64 = 60;

/// Both sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAccessConfig {
    /// Whether.
    pub allow: Allow,
    /// Who may approve a session.
    pub approvers: Vec<String>,
    /// Ports of printers that sessions may reach, where the range names none.
    pub ports: Vec<u16>,
    /// When sessions may be.
    pub hours: Hours,
    /// How long at most.
    pub minutes_max: Duration,
    /// Whether plain HTTP may stand in for a TLS that is too old.
    pub plain_fallback: bool,
    /// Whether there are tunnels at all.
    pub tunnel: bool,
    /// Where the gateway is, if it is not where the hub is.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawAllow {
    #[default]
    Ask,
    Always,
    Never,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWebAccess {
    allow: RawAllow,
    approvers: Vec<Spanned<String>>,
    ports: Option<Vec<Spanned<u64>>>,
    hours: Vec<Spanned<String>>,
    max_minutes: Option<Spanned<u64>>,
    plain_fallback: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTunnel {
    enabled: Option<bool>,
    host: Option<Spanned<String>>,
    port: Option<Spanned<u64>>,
}

/// Makes what is written valid, or says where it is not.
pub(super) fn check(
    web: RawWebAccess,
    tunnel: RawTunnel,
    places: &Places,
) -> Result<WebAccessConfig, ConfigError> {
    let minutes = |period: Duration| period.as_secs() / MINUTE;
    let (usual, most) = (minutes(SESSION_DEFAULT), minutes(SESSION_MAX));
    let minutes = bounded(web.max_minutes, usual, 1, most, places)?;
    let ports = match web.ports {
        None => PORTS_DEFAULT.to_vec(),
        Some(written) => ports(written, places)?,
    };
    let hours = web.hours.into_iter().map(|text| window(text, places));
    let approvers = web.approvers.into_iter().map(|name| approver(name, places));
    let port = bounded(tunnel.port, u64::from(SSH_PORT), 1, 65_535, places)?;
    let host = tunnel
        .host
        .map(|host| check_host(host, places))
        .transpose()?;
    Ok(WebAccessConfig {
        allow: match web.allow {
            RawAllow::Ask => Allow::Ask,
            RawAllow::Always => Allow::Always,
            RawAllow::Never => Allow::Never,
        },
        approvers: approvers.collect::<Result<_, _>>()?,
        ports,
        hours: Hours(hours.collect::<Result<_, _>>()?),
        minutes_max: Duration::from_secs(minutes * MINUTE),
        plain_fallback: web.plain_fallback,
        tunnel: tunnel.enabled.unwrap_or(true),
        host,
        port: u16::try_from(port).unwrap_or(u16::MAX),
    })
}

/// Ports as they are written.
pub(super) fn ports(written: Vec<Spanned<u64>>, places: &Places) -> Result<Vec<u16>, ConfigError> {
    let mut ports = Vec::with_capacity(written.len());
    for port in written {
        let port = bounded(Some(port), 0, 1, 65_535, places)?;
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    Ok(ports)
}

fn window(text: Spanned<String>, places: &Places) -> Result<Window, ConfigError> {
    text.as_ref().parse().map_err(|error: NoWindow| {
        let hint = "write \"07:00-19:00\", \"mon-fri 07:00-19:00\" or \"sat 08:00-12:00\"";
        places.error(&text, error.to_string(), hint)
    })
}

fn approver(name: Spanned<String>, places: &Places) -> Result<String, ConfigError> {
    let text = name.as_ref();
    let is_name = !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX;
    if is_name && !text.chars().any(char::is_control) {
        return Ok(name.into_inner());
    }
    let what = "this is no name of a person".to_owned();
    let hint = format!("write 1 to {NAME_BYTES_MAX} bytes, as in \"m.dupont\"");
    Err(places.error(&name, what, hint))
}

fn check_host(host: Spanned<String>, places: &Places) -> Result<String, ConfigError> {
    match Destination::new(host.as_ref(), SSH_PORT) {
        Ok(_) => Ok(host.into_inner()),
        Err(error) => {
            let hint = "write a host name or an address, without a port";
            Err(places.error(&host, error.to_string(), hint))
        }
    }
}

impl WebAccessConfig {
    /// Where the gateway of this hub is; none where the site lets no sessions be.
    #[must_use]
    pub fn gateway(&self, hub_url: Option<&str>) -> Option<Destination> {
        if !self.tunnel || self.allow == Allow::Never {
            return None;
        }
        let hub = Destination::of_url(hub_url?).ok()?;
        let host = self.host.as_deref().unwrap_or(hub.host());
        Destination::new(host, self.port).ok()
    }

    /// What the life is given.
    #[must_use]
    pub fn policy(&self, hub_url: Option<&str>) -> WebAccess {
        WebAccess {
            allow: self.allow,
            approvers: self.approvers.clone(),
            hours: self.hours.clone(),
            minutes_max: self.minutes_max,
            plain_fallback: self.plain_fallback,
            gateway: self.gateway(hub_url),
        }
    }

    /// `[web_access]` as it is in effect.
    pub(super) fn show(&self) -> Table {
        let mut shown = Table::new();
        let mut show = |key: &str, value: Value| shown.insert(key.to_owned(), value);
        let allow = match self.allow {
            Allow::Ask => "ask",
            Allow::Always => "always",
            Allow::Never => "never",
        };
        show("allow", allow.into());
        show("approvers", self.approvers.clone().into());
        show("ports", show_ports(&self.ports));
        let hours: Vec<String> = self.hours.0.iter().map(ToString::to_string).collect();
        show("hours", hours.into());
        let minutes = self.minutes_max.as_secs() / MINUTE;
        let minutes = i64::try_from(minutes).unwrap_or(i64::MAX);
        show("max_minutes", minutes.into());
        show("plain_fallback", self.plain_fallback.into());
        shown
    }

    /// `[tunnel]` as it is in effect.
    pub(super) fn show_tunnel(&self) -> Table {
        let mut shown = Table::new();
        shown.insert("enabled".to_owned(), self.tunnel.into());
        if let Some(host) = &self.host {
            shown.insert("host".to_owned(), host.clone().into());
        }
        shown.insert("port".to_owned(), i64::from(self.port).into());
        shown
    }
}

/// Ports as TOML.
pub(super) fn show_ports(ports: &[u16]) -> Value {
    let ports: Vec<i64> = ports.iter().map(|port| i64::from(*port)).collect();
    ports.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AgentConfig;

    fn parse(text: &str) -> Result<AgentConfig, String> {
        AgentConfig::parse("agent.toml", text, []).map_err(|error| error.to_string())
    }

    #[test]
    fn a_site_that_says_nothing_is_asked_about_every_session() {
        let config = parse("[[ranges]]\naddresses = [\"10.0.0.0/24\"]\n").expect("valid");
        let web = &config.web_access;
        assert_eq!(
            (web.allow, web.minutes_max),
            (Allow::Ask, Duration::from_mins(15))
        );
        assert_eq!(config.ranges[0].web_ports, PORTS_DEFAULT);
        let gateway = web
            .gateway(Some("https://hub.example.org:8443"))
            .expect("a gateway");
        assert_eq!(gateway.to_string(), "hub.example.org:22");
    }

    #[test]
    fn the_gateway_is_where_the_site_says_and_nowhere_without_sessions() {
        let url = Some("https://hub.example.org");
        let gateway = |text: &str| {
            let web = parse(text).expect("valid").web_access;
            web.gateway(url).map(|it| it.to_string())
        };
        let named = "[tunnel]\nhost = \"ssh.example.org\"\nport = 443\n";
        assert_eq!(gateway(named).as_deref(), Some("ssh.example.org:443"));
        assert_eq!(gateway("[tunnel]\nenabled = false\n"), None);
        assert_eq!(gateway("[web_access]\nallow = \"never\"\n"), None);
    }

    #[test]
    fn a_range_has_ports_of_its_own() {
        let text = "[[ranges]]\naddresses = [\"10.0.0.1\"]\nweb_ports = []\n\
                    [[ranges]]\naddresses = [\"10.0.0.2\"]\nweb_ports = [8080, 8080]\n\
                    [[ranges]]\naddresses = [\"10.0.0.3\"]\n[web_access]\nports = [443]\n";
        let config = parse(text).expect("valid");
        let ports: Vec<&[u16]> = config
            .ranges
            .iter()
            .map(|it| it.web_ports.as_slice())
            .collect();
        assert_eq!(ports, [&[][..], &[8080], &[443]]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (text, says) in [
            (
                "[web_access]\nhours = [\"mo-fr 7-19\"]\n",
                "agent.toml:2:10",
            ),
            ("[web_access]\nmax_minutes = 61\n", "from 1 to 60"),
            ("[web_access]\nports = [0]\n", "from 1 to 65535"),
            ("[web_access]\napprovers = [\" \"]\n", "no name of a person"),
            ("[web_access]\nallow = \"sometimes\"\n", "agent.toml:2:9"),
            ("[tunnel]\nhost = \"a b\"\n", "agent.toml:2:8"),
        ] {
            let refused = parse(text).expect_err(text);
            assert!(refused.contains(says), "{refused}");
        }
    }
}
