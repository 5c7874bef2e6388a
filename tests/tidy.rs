//! Checks the invariants that ARCHITECTURE.md marks with ▣, by reading the source.
//!
//! Each test names its invariant. A line that breaks one is printed with its place; the cure is to
//! move the line into the room it belongs to, not to teach this file an exception.

#[path = "tidy/graph.rs"]
mod graph;
#[path = "tidy/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, production, violations};

/// Longest a source file may be, in lines: what a reader can hold in mind.
const FILE_LINES_MAX: usize = 500;
/// Longest a function may be, in lines: one screen.
const FUNCTION_LINES_MAX: usize = 70;
/// Longest a `main.rs` may be, in lines: it only assembles.
const MAIN_LINES_MAX: usize = 80;

/// Who may know whom among our own crates (invariant 1). Tests may know everyone.
const ARROWS: [(&str, &[&str]); 8] = [
    ("snmp", &[]),
    ("printer", &["snmp"]),
    ("proto", &[]),
    ("dial", &[]),
    ("actors", &["dial", "printer", "proto", "snmp"]),
    ("agent", &["actors", "dial", "printer", "proto", "snmp"]),
    ("hub", &["dial", "printer", "proto"]),
    ("simulator", &["snmp"]),
];

/// What a room must not know among foreign crates (invariant 1).
const STRANGERS: [(&str, &[&str]); 5] = [
    ("snmp", &["tokio", "tonic", "actix", "socket2", "nix"]),
    ("printer", &["tokio", "tonic", "actix", "socket2", "nix"]),
    ("proto", &["tokio", "actix", "socket2", "nix"]),
    ("hub", &["actix", "snmp-parser", "socket2"]),
    ("actors", &["axum", "sqlx"]),
];

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn under<'a>(files: &'a [Source], rooms: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    files
        .iter()
        .filter(move |file| rooms.iter().any(|room| file.path.starts_with(room)))
}

fn outside<'a>(files: &'a [Source], rooms: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    files
        .iter()
        .filter(move |file| !rooms.iter().any(|room| file.path.starts_with(room)))
}

#[test]
fn invariant_1_the_manifests_have_exactly_the_arrows() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let manifests: BTreeMap<String, BTreeSet<String>> = source::manifests();
    for (name, allowed) in ARROWS {
        let known = manifests
            .get(name)
            .unwrap_or_else(|| panic!("no crate {name}"));
        let arrows: Vec<_> = known
            .iter()
            .filter(|crate_name| ours.contains(crate_name.as_str()))
            .filter(|crate_name| !allowed.contains(&crate_name.as_str()))
            .map(|crate_name| format!("{name} → {crate_name}"))
            .collect();
        none("arrows that ARCHITECTURE.md does not draw", arrows);
    }
    for (name, strangers) in STRANGERS {
        let met = strangers
            .iter()
            .filter(|stranger| manifests[name].contains(**stranger));
        none(
            &format!("crates that {name} must not know"),
            met.map(ToString::to_string).collect(),
        );
    }
}

#[test]
fn invariant_1_the_languages_are_pure() {
    let files = production();
    let effects = [
        "std::fs",
        "std::process",
        "std::thread",
        "UdpSocket",
        "TcpStream",
        "TcpListener",
        "UnixStream",
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "std::env",
    ];
    let languages = ["src/snmp/", "src/printer/", "proto/"];
    none(
        "effects in a language",
        violations(under(&files, &languages), &effects),
    );
}

#[test]
fn a_mac_of_version_3_is_compared_in_constant_time_and_nowhere_else() {
    let files = production();
    let key = files.iter().find(|file| file.path == "src/snmp/usm/key.rs");
    let key = &key.expect("the keys of version 3").text;
    let judged = "shown.len() == auth.mac_bytes() && bool::from(self.mac(pieces).ct_eq(shown))";
    assert!(key.contains(judged), "is_mac compares otherwise");
    let compared = [
        "mac ==",
        "mac !=",
        "== mac",
        "!= mac",
        ".mac.eq(",
        "mac.starts_with",
    ];
    none(
        "MACs compared octet by octet",
        violations(under(&files, &["src/snmp/"]), &compared),
    );
}

#[test]
fn invariant_2_only_reach_opens_a_socket_to_a_device() {
    let files = production();
    let sockets = ["UdpSocket", "socket2::", "TcpSocket", "TcpStream"];
    let life = ["actors/", "src/agent/"];
    let doors = [
        "actors/reach/",
        "actors/uplink/",
        "src/agent/enroll.rs",
        "src/agent/enroll/",
    ];
    let found = violations(under(&files, &life), &sockets)
        .into_iter()
        .filter(|place| !doors.iter().any(|door| place.starts_with(door)))
        .collect();
    none("sockets outside actors/reach", found);
    let proofs = violations(
        outside(&files, &["actors/reach/scope"]),
        &["InScope {", "InScope{"],
    );
    none("proofs made outside actors/reach/scope.rs", proofs);
    // What is said at 9100 and 515 is said by those who took a proof of identified.rs.
    let speakers = ["zebra.rs", "pjl.rs", "lpr.rs", "raw.rs"];
    let opened = ["raw::Line", "Line::new("];
    let lines = violations(under(&files, &["actors/reach/"]), &opened)
        .into_iter()
        .filter(|place| {
            let file = place.strip_prefix("actors/reach/").unwrap_or_default();
            !speakers.iter().any(|speaker| file.starts_with(speaker))
        })
        .collect();
    none("raw lines outside the doors that take a proof", lines);
}

#[test]
fn invariant_3_only_the_uplink_and_enrollment_speak_to_the_hub() {
    let files = production();
    let edges = [
        "actors/uplink/",
        "actors/tunnel",
        "src/agent/enroll.rs",
        "src/agent/enroll/",
        "src/agent/cli/check.rs",
        "src/agent/cli/check/",
        "src/dial/",
        "src/hub/",
        "proto/",
    ];
    let clients = [
        "tonic::transport",
        "UplinkClient",
        "EnrollmentClient",
        "russh::",
        "Dialer",
    ];
    none(
        "speech with the hub outside its edges",
        violations(outside(&files, &edges), &clients),
    );
}

#[test]
fn invariant_3_only_the_tunnel_speaks_ssh_and_only_as_the_one_who_dials() {
    let files = production();
    let life = ["actors/", "src/agent/", "src/dial/"];
    let found = violations(under(&files, &life), &["russh"])
        .into_iter()
        .filter(|place| !place.starts_with("actors/tunnel"))
        .collect();
    none("SSH outside actors/tunnel", found);
    let servers = ["russh::server", ".channel_open_"];
    let tunnel = violations(under(&files, &["actors/tunnel"]), &servers);
    none(
        "SSH as the one who is dialed, or to a target of its own",
        tunnel,
    );
}

#[test]
fn invariant_6_the_agent_listens_on_no_port() {
    let files = production();
    let doors = ["TcpListener", "transport::Server"];
    let life = ["actors/", "src/agent/"];
    none(
        "listeners in the agent",
        violations(under(&files, &life), &doors),
    );
}

#[test]
fn invariant_7_oids_live_in_the_mib_and_the_vendor_profiles() {
    let files = production();
    // The simulator plays the device's side and holds the objects it moves in one file of its own.
    // The counters that a Report of version 3 names are words of the protocol, not of a device.
    let rooms = [
        "src/printer/mib.rs",
        "src/simulator/",
        "src/snmp/usm/report.rs",
    ];
    let literals = ["\"1.3.6.1.", "[1, 3, 6, 1,", "\".1.3.6.1."];
    none(
        "object identifiers outside the MIB",
        violations(outside(&files, &rooms), &literals),
    );
}

#[test]
fn invariant_8_proto_types_stay_at_the_edges() {
    let files = production();
    let edges = [
        "actors/uplink/",
        "actors/wire.rs",
        "src/agent/enroll.rs",
        "src/agent/enroll/",
        "src/hub/door/",
        "proto/",
    ];
    let found = violations(outside(&files, &edges), &["proto::"]);
    none("proto types away from the edges", found);
}

#[test]
fn invariant_10_sql_lives_in_the_store() {
    let files = production();
    let words = [
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE ",
        "sqlx::query",
    ];
    none(
        "SQL outside hub/store",
        violations(outside(&files, &["src/hub/store/"]), &words),
    );
}

#[test]
fn invariant_12_every_profile_unwinds_and_nothing_panics() {
    let manifest = source::read("Cargo.toml");
    let profiles: toml::Table = toml::from_str(&manifest).expect("Cargo.toml is TOML");
    for (name, profile) in profiles["profile"].as_table().expect("profiles") {
        let inherits = profile.get("inherits").is_some();
        let panics = profile.get("panic").and_then(toml::Value::as_str);
        assert!(
            panics == Some("unwind") || inherits && panics.is_none(),
            "profile {name}"
        );
    }
    let files = production();
    let words = [
        ".unwrap()",
        ".expect(\"",
        "panic!(",
        "todo!(",
        "unimplemented!(",
        ".do_send(",
    ];
    // The fault that a test provokes is a panic by its nature (feature `provoke`, never released).
    let found = violations(files.iter(), &words)
        .into_iter()
        .filter(|place| !place.contains("provoked"))
        .collect();
    none("panics outside tests", found);
}

#[test]
fn invariant_12_no_shipped_feature_provokes_faults() {
    for manifest in ["actors/Cargo.toml", "src/agent/Cargo.toml"] {
        let manifest: toml::Table = toml::from_str(&source::read(manifest)).expect("TOML");
        let default = manifest["features"].get("default");
        assert!(default.is_none(), "default features could ship `provoke`");
    }
}

#[test]
fn invariant_13_files_and_functions_fit_their_reader() {
    let files = production();
    let mut found = Vec::new();
    for file in &files {
        let lines = file.text.lines().count();
        let most = if file.path.ends_with("main.rs") {
            MAIN_LINES_MAX
        } else {
            FILE_LINES_MAX
        };
        if lines > most {
            found.push(format!("{}: {lines} lines, at most {most}", file.path));
        }
        if !file.text.trim_start().starts_with("//!") {
            found.push(format!("{}: does not open with //!", file.path));
        }
        for (name, line, length) in source::functions(&file.text) {
            if length > FUNCTION_LINES_MAX {
                found.push(format!("{}:{line}: {name} has {length} lines", file.path));
            }
        }
    }
    none("too long, or without a word of what it is", found);
}

#[test]
fn only_one_file_makes_a_client_of_pahos() {
    let files = production();
    let rooms = ["src/dial/mqtt/paho.rs"];
    let found = violations(
        outside(&files, &rooms),
        &["AsyncClient::new", "create_client("],
    );
    none("clients of paho's made without their guards", found);
}

#[test]
fn every_dependency_has_a_license_we_may_ship() {
    none(
        "licences that deny.toml does not allow",
        graph::foreign_licenses(),
    );
}

#[test]
fn no_program_carries_a_second_tls_library() {
    none("crates that deny.toml bans", graph::banned_crates());
}

#[test]
fn no_commit_names_this_machine_or_a_registry() {
    let words = [
        "/wor".to_owned() + "k/",
        "registry+ht".to_owned() + "tps://",
    ];
    let mut found = Vec::new();
    for (path, text) in source::tracked_texts() {
        // Cargo writes the public index's name into its lock files.
        if path.ends_with("Cargo.lock") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("paths of a machine", found);
}
