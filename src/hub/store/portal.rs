//! Who may look at the portal: one-time links, and the sessions they open.
//!
//! Only SHA-256 hashes of the tokens are kept: a copy of the database opens nothing.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::FromRow;

use crate::permission::Rights;
use crate::store::{
    Store, StoreError, Tenant, hash_hex, in_transaction, millis, on_pool, random_hex, timestamp,
};

/// How long a link from `platen-hub setup-link` waits for its one use.
pub const LINK_LIFE: Duration = Duration::from_hours(24);

/// How long a session lasts, used or not (OWASP ASVS 5.0, 7.3.2): a working day.
pub const SESSION_LIFE: Duration = Duration::from_hours(12);

/// Longest token looked at: ours have 32 characters.
const TOKEN_LEN_MAX: usize = 64;

/// What proves a browser: 128 random bits in hex. Printed as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// The digits themselves, for the one place that hands them out.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What a session is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Until when.
    pub until: Timestamp,
    /// Whom its link was made for.
    pub name: String,
    /// What for.
    pub rights: Rights,
}

#[derive(FromRow)]
struct HolderRow {
    name: String,
    rights: String,
}

#[derive(FromRow)]
struct SessionRow {
    expires_ms: i64,
    name: String,
    rights: String,
}

impl Store {
    /// Makes a link that opens the portal once, within [`LINK_LIFE`], for whoever it is given to.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn portal_link_create(
        &self,
        tenant: &Tenant,
        (name, rights): (&str, &Rights),
        now: Timestamp,
    ) -> Result<Token, StoreError> {
        let token = random_hex()?;
        on_pool!(self, pool => sqlx::query(
            "INSERT INTO portal_links (tenant, token_hash, made_ms, expires_ms, name, rights)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(tenant.as_str())
        .bind(hash_hex(token.as_bytes()))
        .bind(millis(now))
        .bind(millis(now + LINK_LIFE))
        .bind(name)
        .bind(rights.to_string())
        .execute(pool).await.map(|_| ())?);
        Ok(Token(token))
    }

    /// Uses a link up and opens a session, or `None` if it is unknown, used or too old.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn portal_link_use(
        &self,
        tenant: &Tenant,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Token>, StoreError> {
        if token.len() > TOKEN_LEN_MAX {
            return Ok(None);
        }
        let session = random_hex()?;
        let is_used = in_transaction!(self, tx => {
            let holder: Option<HolderRow> = sqlx::query_as(
                "UPDATE portal_links SET used_ms = $3
                 WHERE tenant = $1 AND token_hash = $2 AND used_ms IS NULL AND expires_ms > $3
                 RETURNING name, rights",
            )
            .bind(tenant.as_str())
            .bind(hash_hex(token.as_bytes()))
            .bind(millis(now))
            .fetch_optional(&mut *tx).await?;
            if let Some(holder) = &holder {
                sqlx::query("DELETE FROM portal_sessions WHERE tenant = $1 AND expires_ms <= $2")
                    .bind(tenant.as_str())
                    .bind(millis(now))
                    .execute(&mut *tx).await?;
                sqlx::query(
                    "INSERT INTO portal_sessions (tenant, token_hash, made_ms, expires_ms, name,
                                                  rights)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(tenant.as_str())
                .bind(hash_hex(session.as_bytes()))
                .bind(millis(now))
                .bind(millis(now + SESSION_LIFE))
                .bind(&holder.name)
                .bind(&holder.rights)
                .execute(&mut *tx).await?;
            }
            holder.is_some()
        });
        Ok(is_used.then_some(Token(session)))
    }

    /// Says what a session is good for, or `None` if there is no such session, or none any more.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn portal_session_check(
        &self,
        tenant: &Tenant,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        if token.len() > TOKEN_LEN_MAX {
            return Ok(None);
        }
        let row: Option<SessionRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT expires_ms, name, rights FROM portal_sessions
             WHERE tenant = $1 AND token_hash = $2 AND expires_ms > $3",
        )
        .bind(tenant.as_str())
        .bind(hash_hex(token.as_bytes()))
        .bind(millis(now))
        .fetch_optional(pool).await?);
        row.map(|row| {
            Ok(Session {
                until: timestamp(row.expires_ms)?,
                name: row.name,
                rights: Rights::read(&row.rights),
            })
        })
        .transpose()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn portal_session_end(&self, tenant: &Tenant, token: &str) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "DELETE FROM portal_sessions WHERE tenant = $1 AND token_hash = $2",
        )
        .bind(tenant.as_str())
        .bind(hash_hex(token.as_bytes()))
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }
}
