//! What the agent says of itself: the answer to `platen status`, and the totals the hub is told.
//!
//! Plain data with a documented JSON form; `"schema": 1` changes only when a field changes its
//! meaning. The Supervisor fills it from the children's last pulses.

use std::sync::Arc;

use jiff::Timestamp;
use printer::identity::DeviceId;
use serde::{Deserialize, Serialize};

use crate::children::Children;
use crate::messages::{Cause, ChildId, DeviceVitals, Kind, ScannerVitals, UplinkVitals, Vitals};
use crate::parts::{HubLink, Subnet};
use crate::quarantine::{self, Quarantine, SetAside};
use crate::registry::{Known, Registry};
use crate::spool::Spool;
use crate::tunnel::SessionsStatus;

/// Version of the JSON shape.
pub const SCHEMA: u32 = 1;

/// Most silent printers listed one by one; the count is always whole.
pub const SILENT_LISTED_MAX: usize = 50;
/// Most troubled printers listed one by one: as many as silent ones.
pub const TROUBLED_LISTED_MAX: usize = 50;
/// Most children with restarts listed one by one, those restarted most first.
pub const RESTARTS_LISTED_MAX: usize = 50;

/// The agent at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusSnapshot {
    /// Version of this shape, [`SCHEMA`].
    pub schema: u32,
    /// When it was taken.
    pub at: Timestamp,
    /// When the actors were started.
    pub started_at: Timestamp,
    /// The hub, if there is one.
    pub hub: Option<HubStatus>,
    /// The printers.
    pub printers: PrintersStatus,
    /// The subnets, by label.
    pub subnets: Vec<SubnetStatus>,
    /// What waits for the hub.
    pub queue: QueueStatus,
    /// Actors that died and came back.
    pub restarts: RestartsStatus,
    /// Sessions with printers' web pages.
    #[serde(default)]
    pub sessions: SessionsStatus,
    /// Devices that nobody reads any more, because they killed their actors.
    #[serde(default)]
    pub set_aside: Vec<SetAsideStatus>,
}

/// A device that is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAsideStatus {
    /// Which one.
    pub device: DeviceId,
    /// Where it was last.
    pub address: Option<std::net::IpAddr>,
    /// Since when.
    pub since: Timestamp,
    /// How its last actor died.
    pub cause: String,
    /// What it said last, in octets.
    pub bytes: u64,
    /// The file that holds them; absent where nothing is kept.
    pub file: Option<std::path::PathBuf>,
}

/// Most devices that refuse every credential listed one by one: a person goes through no more; the
/// count is always whole.
pub const REFUSING_LISTED_MAX: usize = 100;

/// A device that answers and accepts none of its range's credentials. It is not silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusing {
    /// Where it answers.
    pub address: std::net::IpAddr,
    /// Which known device it is; absent for one that was never read.
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// What it says to each credential, in words.
    pub why: String,
}

/// How it stands with the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubStatus {
    /// Where it is.
    pub url: String,
    /// What the uplink last said.
    #[serde(flatten)]
    pub uplink: UplinkVitals,
}

/// How it stands with the printers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintersStatus {
    /// Known, living or not.
    pub known: u32,
    /// Of them, read at least once since the start.
    pub read: u32,
    /// Of them, not answering.
    pub silent: u32,
    /// The oldest of the last readings.
    pub read_first_at: Option<Timestamp>,
    /// The newest of the last readings.
    pub read_last_at: Option<Timestamp>,
    /// When the next full reading of any begins.
    pub next_at: Option<Timestamp>,
    /// Those that do not answer, at most [`SILENT_LISTED_MAX`].
    pub silent_listed: Vec<SilentPrinter>,
    /// Devices that answer and accept no credential, known or not.
    #[serde(default)]
    pub refusing: u32,
    /// Those, at most [`REFUSING_LISTED_MAX`].
    #[serde(default)]
    pub refusing_listed: Vec<Refusing>,
    /// Those that answer as no printer should, at most [`TROUBLED_LISTED_MAX`].
    #[serde(default)]
    pub troubled_listed: Vec<TroubledPrinter>,
    /// Devices that may be another one which is known, and are kept apart.
    #[serde(default)]
    pub doubtful: u32,
    /// Those, at most [`DOUBTFUL_LISTED_MAX`].
    #[serde(default)]
    pub doubtful_listed: Vec<DoubtfulPrinter>,
}

/// Most devices that may be another one listed one by one: a person compares no more.
pub const DOUBTFUL_LISTED_MAX: usize = 50;

/// A device that may be another one. It has an id of its own, and nothing of the one is counted
/// for the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubtfulPrinter {
    /// Which one.
    pub device: DeviceId,
    /// Where it is; absent if nobody knows.
    pub address: Option<std::net::IpAddr>,
    /// Which one it may be: the likeliest.
    pub may_be: DeviceId,
    /// Which others as well, the likelier first.
    #[serde(default)]
    pub or: Vec<DeviceId>,
    /// How many more, which are not named.
    #[serde(default)]
    pub more: u32,
    /// Why nobody can tell, in words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// A printer with whose answers something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubledPrinter {
    /// Which one.
    pub device: DeviceId,
    /// Where it is; absent if nobody knows.
    pub address: Option<std::net::IpAddr>,
    /// What, in words.
    pub trouble: String,
}

/// A printer that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentPrinter {
    /// Which one.
    pub device: DeviceId,
    /// Where it was last; absent if nobody knows.
    pub address: Option<std::net::IpAddr>,
    /// Since when.
    pub since: Timestamp,
}

/// How it stands with one subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetStatus {
    /// Its label in the configuration.
    pub label: String,
    /// What its scanner last said.
    #[serde(flatten)]
    pub scanner: ScannerVitals,
}

/// What waits for the hub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Reports that the hub has not acknowledged.
    pub waiting: u64,
    /// Instant of the oldest of them.
    pub oldest_at: Option<Timestamp>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Reports given up for want of room, since the spool was made.
    pub thinned: u64,
    /// Reports lost to a disk that gave back other octets, since the spool was made.
    pub damaged: u64,
    /// What is wrong with the spool, in words, most important first.
    #[serde(default)]
    pub alarms: Vec<String>,
}

/// Actors that died and came back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartsStatus {
    /// All of them, since the start.
    pub total: u32,
    /// The same by kind of actor; a kind without restarts is absent.
    pub by_kind: std::collections::BTreeMap<Kind, u32>,
    /// One by one, at most [`RESTARTS_LISTED_MAX`].
    pub children: Vec<ChildRestarts>,
}

/// The restarts of one child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRestarts {
    /// Who.
    pub child: ChildId,
    /// How often a new actor took its place.
    pub restarts: u32,
    /// Why the last one died.
    pub cause: Cause,
    /// When.
    pub died_at: Timestamp,
    /// Whether one lives now; false during a backoff.
    pub is_alive: bool,
}

/// What the hub is told with every poll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Known printers.
    pub known: u32,
    /// Of them, not answering.
    pub silent: u32,
    /// Restarts of actors since the start.
    pub restarts: u32,
    /// Devices that answer and accept no credential, at most [`REFUSING_LISTED_MAX`].
    pub refusing: Vec<Refusing>,
    /// Devices that may be another one, at most [`DOUBTFUL_LISTED_MAX`].
    pub doubtful: Vec<DoubtfulPrinter>,
}

/// How it stands with the hub, by the uplink's last words.
pub(crate) fn hub<A: Clone>(link: Option<&HubLink>, children: &Children<A>) -> Option<HubStatus> {
    let uplink = match children.vitals(&ChildId::Uplink) {
        Some(Vitals::Uplink(vitals)) => vitals.clone(),
        Some(Vitals::Scanner(_) | Vitals::Device(_) | Vitals::Tunnel) | None => {
            UplinkVitals::default()
        }
    };
    link.map(|link| HubStatus {
        url: link.url.clone(),
        uplink,
    })
}

/// How it stands with the printers, by each device's last words.
pub(crate) fn printers<A: Clone>(registry: &Registry, children: &Children<A>) -> PrintersStatus {
    let (refusing, refusing_listed) = refusing(registry, children);
    let (doubtful, doubtful_listed) = doubtful(registry);
    let mut all = PrintersStatus {
        refusing,
        refusing_listed,
        doubtful,
        doubtful_listed,
        ..PrintersStatus::default()
    };
    for (device, known) in registry.iter() {
        all.known += 1;
        let vitals = match children.vitals(&ChildId::Device(device.clone())) {
            Some(Vitals::Device(vitals)) => vitals.clone(),
            Some(Vitals::Scanner(_) | Vitals::Uplink(_) | Vitals::Tunnel) | None => {
                DeviceVitals::default()
            }
        };
        if let Some(read_at) = vitals.read_at {
            all.read += 1;
            all.read_first_at = all.read_first_at.into_iter().chain([read_at]).min();
            all.read_last_at = all.read_last_at.into_iter().chain([read_at]).max();
        }
        if let Some(trouble) = vitals.trouble
            && all.troubled_listed.len() < TROUBLED_LISTED_MAX
        {
            all.troubled_listed.push(TroubledPrinter {
                device: device.clone(),
                address: known.address,
                trouble,
            });
        }
        all.next_at = all.next_at.into_iter().chain(vitals.next_at).min();
        if let Some(since) = silent_since(device, known, children) {
            all.silent += 1;
            if all.silent_listed.len() < SILENT_LISTED_MAX {
                let (device, address) = (device.clone(), known.address);
                all.silent_listed.push(SilentPrinter {
                    device,
                    address,
                    since,
                });
            }
        }
    }
    all
}

/// Who may be whom: how many, and the first of them.
pub(crate) fn doubtful(registry: &Registry) -> (u32, Vec<DoubtfulPrinter>) {
    // Those that are there come first: somebody can look at them.
    let mut listed: Vec<_> = registry.doubtful().collect();
    listed.sort_by_key(|(_, known, _)| known.address.is_none());
    let count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
    let all = listed
        .into_iter()
        .map(|(device, known, doubt)| DoubtfulPrinter {
            device: device.clone(),
            address: known.address,
            may_be: doubt.of.clone(),
            or: doubt.or.clone(),
            more: doubt.more,
            why: doubt.words.clone(),
            since: doubt.since,
        });
    (count, all.take(DOUBTFUL_LISTED_MAX).collect())
}

/// Who answers and accepts no credential: what the scanners saw, with who it is known to be, and the
/// known devices that said so since. How many, and the first of them by their addresses.
pub(crate) fn refusing<A: Clone>(
    registry: &Registry,
    children: &Children<A>,
) -> (u32, Vec<Refusing>) {
    let mut all = std::collections::BTreeMap::new();
    let mut unlisted = 0;
    let mut known = Vec::new();
    for vitals in children.all_vitals() {
        match vitals {
            Vitals::Scanner(scanner) => {
                let listed = u32::try_from(scanner.refusing_listed.len()).unwrap_or(u32::MAX);
                unlisted += scanner.refusing.saturating_sub(listed);
                for seen in &scanner.refusing_listed {
                    let device = registry.living_at(seen.address);
                    let seen = Refusing {
                        device,
                        ..seen.clone()
                    };
                    all.insert(seen.address, seen);
                }
            }
            Vitals::Device(device) => known.extend(device.refused.clone()),
            Vitals::Uplink(_) | Vitals::Tunnel => {}
        }
    }
    // A device knows better than a sweep that is an hour old.
    all.extend(known.into_iter().map(|it| (it.address, it)));
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let listed = all.into_values().take(REFUSING_LISTED_MAX).collect();
    (count.saturating_add(unlisted), listed)
}

/// Since when a device does not answer: by its own words, or from when it was let go.
pub(crate) fn silent_since<A: Clone>(
    device: &DeviceId,
    known: &Known,
    children: &Children<A>,
) -> Option<Timestamp> {
    match children.vitals(&ChildId::Device(device.clone())) {
        Some(Vitals::Device(vitals)) => vitals.silent_since,
        Some(Vitals::Scanner(_) | Vitals::Uplink(_) | Vitals::Tunnel) | None => known.let_go_since,
    }
}

/// How it stands with the subnets, by each scanner's last words.
pub(crate) fn subnets<A: Clone>(
    subnets: &[Arc<Subnet>],
    children: &Children<A>,
) -> Vec<SubnetStatus> {
    let status = |subnet: &Arc<Subnet>| {
        let label = subnet.label.clone();
        let scanner = match children.vitals(&ChildId::Scanner(label.clone())) {
            Some(Vitals::Scanner(vitals)) => vitals.clone(),
            Some(Vitals::Device(_) | Vitals::Uplink(_) | Vitals::Tunnel) | None => {
                ScannerVitals::default()
            }
        };
        SubnetStatus { label, scanner }
    };
    subnets.iter().map(status).collect()
}

/// Who is set aside.
pub(crate) fn set_aside(quarantine: &Quarantine) -> Vec<SetAsideStatus> {
    let row = |held: &SetAside| SetAsideStatus {
        device: held.device.clone(),
        address: held.address,
        since: held.since,
        cause: held.deaths.last().cloned().unwrap_or_default(),
        bytes: held.answers.iter().map(|hex| hex.len() as u64 / 2).sum(),
        file: quarantine
            .folder()
            .map(|folder| quarantine::file_of(&folder, &held.device)),
    };
    quarantine.iter().map(row).collect()
}

/// What waits for the hub.
pub(crate) fn queue(spool: &Spool) -> QueueStatus {
    let stats = spool.stats();
    let alarms = spool.alarms(Timestamp::now());
    QueueStatus {
        waiting: stats.waiting,
        oldest_at: stats.oldest,
        bytes: stats.bytes,
        thinned: stats.thinned,
        damaged: stats.damaged,
        alarms: alarms.iter().map(ToString::to_string).collect(),
    }
}
