//! What the hub configures, under the site's own word.
//!
//! Used when a hub asks for a configuration, and again at each start, because the site may have
//! locked meanwhile what it did not before. The hub's word is kept in the state folder, whole or
//! not at all, and its credentials stay sealed there. It counts over the site's own layers, except
//! where the site locks a key or a range reaches beyond the site's ceiling.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::private::write_whole;
use actors::reach::credential::Secret;
use actors::site::{SealedCredential, Wanted, WantedRange};
use serde::{Deserialize, Serialize};

use crate::config::AgentConfig;
use crate::sealing::SealingKey;

mod apply;

use self::apply::Applying;

/// The file in the state folder.
const FILE: &str = "hub.json";
/// Version of its shape.
const SCHEMA: u32 = 1;
/// Longest such file that is read, in bytes: every list at its bound takes some hundred kB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why the hub's word cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The disk failed, or is full, or cannot be written.
    #[error("{path} cannot be used: {error}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It was changed by somebody, or cut short.
    #[error("{0} is damaged; the hub must configure this agent again")]
    Damaged(PathBuf),
}

/// The configuration that is in effect.
#[derive(Debug, Clone)]
pub struct InEffect {
    /// The site's, with what the hub changed.
    pub config: AgentConfig,
    /// The id of the hub's command; empty for none.
    pub id: String,
    /// What of the hub's word does not count, and why; each for a person to read.
    pub refusals: Vec<String>,
    /// Sections and keys that the hub changed, and where from, for `config show --origin`.
    pub by_hub: BTreeMap<String, String>,
}

impl InEffect {
    /// The site's own configuration.
    #[must_use]
    pub fn sites(config: AgentConfig) -> Self {
        Self {
            config,
            id: String::new(),
            refusals: Vec::new(),
            by_hub: BTreeMap::new(),
        }
    }

    /// The site's configuration with what the state folder keeps of the hub's. What cannot be read
    /// is a refusal: the agent runs on with the site's own.
    #[must_use]
    pub fn load(config: &AgentConfig, key: Option<&SealingKey>) -> Self {
        match load(&config.state_dir) {
            Ok(None) => Self::sites(config.clone()),
            Ok(Some(wanted)) => apply(config, &wanted, key),
            Err(error) => Self {
                refusals: vec![error.to_string()],
                ..Self::sites(config.clone())
            },
        }
    }
}

/// Puts the hub's word over the site's configuration, as far as the site lets it. A caller for whom
/// it must count whole looks at the refusals.
#[must_use]
pub fn apply(site: &AgentConfig, wanted: &Wanted, key: Option<&SealingKey>) -> InEffect {
    let open = |credential: &SealedCredential| -> Result<Secret, String> {
        let key = key.ok_or("this agent has no key to open it with; enroll it again")?;
        key.open(credential).map_err(|error| error.to_string())
    };
    Applying::new(site, wanted).done(&open)
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    schema: u32,
    id: String,
    read_secs: Option<u64>,
    status_secs: Option<u64>,
    discover_secs: Option<u64>,
    ranges: Vec<KeptRange>,
    credentials: Vec<KeptCredential>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRange {
    label: String,
    addresses: Vec<String>,
    exclude: Vec<String>,
    credentials: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptCredential {
    name: String,
    version: String,
    /// Hex, as the hub sent it: only the agent's key opens it.
    sealed: String,
}

/// What the hub last configured; none if it never did.
///
/// # Errors
/// [`RemoteError`].
pub fn load(state_dir: &Path) -> Result<Option<Wanted>, RemoteError> {
    let path = state_dir.join(FILE);
    let unusable = |error| RemoteError::Unusable {
        path: path.clone(),
        error,
    };
    match fs::metadata(&path) {
        Ok(about) if about.len() > FILE_BYTES_MAX => return Err(RemoteError::Damaged(path)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    }
    let octets = fs::read(&path).map_err(unusable)?;
    let kept: Option<Kept> = serde_json::from_slice(&octets).ok();
    let wanted = kept.filter(|kept| kept.schema == SCHEMA).and_then(wanted);
    wanted.map(Some).ok_or(RemoteError::Damaged(path))
}

/// Keeps what the hub configures, in place of what it did before.
///
/// # Errors
/// [`RemoteError::Unusable`]; what was kept before still is.
pub fn save(state_dir: &Path, wanted: &Wanted) -> Result<(), RemoteError> {
    let unusable = |error| RemoteError::Unusable {
        path: state_dir.join(FILE),
        error,
    };
    let octets = serde_json::to_vec_pretty(&kept(wanted));
    let octets = octets.map_err(|error| unusable(io::Error::other(error)))?;
    write_whole(state_dir, FILE, &octets).map_err(unusable)
}

fn kept(wanted: &Wanted) -> Kept {
    let secs = |period: Option<Duration>| period.map(|period| period.as_secs());
    let range = |range: &WantedRange| KeptRange {
        label: range.label.clone(),
        addresses: range.addresses.clone(),
        exclude: range.exclude.clone(),
        credentials: range.credentials.clone(),
    };
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let credential = |credential: &SealedCredential| KeptCredential {
        name: credential.name.clone(),
        version: credential.version.clone(),
        sealed: hex(&credential.sealed),
    };
    Kept {
        schema: SCHEMA,
        id: wanted.id.clone(),
        read_secs: secs(wanted.read_every),
        status_secs: secs(wanted.status_every),
        discover_secs: secs(wanted.discover_every),
        ranges: wanted.ranges.iter().map(range).collect(),
        credentials: wanted.credentials.iter().map(credential).collect(),
    }
}

fn wanted(kept: Kept) -> Option<Wanted> {
    let range = |range: KeptRange| WantedRange {
        label: range.label,
        addresses: range.addresses,
        exclude: range.exclude,
        credentials: range.credentials,
    };
    let credential = |credential: KeptCredential| {
        Some(SealedCredential {
            name: credential.name,
            version: credential.version,
            sealed: octets(&credential.sealed)?,
        })
    };
    Some(Wanted {
        id: kept.id,
        read_every: kept.read_secs.map(Duration::from_secs),
        status_every: kept.status_secs.map(Duration::from_secs),
        discover_every: kept.discover_secs.map(Duration::from_secs),
        ranges: kept.ranges.into_iter().map(range).collect(),
        credentials: kept
            .credentials
            .into_iter()
            .map(credential)
            .collect::<Option<_>>()?,
    })
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<Vec<u8>>>()
        .filter(|_| hex.len().is_multiple_of(2))
}

#[cfg(test)]
mod tests;
