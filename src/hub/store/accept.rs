//! Keeping reports: exactly once, in one transaction, acknowledged only when they are kept.
//!
//! At least once on the wire, exactly once here: a report is one row, unique by agent, epoch and
//! sequence. Used by the uplink's door; what a report says was checked there.

use jiff::Timestamp;
use printer::meter::{MeterName, Unit};
use printer::reading::Reading;
use serde::Serialize;
use sqlx::FromRow;

use crate::store::agents::AgentId;
use crate::store::holders::{self, Heard, Start, StartRow, hear_start};
use crate::store::report::{Batch, Body, Report};
use crate::store::{Store, StoreError, in_transaction, millis, on_pool, timestamp};

/// Longest serial number or address kept beside a reading for look-ups, in characters.
const LOOKUP_LEN_MAX: usize = 128;

/// The kind of a report about what a spool gave up.
const THINNED: &str = "thinned";

/// What the hub answers to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Every report up to this one is kept, or was explained; 0 none.
    pub acked: u64,
    /// The agent should send again from here, if it still has it.
    pub resend_from: Option<u64>,
    /// How many of the batch were kept before: a repeat changed nothing.
    pub repeated: u32,
}

/// Why a batch was not kept: nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The agent was revoked while it spoke.
    #[error("this agent was revoked")]
    Revoked,
    /// The agent is set aside.
    #[error("quarantined: {0}")]
    Quarantined(String),
    /// A later start of the agent has spoken while this was on its way.
    #[error("a later start of this agent has spoken; send again")]
    Late,
    /// A newer spool of this agent has reported already. Only an agent that was just released is
    /// told so; any other is set aside.
    #[error("the spool's epoch {epoch} is older than {newest}; begin a new epoch")]
    EpochWentBack {
        /// The epoch sent.
        epoch: u64,
        /// The newest one kept.
        newest: u64,
    },
    /// The same number was another report before: a spool was restored, or two hold one identity.
    #[error("report {sequence} of epoch {epoch} was another report before; begin a new epoch")]
    Altered {
        /// The spool's epoch.
        epoch: u64,
        /// The report.
        sequence: u64,
    },
    /// A number beyond what the store can hold.
    #[error("{0} is too large")]
    TooLarge(&'static str),
    /// The store did not answer: send again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AcceptError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How far an agent's spool has been kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    acked: u64,
    asked: u64,
}

#[derive(FromRow)]
struct PositionRow {
    epoch: i64,
    acked: i64,
    asked: i64,
}

#[derive(FromRow)]
struct KeptRow {
    device: String,
    kind: String,
    at_ms: i64,
}

/// A report as its columns.
struct Columns {
    sequence: i64,
    device: String,
    kind: &'static str,
    at_ms: i64,
}

/// Enters a report in the ledger. True if it was not there yet.
macro_rules! insert_report {
    ($tx:ident, $key:expr, $columns:expr, $now:expr) => {{
        let (tenant, agent, epoch) = $key;
        sqlx::query(
            "INSERT INTO reports (tenant, agent, epoch, sequence, device, kind, at_ms, kept_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(tenant)
        .bind(agent)
        .bind(epoch)
        .bind($columns.sequence)
        .bind(&$columns.device)
        .bind($columns.kind)
        .bind($columns.at_ms)
        .bind(millis($now))
        .execute(&mut *$tx)
        .await?
        .rows_affected()
            == 1
    }};
}

/// Refuses a report whose number was another report before.
macro_rules! check_same {
    ($tx:ident, $key:expr, $columns:expr, $epoch:expr) => {{
        let (tenant, agent, epoch) = $key;
        let kept: KeptRow = sqlx::query_as(
            "SELECT device, kind, at_ms FROM reports
             WHERE tenant = $1 AND agent = $2 AND epoch = $3 AND sequence = $4",
        )
        .bind(tenant)
        .bind(agent)
        .bind(epoch)
        .bind($columns.sequence)
        .fetch_one(&mut *$tx)
        .await?;
        if !$columns.is_same(&kept) {
            let sequence = $columns.sequence.unsigned_abs();
            return Err(AcceptError::Altered {
                epoch: $epoch,
                sequence,
            });
        }
    }};
}

/// Keeps a reading, and the device's latest if it is that.
macro_rules! insert_reading {
    ($tx:ident, $key:expr, $columns:expr, $reading:expr, $is_status:expr, $seen_ms:expr) => {{
        let (tenant, agent, epoch) = $key;
        let body = to_json($reading)?;
        sqlx::query(
            "INSERT INTO readings
               (tenant, agent, epoch, sequence, device, at_ms, is_status, total, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(tenant)
        .bind(agent)
        .bind(epoch)
        .bind($columns.sequence)
        .bind(&$columns.device)
        .bind($columns.at_ms)
        .bind(i64::from($is_status))
        .bind(total($reading))
        .bind(&body)
        .execute(&mut *$tx)
        .await?;
        sqlx::query(
            "INSERT INTO devices
               (tenant, agent, device, first_seen_ms, last_seen_ms, serial, address, body)
             VALUES ($1, $2, $3, $4, $4, $5, $6, $7)
             ON CONFLICT (tenant, agent, device) DO UPDATE SET
               first_seen_ms = CASE WHEN excluded.first_seen_ms < devices.first_seen_ms
                 THEN excluded.first_seen_ms ELSE devices.first_seen_ms END,
               silent_since_ms = CASE WHEN excluded.last_seen_ms >= devices.silent_since_ms
                 THEN NULL ELSE devices.silent_since_ms END",
        )
        .bind(tenant)
        .bind(agent)
        .bind(&$columns.device)
        .bind($seen_ms)
        .bind($reading.identity.serial.as_deref().map(lookup))
        .bind($reading.address.map(|address| address.to_string()))
        .bind(&body)
        .execute(&mut *$tx)
        .await?;
        // Reports may arrive late: the latest reading is the one seen last, not told last.
        sqlx::query(
            "UPDATE devices SET last_seen_ms = $4, serial = $5, address = $6, body = $7
             WHERE tenant = $1 AND agent = $2 AND device = $3 AND last_seen_ms <= $4",
        )
        .bind(tenant)
        .bind(agent)
        .bind(&$columns.device)
        .bind($seen_ms)
        .bind($reading.identity.serial.as_deref().map(lookup))
        .bind($reading.address.map(|address| address.to_string()))
        .bind(&body)
        .execute(&mut *$tx)
        .await?;
    }};
}

/// Keeps what a new report says.
macro_rules! insert_body {
    ($tx:ident, $key:expr, $columns:expr, $report:expr, $now:expr) => {{
        let (tenant, agent, epoch) = $key;
        // A site's clock that is ahead must not make a device look heard in the future.
        let seen_ms = $columns.at_ms.min(millis($now));
        match &$report.body {
            Body::Reading {
                is_status, reading, ..
            } => {
                insert_reading!($tx, $key, $columns, reading.as_ref(), *is_status, seen_ms);
            }
            Body::Silent { .. } => {
                sqlx::query(
                    "UPDATE devices SET silent_since_ms = $4
                     WHERE tenant = $1 AND agent = $2 AND device = $3 AND last_seen_ms <= $4
                       AND (silent_since_ms IS NULL OR silent_since_ms > $4)",
                )
                .bind(tenant)
                .bind(agent)
                .bind(&$columns.device)
                .bind(seen_ms)
                .execute(&mut *$tx)
                .await?;
            }
            Body::Thinned {
                reports,
                first,
                last,
                ..
            } => {
                sqlx::query(
                    "INSERT INTO thinned
                       (tenant, agent, epoch, sequence, device, reports, first_ms, last_ms)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                )
                .bind(tenant)
                .bind(agent)
                .bind(epoch)
                .bind($columns.sequence)
                .bind(&$columns.device)
                .bind(i64::from(*reports))
                .bind(millis(*first))
                .bind(millis(*last))
                .execute(&mut *$tx)
                .await?;
            }
        }
    }};
}

impl Store {
    /// Keeps a batch of reports, ascending by sequence, in one transaction: all of it or nothing.
    ///
    /// A report that was kept before changes nothing, so a batch may be sent any number of times.
    /// The agent's status is kept along with it; a batch may be empty.
    ///
    /// A spool hands over its reports in order, so a gap inside a batch is a gap of the spool.
    /// A gap before a batch may also be what this hub lost to a restored backup: it is asked for
    /// once ([`Accepted::resend_from`]) and not acknowledged until the answer shows that the
    /// spool does not have it either.
    ///
    /// # Errors
    /// [`AcceptError`]; [`AcceptError::Store`] means: send again later.
    pub async fn accept(
        &self,
        agent: &AgentId,
        batch: &Batch<'_>,
        now: Timestamp,
    ) -> Result<Accepted, AcceptError> {
        let kept = self.keep(agent, batch, now).await;
        match &kept {
            Err(error @ (AcceptError::EpochWentBack { .. } | AcceptError::Altered { .. })) => {
                self.note_trouble(agent, &error.to_string()).await?;
            }
            Err(AcceptError::Quarantined(reason)) => {
                self.quarantine(agent.tenant(), agent.as_str(), reason, now)
                    .await?;
            }
            Err(_) | Ok(_) => {}
        }
        kept
    }

    async fn keep(
        &self,
        agent: &AgentId,
        batch: &Batch<'_>,
        now: Timestamp,
    ) -> Result<Accepted, AcceptError> {
        let Batch {
            epoch,
            status,
            reports,
        } = *batch;
        let epoch_column = column(epoch, "epoch")?;
        let status_body = to_json(status)?;
        let columns: Vec<Columns> = reports.iter().map(Columns::of).collect::<Result<_, _>>()?;
        let (tenant, id) = (agent.tenant().as_str(), agent.as_str());
        let accepted = in_transaction!(self, tx => {
            // First, because it also makes a second poll of the same agent wait for this one.
            let living = sqlx::query(
                "UPDATE agents SET last_poll_ms = $3, version = $4, status = $5, trouble = NULL,
                   refusals = 0
                 WHERE tenant = $1 AND id = $2 AND revoked_ms IS NULL",
            )
            .bind(tenant).bind(id).bind(millis(now)).bind(&status.version).bind(&status_body)
            .execute(&mut *tx).await?.rows_affected();
            if living == 0 {
                return Err(AcceptError::Revoked);
            }
            let is_known = hear_start!(tx, (tenant, id), status, now);
            let newest: Option<PositionRow> = sqlx::query_as(
                "SELECT epoch, acked, asked FROM positions
                 WHERE tenant = $1 AND agent = $2 ORDER BY epoch DESC LIMIT 1",
            )
            .bind(tenant).bind(id).fetch_optional(&mut *tx).await?;
            let position = position_of(newest, epoch, is_known)?;
            let mut repeated = 0;
            for (report, columns) in reports.iter().zip(&columns) {
                let is_new = insert_report!(tx, (tenant, id, epoch_column), columns, now);
                if is_new {
                    insert_body!(tx, (tenant, id, epoch_column), columns, report, now);
                } else {
                    check_same!(tx, (tenant, id, epoch_column), columns, epoch);
                    repeated += 1;
                }
            }
            let (position, resend_from) = advance(position, reports);
            sqlx::query(
                "INSERT INTO positions (tenant, agent, epoch, acked, asked)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (tenant, agent, epoch) DO UPDATE SET
                   acked = excluded.acked, asked = excluded.asked",
            )
            .bind(tenant).bind(id).bind(epoch_column)
            .bind(column(position.acked, "sequence")?).bind(column(position.asked, "sequence")?)
            .execute(&mut *tx).await?;
            Accepted { acked: position.acked, resend_from, repeated }
        });
        Ok(accepted)
    }

    async fn note_trouble(&self, agent: &AgentId, trouble: &str) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE agents SET trouble = $3 WHERE tenant = $1 AND id = $2",
        )
        .bind(agent.tenant().as_str())
        .bind(agent.as_str())
        .bind(trouble)
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }
}

impl Columns {
    fn of(report: &Report) -> Result<Self, AcceptError> {
        let (device, kind, at) = match &report.body {
            Body::Reading {
                device,
                is_status: false,
                reading,
            } => (Some(device), "reading", reading.at),
            Body::Reading {
                device,
                is_status: true,
                reading,
            } => (Some(device), "status", reading.at),
            Body::Silent { device, at, .. } => (Some(device), "silent", *at),
            Body::Thinned { device, last, .. } => (device.as_ref(), THINNED, *last),
        };
        Ok(Self {
            sequence: column(report.sequence, "sequence")?,
            device: device.map(ToString::to_string).unwrap_or_default(),
            kind,
            at_ms: millis(at),
        })
    }

    fn is_same(&self, kept: &KeptRow) -> bool {
        // What a site's disk lost after it was sent comes again as thinned: what is kept stays.
        self.kind == THINNED
            || (self.device == kept.device && self.kind == kept.kind && self.at_ms == kept.at_ms)
    }
}

/// Where the spool of `epoch` stands, given the newest epoch kept. An epoch goes back where a spool
/// of another holder speaks, or one that was put back: of an agent that is known that is quarantine,
/// and one that was just released is told to begin a new one.
fn position_of(
    newest: Option<PositionRow>,
    epoch: u64,
    is_known: bool,
) -> Result<Position, AcceptError> {
    // An agent whose spool cannot be opened has no epoch, and tells only how it is.
    let Some(row) = newest.filter(|_| epoch > 0) else {
        return Ok(Position::default());
    };
    let newest = row.epoch.unsigned_abs();
    match newest.cmp(&epoch) {
        std::cmp::Ordering::Less => Ok(Position::default()),
        std::cmp::Ordering::Equal => Ok(Position {
            acked: row.acked.unsigned_abs(),
            asked: row.asked.unsigned_abs(),
        }),
        std::cmp::Ordering::Greater if is_known => Err(AcceptError::Quarantined(format!(
            "the epoch of its spool went back from {newest} to {epoch}: two hold this identity, or \
             its spool was put back"
        ))),
        std::cmp::Ordering::Greater => Err(AcceptError::EpochWentBack { epoch, newest }),
    }
}

/// Where the spool stands after `reports`, and what to ask for again, if anything.
fn advance(position: Position, reports: &[Report]) -> (Position, Option<u64>) {
    let (Some(first), Some(last)) = (reports.first(), reports.last()) else {
        return (position, None);
    };
    let next = position.acked + 1;
    if first.sequence > next && position.asked != next {
        return (
            Position {
                asked: next,
                ..position
            },
            Some(next),
        );
    }
    let acked = position.acked.max(last.sequence);
    (
        Position {
            acked,
            asked: position.asked,
        },
        None,
    )
}

/// The life count that pages per day are judged from: never one that nothing proves.
fn total(reading: &Reading) -> Option<i64> {
    let is_total = |meter: &&printer::meter::Meter| {
        meter.name == MeterName::TOTAL && meter.unit == Unit::Impressions && !meter.beta
    };
    let value = reading.meters.iter().find(is_total)?.value;
    i64::try_from(value).ok()
}

/// A device's word as a person would type it: bounded, without control characters.
fn lookup(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LOOKUP_LEN_MAX)
        .collect()
}

fn column(value: u64, what: &'static str) -> Result<i64, AcceptError> {
    // One less than the largest, so that the next one fits too.
    i64::try_from(value)
        .ok()
        .filter(|value| *value < i64::MAX)
        .ok_or(AcceptError::TooLarge(what))
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
        what: "report",
        value: error.to_string(),
    })
}
