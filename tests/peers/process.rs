//! Starting the programs of others, each on an address of its own, and ending them.

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Longest a peer may take until it answers: Python starts slowly on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// Where a peer answers.
pub(crate) struct Place {
    /// A loopback address that only this process uses.
    pub(crate) address: IpAddr,
    /// A port that was free a moment ago.
    pub(crate) port: u16,
}

impl Place {
    /// An address of this process's own: nobody else takes the port between the look and the use.
    pub(crate) fn free() -> Self {
        let [_, b, c, d] = std::process::id().to_be_bytes();
        let address = IpAddr::from([127, 128 | b, c, d.clamp(1, 254)]);
        let socket = UdpSocket::bind((address, 0)).unwrap();
        Self {
            address,
            port: socket.local_addr().unwrap().port(),
        }
    }
}

/// A program that ends with the test.
pub(crate) struct Process(Child);

impl Process {
    /// net-snmp's daemon with this configuration, in which `public` is a community.
    pub(crate) fn snmpd(daemon: &Path, folder: &Path, place: &Place, text: &str) -> Self {
        let config = folder.join("snmpd.conf");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(daemon);
        command
            .args(["-f", "-Lf", "/dev/null", "-C", "-c"])
            .arg(&config)
            .env("SNMP_PERSISTENT_DIR", folder)
            .env("SNMPCONFPATH", folder)
            .arg(format!("udp:{}:{}", place.address, place.port));
        Self::started(command, place)
    }

    /// snmpsim with the recordings of a folder, each under its name as community; with these users
    /// of version 3.
    pub(crate) fn snmpsim(responder: &Path, data: &Path, place: &Place, users: &[String]) -> Self {
        let cache = data.join("cache");
        std::fs::create_dir_all(&cache).unwrap();
        let mut command = Command::new(responder);
        command
            .args(users)
            .arg("--data-dir")
            .arg(data)
            .arg("--cache-dir")
            .arg(&cache)
            .args(["--logging-method", "null", "--agent-udpv4-endpoint"])
            .arg(format!("{}:{}", place.address, place.port));
        // It refuses to run as root without being told whom to become; who it becomes must be able
        // to read its Python, so it stays who it is.
        let [user, group] = ["-un", "-gn"].map(|what| {
            let output = Command::new("id").arg(what).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        });
        command.args(["--process-user", &user, "--process-group", &group]);
        Self::started(command, place)
    }

    /// A program that answers by something else than SNMP; who starts it knows when.
    pub(crate) fn spawned(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Starts a program and waits until it answers SNMP.
    fn started(mut command: Command, place: &Place) -> Self {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut process = Self(child);
        let deadline = Instant::now() + START_MAX;
        let at = format!("{}:{}", place.address, place.port);
        // Each question waits for its answer itself, so this does not spin.
        let question = ["-v2c", "-r0", "-t0.5", at.as_str(), ".1.3.6.1.2.1.1.1.0"];
        while super::net_snmp::read(Path::new("snmpget"), &question).is_empty() {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("{command:?} ended: {status}");
            }
            assert!(Instant::now() < deadline, "{command:?} does not answer");
        }
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tool of net-snmp, or `None` where tests with peers are left out.
pub(crate) fn peer(tool: &str) -> Option<PathBuf> {
    if std::env::var_os("PLATEN_WITHOUT_PEERS").is_some_and(|value| value == "1") {
        return None;
    }
    let package = match tool {
        "snmpd" => "snmpd",
        "ippeveprinter" => "cups-ipp-utils",
        "dbus-daemon" => "dbus-daemon",
        _ => "snmp",
    };
    Some(find(tool).unwrap_or_else(|| {
        panic!(
            "{tool} is missing: install the Debian package {package}, or set PLATEN_WITHOUT_PEERS=1"
        )
    }))
}

/// snmpsim's responder, or `None` where tests with peers are left out.
pub(crate) fn snmpsim() -> Option<PathBuf> {
    const RESPONDER: &str = "snmpsim-command-responder";
    if std::env::var_os("PLATEN_WITHOUT_PEERS").is_some_and(|value| value == "1") {
        return None;
    }
    let in_venv = std::env::var_os("PLATEN_SNMPSIM")
        .map(|venv| PathBuf::from(venv).join("bin").join(RESPONDER));
    let found = in_venv
        .filter(|path| path.is_file())
        .or_else(|| find(RESPONDER));
    Some(found.unwrap_or_else(|| {
        panic!(
            "snmpsim is missing: with the Debian package python3-venv, run `python3 -m venv DIR` and \
             `DIR/bin/pip install snmpsim pysmi` and set PLATEN_SNMPSIM=DIR, or set \
             PLATEN_WITHOUT_PEERS=1"
        )
    }))
}

/// The `platen` beside this test: a run over the whole workspace has built it; a run of this package
/// alone builds it once, if there is none yet.
pub(crate) fn platen() -> Command {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let path = FOUND.get_or_init(|| {
        // target/debug/deps/peers-0123 stands one folder below the programs.
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().and_then(Path::parent).unwrap();
        let platen = folder.join("platen");
        if !platen.is_file() {
            let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
            build.args(["build", "--quiet", "--package", "agent", "--bin", "platen"]);
            build.arg("--target-dir").arg(folder.parent().unwrap());
            if folder.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success(), "platen does not build");
        }
        platen
    });
    Command::new(path)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Daemons live where an ordinary user's PATH does not lead.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
