//! The certificates that printers showed: the first one of a device and port is pinned, and another
//! one is not believed until a person takes it.

use jiff::Timestamp;
use printer::identity::DeviceId;
use sqlx::FromRow;

use crate::store::{Store, StoreError, Tenant, millis, on_pool, timestamp};

/// A certificate that is believed at one port of one printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// SHA-256 of its DER, in lower-case hex.
    pub fingerprint: String,
    /// Since when.
    pub first_seen: Timestamp,
    /// Who had a session when it was first seen, or took it in place of another.
    pub taken_by: String,
}

#[derive(FromRow)]
struct Row {
    fingerprint: String,
    first_seen_ms: i64,
    taken_by: String,
}

impl Store {
    /// What is pinned at a port of a printer; `None` before anybody has seen a certificate there.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn pin_of(
        &self,
        tenant: &Tenant,
        device: &DeviceId,
        port: u16,
    ) -> Result<Option<Pin>, StoreError> {
        let row: Option<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT fingerprint, first_seen_ms, taken_by FROM web_pins
             WHERE tenant = $1 AND device = $2 AND port = $3",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(i64::from(port))
        .fetch_optional(pool).await?);
        row.map(|row| {
            Ok(Pin {
                first_seen: timestamp(row.first_seen_ms)?,
                fingerprint: row.fingerprint,
                taken_by: row.taken_by,
            })
        })
        .transpose()
    }

    /// Pins a certificate in place of `old`: what was pinned when a person decided, or nothing when
    /// it is the first one. Says no where something else is pinned by now.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn pin_take(
        &self,
        tenant: &Tenant,
        (device, port): (&DeviceId, u16),
        (old, new): (Option<&str>, &str),
        (by, now): (&str, Timestamp),
    ) -> Result<bool, StoreError> {
        let taken = on_pool!(self, pool => sqlx::query(
            "INSERT INTO web_pins (tenant, device, port, fingerprint, first_seen_ms, taken_by)
             SELECT $1, $2, $3, $4, $5, $6
             WHERE CAST($7 AS TEXT) IS NULL OR EXISTS (
               SELECT 1 FROM web_pins WHERE tenant = $1 AND device = $2 AND port = $3)
             ON CONFLICT (tenant, device, port) DO UPDATE
             SET fingerprint = excluded.fingerprint, first_seen_ms = excluded.first_seen_ms,
                 taken_by = excluded.taken_by
             WHERE web_pins.fingerprint = CAST($7 AS TEXT)",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(i64::from(port))
        .bind(new)
        .bind(millis(now))
        .bind(by)
        .bind(old)
        .execute(pool).await?.rows_affected());
        Ok(taken > 0)
    }
}
