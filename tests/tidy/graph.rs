//! The graph of crates, as cargo tells it, against deny.toml.

use std::process::Command;

use super::source::{read, root};

fn metadata() -> serde_json::Value {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        answer.status.success(),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    serde_json::from_slice(&answer.stdout).expect("cargo metadata is JSON")
}

fn rules() -> toml::Table {
    toml::from_str(&read("deny.toml")).expect("deny.toml is TOML")
}

/// Crates whose licence expression is not satisfied by what deny.toml allows.
pub fn foreign_licenses() -> Vec<String> {
    let rules = rules();
    let allowed: Vec<spdx::Licensee> = rules["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|name| spdx::Licensee::parse(name.as_str().expect("text")).expect("an SPDX name"))
        .collect();
    let excused: Vec<&str> = rules["licenses"]["exceptions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|exception| exception["crate"].as_str().expect("a name"))
        .collect();
    let mut found = Vec::new();
    for package in metadata()["packages"].as_array().expect("packages") {
        if excused.iter().any(|name| package["name"] == *name) {
            continue;
        }
        let name = format!("{} {}", package["name"], package["version"]);
        let license = package["license"].as_str().unwrap_or("none");
        // Some older crates write MIT/Apache-2.0 for "or".
        let Ok(expression) = spdx::Expression::parse(&license.replace('/', " OR ")) else {
            found.push(format!("{name}: {license}"));
            continue;
        };
        if !expression.evaluate(|asked| allowed.iter().any(|known| known.satisfies(asked))) {
            found.push(format!("{name}: {license}"));
        }
    }
    found
}

/// Crates of the graph that deny.toml bans.
pub fn banned_crates() -> Vec<String> {
    let rules = rules();
    let banned: Vec<&str> = rules["bans"]["deny"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|ban| ban["crate"].as_str().expect("a name"))
        .collect();
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .filter(|name| banned.contains(name))
        .map(ToOwned::to_owned)
        .collect()
}
