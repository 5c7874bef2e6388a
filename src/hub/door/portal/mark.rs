//! The mark of a status: a shape, a color and a word, so that no one of them has to be seen.
//!
//! Used by both pages. Pure. What a status is was judged by [`printer::status`]; here it is only
//! given its mark, and an absence of answers is put before everything that was last said.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use printer::alert::Alert;
use printer::status::Severity;
use printer::summary::status_line;

use super::text::age;
use crate::store::agents::AgentRow;
use crate::store::holders::REFUSALS_MAX;
use crate::store::printers::PrinterRow;

/// Polls that an agent may miss before it is silent. Its own retry waits grow to minutes.
const POLLS_MISSED_MAX: u32 = 3;

/// Shortest silence of an agent that is told: a quarter of an hour, the restart of its machine and
/// more.
const SILENCE_MIN: Duration = Duration::from_mins(15);

/// What a mark is judged against.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// When the page is made.
    pub at: Timestamp,
    /// How often an agent polls.
    pub poll_every: Duration,
    /// Every agent of the tenant.
    pub agents: &'a [AgentRow],
}

/// What kind of mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A disc: nothing to do.
    Ok,
    /// A triangle: someone should look.
    Warning,
    /// A square: it does not print.
    Critical,
    /// A broken ring: it does not answer.
    Silent,
    /// A diamond: it does not say.
    Unknown,
    /// A stack: all of them.
    All,
}

impl Kind {
    /// The class that colors it.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
            Self::All => "all",
        }
    }
}

/// A mark and its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its shape and color.
    pub kind: Kind,
    /// Its word.
    pub words: String,
}

impl Mark {
    /// How a printer is: first whether it is heard at all, then what it last said.
    #[must_use]
    pub fn of_printer(row: &PrinterRow, now: Now<'_>) -> Self {
        let agent = now.agents.iter().find(|agent| agent.id == row.agent);
        if agent.is_some_and(|agent| is_refusing(agent, row)) {
            let words = "answers, but no credential fits".to_owned();
            let kind = Kind::Warning;
            return Self { kind, words };
        }
        if let Some(since) = row.silent_since {
            return Self {
                kind: Kind::Silent,
                words: format!("silent {}", age(since, now.at)),
            };
        }
        if agent.is_some_and(|agent| is_silent(agent, now)) {
            let words = "agent silent".to_owned();
            return Self {
                kind: Kind::Silent,
                words,
            };
        }
        let kind = match row.reading.status.severity {
            Severity::Ok => Kind::Ok,
            Severity::Unknown => Kind::Unknown,
            Severity::Warning => Kind::Warning,
            Severity::Critical => Kind::Critical,
        };
        Self {
            kind,
            words: status_line(&row.reading),
        }
    }

    /// How bad an alert is, by the words of prtAlertSeverityLevel.
    #[must_use]
    pub fn of_alert(alert: &Alert) -> Self {
        let (kind, words) = match alert.severity.as_str() {
            "critical" => (Kind::Critical, "critical"),
            "warning" | "warningBinaryChangeEvent" => (Kind::Warning, "warning"),
            _ => (Kind::Unknown, "notice"),
        };
        Self {
            kind,
            words: words.to_owned(),
        }
    }

    /// How an agent is.
    #[must_use]
    pub fn of_agent(agent: &AgentRow, now: Now<'_>) -> Self {
        if let (None, Some((_, reason))) = (agent.revoked, &agent.quarantined) {
            let (kind, words) = (Kind::Critical, format!("quarantined: {reason}"));
            return Self { kind, words };
        }
        let (kind, words) = match (agent.revoked, &agent.trouble, agent.last_poll) {
            (Some(_), ..) if agent.refusals >= REFUSALS_MAX => {
                (Kind::Unknown, "revoked, has disabled itself".to_owned())
            }
            (Some(_), ..) => (Kind::Unknown, "revoked".to_owned()),
            (None, Some(trouble), _) => (Kind::Critical, trouble.clone()),
            (None, None, None) => (Kind::Silent, "has not polled yet".to_owned()),
            (None, None, Some(at)) if is_silent(agent, now) => {
                (Kind::Silent, format!("silent {}", age(at, now.at)))
            }
            (None, None, Some(_)) => match alarm_of(agent) {
                Some(alarm) => (Kind::Warning, alarm.to_owned()),
                None => (Kind::Ok, "polls".to_owned()),
            },
        };
        Self { kind, words }
    }
}

/// Whether the agent of a printer says that it answers and accepts no credential.
fn is_refusing(agent: &AgentRow, row: &PrinterRow) -> bool {
    let status = agent.status.as_ref();
    status.is_some_and(|status| {
        status
            .refusing
            .iter()
            .any(|it| it.device == row.device.as_str())
    })
}

/// The most important of what the agent says is wrong at its site.
fn alarm_of(agent: &AgentRow) -> Option<&str> {
    let alarms = agent.status.as_ref().map(|status| &status.alarms);
    alarms.and_then(|alarms| alarms.first()).map(String::as_str)
}

/// Whether nothing has been heard of an agent for too long, or will be ever again.
fn is_silent(agent: &AgentRow, now: Now<'_>) -> bool {
    let patience = SILENCE_MIN.max(now.poll_every.saturating_mul(POLLS_MISSED_MAX));
    let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
    let is_late = |at: Timestamp| now.at.duration_since(at) > patience;
    let is_shut_out = agent.revoked.is_some() || agent.quarantined.is_some();
    is_shut_out || agent.last_poll.is_none_or(is_late)
}
