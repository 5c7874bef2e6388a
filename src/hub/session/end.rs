//! How a session ends, and what a person has to know of it while it lives.

/// Who or what ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A person at the hub.
    Person,
    /// The site: its policy, its hours, or a person there.
    Site,
    /// Its time was up.
    Deadline,
    /// Nothing moved for too long.
    Idle,
    /// The agent or the network went away.
    LinkLost,
    /// The agent never came.
    NoTunnel,
    /// Another device answers at the address.
    AnotherDevice,
    /// What was done could not be written down.
    NoAudit,
    /// The hub ends.
    HubEnds,
}

impl Cause {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Person,
        Self::Site,
        Self::Deadline,
        Self::Idle,
        Self::LinkLost,
        Self::NoTunnel,
        Self::AnotherDevice,
        Self::NoAudit,
        Self::HubEnds,
    ];

    /// Its word in the store and in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Site => "site",
            Self::Deadline => "deadline",
            Self::Idle => "idle",
            Self::LinkLost => "link-lost",
            Self::NoTunnel => "no-tunnel",
            Self::AnotherDevice => "another-device",
            Self::NoAudit => "no-audit",
            Self::HubEnds => "hub-ends",
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Who or what.
    pub cause: Cause,
    /// In words, for a person.
    pub why: String,
}

impl End {
    /// An end in words.
    #[must_use]
    pub fn new(cause: Cause, why: impl Into<String>) -> Self {
        Self {
            cause,
            why: why.into(),
        }
    }
}

/// Something about a session that a person has to know, or to decide, while it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The device speaks no TLS that is safe enough to be spoken.
    TlsTooOld,
    /// The device shows another certificate than the one that was pinned; nothing was sent to it.
    CertificateChanged {
        /// SHA-256 of the pinned one, hex.
        old: String,
        /// SHA-256 of the one it shows now, hex.
        new: String,
    },
    /// The device cannot be reached, and why.
    Unreachable(String),
}
