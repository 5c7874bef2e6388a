//! Looks after one session from the order to its agent until its end is written down.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::Reception;
use crate::audit::Entry;
use crate::permission::{Action, Object, Subject, permit};
use crate::session::{Cause, End, Session};
use crate::store::commands::{CommandRow, CommandState};
use crate::store::web_sessions::Totals;
use crate::store::{StoreError, Tenant};

/// How often a session is looked at: its end comes at most so much too late.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often what went through is kept.
const COUNT_EVERY: Duration = Duration::from_secs(3);

/// How long the gateway may be without the agent's end, after the agent said that it is there or
/// after it was lost.
const NO_WAY_MAX: Duration = Duration::from_secs(30);

/// How often an end is tried to be kept in a store that does not answer, and the pause between.
const END_TRIES: u32 = 360;
const END_AGAIN: Duration = Duration::from_secs(10);

/// Longest name of an approver that is kept, in characters.
const NAME_MAX: usize = 100;

/// What is known of a session beside what it knows itself.
#[derive(Debug)]
pub(super) struct Known {
    command: String,
    /// The agent said that the tunnel is open.
    is_done: bool,
    approved_by: String,
    is_noted_open: bool,
    /// Since when there is no agent's end where there should be one.
    away_since: Option<Instant>,
    totals: Totals,
    moved: Instant,
    counted: Instant,
    is_counted: bool,
}

impl Reception {
    /// Looks after a session until its end is written down; then it is forgotten.
    pub(super) async fn look_after(self, session: Session, command: String) {
        let mut known = Known::new(command);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                biased;
                end = session.ended() => break end,
                _ = looks.tick() => {}
            }
            match self.look(&session, &mut known).await {
                Ok(None) => {}
                Ok(Some(end)) => session.end(end),
                // What cannot be kept now is kept later; what is done is the audit's to refuse.
                Err(error) => warn!(session = %session.terms().id, %error, "the store is away"),
            }
        };
        self.finish(&session, &known, &end).await;
    }

    /// One look; says why the session is to end, if it is.
    pub(super) async fn look(
        &self,
        session: &Session,
        known: &mut Known,
    ) -> Result<Option<End>, StoreError> {
        let (terms, now) = (session.terms(), Instant::now());
        if Timestamp::now() >= terms.until {
            let minutes = terms.until.duration_since(terms.opened).as_mins();
            let why = format!("its time of {minutes} min is up");
            return Ok(Some(End::new(Cause::Deadline, why)));
        }
        if !known.is_done {
            let command = self.0.store.command(&terms.tenant, &known.command).await?;
            if let Some(end) = self.heard(session, known, command).await? {
                return Ok(Some(end));
            }
        }
        if session.is_open() && !known.is_noted_open {
            self.note_open(session, known).await?;
        }
        if let Some(end) = known.missed(session, now) {
            return Ok(Some(end));
        }
        let totals = totals(session);
        if totals != known.totals {
            known.totals = totals;
            known.moved = now;
            known.is_counted = false;
        }
        if known.is_noted_open && now.duration_since(known.moved) >= terms.idle_max {
            let minutes = terms.idle_max.as_secs() / 60;
            let why = format!("nothing went through it for {minutes} min");
            return Ok(Some(End::new(Cause::Idle, why)));
        }
        if !known.is_counted && now.duration_since(known.counted) >= COUNT_EVERY {
            let counted = self
                .0
                .store
                .web_session_count(&terms.tenant, &terms.id, totals);
            counted.await?;
            known.is_counted = true;
            known.counted = now;
        }
        Ok(None)
    }

    /// What the agent has said of the order so far.
    async fn heard(
        &self,
        session: &Session,
        known: &mut Known,
        command: Option<CommandRow>,
    ) -> Result<Option<End>, StoreError> {
        let Some(command) = command else {
            let why = "the order to the agent is not in the store any more";
            return Ok(Some(End::new(Cause::NoTunnel, why)));
        };
        let ended = |cause, usual: &str| {
            let why = if command.why.is_empty() {
                usual
            } else {
                &command.why
            };
            Ok(Some(End::new(cause, why)))
        };
        match command.state {
            CommandState::Open | CommandState::Underway => Ok(None),
            CommandState::Refused => ended(Cause::Site, "the site refuses it"),
            CommandState::Failed => ended(Cause::NoTunnel, "the agent could not open the tunnel"),
            CommandState::Expired => ended(Cause::NoTunnel, "the agent did not answer"),
            CommandState::Done => {
                known.is_done = true;
                known.approved_by = approver(&command.result);
                if !known.approved_by.is_empty() {
                    let entry = Entry::approved(session.terms(), &known.approved_by);
                    if let Err(why) = self.0.audit.write(entry).await {
                        return Ok(Some(End::new(Cause::NoAudit, why.to_string())));
                    }
                    known.is_noted_open &= !session.is_open();
                }
                Ok(None)
            }
        }
    }

    async fn note_open(&self, session: &Session, known: &mut Known) -> Result<(), StoreError> {
        let terms = session.terms();
        let by = known.approved_by.as_str();
        self.0
            .store
            .web_session_opened(&terms.tenant, &terms.id, by)
            .await?;
        if !known.is_noted_open {
            known.is_noted_open = true;
            known.moved = Instant::now();
        }
        Ok(())
    }

    /// Writes down how a session ended, tells the agent where it may not know, and forgets it.
    async fn finish(&self, session: &Session, known: &Known, end: &End) {
        let (terms, totals) = (session.terms(), totals(session));
        info!(session = %terms.id, cause = end.cause.as_str(), why = %end.why, "a session ended");
        if let Err(error) = self.0.audit.write(Entry::ended(terms, end, totals)).await {
            error!(session = %terms.id, %error, "the end of a session is not in the audit");
        }
        let is_told = match end.cause {
            // Whoever ended it has the agent told.
            Cause::Person | Cause::Site | Cause::LinkLost | Cause::HubEnds => true,
            Cause::NoTunnel => !known.is_done,
            Cause::Deadline | Cause::Idle | Cause::AnotherDevice | Cause::NoAudit => false,
        };
        if !is_told {
            let object = Object {
                tenant: &terms.tenant,
                agent: &terms.agent,
                is_enrolled: true,
            };
            if let Ok(permission) = permit(&Subject::Operator, Action::TunnelClose, object) {
                let now = Timestamp::now();
                self.close(&permission, &terms.id, &end.why, now).await;
            }
        }
        let (tenant, id) = (terms.tenant.clone(), terms.id.clone());
        let kept = self.keep_end(&tenant, session, (end, totals)).await;
        self.0.sessions.forget(&id);
        if kept.is_err() {
            self.keep_end_later(&tenant, session, (end, totals)).await;
        }
    }

    async fn keep_end(
        &self,
        tenant: &Tenant,
        session: &Session,
        kept: (&End, Totals),
    ) -> Result<bool, StoreError> {
        let id = &session.terms().id;
        let now = Timestamp::now();
        self.0.store.web_session_end(tenant, id, kept, now).await
    }

    /// A store that is away takes the end once it is back; a hub that starts anew ends it as well.
    async fn keep_end_later(&self, tenant: &Tenant, session: &Session, kept: (&End, Totals)) {
        for _ in 0..END_TRIES {
            sleep(END_AGAIN).await;
            if self.keep_end(tenant, session, kept).await.is_ok() {
                return;
            }
        }
        error!(session = %session.terms().id, "the end of a session is not in the store");
    }
}

impl Known {
    pub(super) fn new(command: String) -> Self {
        let now = Instant::now();
        Self {
            command,
            is_done: false,
            approved_by: String::new(),
            is_noted_open: false,
            away_since: None,
            totals: Totals::default(),
            moved: now,
            counted: now,
            is_counted: true,
        }
    }

    /// As after an answer.
    #[cfg(test)]
    pub(super) fn done() -> Self {
        Self {
            is_done: true,
            ..Self::new(String::new())
        }
    }

    /// Whether the agent's end is missed for too long.
    pub(super) fn missed(&mut self, session: &Session, now: Instant) -> Option<End> {
        let is_expected = self.is_done || self.is_noted_open;
        if session.is_open() || !is_expected {
            self.away_since = None;
            return None;
        }
        let since = *self.away_since.get_or_insert(now);
        if now.duration_since(since) < NO_WAY_MAX {
            return None;
        }
        Some(if self.is_noted_open {
            let why = "the tunnel was lost and did not come back";
            End::new(Cause::LinkLost, why)
        } else {
            let why = "the agent says that the tunnel is open, and it is not at the gateway";
            End::new(Cause::NoTunnel, why)
        })
    }
}

fn totals(session: &Session) -> Totals {
    let tally = session.tally();
    Totals {
        requests: tally.requests.load(Ordering::Relaxed),
        sent: tally.sent.load(Ordering::Relaxed),
        received: tally.received.load(Ordering::Relaxed),
    }
}

/// Who approved it at the site, if the agent says so.
fn approver(result: &[u8]) -> String {
    let result: Option<serde_json::Value> = serde_json::from_slice(result).ok();
    let name = result
        .as_ref()
        .and_then(|result| result["approved_by"].as_str());
    let harmless = name.unwrap_or_default().chars().filter(|c| !c.is_control());
    harmless.take(NAME_MAX).collect()
}
