//! What a site lets a hub do with its printers' web pages. Pure: the Supervisor asks, before a
//! session waits for approval and again before it is opened.

use std::time::Duration;

use dial::Destination;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use super::ending::Cause;
use super::hours::Hours;
use super::ticket::Ticket;

/// How long a session may last unless the site says otherwise.
pub const SESSION_DEFAULT: Duration = Duration::from_mins(15);

/// Longest that a site can let a session last.
pub const SESSION_MAX: Duration = Duration::from_mins(60);

/// How far the clocks of hub and agent may be apart.
const CLOCK_ALLOWANCE: SignedDuration = SignedDuration::from_mins(1);

/// Whether sessions are let at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allow {
    /// After a person at the site has approved each.
    #[default]
    Ask,
    /// Without asking.
    Always,
    /// Not at all.
    Never,
}

/// The site's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAccess {
    /// Whether.
    pub allow: Allow,
    /// Who may approve.
    pub approvers: Vec<String>,
    /// When.
    pub hours: Hours,
    /// How long at most.
    pub minutes_max: Duration,
    /// Whether plain HTTP may stand in for a TLS that is too old.
    pub plain_fallback: bool,
    /// Where the hub's gateway is; none where the site has no tunnels.
    pub gateway: Option<Destination>,
}

impl Default for WebAccess {
    fn default() -> Self {
        Self {
            allow: Allow::default(),
            approvers: Vec::new(),
            hours: Hours::default(),
            minutes_max: SESSION_DEFAULT,
            plain_fallback: false,
            gateway: None,
        }
    }
}

/// What the policy lets a ticket be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// Where to dial.
    pub gateway: Destination,
    /// When it ends, whatever goes on.
    pub until: Timestamp,
    /// Why it ends then.
    pub cause: Cause,
}

impl WebAccess {
    /// What a ticket may be, or in words why it may not be.
    ///
    /// # Errors
    /// Words, for the hub and the site's log.
    pub fn judge(&self, ticket: &Ticket, now: &ZonedDateTime) -> Result<Leave, String> {
        if self.allow == Allow::Never {
            return Err(
                "the site lets nobody reach its printers' pages: [web_access] allow".into(),
            );
        }
        let Some(gateway) = &self.gateway else {
            return Err("the site has no tunnels: [tunnel] enabled".into());
        };
        if self.allow == Allow::Ask && self.approvers.is_empty() {
            return Err(
                "a person at the site has to approve it, and the site has named nobody: \
                        [web_access] approvers"
                    .into(),
            );
        }
        if ticket.is_fallback && !self.plain_fallback {
            return Err(
                "plain HTTP in place of TLS is not let: [web_access] plain_fallback".into(),
            );
        }
        let left = ticket.until.duration_since(now.timestamp());
        if left <= SignedDuration::ZERO {
            return Err("its time is over before it begins".into());
        }
        let most = SignedDuration::try_from(self.minutes_max).unwrap_or(SignedDuration::MAX);
        if left > most.saturating_add(CLOCK_ALLOWANCE) {
            let minutes = self.minutes_max.as_secs() / 60;
            return Err(format!(
                "the site lets a session last {minutes} min at most: [web_access] max_minutes"
            ));
        }
        let Some(closing) = self.hours.open_until(now) else {
            return Err(format!(
                "the site lets sessions be at {} only: [web_access] hours",
                self.hours
            ));
        };
        let cause = if closing < ticket.until {
            Cause::Hours
        } else {
            Cause::Deadline
        };
        Ok(Leave {
            gateway: gateway.clone(),
            until: closing.min(ticket.until),
            cause,
        })
    }

    /// Whether this person may approve a session.
    #[must_use]
    pub fn is_approver(&self, name: &str) -> bool {
        self.approvers.iter().any(|known| known == name)
    }
}

#[cfg(test)]
mod tests;
