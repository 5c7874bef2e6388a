//! The file of a vendor profile: parsed and checked, refused with file and line.
//!
//! ```toml
//! name = "kyocera"
//! version = 1
//! makers = ["Kyocera", "Copystar"]
//! enterprises = [1347]
//!
//! [[identity]]
//! field = "serial"
//! object = "1.3.6.1.4.1.1347.43.5.1.1.28.1"
//! source = "seen on …"
//!
//! [[meter]]
//! name = "print"
//! object = "1.3.6.1.4.1.1347.42.3.1.1.1.1.1"
//! unit = "impressions"
//! source = "seen on …"
//! proven = "the recording that proves it; without this line the meter is beta"
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use snmp::Oid;

use crate::decoder::{Condition, Decoder, Key};
use crate::meter::{MeterName, Unit};
use crate::mib;
use crate::profile::{
    IdentityField, IdentityRule, LevelCode, Meaning, MeterRule, Origin, Profile, ProfileError,
    SupplyRule,
};

/// Most lines (rules) of one kind in a profile.
const RULES_MAX: usize = 512;

/// Longest name of a profile, in characters: every value's evidence repeats it.
const NAME_CHARS_MAX: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    name: String,
    version: u32,
    makers: Vec<String>,
    enterprises: Vec<u32>,
    #[serde(default)]
    identity: Vec<IdentityLine>,
    #[serde(default)]
    meter: Vec<MeterLine>,
    #[serde(default)]
    supply_level: Vec<SupplyLine>,
    #[serde(default)]
    level_code: Vec<LevelLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityLine {
    field: IdentityField,
    #[serde(deserialize_with = "private_object")]
    object: Oid,
    #[serde(deserialize_with = "said", rename = "source")]
    _source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeterLine {
    name: MeterName,
    unit: Unit,
    #[serde(deserialize_with = "private_object")]
    object: Oid,
    #[serde(default)]
    decoder: DecoderLine,
    #[serde(default = "one", deserialize_with = "divisor")]
    divisor: u32,
    rolls_over_at: Option<u64>,
    #[serde(deserialize_with = "said")]
    source: String,
    proven: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SupplyLine {
    kind: String,
    color: Option<String>,
    #[serde(deserialize_with = "private_object")]
    object: Oid,
    #[serde(default)]
    decoder: DecoderLine,
    #[serde(default = "one", deserialize_with = "divisor")]
    divisor: u32,
    #[serde(default, deserialize_with = "codes")]
    codes: Vec<LevelCode>,
    #[serde(default)]
    flag: bool,
    #[serde(deserialize_with = "said", rename = "source")]
    _source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelLine {
    level: i64,
    means: Meaning,
    #[serde(deserialize_with = "said", rename = "source")]
    _source: String,
}

/// A decoder as the file names it: `decoder = { records = 0x01 }`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum DecoderLine {
    /// The object is the number; the default.
    #[default]
    Scalar,
    /// The objects that are added.
    Sum(Vec<OidText>),
    /// The column that holds the key, and the key.
    Keyed { column: OidText, key: Key },
    /// The id of the record.
    Records(u8),
    /// The conditions of the rows that are added.
    Matching(Vec<ConditionLine>),
    /// The word behind the number in a text; empty for the first number.
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionLine {
    column: OidText,
    values: Vec<i64>,
}

#[derive(Deserialize)]
struct OidText(#[serde(deserialize_with = "private_object")] Oid);

/// Parses one file.
pub(crate) fn parse(file: &str, text: &str, origin: Origin) -> Result<Profile, ProfileError> {
    let raw: ProfileFile = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text
            .bytes()
            .take(start)
            .filter(|octet| *octet == b'\n')
            .count();
        ProfileError {
            file: file.to_owned(),
            line,
            message: error.message().to_owned(),
        }
    })?;
    let refuse = |key: &str, message: &str| ProfileError {
        file: file.to_owned(),
        line: line_of(text, key),
        message: message.to_owned(),
    };
    if !is_name(&raw.name) {
        return Err(refuse(
            "name",
            "a profile has a name of at most 32 lower case letters, digits and hyphens",
        ));
    }
    if raw.version == 0 {
        return Err(refuse("version", "versions are counted from 1"));
    }
    if raw.enterprises.is_empty() && raw.makers.is_empty() {
        return Err(refuse(
            "enterprises",
            "a profile names its enterprise numbers, or makers that have none",
        ));
    }
    if raw
        .meter
        .len()
        .max(raw.identity.len())
        .max(raw.supply_level.len())
        > RULES_MAX
    {
        return Err(refuse("name", "a profile has at most 512 rules of a kind"));
    }
    Ok(Profile {
        name: raw.name,
        version: raw.version,
        makers: raw.makers,
        origin,
        enterprises: raw.enterprises,
        identity: raw.identity.into_iter().map(IdentityRule::from).collect(),
        meters: raw.meter.into_iter().map(MeterRule::from).collect(),
        supply_levels: raw.supply_level.into_iter().map(SupplyRule::from).collect(),
        level_codes: raw.level_code.into_iter().map(LevelCode::from).collect(),
    })
}

/// Whether a text can name a profile: evidence repeats it.
fn is_name(text: &str) -> bool {
    let is_plain =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The line on which a key of the file's head stands.
fn line_of(text: &str, key: &str) -> usize {
    1 + text
        .lines()
        .position(|line| line.trim_start().starts_with(key))
        .unwrap_or_default()
}

impl From<IdentityLine> for IdentityRule {
    fn from(line: IdentityLine) -> Self {
        Self {
            field: line.field,
            object: line.object,
        }
    }
}

impl From<MeterLine> for MeterRule {
    fn from(line: MeterLine) -> Self {
        Self {
            name: line.name,
            unit: line.unit,
            object: line.object,
            decoder: line.decoder.into(),
            divisor: line.divisor,
            rolls_over_at: line.rolls_over_at.filter(|limit| *limit > 0),
            source: line.source,
            proven: line.proven.filter(|proof| !proof.trim().is_empty()),
        }
    }
}

impl From<SupplyLine> for SupplyRule {
    fn from(line: SupplyLine) -> Self {
        Self {
            kind: line.kind,
            color: line.color,
            object: line.object,
            decoder: line.decoder.into(),
            divisor: line.divisor,
            codes: line.codes,
            is_flag: line.flag,
        }
    }
}

impl From<LevelLine> for LevelCode {
    fn from(line: LevelLine) -> Self {
        Self {
            level: line.level,
            means: line.means,
        }
    }
}

impl From<DecoderLine> for Decoder {
    fn from(line: DecoderLine) -> Self {
        match line {
            DecoderLine::Scalar => Self::Scalar,
            DecoderLine::Sum(others) => Self::Sum(others.into_iter().map(|oid| oid.0).collect()),
            DecoderLine::Keyed { column, key } => Self::Keyed {
                column: column.0,
                key,
            },
            DecoderLine::Records(record) => Self::Records { record },
            DecoderLine::Matching(conditions) => {
                let condition = |line: ConditionLine| Condition {
                    column: line.column.0,
                    values: line.values,
                };
                Self::Matching(conditions.into_iter().map(condition).collect())
            }
            DecoderLine::Text(word) => Self::Text {
                before: (!word.is_empty()).then_some(word),
            },
        }
    }
}

/// An object below the enterprises: standard objects belong into the code.
fn private_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Oid, D::Error> {
    let text = String::deserialize(deserializer)?;
    let oid: Oid = text.parse().map_err(serde::de::Error::custom)?;
    if oid.is_under(&Oid::new(mib::ENTERPRISES)) {
        Ok(oid)
    } else {
        Err(serde::de::Error::custom(format!(
            "{oid} is not below the enterprises, 1.3.6.1.4.1"
        )))
    }
}

/// A text that must say something: every fact has its source.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Err(serde::de::Error::custom("every fact names its source"));
    }
    Ok(text)
}

/// Numbers that mean something, as `{ "1" = "low", "3" = "empty" }`.
fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LevelCode>, D::Error> {
    let raw = BTreeMap::<String, Meaning>::deserialize(deserializer)?;
    let code = |(text, means): (String, Meaning)| match text.parse() {
        Ok(level) => Ok(LevelCode { level, means }),
        Err(_) => Err(serde::de::Error::custom(format!("'{text}' is no number"))),
    };
    raw.into_iter().map(code).collect()
}

fn divisor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if number == 0 {
        return Err(serde::de::Error::custom("nothing is divided by 0"));
    }
    Ok(number)
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"x\"\nversion = 1\nmakers = []\nenterprises = [1]\n\n";

    #[test]
    fn a_wrong_profile_is_refused_with_file_and_line() {
        let meter = |line: &str| {
            format!(
                "{HEAD}[[meter]]\nname = \"print\"\nunit = \"sheets\"\nsource = \"s\"\n{line}\n"
            )
        };
        let head = |name: &str, version: u32| {
            format!("name = \"{name}\"\nversion = {version}\nmakers = []\nenterprises = [1]\n")
        };
        let table = [
            ("name = \"x\"\n".to_owned(), 1, "version"),
            (
                "name = \"x\"\nversion = 1\nmakers = []\nenterprises = []\n".to_owned(),
                4,
                "enterprise numbers",
            ),
            (head("", 1), 1, "has a name"),
            (head("a b", 1), 1, "has a name"),
            (head("x", 0), 2, "counted from 1"),
            (format!("{HEAD}colour = 1\n"), 6, "colour"),
            (
                meter("object = \"1.3.6.1.2.1.43.1\""),
                10,
                "not below the enterprises",
            ),
            (meter("object = \"1.3.x\""), 10, "not an arc"),
            (
                meter("object = \"1.3.6.1.4.1.1.1\"\ndecoder = \"guess\""),
                11,
                "guess",
            ),
            (
                meter("object = \"1.3.6.1.4.1.1.1\"\nvalue = 1"),
                11,
                "value",
            ),
            (
                format!("{HEAD}[[meter]]\nname = \"pages\"\n"),
                7,
                "not the name of a meter",
            ),
            (
                format!(
                    "{HEAD}[[identity]]\nfield = \"serial\"\nobject = \"1.3.6.1.4.1.1.1\"\nsource = \"\"\n"
                ),
                9,
                "source",
            ),
            (
                format!("{HEAD}[[supply_level]]\nkind = \"toner\"\ncodes = {{ x = \"low\" }}\n"),
                8,
                "'x' is no number",
            ),
            (
                format!("{HEAD}[[level_code]]\nlevel = 1\nmeans = \"half\"\nsource = \"s\"\n"),
                8,
                "half",
            ),
        ];
        for (text, line, message) in table {
            let error = parse("x.toml", &text, Origin::Embedded).expect_err(&text);
            assert_eq!(
                (error.file.as_str(), error.line),
                ("x.toml", line),
                "{text}\n{error}"
            );
            assert!(error.message.contains(message), "{error}");
        }
    }

    #[test]
    fn every_decoder_can_be_said() {
        let rules = [
            ("", Decoder::Scalar),
            ("decoder = \"scalar\"", Decoder::Scalar),
            (
                "decoder = { records = 0x81 }",
                Decoder::Records { record: 0x81 },
            ),
            (
                "decoder = { text = \"CENTIMETERS\" }",
                Decoder::Text {
                    before: Some("CENTIMETERS".to_owned()),
                },
            ),
            (
                "decoder = { matching = [{ column = \"1.3.6.1.4.1.1.9\", values = [1, 2] }] }",
                Decoder::Matching(vec![Condition {
                    column: [1, 3, 6, 1, 4, 1, 1, 9].into(),
                    values: vec![1, 2],
                }]),
            ),
            ("decoder = { sum = [\"1.3.6.1.4.1.1.9\"] }", {
                Decoder::Sum(vec![[1, 3, 6, 1, 4, 1, 1, 9].into()])
            }),
            (
                "decoder = { keyed = { column = \"1.3.6.1.4.1.1.9\", key = \"Prints\" } }",
                {
                    let column = [1, 3, 6, 1, 4, 1, 1, 9].into();
                    Decoder::Keyed {
                        column,
                        key: Key::Label("Prints".to_owned()),
                    }
                },
            ),
            (
                "decoder = { keyed = { column = \"1.3.6.1.4.1.1.9\", key = 10 } }",
                {
                    let column = [1, 3, 6, 1, 4, 1, 1, 9].into();
                    Decoder::Keyed {
                        column,
                        key: Key::Number(10),
                    }
                },
            ),
        ];
        for (line, expected) in rules {
            let text = format!(
                "{HEAD}[[meter]]\nname = \"scan\"\nunit = \"sheets\"\nsource = \"s\"\nobject = \"1.3.6.1.4.1.1.1\"\n{line}\n"
            );
            let profile = parse("x.toml", &text, Origin::Embedded).expect(&text);
            assert_eq!(profile.meters[0].decoder, expected);
            assert_eq!(profile.meters[0].proven, None);
        }
    }
}
