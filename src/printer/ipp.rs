//! IPP: the question a printer is asked over port 631 (Get-Printer-Attributes, RFC 8011 §4.2.5),
//! its answer (RFC 8010), and the reading that the answer makes.
//!
//! A second source beside SNMP. Only a closed list of attributes is asked for: none of jobs, and none
//! that holds a person's name as a rule (printer-name, printer-info, printer-state-message).

mod answer;
mod judge;
mod reasons;
mod rows;

pub use answer::{ANSWER_BYTES_MAX, Answer, IppError, decode};
pub use judge::judge;

/// Every attribute that is asked for: RFC 8011, PWG 5100.9 (alerts), PWG 5100.13 (identity, trays,
/// supplies, counts), CUPS (marker-…).
pub const ATTRIBUTES: [&str; 22] = [
    "marker-colors",
    "marker-levels",
    "marker-names",
    "marker-types",
    "printer-alert",
    "printer-alert-description",
    "printer-device-id",
    "printer-firmware-name",
    "printer-firmware-string-version",
    "printer-impressions-completed",
    "printer-input-tray",
    "printer-location",
    "printer-make-and-model",
    "printer-media-sheets-completed",
    "printer-pages-completed",
    "printer-serial-number",
    "printer-state",
    "printer-state-reasons",
    "printer-supply",
    "printer-supply-description",
    "printer-up-time",
    "printer-uuid",
];

/// The operation Get-Printer-Attributes (RFC 8011 §5.4.15).
const GET_PRINTER_ATTRIBUTES: u16 = 0x000b;

/// The number of every question: each has a connection of its own.
const REQUEST_ID: u32 = 1;

/// Delimiter tags (RFC 8010 §3.5.1).
const OPERATION_GROUP: u8 = 0x01;
const END: u8 = 0x03;
const PRINTER_GROUP: u8 = 0x04;

/// Value tags (RFC 8010 §3.5.2).
const INTEGER: u8 = 0x21;
const ENUM: u8 = 0x23;
const OCTET_STRING: u8 = 0x30;
const TEXT_WITH_LANGUAGE: u8 = 0x35;
const NAME_WITH_LANGUAGE: u8 = 0x36;
const BEGIN_COLLECTION: u8 = 0x34;
const END_COLLECTION: u8 = 0x37;
const TEXT: u8 = 0x41;
const NAME: u8 = 0x42;
const KEYWORD: u8 = 0x44;
const URI: u8 = 0x45;
const CHARSET: u8 = 0x47;
const LANGUAGE: u8 = 0x48;

/// Versions of the protocol that we speak, the newer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.0 (PWG 5100.12).
    V2,
    /// 1.1 (RFC 8011), for printers that answer 2.0 with version-not-supported.
    V1,
}

impl Version {
    fn octets(self) -> [u8; 2] {
        match self {
            Self::V2 => [2, 0],
            Self::V1 => [1, 1],
        }
    }
}

/// The question, as it is posted to a printer. `uri` is the printer's own: `ipp://HOST/ipp/print`.
#[must_use]
pub fn question(version: Version, uri: &str) -> Vec<u8> {
    let mut octets = version.octets().to_vec();
    octets.extend_from_slice(&GET_PRINTER_ATTRIBUTES.to_be_bytes());
    octets.extend_from_slice(&REQUEST_ID.to_be_bytes());
    octets.push(OPERATION_GROUP);
    // In this order (RFC 8011 §4.1.4, §4.1.5).
    write(&mut octets, CHARSET, "attributes-charset", "utf-8");
    write(&mut octets, LANGUAGE, "attributes-natural-language", "en");
    write(&mut octets, URI, "printer-uri", uri);
    let mut name = "requested-attributes";
    for attribute in ATTRIBUTES {
        write(&mut octets, KEYWORD, name, attribute);
        // Further values of one attribute have no name.
        name = "";
    }
    octets.push(END);
    octets
}

fn write(octets: &mut Vec<u8>, tag: u8, name: &str, value: &str) {
    octets.push(tag);
    for text in [name, value] {
        // What does not fit into 16 bits is cut: no name here is that long, nor an address.
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        octets.extend_from_slice(&length.to_be_bytes());
        octets.extend(text.bytes().take(usize::from(length)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_as_the_rfc_has_it() {
        let octets = question(Version::V2, "ipp://10.0.0.7/ipp/print");
        assert_eq!(octets[..8], [2, 0, 0, 0x0b, 0, 0, 0, 1]);
        let head = b"\x01\x47\x00\x12attributes-charset\x00\x05utf-8";
        assert!(octets[8..].starts_with(head));
        assert_eq!(octets.last(), Some(&END));
        let text = String::from_utf8_lossy(&octets);
        assert_eq!(text.matches("requested-attributes").count(), 1);
        assert!(ATTRIBUTES.iter().all(|name| text.contains(name)));
        assert_eq!(question(Version::V1, "")[..2], [1, 1]);
    }

    #[test]
    fn nothing_of_jobs_or_persons_is_asked_for() {
        for name in ATTRIBUTES {
            for word in ["job", "user", "owner", "organization", "info", "message"] {
                assert!(!name.contains(word), "{name}");
            }
        }
        assert!(ATTRIBUTES.is_sorted(), "{ATTRIBUTES:?}");
    }
}
