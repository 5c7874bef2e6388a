//! The users of version 3 and the versions that a fleet file names.

use std::sync::Arc;

use serde::Deserialize;
use snmp::Version;
use snmp::usm::{Auth, Privacy, Security, User};

/// A user as the file says it. Its passwords stand there as they are: they open nothing but
/// simulated printers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUser {
    name: String,
    auth: Option<String>,
    auth_password: Option<String>,
    #[serde(rename = "priv")]
    privacy: Option<String>,
    priv_password: Option<String>,
}

/// The versions that a printer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    v1: bool,
    v2c: bool,
    v3: bool,
}

impl Versions {
    /// Whether questions with a community are heard in this version.
    pub(crate) fn has(self, version: Version) -> bool {
        match version {
            Version::V1 => self.v1,
            Version::V2c => self.v2c,
        }
    }

    /// Whether users are heard.
    pub(crate) fn has_users(self) -> bool {
        self.v3
    }
}

/// Makes the users of a fleet; else what is wrong with one.
pub(super) fn check(raw: &[RawUser]) -> Result<Vec<User>, String> {
    raw.iter().map(user).collect()
}

fn user(raw: &RawUser) -> Result<User, String> {
    let wrong = |what: &str| format!("user '{}': {what}", raw.name);
    let auth = algorithm(raw.auth.as_deref(), Auth::from_word).map_err(|it| wrong(&it))?;
    let privacy = algorithm(raw.privacy.as_deref(), Privacy::from_word).map_err(|it| wrong(&it))?;
    let password = |key: &str, has_algorithm: bool, password: &Option<String>| match password {
        Some(password) if has_algorithm => Ok(password.clone().into_bytes()),
        None if !has_algorithm => Ok(Vec::new()),
        _ => Err(wrong(&format!("{key} and {key}_password go together"))),
    };
    let hush = password("auth", auth.is_some(), &raw.auth_password)?;
    let priv_hush = password("priv", privacy.is_some(), &raw.priv_password)?;
    let security = match (auth, privacy) {
        (None, None) => Security::None,
        (None, Some(_)) => return Err(wrong("priv takes auth")),
        (Some(auth), None) => Security::Auth(auth, &hush),
        (Some(auth), Some(privacy)) => Security::AuthPriv((auth, &hush), (privacy, &priv_hush)),
    };
    User::new(&raw.name, "", security).map_err(|error| wrong(&error.to_string()))
}

fn algorithm<A>(word: Option<&str>, from: impl Fn(&str) -> Option<A>) -> Result<Option<A>, String> {
    let known = |word: &str| from(word).ok_or_else(|| format!("'{word}' is no algorithm"));
    word.map(known).transpose()
}

/// The users of a group: those of the fleet that it names, or all.
pub(super) fn chosen(names: Option<&[String]>, all: &Arc<[User]>) -> Result<Arc<[User]>, String> {
    let Some(names) = names else {
        return Ok(all.clone());
    };
    let one = |name: &String| {
        let known = all.iter().find(|user| user.name() == name);
        known
            .cloned()
            .ok_or_else(|| format!("there is no user '{name}'"))
    };
    names.iter().map(one).collect()
}

/// The versions of a group: those that it names, or all; version 3 takes users.
pub(super) fn versions(names: Option<&[String]>, users: &[User]) -> Result<Versions, String> {
    let mut versions = Versions {
        v1: names.is_none(),
        v2c: names.is_none(),
        v3: names.is_none() && !users.is_empty(),
    };
    for name in names.unwrap_or_default() {
        match name.as_str() {
            "1" => versions.v1 = true,
            "2c" => versions.v2c = true,
            "3" if users.is_empty() => return Err("version 3 takes users".to_owned()),
            "3" => versions.v3 = true,
            other => {
                return Err(format!(
                    "'{other}' is no version: write \"1\", \"2c\" or \"3\""
                ));
            }
        }
    }
    Ok(versions)
}
