//! `[[ranges]]`: where printers are.

use std::collections::BTreeMap;

use actors::reach::credential::Credential;
use actors::reach::range::AddressRange;
use actors::reach::scope::Door;
use serde::Deserialize;
use toml::{Spanned, Table};

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
    #[serde(default)]
    doors: RawDoors,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDoors {
    ipp: Option<Spanned<u64>>,
    ledm: Option<Spanned<u64>>,
    zebra: Option<Spanned<u64>>,
    pjl: Option<Spanned<u64>>,
    lpr: Option<Spanned<u64>>,
}

/// The port of each door beside SNMP that a range opens; a door without one is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doors {
    /// IPP, on a printer that SNMP has identified.
    pub ipp: Option<u16>,
    /// LEDM, on a printer of HP's.
    pub ledm: Option<u16>,
    /// SGD and `~HS`, on a printer of Zebra's.
    pub zebra: Option<u16>,
    /// PJL, on a printer that lists it.
    pub pjl: Option<u16>,
    /// The state of LPR's queues, on a printer that SNMP has identified.
    pub lpr: Option<u16>,
}

impl Doors {
    /// Each open door, by its key.
    pub fn open(self) -> impl Iterator<Item = (&'static str, Door)> {
        let doors = [
            ("ipp", self.ipp.map(|port| Door::Ipp { port })),
            ("ledm", self.ledm.map(|port| Door::Ledm { port })),
            ("zebra", self.zebra.map(|port| Door::Zebra { port })),
            ("pjl", self.pjl.map(|port| Door::Pjl { port })),
            ("lpr", self.lpr.map(|port| Door::Lpr { port })),
        ];
        doors
            .into_iter()
            .filter_map(|(key, door)| Some((key, door?)))
    }

    /// What both open, at the same port.
    #[must_use]
    pub fn also_in(self, other: Self) -> Self {
        let both = |a: Option<u16>, b: Option<u16>| a.filter(|_| a == b);
        Self {
            ipp: both(self.ipp, other.ipp),
            ledm: both(self.ledm, other.ledm),
            zebra: both(self.zebra, other.zebra),
            pjl: both(self.pjl, other.pjl),
            lpr: both(self.lpr, other.lpr),
        }
    }

    /// As it is written.
    pub(super) fn show(self) -> Table {
        let port = |(key, door): (&str, Door)| (key.to_owned(), i64::from(door.port()).into());
        self.open().map(port).collect()
    }
}

impl RawDoors {
    fn check(self, places: &Places) -> Result<Doors, ConfigError> {
        let port = |written: Option<Spanned<u64>>| -> Result<Option<u16>, ConfigError> {
            let ports = web_access::ports(written.into_iter().collect(), places)?;
            Ok(ports.first().copied())
        };
        Ok(Doors {
            ipp: port(self.ipp)?,
            ledm: port(self.ledm)?,
            zebra: port(self.zebra)?,
            pjl: port(self.pjl)?,
            lpr: port(self.lpr)?,
        })
    }
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
        doors: raw.doors.check(places)?,
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
