//! What the description of a supply says about its kind, color and part.
//!
//! Used where the columns that should say it are missing, which is common. Only names come from
//! here, never a level.

use crate::text::{self, Lower, Word, word};

/// A description taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) description: String,
    pub(crate) part: Option<String>,
    pub(crate) serial: Option<String>,
}

/// Words of colors, the longer before those they contain.
const COLORS: &[(Word, &str)] = &[
    (word("light cyan"), "light cyan"),
    (word("light magenta"), "light magenta"),
    (word("light gray"), "light gray"),
    (word("photo black"), "photo black"),
    (word("matte black"), "matte black"),
    (word("black"), "black"),
    (word("cyan"), "cyan"),
    (word("magenta"), "magenta"),
    (word("yellow"), "yellow"),
    (word("schwarz"), "black"),
    (word("gelb"), "yellow"),
    (word("noir"), "black"),
    (word("jaune"), "yellow"),
    (word("negro"), "black"),
    (word("amarillo"), "yellow"),
    (word("nero"), "black"),
    (word("giallo"), "yellow"),
    (word("zwart"), "black"),
    (word("geel"), "yellow"),
    (word("czarny"), "black"),
    (word("黑"), "black"),
    (word("青"), "cyan"),
    (word("洋紅"), "magenta"),
    (word("洋红"), "magenta"),
    (word("品红"), "magenta"),
    (word("黃"), "yellow"),
    (word("黄"), "yellow"),
    (word("ブラック"), "black"),
    (word("シアン"), "cyan"),
    (word("マゼンタ"), "magenta"),
    (word("イエロー"), "yellow"),
];

/// Words of kinds, in the order in which they win: a waste toner box is no toner.
const KINDS: &[(Word, &str)] = &[
    (word("maintenance box"), "wasteInk"),
    (word("waste ink"), "wasteInk"),
    (word("waste"), "wasteToner"),
    (word("drum"), "opc"),
    (word("photoconductor"), "opc"),
    (word("imaging unit"), "opc"),
    (word("developer"), "developer"),
    (word("fus"), "fuser"),
    (word("transfer"), "transferUnit"),
    (word("belt"), "transferUnit"),
    (word("staple"), "staples"),
    (word("toner"), "toner"),
    (word("ink"), "ink"),
];

/// Takes a description apart: `Black Toner, PN 006R01509;SN48178080E0000481` (Xerox), or a lone
/// part number (`TK-8527C`, Kyocera).
pub(crate) fn read_label(text: &str) -> Label {
    let told = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && !text.eq_ignore_ascii_case("unknown")).then(|| text.to_owned())
    };
    if let Some((description, rest)) = text::split_once(text, ", PN ") {
        let (part, serial) = rest.split_once(";SN").unwrap_or((rest, ""));
        let description = description.trim().to_owned();
        return Label {
            description,
            part: told(part),
            serial: told(serial),
        };
    }
    // HP: "Black Cartridge HP CF410A".
    let last = text
        .rsplit_once(' ')
        .filter(|(before, last)| before.ends_with(" HP") && is_code(last))
        .map(|(_, last)| last);
    let part = last.or_else(|| (text.contains('-') && is_code(text)).then_some(text));
    let part = part.map(str::to_owned);
    Label {
        description: text.to_owned(),
        part,
        serial: None,
    }
}

/// Whether a text is nothing but a code: one word of capitals, digits and hyphens.
fn is_code(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && text
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

/// The kind in a description, by its name in the MIB.
pub(crate) fn kind_of(description: &str) -> &'static str {
    let lower = Lower::of(description);
    let found = KINDS.iter().find(|(word, _)| lower.contains(word));
    found.map_or("unknown", |(_, kind)| *kind)
}

/// The color in a description.
pub(crate) fn color_of(description: &str) -> Option<String> {
    let lower = Lower::of(description);
    let found = COLORS.iter().find(|(word, _)| lower.contains(word));
    found.map(|(_, color)| (*color).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_real_supplies_are_read() {
        let table = [
            (
                "Black Toner, PN 006R01509;SN48178080E0000481",
                "Black Toner",
                "toner",
                Some("black"),
            ),
            (
                "Waste Toner Container, PN 008R13061;SNunknown",
                "Waste Toner Container",
                "wasteToner",
                None,
            ),
            ("TK-8527C", "TK-8527C", "unknown", None),
            (
                "Magenta Photoconductive Drum",
                "Magenta Photoconductive Drum",
                "opc",
                Some("magenta"),
            ),
            ("洋紅色碳粉", "洋紅色碳粉", "unknown", Some("magenta")),
            ("Fusing Unit", "Fusing Unit", "fuser", None),
            ("Maintenance Box", "Maintenance Box", "wasteInk", None),
            ("", "", "unknown", None),
        ];
        for (text, description, kind, color) in table {
            let label = read_label(text);
            assert_eq!(label.description, description);
            assert_eq!(kind_of(&label.description), kind, "{text}");
            assert_eq!(color_of(&label.description).as_deref(), color, "{text}");
        }
    }

    #[test]
    fn part_and_serial_are_told_apart() {
        let label = read_label("Black Toner, PN 006R01509;SN48178080E0000481");
        assert_eq!(label.part.as_deref(), Some("006R01509"));
        assert_eq!(label.serial.as_deref(), Some("48178080E0000481"));
        let unknown = read_label("Fuser, PN unknown;SNunknown");
        assert_eq!((unknown.part, unknown.serial), (None, None));
        assert_eq!(read_label("TK-8527C").part.as_deref(), Some("TK-8527C"));
        assert_eq!(
            read_label("Black Cartridge HP CF410A").part.as_deref(),
            Some("CF410A")
        );
        assert_eq!(read_label("Toner").part, None);
    }
}
