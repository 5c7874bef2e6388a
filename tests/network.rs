//! Networks of their own for a story: an agent, a hub and printers behind a router, each in a
//! network namespace. Needs root; where namespaces are not permitted, [`Network::new`] says so.
//!
//! ```text
//!  agent 10.91.1.2 ── 10.91.1.1 router 10.91.2.1 ── 10.91.2.2 hub (hub.test)
//!                               router 10.91.3.1 ── 10.91.3.2 … printers
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use stories::Running;

/// The agent's address.
pub const AGENT: &str = "10.91.1.2";
/// The router's address on the agent's side: where proxies stand.
pub const ROUTER: &str = "10.91.1.1";
/// The hub's address.
pub const HUB: &str = "10.91.2.2";
/// The hub's name, which the agent's hosts file knows.
pub const HUB_NAME: &str = "hub.test";
/// The printers' network.
pub const PRINTERS: &str = "10.91.3.0/24";

/// Passes datagrams on to the simulator and its answers back, one socket for each pair.
const RELAY: &str = "
import selectors, socket
watch, pairs = selectors.DefaultSelector(), {}
def udp(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(address)
    return s
for n in range(1, COUNT + 1):
    watch.register(udp((f'10.91.3.{10 + n}', 161)), selectors.EVENT_READ, n)
while True:
    for key, _ in watch.select():
        if isinstance(key.data, int):
            octets, client = key.fileobj.recvfrom(65535)
            if (key.data, client) not in pairs:
                pairs[key.data, client] = udp(('127.0.0.1', 0))
                watch.register(pairs[key.data, client], selectors.EVENT_READ, (key.fileobj, client))
            pairs[key.data, client].sendto(octets, (f'127.20.0.{key.data}', PORT))
        else:
            printer, client = key.data
            printer.sendto(key.fileobj.recv(65535), client)
";

/// Who is in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The agent.
    Agent,
    /// The router in the middle.
    Router,
    /// The hub.
    Hub,
    /// The printers.
    Printers,
}

/// Four namespaces; they end with this value.
#[derive(Debug)]
pub struct Network {
    name: String,
}

impl Network {
    /// Makes the namespaces and the cables between them.
    ///
    /// # Errors
    /// What the system said, where it does not allow namespaces.
    pub fn new() -> Result<Self, String> {
        let network = Self {
            name: format!("platen{}", std::process::id()),
        };
        for who in [Who::Agent, Who::Router, Who::Hub, Who::Printers] {
            ip(&["netns", "add", &network.space(who)])?;
            // The kernel's own IPv6 chatter would be counted with the agent's packets.
            network.sets(who, "net.ipv6.conf.all.disable_ipv6", "1");
            network.sets(who, "net.ipv6.conf.default.disable_ipv6", "1");
            network.says(who, &["ip", "link", "set", "lo", "up"]);
        }
        network.sets(Who::Router, "net.ipv4.ip_forward", "1");
        // As in a container of Docker's: everybody may ping.
        network.sets(Who::Agent, "net.ipv4.ping_group_range", "0 2147483647");
        for (who, number) in [(Who::Agent, 1), (Who::Hub, 2), (Who::Printers, 3)] {
            network.cable(who, number)?;
        }
        network.hosts(&format!("{HUB} {HUB_NAME}\n"));
        // A proxy on the router knows the hub too.
        let folder = Path::new("/etc/netns").join(network.space(Who::Router));
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("hosts"), format!("{HUB} {HUB_NAME}\n")));
        written.map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(network)
    }

    fn cable(&self, who: Who, number: u8) -> Result<(), String> {
        let (space, router) = (self.space(who), self.space(Who::Router));
        let port = format!("r{number}");
        ip(&[
            "link", "add", "eth0", "netns", &space, "type", "veth", "peer", "name", &port, "netns",
            &router,
        ])?;
        let (here, there) = (
            format!("10.91.{number}.2/24"),
            format!("10.91.{number}.1/24"),
        );
        let gateway = format!("10.91.{number}.1");
        self.says(who, &["ip", "address", "add", &here, "dev", "eth0"]);
        self.says(who, &["ip", "link", "set", "eth0", "up"]);
        self.says(Who::Router, &["ip", "address", "add", &there, "dev", &port]);
        self.says(Who::Router, &["ip", "link", "set", &port, "up"]);
        self.says(who, &["ip", "route", "add", "default", "via", &gateway]);
        Ok(())
    }

    /// The name of a namespace.
    #[must_use]
    pub fn space(&self, who: Who) -> String {
        let who = match who {
            Who::Agent => 'a',
            Who::Router => 'r',
            Who::Hub => 'h',
            Who::Printers => 'p',
        };
        format!("{}{who}", self.name)
    }

    /// Writes what the agent's machine knows of names; nobody answers DNS.
    pub fn hosts(&self, hosts: &str) {
        let folder = self.folder();
        std::fs::create_dir_all(&folder).expect("/etc/netns can be written");
        std::fs::write(folder.join("hosts"), hosts).expect("a hosts file");
        let servers = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
        std::fs::write(folder.join("resolv.conf"), servers).expect("a resolv.conf");
        std::fs::write(folder.join("nsswitch.conf"), "hosts: files dns\n").expect("written");
    }

    fn folder(&self) -> PathBuf {
        Path::new("/etc/netns").join(self.space(Who::Agent))
    }

    fn sets(&self, who: Who, key: &str, value: &str) {
        // A kernel without IPv6 has no such key, and no such packets.
        let _ = self.runs(who, &["sysctl", "-qw", &format!("{key}={value}")]);
    }

    /// Lets the printers' namespace play `count` printers at 10.91.3.11 and up: each is a relay to
    /// 127.20.0.1 and up, where the simulator is, which answers on loopback only.
    #[must_use]
    pub fn printers_are_relayed(&self, count: u8, port: u16, log: &Path) -> Running {
        for number in 1..=count {
            let own = format!("10.91.3.{}/24", 10 + number);
            self.says(
                Who::Printers,
                &["ip", "address", "add", &own, "dev", "eth0"],
            );
        }
        let script = format!("COUNT, PORT = {count}, {port}\n{RELAY}");
        let args = [OsStr::new("-c"), OsStr::new(&script)];
        self.starts(Who::Printers, Path::new("python3"), &args, log)
    }

    /// Gives nft one order in a namespace.
    ///
    /// # Panics
    /// When nft refuses it.
    pub fn filters(&self, who: Who, order: &str) {
        self.says(who, &["nft", order]);
    }

    /// Runs a program in a namespace, which must succeed, and gives what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn says(&self, who: Who, words: &[&str]) -> String {
        let output = self.runs(who, words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a program in a namespace.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn runs(&self, who: Who, words: &[&str]) -> Output {
        Command::new("ip")
            .args(["netns", "exec", &self.space(who)])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .expect("ip runs; scripts/setup test installs it")
    }

    /// Starts a program in a namespace.
    #[must_use]
    pub fn starts(&self, who: Who, program: &Path, args: &[&OsStr], log: &Path) -> Running {
        let space = self.space(who);
        let mut words: Vec<&OsStr> = ["netns", "exec"].map(OsStr::new).to_vec();
        words.extend([OsStr::new(&space), program.as_os_str()]);
        words.extend(args);
        // `ip` becomes the program: who is killed is the program.
        Running::start(Path::new("ip"), &words, log)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for who in [Who::Agent, Who::Hub, Who::Printers, Who::Router] {
            let _ = ip(&["netns", "delete", &self.space(who)]);
            drop(std::fs::remove_dir_all(
                Path::new("/etc/netns").join(self.space(who)),
            ));
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
