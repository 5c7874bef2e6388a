//! Options of the verbs that ask devices as a user of SNMP version 3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actors::reach::credential::Credential;
use clap::Args;
use snmp::usm::{Auth, Privacy, Security, User};
use zeroize::Zeroizing;

use super::{CliError, Exit};

/// Longest password that a file may hold, in octets: no printer takes so many.
const PASSWORD_BYTES_MAX: usize = 255;

/// As whom devices are asked.
#[derive(Debug, Clone, Args)]
pub struct UserArgs {
    /// Ask as this user of SNMPv3, and never with a community
    #[arg(long = "v3-user", value_name = "NAME")]
    #[arg(conflicts_with_all = ["community", "community_file"])]
    user: Option<String>,
    /// How the user shows who it is: md5, sha, sha224, sha256, sha384 or sha512
    #[arg(long = "v3-auth", value_name = "ALGORITHM", value_parser = auth)]
    #[arg(requires = "user", requires = "auth_password_file")]
    auth: Option<Auth>,
    /// File whose first line is the user's authentication password
    #[arg(long = "v3-auth-password-file", value_name = "FILE", requires = "auth")]
    auth_password_file: Option<PathBuf>,
    /// How its messages are encrypted: des, aes128, aes192, aes256; aes192c and aes256c are
    /// Cisco's way
    #[arg(long = "v3-priv", value_name = "ALGORITHM", value_parser = privacy)]
    #[arg(requires = "auth", requires = "priv_password_file")]
    privacy: Option<Privacy>,
    /// File whose first line is the user's privacy password
    #[arg(
        long = "v3-priv-password-file",
        value_name = "FILE",
        requires = "privacy"
    )]
    priv_password_file: Option<PathBuf>,
    /// Context to ask in, as Jetdirect on some HP printers
    #[arg(long = "v3-context", value_name = "NAME", requires = "user")]
    context: Option<String>,
}

impl UserArgs {
    /// Whether a user was named.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.user.is_some()
    }

    /// The user as a credential; none where none was named.
    ///
    /// # Errors
    /// [`CliError`] when a file cannot be read, or there can be no such user.
    pub fn credential(&self) -> Result<Option<Credential>, CliError> {
        let Some(name) = &self.user else {
            return Ok(None);
        };
        let read = |file: &Option<PathBuf>| {
            let file = file.as_deref();
            file.map(|file| first_line(file, "password", PASSWORD_BYTES_MAX))
                .transpose()
        };
        let (hush, priv_hush) = (
            read(&self.auth_password_file)?,
            read(&self.priv_password_file)?,
        );
        let auth = self.auth.zip(hush.as_ref().map(|it| it.as_slice()));
        let privacy = self.privacy.zip(priv_hush.as_ref().map(|it| it.as_slice()));
        let security = match (auth, privacy) {
            (None, _) => Security::None,
            (Some((auth, hush)), None) => Security::Auth(auth, hush),
            (Some(auth), Some(privacy)) => Security::AuthPriv(auth, privacy),
        };
        let context = self.context.as_deref().unwrap_or_default();
        let user = User::new(name, context, security).map_err(|error| {
            CliError::new(Exit::USAGE, format!("there can be no user '{name}'"))
                .because(error.to_string())
                .try_next("see --v3-user and --v3-context in --help")
        })?;
        Ok(Some(Credential::User(Arc::new(user))))
    }
}

/// The first line of a file that holds a secret. It is wiped after use, as is the rest of the file.
///
/// # Errors
/// [`CliError`] when the file cannot be read, or its first line is empty or too long.
pub fn first_line(
    path: &Path,
    what: &str,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let shown = path.display();
    // Of a file it is read in one piece; a pipe, whose length nobody knows, may leave pieces behind.
    let text = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        CliError::new(Exit::USAGE, format!("cannot read the {what} file {shown}"))
            .because(error.to_string())
            .try_next(format!(
                "name a file that holds the {what} in its first line"
            ))
    })?;
    let line = text
        .split(|octet| *octet == b'\n')
        .next()
        .unwrap_or_default();
    let secret = line.strip_suffix(b"\r").unwrap_or(line);
    if secret.is_empty() || secret.len() > bytes_max {
        let why = format!("its first line is empty, or longer than {bytes_max} octets");
        let refused = CliError::new(Exit::USAGE, format!("no {what} in {shown}"));
        let next = format!("write the {what} into the first line");
        return Err(refused.because(why).try_next(next));
    }
    Ok(Zeroizing::new(secret.to_vec()))
}

fn auth(text: &str) -> Result<Auth, String> {
    let words = Auth::ALL.map(Auth::word).join(", ");
    Auth::from_word(text).ok_or_else(|| format!("write one of {words}"))
}

fn privacy(text: &str) -> Result<Privacy, String> {
    let words = Privacy::ALL.map(Privacy::word).join(", ");
    Privacy::from_word(text).ok_or_else(|| format!("write one of {words}"))
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    /// Holds by its type alone: what lacks it does not compile.
    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn a_secret_is_the_first_line_of_its_file_and_is_wiped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, secret) in [
            ("hush-hush", "hush-hush"),
            ("hush hush \nnote\n", "hush hush "),
            ("hush\r\n", "hush"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let read = first_line(file.path(), "password", 10).unwrap();
            is_wiped(&read);
            assert_eq!(*read, secret.as_bytes(), "{text:?}");
        }
        for text in ["", "\nhush", "hush-hush-h\n"] {
            std::fs::write(file.path(), text).unwrap();
            let refused = first_line(file.path(), "password", 10).unwrap_err();
            assert!(!format!("{refused:?}").contains("hush"), "{refused:?}");
        }
    }
}
