//! The sessions of an agent: which wait for approval, which live, which have ended. Pure
//! bookkeeping of the Supervisor's; it asks and opens nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use printer::identity::DeviceId;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::ending::End;
use super::tally::Tally;
use super::ticket::{SessionId, Ticket};
use crate::order::{Ended, Progress};

/// Most sessions that live at once.
pub(crate) const SESSIONS_MAX: usize = 256;

/// Most that wait for approval at once: each is one of the 16 commands that the desk of commands
/// has in hand.
pub(crate) const WAITING_MAX: usize = 4;

/// How many that have ended are still shown.
const PAST_MAX: usize = 50;

/// Most ids that are remembered as used. An id counts until the end of its ticket, an hour at most,
/// and sixty commands are heard in a minute.
const USED_MAX: usize = 4_096;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// For approval at the site.
    Waits,
    /// The device is asked, the gateway dialed.
    Opens,
    /// Connections may come.
    Open,
    /// It is over.
    Ended,
}

/// One session, for a person at the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Which.
    pub session: String,
    /// How far it is.
    pub stage: Stage,
    /// To which device.
    pub device: DeviceId,
    /// To which of its ports.
    pub port: u16,
    /// Who asked, at the hub.
    pub issuer: String,
    /// Why.
    pub reason: String,
    /// Whether the hub lets `GET` and `HEAD` through alone.
    pub is_read_only: bool,
    /// Whether it is plain HTTP in place of a TLS that is too old.
    pub is_fallback: bool,
    /// Who approved it here.
    pub approved_by: Option<String>,
    /// When it came.
    pub since: Timestamp,
    /// When it ends at the latest; while it waits, when nobody can approve it any more.
    pub until: Timestamp,
    /// Connections to the device so far.
    pub connections: u64,
    /// Of them, open now.
    pub connections_open: u32,
    /// What was asked through the tunnel and refused.
    pub refused: u64,
    /// Octets to the device.
    pub sent: u64,
    /// Octets from the device.
    pub received: u64,
    /// How it ended, if it has.
    pub end: Option<End>,
    /// When.
    pub ended_at: Option<Timestamp>,
}

/// Sessions in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsStatus {
    /// That live.
    pub open: u32,
    /// That wait for approval at the site.
    pub waiting: u32,
}

/// A session that waits for approval.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    pub(crate) progress: Progress,
    pub(crate) answer: oneshot::Sender<Ended>,
    pub(crate) since: Timestamp,
}

/// A session that lives.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) ticket: Ticket,
    pub(crate) approved_by: Option<String>,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) tally: Arc<Tally>,
}

/// Every session.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    waiting: BTreeMap<SessionId, Waiting>,
    live: BTreeMap<SessionId, Live>,
    past: VecDeque<SessionStatus>,
    used: BTreeMap<SessionId, Timestamp>,
}

impl Desk {
    /// Whether a ticket may come: its session is new, and there is room.
    pub(crate) fn admit(&mut self, ticket: &Ticket, now: Timestamp) -> Result<(), String> {
        self.used.retain(|_, until| *until > now);
        if self.used.contains_key(&ticket.session) {
            return Err("this session was opened before; ask for a new one".to_owned());
        }
        if self.live.len() >= SESSIONS_MAX || self.used.len() >= USED_MAX {
            return Err(format!(
                "{SESSIONS_MAX} sessions live at this site, or it has had too many in an hour"
            ));
        }
        Ok(())
    }

    /// Lets a session wait for approval, if there is room.
    pub(crate) fn wait(&mut self, waiting: Waiting) -> Result<(), String> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(format!(
                "{WAITING_MAX} sessions wait for approval at the site already; one of them first"
            ));
        }
        let session = waiting.ticket.session.clone();
        self.used.insert(session.clone(), waiting.ticket.until);
        self.waiting.insert(session, waiting);
        Ok(())
    }

    /// Takes a session out of those that wait.
    pub(crate) fn called(&mut self, session: &SessionId) -> Option<Waiting> {
        self.waiting.remove(session)
    }

    /// A session lives from now on.
    pub(crate) fn begin(&mut self, live: Live) {
        let session = live.ticket.session.clone();
        self.used.insert(session.clone(), live.ticket.until);
        self.live.insert(session, live);
    }

    /// A session has ended; none if it had before.
    pub(crate) fn end(
        &mut self,
        session: &SessionId,
        end: End,
        now: Timestamp,
    ) -> Option<SessionStatus> {
        let live = self.live.remove(session)?;
        let past = SessionStatus {
            stage: Stage::Ended,
            end: Some(end),
            ended_at: Some(now),
            ..live.status()
        };
        self.keep(past.clone());
        Some(past)
    }

    /// A session that waited has ended.
    pub(crate) fn end_waiting(&mut self, waiting: &Waiting, end: End, now: Timestamp) {
        self.keep(SessionStatus {
            stage: Stage::Ended,
            end: Some(end),
            ended_at: Some(now),
            ..waiting.status()
        });
    }

    fn keep(&mut self, past: SessionStatus) {
        if self.past.len() >= PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(past);
    }

    /// The sessions that live.
    pub(crate) fn living(&self) -> impl Iterator<Item = &SessionId> {
        self.live.keys()
    }

    /// Whether this one does.
    pub(crate) fn lives(&self, session: &SessionId) -> bool {
        self.live.contains_key(session)
    }

    /// The sessions that wait.
    pub(crate) fn waiting(&self) -> Vec<SessionId> {
        self.waiting.keys().cloned().collect()
    }

    /// Every session: those that wait, that live, that have ended, the newest last.
    pub(crate) fn all(&self) -> Vec<SessionStatus> {
        let past = self.past.iter().cloned();
        let live = self.live.values().map(Live::status);
        let waiting = self.waiting.values().map(Waiting::status);
        let mut all: Vec<SessionStatus> = past.chain(live).chain(waiting).collect();
        all.sort_by_key(|session| session.since);
        all
    }

    /// How many.
    pub(crate) fn count(&self) -> SessionsStatus {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        SessionsStatus {
            open: count(self.live.len()),
            waiting: count(self.waiting.len()),
        }
    }
}

impl Waiting {
    fn status(&self) -> SessionStatus {
        SessionStatus {
            until: self.ticket.expires.min(self.ticket.until),
            ..status(&self.ticket, Stage::Waits, self.since)
        }
    }
}

impl Live {
    fn status(&self) -> SessionStatus {
        let (connections, refused, connections_open) = self.tally.connections();
        let (sent, received) = self.tally.octets();
        let stage = if self.tally.is_open() {
            Stage::Open
        } else {
            Stage::Opens
        };
        SessionStatus {
            approved_by: self.approved_by.clone(),
            until: self.until,
            connections,
            connections_open,
            refused,
            sent,
            received,
            ..status(&self.ticket, stage, self.since)
        }
    }
}

fn status(ticket: &Ticket, stage: Stage, since: Timestamp) -> SessionStatus {
    SessionStatus {
        session: ticket.session.to_string(),
        stage,
        device: ticket.device.clone(),
        port: ticket.port,
        issuer: ticket.issuer.clone(),
        reason: ticket.reason.clone(),
        is_read_only: ticket.is_read_only,
        is_fallback: ticket.is_fallback,
        approved_by: None,
        since,
        until: ticket.until,
        connections: 0,
        connections_open: 0,
        refused: 0,
        sent: 0,
        received: 0,
        end: None,
        ended_at: None,
    }
}
