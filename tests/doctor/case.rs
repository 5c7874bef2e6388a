//! One printer at one address, and what the doctor says of it.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::Fleet;
use stories::{Running, World, free_port, recordings};

/// Where the printer is.
pub const ADDRESS: &str = "127.60.0.10";

/// What no output may hold.
pub const SECRET: &str = "hush-hush-hush";

/// A printer with a profile.
pub const FLEET: &str = "recording = \"kyocera-taskalfa-4054ci\"\n";

/// A printer of a maker whom nobody knows.
pub const ACME: &str = "\
1.3.6.1.2.1.1.1.0|4|Acme LP-1 printer
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1
1.3.6.1.2.1.1.3.0|67|4711
1.3.6.1.2.1.1.5.0|4|acme-1
1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5
1.3.6.1.2.1.25.3.2.1.3.1|4|Acme LP-1
1.3.6.1.2.1.43.5.1.1.1.1|65|1
1.3.6.1.2.1.43.5.1.1.17.1|4|AC0000017
1.3.6.1.2.1.43.10.2.1.3.1.1|2|7
1.3.6.1.2.1.43.10.2.1.4.1.1|65|1234
";

/// Longest until net-snmp's daemon answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A site with one printer.
pub struct Case {
    pub world: World,
    rack: Option<simulator::Running>,
    _daemon: Option<Running>,
}

/// What the doctor said.
pub struct Said {
    pub json: Value,
    text: String,
}

impl Case {
    /// A site where `port` is that of SNMP; `more` is added to its configuration.
    pub fn at(port: u16, more: &str) -> Self {
        let world = World::new();
        world.agent_is_configured(&["127.60.0.8/29"], port, more);
        Self {
            world,
            rack: None,
            _daemon: None,
        }
    }

    /// A site whose printer's port is closed.
    pub fn of_nobody() -> Self {
        Self::at(free_port(), "")
    }

    /// A site with the printer that these keys of a fleet file say.
    pub fn of(printer: &str) -> Self {
        Self::with(&recordings(), "", printer, |port| Self::at(port, ""))
    }

    /// A site with a printer that plays this recording.
    pub fn playing(recording: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("own.snmprec"), recording).expect("a recording");
        let printer = "recording = \"own\"";
        Self::with(folder.path(), "", printer, |port| Self::at(port, ""))
    }

    /// The port of SNMP.
    pub fn port(&self) -> u16 {
        self.rack.as_ref().expect("a printer").port
    }

    /// The same site with more in its configuration.
    pub fn configured(&self, more: &str) {
        let port = self.port();
        self.world
            .agent_is_configured(&["127.60.0.8/29"], port, more);
    }

    fn with(folder: &Path, head: &str, printer: &str, site: impl FnOnce(u16) -> Self) -> Self {
        let rack = rack(folder, head, printer, 0);
        let mut case = site(rack.port);
        case.rack = Some(rack);
        case
    }

    /// A printer that knows `mps` and no community, at a site that asks as `reader`.
    pub fn of_user(there: &str, (auth, privacy): (&str, &str)) -> Self {
        let there_user = user(there, SECRET, SECRET);
        let here = if there == "mps" { "mps" } else { "reader" };
        Self::with_users(&there_user, here, (auth, privacy))
    }

    /// A printer that knows these users alone, at a site whose credential `reader` is this user with
    /// these passwords.
    pub fn with_users(users: &str, here: &str, (auth, privacy): (&str, &str)) -> Self {
        let name = users.split('"').nth(1).expect("a name");
        let printer = format!("{FLEET}versions = [\"3\"]\nusers = [\"{name}\"]\n");
        Self::with(&recordings(), users, &printer, |port| {
            let case = Self::at(port, "");
            let auth = case.secret("auth", auth);
            let privacy = case.secret("privacy", privacy);
            // The range of the community holds nobody.
            let more = format!(
                "[[ranges]]\naddresses = [{ADDRESS:?}]\ncredentials = [\"reader\"]\n\
                 [credentials.reader]\nversion = \"3\"\nuser = \"{here}\"\nauth = \"sha256\"\n\
                 auth_password_file = {auth:?}\npriv = \"aes128\"\n\
                 priv_password_file = {privacy:?}\n"
            );
            case.world.agent_is_configured(&["127.60.1.1"], port, &more);
            case
        })
    }

    fn secret(&self, name: &str, secret: &str) -> std::path::PathBuf {
        let path = self.world.path(name);
        std::fs::write(&path, format!("{secret}\n")).expect("a password");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("a mode");
        path
    }

    /// A site with net-snmp's daemon in place of a printer, under this configuration; none where it
    /// is not installed and need not be.
    pub fn of_snmpd(text: &str) -> Option<Self> {
        let daemon = Path::new("/usr/sbin/snmpd");
        if !daemon.is_file() {
            eprintln!("NOT STAGED, since snmpd is missing: install the Debian package snmpd");
            return None;
        }
        let port = free_port();
        let mut case = Self::at(port, "");
        let config = case.world.path("snmpd.conf");
        std::fs::write(&config, text).expect("a configuration");
        let persistent = format!("SNMP_PERSISTENT_DIR={}", case.world.path("snmpd").display());
        let place = format!("udp:{ADDRESS}:{port}");
        let mut args: Vec<&OsStr> = vec![OsStr::new(&persistent), daemon.as_os_str()];
        args.extend(["-f", "-Lf", "/dev/null", "-C", "-c"].map(OsStr::new));
        args.extend([config.as_os_str(), OsStr::new(&place)]);
        let log = case.world.path("snmpd.log");
        case._daemon = Some(Running::start(Path::new("env"), &args, &log));
        let end = Instant::now() + PATIENCE;
        while case.doctor(&[ADDRESS]).json["diagnosis"]["cause"] == "snmp_closed" {
            assert!(Instant::now() < end, "snmpd does not come up");
        }
        Some(case)
    }

    /// Another printer takes the place of the one that is there.
    pub fn plays(&mut self, printer: &str) {
        let port = self.rack.take().expect("a printer").port;
        let end = Instant::now() + PATIENCE;
        // The port is free a moment after the rack has ended.
        while std::net::UdpSocket::bind(("0.0.0.0", port)).is_err() {
            assert!(Instant::now() < end, "the port stays taken");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.rack = Some(rack(&recordings(), "", printer, port));
    }

    /// What `platen doctor` says.
    pub fn doctor(&self, words: &[&str]) -> Said {
        let said = |more: &[&str]| {
            let output = self.world.agent_says("doctor", &[words, more].concat());
            assert_hushed(&output);
            output
        };
        // Side by side: each waits for what does not come.
        std::thread::scope(|threads| {
            let text = threads.spawn(|| said(&[]).stdout);
            let json = said(&["--json"]);
            let text = text.join().expect("platen runs");
            Said::new(json, String::from_utf8(text).expect("text"))
        })
    }
}

impl Said {
    /// Takes what it said as JSON, and for people.
    pub fn new(output: Output, text: String) -> Self {
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
        });
        assert_eq!(json["schema"], 1);
        let failed = json["diagnosis"]["state"] == "failed";
        let code = output.status.code();
        assert_eq!(code, Some(if failed { 3 } else { 0 }), "{json}");
        Self { json, text }
    }

    /// What it said for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// It names this cause, with this word, and one thing to do.
    pub fn names(&self, cause: &str, word: &str) {
        let diagnosis = &self.json["diagnosis"];
        println!("{cause}: {diagnosis}");
        assert_eq!(diagnosis["cause"], cause, "{}", self.json);
        let told = |key: &str| diagnosis[key].as_str().expect("text").to_owned();
        let all = format!("{}; {}; {}", told("what"), told("why"), told("next"));
        assert!(all.contains(word), "no '{word}' in {all}");
        assert!(!told("next").is_empty(), "no next step: {diagnosis}");
        let arrows = self.text.lines().filter(|line| line.starts_with("  → "));
        assert_eq!(arrows.count(), 1, "{}", self.text);
        assert!(self.text.contains(&told("what")), "{}", self.text);
    }

    /// Every step: which, of what, how, and what was found.
    pub fn steps(&self) -> Vec<(&str, &str, &str, &str)> {
        let steps = self.json["steps"].as_array().expect("a list");
        steps
            .iter()
            .map(|step| {
                let word = |key: &str| step[key].as_str().expect("text");
                (word("step"), word("subject"), word("state"), word("what"))
            })
            .collect()
    }

    /// The values in this state.
    pub fn values(&self, state: &str) -> Vec<Value> {
        let values = self.json["values"].as_array().expect("a list");
        let is_so = |value: &&Value| value["state"] == state;
        values.iter().filter(is_so).cloned().collect()
    }

    /// One value.
    pub fn value(&self, name: &str) -> Value {
        let values = self.json["values"].as_array().expect("a list");
        let mut named = values.iter().filter(|value| value["name"] == name);
        named.next().expect("the value").clone()
    }
}

/// A user of version 3 as a fleet file says it.
pub fn user(name: &str, auth: &str, privacy: &str) -> String {
    format!(
        "[[users]]\nname = \"{name}\"\nauth = \"sha256\"\nauth_password = \"{auth}\"\n\
         priv = \"aes128\"\npriv_password = \"{privacy}\"\n"
    )
}

fn rack(folder: &Path, head: &str, printer: &str, port: u16) -> simulator::Running {
    let text = format!("frozen = true\n{head}[[printers]]\naddresses = {ADDRESS:?}\n{printer}\n");
    let mut fleet = Fleet::parse(&text, folder).unwrap_or_else(|error| panic!("{error}"));
    fleet.port = port;
    fleet.recordings = folder.to_owned();
    simulator::run(fleet, std::future::pending()).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_hushed(output: &Output) {
    for octets in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(octets);
        assert!(!text.contains(SECRET), "a secret is shown: {text}");
        assert!(!text.contains("another-password"), "{text}");
    }
}
