//! Invitations: codes that turn a stranger into an agent, once.
//!
//! Only the SHA-256 of a secret is kept. Refusals are counted where they cannot lock anybody out:
//! per code for those who hold it, per network for those who guess.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::FromRow;

use crate::store::{
    Store, StoreError, Tenant, hash_hex, in_transaction, millis, on_pool, random_hex,
};

/// How long a code waits for its one use.
pub const INVITATION_LIFE: Duration = Duration::from_mins(30);

/// How long a used or expired code is remembered, so that its holder is told why it is refused.
const INVITATION_MEMORY: Duration = Duration::from_hours(24 * 7);

/// A code is closed after so many refused requests that held its secret.
pub const TRIES_MAX: i64 = 5;

/// A network that was refused this often within [`REFUSALS_WINDOW`] is told to wait.
pub const REFUSALS_MAX: i64 = 20;

/// How long a refusal is remembered against its network.
pub const REFUSALS_WINDOW: Duration = Duration::from_mins(15);

/// Codes looked at for one request. More than this are never open at once.
const INVITATIONS_MAX: i64 = 10_000;

/// An open code, proven by its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    secret_hash: String,
    /// What the agent will be called.
    pub agent_name: String,
    /// The id it will have: its old one, where an agent of this name was enrolled before.
    pub agent: String,
}

/// What became of a secret that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The code is open.
    Open(Invitation),
    /// There is no such code.
    Unknown,
    /// It was used.
    Used,
    /// It is too old.
    Expired,
    /// It was refused too often.
    Closed,
}

/// An agent that is about to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrollment<'a> {
    /// The code it holds.
    pub invitation: &'a Invitation,
    /// SHA-256 of its new certificate.
    pub fingerprint: &'a str,
    /// When that ends.
    pub until: Timestamp,
    /// Its program's version.
    pub version: &'a str,
}

#[derive(FromRow)]
struct Row {
    secret_hash: String,
    agent_name: String,
    expires_ms: i64,
    used_ms: Option<i64>,
    tries: i64,
}

#[derive(FromRow)]
struct IdRow {
    id: String,
}

#[derive(FromRow)]
struct CountRow {
    count: i64,
}

impl Store {
    /// Keeps an invitation for `agent_name`; the secret itself is not kept.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn invite(
        &self,
        tenant: &Tenant,
        agent_name: &str,
        secret: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        in_transaction!(self, tx => {
            sqlx::query("DELETE FROM invitations WHERE tenant = $1 AND expires_ms < $2")
                .bind(tenant.as_str())
                .bind(millis(now - INVITATION_MEMORY))
                .execute(&mut *tx).await?;
            sqlx::query(
                "INSERT INTO invitations
                   (tenant, secret_hash, agent_name, made_ms, expires_ms, tries)
                 VALUES ($1, $2, $3, $4, $5, 0)",
            )
            .bind(tenant.as_str())
            .bind(hash_hex(secret.as_bytes()))
            .bind(agent_name)
            .bind(millis(now))
            .bind(millis(now + INVITATION_LIFE))
            .execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Looks a secret up. Every kept code is compared, each in constant time.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn invitation(
        &self,
        tenant: &Tenant,
        secret: &str,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT secret_hash, agent_name, expires_ms, used_ms, tries FROM invitations
             WHERE tenant = $1 ORDER BY made_ms DESC LIMIT $2",
        ).bind(tenant.as_str()).bind(INVITATIONS_MAX).fetch_all(pool).await?);
        let hash = hash_hex(secret.as_bytes());
        let found = rows.into_iter().fold(None, |found, row| {
            if is_same(&row.secret_hash, &hash) {
                Some(row)
            } else {
                found
            }
        });
        let Some(row) = found else {
            return Ok(Answer::Unknown);
        };
        if row.used_ms.is_some() {
            return Ok(Answer::Used);
        }
        if row.tries >= TRIES_MAX {
            return Ok(Answer::Closed);
        }
        if row.expires_ms <= millis(now) {
            return Ok(Answer::Expired);
        }
        let known: Option<IdRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id FROM agents WHERE tenant = $1 AND name = $2",
        ).bind(tenant.as_str()).bind(&row.agent_name).fetch_optional(pool).await?);
        let agent = known.map_or_else(random_hex, |row| Ok(row.id))?;
        let Row {
            secret_hash,
            agent_name,
            ..
        } = row;
        Ok(Answer::Open(Invitation {
            secret_hash,
            agent_name,
            agent,
        }))
    }

    /// Counts a request that held the secret and was refused; after [`TRIES_MAX`] the code is closed.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn invitation_failed(
        &self,
        tenant: &Tenant,
        invitation: &Invitation,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE invitations SET tries = tries + 1 WHERE tenant = $1 AND secret_hash = $2",
        ).bind(tenant.as_str()).bind(&invitation.secret_hash).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Uses the code up and enrolls the agent, both or neither; false if the code is open no more.
    ///
    /// An agent of the same name keeps its id, so that its printers stay its own; its old
    /// certificate is worth nothing from here on.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn enroll(
        &self,
        tenant: &Tenant,
        agent: &Enrollment<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_open = in_transaction!(self, tx => {
            let used = sqlx::query(
                "UPDATE invitations SET used_ms = $3
                 WHERE tenant = $1 AND secret_hash = $2 AND used_ms IS NULL
                   AND expires_ms > $3 AND tries < $4",
            )
            .bind(tenant.as_str())
            .bind(&agent.invitation.secret_hash)
            .bind(millis(now))
            .bind(TRIES_MAX)
            .execute(&mut *tx).await?.rows_affected() == 1;
            if used {
                sqlx::query(
                    "INSERT INTO agents
                       (tenant, id, name, fingerprint, expires_ms, enrolled_ms, version)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)
                     ON CONFLICT (tenant, id) DO UPDATE SET
                       fingerprint = excluded.fingerprint, expires_ms = excluded.expires_ms,
                       enrolled_ms = excluded.enrolled_ms, version = excluded.version,
                       revoked_ms = NULL, trouble = NULL",
                )
                .bind(tenant.as_str())
                .bind(&agent.invitation.agent)
                .bind(&agent.invitation.agent_name)
                .bind(agent.fingerprint)
                .bind(millis(agent.until))
                .bind(millis(now))
                .bind(agent.version)
                .execute(&mut *tx).await?;
            }
            used
        });
        Ok(is_open)
    }

    /// Remembers a refusal against a network; false if it has had too many and should wait.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn refused(
        &self,
        tenant: &Tenant,
        network: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_patient = in_transaction!(self, tx => {
            sqlx::query("DELETE FROM refusals WHERE tenant = $1 AND at_ms <= $2")
                .bind(tenant.as_str())
                .bind(millis(now - REFUSALS_WINDOW))
                .execute(&mut *tx).await?;
            let recent: CountRow = sqlx::query_as(
                "SELECT COUNT(*) AS count FROM refusals WHERE tenant = $1 AND network = $2",
            )
            .bind(tenant.as_str())
            .bind(network)
            .fetch_one(&mut *tx).await?;
            if recent.count < REFUSALS_MAX {
                sqlx::query("INSERT INTO refusals (tenant, network, at_ms) VALUES ($1, $2, $3)")
                    .bind(tenant.as_str())
                    .bind(network)
                    .bind(millis(now))
                    .execute(&mut *tx).await?;
            }
            recent.count < REFUSALS_MAX
        });
        Ok(is_patient)
    }
}

/// Compares two hashes without stopping at the first difference.
fn is_same(a: &str, b: &str) -> bool {
    let differ = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |differ, (a, b)| differ | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differ) == 0
}
