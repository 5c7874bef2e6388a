//! Texts of devices: decoded, bounded, without control characters.
//!
//! A device's text is attacker text: whatever shows it encodes it, here it only becomes Unicode.
//! The character set is what the device says (prtLocalizationCharacterSet) only where the octets
//! are not UTF-8, because many devices say one thing and send another.

/// Longest text kept, in characters. The MIB allows 255 octets for the longest we read.
pub const TEXT_CHARS_MAX: usize = 255;

/// Longest IEEE-1284 device id kept, in characters: the list of languages in it can be long.
const DEVICE_ID_CHARS_MAX: usize = 2_048;

/// The two octets of symbol set before HP's private texts that mean Roman-8.
const HP_ROMAN8_PREFIX: [u8; 2] = [0x01, 0x15];

/// Character sets seen in the field, by their IANA MIBenum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Not said, or one we do not know: UTF-8 if it is, else Latin-1.
    Unsaid,
    /// ISO 8859-2 (5).
    Latin2,
    /// ISO 8859-9 (12).
    Latin5,
    /// HP Roman-8 (2004).
    Roman8,
}

impl Charset {
    /// The set behind a MIBenum of the IANA registry of character sets.
    #[must_use]
    pub fn from_mib_enum(number: i64) -> Self {
        match number {
            5 => Self::Latin2,
            12 => Self::Latin5,
            2004 => Self::Roman8,
            _ => Self::Unsaid,
        }
    }
}

/// ISO 8859-2 from 0xA1 on (its 0xA0 is the no-break space).
const LATIN2: &str = "Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{ad}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

/// HP Roman-8 from 0xA1 on (RFC 1345, hp-roman8).
const ROMAN8: &str = "ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±";

/// Decodes a text: the first part between NULs that holds anything, control characters as blanks,
/// no blanks around it, at most [`TEXT_CHARS_MAX`] characters.
#[must_use]
pub fn decode(octets: &[u8], charset: Charset) -> String {
    clean(&unicode(octets, charset))
}

/// Decodes an IEEE-1284 device id, which some devices send with its two octets of length.
#[must_use]
pub(crate) fn decode_device_id(octets: &[u8], charset: Charset) -> String {
    let has_length = octets.first().is_some_and(|octet| *octet < 0x20);
    let octets = if has_length {
        octets.get(2..).unwrap_or_default()
    } else {
        octets
    };
    bounded(&unicode(octets, charset), DEVICE_ID_CHARS_MAX)
}

fn unicode(octets: &[u8], charset: Charset) -> String {
    let (octets, charset) = match octets.strip_prefix(&HP_ROMAN8_PREFIX) {
        Some(rest) => (rest, Charset::Roman8),
        None => (octets, charset),
    };
    // A text ends at its first NUL; one that begins with NULs is not empty for that.
    let octets = octets
        .split(|octet| *octet == 0)
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets
            .iter()
            .map(|octet| decode_octet(*octet, charset))
            .collect(),
    }
}

/// Replaces control characters by blanks, trims and bounds.
#[must_use]
pub fn clean(text: &str) -> String {
    bounded(text, TEXT_CHARS_MAX)
}

fn bounded(text: &str, chars_max: usize) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if is_hostile(c) { ' ' } else { c })
        .collect();
    let kept: String = spaced.trim().chars().take(chars_max).collect();
    kept.trim_end().to_owned()
}

/// Control characters, and those that reorder or hide what a person reads.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn decode_octet(octet: u8, charset: Charset) -> char {
    let high = |table: &str| {
        let position = octet.checked_sub(0xa1).map(usize::from);
        position
            .and_then(|position| table.chars().nth(position))
            .unwrap_or(char::from(octet))
    };
    match charset {
        Charset::Unsaid => char::from(octet),
        Charset::Latin2 => high(LATIN2),
        Charset::Roman8 => high(ROMAN8),
        // ISO 8859-9 is Latin-1 but for six Turkish letters.
        Charset::Latin5 => match octet {
            0xd0 => 'Ğ',
            0xdd => 'İ',
            0xde => 'Ş',
            0xf0 => 'ğ',
            0xfd => 'ı',
            0xfe => 'ş',
            other => char::from(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(LATIN2.chars().count(), 95);
        assert_eq!(ROMAN8.chars().count(), 94);
    }

    #[test]
    fn texts_of_devices_become_unicode() {
        let table: &[(&[u8], Charset, &str)] = &[
            (b"Ready \0\0", Charset::Unsaid, "Ready"),
            (b"\0Black Cartridge\0x", Charset::Unsaid, "Black Cartridge"),
            (b"\0\0", Charset::Unsaid, ""),
            (b"Toner\r\nlow", Charset::Unsaid, "Toner  low"),
            (b"sch\xf6n", Charset::Unsaid, "schön"),
            ("黑色".as_bytes(), Charset::Latin2, "黑色"),
            (b"Ma\xb3o toneru (Y) ", Charset::Latin2, "Mało toneru (Y)"),
            (b"\xdeimdi haz\xfdr", Charset::Latin5, "Şimdi hazır"),
            (b"geopend: \xc5", Charset::Roman8, "geopend: é"),
            (b"\x01\x15Bereit \xcf", Charset::Unsaid, "Bereit ü"),
            ("a\u{202e}b".as_bytes(), Charset::Unsaid, "a b"),
            (b"", Charset::Unsaid, ""),
        ];
        for (octets, charset, expected) in table {
            assert_eq!(&decode(octets, *charset), expected, "{octets:02x?}");
        }
        assert_eq!(
            decode(&[b'x'; 70_000], Charset::Unsaid).len(),
            TEXT_CHARS_MAX
        );
    }
}
