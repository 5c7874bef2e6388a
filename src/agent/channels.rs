//! The channels to the hub: one list for what is dialled, for `platen ports` and for
//! `platen check`, so that the three cannot differ.

use actors::mqtt::MqttTransport;
use dial::{Destination, Proxy};
use serde::Serialize;

use crate::config::AgentConfig;

/// What is spoken with the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speech {
    /// gRPC over HTTP/2 and TLS: reports.
    Grpc,
    /// MQTT over WebSocket and TLS: commands.
    Wss,
    /// MQTT over TLS: commands.
    Mqtts,
    /// SSH: device web access, on request.
    Ssh,
}

/// One way to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What is spoken.
    pub speech: Speech,
    /// Where to.
    pub to: Destination,
}

/// The channels of a configuration; none for an agent that stands alone, or whose hub has no
/// address that can be dialled. `hub_url` is the hub that the agent polls.
#[must_use]
pub fn channels(config: &AgentConfig, hub_url: Option<&str>) -> Vec<Channel> {
    let hub = hub_url.and_then(|url| Some((url, Destination::of_url(url).ok()?)));
    let Some((url, hub)) = hub else {
        return Vec::new();
    };
    let mqtt = config.mqtt.link(url, &config.state_dir).ok();
    let mqtt = mqtt.map(|link| Channel {
        speech: match link.transport {
            MqttTransport::Wss => Speech::Wss,
            MqttTransport::Tls => Speech::Mqtts,
        },
        to: link.broker,
    });
    let gateway = config.web_access.gateway(Some(url));
    let ssh = gateway.map(|to| Channel {
        speech: Speech::Ssh,
        to,
    });
    let grpc = Channel {
        speech: Speech::Grpc,
        to: hub,
    };
    [Some(grpc), mqtt, ssh].into_iter().flatten().collect()
}

impl Channel {
    /// The proxy on the way, if there is one.
    #[must_use]
    pub fn proxy<'a>(&self, config: &'a AgentConfig) -> Option<&'a Proxy> {
        config.route.route.proxy_to(&self.to)
    }

    /// Whom this machine connects to: the hub or the proxy.
    #[must_use]
    pub fn first_hop<'a>(&'a self, config: &'a AgentConfig) -> &'a Destination {
        self.proxy(config).map_or(&self.to, Proxy::destination)
    }
}
