//! What was ordered of the agents, and what came of it.
//!
//! A command is written here before it is sent, and sent from here until it is answered or past
//! its end, also after a restart of the hub. The first last word is the one that is kept.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::FromRow;

use crate::permission::Permission;
use crate::store::{
    Store, StoreError, Tenant, in_transaction, maybe_timestamp, millis, on_pool, timestamp,
};

/// Most commands that one agent may have open: it takes 16 at once.
pub const OPEN_MAX: i64 = 64;

/// Most commands that are kept of one agent; the oldest answered ones go first.
const KEPT_MAX: i64 = 1_000;

/// Most commands that are sent in one turn.
const TURN_MAX: i64 = 200;

/// Most commands in one list.
const LIST_MAX: i64 = 100;

/// How long after its end an answer may be under way.
pub const GRACE: Duration = Duration::from_secs(30);

/// How long after its end a command that was begun may go on: the longest sweep and more.
pub const RUN_MAX: Duration = Duration::from_mins(65);

/// How a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandState {
    /// Nothing was heard of it.
    Open,
    /// The agent has begun.
    Underway,
    /// It was carried out.
    Done,
    /// Nothing was done.
    Refused,
    /// It was tried.
    Failed,
    /// It came too late, or never.
    Expired,
}

impl CommandState {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Underway => "underway",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Whether a last word was heard.
    #[must_use]
    pub fn is_answered(self) -> bool {
        !matches!(self, Self::Open | Self::Underway)
    }

    fn read(word: &str) -> Result<Self, StoreError> {
        let all = [
            Self::Open,
            Self::Underway,
            Self::Done,
            Self::Refused,
            Self::Failed,
            Self::Expired,
        ];
        let known = all.into_iter().find(|state| state.as_str() == word);
        known.ok_or_else(|| StoreError::Corrupt {
            what: "command state",
            value: word.chars().take(40).collect(),
        })
    }
}

/// A command to be kept.
#[derive(Debug, Clone)]
pub struct NewCommand<'a> {
    /// 32 hex digits.
    pub id: &'a str,
    /// Why it was ordered.
    pub reason: &'a str,
    /// The signed command, as it is sent.
    pub body: &'a [u8],
    /// From when it is good.
    pub made: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

/// A command, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRow {
    /// 32 hex digits.
    pub id: String,
    /// The agent's id.
    pub agent: String,
    /// As in `platen-hub cmd`.
    pub kind: String,
    /// Who ordered it.
    pub issuer: String,
    /// Why.
    pub reason: String,
    /// When.
    pub made: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
    /// How often it was sent.
    pub sent: i64,
    /// How it stands.
    pub state: CommandState,
    /// The agent's newest word before its last.
    pub progress: String,
    /// Why it was refused or failed.
    pub why: String,
    /// What it brought.
    pub result: Vec<u8>,
    /// When the last word was heard.
    pub answered: Option<Timestamp>,
}

/// A command that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct DueCommand {
    /// 32 hex digits.
    pub id: String,
    /// To which agent.
    pub agent: String,
    /// As in `platen-hub cmd`.
    pub kind: String,
    /// What is sent.
    pub body: Vec<u8>,
}

/// A last word.
#[derive(Debug, Clone)]
pub struct LastWord<'a> {
    /// How it ended.
    pub state: CommandState,
    /// Why it was refused or failed.
    pub why: &'a str,
    /// What it brought.
    pub result: &'a [u8],
}

/// What a last word was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The first: it is kept.
    First,
    /// The same as the first.
    Again,
    /// Another than the first, which stays.
    Other(CommandState),
    /// Of a command that this agent was never given.
    Unknown,
}

#[derive(FromRow)]
struct Row {
    id: String,
    agent: String,
    kind: String,
    issuer: String,
    reason: String,
    made_ms: i64,
    expires_ms: i64,
    sent: i64,
    state: String,
    progress: String,
    why: String,
    result: Option<Vec<u8>>,
    answered_ms: Option<i64>,
}

impl Store {
    /// Keeps a command, to be sent. Says no when the agent has [`OPEN_MAX`] open ones.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn command_add(
        &self,
        permission: &Permission,
        new: &NewCommand<'_>,
    ) -> Result<bool, StoreError> {
        let (tenant, agent) = (permission.tenant().as_str(), permission.agent());
        Ok(in_transaction!(self, tx => {
            let (open,): (i64,) = sqlx::query_as(
                "SELECT COUNT(*) FROM commands
                 WHERE tenant = $1 AND agent = $2 AND answered_ms IS NULL",
            )
            .bind(tenant)
            .bind(agent)
            .fetch_one(&mut *tx).await?;
            if open >= OPEN_MAX {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO commands (tenant, id, agent, kind, issuer, reason, body, made_ms,
                                       expires_ms, state)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open')",
            )
            .bind(tenant)
            .bind(new.id)
            .bind(agent)
            .bind(permission.action().as_str())
            .bind(permission.issuer())
            .bind(new.reason)
            .bind(new.body)
            .bind(millis(new.made))
            .bind(millis(new.expires))
            .execute(&mut *tx).await?;
            sqlx::query(
                "DELETE FROM commands WHERE tenant = $1 AND agent = $2
                   AND answered_ms IS NOT NULL AND made_ms < (
                     SELECT MIN(made_ms) FROM (
                       SELECT made_ms FROM commands WHERE tenant = $1 AND agent = $2
                       ORDER BY made_ms DESC LIMIT $3) newest)",
            )
            .bind(tenant)
            .bind(agent)
            .bind(KEPT_MAX)
            .execute(&mut *tx).await?;
            true
        }))
    }

    /// The commands that are to be sent: good still, not answered, and not sent since `again`.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn commands_due(
        &self,
        tenant: &Tenant,
        again: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DueCommand>, StoreError> {
        let due = on_pool!(self, pool => sqlx::query_as(
            "SELECT id, agent, kind, body FROM commands
             WHERE tenant = $1 AND answered_ms IS NULL AND expires_ms > $2
               AND (last_sent_ms IS NULL OR last_sent_ms <= $3)
             ORDER BY last_sent_ms IS NOT NULL, made_ms LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(millis(now))
        .bind(millis(again))
        .bind(TURN_MAX)
        .fetch_all(pool).await?);
        Ok(due)
    }

    /// Notes that a command was handed to the carrier.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn command_sent(
        &self,
        tenant: &Tenant,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE commands SET sent = sent + 1, last_sent_ms = $3 WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id)
        .bind(millis(now))
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// An agent has come: whatever it has not answered is due at once.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn commands_due_for(&self, tenant: &Tenant, agent: &str) -> Result<u64, StoreError> {
        let due = on_pool!(self, pool => sqlx::query(
            "UPDATE commands SET last_sent_ms = NULL
             WHERE tenant = $1 AND agent = $2 AND answered_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .execute(pool).await?.rows_affected());
        Ok(due)
    }

    /// Keeps how far a command is; says whether this agent has such a command open.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn command_progress(
        &self,
        tenant: &Tenant,
        (agent, id): (&str, &str),
        words: &str,
    ) -> Result<bool, StoreError> {
        let noted = on_pool!(self, pool => sqlx::query(
            "UPDATE commands SET state = 'underway', progress = $4
             WHERE tenant = $1 AND agent = $2 AND id = $3 AND answered_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .bind(id)
        .bind(words)
        .execute(pool).await?.rows_affected());
        Ok(noted > 0)
    }

    /// Keeps an agent's last word on a command, if it is the first one.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn command_answer(
        &self,
        tenant: &Tenant,
        (agent, id): (&str, &str),
        word: &LastWord<'_>,
        now: Timestamp,
    ) -> Result<Heard, StoreError> {
        let kept = on_pool!(self, pool => sqlx::query(
            "UPDATE commands SET state = $4, why = $5, result = $6, answered_ms = $7
             WHERE tenant = $1 AND agent = $2 AND id = $3 AND answered_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .bind(id)
        .bind(word.state.as_str())
        .bind(word.why)
        .bind(word.result)
        .bind(millis(now))
        .execute(pool).await?.rows_affected());
        if kept > 0 {
            return Ok(Heard::First);
        }
        let known = self.command(tenant, id).await?;
        let Some(known) = known.filter(|known| known.agent == agent) else {
            return Ok(Heard::Unknown);
        };
        let is_same = known.state == word.state && known.result == word.result;
        Ok(if is_same {
            Heard::Again
        } else {
            Heard::Other(known.state)
        })
    }

    /// Ends the commands whose time is over; says how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn commands_expire(
        &self,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        // One that was sent may be answered a little later, one that was begun much later.
        for (state, sent, after, end, why) in [
            (
                "open",
                0..=0,
                Duration::ZERO,
                "expired",
                "the agent was never reached",
            ),
            (
                "open",
                1..=i64::MAX,
                GRACE,
                "expired",
                "the agent did not answer",
            ),
            (
                "underway",
                0..=i64::MAX,
                RUN_MAX,
                "failed",
                "the agent began and fell silent",
            ),
        ] {
            ended += on_pool!(self, pool => sqlx::query(
                "UPDATE commands SET state = $4, why = $5, answered_ms = $6
                 WHERE tenant = $1 AND answered_ms IS NULL AND state = $2 AND expires_ms <= $3
                   AND sent >= $7 AND sent <= $8",
            )
            .bind(tenant.as_str())
            .bind(state)
            .bind(millis(now - after))
            .bind(end)
            .bind(why)
            .bind(millis(now))
            .bind(*sent.start())
            .bind(*sent.end())
            .execute(pool).await?.rows_affected());
        }
        Ok(ended)
    }

    /// One command by its id.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn command(
        &self,
        tenant: &Tenant,
        id: &str,
    ) -> Result<Option<CommandRow>, StoreError> {
        let row: Option<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id, agent, kind, issuer, reason, made_ms, expires_ms, sent, state, progress,
                    why, result, answered_ms
             FROM commands WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(pool).await?);
        row.map(Row::into_command).transpose()
    }

    /// The octets of one command, signed, as they are sent.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn command_body(
        &self,
        tenant: &Tenant,
        id: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(on_pool!(self, pool => sqlx::query_scalar(
            "SELECT body FROM commands WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(pool).await?))
    }

    /// The newest commands of an agent, newest first, without their results.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn commands_of(
        &self,
        tenant: &Tenant,
        agent: &str,
        most: usize,
    ) -> Result<Vec<CommandRow>, StoreError> {
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id, agent, kind, issuer, reason, made_ms, expires_ms, sent, state, progress,
                    why, CAST(NULL AS bytea) AS result, answered_ms
             FROM commands WHERE tenant = $1 AND agent = $2
             ORDER BY made_ms DESC, id LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .bind(i64::try_from(most).unwrap_or(LIST_MAX).min(LIST_MAX))
        .fetch_all(pool).await?);
        rows.into_iter().map(Row::into_command).collect()
    }
}

impl Row {
    fn into_command(self) -> Result<CommandRow, StoreError> {
        Ok(CommandRow {
            id: self.id,
            agent: self.agent,
            kind: self.kind,
            issuer: self.issuer,
            reason: self.reason,
            made: timestamp(self.made_ms)?,
            expires: timestamp(self.expires_ms)?,
            sent: self.sent,
            state: CommandState::read(&self.state)?,
            progress: self.progress,
            why: self.why,
            result: self.result.unwrap_or_default(),
            answered: maybe_timestamp(self.answered_ms)?,
        })
    }
}
