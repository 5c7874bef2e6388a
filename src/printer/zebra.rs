//! Zebra's label printers over a raw port: what they are asked, what they answer, what they can be
//! told, and who is one.
//!
//! Two languages share the port: SGD, which asks variables by name ([`sgd`]), and ZPL, of which `~HS`
//! asks how the printer is ([`host`]) and a closed list of commands is spoken ([`command`]). The same
//! octets on another maker's printer are a document, and it prints them: so who is one is decided
//! here ([`is_zebra`]), and whoever sends takes a proof that it was asked.

pub mod command;
pub mod host;
mod judge;
pub mod sgd;

pub use command::{Command, NoCommand, Setting, StoredLabel};
pub use judge::{Said, judge};

use crate::walk::Walk;
use crate::{brand, mib};

/// Zebra's enterprise number.
const ZEBRA: u32 = 10_642;

/// The brand as a reading names it.
const BRAND: &str = "Zebra";

/// Whether an answer to [`crate::question::probe`] and [`crate::question::model`] is a Zebra's.
///
/// Its own enterprise number says so. Any other, as that of the print server cards that Zebra and
/// others build in, needs a description that begins with Zebra's name and is a printer's: Zebra makes
/// readers and scanners, too, and a daemon is called so. The name of its first part counts on such a
/// card and beside objects of a printer only, since servers list the printers of their queues there.
/// The number of another maker of printers contradicts it.
#[must_use]
pub fn is_zebra(walk: &Walk) -> bool {
    let number = walk.enterprise();
    if number == Some(ZEBRA) {
        return true;
    }
    let has_rows = walk.under(mib::PRINTER_MIB).next().is_some();
    let is_card = number == Some(brand::PRINT_SERVER_ENTERPRISE);
    let is_named = |text: &String, counts_anyway: bool| {
        let brand = brand::leading(text).filter(|brand| brand.name == BRAND);
        brand.is_some_and(|brand| counts_anyway || brand.describes_printer(text))
    };
    let texts = |object: &'static [u32]| {
        let rows = walk.under(object).map(|(row, _)| row);
        rows.filter_map(move |row| walk.text(object, row))
    };
    let is_described = texts(mib::SYS_DESCR).any(|text| is_named(&text, has_rows));
    let has_part =
        (has_rows || is_card) && texts(mib::HR_DEVICE_DESCR).any(|text| is_named(&text, true));
    (is_described || has_part) && number.and_then(brand::of_enterprise).is_none()
}

#[cfg(test)]
mod tests {
    use snmp::{Oid, Value};

    use super::*;

    fn device(enterprise: Option<&[u32]>, descr: &str) -> Walk {
        let mut walk = Walk::new();
        let scalar = |object: &[u32]| Oid::new(object).with(&[mib::SCALAR]);
        if let Some(tail) = enterprise {
            let value = Value::ObjectId(Oid::new(mib::ENTERPRISES).with(tail).into());
            walk.insert(scalar(mib::SYS_OBJECT_ID), value);
        }
        let text = descr.as_bytes().to_vec();
        walk.insert(scalar(mib::SYS_DESCR), Value::OctetString(text));
        walk
    }

    #[test]
    fn a_zebra_is_known_by_its_number_or_its_name_and_nobody_else_is() {
        let table: &[(Option<&[u32]>, &str, bool)] = &[
            (Some(&[10_642, 1, 1]), "ZTC ZT411-203dpi ZPL", true),
            (Some(&[10_642, 1, 1]), "", true),
            (Some(&[683, 6]), "ZebraNet PrintServer", true),
            (Some(&[683, 6]), "Extended Systems ExtendNet", false),
            (Some(&[683, 6]), "HP ETHERNET MULTI-ENVIRONMENT", false),
            (None, "Zebra Technologies ZTC QLn320", true),
            (
                Some(&[8072, 3, 2, 10]),
                "Zebra Technologies ZTC ZD620",
                true,
            ),
            (
                Some(&[11, 2, 3, 9, 1]),
                "Zebra Technologies ZTC ZD620",
                false,
            ),
            (Some(&[2435, 2]), "Brother NC-8900h", false),
            (Some(&[8072, 3, 2, 10]), "Linux zebra 5.10", false),
            (Some(&[3317, 1, 2]), "Zebra routing daemon 0.99.24", false),
            (
                Some(&[8072, 3, 2, 10]),
                "Zebra Technologies FX9600 RFID Reader",
                false,
            ),
            (None, "", false),
        ];
        for (enterprise, descr, expected) in table {
            let walk = device(*enterprise, descr);
            assert_eq!(is_zebra(&walk), *expected, "{enterprise:?} {descr}");
        }
    }
    #[test]
    fn a_queue_of_a_server_is_no_zebra_and_a_card_in_one_is() {
        let table: &[(&[u32], bool, bool)] = &[
            (&[8072, 3, 2, 10], false, false),
            (&[8072, 3, 2, 10], true, true),
            (&[683, 6], false, true),
            (&[11, 2, 3, 9, 1], true, false),
        ];
        for (enterprise, has_rows, expected) in table {
            let mut walk = device(Some(enterprise), "Print appliance 3.1");
            let text = |text: &str| Value::OctetString(text.as_bytes().to_vec());
            let first = Oid::new(mib::HR_DEVICE_DESCR).with(&[1]);
            walk.insert(first, text("Zebra ZTC ZD420-203dpi ZPL"));
            if *has_rows {
                let changes = Oid::new(mib::PRT_CONFIG_CHANGES).with(&[1]);
                walk.insert(changes, Value::Counter32(3));
            }
            assert_eq!(is_zebra(&walk), *expected, "{enterprise:?} {has_rows}");
        }
    }
}
