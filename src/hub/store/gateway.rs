//! Who may come over SSH: agents by the key in their certificate, people by a key of their own;
//! and which ports a stock sshd lets an agent listen on.
//!
//! Used by the gateway ([`crate::door::gateway`]) and by `platen-hub ssh-key` and `gateway`.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::permission::Rights;
use crate::session::SessionId;
use crate::store::agents::AgentId;
use crate::store::{Store, StoreError, Tenant, in_transaction, millis, on_pool, timestamp};

/// Most personal keys of one name: a laptop, a desk, a token, and their successors.
const KEYS_OF_ONE_MAX: i64 = 16;

/// Most rows of one answer.
const ROWS_MAX: i64 = 1_024;

/// A person's key for SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// Whose it is.
    pub name: String,
    /// SHA-256 of the key as SSH writes it, in hex.
    pub fingerprint: String,
    /// A line of OpenSSH, without its comment.
    pub public_key: String,
    /// What it may be used for.
    pub rights: Rights,
    /// When it was added.
    pub made: Timestamp,
}

#[derive(FromRow)]
struct NameRow {
    name: String,
}

#[derive(FromRow)]
struct PortRow {
    port: i64,
}

#[derive(FromRow)]
struct CountRow {
    count: i64,
}

#[derive(FromRow)]
struct RightsRow {
    rights: String,
}

#[derive(FromRow)]
struct KeyRow {
    name: String,
    fingerprint: String,
    public_key: String,
    rights: String,
    made_ms: i64,
}

impl Store {
    /// The agent of this id, if the key is that of a certificate of it that is good now: neither
    /// ended nor replaced, and the agent neither revoked nor set aside.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn agent_of_key(
        &self,
        tenant: &Tenant,
        (agent, key_hash): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<AgentId>, StoreError> {
        let row: Option<NameRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT a.name FROM agents a
             WHERE a.tenant = $1 AND a.id = $2 AND a.revoked_ms IS NULL AND a.quarantine IS NULL
               AND EXISTS (SELECT 1 FROM certificates c
                 WHERE c.tenant = a.tenant AND c.agent = a.id AND c.key_hash = $3
                   AND c.state IN ('issued', 'current') AND c.expires_ms > $4)",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .bind(key_hash)
        .bind(millis(now))
        .fetch_optional(pool).await?);
        Ok(row.map(|row| AgentId::proven(tenant, agent, &row.name)))
    }

    /// Keeps a person's key; false if this name has too many. A key that is there already gets
    /// these rights.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn ssh_key_add(&self, tenant: &Tenant, key: &SshKey) -> Result<bool, StoreError> {
        let is_room = in_transaction!(self, tx => {
            let others: CountRow = sqlx::query_as(
                "SELECT COUNT(*) AS count FROM ssh_keys
                 WHERE tenant = $1 AND name = $2 AND fingerprint <> $3",
            )
            .bind(tenant.as_str()).bind(&key.name).bind(&key.fingerprint)
            .fetch_one(&mut *tx).await?;
            let is_room = others.count < KEYS_OF_ONE_MAX;
            if is_room {
                sqlx::query(
                    "INSERT INTO ssh_keys (tenant, name, fingerprint, public_key, rights, made_ms)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (tenant, name, fingerprint)
                     DO UPDATE SET rights = excluded.rights",
                )
                .bind(tenant.as_str()).bind(&key.name).bind(&key.fingerprint)
                .bind(&key.public_key).bind(key.rights.to_string()).bind(millis(key.made))
                .execute(&mut *tx).await?;
            }
            is_room
        });
        Ok(is_room)
    }

    /// Every person's key, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn ssh_keys(&self, tenant: &Tenant) -> Result<Vec<SshKey>, StoreError> {
        let rows: Vec<KeyRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT name, fingerprint, public_key, rights, made_ms FROM ssh_keys
             WHERE tenant = $1 ORDER BY name, made_ms, fingerprint LIMIT $2",
        ).bind(tenant.as_str()).bind(ROWS_MAX).fetch_all(pool).await?);
        rows.into_iter().map(KeyRow::checked).collect()
    }

    /// What a person may do with a key; `None` if it is not a key of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn rights_of_ssh_key(
        &self,
        tenant: &Tenant,
        (name, fingerprint): (&str, &str),
    ) -> Result<Option<Rights>, StoreError> {
        let row: Option<RightsRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT rights FROM ssh_keys
             WHERE tenant = $1 AND name = $2 AND fingerprint = $3",
        )
        .bind(tenant.as_str()).bind(name).bind(fingerprint)
        .fetch_optional(pool).await?);
        Ok(row.map(|row| Rights::read(&row.rights)))
    }

    /// Forgets a person's key; says how many went.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn ssh_key_remove(
        &self,
        tenant: &Tenant,
        (name, fingerprint): (&str, &str),
    ) -> Result<u64, StoreError> {
        let removed = on_pool!(self, pool => sqlx::query(
            "DELETE FROM ssh_keys WHERE tenant = $1 AND name = $2 AND fingerprint = $3",
        )
        .bind(tenant.as_str()).bind(name).bind(fingerprint)
        .execute(pool).await?.rows_affected());
        Ok(removed)
    }

    /// Lets an agent listen on a port of the sshd, for one session; false if another session has
    /// the port.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn forward_begin(
        &self,
        tenant: &Tenant,
        (session, agent, port): (&SessionId, &str, u16),
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let begun = on_pool!(self, pool => sqlx::query(
            "INSERT INTO gateway_forwards (tenant, session, agent, port, until_ms)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str()).bind(session.as_str()).bind(agent)
        .bind(i64::from(port)).bind(millis(until))
        .execute(pool).await?.rows_affected());
        Ok(begun > 0)
    }

    /// Ends what [`Self::forward_begin`] began.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn forward_end(
        &self,
        tenant: &Tenant,
        session: &SessionId,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "DELETE FROM gateway_forwards WHERE tenant = $1 AND session = $2",
        )
        .bind(tenant.as_str()).bind(session.as_str())
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Ends every one: sessions do not outlive the hub that opened them.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn forwards_clear(&self, tenant: &Tenant) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query("DELETE FROM gateway_forwards WHERE tenant = $1")
            .bind(tenant.as_str()).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// The ports that whoever has this key may listen on now: those of the open sessions of the
    /// agent in whose certificate the key is, while that is good.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn forwards_of_key(
        &self,
        tenant: &Tenant,
        key_hash: &str,
        now: Timestamp,
    ) -> Result<Vec<u16>, StoreError> {
        let rows: Vec<PortRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT f.port FROM gateway_forwards f
             JOIN agents a ON a.tenant = f.tenant AND a.id = f.agent
             WHERE f.tenant = $1 AND f.until_ms > $3
               AND a.revoked_ms IS NULL AND a.quarantine IS NULL
               AND EXISTS (SELECT 1 FROM certificates c
                 WHERE c.tenant = a.tenant AND c.agent = a.id AND c.key_hash = $2
                   AND c.state IN ('issued', 'current') AND c.expires_ms > $3)
             ORDER BY f.port LIMIT $4",
        )
        .bind(tenant.as_str()).bind(key_hash).bind(millis(now)).bind(ROWS_MAX)
        .fetch_all(pool).await?);
        let port = |row: PortRow| {
            u16::try_from(row.port).map_err(|_| StoreError::Corrupt {
                what: "port",
                value: row.port.to_string(),
            })
        };
        rows.into_iter().map(port).collect()
    }
}

impl KeyRow {
    fn checked(self) -> Result<SshKey, StoreError> {
        Ok(SshKey {
            name: self.name,
            fingerprint: self.fingerprint,
            public_key: self.public_key,
            rights: Rights::read(&self.rights),
            made: timestamp(self.made_ms)?,
        })
    }
}
