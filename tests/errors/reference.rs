//! The page of the command line against what the programs say of themselves.

use std::path::Path;
use std::process::Command;

use stories::program;

use super::run;

/// The verbs that a program's help lists, and below each that has any, its own.
fn verbs(name: &str, above: &[&str]) -> Vec<String> {
    let help = run(name, &[above, &["--help"]].concat());
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(
        help.lines().all(|line| line.chars().count() <= 80),
        "{help}"
    );
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help");
    let mut found = Vec::new();
    for verb in listed {
        let words = [above, &[verb]].concat();
        let below = verbs(name, &words);
        if below.is_empty() {
            found.push(format!("{name} {}", words.join(" ")));
        }
        found.extend(below);
    }
    found
}

#[test]
fn the_reference_page_names_every_verb_and_help_fits_80_columns() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/cli.md");
    let page = std::fs::read_to_string(page).expect("docs/reference/cli.md");
    for name in ["platen", "platen-hub", "platen-sim"] {
        let verbs = verbs(name, &[]);
        assert!(verbs.len() > 1, "{name}: {verbs:?}");
        for verb in verbs {
            assert!(page.contains(&format!("`{verb}")), "cli.md misses `{verb}`");
        }
    }
}

#[test]
fn the_page_of_the_ports_is_what_the_program_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/reference/ports.md")).expect("the page");
    for lang in ["en", "fr", "it", "de"] {
        let table = Command::new(program("platen"))
            .args(["ports", "--markdown", "--lang", lang, "--config"])
            .arg(root.join("config/agent.toml"))
            // An address, so that no name server of this machine is in the table.
            .env("PLATEN_HUB__URL", "https://203.0.113.7")
            .env("PLATEN_HUB__PROXY", "none")
            .output()
            .expect("platen runs");
        let table = String::from_utf8(table.stdout).expect("text");
        assert!(table.lines().count() > 4, "{table}");
        assert!(page.contains(table.trim()), "ports.md is not this: {table}");
    }
}
