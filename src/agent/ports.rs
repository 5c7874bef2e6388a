//! What this configuration contacts: the firewall table for the people who run the network.
//!
//! Made from the very values that the scope and the uplink use, so that table and traffic cannot
//! differ. The agent listens on no port, so every row is outgoing.

use serde::Serialize;

use crate::config::AgentConfig;

/// Port of https where an address names none.
const HTTPS_PORT: u16 = 443;

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Where to.
    pub destination: String,
    /// Always `outgoing`.
    pub direction: &'static str,
    /// Transport and what speaks over it.
    pub protocol: &'static str,
    /// The destination's port.
    pub port: u16,
    /// What for.
    pub purpose: String,
}

/// The rows of a configuration; `hub_url` is the hub that the agent polls, if any.
#[must_use]
pub fn rows(config: &AgentConfig, hub_url: Option<&str>) -> Vec<Row> {
    let hub = hub_url
        .and_then(host_and_port)
        .map(|(destination, port)| Row {
            destination,
            direction: "outgoing",
            protocol: "TCP gRPC (HTTP/2, TLS)",
            port,
            purpose: "readings".to_owned(),
        });
    let printers = config.ranges.iter().flat_map(|range| {
        range.addresses.iter().map(|addresses| Row {
            destination: addresses.to_string(),
            direction: "outgoing",
            protocol: "UDP SNMP",
            port: config.snmp_port,
            purpose: purpose(range),
        })
    });
    let names = config
        .ranges
        .iter()
        .flat_map(|range| range.addresses.iter().chain(&range.exclude));
    let has_names = names.into_iter().any(|range| range.name().is_some());
    let dns = has_names.then(|| Row {
        destination: "the name servers of this machine".to_owned(),
        direction: "outgoing",
        protocol: "UDP DNS",
        port: 53,
        purpose: "host names of printers, once at the start".to_owned(),
    });
    hub.into_iter().chain(printers).chain(dns).collect()
}

fn purpose(range: &crate::config::RangeConfig) -> String {
    let mut purpose = format!("finding and reading printers ({})", range.label);
    if !range.exclude.is_empty() {
        let exclude: Vec<String> = range.exclude.iter().map(ToString::to_string).collect();
        purpose.push_str(&format!(", never {}", exclude.join(", ")));
    }
    purpose
}

/// Host and port of an address that was checked before.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let authority = url.strip_prefix("https://")?.trim_end_matches('/');
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand before its bracket.
        Some((host, port)) if !port.contains(']') => Some((host.to_owned(), port.parse().ok()?)),
        Some(_) | None => Some((authority.to_owned(), HTTPS_PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_every_range_and_the_hub() {
        let text = "[[ranges]]\nlabel = \"a\"\naddresses = [\"10.0.0.0/24\", \"10.1.0.7\"]\n\
                    exclude = [\"10.0.0.9\"]\n[snmp]\nport = 1161\n";
        let config = AgentConfig::parse("agent.toml", text, []).expect("valid");
        let rows = rows(&config, Some("https://hub.example.org:8443"));
        let short: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}", row.destination, row.port))
            .collect();
        assert_eq!(
            short,
            ["hub.example.org 8443", "10.0.0.0/24 1161", "10.1.0.7 1161"]
        );
        assert!(rows[1].purpose.ends_with("never 10.0.0.9"));
    }

    #[test]
    fn a_hub_without_a_port_is_on_443_even_in_brackets() {
        let both = ["https://hub.example.org", "https://[2001:db8::1]"];
        let ports: Vec<u16> = both
            .iter()
            .filter_map(|url| host_and_port(url))
            .map(|(_, port)| port)
            .collect();
        assert_eq!(ports, [443, 443]);
        assert_eq!(
            host_and_port("https://[2001:db8::1]:9"),
            Some(("[2001:db8::1]".into(), 9))
        );
    }
}
