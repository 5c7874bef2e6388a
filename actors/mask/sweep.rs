//! One pass of the masks over a JSON: the values known by their keys, and the same values again
//! wherever a device repeats them in its own words.

use std::net::{IpAddr, SocketAddr};

use printer::identity::{DeviceId, address_pseudonym};
use serde_json::Value;

use super::Masks;
use super::keys::{Kind, is_plain, kind_of};

/// Shortest value that is looked for in other texts, in characters: shorter ones are in every
/// word.
const REPEATED_CHARS_MIN: usize = 4;
/// Deepest JSON that is looked into: a reading has four levels. What is deeper is left out.
const DEPTH_MAX: usize = 32;
/// The list of a reading in which each value's name leads to where it comes from.
const SOURCES: &str = "sources";
/// What raw octets of an address leave as.
const HIDDEN: &str = "***";

/// What to replace, and by what.
pub(super) struct Sweep<'m> {
    masks: &'m Masks,
    keys_ids: bool,
    /// In lower case, longest first, each with its pseudonym.
    repeated: Vec<(String, String)>,
}

impl<'m> Sweep<'m> {
    /// Gathers what must not be repeated.
    pub(super) fn new(masks: &'m Masks, json: &Value, keys_ids: bool) -> Self {
        let mut sweep = Self {
            masks,
            keys_ids,
            repeated: Vec::new(),
        };
        sweep.gather(json, 0);
        sweep
            .repeated
            .sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
        sweep.repeated.dedup();
        sweep
    }

    fn gather(&mut self, json: &Value, depth: usize) {
        match json {
            Value::Object(entries) if depth < DEPTH_MAX => {
                for (key, value) in entries {
                    match (kind_of(key), value) {
                        (Some(kind), Value::String(text)) => self.remember(kind, text),
                        (Some(_) | None, value) => self.gather(value, depth + 1),
                    }
                }
            }
            Value::Array(entries) if depth < DEPTH_MAX => {
                for entry in entries {
                    self.gather(entry, depth + 1);
                }
            }
            Value::Object(_)
            | Value::Array(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => {}
        }
    }

    fn remember(&mut self, kind: Kind, text: &str) {
        let Some(pseudonym) = self.masks.pseudonym(kind, text) else {
            return;
        };
        let text = text.trim().to_lowercase();
        if text.chars().count() < REPEATED_CHARS_MIN {
            return;
        }
        // Evidence has texts as hex of their octets, in the case they came in or not.
        let hex = |text: &str| -> String { text.bytes().map(|b| format!("{b:02x}")).collect() };
        self.repeated.push((hex(&text), HIDDEN.to_owned()));
        self.repeated
            .push((hex(&text.to_uppercase()), HIDDEN.to_owned()));
        if kind == Kind::Mac {
            for joint in ["", "-"] {
                self.repeated
                    .push((text.replace(':', joint), pseudonym.clone()));
            }
        }
        self.repeated.push((text, pseudonym));
    }

    /// Masks everything in place.
    pub(super) fn apply(&self, json: &mut Value) {
        self.go(json, ("", ""), 0);
    }

    /// `place` is the key of what `json` is in, and its own.
    fn go(&self, json: &mut Value, place: (&str, &str), depth: usize) {
        match json {
            Value::String(text) => *text = self.text(place, text),
            Value::Array(entries) if depth < DEPTH_MAX => {
                for entry in entries {
                    self.go(entry, place, depth + 1);
                }
            }
            Value::Object(entries) if depth < DEPTH_MAX => {
                for (key, value) in entries.iter_mut() {
                    self.go(value, (place.1, key), depth + 1);
                }
                // What names a device may stand there in another character set, cut short, or with a
                // part of it alone: what came is not told at all, only which object said it.
                let is_identity = entries.get("kind").is_some_and(|kind| kind == "identity");
                if (is_identity || place.0 == SOURCES)
                    && let Some(raw) = entries.get_mut("raw")
                {
                    *raw = Value::String(HIDDEN.to_owned());
                }
            }
            Value::Array(_) | Value::Object(_) => *json = Value::Null,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, (list, key): (&str, &str), text: &str) -> String {
        match kind_of(key) {
            Some(Kind::Device) => self.device(text),
            Some(kind) => match self.masks.pseudonym(kind, text) {
                Some(pseudonym) => pseudonym,
                // Not masked itself, but it may repeat what is.
                None => self.words(text),
            },
            None if is_plain(key, list) => text.to_owned(),
            None if key == "raw" && self.masks.settings.addresses => {
                match text.split_once("IpAddress: ") {
                    Some((before, _)) => format!("{before}IpAddress: {HIDDEN}"),
                    None => self.words(text),
                }
            }
            None => self.words(text),
        }
    }

    fn device(&self, text: &str) -> String {
        match DeviceId::parse(text) {
            Some(device) if self.keys_ids => self.masks.keyed(&device).to_string(),
            Some(_) | None => text.to_owned(),
        }
    }

    /// A text without what must not be repeated, and without addresses.
    pub(super) fn words(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, pseudonym) in &self.repeated {
            text = replaced(&text, value, pseudonym);
        }
        if self.masks.settings.addresses {
            text = self.without_addresses(&text);
        }
        text
    }

    /// Replaces every IP address in a text, also one with a port.
    fn without_addresses(&self, text: &str) -> String {
        let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '.' | ':');
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            out.push_str(&self.word(word));
            let gap = after.find(is_part).unwrap_or(after.len());
            let (between, next) = after.split_at(gap);
            out.push_str(between);
            rest = next;
        }
        out
    }

    /// One run of digits, dots and colons.
    fn word(&self, word: &str) -> String {
        let bare = word.trim_end_matches(['.', ':']);
        let tail = word.get(bare.len()..).unwrap_or_default();
        if let Ok(address) = bare.parse::<IpAddr>() {
            if address_pseudonym(address).is_some() {
                return word.to_owned();
            }
            return format!("{}{tail}", self.masks.address(address));
        }
        if let Ok(socket) = bare.parse::<SocketAddr>() {
            let address = self.masks.address(socket.ip());
            return format!("[{address}]:{}{tail}", socket.port());
        }
        word.to_owned()
    }
}

/// Replaces every occurrence of `value`, which is in lower case, whatever the case in `text`.
fn replaced(text: &str, value: &str, by: &str) -> String {
    let lower = text.to_lowercase();
    // Where lower case has another length, positions would not fit: the text is told whole or,
    // if it holds the value, not at all.
    if lower.len() != text.len() {
        return if lower.contains(value) {
            by.to_owned()
        } else {
            text.to_owned()
        };
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower.get(from..).and_then(|rest| rest.find(value)) {
        let begin = from + at;
        out.push_str(text.get(from..begin).unwrap_or_default());
        out.push_str(by);
        from = begin + value.len();
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}
