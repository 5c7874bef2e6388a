//! The printers of a simulated site, and what befalls them.

use super::*;

/// Shortest time between two rounds.
const PAUSE_SECS: u64 = 300;
/// Addresses of the site.
pub(super) const ADDRESSES: u32 = 120;
/// What happens at an ordinary site, by the numbers of [`World::happen`]: leases change and printers
/// are switched off and on; now and then one is replaced, repaired or updated.
const ORDINARY: [u64; 14] = [30, 30, 30, 30, 30, 10, 40, 65, 80, 86, 95, 95, 95, 95];

/// What kind of site it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// Everything happens all the time: of six printers one tells no serial number, one in ten that
    /// come has another's, and boards wander.
    Cruel,
    /// Nearly all printers tell a serial number and a MAC, which are theirs alone.
    Ordinary,
}

/// Numbers that look like chance, the same each time (xorshift64*).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % most
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("small")]
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A printer as it is, whatever it tells.
#[derive(Debug, Clone)]
pub(super) struct Printer {
    pub(super) serial: String,
    pub(super) tells_serial: bool,
    pub(super) mac: Option<u64>,
    pub(super) model: &'static str,
    pub(super) total: Option<u64>,
    pub(super) started: Timestamp,
    pub(super) address: Option<u32>,
    pub(super) is_on: bool,
}

impl World {
    /// When something that is switched on between two rounds began to run, to the second.
    pub(super) fn start(&mut self) -> Timestamp {
        let secs = i64::try_from(self.chance.below(PAUSE_SECS)).expect("small");
        self.now + SignedDuration::from_secs(secs)
    }

    /// A printer that is put in place of another and switched on.
    pub(super) fn make_new(&mut self, place: Option<u32>) -> Printer {
        let mut printer = self.make(place);
        printer.started = self.start();
        printer
    }

    /// A new printer: one in six tells no serial number or a blanked one, one in eight no MAC, a few
    /// neither. One that tells no count tells a MAC: of two that tell a serial number alone, and the
    /// same one, nobody can tell anything.
    pub(super) fn make(&mut self, address: Option<u32>) -> Printer {
        let n = self.chance.below(1 << 40);
        let (odd, silent, boardless) = match self.site {
            Site::Cruel => (12, 12, 8),
            Site::Ordinary => (50, 50, 100),
        };
        let junk = ["0000000", "XXXXX", "N/A", "", "1234567890"];
        let serial = match self.chance.below(odd) {
            0 => self.chance.pick(&junk).to_owned(),
            _ => format!("vnb{n:011}"),
        };
        self.macs += 1;
        let mac = (!self.chance.one_in(boardless)).then_some(self.macs);
        let counts = mac.is_none() || !self.chance.one_in(20);
        let age = i64::try_from(self.chance.below(10 * 86_400)).expect("small");
        Printer {
            serial,
            tells_serial: !self.chance.one_in(silent),
            mac,
            model: self
                .chance
                .pick(&["M507", "M507", "M507", "ECOSYS P3145", "MP C3004"]),
            total: counts.then(|| self.chance.below(600_000)),
            started: self.now - SignedDuration::from_secs(age),
            address,
            is_on: true,
        }
    }

    pub(super) fn keys(printer: &Printer) -> Fingerprint {
        let serial = Some(printer.serial.clone())
            .filter(|serial| printer.tells_serial && is_plausible_serial(serial));
        Fingerprint {
            serial: serial.map(|serial| format!("hp/{serial}")),
            mac: printer.mac.map(|mac| format!("00:17:c8:{mac:06x}")),
            engine_id: None,
        }
    }

    pub(super) fn traits(&self, printer: &Printer) -> Traits {
        Traits {
            keys: Self::keys(printer),
            told: Told {
                uuid: None,
                model: Some(printer.model.to_owned()),
                total: printer.total,
                started: Some(printer.started),
                at: Some(self.now),
            },
        }
    }

    pub(super) fn at(&self, place: IpAddr) -> Option<usize> {
        let is_there = |it: &Printer| it.is_on && it.address.is_some_and(|n| address(n) == place);
        self.printers.iter().position(is_there)
    }

    /// Somebody whose power is on, or off.
    pub(super) fn someone(&mut self) -> usize {
        let placed: Vec<usize> = (0..self.printers.len())
            .filter(|it| self.printers[*it].address.is_some())
            .collect();
        self.chance.pick(&placed)
    }

    fn free(&mut self) -> Option<u32> {
        let taken: BTreeSet<u32> = self.printers.iter().filter_map(|it| it.address).collect();
        let free: Vec<u32> = (0..ADDRESSES).filter(|n| !taken.contains(n)).collect();
        (!free.is_empty()).then(|| self.chance.pick(&free))
    }

    /// One stroke of fate.
    pub(super) fn happen(&mut self) {
        let (one, other) = (self.someone(), self.someone());
        let stroke = match self.site {
            Site::Cruel => self.chance.below(100),
            Site::Ordinary => self.chance.pick(&ORDINARY),
        };
        let kind = match stroke {
            0..25 => {
                let (a, b) = (self.printers[one].address, self.printers[other].address);
                (self.printers[one].address, self.printers[other].address) = (b, a);
                "address swaps"
            }
            25..37 => {
                if let Some(free) = self.free() {
                    self.printers[one].address = Some(free);
                }
                "moves"
            }
            37..52 => {
                let place = self.printers[one].address.take();
                let new = self.make_new(place);
                self.printers.push(new);
                "replacements at the same address"
            }
            52..62 => {
                let place = self.printers[one].address.take();
                let serial = self.printers[other].serial.clone();
                let mut new = self.make_new(place);
                new.serial = serial;
                self.printers.push(new);
                "duplicate serials"
            }
            62..72 => {
                self.macs += 1;
                self.printers[one].mac = Some(self.macs);
                self.printers[one].started = self.start();
                if self.chance.one_in(3) {
                    self.printers[one].total = self.printers[one].total.map(|_| 0);
                }
                "board changes"
            }
            72..76 => {
                let (a, b) = (self.printers[one].mac, self.printers[other].mac);
                (self.printers[one].mac, self.printers[other].mac) = (b, a);
                self.printers[one].started = self.start();
                self.printers[other].started = self.start();
                "boards exchanged between printers"
            }
            76..84 => {
                let late = self.printers.iter().position(|it| !it.tells_serial);
                let late = late.unwrap_or(one);
                self.printers[late].tells_serial = true;
                "late serials"
            }
            84..89 => {
                self.printers[one].total = self.printers[one].total.map(|_| 3);
                "counters set anew"
            }
            _ => {
                self.printers[one].is_on = !self.printers[one].is_on;
                self.printers[one].started = self.start();
                "switched off or on"
            }
        };
        *self.counts.kinds.entry(kind).or_default() += 1;
    }

    /// Time passes, and paper.
    pub(super) fn print(&mut self) {
        let minutes = PAUSE_SECS / 60 + self.chance.below(12 * 60);
        self.now += SignedDuration::from_mins(i64::try_from(minutes).expect("small"));
        for at in 0..self.printers.len() {
            let most = if self.chance.one_in(40) { 8 } else { 1 };
            let pages = self.chance.below(minutes * most + 1);
            let printer = &mut self.printers[at];
            if printer.is_on && printer.address.is_some() {
                printer.total = printer.total.map(|total| total + pages);
            }
        }
    }
}
