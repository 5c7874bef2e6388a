//! One agent over two simulated printers, its line of commands in the test's hand.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actors::command::{Carriage, CommandParts, Journal, Line};
use actors::keeper::{Counted, Keeper, KeyChoice, Papers, SigningRequest};
use actors::mqtt::{Incoming, LineState, ReplyTo};
use actors::parts::{HubLink, Parts, Settings, Subnet, Word};
use actors::reach::credential::{Credential, Secret};
use actors::reach::scope::{Door, Scope};
use actors::reach::snmp::{Snmp, SnmpSettings};
use actors::spool::{Spool, SpoolKey, SpoolLimits};
use actors::tunnel::policy::{Allow, WebAccess};
use actors::{Backoff, Ended, Handle};
use agent::config::AgentConfig;
use agent::sealing::SealingKey;
use agent::site::Program;
use jiff::Timestamp;
use printer::profile::Profiles;
use prost::Message;
use proto::v1;
use ring::signature::{Ed25519KeyPair, KeyPair};
use stories::{PATIENCE, until};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tracing_subscriber::fmt::MakeWriter;

/// Where a printer could stand and none may be asked: next to the ranges, excluded.
pub const OUTSIDE: &str = "127.61.0.9";

/// The site's printers.
const FLEET: &str = "seed = 61\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
                     addresses = [\"127.61.0.1\", \"127.61.0.2\"]\n";

/// The agent's id.
pub const AGENT: &str = "0123456789abcdef0123456789abcdef";

/// Deliveries that may wait: a flood has 2,000.
const LINE_MAX: usize = 4_000;

/// What a site locks unless it says otherwise, and the schedule too.
const LOCKED: &str =
    "lock = [\"doors\", \"masks\", \"ranges\", \"web_access\", \"schedule.read_secs\"]\n";

/// Nothing is locked.
const UNLOCKED: &str = "lock = []\n";

/// How long the agent may take to end.
const END: Duration = Duration::from_secs(8);

/// A site.
pub struct Site {
    life: Handle,
    spool: Spool,
    to_agent: mpsc::Sender<Incoming>,
    from_agent: mpsc::Receiver<(ReplyTo, Vec<u8>)>,
    key: Arc<Ed25519KeyPair>,
    folder: TempDir,
}

impl Site {
    /// The printers, which outlive any agent.
    pub fn rack() -> simulator::Running {
        stories::rack(FLEET)
    }

    /// An agent that has found both printers.
    pub async fn new(rack: &simulator::Running) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[61; 32]).expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, Arc::new(key), rack, (nowhere(), LOCKED)).await
    }

    /// An agent whose site locks nothing: its ceiling alone stands.
    pub async fn unlocked(rack: &simulator::Running) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[61; 32]).expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, Arc::new(key), rack, (nowhere(), UNLOCKED)).await
    }

    /// An agent of this hub.
    pub async fn of(rack: &simulator::Running, link: HubLink) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[61; 32]).expect("a key");
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, Arc::new(key), rack, (link, LOCKED)).await
    }

    /// The agent's next life on the same disk.
    pub async fn restarted(self, rack: &simulator::Running) -> Self {
        assert_eq!(self.life.drain(END).await, Ended::Drained);
        self.spool.close().await;
        drop((self.to_agent, self.from_agent));
        Self::over(self.folder, self.key, rack, (nowhere(), LOCKED)).await
    }

    async fn over(
        folder: TempDir,
        key: Arc<Ed25519KeyPair>,
        rack: &simulator::Running,
        (hub, lock): (HubLink, &str),
    ) -> Self {
        log();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let spool_key = SpoolKey::of_folder(folder.path()).expect("a key");
        let path = folder.path().join("spool.redb");
        let spool = Spool::open(path, spool_key, SpoolLimits::default()).await;
        let spool = spool.expect("a spool");
        let (to_agent, commands) = mpsc::channel(LINE_MAX);
        let (outcomes, from_agent) = mpsc::channel(LINE_MAX);
        let line = Line {
            commands,
            outcomes,
            state: watch::channel(LineState::default()).1,
        };
        let journal = journal(folder.path().join("commands.redb")).await;
        let commands = CommandParts {
            carriage: Arc::new(Held(Mutex::new(Some(line)))),
            agent_id: AGENT.to_owned(),
            command_key: key.public_key().as_ref().to_vec(),
            journal,
        };
        let program = program(folder.path(), lock);
        let mut parts = parts(rack, spool.clone(), (commands, hub));
        parts.site = Some(Arc::new(program));
        let life = actors::start(parts).await;
        let site = Self {
            life: life.expect("a life"),
            spool,
            to_agent,
            from_agent,
            key,
            folder,
        };
        until("both printers are read", PATIENCE, || async {
            let status = site.life.status().await.expect("alive");
            let is_swept = status.subnets[0].scanner.swept_at.is_some();
            (status.printers.read == 2 && is_swept).then_some(())
        })
        .await;
        site
    }

    /// The hub's key, which the malicious hub has.
    pub fn key(&self) -> &Ed25519KeyPair {
        &self.key
    }

    /// Delivers octets as the broker would.
    pub async fn is_given(&mut self, payload: Vec<u8>) {
        let reply = ReplyTo::Topic;
        let sent = self.to_agent.send(Incoming { payload, reply }).await;
        sent.expect("the agent listens");
    }

    /// The next last word.
    pub async fn answers(&mut self, to: &str) -> v1::Outcome {
        loop {
            let answer = tokio::time::timeout(PATIENCE, self.from_agent.recv()).await;
            let (_, octets) = answer
                .unwrap_or_else(|_| panic!("no answer to: {to}"))
                .expect("the agent lives");
            let outcome = v1::Outcome::decode(octets.as_slice()).expect("an outcome");
            if outcome.state() != v1::outcome::State::Progress {
                return outcome;
            }
        }
    }

    /// Whatever was answered so far and not looked at, progress aside.
    pub fn outcomes(&mut self) -> Vec<v1::Outcome> {
        let mut all = Vec::new();
        while let Ok((_, octets)) = self.from_agent.try_recv() {
            all.push(v1::Outcome::decode(octets.as_slice()).expect("an outcome"));
        }
        all.retain(|outcome| outcome.state() != v1::outcome::State::Progress);
        all
    }

    /// Everything that this process has logged.
    pub fn log(&self) -> String {
        let log = log().lock().expect("the log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until the log, behind its first `skipped` octets, has these words.
    pub async fn logs(&self, skipped: usize, words: &str, of: &str) {
        let what = format!("the log tells of: {of} ({words})");
        until(&what, PATIENCE, || async {
            self.log()[skipped..].contains(words).then_some(())
        })
        .await;
    }

    /// Lets the agent do what it has in hand.
    pub async fn settles(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// How many printers the agent knows.
    pub async fn devices(&self) -> u32 {
        self.life.status().await.expect("alive").printers.known
    }

    /// Whether the hub has configured anything.
    pub fn is_configured_by_the_hub(&self) -> bool {
        self.folder.path().join("hub.json").exists()
    }

    /// The last number that the spool gave, and how many reports wait.
    pub fn spool(&self) -> (u64, u64) {
        let stats = self.spool.stats();
        (stats.last.0, stats.waiting)
    }

    /// Ends the agent.
    pub async fn ends(self) {
        assert_eq!(self.life.drain(END).await, Ended::Drained);
    }
}

/// A journal that an earlier life may still hold for a moment.
async fn journal(path: PathBuf) -> Journal {
    until("the journal is free", PATIENCE, || async {
        Journal::open(path.clone()).await.ok()
    })
    .await
}

/// The agent's own program, with what it lets a hub configure.
fn program(state_dir: &Path, lock: &str) -> Program {
    let text = format!(
        "state_dir = {state_dir:?}\n{lock}[site]\nceiling = [\"127.61.0.0/28\"]\n\
         [[ranges]]\nlabel = \"office\"\naddresses = [\"127.61.0.0/28\"]\nexclude = [\"{OUTSIDE}\"]\n"
    );
    let config = AgentConfig::parse("agent.toml", &text, []).expect("a configuration");
    let key = SealingKey::new(Secret::new(vec![7; 32]), AGENT);
    Program::new(config, Some(key))
}

/// A hub that nobody is, for an agent that is spoken with by commands alone.
fn nowhere() -> HubLink {
    let url = "https://127.0.0.1:1".to_owned();
    HubLink::new(url, String::new(), Arc::new(NoPapers))
}

fn parts(
    rack: &simulator::Running,
    spool: Spool,
    (commands, hub): (CommandParts, HubLink),
) -> Parts {
    let door = Door::Snmp { port: rack.port };
    let range = ["127.61.0.0/28".parse().expect("a range")];
    let never = [OUTSIDE.parse().expect("an address")];
    let web = Scope::of_web(&range, &never, &[80]).expect("a scope");
    let scope = Scope::new(&range, &never, &[door, Door::Icmp]).expect("a scope");
    let subnet = Subnet {
        label: "office".to_owned(),
        scope,
        door,
        web,
        credentials: vec![Credential::v2c("public")],
        names: vec!["public".to_owned()],
    };
    let snmp = Snmp::open(SnmpSettings {
        timeout: Duration::from_millis(200),
        retries: 0,
        in_flight_max: 16,
        packets_per_second_max: 5_000,
    });
    Parts {
        settings: Settings {
            first_read_within: Duration::from_millis(50),
            read_every: Duration::from_secs(2),
            status_every: Duration::from_secs(1),
            poll_every: Duration::from_secs(1),
            backoff: Backoff {
                first: Duration::from_millis(200),
                max: Duration::from_secs(1),
            },
            packets_per_second: 5_000,
            ..Settings::default()
        },
        subnets: vec![Arc::new(subnet)],
        snmp: snmp.expect("sockets"),
        spool,
        profiles: Arc::new(Profiles::embedded().expect("profiles")),
        hub: Some(hub),
        word: Word::default(),
        commands: Some(commands),
        certificates: None,
        quarantine: None,
        site: None,
        // A site that lets sessions be, at a gateway where nobody is.
        web_access: WebAccess {
            allow: Allow::Always,
            gateway: dial::Destination::new("127.0.0.1", 1).ok(),
            ..WebAccess::default()
        },
        started_at: Timestamp::now(),
        runtime: tokio::runtime::Handle::current(),
    }
}

/// A line that is opened once.
#[derive(Debug)]
struct Held(Mutex<Option<Line>>);

impl Carriage for Held {
    fn open(&self) -> Line {
        let line = self.0.lock().expect("the line").take();
        line.expect("the uplink was restarted: it died over a command")
    }
}

/// No identity: here the hub is spoken with by commands alone.
#[derive(Debug)]
struct NoPapers;

impl Keeper for NoPapers {
    fn current(&self) -> Papers {
        let now = Timestamp::now();
        Papers {
            certificate_pem: String::new(),
            key_pem: Secret::new(Vec::new()),
            from: now,
            until: now + Duration::from_hours(24),
        }
    }

    fn boot(&self) -> u64 {
        1
    }

    fn instance(&self) -> &str {
        AGENT
    }

    fn request(&self, _: KeyChoice) -> Result<SigningRequest, String> {
        Err("there is no identity".to_owned())
    }

    fn replace(&self, _: String, _: Secret) -> Result<(), String> {
        Err("there is no identity".to_owned())
    }

    fn refused(&self, _: &str) -> Counted {
        Counted::So(1)
    }

    fn accepted(&self) {}
}

/// The log of this process.
fn log() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    static STARTED: OnceLock<()> = OnceLock::new();
    let log = LOG.get_or_init(Mutex::default);
    STARTED.get_or_init(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(Writer(log));
        subscriber.init();
    });
    log
}

#[derive(Clone, Copy)]
struct Writer(&'static Mutex<Vec<u8>>);

impl Write for Writer {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
