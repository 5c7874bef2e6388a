//! What sysDescr says: every maker packs model, serial number and firmware into it in its own way.

use crate::text::{self, Lower, Word, word};

/// Most firmware levels that are kept: a Xerox tells a dozen.
const FIRMWARE_MAX: usize = 16;

/// Words of a network card's description: it names the card, not the printer.
const NETWORK_CARDS: &[Word] = &[
    word("multi-environment"),
    word("jetdirect"),
    word("print server"),
    word("printserver"),
    word("print adapter"),
    word("marknet"),
    word("pocketpro"),
    word("netque"),
    word("lantronix eps"),
    word("zebranet"),
    word("printing system"),
    word("built-in"),
    word("brother nc-"),
    word("interface card"),
];

/// What was found in a description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The model, with its brand; absent where the description is a network card's.
    pub(crate) model: Option<String>,
    /// The network card or print server, with its brand, where the description names that.
    pub(crate) card: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) firmware: Vec<String>,
}

/// Takes a description apart.
pub(crate) fn read(text: &str) -> Said {
    let mut said = Said {
        serial: serial(text),
        firmware: firmware(text),
        model: None,
        card: None,
    };
    // HP: "HP ETHERNET MULTI-ENVIRONMENT,SN:…,FN:…,SVCID:…,PID:HP LaserJet MFP M130nw".
    if let Some(pid) = after(text, "PID:") {
        said.model = told(until(pid, &[',', ';']));
        return said;
    }
    // OKI: "OKI OkiLAN 9450g Rev.00.69 … PrintServer: Attached to MC873 Rev.07.87 : Copyright …".
    if let Some(attached) = after(text, "Attached to ") {
        let (model, version) = attached.split_once(" Rev.").unwrap_or((attached, ""));
        said.model = told(model);
        said.firmware = told(until(version, &[' ', ':'])).into_iter().collect();
        return said;
    }
    let lower = Lower::of(text);
    if NETWORK_CARDS.iter().any(|card| lower.contains(card)) {
        said.card = card(text);
        return said;
    }
    // Tektronix: "Tektronix, Inc., Phaser 860N, PhaserShare Series B Network Interface, (14.44…".
    let text = &text.replace(", Inc.,", ",");
    // Océ: "Oce, VarioPrint 135 R2.1.0.0, PRISMAsync R13.4.42.7"; "Canon Inc., LBP-1760e Printer".
    let text = match text.split_once(", ") {
        Some((maker, rest)) if !maker.contains(|c: char| c.is_ascii_digit()) => {
            format!("{maker} {rest}")
        }
        _ => text.to_owned(),
    };
    // Ricoh: "RICOH MP C2503 1.35 / RICOH Network Printer C model / …"; Canon: "Canon LBP6670 /P".
    let head = [
        " / ",
        " /P",
        ";",
        ",",
        " version ",
        " Version ",
        " OS ",
        " kernel ",
        " Ver:",
        " FW Ver ",
        " Ver ",
    ]
    .iter()
    .fold(text.as_str(), |head, word| text::before(head, word));
    match head.rsplit_once(' ') {
        Some((model, version)) if is_version(version) && version.contains('.') => {
            said.model = told(model);
            said.firmware
                .insert(0, version.trim_start_matches(['v', 'V', 'R']).to_owned());
        }
        _ => said.model = told(head),
    }
    said
}

/// The card or box that a description is of: its own name, without version and address.
fn card(text: &str) -> Option<String> {
    // HP: "HP ETHERNET MULTI-ENVIRONMENT,ROM A.05.03,JETDIRECT,JD24,EEPROM A.05.05".
    if let Some(behind) = after(text, "JETDIRECT,") {
        return told(&format!("JetDirect {}", until(behind, &[','])));
    }
    let head = [",", ";", " Version ", " Rev.", " Ver ", " V"]
        .iter()
        .fold(text, |head, word| text::before(head, word));
    // Axis: "Axis NPS 550RPrint serverV5.22 Oct 07 1996".
    let head = head
        .split_once("serverV")
        .map_or_else(|| head.to_owned(), |(name, _)| format!("{name}server"));
    let is_nameless = head.ends_with("MULTI-ENVIRONMENT") || head.ends_with("Printing System");
    if is_nameless { None } else { told(&head) }
}

/// Fields of an IEEE-1284 device id, `MFG:Brother;MDL:HL-L8260CDW series;SN:…;`.
pub(crate) fn device_id_field(text: &str, names: &[&str]) -> Option<String> {
    text.split(';').find_map(|field| {
        let (name, value) = field.split_once(':')?;
        let name = name.trim();
        names
            .iter()
            .any(|wanted| name.eq_ignore_ascii_case(wanted))
            .then(|| told(value))?
    })
}

/// HP: "SN:VNCRC48198,"; Samsung: "S/N AAAA"; others: "Serial Number X".
fn serial(text: &str) -> Option<String> {
    let found = ["SN:", "S/N ", "S/N:", "Serial Number "]
        .iter()
        .find_map(|word| after(text, word))
        .map(|rest| until(rest.trim_start(), &[',', ';', ' ']));
    told(found?)
}

/// The firmware levels, each with its own label where it has one.
fn firmware(text: &str) -> Vec<String> {
    let mut levels = Vec::new();
    // Dell, Lexmark: "… version NH5.CY.N543 kernel 3.0.0"; Brother: "Firmware Ver.1.14  (14.11.06)".
    for word in [" version ", " Version ", "Firmware Ver.", " OS "] {
        let version = after(text, word).map(|rest| until(rest.trim_start(), &[' ', ',', ';']));
        levels.extend(version.and_then(told));
    }
    // Fuji Xerox, Xerox, Dell, Samsung: "…; Net 9.26, Controller 200709110910, Engine 05.09.00".
    for part in text.split([';', ',']).skip(1) {
        let part = part.trim();
        let bare = part.strip_prefix('V').unwrap_or(part);
        let first = until(bare, &[' ']);
        match part.rsplit_once(' ') {
            _ if part != bare && is_version(first) => levels.push(first.to_owned()),
            Some((label, version)) if is_version(version) && is_label(label) => {
                levels.push(part.to_owned());
            }
            _ => {}
        }
    }
    levels.truncate(FIRMWARE_MAX);
    levels
}

/// Whether a word is a version: digits with dots between, or a long row of digits; a letter may
/// stand before and behind (`v1.26`, `1.06s`).
fn is_version(word: &str) -> bool {
    let word = word.strip_prefix(['v', 'V', 'R']).unwrap_or(word);
    let word = word
        .strip_suffix(|last: char| last.is_ascii_lowercase())
        .unwrap_or(word);
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits >= 2
        && word
            .bytes()
            .all(|octet| octet.is_ascii_digit() || octet == b'.')
        && (word.contains('.') || digits >= 8)
}

/// Whether a text can be the label of a version: one or two short words.
fn is_label(label: &str) -> bool {
    label.len() <= 16 && label.chars().next().is_some_and(char::is_alphabetic)
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text::split_once(text, word).map(|(_, rest)| rest)
}

fn until<'a>(text: &'a str, ends: &[char]) -> &'a str {
    text.split(ends).next().unwrap_or(text)
}

fn told(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_real_printers_are_taken_apart() {
        // Text, model, serial number, one of the firmware levels.
        let table = [
            (
                "HP ETHERNET MULTI-ENVIRONMENT,SN:VNCRC48198,FN:4Q817L4,SVCID:31339,PID:HP LaserJet MFP M130nw",
                Some("HP LaserJet MFP M130nw"),
                Some("VNCRC48198"),
                None,
            ),
            (
                "OKI OkiLAN 9450g Rev.00.69 10/100/1000BASE Ethernet PrintServer: Attached to MC873 Rev.07.87 : Copyright (c) 2015 Oki Data Corporation.",
                Some("MC873"),
                None,
                Some("07.87"),
            ),
            (
                "RICOH MP C2503 1.35 / RICOH Network Printer C model / RICOH Network Scanner C model",
                Some("RICOH MP C2503"),
                None,
                Some("1.35"),
            ),
            ("Canon LBP6670 /P", Some("Canon LBP6670"), None, None),
            (
                "Lexmark T640 version NS.NP.N219 kernel 2.6.6 All-N-1",
                Some("Lexmark T640"),
                None,
                Some("NS.NP.N219"),
            ),
            (
                "Dell MFP Laser 3115cn; Net 9.26, Controller 200709110910, Engine 05.09.00",
                Some("Dell MFP Laser 3115cn"),
                None,
                Some("Engine 05.09.00"),
            ),
            (
                "Samsung CLX-3170 Series;V1.00.01.64 Sep-27-2010;Engine 1.77.81;NIC V4.01.20(CLX-3170) 02-05-2010;S/N AAAAAAA000AAAA000",
                Some("Samsung CLX-3170 Series"),
                Some("AAAAAAA000AAAA000"),
                Some("1.00.01.64"),
            ),
            (
                "Samsung ML-2850 Series OS 1.01.15.47 02-10-2010;Engine 1.01.25;NIC V4.01.09(ML-285x)",
                Some("Samsung ML-2850 Series"),
                None,
                Some("1.01.15.47"),
            ),
            (
                "Brother NC-8300h, Firmware Ver.1.14  (14.11.06),MID 8C5-F01,FID 2",
                None,
                None,
                Some("1.14"),
            ),
            (
                "EPSON Built-in 11b/g/n & 10/100/1000 Print Server",
                None,
                None,
                None,
            ),
            ("", None, None, None),
        ];
        for (text, model, serial, firmware) in table {
            let said = read(text);
            assert_eq!(said.model.as_deref(), model, "{text}");
            assert_eq!(said.serial.as_deref(), serial, "{text}");
            let has = |level: &str| said.firmware.iter().any(|said| said == level);
            assert!(firmware.is_none_or(has), "{text}: {:?}", said.firmware);
        }
    }

    #[test]
    fn a_device_id_is_fields() {
        let text = "MFG:Brother;CMD:PJL,PCL;MDL:HL-L8260CDW series;CLS:PRINTER;SN: X1;";
        assert_eq!(
            device_id_field(text, &["MDL", "MODEL"]).as_deref(),
            Some("HL-L8260CDW series")
        );
        assert_eq!(
            device_id_field(text, &["SERN", "SN"]).as_deref(),
            Some("X1")
        );
        assert_eq!(device_id_field(text, &["DES"]), None);
    }
}
