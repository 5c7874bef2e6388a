//! `agent pending`, `approve`, `refuse`: a person compares a key's fingerprint and lets it in.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;

use crate::cli::agents::tell_alarms;
use crate::cli::complaint::{Complaint, Exit};
use crate::cli::{open, plain, say};
use crate::config::HubConfig;
use crate::store::Tenant;
use crate::store::approvals::{Pending, grouped};

/// Fewest digits of a fingerprint that name a key: 32 bits, so that two are never taken for one.
const DIGITS_MIN: usize = 8;

/// Lists who waits.
pub(super) async fn pending(config: &HubConfig, json: bool) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let pending = store.pending(&Tenant::DEFAULT, Timestamp::now()).await?;
    if json {
        let pending: Vec<serde_json::Value> = pending.iter().map(as_json).collect();
        say(serde_json::json!({"schema": 1, "pending": pending}))?;
        return Ok(Exit::OK);
    }
    tell_alarms(&store).await?;
    if pending.is_empty() {
        eprintln!("no agent waits for approval");
        return Ok(Exit::OK);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["AGENT", "SITE", "ASKED", "FROM", "FINGERPRINT OF ITS KEY"]);
    for one in &pending {
        table.add_row([
            plain(&one.agent_name),
            plain(&one.site),
            one.asked.to_string(),
            plain(&one.asked_from),
            grouped(&one.key_hash),
        ]);
    }
    say(table.trim_fmt())?;
    eprintln!("the site reads the same digits to you? platen-hub agent approve NAME");
    Ok(Exit::OK)
}

/// Lets one in.
pub(super) async fn approve(config: &HubConfig, wanted: &str) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let pending = store.pending(&Tenant::DEFAULT, Timestamp::now()).await?;
    let one = the_one(&pending, wanted)?;
    if !store.approve(&Tenant::DEFAULT, &one.key_hash).await? {
        return Err(nobody(wanted));
    }
    let name = plain(&one.agent_name);
    eprintln!("{name} is let in; it asks again within seconds");
    Ok(Exit::OK)
}

/// Turns one down.
pub(super) async fn refuse(config: &HubConfig, wanted: &str) -> Result<Exit, Complaint> {
    let (store, _) = open(config).await?;
    let pending = store.pending(&Tenant::DEFAULT, Timestamp::now()).await?;
    let one = the_one(&pending, wanted)?;
    if !store.turn_down(&Tenant::DEFAULT, &one.key_hash).await? {
        return Err(nobody(wanted));
    }
    eprintln!(
        "{} is turned down, and its code is closed",
        plain(&one.agent_name)
    );
    Ok(Exit::OK)
}

/// The one that waits under this name, or with a key whose fingerprint begins so.
fn the_one<'a>(pending: &'a [Pending], wanted: &str) -> Result<&'a Pending, Complaint> {
    let digits: String = wanted
        .chars()
        .filter(|sign| !sign.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase();
    let is_key = |one: &Pending| digits.len() >= DIGITS_MIN && one.key_hash.starts_with(&digits);
    let mut found = pending
        .iter()
        .filter(|one| one.agent_name == wanted || is_key(one));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            let what = format!("more than one agent waits as '{}'", plain(wanted));
            Err(Complaint::new(Exit::FAILED, what)
                .because("two keys ask under this name")
                .try_next("name the key by its fingerprint: platen-hub agent pending"))
        }
        (None, _) => Err(nobody(wanted)),
    }
}

fn nobody(wanted: &str) -> Complaint {
    let what = format!("no agent '{}' waits for approval", plain(wanted));
    Complaint::new(Exit::NOTHING, what)
        .because("none that waits has this name or fingerprint, or its code has ended")
        .try_next("platen-hub agent pending lists who waits")
}

fn as_json(one: &Pending) -> serde_json::Value {
    serde_json::json!({
        "agent": one.agent_name,
        "site": one.site,
        "key": one.key_hash,
        "asked": one.asked,
        "from": one.asked_from,
        "until": one.until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(name: &str, key: &str) -> Pending {
        Pending {
            agent_name: name.to_owned(),
            site: String::new(),
            key_hash: key.repeat(32),
            asked: Timestamp::UNIX_EPOCH,
            asked_from: String::new(),
            until: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn one_is_found_by_its_name_or_by_the_digits_that_were_read_out() {
        let pending = [waiting("a", "0a"), waiting("b", "0b"), waiting("b", "0c")];
        let found = |wanted| the_one(&pending, wanted).map(|one| one.key_hash.clone());
        assert_eq!(found("a").unwrap(), "0a".repeat(32));
        assert_eq!(found("0B0B 0b0b").unwrap(), "0b".repeat(32));
        assert_eq!(
            found("b").unwrap_err().exit,
            Exit::FAILED,
            "two of that name"
        );
        assert_eq!(
            found("0b0b").unwrap_err().exit,
            Exit::NOTHING,
            "too few digits"
        );
        assert_eq!(found("c").unwrap_err().exit, Exit::NOTHING);
    }
}
