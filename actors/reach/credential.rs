//! What opens a device's SNMP door: a version and a community, which never shows itself.

use std::fmt;

use snmp::Version;

/// Octets that are never printed.
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A version to speak and the community to speak it with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// The version; a sweep also tries version 1 where 2c found nobody.
    pub version: Version,
    /// The community.
    pub community: Secret,
}

impl Credential {
    /// Version 2c with this community.
    #[must_use]
    pub fn v2c(community: impl Into<Vec<u8>>) -> Self {
        Self {
            version: Version::V2c,
            community: Secret::new(community),
        }
    }

    /// The same community in another version.
    #[must_use]
    pub fn in_version(&self, version: Version) -> Self {
        Self {
            version,
            community: self.community.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_never_shows_itself() {
        let shown = format!("{:?}", Credential::v2c("hush"));
        assert_eq!(shown, "Credential { version: V2c, community: *** }");
    }
}
