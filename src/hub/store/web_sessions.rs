//! Sessions with printers' pages, as they are kept: who, where, why, how long, how much, and how
//! each ended. What was done in them is the audit's ([`crate::store::audit`]).

use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use sqlx::FromRow;

use crate::session::{Cause, End, SessionId, Terms};
use crate::store::{Store, StoreError, Tenant, maybe_timestamp, millis, on_pool, timestamp};

/// Most sessions in one list.
const LIST_MAX: i64 = 500;

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// The agent was asked, and has not opened the tunnel.
    Requested,
    /// The tunnel is open.
    Open,
    /// It is over.
    Ended,
}

impl SessionState {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Open => "open",
            Self::Ended => "ended",
        }
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Requested, Self::Open, Self::Ended];
        let known = all.into_iter().find(|state| state.as_str() == word);
        known.ok_or_else(|| corrupt("state of a session", word))
    }
}

/// What went through a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests, or connections of a raw door.
    pub requests: u64,
    /// Octets to the printer.
    pub sent: u64,
    /// Octets from the printer.
    pub received: u64,
}

/// A session, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its name.
    pub id: SessionId,
    /// The agent's id.
    pub agent: String,
    /// The printer.
    pub device: DeviceId,
    /// Its port.
    pub port: u16,
    /// Who opened it.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// From where; empty where nobody knows.
    pub from: String,
    /// When.
    pub opened: Timestamp,
    /// Until when at most.
    pub until: Timestamp,
    /// Whether only `GET` and `HEAD` are let through.
    pub is_read_only: bool,
    /// Whether it is plain HTTP because the printer's TLS is too old.
    pub is_fallback: bool,
    /// The id of the command that asked the agent; empty before there is one.
    pub command: String,
    /// Who let it in at the site; empty where nobody had to.
    pub approved_by: String,
    /// How it stands.
    pub state: SessionState,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What ended it, in one word; empty while it lives.
    pub cause: String,
    /// The same for a person.
    pub why: String,
    /// What went through.
    pub totals: Totals,
}

#[derive(FromRow)]
struct Row {
    id: String,
    agent: String,
    device: String,
    port: i64,
    holder: String,
    reason: String,
    from_address: String,
    opened_ms: i64,
    until_ms: i64,
    is_read_only: i64,
    is_fallback: i64,
    command: String,
    approved_by: String,
    state: String,
    ended_ms: Option<i64>,
    cause: String,
    why: String,
    requests: i64,
    sent: i64,
    received: i64,
}

impl Store {
    /// Keeps a session that begins.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session_add(&self, terms: &Terms) -> Result<(), StoreError> {
        let from = terms.from.map(|from| from.to_string()).unwrap_or_default();
        on_pool!(self, pool => sqlx::query(
            "INSERT INTO web_sessions (tenant, id, agent, device, port, holder, reason,
               from_address, opened_ms, until_ms, is_read_only, is_fallback, state)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'requested')",
        )
        .bind(terms.tenant.as_str())
        .bind(terms.id.as_str())
        .bind(&terms.agent)
        .bind(terms.device.as_str())
        .bind(i64::from(terms.port))
        .bind(&terms.holder)
        .bind(&terms.reason)
        .bind(from)
        .bind(millis(terms.opened))
        .bind(millis(terms.until))
        .bind(i64::from(terms.is_read_only))
        .bind(i64::from(terms.is_fallback))
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Notes which command asked the agent.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session_ordered(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        command: &str,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE web_sessions SET command = $3 WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(command)
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Notes that the tunnel is open, and who at the site has let it.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session_opened(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        approved_by: &str,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE web_sessions SET state = 'open', approved_by = $3
             WHERE tenant = $1 AND id = $2 AND state <> 'ended'",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(approved_by)
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Keeps what went through so far.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session_count(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        totals: Totals,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE web_sessions SET requests = $3, sent = $4, received = $5
             WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(whole(totals.requests))
        .bind(whole(totals.sent))
        .bind(whole(totals.received))
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Keeps how a session ended, if nothing was kept of that yet.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session_end(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        (end, totals): (&End, Totals),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = on_pool!(self, pool => sqlx::query(
            "UPDATE web_sessions SET state = 'ended', ended_ms = $3, cause = $4, why = $5,
               requests = $6, sent = $7, received = $8
             WHERE tenant = $1 AND id = $2 AND state <> 'ended'",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(millis(now))
        .bind(end.cause.as_str())
        .bind(&end.why)
        .bind(whole(totals.requests))
        .bind(whole(totals.sent))
        .bind(whole(totals.received))
        .execute(pool).await?.rows_affected());
        Ok(ended > 0)
    }

    /// The sessions that no end was kept of, oldest first. A hub that has just started has none
    /// that live: these are of an earlier one.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_sessions_left(&self, tenant: &Tenant) -> Result<Vec<SessionRow>, StoreError> {
        self.web_sessions_where(tenant, Some("requested"), Some("open"))
            .await
    }

    /// The newest sessions, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_sessions(
        &self,
        tenant: &Tenant,
        most: usize,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let mut rows = self.web_sessions_where(tenant, None, None).await?;
        rows.truncate(most);
        Ok(rows)
    }

    async fn web_sessions_where(
        &self,
        tenant: &Tenant,
        state: Option<&str>,
        or: Option<&str>,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id, agent, device, port, holder, reason, from_address, opened_ms, until_ms,
                    is_read_only, is_fallback, command, approved_by, state, ended_ms, cause, why,
                    requests, sent, received
             FROM web_sessions
             WHERE tenant = $1 AND (CAST($2 AS TEXT) IS NULL OR state IN ($2, $3))
             ORDER BY opened_ms DESC, id LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(state)
        .bind(or)
        .bind(LIST_MAX)
        .fetch_all(pool).await?);
        rows.into_iter().map(Row::into_session).collect()
    }

    /// One session.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session(
        &self,
        tenant: &Tenant,
        id: &SessionId,
    ) -> Result<Option<SessionRow>, StoreError> {
        let row: Option<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id, agent, device, port, holder, reason, from_address, opened_ms, until_ms,
                    is_read_only, is_fallback, command, approved_by, state, ended_ms, cause, why,
                    requests, sent, received
             FROM web_sessions WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(pool).await?);
        row.map(Row::into_session).transpose()
    }

    /// Asks the running hub to end a session; says whether there is one that lives.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_session_want_end(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        by: &str,
    ) -> Result<bool, StoreError> {
        let wanted = on_pool!(self, pool => sqlx::query(
            "UPDATE web_sessions SET end_wanted_by = $3
             WHERE tenant = $1 AND id = $2 AND state <> 'ended'",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(by)
        .execute(pool).await?.rows_affected());
        Ok(wanted > 0)
    }

    /// The living sessions whose end somebody asked for, and who.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn web_sessions_to_end(
        &self,
        tenant: &Tenant,
    ) -> Result<Vec<(SessionId, String)>, StoreError> {
        let rows: Vec<(String, String)> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id, end_wanted_by FROM web_sessions
             WHERE tenant = $1 AND state <> 'ended' AND end_wanted_by IS NOT NULL LIMIT $2",
        )
        .bind(tenant.as_str())
        .bind(LIST_MAX)
        .fetch_all(pool).await?);
        let named = rows.into_iter().map(|(id, by)| Ok((session_id(&id)?, by)));
        named.collect()
    }
}

impl SessionRow {
    /// What it was for, as far as that is kept.
    #[must_use]
    pub fn terms(&self, tenant: &Tenant) -> Terms {
        Terms {
            id: self.id.clone(),
            tenant: tenant.clone(),
            agent: self.agent.clone(),
            device: self.device.clone(),
            address: None,
            port: self.port,
            holder: self.holder.clone(),
            reason: self.reason.clone(),
            from: self.from.parse().ok(),
            opened: self.opened,
            until: self.until,
            idle_max: Duration::ZERO,
            is_read_only: self.is_read_only,
            is_fallback: self.is_fallback,
        }
    }
}

impl Row {
    fn into_session(self) -> Result<SessionRow, StoreError> {
        let count = |value: i64| u64::try_from(value).unwrap_or_default();
        Ok(SessionRow {
            id: session_id(&self.id)?,
            device: DeviceId::parse(&self.device)
                .ok_or_else(|| corrupt("device id", &self.device))?,
            port: u16::try_from(self.port).map_err(|_| corrupt("port", &self.port.to_string()))?,
            agent: self.agent,
            holder: self.holder,
            reason: self.reason,
            from: self.from_address,
            opened: timestamp(self.opened_ms)?,
            until: timestamp(self.until_ms)?,
            is_read_only: self.is_read_only != 0,
            is_fallback: self.is_fallback != 0,
            command: self.command,
            approved_by: self.approved_by,
            state: SessionState::read(&self.state)?,
            ended: maybe_timestamp(self.ended_ms)?,
            cause: Cause::ALL
                .iter()
                .find(|cause| cause.as_str() == self.cause)
                .map_or_else(String::new, |cause| cause.as_str().to_owned()),
            why: self.why,
            totals: Totals {
                requests: count(self.requests),
                sent: count(self.sent),
                received: count(self.received),
            },
        })
    }
}

fn session_id(text: &str) -> Result<SessionId, StoreError> {
    SessionId::parse(text).ok_or_else(|| corrupt("session id", text))
}

fn corrupt(what: &'static str, value: &str) -> StoreError {
    let value = value.chars().take(40).collect();
    StoreError::Corrupt { what, value }
}

/// A count as it is stored.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
