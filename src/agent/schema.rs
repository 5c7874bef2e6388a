//! The configuration as a JSON schema, for editors and for checks before a roll-out. Used by
//! `platen config schema`.
//!
//! It is made from the sample, which has every key with its reason, and from what is in effect
//! without a configuration, so that nothing is kept twice. What neither says, closed lists of words
//! above all, stands here. What a schema cannot say (is this address in that range) is left to
//! `platen config validate`.

use serde_json::{Map, Value, json};

use crate::config::word::LOCKABLE;
use crate::config::{AgentConfig, SAMPLE};

/// The dialect of the schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Stands for any name in a path, and for any entry of a list.
const ANY: &str = "*";

/// Keys with a closed list of words.
const WORDS: [(&str, &[&str]); 9] = [
    ("lock.*", &LOCKABLE),
    ("mqtt.dialect", &["plain", "azure"]),
    ("mqtt.transport", &["wss", "tls"]),
    ("mqtt.version", &["5", "3.1.1"]),
    ("credentials.*.version", &["1", "2c", "3"]),
    (
        "credentials.*.auth",
        &["md5", "sha", "sha224", "sha256", "sha384", "sha512"],
    ),
    (
        "credentials.*.priv",
        &["des", "aes128", "aes192", "aes192c", "aes256", "aes256c"],
    ),
    ("log.level", &["error", "warn", "info", "debug", "trace"]),
    ("log.format", &["auto", "text", "json"]),
];

/// The one key that a section must have.
const REQUIRED: (&str, &str) = ("ranges.*", "addresses");

/// A key that the sample tells of and does not show, because it shows another way to say it.
const UNSHOWN: (&str, &str) = ("credentials.*", "community");

/// The section of the sample that is called as its owner likes.
const NAMED: &str = "credentials";

/// Enough of a configuration that every section has its defaults.
const LEAST: &str = "[[ranges]]\naddresses = [\"192.168.1.0/24\"]\n";

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let mut root = section("Configuration of the Platen agent.");
    root["$schema"] = DIALECT.into();
    root["title"] = "agent.toml".into();
    let defaults = AgentConfig::parse("defaults", LEAST, []).map(|config| config.show());
    let defaults: toml::Table = toml::from_str(&defaults.unwrap_or_default()).unwrap_or_default();
    for entry in entries() {
        let node = at(&mut root, &entry.section);
        match entry.key {
            None => {
                if !entry.why.is_empty() {
                    node["description"] = entry.why.into();
                }
            }
            Some((key, value)) => {
                let path = format!("{}.{key}", entry.section.join("."));
                let path = path.trim_start_matches('.');
                let mut property = typed(&value, path);
                property["description"] = entry.why.into();
                let is_empty = value.as_array().is_some_and(Vec::is_empty);
                if is_empty || found(&defaults, &entry.section, &key) == Some(&value) {
                    property["default"] = json!(value);
                } else {
                    property["examples"] = json!([value]);
                }
                node["properties"][key] = property;
            }
        }
    }
    let keys = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
    at(&mut root, &keys(REQUIRED.0))["required"] = json!([REQUIRED.1]);
    let why = "What opens the door; or community_file, where it stands alone.";
    at(&mut root, &keys(UNSHOWN.0))["properties"][UNSHOWN.1] =
        json!({ "type": "string", "description": why });
    root
}

/// A key of the sample with its value, or the head of a section.
struct Entry {
    section: Vec<String>,
    key: Option<(String, toml::Value)>,
    /// The comment above it; of several keys below one comment each has it.
    why: String,
}

/// What the sample says, line by line. "#key = value" is a key that is not set there.
fn entries() -> Vec<Entry> {
    let mut all = Vec::new();
    let (mut section, mut why) = (Vec::new(), Vec::new());
    let mut is_comment = false;
    for line in SAMPLE.lines() {
        let bare = line.strip_prefix('#').unwrap_or(line);
        let is_entry = bare.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        if !is_entry {
            // A comment that follows a key or an empty line begins anew.
            if !is_comment {
                why.clear();
            }
            is_comment = line.starts_with('#');
            why.extend(bare.split_whitespace());
            continue;
        }
        is_comment = false;
        if bare.starts_with('[') {
            section = place(bare);
        }
        all.push(Entry {
            section: section.clone(),
            key: toml::from_str::<toml::Table>(bare)
                .ok()
                .filter(|_| !bare.starts_with('['))
                .and_then(|table| table.into_iter().next()),
            why: why.join(" "),
        });
    }
    all
}

/// The path of a section by its head: `[[ranges]]` is a list, `[credentials.site]` has any name.
fn place(head: &str) -> Vec<String> {
    let name = head.trim_matches(['[', ']']);
    let mut path: Vec<String> = name.split('.').map(str::to_owned).collect();
    if head.starts_with("[[") {
        path.push(ANY.to_owned());
    } else if path.len() > 1 && path[0] == NAMED {
        path.truncate(1);
        path.push(ANY.to_owned());
    }
    path
}

/// The schema of a section, which is made on the way.
fn at<'s>(root: &'s mut Value, path: &[String]) -> &'s mut Value {
    let mut node = root;
    let mut rest = path.iter().peekable();
    while let Some(name) = rest.next() {
        let is_open = rest.next_if(|next| *next == ANY).is_some();
        let properties = &mut node["properties"];
        if properties[name].is_null() {
            properties[name] = match (is_open, name.as_str()) {
                (false, _) => section(""),
                (true, NAMED) => json!({ "type": "object", "additionalProperties": section("") }),
                (true, _) => json!({ "type": "array", "items": section("") }),
            };
        }
        node = match (is_open, name.as_str()) {
            (false, _) => &mut properties[name],
            (true, NAMED) => &mut properties[name]["additionalProperties"],
            (true, _) => &mut properties[name]["items"],
        };
    }
    node
}

/// A section that takes its own keys alone.
fn section(why: &str) -> Value {
    let mut section = json!({
        "type": "object",
        "properties": Map::new(),
        "additionalProperties": false,
    });
    if !why.is_empty() {
        section["description"] = why.into();
    }
    section
}

/// The type of a key, by the value that the sample gives it.
fn typed(value: &toml::Value, path: &str) -> Value {
    let words = WORDS.iter().find(|(key, _)| *key == path);
    match value {
        toml::Value::String(_) => match words {
            Some((_, words)) => json!({ "type": "string", "enum": words }),
            None => json!({ "type": "string" }),
        },
        toml::Value::Integer(_) => json!({ "type": "integer", "minimum": 0 }),
        toml::Value::Boolean(_) => json!({ "type": "boolean" }),
        toml::Value::Array(_) => {
            let entry = toml::Value::String(String::new());
            json!({ "type": "array", "items": typed(&entry, &format!("{path}.{ANY}")) })
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => json!({}),
    }
}

/// What a key is without a configuration.
fn found<'t>(defaults: &'t toml::Table, section: &[String], key: &str) -> Option<&'t toml::Value> {
    let mut node = defaults;
    for name in section {
        node = match (name.as_str(), node.get(name)) {
            (ANY, _) => node,
            (_, Some(toml::Value::Array(list))) => list.first()?.as_table()?,
            (_, found) => found?.as_table()?,
        };
    }
    node.get(key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is said to a configuration.
    fn said(text: &str) -> String {
        let parsed = AgentConfig::parse("agent.toml", text, []);
        parsed
            .map(|_| String::new())
            .unwrap_or_else(|error| error.to_string())
    }

    /// The keys of an object in the schema.
    fn keys(node: &Value) -> BTreeSet<String> {
        let properties = node["properties"].as_object().expect("an object");
        properties.keys().cloned().collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read_and_no_other() {
        let schema = schema();
        let of = |pointer: &str| schema.pointer(pointer).expect("a section").clone();
        let sections = [
            ("", "zzz = 1\n"),
            ("/properties/state", "[state]\nzzz = 1\n"),
            ("/properties/hub", "[hub]\nzzz = 1\n"),
            ("/properties/ranges/items", "[[ranges]]\nzzz = 1\n"),
            (
                "/properties/credentials/additionalProperties",
                "[credentials.a]\nzzz = 1\n",
            ),
            ("/properties/schedule", "[schedule]\nzzz = 1\n"),
            ("/properties/snmp", "[snmp]\nzzz = 1\n"),
            ("/properties/mqtt", "[mqtt]\nzzz = 1\n"),
            (
                "/properties/mqtt/properties/azure",
                "[mqtt.azure]\nzzz = 1\n",
            ),
            ("/properties/log", "[log]\nzzz = 1\n"),
            ("/properties/site", "[site]\nzzz = 1\n"),
            ("/properties/masks", "[masks]\nzzz = 1\n"),
            ("/properties/outbox", "[outbox]\nzzz = 1\n"),
        ];
        for (pointer, wrong) in sections {
            let refused = said(wrong);
            let (_, known) = refused.split_once("the keys here are ").expect(&refused);
            let known: BTreeSet<String> = known.trim().split(", ").map(str::to_owned).collect();
            let section = of(pointer);
            assert_eq!(keys(&section), known, "{pointer}");
            assert_eq!(section["additionalProperties"], false, "{pointer}");
        }
    }

    #[test]
    fn a_closed_list_has_the_words_that_are_taken() {
        for (path, words) in WORDS {
            let wrong = match path {
                "lock.*" => "lock = [\"zzz\"]\n".to_owned(),
                path => {
                    let (section, key) = path.rsplit_once('.').expect("a section");
                    let section = section.replace(ANY, "a");
                    format!("[{section}]\n{key} = \"zzz\"\n")
                }
            };
            assert_ne!(said(&wrong), "", "{path}");
            for word in words {
                // What else is missing for it is not this key's matter.
                let said = said(&wrong.replace("zzz", word));
                assert!(!said.contains(&format!("'{word}'")), "{path}: {said}");
            }
        }
        let mqtt = said("[mqtt]\ndialect = \"zzz\"\n");
        assert!(mqtt.contains("plain, azure"), "{mqtt}");
        let log = said("[log]\nlevel = \"zzz\"\n");
        assert!(log.contains("error, warn, info, debug, trace"), "{log}");
    }

    #[test]
    fn a_key_has_its_reason_and_its_default_or_an_example() {
        let schema = schema();
        let reading = &schema["properties"]["schedule"]["properties"]["read_secs"];
        assert_eq!(
            (&reading["type"], &reading["default"]),
            (&json!("integer"), &json!(3600))
        );
        let why = reading["description"].as_str().expect("why");
        assert!(why.starts_with("Between two full readings"), "{why}");
        let url = &schema["properties"]["hub"]["properties"]["url"];
        assert_eq!(url.get("default"), None, "the sample's is an example");
        assert_eq!(url["examples"], json!(["https://hub.example.org"]));
        let ranges = &schema["properties"]["ranges"]["items"];
        assert_eq!(ranges["required"], json!(["addresses"]));
        assert!(said("[[ranges]]\nlabel = \"a\"\n").contains("addresses"));
        let lock = &schema["properties"]["lock"];
        assert_eq!(lock["items"]["enum"], json!(LOCKABLE));
    }

    #[test]
    fn every_key_has_a_reason() {
        fn look(node: &Value, path: &str) {
            for (key, property) in node["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{key}");
                let inner = [
                    property,
                    &property["items"],
                    &property["additionalProperties"],
                ];
                let is_leaf = inner.iter().all(|it| it["properties"].is_null());
                let why = property["description"].as_str().unwrap_or_default();
                assert!(!is_leaf || !why.is_empty(), "{path} has no reason");
                inner.iter().for_each(|it| look(it, &path));
            }
        }
        look(&schema(), "");
    }
}
