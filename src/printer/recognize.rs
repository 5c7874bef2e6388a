//! Whether a device is a printer at all.
//!
//! Rows of the Printer-MIB decide at once. Rows of hrPrinterTable do not: servers list their print
//! queues there, and some Net-SNMP agents the error text of a missing `lpq`. So for a device
//! without a Printer-MIB, its description and its maker's number decide.

use snmp::Value;

use crate::walk::Walk;
use crate::{brand, mib};

/// Longest part of a description that a reason repeats, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// Words that only descriptions of other things have, lower case, and what those are.
const OTHER_THINGS: &[(&str, &str)] = &[
    ("windows", "a computer running Windows"),
    ("linux", "a device running plain Linux"),
    ("freebsd", "a computer running FreeBSD"),
    ("openbsd", "a computer running OpenBSD"),
    ("darwin", "a computer running macOS"),
    ("sunos", "a computer running Solaris"),
    ("aix ", "a computer running AIX"),
    ("hp-ux", "a computer running HP-UX"),
    ("vmware", "a virtualization host"),
    ("proxmox", "a virtualization host"),
    ("projector", "a projector"),
    ("scanning", "a document scanner"),
    ("switch", "a network switch"),
    ("procurve", "a network switch"),
    ("catalyst", "a network switch"),
    ("cisco", "a network device"),
    ("juniper", "a network device"),
    ("fortigate", "a firewall"),
    ("firewall", "a firewall"),
    ("pfsense", "a firewall"),
    ("router", "a router"),
    ("gateway", "a gateway"),
    ("modem", "a modem"),
    ("multiplexer", "a multiplexer"),
    ("wireless", "a wireless device"),
    ("access point", "a wireless access point"),
    ("camera", "a camera"),
    ("document server", "a document server"),
    ("onboard administrator", "a blade enclosure"),
    ("idrac", "a server's management board"),
    ("irmc", "a server's management board"),
    ("integrated lights-out", "a server's management board"),
    ("synology", "a storage system"),
    ("qnap", "a storage system"),
    ("powervault", "a storage system"),
    ("tape", "a tape library"),
    ("ups ", "a power supply"),
    ("network management card", "a power supply"),
    ("pdu", "a power distributor"),
    ("phone", "a telephone"),
];

/// Words that only descriptions of printers have, whoever made them, lower case.
const PRINTER_WORDS: &[&str] = &[
    "printer",
    "infoprint",
    "laserjet",
    "phaser",
    "datamax",
    "fiery",
    " all-n-1",
];

/// Enterprise numbers (IANA) of makers of other things, and what those are.
const OTHER_MAKERS: &[(u32, &str)] = &[
    (9, "Cisco"),
    (43, "3Com"),
    (171, "D-Link"),
    (232, "HPE servers"),
    (311, "Microsoft"),
    (318, "APC"),
    (368, "Axis"),
    (388, "Symbol"),
    (534, "Eaton"),
    (890, "Zyxel"),
    (1916, "Extreme Networks"),
    (1991, "Brocade"),
    (2011, "Huawei"),
    (2606, "Rittal"),
    (2636, "Juniper"),
    (4526, "Netgear"),
    (6527, "Nokia"),
    (6574, "Synology"),
    (6876, "VMware"),
    (10876, "Supermicro"),
    (11863, "TP-Link"),
    (12325, "FreeBSD"),
    (12356, "Fortinet"),
    (14823, "Aruba"),
    (14988, "MikroTik"),
    (24681, "QNAP"),
    (25461, "Palo Alto Networks"),
    (25506, "H3C"),
    (41112, "Ubiquiti"),
    (47196, "HPE"),
];

/// Whether what little is known leaves it open that this is a printer. Errs towards yes: a full
/// reading costs some twenty questions, a printer left out is never found.
pub(crate) fn may_be_a_printer(walk: &Walk) -> bool {
    has_printer_mib(walk) || says_printer(walk) || why_something_else(walk).is_none()
}

/// Why a device is no printer, for a person to read; `None` for a printer.
pub(crate) fn why_no_printer(walk: &Walk) -> Option<String> {
    if has_printer_mib(walk) {
        return None;
    }
    if walk.is_empty() {
        return Some("it answers nothing that Platen asks".to_owned());
    }
    if let Some(reason) = why_something_else(walk) {
        return Some(reason);
    }
    if says_printer(walk) || is_host_printer(walk) {
        return None;
    }
    let description = description(walk);
    Some(if description.is_empty() {
        "it has no description, no printer objects, and no printer maker's number".to_owned()
    } else {
        format!(
            "it has no printer objects, and '{}' is no printer we know",
            quote(&description)
        )
    })
}

/// Whether there are rows that only printers have.
fn has_printer_mib(walk: &Walk) -> bool {
    walk.under(mib::PRINTER_MIB).next().is_some()
}

/// Whether description or sysObjectID are those of a printer.
fn says_printer(walk: &Walk) -> bool {
    let description = description(walk);
    let by_object_id = match walk.at(mib::SYS_OBJECT_ID, &[mib::SCALAR]) {
        Some(Value::ObjectId(oid)) => brand::object_id_says_printer(oid.arcs()),
        _ => None,
    };
    let by_words = words_say_printer(&description);
    let by_private_objects = || {
        let number = brand::enterprise(walk)?;
        let root = [mib::ENTERPRISES, &[number]].concat();
        let (tail, _) = walk.under(&root).next()?;
        brand::object_id_says_printer(&[&root, tail].concat())
    };
    match (by_object_id, by_words) {
        (Some(is_printer), _) => is_printer,
        (None, Some(is_printer)) => is_printer,
        (None, None) => description.is_empty() && by_private_objects() == Some(true),
    }
}

/// Whether the words of a description are a printer's; `None` where they say nothing of it.
fn words_say_printer(description: &str) -> Option<bool> {
    let lower = description.to_lowercase();
    if PRINTER_WORDS.iter().any(|word| lower.contains(word)) {
        return Some(true);
    }
    brand::leading(description).map(|brand| brand.describes_printer(description))
}

/// Whether the device lists itself as a printer and nothing says that it is a computer.
fn is_host_printer(walk: &Walk) -> bool {
    walk.under(mib::HR_PRINTER_STATUS).next().is_some()
        && walk
            .under(mib::HR_DEVICE_TYPE)
            .any(|(_, value)| is_printer_type(value))
}

/// Whether a value of hrDeviceType is hrDevicePrinter.
pub(crate) fn is_printer_type(value: &Value) -> bool {
    matches!(value, Value::ObjectId(kind) if kind.arcs() == mib::HR_DEVICE_PRINTER)
}

/// What speaks for something else than a printer.
fn why_something_else(walk: &Walk) -> Option<String> {
    let description = description(walk);
    let lower = format!("{} ", description.to_lowercase());
    let is_of_a_line =
        brand::leading(&description).is_some_and(|brand| names_a_line(brand, &description));
    if let Some((_, thing)) = OTHER_THINGS.iter().find(|(word, _)| lower.contains(word))
        && !is_of_a_line
    {
        return Some(format!("it is {thing}: '{}'", quote(&description)));
    }
    let number = walk.enterprise()?;
    if let Some((_, maker)) = OTHER_MAKERS.iter().find(|(other, _)| *other == number)
        && !is_of_a_line
    {
        return Some(format!(
            "its maker's number is that of {maker}, which makes no printers"
        ));
    }
    let Some(Value::ObjectId(oid)) = walk.at(mib::SYS_OBJECT_ID, &[mib::SCALAR]) else {
        return None;
    };
    let brand = brand::of_enterprise(number)?;
    (brand::object_id_says_printer(oid.arcs()) == Some(false)).then(|| {
        let name = brand.name;
        format!("its maker's number is that of {name}, but not of {name}'s printers: {oid}")
    })
}

/// Whether a description has words that only this maker's printers have.
fn names_a_line(brand: &brand::Brand, description: &str) -> bool {
    !brand.printer_words.is_empty() && brand.describes_printer(description)
}

fn description(walk: &Walk) -> String {
    walk.text(mib::SYS_DESCR, &[mib::SCALAR])
        .unwrap_or_default()
}

fn quote(description: &str) -> String {
    description.chars().take(QUOTE_CHARS_MAX).collect()
}
