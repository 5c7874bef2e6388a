//! IPP: CUPS's ippeveprinter, a printer by other people, is read; and who is not known to be a
//! printer never hears of it.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::Fleet;

use super::frozen_fleet;
use super::process::{Process, peer, platen};

/// Longest a printer may take until it accepts a connection.
const START_MAX: Duration = Duration::from_secs(30);

/// Time from one look at it to the next.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Seconds that SNMP has where silence is the point: it is waited out each time.
const IMPATIENT: &str = "0.3";

/// Seconds that SNMP has where an answer comes, however busy the machine.
const PATIENT: &str = "10";

/// Reads an address over IPP, whose SNMP is given so many seconds to say what stands there.
fn read(address: &str, (ipp, snmp): (u16, u16), (secs, more): (&str, &[&str])) -> Output {
    let ports = [ipp.to_string(), snmp.to_string()];
    let [ipp, snmp] = &ports;
    let door = ["read", address, "--via", "ipp", "--ipp-port", ipp];
    let patience = ["--port", snmp, "--timeout", secs, "--retries", "0"];
    platen()
        .args(door)
        .args(patience)
        .args(more)
        .output()
        .unwrap()
}

fn said(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// ippeveprinter on this port of localhost. It announces itself over Avahi, and does not begin
/// without a bus to find it on: it gets one on which there is nobody.
fn ippeveprinter(folder: &Path, port: u16) -> [Process; 2] {
    let bus = format!("unix:path={}/bus", folder.display());
    let mut daemon = Command::new("dbus-daemon");
    daemon.args(["--session", "--nofork", "--nopidfile"]);
    daemon.arg(format!("--address={bus}"));
    daemon.stdout(Stdio::null()).stderr(Stdio::null());
    let daemon = Process::spawned(daemon);
    wait("the bus", || folder.join("bus").exists());
    let log = File::create(folder.join("log")).unwrap();
    let mut printer = Command::new(peer("ippeveprinter").unwrap());
    printer
        .args([
            "-v",
            "-n",
            "localhost",
            "-r",
            "off",
            "-p",
            &port.to_string(),
        ])
        .args(["-M", "Kyocera", "-m", "ECOSYS M2040dn", "-d"])
        .arg(folder)
        .arg("-K")
        .arg(folder)
        .arg("Test")
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus)
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let printer = Process::spawned(printer);
    wait("ippeveprinter", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    [printer, daemon]
}

fn wait(what: &str, is_there: impl Fn() -> bool) {
    let deadline = Instant::now() + START_MAX;
    while !is_there() {
        assert!(Instant::now() < deadline, "{what} does not begin");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Two ports of localhost that are free, by TCP and by UDP.
fn free() -> (u16, u16) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = |addr: std::net::SocketAddr| addr.port();
    (
        port(tcp.local_addr().unwrap()),
        port(udp.local_addr().unwrap()),
    )
}

#[test]
fn debians_ippeveprinter_is_read_over_ipp() {
    if peer("ippeveprinter").is_none() || peer("dbus-daemon").is_none() {
        return;
    }
    let (folder, ports) = (tempfile::tempdir().unwrap(), free());
    let _printer = ippeveprinter(folder.path(), ports.0);
    let unknown = read("127.0.0.1", ports, (IMPATIENT, &[]));
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log().contains("POST"), "{}", log());

    let known = read(
        "127.0.0.1",
        ports,
        (IMPATIENT, &["--unidentified", "--json"]),
    );
    assert!(known.status.success(), "{}", said(&known.stderr));
    let reading: Value = serde_json::from_slice(&known.stdout).unwrap();
    assert_eq!(reading["identity"]["vendor"], "Kyocera", "{reading}");
    assert_eq!(reading["identity"]["model"], "ECOSYS M2040dn");
    assert_eq!(reading["identity"]["uuid"].as_str().unwrap().len(), 36);
    assert_eq!(reading["status"]["state"], "idle");
    let supplies = reading["supplies"].as_array().unwrap();
    assert_eq!(supplies.len(), 2, "{reading}");
    for supply in supplies {
        assert_eq!(supply["level"]["state"], "percent", "{supply}");
        assert_eq!(supply["evidence"]["door"], "ipp", "{supply}");
        assert_eq!(supply["evidence"]["object"], "printer-supply", "{supply}");
    }
    assert!(!reading["trays"].as_array().unwrap().is_empty());
    assert_eq!(log().matches("POST").count(), 1, "{}", log());

    let table = read("127.0.0.1", ports, (IMPATIENT, &["--unidentified"]));
    let table = said(&table.stdout);
    assert!(table.contains("Kyocera ECOSYS M2040dn"), "{table}");
    assert!(table.contains("Black Toner"), "{table}");
}

#[test]
fn nothing_is_sent_over_ipp_to_what_snmp_does_not_call_a_printer() {
    let fleet = frozen_fleet();
    // The ninth of the fleet is a switch; the tenth address is silent.
    let switch = "127.40.0.9";
    for (address, secs, more, code, words) in [
        (switch, PATIENT, &[][..], 3, "not a printer"),
        (switch, PATIENT, &["--unidentified"][..], 3, "not a printer"),
        ("127.40.0.10", IMPATIENT, &[][..], 1, "--unidentified"),
    ] {
        let pot = TcpListener::bind((address, 0)).unwrap();
        pot.set_nonblocking(true).unwrap();
        let ports = (pot.local_addr().unwrap().port(), fleet.port);
        let refused = read(address, ports, (secs, more));
        assert_eq!(refused.status.code(), Some(code), "{refused:?}");
        let text = said(&refused.stdout) + &said(&refused.stderr);
        assert!(text.contains(words), "{text}");
        let touched = pot.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(touched, Err(ErrorKind::WouldBlock), "{address}");
    }
    // A printer that SNMP knows is asked: the pot of its address has a guest.
    let pot = TcpListener::bind(("127.40.0.1", 0)).unwrap();
    let ports = (pot.local_addr().unwrap().port(), fleet.port);
    let guest = std::thread::spawn(move || pot.accept().map(drop));
    let asked = read("127.40.0.1", ports, (PATIENT, &[]));
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let why = said(&asked.stderr);
    assert!(why.contains("does not speak HTTP"), "{why}");
    guest.join().unwrap().unwrap();
}

#[test]
fn a_simulated_printer_says_over_ipp_what_it_says_over_snmp() {
    let address = "127.42.0.1";
    let text = format!(
        "port = 0\nfrozen = true\nrecordings = {:?}\n[[printers]]\nrecording = \
         \"kyocera-taskalfa-4054ci\"\naddresses = \"{address}\"\n\
         web = {{ page = \"ipp\", port = 8631 }}\n",
        super::folder()
    );
    let fleet = Fleet::parse(&text, Path::new(".")).unwrap();
    let fleet = simulator::run(fleet, std::future::pending()).unwrap();
    let read = |via: &str| -> Value {
        let port = fleet.port.to_string();
        let arguments = [
            "read",
            address,
            "--via",
            via,
            "--ipp-port",
            "8631",
            "--json",
        ];
        let read = platen()
            .args(arguments)
            .args(["--timeout", PATIENT, "--port", &port])
            .output()
            .unwrap();
        assert!(read.status.success(), "{via}: {}", said(&read.stderr));
        serde_json::from_slice(&read.stdout).unwrap()
    };
    let (snmp, ipp) = (read("snmp"), read("ipp"));
    assert_eq!(ipp["identity"]["serial"], snmp["identity"]["serial"]);
    let levels = |of: &Value| -> Vec<Value> {
        let supplies = of["supplies"].as_array().unwrap().iter();
        let told = supplies.filter(|it| it["level"]["state"] == "percent");
        told.map(|it| it["level"]["percent"].clone()).collect()
    };
    assert_eq!(levels(&ipp).len(), 4, "{ipp}");
    assert_eq!(levels(&ipp), levels(&snmp));
    assert_eq!(ipp["supplies"][0]["evidence"]["door"], "ipp");
}

#[test]
fn the_options_of_another_door_are_refused_without_it() {
    for (arguments, words) in [
        (&["--unidentified"][..], "--via <DOOR>"),
        (
            &["--via", "snmp", "--unidentified"][..],
            "for --via ipp and --via ledm only",
        ),
        (
            &["--via", "ipp", "--record", "x"][..],
            "cannot be used with",
        ),
        (&["--via", "telnet"][..], "possible values: snmp, ipp, ledm"),
    ] {
        let refused = platen()
            .args(["read", "127.40.0.10"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let text = said(&refused.stderr);
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}
