//! What a device knows itself by, from reading to reading.

use actix::Handler;
use printer::identity::score::{Place, Score, Traits, weigh};

use super::{Device, Seed};
use crate::messages::SharesSerial;
use crate::reach::survey::Survey;
use crate::registry::merged;

/// Weighs whether somebody who was read at the device's address is the device.
///
/// It counts as its place only where a reading of its own came from: where it was moved to, a
/// sighting alone has put it.
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
    // One that several have proves nothing; another one proves that it is another printer.
    match seen.keys.serial.as_deref() {
        Some(serial) if serial != shared => {
            let mut known = known.clone();
            known.keys.serial = Some(shared.to_owned());
            weigh(&known, seen, place)
        }
        Some(_) | None => weigh(&known.without_serial(), &seen.without_serial(), place),
    }
}

impl Seed {
    /// Learns from a reading that was its own.
    pub(super) fn learn(&mut self, survey: &Survey) {
        let mut seen = super::ask::traits(survey);
        if self.shared_serial.is_some() {
            seen = seen.without_serial();
        }
        self.proven_at = self.target.map(|target| target.addr().ip());
        self.traits.keys = merged(&self.traits.keys, &seen.keys);
        self.traits.told = self.traits.told.then(&seen.told);
    }
}

impl Handler<SharesSerial> for Device {
    type Result = ();

    fn handle(&mut self, _: SharesSerial, _: &mut Self::Context) -> Self::Result {
        let serial = self.seed.traits.keys.serial.take();
        self.seed.shared_serial = serial.or(self.seed.shared_serial.take());
    }
}
