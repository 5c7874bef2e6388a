//! What the description of a supply says about its kind, color and part.
//!
//! Used where the columns that should say it are missing, which is common. Only names come from
//! here, never a level.

use crate::text::Lower;

/// A description taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) description: String,
    pub(crate) part: Option<String>,
    pub(crate) serial: Option<String>,
}

/// Words of colors, the longer before those they contain.
const COLORS: &[(&str, &str)] = &[
    ("light cyan", "light cyan"),
    ("light magenta", "light magenta"),
    ("light gray", "light gray"),
    ("photo black", "photo black"),
    ("matte black", "matte black"),
    ("black", "black"),
    ("cyan", "cyan"),
    ("magenta", "magenta"),
    ("yellow", "yellow"),
    ("schwarz", "black"),
    ("gelb", "yellow"),
    ("noir", "black"),
    ("jaune", "yellow"),
    ("negro", "black"),
    ("amarillo", "yellow"),
    ("nero", "black"),
    ("giallo", "yellow"),
    ("zwart", "black"),
    ("geel", "yellow"),
    ("czarny", "black"),
    ("黑", "black"),
    ("青", "cyan"),
    ("洋紅", "magenta"),
    ("洋红", "magenta"),
    ("品红", "magenta"),
    ("黃", "yellow"),
    ("黄", "yellow"),
    ("ブラック", "black"),
    ("シアン", "cyan"),
    ("マゼンタ", "magenta"),
    ("イエロー", "yellow"),
];

/// Words of kinds, in the order in which they win: a waste toner box is no toner.
const KINDS: &[(&str, &str)] = &[
    ("maintenance box", "wasteInk"),
    ("waste ink", "wasteInk"),
    ("waste", "wasteToner"),
    ("drum", "opc"),
    ("photoconductor", "opc"),
    ("imaging unit", "opc"),
    ("developer", "developer"),
    ("fus", "fuser"),
    ("transfer", "transferUnit"),
    ("belt", "transferUnit"),
    ("staple", "staples"),
    ("toner", "toner"),
    ("ink", "ink"),
];

/// Takes a description apart: `Black Toner, PN 006R01509;SN48178080E0000481` (Xerox), or a lone
/// part number (`TK-8527C`, Kyocera).
pub(crate) fn read_label(text: &str) -> Label {
    let told = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && !text.eq_ignore_ascii_case("unknown")).then(|| text.to_owned())
    };
    if let Some((description, rest)) = text.split_once(", PN ") {
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
        .rsplit_once(" HP ")
        .map(|(_, last)| last)
        .filter(|last| is_code(last));
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
