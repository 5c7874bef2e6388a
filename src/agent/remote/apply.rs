//! One word of the hub's against one site's: each part counts whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actors::reach::credential::{Credential, Secret};
use actors::reach::range::AddressRange;
use actors::reach::scope::{Door, Scope};
use actors::site::{SealedCredential, Wanted, WantedRange};
use snmp::Version;

use super::InEffect;
use crate::config::credential::sealed_user;
use crate::config::{AgentConfig, Doors, FIRST_READ_SHARE, PERIOD_SECS_MAX, RangeConfig};

/// Most ranges of one configuration: as many as the environment can set.
const RANGES_MAX: usize = 64;
/// Most entries of one list of a range: a site with more has a subnet for them.
const ENTRIES_MAX: usize = 256;
/// Most credentials of one configuration.
const CREDENTIALS_MAX: usize = 64;
/// Longest name or label, in characters: what a line of `platen status` has room for.
const NAME_CHARS_MAX: usize = 64;

/// Opens a sealed credential, or says why not.
type Open<'o> = &'o dyn Fn(&SealedCredential) -> Result<Secret, String>;

/// A word of the hub's that is being applied.
pub(super) struct Applying<'w> {
    site: &'w AgentConfig,
    wanted: &'w Wanted,
    effect: InEffect,
    origin: String,
}

impl<'w> Applying<'w> {
    pub(super) fn new(site: &'w AgentConfig, wanted: &'w Wanted) -> Self {
        let mut effect = InEffect::sites(site.clone());
        effect.id = bounded(&wanted.id);
        Self {
            site,
            wanted,
            origin: format!("hub command {}", effect.id),
            effect,
        }
    }

    pub(super) fn done(mut self, open: Open<'_>) -> InEffect {
        self.schedule();
        if !self.wanted.credentials.is_empty() {
            match self.credentials(open) {
                Ok(opened) => self.use_credentials(opened),
                Err(why) => self.effect.refusals.push(why),
            }
        }
        if !self.wanted.ranges.is_empty() {
            match self.ranges() {
                Ok(ranges) => {
                    self.effect.config.ranges = ranges;
                    self.mark("ranges");
                }
                Err(why) => self.effect.refusals.push(why),
            }
        }
        self.effect
    }

    fn mark(&mut self, key: impl Into<String>) {
        self.effect.by_hub.insert(key.into(), self.origin.clone());
    }

    fn is_free(&self, key: &str) -> Result<(), String> {
        if self.site.word.locks(key) {
            return Err(format!(
                "the site locks {key}: its agent.toml has it in `lock`"
            ));
        }
        Ok(())
    }

    fn schedule(&mut self) {
        let wanted = self.wanted;
        for (key, period) in [
            ("schedule.read_secs", wanted.read_every),
            ("schedule.status_secs", wanted.status_every),
            ("schedule.discover_secs", wanted.discover_every),
        ] {
            let Some(period) = period else {
                continue;
            };
            if let Err(why) = self.period(key, period) {
                self.effect.refusals.push(why);
            }
        }
    }

    fn period(&mut self, key: &str, period: Duration) -> Result<(), String> {
        self.is_free(key)?;
        let secs = period.as_secs();
        if !(1..=PERIOD_SECS_MAX).contains(&secs) {
            return Err(format!(
                "{key} cannot be {secs}: it is a number from 1 to {PERIOD_SECS_MAX}"
            ));
        }
        let settings = &mut self.effect.config.settings;
        match key {
            "schedule.read_secs" => {
                settings.read_every = period;
                settings.first_read_within = actors::parts::Settings::default()
                    .first_read_within
                    .min(period / FIRST_READ_SHARE);
            }
            "schedule.status_secs" => settings.status_every = period,
            _ => settings.discover_every = period,
        }
        self.mark(key);
        Ok(())
    }

    /// The hub's credentials, opened.
    fn credentials(&self, open: Open<'_>) -> Result<BTreeMap<String, Credential>, String> {
        self.is_free("credentials")?;
        let wanted = &self.wanted.credentials;
        few("credentials", wanted.len(), CREDENTIALS_MAX)?;
        let mut opened = BTreeMap::new();
        for credential in wanted {
            let name = &credential.name;
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            if !is_short(name) || !name.chars().all(is_name) {
                let shown = bounded(name);
                return Err(format!(
                    "a credential cannot be called '{shown}': it takes letters, digits, - _ ."
                ));
            }
            let credential = self
                .credential(credential, open)
                .map_err(|why| format!("credential '{name}'{why}"))?;
            if opened.insert(name.clone(), credential).is_some() {
                return Err(format!("credential '{name}' is there twice"));
            }
        }
        Ok(opened)
    }

    /// One of the hub's credentials, opened; else what stands behind its name in a refusal.
    fn credential(&self, sealed: &SealedCredential, open: Open<'_>) -> Result<Credential, String> {
        let version = match sealed.version.as_str() {
            "1" => Version::V1,
            "2c" | "" => Version::V2c,
            "3" => {
                let document = open(sealed).map_err(|why| format!(": {why}"))?;
                let user = sealed_user(document.expose()).map_err(|why| format!(": {why}"))?;
                return Ok(Credential::User(Arc::new(user)));
            }
            other => return Err(format!(": SNMP {} is not spoken", bounded(other))),
        };
        let community = open(sealed).map_err(|why| format!(": {why}"))?;
        let known = self.effect.config.credentials.get(&sealed.name);
        if known.is_some_and(Credential::is_user) {
            let why = " is a user of SNMPv3 at the site; no community takes its place";
            return Err(why.to_owned());
        }
        Ok(Credential::Community { version, community })
    }

    /// Lets the hub's credentials count wherever their names stand.
    fn use_credentials(&mut self, opened: BTreeMap<String, Credential>) {
        for (name, credential) in opened {
            let ranges = self.effect.config.ranges.iter_mut();
            for (of, used) in ranges.flat_map(|range| &mut range.credentials) {
                if *of == name {
                    *used = credential.clone();
                }
            }
            self.mark(format!("credentials.{name}"));
            self.effect.config.credentials.insert(name, credential);
        }
    }

    /// The hub's ranges, each within the ceiling and without what the site excludes.
    fn ranges(&self) -> Result<Vec<RangeConfig>, String> {
        self.is_free("ranges")?;
        few("ranges", self.wanted.ranges.len(), RANGES_MAX)?;
        let ceiling = self.ceiling()?;
        let mut labels = BTreeSet::new();
        let mut ranges = Vec::with_capacity(self.wanted.ranges.len());
        for range in &self.wanted.ranges {
            let label = bounded(&range.label);
            if !is_short(&range.label) || range.label.chars().any(char::is_control) {
                return Err(format!("a range cannot be called '{label}'"));
            }
            if !labels.insert(&range.label) {
                return Err(format!("the label '{label}' is used twice"));
            }
            let range = self
                .range(range, &ceiling)
                .map_err(|why| format!("range '{label}': {why}"))?;
            ranges.push(range);
        }
        Ok(ranges)
    }

    fn range(&self, wanted: &WantedRange, ceiling: &Scope) -> Result<RangeConfig, String> {
        let addresses = parsed(&wanted.addresses)?;
        let exclude = parsed(&wanted.exclude)?;
        let scope = Scope::new(&addresses, &exclude, &[]).map_err(|error| error.to_string())?;
        if scope.count() == 0 {
            return Err("there is no address in it".to_owned());
        }
        if let Some(address) = scope.beyond(ceiling) {
            return Err(format!("{address} is beyond the site's ceiling"));
        }
        let names = match wanted.credentials.as_slice() {
            [] => &[crate::config::BUILT_IN_CREDENTIAL.to_owned()],
            names => names,
        };
        few("credentials", names.len(), CREDENTIALS_MAX)?;
        let known = &self.effect.config.credentials;
        let credentials = names.iter().map(|name| {
            let credential = known.get(name);
            let credential = credential.map(|credential| (name.clone(), credential.clone()));
            credential.ok_or_else(|| format!("there is no credential '{}'", bounded(name)))
        });
        let sites = self.site.ranges.iter().flat_map(|range| &range.exclude);
        Ok(RangeConfig {
            label: wanted.label.clone(),
            addresses,
            exclude: exclude.into_iter().chain(sites.cloned()).collect(),
            credentials: credentials.collect::<Result<_, _>>()?,
            web_ports: self.web_ports(),
            doors: self.doors(),
        })
    }

    /// Doors beside SNMP in a range of the hub's: those that every range of the site opens.
    fn doors(&self) -> Doors {
        let mut doors = self.site.ranges.iter().map(|range| range.doors);
        let first = doors.next().unwrap_or_default();
        doors.fold(first, Doors::also_in)
    }

    /// Ports for sessions in a range of the hub's: a range that the site closes stays closed, so
    /// only those that every one of its ranges opens.
    fn web_ports(&self) -> Vec<u16> {
        let is_open = |port: &u16| {
            let mut ranges = self.site.ranges.iter();
            ranges.all(|range| range.web_ports.contains(port))
        };
        let ports = self.site.web_access.ports.iter().copied();
        ports.filter(is_open).collect()
    }

    /// How far the hub may reach. A host name of the site's is the site's own affair.
    fn ceiling(&self) -> Result<Scope, String> {
        let own = self.site.ranges.iter().flat_map(|range| &range.addresses);
        let own = own.filter(|range| range.name().is_none()).cloned();
        let ceiling: Vec<AddressRange> = match &self.site.word.ceiling {
            Some(ceiling) => ceiling.clone(),
            None => own.collect(),
        };
        let scope = Scope::new(&ceiling, &[], &[] as &[Door]).map_err(|error| error.to_string())?;
        Ok(scope.without_own_machine(&ceiling))
    }
}

/// Address ranges as the hub wrote them. A name would let its owner choose the address.
fn parsed(texts: &[String]) -> Result<Vec<AddressRange>, String> {
    few("addresses", texts.len(), ENTRIES_MAX)?;
    let parsed = texts.iter().map(|text| {
        let shown = bounded(text);
        match shown.parse::<AddressRange>() {
            Ok(range) if range.name().is_some() => Err(format!(
                "'{shown}' is a host name, and a hub may name addresses only"
            )),
            Ok(range) => Ok(range),
            Err(error) => Err(error.halves().0),
        }
    });
    parsed.collect()
}

fn few(what: &str, number: usize, max: usize) -> Result<(), String> {
    if number > max {
        return Err(format!("{number} {what} are more than {max}"));
    }
    Ok(())
}

fn is_short(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.chars().count())
}

/// A stranger's text as a complaint repeats it: bounded, without control characters. No text that
/// is accepted becomes another one.
fn bounded(text: &str) -> String {
    let shown = text.chars().filter(|letter| !letter.is_control());
    shown.take(2 * NAME_CHARS_MAX).collect()
}
