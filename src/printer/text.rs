//! Texts of devices: decoded, bounded, without control characters.
//!
//! A device's text is attacker text: whatever shows it encodes it, here it only becomes Unicode.
//! The character set is what the device says (prtLocalizationCharacterSet) only where the octets
//! are not UTF-8, because many devices say one thing and send another.

use encoding_rs::Encoding;

/// Longest text kept, in characters. The MIB allows 255 octets for the longest we read.
pub const TEXT_CHARS_MAX: usize = 255;

/// Longest IEEE-1284 device id kept, in characters: the list of languages in it can be long.
const DEVICE_ID_CHARS_MAX: usize = 2_048;

/// With which ISO 2022 shifts from one set to another.
const ESCAPE: u8 = 0x1b;

/// Character sets of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Not said, or one we do not know: UTF-8 if it is, else Latin-1.
    Unsaid,
    /// One of the sets of the WHATWG's standard, which has nearly all that printers name.
    Named(&'static Encoding),
    /// HP Roman-8.
    Roman8,
}

impl Charset {
    /// The set behind a MIBenum of the IANA registry of character sets.
    #[must_use]
    pub fn from_mib_enum(number: i64) -> Self {
        let named = match number {
            5 => encoding_rs::ISO_8859_2,
            6 => encoding_rs::ISO_8859_3,
            7 => encoding_rs::ISO_8859_4,
            8 => encoding_rs::ISO_8859_5,
            9 => encoding_rs::ISO_8859_6,
            10 => encoding_rs::ISO_8859_7,
            11 => encoding_rs::ISO_8859_8,
            // ISO 8859-9 is windows-1254 but for control characters.
            12 | 2254 => encoding_rs::WINDOWS_1254,
            13 => encoding_rs::ISO_8859_10,
            17 | 2024 => encoding_rs::SHIFT_JIS,
            18 => encoding_rs::EUC_JP,
            36 | 38 => encoding_rs::EUC_KR,
            39 => encoding_rs::ISO_2022_JP,
            // GB 2312 and GBK are parts of GB 18030.
            57 | 113 | 114 | 2025 => encoding_rs::GB18030,
            109 => encoding_rs::ISO_8859_13,
            111 => encoding_rs::ISO_8859_15,
            112 => encoding_rs::ISO_8859_16,
            1000 | 1013 | 1015 => encoding_rs::UTF_16BE,
            1014 => encoding_rs::UTF_16LE,
            2026 => encoding_rs::BIG5,
            2084 => encoding_rs::KOI8_R,
            2086 => encoding_rs::IBM866,
            2088 => encoding_rs::KOI8_U,
            2250 => encoding_rs::WINDOWS_1250,
            2251 => encoding_rs::WINDOWS_1251,
            2252 => encoding_rs::WINDOWS_1252,
            2253 => encoding_rs::WINDOWS_1253,
            2255 => encoding_rs::WINDOWS_1255,
            2256 => encoding_rs::WINDOWS_1256,
            2257 => encoding_rs::WINDOWS_1257,
            2258 => encoding_rs::WINDOWS_1258,
            2259 => encoding_rs::WINDOWS_874,
            2004 => return Self::Roman8,
            _ => return Self::Unsaid,
        };
        Self::Named(named)
    }

    /// The set behind the two octets that HP puts before its private texts: the value of a symbol
    /// set (HP PCL 5 Comparison Guide, table C-1). Those that could be a NUL and a letter are not
    /// taken for one.
    fn from_symbol_set(octets: [u8; 2]) -> Option<Self> {
        Some(match u16::from_be_bytes(octets) {
            // 0N, Latin 1, and 18N, Unicode, which HP sends as UTF-8.
            14 | 590 => Self::Unsaid,
            // 5N and 5T, Latin 5.
            174 | 180 => Self::Named(encoding_rs::WINDOWS_1254),
            // 8U.
            277 => Self::Roman8,
            // 9E, Windows Latin 2; 9R, Windows Cyrillic; 19U, Windows Latin 1.
            293 => Self::Named(encoding_rs::WINDOWS_1250),
            306 => Self::Named(encoding_rs::WINDOWS_1251),
            629 => Self::Named(encoding_rs::WINDOWS_1252),
            // 18C, GB 2312; 18T, Big5; 19K, Windows 31J.
            579 => Self::Named(encoding_rs::GB18030),
            596 => Self::Named(encoding_rs::BIG5),
            619 => Self::Named(encoding_rs::SHIFT_JIS),
            _ => return None,
        })
    }

    fn is_wide(self) -> bool {
        matches!(self, Self::Named(set) if set == encoding_rs::UTF_16BE || set == encoding_rs::UTF_16LE)
    }
}

/// HP Roman-8 from 0xA1 on (RFC 1345, hp-roman8).
const ROMAN8: &str = "ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±";

/// Decodes a text: the first part between NULs that holds anything, control characters as blanks,
/// no blanks around it, at most [`TEXT_CHARS_MAX`] characters.
#[must_use]
pub fn decode(octets: &[u8], charset: Charset) -> String {
    decode_by(octets, || charset)
}

/// As [`decode`], of a device whose character set has to be looked for.
pub(crate) fn decode_by(octets: &[u8], charset: impl Fn() -> Charset) -> String {
    plain(octets, TEXT_CHARS_MAX).unwrap_or_else(|| clean(&unicode(octets, charset())))
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
    let symbol_set = match octets {
        [first, second, ..] => Charset::from_symbol_set([*first, *second]),
        _ => None,
    };
    let (octets, charset) = match symbol_set {
        Some(charset) => (octets.get(2..).unwrap_or_default(), charset),
        None => (octets, charset),
    };
    // Sixteen bits a letter: a device that says so and sends plain letters all the same is common.
    if charset.is_wide() && octets.len() % 2 == 0 && octets.contains(&0) {
        let text = in_set(octets, charset);
        return text
            .split('\0')
            .find(|part| !part.is_empty())
            .unwrap_or_default()
            .to_owned();
    }
    // A text ends at its first NUL; one that begins with NULs is not empty for that.
    let octets = octets
        .split(|octet| *octet == 0)
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    let has_shifts =
        || charset == Charset::Named(encoding_rs::ISO_2022_JP) && octets.contains(&ESCAPE);
    match std::str::from_utf8(octets) {
        Ok(_) if has_shifts() => in_set(octets, charset),
        Ok(text) => text.to_owned(),
        Err(error) => {
            // A device that cuts a text at an octet cuts letters in two.
            let whole = octets.get(..error.valid_up_to()).unwrap_or_default();
            let is_cut = error.error_len().is_none() && !whole.is_ascii();
            match std::str::from_utf8(whole) {
                Ok(text) if is_cut => text.to_owned(),
                Ok(_) | Err(_) => in_set(octets, charset),
            }
        }
    }
}

/// Decodes octets that are not UTF-8. What the set does not have becomes U+FFFD.
fn in_set(octets: &[u8], charset: Charset) -> String {
    match charset {
        Charset::Named(set) => set.decode_without_bom_handling(octets).0.into_owned(),
        Charset::Unsaid => octets.iter().copied().map(char::from).collect(),
        Charset::Roman8 => octets.iter().copied().map(roman8).collect(),
    }
}

fn roman8(octet: u8) -> char {
    let position = octet.checked_sub(0xa1).map(usize::from);
    let letter = position.and_then(|position| ROMAN8.chars().nth(position));
    letter.unwrap_or(char::from(octet))
}

/// Replaces control characters by blanks, trims and bounds.
#[must_use]
pub fn clean(text: &str) -> String {
    bounded(text, TEXT_CHARS_MAX)
}

fn bounded(text: &str, chars_max: usize) -> String {
    if let Some(text) = plain(text.as_bytes(), chars_max) {
        return text;
    }
    let spaced: String = text
        .chars()
        .map(|c| if is_hostile(c) { ' ' } else { c })
        .collect();
    let kept: String = spaced.trim().chars().take(chars_max).collect();
    kept.trim_end().to_owned()
}

/// Trims and bounds octets that are printable ASCII alone: nearly every text of a printer, the same in
/// every character set.
fn plain(octets: &[u8], chars_max: usize) -> Option<String> {
    // All are looked at, several at once.
    let is_plain = |all: bool, octet: &u8| all & (0x20..0x7f).contains(octet);
    if !octets.iter().fold(true, is_plain) {
        return None;
    }
    let text = octets.trim_ascii();
    let kept = text.get(..chars_max).unwrap_or(text).trim_ascii_end();
    String::from_utf8(kept.to_vec()).ok()
}

/// What stands before the first of a word, or all. To see whether there is one takes a quarter of what it
/// takes to prepare for finding several.
pub(crate) fn before<'a>(text: &'a str, word: &str) -> &'a str {
    split_once(text, word).map_or(text, |(before, _)| before)
}

/// As [`str::split_once`], quick where the word is not there.
pub(crate) fn split_once<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    text.contains(word).then(|| text.split_once(word)).flatten()
}

/// A word that is searched for, lower case.
pub(crate) struct Word {
    text: &'static str,
    letters: u64,
}

/// A word to search for.
pub(crate) const fn word(text: &'static str) -> Word {
    Word {
        text,
        letters: letters(text),
    }
}

/// A text in lower case that is searched for many words.
pub(crate) struct Lower {
    text: String,
    letters: u64,
}

impl Lower {
    pub(crate) fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let letters = letters(&text);
        Self { text, letters }
    }

    /// Whether a word stands in it, anywhere. Nearly no word does, and most lack a letter already.
    pub(crate) fn contains(&self, word: &Word) -> bool {
        word.letters & !self.letters == 0 && self.text.contains(word.text)
    }
}

/// Which octets a text has, a bit for four each.
const fn letters(text: &str) -> u64 {
    let mut rest = text.as_bytes();
    let mut letters = 0;
    while let [octet, behind @ ..] = rest {
        letters |= 1 << (*octet & 0x3f);
        rest = behind;
    }
    letters
}

/// Control characters, and those that reorder or hide what a person reads.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATIN2: i64 = 5;
    const LATIN5: i64 = 12;
    const ROMAN8_ENUM: i64 = 2004;
    const UNSAID: i64 = 2;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(ROMAN8.chars().count(), 94);
    }

    #[test]
    fn texts_of_devices_become_unicode() {
        // Octets, MIBenum, text.
        let table: &[(&[u8], i64, &str)] = &[
            (b"Ready \0\0", UNSAID, "Ready"),
            (b"\0Black Cartridge\0x", UNSAID, "Black Cartridge"),
            (b"\0Noir", UNSAID, "Noir"),
            (b"\0\0", UNSAID, ""),
            (b"Toner\r\nlow", UNSAID, "Toner  low"),
            (b"sch\xf6n", UNSAID, "schön"),
            ("黑色".as_bytes(), LATIN2, "黑色"),
            (b"Ma\xb3o toneru (Y) ", LATIN2, "Mało toneru (Y)"),
            (b"\xdeimdi haz\xfdr", LATIN5, "Şimdi hazır"),
            (b"geopend: \xc5", ROMAN8_ENUM, "geopend: é"),
            (b"\x01\x15Bereit \xcf", UNSAID, "Bereit ü"),
            (b"\x02\x75Bereit \xfc", ROMAN8_ENUM, "Bereit ü"),
            (b"\x02\x4eBereit \xc3\xbc", ROMAN8_ENUM, "Bereit ü"),
            ("a\u{202e}b\u{61c}c".as_bytes(), UNSAID, "a b c"),
            (b"", UNSAID, ""),
            // Shift-JIS, EUC-JP, ISO-2022-JP: black toner.
            (
                b"\x83\x75\x83\x89\x83\x62\x83\x4e\x83\x67\x83\x69\x81\x5b",
                17,
                "ブラックトナー",
            ),
            (b"\xa5\xc8\xa5\xca\xa1\xbc", 18, "トナー"),
            (b"\x1b$B%H%J!<\x1b(B 1", 39, "トナー 1"),
            // GB 2312, GBK, Big5, EUC-KR.
            (b"\xba\xda\xc9\xab\xb7\xdb\xba\xd0", 2025, "黑色粉盒"),
            (b"\xba\xda\xc9\xab", 113, "黑色"),
            (b"\xb6\xc2\xa6\xe2", 2026, "黑色"),
            (b"\xc5\xe4\xb3\xca", 38, "토너"),
            // Cyrillic, Greek, and a letter of the euro.
            (b"\xc3\xee\xf2\xee\xe2", 2251, "Готов"),
            (b"\xc7\xcf\xd4\xcf\xd7", 2084, "готов"),
            (b"\xb8\xf4\xef\xe9\xec\xef", 10, "Έτοιμο"),
            (b"5 \xa4", 111, "5 €"),
            // Sixteen bits a letter, and a device that only says so.
            (b"\0T\0o\0n\0e\0r\0\0", 1000, "Toner"),
            (b"T\0o\0n\0e\0r\0\0\0", 1014, "Toner"),
            (b"Toner", 1013, "Toner"),
            // Cut in the middle of a letter; and Latin-1 that only looks like that.
            (b"Gr\xc3\xb6\xc3", UNSAID, "Grö"),
            (b"caf\xe9", UNSAID, "café"),
        ];
        for (octets, number, expected) in table {
            let charset = Charset::from_mib_enum(*number);
            assert_eq!(&decode(octets, charset), expected, "{octets:02x?}");
        }
        let long = decode(&[b'x'; 70_000], Charset::Unsaid);
        assert_eq!(long.len(), TEXT_CHARS_MAX);
    }

    #[test]
    fn nothing_that_steers_is_left_of_any_octets_in_any_set() {
        for number in [
            2, 5, 12, 17, 18, 38, 39, 114, 1000, 1014, 2004, 2026, 2084, 2252,
        ] {
            let charset = Charset::from_mib_enum(number);
            for first in 0..=255_u8 {
                let octets = [
                    first, 0x1b, b'[', 0xe2, 0x80, 0xae, first, 0x9b, b'm', first,
                ];
                let text = decode(&octets, charset);
                assert!(!text.chars().any(is_hostile), "{number}: {octets:02x?}");
            }
        }
    }
}
