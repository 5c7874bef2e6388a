//! Who a device says it is: a clone must not be taken for the printer it was cloned from.
//!
//! The first device that plays a recording keeps what was recorded; every further one gets its own
//! serial number, hardware addresses and name, in every object that holds them.

use crate::machine::Machine;

/// How far apart the hardware addresses of two clones are: more than a device has interfaces.
const MAC_STEP: u32 = 16;
/// The fewest digits at the end of a serial number that are counted on; else digits are added.
const DIGITS_MIN: usize = 5;
/// The shortest recorded token that is replaced: shorter ones stand by accident in other texts.
const TOKEN_MIN: usize = 5;

/// What a clone has instead of what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Which network board it has.
    board: u32,
    /// Its serial number, whether it tells it or not.
    serial: Vec<u8>,
    tells_serial: bool,
    /// What is replaced by what, longest first.
    words: Vec<(Vec<u8>, Vec<u8>)>,
    name: Vec<u8>,
}

/// A pattern of a fleet file: `{n}` or `{n:5}` stands for the number of the device, with zeros up
/// to that width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    before: String,
    width: usize,
    after: String,
}

impl Pattern {
    /// Reads a pattern; `None` when `{n}` is missing or written otherwise.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once("{n")?;
        let (width, after) = rest.split_once('}')?;
        let width = match width.strip_prefix(':') {
            Some(width) => width.parse().ok().filter(|width| *width <= 20)?,
            None if width.is_empty() => 0,
            None => return None,
        };
        Some(Self {
            before: before.to_owned(),
            width,
            after: after.to_owned(),
        })
    }

    fn fill(&self, number: u32) -> Vec<u8> {
        let Self {
            before,
            width,
            after,
        } = self;
        format!("{before}{number:0width$}{after}").into_bytes()
    }
}

impl Identity {
    /// The identity of the device of this number, counted from 0 over the fleet.
    ///
    /// Without patterns it is derived from what was recorded.
    pub(crate) fn of(
        machine: &Machine,
        number: u32,
        serial: Option<&Pattern>,
        name: Option<&Pattern>,
    ) -> Self {
        let serial = serial.map_or_else(
            || count_on(&machine.serial, number),
            |pattern| pattern.fill(number),
        );
        let words = words(machine, &serial, number);
        let own_name = match name {
            Some(pattern) => pattern.fill(number),
            None => {
                let replaced = replace(&machine.name, &words);
                let is_own = replaced != machine.name || number == 0;
                if is_own {
                    replaced
                } else {
                    [&replaced, format!("-{number}").as_bytes()].concat()
                }
            }
        };
        Self {
            board: number,
            serial,
            tells_serial: true,
            words,
            name: own_name,
        }
    }

    /// The identity that was recorded.
    pub(crate) fn recorded(machine: &Machine) -> Self {
        Self {
            board: 0,
            serial: machine.serial.clone(),
            tells_serial: true,
            words: Vec::new(),
            name: machine.name.clone(),
        }
    }

    /// Its network board.
    pub(crate) const fn board(&self) -> u32 {
        self.board
    }

    /// Its serial number, told or not.
    pub(crate) fn serial(&self) -> Vec<u8> {
        self.serial.clone()
    }

    /// Gives it another network board.
    pub(crate) fn set_board(&mut self, machine: &Machine, board: u32) {
        self.board = board;
        self.spell(machine);
    }

    /// Gives it another serial number.
    pub(crate) fn set_serial(&mut self, machine: &Machine, serial: Vec<u8>) {
        self.serial = serial;
        self.spell(machine);
    }

    /// Lets it tell its serial number, or not.
    pub(crate) fn tell_serial(&mut self, machine: &Machine, tells: bool) {
        self.tells_serial = tells;
        self.spell(machine);
    }

    fn spell(&mut self, machine: &Machine) {
        let serial: &[u8] = if self.tells_serial { &self.serial } else { b"" };
        self.words = words(machine, serial, self.board);
    }

    /// The device's own name.
    pub(crate) fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    /// A text of the recording as this device says it.
    pub(crate) fn put_into(&self, recorded: &[u8]) -> Vec<u8> {
        replace(recorded, &self.words)
    }

    /// A hardware address of the recording as this device has it; what is none stays as it is.
    pub(crate) fn mac(&self, recorded: &[u8]) -> Vec<u8> {
        match <[u8; 6]>::try_from(recorded) {
            Ok(mac) => moved(mac, self.board).to_vec(),
            Err(_) => recorded.to_vec(),
        }
    }
}

/// What is replaced by what, longest first, in a device of this serial number and board.
fn words(machine: &Machine, serial: &[u8], board: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut words = Vec::new();
    if machine.serial.len() >= TOKEN_MIN {
        words.push((machine.serial.clone(), serial.to_vec()));
    }
    if let Some(mac) = machine.mac {
        let own = moved(mac, board);
        words.extend(forms(mac, false).into_iter().zip(forms(own, false)));
        let shorts = forms(mac, true).into_iter().zip(forms(own, true));
        // The short form is looked for in the name only: six digits stand in many texts.
        words.extend(shorts.filter(|(short, _)| holds(&machine.name, short)));
    }
    words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    words
}

/// The texts that tell one device from another.
pub(crate) fn tokens(serial: &[u8], mac: Option<[u8; 6]>, name: &[u8]) -> Vec<Vec<u8>> {
    let mut tokens = vec![serial.to_vec(), name.to_vec()];
    if let Some(mac) = mac {
        tokens.extend(forms(mac, false));
        tokens.extend(
            forms(mac, true)
                .into_iter()
                .filter(|short| holds(name, short)),
        );
    }
    tokens.retain(|token| token.len() >= TOKEN_MIN);
    tokens
}

/// Whether a text holds a token.
pub(crate) fn holds(text: &[u8], token: &[u8]) -> bool {
    text.windows(token.len()).any(|window| window == token)
}

fn replace(text: &[u8], words: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match words.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, own)) => {
                out.extend_from_slice(own);
                rest = rest.get(word.len()..).unwrap_or(&[]);
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// The serial number that many devices later left the same line.
fn count_on(serial: &[u8], number: u32) -> Vec<u8> {
    let digits = serial
        .iter()
        .rev()
        .take_while(|octet| octet.is_ascii_digit())
        .count()
        .min(9);
    if digits < DIGITS_MIN {
        return [serial, format!("{number:05}").as_bytes()].concat();
    }
    let (head, tail) = serial.split_at(serial.len() - digits);
    let start = tail
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let own = (start + u64::from(number)) % 10_u64.pow(digits as u32);
    [head, format!("{own:0digits$}").as_bytes()].concat()
}

/// The address that many devices later left the same line: the maker's half stays.
fn moved(mac: [u8; 6], number: u32) -> [u8; 6] {
    let [a, b, c, d, e, f] = mac;
    let low = u32::from_be_bytes([0, d, e, f]).wrapping_add(number.wrapping_mul(MAC_STEP));
    let [_, d, e, f] = low.to_be_bytes();
    [a, b, c, d, e, f]
}

/// How a hardware address is written in texts; the short form is its second half.
fn forms(mac: [u8; 6], short: bool) -> Vec<Vec<u8>> {
    let octets = if short { &mac[3..] } else { &mac[..] };
    let marks: &[&str] = if short { &[""] } else { &["", ":", "-"] };
    let mut forms = Vec::new();
    for mark in marks {
        let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let lower = hex.join(mark);
        forms.push(lower.to_ascii_uppercase().into_bytes());
        forms.push(lower.into_bytes());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_counts_on_in_its_own_digits() {
        assert_eq!(count_on(b"R4H0A00118", 3), b"R4H0A00121");
        assert_eq!(count_on(b"AB9", 12), b"AB900012");
        assert_eq!(count_on(b"X99999", 1), b"X00000");
    }

    #[test]
    fn clones_of_one_line_never_share_a_hardware_address() {
        let mac = [0, 0x17, 0xc8, 0xff, 0xff, 0xf0];
        assert_eq!(moved(mac, 1), [0, 0x17, 0xc8, 0, 0, 0]);
        let all: std::collections::BTreeSet<_> = (0..65_536).map(|n| moved(mac, n)).collect();
        assert_eq!(all.len(), 65_536);
    }

    #[test]
    fn a_pattern_says_where_the_number_stands() {
        let fill = |text: &str| Pattern::parse(text).map(|pattern| pattern.fill(42));
        assert_eq!(fill("SN{n:5}X"), Some(b"SN00042X".to_vec()));
        assert_eq!(fill("{n}"), Some(b"42".to_vec()));
        assert_eq!(fill("SN"), None);
        assert_eq!(fill("SN{n:x}"), None);
    }
}
