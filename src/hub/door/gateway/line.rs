//! One connection of SSH as the gateway sees it: who is at its end, and what goes through it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use russh::keys::PublicKey;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::info;

use super::forward::Forward;
use super::guest::Guest;
use super::pipe::Gauges;
use crate::session::{Cause, End, Session, SessionId};

/// How often it is looked for connections that nobody reads.
const LOOK_FOR_STUCK: Duration = Duration::from_secs(2);

/// Who proved themselves, and by what: looked at again while the connection stands.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub guest: Guest,
    pub user: String,
    pub key: PublicKey,
}

/// What goes through a connection.
#[derive(Debug)]
struct Use {
    forwards: HashMap<SessionId, (Session, Forward)>,
    /// Connections of a person into their sessions.
    raws: usize,
    /// Since when there is neither.
    idle_since: Instant,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    pub address: SocketAddr,
    pub gauges: Gauges,
    proof: OnceLock<Proof>,
    using: Mutex<Use>,
    cut: watch::Sender<bool>,
    parting: watch::Sender<Option<String>>,
}

impl Line {
    pub(super) fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            gauges: Gauges::default(),
            proof: OnceLock::new(),
            using: Mutex::new(Use {
                forwards: HashMap::new(),
                raws: 0,
                idle_since: Instant::now(),
            }),
            cut: watch::Sender::new(false),
            parting: watch::Sender::new(None),
        })
    }

    /// Remembers who is at its end.
    pub(super) fn proven(&self, proof: Proof) {
        // The library takes one proof a connection; a second would not change who it is.
        let _ = self.proof.set(proof);
    }

    /// Who is at its end; none until they have proven themselves.
    pub(super) fn proof(&self) -> Option<&Proof> {
        self.proof.get()
    }

    /// Begins a session's forwarding; false if the session has one already.
    pub(super) fn begin(self: &Arc<Self>, session: Session, forward: Forward) -> bool {
        let id = session.terms().id.clone();
        let mut using = self.using();
        if session.is_open() || using.forwards.contains_key(&id) {
            return false;
        }
        using
            .forwards
            .insert(id, (session.clone(), forward.clone()));
        drop(using);
        session.has_way(Some(Arc::new(forward.clone())));
        let name = self
            .proof()
            .map_or("", |proof| proof.guest.name())
            .to_owned();
        info!(agent = name, session = %session.terms().id, "a tunnel is open");
        tokio::spawn(keep(Arc::clone(self), session, forward));
        true
    }

    /// The session whose forwarding goes through here.
    pub(super) fn session(&self, id: &SessionId) -> Option<Session> {
        self.using()
            .forwards
            .get(id)
            .map(|(session, _)| session.clone())
    }

    /// Ends every session whose forwarding goes through here.
    pub(super) fn end(&self, end: &End) {
        let forwards: Vec<_> = self.using().forwards.values().cloned().collect();
        for (session, forward) in forwards {
            session.end(end.clone());
            forward.close();
        }
    }

    /// A person's connection into a session begins; it ends with what is returned.
    pub(super) fn raw(self: &Arc<Self>) -> Raw {
        self.using().raws += 1;
        Raw(Arc::clone(self))
    }

    /// How many connections a person has open here.
    pub(super) fn raws(&self) -> usize {
        self.using().raws
    }

    /// For how long nothing has gone through here.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        let using = self.using();
        let is_idle = using.forwards.is_empty() && using.raws == 0;
        is_idle.then(|| now.saturating_duration_since(using.idle_since))
    }

    /// Says goodbye in words, then cuts.
    pub(super) fn part(&self, words: &str) {
        self.parting.send_replace(Some(words.to_owned()));
    }

    /// Ends with the words of [`Self::part`].
    pub(super) async fn parting(&self) -> String {
        let mut parting = self.parting.subscribe();
        let words = parting.wait_for(Option::is_some).await;
        words
            .ok()
            .and_then(|words| words.clone())
            .unwrap_or_default()
    }

    /// Cuts the socket.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Turns true when the socket is to be cut.
    pub(super) fn cut_told(&self) -> watch::Receiver<bool> {
        self.cut.subscribe()
    }

    fn using(&self) -> MutexGuard<'_, Use> {
        self.using.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A person's connection into a session.
#[derive(Debug)]
pub(super) struct Raw(Arc<Line>);

impl Drop for Raw {
    fn drop(&mut self) {
        let mut using = self.0.using();
        using.raws -= 1;
        using.idle_since = Instant::now();
    }
}

/// Holds a forwarding until its session ends, then cuts what went through it, and the connection
/// if nothing else does.
async fn keep(line: Arc<Line>, session: Session, forward: Forward) {
    let mut look = interval(LOOK_FOR_STUCK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        tokio::select! {
            end = session.ended() => break end,
            now = look.tick() => forward.cut_stuck(now),
        }
    };
    forward.close();
    let id = &session.terms().id;
    info!(session = %id, cause = end.cause.as_str(), why = end.why, "a tunnel has ended");
    let mut using = line.using();
    using.forwards.remove(id);
    using.idle_since = Instant::now();
    let is_last = using.forwards.is_empty() && using.raws == 0;
    drop(using);
    if is_last {
        let words = match end.cause {
            Cause::LinkLost => "the connection was lost".to_owned(),
            cause => format!("{}: {}", cause.as_str(), end.why),
        };
        line.part(&words);
    }
}
