//! What a device knows itself by, from reading to reading.

use actix::Handler;
use printer::identity::score::Traits;

use super::{Device, Seed};
use crate::messages::SharesSerial;
use crate::registry::merged;

impl Seed {
    /// Learns from a reading that was its own.
    pub(super) fn learn(&mut self, mut seen: Traits) {
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
