//! Secrets out of files that nobody else can read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use actors::reach::credential::Secret;
use toml::Spanned;
use zeroize::Zeroizing;

use super::{ConfigError, Places};

/// Longest file that is read for a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// A secret from a file that nobody else can read.
pub(super) fn secret_from(file: &Spanned<PathBuf>, places: &Places) -> Result<Secret, ConfigError> {
    let path = file.as_ref();
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        places.error(
            file,
            format!("{shown} cannot be read: {error}"),
            "name a file that holds the secret alone and that this user can read",
        )
    };
    let about = fs::metadata(path).map_err(unreadable)?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("{shown} can be read by others (mode {mode:04o})");
        return Err(places.error(file, what, format!("chmod 600 {shown}")));
    }
    if about.len() > SECRET_BYTES_MAX {
        let what = format!("{shown} is too long for a secret");
        return Err(places.error(file, what, format!("at most {SECRET_BYTES_MAX} bytes")));
    }
    let octets = fs::read(path).map(Zeroizing::new).map_err(unreadable)?;
    let end = octets
        .iter()
        .rposition(|octet| !matches!(octet, b'\n' | b'\r'));
    let secret = octets
        .get(..end.map_or(0, |end| end + 1))
        .unwrap_or_default();
    if secret.is_empty() {
        return Err(places.error(
            file,
            format!("{shown} is empty"),
            "write the secret into it",
        ));
    }
    Ok(Secret::new(secret))
}
