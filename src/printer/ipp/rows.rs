//! What a printer consumes, fills and holds over IPP: printer-supply (PWG 5100.13) or, where it
//! lacks that, CUPS's marker-…; and printer-input-tray.

use super::answer::Answer;
use crate::level::{self, Fill};
use crate::meter::Unit;
use crate::reading::Evidence;
use crate::supply::{Level, SUPPLIES_MAX, Supply, class_of, kind_named};
use crate::tray::{TRAYS_MAX, Tray};
use crate::{supply_words, text};

/// marker-levels: the level is unavailable. In the Printer MIB the same number is "no limit", so
/// neither is claimed.
const UNAVAILABLE: i64 = -1;

/// Colors of marker-colors that are a supply's own, and not of several inks in one.
const COLORS: &[(&str, &str)] = &[
    ("#000000", "black"),
    ("#00ffff", "cyan"),
    ("#ff00ff", "magenta"),
    ("#ffff00", "yellow"),
];

/// Between a supply's name and its serial number (Xerox, Samsung).
const SERIAL_MARK: &str = "_S/N_:";

/// The fields of `name=value;name=value;`, the names in lower case. Some printers put the name and
/// number of the attribute before the first: `printer-alert[0] = code=jam` (Xerox B210).
pub(super) fn fields(text: &str) -> Vec<(String, String)> {
    let text = match text.split_once("] = ") {
        Some((head, rest)) if !head.contains('=') => rest,
        Some(_) | None => text,
    };
    let pair = |field: &str| {
        let (name, value) = field.split_once('=')?;
        Some((name.trim().to_lowercase(), value.trim().to_owned()))
    };
    text.split(';').filter_map(pair).collect()
}

/// One row of fields.
struct Row(Vec<(String, String)>);

impl Row {
    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// The row's own number, else its place.
    fn index(&self, place: usize) -> String {
        let own = self.number("index").filter(|index| *index > 0);
        own.map_or_else(|| (place + 1).to_string(), |index| index.to_string())
    }

    fn unit(&self) -> Unit {
        self.text("unit").map_or(Unit::Unknown, Unit::named)
    }

    fn fill(&self) -> Fill {
        let capacity = self.number("maxcapacity");
        level::decide(self.number("level"), capacity, self.unit())
    }
}

/// Every supply. The direction of a receptacle is for who knows the alerts.
pub(super) fn supplies(answer: &Answer) -> Vec<Supply> {
    let rows = answer.texts("printer-supply");
    let is_told = |text: &&str| text.contains('=');
    if rows.iter().any(is_told) {
        let rows = rows.into_iter().enumerate().take(SUPPLIES_MAX);
        let told = rows.filter(|(_, text)| is_told(text));
        return told
            .map(|(place, text)| supply(answer, place, text))
            .collect();
    }
    let count = answer.values("marker-levels").len();
    let count = count.max(answer.values("marker-names").len());
    (0..count.min(SUPPLIES_MAX))
        .map(|place| marker(answer, place))
        .collect()
}

/// The text at a place of an attribute, empty where it lacks.
fn text_at<'a>(answer: &'a Answer, attribute: &str, place: usize) -> &'a str {
    let texts = answer.texts(attribute);
    texts.get(place).copied().unwrap_or_default()
}

/// A row of printer-supply, in the words of the Printer MIB.
fn supply(answer: &Answer, place: usize, text: &str) -> Supply {
    let row = Row(fields(text));
    let fill = row.fill();
    let own = text_at(answer, "printer-supply-description", place);
    let name = if own.is_empty() {
        text_at(answer, "marker-names", place)
    } else {
        own
    };
    let color = row.text("colorantname").map(str::to_lowercase);
    let color = color.filter(|color| !matches!(color.as_str(), "none" | "other" | "unknown"));
    let class = match row.text("class") {
        Some("supplyThatIsConsumed") => Some(3),
        Some("receptacleThatIsFilled") => Some(4),
        Some(_) => Some(1),
        None => None,
    };
    let rule = format!("ipp/printer-supply, {}", fill.rule);
    let evidence = Evidence::ipp("printer-supply", text::clean(text), &rule);
    let kind = row.text("type").unwrap_or_default();
    Supply {
        index: row.index(place),
        class: class_of(class, kind_of(kind, name)),
        unit: row.unit(),
        ..named((kind, name), color, fill, evidence)
    }
}

/// The supply at a place of marker-names, marker-types, marker-colors and marker-levels.
fn marker(answer: &Answer, place: usize) -> Supply {
    let said = answer.numbers("marker-levels").get(place).copied();
    let number = said.flatten();
    let fill = level::decide(number, None, Unit::Percent);
    let (fill, rule) = if number == Some(UNAVAILABLE) {
        let level = Level::Unknown;
        (
            Fill { level, ..fill },
            "ipp/marker-levels, unavailable".to_owned(),
        )
    } else {
        (fill, format!("ipp/marker-levels, {}", fill.rule))
    };
    let raw = number.map_or_else(|| "absent".to_owned(), |it| format!("integer: {it}"));
    let kind = text_at(answer, "marker-types", place);
    let name = text_at(answer, "marker-names", place);
    let hue = text_at(answer, "marker-colors", place).to_lowercase();
    let hue = COLORS.iter().find(|(hex, _)| *hex == hue);
    let color = hue.map(|(_, name)| (*name).to_owned());
    Supply {
        index: (place + 1).to_string(),
        class: class_of(None, kind_of(kind, name)),
        unit: Unit::Percent,
        ..named(
            (kind, name),
            color,
            fill,
            Evidence::ipp("marker-levels", raw, &rule),
        )
    }
}

/// A supply by its type and name, as one that is consumed.
fn named(
    (kind, name): (&str, &str),
    color: Option<String>,
    fill: Fill,
    evidence: Evidence,
) -> Supply {
    let (name, mark) = name.split_once(SERIAL_MARK).unwrap_or((name, ""));
    let label = supply_words::read_label(name);
    let serial = Some(mark.trim().to_owned()).filter(|serial| !serial.is_empty());
    let kind = kind_of(kind, name);
    // A waste box has no color, whatever stands there.
    let color = color.filter(|_| !kind.starts_with("waste"));
    Supply {
        index: String::new(),
        class: class_of(None, kind),
        kind: kind.to_owned(),
        color: color.or_else(|| supply_words::color_of(&label.description)),
        level: fill.level,
        direction: None,
        capacity: fill.capacity,
        remaining: fill.remaining,
        unit: Unit::Unknown,
        part: label.part,
        serial: label.serial.or(serial),
        description: label.description,
        evidence,
    }
}

/// The kind: `waste-toner` and `wasteToner` are one, and a name helps where neither is there.
fn kind_of(word: &str, name: &str) -> &'static str {
    let mut parts = word.split('-');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    kind_named(&camel).unwrap_or_else(|| supply_words::kind_of(name))
}

/// Every tray.
pub(super) fn trays(answer: &Answer) -> Vec<Tray> {
    let rows = answer.texts("printer-input-tray").into_iter().enumerate();
    rows.take(TRAYS_MAX)
        .filter(|(_, text)| text.contains('='))
        .map(|(place, text)| tray(place, text))
        .collect()
}

fn tray(place: usize, text: &str) -> Tray {
    let row = Row(fields(text));
    let fill = row.fill();
    let rule = format!("ipp/printer-input-tray, {}", fill.rule);
    let own = |name| row.text(name).map(text::clean);
    Tray {
        index: row.index(place),
        name: own("name").unwrap_or_default(),
        media: own("medianame"),
        level: fill.level,
        capacity: fill.capacity,
        remaining: fill.remaining,
        unit: row.unit(),
        evidence: Evidence::ipp("printer-input-tray", text::clean(text), &rule),
    }
}
