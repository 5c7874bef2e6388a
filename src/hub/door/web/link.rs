//! What a link of a printer leads to: home, to the printer's other port, or elsewhere.
//!
//! Printers write their own address into `Location` and into pages. Such a link is followed within
//! the session; any other is shown as text and followed by nobody. Read as browsers read a URL
//! (the WHATWG rules: tabs vanish, backslashes are slashes, `0x7f.1` is an address), because what
//! is judged one way and followed another is no judgment.

use std::fmt::Write;
use std::net::IpAddr;

use url::{Host, Position, Url};

use super::place::Scheme;

/// What a device is called whose address its site keeps to itself.
pub(super) const MASKED_NAME: &str = "printer.local";

/// The ports where a printer speaks HTTPS (IANA 443, and its usual alternative).
const TLS_PORTS: [u16; 2] = [443, 8443];

/// The device as its own pages know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) scheme: Scheme,
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// To the device and port of the session: path, query and fragment.
    Home(String),
    /// To another port of the device.
    OtherPort(u16),
    /// To something else, as it was written.
    Elsewhere(String),
}

impl Home {
    pub(super) fn new(address: Option<IpAddr>, port: u16) -> Self {
        let scheme = match TLS_PORTS.contains(&port) {
            true => Scheme::Https,
            false => Scheme::Http,
        };
        Self {
            scheme,
            address,
            port,
        }
    }

    /// The device's name in a URL.
    pub(super) fn host(&self) -> String {
        match self.address {
            None => MASKED_NAME.to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => format!("[{address}]"),
        }
    }

    /// What `Host` says to the device.
    pub(super) fn authority(&self) -> String {
        if self.port == usual_port(self.scheme) {
            self.host()
        } else {
            format!("{}:{}", self.host(), self.port)
        }
    }

    /// What `Origin` says to the device.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }

    /// Where a link on the page `path` leads.
    pub(super) fn lead(&self, path: &str, link: &[u8]) -> Lead {
        let link = text(link);
        let elsewhere = || Lead::Elsewhere(link.clone());
        let Ok(base) = Url::parse(&format!("{}{path}", self.origin())) else {
            return elsewhere();
        };
        let Ok(target) = base.join(&link) else {
            return elsewhere();
        };
        if !matches!(target.scheme(), "http" | "https") || !self.is_own_host(&target) {
            return elsewhere();
        }
        match target.port_or_known_default() {
            Some(port) if port == self.port => {
                Lead::Home(target[Position::BeforePath..].to_owned())
            }
            Some(port) => Lead::OtherPort(port),
            None => elsewhere(),
        }
    }

    fn is_own_host(&self, target: &Url) -> bool {
        match (self.address, target.host()) {
            (Some(IpAddr::V4(own)), Some(Host::Ipv4(other))) => own == other,
            (Some(IpAddr::V6(own)), Some(Host::Ipv6(other))) => own == other,
            (None, Some(Host::Domain(name))) => name == MASKED_NAME,
            (Some(_) | None, _) => false,
        }
    }
}

/// The port that a URL leaves out.
pub(super) fn usual_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Https => 443,
        Scheme::Http => 80,
    }
}

/// A header's octets as a URL's text: what is not ASCII is written as a URL writes it.
fn text(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        if octet.is_ascii() {
            text.push(char::from(*octet));
        } else {
            // A String takes everything.
            let _ = write!(text, "%{octet:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(link: &str) -> Lead {
        let address = Some("10.0.4.17".parse().unwrap());
        Home::new(address, 80).lead("/status/index.html", link.as_bytes())
    }

    #[test]
    fn a_link_to_the_device_itself_is_home() {
        for (link, path) in [
            ("/x?a=1#b", "/x?a=1#b"),
            ("x", "/status/x"),
            ("../x", "/x"),
            ("", "/status/index.html"),
            ("http://10.0.4.17/x", "/x"),
            ("http://10.0.4.17:80", "/"),
            ("HTTP:\\\\10.0.4.17\\x", "/x"),
            ("//10.0.4.17/x", "/x"),
            ("http://admin:pw@10.0.4.17/x", "/x"),
            ("http://0x0a.0.4.17/x", "/x"),
            // Of the page's own scheme and without slashes: a path, to a browser.
            ("http:169.254.169.254", "/status/169.254.169.254"),
            ("http://167773201/x", "/x"),
            ("http://10.0.4.17//evil.example/x", "//evil.example/x"),
        ] {
            assert_eq!(lead(link), Lead::Home(path.to_owned()), "{link}");
        }
    }

    #[test]
    fn another_port_of_the_device_is_said_to_be_one() {
        assert_eq!(lead("https://10.0.4.17/x"), Lead::OtherPort(443));
        assert_eq!(lead("http://10.0.4.17:631/"), Lead::OtherPort(631));
    }

    #[test]
    fn everything_else_is_elsewhere() {
        for link in [
            "http://169.254.169.254/latest/meta-data/",
            "//169.254.169.254/",
            "/\\169.254.169.254/",
            "\\\\169.254.169.254\\",
            "/\t/169.254.169.254/",
            " //169.254.169.254/",
            "ht\ttp://169.254.169.254/",
            "https:169.254.169.254",
            "https:///169.254.169.254/",
            "http://10.0.4.17@169.254.169.254/",
            "http://10.0.4.17.evil.example/",
            "http://10.0.4.170/",
            "http://10.0.4.17%2eevil.example/",
            "http://[::ffff:10.0.4.17]/",
            "http://127.1/",
            "http://localhost/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://10.0.4.17/",
            "http://",
            "http://[::1",
        ] {
            let lead = lead(link);
            assert!(matches!(lead, Lead::Elsewhere(_)), "{link}: {lead:?}");
        }
    }

    #[test]
    fn a_masked_device_has_a_name_and_no_address() {
        let home = Home::new(None, 8000);
        assert_eq!(home.authority(), "printer.local:8000");
        let lead = |link: &str| home.lead("/", link.as_bytes());
        assert_eq!(
            lead("http://printer.local:8000/x"),
            Lead::Home("/x".to_owned())
        );
        assert!(matches!(lead("http://10.0.4.17:8000/"), Lead::Elsewhere(_)));
    }

    #[test]
    fn a_port_is_left_out_where_a_browser_would() {
        let address: Option<IpAddr> = Some("fd00::9".parse().unwrap());
        assert_eq!(Home::new(address, 443).origin(), "https://[fd00::9]");
        assert_eq!(Home::new(address, 8443).origin(), "https://[fd00::9]:8443");
        assert_eq!(Home::new(address, 631).origin(), "http://[fd00::9]:631");
    }
}
