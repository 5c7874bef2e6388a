//! The file and the environment over it, read into one shape; and where each value stands.

use std::ops::Range;

use toml::{Spanned, Table, Value};

use super::{ConfigError, Raw};

/// What the environment's variables begin with.
const PREFIX: &str = "PLATEN_";
/// Separates a section from its key in a variable's name.
const SEPARATOR: &str = "__";
/// How alike a wrong key must be to a known one to be called near (0 to 1).
const NEAR_MIN: f64 = 0.7;
/// Most entries that the environment can add to a list: a variable's number is not a size.
const LIST_MAX: usize = 64;

/// Where values stand.
#[derive(Debug)]
pub(crate) struct Places {
    origin: String,
    /// Empty when the environment changed something: positions mean nothing then.
    text: String,
    variables: Vec<String>,
}

impl Places {
    /// An error at a value.
    pub(crate) fn error<T>(
        &self,
        value: &Spanned<T>,
        what: String,
        hint: impl Into<String>,
    ) -> ConfigError {
        let place = if self.text.is_empty() {
            self.layered()
        } else {
            place(&self.origin, &self.text, Some(value.span()))
        };
        ConfigError {
            place,
            what,
            hint: hint.into(),
        }
    }

    /// An error about something that is not there.
    pub(crate) fn missing(&self, what: String, hint: impl Into<String>) -> ConfigError {
        ConfigError {
            place: self.layered(),
            what,
            hint: hint.into(),
        }
    }

    fn layered(&self) -> String {
        if self.variables.is_empty() {
            return self.origin.clone();
        }
        format!("{} with {}", self.origin, self.variables.join(", "))
    }
}

/// Reads the file, and the environment over it.
pub(super) fn read(
    origin: &str,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(Raw, Places), ConfigError> {
    let mut raw: Raw = toml::from_str(text).map_err(|error| explain(origin, text, &error))?;
    let mut variables: Vec<(String, String)> = environment
        .into_iter()
        .filter(|(name, _)| is_ours(name))
        .collect();
    if variables.is_empty() {
        let places = Places {
            origin: origin.to_owned(),
            text: text.to_owned(),
            variables: Vec::new(),
        };
        return Ok((raw, places));
    }
    variables.sort();
    let mut table: Table = toml::from_str(text).map_err(|error| explain(origin, text, &error))?;
    for (name, value) in &variables {
        (raw, table) = overlay(&table, name, value)?;
    }
    let variables = variables.into_iter().map(|(name, _)| name).collect();
    Ok((
        raw,
        Places {
            origin: origin.to_owned(),
            text: String::new(),
            variables,
        },
    ))
}

/// Whether a variable is a key of ours. The hub's own begin with `PLATEN_HUB_`.
fn is_ours(name: &str) -> bool {
    let Some(key) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let section = key.split(SEPARATOR).next().unwrap_or_default();
    let is_hubs = section.starts_with("HUB_");
    !is_hubs && (key.contains(SEPARATOR) || ["NAME", "STATE_DIR"].contains(&key))
}

/// Sets one variable's key. The value is read as TOML, and as a plain text where that fails.
fn overlay(table: &Table, name: &str, value: &str) -> Result<(Raw, Table), ConfigError> {
    let key = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
    let path: Vec<&str> = key.split(SEPARATOR).collect();
    let as_toml = toml::from_str::<Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"));
    let candidates = as_toml.into_iter().chain([Value::String(value.to_owned())]);
    let mut refused = None;
    for candidate in candidates {
        let mut root = Value::Table(table.clone());
        if !set(&mut root, &path, candidate) {
            break;
        }
        let text = toml::to_string(&root).unwrap_or_default();
        match (toml::from_str::<Raw>(&text), root) {
            (Ok(raw), Value::Table(table)) => return Ok((raw, table)),
            (Err(error), _) => refused = refused.or(Some(explain(name, &text, &error))),
            (Ok(_), _) => break,
        }
    }
    let what = "sets no key of the configuration".to_owned();
    let hint = "write PLATEN_SECTION__KEY".to_owned();
    let refused = refused.unwrap_or(ConfigError {
        place: String::new(),
        what,
        hint,
    });
    Err(ConfigError {
        place: name.to_owned(),
        ..refused
    })
}

/// Puts a value at a path, making sections on the way; false where the path leads nowhere.
fn set(at: &mut Value, path: &[&str], value: Value) -> bool {
    let Some((first, rest)) = path.split_first() else {
        *at = value;
        return true;
    };
    match at {
        Value::Table(table) => {
            // The first number below a key that is not there begins a list.
            let is_list = rest
                .first()
                .is_some_and(|next| next.parse::<usize>().is_ok());
            let empty = || {
                if is_list {
                    Value::Array(Vec::new())
                } else {
                    Value::Table(Table::new())
                }
            };
            set(table.entry(*first).or_insert_with(empty), rest, value)
        }
        Value::Array(list) => {
            let Ok(index) = first.parse::<usize>() else {
                return false;
            };
            if index > list.len() || index >= LIST_MAX {
                return false;
            }
            if index == list.len() {
                list.push(Value::Table(Table::new()));
            }
            list.get_mut(index)
                .is_some_and(|entry| set(entry, rest, value))
        }
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => false,
    }
}

/// A parser's complaint with its place, and the nearest key where one is unknown.
fn explain(origin: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message().trim();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let place = place(origin, text, error.span());
    if !message.starts_with("unknown field") {
        let (what, hint) = in_words(message);
        return ConfigError { place, what, hint };
    }
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let hint = match nearest(unknown, known.iter().copied()) {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    ConfigError {
        place,
        what: format!("there is no key '{unknown}'"),
        hint,
    }
}

/// A parser's complaint without the names of its types: what is wrong, and what to write.
fn in_words(message: &str) -> (String, String) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let mistaken = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|kind| message.strip_prefix(kind)?.rsplit_once(", expected "));
    match (mistaken, quoted.split_first()) {
        (Some(("map", _)), _) => (
            "a section cannot stand here".to_owned(),
            "write it with two brackets, as [[ranges]]".to_owned(),
        ),
        (Some((found, expected)), _) => {
            let expected = match expected {
                "u64" => "a whole number without quotes",
                "a sequence" => "a list in brackets, as [\"10.0.0.0/24\"]",
                "a string" => "a text in quotes",
                other => other,
            };
            let found = found
                .replace("floating point", "the number")
                .replace('`', "");
            (
                format!("{found} cannot stand here"),
                format!("write {expected}"),
            )
        }
        (None, Some((wrong, known))) if message.starts_with("unknown variant") => (
            format!("'{wrong}' cannot stand here"),
            format!("write one of {}", known.join(", ")),
        ),
        (None, Some((missing, _))) if message.starts_with("missing field") => (
            format!("the key '{missing}' is missing in this section"),
            "`platen config default` shows how it is written".to_owned(),
        ),
        (None, _) => (
            message.replace('\n', ", ").replace('`', "'"),
            "`platen config default` prints every key as it is written".to_owned(),
        ),
    }
}

/// The known word nearest to a wrong one, if any is near.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (strsim::jaro_winkler(wrong, word), word))
        .filter(|(likeness, _)| *likeness >= NEAR_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}

/// `file:line:column` of the beginning of a span; the file alone without one.
fn place(origin: &str, text: &str, span: Option<Range<usize>>) -> String {
    let Some(before) = span.and_then(|span| text.get(..span.start)) else {
        return origin.to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let column = before
        .chars()
        .rev()
        .take_while(|letter| *letter != '\n')
        .count()
        + 1;
    format!("{origin}:{line}:{column}")
}
