//! Who may be whom: the registry's use of the score, and the devices that nobody can tell apart.
//!
//! Keys alone are weighed when a device is sighted; once it was read in full, what it told is
//! weighed too, against what was last *proven* of the device, never against what a sighting
//! claimed. Where one thing alone tells a device, no other known device must fit as well. A device
//! that may be another one is kept apart under an id of its own, and says so from its first reading
//! on, until it is shown to be none of those.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use printer::identity::score::{
    Place, Score, Traits, Verdict, can_be, ran_beside, weigh, weigh_sharer,
};
use printer::identity::{DeviceId, Fingerprint};
use serde::{Deserialize, Serialize};

use super::{Known, Registry};

/// Ids that are tried for a device whose own is taken: more than one address brings in a year.
const APART_MAX: u32 = 10_000;

/// How often what a device last told is put on disk: four times a day, since most of it is known again
/// by its keys alone.
const TOLD_KEPT_HOURS: i64 = 6;

/// Most devices that one may be which are named: a person compares no more. The rest is counted.
pub const CANDIDATES_MAX: usize = 8;

/// A device that may be another one, which is known already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which one it may be: the likeliest.
    pub of: DeviceId,
    /// Which others it may be as well, the likelier first.
    #[serde(default)]
    pub or: Vec<DeviceId>,
    /// How many more, which are not named.
    #[serde(default)]
    pub more: u32,
    /// Why nobody can tell, in words.
    pub words: String,
    /// Since when.
    pub since: Timestamp,
}

impl Doubt {
    /// A doubt about one device.
    fn about(of: DeviceId, words: String, since: Timestamp) -> Self {
        Self {
            of,
            or: Vec::new(),
            more: 0,
            words,
            since,
        }
    }

    /// Everyone who is named, the likeliest first.
    pub fn named(&self) -> impl Iterator<Item = &DeviceId> {
        std::iter::once(&self.of).chain(&self.or)
    }

    /// The same without those that it is not; none if nobody is left.
    fn without(&self, is_none: impl Fn(&DeviceId) -> bool) -> Option<Self> {
        let mut left = self.named().filter(|id| !is_none(id)).cloned();
        let of = left.next()?;
        Some(Self {
            or: left.collect(),
            of,
            ..self.clone()
        })
    }
}

/// Weighs whether somebody who was read at the device's address is the device.
///
/// It counts as its place only where a reading of its own came from: where it was moved to, a
/// sighting alone has put it. A serial number that several have proves nothing; another one proves
/// that it is another printer.
pub(crate) fn weigh_own(
    known: &Traits,
    (shared_serial, is_proven_here): (Option<&str>, bool),
    seen: &Traits,
) -> Score {
    // One that was never read is whoever was sighted here.
    let place = if is_proven_here || known.told.at.is_none() {
        Place::Same
    } else {
        Place::Elsewhere
    };
    let Some(shared) = shared_serial else {
        return weigh(known, seen, place);
    };
    let mut known = known.clone();
    known.keys.serial = Some(shared.to_owned());
    weigh_sharer(&known, seen, place)
}

impl Known {
    /// What it is weighed by: for a reading what the last one proved, for keys alone all of them.
    fn traits(&self, is_reading: bool) -> Traits {
        let proven = self.proven.as_ref().filter(|_| is_reading);
        Traits {
            keys: proven.unwrap_or(&self.fingerprint).clone(),
            told: self.told.clone(),
        }
    }
}

impl Known {
    /// Whether somebody who was read could be it, as its last reading proved it.
    fn can_be(&self, seen: &Traits) -> bool {
        let keys = self.proven.as_ref().unwrap_or(&self.fingerprint);
        can_be((keys, &self.told), seen)
    }

    fn proven_serial(&self) -> Option<&String> {
        self.proven.as_ref().and_then(|keys| keys.serial.as_ref())
    }
}

impl Registry {
    /// What a device starts from: what was proven of it, without a serial number that others have.
    #[must_use]
    pub fn traits(&self, device: &DeviceId) -> Option<Traits> {
        let traits = self.known.get(device)?.traits(true);
        Some(self.stripped(&traits))
    }

    /// Its serial number, where other devices have it too.
    #[must_use]
    pub fn shared_serial(&self, device: &DeviceId) -> Option<String> {
        let serial = self
            .known
            .get(device)
            .and_then(|it| it.fingerprint.serial.as_ref());
        serial.filter(|it| self.shared.contains(*it)).cloned()
    }

    /// Every device that may be another one.
    pub fn doubtful(&self) -> impl Iterator<Item = (&DeviceId, &Known, &Doubt)> {
        let known = self.known.iter();
        known.filter_map(|(id, known)| Some((id, known, known.doubt.as_ref()?)))
    }

    /// Hands out the devices that were found to share their serial number, each once.
    pub fn take_sharing(&mut self) -> Vec<DeviceId> {
        std::mem::take(&mut self.sharing)
    }

    /// Notes a reading that was taken for the device's own. With the first one it is looked up
    /// whether it may be somebody who is known.
    pub fn prove_reading(&mut self, device: &DeviceId, seen: &Traits) {
        self.prove(device, &seen.keys);
        let is_first = self
            .known
            .get(device)
            .is_some_and(|known| known.proven.is_none());
        let candidates = is_first.then(|| self.candidates(device, seen));
        let Some(known) = self.known.get_mut(device) else {
            return;
        };
        let proven = known.proven.clone().unwrap_or_default();
        known.proven = Some(merged(&proven, &seen.keys));
        known.told = known.told.then(&seen.told);
        known.proven_at = known.address;
        // What it is weighed against after a restart of the agent is not much older.
        let is_old = |kept: Timestamp| {
            let told = seen.told.at.unwrap_or(kept);
            told.duration_since(kept) >= SignedDuration::from_hours(TOLD_KEPT_HOURS)
        };
        if known.kept_at.is_none_or(is_old) {
            known.kept_at = seen.told.at;
            self.changed.insert(device.clone());
        }
        if let Some(candidates) = candidates {
            self.doubt_first(device, candidates);
        }
        self.settle_doubts(device);
    }

    /// Every known device that this may be by its first reading, the likeliest first.
    fn candidates(&self, device: &DeviceId, seen: &Traits) -> Vec<(DeviceId, Score)> {
        let here = self.known.get(device).and_then(|known| known.address);
        let others = self.known.iter().filter(|(id, _)| *id != device);
        let read = others.filter(|(_, known)| known.told.at.is_some());
        let mut all: Vec<(Timestamp, (DeviceId, Score))> = read
            .filter_map(|(id, known)| {
                let was_here = here.is_some() && known.proven_at == here;
                let place = if was_here {
                    Place::Same
                } else {
                    Place::Elsewhere
                };
                let score = self.weighed(known, seen, place);
                let is_possible = score.verdict != Verdict::Other || known.can_be(seen);
                let heard = known.told.at.unwrap_or(known.since);
                is_possible.then(|| (heard, (id.clone(), score)))
            })
            .collect();
        all.sort_by_key(|(heard, (_, score))| std::cmp::Reverse((score.points, *heard)));
        all.into_iter().map(|(_, it)| it).collect()
    }

    /// Says of a device whom it may be, now that it was read: what a sighting made of its keys
    /// counts no more.
    fn doubt_first(&mut self, device: &DeviceId, candidates: Vec<(DeviceId, Score)>) {
        let Some(known) = self.known.get_mut(device) else {
            return;
        };
        let since = known
            .doubt
            .as_ref()
            .map_or(known.since, |doubt| doubt.since);
        let mut named = candidates.into_iter();
        known.doubt = named.next().map(|(of, score)| {
            let or: Vec<DeviceId> = named
                .by_ref()
                .take(CANDIDATES_MAX - 1)
                .map(|(id, _)| id)
                .collect();
            Doubt {
                or,
                more: u32::try_from(named.count()).unwrap_or(u32::MAX),
                ..Doubt::about(of, score.words(), since)
            }
        });
        let doubt = known.doubt.clone();
        self.changed.insert(device.clone());
        self.doubted
            .extend(doubt.iter().flat_map(Doubt::named).cloned());
    }

    /// Ends the doubts that a reading of this device ends, its own and those about it: two that ran at
    /// the same time, or tell two serial numbers, are two.
    fn settle_doubts(&mut self, device: &DeviceId) {
        let Some(one) = self.known.get(device) else {
            return;
        };
        let are_two = |other: &Known| {
            let serials = one.proven_serial().zip(other.proven_serial());
            serials.is_some_and(|(a, b)| a != b) || ran_beside(&one.told, &other.told)
        };
        let mut settled = Vec::new();
        if let Some(doubt) = &one.doubt {
            let is_none = |id: &DeviceId| self.known.get(id).is_some_and(are_two);
            settled.push((device.clone(), doubt.without(is_none)));
        }
        if self.doubted.contains(device) {
            let doubtful = self.known.iter().filter_map(|(id, known)| {
                let doubt = known.doubt.as_ref()?;
                let is_about = doubt.named().any(|it| it == device) && are_two(known);
                is_about.then(|| (id.clone(), doubt.without(|it| it == device)))
            });
            settled.extend(doubtful);
        }
        for (id, doubt) in settled {
            if let Some(known) = self.known.get_mut(&id)
                && known.doubt != doubt
            {
                known.doubt = doubt;
                self.changed.insert(id.clone());
                self.index(&id);
            }
        }
    }

    /// Whether a device is the only one that somebody who was read can be: one thing alone tells it,
    /// and that must fit no other known device.
    #[must_use]
    pub fn is_alone(&self, device: &DeviceId, seen: &Traits) -> bool {
        self.known
            .get(device)
            .is_some_and(|known| self.rivals(device, known, seen).is_none())
    }

    /// Why another device may be it as well, in words. Against a serial number that is the same only
    /// those count that have the same one.
    fn rivals(&self, device: &DeviceId, known: &Known, seen: &Traits) -> Option<&'static str> {
        let serial = known.proven_serial().filter(|serial| {
            seen.keys.serial.as_ref() == Some(*serial) && !self.shared.contains(*serial)
        });
        let model = known.told.model.as_deref().or(seen.told.model.as_deref());
        if serial.is_some() && self.is_suspect(model) {
            return Some("serial numbers of this model are on several printers here");
        }
        let mut others = self.known.iter().filter(|(id, _)| *id != device);
        let is_rival = others.any(|(_, other)| {
            (serial.is_none() || other.proven_serial() == serial) && other.can_be(seen)
        });
        is_rival.then_some("another known printer may be it as well")
    }

    /// Whether two printers of a model were found to have one serial number: then one proves less of
    /// that model. Those that may be one printer do not count.
    fn is_suspect(&self, model: Option<&str>) -> bool {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for known in self.known.values() {
            let is_model = known.told.model.as_deref() == model;
            if let Some(serial) = known.proven_serial()
                && is_model
                && known.doubt.is_none()
                && self.shared.contains(serial)
            {
                let count = counts.entry(serial.as_str()).or_default();
                *count += 1;
                if *count > 1 {
                    return true;
                }
            }
        }
        false
    }

    /// Weighs somebody who was seen against one that is known, and no other.
    fn weighed(&self, known: &Known, seen: &Traits, place: Place) -> Score {
        let is_reading = seen.told.at.is_some();
        let is_moved = is_reading && known.proven_at.is_some() && known.proven_at != known.address;
        let place = if is_moved { Place::Elsewhere } else { place };
        let traits = known.traits(is_reading);
        let serial = traits.keys.serial.as_ref();
        if serial.is_some_and(|serial| self.shared.contains(serial)) {
            weigh_sharer(&traits, seen, place)
        } else {
            weigh(&traits, seen, place)
        }
    }

    /// Weighs somebody who was seen against one that is known, and where one thing alone tells it,
    /// against all others. The words say who is whom.
    pub(super) fn score(
        &self,
        device: &DeviceId,
        known: &Known,
        (seen, place): (&Traits, Place),
    ) -> (Score, String) {
        let mut score = self.weighed(known, seen, place);
        let mut words = score.words();
        if score.verdict == Verdict::Likely {
            let rivals = self.rivals(device, known, seen);
            score.verdict = rivals.map_or(Verdict::Same, |_| Verdict::Doubtful);
            words.extend(rivals.iter().flat_map(|why| ["; ", why]));
        }
        (score, words)
    }

    /// The same without a serial number that several devices have.
    fn stripped(&self, traits: &Traits) -> Traits {
        let serial = traits.keys.serial.as_ref();
        if serial.is_some_and(|serial| self.shared.contains(serial)) {
            traits.without_serial()
        } else {
            traits.clone()
        }
    }

    /// The known device elsewhere that this most likely is, unless it is surely none.
    pub(super) fn namesake(
        &self,
        seen: &Traits,
        but: Option<&DeviceId>,
    ) -> Option<(DeviceId, Verdict, String)> {
        let seen_keys = self.stripped(seen);
        let has_key = |known: &Known| {
            let keys = &known.fingerprint;
            let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
            same(&keys.serial, &seen_keys.keys.serial)
                || same(&keys.mac, &seen_keys.keys.mac)
                || same(&keys.engine_id, &seen_keys.keys.engine_id)
                || same(&known.told.uuid, &seen.told.uuid)
        };
        let others = self.known.iter().filter(|(id, _)| but != Some(*id));
        let scored = others
            .filter(|(_, known)| has_key(known))
            .map(|(id, known)| {
                let (score, words) = self.score(id, known, (seen, Place::Elsewhere));
                let rank = match score.verdict {
                    Verdict::Same | Verdict::Likely => 2,
                    Verdict::Doubtful => 1,
                    Verdict::Other => 0,
                };
                // Of two with one board the one that had it last.
                let rank = (rank, score.points, known.told.at);
                (rank, (id.clone(), score.verdict, words))
            });
        let (_, best) = scored.max_by_key(|(rank, _)| *rank)?;
        (best.1 != Verdict::Other).then_some(best)
    }

    /// Of those with a serial number that says nothing any more: one that left, and could be back.
    pub(super) fn lost_sharer(&self, seen: &Traits, now: Timestamp) -> Option<Doubt> {
        let serial = seen.keys.serial.as_ref()?;
        if !self.shared.contains(serial) {
            return None;
        }
        let is_lost = |known: &Known| {
            known.fingerprint.serial.as_ref() == Some(serial)
                && (known.address.is_none() || !known.was_seen)
        };
        let (of, _) = self.known.iter().find(|(_, known)| is_lost(known))?;
        let words = "its serial number is on several printers, one of which is not where it was";
        Some(Doubt::about(of.clone(), words.to_owned(), now))
    }

    /// A doubt by keys alone, until it was read.
    pub(super) fn doubt(of: DeviceId, words: String, now: Timestamp) -> Doubt {
        Doubt::about(of, words, now)
    }

    /// An id that is nobody's: its own, or one apart.
    pub(super) fn free_id(&self, keys: &Fingerprint, address: IpAddr) -> DeviceId {
        let traits = self.stripped(&keys.into());
        let own = DeviceId::derive(&traits.keys, address);
        if !self.known.contains_key(&own) {
            return own;
        }
        let mut apart = (0..APART_MAX).map(|turn| DeviceId::derive_apart(keys, address, turn));
        apart.find(|id| !self.known.contains_key(id)).unwrap_or(own)
    }

    /// Notes whose serial number it is; one that a second printer has says nothing any more. Two that
    /// may be one printer are no two yet.
    pub(super) fn index(&mut self, device: &DeviceId) {
        let Some(known) = self.known.get(device) else {
            return;
        };
        let Some(serial) = known.fingerprint.serial.clone() else {
            return;
        };
        let owner = self.serials.entry(serial.clone()).or_insert(device.clone());
        let Some(other) = self.known.get(owner).filter(|_| owner != device) else {
            *owner = device.clone();
            return;
        };
        let names = |one: &Known, id: &DeviceId| {
            let doubt = one.doubt.as_ref();
            doubt.is_some_and(|doubt| doubt.named().any(|it| it == id))
        };
        if names(known, owner) || names(other, device) {
            return;
        }
        let owner = owner.clone();
        if self.shared.insert(serial) {
            self.sharing.push(owner);
        }
        self.sharing.push(device.clone());
    }
}

/// Every key of both; where they differ the newer one counts.
pub(crate) fn merged(older: &Fingerprint, newer: &Fingerprint) -> Fingerprint {
    let either = |newer: &Option<String>, older: &Option<String>| newer.clone().or(older.clone());
    Fingerprint {
        serial: either(&newer.serial, &older.serial),
        mac: either(&newer.mac, &older.mac),
        engine_id: either(&newer.engine_id, &older.engine_id),
    }
}
