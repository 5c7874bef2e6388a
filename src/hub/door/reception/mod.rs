//! The reception: opens a session with a printer's page, looks after it while it lives, and writes
//! down how it ended.
//!
//! Used by the portal and, through it, by `platen-hub open`. Who may is asked first, then the audit
//! is written, then the agent is asked; [`care`] watches from there. What serves the person finds
//! the session in [`Sessions`]; what goes through it is not looked at here.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::audit::Entry;
use crate::audit::writer::Audit;
use crate::command_key::CommandKey;
use crate::door::command::issue::{IssueError, REASON_MAX, issue};
use crate::door::command::order::{Order, Ticket};
use crate::door::gateway::which::{Meeting, NoMeeting, Which};
use crate::permission::{Action, Denied, Object, Permission, Subject, permit};
use crate::session::{
    Cause, End, NotNoted, SESSIONS_MAX, Session, SessionId, Sessions, Terms, TooMany,
};
use crate::store::agents::AgentRow;
use crate::store::web_sessions::Totals;
use crate::store::{Store, StoreError, Tenant};

mod care;

/// Longest session, in minutes. The site may allow less.
pub const MINUTES_MAX: u16 = 60;

/// How long a session may be silent: a person reads a page, and does not leave it open over lunch.
const IDLE_MAX: Duration = Duration::from_mins(10);

/// How long the agent may take to hear of it: a person waits before the screen.
const ORDER_LIFE: Duration = Duration::from_mins(2);

/// How often it is looked whether a command asked for an end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longest that the ends of all sessions may take to be written down when the hub ends.
const FAREWELL: Duration = Duration::from_secs(4);

/// How often it is looked whether they are.
const FAREWELL_LOOK: Duration = Duration::from_millis(20);

/// Where agents bring their end of a session.
pub trait Meets: fmt::Debug + Send + Sync {
    /// Makes ready for a session's agent; says what its ticket tells it. What was made ready is
    /// given up when the session ends.
    fn meet<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Meeting, NoMeeting>>;
}

impl Meets for Which {
    fn meet<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Meeting, NoMeeting>> {
        Box::pin(self.meet(session))
    }
}

/// What the reception works with.
#[derive(Debug)]
pub struct ReceptionParts {
    /// Knows agents and printers, and keeps sessions.
    pub store: Store,
    /// Whose they are.
    pub tenant: Tenant,
    /// What signs commands.
    pub key: Arc<CommandKey>,
    /// Every session that lives.
    pub sessions: Sessions,
    /// Where everything is written down.
    pub audit: Audit,
    /// Where agents come.
    pub gateway: Arc<dyn Meets>,
}

/// Opens sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reception(Arc<ReceptionParts>);

/// What somebody wants to reach.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Which printer.
    pub device: &'a DeviceId,
    /// Through which agent, by name or id; `None` for the one that heard it last.
    pub agent: Option<&'a str>,
    /// Which of its ports.
    pub port: u16,
    /// Why.
    pub reason: &'a str,
    /// For how long.
    pub minutes: u16,
    /// Whether only `GET` and `HEAD` are to be let through.
    pub is_read_only: bool,
    /// Whether plain HTTP is taken because the printer's TLS is too old.
    pub is_fallback: bool,
    /// From where.
    pub from: Option<IpAddr>,
}

/// Why a session is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The subject may not, or the agent takes no commands.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nobody has read such a printer, or not this agent.
    #[error("no agent that is asked for knows this printer")]
    Unknown,
    /// No reason, or too long a one.
    #[error("a reason has 1 to {REASON_MAX} characters: it stands in the site's log")]
    Reason,
    /// Too long, or no time at all.
    #[error("a session lasts 1 to {MINUTES_MAX} minutes")]
    Minutes,
    /// Port 0.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// Too many live already.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The audit cannot be written.
    #[error("no session is opened: {0}")]
    NotNoted(#[from] NotNoted),
    /// There is no place at the gateway.
    #[error("no session is opened: {0}")]
    NoMeeting(#[from] NoMeeting),
    /// The agent could not be asked.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reception {
    /// A reception.
    #[must_use]
    pub fn new(parts: ReceptionParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Every session that lives.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Where everything is written down.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Opens a session and has the agent asked; it is not there yet when this returns.
    ///
    /// # Errors
    /// [`OpenError`]; there is no session then.
    pub async fn open(
        &self,
        subject: &Subject,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Result<Session, OpenError> {
        let (agent, address) = self.find(wanted).await?;
        let permission = permit(subject, Action::TunnelOpen, self.object(&agent))?;
        let terms = self.terms(&permission, (wanted, address), now)?;
        if self.0.sessions.all().len() >= SESSIONS_MAX {
            return Err(TooMany.into());
        }
        self.0.audit.write(Entry::opened(&terms)).await?;
        let begun = self.begin(&permission, &terms, now).await;
        if let Err(error) = &begun {
            // It was written down as opened: so is why it was not.
            let end = End::new(Cause::NoTunnel, error.to_string());
            let ended = Entry::ended(&terms, &end, Totals::default());
            if let Err(error) = self.0.audit.write(ended).await {
                error!(session = %terms.id, %error, "the end of a session is not in the audit");
            }
        }
        begun
    }

    /// Ends a session for somebody; says whether it lived.
    ///
    /// # Errors
    /// [`OpenError::Denied`] without the right; [`OpenError::Store`].
    pub async fn end(
        &self,
        subject: &Subject,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<bool, OpenError> {
        let Some(session) = self.0.sessions.find(id) else {
            return Ok(false);
        };
        let agents = self.0.store.agents(&self.0.tenant).await?;
        let agent = agents
            .iter()
            .find(|agent| agent.id == session.terms().agent);
        let agent = agent.ok_or(OpenError::Unknown)?;
        // An agent that was revoked meanwhile is asked nothing; the session ends all the same.
        let permission = match permit(subject, Action::TunnelClose, self.object(agent)) {
            Err(denied @ Denied::NoRight { .. }) => return Err(denied.into()),
            permission => permission.ok(),
        };
        let why = format!("ended by {}", subject.name());
        session.end(End::new(Cause::Person, why.clone()));
        if let Some(permission) = permission {
            self.close(&permission, id, &why, now).await;
        }
        Ok(true)
    }

    /// Ends what an earlier hub left open, then takes the ends that commands ask for, until
    /// `stopped`.
    pub async fn work(self, stopped: impl Future<Output = ()>) {
        if let Err(error) = self.end_left(Timestamp::now()).await {
            error!(%error, "sessions of the hub's last run are not ended in the store");
        }
        tokio::pin!(stopped);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = looks.tick() => {}
            }
            let wanted = self.0.store.web_sessions_to_end(&self.0.tenant).await;
            for (id, _) in wanted.unwrap_or_default() {
                let ended = self.end(&Subject::Operator, &id, Timestamp::now()).await;
                if let Err(error) = ended {
                    warn!(session = %id, %error, "a session is not ended");
                }
            }
        }
    }

    /// Ends every session, because the hub ends; returns once that is written down, or too late.
    pub async fn close_all(&self) {
        self.0.sessions.end_all();
        let written = async {
            let mut looks = interval(FAREWELL_LOOK);
            while !self.0.sessions.all().is_empty() {
                looks.tick().await;
            }
        };
        if timeout(FAREWELL, written).await.is_err() {
            warn!("not every session's end is written down");
        }
    }

    /// The agent that is to dial, and where the hub last saw the printer.
    async fn find(&self, wanted: Wanted<'_>) -> Result<(AgentRow, Option<IpAddr>), OpenError> {
        let parts = &self.0;
        let detail = parts.store.printer(&parts.tenant, wanted.device).await?;
        let detail = detail.ok_or(OpenError::Unknown)?;
        let agents = parts.store.agents(&parts.tenant).await?;
        let seen = std::iter::once(&detail.row).chain(&detail.elsewhere);
        let mut found = None;
        for row in seen {
            let Some(agent) = agents.iter().find(|agent| agent.id == row.agent) else {
                continue;
            };
            let is_asked = |name| agent.name == name || agent.id == name;
            if !wanted.agent.is_none_or(is_asked) {
                continue;
            }
            if self.object(agent).is_enrolled {
                return Ok((agent.clone(), row.reading.address));
            }
            found = Some(Denied::NotEnrolled);
        }
        Err(found.map_or(OpenError::Unknown, OpenError::Denied))
    }

    fn object<'a>(&'a self, agent: &'a AgentRow) -> Object<'a> {
        Object {
            tenant: &self.0.tenant,
            agent: &agent.id,
            is_enrolled: agent.revoked.is_none() && agent.quarantined.is_none(),
        }
    }

    fn terms(
        &self,
        permission: &Permission,
        (wanted, address): (Wanted<'_>, Option<IpAddr>),
        now: Timestamp,
    ) -> Result<Terms, OpenError> {
        let reason = wanted.reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX {
            return Err(OpenError::Reason);
        }
        if !(1..=MINUTES_MAX).contains(&wanted.minutes) {
            return Err(OpenError::Minutes);
        }
        if wanted.port == 0 {
            return Err(OpenError::Port);
        }
        Ok(Terms {
            id: SessionId::new()?,
            tenant: self.0.tenant.clone(),
            agent: permission.agent().to_owned(),
            device: wanted.device.clone(),
            address,
            port: wanted.port,
            holder: permission.issuer().to_owned(),
            reason: reason.to_owned(),
            from: wanted.from,
            opened: now,
            until: now + Duration::from_mins(u64::from(wanted.minutes)),
            idle_max: IDLE_MAX,
            is_read_only: wanted.is_read_only,
            is_fallback: wanted.is_fallback,
        })
    }

    /// Begins a session whose opening is in the audit.
    async fn begin(
        &self,
        permission: &Permission,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Session, OpenError> {
        let parts = &self.0;
        let witness = Arc::new(parts.audit.clone());
        let session = parts.sessions.begin(terms.clone(), witness)?;
        let asked = self.ask(permission, &session, now).await;
        match asked {
            Ok(command) => {
                info!(session = %terms.id, device = %terms.device, holder = %terms.holder,
                      "a session was opened");
                tokio::spawn(self.clone().look_after(session.clone(), command));
                Ok(session)
            }
            Err(error) => {
                let end = End::new(Cause::NoTunnel, error.to_string());
                session.end(end.clone());
                parts.sessions.forget(&terms.id);
                let totals = Totals::default();
                let kept =
                    parts
                        .store
                        .web_session_end(&terms.tenant, &terms.id, (&end, totals), now);
                if let Err(error) = kept.await {
                    warn!(session = %terms.id, %error, "the end of a session is not in the store");
                }
                Err(error)
            }
        }
    }

    /// Keeps a session and has its agent asked; says by which command.
    async fn ask(
        &self,
        permission: &Permission,
        session: &Session,
        now: Timestamp,
    ) -> Result<String, OpenError> {
        let (parts, terms) = (&self.0, session.terms());
        let meeting = parts.gateway.meet(session).await?;
        parts.store.web_session_add(terms).await?;
        let order = Order::TunnelOpen(Ticket {
            session: terms.id.clone(),
            device: terms.device.clone(),
            port: terms.port,
            until: terms.until,
            idle_max: terms.idle_max,
            host_key: meeting.host_key,
            user: meeting.user,
            bind: meeting.bind,
            is_read_only: terms.is_read_only,
            is_fallback: terms.is_fallback,
        });
        let left = terms.until.duration_since(now).unsigned_abs();
        let given = (terms.reason.as_str(), ORDER_LIFE.min(left));
        let made = (&parts.store, &*parts.key);
        let command = issue(made, permission, &order, given, now).await?;
        parts
            .store
            .web_session_ordered(&terms.tenant, &terms.id, &command)
            .await?;
        Ok(command)
    }

    /// Tells the agent that a session is over. It ends it by itself too, when its link is gone.
    async fn close(&self, permission: &Permission, id: &SessionId, why: &str, now: Timestamp) {
        let order = Order::TunnelClose {
            session: id.as_str().to_owned(),
        };
        let why: String = why.chars().take(REASON_MAX).collect();
        let made = (&self.0.store, &*self.0.key);
        let issued = issue(made, permission, &order, (&why, ORDER_LIFE), now).await;
        if let Err(error) = issued {
            warn!(session = %id, %error, "the agent is not told that a session is over");
        }
    }

    /// Ends what an earlier run of the hub left open: nothing of it lives.
    async fn end_left(&self, now: Timestamp) -> Result<(), StoreError> {
        let parts = &self.0;
        let end = End::new(Cause::HubEnds, "the hub ended without a word");
        for row in parts.store.web_sessions_left(&parts.tenant).await? {
            if parts.sessions.find(&row.id).is_some() {
                continue;
            }
            let terms = row.terms(&parts.tenant);
            let entry = Entry::ended(&terms, &end, row.totals);
            if let Err(error) = parts.audit.write(entry).await {
                error!(session = %row.id, %error, "the end of a session is not in the audit");
            }
            let kept = (&end, row.totals);
            parts
                .store
                .web_session_end(&parts.tenant, &row.id, kept, now)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
