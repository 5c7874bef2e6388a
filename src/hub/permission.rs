//! Who may order what: one closed table, and one function that asks it. Deny by default.
//!
//! A [`Permission`] is a proof: only [`permit`] makes one, and nothing is signed without. Used by
//! the command line and the portal alike. Pure.

use std::fmt;

use crate::store::Tenant;

/// What can be ordered of an agent (command.proto, in its order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read one printer or all of them now.
    Read,
    /// Sweep one subnet or all of them now.
    Discover,
    /// ICMP echo.
    Ping,
    /// What the agent sees of an address.
    Check,
    /// Why a printer, or a value of it, is missing.
    Doctor,
    /// Record a walk.
    Walk,
    /// One of a closed list of commands to a Zebra.
    Zebra,
    /// The state of a print queue.
    Lpr,
    /// Schedule, ranges within the site's ceiling, credentials.
    Configure,
    /// Let a person reach a printer's web page.
    TunnelOpen,
    /// End that.
    TunnelClose,
    /// Read a device again that was set aside.
    Release,
    /// Make a new key and certificate.
    Rotate,
    /// Send what `platen diag` writes.
    Diag,
    /// Install another version.
    Update,
}

/// What a subject may be let do; several actions may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Have printers read and looked for.
    Read,
    /// Ask an address whether it is there, and what it is.
    Probe,
    /// Have recordings and diagnostics sent: they tell more of a site than readings.
    Record,
    /// Make a printer do something.
    Handle,
    /// Reach a printer's own pages.
    Web,
    /// Change what an agent is configured to do.
    Configure,
    /// Change an agent's identity.
    Identity,
    /// Change an agent's program.
    Update,
}

/// A set of rights, written as words with commas between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights(Vec<Right>);

/// Who wants something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Whoever can run `platen-hub` on the hub's own state folder: may do everything.
    Operator,
    /// Whoever opened the portal with a link: may do what the link was made for.
    Holder {
        /// Whom the link was made for.
        name: String,
        /// What for.
        rights: Rights,
    },
}

/// Whom something is wanted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// Whose agent it is.
    pub tenant: &'a Tenant,
    /// Its id.
    pub agent: &'a str,
    /// Whether it may still report; one that may not takes no commands.
    pub is_enrolled: bool,
}

/// A proof that somebody may order this of that agent. Made by [`permit`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    tenant: Tenant,
    agent: String,
    action: Action,
    issuer: String,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The subject has not the right.
    #[error("'{action}' needs the right '{right}', which this session has not")]
    NoRight {
        /// What was wanted.
        action: Action,
        /// What it needs.
        right: Right,
    },
    /// The agent is revoked or set aside.
    #[error("this agent takes no commands: it is revoked or set aside")]
    NotEnrolled,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::Read,
        Self::Discover,
        Self::Ping,
        Self::Check,
        Self::Doctor,
        Self::Walk,
        Self::Zebra,
        Self::Lpr,
        Self::Configure,
        Self::TunnelOpen,
        Self::TunnelClose,
        Self::Release,
        Self::Rotate,
        Self::Diag,
        Self::Update,
    ];

    /// The table: what each action needs.
    #[must_use]
    pub fn right(self) -> Right {
        match self {
            Self::Read | Self::Discover | Self::Lpr => Right::Read,
            Self::Ping | Self::Check | Self::Doctor => Right::Probe,
            Self::Walk | Self::Diag => Right::Record,
            Self::Zebra | Self::Release => Right::Handle,
            Self::TunnelOpen | Self::TunnelClose => Right::Web,
            Self::Configure => Right::Configure,
            Self::Rotate => Right::Identity,
            Self::Update => Right::Update,
        }
    }

    /// Its word on the command line, in the store and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Discover => "discover",
            Self::Ping => "ping",
            Self::Check => "check",
            Self::Doctor => "doctor",
            Self::Walk => "walk",
            Self::Zebra => "zebra",
            Self::Lpr => "lpr",
            Self::Configure => "configure",
            Self::TunnelOpen => "tunnel-open",
            Self::TunnelClose => "tunnel-close",
            Self::Release => "release",
            Self::Rotate => "rotate",
            Self::Diag => "diag",
            Self::Update => "update",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Right {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Probe,
        Self::Record,
        Self::Handle,
        Self::Web,
        Self::Configure,
        Self::Identity,
        Self::Update,
    ];

    /// Its word, as `setup-link --may` takes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Probe => "probe",
            Self::Record => "record",
            Self::Handle => "handle",
            Self::Web => "web",
            Self::Configure => "configure",
            Self::Identity => "identity",
            Self::Update => "update",
        }
    }

    /// The right of this word.
    ///
    /// # Errors
    /// A sentence naming every word.
    pub fn parse(word: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|right| right.as_str() == word);
        known.copied().ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|right| right.as_str()).collect();
            format!("write one of {}", all.join(", "))
        })
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rights {
    /// What a link is made for unless somebody says otherwise: all but what changes an agent
    /// itself.
    #[must_use]
    pub fn usual() -> Self {
        let lasting = [Right::Configure, Right::Identity, Right::Update];
        let usual = Right::ALL.into_iter();
        Self::of(usual.filter(|right| !lasting.contains(right)))
    }

    /// These rights.
    #[must_use]
    pub fn of(rights: impl IntoIterator<Item = Right>) -> Self {
        Self(rights.into_iter().collect())
    }

    /// The rights as they are stored; a word that is unknown gives none.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self::of(text.split(',').filter_map(|word| Right::parse(word).ok()))
    }

    /// Whether a right is among them.
    #[must_use]
    pub fn has(&self, right: Right) -> bool {
        self.0.contains(&right)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|right| right.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

impl Subject {
    /// Its name in the hub's store and the site's log.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Holder { name, .. } => name,
        }
    }
}

impl Permission {
    /// Whose agent it is.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The agent's id.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// What may be ordered.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// Who orders it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// The one policy: whether this subject may order that of this agent.
///
/// # Errors
/// [`Denied`] says what is missing.
pub fn permit(subject: &Subject, action: Action, object: Object<'_>) -> Result<Permission, Denied> {
    if !object.is_enrolled {
        return Err(Denied::NotEnrolled);
    }
    let right = action.right();
    let may = match subject {
        Subject::Operator => true,
        Subject::Holder { rights, .. } => rights.has(right),
    };
    if !may {
        return Err(Denied::NoRight { action, right });
    }
    Ok(Permission {
        tenant: object.tenant.clone(),
        agent: object.agent.to_owned(),
        action,
        issuer: subject.name().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: Object<'_> = Object {
        tenant: &Tenant::DEFAULT,
        agent: "a",
        is_enrolled: true,
    };

    fn holder(rights: Rights) -> Subject {
        Subject::Holder {
            name: "anna".to_owned(),
            rights,
        }
    }

    #[test]
    fn a_right_opens_its_own_actions_and_no_other() {
        for right in Right::ALL {
            let subject = holder(Rights::of([right]));
            for action in Action::ALL {
                let is_permitted = permit(&subject, action, OBJECT).is_ok();
                assert_eq!(is_permitted, action.right() == right, "{right} {action}");
            }
        }
        let nobody = holder(Rights::default());
        assert!(
            Action::ALL
                .iter()
                .all(|action| permit(&nobody, *action, OBJECT).is_err())
        );
    }

    #[test]
    fn the_operator_may_everything_but_order_a_revoked_agent_about() {
        for action in Action::ALL {
            let permission = permit(&Subject::Operator, action, OBJECT).unwrap();
            assert_eq!(
                (permission.action(), permission.issuer()),
                (action, "operator")
            );
            let revoked = Object {
                is_enrolled: false,
                ..OBJECT
            };
            assert_eq!(
                permit(&Subject::Operator, action, revoked),
                Err(Denied::NotEnrolled)
            );
        }
    }

    #[test]
    fn the_usual_link_changes_no_agent() {
        let usual = Rights::usual();
        for action in [Action::Configure, Action::Rotate, Action::Update] {
            assert!(
                permit(&holder(usual.clone()), action, OBJECT).is_err(),
                "{action}"
            );
        }
        assert!(permit(&holder(usual.clone()), Action::Walk, OBJECT).is_ok());
        assert_eq!(Rights::read(&usual.to_string()), usual);
        assert_eq!(
            Rights::read("everything,root,read"),
            Rights::of([Right::Read])
        );
        assert_eq!(Rights::read(""), Rights::default());
    }
}
