//! Reads the repository's own source for the checks of tidy.rs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source file without its inline tests.
pub struct Source {
    /// Path from the repository's root, with slashes.
    pub path: String,
    /// Its text; the lines of `#[cfg(test)]` modules are left out.
    pub text: String,
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads a file by its path from the root.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file that goes into a program, without its inline tests.
pub fn production() -> Vec<Source> {
    let mut files = Vec::new();
    for room in ["src", "actors", "proto"] {
        collect(&root().join(room), room, &mut files);
    }
    assert!(files.len() > 20, "the source was not found");
    files
}

fn collect(folder: &Path, name: &str, files: &mut Vec<Source>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let file = path
            .file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        let name = format!("{name}/{file}");
        if path.is_dir() {
            // Folders named `tests` hold tests only.
            if file != "tests" {
                collect(&path, &name, files);
            }
        } else if file.ends_with(".rs") && !file.ends_with("tests.rs") && file != "build.rs" {
            let text = std::fs::read_to_string(&path).expect("source is UTF-8");
            files.push(Source {
                path: name,
                text: without_tests(&text),
            });
        }
    }
}

/// Leaves out the `#[cfg(test)] mod … { … }` blocks, which end at the first unindented brace.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_test = line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
        if is_test
            && lines
                .peek()
                .is_some_and(|next| next.contains("mod ") && next.ends_with('{'))
        {
            for skipped in lines.by_ref() {
                if skipped == "}" {
                    break;
                }
            }
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The lines of code, comments aside, that hold one of `words`, as `path:line: text`.
pub fn violations<'a>(files: impl Iterator<Item = &'a Source>, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let code = line.trim();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {code}", file.path, number + 1));
            }
        }
    }
    found
}

/// Name, first line and length of each function, as rustfmt lays them out.
pub fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let Some((before, after)) = code.split_once("fn ") else {
            continue;
        };
        let is_head = before.split_whitespace().all(|word| {
            word.starts_with("pub") || ["const", "async", "unsafe", "extern"].contains(&word)
        });
        if !is_head || code.starts_with("//") {
            continue;
        }
        let name: String = after
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let close = format!("{indent}}}");
        let length = lines[first..]
            .iter()
            .position(|line| {
                *line == close || (line.ends_with(';') && !text_has_body(&lines, first))
            })
            .map_or(1, |offset| offset + 1);
        if !code.ends_with('}') {
            found.push((name, first + 1, length));
        }
    }
    found
}

/// Whether the function that begins at `first` has a body before its first semicolon.
fn text_has_body(lines: &[&str], first: usize) -> bool {
    for line in &lines[first..] {
        if line.ends_with('{') {
            return true;
        }
        if line.ends_with(';') {
            return false;
        }
    }
    false
}

/// Each member's name and the crates its manifest names, tests' included.
pub fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let workspace: toml::Table = toml::from_str(&read("Cargo.toml")).expect("Cargo.toml is TOML");
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("members");
    let mut found = BTreeMap::new();
    for member in members {
        let path = format!("{}/Cargo.toml", member.as_str().expect("path"));
        let manifest: toml::Table = toml::from_str(&read(&path)).expect("a manifest is TOML");
        let name = manifest["package"]["name"]
            .as_str()
            .expect("name")
            .to_owned();
        let mut known = BTreeSet::new();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            if let Some(table) = manifest.get(table).and_then(toml::Value::as_table) {
                known.extend(table.keys().cloned());
            }
        }
        found.insert(name, known);
    }
    found
}

/// Every text file that git tracks, by its path.
pub fn tracked_texts() -> Vec<(String, String)> {
    let list = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .expect("git");
    assert!(list.status.success(), "git ls-files failed");
    let list = String::from_utf8(list.stdout).expect("paths are UTF-8");
    list.lines()
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some((path.to_owned(), text))
        })
        .collect()
}
