//! `[[ranges]]`: where printers are.

use std::collections::BTreeMap;

use actors::reach::credential::Credential;
use actors::reach::range::AddressRange;
use serde::Deserialize;
use toml::Spanned;

use super::{BUILT_IN_CREDENTIAL, ConfigError, Places, RangeConfig, layers, web_access};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRange {
    label: Option<Spanned<String>>,
    addresses: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    credentials: Option<Vec<Spanned<String>>>,
    web_ports: Option<Vec<Spanned<u64>>>,
}

/// Makes a range valid that stands at `position`; `before` are those above it. `around` are the
/// credentials that there are, and the ports of a range that names none.
pub(super) fn check(
    position: usize,
    raw: RawRange,
    (credentials, ports): (&BTreeMap<String, Credential>, &[u16]),
    before: &[RangeConfig],
    places: &Places,
) -> Result<RangeConfig, ConfigError> {
    if raw.addresses.as_ref().is_empty() {
        let hint = "write at least one, as in addresses = [\"10.0.0.0/24\"]";
        return Err(places.error(&raw.addresses, "a range without addresses".to_owned(), hint));
    }
    let label = match raw.label {
        None => format!("range {position}"),
        Some(label) => {
            if before.iter().any(|range| range.label == *label.as_ref()) {
                let what = format!("the label '{}' is used twice", label.as_ref());
                return Err(places.error(&label, what, "every range needs a label of its own"));
            }
            label.into_inner()
        }
    };
    let named = match raw.credentials {
        None => {
            let built_in = credentials.get(BUILT_IN_CREDENTIAL).cloned();
            built_in
                .map(|it| (BUILT_IN_CREDENTIAL.to_owned(), it))
                .into_iter()
                .collect()
        }
        Some(names) => {
            let mut named = Vec::with_capacity(names.len());
            for name in names {
                let Some(credential) = credentials.get(name.as_ref()) else {
                    let what = format!("there is no credential '{}'", name.as_ref());
                    let known = credentials.keys().map(String::as_str);
                    let hint = layers::nearest(name.as_ref(), known)
                        .map(|nearest| format!("did you mean '{nearest}'?"))
                        .unwrap_or_default();
                    return Err(places.error(&name, what, hint));
                };
                named.push((name.into_inner(), credential.clone()));
            }
            named
        }
    };
    let web_ports = match raw.web_ports {
        None => ports.to_vec(),
        Some(own) => web_access::ports(own, places)?,
    };
    Ok(RangeConfig {
        label,
        addresses: parse_ranges(raw.addresses.into_inner(), places)?,
        exclude: parse_ranges(raw.exclude, places)?,
        credentials: named,
        web_ports,
    })
}

/// Ranges as they are written.
pub(super) fn parse_ranges(
    raw: Vec<Spanned<String>>,
    places: &Places,
) -> Result<Vec<AddressRange>, ConfigError> {
    raw.into_iter()
        .map(|text| {
            let parsed = text.as_ref().parse::<AddressRange>();
            parsed.map_err(|error| {
                let (what, cure) = error.halves();
                places.error(&text, what, cure)
            })
        })
        .collect()
}
