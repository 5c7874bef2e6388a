//! The known devices: who lives at which address, and what a sighting means.
//!
//! A plain struct of the Supervisor. A device is known by a score over its keys (vendor and serial,
//! MAC, engine id) and what it told, else by its address. A known device seen at another address is only a *claim*: a
//! printer with two network cards, or two boards with one serial, look the same. So the device is
//! asked first whether it is still where it was ([`Registry::confirmed`], [`Registry::gone`]).
//! Pure: it asks nobody, and the caller keeps on disk what [`Registry::take_changed`] hands out.

mod doubt;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use printer::identity::score::{Place, Told, Traits, Verdict};
use printer::identity::{DeviceId, Fingerprint};
use serde::{Deserialize, Serialize};

pub use self::doubt::{CANDIDATES_MAX, Doubt};
pub(crate) use self::doubt::{merged, weigh_own};

/// Most devices one agent knows: three times the largest site the hub is laid out for.
pub const DEVICES_MAX: usize = 20_000;

/// How long something that was no printer is left alone before it is asked in full again.
const MASK_HOURS: i64 = 24;

/// Most devices that one address brings in a day. A device that gives itself a new serial number
/// at every question would otherwise fill the registry with ghosts.
const ARRIVALS_MAX: u32 = 8;
/// The day in which they are counted.
const ARRIVALS_HOURS: i64 = 24;

/// A credential by its name in the configuration; what it hides is written down nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Whether version 1 is spoken though it is one of version 2c.
    #[serde(default)]
    pub in_v1: bool,
}

/// What is known of a device, and kept on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Every key it ever showed.
    pub fingerprint: Fingerprint,
    /// Where it lives; absent when somebody else answered there and nobody saw it since.
    pub address: Option<IpAddr>,
    /// When it was last seen to be new or to have moved.
    pub since: Timestamp,
    /// What it last answered to; absent until it was read.
    #[serde(default)]
    pub credential: Option<Named>,
    /// The keys that its readings showed; what a sighting alone claimed is not among them.
    #[serde(default)]
    pub proven: Option<Fingerprint>,
    /// Where its last reading came from.
    #[serde(default)]
    pub proven_at: Option<IpAddr>,
    /// What its last reading told beside them.
    #[serde(default)]
    pub told: Told,
    /// Which other device it may be, if nobody can tell.
    #[serde(default)]
    pub doubt: Option<Doubt>,
    /// Since when it is silent and nobody reads it any more; absent while somebody does.
    #[serde(skip)]
    pub let_go_since: Option<Timestamp>,
    /// When its last reading was kept on disk.
    #[serde(skip)]
    kept_at: Option<Timestamp>,
    #[serde(skip)]
    was_seen: bool,
    #[serde(skip)]
    sweeps_missed: u32,
}

/// What a sighting turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// A known device where it belongs.
    Same(DeviceId),
    /// A device nobody knew.
    New(Settled),
    /// A known device that had no address.
    Moved(Settled),
    /// A known device, or one with its serial, where it does not belong: ask it to confirm.
    Claim(DeviceId),
    /// The same, and the question is out already.
    Asked,
    /// Something that was found to be no printer today.
    NoPrinter,
    /// One more of the many that answered at this address today; nobody can tell who lives there.
    Fickle,
    /// There are [`DEVICES_MAX`] devices already.
    Full,
}

/// A device has come to live at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Who.
    pub device: DeviceId,
    /// Where.
    pub address: IpAddr,
    /// Who was thought to live there, and has no address from here on.
    pub evicted: Option<DeviceId>,
}

/// Somebody was seen where a known device does not belong.
#[derive(Debug, Clone)]
struct Claim {
    fingerprint: Fingerprint,
    address: IpAddr,
    /// Shares a key with the known device but differs in another.
    is_twin: bool,
}

/// The known devices.
#[derive(Debug, Default)]
pub struct Registry {
    known: BTreeMap<DeviceId, Known>,
    at: HashMap<IpAddr, DeviceId>,
    claims: BTreeMap<DeviceId, Claim>,
    masked: BTreeMap<DeviceId, Timestamp>,
    /// How many devices an address brought, since when.
    arrivals: HashMap<IpAddr, (Timestamp, u32)>,
    changed: BTreeSet<DeviceId>,
    /// Who was first seen with a serial number.
    serials: HashMap<String, DeviceId>,
    /// Serial numbers that more than one device has.
    shared: HashSet<String>,
    /// Who shares one, and has not been told.
    sharing: Vec<DeviceId>,
    /// Devices that others may be.
    doubted: BTreeSet<DeviceId>,
}

impl Registry {
    /// Takes back what was kept on disk.
    pub fn recall(&mut self, device: DeviceId, known: Known) {
        if let Some(address) = known.address {
            self.at.insert(address, device.clone());
        }
        self.doubted
            .extend(known.doubt.iter().flat_map(Doubt::named).cloned());
        self.known.insert(device.clone(), known);
        self.index(&device);
    }

    /// Notes that records could not be kept, so that they are handed out again.
    pub fn mark_changed(&mut self, devices: impl IntoIterator<Item = DeviceId>) {
        self.changed.extend(devices);
    }

    /// Whether somebody was seen in the device's name elsewhere, and that is not settled yet.
    #[must_use]
    pub fn is_claimed(&self, device: &DeviceId) -> bool {
        self.claims.contains_key(device)
    }

    /// Who lives at an address.
    #[must_use]
    pub fn living_at(&self, address: IpAddr) -> Option<DeviceId> {
        self.at.get(&address).cloned()
    }

    /// How many devices are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What is known of one device.
    #[must_use]
    pub fn get(&self, device: &DeviceId) -> Option<&Known> {
        self.known.get(device)
    }

    /// Every known device.
    pub fn iter(&self) -> impl Iterator<Item = (&DeviceId, &Known)> {
        self.known.iter()
    }

    /// Hands out the devices whose record on disk is out of date.
    pub fn take_changed(&mut self) -> Vec<(DeviceId, Known)> {
        let changed = std::mem::take(&mut self.changed);
        let record = |id: DeviceId| self.known.get(&id).map(|known| (id, known.clone()));
        changed.into_iter().filter_map(record).collect()
    }

    /// Weighs a sighting: somebody with these traits answered at this address.
    pub fn sight(&mut self, seen: impl Into<Traits>, address: IpAddr, now: Timestamp) -> Sighting {
        self.weigh_sighting(&seen.into(), None, address, now)
    }

    /// The same where a device has just said that whoever answers at its address is not itself: it
    /// knows its last reading better than anybody.
    pub fn sight_instead(
        &mut self,
        of: &DeviceId,
        seen: impl Into<Traits>,
        address: IpAddr,
        now: Timestamp,
    ) -> Sighting {
        self.weigh_sighting(&seen.into(), Some(of), address, now)
    }

    fn weigh_sighting(
        &mut self,
        seen: &Traits,
        but: Option<&DeviceId>,
        address: IpAddr,
        now: Timestamp,
    ) -> Sighting {
        let mut doubt = None;
        let living = self.at.get(&address).cloned();
        if let Some(id) = &living
            && let Some(known) = self.known.get(id)
        {
            let (score, words) = self.score(id, known, (seen, Place::Same));
            match score.verdict {
                Verdict::Same | Verdict::Likely if but != Some(id) => {
                    self.see_again(id, seen);
                    return Sighting::Same(id.clone());
                }
                Verdict::Same | Verdict::Likely | Verdict::Doubtful => {
                    doubt = Some((id.clone(), words));
                }
                Verdict::Other => {}
            }
        }
        match self.namesake(seen, living.as_ref()) {
            Some((id, Verdict::Same | Verdict::Likely, _)) => {
                return self.claim(id, &seen.keys, address, now);
            }
            other => doubt = doubt.or(other.map(|(of, _, words)| (of, words))),
        }
        let doubt = doubt.map(|(of, words)| Self::doubt(of, words, now));
        let doubt = doubt.or_else(|| self.lost_sharer(seen, now));
        let id = self.free_id(&seen.keys, address);
        self.welcome(id, (&seen.keys, doubt), address, now)
    }

    /// Somebody who is a known device, as it seems, where that does not belong.
    fn claim(
        &mut self,
        id: DeviceId,
        keys: &Fingerprint,
        address: IpAddr,
        now: Timestamp,
    ) -> Sighting {
        let Some(known) = self.known.get(&id) else {
            return Sighting::Asked;
        };
        let mac = &known.fingerprint.mac;
        let claim = Claim {
            fingerprint: keys.clone(),
            address,
            is_twin: mac.is_some() && keys.mac.is_some() && *mac != keys.mac,
        };
        let is_homeless = known.address.is_none();
        if self.claims.contains_key(&id) {
            return Sighting::Asked;
        }
        self.claims.insert(id.clone(), claim);
        if !is_homeless {
            return Sighting::Claim(id);
        }
        self.gone(&id, now).map_or(Sighting::Asked, Sighting::Moved)
    }

    /// Notes a sighting of a device where it lives. Keys that it never told are taken with one that
    /// it did: alone they may be another's.
    fn see_again(&mut self, id: &DeviceId, seen: &Traits) {
        let Some(known) = self.known.get(id) else {
            return;
        };
        let is_its_own = known.fingerprint.matches(&seen.keys);
        let none = Fingerprint::default();
        self.prove(id, if is_its_own { &seen.keys } else { &none });
    }

    /// The device is where it was: whoever claimed to be it is somebody else, or it has two
    /// addresses. Returns the newcomer if there is one.
    pub fn confirmed(&mut self, device: &DeviceId, now: Timestamp) -> Option<Settled> {
        let claim = self.claims.remove(device)?;
        if let Some(known) = self.known.get_mut(device) {
            known.was_seen = true;
        }
        if !claim.is_twin {
            return None;
        }
        let id = self.free_id(&claim.fingerprint, claim.address);
        match self.welcome(id, (&claim.fingerprint, None), claim.address, now) {
            Sighting::New(settled) => Some(settled),
            Sighting::Same(_)
            | Sighting::Moved(_)
            | Sighting::Claim(_)
            | Sighting::Asked
            | Sighting::NoPrinter
            | Sighting::Fickle
            | Sighting::Full => None,
        }
    }

    /// The device is not where it was: if somebody claimed to be it, that is where it lives.
    pub fn gone(&mut self, device: &DeviceId, now: Timestamp) -> Option<Settled> {
        let claim = self.claims.remove(device)?;
        let known = self.known.get_mut(device)?;
        known.fingerprint = merged(&known.fingerprint, &claim.fingerprint);
        known.since = now;
        self.index(device);
        Some(self.settle(device.clone(), claim.address))
    }

    /// Notes that a device answered at its address with these keys.
    pub fn prove(&mut self, device: &DeviceId, fingerprint: &Fingerprint) {
        let Some(known) = self.known.get_mut(device) else {
            return;
        };
        known.was_seen = true;
        known.sweeps_missed = 0;
        known.let_go_since = None;
        let merged = merged(&known.fingerprint, fingerprint);
        if merged != known.fingerprint {
            known.fingerprint = merged;
            self.changed.insert(device.clone());
            self.index(device);
        }
    }

    /// Notes what a device answers to.
    pub fn answers_to(&mut self, device: &DeviceId, credential: Option<Named>) {
        if let Some(known) = self.known.get_mut(device)
            && known.credential != credential
        {
            known.credential = credential;
            self.changed.insert(device.clone());
        }
    }

    /// Notes that a device is silent and nobody reads it any more.
    pub fn let_go(&mut self, device: &DeviceId, silent_since: Timestamp) {
        if let Some(known) = self.known.get_mut(device) {
            known.let_go_since = Some(silent_since);
        }
    }

    /// Forgets a device that turned out to be no printer, and leaves it alone for a day.
    pub fn unmask(&mut self, device: &DeviceId, now: Timestamp) {
        if let Some(Known {
            address: Some(address),
            ..
        }) = self.known.remove(device)
            && self.at.get(&address) == Some(device)
        {
            self.at.remove(&address);
        }
        self.claims.remove(device);
        self.changed.remove(device);
        if self.masked.len() >= DEVICES_MAX {
            self.masked.clear();
        }
        self.masked.insert(device.clone(), now);
    }

    /// Ends a sweep over the addresses that `is_inside` holds; returns who was missed in at
    /// least `patience` sweeps in a row.
    pub fn swept(&mut self, is_inside: impl Fn(IpAddr) -> bool, patience: u32) -> Vec<DeviceId> {
        let mut missed = Vec::new();
        for (id, known) in &mut self.known {
            if known.address.is_some_and(|address| !is_inside(address)) {
                continue;
            }
            let was_seen = std::mem::take(&mut known.was_seen);
            known.sweeps_missed = if was_seen {
                0
            } else {
                known.sweeps_missed.saturating_add(1)
            };
            if known.sweeps_missed >= patience {
                missed.push(id.clone());
            }
        }
        missed
    }

    /// Lets a device nobody knew live at an address.
    fn welcome(
        &mut self,
        id: DeviceId,
        (fingerprint, doubt): (&Fingerprint, Option<Doubt>),
        address: IpAddr,
        now: Timestamp,
    ) -> Sighting {
        if self.known.len() >= DEVICES_MAX {
            return Sighting::Full;
        }
        let mask_until = |since: &Timestamp| *since + SignedDuration::from_hours(MASK_HOURS);
        if self
            .masked
            .get(&id)
            .is_some_and(|since| now < mask_until(since))
        {
            return Sighting::NoPrinter;
        }
        if !self.may_arrive(address, now) {
            return Sighting::Fickle;
        }
        self.masked.remove(&id);
        if let Some(doubt) = &doubt {
            self.take_back(&doubt.of);
            self.doubted.insert(doubt.of.clone());
        }
        let known = Known {
            fingerprint: fingerprint.clone(),
            address: None,
            since: now,
            credential: None,
            proven: None,
            proven_at: None,
            told: Told::default(),
            doubt,
            let_go_since: None,
            kept_at: None,
            was_seen: true,
            sweeps_missed: 0,
        };
        self.known.insert(id.clone(), known);
        self.index(&id);
        Sighting::New(self.settle(id, address))
    }

    /// Takes back the keys that a sighting claimed for a device and no reading proved.
    fn take_back(&mut self, device: &DeviceId) {
        if let Some(known) = self.known.get_mut(device)
            && let Some(proven) = known.proven.clone()
        {
            known.fingerprint = proven;
        }
    }

    /// Counts a newcomer at an address; false if there were too many today.
    fn may_arrive(&mut self, address: IpAddr, now: Timestamp) -> bool {
        if self.arrivals.len() >= DEVICES_MAX {
            self.arrivals.clear();
        }
        let (since, count) = self.arrivals.entry(address).or_insert((now, 0));
        if *since + SignedDuration::from_hours(ARRIVALS_HOURS) <= now {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= ARRIVALS_MAX
    }

    /// Gives a device an address, and takes it from whoever had it.
    fn settle(&mut self, device: DeviceId, address: IpAddr) -> Settled {
        let before = self.at.insert(address, device.clone());
        let evicted = before.filter(|id| *id != device);
        if let Some(known) = evicted.as_ref().and_then(|id| self.known.get_mut(id)) {
            known.address = None;
        }
        if let Some(known) = self.known.get_mut(&device) {
            if let Some(left) = known.address.replace(address)
                && left != address
                && self.at.get(&left) == Some(&device)
            {
                self.at.remove(&left);
            }
            known.was_seen = true;
            known.sweeps_missed = 0;
            known.let_go_since = None;
        }
        self.changed.insert(device.clone());
        self.changed.extend(evicted.clone());
        Settled {
            device,
            address,
            evicted,
        }
    }
}

#[cfg(test)]
mod doubt_tests;
#[cfg(test)]
mod simulation_tests;
#[cfg(test)]
mod tests;
