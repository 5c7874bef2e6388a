//! Where the cases come from: right ones made wrong, and wrong ones made from nothing.

/// Longest case: the longest datagram.
const OCTETS_MAX: usize = 65_507;

/// Most changes to one case.
const CHANGES_MAX: u64 = 8;

/// One case in so many comes from the grammar.
const FROM_GRAMMAR: u64 = 8;

/// One case of the grammar in so many fills a datagram.
const FULL_ONE_IN: usize = 64;

/// Octets before the objects of such a case: what no decoder looks behind if it is wrong.
const HEAD_OCTETS: usize = 25;

/// Octets that mean something in BER, in a number, or in a text.
const TELLING: [u8; 24] = [
    0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, 0x30, 0x40, 0x41, 0x42,
    0x43, 0x44, 0x46, 0xa0, 0xa2, 0xa5, b'|', b'\n',
];

/// What a case is made of, beside the seeds.
#[derive(Debug, Clone, Copy)]
pub struct Seed(u64);

/// Chance that repeats (SplitMix64).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.roll().checked_rem(bound as u64).unwrap_or(0) as usize
    }
}

/// Makes case after case.
#[derive(Debug)]
pub struct Grower {
    dice: Dice,
    case: Vec<u8>,
}

impl Grower {
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            case: Vec::with_capacity(OCTETS_MAX),
        }
    }

    /// What the next case is made of.
    pub fn seed(&self) -> Seed {
        Seed(self.dice.0)
    }

    /// A case once more.
    pub fn again(Seed(seed): Seed, seeds: &[Vec<u8>]) -> Vec<u8> {
        Self::new(seed).next(seeds).to_vec()
    }

    /// The next case.
    pub fn next(&mut self, seeds: &[Vec<u8>]) -> &[u8] {
        self.case.clear();
        if self.dice.roll().is_multiple_of(FROM_GRAMMAR) {
            self.speak(6);
        } else {
            let seed = self.dice.below(seeds.len());
            self.case.extend_from_slice(&seeds[seed]);
            for _ in 0..self.dice.roll() % CHANGES_MAX {
                self.change(seeds);
            }
        }
        self.case.truncate(OCTETS_MAX);
        &self.case
    }

    fn change(&mut self, seeds: &[Vec<u8>]) {
        let Self { dice, case } = self;
        if case.is_empty() {
            case.push(0x30);
        }
        let at = dice.below(case.len());
        let end = at + dice.below((case.len() - at).min(64)) + 1;
        match dice.below(10) {
            0 | 1 => case[at] ^= 1 << dice.below(8),
            2 | 3 => case[at] = TELLING[dice.below(TELLING.len())],
            4 => case[at] = case[at].wrapping_add(1),
            5 => case.insert(at, TELLING[dice.below(TELLING.len())]),
            6 => drop(case.drain(at..end)),
            7 if case.len() < OCTETS_MAX => {
                let again = case[at..end].to_vec();
                for _ in 0..=dice.below(40) {
                    case.splice(at..at, again.iter().copied());
                }
            }
            8 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                case.splice(at..end, other[from..].iter().copied());
            }
            _ => case.truncate(at),
        }
    }

    /// Says what stands from here on again and again, until a datagram is full.
    fn fill(&mut self, from: usize) {
        let again = self.case[from..].to_vec();
        while !again.is_empty() && self.case.len() + again.len() < OCTETS_MAX - 16 {
            self.case.extend_from_slice(&again);
        }
    }

    /// An element with elements or octets in it, whose length is right most of the time.
    fn speak(&mut self, depth: u32) {
        const TAGS: [u8; 16] = [
            0x30, 0x30, 0x30, 0x02, 0x04, 0x06, 0x05, 0x40, 0x41, 0x42, 0x43, 0x46, 0xa2, 0xa2,
            0x80, 0x82,
        ];
        let tag = match depth {
            6 => 0x30,
            _ => TAGS[self.dice.below(TAGS.len())],
        };
        let start = self.case.len();
        if depth == 6 {
            // The frame, or no decoder looks any further.
            self.case
                .extend([0x02, 1, 1, 0x04, 1, b'p', 0xa2, 0x83, 0, 0, 0]);
            self.case
                .extend([0x02, 1, 7, 0x02, 1, 0, 0x02, 1, 0, 0x30, 0x83, 0, 0, 0]);
        }
        if tag & 0x20 != 0 && depth > 0 {
            for _ in 0..self.dice.below(5) {
                self.speak(depth - 1);
            }
        } else {
            for _ in 0..self.dice.below(12) {
                let octet = self.dice.roll() as u8;
                self.case.push(octet);
            }
        }
        if depth == 6 {
            if self.dice.below(FULL_ONE_IN) == 0 {
                self.fill(start + HEAD_OCTETS);
            }
            let end = self.case.len();
            let mut say = |at: usize| {
                let size = (end - at - 3) as u32;
                self.case[at..at + 3].copy_from_slice(&size.to_be_bytes()[1..]);
            };
            say(start + 8);
            say(start + 22);
        }
        let mut size = self.case.len() - start;
        if self.dice.below(12) == 0 {
            size = self.dice.roll() as u32 as usize;
        }
        let [a, b, c, d] = (size as u32).to_be_bytes();
        let head = [tag, 0x84, a, b, c, d];
        self.case.splice(start..start, head);
    }
}
