//! How a printer lives: jobs come, pages are printed, supplies and paper run out, people mend it.
//!
//! A life depends on its seed and its settings only, and time is passed in: asked at the same
//! simulated time, the same life gives the same answers, however often it was asked before.
//! It jumps from event to event and costs nothing while nobody asks.

mod fate;
pub(crate) mod hand;
mod settings;

use self::fate::Fate;
pub use self::settings::{LifeSettings, Sleep};
use crate::dice::Dice;
use crate::machine::{Kind, Machine};
use crate::mib::{self, Meter};
use crate::trouble::{self, Alert, Trouble};

/// A full supply, in parts; finer than any capacity that a device states.
pub(crate) const FULL: u64 = 1_000_000_000;
/// How long a page takes, in simulated milliseconds: 30 pages a minute.
const PAGE_MS: u64 = 2_000;
/// How long a device warms up before a job that woke it.
const WARM_UP_MS: u64 = 15_000;
/// How long a cover stays open while somebody mends the device.
const OPEN_MS: u64 = 45_000;
/// How long a device takes to start, silent all the while.
const START_MS: u64 = 60_000;
/// One job in so many is a copy, where the device copies.
const COPY_ONE_IN: u64 = 4;
/// One job in so many is on large paper, where the device tells sizes.
const LARGE_ONE_IN: u64 = 12;
/// The coverage that yields are stated for (ISO/IEC 19752 and 19798), in percent.
const YIELD_COVERAGE: u64 = 5;

/// What a printer does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It waits for a job.
    Idle,
    /// It sleeps.
    Asleep,
    /// It gets ready to print.
    WarmingUp,
    /// It prints.
    Printing,
    /// It cannot go on before somebody comes.
    Stopped(Trouble),
    /// Somebody has opened it to end this trouble.
    Opened(Trouble),
    /// It starts.
    Starting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Job {
    pages_left: u64,
    color: bool,
    copied: bool,
    large: bool,
    duplex: bool,
    /// Whether the next page is the back of a sheet.
    back: bool,
}

/// One printer's life up to a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    dice: Dice,
    now: u64,
    activity: Activity,
    /// When the activity ends.
    until: u64,
    job_at: u64,
    reboot_at: u64,
    started_at: Option<u64>,
    /// How often it was started since the beginning.
    pub(crate) starts: u32,
    job: Job,
    /// Pages by kind: see [`mib::kind_of_page`].
    pages: [u64; 8],
    pages_at_start: u64,
    duplex_sheets: u64,
    scans: u64,
    supplies: Vec<u64>,
    trays: Vec<u64>,
    refill_at: Vec<u64>,
    alerts: Vec<Alert>,
    last_alert: u32,
    critical_events: u32,
    all_events: u32,
    /// What befalls it beside its work.
    fate: Fate,
}

impl Life {
    /// The life at simulated time 0, as recorded. A clone starts with levels of its own.
    pub(crate) fn begin(
        machine: &Machine,
        settings: &LifeSettings,
        seed: u64,
        clone: bool,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let mut start = |recorded: i64, capacity: i64| {
            let hidden = FULL / 20 + dice.below(FULL * 19 / 20);
            match u64::try_from(recorded) {
                Ok(level) if !clone && capacity > 0 => {
                    (level.saturating_mul(FULL) / capacity.unsigned_abs()).min(FULL)
                }
                Err(_) if !clone && recorded < -3 => 0,
                _ => hidden,
            }
        };
        let supplies = machine
            .supplies
            .iter()
            .map(|s| start(s.recorded, s.capacity))
            .collect();
        let trays: Vec<u64> = machine
            .trays
            .iter()
            .map(|t| start(t.recorded, t.capacity) * t.capacity.max(0).unsigned_abs() / FULL)
            .collect();
        let mut life = Self {
            now: 0,
            activity: Activity::Idle,
            until: 0,
            job_at: 0,
            reboot_at: u64::MAX,
            started_at: None,
            starts: 0,
            job: Job::default(),
            pages: [0; 8],
            pages_at_start: 0,
            duplex_sheets: 0,
            scans: 0,
            supplies,
            refill_at: vec![u64::MAX; trays.len()],
            trays,
            alerts: Vec::new(),
            last_alert: 0,
            critical_events: 0,
            all_events: 0,
            fate: Fate::of(seed, machine.supplies.len(), settings),
            dice,
        };
        life.plan_reboot(settings);
        life.rest(settings);
        life.see_troubles(machine, settings);
        life
    }

    /// Lives on to this simulated time, in milliseconds; an earlier time changes nothing.
    pub(crate) fn advance(&mut self, machine: &Machine, settings: &LifeSettings, to: u64) {
        while let Some(at) = self.next_event(to) {
            self.now = at;
            self.happen(machine, settings);
            self.see_troubles(machine, settings);
        }
        self.now = self.now.max(to);
    }

    /// Whether the device answers nothing now.
    pub(crate) fn is_silent(&self, settings: &LifeSettings) -> bool {
        match self.activity {
            Activity::Starting => true,
            Activity::Asleep => settings.sleep == Sleep::Silent,
            _ => false,
        }
    }

    /// What it does now.
    pub(crate) fn activity(&self) -> Activity {
        self.activity
    }

    /// The alerts of the moment, in the order of their indexes.
    pub(crate) fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// How many alerts there were since the start: critical ones, and all.
    pub(crate) fn events(&self) -> (u32, u32) {
        (self.critical_events, self.all_events)
    }

    /// Milliseconds since the last start, and whether the recorded time still counts.
    pub(crate) fn up_ms(&self) -> (u64, bool) {
        match self.started_at {
            Some(at) => (self.now - at, false),
            None => (self.now, true),
        }
    }

    /// What a meter has counted since the life began.
    fn made(&self, meter: Meter) -> u64 {
        fate::count(meter, &self.pages, self.duplex_sheets, self.scans)
    }

    /// Pages since the last start, without those recorded before the life began.
    pub(crate) fn pages_since_start(&self) -> u64 {
        self.made(mib::EVERY_PAGE) - self.pages_at_start
    }

    /// How much of a supply is left, in parts of [`FULL`].
    pub(crate) fn supply(&self, at: usize) -> u64 {
        self.supplies.get(at).copied().unwrap_or(0)
    }

    /// How many sheets a tray has.
    pub(crate) fn tray(&self, at: usize) -> u64 {
        self.trays.get(at).copied().unwrap_or(0)
    }

    fn next_event(&self, to: u64) -> Option<u64> {
        let refill = self.refill_at.iter().copied().min().unwrap_or(u64::MAX);
        let next = self.until.min(refill);
        let resting = matches!(self.activity, Activity::Idle | Activity::Asleep);
        let next = if resting {
            next.min(self.reboot_at).min(self.fate.reset_at)
        } else {
            next
        };
        // A reboot that came due during a job happens as soon as the device rests.
        Some(next.max(self.now)).filter(|next| *next <= to)
    }

    fn happen(&mut self, machine: &Machine, settings: &LifeSettings) {
        for (at, tray) in machine.trays.iter().enumerate() {
            if self.refill_at[at] <= self.now {
                self.refill(at, tray.capacity);
            }
        }
        let resting = matches!(self.activity, Activity::Idle | Activity::Asleep);
        let is_reset = resting && self.counters_are_reset(settings);
        if is_reset || (resting && self.reboot_at <= self.now) {
            self.enter(Activity::Starting, START_MS);
            return;
        }
        if self.until > self.now {
            return;
        }
        match self.activity {
            Activity::Idle if self.job_at > self.now => {
                self.activity = Activity::Asleep;
                self.until = self.job_at;
            }
            Activity::Idle => self.begin_job(machine, settings, PAGE_MS),
            Activity::Asleep => self.begin_job(machine, settings, WARM_UP_MS),
            Activity::WarmingUp => self.enter(Activity::Printing, PAGE_MS),
            Activity::Printing => self.print_page(machine, settings),
            Activity::Stopped(trouble) => match trouble {
                Trouble::PaperOut(_) => self.mend(machine, settings, trouble),
                _ => self.enter(Activity::Opened(trouble), OPEN_MS),
            },
            Activity::Opened(trouble) => self.mend(machine, settings, trouble),
            Activity::Starting => self.start(settings),
        }
    }

    fn enter(&mut self, activity: Activity, lasting: u64) {
        self.activity = activity;
        self.until = self.now + lasting;
    }

    /// Waits for the next job, and falls asleep before it if that takes long.
    fn rest(&mut self, settings: &LifeSettings) {
        let hour = 3_600_000 * u64::from(settings.pages_per_job.max(1));
        self.job_at = match settings.pages_per_hour {
            0 => u64::MAX,
            rate => self
                .now
                .saturating_add(self.dice.wait(hour / u64::from(rate))),
        };
        let sleep_at = self.now + 1000 * u64::from(settings.sleep_after_secs);
        self.activity = Activity::Idle;
        self.until = match settings.sleep {
            Sleep::Never => self.job_at,
            Sleep::Standby | Sleep::Silent => self.job_at.min(sleep_at),
        };
    }

    fn begin_job(&mut self, machine: &Machine, settings: &LifeSettings, ready_in: u64) {
        self.replace_early(machine, settings);
        let percent = |percent: u32| u64::from(percent);
        self.job = Job {
            pages_left: self.dice.wait(u64::from(settings.pages_per_job.max(1))),
            color: machine.color && self.dice.happens(percent(settings.color_percent), 100),
            copied: machine.copies && self.dice.happens(1, COPY_ONE_IN),
            large: machine.sizes && self.dice.happens(1, LARGE_ONE_IN),
            duplex: self.dice.happens(percent(settings.duplex_percent), 100),
            back: false,
        };
        let next = if ready_in == PAGE_MS {
            Activity::Printing
        } else {
            Activity::WarmingUp
        };
        self.enter(next, ready_in);
    }

    fn print_page(&mut self, machine: &Machine, settings: &LifeSettings) {
        if self.job.pages_left == 0 {
            self.rest(settings);
            return;
        }
        if let Some(trouble) = self.obstacle(machine, settings) {
            self.enter(
                Activity::Stopped(trouble),
                1000 * u64::from(settings.repair_secs),
            );
            return;
        }
        let kind = mib::kind_of_page(self.job.color, self.job.copied, self.job.large);
        self.pages[kind] += 1;
        self.scans += u64::from(self.job.copied);
        self.take_sheet(machine, settings);
        for (supply, left) in machine.supplies.iter().zip(&mut self.supplies) {
            if !supply.moves() || (supply.color_only && !self.job.color) {
                continue;
            }
            let covers = matches!(supply.kind, Kind::Toner | Kind::Ink);
            let coverage = if covers {
                u64::from(settings.coverage_percent)
            } else {
                YIELD_COVERAGE
            };
            let used = FULL * coverage / (supply.yield_pages.max(1) * YIELD_COVERAGE);
            *left = left.saturating_sub(used.max(1));
        }
        self.job.pages_left -= 1;
        self.until = self.now + PAGE_MS;
    }

    /// What keeps the next page from being printed.
    fn obstacle(&mut self, machine: &Machine, settings: &LifeSettings) -> Option<Trouble> {
        let empty = machine
            .supplies
            .iter()
            .zip(&self.supplies)
            .position(|(supply, left)| {
                supply.moves() && *left == 0 && (self.job.color || !supply.color_only)
            });
        if let Some(at) = empty {
            return Some(Trouble::SupplyOut(at));
        }
        let first = machine.trays.iter().position(|tray| tray.moves());
        if let Some(first) = first.filter(|_| self.feeding_tray(machine).is_none()) {
            return Some(Trouble::PaperOut(first));
        }
        let jams = u64::from(settings.jams_per_10000_pages);
        self.dice.happens(jams, 10_000).then_some(Trouble::Jam)
    }

    fn feeding_tray(&self, machine: &Machine) -> Option<usize> {
        let mut trays = machine.trays.iter().zip(&self.trays);
        trays.position(|(tray, sheets)| tray.moves() && *sheets > 0)
    }

    /// Takes a sheet for this page, unless it goes on the back of the last one.
    fn take_sheet(&mut self, machine: &Machine, settings: &LifeSettings) {
        let is_back = self.job.duplex && self.job.back;
        self.job.back = !self.job.back;
        if is_back {
            self.duplex_sheets += 1;
            return;
        }
        let Some(at) = self.feeding_tray(machine) else {
            return;
        };
        self.trays[at] -= 1;
        if self.trays[at] == 0 {
            self.refill_at[at] = self.now + 2000 * u64::from(settings.repair_secs);
        }
    }

    fn refill(&mut self, at: usize, capacity: i64) {
        self.trays[at] = capacity.max(0).unsigned_abs();
        self.refill_at[at] = u64::MAX;
    }

    /// Ends a trouble; the job goes on.
    fn mend(&mut self, machine: &Machine, settings: &LifeSettings, trouble: Trouble) {
        match trouble {
            Trouble::Jam => {}
            Trouble::SupplyOut(at) => {
                self.supplies[at] = FULL;
                self.fate.another_supply(at, settings);
            }
            Trouble::PaperOut(_) => {
                for (at, tray) in machine.trays.iter().enumerate().filter(|(_, t)| t.moves()) {
                    self.refill(at, tray.capacity);
                }
            }
        }
        self.enter(Activity::Printing, PAGE_MS);
    }

    /// Begins anew: what counts from the power-on starts at nothing (RFC 3805, prtMarkerPowerOnCount,
    /// prtGeneralCriticalEvents, prtGeneralAllEvents), and what is still wrong is found again.
    fn start(&mut self, settings: &LifeSettings) {
        self.started_at = Some(self.now);
        self.starts = self.starts.saturating_add(1);
        self.pages_at_start = self.made(mib::EVERY_PAGE);
        self.alerts.clear();
        (self.last_alert, self.critical_events, self.all_events) = (0, 0, 0);
        self.plan_reboot(settings);
        self.rest(settings);
    }

    fn plan_reboot(&mut self, settings: &LifeSettings) {
        self.reboot_at = match settings.reboot_hours {
            0 => u64::MAX,
            hours => self
                .now
                .saturating_add(self.dice.wait(3_600_000 * u64::from(hours))),
        };
    }

    /// Brings the alerts in line with what is wrong: rows vanish, new ones get a new index.
    fn see_troubles(&mut self, machine: &Machine, settings: &LifeSettings) {
        if self.activity == Activity::Starting {
            return;
        }
        let wrong = trouble::conditions(self, machine, settings);
        self.alerts.retain(|alert| wrong.contains(&alert.condition));
        for condition in wrong {
            if self.alerts.iter().any(|alert| alert.condition == condition) {
                continue;
            }
            self.last_alert += 1;
            self.all_events += 1;
            self.critical_events += u32::from(condition.is_critical());
            let raised_ms = self.up_ms().0;
            self.alerts.push(Alert {
                index: self.last_alert,
                condition,
                raised_ms,
            });
        }
    }
}
