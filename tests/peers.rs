//! Programs of others as witnesses: net-snmp's tools read our simulator, our reader reads snmpsim,
//! net-snmp's daemon is a device that is no printer, and CUPS's ippeveprinter one that speaks IPP.
//!
//! The simulator and the agent share one SNMP codec, so a mistake in it could cancel itself out.
//! These programs share nothing with us. One that is missing fails its test with the way to get it;
//! `PLATEN_WITHOUT_PEERS=1` leaves such tests out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

#[path = "peers/ipp.rs"]
mod ipp;
#[path = "peers/ledm.rs"]
mod ledm;
#[path = "peers/net_snmp.rs"]
mod net_snmp;
#[path = "peers/process.rs"]
mod process;
#[path = "peers/simulated.rs"]
mod simulated;
#[path = "peers/v3.rs"]
mod v3;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use actors::reach::credential::Credential;
use actors::reach::range::AddressRange;
use actors::reach::scope::{Door, Scope};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::reach::survey::{Survey, read_device};
use printer::profile::Profiles;
use printer::reading::Verdict;
use simulator::{Fleet, Running};
use snmp::Value;
use snmp::recording::Recording;

use process::{Place, Process, peer, platen};

const RECORDINGS: [&str; 9] = [
    "kyocera-taskalfa-4054ci",
    "hp-laserjet-m507dn",
    "brother-hl-l6400dw",
    "canon-ir-adv-c3826",
    "ricoh-im-c2500",
    "xerox-versalink-c505",
    "epson-wf-c5890",
    "zebra-zt411",
    "switch-sw-2416",
];

#[test]
fn net_snmp_walks_the_simulator_as_recorded() {
    let (Some(walk), Some(bulk_walk)) = (peer("snmpwalk"), peer("snmpbulkwalk")) else {
        return;
    };
    let fleet = frozen_fleet();
    for (number, name) in (1..).zip(RECORDINGS) {
        let at = format!("127.40.0.{number}:{}", fleet.port);
        let recorded = net_snmp::as_printed(recording(name).iter());
        let in_v2c = net_snmp::read(&bulk_walk, &["-v2c", "-Cr25", &at, ".1"]);
        assert_same(name, &recorded, &in_v2c);
        let in_v2c = net_snmp::read(&walk, &["-v2c", &at, ".1"]);
        assert_same(name, &recorded, &in_v2c);
        // Version 1 cannot say Counter64 and steps over it.
        let recording = recording(name);
        let sayable = recording
            .iter()
            .filter(|(_, value)| !matches!(value, Value::Counter64(_)));
        let in_v1 = net_snmp::read(&walk, &["-v1", &at, ".1"]);
        assert_same(name, &net_snmp::as_printed(sayable), &in_v1);
    }
}

#[test]
fn net_snmp_gets_every_object_of_the_simulator_as_recorded() {
    let Some(get) = peer("snmpget") else { return };
    let fleet = frozen_fleet();
    for (number, name) in (1..).zip(RECORDINGS) {
        let at = format!("127.40.0.{number}:{}", fleet.port);
        let recording = recording(name);
        for version in ["-v1", "-v2c"] {
            let sayable = recording
                .iter()
                .filter(|(_, value)| version == "-v2c" || !matches!(value, Value::Counter64(_)));
            let recorded = net_snmp::as_printed(sayable);
            let oids: Vec<&str> = recorded.keys().map(String::as_str).collect();
            let mut got = BTreeMap::new();
            // 20 objects fit into any answer.
            for some in oids.chunks(20) {
                got.extend(net_snmp::read(&get, &[&[version, &at], some].concat()));
            }
            assert_same(name, &recorded, &got);
        }
    }
}

#[test]
fn net_snmp_sees_contexts_and_strangers_as_real_devices_treat_them() {
    let Some(walk) = peer("snmpwalk") else { return };
    let fleet = frozen_fleet();
    let at = format!("127.40.0.2:{}", fleet.port);
    let recorded = net_snmp::as_printed(recording("hp-laserjet-m507dn@Jetdirect").iter());
    let read = net_snmp::read_as(&walk, "public@Jetdirect", &["-v2c", &at, ".1"]);
    assert_same("context", &recorded, &read);
    let stranger = net_snmp::read_as(&walk, "private", &["-v2c", "-r0", "-t0.3", &at, ".1"]);
    assert!(stranger.is_empty());
}

#[tokio::test]
async fn the_reader_reads_snmpsim_and_our_simulator_alike() {
    let Some(responder) = process::snmpsim() else {
        return;
    };
    let (Some(_), fleet) = (peer("snmpget"), frozen_fleet()) else {
        return;
    };
    for (number, name) in (1..).zip(RECORDINGS) {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("public.snmprec"), in_hex(name)).unwrap();
        let place = Place::free();
        let _peer = Process::snmpsim(&responder, data.path(), &place, &[]);
        let theirs = read(place.address, place.port).await;
        let ours = read(format!("127.40.0.{number}").parse().unwrap(), fleet.port).await;
        let printed = |survey: &Survey| net_snmp::as_printed(survey.walk.iter());
        assert_same(name, &printed(&theirs), &printed(&ours));
        assert_eq!(timeless(theirs.verdict), timeless(ours.verdict), "{name}");
    }
}

#[test]
fn discover_leaves_out_what_is_no_printer_and_lists_it_when_asked_to() {
    let Some(daemon) = peer("snmpd") else { return };
    let place = Place::free();
    let folder = tempfile::tempdir().unwrap();
    // Nothing but the system group and the host's resources.
    let config = "rocommunity public default\nsysname test-host\n";
    let _peer = Process::snmpd(&daemon, folder.path(), &place, config);
    let discover = |more: &[&str]| {
        let port = place.port.to_string();
        let range = format!("{}/24", place.address);
        let asked = [
            "discover", &range, "--port", &port, "--rate", "5000", "--json",
        ];
        let arguments = [&asked[..], more].concat();
        platen().args(arguments).output().unwrap()
    };
    let printers = discover(&[]);
    assert_eq!(
        printers.status.code(),
        Some(3),
        "nothing found: {printers:?}"
    );
    let found = String::from_utf8(printers.stdout).unwrap();
    assert!(!found.contains(&place.address.to_string()), "{found}");
    let all = discover(&["--all"]);
    let found = String::from_utf8(all.stdout).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(
        found.as_array().unwrap().len(),
        1,
        "one of 254 answers: {found}"
    );
    assert_eq!(found[0]["is_printer"], false, "{found}");
}

/// A recording with its texts in hexadecimal: snmpsim takes blanks off the end of a line.
fn in_hex(name: &str) -> String {
    let text = String::from_utf8(std::fs::read(path_of(name)).unwrap()).unwrap();
    let lines = text.lines().map(|line| match line.split_once("|4|") {
        Some((oid, value)) => {
            let hex: String = value.bytes().map(|octet| format!("{octet:02x}")).collect();
            format!("{oid}|4x|{hex}\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// Our simulator with every recording at an address of 127.40.0.0/24, in the order of the list.
fn frozen_fleet() -> Running {
    let mut text = format!("port = 0\nfrozen = true\nrecordings = {:?}\n", folder());
    for (number, name) in (1..).zip(RECORDINGS) {
        text +=
            &format!("[[printers]]\nrecording = \"{name}\"\naddresses = \"127.40.0.{number}\"\n");
    }
    let fleet = Fleet::parse(&text, Path::new(".")).unwrap();
    simulator::run(fleet, std::future::pending()).unwrap()
}

async fn read(address: IpAddr, port: u16) -> Survey {
    let settings = SnmpSettings {
        packets_per_second_max: 10_000,
        ..SnmpSettings::default()
    };
    let snmp = Snmp::open(settings).unwrap();
    let door = Door::Snmp { port };
    let scope = Scope::new(&[AddressRange::one(address)], &[], &[door]).unwrap();
    let target = scope.admit(address, door).unwrap();
    let profiles = Profiles::embedded().unwrap();
    read_device(&snmp, &target, &[Credential::v2c("public")], &profiles)
        .await
        .unwrap()
}

/// A verdict without what differs between two readings of the same: the place and the time.
fn timeless(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Printer(mut reading) => {
            reading.address = None;
            reading.at = jiff::Timestamp::UNIX_EPOCH;
            Verdict::Printer(reading)
        }
        other => other,
    }
}

fn assert_same(name: &str, wanted: &BTreeMap<String, String>, got: &BTreeMap<String, String>) {
    for (oid, value) in wanted {
        assert_eq!(got.get(oid), Some(value), "{name} {oid}");
    }
    let more: Vec<_> = got
        .keys()
        .filter(|oid| !wanted.contains_key(*oid))
        .collect();
    assert!(
        more.is_empty(),
        "{name} has more than was recorded: {more:?}"
    );
}

fn recording(name: &str) -> Recording {
    let text = std::fs::read(path_of(name)).unwrap();
    Recording::parse(&text).unwrap()
}

fn path_of(name: &str) -> PathBuf {
    folder().join(format!("{name}.snmprec"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings")
}
