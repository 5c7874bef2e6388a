//! What this configuration contacts: the firewall table for the people who run the network.
//!
//! Made from the very values that the scope and the uplink use, so that table and traffic cannot
//! differ. The agent listens on no port, so every row is outgoing.

pub mod words;

use std::fs;
use std::net::IpAddr;

use actors::reach::range::AddressRange;
use actors::reach::scope::Door;
use dial::Destination;
use serde::Serialize;

use self::words::Words;
use crate::channels::{Channel, Speech, channels};
use crate::config::{AgentConfig, RangeConfig};

/// Where this machine's name servers stand.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Most name servers that a resolver asks (resolv.conf(5)).
const NAME_SERVERS_MAX: usize = 3;
/// Port of HTTPS.
const HTTPS_PORT: u16 = 443;
/// Port of DNS.
const DNS_PORT: u16 = 53;

/// What carries a row's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo, which has no ports.
    Icmp,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Where to: a host, an address, or a range as it is configured.
    pub destination: String,
    /// Always `outgoing`.
    pub direction: &'static str,
    /// What carries it.
    pub transport: Transport,
    /// Transport and what speaks over it.
    pub protocol: &'static str,
    /// The destination's port; none for ICMP.
    pub port: Option<u16>,
    /// Whether it is used only when somebody asks for it.
    pub on_request: bool,
    /// Addresses within the destination that are never contacted.
    pub exclude: Vec<String>,
    /// What for, in the language that was asked for.
    pub purpose: String,
}

/// The rows of a configuration; `hub_url` is the hub that the agent polls, if any.
#[must_use]
pub fn rows(config: &AgentConfig, hub_url: Option<&str>, words: &Words) -> Vec<Row> {
    let channels = channels(config, hub_url);
    let has_sessions = channels.iter().any(|it| it.speech == Speech::Ssh);
    let hub = channels
        .iter()
        .map(|channel| of_channel(channel, config, words));
    let printers = config.ranges.iter().flat_map(|range| {
        let snmp = Speaks::Snmp(config.snmp_port);
        let web = range.web_ports.iter().map(|port| Speaks::Web(*port));
        // Without a tunnel nobody reaches a page.
        let web = web.filter(|_| has_sessions);
        let others = range.doors.open().map(|(_, door)| Speaks::Other(door));
        let doors = [snmp, Speaks::Icmp].into_iter().chain(others).chain(web);
        let doors: Vec<Speaks> = doors.collect();
        let of = move |addresses: &AddressRange| {
            let rows = doors
                .iter()
                .map(|speaks| of_range(range, addresses, *speaks, words));
            rows.collect::<Vec<_>>()
        };
        range.addresses.iter().flat_map(of)
    });
    let dns = dns(config, &channels, words);
    hub.chain(printers).chain(dns).collect()
}

fn of_channel(channel: &Channel, config: &AgentConfig, words: &Words) -> Row {
    let (protocol, purpose) = match channel.speech {
        Speech::Grpc => ("TCP gRPC (HTTP/2, TLS)", words.readings),
        Speech::Wss => ("TCP MQTT (WebSocket, TLS)", words.commands),
        Speech::Mqtts => ("TCP MQTT (TLS)", words.commands),
        Speech::Ssh => ("TCP SSH", words.web_access),
    };
    let hop = channel.first_hop(config);
    let (protocol, purpose) = match channel.proxy(config) {
        None => (protocol, purpose.to_owned()),
        Some(_) => (
            "TCP HTTP CONNECT",
            format!("{purpose} ({} {})", words.onward, channel.to),
        ),
    };
    let on_request = channel.speech == Speech::Ssh;
    Row {
        destination: hop.host().to_owned(),
        transport: Transport::Tcp,
        port: Some(hop.port()),
        on_request,
        ..row(protocol, when(purpose, on_request, words))
    }
}

/// What is spoken with printers.
#[derive(Debug, Clone, Copy)]
enum Speaks {
    Snmp(u16),
    Icmp,
    Web(u16),
    /// A door that the range opens.
    Other(Door),
}

fn of_range(range: &RangeConfig, addresses: &AddressRange, speaks: Speaks, words: &Words) -> Row {
    let (transport, protocol, port, purpose) = match speaks {
        Speaks::Snmp(port) => (Transport::Udp, "UDP SNMP", Some(port), words.printers),
        Speaks::Icmp => (Transport::Icmp, "ICMP echo", None, words.ping),
        Speaks::Web(port) => (Transport::Tcp, "TCP", Some(port), words.session),
        Speaks::Other(door) => {
            let (protocol, purpose) = by_door(door, words);
            (Transport::Tcp, protocol, Some(door.port()), purpose)
        }
    };
    let exclude: Vec<String> = range.exclude.iter().map(ToString::to_string).collect();
    let mut purpose = format!("{purpose} ({})", range.label);
    if !exclude.is_empty() {
        purpose.push_str(&format!(", {} {}", words.never, exclude.join(", ")));
    }
    let on_request = !matches!(speaks, Speaks::Snmp(_) | Speaks::Other(_));
    Row {
        destination: addresses.to_string(),
        transport,
        port,
        on_request,
        exclude,
        ..row(protocol, when(purpose, on_request, words))
    }
}

/// What is spoken through a door that a range opens, and what for.
fn by_door(door: Door, words: &Words) -> (&'static str, &'static str) {
    match door {
        Door::Ipp { .. } => ("TCP IPP", words.identified),
        Door::Ledm { port: HTTPS_PORT } => ("TCP HTTPS (LEDM)", words.hp),
        Door::Ledm { .. } => ("TCP HTTP (LEDM)", words.hp),
        Door::Zebra { .. } => ("TCP SGD", words.zebra),
        Door::Pjl { .. } => ("TCP PJL", words.pjl),
        Door::Lpr { .. } => ("TCP LPR", words.queues),
        Door::Snmp { .. } => ("UDP SNMP", words.printers),
        Door::Icmp => ("ICMP echo", words.ping),
        Door::Web { .. } => ("TCP", words.session),
    }
}

/// The name servers, where there is a name to ask for.
fn dns(config: &AgentConfig, channels: &[Channel], words: &Words) -> Vec<Row> {
    let is_name = |to: &Destination| to.host().parse::<IpAddr>().is_err();
    let of_hub = channels
        .iter()
        .any(|channel| is_name(channel.first_hop(config)));
    let mut ranges = config
        .ranges
        .iter()
        .flat_map(|range| range.addresses.iter().chain(&range.exclude));
    let of_printers = ranges.any(|range| range.name().is_some());
    let purpose = match (of_hub, of_printers) {
        (false, false) => return Vec::new(),
        (true, false) => words.name_of_hub.to_owned(),
        (false, true) => words.names_of_printers.to_owned(),
        (true, true) => format!("{}, {}", words.name_of_hub, words.names_of_printers),
    };
    let text = fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    let servers = name_servers(&text).unwrap_or_else(|| vec![words.name_servers.to_owned()]);
    let both = |server: String| {
        [(Transport::Udp, "UDP DNS"), (Transport::Tcp, "TCP DNS")].map(|(transport, protocol)| {
            Row {
                destination: server.clone(),
                transport,
                port: Some(DNS_PORT),
                ..row(protocol, purpose.clone())
            }
        })
    };
    servers.into_iter().flat_map(both).collect()
}

/// The servers that a `resolv.conf` names; none where it names none.
fn name_servers(text: &str) -> Option<Vec<String>> {
    let servers = text.lines().filter_map(|line| {
        let server = line.trim().strip_prefix("nameserver")?.trim();
        server.parse::<IpAddr>().ok().map(|it| it.to_string())
    });
    let servers: Vec<String> = servers.take(NAME_SERVERS_MAX).collect();
    (!servers.is_empty()).then_some(servers)
}

fn when(purpose: String, on_request: bool, words: &Words) -> String {
    if on_request {
        format!("{purpose}; {}", words.on_request)
    } else {
        purpose
    }
}

/// A row that is yet without a destination.
fn row(protocol: &'static str, purpose: String) -> Row {
    Row {
        destination: String::new(),
        direction: "outgoing",
        transport: Transport::Tcp,
        protocol,
        port: None,
        on_request: false,
        exclude: Vec::new(),
        purpose,
    }
}

#[cfg(test)]
mod tests {
    use super::words::Lang;
    use super::*;

    fn short(text: &str, hub: Option<&str>) -> Vec<String> {
        let config = AgentConfig::parse("agent.toml", text, []).expect("valid");
        rows(&config, hub, Lang::En.words())
            .iter()
            .map(|row| {
                let port = row.port.map(|port| port.to_string()).unwrap_or_default();
                format!("{} {} {port}", row.protocol, row.destination)
            })
            .collect()
    }

    #[test]
    fn the_table_has_a_row_for_every_range_and_every_channel() {
        let text = "[[ranges]]\nlabel = \"a\"\naddresses = [\"10.0.0.0/24\", \"10.1.0.7\"]\n\
                    exclude = [\"10.0.0.9\"]\nweb_ports = [80, 9100]\n[snmp]\nport = 1161\n";
        assert_eq!(
            short(text, Some("https://10.9.9.9:8443")),
            [
                "TCP gRPC (HTTP/2, TLS) 10.9.9.9 8443",
                "TCP MQTT (WebSocket, TLS) 10.9.9.9 8443",
                "TCP SSH 10.9.9.9 22",
                "UDP SNMP 10.0.0.0/24 1161",
                "ICMP echo 10.0.0.0/24 ",
                "TCP 10.0.0.0/24 80",
                "TCP 10.0.0.0/24 9100",
                "UDP SNMP 10.1.0.7 1161",
                "ICMP echo 10.1.0.7 ",
                "TCP 10.1.0.7 80",
                "TCP 10.1.0.7 9100",
            ]
        );
        let never = format!("{text}[web_access]\nallow = \"never\"\n");
        let rows_then = short(&never, Some("https://10.9.9.9:8443"));
        assert!(
            rows_then
                .iter()
                .all(|row| !row.starts_with("TCP 1") && !row.contains("SSH"))
        );
        let config = AgentConfig::parse("agent.toml", text, []).expect("valid");
        let rows = rows(&config, None, Lang::En.words());
        assert!(rows[0].purpose.ends_with("never 10.0.0.9"));
        assert_eq!(rows[0].exclude, ["10.0.0.9"]);
    }

    #[test]
    fn a_door_has_a_row_where_the_range_opens_it_and_nowhere_else() {
        let text = "[[ranges]]\naddresses = [\"10.0.0.7\"]\nweb_ports = []\n\
                    doors = { ipp = 631, ledm = 443, zebra = 9100, lpr = 515 }\n\
                    [[ranges]]\naddresses = [\"10.0.0.8\"]\nweb_ports = []\n\
                    doors = { ledm = 8080, pjl = 9100 }\n";
        assert_eq!(
            short(text, None),
            [
                "UDP SNMP 10.0.0.7 161",
                "ICMP echo 10.0.0.7 ",
                "TCP IPP 10.0.0.7 631",
                "TCP HTTPS (LEDM) 10.0.0.7 443",
                "TCP SGD 10.0.0.7 9100",
                "TCP LPR 10.0.0.7 515",
                "UDP SNMP 10.0.0.8 161",
                "ICMP echo 10.0.0.8 ",
                "TCP HTTP (LEDM) 10.0.0.8 8080",
                "TCP PJL 10.0.0.8 9100",
            ]
        );
        let wrong = "[[ranges]]\naddresses = [\"10.0.0.7\"]\ndoors = { ipps = 631 }\n";
        let error = AgentConfig::parse("agent.toml", wrong, []).expect_err("no door");
        assert!(error.to_string().contains("ipp"), "{error}");
    }

    #[test]
    fn with_a_proxy_nothing_goes_to_the_hub_directly() {
        let text = "[hub]\nproxy = \"http://10.8.8.8:3128\"\n";
        let rows = short(text, Some("https://hub.example.org"));
        assert_eq!(rows, ["TCP HTTP CONNECT 10.8.8.8 3128"; 3]);
        let text = "[hub]\nproxy = \"http://10.8.8.8:3128\"\nno_proxy = [\"10.9.0.0/16\"]\n";
        let rows = short(text, Some("https://10.9.9.9"));
        assert_eq!(rows[0], "TCP gRPC (HTTP/2, TLS) 10.9.9.9 443");
    }

    #[test]
    fn a_name_asks_the_name_servers_and_an_address_does_not() {
        let has_dns = |rows: Vec<String>| rows.iter().any(|row| row.contains("DNS"));
        assert!(has_dns(short("", Some("https://hub.example.org"))));
        assert!(!has_dns(short("", Some("https://10.9.9.9"))));
        let printer = "[[ranges]]\naddresses = [\"printer.example.org\"]\n";
        assert!(has_dns(short(printer, None)));
        let proxy = "[hub]\nproxy = \"http://proxy.example.org:3128\"\n";
        assert!(has_dns(short(proxy, Some("https://10.9.9.9"))));
        let text = "# nameserver 1.1.1.1\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\n";
        assert_eq!(name_servers(text), Some(vec!["10.0.0.53".to_owned()]));
        assert_eq!(name_servers("search example.org\n"), None);
    }
}
