//! What the portal and the commands show: the fleet, a printer, its history, its pages per day.
//!
//! Reads only. The same device seen by two agents is two rows of the fleet; its history and its
//! pages are one, because the counter is one. So are those of devices that were merged.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use printer::identity::DeviceId;
use printer::reading::Reading;
use sqlx::FromRow;

use crate::meter::{self, Count, DayPages};
use crate::store::merges::Families;
use crate::store::{Store, StoreError, Tenant, maybe_timestamp, millis, on_pool, timestamp};

/// Most rows of one history. A page shows fewer; an export asks again.
const HISTORY_MAX: u32 = 1_000;

/// A printer of the fleet, as one agent sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PrinterRow {
    /// Names the device for good: what its agent calls it.
    pub device: DeviceId,
    /// The device that it is shown with: itself, unless a person merged it into another.
    pub root: DeviceId,
    /// The agent that reads it, by id.
    pub agent: String,
    /// The agent that reads it, by name.
    pub agent_name: String,
    /// What it last said, in full or merged with a status read.
    pub reading: Reading,
    /// When it was first read.
    pub first_seen: Timestamp,
    /// When it last answered.
    pub last_seen: Timestamp,
    /// It does not answer since then; `None` while it does.
    pub silent_since: Option<Timestamp>,
}

/// One printer, and who else sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PrinterDetail {
    /// As the agent sees it that heard it last.
    pub row: PrinterRow,
    /// As other agents see the same device.
    pub elsewhere: Vec<PrinterRow>,
}

/// One kept reading.
#[derive(Debug, Clone, PartialEq)]
pub struct PastReading {
    /// The agent that read it, by name.
    pub agent_name: String,
    /// A cheap status read, built on the last full one.
    pub is_status: bool,
    /// What it said.
    pub reading: Reading,
}

/// Which printers a count is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// Each one, added up.
    All,
    /// This one.
    One(&'a DeviceId),
}

#[derive(FromRow)]
struct DeviceRow {
    device: String,
    agent: String,
    agent_name: String,
    first_seen_ms: i64,
    last_seen_ms: i64,
    silent_since_ms: Option<i64>,
    body: String,
}

#[derive(FromRow)]
struct CountRow {
    device: String,
    at_ms: i64,
    total: i64,
}

#[derive(FromRow)]
struct PastRow {
    agent_name: String,
    is_status: i64,
    body: String,
}

impl Store {
    /// Every printer of the fleet, by agent name and then device id.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn fleet(&self, tenant: &Tenant) -> Result<Vec<PrinterRow>, StoreError> {
        let rows: Vec<DeviceRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT d.device, d.agent, a.name AS agent_name, d.first_seen_ms, d.last_seen_ms,
                    d.silent_since_ms, d.body
             FROM devices d JOIN agents a ON a.tenant = d.tenant AND a.id = d.agent
             WHERE d.tenant = $1
             ORDER BY a.name, d.device",
        ).bind(tenant.as_str()).fetch_all(pool).await?);
        let families = self.families(tenant).await?;
        let printers = rows.into_iter().map(|row| row.into_printer(&families));
        printers.collect()
    }

    /// One printer, or `None` if nobody has read it.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn printer(
        &self,
        tenant: &Tenant,
        device: &DeviceId,
    ) -> Result<Option<PrinterDetail>, StoreError> {
        let rows: Vec<DeviceRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT d.device, d.agent, a.name AS agent_name, d.first_seen_ms, d.last_seen_ms,
                    d.silent_since_ms, d.body
             FROM devices d JOIN agents a ON a.tenant = d.tenant AND a.id = d.agent
             WHERE d.tenant = $1 AND d.device = $2
             ORDER BY d.last_seen_ms DESC, a.name",
        ).bind(tenant.as_str()).bind(device.as_str()).fetch_all(pool).await?);
        let families = self.families(tenant).await?;
        let mut rows = rows.into_iter().map(|row| row.into_printer(&families));
        let Some(row) = rows.next().transpose()? else {
            return Ok(None);
        };
        Ok(Some(PrinterDetail {
            row,
            elsewhere: rows.collect::<Result<_, _>>()?,
        }))
    }

    /// One printer with every device that was merged with it; the device heard last comes first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn whole_printer(
        &self,
        tenant: &Tenant,
        device: &DeviceId,
    ) -> Result<Option<PrinterDetail>, StoreError> {
        let mut rows = Vec::new();
        for member in self.families(tenant).await?.members(device) {
            let detail = self.printer(tenant, &member).await?;
            rows.extend(
                detail
                    .into_iter()
                    .flat_map(|it| [vec![it.row], it.elsewhere].concat()),
            );
        }
        rows.sort_by_key(|row: &PrinterRow| std::cmp::Reverse(row.last_seen));
        let mut rows = rows.into_iter();
        let row = rows.next();
        Ok(row.map(|row| PrinterDetail {
            row,
            elsewhere: rows.collect(),
        }))
    }

    /// Pages printed on each UTC day from `from` to `to`, both included; gaps are said, not filled.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn daily_pages(
        &self,
        tenant: &Tenant,
        which: Which<'_>,
        from: Date,
        to: Date,
    ) -> Result<Vec<DayPages>, StoreError> {
        let range = (day_start(from), day_end(to));
        let families = self.families(tenant).await?;
        let mut counts = Vec::new();
        match which {
            Which::All => counts = self.counts(tenant, None, range).await?,
            Which::One(device) => {
                for member in families.members(device) {
                    counts.extend(self.counts(tenant, Some(&member), range).await?);
                }
            }
        }
        if !families.is_empty() {
            for row in &mut counts {
                let device = DeviceId::parse(&row.device);
                let root = device.map(|device| families.root(&device));
                row.device = root.map_or_else(|| row.device.clone(), |it| it.to_string());
            }
            counts.sort_by(|a, b| (&a.device, a.at_ms).cmp(&(&b.device, b.at_ms)));
        }
        let mut printers = Vec::new();
        for counts in counts.chunk_by(|a, b| a.device == b.device) {
            let counts: Vec<Count> = counts
                .iter()
                .map(CountRow::count)
                .collect::<Result<_, _>>()?;
            printers.push(meter::daily_pages(&counts, from, to));
        }
        Ok(meter::sum(&printers, from, to))
    }

    /// The last `limit` readings of a printer and of what was merged with it, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn history(
        &self,
        tenant: &Tenant,
        device: &DeviceId,
        limit: u32,
    ) -> Result<Vec<PastReading>, StoreError> {
        let mut history = Vec::new();
        for member in self.families(tenant).await?.members(device) {
            history.extend(self.history_of(tenant, &member, limit).await?);
        }
        history.sort_by_key(|past: &PastReading| std::cmp::Reverse(past.reading.at));
        history.truncate(usize::try_from(limit.min(HISTORY_MAX)).unwrap_or(usize::MAX));
        Ok(history)
    }

    /// The last `limit` readings of one device alone, newest first.
    async fn history_of(
        &self,
        tenant: &Tenant,
        device: &DeviceId,
        limit: u32,
    ) -> Result<Vec<PastReading>, StoreError> {
        let rows: Vec<PastRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT a.name AS agent_name, r.is_status, r.body
             FROM readings r JOIN agents a ON a.tenant = r.tenant AND a.id = r.agent
             WHERE r.tenant = $1 AND r.device = $2
             ORDER BY r.at_ms DESC, r.epoch DESC, r.sequence DESC LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(i64::from(limit.min(HISTORY_MAX)))
        .fetch_all(pool).await?);
        rows.into_iter().map(PastRow::into_reading).collect()
    }

    /// The `total` meter of each printer in the range, and where it stood before, by device and time.
    ///
    /// Of each day only the first and the last reading, and both sides of a fall: between those
    /// the counter only rose, so the rest says nothing more, and it is most of the rows.
    async fn counts(
        &self,
        tenant: &Tenant,
        device: Option<&DeviceId>,
        (from_ms, until_ms): (i64, i64),
    ) -> Result<Vec<CountRow>, StoreError> {
        let device = device.map(DeviceId::as_str);
        let rows = on_pool!(self, pool => sqlx::query_as(
            "SELECT device, at_ms, total
             FROM (SELECT r.device, r.at_ms, r.epoch, r.sequence, r.total,
                     LAG(r.total) OVER s AS before, LEAD(r.total) OVER s AS after,
                     r.at_ms / 86400000 AS day,
                     LAG(r.at_ms / 86400000) OVER s AS day_before,
                     LEAD(r.at_ms / 86400000) OVER s AS day_after
                   FROM (SELECT d.device, COALESCE(
                           (SELECT MAX(b.at_ms) FROM readings b
                            WHERE b.tenant = $1 AND b.device = d.device AND b.total IS NOT NULL
                              AND b.at_ms < $3), $3) AS since_ms
                         FROM (SELECT DISTINCT device FROM devices
                               WHERE tenant = $1 AND ($2 IS NULL OR device = $2)) d) w
                   JOIN readings r ON r.tenant = $1 AND r.device = w.device
                     AND r.at_ms >= w.since_ms AND r.at_ms < $4 AND r.total IS NOT NULL
                   WINDOW s AS (PARTITION BY r.device ORDER BY r.at_ms, r.epoch, r.sequence)) c
             WHERE day_before IS NULL OR day_before <> day OR day_after IS NULL
               OR day_after <> day OR total < before OR after < total
             ORDER BY device, at_ms, epoch, sequence",
        ).bind(tenant.as_str()).bind(device).bind(from_ms).bind(until_ms).fetch_all(pool).await?);
        Ok(rows)
    }
}

impl DeviceRow {
    fn into_printer(self, families: &Families) -> Result<PrinterRow, StoreError> {
        let Some(device) = DeviceId::parse(&self.device) else {
            return Err(StoreError::Corrupt {
                what: "device id",
                value: self.device,
            });
        };
        Ok(PrinterRow {
            root: families.root(&device),
            device,
            agent: self.agent,
            agent_name: self.agent_name,
            reading: reading(&self.body)?,
            first_seen: timestamp(self.first_seen_ms)?,
            last_seen: timestamp(self.last_seen_ms)?,
            silent_since: maybe_timestamp(self.silent_since_ms)?,
        })
    }
}

impl CountRow {
    fn count(&self) -> Result<Count, StoreError> {
        let total = u64::try_from(self.total).map_err(|_| StoreError::Corrupt {
            what: "meter",
            value: self.total.to_string(),
        })?;
        Ok(Count {
            at: timestamp(self.at_ms)?,
            total,
        })
    }
}

impl PastRow {
    fn into_reading(self) -> Result<PastReading, StoreError> {
        Ok(PastReading {
            agent_name: self.agent_name,
            is_status: self.is_status != 0,
            reading: reading(&self.body)?,
        })
    }
}

fn reading(body: &str) -> Result<Reading, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt {
        what: "reading",
        value: error.to_string(),
    })
}

fn day_start(day: Date) -> i64 {
    TimeZone::UTC
        .to_timestamp(day.at(0, 0, 0, 0))
        .map_or(i64::MIN, millis)
}

fn day_end(day: Date) -> i64 {
    day.tomorrow().map_or(i64::MAX, day_start)
}
