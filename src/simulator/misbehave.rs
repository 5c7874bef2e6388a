//! What a fleet does wrong on purpose: questions get lost, devices fall silent, and some answer as
//! no device should (`misbehave/`).

mod engine;
pub(crate) mod list;
mod play;
pub(crate) mod raw;
mod table;
mod values;
mod wire;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use snmp::usm::{Frame, Keys};

use crate::dice::Dice;
use crate::engine::{Engine, Said};

use self::list::Trick;
use self::play::{Record, play};

pub(crate) use self::play::{Asked, Outgoing, Source};
pub(crate) use self::values::rewritten;

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Mischief {
    dice: Dice,
    loss_percent: u32,
    silenced: HashSet<IpAddr>,
    /// Of the devices that misbehave, by their number.
    records: HashMap<u32, Record>,
    /// What is to be sent in place of an answer.
    outgoing: Option<Outgoing>,
}

impl Mischief {
    /// No device silenced, this many questions of a hundred lost.
    pub(crate) fn new(seed: u64, loss_percent: u32) -> Self {
        Self {
            dice: Dice::new(seed),
            loss_percent,
            silenced: HashSet::new(),
            records: HashMap::new(),
            outgoing: None,
        }
    }

    /// Whether the question that comes now gets lost.
    pub(crate) fn loses(&mut self) -> bool {
        self.loss_percent > 0 && self.dice.happens(u64::from(self.loss_percent), 100)
    }

    /// Loses this many questions of a hundred from here on.
    pub(crate) fn lose(&mut self, percent: u32) {
        self.loss_percent = percent.min(100);
    }

    /// Lets a device play its trick; [`Mischief::take`] has what is to be sent.
    pub(crate) fn play(&mut self, trick: Trick, number: u32, asked: Asked<'_>) {
        let record = self.records.entry(number).or_default();
        self.outgoing = play(trick, record, asked);
    }

    /// Makes the engine of a device what it pretends to be.
    pub(crate) fn pretend(&mut self, trick: Trick, number: u32, engine: &mut Engine) {
        let record = self.records.entry(number).or_default();
        engine::pretend(trick, record, engine);
    }

    /// What an engine says in place of this, and under which keys.
    pub(crate) fn twist(trick: Trick, frame: &Frame<'_>, said: (Said, Keys)) -> (Said, Keys) {
        engine::twist(trick, frame, said)
    }

    /// The octets that an engine sends in place of these, which these keys secured.
    pub(crate) fn spoil(
        &mut self,
        trick: Trick,
        number: u32,
        (message, keys): (Vec<u8>, &Keys),
    ) -> Vec<u8> {
        let record = self.records.entry(number).or_default();
        engine::spoil(trick, record, message, keys)
    }

    /// What a trick sends, once.
    pub(crate) fn take(&mut self) -> Option<Outgoing> {
        self.outgoing.take()
    }

    /// Whether nothing is heard from this address.
    pub(crate) fn is_silenced(&self, address: IpAddr) -> bool {
        self.silenced.contains(&address)
    }

    /// Lets an address fall silent, or speak again.
    pub(crate) fn silence(&mut self, address: IpAddr, silent: bool) {
        if silent {
            self.silenced.insert(address);
        } else {
            self.silenced.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mischief;

    #[test]
    fn as_many_questions_get_lost_as_were_to() {
        let mut mischief = Mischief::new(1, 5);
        let lost = (0..100_000).filter(|_| mischief.loses()).count();
        assert!((4_700..5_300).contains(&lost), "{lost}");
    }
}
