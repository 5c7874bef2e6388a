//! Who may report: invitations, enrolled agents, revocation.
//!
//! A secret is kept as its SHA-256 only. [`AgentId`] is a proof: it comes only from a certificate
//! that the store knows and that is not revoked ([`super::holders`] judges them).

use jiff::Timestamp;
use printer::identity::DeviceId;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::store::{Store, StoreError, Tenant, maybe_timestamp, millis, on_pool, timestamp};

/// An agent that has proven itself by its certificate. Made by [`Store::prove`] and
/// [`Store::agent_of`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentId {
    tenant: Tenant,
    id: String,
    name: String,
}

impl AgentId {
    pub(super) fn proven(tenant: &Tenant, id: &str, name: &str) -> Self {
        Self {
            tenant: tenant.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Whose agent it is.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The id in its certificate.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What an agent tells of itself with each poll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Its program's version.
    pub version: String,
    /// When it started, if it says.
    pub started_at: Option<Timestamp>,
    /// Reports waiting in its spool.
    pub spool_reports: u64,
    /// When the oldest of them was made.
    pub spool_oldest: Option<Timestamp>,
    /// Devices it knows.
    pub devices: u32,
    /// Of them, those that did not answer their last read.
    pub devices_silent: u32,
    /// Restarts of its actors since it started.
    pub restarts: u32,
    /// How often it was started on its state folder.
    #[serde(default)]
    pub boot: u64,
    /// Made anew at each of its starts: two in use at once are two holders of one identity.
    #[serde(default)]
    pub instance: String,
    /// Whether its session for commands stands.
    #[serde(default)]
    pub commands_connected: bool,
    /// What is wrong at the site, in its words, most important first.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// The id of the configuration of the hub's that it runs; empty for none.
    #[serde(default)]
    pub configuration: String,
    /// Who answers there and accepts no credential: not silent, and not read.
    #[serde(default)]
    pub refusing: Vec<Refusing>,
    /// Which of its printers may be another one.
    #[serde(default)]
    pub doubtful: Vec<Doubtful>,
}

/// A printer that may be another one, which its agent knows: it is kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubtful {
    /// Which one.
    pub device: DeviceId,
    /// Where it answers, or the pseudonym of that; empty if nobody knows.
    pub address: String,
    /// Which ones it may be, the likeliest first.
    pub may_be: Vec<DeviceId>,
    /// How many more, which are not named.
    pub more: u32,
    /// Why nobody can tell, in the agent's words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// A device that answers and accepts no credential of its range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusing {
    /// Where it answers, or the pseudonym of that.
    pub address: String,
    /// What it says to each credential, in the agent's words.
    pub why: String,
    /// Which printer it is; empty for one that was never read.
    pub device: String,
}

/// An agent, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRow {
    /// The id in its certificate.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The site it stands at, if its invitation named one; else empty.
    pub site: String,
    /// SHA-256 of its public key, in hex; empty for one enrolled before keys were kept.
    pub key_hash: String,
    /// What secrets are sealed to for it: an X25519 public key.
    pub sealing_key: Option<[u8; 32]>,
    /// When it was enrolled, last.
    pub enrolled: Timestamp,
    /// When its certificate ends.
    pub certificate_until: Timestamp,
    /// When it was revoked; `None` while it may report.
    pub revoked: Option<Timestamp>,
    /// Since when it is set aside, and why.
    pub quarantined: Option<(Timestamp, String)>,
    /// How often it was refused for good since it was last let in; no more is counted than makes
    /// an agent disable itself.
    pub refusals: i64,
    /// When it last polled.
    pub last_poll: Option<Timestamp>,
    /// Its program's version.
    pub version: String,
    /// What it last told of itself.
    pub status: Option<AgentStatus>,
    /// Why its reports are refused, if they are.
    pub trouble: Option<String>,
    /// Printers it has read.
    pub printers: u64,
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    site: String,
    key_hash: String,
    sealing_key: Option<String>,
    enrolled_ms: i64,
    expires_ms: i64,
    revoked_ms: Option<i64>,
    quarantined_ms: Option<i64>,
    quarantine: Option<String>,
    refusals: i64,
    last_poll_ms: Option<i64>,
    version: String,
    status: Option<String>,
    trouble: Option<String>,
    printers: i64,
}

#[derive(FromRow)]
struct NameRow {
    id: String,
    name: String,
}

impl Store {
    /// Every agent, revoked ones too, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn agents(&self, tenant: &Tenant) -> Result<Vec<AgentRow>, StoreError> {
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT a.id, a.name, a.site, a.key_hash, a.sealing_key, a.enrolled_ms, a.expires_ms,
                    a.revoked_ms, a.quarantined_ms, a.quarantine, a.refusals, a.last_poll_ms,
                    a.version, a.status, a.trouble,
                    (SELECT COUNT(*) FROM devices d
                     WHERE d.tenant = a.tenant AND d.agent = a.id) AS printers
             FROM agents a WHERE a.tenant = $1 ORDER BY a.name",
        ).bind(tenant.as_str()).fetch_all(pool).await?);
        rows.into_iter().map(Row::into_agent).collect()
    }

    /// The agent with this certificate, unless it is unknown, revoked or set aside, or the
    /// certificate has ended or was replaced. Unlike [`Store::prove`] it changes nothing.
    ///
    /// `fingerprint` is the SHA-256 of a certificate that TLS has verified, in hex.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn agent_of(
        &self,
        tenant: &Tenant,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Option<AgentId>, StoreError> {
        let row: Option<NameRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT a.id, a.name FROM certificates c
             JOIN agents a ON a.tenant = c.tenant AND a.id = c.agent
             WHERE c.tenant = $1 AND c.fingerprint = $2 AND c.expires_ms > $3
               AND c.state IN ('issued', 'current')
               AND a.revoked_ms IS NULL AND a.quarantined_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(fingerprint)
        .bind(millis(now))
        .fetch_optional(pool).await?);
        Ok(row.map(|row| AgentId::proven(tenant, &row.id, &row.name)))
    }
}

impl Store {
    /// Revokes an agent by name or id: its next poll is refused. Says whether there was one to revoke.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        name_or_id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let revoked = on_pool!(self, pool => sqlx::query(
            "UPDATE agents SET revoked_ms = $3, refusals = 0
             WHERE tenant = $1 AND (name = $2 OR id = $2) AND revoked_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(name_or_id)
        .bind(millis(now))
        .execute(pool).await?.rows_affected());
        Ok(revoked > 0)
    }
}

impl Row {
    fn into_agent(self) -> Result<AgentRow, StoreError> {
        let status = self.status.as_deref().map(serde_json::from_str).transpose();
        let quarantined = maybe_timestamp(self.quarantined_ms)?;
        Ok(AgentRow {
            id: self.id,
            name: self.name,
            site: self.site,
            key_hash: self.key_hash,
            sealing_key: self.sealing_key.as_deref().map(octets).transpose()?,
            enrolled: timestamp(self.enrolled_ms)?,
            certificate_until: timestamp(self.expires_ms)?,
            revoked: maybe_timestamp(self.revoked_ms)?,
            quarantined: quarantined.map(|since| (since, self.quarantine.unwrap_or_default())),
            refusals: self.refusals,
            last_poll: maybe_timestamp(self.last_poll_ms)?,
            version: self.version,
            status: status.map_err(|error| StoreError::Corrupt {
                what: "agent status",
                value: error.to_string(),
            })?,
            trouble: self.trouble,
            printers: u64::try_from(self.printers).unwrap_or(0),
        })
    }
}

/// 64 hex digits as octets.
fn octets(hex: &str) -> Result<[u8; 32], StoreError> {
    let corrupt = || StoreError::Corrupt {
        what: "key",
        value: hex.chars().take(80).collect(),
    };
    let mut octets = [0; 32];
    if hex.len() != 64 {
        return Err(corrupt());
    }
    for (octet, digits) in octets.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| corrupt())?;
        *octet = u8::from_str_radix(digits, 16).map_err(|_| corrupt())?;
    }
    Ok(octets)
}
