//! What a fleet does wrong on purpose: questions get lost, devices fall silent, and some answer as
//! no device should (`misbehave/`).

pub(crate) mod list;
mod play;
pub(crate) mod raw;
mod table;
mod values;
mod wire;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::dice::Dice;

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
