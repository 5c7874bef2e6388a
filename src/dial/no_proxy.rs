//! Whom to reach directly although there is a proxy: the rules of `NO_PROXY`.
//!
//! There is no standard for them; these are the forms that curl, Go and Python share.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::Destination;

/// Most rules that are kept.
const RULES_MAX: usize = 256;

/// Hosts that are reached directly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoProxy {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// `*`
    Everyone,
    /// `10.0.0.0/8`, and an address as a network of one.
    Network(IpNet, Option<u16>),
    /// `example.org` and `.example.org`: the name, and every name below it.
    Name(String, Option<u16>),
}

impl NoProxy {
    /// Reads rules that are separated by commas or spaces. Each is a name, a suffix, an address, a
    /// network or `*`; a name or an address may carry a port.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let rules = text
            .split([',', ' ', '\t', '\n'])
            .filter(|rule| !rule.is_empty())
            .take(RULES_MAX)
            .map(Rule::parse);
        Self {
            rules: rules.collect(),
        }
    }

    /// Whether this destination is reached directly.
    #[must_use]
    pub fn holds(&self, to: &Destination) -> bool {
        self.rules.iter().any(|rule| rule.holds(to))
    }
}

impl Rule {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Everyone;
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Self::Network(network, None);
        }
        let (host, port) = split(text);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Self::Network(IpNet::from(address.to_canonical()), port);
        }
        let name = host.trim_start_matches("*.").trim_start_matches('.');
        Self::Name(name.trim_end_matches('.').to_ascii_lowercase(), port)
    }

    fn holds(&self, to: &Destination) -> bool {
        match self {
            Self::Everyone => true,
            Self::Network(network, port) => {
                let address = to.host().parse::<IpAddr>();
                address.is_ok_and(|it| network.contains(&it.to_canonical())) && fits(*port, to)
            }
            Self::Name(name, port) => {
                let host = to.host().trim_end_matches('.').to_ascii_lowercase();
                let is_below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'));
                is_below && !name.is_empty() && fits(*port, to)
            }
        }
    }
}

fn fits(port: Option<u16>, to: &Destination) -> bool {
    port.is_none_or(|port| port == to.port())
}

/// A host and a port, where one stands behind the last colon. An IPv6 address needs brackets then.
fn split(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (text, None),
        },
        Some(_) | None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::NoProxy;
    use crate::Destination;

    #[test]
    fn each_form_holds_whom_it_names_and_nobody_else() {
        for (rule, in_it, out) in [
            ("*", "hub.example.org:443", None),
            ("example.org", "example.org:443", Some("notexample.org:443")),
            (
                "example.org",
                "hub.example.org:443",
                Some("example.org.evil.test:443"),
            ),
            (
                ".example.org",
                "hub.Example.org:443",
                Some("example.com:443"),
            ),
            (
                "*.example.org",
                "a.b.example.org:443",
                Some("example.net:443"),
            ),
            ("hub.test:8443", "hub.test:8443", Some("hub.test:443")),
            ("10.1.2.3", "10.1.2.3:443", Some("10.1.2.30:443")),
            ("10.0.0.0/8", "10.200.0.1:1", Some("11.0.0.1:1")),
            ("10.0.0.0/8", "10.0.0.1:1", Some("ten.test:1")),
            ("2001:db8::/32", "2001:db8::7:443", Some("2001:db9::7:443")),
            ("[::1]:443", "::1:443", Some("::1:444")),
            ("::1", "::1:443", Some("::2:443")),
        ] {
            let rules = NoProxy::parse(&format!("other.test, {rule}"));
            assert!(rules.holds(&to(in_it)), "{rule} holds {in_it}");
            if let Some(out) = out {
                assert!(!rules.holds(&to(out)), "{rule} does not hold {out}");
            }
        }
        assert!(!NoProxy::parse(" , ,").holds(&to("a.test:1")));
        assert!(!NoProxy::parse(".").holds(&to("a.test:1")));
    }

    fn to(text: &str) -> Destination {
        let (host, port) = text.rsplit_once(':').unwrap();
        Destination::new(host, port.parse().unwrap()).unwrap()
    }
}
