//! Devices that are one printer, as a person said: merged, and split again.
//!
//! A merge is a line beside the readings, which keep the device they came with; to split takes the
//! line away, and each has its own again as it was. Both devices are of one tenant: there is no
//! question that could name two.

use std::collections::BTreeMap;

use jiff::Timestamp;
use printer::identity::DeviceId;
use sqlx::FromRow;

use crate::store::{Store, StoreError, Tenant, in_transaction, millis, on_pool, timestamp};

/// One device that is shown as part of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Which.
    pub device: DeviceId,
    /// The other.
    pub into: DeviceId,
    /// Since when.
    pub at: Timestamp,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Merge {
    /// Whether it says that a device is a printer of its own, whatever it is like.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.device == self.into
    }
}

/// What came of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// They are one from now on.
    Done,
    /// They were already.
    Already,
    /// One of them was never read here.
    Unknown,
}

/// Which devices are one printer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Families(BTreeMap<DeviceId, DeviceId>);

#[derive(FromRow)]
struct MergeRow {
    device: String,
    into_device: String,
    merged_ms: i64,
    merged_by: String,
    reason: String,
}

impl Families {
    /// The families that these merges make.
    #[must_use]
    pub fn of(merges: &[Merge]) -> Self {
        let pair = |merge: &Merge| (merge.device.clone(), merge.into.clone());
        let merges = merges.iter().filter(|merge| !merge.is_apart());
        Self(merges.map(pair).collect())
    }

    /// Whether nothing is merged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The device under which this one is shown: itself, where it is part of no other.
    #[must_use]
    pub fn root(&self, device: &DeviceId) -> DeviceId {
        let mut root = device;
        // Two merges at once could make a circle; then any of it will do.
        for _ in 0..self.0.len() {
            match self.0.get(root) {
                Some(into) => root = into,
                None => break,
            }
        }
        root.clone()
    }

    /// Every device that is shown with this one, itself among them.
    #[must_use]
    pub fn members(&self, device: &DeviceId) -> Vec<DeviceId> {
        let root = self.root(device);
        let parts = self
            .0
            .keys()
            .filter(|it| **it != root && self.root(it) == root);
        std::iter::once(root.clone())
            .chain(parts.cloned())
            .collect()
    }
}

impl Store {
    /// Every merge of a tenant, by device.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn merges(&self, tenant: &Tenant) -> Result<Vec<Merge>, StoreError> {
        let rows: Vec<MergeRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT device, into_device, merged_ms, merged_by, reason FROM merges
             WHERE tenant = $1 ORDER BY device",
        ).bind(tenant.as_str()).fetch_all(pool).await?);
        rows.into_iter().map(MergeRow::into_merge).collect()
    }

    /// Which devices of a tenant are one printer.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn families(&self, tenant: &Tenant) -> Result<Families, StoreError> {
        Ok(Families::of(&self.merges(tenant).await?))
    }

    /// Shows a device as part of another. Of two that are parts already their roots are merged.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn merge(&self, tenant: &Tenant, merge: &Merge) -> Result<Merged, StoreError> {
        let families = self.families(tenant).await?;
        let (device, into) = (families.root(&merge.device), families.root(&merge.into));
        if device == into {
            return Ok(Merged::Already);
        }
        let merged = in_transaction!(self, tx => {
            let known: i64 = sqlx::query_scalar(
                "SELECT COUNT(DISTINCT device) FROM devices
                 WHERE tenant = $1 AND (device = $2 OR device = $3)",
            )
            .bind(tenant.as_str()).bind(device.as_str()).bind(into.as_str())
            .fetch_one(&mut *tx).await?;
            if known < 2 {
                return Ok(Merged::Unknown);
            }
            // Whoever merges it takes back that it is one of its own.
            sqlx::query(
                "DELETE FROM merges WHERE tenant = $1 AND device = into_device
                 AND (device = $2 OR device = $3)",
            )
            .bind(tenant.as_str()).bind(device.as_str()).bind(into.as_str())
            .execute(&mut *tx).await?;
            let written = sqlx::query(
                "INSERT INTO merges (tenant, device, into_device, merged_ms, merged_by, reason)
                 SELECT $1, $2, $3, $4, $5, $6
                 WHERE NOT EXISTS (SELECT 1 FROM merges WHERE tenant = $1 AND device = $3)
                 ON CONFLICT (tenant, device) DO NOTHING",
            )
            .bind(tenant.as_str()).bind(device.as_str()).bind(into.as_str())
            .bind(millis(merge.at)).bind(&merge.by).bind(&merge.reason)
            .execute(&mut *tx).await?.rows_affected();
            if written == 1 { Merged::Done } else { Merged::Already }
        });
        Ok(merged)
    }

    /// Says of a device that it is a printer of its own: whatever it was like until now, it is none of
    /// those. False for one that is part of another, or that nobody has read.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn keep_apart(&self, tenant: &Tenant, said: &Merge) -> Result<bool, StoreError> {
        let written = on_pool!(self, pool => sqlx::query(
            "INSERT INTO merges (tenant, device, into_device, merged_ms, merged_by, reason)
             SELECT $1, $2, $2, $3, $4, $5
             WHERE EXISTS (SELECT 1 FROM devices WHERE tenant = $1 AND device = $2)
             ON CONFLICT (tenant, device) DO UPDATE SET merged_ms = excluded.merged_ms,
               merged_by = excluded.merged_by, reason = excluded.reason
             WHERE merges.into_device = merges.device",
        )
        .bind(tenant.as_str()).bind(said.device.as_str()).bind(millis(said.at))
        .bind(&said.by).bind(&said.reason)
        .execute(pool).await?.rows_affected());
        Ok(written > 0)
    }

    /// Takes a device out of the one that it is shown as part of. False where it is part of none.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn split(&self, tenant: &Tenant, device: &DeviceId) -> Result<bool, StoreError> {
        let taken = on_pool!(self, pool => sqlx::query(
            "DELETE FROM merges WHERE tenant = $1 AND device = $2",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .execute(pool).await?.rows_affected());
        Ok(taken > 0)
    }
}

impl MergeRow {
    fn into_merge(self) -> Result<Merge, StoreError> {
        let id = |text: String| {
            DeviceId::parse(&text).ok_or(StoreError::Corrupt {
                what: "device id",
                value: text,
            })
        };
        Ok(Merge {
            device: id(self.device)?,
            into: id(self.into_device)?,
            at: timestamp(self.merged_ms)?,
            by: self.merged_by,
            reason: self.reason,
        })
    }
}
