//! What a discovery puts on the wire: never more than it may, exactly what it says, and nothing
//! that the kernel loses on the way. In network namespaces of its own, counted by a capture there;
//! needs root.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stories::{Running, program, recordings};

/// Answers for every address of the test.
const RESPONDER: &str = include_str!("wire/responder.py");

/// Counts what comes over the cable.
const CAPTURE: &str = include_str!("wire/capture.py");

/// The network behind the router.
const ROUTED: &str = "10.93.0.0/24";

/// Who answers there and is no printer.
const OTHERS: [&str; 5] = [
    "10.93.0.3",
    "10.93.0.4",
    "10.93.0.77",
    "10.93.0.200",
    "10.93.0.254",
];

/// What the printers there are, in turns.
const MAKERS: [&str; 5] = [
    "brother-hl-l6400dw",
    "canon-ir-adv-c3826",
    "epson-wf-c5890",
    "kyocera-taskalfa-4054ci",
    "xerox-versalink-c505",
];

/// So many printers that who reads 64 at once could send three thousand packets a second: each
/// answers after 20 ms.
const MANY: usize = 120;

/// So many that the agent reads some while it sweeps.
const SOME: usize = 20;

/// So many that a lower rate is through with them in a quarter of a minute.
const FEW: usize = 5;

/// Packets a second unless told otherwise, as `platen discover --help` and config/agent.toml say.
const RATE_OF_DISCOVER: u64 = 1_000;
const RATE_OF_AGENT: u64 = 50;

/// Longest that a helper may take to listen, and to count what has come.
const COUNTED: Duration = Duration::from_secs(10);

/// Longest that the agent may take to send what shows its pace: 50 packets a second, twelve seconds
/// of them.
const PACED: Duration = Duration::from_secs(40);

#[test]
fn a_discovery_of_a_24_sends_what_it_says_and_no_faster_than_it_may() {
    let wire = routed("a", MANY);
    let said = wire.discovers(&[], &[ROUTED, "--all"]);
    let counts = wire.is_told(&said, "120 printers, 5 other devices, 129 silent");
    assert!(counts.packets > 2 * RATE_OF_DISCOVER, "{counts:?}");
    assert_eq!(counts.read, MANY as u64, "{counts:?}");
    counts.are_polite(RATE_OF_DISCOVER);
}

#[test]
fn a_discovery_keeps_the_lower_rate_that_it_is_told() {
    let wire = routed("l", FEW);
    let said = wire.discovers(&[], &[ROUTED, "--all", "--rate", "50"]);
    let counts = wire.is_told(&said, "5 printers, 5 other devices, 244 silent");
    assert!(counts.packets > 10 * 50, "{counts:?}");
    assert_eq!(counts.read, FEW as u64, "{counts:?}");
    counts.are_polite(50);
}

#[test]
fn the_agent_sweeps_and_reads_at_its_default_pace() {
    let wire = routed("g", SOME);
    let agent = wire.agent(&format!("[[ranges]]\naddresses = [{ROUTED:?}]\n"));
    let is_seen = |counts: &Counts| counts.packets > 12 * RATE_OF_AGENT && counts.read >= 5;
    let deadline = Instant::now() + PACED;
    while !wire.captured().is_some_and(|counts| is_seen(&counts)) {
        let (seen, log) = (wire.captured(), wire.log_of("agent"));
        assert!(Instant::now() < deadline, "{seen:?}: {log}");
        std::thread::sleep(Duration::from_millis(100));
    }
    agent.kill();
    wire.counts().are_polite(RATE_OF_AGENT);
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

/// A /24 behind a router, with so many printers from 10.93.0.80 on, and five other devices.
fn routed(name: &str, printers: usize) -> Wire {
    let played: Vec<String> = (0..printers)
        .map(|n| format!("127.20.0.{}", n + 1))
        .collect();
    let living = played
        .iter()
        .zip(80..)
        .map(|(at, n)| format!("10.93.0.{n} {at}"));
    let live: Vec<String> = OTHERS
        .map(str::to_owned)
        .into_iter()
        .chain(living)
        .collect();
    let mut wire = Wire::new(name, ["10.92.0.1/30", "10.92.0.2/30"], &live);
    wire.runs("b", &format!("ip route add local {ROUTED} dev lo"));
    wire.runs("a", &format!("ip route add {ROUTED} via 10.92.0.2"));
    let mut fleet = "answer_size_max = 484\n".to_owned();
    for (maker, recording) in MAKERS.iter().enumerate() {
        let own: Vec<&String> = played.iter().skip(maker).step_by(MAKERS.len()).collect();
        let group = format!("[[printers]]\nrecording = {recording:?}\naddresses = {own:?}\n");
        fleet.push_str(&group);
    }
    wire.is_played(&fleet);
    wire.is_captured();
    wire.is_answered();
    wire
}

/// A /20 on one link, one address in a hundred alive.
fn own_link(name: &str) -> (Wire, usize) {
    let host = |n: usize| format!("10.94.{}.{}", n / 256, n % 256);
    let live: Vec<String> = (1..=40).map(|n| host(n * 101 + 3)).collect();
    let mut wire = Wire::new(name, ["10.94.0.1/20", "10.94.0.2/20"], &live);
    for address in &live {
        wire.runs("b", &format!("ip route add local {address} dev lo"));
    }
    wire.is_answered();
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

/// What the capture saw; wire/capture.py says what each is.
#[derive(Debug)]
struct Counts {
    packets: u64,
    most: u64,
    open_most: u64,
    shortest_secs: f64,
    read: u64,
    lost: u64,
    quiet_at_secs: f64,
}

impl Counts {
    /// No second carried more than the rate, no address owed two answers, and nobody was asked again
    /// before the answer could have come.
    fn are_polite(&self, rate: u64) {
        println!("at {rate} packets a second: {self:?}");
        assert_eq!(self.lost, 0, "{self:?}");
        assert!(self.most <= rate, "more than {rate} a second: {self:?}");
        assert_eq!(self.open_most, 1, "{self:?}");
        assert!(self.shortest_secs >= 1.99, "{self:?}");
    }
}

/// Two namespaces, a cable, and who lives at its far end; they end with this value.
struct Wire {
    name: String,
    folder: tempfile::TempDir,
    helpers: Vec<Running>,
}

impl Wire {
    fn new(name: &str, addresses: [&str; 2], live: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (name, helpers) = (format!("wire{}{name}", std::process::id()), Vec::new());
        let wire = Self {
            name,
            folder,
            helpers,
        };
        wire.holds("live", &live.join("\n"));
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log_of(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    /// Writes a file, and gives its path.
    fn holds(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    fn runs(&self, side: &str, line: &str) {
        let space = self.space(side);
        done(
            Command::new("ip")
                .args(["netns", "exec", &space])
                .args(line.split(' ')),
        );
    }

    /// Starts a program at one end; what it says goes to `NAME.log`.
    fn starts(&self, side: &str, name: &str, words: &[&Path]) -> Running {
        let space = self.space(side);
        let mut all: Vec<&OsStr> = ["netns", "exec", &space].map(OsStr::new).into();
        all.extend(words.iter().map(|word| word.as_os_str()));
        Running::start(Path::new("ip"), &all, &self.path(&format!("{name}.log")))
    }

    /// Starts a helper at the far end, and waits until it is ready.
    fn is_helped(&mut self, name: &str, words: &[&Path], is_ready: impl Fn(&Self) -> bool) {
        self.helpers.push(self.starts("b", name, words));
        let deadline = Instant::now() + COUNTED;
        while !is_ready(self) {
            assert!(Instant::now() < deadline, "{name}: {}", self.log_of(name));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the simulator, on loopback of the far end.
    fn is_played(&mut self, fleet: &str) {
        let (fleet, simulator) = (self.holds("fleet.toml", fleet), program("platen-sim"));
        let recordings = recordings();
        let [run, file, folder] = ["run", "--fleet", "--recordings"].map(Path::new);
        let words = [&simulator, run, file, &fleet, folder, &recordings];
        let is_ready = |wire: &Self| wire.log_of("simulator").contains("fleet answers");
        self.is_helped("simulator", &words, is_ready);
    }

    /// Starts the responder.
    fn is_answered(&mut self) {
        let script = self.holds("responder.py", RESPONDER);
        let (live, listens) = (self.path("live"), self.path("listens"));
        let words = [Path::new("python3"), &script, &live, &listens];
        self.is_helped("responder", &words, |wire| wire.path("listens").is_file());
    }

    /// Starts the capture.
    fn is_captured(&mut self) {
        let (script, counts) = (self.holds("capture.py", CAPTURE), self.path("counts"));
        let words = [Path::new("python3"), &script, &counts];
        self.is_helped("capture", &words, |wire| wire.captured().is_some());
    }

    fn discovers(&self, with: &[&str], args: &[&str]) -> Output {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space("a")]).args(with);
        command.arg(program("platen")).arg("discover").args(args);
        command.stdin(Stdio::null()).output().expect("ip runs")
    }

    /// Starts an agent that knows no hub.
    fn agent(&self, config: &str) -> Running {
        let state = self.path("agent");
        let config = self.holds("agent.toml", &format!("state_dir = {state:?}\n{config}"));
        let [run, file] = ["run", "--config"].map(Path::new);
        self.starts("a", "agent", &[&program("platen"), run, file, &config])
    }

    /// What was captured of a discovery that said this, and as many packets as were captured.
    fn is_told(&self, said: &Output, what: &str) -> Counts {
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(told.contains(what), "{told}");
        let counts = self.counts();
        assert_eq!(counts.packets, packets_told(&told), "{told}{counts:?}");
        counts
    }

    /// What was captured until now, once all of it is counted.
    fn counts(&self) -> Counts {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_secs = now.expect("a time after 1970").as_secs_f64();
        let deadline = Instant::now() + COUNTED;
        loop {
            let seen = self.captured();
            if let Some(counts) = seen.filter(|counts| counts.quiet_at_secs > now_secs) {
                return counts;
            }
            let log = self.log_of("capture");
            assert!(Instant::now() < deadline, "the capture: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What was captured so far; nothing while there is no capture.
    fn captured(&self) -> Option<Counts> {
        let text = std::fs::read_to_string(self.path("counts")).ok()?;
        let counts: Value = serde_json::from_str(&text).expect("JSON");
        let number = |name: &str| counts[name].as_u64().expect("a whole number");
        let seconds = |name: &str| counts[name].as_f64().expect("a number");
        Some(Counts {
            packets: number("packets"),
            most: number("most"),
            open_most: number("open_most"),
            shortest_secs: seconds("shortest"),
            read: number("read"),
            lost: number("lost"),
            quiet_at_secs: seconds("quiet_at"),
        })
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
