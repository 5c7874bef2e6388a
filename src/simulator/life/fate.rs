//! What befalls a printer beside its work: a supply is replaced early, its counters are set to nothing,
//! or come to the end of what they can show.
//!
//! It has dice of its own, so that jobs and troubles of a seed are the same with and without it.

use super::{FULL, Life, LifeSettings};
use crate::dice::{Dice, mix};
use crate::machine::Machine;
use crate::mib::Meter;

/// A supply that is replaced early goes within so much of its life, in percent, behind the level where
/// it is called low: somebody sees the warning and does not wait.
const SOON_PERCENT: u64 = 5;

/// What will befall a printer, and what has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    dice: Dice,
    /// When its counters are reset.
    pub(super) reset_at: u64,
    /// For each supply: at which level it is replaced though it is not used up; 0 for never.
    early: Vec<u64>,
    /// What had been counted when its counters were reset, last: pages by kind, sheets, scans.
    forgotten: Option<([u64; 8], u64, u64)>,
    /// The first count that its counters cannot show; 0 when they never end.
    end: u64,
    /// How many supplies were replaced early.
    #[cfg(test)]
    replaced: u32,
}

impl Fate {
    /// The fate of a printer with so many supplies.
    pub(super) fn of(seed: u64, supplies: usize, settings: &LifeSettings) -> Self {
        let mut fate = Self {
            dice: Dice::new(mix(!seed)),
            reset_at: u64::MAX,
            early: vec![0; supplies],
            forgotten: None,
            end: u64::from(settings.rolls_over_at),
            #[cfg(test)]
            replaced: 0,
        };
        for at in 0..supplies {
            fate.another_supply(at, settings);
        }
        fate.plan_reset(0, settings);
        fate
    }

    /// A new supply is put in, whose end is decided now.
    pub(super) fn another_supply(&mut self, at: usize, settings: &LifeSettings) {
        let is_early = self.dice.happens(u64::from(settings.early_percent), 100);
        let low = u64::from(settings.low_percent);
        let percent = low.saturating_sub(self.dice.below(SOON_PERCENT)).max(1);
        if let Some(early) = self.early.get_mut(at) {
            *early = if is_early { FULL / 100 * percent } else { 0 };
        }
    }

    fn plan_reset(&mut self, now: u64, settings: &LifeSettings) {
        self.reset_at = match settings.reset_hours {
            0 => u64::MAX,
            hours => now.saturating_add(self.dice.wait(3_600_000 * u64::from(hours))),
        };
    }
}

impl Life {
    /// Whether its counters are reset at this moment; then they are, and it has to start anew.
    pub(super) fn counters_are_reset(&mut self, settings: &LifeSettings) -> bool {
        let is_due = self.fate.reset_at <= self.now;
        if is_due {
            self.fate.forgotten = Some((self.pages, self.duplex_sheets, self.scans));
            self.fate.plan_reset(self.now, settings);
        }
        is_due
    }

    /// Somebody replaces the supplies whose time has come, before the next job.
    pub(super) fn replace_early(&mut self, machine: &Machine, settings: &LifeSettings) {
        for (at, supply) in machine.supplies.iter().enumerate() {
            let left = self.supply(at);
            let is_due = self.fate.early.get(at).is_some_and(|early| left <= *early);
            if !supply.moves() || left == 0 || !is_due {
                continue;
            }
            if let Some(level) = self.supplies.get_mut(at) {
                *level = FULL;
            }
            #[cfg(test)]
            {
                self.fate.replaced += 1;
            }
            self.fate.another_supply(at, settings);
        }
    }

    /// What a meter has counted since its counters were reset, else since the life began.
    pub(crate) fn counted(&self, meter: Meter) -> u64 {
        let before = self.fate.forgotten.map_or(0, |(pages, sheets, scans)| {
            count(meter, &pages, sheets, scans)
        });
        self.made(meter).saturating_sub(before)
    }

    /// What a counter shows that stood at `recorded` when the life began and has counted so much.
    pub(crate) fn shows(&self, recorded: u64, counted: u64) -> u64 {
        let from = if self.fate.forgotten.is_some() {
            0
        } else {
            recorded
        };
        let sum = from.saturating_add(counted);
        sum.checked_rem(self.fate.end).unwrap_or(sum)
    }
}

/// What a meter counts of these pages by kind, sheets printed on both sides, and scans.
pub(super) fn count(meter: Meter, pages: &[u64; 8], sheets: u64, scans: u64) -> u64 {
    let sum = |set: u8| {
        let kinds = pages.iter().enumerate();
        kinds
            .filter(|(kind, _)| set & (1 << kind) != 0)
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    match meter {
        Meter::Pages(set) => sum(set),
        Meter::LargeTwice => sum(0x0f) + 2 * sum(0xf0),
        Meter::Duplex => sheets,
        Meter::Scans => scans,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::life::Activity;

    const HOUR: u64 = 3_600_000;

    /// Every recording that lives, of every maker.
    fn machines() -> Vec<(String, Machine)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
        let makers = std::fs::read_dir(folder.join("makers")).unwrap();
        let files = std::fs::read_dir(folder).unwrap().chain(makers);
        let files = files.filter_map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let is_recording = path.extension().is_some_and(|it| it == "snmprec");
            let recording = snmp::recording::Recording::parse(&std::fs::read(&path).ok()?).ok()?;
            (is_recording && !name.contains('@')).then(|| (name, Machine::living(&recording)))
        });
        files
            .filter(|(_, machine)| machine.printer.is_some())
            .collect()
    }

    fn fateful() -> LifeSettings {
        LifeSettings {
            pages_per_hour: 600,
            early_percent: 50,
            rolls_over_at: 20_000,
            reset_hours: 100,
            ..LifeSettings::default()
        }
    }

    #[test]
    fn counters_of_every_maker_end_and_are_reset_and_supplies_go_early() {
        let settings = fateful();
        let machines = machines();
        assert!(machines.len() > 20, "{} recordings", machines.len());
        for (name, machine) in machines {
            let mut life = Life::begin(&machine, &settings, 3, false);
            let (mut rollovers, mut resets, mut last) = (0, 0, 19_000);
            for hour in 1..=500 {
                let was = life.fate.forgotten;
                life.advance(&machine, &settings, hour * HOUR);
                let shown = life.shows(19_000, life.counted(crate::mib::EVERY_PAGE));
                assert!(shown < 20_000, "{name}");
                if life.fate.forgotten != was {
                    resets += 1;
                } else if shown < last {
                    rollovers += 1;
                }
                last = shown;
            }
            assert!(rollovers > 0 && resets > 0, "{name} {rollovers} {resets}");
            let moves = machine.supplies.iter().filter(|supply| supply.moves());
            let yields = moves.map(|supply| supply.yield_pages).min();
            // 500 hours at 600 pages empty whatever lasts less; half of it goes early.
            let wears = yields.is_some_and(|pages| pages < 30_000);
            assert!(life.fate.replaced > 0 || !wears, "{name}");
        }
    }

    #[test]
    fn a_supply_that_goes_early_is_low_and_not_empty() {
        let settings = LifeSettings {
            early_percent: 100,
            ..fateful()
        };
        for (name, machine) in machines() {
            let mut life = Life::begin(&machine, &settings, 4, true);
            for step in 0..20_000 {
                let before = life.supplies.clone();
                life.advance(&machine, &settings, step * HOUR / 60);
                for (was, is) in before.iter().zip(&life.supplies) {
                    let low = FULL / 100 * (u64::from(settings.low_percent) + 1);
                    assert!(is <= was || (*was > 0 && *was <= low), "{name} {was} {is}");
                }
                let out = matches!(
                    life.activity(),
                    Activity::Stopped(crate::trouble::Trouble::SupplyOut(_))
                );
                assert!(!out, "{name}");
            }
        }
    }

    #[test]
    fn without_fate_nothing_befalls_and_with_it_work_is_the_same() {
        let quiet = LifeSettings {
            pages_per_hour: 600,
            ..LifeSettings::default()
        };
        let ending = LifeSettings {
            rolls_over_at: 20_000,
            ..quiet.clone()
        };
        let (name, machine) = machines().swap_remove(0);
        let mut without = Life::begin(&machine, &quiet, 5, false);
        let mut with = Life::begin(&machine, &ending, 5, false);
        without.advance(&machine, &quiet, 400 * HOUR);
        with.advance(&machine, &ending, 400 * HOUR);
        assert_eq!(without.pages, with.pages, "{name}");
        assert_eq!(without.supplies, with.supplies, "{name}");
        assert_eq!((without.fate.replaced, without.fate.forgotten), (0, None));
    }
}
