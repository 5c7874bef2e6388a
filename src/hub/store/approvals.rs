//! Whom a person lets in: keys that wait for an answer, and what enrollment raises an alarm about.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::store::invitations::{APPROVED, Invitation, REFUSALS_WINDOW, TRIES_MAX, TURNED_DOWN};
use crate::store::{Store, StoreError, Tenant, in_transaction, millis, on_pool, timestamp};

/// Most that are listed: a person reads them.
const LISTED_MAX: i64 = 100;

/// Refusals of one network within [`REFUSALS_WINDOW`] from which on they are no slip of a hand.
const REFUSALS_TOLD_MIN: i64 = 5;

/// Digits of a fingerprint that stand together: what an ear keeps.
const GROUP_LEN: usize = 4;

/// A key's fingerprint as people read it to each other.
#[must_use]
pub fn grouped(key_hash: &str) -> String {
    let is_digit = |sign: &char| sign.is_ascii_hexdigit();
    let digits: Vec<char> = key_hash.chars().filter(is_digit).collect();
    let groups = digits.chunks(GROUP_LEN).map(|group| group.iter().collect());
    groups.collect::<Vec<String>>().join(" ")
}

/// A key that waits for a person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What the agent will be called.
    pub agent_name: String,
    /// The site it says it is at: as the invitation named it.
    pub site: String,
    /// SHA-256 of its key, in hex.
    pub key_hash: String,
    /// When it first asked.
    pub asked: Timestamp,
    /// From which network.
    pub asked_from: String,
    /// When its code ends.
    pub until: Timestamp,
}

/// What a person should know about enrollments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// A network is guessing, or holds an old code.
    Guessing {
        /// Which.
        network: String,
        /// How often it was refused in the last quarter of an hour.
        refusals: i64,
    },
    /// A code was closed: whoever holds it failed too often.
    Closed {
        /// The agent it was for.
        agent_name: String,
    },
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Guessing { network, refusals } => write!(
                f,
                "{network} was refused {refusals} times in 15 minutes: somebody guesses codes, or \
                 tries an old one"
            ),
            Self::Closed { agent_name } => write!(
                f,
                "the code for {agent_name} was closed after {TRIES_MAX} failed tries: somebody \
                 else may hold it; make a new one"
            ),
        }
    }
}

#[derive(FromRow)]
struct Row {
    agent_name: String,
    site: String,
    key_hash: String,
    asked_ms: i64,
    asked_from: String,
    expires_ms: i64,
}

#[derive(FromRow)]
struct GuessRow {
    network: String,
    count: i64,
}

#[derive(FromRow)]
struct NameRow {
    agent_name: String,
}

impl Store {
    /// Keeps that a key asks for approval; false if another key has asked with this code.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn ask_approval(
        &self,
        tenant: &Tenant,
        invitation: &Invitation,
        (key_hash, network): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let kept = on_pool!(self, pool => sqlx::query(
            "UPDATE invitations SET key_hash = $3, asked_from = $4,
               asked_ms = CASE WHEN asked_ms IS NULL THEN $5 ELSE asked_ms END
             WHERE tenant = $1 AND secret_hash = $2 AND (key_hash IS NULL OR key_hash = $3)",
        )
        .bind(tenant.as_str())
        .bind(&invitation.secret_hash)
        .bind(key_hash)
        .bind(network)
        .bind(millis(now))
        .execute(pool).await?.rows_affected());
        Ok(kept > 0)
    }

    /// The keys that wait for an answer, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn pending(
        &self,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<Vec<Pending>, StoreError> {
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT agent_name, site, key_hash, asked_ms, asked_from, expires_ms FROM invitations
             WHERE tenant = $1 AND key_hash IS NOT NULL AND asked_ms IS NOT NULL
               AND asked_from IS NOT NULL AND decision IS NULL AND used_ms IS NULL
               AND expires_ms > $2 AND tries < $3
             ORDER BY asked_ms, key_hash LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(millis(now))
        .bind(TRIES_MAX)
        .bind(LISTED_MAX)
        .fetch_all(pool).await?);
        let pending = rows.into_iter().map(|row| {
            Ok(Pending {
                agent_name: row.agent_name,
                site: row.site,
                key_hash: row.key_hash,
                asked: timestamp(row.asked_ms)?,
                asked_from: row.asked_from,
                until: timestamp(row.expires_ms)?,
            })
        });
        pending.collect()
    }

    /// Lets a waiting key in; false if it waits no more.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn approve(&self, tenant: &Tenant, key_hash: &str) -> Result<bool, StoreError> {
        self.decide(tenant, key_hash, APPROVED).await
    }

    /// Turns a waiting key down, and its code with it; false if it waits no more.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn turn_down(&self, tenant: &Tenant, key_hash: &str) -> Result<bool, StoreError> {
        self.decide(tenant, key_hash, TURNED_DOWN).await
    }

    async fn decide(
        &self,
        tenant: &Tenant,
        key_hash: &str,
        decision: &str,
    ) -> Result<bool, StoreError> {
        let decided = on_pool!(self, pool => sqlx::query(
            "UPDATE invitations SET decision = $3
             WHERE tenant = $1 AND key_hash = $2 AND decision IS NULL AND used_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(key_hash)
        .bind(decision)
        .execute(pool).await?.rows_affected());
        Ok(decided > 0)
    }

    /// What a person should know about enrollments just now.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn enrollment_alarms(
        &self,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<Vec<Alarm>, StoreError> {
        let (guesses, closed): (Vec<GuessRow>, Vec<NameRow>) = in_transaction!(self, tx => {
            let guesses = sqlx::query_as(
                "SELECT network, COUNT(*) AS count FROM refusals WHERE tenant = $1 AND at_ms > $2
                 GROUP BY network HAVING COUNT(*) >= $3 ORDER BY network LIMIT $4",
            )
            .bind(tenant.as_str())
            .bind(millis(now - REFUSALS_WINDOW))
            .bind(REFUSALS_TOLD_MIN)
            .bind(LISTED_MAX)
            .fetch_all(&mut *tx).await?;
            let closed = sqlx::query_as(
                "SELECT agent_name FROM invitations
                 WHERE tenant = $1 AND tries >= $2 AND expires_ms > $3 AND used_ms IS NULL
                 ORDER BY made_ms LIMIT $4",
            )
            .bind(tenant.as_str())
            .bind(TRIES_MAX)
            .bind(millis(now))
            .bind(LISTED_MAX)
            .fetch_all(&mut *tx).await?;
            (guesses, closed)
        });
        let guesses = guesses.into_iter().map(|row| Alarm::Guessing {
            network: row.network,
            refusals: row.count,
        });
        let closed = closed.into_iter().map(|row| Alarm::Closed {
            agent_name: row.agent_name,
        });
        Ok(guesses.chain(closed).collect())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_fingerprint_is_grouped_for_the_ear() {
        assert_eq!(super::grouped("0123456789ab"), "0123 4567 89ab");
    }
}
