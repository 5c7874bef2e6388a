//! A fleet whose printers are swapped, replaced, repaired and renamed ten thousand times, and the
//! truth of it, which no registry is told.
//!
//! The registry is asked what a sweep asks it, and its devices read what lives at their addresses
//! as a Device does. Every reading that is taken for a device's own must be of the printer whose
//! readings it had before.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use printer::identity::is_plausible_serial;

use super::*;
use crate::device::known::weigh_own;

/// What happens to the fleet in all.
const EVENTS: usize = 10_000;
/// What happens between two rounds of sweeping and reading.
const EVENTS_A_ROUND: usize = 10;
/// Addresses of the site.
const ADDRESSES: u32 = 120;
/// Printers at the beginning.
const PRINTERS: u32 = 90;
/// The seed: the same fleet has the same fate.
const SEED: u64 = 20_261_126;

/// Numbers that look like chance, the same each time (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % most
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("small")]
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A printer as it is, whatever it tells.
#[derive(Debug, Clone)]
struct Printer {
    serial: String,
    tells_serial: bool,
    mac: Option<u64>,
    model: &'static str,
    total: Option<u64>,
    started: Timestamp,
    address: Option<u32>,
    is_on: bool,
}

/// What an id of the registry is and was.
#[derive(Debug, Default)]
struct Account {
    owner: Option<usize>,
    traits: Traits,
    shared_serial: Option<String>,
    proven_at: Option<IpAddr>,
}

#[derive(Debug, Default)]
struct Counts {
    readings: u64,
    wrong: u64,
    dropped: u64,
    ids: usize,
    doubtful_ever: usize,
    split_unseen: usize,
    kinds: BTreeMap<&'static str, u32>,
}

struct World {
    chance: Chance,
    now: Timestamp,
    printers: Vec<Printer>,
    registry: Registry,
    accounts: BTreeMap<DeviceId, Account>,
    doubted: BTreeSet<DeviceId>,
    counts: Counts,
    macs: u64,
}

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0001 + n).into()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            chance: Chance(seed),
            now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50),
            printers: Vec::new(),
            registry: Registry::default(),
            accounts: BTreeMap::new(),
            doubted: BTreeSet::new(),
            counts: Counts::default(),
            macs: 0,
        };
        for n in 0..PRINTERS {
            let printer = world.make(Some(n));
            world.printers.push(printer);
        }
        world
    }

    /// When something that is switched on now began to run: minutes ago, to the second.
    fn start(&mut self) -> Timestamp {
        let secs = i64::try_from(self.chance.below(900)).expect("small");
        self.now - SignedDuration::from_secs(secs)
    }

    /// A new printer: one in six tells no serial number or a blanked one, one in eight no MAC, a few
    /// neither. One that tells no count tells a MAC: of two that tell a serial number alone, and the
    /// same one, nobody can tell anything.
    fn make(&mut self, address: Option<u32>) -> Printer {
        let n = self.chance.below(1 << 40);
        let junk = ["0000000", "XXXXX", "N/A", "", "1234567890"];
        let serial = match self.chance.below(12) {
            0 => self.chance.pick(&junk).to_owned(),
            _ => format!("vnb{n:011}"),
        };
        self.macs += 1;
        let mac = (!self.chance.one_in(8)).then_some(self.macs);
        let counts = mac.is_none() || !self.chance.one_in(20);
        let age = i64::try_from(self.chance.below(10 * 86_400)).expect("small");
        Printer {
            serial,
            tells_serial: !self.chance.one_in(12),
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

    fn keys(printer: &Printer) -> Fingerprint {
        let serial = Some(printer.serial.clone())
            .filter(|serial| printer.tells_serial && is_plausible_serial(serial));
        Fingerprint {
            serial: serial.map(|serial| format!("hp/{serial}")),
            mac: printer.mac.map(|mac| format!("00:17:c8:{mac:06x}")),
            engine_id: None,
        }
    }

    fn traits(&self, printer: &Printer) -> Traits {
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

    fn at(&self, place: IpAddr) -> Option<usize> {
        let is_there = |it: &Printer| it.is_on && it.address.is_some_and(|n| address(n) == place);
        self.printers.iter().position(is_there)
    }

    /// Somebody whose power is on, or off.
    fn someone(&mut self) -> usize {
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
    fn happen(&mut self) {
        let (one, other) = (self.someone(), self.someone());
        let kind = match self.chance.below(100) {
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
                let new = self.make(place);
                self.printers.push(new);
                "replacements at the same address"
            }
            52..62 => {
                let place = self.printers[one].address.take();
                let serial = self.printers[other].serial.clone();
                let mut new = self.make(place);
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
    fn print(&mut self) {
        let minutes = 5 + self.chance.below(12 * 60);
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

    /// A sweep: everybody who is there is sighted by keys alone.
    fn sweep(&mut self) {
        for n in 0..ADDRESSES {
            if let Some(there) = self.at(address(n)) {
                let keys = Self::keys(&self.printers[there]);
                self.sighted((&keys).into(), address(n));
            }
        }
        self.registry.swept(|_| true, 3);
    }

    /// What the Supervisor does with a sighting.
    fn sighted(&mut self, traits: Traits, place: IpAddr) {
        match self.registry.sight(traits, place, self.now) {
            Sighting::Claim(id) => self.confirm(&id),
            Sighting::New(settled) => {
                self.note(&settled.device);
            }
            Sighting::Moved(_)
            | Sighting::Same(_)
            | Sighting::Asked
            | Sighting::NoPrinter
            | Sighting::Fickle
            | Sighting::Full => {}
        }
        self.tell_sharers();
    }

    /// What a device answers that is asked whether it is where it was.
    fn confirm(&mut self, id: &DeviceId) {
        let place = self.registry.get(id).and_then(|known| known.address);
        let there = place.and_then(|place| self.at(place));
        let Some((there, place)) = there.zip(place) else {
            self.registry.gone(id, self.now);
            return;
        };
        let keys = Self::keys(&self.printers[there]);
        if keys.contradicts(&self.account(id).traits.keys) {
            self.registry.gone(id, self.now);
            self.sighted((&keys).into(), place);
        } else if let Some(settled) = self.registry.confirmed(id, self.now) {
            self.note(&settled.device);
        }
    }

    fn note(&mut self, id: &DeviceId) {
        let known = self.registry.get(id).expect("known");
        if known.doubt.is_some() && self.doubted.insert(id.clone()) {
            self.counts.doubtful_ever += 1;
        }
    }

    fn tell_sharers(&mut self) {
        for id in self.registry.take_sharing() {
            let account = self.account(&id);
            let serial = account.traits.keys.serial.take();
            account.shared_serial = serial.or(account.shared_serial.take());
        }
    }

    /// The device's own memory: it starts from what the registry has proven.
    fn account(&mut self, id: &DeviceId) -> &mut Account {
        let registry = &self.registry;
        self.accounts.entry(id.clone()).or_insert_with(|| Account {
            owner: None,
            traits: registry.traits(id).unwrap_or_default(),
            shared_serial: registry.shared_serial(id),
            proven_at: None,
        })
    }

    /// Every device reads whoever lives at its address, and keeps what is its own.
    fn read(&mut self) {
        let lived: Vec<(DeviceId, IpAddr)> = (self.registry.iter())
            .filter_map(|(id, known)| Some((id.clone(), known.address?)))
            .collect();
        for (id, place) in lived {
            if self.registry.get(&id).and_then(|known| known.address) != Some(place) {
                continue;
            }
            let Some(there) = self.at(place) else {
                self.registry.gone(&id, self.now);
                continue;
            };
            let seen = self.traits(&self.printers[there]);
            let now = self.now;
            let account = self.account(&id);
            let score = weigh_own(
                &account.traits,
                (
                    account.shared_serial.as_deref(),
                    account.proven_at == Some(place),
                ),
                &seen,
            );
            let is_own =
                !seen.keys.contradicts(&account.traits.keys) && score.verdict == Verdict::Same;
            let before = account.traits.clone();
            if !is_own {
                self.counts.dropped += 1;
                self.registry.gone(&id, now);
                self.sighted(seen, place);
                continue;
            }
            let learnt = if account.shared_serial.is_some() {
                seen.without_serial()
            } else {
                seen.clone()
            };
            account.proven_at = Some(place);
            account.traits.keys = merged(&account.traits.keys, &learnt.keys);
            account.traits.told = account.traits.told.then(&learnt.told);
            let owner = *account.owner.get_or_insert(there);
            self.registry.prove_reading(&id, &seen);
            if let Some(settled) = self.registry.confirmed(&id, now) {
                self.note(&settled.device);
            }
            self.tell_sharers();
            self.counts.readings += 1;
            if owner != there {
                self.counts.wrong += 1;
                if self.counts.wrong <= 5 {
                    let (was, is) = (&self.printers[owner], &self.printers[there]);
                    println!(
                        "wrong: {id} had {was:?}\n  and took {is:?}\n  for {}",
                        score.words()
                    );
                    println!("  known was {before:?}");
                }
            }
        }
    }

    /// Printers with more than one id, of which nobody was told that they may be one.
    fn splits(&self) -> usize {
        let mut ids: HashMap<usize, Vec<&DeviceId>> = HashMap::new();
        for (id, account) in &self.accounts {
            if let Some(owner) = account.owner {
                ids.entry(owner).or_default().push(id);
            }
        }
        let unseen = |ids: &Vec<&DeviceId>| {
            let plain = ids.iter().filter(|id| !self.doubted.contains(**id));
            plain.count().saturating_sub(1)
        };
        ids.values().map(unseen).sum()
    }
}

/// Lets fate have its way; what came of it is printed.
fn fate(seed: u64) -> Counts {
    let mut world = World::new(seed);
    world.sweep();
    world.read();
    for _ in 0..EVENTS / EVENTS_A_ROUND {
        for _ in 0..EVENTS_A_ROUND {
            world.happen();
        }
        world.print();
        // A sweep is rarer than a reading, and either may come first.
        if world.chance.one_in(2) {
            world.sweep();
        }
        world.read();
    }
    world.counts.ids = world.registry.len();
    world.counts.split_unseen = world.splits();
    let doubtful = world.registry.doubtful().count();
    println!("seed {seed}: {:#?}\ndoubtful now: {doubtful}", world.counts);
    world.counts
}

#[test]
fn in_ten_thousand_strokes_of_fate_no_reading_goes_to_another_printer() {
    // Further seeds, with commas between, for whoever doubts this one.
    let seeds = std::env::var("PLATEN_FATE_SEEDS").unwrap_or_else(|_| SEED.to_string());
    let fates = seeds
        .split(',')
        .map(|seed| fate(seed.parse().expect("a seed")));
    for counts in fates.collect::<Vec<Counts>>() {
        assert_eq!(counts.wrong, 0, "readings at the wrong device");
        assert!(counts.readings > 50_000 && counts.doubtful_ever > 100);
        assert_eq!(counts.kinds.values().sum::<u32>(), 10_000);
    }
}
