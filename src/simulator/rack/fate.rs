//! What befalls a printer: parts of it are changed, and what it tells of itself.

use std::net::IpAddr;
use std::time::Duration;

use super::{NoPrinter, Rack, own_seed, simulated_ms};
use crate::device::Device;
use crate::identity::Identity;

/// The first number of boards that come new out of their box: no device of a fleet has it.
const NEW_BOARDS: u32 = 0x8_0000;

/// What befalls the printer at an address. Whoever gets a board starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It gets a network board that no device had.
    NewBoard,
    /// It exchanges its network board with the printer at this address.
    ExchangeBoards(IpAddr),
    /// It tells no serial number any more.
    HideSerial,
    /// It tells its serial number.
    TellSerial,
    /// It has the serial number of the printer at this address.
    SerialOf(IpAddr),
}

impl Rack {
    /// Lets it happen.
    pub(crate) fn befall(
        &mut self,
        at: IpAddr,
        fate: Fate,
        elapsed: Duration,
    ) -> Result<(), NoPrinter> {
        match fate {
            Fate::NewBoard => {
                self.boards += 1;
                self.give_board(at, NEW_BOARDS + self.boards, elapsed)
            }
            Fate::ExchangeBoards(with) => {
                let (one, other) = (self.who(at)?.1.board(), self.who(with)?.1.board());
                self.give_board(at, other, elapsed)?;
                self.give_board(with, one, elapsed)
            }
            Fate::HideSerial | Fate::TellSerial => {
                let (device, mut identity) = self.who(at)?;
                identity.tell_serial(&device.machine, fate == Fate::TellSerial);
                device.identity = Some(Box::new(identity));
                Ok(())
            }
            Fate::SerialOf(other) => {
                let serial = self.who(other)?.1.serial();
                let (device, mut identity) = self.who(at)?;
                identity.set_serial(&device.machine, serial);
                device.identity = Some(Box::new(identity));
                Ok(())
            }
        }
    }

    fn give_board(&mut self, at: IpAddr, board: u32, elapsed: Duration) -> Result<(), NoPrinter> {
        let (device, mut identity) = self.who(at)?;
        identity.set_board(&device.machine, board);
        device.identity = Some(Box::new(identity));
        let number = *self.places.get(&at).ok_or(NoPrinter(at))?;
        let standing = self.devices.get_mut(number as usize).ok_or(NoPrinter(at))?;
        let kind = self
            .groups
            .get(standing.kind as usize)
            .ok_or(NoPrinter(at))?;
        let now_ms = simulated_ms(elapsed + self.ahead, kind.group.speed);
        if !kind.group.frozen {
            let seed = own_seed(self.seed, number);
            standing.device.live(&kind.group.life, seed, now_ms);
        }
        if let Some(life) = standing.device.life.as_deref_mut() {
            life.restart_soon();
        }
        Ok(())
    }

    /// The device at an address, and who it is.
    fn who(&mut self, at: IpAddr) -> Result<(&mut Device, Identity), NoPrinter> {
        let number = *self.places.get(&at).ok_or(NoPrinter(at))?;
        let standing = self.devices.get_mut(number as usize).ok_or(NoPrinter(at))?;
        let device = &mut standing.device;
        let identity = match &device.identity {
            Some(identity) => (**identity).clone(),
            None => Identity::recorded(&device.machine),
        };
        Ok((device, identity))
    }
}
