//! The lines of the audit's chain, as they are kept. Nothing here changes or removes one.
//!
//! The chain is the whole hub's: what makes a line, and whether the chain is whole, is said in
//! [`crate::audit`].

use jiff::Timestamp;
use sqlx::FromRow;

use crate::audit::Line;
use crate::session::SessionId;
use crate::store::{Store, StoreError, Tenant, in_transaction, millis, on_pool};

/// Most lines in one answer.
const LINES_MAX: usize = 1_000;

#[derive(FromRow)]
struct Row {
    sequence: i64,
    at_ms: i64,
    tenant: String,
    session: String,
    kind: String,
    body: String,
    opening: i64,
    before: String,
    hash: String,
    seal: String,
}

impl Store {
    /// Adds lines, all or none; they are on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer, or its disk is full.
    pub async fn audit_add(&self, lines: &[Line]) -> Result<(), StoreError> {
        in_transaction!(self, tx => {
            for line in lines {
                sqlx::query(
                    "INSERT INTO audit (sequence, at_ms, tenant, session, kind, body, opening,
                                        before, hash, seal)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                )
                .bind(whole(line.sequence))
                .bind(line.at_ms)
                .bind(&line.tenant)
                .bind(&line.session)
                .bind(&line.kind)
                .bind(&line.body)
                .bind(whole(line.opening))
                .bind(&line.before)
                .bind(&line.hash)
                .bind(&line.seal)
                .execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// The last line; `None` where nothing was ever written.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn audit_last(&self) -> Result<Option<Line>, StoreError> {
        let row: Option<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT sequence, at_ms, tenant, session, kind, body, opening, before, hash, seal
             FROM audit ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(pool).await?);
        row.map(Row::into_line).transpose()
    }

    /// The lines after a sequence, in order: `most` of them, and no more than a thousand.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn audit_after(&self, sequence: u64, most: usize) -> Result<Vec<Line>, StoreError> {
        self.audit_since(sequence, Timestamp::MIN, most).await
    }

    /// As [`Self::audit_after`], without those from before `since`.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn audit_since(
        &self,
        sequence: u64,
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT sequence, at_ms, tenant, session, kind, body, opening, before, hash, seal
             FROM audit WHERE sequence > $1 AND at_ms >= $2 ORDER BY sequence LIMIT $3",
        )
        .bind(whole(sequence))
        .bind(millis(since))
        .bind(limit(most))
        .fetch_all(pool).await?);
        rows.into_iter().map(Row::into_line).collect()
    }

    /// The newest lines of one tenant, newest first; of one session where one is named.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn audit_newest(
        &self,
        tenant: &Tenant,
        session: Option<&SessionId>,
        most: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let session = session.map(SessionId::as_str);
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT sequence, at_ms, tenant, session, kind, body, opening, before, hash, seal
             FROM audit WHERE tenant = $1 AND (CAST($2 AS TEXT) IS NULL OR session = $2)
             ORDER BY sequence DESC LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(session)
        .bind(limit(most))
        .fetch_all(pool).await?);
        rows.into_iter().map(Row::into_line).collect()
    }
}

impl Row {
    fn into_line(self) -> Result<Line, StoreError> {
        Ok(Line {
            sequence: count(self.sequence)?,
            at_ms: self.at_ms,
            tenant: self.tenant,
            session: self.session,
            kind: self.kind,
            body: self.body,
            opening: count(self.opening)?,
            before: self.before,
            hash: self.hash,
            seal: self.seal,
        })
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(whole: i64) -> Result<u64, StoreError> {
    u64::try_from(whole).map_err(|_| StoreError::Corrupt {
        what: "sequence of the audit",
        value: whole.to_string(),
    })
}

fn limit(most: usize) -> i64 {
    i64::try_from(most.min(LINES_MAX)).unwrap_or(i64::MAX)
}
