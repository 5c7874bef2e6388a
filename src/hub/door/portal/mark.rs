//! The mark of a status: a shape, a color and a word, so that no one of them has to be seen.
//!
//! Used by both pages. Pure. What a status is was judged by [`printer::status`]; here it is only
//! given its mark, and an absence of answers is put before everything that was last said.

use jiff::Timestamp;
use printer::alert::Alert;
use printer::status::Severity;
use printer::summary::status_line;

use super::text::age;
use crate::store::agents::AgentRow;
use crate::store::printers::PrinterRow;

/// An agent that has not polled for so long is silent. Polls come every minute or few; a quarter of
/// an hour is a restart of its machine and more.
const AGENT_SILENT_SECS: i64 = 15 * 60;

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
    pub fn of_printer(row: &PrinterRow, agents: &[AgentRow], now: Timestamp) -> Self {
        if let Some(since) = row.silent_since {
            return Self {
                kind: Kind::Silent,
                words: format!("silent {}", age(since, now)),
            };
        }
        let agent = agents.iter().find(|agent| agent.id == row.agent);
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
    pub fn of_agent(agent: &AgentRow, now: Timestamp) -> Self {
        let (kind, words) = match (agent.revoked, &agent.trouble, agent.last_poll) {
            (Some(_), ..) => (Kind::Unknown, "revoked".to_owned()),
            (None, Some(trouble), _) => (Kind::Critical, trouble.clone()),
            (None, None, None) => (Kind::Silent, "has not polled yet".to_owned()),
            (None, None, Some(at)) if is_silent(agent, now) => {
                (Kind::Silent, format!("silent {}", age(at, now)))
            }
            (None, None, Some(_)) => (Kind::Ok, "polls".to_owned()),
        };
        Self { kind, words }
    }
}

/// Whether nothing has been heard of an agent for too long, or will be ever again.
fn is_silent(agent: &AgentRow, now: Timestamp) -> bool {
    let is_late = |at: Timestamp| now.as_second() - at.as_second() > AGENT_SILENT_SECS;
    agent.revoked.is_some() || agent.last_poll.is_none_or(is_late)
}
