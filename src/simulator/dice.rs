//! Chance that repeats: every random thing in the simulator comes out of a seed through here.
//!
//! Not for secrets. The generator is SplitMix64 (Steele, Lea, Flood 2014): ten lines, and the same
//! numbers on every machine, which is all that a repeatable fleet needs.

/// A sequence of numbers that depends on its seed only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Starts the sequence of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number from 0 up to, not including, `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder is below 2⁻³² for every bound used here.
        self.roll().checked_rem(bound).unwrap_or(0)
    }

    /// Whether something of this likelihood happens.
    pub(crate) fn happens(&mut self, of: u64, in_total: u64) -> bool {
        self.below(in_total) < of
    }

    /// A waiting time around `mean`, spread as between independent events, at least 1.
    pub(crate) fn wait(&mut self, mean: u64) -> u64 {
        // 53 bits are what an f64 holds exactly; the half keeps the logarithm finite.
        let share = ((self.roll() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        ((-share.ln() * mean as f64) as u64).max(1)
    }
}

/// Scatters a number over all 64 bits; near numbers end far apart.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_rolls_the_same_numbers() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.roll()).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn waits_lie_around_their_mean() {
        let mut dice = Dice::new(1);
        let sum: u64 = (0..10_000).map(|_| dice.wait(1000)).sum();
        assert!((9_500_000..10_500_000).contains(&sum), "{sum}");
    }
}
