//! What becomes of values that no honest printer has: serial numbers, levels and texts.

use actors::reach::survey::Survey;
use printer::reading::Reading;
use printer::supply::{Level, Supply};
use serde_json::Value;

use super::reading_of;

/// What a reading has to hold of a value that a printer bends.
#[derive(Debug, Clone, Copy)]
enum Holds {
    /// No serial number by which it is known again: it is told by the maker's own object, honestly.
    NoKey,
    /// This serial number, by which it is known again.
    Key(&'static str),
    /// A level like this, in every supply.
    Level(fn(&Supply) -> bool),
    /// This text, as what every supply is called and as the host's name.
    Text(&'static str),
    /// As that, a letter as often as this.
    Letters(char, usize),
}

use Holds::{Key, Letters, NoKey, Text};

/// Each behavior that bends one of them, and what is kept of it. A level is as RFC 3805 has it: below
/// -3, or above what fits, is none. A text is Unicode without control characters, which whatever shows it
/// encodes; octets in a set that the printer does not name are Latin-1, up to the first NUL.
const VALUES: &[(&str, Holds)] = &[
    ("gauge-negative", Holds::Level(is_no_number)),
    ("text-utf8", Text("Toner Ã( â")),
    ("text-latin1", Text("Küche, Straße")),
    ("text-shift-jis", Text("g i [")),
    ("text-utf16", Text("ÿþT")),
    ("text-nul", Text("Toner")),
    ("text-ansi", Text("[2J ]0;owned  [31mToner")),
    ("text-bidi", Text("renoT")),
    ("text-ff", Letters('ÿ', 200)),
    (
        "text-html",
        Text("<script>alert(1)</script><img src=x onerror=alert(1)>"),
    ),
    ("text-sql", Text("'; DROP TABLE devices; --")),
    ("text-csv", Text("=cmd|'/C calc'!A0,\"x\"  @SUM(1)")),
    ("text-log4j", Text("${jndi:ldap://127.0.0.1/a}%n%s{}")),
    ("serial-zeros", NoKey),
    ("serial-empty", NoKey),
    ("serial-spaces", NoKey),
    ("serial-same", Key("SAME12345")),
    ("supply-max-2", Holds::Level(is_without_share)),
    ("supply-max-3", Holds::Level(is_without_share)),
    ("supply-over-max", Holds::Level(is_over)),
];

/// Below every sentinel, of a type that has no such number: neither a share nor a quantity.
fn is_no_number(supply: &Supply) -> bool {
    let is_none = matches!(supply.level, Level::Implausible | Level::Unknown);
    is_none && supply.remaining.is_none()
}

/// A sentinel for a capacity is no number, and nothing is a share of it.
fn is_without_share(supply: &Supply) -> bool {
    let is_told = matches!(supply.level, Level::Quantity | Level::Some);
    supply.capacity.is_none() && is_told
}

/// Above the capacity; where that is unknown, as of this printer's waste toner, it is a quantity.
fn is_over(supply: &Supply) -> bool {
    match supply.capacity {
        Some(_) => supply.level == Level::Implausible && supply.remaining.is_none(),
        None => supply.level == Level::Quantity,
    }
}

/// What is wrong with the values that were read of a printer that behaves so; nothing if they are
/// right.
pub fn complaint(name: &str, survey: &Survey) -> Option<String> {
    let reading = reading_of(survey)?;
    let json = serde_json::to_value(reading).expect("a reading is JSON");
    if let Some(text) = hostile_text(&json) {
        return Some(format!("a text is told as it came: {text:?}"));
    }
    let (_, holds) = VALUES.iter().find(|(known, _)| *known == name)?;
    let serial = reading.identity.serial.as_deref().unwrap_or_default();
    let key = survey.fingerprint.serial.as_deref();
    let is_held = match holds {
        Holds::NoKey => key.is_none() && serial.starts_with("HS0"),
        Holds::Key(told) => serial == *told && key.is_some_and(|it| it.contains("same12345")),
        Holds::Level(is_right) => reading.supplies.iter().all(is_right),
        Holds::Text(text) => are_called(reading, text),
        Holds::Letters(letter, count) => {
            let text: String = std::iter::repeat_n(*letter, *count).collect();
            are_called(reading, &text)
        }
    };
    let levels: Vec<_> = reading
        .supplies
        .iter()
        .map(|it| (it.level, &it.evidence))
        .collect();
    let shown = (serial, key, &reading.identity.host_name, levels);
    (!is_held).then(|| format!("{holds:?} was to be, and there is {shown:?}"))
}

fn are_called(reading: &Reading, text: &str) -> bool {
    let is_host = reading.identity.host_name.as_deref() == Some(text);
    is_host
        && reading
            .supplies
            .iter()
            .all(|supply| supply.description == text)
}

/// A text of a reading that a terminal obeys, or that turns the direction of writing.
fn hostile_text(json: &Value) -> Option<String> {
    let is_hostile = |c: char| {
        let turns = [
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{2069}',
        ];
        c.is_control() || turns.iter().any(|range| range.contains(&c))
    };
    match json {
        Value::String(text) => text.contains(is_hostile).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(hostile_text),
        Value::Object(fields) => fields.values().find_map(hostile_text),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[test]
fn every_behavior_that_bends_a_value_says_what_becomes_of_it() {
    let bends = |name: &&str| {
        let kinds = ["text-", "supply-", "gauge-", "serial-"];
        kinds.iter().any(|kind| name.starts_with(kind)) && *name != "serial-changes"
    };
    let played = simulator::BEHAVIORS.iter().map(|it| it.name);
    let played: Vec<&str> = played.filter(bends).collect();
    let named: Vec<&str> = VALUES.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, played);
}
