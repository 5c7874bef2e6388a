//! The layers of the configuration, read into one shape: files, the environment, flags; and where
//! each value stands.
//!
//! A later layer's value takes the place of an earlier one's. Sections are put together key by
//! key; a list is one value and is replaced whole.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};
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

/// One file of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// Its path, for errors.
    pub(super) origin: String,
    /// What it says.
    pub(super) text: String,
}

/// The keys on the way to a value; a number for an entry of a list.
pub(super) type KeyPath = Vec<String>;

/// Where each value comes from. What is not in it has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origins(BTreeMap<KeyPath, String>);

impl Origins {
    /// Where a value comes from: `file:line:column`, a variable, a flag.
    pub(super) fn of(&self, path: &[String]) -> Option<&str> {
        // An entry of a list that was set whole comes from where the list does.
        (1..=path.len())
            .rev()
            .find_map(|length| self.0.get(path.get(..length)?))
            .map(String::as_str)
    }

    /// Takes a value and everything in it for set by one variable or flag.
    fn set(&mut self, path: &[String], origin: &str) {
        self.0.retain(|other, _| !other.starts_with(path));
        self.0.insert(path.to_vec(), origin.to_owned());
    }

    /// Notes the values of a file.
    fn note(&mut self, layer: &Layer) {
        let (lists, others): (Vec<_>, Vec<_>) = values(&layer.text)
            .into_iter()
            .partition(|value| value.is_list);
        for list in lists {
            // A list is replaced whole: what was in the one before is no more.
            self.0.retain(|other, _| !other.starts_with(&list.path));
            self.0.insert(list.path, stands(layer, list.span));
        }
        for value in others {
            self.0.insert(value.path, stands(layer, value.span));
        }
    }
}

fn stands(layer: &Layer, span: Range<usize>) -> String {
    place(&layer.origin, &layer.text, Some(span))
}

/// A value of a text that is no section.
struct Stated {
    path: KeyPath,
    span: Range<usize>,
    is_list: bool,
}

/// Every value of a text. A text that cannot be parsed was refused before.
fn values(text: &str) -> Vec<Stated> {
    let mut values = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        walk_table(table.get_ref(), &mut Vec::new(), &mut values);
    }
    values
}

fn walk_table(table: &DeTable<'_>, path: &mut KeyPath, values: &mut Vec<Stated>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        walk(value, path, values);
        path.pop();
    }
}

fn walk(value: &Spanned<DeValue<'_>>, path: &mut KeyPath, values: &mut Vec<Stated>) {
    let stated = |path: &KeyPath, is_list| Stated {
        path: path.clone(),
        span: value.span(),
        is_list,
    };
    match value.get_ref() {
        DeValue::Table(table) => walk_table(table, path, values),
        DeValue::Array(entries) => {
            values.push(stated(path, true));
            for (index, entry) in entries.iter().enumerate() {
                path.push(index.to_string());
                walk(entry, path, values);
                path.pop();
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => values.push(stated(path, false)),
    }
}

/// Where values stand.
#[derive(Debug)]
pub(crate) struct Places {
    /// All layers in one text, which nobody wrote.
    text: String,
    origins: Origins,
    /// The files, and what was put over them.
    layers: Vec<String>,
}

impl Places {
    /// An error at a value.
    pub(crate) fn error<T>(
        &self,
        value: &Spanned<T>,
        what: String,
        hint: impl Into<String>,
    ) -> ConfigError {
        let origin = self.path(value.span());
        let origin = origin.and_then(|path| self.origins.of(&path).map(str::to_owned));
        ConfigError {
            place: origin.unwrap_or_else(|| self.layered()),
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

    /// Where each value comes from.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The way to what stands at a place of the joint text.
    fn path(&self, span: Range<usize>) -> Option<KeyPath> {
        let mut values = values(&self.text).into_iter();
        values
            .find(|value| value.span == span)
            .map(|value| value.path)
    }

    fn layered(&self) -> String {
        match self.layers.split_first() {
            None => String::new(),
            Some((first, [])) => first.clone(),
            Some((first, rest)) => format!("{first} with {}", rest.join(", ")),
        }
    }
}

/// Reads the files, the environment over them, and the flags (`KEY=VALUE`) over that.
pub(super) fn read(
    files: &[Layer],
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[String],
) -> Result<(Raw, Places), ConfigError> {
    let mut table = Table::new();
    let mut origins = Origins::default();
    let mut layers = Vec::new();
    for layer in files {
        let explained = |error| explain(&layer.origin, &layer.text, &error);
        // Alone first: here the places are those that a person wrote.
        toml::from_str::<Raw>(&layer.text).map_err(explained)?;
        let over: Table = toml::from_str(&layer.text).map_err(explained)?;
        merge(&mut table, over);
        origins.note(layer);
        layers.push(layer.origin.clone());
    }
    let mut variables: Vec<(String, String)> = environment
        .into_iter()
        .filter(|(name, _)| is_ours(name))
        .collect();
    variables.sort();
    for (name, value) in &variables {
        let key = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
        let path: KeyPath = key.split(SEPARATOR).map(str::to_owned).collect();
        table = overlay(&table, name, &path, value)?;
        origins.set(&path, name);
        layers.push(name.clone());
    }
    for flag in flags {
        let Some((key, value)) = flag.split_once('=') else {
            return Err(ConfigError {
                place: format!("--set {flag}"),
                what: "is no KEY=VALUE".to_owned(),
                hint: "write --set schedule.read_secs=1800".to_owned(),
            });
        };
        let path: KeyPath = key.trim().split('.').map(str::to_owned).collect();
        let name = format!("--set {}", key.trim());
        table = overlay(&table, &name, &path, value)?;
        origins.set(&path, &name);
        layers.push(name);
    }
    let text = toml::to_string(&table).unwrap_or_default();
    let places = Places {
        text,
        origins,
        layers,
    };
    let raw = toml::from_str(&places.text)
        .map_err(|error| explain(&places.layered(), &places.text, &error))?;
    Ok((raw, places))
}

/// Puts a file's values over those of the files before it.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Whether a variable is a key of ours. The hub's own begin with `PLATEN_HUB_`.
fn is_ours(name: &str) -> bool {
    let Some(key) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let section = key.split(SEPARATOR).next().unwrap_or_default();
    let is_hubs = section.starts_with("HUB_");
    !is_hubs && (key.contains(SEPARATOR) || ["NAME", "STATE_DIR", "LOCK"].contains(&key))
}

/// Sets one key. The value is read as TOML, and as a plain text where that fails.
fn overlay(table: &Table, name: &str, path: &[String], value: &str) -> Result<Table, ConfigError> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
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
            (Ok(_), Value::Table(table)) => return Ok(table),
            (Err(error), _) => refused = refused.or(Some(explain(name, &text, &error))),
            (Ok(_), _) => break,
        }
    }
    let what = "sets no key of the configuration".to_owned();
    let hint = "write PLATEN_SECTION__KEY, or --set section.key=VALUE".to_owned();
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
