//! The fleet file: which printers stand at which addresses, and how they live.
//!
//! TOML in, a [`Fleet`] that is valid in every field out, or an error that names the line. Nothing
//! here opens a recording: [`crate::rack`] does.

mod life;
mod users;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use snmp::usm::User;

use crate::addresses::{self, AddressError};
use crate::identity::Pattern;
use crate::life::LifeSettings;
use crate::misbehave::list::{RawBehavior, Trick};
use crate::web::{self, Door, RawWeb};

pub(crate) use self::users::Versions;

use self::life::RawLife;
use self::users::RawUser;

/// Fastest a fleet may live: a simulated month in half a minute.
const SPEED_MAX: f64 = 100_000.0;
/// Smallest largest-message: what every SNMP entity must take (RFC 3417 §3.2.1).
const ANSWER_MIN: usize = 484;
/// Largest message: what one UDP datagram carries over IPv4.
const ANSWER_MAX: usize = 65_507;
/// What fits into one Ethernet frame of 1,500 octets without its IP and UDP heads.
const ANSWER_DEFAULT: usize = 1_472;
/// How alike a key must be to be offered instead of an unknown one (Jaro-Winkler, 0 to 1).
const LIKENESS_MIN: f64 = 0.7;

/// A fleet, as its file says it.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// What every random thing of the fleet comes from.
    pub seed: u64,
    /// The UDP port; 0 takes a free one.
    pub port: u16,
    /// The community, also of contexts (`public@Jetdirect`).
    pub community: Vec<u8>,
    /// Where the recordings are.
    pub recordings: PathBuf,
    /// How many questions of a hundred get lost.
    pub loss_percent: u32,
    /// The printers, group by group.
    pub(crate) groups: Vec<Group>,
}

/// Printers that play one recording.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) recording: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) serial: Option<Pattern>,
    pub(crate) name: Option<Pattern>,
    pub(crate) speed: f64,
    pub(crate) frozen: bool,
    pub(crate) answer_size_max: usize,
    pub(crate) life: LifeSettings,
    pub(crate) doors: Vec<Door>,
    pub(crate) tls_generation: u32,
    pub(crate) misbehave: Option<Trick>,
    pub(crate) users: Arc<[User]>,
    pub(crate) versions: Versions,
}

/// Why a fleet file is refused.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// It cannot be read.
    #[error("cannot read fleet {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not the TOML that is wanted.
    #[error("fleet, line {line}: {message}")]
    Text {
        /// The line, counted from 1; 0 where none is known.
        line: usize,
        /// What is wrong, and the nearest key for an unknown one.
        message: String,
    },
    /// A value is outside its bounds.
    #[error("fleet: {key} must be {bounds}")]
    Bounds {
        /// The key.
        key: &'static str,
        /// What is allowed.
        bounds: &'static str,
    },
    /// Addresses that cannot be.
    #[error("fleet, printers of {recording}: {error}")]
    Addresses {
        /// The recording of the group.
        recording: String,
        /// What is wrong with them.
        error: AddressError,
    },
    /// Pages, misbehavior, users or versions that cannot be.
    #[error("fleet, printers of {recording}: {problem}")]
    Unknown {
        /// The recording of the group.
        recording: String,
        /// What is wrong with them, and the nearest name for an unknown one.
        problem: String,
    },
    /// A user that cannot be.
    #[error("fleet: {0}")]
    User(String),
    /// Two printers at one address.
    #[error("fleet: two printers at {0}")]
    Twice(IpAddr),
    /// A pattern without its number.
    #[error(
        "fleet, printers of {recording}: {key} must hold {{n}} or {{n:WIDTH}}, such as \"SN{{n:5}}\""
    )]
    Pattern {
        /// The recording of the group.
        recording: String,
        /// The key.
        key: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawFleet {
    seed: u64,
    port: u16,
    community: String,
    recordings: PathBuf,
    speed: f64,
    frozen: bool,
    loss_percent: u32,
    answer_size_max: usize,
    users: Vec<RawUser>,
    life: RawLife,
    printers: Vec<RawGroup>,
}

impl Default for RawFleet {
    fn default() -> Self {
        Self {
            seed: 1,
            port: 1161,
            community: "public".to_owned(),
            recordings: PathBuf::from("."),
            speed: 1.0,
            frozen: false,
            loss_percent: 0,
            answer_size_max: ANSWER_DEFAULT,
            users: Vec::new(),
            life: RawLife::default(),
            printers: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    recording: String,
    addresses: RawAddresses,
    serial: Option<String>,
    name: Option<String>,
    speed: Option<f64>,
    frozen: Option<bool>,
    answer_size_max: Option<usize>,
    #[serde(default)]
    life: RawLife,
    web: Option<RawWeb>,
    raw: Option<u16>,
    #[serde(default)]
    tls_generation: u32,
    misbehave: Option<RawBehavior>,
    users: Option<Vec<String>>,
    versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "addresses are an address or CIDR, a list of them, or { range = CIDR, count = N }"
)]
enum RawAddresses {
    One(String),
    Many(Vec<String>),
    Spread(RawSpread),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpread {
    range: String,
    count: u32,
}

impl Fleet {
    /// Reads a fleet file. A relative `recordings` starts at the folder of the file; `recordings`
    /// given here goes before the file's.
    ///
    /// # Errors
    /// [`FleetError`] names the file, line, key or address that is wrong.
    pub fn read(path: &Path, recordings: Option<&Path>) -> Result<Self, FleetError> {
        let text = std::fs::read_to_string(path).map_err(|error| FleetError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut fleet = Self::parse(&text, folder)?;
        if let Some(recordings) = recordings {
            fleet.recordings = recordings.to_owned();
        }
        Ok(fleet)
    }

    /// Reads the text of a fleet file that stands in `folder`.
    ///
    /// # Errors
    /// As [`Fleet::read`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, FleetError> {
        let raw: RawFleet = toml::from_str(text).map_err(|error| explain(text, &error))?;
        let mut taken = std::collections::HashSet::new();
        let mut groups = Vec::new();
        let users: Arc<[User]> = users::check(&raw.users).map_err(FleetError::User)?.into();
        for group in &raw.printers {
            let group = check_group(group, &raw, &users)?;
            if let Some(twice) = group
                .addresses
                .iter()
                .find(|address| !taken.insert(**address))
            {
                return Err(FleetError::Twice(*twice));
            }
            groups.push(group);
        }
        within("loss_percent", "0 to 100", raw.loss_percent <= 100)?;
        within(
            "community",
            "1 to 255 octets",
            (1..=255).contains(&raw.community.len()),
        )?;
        Ok(Self {
            seed: raw.seed,
            port: raw.port,
            community: raw.community.into_bytes(),
            recordings: folder.join(raw.recordings),
            loss_percent: raw.loss_percent,
            groups,
        })
    }

    /// Every address, in the order of the file.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.groups
            .iter()
            .flat_map(|group| group.addresses.iter().copied())
    }
}

fn check_group(raw: &RawGroup, fleet: &RawFleet, users: &Arc<[User]>) -> Result<Group, FleetError> {
    let addresses = match &raw.addresses {
        RawAddresses::One(text) => addresses::all(std::slice::from_ref(text)),
        RawAddresses::Many(texts) => addresses::all(texts),
        RawAddresses::Spread(spread) => addresses::spread(&spread.range, spread.count, fleet.seed),
    };
    let addresses = addresses.map_err(|error| FleetError::Addresses {
        recording: raw.recording.clone(),
        error,
    })?;
    let pattern = |key: &'static str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Pattern::parse(text).map(Some).ok_or(FleetError::Pattern {
            recording: raw.recording.clone(),
            key,
        }),
    };
    let speed = raw.speed.unwrap_or(fleet.speed);
    let size = raw.answer_size_max.unwrap_or(fleet.answer_size_max);
    within("speed", "0 to 100000", (0.0..=SPEED_MAX).contains(&speed))?;
    within(
        "answer_size_max",
        "484 to 65507",
        (ANSWER_MIN..=ANSWER_MAX).contains(&size),
    )?;
    let is_plain = !raw.recording.is_empty() && !raw.recording.split('/').any(|part| part == "..");
    within(
        "recording",
        "a name below the folder of recordings",
        is_plain,
    )?;
    let unknown = |problem| FleetError::Unknown {
        recording: raw.recording.clone(),
        problem,
    };
    let misbehave = raw.misbehave.as_ref().map(RawBehavior::check);
    let users = users::chosen(raw.users.as_deref(), users).map_err(unknown)?;
    let versions = users::versions(raw.versions.as_deref(), &users).map_err(unknown)?;
    Ok(Group {
        recording: raw.recording.clone(),
        addresses,
        serial: pattern("serial", &raw.serial)?,
        name: pattern("name", &raw.name)?,
        speed,
        frozen: raw.frozen.unwrap_or(fleet.frozen),
        answer_size_max: size,
        life: life::check(&raw.life, &fleet.life)?,
        doors: web::doors(raw.web.as_ref(), raw.raw).map_err(unknown)?,
        tls_generation: raw.tls_generation,
        misbehave: misbehave.transpose().map_err(unknown)?,
        users,
        versions,
    })
}

fn within(key: &'static str, bounds: &'static str, is_within: bool) -> Result<(), FleetError> {
    if is_within {
        Ok(())
    } else {
        Err(FleetError::Bounds { key, bounds })
    }
}

/// Names the line, and for an unknown key the nearest known one.
fn explain(text: &str, error: &toml::de::Error) -> FleetError {
    let start = error.span().map(|span| span.start);
    let before = start.and_then(|start| text.get(..start));
    let line = before.map_or(0, |before| before.matches('\n').count() + 1);
    let mut message = error.message().to_owned();
    // serde writes: unknown field `x`, expected one of `a`, `b`
    let mut words = error.message().split('`').skip(1).step_by(2);
    if let Some(unknown) = words
        .next()
        .filter(|_| error.message().starts_with("unknown field"))
    {
        let likeness = |key: &str| strsim::jaro_winkler(unknown, key);
        let nearest = words
            .filter(|key| likeness(key) >= LIKENESS_MIN)
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        message = match nearest {
            Some(nearest) => format!("unknown key '{unknown}': did you mean '{nearest}'?"),
            None => format!("unknown key '{unknown}'"),
        };
    }
    FleetError::Text { line, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fleet, FleetError> {
        Fleet::parse(text, Path::new("/fleets"))
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_key() {
        let error = parse("seed = 1\nlos_percent = 3\n")
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "fleet, line 2: unknown key 'los_percent': did you mean 'loss_percent'?"
        );
        let text = "[[printers]]\nrecording = \"a\"\naddresses = \"127.0.0.9\"\nserail = \"x\"\n";
        let error = parse(text).unwrap_err().to_string();
        assert_eq!(
            error,
            "fleet, line 4: unknown key 'serail': did you mean 'serial'?"
        );
        let error = parse("[life]\nzzz = 3\n").unwrap_err().to_string();
        assert_eq!(error, "fleet, line 2: unknown key 'zzz'");
    }

    #[test]
    fn the_sample_fleet_has_every_key_with_its_default() {
        let sample = include_str!("../../config/simulator.toml");
        let fleet = parse(sample).unwrap();
        assert_eq!(fleet.addresses().count(), 4);
        let mut table: toml::Table = sample.parse().unwrap();
        let printers = table.remove("printers").unwrap();
        let defaults = RawFleet::default();
        assert_eq!(table["seed"].as_integer(), Some(1));
        assert_eq!(table["port"].as_integer(), Some(i64::from(defaults.port)));
        assert_eq!(table["community"].as_str(), Some("public"));
        assert_eq!(table["speed"].as_float(), Some(defaults.speed));
        assert_eq!(
            table["answer_size_max"].as_integer(),
            Some(ANSWER_DEFAULT as i64)
        );
        assert_eq!(fleet.groups[0].life, LifeSettings::default());
        assert_eq!(table.len(), 10, "every key of the fleet but the printers");
        assert_eq!(
            table["life"].as_table().unwrap().len(),
            14,
            "every key of the life"
        );
        assert_eq!(
            printers[1].as_table().unwrap().len(),
            14,
            "every key of a group"
        );
    }

    #[test]
    fn the_demo_fleet_has_many_printers_of_eight_makes() {
        let fleet = parse(include_str!("../../tests/fleets/demo.toml")).unwrap();
        assert!(fleet.addresses().count() >= 25);
        assert!(fleet.groups.len() >= 9);
    }

    #[test]
    fn users_and_versions_that_cannot_be_are_refused() {
        let user = |rest: &str| format!("[[users]]\nname = \"mps\"\n{rest}\n");
        let group = |rest: &str| {
            format!("[[printers]]\nrecording = \"a\"\naddresses = \"127.0.0.9\"\n{rest}\n")
        };
        let said = |text: &str| parse(text).unwrap_err().to_string();
        let lone = said(&user("auth = \"sha256\""));
        assert_eq!(
            lone,
            "fleet: user 'mps': auth and auth_password go together"
        );
        let unknown = said(&user("auth = \"sha3\"\nauth_password = \"x\""));
        assert_eq!(unknown, "fleet: user 'mps': 'sha3' is no algorithm");
        let bare = said(&user("priv = \"aes128\"\npriv_password = \"x\""));
        assert_eq!(bare, "fleet: user 'mps': priv takes auth");
        let nobody = said(&format!("{}{}", user(""), group("users = [\"other\"]")));
        assert_eq!(nobody, "fleet, printers of a: there is no user 'other'");
        let alone = said(&group("versions = [\"3\"]"));
        assert_eq!(alone, "fleet, printers of a: version 3 takes users");
        let fleet = parse(&format!("{}{}", user(""), group("versions = [\"3\"]"))).unwrap();
        let versions = fleet.groups[0].versions;
        assert!(versions.has_users() && !versions.has(snmp::Version::V2c));
    }

    #[test]
    fn values_outside_their_bounds_are_refused() {
        let error = parse("loss_percent = 101\n").unwrap_err().to_string();
        assert_eq!(error, "fleet: loss_percent must be 0 to 100");
        let group = |rest: &str| {
            format!("[[printers]]\nrecording = \"a\"\naddresses = \"127.0.0.9\"\n{rest}\n")
        };
        assert!(parse(&group("speed = -1.0")).is_err());
        assert!(parse(&group("serial = \"SN\"")).is_err());
        assert!(
            parse(&format!("{}{}", group(""), group(""))).is_err(),
            "two at one address"
        );
        assert!(parse(&group("").replace("\"a\"", "\"../a\"")).is_err());
    }
}
