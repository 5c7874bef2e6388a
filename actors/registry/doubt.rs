//! Who may be whom: the registry's use of the score, and the devices that nobody can tell apart.
//!
//! Keys alone are weighed when a device is sighted; once it was read in full, what it told is
//! weighed too, against what was last *proven* of the device, never against what a sighting
//! claimed. A device that may be another one is kept apart under an id of its own.

use std::net::IpAddr;

use jiff::Timestamp;
use printer::identity::score::{Place, Score, Traits, Verdict, weigh};
use printer::identity::{DeviceId, Fingerprint};
use serde::{Deserialize, Serialize};

use super::{Known, Registry, merged};

/// Ids that are tried for a device whose own is taken: more than one address brings in a year.
const APART_MAX: u32 = 10_000;

/// A device that may be another one, which is known already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which one it may be.
    pub of: DeviceId,
    /// Why nobody can tell, in words.
    pub words: String,
    /// Since when.
    pub since: Timestamp,
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

    /// Notes a reading that was taken for the device's own.
    pub fn prove_reading(&mut self, device: &DeviceId, seen: &Traits) {
        self.prove(device, &seen.keys);
        let doubt = self
            .known
            .get(device)
            .and_then(|known| known.doubt.as_ref());
        let of = doubt.and_then(|doubt| self.known.get(&doubt.of));
        let score = of.map(|of| self.score(of, seen, Place::Elsewhere));
        let Some(known) = self.known.get_mut(device) else {
            return;
        };
        let proven = known.proven.clone().unwrap_or_default();
        known.proven = Some(merged(&proven, &seen.keys));
        known.told = known.told.then(&seen.told);
        known.proven_at = known.address;
        match (score, &mut known.doubt) {
            (Some(score), Some(_)) if score.verdict == Verdict::Other => {
                known.doubt = None;
                self.changed.insert(device.clone());
            }
            (Some(score), Some(doubt)) => doubt.words = score.words(),
            (_, _) => {}
        }
        self.settle_doubts_about(device);
    }

    /// A device that is read where it lives is none of those that may be it and live elsewhere.
    fn settle_doubts_about(&mut self, device: &DeviceId) {
        let address = self.known.get(device).and_then(|known| known.address);
        if address.is_none() || !self.doubted.remove(device) {
            return;
        }
        for (id, known) in &mut self.known {
            let is_of_it = |doubt: &Doubt| doubt.of == *device;
            if known.doubt.as_ref().is_some_and(is_of_it) && known.address != address {
                known.doubt = None;
                self.changed.insert(id.clone());
            }
        }
    }

    /// Weighs somebody who was seen against one that is known.
    pub(super) fn score(&self, known: &Known, seen: &Traits, place: Place) -> Score {
        let is_reading = seen.told.at.is_some();
        let is_moved = is_reading && known.proven_at.is_some() && known.proven_at != known.address;
        let place = if is_moved { Place::Elsewhere } else { place };
        let known = known.traits(is_reading);
        if let (Some(was), Some(is)) = (&known.keys.serial, &seen.keys.serial)
            && was != is
        {
            return weigh(&known, seen, place);
        }
        weigh(&self.stripped(&known), &self.stripped(seen), place)
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
    ) -> Option<(DeviceId, Score)> {
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
            .map(|(id, known)| (id, self.score(known, seen, Place::Elsewhere)));
        let best = scored.max_by_key(|(_, score)| score.points)?;
        (best.1.verdict != Verdict::Other).then(|| (best.0.clone(), best.1))
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
        Some(Doubt {
            of: of.clone(),
            words: "its serial number is on several printers, one of which is not where it was"
                .to_owned(),
            since: now,
        })
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

    /// Notes whose serial number it is; one that a second device has says nothing any more.
    pub(super) fn index(&mut self, device: &DeviceId) {
        let Some(known) = self.known.get(device) else {
            return;
        };
        let Some(serial) = known.fingerprint.serial.clone() else {
            return;
        };
        let owner = self.serials.entry(serial.clone()).or_insert(device.clone());
        if owner == device || !self.known.contains_key(owner) {
            *owner = device.clone();
            return;
        }
        let owner = owner.clone();
        if self.shared.insert(serial) {
            self.sharing.push(owner);
        }
        self.sharing.push(device.clone());
    }
}
