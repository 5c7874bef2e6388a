//! What is configured of printers' pages: the domain that their sessions are under.

use std::path::PathBuf;

use serde::Deserialize;

use super::doors::pair;
use super::{ConfigError, checked_names};
use crate::door::web::place::{LOCAL_DOMAIN, is_under};

/// What stands before the hub's own name in the domain of sessions.
const LABEL: &str = "dwa";

/// Printers' pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfig {
    /// Every session is `s-<session>.<domain>`.
    pub domain: String,
    /// Certificate and key for `*.<domain>`, PEM files, if not the hub's own.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// `[web_access]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebAccess {
    domain: Option<String>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl RawWebAccess {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            domain: self.domain.or(other.domain),
            certificate_file: self.certificate_file.or(other.certificate_file),
            key_file: self.key_file.or(other.key_file),
        }
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            domain: LOCAL_DOMAIN.to_owned(),
            certificate: None,
        }
    }
}

impl WebConfig {
    /// Checks what is written. `names` are those of every other door.
    pub(super) fn check(raw: RawWebAccess, names: &[&String]) -> Result<Self, ConfigError> {
        let wrong = |message| ConfigError::Value {
            key: "web_access.domain",
            message,
        };
        let domain = match raw.domain.filter(|domain| !domain.is_empty()) {
            None => usual(names),
            Some(domain) => {
                let checked = checked_names("web_access.domain", vec![domain])?;
                checked.into_iter().next().unwrap_or_default()
            }
        };
        if domain.parse::<std::net::IpAddr>().is_ok() || !domain.contains('.') {
            let message = format!("'{domain}' is no domain such as dwa.hub.example.org");
            return Err(wrong(message));
        }
        if let Some(name) = names.iter().find(|name| is_under(name, &domain)) {
            let message = format!(
                "'{name}' lies under '{domain}', and nothing but sessions may; write a domain of \
                 its own, such as {LABEL}.{name}"
            );
            return Err(wrong(message));
        }
        let files = ("web_access.certificate_file", "web_access.key_file");
        let certificate = pair(raw.certificate_file, raw.key_file, files)?;
        Ok(Self {
            domain,
            certificate,
        })
    }
}

/// Under the first name of the hub; under `localhost` where it has addresses only.
fn usual(names: &[&String]) -> String {
    let mut names = names.iter();
    let name = names.find(|name| name.parse::<std::net::IpAddr>().is_err());
    name.map_or_else(|| LOCAL_DOMAIN.to_owned(), |name| format!("{LABEL}.{name}"))
}

#[cfg(test)]
mod tests {
    use crate::config::HubConfig;

    fn domain(text: &str) -> Result<String, String> {
        let config = HubConfig::parse("hub.toml", text, std::iter::empty());
        config
            .map(|config| config.web.domain)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sessions_are_under_the_hubs_name_unless_they_have_a_domain_of_their_own() {
        assert_eq!(domain("").unwrap(), "dwa.localhost");
        for (text, expected) in [
            (
                "[uplink]\nnames = [\"hub.example.org\"]\n",
                "dwa.hub.example.org",
            ),
            (
                "[uplink]\nnames = [\"10.0.0.1\", \"hub.example.org\"]\n",
                "dwa.hub.example.org",
            ),
            ("[uplink]\nnames = [\"10.0.0.1\"]\n", "dwa.localhost"),
            (
                "[web_access]\ndomain = \"DWA.example.net\"\n",
                "dwa.example.net",
            ),
        ] {
            assert_eq!(domain(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn no_other_door_is_under_the_sessions_domain() {
        let names = "[uplink]\nnames = [\"hub.example.org\"]\n";
        for own in ["example.org", "hub.example.org", "10.0.0.1", "org", "a b.c"] {
            let text = format!("{names}[web_access]\ndomain = \"{own}\"\n");
            let error = domain(&text).unwrap_err();
            assert!(error.starts_with("web_access.domain: "), "{own}: {error}");
        }
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let error = domain("[web_access]\ncertificate_file = \"/c\"\n").unwrap_err();
        assert!(error.contains("needs web_access.key_file"), "{error}");
    }
}
