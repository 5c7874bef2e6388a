//! The whole of a device as a recording, without what is a person's.
//!
//! Used by `platen read --record` and by the order to walk. What job logs hold is never recorded;
//! names, contacts and locations only where somebody at the site asked for them.

use std::collections::BTreeSet;
use std::time::Duration;

use printer::mib;
use snmp::recording::Recording;
use snmp::{Oid, Value, VarBind};

use super::session::{Budget, Session};
use super::snmp::AskError;

/// What a recording that a person makes at the site may cost: a large device has some 20,000
/// objects, ten an answer.
pub const AT_THE_SITE: Budget = Budget {
    pdus_max: 20_000,
    bytes_max: 16 * 1_024 * 1_024,
    time_max: Duration::from_secs(15 * 60),
};

/// What a recording that the hub asks for may cost: its result has 256 KiB at most.
pub const FOR_THE_HUB: Budget = Budget {
    pdus_max: 5_000,
    bytes_max: 512 * 1_024,
    time_max: Duration::from_secs(15 * 60),
};

/// What stands where a person's words stood.
const BLANK: &[u8] = b"<private>";

/// Shorter values than this stand in too many places to be blanked wherever they stand.
const NAME_BYTES_MIN: usize = 4;

/// Asks for everything, as far as the budget goes; says why it had to stop, if it had to.
pub async fn everything(session: &mut Session) -> (Vec<VarBind>, Option<AskError>) {
    let roots = [Oid::new(mib::MIB_2), Oid::new(mib::ENTERPRISES)];
    session.gather(&roots).await
}

/// Takes out what is a person's: what job logs hold always, names, contacts and locations unless
/// asked for, wherever the device repeats them.
#[must_use]
pub fn blanked(mut varbinds: Vec<VarBind>, is_private: bool) -> Recording {
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
