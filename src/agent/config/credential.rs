//! `[credentials.NAME]`: what opens a printer's SNMP door.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use actors::reach::credential::{Credential, Secret};
use serde::Deserialize;
use snmp::Version;
use snmp::usm::{Auth, Privacy, Security, User, UserError};
use toml::Spanned;

use super::{BUILT_IN_CREDENTIAL, ConfigError, Places, secret};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCredential {
    version: Option<Spanned<String>>,
    community: Option<Spanned<String>>,
    community_file: Option<Spanned<PathBuf>>,
    user: Option<Spanned<String>>,
    auth: Option<Spanned<String>>,
    auth_password_file: Option<Spanned<PathBuf>>,
    #[serde(rename = "priv")]
    privacy: Option<Spanned<String>>,
    priv_password_file: Option<Spanned<PathBuf>>,
    context: Option<Spanned<String>>,
}

/// The configured credentials by name, and the built-in one.
pub(super) fn check(
    raw: BTreeMap<String, RawCredential>,
    places: &Places,
) -> Result<BTreeMap<String, Credential>, ConfigError> {
    let mut all = BTreeMap::new();
    all.insert(
        BUILT_IN_CREDENTIAL.to_owned(),
        Credential::v2c(BUILT_IN_CREDENTIAL),
    );
    for (name, raw) in raw {
        let version = match &raw.version {
            None => Version::V2c,
            Some(version) if version.as_ref() == "2c" => Version::V2c,
            Some(version) if version.as_ref() == "1" => Version::V1,
            Some(version) if version.as_ref() == "3" => {
                let user = user(&name, &raw, places)?;
                all.insert(name, Credential::User(Arc::new(user)));
                continue;
            }
            Some(version) => {
                let what = format!("'{}' is no SNMP version that is spoken", version.as_ref());
                return Err(places.error(version, what, "write \"1\", \"2c\" or \"3\""));
            }
        };
        let community = community(&name, raw, places)?;
        all.insert(name, Credential::Community { version, community });
    }
    Ok(all)
}

fn community(name: &str, raw: RawCredential, places: &Places) -> Result<Secret, ConfigError> {
    let texts = [
        ("user", &raw.user),
        ("auth", &raw.auth),
        ("priv", &raw.privacy),
        ("context", &raw.context),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            let what = format!("credential '{name}' has a {key}, which only version 3 has");
            return Err(places.error(value, what, "write version = \"3\""));
        }
    }
    if let Some(file) = raw.auth_password_file.or(raw.priv_password_file) {
        let what = format!("credential '{name}' has a password, which only version 3 has");
        return Err(places.error(&file, what, "write version = \"3\""));
    }
    match (raw.community, raw.community_file) {
        (Some(community), None) => Ok(Secret::new(community.into_inner())),
        (None, Some(file)) => secret::secret_from(&file, places),
        (Some(_), Some(file)) => {
            let what = format!("credential '{name}' has a community and a file for one");
            Err(places.error(&file, what, "keep one of them"))
        }
        (None, None) => {
            let what = format!("credential '{name}' has no community");
            Err(places.missing(what, "write community or community_file"))
        }
    }
}

/// Makes a user of version 3, with keys of the passwords in the files.
fn user(name: &str, raw: &RawCredential, places: &Places) -> Result<User, ConfigError> {
    let needless = "version 3 has a user instead";
    if let Some(community) = &raw.community {
        let what = format!("credential '{name}' has version 3 and a community");
        return Err(places.error(community, what, needless));
    }
    if let Some(file) = &raw.community_file {
        let what = format!("credential '{name}' has version 3 and a community");
        return Err(places.error(file, what, needless));
    }
    let Some(user) = &raw.user else {
        let what = format!("credential '{name}' has version 3 and no user");
        return Err(places.missing(what, "write user"));
    };
    let auths = Auth::ALL.map(Auth::word);
    let auth = algorithm(&raw.auth, Auth::from_word, &auths, places)?;
    let privacies = Privacy::ALL.map(Privacy::word);
    let privacy = algorithm(&raw.privacy, Privacy::from_word, &privacies, places)?;
    let (auth_keys, priv_keys) = (
        ("auth", "auth_password_file"),
        ("priv", "priv_password_file"),
    );
    let hush = password(
        name,
        auth_keys,
        (&raw.auth, &raw.auth_password_file),
        places,
    )?;
    let priv_hush = password(
        name,
        priv_keys,
        (&raw.privacy, &raw.priv_password_file),
        places,
    )?;
    let security = match (auth.zip(hush.as_ref()), privacy.zip(priv_hush.as_ref())) {
        (None, None) => Security::None,
        (Some((auth, hush)), None) => Security::Auth(auth, hush.expose()),
        (Some((auth, hush)), Some((privacy, priv_hush))) => {
            Security::AuthPriv((auth, hush.expose()), (privacy, priv_hush.expose()))
        }
        (None, Some(_)) => {
            let what = format!("credential '{name}' has priv and no auth");
            return Err(places.missing(what, "version 3 encrypts only what is authenticated"));
        }
    };
    let context = raw.context.as_ref().map_or("", |it| it.as_ref());
    let made = User::new(user.as_ref(), context, security);
    made.map_err(|error| match (error, &raw.context) {
        (UserError::Context, Some(context)) => places.error(context, error.to_string(), ""),
        (_, _) => places.error(user, error.to_string(), ""),
    })
}

/// A user as a hub seals one: as in `[credentials.NAME]`, with the passwords in place of files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedUser {
    user: String,
    #[serde(default)]
    context: String,
    auth: Option<String>,
    auth_password: Option<String>,
    #[serde(rename = "priv")]
    privacy: Option<String>,
    priv_password: Option<String>,
}

/// Makes a user of what a hub sealed. What is wrong is told without a word of what was sealed.
pub(crate) fn sealed_user(document: &[u8]) -> Result<User, String> {
    let no_user = || {
        "what is sealed is no user: write user, auth, auth_password, priv, priv_password and \
         context as TOML"
            .to_owned()
    };
    let text = std::str::from_utf8(document).map_err(|_| no_user())?;
    let sealed: SealedUser = toml::from_str(text).map_err(|_| no_user())?;
    let auth = match sealed.auth.as_deref() {
        Some(word) => Some(Auth::from_word(word).ok_or("its auth is no algorithm")?),
        None => None,
    };
    let privacy = match sealed.privacy.as_deref() {
        Some(word) => Some(Privacy::from_word(word).ok_or("its priv is no algorithm")?),
        None => None,
    };
    let (hush, priv_hush) = (&sealed.auth_password, &sealed.priv_password);
    let security = match ((auth, hush), (privacy, priv_hush)) {
        ((None, None), (None, None)) => Security::None,
        ((Some(auth), Some(hush)), (None, None)) => Security::Auth(auth, hush.as_bytes()),
        ((Some(auth), Some(hush)), (Some(privacy), Some(priv_hush))) => {
            Security::AuthPriv((auth, hush.as_bytes()), (privacy, priv_hush.as_bytes()))
        }
        (_, _) => {
            let what = "auth and auth_password, priv and priv_password go together, priv with auth";
            return Err(what.to_owned());
        }
    };
    User::new(&sealed.user, &sealed.context, security).map_err(|error| error.to_string())
}

/// The algorithm behind a word.
fn algorithm<A>(
    word: &Option<Spanned<String>>,
    from_word: impl Fn(&str) -> Option<A>,
    words: &[&str],
    places: &Places,
) -> Result<Option<A>, ConfigError> {
    let Some(word) = word else {
        return Ok(None);
    };
    if let Some(algorithm) = from_word(word.as_ref()) {
        return Ok(Some(algorithm));
    }
    let what = format!("'{}' is no algorithm of SNMPv3", word.as_ref());
    Err(places.error(word, what, format!("write one of {}", words.join(", "))))
}

/// The password out of its file; algorithm and file come together or not at all.
fn password(
    name: &str,
    (key, file_key): (&str, &str),
    (word, file): (&Option<Spanned<String>>, &Option<Spanned<PathBuf>>),
    places: &Places,
) -> Result<Option<Secret>, ConfigError> {
    match (word, file) {
        (None, None) => Ok(None),
        (Some(_), Some(file)) => secret::secret_from(file, places).map(Some),
        (Some(word), None) => {
            let what = format!("credential '{name}' has {key} and no password for it");
            Err(places.error(word, what, format!("write {file_key}")))
        }
        (None, Some(file)) => {
            let what = format!("credential '{name}' has {file_key} and no {key}");
            Err(places.error(file, what, format!("write {key}")))
        }
    }
}
