//! Asks every address of a scope who it is: no task, buffer or table row per silent address.
//!
//! One request is encoded once per round and patched for each address, and many leave in one
//! system call. A request-id is a keyed hash of address and round, so an answer proves by itself
//! that it was asked for, and only devices that answered take memory. Round one speaks each
//! credential's version, in 2c by a GetNext that asks for any object that only printers have, too: who
//! says nothing that a printer says is known for something else by one packet. The next asks those
//! still silent with a Get in version 1, which also finds devices that speak nothing else. Who answers
//! version 1 only is asked in version 2c once more, in case a packet was lost. A last round asks where
//! something lived and, where answers get lost, near to what lives.
//! For users of version 3 each address is asked for its engine, which every device of version 3
//! tells.
//!
//! A sweep has a thread of its own, so that no reading waits for it. Addresses on the machine's own
//! links are treated as `own.rs` says.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use snmp::{DecodeError, EncodeError, Oid};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::batch::{Batch, Sockets};
use super::credential::Credential;
use super::follow::{FollowUps, Heard};
use super::link::OwnLink;
use super::near;
use super::own::Own;
use super::own_runtime::OwnRuntime;
use super::pace::Pace;
use super::probe::Rounds;
use super::scope::{Door, InScope, Scope};

/// Answers that are handed over together while the sweep is busy: whoever takes them is woken as seldom.
const ANSWERS_TOGETHER: usize = 64;

/// Such handfuls that wait for whoever takes them. While so many wait, nobody new is asked.
const HANDFULS_WAITING_MAX: usize = 16;

/// Longest that an answer waits for others that it is handed over with.
const HANDFUL_EVERY: Duration = Duration::from_millis(20);

/// The number of version 3 on the wire.
const VERSION_3: i64 = 3;

/// How often the progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// One in so many addresses is asked in a last round, those nearest to where something lives. Two
/// rounds lose a quarter of a percent where one packet in twenty is lost; with this, three rounds
/// cost at most 2.2 packets an address, follow-ups included.
const NEAR_ONE_IN: u64 = 6;

/// How to sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepOptions {
    /// What to ask each address for, in one question; beside it any object that only printers have.
    pub probe: Vec<Oid>,
    /// What to ask instead where devices are known to live: who they are, too, so that one packet finds a
    /// device again.
    pub probe_of_known: Vec<Oid>,
    /// How often a silent address is asked with each credential, at least once.
    pub tries: u32,
    /// How long an answer may take. Later ones count while the sweep goes on.
    pub timeout: Duration,
    /// Asked before all others: where devices are known to live.
    pub first: Vec<InScope>,
    /// Of them, who was read as a user of version 3, and is never asked with a community.
    pub as_users: HashSet<InScope>,
}

/// A device that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Where it is.
    pub target: InScope,
    /// What it answers to, in the version that it speaks. Of version 3 only the engine has
    /// answered: see [`Answered::is_engine`].
    pub credential: Credential,
    /// What it said; empty when it answered but had none of the objects asked for.
    pub varbinds: Vec<snmp::VarBind>,
    /// Whether it is worth a reading: what it said speaks for a printer, or it has not said enough.
    pub may_be_a_printer: bool,
    /// Whether it answered all that a known device is asked.
    pub is_introduced: bool,
}

impl Answered {
    /// Whether an engine of version 3 said that it is there, and no more: who it is, and which
    /// credential fits, is to be asked.
    #[must_use]
    pub fn is_engine(&self) -> bool {
        self.credential.is_user()
    }
}

/// How far a sweep is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Addresses in scope.
    pub addresses: u64,
    /// Requests that all rounds send if nobody answers.
    pub planned: u64,
    /// Of them, sent or made needless by an answer.
    pub done: u64,
    /// Devices that answered.
    pub answered: u64,
    /// Datagrams sent.
    pub packets_sent: u64,
    /// Octets sent, without the headers of UDP and IP.
    pub bytes_sent: u64,
    /// Answers that came more than once.
    pub duplicates: u64,
    /// Datagrams that answer nothing that was asked.
    pub strays: u64,
    /// Times a full send queue was waited out.
    pub send_waits: u64,
    /// Requests that the system refused to send, as where no route leads.
    pub unsendable: u64,
    /// Answers that came and were dropped, since the receive buffer of this machine was full.
    pub dropped: u64,
    /// What is done about addresses on the machine's own links, if there are many.
    pub own_link: Option<OwnLink>,
    /// Packets that the kernel dropped meanwhile, since its table of neighbors was full.
    pub neighbor_overflows: u64,
}

/// Why a sweep cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// No socket.
    #[error("cannot open a UDP socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The probe cannot be written as SNMP.
    #[error("the probe cannot be encoded: {0}")]
    Unencodable(#[from] EncodeError),
}

/// A sweep under way; dropping it ends it.
#[derive(Debug)]
pub struct Sweep {
    answers: mpsc::Receiver<Vec<Answered>>,
    /// Of those that were taken, what was not asked for yet.
    taken: std::vec::IntoIter<Answered>,
    progress: watch::Receiver<SweepProgress>,
}

impl Sweep {
    /// The next device that answered, each once; `None` when the sweep is over.
    pub async fn next(&mut self) -> Option<Answered> {
        loop {
            if let Some(answered) = self.taken.next() {
                return Some(answered);
            }
            self.taken = self.answers.recv().await?.into_iter();
        }
    }

    /// How far it is, and after its end how it went.
    #[must_use]
    pub fn progress(&self) -> SweepProgress {
        *self.progress.borrow()
    }

    /// A view of the progress that outlives this handle.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<SweepProgress> {
        self.progress.clone()
    }
}

/// Opens the sweep's own sockets and starts its thread.
pub(super) fn start(
    scope: Scope,
    door: Door,
    credentials: &[Credential],
    options: SweepOptions,
    pace: Arc<Pace>,
) -> Result<Sweep, SweepError> {
    let probes = (&options.probe[..], &options.probe_of_known[..]);
    let rounds = Rounds::new(probes, credentials, options.tries)?;
    let (sender, answers) = mpsc::channel(HANDFULS_WAITING_MAX);
    let addresses = scope.count();
    let counts = SweepProgress {
        addresses,
        planned: addresses.saturating_mul(u64::try_from(rounds.wide()).unwrap_or(1)),
        ..SweepProgress::default()
    };
    let own_runtime = OwnRuntime::of(&mut Builder::new_current_thread())?;
    let sockets = {
        let _within = own_runtime.handle().enter();
        Sockets::open(pace.within(options.timeout).min(addresses))?
    };
    let (told, progress) = watch::channel(counts);
    let first: Arc<HashSet<InScope>> = Arc::new(options.first.iter().copied().collect());
    let task = Task {
        follow_ups: FollowUps::new(credentials, &options, first.clone()),
        first,
        own: Own::default(),
        batch: Batch::default(),
        aside: Batch::default(),
        scope,
        door,
        options,
        sockets,
        rounds,
        pace,
        sender,
        told,
        counts,
        at_once: 0,
        told_at: Instant::now(),
        handed_at: Instant::now(),
    };
    std::thread::Builder::new()
        .name("sweep".to_owned())
        .spawn(move || own_runtime.run(task.run()))?;
    Ok(Sweep {
        answers,
        taken: Vec::new().into_iter(),
        progress,
    })
}

/// What runs behind a [`Sweep`].
struct Task {
    scope: Scope,
    door: Door,
    options: SweepOptions,
    first: Arc<HashSet<InScope>>,
    own: Own,
    sockets: Sockets,
    batch: Batch,
    /// For follow-ups, which go while a batch waits for its turn.
    aside: Batch,
    rounds: Rounds,
    follow_ups: FollowUps,
    pace: Arc<Pace>,
    sender: mpsc::Sender<Vec<Answered>>,
    told: watch::Sender<SweepProgress>,
    counts: SweepProgress,
    /// Devices that answered when each credential had been tried once.
    at_once: u64,
    told_at: Instant,
    handed_at: Instant,
}

impl Task {
    async fn run(mut self) {
        tokio::select! {
            own = Own::prepare(&self.scope, self.door, &self.pace) => self.own = own,
            () = self.sender.closed() => return,
        }
        self.counts.own_link = self.own.told();
        self.told.send_replace(self.counts);
        for round in 0..self.rounds.count() {
            self.rounds.begin(round);
            let before = self.counts.packets_sent;
            if !self.ask_round(round).await {
                return;
            }
            // Nobody is asked a second thing before the time for the first is over.
            if self.counts.packets_sent > before {
                self.listen_until(Instant::now() + self.options.timeout)
                    .await;
            }
            if round + 1 == self.rounds.of_an_attempt() {
                self.at_once = self.counts.answered;
            }
        }
        while let Some(deadline) = self.follow_ups.deadline() {
            self.listen_until(deadline).await;
        }
        self.hand_over().await;
        self.counts.neighbor_overflows = self.own.overflows();
        self.told.send_replace(self.counts);
    }

    /// Asks those that a round is for; false when nobody takes the answers any more.
    async fn ask_round(&mut self, round: usize) -> bool {
        if self.rounds.is_near(round) {
            let near = self.near();
            self.counts.planned += u64::try_from(near.len()).unwrap_or(0);
            return self.ask_all(round, near.into_iter()).await;
        }
        let first = self.first.clone();
        let others = self.scope.targets(self.door);
        let others = others.filter(move |target| !first.contains(target));
        let known = self.known();
        self.ask_all(round, known.into_iter().chain(others)).await
    }

    /// Where devices are known to live, as far as it is in scope.
    fn known(&self) -> Vec<InScope> {
        let admit = |known: &InScope| self.scope.admit(known.addr().ip(), self.door).ok();
        self.options.first.iter().filter_map(admit).collect()
    }

    /// Who is asked in a last round: where something lived and, if answers get lost here, since
    /// some came only to a second question, the neighbors of what lives.
    fn near(&self) -> Vec<InScope> {
        let most = usize::try_from(self.counts.addresses / NEAR_ONE_IN).unwrap_or(usize::MAX);
        let answered: BTreeSet<IpAddr> = self.follow_ups.peers().map(|peer| peer.ip()).collect();
        let admit = |address| self.scope.admit(address, self.door).ok();
        let mut near = self.known();
        near.retain(|target| !answered.contains(&target.addr().ip()));
        if self.counts.answered == self.at_once {
            return near;
        }
        let is_open = |address| admit(address).is_some_and(|it| !self.first.contains(&it));
        near.extend(
            near::nearest(&answered, most, is_open)
                .into_iter()
                .filter_map(admit),
        );
        near
    }

    /// Asks all of these who have not answered; false when nobody takes the answers any more.
    async fn ask_all(&mut self, round: usize, targets: impl Iterator<Item = InScope>) -> bool {
        let mut targets = targets.peekable();
        let is_of_users = self.rounds.is_of_users(round);
        while let Some(next) = targets.peek() {
            if self.sender.is_closed() {
                return false;
            }
            let is_slow = self.own.pace(next.addr().ip()).is_some();
            let most = match self.own.pace(next.addr().ip()) {
                Some(slow) => slow.batch().min(self.pace.batch()),
                None => self.pace.batch_with(self.sockets.room()),
            };
            self.batch.clear();
            for _ in 0..most {
                let same = |it: &InScope| self.own.pace(it.addr().ip()).is_some() == is_slow;
                let Some(target) = targets.next_if(same) else {
                    break;
                };
                self.counts.done += 1;
                let is_silent = !self.follow_ups.knows(target.addr());
                let is_known = self.first.contains(&target);
                let as_user = is_known && self.options.as_users.contains(&target);
                let is_fit = is_of_users || !as_user;
                if is_silent && is_fit && self.own.is_worth(target.addr().ip()) {
                    let (rounds, to) = (&self.rounds, target.addr());
                    self.batch.push(target, |bytes| match is_known {
                        true => rounds.write_to_known(round, to, bytes),
                        false => rounds.write(round, to, bytes),
                    });
                }
            }
            self.send_batch(is_slow).await;
        }
        true
    }

    /// Sends the batch when its turn comes, and listens until then.
    async fn send_batch(&mut self, is_slow: bool) {
        let Ok(packets @ 1..) = u32::try_from(self.batch.len()) else {
            return;
        };
        if is_slow && let Some(slow) = self.own.slow() {
            let slot = slow.reserve(packets, Instant::now());
            self.listen_until(slot).await;
        }
        let mut slot = self.pace.reserve(packets, Instant::now());
        loop {
            self.listen_until(slot).await;
            match self.pace.go(packets, Instant::now()) {
                Ok(()) => break,
                Err(later) => slot = later,
            }
        }
        self.transmit().await;
    }

    async fn transmit(&mut self) {
        let sent = self.sockets.send(&mut self.batch).await;
        self.counts.packets_sent += sent.packets;
        self.counts.bytes_sent += sent.bytes;
        self.counts.send_waits += sent.waits;
        self.counts.unsendable += sent.refused;
    }

    /// Listens until then, at least once; asks on where an answer calls for it.
    async fn listen_until(&mut self, until: Instant) {
        loop {
            tokio::task::yield_now().await;
            self.receive();
            self.follow_up().await;
            self.hand_over_much().await;
            self.tell();
            let now = Instant::now();
            if now >= until || self.sender.is_closed() {
                return;
            }
            self.hand_over().await;
            let wake = self
                .follow_ups
                .deadline()
                .map_or(until, |deadline| deadline.min(until));
            tokio::select! {
                () = self.sockets.readable() => {}
                () = self.sender.closed() => return,
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn receive(&mut self) {
        let now = Instant::now();
        let (scope, door) = (&self.scope, self.door);
        let (follow_ups, rounds) = (&mut self.follow_ups, &self.rounds);
        let counts = &mut self.counts;
        self.sockets.receive(|datagram, from| {
            let heard = match (snmp::decode(datagram), admit(scope, door, from)) {
                (Ok(message), Some(target)) => follow_ups.hear(target, message, rounds, now),
                (Err(DecodeError::Version(VERSION_3)), Some(target)) => {
                    follow_ups.hear_engine(target, datagram, rounds)
                }
                (Ok(_) | Err(_), _) => Heard::Stray,
            };
            match heard {
                Heard::New => counts.answered += 1,
                Heard::Expected => {}
                Heard::Again => counts.duplicates += 1,
                Heard::Stray => counts.strays += 1,
            }
        });
        self.counts.dropped = self.sockets.dropped();
    }

    async fn follow_up(&mut self) {
        self.follow_ups.expire(Instant::now());
        // A batch that waits for its turn is not touched.
        std::mem::swap(&mut self.batch, &mut self.aside);
        while let Some(packets) = self.fill_with_follow_ups() {
            self.pace.turn(packets).await;
            self.transmit().await;
        }
        std::mem::swap(&mut self.batch, &mut self.aside);
    }

    /// Makes the batch one of follow-ups, and tells how many; none when there is none to send.
    fn fill_with_follow_ups(&mut self) -> Option<u32> {
        self.batch.clear();
        for packets in 0..self.pace.batch() {
            let Some((target, probe)) = self.follow_ups.next_probe() else {
                return (packets > 0).then_some(packets);
            };
            self.batch
                .push(target, |bytes| bytes.extend_from_slice(probe.bytes()));
        }
        Some(self.pace.batch())
    }

    /// Hands over what is settled where it is much, or has waited long.
    async fn hand_over_much(&mut self) {
        let is_much = self.follow_ups.settled() >= ANSWERS_TOGETHER;
        if is_much || self.handed_at.elapsed() >= HANDFUL_EVERY {
            self.hand_over().await;
        }
    }

    /// Hands over what is settled. While nobody takes it, nobody new is asked; what comes meanwhile
    /// waits in the socket's buffer.
    async fn hand_over(&mut self) {
        self.handed_at = Instant::now();
        while let Some(handful) = self.follow_ups.take_settled(ANSWERS_TOGETHER) {
            if self.sender.send(handful).await.is_err() {
                return;
            }
        }
    }

    fn tell(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.told_at) >= PROGRESS_EVERY {
            self.told_at = now;
            self.told.send_replace(self.counts);
        }
    }
}

/// The proof for an address that a datagram came from, port included.
fn admit(scope: &Scope, door: Door, from: std::net::SocketAddr) -> Option<InScope> {
    let target = scope.admit(from.ip(), door).ok()?;
    (target.addr() == from).then_some(target)
}
