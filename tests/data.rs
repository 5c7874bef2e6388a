//! Every field of the wire has a data class: docs/reference/data.md against the .proto files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The classes of the page.
const CLASSES: [&str; 12] = [
    "network", "name", "place", "serial", "device", "words", "state", "protocol", "identity",
    "person", "secret", "parts",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every field of a .proto file as `Message.field`, and the messages that have none.
fn fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    // What each open brace belongs to; empty for what has no fields of its own.
    let mut open: Vec<Option<String>> = Vec::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        if line.ends_with("{}") {
            continue;
        }
        if line.ends_with('{') {
            let within = open.last().cloned().flatten();
            open.push(match (words.next(), words.next()) {
                (Some("message"), Some(name)) => Some(name.to_owned()),
                (Some("oneof"), _) => within,
                _ => None,
            });
        } else if line == "}" {
            open.pop();
        } else if let (Some(Some(message)), Some((field, _))) =
            (open.last(), line.split_once(" = "))
        {
            let name = field.split_whitespace().next_back().expect("a name");
            fields.push(format!("{message}.{name}"));
        }
    }
    assert!(open.is_empty(), "the braces do not match");
    fields
}

#[test]
fn every_field_of_the_wire_has_a_data_class() {
    let page = read("docs/reference/data.md");
    let classified: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split("` | ");
            Some((cells.next()?, cells.next()?))
        })
        .filter(|(field, _)| field.contains('.'))
        .collect();
    let protos = ["proto/uplink.proto", "proto/command.proto"].map(read);
    let fields: BTreeSet<String> = protos.iter().flat_map(|text| fields(text)).collect();
    assert!(fields.len() > 150 && fields.contains("Identity.location"));
    let unclassified: Vec<_> = fields
        .iter()
        .filter(|field| !classified.contains_key(field.as_str()))
        .collect();
    assert!(unclassified.is_empty(), "without a class: {unclassified:?}");
    for (field, class) in classified {
        assert!(fields.contains(field), "{field} is on no wire any more");
        assert!(
            CLASSES.contains(&class),
            "{field} is of no known class: {class}"
        );
    }
}
