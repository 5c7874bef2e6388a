//! What a discovery puts on the wire: never more than it may, exactly what it says, and nothing
//! that the kernel loses on the way. In network namespaces of its own; needs root.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use stories::{Running, program};

/// Answers for every address of the test, and counts.
const RESPONDER: &str = include_str!("wire/responder.py");

/// Who answers behind the router.
const ROUTED: [&str; 5] = [
    "10.93.0.3",
    "10.93.0.4",
    "10.93.0.77",
    "10.93.0.200",
    "10.93.0.254",
];

/// Longest the counts may take to be written when nothing comes any more.
const COUNTED: Duration = Duration::from_secs(10);

#[test]
fn a_discovery_of_a_24_sends_what_it_says_and_no_faster_than_it_may() {
    let live: Vec<String> = ROUTED.map(str::to_owned).into();
    let wire = Wire::new("a", ["10.92.0.1/30", "10.92.0.2/30"], &live);
    wire.runs("b", "ip route add local 10.93.0.0/24 dev lo");
    wire.runs("a", "ip route add 10.93.0.0/24 via 10.92.0.2");
    let _responder = wire.responder();
    let said = wire.discovers(&[], &["10.93.0.0/24", "--all"]);
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(told.contains("5 other devices, 249 silent"), "{told}");
    let packets = packets_told(&told);
    let counts = wire.counts(packets);
    assert_eq!(counts["packets"].as_u64(), Some(packets), "{told}");
    assert!(
        packets >= 2 * 254 - 5,
        "each silent one is asked twice: {told}"
    );
    assert!(counts["most"].as_u64() <= Some(1_000), "{counts}");
    assert_eq!(counts["open_most"].as_u64(), Some(1), "{counts}");
    assert!(counts["shortest"].as_f64() >= Some(1.99), "{counts}");
}

#[test]
fn a_wide_own_link_is_paced_without_the_right_to_ask_by_arp() {
    let (wire, live) = own_link("p");
    let without = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
    let range = ["10.94.0.0/20", "--all", "--retries", "0", "--yes"];
    let began = Instant::now();
    let said = wire.discovers(&without, &range);
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(told.contains("at most 298 new ones a second"), "{told}");
    assert!(told.contains(&format!("{live} other devices")), "{told}");
    assert!(!told.contains("was full"), "{told}");
    assert!(
        began.elapsed() >= Duration::from_secs(4_094 / 298),
        "{told}"
    );
}

#[test]
fn a_wide_own_link_is_asked_by_arp_first() {
    let (wire, live) = own_link("r");
    let range = [
        "10.94.0.0/20",
        "--all",
        "--retries",
        "0",
        "--rate",
        "100000",
    ];
    let said = wire.discovers(&[], &range);
    let told = String::from_utf8_lossy(&said.stderr);
    // The cable's two ends have owners too, and no SNMP.
    assert!(
        told.contains(&format!("by ARP {} of them", live + 2)),
        "{told}"
    );
    assert!(told.contains(&format!("{live} other devices")), "{told}");
    // Those that answer are asked on, a score of questions each.
    let packets = packets_told(&told);
    assert!(packets < 4_094 / 2, "nobody else is asked: {told}");
}

/// A /20 on one link, one address in a hundred alive.
fn own_link(name: &str) -> (Wire, usize) {
    let host = |n: usize| format!("10.94.{}.{}", n / 256, n % 256);
    let live: Vec<String> = (1..=40).map(|n| host(n * 101 + 3)).collect();
    let wire = Wire::new(name, ["10.94.0.1/20", "10.94.0.2/20"], &live);
    for address in &live {
        wire.runs("b", &format!("ip route add local {address} dev lo"));
    }
    (wire, live.len())
}

/// The number before ` packets,` in the summary.
fn packets_told(told: &str) -> u64 {
    let before = told.split(" packets,").next().expect("a text");
    let number = before.rsplit(' ').next().expect("a word");
    number
        .parse()
        .unwrap_or_else(|_| panic!("no packets: {told}"))
}

/// Two namespaces and a cable; they end with this value.
struct Wire {
    name: String,
    folder: tempfile::TempDir,
}

impl Wire {
    fn new(name: &str, addresses: [&str; 2], live: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("live"), live.join("\n")).expect("a file");
        std::fs::write(folder.path().join("responder.py"), RESPONDER).expect("a file");
        let name = format!("wire{}{name}", std::process::id());
        let wire = Self { name, folder };
        let (a, b) = (wire.space("a"), wire.space("b"));
        for space in [&a, &b] {
            done(Command::new("ip").args(["netns", "add", space]));
        }
        done(Command::new("ip").args([
            "link", "add", "eth0", "netns", &a, "type", "veth", "peer", "name", "eth0", "netns", &b,
        ]));
        for (side, address) in ["a", "b"].into_iter().zip(addresses) {
            wire.runs(side, "ip link set lo up");
            wire.runs(side, &format!("ip address add {address} dev eth0"));
            wire.runs(side, "ip link set eth0 up");
        }
        wire
    }

    fn space(&self, side: &str) -> String {
        format!("{}{side}", self.name)
    }

    fn runs(&self, side: &str, line: &str) {
        let space = self.space(side);
        done(
            Command::new("ip")
                .args(["netns", "exec", &space])
                .args(line.split(' ')),
        );
    }

    /// Starts the responder, and waits until it listens.
    fn responder(&self) -> Running {
        let at = |name: &str| self.folder.path().join(name);
        let (script, live, counts) = (at("responder.py"), at("live"), at("counts"));
        let space = self.space("b");
        let mut words: Vec<&OsStr> = ["netns", "exec", &space, "python3"].map(OsStr::new).into();
        words.extend([script.as_os_str(), live.as_os_str(), counts.as_os_str()]);
        let running = Running::start(Path::new("ip"), &words, &at("log"));
        let deadline = Instant::now() + COUNTED;
        while !counts.is_file() {
            let log = std::fs::read_to_string(at("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the responder: {log}");
            std::thread::yield_now();
        }
        running
    }

    fn discovers(&self, with: &[&str], args: &[&str]) -> Output {
        let _responder = (!self.folder.path().join("counts").is_file()).then(|| self.responder());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space("a")]).args(with);
        command.arg(program("platen")).arg("discover").args(args);
        command.stdin(Stdio::null()).output().expect("ip runs")
    }

    /// What reached the responder, as soon as it is as much as was sent.
    fn counts(&self, packets: u64) -> Value {
        let deadline = Instant::now() + COUNTED;
        loop {
            let text = std::fs::read_to_string(self.folder.path().join("counts")).expect("counts");
            let counts: Value = serde_json::from_str(&text).expect("JSON");
            if counts["packets"].as_u64() >= Some(packets) || Instant::now() >= deadline {
                return counts;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for side in ["a", "b"] {
            let space = self.space(side);
            // What cannot be deleted is not there.
            let _ = Command::new("ip")
                .args(["netns", "delete", &space])
                .output();
        }
    }
}

fn done(command: &mut Command) {
    let output = command
        .output()
        .expect("ip runs; scripts/setup test installs it");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}, as root: {told}");
}
