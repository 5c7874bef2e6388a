//! How a session ends, and in which words. Every session has exactly one end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest words of an end, in characters: they are told to a gateway and kept in a list.
const WHY_CHARS_MAX: usize = 300;

/// Who or what ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The hub.
    Hub,
    /// A person at the site.
    Site,
    /// The site's hours.
    Hours,
    /// Its time was up.
    Deadline,
    /// Nothing moved for too long.
    Idle,
    /// The gateway or the network went away.
    LinkLost,
    /// The gateway was not reached, is not whom the ticket names, or did not let us in.
    NoGateway,
    /// Another device answers at the address.
    AnotherDevice,
    /// The device does not answer.
    NoDevice,
    /// Nobody at the site approved it.
    NotApproved,
    /// The agent ends, or begins anew.
    AgentEnds,
    /// What carried it died.
    Died,
}

impl Cause {
    /// Its word to the hub's gateway, which has fewer: what only we tell apart is the site's.
    #[must_use]
    pub(super) fn to_gateway(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Idle => "idle",
            Self::LinkLost | Self::NoGateway | Self::AgentEnds | Self::Died => "link-lost",
            Self::AnotherDevice => "another-device",
            Self::Hub | Self::Site | Self::Hours | Self::NoDevice | Self::NotApproved => "site",
        }
    }
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Who or what.
    pub cause: Cause,
    /// In words, for a person.
    pub why: String,
}

impl End {
    /// An end in words.
    #[must_use]
    pub fn new(cause: Cause, why: impl fmt::Display) -> Self {
        let is_harmless = |c: &char| !c.is_control();
        let why = why.to_string();
        Self {
            cause,
            why: why
                .chars()
                .filter(is_harmless)
                .take(WHY_CHARS_MAX)
                .collect(),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
