//! One printer: reads it on schedule, spools what it said.
//!
//! Two kinds of reading: full ones, always spooled, and cheap status reads, spooled only when
//! something changed. Only what the device itself said is kept: a reading during which, or
//! before which, somebody else answered at its address is dropped and the Supervisor told. A
//! report is on disk before the device takes it for its last one. One reading at a time.

mod ask;
mod doors;
mod importance;
pub(crate) mod known;
mod orders;
mod shelf;

use std::net::IpAddr;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle,
    WrapFuture,
};
use jiff::{SignedDuration, Timestamp};
use printer::change::{self, Change};
use printer::identity::DeviceId;
use printer::identity::score::Traits;
use printer::reading::Reading;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use self::ask::{Depth, Found, Heard};
use self::doors::Doors;
use self::shelf::append;
use crate::messages::{
    Beat, Contradicted, DeviceVitals, Missed, Proved, Pulse, ReadNow, Unmasked, Vitals, Work,
};
use crate::parts::{OtherDoors, Tools};
use crate::reach::credential::{Credential, proven_first};
use crate::reach::packed::Packed;
use crate::reach::scope::InScope;
use crate::reach::turns::Turn;
use crate::report::Report;
use crate::schedule::{share_of, until_turn};
use crate::spool::Importance;
use crate::status::Refusing;
use crate::supervisor::Supervisor;

/// Failed reads in a row after which a device counts as silent: one may be a lost packet.
const FAILURES_TO_SILENCE: u32 = 2;
/// How often the silence of a silent device is reported.
const SILENCE_AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// Unix time has no leap seconds.
const SECONDS_PER_DAY: i64 = 86_400;
/// Readings out of turn that one reading may answer: as many as commands can be in hand.
const ASKERS_MAX: usize = 16;
/// How long a confirmation may take, all retries included.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(40);

/// What a device starts from.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    pub(crate) id: DeviceId,
    /// Who it is: the keys of the identity question, and what its last reading told.
    pub(crate) traits: Traits,
    /// Its serial number, where another device has it too.
    pub(crate) shared_serial: Option<String>,
    /// Where its last own reading came from.
    pub(crate) proven_at: Option<IpAddr>,
    /// Where it lives; none while nobody knows.
    pub(crate) target: Option<InScope>,
    /// The doors beside SNMP that are open there.
    pub(crate) doors: OtherDoors,
    /// Tried in this order.
    pub(crate) credentials: Vec<Credential>,
}

/// The actor of one printer.
pub struct Device {
    seed: Seed,
    tools: Tools,
    boss: Addr<Supervisor>,
    /// The last reading that is on disk or equal to it.
    last: Option<Packed>,
    /// What other doors say of it.
    doors: Doors,
    /// The UTC day whose first meter is on disk, in days since 1970.
    kept_on: Option<i64>,
    next_full: Instant,
    timer: Option<SpawnHandle>,
    work: Option<Work>,
    /// Whether it waits for its turn.
    is_waiting: bool,
    turn: Option<Turn>,
    failures: u32,
    /// Whether its last reading was cut short.
    is_cut_short: bool,
    silence_told_at: Option<Timestamp>,
    /// Who asked for a reading out of turn; answered by the first that begins after that.
    asked: Vec<oneshot::Sender<ReadNow>>,
    served: Vec<oneshot::Sender<ReadNow>>,
    vitals: DeviceVitals,
    is_draining: bool,
}

/// A reading that is on its way to the disk.
struct Fresh {
    depth: Depth,
    at: Timestamp,
    found: Box<Found>,
    /// What is wrong with other doors than SNMP, in words.
    trouble: Option<String>,
}

impl Device {
    pub(crate) fn new(seed: Seed, tools: Tools, boss: Addr<Supervisor>) -> Self {
        Self {
            seed,
            tools,
            boss,
            last: None,
            doors: Doors::default(),
            kept_on: None,
            next_full: Instant::now(),
            timer: None,
            work: None,
            is_waiting: false,
            turn: None,
            failures: 0,
            is_cut_short: false,
            silence_told_at: None,
            asked: Vec::new(),
            served: Vec::new(),
            vitals: DeviceVitals::default(),
            is_draining: false,
        }
    }

    /// Reads when it is this device's turn; at once when somebody waits for it.
    fn read(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        if self.work.is_some() {
            return;
        }
        if !self.asked.is_empty() {
            self.is_waiting = false;
            self.begin(ctx);
            return;
        }
        if std::mem::replace(&mut self.is_waiting, true) {
            return;
        }
        let snmp = self.tools().snmp.clone();
        let turn = async move { snmp.turn().await };
        ctx.spawn(turn.into_actor(self).map(|turn, device, ctx| {
            // Somebody may have asked for a reading meanwhile.
            if std::mem::take(&mut device.is_waiting) && device.work.is_none() {
                device.turn = turn;
                device.begin(ctx);
            }
        }));
    }

    /// The way to it: behind everybody else where it takes long, since its last reading failed or was cut
    /// short.
    fn tools(&self) -> Tools {
        if self.failures > 0 || self.is_cut_short {
            return self.tools.at_the_back();
        }
        self.tools.clone()
    }

    /// Begins a reading; a device that nobody can place counts as one that does not answer.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        let depth = match &self.last {
            Some(_) if Instant::now() < self.next_full => Depth::Status,
            Some(_) | None => Depth::Full,
        };
        let name = match depth {
            Depth::Full => "full reading",
            Depth::Status => "status reading",
        };
        self.work = Some(Work::begin(name, self.tools.settings.read_deadline));
        self.served.append(&mut self.asked);
        let Some(target) = self.seed.target else {
            self.weigh(Heard::Nothing(None), ctx);
            return;
        };
        let last = self.last.clone();
        let folder = self.tools.certificates.clone();
        let plan = self.doors.plan(self.seed.doors, &self.seed.id, folder);
        let asking = ask::Asking {
            seed: self.seed.clone(),
            tools: self.tools(),
            plan,
            boss: self.boss.clone(),
        };
        let asked = asking.ask(target, last, depth);
        ctx.spawn(asked.into_actor(self).map(move |heard, device, ctx| {
            // An answer from an address that the device has left since tells nothing of it.
            let is_current = device.seed.target == Some(target);
            device.weigh(
                if is_current {
                    heard
                } else {
                    Heard::Nothing(None)
                },
                ctx,
            );
        }));
    }

    /// Decides what is worth keeping of what was heard.
    fn weigh(&mut self, heard: Heard, ctx: &mut Context<Self>) {
        match heard {
            Heard::Itself {
                depth,
                found,
                mut reading,
                before,
                answers,
                alone: _,
            } => {
                // What the doors said at the last reading belongs to that one.
                let before = before.map(|mut before| {
                    self.doors.add_to(&mut before);
                    before
                });
                let trouble = self.doors.take(answers, &mut reading);
                let changes = before.map(|before| change::between(&before, &reading));
                let fresh = Fresh {
                    depth,
                    at: reading.at,
                    found,
                    trouble,
                };
                self.keep(fresh, (reading, changes), ctx);
            }
            Heard::Other(seen) => {
                let device = self.seed.id.clone();
                info!(%device, at = %seen.target.addr(), "somebody else answers here");
                self.tell(Contradicted { device, seen }, ctx);
                self.miss(ctx);
            }
            Heard::NoPrinter(reason) => {
                self.tell(
                    Unmasked {
                        device: self.seed.id.clone(),
                        reason,
                    },
                    ctx,
                );
                self.finish(ctx);
            }
            Heard::Refused(why) => self.refused(why, ctx),
            Heard::Nothing(trouble) => {
                self.vitals.trouble = trouble;
                self.vitals.refused = None;
                self.tell(
                    Missed {
                        device: self.seed.id.clone(),
                    },
                    ctx,
                );
                self.miss(ctx);
            }
        }
    }

    /// Notes that the device answers and accepts no credential, which is no silence. The next
    /// reading is a full one, which tries every credential.
    fn refused(&mut self, why: String, ctx: &mut Context<Self>) {
        let refusing = self.seed.target.map(|target| Refusing {
            address: target.addr().ip(),
            device: Some(self.seed.id.clone()),
            why,
        });
        self.vitals.refused = refusing;
        self.vitals.silent_since = None;
        self.vitals.trouble = None;
        self.silence_told_at = None;
        self.failures = 1;
        self.next_full = Instant::now();
        self.finish(ctx);
    }

    /// Spools a reading that holds something new; only then it is the last one.
    fn keep(
        &mut self,
        fresh: Fresh,
        (reading, changes): (Box<Reading>, Option<Vec<Change>>),
        ctx: &mut Context<Self>,
    ) {
        debug!(device = %self.seed.id, "read");
        let at = fresh.at;
        let day = at.as_second().div_euclid(SECONDS_PER_DAY);
        let is_first = self.kept_on != Some(day);
        let importance = importance::of(&reading, changes.as_deref(), is_first);
        let device = self.seed.id.clone();
        let report = match (fresh.depth, &changes) {
            (Depth::Status, Some(changes)) if changes.is_empty() => None,
            (Depth::Status, _) => Some(Report::Status { device, reading }),
            (Depth::Full, _) => Some(Report::Full { device, reading }),
        };
        // What it said did no harm, and what may hang from here on is the disk.
        self.forget_heard();
        let is_kept = report.is_some() && importance == Importance::Keep;
        let append = append(self.tools.clone(), report, importance, at);
        ctx.spawn(
            wrap_future::<_, Self>(append).map(move |appended, device, ctx| {
                match appended {
                    Ok(()) => {
                        device.kept_on = if is_kept { Some(day) } else { device.kept_on };
                        device.commit(fresh, ctx);
                    }
                    Err(error) => {
                        warn!(device = %device.seed.id, %error, "the spool refused a reading");
                        device.answer(ReadNow::NotKept);
                    }
                }
                device.finish(ctx);
            }),
        );
    }

    /// Takes a reading that is safe for the last one.
    fn commit(&mut self, fresh: Fresh, ctx: &mut Context<Self>) {
        let found = *fresh.found;
        self.failures = 0;
        self.is_cut_short = found.trouble.is_some();
        self.silence_told_at = None;
        self.vitals.silent_since = None;
        self.vitals.read_at = Some(fresh.at);
        self.vitals.trouble = found.trouble.or(fresh.trouble);
        self.vitals.refused = None;
        self.seed.learn(found.traits.clone());
        if fresh.depth == Depth::Full {
            self.plan_full();
            let proof = Proved {
                device: self.seed.id.clone(),
                traits: found.traits,
                credential: found.credential.clone(),
            };
            self.tell(proof, ctx);
        }
        self.seed.credentials = proven_first(&self.seed.credentials, &found.credential);
        self.last = found.packed;
        self.answer(ReadNow::Kept);
    }

    /// Tells whoever asked for this reading what came of it.
    fn answer(&mut self, came_of_it: ReadNow) {
        for asker in self.served.drain(..) {
            // One who no longer waits has been answered by a timeout.
            let _ = asker.send(came_of_it);
        }
    }

    /// Counts a failed reading; the second in a row is silence, which is reported.
    fn miss(&mut self, ctx: &mut Context<Self>) {
        let now = Timestamp::now();
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_TO_SILENCE {
            self.finish(ctx);
            return;
        }
        self.vitals.silent_since.get_or_insert(now);
        if self
            .silence_told_at
            .is_some_and(|told| now.duration_since(told) < SILENCE_AGAIN)
        {
            self.finish(ctx);
            return;
        }
        let report = Report::Silent {
            device: self.seed.id.clone(),
            at: now,
            address: self.seed.target.map(|target| target.addr().ip()),
        };
        let append = append(self.tools.clone(), Some(report), Importance::Thinnable, now);
        ctx.spawn(
            wrap_future::<_, Self>(append).map(move |appended, device, ctx| {
                match appended {
                    Ok(()) => device.silence_told_at = Some(now),
                    Err(error) => warn!(device = %device.seed.id, %error, "silence not spooled"),
                }
                device.finish(ctx);
            }),
        );
    }

    /// Ends a piece of work, and sets the timer for the next.
    fn finish(&mut self, ctx: &mut Context<Self>) {
        self.work = None;
        self.turn = None;
        self.forget_heard();
        self.answer(ReadNow::Missed);
        if self.is_draining {
            ctx.stop();
            return;
        }
        let turn = until_turn(
            &self.seed.id,
            self.tools.settings.status_every,
            Timestamp::now(),
        );
        let to_full = self.next_full.saturating_duration_since(Instant::now());
        let is_settled = self.last.is_some() && self.failures == 0;
        let delay = match (self.asked.is_empty(), is_settled) {
            (false, _) => Duration::ZERO,
            (true, true) => turn.min(to_full),
            (true, false) => turn,
        };
        self.wake_after(delay, ctx);
    }

    /// Forgets the last words of the device: whoever dies from here on dies of something else.
    fn forget_heard(&self) {
        if let Some(target) = &self.seed.target {
            self.tools.snmp.forget_heard(target);
        }
    }

    /// Sets the timer, in place of any that is set.
    fn wake_after(&mut self, delay: Duration, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = Some(ctx.run_later(delay, |device, ctx| device.read(ctx)));
    }

    fn plan_full(&mut self) {
        let now = Timestamp::now();
        let wait = until_turn(&self.seed.id, self.tools.settings.read_every, now);
        self.next_full = Instant::now() + wait;
        self.vitals.next_at = now.checked_add(wait).ok();
    }

    /// Tells the Supervisor, waiting for room in its mailbox without holding up this device.
    fn tell<M>(&self, message: M, ctx: &mut Context<Self>)
    where
        M: actix::Message<Result = ()> + Send + 'static,
        Supervisor: Handler<M>,
    {
        let told = self.boss.send(message);
        // The Supervisor is gone only when the process ends.
        ctx.spawn(async move { told.await.unwrap_or_default() }.into_actor(self));
    }
}

impl Actor for Device {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let delay = share_of(&self.seed.id, self.tools.settings.first_read_within);
        self.vitals.next_at = Timestamp::now().checked_add(delay).ok();
        self.wake_after(delay, ctx);
    }
}

impl Handler<Beat> for Device {
    type Result = Pulse;

    fn handle(&mut self, _: Beat, _: &mut Self::Context) -> Self::Result {
        Pulse {
            work: self.work,
            vitals: Vitals::Device(self.vitals.clone()),
        }
    }
}
