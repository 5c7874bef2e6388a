//! A user of version 3, as a person configures one.

use std::fmt;

use super::algorithm::{Auth, Level, Privacy};
use super::key::{Key, Keys};

/// Longest name of a user or of a context, in octets (RFC 3414 §5, RFC 3415 §4).
pub const NAME_BYTES_MAX: usize = 32;

/// Who asks, in which context, and with what keys. The passwords are not kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct User {
    name: String,
    context: String,
    auth: Option<(Auth, Key)>,
    privacy: Option<(Privacy, Key)>,
}

/// What a user has to show, and with which password.
#[derive(Clone, Copy)]
pub enum Security<'p> {
    /// Nothing: noAuthNoPriv.
    None,
    /// authNoPriv.
    Auth(Auth, &'p [u8]),
    /// authPriv.
    AuthPriv((Auth, &'p [u8]), (Privacy, &'p [u8])),
}

/// Why there can be no such user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// No name, or one that is too long.
    #[error("a user name has 1 to {NAME_BYTES_MAX} bytes")]
    Name,
    /// A context that is too long.
    #[error("a context has up to {NAME_BYTES_MAX} bytes")]
    Context,
    /// An empty password.
    #[error("the password is empty")]
    NoPassword,
}

impl User {
    /// Makes a user, and keys of the passwords: that takes milliseconds.
    ///
    /// # Errors
    /// [`UserError`] when the name, the context or a password cannot be.
    pub fn new(name: &str, context: &str, security: Security<'_>) -> Result<Self, UserError> {
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            return Err(UserError::Name);
        }
        if context.len() > NAME_BYTES_MAX {
            return Err(UserError::Context);
        }
        let key = |auth, password: &[u8]| {
            if password.is_empty() {
                return Err(UserError::NoPassword);
            }
            Ok(Key::from_password(auth, password))
        };
        let (auth, privacy) = match security {
            Security::None => (None, None),
            Security::Auth(auth, password) => (Some((auth, key(auth, password)?)), None),
            Security::AuthPriv((auth, password), (privacy, hush)) => (
                Some((auth, key(auth, password)?)),
                Some((privacy, key(auth, hush)?)),
            ),
        };
        Ok(Self {
            name: name.to_owned(),
            context: context.to_owned(),
            auth,
            privacy,
        })
    }

    /// The name, which is no secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The context that is asked for; empty for the usual one.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The algorithm of authentication.
    #[must_use]
    pub fn auth(&self) -> Option<Auth> {
        self.auth.as_ref().map(|(auth, _)| *auth)
    }

    /// The algorithm of encryption.
    #[must_use]
    pub fn privacy(&self) -> Option<Privacy> {
        self.privacy.as_ref().map(|(privacy, _)| *privacy)
    }

    /// How well this user's messages are secured.
    #[must_use]
    pub fn level(&self) -> Level {
        match (&self.auth, &self.privacy) {
            (None, _) => Level::NoAuthNoPriv,
            (Some(_), None) => Level::AuthNoPriv,
            (Some(_), Some(_)) => Level::AuthPriv,
        }
    }

    /// The keys for one engine. Takes milliseconds where a key is extended after Reeder, else
    /// microseconds; to be kept with the engine.
    #[must_use]
    pub fn localize(&self, engine_id: &[u8]) -> Keys {
        Keys::localize(self.auth.as_ref(), self.privacy.as_ref(), engine_id)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("context", &self.context)
            .field("auth", &self.auth)
            .field("privacy", &self.privacy)
            .finish()
    }
}
