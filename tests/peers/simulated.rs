//! SNMP version 3 of our simulator, read by net-snmp's tools: every pair of algorithms, and why a
//! user is refused, in net-snmp's words.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use simulator::{Fleet, Running};

use crate::v3::{AUTH_PASSWORD, Kind, PRIV_PASSWORD};
use crate::{assert_same, folder, net_snmp, peer, recording};

/// What every pair of algorithms reads: the system group.
const SYSTEM: &str = ".1.3.6.1.2.1.1";

/// The printer of [`fleet`]; the one beside it speaks version 3 alone.
const PRINTER: &str = "127.41.0.1";
const ONLY_V3: &str = "127.41.0.2";

/// Two printers that know a user of each of these kinds.
fn fleet(kinds: &[Kind]) -> Running {
    let mut text = format!("port = 0\nfrozen = true\nrecordings = {:?}\n", folder());
    for kind in kinds {
        writeln!(text, "[[users]]\nname = \"{}\"", kind.name()).unwrap();
        if let Some(auth) = kind.0 {
            let word = auth.word();
            writeln!(
                text,
                "auth = \"{word}\"\nauth_password = \"{AUTH_PASSWORD}\""
            )
            .unwrap();
        }
        if let Some(privacy) = kind.1 {
            let word = privacy.word();
            writeln!(
                text,
                "priv = \"{word}\"\npriv_password = \"{PRIV_PASSWORD}\""
            )
            .unwrap();
        }
    }
    let group = "[[printers]]\nrecording = \"hp-laserjet-m507dn\"\naddresses";
    writeln!(
        text,
        "{group} = \"{PRINTER}\"\n{group} = \"{ONLY_V3}\"\nversions = [\"3\"]"
    )
    .unwrap();
    let fleet = Fleet::parse(&text, Path::new(".")).unwrap();
    simulator::run(fleet, std::future::pending()).unwrap()
}

/// Net-snmp's options for a user of this kind, with these passwords.
fn options(kind: Kind, name: &str, (auth, privacy): (&str, &str)) -> Vec<String> {
    let words = kind.in_net_snmp();
    let level = match kind {
        Kind(None, _) => "noAuthNoPriv",
        Kind(Some(_), None) => "authNoPriv",
        Kind(Some(_), Some(_)) => "authPriv",
    };
    let mut options = vec!["-v3", "-r0", "-t2", "-u", name, "-l", level];
    if kind.0.is_some() {
        options.extend(["-a", words.0, "-A", auth]);
    }
    if kind.1.is_some() {
        options.extend(["-x", words.1, "-X", privacy]);
    }
    options.into_iter().map(str::to_owned).collect()
}

fn right(kind: Kind) -> Vec<String> {
    options(kind, &kind.name(), (AUTH_PASSWORD, PRIV_PASSWORD))
}

fn walk(
    tool: &Path,
    options: &[String],
    more: &[&str],
) -> std::collections::BTreeMap<String, String> {
    let arguments: Vec<&str> = options
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    net_snmp::read(tool, &arguments)
}

#[test]
fn net_snmp_reads_the_simulator_with_every_pair_of_algorithms() {
    let Some(tool) = peer("snmpbulkwalk") else {
        return;
    };
    let kinds = Kind::all();
    let fleet = fleet(&kinds);
    let recording = recording("hp-laserjet-m507dn");
    let recorded = net_snmp::as_printed(recording.iter());
    let system = |all: &std::collections::BTreeMap<String, String>| {
        let below = format!("{SYSTEM}.");
        let mut all = all.clone();
        all.retain(|oid, _| oid.starts_with(&below));
        all
    };
    for kind in &kinds {
        let at = format!("{PRINTER}:{}", fleet.port);
        let read = walk(&tool, &right(*kind), &[&at, SYSTEM]);
        assert_same(&kind.name(), &system(&recorded), &read);
    }
    let last = *kinds.last().unwrap();
    let at = format!("{ONLY_V3}:{}", fleet.port);
    let whole = walk(&tool, &right(last), &["-Cr25", &at, ".1"]);
    assert_same("a printer of version 3 alone", &recorded, &whole);
}

#[test]
fn net_snmp_sees_contexts_of_the_simulator_and_no_version_that_it_does_not_speak() {
    let Some(tool) = peer("snmpbulkwalk") else {
        return;
    };
    let kind = Kind::all().pop().unwrap();
    let fleet = fleet(&[kind]);
    let at = format!("{PRINTER}:{}", fleet.port);
    let recorded = net_snmp::as_printed(recording("hp-laserjet-m507dn@Jetdirect").iter());
    let read = walk(&tool, &right(kind), &["-n", "Jetdirect", &at, ".1"]);
    assert_same("context", &recorded, &read);
    let at = format!("{ONLY_V3}:{}", fleet.port);
    let in_v2c = net_snmp::read(&tool, &["-v2c", "-r0", "-t0.3", &at, SYSTEM]);
    assert!(in_v2c.is_empty());
}

#[test]
fn the_simulator_refuses_in_words_that_net_snmp_knows() {
    let Some(tool) = peer("snmpget") else { return };
    let kinds = Kind::all();
    let (open, private) = (kinds[0], *kinds.last().unwrap());
    let authentic = *kinds
        .iter()
        .find(|kind| kind.0.is_some() && kind.1.is_none())
        .unwrap();
    let fleet = fleet(&[open, authentic, private]);
    let at = format!("{PRINTER}:{}", fleet.port);
    let (name, hush) = (private.name(), (AUTH_PASSWORD, PRIV_PASSWORD));
    let cases = [
        (
            options(private, "nobody", hush),
            vec![],
            "Unknown user name",
        ),
        (
            options(private, &name, ("wrong-password", PRIV_PASSWORD)),
            vec![],
            "Authentication failure",
        ),
        (
            options(private, &name, (AUTH_PASSWORD, "wrong-password")),
            vec![],
            "Decryption error",
        ),
        (
            options(Kind(private.0, None), &name, hush),
            vec![],
            "authorizationError",
        ),
        (
            options(Kind(authentic.0, private.1), &authentic.name(), hush),
            vec![],
            "Unsupported security level",
        ),
        (
            right(private),
            vec!["-n", "nowhere"],
            "Bad context specified",
        ),
    ];
    for (options, more, words) in cases {
        let object = format!("{SYSTEM}.5.0");
        let asked = Command::new(&tool)
            .args(&options)
            .args(more)
            .args([&at, &object])
            .env("SNMP_PERSISTENT_DIR", std::env::temp_dir())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[asked.stdout, asked.stderr].concat()).into_owned();
        assert!(said.contains(words), "{words}: {said}");
    }
}
