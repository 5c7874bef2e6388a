//! Asks every address of a scope who it is: no task, buffer or table row per silent address.
//!
//! One request is encoded once per round and patched for each address. Its request-id is a keyed
//! hash of address and round, so an answer proves by itself that it was asked for, and only devices
//! that answered take memory. Round one speaks each credential's version; the next asks those still
//! silent again, in version 1, which also finds devices that speak nothing else. Who answers
//! version 1 only is asked in version 2c once more, in case a packet was lost. For users of version
//! 3 each address is asked for its engine, which every device of version 3 tells.
//!
//! On a directly attached network the kernel's neighbor table is the limit (1,024 entries, failed
//! ones stay 3 s): above some 300 packets a second it drops what it cannot resolve and tells
//! nobody, so the second round finds what the first lost only at a pace that fits. Behind a router
//! there is no such limit.

use std::collections::HashSet;
use std::time::Duration;

use snmp::{DecodeError, EncodeError, Oid};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::credential::Credential;
use super::follow::{FollowUps, Heard};
use super::pace::Pace;
use super::probe::{Probe, Rounds};
use super::scope::{Door, InScope, Scope};
use super::socket::{DATAGRAM_BYTES_MAX, Sockets};

/// Answers that wait for whoever takes them. While so many wait, nobody new is asked.
const ANSWERS_WAITING_MAX: usize = 1_024;

/// Datagrams taken in a row before packets are sent again.
const DATAGRAMS_IN_A_ROW: usize = 256;

/// The number of version 3 on the wire.
const VERSION_3: i64 = 3;

/// How often the progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// How to sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepOptions {
    /// What to ask each address, in one Get.
    pub probe: Vec<Oid>,
    /// How often a silent address is asked with each credential, at least once.
    pub tries: u32,
    /// How long an answer may take. Later ones count while the sweep goes on.
    pub timeout: Duration,
    /// Asked before all others: where devices are known to live.
    pub first: Vec<InScope>,
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
    answers: mpsc::Receiver<Answered>,
    progress: watch::Receiver<SweepProgress>,
}

impl Sweep {
    /// The next device that answered, each once; `None` when the sweep is over.
    pub async fn next(&mut self) -> Option<Answered> {
        self.answers.recv().await
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

/// Opens the sweep's own sockets and starts its one task.
pub(super) fn start(
    scope: Scope,
    door: Door,
    credentials: &[Credential],
    options: SweepOptions,
    pace: std::sync::Arc<Pace>,
) -> Result<Sweep, SweepError> {
    let sockets = Sockets::open()?;
    let rounds = Rounds::new(&options.probe, credentials, options.tries)?;
    let (sender, answers) = mpsc::channel(ANSWERS_WAITING_MAX);
    let addresses = scope.count();
    let planned = addresses.saturating_mul(u64::try_from(rounds.count()).unwrap_or(1));
    let counts = SweepProgress {
        addresses,
        planned,
        ..SweepProgress::default()
    };
    let (told, progress) = watch::channel(counts);
    let task = Task {
        first: options.first.iter().copied().collect(),
        follow_ups: FollowUps::new(credentials, &options.probe, options.timeout),
        scope,
        door,
        options,
        sockets,
        rounds,
        pace,
        sender,
        told,
        counts,
        told_at: Instant::now(),
        buffer: vec![0; DATAGRAM_BYTES_MAX],
    };
    tokio::spawn(task.run());
    Ok(Sweep { answers, progress })
}

/// The task behind a [`Sweep`].
struct Task {
    scope: Scope,
    door: Door,
    options: SweepOptions,
    first: HashSet<InScope>,
    sockets: Sockets,
    rounds: Rounds,
    follow_ups: FollowUps,
    pace: std::sync::Arc<Pace>,
    sender: mpsc::Sender<Answered>,
    told: watch::Sender<SweepProgress>,
    counts: SweepProgress,
    told_at: Instant,
    buffer: Vec<u8>,
}

impl Task {
    async fn run(mut self) {
        let mut sent_at = Instant::now();
        for round in 0..self.rounds.count() {
            let started = Instant::now();
            self.rounds.begin(round);
            if !self.ask_all(round).await {
                return;
            }
            sent_at = Instant::now();
            // Whoever was asked first in this round has had its time before the next one begins,
            // and every later one has too, since all rounds go at one pace.
            self.listen_until(started + self.options.timeout).await;
        }
        self.listen_until(sent_at + self.options.timeout).await;
        while let Some(deadline) = self.follow_ups.deadline() {
            self.listen_until(deadline).await;
        }
        self.hand_over().await;
        self.told.send_replace(self.counts);
    }

    /// Asks all who have not answered; false when nobody takes the answers any more.
    async fn ask_all(&mut self, round: usize) -> bool {
        let first = std::mem::take(&mut self.first);
        let known = self.options.first.clone().into_iter().filter_map({
            let (scope, door) = (self.scope.clone(), self.door);
            move |target| scope.admit(target.addr().ip(), door).ok()
        });
        let others = self
            .scope
            .targets(self.door)
            .filter(|target| !first.contains(target));
        let mut targets = known.chain(others);
        let mut is_over = false;
        while !is_over {
            if self.sender.is_closed() {
                return false;
            }
            let batch = self.pace.batch();
            for _ in 0..batch {
                let Some(target) = targets.next() else {
                    is_over = true;
                    break;
                };
                self.counts.done += 1;
                if !self.follow_ups.knows(target.addr()) {
                    let probe = self.rounds.probe(round, target.addr());
                    self.send(target, &probe).await;
                }
            }
            self.listen_until(self.pace.reserve(0, Instant::now()))
                .await;
        }
        drop(targets);
        self.first = first;
        true
    }

    async fn send(&mut self, target: InScope, probe: &Probe) {
        let slot = self.pace.reserve(1, Instant::now());
        if slot > Instant::now() {
            tokio::time::sleep_until(slot).await;
        }
        match self.sockets.send(probe.bytes(), target.addr()).await {
            Ok(sent) => {
                self.counts.packets_sent += 1;
                self.counts.bytes_sent += u64::try_from(probe.bytes().len()).unwrap_or(0);
                self.counts.send_waits += u64::from(sent.waits);
            }
            Err(_no_route) => self.counts.unsendable += 1,
        }
    }

    /// Listens until then, at least once; asks on where an answer calls for it.
    async fn listen_until(&mut self, until: Instant) {
        loop {
            tokio::task::yield_now().await;
            self.receive();
            self.follow_up().await;
            self.hand_over().await;
            self.tell();
            let now = Instant::now();
            if now >= until || self.sender.is_closed() {
                return;
            }
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
        for _ in 0..DATAGRAMS_IN_A_ROW {
            let Some((size, from)) = self.sockets.try_receive(&mut self.buffer) else {
                return;
            };
            let heard = match (snmp::decode(&self.buffer[..size]), self.admit(from)) {
                (Ok(message), Some(target)) => {
                    self.follow_ups.hear(target, message, &self.rounds, now)
                }
                (Err(DecodeError::Version(VERSION_3)), Some(target)) => {
                    let datagram = &self.buffer[..size];
                    self.follow_ups.hear_engine(target, datagram, &self.rounds)
                }
                (Ok(_) | Err(_), _) => Heard::Stray,
            };
            match heard {
                Heard::New => self.counts.answered += 1,
                Heard::Expected => {}
                Heard::Again => self.counts.duplicates += 1,
                Heard::Stray => self.counts.strays += 1,
            }
        }
    }

    /// The proof for an address that a datagram came from, port included.
    fn admit(&self, from: std::net::SocketAddr) -> Option<InScope> {
        let target = self.scope.admit(from.ip(), self.door).ok()?;
        (target.addr() == from).then_some(target)
    }

    async fn follow_up(&mut self) {
        self.follow_ups.expire(Instant::now());
        while let Some((target, probe)) = self.follow_ups.next_probe() {
            self.send(target, &probe).await;
        }
    }

    /// Hands over what is settled. While nobody takes it, nobody new is asked; what comes meanwhile
    /// waits in the socket's buffer.
    async fn hand_over(&mut self) {
        while let Some(answered) = self.follow_ups.next_settled() {
            if self.sender.send(answered).await.is_err() {
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
