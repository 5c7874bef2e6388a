//! Who holds an agent's identity: which certificate, which start, and whether there are two.
//!
//! Two rules, each one pure function. [`of_certificate`] judges a certificate before anything else
//! is heard: a certificate is worth something until a later one was used. [`of_start`] judges what
//! an agent says of itself: its starts are numbered on its own disk, so a number that does not go
//! up is another holder, or a state folder that was copied or put back. Both end in quarantine,
//! which a person ends ([`Store::release`]). docs/explanation/identity.md says what was weighed.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::agents::{AgentId, AgentStatus};
use crate::store::{Store, StoreError, Tenant, in_transaction, millis, on_pool, timestamp};

/// What came from an earlier start, or under an earlier certificate, is late and no second holder
/// for so long: it may still be on its way (a proxy's queue, a busy hub).
pub const LATE_MAX: Duration = Duration::from_secs(5);

/// Certificates kept for one agent that were issued and never used: replies that were lost. An
/// agent that renews and cannot keep what it gets must not fill the store.
const UNUSED_MAX: i64 = 32;

/// After so many refusals in a row an agent disables itself (the agent's own rule, counted here too
/// so that the hub can say so).
pub const REFUSALS_MAX: i64 = 5;

/// A certificate as TLS has verified it: the authority has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// SHA-256 of its DER, in hex.
    pub fingerprint: String,
    /// The name in it: the agent's id.
    pub agent: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// What a certificate is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It opens every call of an agent.
    Good(AgentId),
    /// It has ended, and opens renewal alone.
    Ended(AgentId),
    /// A later one was used a moment ago: send again under that one.
    Late,
    /// The agent is set aside, and why.
    Quarantined(String),
    /// The agent was revoked.
    Revoked,
    /// An enrollment has taken its place.
    Replaced,
    /// Nobody has it.
    Unknown,
}

/// What the store knows of a certificate of an agent that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Given out, not used yet.
    Issued,
    /// The one in use.
    Current,
    /// A later one was used, then.
    Past(Timestamp),
    /// An enrollment took its place.
    Replaced,
    /// Not there, though the authority signed it; the one in use was issued then.
    Missing { current_issued: Timestamp },
}

/// What follows from a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It is good as it is.
    Good,
    /// It is used for the first time: every other one is past from here on.
    First,
    Late,
    Two(String),
    Replaced,
    Unknown,
}

/// The rule of certificates.
fn of_certificate(kept: Kept, issued: Timestamp, now: Timestamp) -> Verdict {
    match kept {
        Kept::Current => Verdict::Good,
        Kept::Issued => Verdict::First,
        Kept::Replaced => Verdict::Replaced,
        Kept::Past(since) if now < since + LATE_MAX => Verdict::Late,
        Kept::Past(since) => Verdict::Two(format!(
            "a certificate came back that a later one had replaced at {since}: two hold this \
             identity"
        )),
        // A hub that was restored from a backup has forgotten the certificates it gave out since:
        // its authority has signed this one, later than all it remembers.
        Kept::Missing { current_issued } if issued >= current_issued => Verdict::First,
        Kept::Missing { .. } => Verdict::Unknown,
    }
}

/// The start that an agent speaks from, as the store remembers or as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// Its number on the agent's disk, from 1 up; 0 from an agent that does not count.
    pub boot: u64,
    /// Random, made by the start; empty from an agent that does not tell.
    pub instance: String,
}

/// What follows from a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The one that spoke before.
    Same,
    /// A new one, which takes its place.
    New,
    /// It may have been sent before the new one spoke: not kept, not held against anyone.
    Late,
    /// There are two, or the folder was put back.
    Two(String),
}

/// The rule of starts. `known` with when it first spoke; none after an enrollment or a release.
pub(super) fn of_start(
    known: Option<&(Start, Timestamp)>,
    spoken: &Start,
    now: Timestamp,
) -> Heard {
    let Some((known, since)) = known else {
        return Heard::New;
    };
    if spoken == known {
        return Heard::Same;
    }
    if spoken.boot > known.boot && spoken.instance != known.instance {
        return Heard::New;
    }
    if now < *since + LATE_MAX {
        return Heard::Late;
    }
    Heard::Two(format!(
        "start {} of this agent spoke after its start {}: two hold this identity, or its state \
         folder was copied or put back",
        spoken.boot, known.boot
    ))
}

impl Start {
    pub(super) fn of(status: &AgentStatus) -> Self {
        Self {
            boot: status.boot,
            instance: status.instance.clone(),
        }
    }
}

/// The start that the store remembers, and whether the agent is set aside.
#[derive(sqlx::FromRow)]
pub(super) struct StartRow {
    pub boot: i64,
    pub instance: Option<String>,
    pub instance_ms: i64,
    pub quarantine: Option<String>,
}

/// Judges which start of the agent speaks, and remembers it, in the transaction that keeps its
/// reports. False if none was known. For accept.rs alone, whose errors it returns.
macro_rules! hear_start {
    ($tx:ident, $agent:expr, $status:expr, $now:expr) => {{
        let (tenant, id) = $agent;
        let row: StartRow = sqlx::query_as(
            "SELECT boot, instance, instance_ms, quarantine FROM agents
             WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .fetch_one(&mut *$tx)
        .await?;
        if let Some(reason) = row.quarantine {
            return Err(AcceptError::Quarantined(reason));
        }
        let since = timestamp(row.instance_ms)?;
        let boot = row.boot.unsigned_abs();
        let known = row
            .instance
            .map(|instance| (Start { boot, instance }, since));
        let spoken = Start::of($status);
        match holders::of_start(known.as_ref(), &spoken, $now) {
            Heard::Same => {}
            Heard::Late => return Err(AcceptError::Late),
            Heard::Two(reason) => return Err(AcceptError::Quarantined(reason)),
            Heard::New => {
                sqlx::query(
                    "UPDATE agents SET boot = $3, instance = $4, instance_ms = $5
                     WHERE tenant = $1 AND id = $2",
                )
                .bind(tenant)
                .bind(id)
                .bind(column(spoken.boot, "boot")?)
                .bind(&spoken.instance)
                .bind(millis($now))
                .execute(&mut *$tx)
                .await?;
            }
        }
        known.is_some()
    }};
}

pub(super) use hear_start;

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    revoked_ms: Option<i64>,
    quarantine: Option<String>,
    state: Option<String>,
    ended_ms: Option<i64>,
    current_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct IdRow {
    id: String,
}

impl Store {
    /// Says what a certificate is worth, and remembers that it was used.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn prove(
        &self,
        tenant: &Tenant,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<Standing, StoreError> {
        let row: Option<Row> = on_pool!(self, pool => sqlx::query_as(
            "SELECT a.name, a.revoked_ms, a.quarantine, c.state, c.ended_ms,
                    (SELECT issued_ms FROM certificates
                     WHERE tenant = a.tenant AND fingerprint = a.fingerprint) AS current_ms
             FROM agents a LEFT JOIN certificates c
               ON c.tenant = a.tenant AND c.agent = a.id AND c.fingerprint = $3
             WHERE a.tenant = $1 AND a.id = $2",
        )
        .bind(tenant.as_str())
        .bind(&presented.agent)
        .bind(&presented.fingerprint)
        .fetch_optional(pool).await?);
        let Some(row) = row else {
            return Ok(Standing::Unknown);
        };
        if row.revoked_ms.is_some() {
            self.note_refusal(tenant, &presented.agent).await?;
            return Ok(Standing::Revoked);
        }
        let verdict = of_certificate(row.kept()?, presented.issued, now);
        // The old holder of an identity that was enrolled anew is refused for good, whatever the
        // new one is suspected of.
        match (verdict, row.quarantine) {
            (Verdict::Replaced, _) => return Ok(Standing::Replaced),
            (Verdict::Unknown, _) => return Ok(Standing::Unknown),
            (_, Some(reason)) => return Ok(Standing::Quarantined(reason)),
            (Verdict::Late, None) => return Ok(Standing::Late),
            (Verdict::Two(reason), None) => {
                self.quarantine(tenant, &presented.agent, &reason, now)
                    .await?;
                return Ok(Standing::Quarantined(reason));
            }
            (Verdict::First, None) => self.promote(tenant, presented, now).await?,
            (Verdict::Good, None) => {}
        }
        let agent = AgentId::proven(tenant, &presented.agent, &row.name);
        if presented.until > now {
            Ok(Standing::Good(agent))
        } else {
            Ok(Standing::Ended(agent))
        }
    }

    /// Makes a certificate the one in use: every other one of the agent is past.
    async fn promote(
        &self,
        tenant: &Tenant,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        in_transaction!(self, tx => {
            sqlx::query(
                "UPDATE certificates SET state = 'past', ended_ms = $4
                 WHERE tenant = $1 AND agent = $2 AND fingerprint <> $3
                   AND state IN ('issued', 'current')",
            )
            .bind(tenant.as_str()).bind(&presented.agent).bind(&presented.fingerprint)
            .bind(millis(now))
            .execute(&mut *tx).await?;
            sqlx::query(
                "INSERT INTO certificates
                   (tenant, fingerprint, agent, issued_ms, expires_ms, key_hash, state)
                 VALUES ($1, $2, $3, $4, $5, COALESCE(
                   (SELECT key_hash FROM agents WHERE tenant = $1 AND id = $3), ''), 'current')
                 ON CONFLICT (tenant, fingerprint) DO UPDATE SET state = 'current'",
            )
            .bind(tenant.as_str()).bind(&presented.fingerprint).bind(&presented.agent)
            .bind(millis(presented.issued)).bind(millis(presented.until))
            .execute(&mut *tx).await?;
            sqlx::query(
                "UPDATE agents SET fingerprint = $3, expires_ms = $4
                 WHERE tenant = $1 AND id = $2",
            )
            .bind(tenant.as_str()).bind(&presented.agent).bind(&presented.fingerprint)
            .bind(millis(presented.until))
            .execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Keeps a certificate that an agent is about to be given. The one before stays good until
    /// this one is used. `key_hash` is that of the key it is for.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn renewed(
        &self,
        agent: &AgentId,
        certificate: &Presented,
        key_hash: &str,
    ) -> Result<(), StoreError> {
        let (tenant, id) = (agent.tenant().as_str(), agent.as_str());
        in_transaction!(self, tx => {
            sqlx::query(
                "INSERT INTO certificates
                   (tenant, fingerprint, agent, issued_ms, expires_ms, key_hash, state)
                 VALUES ($1, $2, $3, $4, $5, $6, 'issued')",
            )
            .bind(tenant).bind(&certificate.fingerprint).bind(id)
            .bind(millis(certificate.issued)).bind(millis(certificate.until)).bind(key_hash)
            .execute(&mut *tx).await?;
            // What nobody can present any more needs no memory, and unused ones are bounded.
            sqlx::query(
                "DELETE FROM certificates WHERE tenant = $1 AND agent = $2
                   AND ((state IN ('past', 'replaced') AND expires_ms < $3)
                     OR (state = 'issued' AND fingerprint NOT IN
                       (SELECT fingerprint FROM certificates
                        WHERE tenant = $1 AND agent = $2 AND state = 'issued'
                        ORDER BY issued_ms DESC, fingerprint LIMIT $4)))",
            )
            .bind(tenant).bind(id)
            .bind(millis(certificate.issued - crate::ca::RENEWABLE_FOR)).bind(UNUSED_MAX)
            .execute(&mut *tx).await?;
            sqlx::query("UPDATE agents SET key_hash = $3 WHERE tenant = $1 AND id = $2")
                .bind(tenant).bind(id).bind(key_hash)
                .execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Sets an agent aside: nothing of it is kept until it is released or enrolled anew. The first
    /// reason stays.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn quarantine(
        &self,
        tenant: &Tenant,
        agent: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE agents SET quarantined_ms = $3, quarantine = $4
             WHERE tenant = $1 AND id = $2 AND quarantined_ms IS NULL",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .bind(millis(now))
        .bind(reason)
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Ends a quarantine, by name or id: whoever speaks next, from whatever start and under
    /// whatever certificate of its own, is the agent. False if none of this name is set aside.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn release(&self, tenant: &Tenant, name_or_id: &str) -> Result<bool, StoreError> {
        let is_released = in_transaction!(self, tx => {
            let released = sqlx::query(
                "UPDATE agents SET quarantined_ms = NULL, quarantine = NULL, instance = NULL,
                   boot = 0, instance_ms = 0, trouble = NULL
                 WHERE tenant = $1 AND (name = $2 OR id = $2) AND quarantined_ms IS NOT NULL",
            )
            .bind(tenant.as_str()).bind(name_or_id)
            .execute(&mut *tx).await?.rows_affected() > 0;
            if released {
                sqlx::query(
                    "UPDATE certificates SET state = 'issued', ended_ms = NULL
                     WHERE tenant = $1 AND state = 'past' AND agent IN
                       (SELECT id FROM agents WHERE tenant = $1 AND (name = $2 OR id = $2))",
                )
                .bind(tenant.as_str()).bind(name_or_id)
                .execute(&mut *tx).await?;
            }
            released
        });
        Ok(is_released)
    }

    /// The ids of agents that were revoked or set aside after `since`: whoever holds a connection
    /// of theirs ends it.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn agents_shut_out(
        &self,
        tenant: &Tenant,
        since: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let rows: Vec<IdRow> = on_pool!(self, pool => sqlx::query_as(
            "SELECT id FROM agents
             WHERE tenant = $1 AND (revoked_ms > $2 OR quarantined_ms > $2) ORDER BY id",
        ).bind(tenant.as_str()).bind(millis(since)).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Counts a refusal for good against the agent that was refused.
    async fn note_refusal(&self, tenant: &Tenant, agent: &str) -> Result<(), StoreError> {
        on_pool!(self, pool => sqlx::query(
            "UPDATE agents SET refusals = refusals + 1
             WHERE tenant = $1 AND id = $2 AND refusals < $3",
        )
        .bind(tenant.as_str())
        .bind(agent)
        .bind(REFUSALS_MAX)
        .execute(pool).await.map(|_| ())?);
        Ok(())
    }
}

impl Row {
    fn kept(&self) -> Result<Kept, StoreError> {
        let ended = timestamp(self.ended_ms.unwrap_or_default())?;
        match self.state.as_deref() {
            Some("issued") => Ok(Kept::Issued),
            Some("current") => Ok(Kept::Current),
            Some("past") => Ok(Kept::Past(ended)),
            Some("replaced") => Ok(Kept::Replaced),
            Some(other) => Err(StoreError::Corrupt {
                what: "certificate state",
                value: other.chars().take(32).collect(),
            }),
            None => Ok(Kept::Missing {
                current_issued: timestamp(self.current_ms.unwrap_or_default())?,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Heard, Kept, LATE_MAX, Start, Verdict, of_certificate, of_start};

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    fn start(boot: u64, instance: &str) -> Start {
        Start {
            boot,
            instance: instance.to_owned(),
        }
    }

    #[test]
    fn the_rule_of_certificates() {
        let long_ago = now() - LATE_MAX;
        let missing = |current_issued| Kept::Missing { current_issued };
        let is_two = |verdict| matches!(verdict, Verdict::Two(_));
        let of = |kept| of_certificate(kept, now(), now());
        assert_eq!(of(Kept::Current), Verdict::Good);
        assert_eq!(of(Kept::Issued), Verdict::First);
        assert_eq!(of(Kept::Replaced), Verdict::Replaced);
        assert_eq!(of(Kept::Past(now())), Verdict::Late, "on its way");
        assert!(is_two(of(Kept::Past(long_ago))));
        assert_eq!(of(missing(long_ago)), Verdict::First, "a restored hub");
        assert_eq!(of(missing(now() + LATE_MAX)), Verdict::Unknown);
    }

    #[test]
    fn the_rule_of_starts() {
        let known = (start(6, "b"), now() - LATE_MAX);
        let of = |boot, instance| of_start(Some(&known), &start(boot, instance), now());
        let is_two = |heard| matches!(heard, Heard::Two(_));
        assert_eq!(of(6, "b"), Heard::Same);
        assert_eq!(of(7, "c"), Heard::New, "started again");
        assert_eq!(
            of(70, "c"),
            Heard::New,
            "as a hub restored from a backup sees it"
        );
        assert!(is_two(of(5, "a")), "the one before speaks again");
        assert!(is_two(of(6, "c")), "two copies were started from one count");
        assert!(is_two(of(5, "c")), "a folder that was put back");
        assert!(is_two(of(7, "b")), "an instance has one start");
        assert!(is_two(of(0, "")), "a holder that tells nothing");
        assert_eq!(
            of_start(None, &start(1, "x"), now()),
            Heard::New,
            "released"
        );
        let fresh = (start(6, "b"), now());
        assert_eq!(of_start(Some(&fresh), &start(5, "a"), now()), Heard::Late);
    }
}
