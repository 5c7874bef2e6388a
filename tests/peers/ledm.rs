//! LEDM: simulated printers of HP's are read over HTTP and HTTPS, one that shows another certificate is
//! refused, and who is none of HP's never hears of it.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::web::Arrived;
use simulator::{Fleet, Running};

use super::{folder, process::platen};

/// Seconds that SNMP has, however busy the machine.
const PATIENT: &str = "10";

/// What a refusal may take: far less than the waits of all documents together.
const SOON: Duration = Duration::from_secs(40);

/// How often the ports of a fleet that has ended are tried, a tenth of a second apart.
const FREED_WITHIN: u32 = 50;

/// One of HP's with every page, and another maker's, on the network of one test: tests run side by
/// side.
fn fleet(net: u8, tls_generation: u32) -> Running {
    let (hp, kyocera) = (hp(net), format!("127.41.{net}.2"));
    let pages = [
        ("ledm", 8_080, false),
        ("ledm", 8_443, true),
        ("ledm-large", 8_081, false),
        ("panel", 8_082, false),
        ("broken", 8_083, false),
        ("hostile", 8_084, false),
        ("tls10", 10_443, false),
        ("tls-weak", 11_443, false),
        ("raw", 12_443, false),
    ];
    let pages = pages.map(|(page, port, tls)| {
        let tls = if tls { ", tls = true" } else { "" };
        format!("{{ page = \"{page}\", port = {port}{tls} }}")
    });
    let text = format!(
        "port = 0\nfrozen = true\nrecordings = {:?}\n\
         [[printers]]\nrecording = \"hp-laserjet-m507dn\"\naddresses = \"{hp}\"\n\
         tls_generation = {tls_generation}\nweb = [{}]\n\
         [[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"{kyocera}\"\n",
        folder(),
        pages.join(", ")
    );
    for _ in 0..FREED_WITHIN {
        let fleet = Fleet::parse(&text, Path::new(".")).unwrap();
        if let Ok(running) = simulator::run(fleet, std::future::pending()) {
            return running;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the ports of {hp} do not become free");
}

fn hp(net: u8) -> String {
    format!("127.41.{net}.1")
}

/// Reads a printer of the fleet over LEDM at a port.
fn read(snmp: u16, (address, port): (&str, u16), state: &Path, more: &[&str]) -> Output {
    let (port, snmp) = (port.to_string(), snmp.to_string());
    platen()
        .args(["read", address, "--via", "ledm", "--ledm-port", &port])
        .args(["--port", &snmp, "--timeout", PATIENT, "--state-dir"])
        .arg(state)
        .args(more)
        .output()
        .unwrap()
}

/// What came to the pages of the one of HP's.
fn arrived(fleet: &Running, address: &str) -> Arrived {
    let waiting = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let arrived = waiting.block_on(fleet.arrived(address.parse().unwrap()));
    arrived.unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn total(reading: &Value) -> &Value {
    let meters = reading["meters"].as_array().unwrap();
    let found = meters.iter().find(|meter| meter["name"] == "total");
    &found.unwrap()["value"]
}

#[test]
fn one_of_hps_says_over_http_and_https_what_it_says_over_snmp() {
    let hp = hp(0);
    let fleet = fleet(0, 0);
    let state = tempfile::tempdir().unwrap();
    let snmp = platen()
        .args(["read", &hp, "--json", "--timeout", PATIENT, "--port"])
        .arg(fleet.port.to_string())
        .output()
        .unwrap();
    let snmp = json(&snmp);
    for port in [8_080, 8_443] {
        let read = read(fleet.port, (hp.as_str(), port), state.path(), &["--json"]);
        let reading = json(&read);
        assert_eq!(reading["identity"]["vendor"], "HP", "{reading}");
        assert_eq!(reading["identity"]["serial"], snmp["identity"]["serial"]);
        assert_eq!(total(&reading), total(&snmp));
        let percents = |of: &Value| -> Vec<Value> {
            let supplies = of["supplies"].as_array().unwrap().iter();
            let told = supplies.filter(|it| it["color"] == "black");
            told.map(|it| it["level"]["percent"].clone()).collect()
        };
        assert_eq!(percents(&reading), percents(&snmp), "{reading}");
        for meter in reading["meters"].as_array().unwrap() {
            assert_eq!(meter["evidence"]["door"], "ledm");
            assert_eq!(meter["beta"], true);
        }
        let kept = said(&read.stderr).contains("believed from now on");
        assert_eq!(kept, port == 8_443, "{}", said(&read.stderr));
    }
    let large = read(fleet.port, (hp.as_str(), 8_081), state.path(), &["--json"]);
    let large = json(&large);
    let units: Vec<&str> = large["meters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|meter| meter["name"] == "area" || meter["name"] == "length")
        .map(|meter| meter["unit"].as_str().unwrap())
        .collect();
    assert_eq!(units, ["meters", "squareMeters"], "{large}");
    let table = read(fleet.port, (hp.as_str(), 8_443), state.path(), &["--all"]);
    let table = said(&table.stdout);
    assert!(table.contains("ledm"), "{table}");
    // Who was asked for what: no list of jobs, no log.
    let arrived = arrived(&fleet, &hp);
    let asked: Vec<&str> = arrived
        .requests
        .iter()
        .map(|it| it.target.as_str())
        .collect();
    assert_eq!(asked.len(), 4 * 5, "{asked:?}");
    let is_known = |path: &&str| path.starts_with("/DevMgmt/") && path.ends_with("yn.xml");
    let others: Vec<_> = asked.iter().filter(|path| !is_known(path)).collect();
    assert!(
        others
            .iter()
            .all(|path| **path == "/DevMgmt/DiscoveryTree.xml"),
        "{others:?}"
    );
}

#[test]
fn a_certificate_that_changed_is_refused_until_the_old_one_is_forgotten() {
    let hp = hp(1);
    let state = tempfile::tempdir().unwrap();
    let https = (hp.as_str(), 8_443);
    let before = fleet(1, 0);
    json(&read(before.port, https, state.path(), &["--json"]));
    json(&read(before.port, https, state.path(), &["--json"]));
    drop(before);
    let after = fleet(1, 1);
    let refused = read(after.port, https, state.path(), &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let why = said(&refused.stderr);
    for words in [
        "certificate of 127.41.1.1:8443 changed",
        "SHA-256",
        "platen forget-certificate 127.41.1.1",
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    let arrived = arrived(&after, &hp);
    assert_eq!(arrived.requests_total, 0, "nothing was asked");
    let forget = || {
        platen()
            .args(["forget-certificate", &hp, "--state-dir"])
            .arg(state.path())
            .output()
            .unwrap()
    };
    let forgotten = forget();
    assert!(forgotten.status.success(), "{}", said(&forgotten.stderr));
    json(&read(after.port, https, state.path(), &["--json"]));
    assert!(forget().status.success());
    assert_eq!(forget().status.code(), Some(3), "there is none any more");
}

#[test]
fn nothing_is_sent_to_who_is_none_of_hps() {
    let fleet = fleet(2, 0);
    let state = tempfile::tempdir().unwrap();
    for (address, secs, words) in [
        ("127.41.2.2", PATIENT, "no printer of HP's"),
        ("127.41.2.3", "0.3", "not known to be a printer"),
    ] {
        let pot = TcpListener::bind((address, 0)).unwrap();
        pot.set_nonblocking(true).unwrap();
        let port = pot.local_addr().unwrap().port();
        let more = ["--timeout", secs, "--retries", "0"];
        let snmp = fleet.port.to_string();
        let refused = platen()
            .args(["read", address, "--via", "ledm", "--ledm-port"])
            .args([port.to_string(), "--port".to_owned(), snmp])
            .args(more)
            .arg("--state-dir")
            .arg(state.path())
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let text = said(&refused.stderr);
        assert!(text.contains(words), "{text}");
        let touched = pot.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(touched, Err(ErrorKind::WouldBlock), "{address}");
    }
}

#[test]
fn pages_that_are_no_ledm_end_in_a_clear_error() {
    let hp = hp(3);
    let fleet = fleet(3, 0);
    let state = tempfile::tempdir().unwrap();
    for (port, words) in [
        (8_082, "serves no LEDM"),
        (8_083, "cannot read"),
        (8_084, "cannot read"),
        (10_443, "does not speak TLS 1.2 or 1.3"),
        (11_443, "does not speak TLS 1.2 or 1.3"),
        (12_443, "did not answer"),
        (8_099, "does not accept a connection"),
    ] {
        let begun = Instant::now();
        let refused = read(fleet.port, (hp.as_str(), port), state.path(), &[]);
        let text = said(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{port}: {text}");
        assert!(text.contains(words), "{port}: {text}");
        assert!(text.contains("next:"), "{port}: {text}");
        assert!(begun.elapsed() < SOON, "{port}: {:?}", begun.elapsed());
    }
}
