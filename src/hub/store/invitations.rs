//! Invitations: codes that turn a stranger into an agent, once.
//!
//! Only the SHA-256 of a secret is kept. Refusals are counted where they cannot lock anybody out:
//! per code for those who hold it, per network for those who guess.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::FromRow;

use crate::store::{
    Store, StoreError, Tenant, hash_hex, hex, in_transaction, millis, on_pool, random_hex,
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

/// What a person decided, as it is stored.
pub(super) const APPROVED: &str = "approved";
pub(super) const TURNED_DOWN: &str = "refused";

/// Codes looked at for one request. More than this are never open at once.
const INVITATIONS_MAX: i64 = 10_000;

/// Whom a code invites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invited<'a> {
    /// What the agent will be called.
    pub name: &'a str,
    /// The site it will stand at; may be empty.
    pub site: &'a str,
    /// Whether a person compares the agent's key before it is let in.
    pub approval: bool,
}

impl<'a> From<&'a str> for Invited<'a> {
    fn from(name: &'a str) -> Self {
        Self {
            name,
            site: "",
            approval: false,
        }
    }
}

/// An open code, proven by its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub(super) secret_hash: String,
    /// What the agent will be called.
    pub agent_name: String,
    /// The site it will stand at.
    pub site: String,
    /// The id it will have: its old one, where an agent of this name was enrolled before.
    pub agent: String,
    /// What a person has to say first.
    pub approval: Approval,
}

/// What a person has to say to a key before it is let in. Keys by their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Nothing.
    NotWanted,
    /// Nobody has asked yet.
    Wanted,
    /// This key waits for an answer.
    Waits(String),
    /// This key is let in.
    Given(String),
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
    /// A person refused who came with it.
    TurnedDown,
}

/// An agent that is about to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrollment<'a> {
    /// The code it holds.
    pub invitation: &'a Invitation,
    /// SHA-256 of its new certificate.
    pub fingerprint: &'a str,
    /// SHA-256 of the key in it.
    pub key_hash: &'a str,
    /// What secrets are sealed to for it, if it has told: an X25519 public key.
    pub sealing_key: Option<[u8; 32]>,
    /// When that ends.
    pub until: Timestamp,
    /// Its program's version.
    pub version: &'a str,
}

#[derive(FromRow)]
struct Row {
    secret_hash: String,
    agent_name: String,
    site: String,
    expires_ms: i64,
    used_ms: Option<i64>,
    tries: i64,
    approval: i64,
    key_hash: Option<String>,
    decision: Option<String>,
}

impl Row {
    fn approval(&self) -> Approval {
        match (self.approval, &self.key_hash, self.decision.as_deref()) {
            (0, ..) => Approval::NotWanted,
            (_, None, _) => Approval::Wanted,
            (_, Some(key), Some(APPROVED)) => Approval::Given(key.clone()),
            (_, Some(key), _) => Approval::Waits(key.clone()),
        }
    }
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
    /// Keeps an invitation; the secret itself is not kept.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn invite(
        &self,
        tenant: &Tenant,
        invited: impl Into<Invited<'_>>,
        secret: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let invited = invited.into();
        in_transaction!(self, tx => {
            sqlx::query("DELETE FROM invitations WHERE tenant = $1 AND expires_ms < $2")
                .bind(tenant.as_str())
                .bind(millis(now - INVITATION_MEMORY))
                .execute(&mut *tx).await?;
            sqlx::query(
                "INSERT INTO invitations
                   (tenant, secret_hash, agent_name, made_ms, expires_ms, tries, site, approval)
                 VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
            )
            .bind(tenant.as_str())
            .bind(hash_hex(secret.as_bytes()))
            .bind(invited.name)
            .bind(millis(now))
            .bind(millis(now + INVITATION_LIFE))
            .bind(invited.site)
            .bind(i64::from(invited.approval))
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
            "SELECT secret_hash, agent_name, site, expires_ms, used_ms, tries, approval, key_hash,
                    decision
             FROM invitations WHERE tenant = $1 ORDER BY made_ms DESC LIMIT $2",
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
        if row.decision.as_deref() == Some(TURNED_DOWN) {
            return Ok(Answer::TurnedDown);
        }
        if row.expires_ms <= millis(now) {
            return Ok(Answer::Expired);
        }
        let approval = row.approval();
        let known: Option<IdRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id FROM agents WHERE tenant = $1 AND name = $2",
        ).bind(tenant.as_str()).bind(&row.agent_name).fetch_optional(pool).await?);
        let agent = known.map_or_else(random_hex, |row| Ok(row.id))?;
        let Row {
            secret_hash,
            agent_name,
            site,
            ..
        } = row;
        Ok(Answer::Open(Invitation {
            secret_hash,
            agent_name,
            site,
            agent,
            approval,
        }))
    }

    /// Counts a request that held the secret and was refused; after [`TRIES_MAX`] the code is
    /// closed. False if it was closed already, however many came at once.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn invitation_failed(
        &self,
        tenant: &Tenant,
        invitation: &Invitation,
    ) -> Result<bool, StoreError> {
        let counted = on_pool!(self, pool => sqlx::query(
            "UPDATE invitations SET tries = tries + 1
             WHERE tenant = $1 AND secret_hash = $2 AND tries < $3",
        )
        .bind(tenant.as_str())
        .bind(&invitation.secret_hash)
        .bind(TRIES_MAX)
        .execute(pool).await?.rows_affected());
        Ok(counted > 0)
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
                       (tenant, id, name, fingerprint, expires_ms, enrolled_ms, version, site,
                        key_hash, sealing_key)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                     ON CONFLICT (tenant, id) DO UPDATE SET
                       fingerprint = excluded.fingerprint, expires_ms = excluded.expires_ms,
                       enrolled_ms = excluded.enrolled_ms, version = excluded.version,
                       site = CASE WHEN excluded.site = '' THEN agents.site ELSE excluded.site END,
                       key_hash = excluded.key_hash, sealing_key = excluded.sealing_key,
                       boot = 0, instance = NULL, instance_ms = 0, quarantined_ms = NULL,
                       quarantine = NULL, refusals = 0, revoked_ms = NULL, trouble = NULL",
                )
                .bind(tenant.as_str())
                .bind(&agent.invitation.agent)
                .bind(&agent.invitation.agent_name)
                .bind(agent.fingerprint)
                .bind(millis(agent.until))
                .bind(millis(now))
                .bind(agent.version)
                .bind(&agent.invitation.site)
                .bind(agent.key_hash)
                .bind(agent.sealing_key.map(|key| hex(&key)))
                .execute(&mut *tx).await?;
                sqlx::query(
                    "UPDATE certificates SET state = 'replaced', ended_ms = $3
                     WHERE tenant = $1 AND agent = $2",
                )
                .bind(tenant.as_str()).bind(&agent.invitation.agent).bind(millis(now))
                .execute(&mut *tx).await?;
                sqlx::query(
                    "INSERT INTO certificates
                       (tenant, fingerprint, agent, issued_ms, expires_ms, key_hash, state)
                     VALUES ($1, $2, $3, $4, $5, $6, 'current')",
                )
                .bind(tenant.as_str()).bind(agent.fingerprint).bind(&agent.invitation.agent)
                // As the certificate has it: in whole seconds.
                .bind(now.as_second() * 1000).bind(millis(agent.until)).bind(agent.key_hash)
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
