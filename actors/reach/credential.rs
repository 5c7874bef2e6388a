//! What opens a device's SNMP door: a community, or a user of version 3. Neither shows its secrets.

use std::fmt;
use std::sync::Arc;

use snmp::Version;
use snmp::usm::User;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Octets that are never printed, and wiped when they are no longer needed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes octets or a text.
    #[must_use]
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into().into_boxed_slice())
    }

    /// The octets themselves, for the wire only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What to speak, and what to show. A user is never made a community: there is no way back from
/// version 3.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Version 1 or 2c.
    Community {
        /// The version; a sweep also tries version 1 where 2c found nobody.
        version: Version,
        /// The community.
        community: Secret,
    },
    /// Version 3.
    User(Arc<User>),
}

impl Credential {
    /// Version 2c with this community.
    #[must_use]
    pub fn v2c(community: impl Into<Vec<u8>>) -> Self {
        Self::Community {
            version: Version::V2c,
            community: Secret::new(community),
        }
    }

    /// The same community in another version. A user stays what it is.
    #[must_use]
    pub fn in_version(&self, version: Version) -> Self {
        match self {
            Self::Community { community, .. } => Self::Community {
                version,
                community: community.clone(),
            },
            Self::User(user) => Self::User(user.clone()),
        }
    }

    /// Whose PDUs are spoken: version 3 has those of 2c.
    #[must_use]
    pub fn pdus(&self) -> Version {
        match self {
            Self::Community { version, .. } => *version,
            Self::User(_) => Version::V2c,
        }
    }

    /// The version as people write it.
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Community { version, .. } => match version {
                Version::V1 => "1",
                Version::V2c => "2c",
            },
            Self::User(_) => "3",
        }
    }

    /// The community, where there is one.
    #[must_use]
    pub fn community(&self) -> Option<&Secret> {
        match self {
            Self::Community { community, .. } => Some(community),
            Self::User(_) => None,
        }
    }

    /// Whether it is a user of version 3.
    #[must_use]
    pub fn is_user(&self) -> bool {
        matches!(self, Self::User(_))
    }
}

/// In which order a device is asked that was read with `proven` before: with that first. Who was
/// read as a user is asked as a user only, so that nobody can talk us down to a community.
#[must_use]
pub fn proven_first(credentials: &[Credential], proven: &Credential) -> Vec<Credential> {
    let others = credentials.iter().filter(|other| {
        let is_down = proven.is_user() && !other.is_user();
        *other != proven && !is_down
    });
    std::iter::once(proven).chain(others).cloned().collect()
}

/// In which order a device is asked whose engine of version 3 was found: users first, the
/// communities behind them, which it may have left unanswered for want of a packet.
#[must_use]
pub fn users_first(credentials: &[Credential]) -> Vec<Credential> {
    let (users, communities): (Vec<_>, Vec<_>) =
        credentials.iter().cloned().partition(Credential::is_user);
    [users, communities].concat()
}

#[cfg(test)]
mod tests {
    use snmp::usm::{Auth, Security};

    use super::*;

    fn user(name: &str) -> Credential {
        let security = Security::Auth(Auth::Sha256, b"hush-hush");
        Credential::User(Arc::new(User::new(name, "", security).unwrap()))
    }

    #[test]
    fn a_secret_is_wiped() {
        /// Holds by its type alone: what lacks it does not compile.
        fn is_wiped<T: ZeroizeOnDrop>() {}
        is_wiped::<Secret>();
    }

    #[test]
    fn no_secret_shows_itself() {
        let shown = format!("{:?}", Credential::v2c("hush"));
        assert_eq!(shown, "Community { version: V2c, community: *** }");
        let shown = format!("{:?}", user("mps"));
        assert!(shown.contains("mps") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn who_was_read_as_a_user_is_never_asked_with_a_community() {
        let (a, b, public) = (user("a"), user("b"), Credential::v2c("public"));
        let all = [public.clone(), a.clone(), b.clone()];
        assert_eq!(proven_first(&all, &b), [b.clone(), a.clone()]);
        assert_eq!(
            proven_first(&all, &public),
            [public.clone(), a.clone(), b.clone()]
        );
        assert_eq!(users_first(&all), [a, b, public]);
    }

    #[test]
    fn a_user_has_no_other_version() {
        let user = user("mps");
        assert_eq!(user.in_version(Version::V1), user);
        assert_eq!(user.version(), "3");
    }
}
