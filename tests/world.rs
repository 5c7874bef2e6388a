//! The World of the stories: a rack of simulated printers, a hub, and an agent at a site.
//!
//! Hub and agent are the real programs, started as a user starts them, so that they can be killed;
//! the rack is the simulator's library, so that a story can move its printers. Everything listens on
//! loopback, on ports that were free a moment ago, and ends with the World.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actors::spool::{Content, Sequence, Spool, SpoolKey, SpoolLimits};
use serde_json::Value;
use simulator::Fleet;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use tempfile::TempDir;

pub mod clerk;
pub mod mosquitto;
pub mod stock_sshd;

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Longest a program may take to come up or to end.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a hub is started whose ports were taken meanwhile.
const STARTS: u32 = 3;

/// Where our own programs are: beside the folder of the running test, or in the folder that
/// `PLATEN_PROGRAMS` names, where a measurement is about those that an image ships.
///
/// # Panics
/// When they were not built: `cargo build --workspace` builds them.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let beside = test.parent().and_then(Path::parent);
    let folder = std::env::var_os("PLATEN_PROGRAMS").map(PathBuf::from);
    let folder = folder.or_else(|| beside.map(Path::to_owned));
    let program = folder.expect("target/PROFILE/deps").join(name);
    assert!(
        program.is_file(),
        "{} is missing; build it first: cargo build --workspace",
        program.display()
    );
    program
}

/// Waits until `condition` yields something, and returns it.
///
/// # Panics
/// When it does not within `patience`; `what` says what was waited for.
pub async fn until<T, F>(what: &str, patience: Duration, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + patience;
    let mut ticks = tokio::time::interval(LOOK_AGAIN);
    loop {
        ticks.tick().await;
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < end, "after {patience:?} still not: {what}");
    }
}

/// Ports for the programs of a World: below those that the kernel gives to outgoing connections
/// (32768 and up on Linux), so that no connection takes one between our look and their start.
const PORTS: std::ops::Range<u32> = 10_000..30_000;

/// Ports that lie between those of two processes that were started one after the other.
const PORTS_A_PROCESS: u32 = 37;

/// A TCP port of loopback that was free a moment ago, and that no other test will take.
///
/// # Panics
/// When none is free.
#[must_use]
pub fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(PORTS_A_PROCESS);
    PORTS
        .map(|_| first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)))
        .filter_map(|n| u16::try_from(PORTS.start + n % PORTS.len() as u32).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A rack of simulated printers on a free port, playing our own recordings. `fleet` is a fleet
/// file's text; recordings are named as in `tests/recordings`.
///
/// # Panics
/// When the fleet is wrong, or cannot run here.
#[must_use]
pub fn rack(fleet: &str) -> simulator::Running {
    let mut fleet = Fleet::parse(fleet, &recordings()).unwrap_or_else(|error| panic!("{error}"));
    fleet.port = 0;
    fleet.recordings = recordings();
    simulator::run(fleet, std::future::pending()).unwrap_or_else(|error| panic!("{error}"))
}

/// Our own recordings.
#[must_use]
pub fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings")
}

/// A range in which nobody lives.
const EMPTY_RANGE: &str = "addresses = [\"127.255.255.1\"]";

/// A reading as the hub keeps it.
#[derive(Debug)]
pub struct StoredReading {
    /// Whose it is.
    pub device: String,
    /// Its meter `total`.
    pub total: Option<i64>,
    /// The reading as JSON.
    pub body: String,
}

/// Every row that reports make, as one text each.
const DUMP: &str = "
    SELECT json_array('report', agent, epoch, sequence, device, kind, at_ms) AS line FROM reports
    UNION ALL
    SELECT json_array('reading', agent, epoch, sequence, device, at_ms, is_status, total, body)
    FROM readings
    UNION ALL
    SELECT json_array('thinned', agent, epoch, sequence, device, reports, first_ms, last_ms)
    FROM thinned
    UNION ALL
    SELECT json_array('device', agent, device, first_seen_ms, last_seen_ms, silent_since_ms,
                      serial, address, body)
    FROM devices
    ORDER BY line";

/// One report, as both ends know it: epoch, sequence, device, and when it was made in Unix
/// milliseconds.
pub type Mark = (u64, u64, String, i64);

/// A program that ends with its owner.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts a program; what it says goes to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(program: &Path, args: &[&OsStr], log: &Path) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file");
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file again"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self(child)
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end (SIGTERM), waits, and returns its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn terminate(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        let told = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        assert!(told.success(), "the program had ended by itself");
        self.end().await
    }

    /// Waits for its end and returns its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn end(&mut self) -> Option<i32> {
        let child = &mut self.0;
        let status = until("the program ends", PATIENCE, || {
            std::future::ready(child.try_wait().expect("a child"))
        });
        status.await.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A site and its dealer: folders, ports, and whoever runs.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    uplink_port: u16,
    portal_port: u16,
    hub: Option<Running>,
    agent: Option<Running>,
}

impl World {
    /// An empty World: nobody runs.
    ///
    /// # Panics
    /// When the machine has no room for it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            uplink_port: free_port(),
            portal_port: free_port(),
            hub: None,
            agent: None,
        }
    }

    /// A file or folder of this World.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a program has said so far.
    #[must_use]
    pub fn log_of(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    /// The port of the uplink, and of MQTT over WebSocket at the hub's own broker.
    #[must_use]
    pub fn uplink_port(&self) -> u16 {
        self.uplink_port
    }

    /// The portal's port.
    #[must_use]
    pub fn portal_port(&self) -> u16 {
        self.portal_port
    }

    /// Writes the hub's configuration and starts it; waits until it is healthy. A port that another
    /// test took between our look and the hub's start is replaced.
    ///
    /// # Panics
    /// When it does not become healthy; with its log.
    pub async fn hub_runs(&mut self) {
        self.hub_runs_with("").await;
    }

    /// The same, with `more` added to the configuration as it is.
    ///
    /// # Panics
    /// When it does not become healthy; with its log.
    pub async fn hub_runs_with(&mut self, more: &str) {
        for _ in 0..STARTS {
            self.hub_is_configured(more);
            self.hub_is_started();
            if self.hub_comes_up().await {
                return;
            }
            (self.uplink_port, self.portal_port) = (free_port(), free_port());
        }
        panic!("the hub does not come up:\n{}", self.log_of("hub"));
    }

    /// Waits until the hub is healthy, or has ended.
    async fn hub_comes_up(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut ticks = tokio::time::interval(LOOK_AGAIN);
        while Instant::now() < end {
            ticks.tick().await;
            if self.hub_says(&["health"]).status.success() {
                return true;
            }
            let hub = self.hub.as_mut().expect("it was started");
            if hub.0.try_wait().expect("a child").is_some() {
                return false;
            }
        }
        false
    }

    /// Writes the hub's configuration; `more` is added as it is.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn hub_is_configured(&self, more: &str) {
        let config = format!(
            "state_dir = {:?}\n[uplink]\nlisten = \"127.0.0.1:{}\"\nnames = [\"127.0.0.1\"]\n\
             poll_secs = 1\nreport_at_once = true\n[portal]\nlisten = \"127.0.0.1:{}\"\n\
             [log]\nlevel = \"debug\"\nformat = \"json\"\n{more}",
            self.path("hub"),
            self.uplink_port,
            self.portal_port
        );
        std::fs::write(self.path("hub.toml"), config).expect("the hub's configuration");
    }

    /// Starts the hub again, without waiting for it.
    pub fn hub_is_started(&mut self) {
        let config = self.path("hub.toml");
        let args = [
            OsStr::new("serve"),
            OsStr::new("--config"),
            config.as_os_str(),
        ];
        let log = self.path("hub.log");
        self.hub = Some(Running::start(&program("platen-hub"), &args, &log));
    }

    /// Waits until the hub says that it is healthy.
    pub async fn hub_is_healthy(&self) {
        until("the hub is healthy", PATIENCE, || async {
            self.hub_says(&["health"]).status.success().then_some(())
        })
        .await;
    }

    /// Kills the hub, if it runs.
    pub fn hub_is_killed(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.kill();
        }
    }

    /// Runs a verb of `platen-hub` on this World's hub.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn hub_says(&self, args: &[&str]) -> Output {
        Command::new(program("platen-hub"))
            .args(args)
            .arg("--config")
            .arg(self.path("hub.toml"))
            .stdin(Stdio::null())
            .output()
            .expect("platen-hub runs")
    }

    /// What the hub knows of the printers, as `printer ls --json` tells.
    ///
    /// # Panics
    /// When the hub's command fails.
    #[must_use]
    pub fn printers(&self) -> Vec<Value> {
        let said = self.hub_says(&["printer", "ls", "--json"]);
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
        let list: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        list["printers"].as_array().cloned().unwrap_or_default()
    }

    /// Makes a one-time code for an agent and returns the line to run at the site.
    ///
    /// # Panics
    /// When the hub refuses.
    #[must_use]
    pub fn invitation(&self, name: &str) -> String {
        let said = self.hub_says(&["agent", "invite", name]);
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
        String::from_utf8(said.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }

    /// Writes the agent's configuration: these ranges, this SNMP port, and a lively schedule.
    /// `more` is added as it is.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn agent_is_configured(&self, ranges: &[&str], snmp_port: u16, more: &str) {
        let config = format!(
            "name = \"story\"\nstate_dir = {:?}\n[[ranges]]\naddresses = {ranges:?}\n\
             credentials = [\"public\"]\n[credentials.public]\nversion = \"2c\"\n\
             community = \"public\"\n[snmp]\nport = {snmp_port}\ntimeout_ms = 500\n\
             packets_per_second = 20000\n[schedule]\nread_secs = 2\nstatus_secs = 1\n\
             discover_secs = 3\n{more}",
            self.path("agent"),
        );
        std::fs::write(self.path("agent.toml"), config).expect("the agent's configuration");
    }

    /// Invites the agent and enrolls it, as the printed line says.
    ///
    /// # Panics
    /// When it is refused.
    pub fn agent_is_enrolled(&self) {
        let line = self.invitation("story");
        let mut words = line.split_whitespace().skip(1).collect::<Vec<_>>();
        let state = self.path("agent");
        words.extend(["--state-dir", state.to_str().expect("a path of text")]);
        let said = self.platen(&words);
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        );
    }

    /// Starts the agent, without waiting for it.
    pub fn agent_is_started(&mut self) {
        let config = self.path("agent.toml");
        let args = [
            OsStr::new("run"),
            OsStr::new("--config"),
            config.as_os_str(),
        ];
        let log = self.path("agent.log");
        self.agent = Some(Running::start(&program("platen"), &args, &log));
    }

    /// Kills the agent, if it runs.
    pub fn agent_is_killed(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.kill();
        }
    }

    /// Asks the agent to end and returns its exit code.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub async fn agent_ends(&mut self) -> Option<i32> {
        self.agent.take().expect("the agent runs").terminate().await
    }

    /// The hub that runs.
    pub fn hub(&mut self) -> Option<&mut Running> {
        self.hub.as_mut()
    }

    /// The agent that runs.
    pub fn agent(&mut self) -> Option<&mut Running> {
        self.agent.as_mut()
    }

    /// Runs a verb of `platen` with this World's configuration.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn agent_says(&self, verb: &str, more: &[&str]) -> Output {
        let config = self.path("agent.toml");
        let mut words = vec![verb, "--config", config.to_str().expect("a path of text")];
        words.extend(more);
        self.platen(&words)
    }

    /// Makes one of the agent's actors panic or hang, through the feature that only tests have.
    ///
    /// # Panics
    /// When the agent does not take the order.
    pub fn provoke(&self, child: &str, fault: &str) {
        let socket = self.path("agent/control.sock");
        let mut socket = UnixStream::connect(socket).expect("the agent's socket");
        let order = serde_json::json!({"provoke": {"child": child, "fault": fault}});
        writeln!(socket, "{order}").expect("an order");
        let mut answer = String::new();
        BufReader::new(socket)
            .read_line(&mut answer)
            .expect("an answer");
        assert!(!answer.contains("error"), "{answer}");
    }

    /// What `platen status --json` says; `None` while the agent does not answer.
    #[must_use]
    pub fn status(&self) -> Option<Value> {
        let said = self.agent_says("status", &["--json"]);
        said.status
            .success()
            .then(|| serde_json::from_slice(&said.stdout).expect("JSON"))
    }

    /// Runs a verb of `platen`.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn platen(&self, args: &[&str]) -> Output {
        Command::new(program("platen"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("platen runs")
    }
}

/// What both ends have kept, to be compared.
impl World {
    /// The agent's spool. The agent must not run: one program at a time owns a spool.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn spool(&self, limits: SpoolLimits) -> Spool {
        let key = SpoolKey::of_folder(&self.path("agent")).expect("the spool's key");
        Spool::open(self.path("agent/spool.redb"), key, limits)
            .await
            .expect("the spool")
    }

    /// Every report that the agent's spool ever accepted and still holds, oldest first. The agent
    /// must not run: one program at a time owns a spool.
    ///
    /// # Panics
    /// When the spool cannot be read, or holds a damaged report.
    pub async fn spooled(&self) -> Vec<Mark> {
        let spool = self.spool(SpoolLimits::default()).await;
        let stats = spool.stats();
        spool
            .rewind(Sequence(1))
            .await
            .expect("a spool that keeps acked reports");
        let mut marks = Vec::new();
        loop {
            let reports = spool.peek(500, 2 * 1024 * 1024).await.expect("reports");
            let Some(last) = reports.last().map(|report| report.sequence) else {
                break;
            };
            for report in reports {
                assert!(!matches!(report.content, Content::Damaged), "{report:?}");
                let device = report.device.map(|id| id.to_string()).unwrap_or_default();
                let at = report.at.as_millisecond();
                marks.push((stats.epoch, report.sequence.0, device, at));
            }
            spool.ack(last).await.expect("an ack");
        }
        spool.close().await;
        marks
    }

    /// Takes the printers away, lets the agent hand over what it has, ends it, and returns what
    /// its spool accepted.
    ///
    /// # Panics
    /// When the agent does not hand over or does not end.
    pub async fn settles(&mut self, rack: simulator::Running) -> Vec<Mark> {
        // A configuration without printers: from here on nothing new is spooled.
        self.agent_is_killed();
        let config = std::fs::read_to_string(self.path("agent.toml")).expect("configuration");
        let empty = config
            .lines()
            .map(|line| {
                if line.starts_with("addresses") {
                    EMPTY_RANGE
                } else {
                    line
                }
            })
            .collect::<Vec<_>>()
            .join("\n");
        std::fs::write(self.path("agent.toml"), empty).expect("configuration");
        self.agent_is_started();
        until("the last reports are handed over", PATIENCE, || async {
            (self.status()?["queue"]["waiting"] == 0).then_some(())
        })
        .await;
        drop(rack);
        assert_eq!(self.agent_ends().await, Some(0));
        self.spooled().await
    }

    /// Every reading that the hub's store holds, oldest first for each device.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn readings(&self) -> Vec<StoredReading> {
        let query = "SELECT device, total, body FROM readings ORDER BY epoch, sequence";
        let rows = self.kept(query).await;
        let reading = |row: &SqliteRow| StoredReading {
            device: row.get("device"),
            total: row.get("total"),
            body: row.get("body"),
        };
        rows.iter().map(reading).collect()
    }

    /// The sequence and the JSON of every reading that the hub's store holds.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn reading_bodies(&self) -> Vec<(u64, String)> {
        let rows = self.kept("SELECT sequence, body FROM readings").await;
        let body = |row: &SqliteRow| {
            let sequence = u64::try_from(row.get::<i64, _>("sequence"));
            (sequence.expect("a positive number"), row.get("body"))
        };
        rows.iter().map(body).collect()
    }

    /// Every report that the hub's store holds, in the order of the spool.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn stored(&self) -> Vec<Mark> {
        let query = "SELECT epoch, sequence, device, at_ms FROM reports ORDER BY epoch, sequence";
        let rows = self.kept(query).await;
        let number = |row: &SqliteRow, column: &str| u64::try_from(row.get::<i64, _>(column));
        let mark = |row: &SqliteRow| -> Mark {
            let epoch = number(row, "epoch").expect("a positive number");
            let sequence = number(row, "sequence").expect("a positive number");
            (epoch, sequence, row.get("device"), row.get("at_ms"))
        };
        rows.iter().map(mark).collect()
    }

    /// The ids of all commands that the hub's store holds.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn commands(&self) -> BTreeSet<String> {
        let rows = self.kept("SELECT id FROM commands").await;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// Everything that the hub's store holds of reports and printers, row by row in one order: two
    /// hubs that hold the same have the same dump. When it was kept is not in it.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn dump(&self) -> Vec<String> {
        let rows = self.kept(DUMP).await;
        rows.iter().map(|row| row.get("line")).collect()
    }

    /// Asks the hub's file behind the hub's back: a witness of its own.
    async fn kept(&self, query: &'static str) -> Vec<SqliteRow> {
        let file = self.path("hub/hub.db");
        let file = SqliteConnectOptions::new().filename(file).read_only(true);
        let store = sqlx::SqlitePool::connect_with(file)
            .await
            .expect("the hub's store");
        let rows = sqlx::query(query)
            .fetch_all(&store)
            .await
            .expect("the hub's rows");
        store.close().await;
        rows
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
