//! All devices of a fleet by their addresses: who is asked, is it heard, what does it answer.
//!
//! Pure but for reading the recordings once: bytes, addresses and the time come in, bytes go out.

mod answering;
mod fate;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use snmp::Oid;
use snmp::recording::{Recording, RecordingError};

use crate::device::Device;
use crate::dice;
use crate::engine::Ledger;
use crate::fleet::{Fleet, Group};
use crate::identity::Identity;
use crate::machine::Machine;
use crate::mib;
use crate::misbehave::list::Trick;
use crate::misbehave::{Mischief, rewritten};
use crate::web::{Portrait, Station, Tenant};

/// Largest recording that is read: the largest known walk of a printer has 400 KB.
const RECORDING_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a rack has heard and said, counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Datagrams that came.
    pub heard: u64,
    /// Answers that were made.
    pub answered: u64,
    /// From or to an address that is not loopback.
    pub foreign: u64,
    /// To an address where nothing stands.
    pub empty: u64,
    /// With a community, or as a user, that the device does not have.
    pub strangers: u64,
    /// No question in a version of SNMP that the device speaks.
    pub unreadable: u64,
    /// Lost on purpose.
    pub lost: u64,
    /// To a device that was silent: asleep, starting, or silenced.
    pub silent: u64,
    /// Answers that the socket did not take.
    pub unsent: u64,
}

/// One device of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it answers.
    pub address: IpAddr,
    /// What it plays, without the file's ending.
    pub recording: String,
    /// Whether the recording holds a marker (RFC 3805, prtMarkerTable), as every printer's does.
    pub is_printer: bool,
}

/// Why a fleet cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RackError {
    /// A recording cannot be read.
    #[error("cannot read recording {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A recording is none.
    #[error("recording {}, {error}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// The line and what is wrong with it.
        error: RecordingError,
    },
    /// A recording is too large.
    #[error("recording {} is larger than {RECORDING_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// What a page has its device do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Nothing.
    Nothing,
    /// Print so many labels.
    Print(u64),
    /// Start again.
    Restart,
}

/// No printer stands at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no printer at {0}")]
pub struct NoPrinter(pub IpAddr);

/// The devices of a fleet.
pub(crate) struct Rack {
    seed: u64,
    community: Vec<u8>,
    groups: Vec<Kind>,
    devices: Vec<Standing>,
    /// What the engines of version 3 keep, by the number of their device.
    ledgers: HashMap<u32, Ledger>,
    places: HashMap<IpAddr, u32>,
    /// How much further the fleet's time is than the clock's.
    ahead: Duration,
    /// How many boards came new out of their box.
    boards: u32,
    /// What the fleet does wrong.
    pub(crate) mischief: Mischief,
    /// What was heard and said.
    pub(crate) counts: Counts,
}

pub use self::fate::Fate;

/// What all devices of a group share.
struct Kind {
    group: Group,
    /// The contexts, each played as it was recorded.
    contexts: BTreeMap<Vec<u8>, Arc<Machine>>,
}

struct Standing {
    kind: u32,
    device: Device,
}

impl Rack {
    /// Reads the recordings of a fleet and sets its devices up.
    pub(crate) fn set_up(fleet: &Fleet) -> Result<Self, RackError> {
        let mut rack = Self {
            seed: fleet.seed,
            community: fleet.community.clone(),
            groups: Vec::new(),
            devices: Vec::new(),
            ledgers: HashMap::new(),
            places: HashMap::new(),
            ahead: Duration::ZERO,
            boards: 0,
            mischief: Mischief::new(fleet.seed, fleet.loss_percent),
            counts: Counts::default(),
        };
        let mut machines: BTreeMap<(String, bool, Option<Trick>), Arc<Machine>> = BTreeMap::new();
        let mut played = std::collections::BTreeSet::new();
        for group in &fleet.groups {
            let key = (group.recording.clone(), group.frozen, group.misbehave);
            let machine = match machines.get(&key) {
                Some(machine) => Arc::clone(machine),
                None => Arc::new(load(&fleet.recordings, group)?),
            };
            machines.insert(key, Arc::clone(&machine));
            for address in &group.addresses {
                let number = u32::try_from(rack.devices.len()).unwrap_or(u32::MAX);
                let is_first = played.insert(group.recording.clone());
                rack.places.insert(*address, number);
                rack.devices.push(Standing {
                    kind: u32::try_from(rack.groups.len()).unwrap_or(u32::MAX),
                    device: device(&machine, group, number, is_first),
                });
            }
            let contexts = load_contexts(&fleet.recordings, &group.recording)?;
            rack.groups.push(Kind {
                group: group.clone(),
                contexts,
            });
        }
        Ok(rack)
    }

    /// Every device that has doors, with the address where it stands.
    pub(crate) fn tenants(&self) -> Vec<(IpAddr, Tenant)> {
        let at = |(address, number): (&IpAddr, &u32)| {
            let standing = self.devices.get(*number as usize)?;
            let group = &self.groups.get(standing.kind as usize)?.group;
            let tenant = Tenant {
                number: *number,
                doors: group.doors.clone(),
                tls_generation: group.tls_generation,
                station: Arc::new(Station::new(own_seed(self.seed, *number))),
            };
            (!tenant.doors.is_empty()).then_some((*address, tenant))
        };
        self.places.iter().filter_map(at).collect()
    }

    /// How the device of this number looks now, for its own page, once it has done this. One that
    /// does not live does nothing.
    pub(crate) fn portrait(
        &mut self,
        number: u32,
        deed: Deed,
        elapsed: Duration,
    ) -> Option<Portrait> {
        let standing = self.devices.get_mut(number as usize)?;
        let kind = self.groups.get(standing.kind as usize)?;
        let now_ms = simulated_ms(elapsed + self.ahead, kind.group.speed);
        if !kind.group.frozen {
            let seed = own_seed(self.seed, number);
            standing.device.live(&kind.group.life, seed, now_ms);
        }
        if let Some(life) = standing.device.life.as_deref_mut() {
            match deed {
                Deed::Nothing => {}
                Deed::Print(labels) => life.print(labels),
                Deed::Restart => life.restart(),
            }
        }
        Some(Portrait::of(&standing.device, now_ms))
    }

    /// Which device stands at an address.
    pub(crate) fn number(&self, address: IpAddr) -> Option<u32> {
        self.places.get(&address).copied()
    }

    /// Lets the fleet's time jump ahead: in each group by so much times its speed.
    pub(crate) fn jump(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
    }

    /// Exchanges the devices of two addresses, as when leases change.
    pub(crate) fn swap(&mut self, a: IpAddr, b: IpAddr) -> Result<(), NoPrinter> {
        let at_a = *self.places.get(&a).ok_or(NoPrinter(a))?;
        let at_b = *self.places.get(&b).ok_or(NoPrinter(b))?;
        self.places.insert(a, at_b);
        self.places.insert(b, at_a);
        Ok(())
    }

    /// Whether a device stands at an address.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.places.contains_key(&address)
    }
}

fn device(machine: &Arc<Machine>, group: &Group, number: u32, is_first: bool) -> Device {
    let named = group.serial.is_some() || group.name.is_some();
    // A frozen device says what was recorded, unless it was told who it is.
    let is_itself = !named && (is_first || group.frozen);
    let identity = (!is_itself).then(|| {
        let own = Identity::of(machine, number, group.serial.as_ref(), group.name.as_ref());
        Box::new(own)
    });
    Device {
        machine: Arc::clone(machine),
        identity,
        life: None,
    }
}

/// What all chance of one device comes from.
fn own_seed(fleet: u64, number: u32) -> u64 {
    dice::mix(fleet ^ (u64::from(number) << 32))
}

fn simulated_ms(elapsed: Duration, speed: f64) -> u64 {
    // A fleet that runs for a month at the highest speed reaches 2.6e14: exact in an f64.
    (elapsed.as_secs_f64() * 1000.0 * speed) as u64
}

/// What the fleet is made of, in the order of its file: each address, and what plays there.
///
/// # Errors
/// [`RackError`] when a recording cannot be read.
pub fn list(fleet: &Fleet) -> Result<Vec<Listed>, RackError> {
    let mut listed = Vec::new();
    for group in &fleet.groups {
        let path = fleet
            .recordings
            .join(format!("{}.snmprec", group.recording));
        let marker = Oid::new(mib::MARKER);
        let is_printer = read(&path)?.iter().any(|(oid, _)| oid.is_under(&marker));
        listed.extend(group.addresses.iter().map(|address| Listed {
            address: *address,
            recording: group.recording.clone(),
            is_printer,
        }));
    }
    Ok(listed)
}

fn load(folder: &Path, group: &Group) -> Result<Machine, RackError> {
    let recorded = read(&folder.join(format!("{}.snmprec", group.recording)))?;
    let recording = rewritten(recorded, group.misbehave);
    Ok(if group.frozen {
        Machine::frozen(&recording)
    } else {
        Machine::living(&recording)
    })
}

/// The contexts of a device: `NAME@CONTEXT.snmprec` beside `NAME.snmprec`.
fn load_contexts(folder: &Path, name: &str) -> Result<BTreeMap<Vec<u8>, Arc<Machine>>, RackError> {
    let path = folder.join(format!("{name}.snmprec"));
    let folder = path.parent().unwrap_or(folder).to_owned();
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let prefix = format!("{}@", stem.unwrap_or_default());
    let unreadable = |error| RackError::Unreadable {
        path: folder.clone(),
        error,
    };
    let mut contexts = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let context = file
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(".snmprec"));
        if let Some(context) = context {
            let machine = Machine::frozen(&read(&entry.path())?);
            contexts.insert(context.as_bytes().to_vec(), Arc::new(machine));
        }
    }
    Ok(contexts)
}

fn read(path: &Path) -> Result<Recording, RackError> {
    let unreadable = |error| RackError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > RECORDING_BYTES_MAX {
        return Err(RackError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    Recording::parse(&text).map_err(|error| RackError::Recording {
        path: path.to_owned(),
        error,
    })
}
