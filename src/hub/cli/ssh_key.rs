//! `ssh-key`: the personal keys by which people reach their own sessions with `ssh -L`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{agents, bound, open, plain, say};
use crate::config::HubConfig;
use crate::door::gateway::guest;
use crate::permission::{Right, Rights};
use crate::state;
use crate::store::Tenant;
use crate::store::gateway::SshKey;

/// What can be done about personal keys.
#[derive(Debug, Subcommand)]
pub(super) enum SshKeyVerb {
    /// Let a person's key in, for the sessions that this person opens
    Add {
        /// Whose it is: the name their portal link was made for
        #[arg(value_parser = agents::name)]
        name: String,
        /// The public half, as ~/.ssh/id_ed25519.pub
        file: PathBuf,
        /// What for, with commas between; only `web` opens anything
        #[arg(long, value_name = "WORDS", value_delimiter = ',',
              value_parser = Right::parse, default_value = "web")]
        may: Vec<Right>,
    },
    /// List the keys
    Ls {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a person's keys; connections by them end within seconds
    Rm {
        /// Whose
        name: String,
        /// Only the key of this fingerprint, as `ls` shows it
        fingerprint: Option<String>,
    },
}

/// Does what was asked about personal keys.
pub(super) async fn run(verb: SshKeyVerb, config: &HubConfig) -> Result<Exit, Complaint> {
    match verb {
        SshKeyVerb::Add { name, file, may } => add(config, &name, &file, Rights::of(may)).await,
        SshKeyVerb::Ls { json } => list(config, json).await,
        SshKeyVerb::Rm { name, fingerprint } => remove(config, &name, fingerprint.as_deref()).await,
    }
}

async fn add(
    config: &HubConfig,
    name: &str,
    file: &Path,
    rights: Rights,
) -> Result<Exit, Complaint> {
    let (key, public_key, fingerprint) = read(file)?;
    let (store, _) = open(config).await?;
    let kept = SshKey {
        name: name.to_owned(),
        fingerprint,
        public_key,
        rights,
        made: Timestamp::now(),
    };
    if !store.ssh_key_add(&Tenant::DEFAULT, &kept).await? {
        let what = format!("'{name}' has too many keys");
        return Err(Complaint::new(Exit::FAILED, what)
            .because("a name may have 16")
            .try_next(format!("platen-hub ssh-key rm {name} FINGERPRINT")));
    }
    eprintln!("{} may come as {name}", key.fingerprint(HashAlg::Sha256));
    let host = config.names.first().map_or("localhost", String::as_str);
    let own = bound(config)?.gateway.map(|at| at.port());
    let uplinks = bound(config)?.uplink.port();
    let port = config.gateway.public_port.or(own).unwrap_or(uplinks);
    eprintln!("with a session open: ssh -N -L 9100:s-SESSION:9100 -p {port} {name}@{host}");
    Ok(Exit::OK)
}

/// The key in a file, its line without the comment, and its fingerprint as the store has it.
fn read(file: &Path) -> Result<(PublicKey, String, String), Complaint> {
    let wrong = |because: &str| {
        let what = format!("{} holds no key that can be let in", file.display());
        Complaint::new(Exit::FAILED, what)
            .because(because)
            .try_next("ssh-keygen -t ed25519, then name the file that ends in .pub")
    };
    let text = state::read(file)?.ok_or_else(|| wrong("there is no such file"))?;
    let text = String::from_utf8(text).map_err(|_| wrong("it is no text"))?;
    if text.contains("PRIVATE KEY") {
        return Err(wrong("that is the private half, which stays where it is"));
    }
    let key = PublicKey::from_openssh(text.trim()).ok();
    let mut key = key.ok_or_else(|| wrong("it is not a line of OpenSSH"))?;
    if !matches!(
        key.algorithm(),
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. }
    ) {
        return Err(wrong("the gateway takes ed25519 and ecdsa"));
    }
    key.set_comment("");
    let line = key.to_openssh().ok();
    match line.zip(guest::fingerprint(&key)) {
        Some((line, fingerprint)) => Ok((key, line.trim().to_owned(), fingerprint)),
        None => Err(wrong("the key cannot be written")),
    }
}

async fn list(config: &HubConfig, json: bool) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let keys = store.ssh_keys(&Tenant::DEFAULT).await?;
    if json {
        let keys: Vec<serde_json::Value> = keys.iter().map(as_json).collect();
        say(serde_json::json!({"schema": 1, "keys": keys}))?;
        return Ok(Exit::OK);
    }
    if keys.is_empty() {
        eprintln!("nobody has a key; platen-hub ssh-key add NAME FILE");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["NAME", "MAY", "ADDED", "FINGERPRINT"]);
    for key in &keys {
        table.add_row([
            plain(&key.name),
            key.rights.to_string(),
            key.made.to_string(),
            shown(key),
        ]);
    }
    say(table.trim_fmt())?;
    Ok(Exit::OK)
}

async fn remove(
    config: &HubConfig,
    name: &str,
    fingerprint: Option<&str>,
) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let mut removed = 0;
    for key in store.ssh_keys(&Tenant::DEFAULT).await? {
        let is_meant = fingerprint.is_none_or(|wanted| shown(&key) == wanted);
        if key.name == name && is_meant {
            let place = (name, key.fingerprint.as_str());
            removed += store.ssh_key_remove(&Tenant::DEFAULT, place).await?;
        }
    }
    if removed == 0 {
        let what = format!("'{}' has no such key", plain(name));
        return Err(Complaint::new(Exit::NOTHING, what)
            .because("no key of this name has this fingerprint")
            .try_next("platen-hub ssh-key ls"));
    }
    eprintln!("{removed} forgotten");
    Ok(Exit::OK)
}

/// A key's fingerprint as `ssh-keygen -l` shows it.
fn shown(key: &SshKey) -> String {
    match PublicKey::from_openssh(&key.public_key) {
        Ok(public) => public.fingerprint(HashAlg::Sha256).to_string(),
        Err(_) => key.fingerprint.clone(),
    }
}

fn as_json(key: &SshKey) -> serde_json::Value {
    serde_json::json!({
        "name": key.name,
        "may": key.rights.to_string(),
        "added": key.made,
        "fingerprint": shown(key),
        "key": key.public_key,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_a_public_key_that_the_gateway_takes_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let of = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read(&file)
                .map(|(_, line, _)| line)
                .map_err(|complaint| complaint.to_string())
        };
        let line =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfkqYjCnZnLj2MVwIFvmVVaDDaZLSVxbrCB4ySUFe2B";
        assert_eq!(of(&format!("{line} me@desk\n")).unwrap(), line);
        let private = of("-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap_err();
        assert!(private.contains("private half"), "{private}");
        assert!(of("nonsense").unwrap_err().contains("no key"));
    }
}
