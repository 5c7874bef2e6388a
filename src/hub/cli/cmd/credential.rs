//! A credential out of a file, sealed to the agent that is to use it: the hub keeps what it cannot read.

use std::path::Path;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::plain;
use crate::door::command::seal;
use crate::store::agents::AgentRow;

/// Longest file of a credential, in octets; more is none.
const CREDENTIAL_FILE_MAX: usize = 4_096;

/// What a file holds, sealed to an agent under the credential's name and version.
pub(super) fn sealed(
    agent: &AgentRow,
    (name, version): (&str, &str),
    file: &Path,
) -> Result<Vec<u8>, Complaint> {
    let Some(key) = agent.sealing_key else {
        return Err(
            Complaint::new(Exit::FAILED, "nothing can be sealed to this agent")
                .because("it was enrolled before agents had a key for that")
                .try_next(format!("platen-hub agent invite {}", plain(&agent.name))),
        );
    };
    let text = read_file(file)?;
    let sealed = if version == "3" {
        look_at_user(file, &text)?;
        seal::user(&key, (&agent.id, name), &text)
    } else {
        let community = text.strip_suffix(b"\n").unwrap_or(&text);
        let community = community.strip_suffix(b"\r").unwrap_or(community);
        seal::credential(&key, (&agent.id, name), community)
    };
    sealed.map_err(|error| Complaint::new(Exit::FAILED, format!("{}: {error}", file.display())))
}

/// Looks whether a file can be a user of version 3: which algorithms there are, the agent knows.
fn look_at_user(file: &Path, text: &[u8]) -> Result<(), Complaint> {
    const KEYS: [&str; 6] = [
        "user",
        "context",
        "auth",
        "auth_password",
        "priv",
        "priv_password",
    ];
    let table = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok());
    let is_key =
        |(key, value): (&String, &toml::Value)| KEYS.contains(&key.as_str()) && value.is_str();
    let is_user = |table: &toml::Table| table.contains_key("user") && table.iter().all(is_key);
    if table.as_ref().is_some_and(is_user) {
        return Ok(());
    }
    let what = format!("{} holds no user of version 3", file.display());
    Err(Complaint::new(Exit::FAILED, what)
        .because("a user is TOML with texts under these keys alone")
        .try_next(format!("write {}", KEYS.join(", "))))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Complaint> {
    let refuse = |why: String| {
        Complaint::new(Exit::FAILED, format!("{} cannot be read", path.display())).because(why)
    };
    let octets = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    if octets.len() > CREDENTIAL_FILE_MAX {
        return Err(refuse(format!(
            "it has more than {CREDENTIAL_FILE_MAX} octets"
        )));
    }
    Ok(octets)
}
