//! `platen read --record`: the whole of a device as a file, without what is a person's.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use actors::reach::credential::Credential;
use actors::reach::scope::InScope;
use actors::reach::session::{Budget, Session};
use actors::reach::snmp::{AskError, Snmp};
use printer::mib;
use snmp::recording::Recording;
use snmp::{Oid, Value, VarBind};

use super::{CliError, Exit};

/// What a recording may cost: a large device has some 20,000 objects, ten an answer.
const BUDGET: Budget = Budget {
    pdus_max: 20_000,
    bytes_max: 16 * 1_024 * 1_024,
    time_max: Duration::from_secs(15 * 60),
};

/// What stands where a person's words stood.
const BLANK: &[u8] = b"<private>";

/// Shorter values than this stand in too many places to be blanked wherever they stand.
const NAME_BYTES_MIN: usize = 4;

/// A recording that was made.
#[derive(Debug)]
pub struct Recorded {
    /// How many objects it holds.
    pub objects: usize,
    /// Why it is not whole, if it is not.
    pub stopped: Option<AskError>,
}

/// Walks a device into a new file.
///
/// # Errors
/// [`CliError`] when the file stands already or cannot be written, or the device answers nothing.
pub async fn record(
    snmp: &Snmp,
    target: &InScope,
    credential: &Credential,
    (path, is_private): (&Path, bool),
) -> Result<Recorded, CliError> {
    let mut file = create(path)?;
    let mut session = Session::new(snmp.clone(), *target, credential.clone(), BUDGET);
    let roots = [Oid::new(mib::MIB_2), Oid::new(mib::ENTERPRISES)];
    let (varbinds, stopped) = session.gather(&roots).await;
    let recording = blanked(varbinds, is_private);
    let objects = recording.len();
    let written = file
        .write_all(&recording.to_text())
        .and_then(|()| file.sync_all());
    match written {
        Ok(()) if objects > 0 => Ok(Recorded { objects, stopped }),
        Ok(()) => {
            discard(path);
            let why = stopped.map(|error| error.to_string()).unwrap_or_default();
            Err(CliError::new(Exit::FAILED, "there is nothing to record").because(why))
        }
        Err(error) => {
            discard(path);
            Err(unwritable(path, &error))
        }
    }
}

/// Takes out what is a person's: what job logs hold always, names, contacts and locations unless
/// asked for, wherever the device repeats them.
fn blanked(mut varbinds: Vec<VarBind>, is_private: bool) -> Recording {
    let is_under =
        |oid: &Oid, roots: &[&[u32]]| roots.iter().any(|root| oid.arcs().starts_with(root));
    varbinds.retain(|varbind| !is_under(&varbind.oid, mib::JOBS));
    if is_private {
        return varbinds.into_iter().collect();
    }
    let names_under = |roots: &[&[u32]]| -> BTreeSet<Vec<u8>> {
        let held = varbinds
            .iter()
            .filter(|varbind| is_under(&varbind.oid, roots));
        held.filter_map(|varbind| name_in(&varbind.value)).collect()
    };
    // Many devices carry the model's name until somebody gives them one: that is nobody's.
    let models = names_under(&[mib::HR_DEVICE_DESCR]);
    let names: BTreeSet<Vec<u8>> = names_under(mib::PERSONAL)
        .difference(&models)
        .cloned()
        .collect();
    for varbind in &mut varbinds {
        let Value::OctetString(octets) = &mut varbind.value else {
            continue;
        };
        let is_personal = is_under(&varbind.oid, mib::PERSONAL)
            && !octets.is_empty()
            && !models.contains(&folded(octets));
        if is_personal || names.contains(&folded(octets)) {
            *octets = BLANK.to_vec();
        }
    }
    varbinds.into_iter().collect()
}

fn name_in(value: &Value) -> Option<Vec<u8>> {
    let Value::OctetString(octets) = value else {
        return None;
    };
    let folded = folded(octets);
    (folded.len() >= NAME_BYTES_MIN).then_some(folded)
}

/// A name as it compares: without case and blanks around it.
fn folded(octets: &[u8]) -> Vec<u8> {
    octets.trim_ascii().to_ascii_lowercase()
}

fn create(path: &Path) -> Result<File, CliError> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    created.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::new(Exit::USAGE, format!("{} stands already", path.display()))
                .because("a recording never overwrites a file")
                .try_next("name another file, or remove that one")
        }
        _ => unwritable(path, &error),
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::FAILED, format!("cannot write {}", path.display()))
        .because(error.to_string())
        .try_next("name a file in a folder that you may write to")
}

/// Removes a file that was begun and holds nothing of use.
fn discard(path: &Path) {
    // If it cannot be removed either, an empty file is left: the error before says why.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_blanked_wherever_it_stands() {
        let varbinds = || {
            let text = |oid: Oid, text: &str| VarBind::new(oid, Value::OctetString(text.into()));
            vec![
                text(Oid::new(mib::SYS_DESCR).with(&[0]), "Laser 9000"),
                text(Oid::new(mib::SYS_NAME).with(&[0]), "Anna-Office"),
                text(Oid::new(mib::SYS_LOCATION).with(&[0]), ""),
                text(Oid::new(mib::ENTERPRISES).with(&[11, 7]), " anna-office"),
                text(Oid::new(mib::HR_DEVICE_DESCR).with(&[1]), "Laser 9000"),
                text(Oid::new(mib::PRT_PRINTER_NAME).with(&[1]), "Laser 9000"),
                text(Oid::new(mib::JOBS[0]).with(&[1]), "secret.doc"),
            ]
        };
        let texts = |recording: Recording| -> Vec<String> {
            let octets = recording.iter().filter_map(|(_, value)| match value {
                Value::OctetString(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
                _ => None,
            });
            octets.collect()
        };
        let blank = texts(blanked(varbinds(), false));
        assert_eq!(
            blank,
            [
                "Laser 9000",
                "<private>",
                "",
                "Laser 9000",
                "Laser 9000",
                "<private>"
            ]
        );
        let whole = texts(blanked(varbinds(), true));
        assert_eq!(
            whole,
            [
                "Laser 9000",
                "Anna-Office",
                "",
                "Laser 9000",
                "Laser 9000",
                " anna-office"
            ]
        );
    }
}
