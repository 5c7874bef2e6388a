//! A broker is killed again and again while real agents are given commands by a real hub: every
//! command has one last word, none is lost, none is carried out twice.
//!
//! The hub's own broker ends with the hub, by SIGKILL; a Mosquitto ends alone. Over WebSocket and
//! over TLS, half of the agents with MQTT 5 and half with 3.1.1. `PLATEN_BROKER_KILLS=PERIOD,WHOLE`
//! (in seconds) says how often the broker is killed and for how long: `30,600` is the long form.
//!
//! Three witnesses: the hub's store has one last word for each command, the agents' logs have one
//! beginning, and a printer was asked so many questions as that many checks of it take.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hub::door::command::order::Order;
use stories::clerk::{Clerk, Tally};
use stories::mosquitto::Mosquitto;
use stories::{PATIENCE, Running, World, free_port, until};

/// The agents, and the MQTT that each speaks.
const AGENTS: [(&str, &str); 4] = [
    ("lyon", "5"),
    ("nantes", "3.1.1"),
    ("brest", "5"),
    ("metz", "3.1.1"),
];

/// The one printer that each of them has; its kind, and where.
const PRINTER: &str = "kyocera-taskalfa-4054ci";
const ADDRESS: &str = "127.65.0.1";

/// Between two commands, each for the next agent: an agent looks at sixty a minute.
const ORDER_EVERY: Duration = Duration::from_millis(400);

/// Longest the last words may take once the broker stays: a line that was cut again and again waits
/// up to a minute before it tries again, and what it missed is then sent again.
const SETTLE: Duration = Duration::from_secs(150);

/// How long no question must come to the printer before it is believed that nobody asks.
const QUIET: Duration = Duration::from_secs(2);

/// How often, and for how long.
fn kills() -> (Duration, Duration) {
    let long = std::env::var("PLATEN_BROKER_KILLS").ok();
    let long = long.and_then(|text| {
        let (period, whole) = text.split_once(',')?;
        Some((period.parse().ok()?, whole.parse().ok()?))
    });
    let (period, whole) = long.unwrap_or((3, 12));
    (Duration::from_secs(period), Duration::from_secs(whole))
}

/// A broker that is killed.
enum Broker {
    /// The hub's own, with the port of MQTT over TLS.
    Own(u16),
    /// Another.
    Other(Mosquitto),
}

/// A hub, its broker, a printer, and its agents.
struct Site {
    world: World,
    broker: Broker,
    rack: simulator::Running,
    agents: Vec<Running>,
}

impl Site {
    async fn with_own_broker(transport: &str) -> Self {
        let mut world = World::new();
        let port = free_port();
        let listen = format!("[mqtt]\nlisten = \"127.0.0.1:{port}\"\n");
        world.hub_runs_with(&listen).await;
        Self::with(world, Broker::Own(port), transport).await
    }

    async fn with_mosquitto(transport: &str) -> Self {
        let mut world = World::new();
        let mut broker = Mosquitto::beside(&world);
        world.hub_runs_with(&broker.hub_config()).await;
        broker.is_configured(&world);
        broker.starts().await;
        Self::with(world, Broker::Other(broker), transport).await
    }

    async fn with(world: World, broker: Broker, transport: &str) -> Self {
        let fleet = format!(
            "seed = 65\n[[printers]]\nrecording = \"{PRINTER}\"\naddresses = [\"{ADDRESS}\"]\n"
        );
        let mut site = Self {
            world,
            broker,
            rack: stories::rack(&fleet),
            agents: Vec::new(),
        };
        for (name, version) in AGENTS {
            site.agent_runs(name, version, transport);
        }
        for (name, _) in AGENTS {
            let what = format!("the command line of {name} stands");
            until(&what, PATIENCE, || async {
                let log = site.world.log_of(name);
                log.contains("the command line stands").then_some(())
            })
            .await;
        }
        site
    }

    /// Enrolls an agent and starts it. It reads the printer once; from then on only commands do.
    fn agent_runs(&mut self, name: &str, version: &str, transport: &str) {
        let world = &self.world;
        let (state, config) = (world.path(name), world.path(&format!("{name}.toml")));
        let line = world.invitation(name);
        let mut words = line.split_whitespace().skip(1).collect::<Vec<_>>();
        words.extend(["--state-dir", state.to_str().expect("a path of text")]);
        let said = world.platen(&words);
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{why}");
        let place = match (&self.broker, transport) {
            (Broker::Own(_), "wss") => String::new(),
            (Broker::Own(port), _) => format!("port = {port}\n"),
            (Broker::Other(broker), _) => {
                let port = match transport {
                    "wss" => broker.wss_port,
                    _ => broker.tls_port,
                };
                let ca_file = broker.ca_file();
                format!("host = \"127.0.0.1\"\nport = {port}\nca_file = {ca_file:?}\n")
            }
        };
        // A question that is asked again would be counted: nobody is in a hurry here.
        let text = format!(
            "state_dir = {state:?}\n[[ranges]]\naddresses = [\"{ADDRESS}\"]\n\
             [snmp]\nport = {}\ntimeout_ms = 20000\n\
             [schedule]\nread_secs = 86400\nstatus_secs = 86400\ndiscover_secs = 86400\n\
             [log]\nlevel = \"debug\"\n\
             [mqtt]\ntransport = \"{transport}\"\nversion = \"{version}\"\n{place}",
            self.rack.port
        );
        std::fs::write(&config, text).expect("a configuration");
        let args = ["run", "--config"].map(OsStr::new);
        let args = [args[0], args[1], config.as_os_str()];
        let log = world.path(&format!("{name}.log"));
        let agent = Running::start(&stories::program("platen"), &args, &log);
        self.agents.push(agent);
    }

    fn broker_is_killed(&mut self) {
        match &mut self.broker {
            Broker::Own(_) => {
                self.world.hub_is_killed();
                self.world.hub_is_started();
            }
            Broker::Other(broker) => {
                broker.is_killed();
                broker.is_started();
            }
        }
    }

    /// The questions that the printer was asked, once nobody asks any more.
    async fn questions(&self) -> u64 {
        let mut before = self.rack.counts().await.heard;
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.rack.counts().await.heard;
            if now == before {
                return now;
            }
            before = now;
        }
    }
}

/// Kills the broker for as long as was asked, and orders meanwhile.
async fn story(mut site: Site, what: &str) {
    let mut clerk = Clerk::of(&site.world).await;
    let check = Order::Check(ADDRESS.parse::<IpAddr>().expect("an address"));
    let all_read = site.questions().await;
    assert!(clerk.orders("lyon", &check).await);
    clerk.waits(PATIENCE).await;
    let a_check = site.questions().await - all_read;
    assert!(a_check > 3, "a check asks {a_check} questions");

    let (period, whole) = kills();
    let (begun, mut killed, mut turns) = (Instant::now(), 0, AGENTS.iter().cycle());
    while begun.elapsed() < whole {
        let turn = Instant::now();
        while turn.elapsed() < period {
            let (agent, _) = turns.next().expect("a circle has no end");
            clerk.orders(agent, &check).await;
            tokio::time::sleep(ORDER_EVERY).await;
        }
        site.broker_is_killed();
        killed += 1;
    }
    clerk.waits(SETTLE).await;

    let tally = clerk
        .judges(&site.world, &AGENTS.map(|(name, _)| name))
        .await;
    let all_done = Tally {
        done: tally.ordered,
        ordered: tally.ordered,
        again: tally.again,
        ..Tally::default()
    };
    assert_eq!(tally, all_done, "no agent died: every command is done");
    assert!(
        killed >= 3 && tally.ordered > 20,
        "{killed} kills, {tally:?}"
    );
    let asked = site.questions().await - all_read;
    assert_eq!(
        asked,
        a_check * tally.ordered as u64,
        "a check asks {a_check} questions, and so many checks were ordered: {tally:?}"
    );
    println!("{what}: {killed} kills, {tally:?}, {asked} questions to the printer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_own_broker_over_websocket_is_killed_and_no_command_is_lost() {
    story(Site::with_own_broker("wss").await, "own, wss").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_own_broker_over_tls_is_killed_and_no_command_is_lost() {
    story(Site::with_own_broker("tls").await, "own, tls").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mosquitto_over_tls_is_killed_and_no_command_is_lost() {
    story(Site::with_mosquitto("tls").await, "mosquitto, tls").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mosquitto_over_websocket_is_killed_and_no_command_is_lost() {
    story(Site::with_mosquitto("wss").await, "mosquitto, wss").await;
}
