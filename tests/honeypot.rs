//! The honeypot: a discovery and a week of an agent, every door open, among 40 devices that are no
//! Zebras or nobody knows. They listen on 9100, 515 and 631, and nothing comes: no octet, and no
//! connection.
//!
//! The usual form is a minute. `scripts/honeypot` runs the week, as often swept and read as in seven
//! days, some three hundred times as fast.

#![cfg(test)]

#[path = "honeypot/cast.rs"]
mod cast;
#[path = "honeypot/pot.rs"]
mod pot;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Output;
use std::time::Duration;

use cast::{
    APPLIANCE, LOST_OTHER, LOST_ZEBRA, OF_OTHERS, OPEN, Ports, QUEUES, RAW, REAL, SWAPS, UNKNOWN,
    WITH_QUEUES, address, listening, ranges,
};
use pot::Pot;
use serde_json::Value;
use simulator::Running;
use stories::{PATIENCE, World, until};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

/// Printers that the hub gets to know: the real ones, a Zebra that falls silent, and others.
const KNOWN: usize = REAL.len() + 1 + OF_OTHERS + WITH_QUEUES;

/// Within this whatever was on its way to a printer that falls silent has ended.
const UNDERWAY: Duration = Duration::from_secs(8);

/// Longest until the week has passed, on a machine that does much else.
const WEEK_MAX: Duration = Duration::from_secs(3_600);

/// How often it is looked whether a week has passed, in steps.
const LOOK_EVERY: usize = 25;

/// Why, in every command.
const REASON: &str = "--reason=a honeypot";

/// What a label printer can be told.
const ACTIONS: [&[&str]; 6] = [
    &["feed"],
    &["calibrate"],
    &["print-configuration"],
    &["reset"],
    &[
        "set-variable",
        "--variable",
        "print.tone",
        "--value",
        "12.5",
    ],
    &["send-stored-label", "--label", "SHIPPING"],
];

/// How long it goes on, and how often what is done.
#[derive(Debug, Clone, Copy)]
struct Pace {
    schedule: &'static str,
    /// Between two steps, each of which orders something and asks for something.
    step: Duration,
    steps: usize,
    /// Steps between two swaps.
    swap_every: usize,
    /// Least sweeps of each range, and least readings of each printer, in full and in all.
    sweeps: usize,
    full: usize,
    readings: usize,
}

impl Pace {
    const SHORT: Self = Self {
        schedule: "read_secs = 2\nstatus_secs = 1\ndiscover_secs = 3\n",
        step: Duration::from_millis(50),
        steps: 24,
        swap_every: 7,
        sweeps: 2,
        full: 3,
        readings: 5,
    };

    /// Seven days by the usual schedule: a sweep every 6 hours, a full reading every hour, and one of
    /// what moves every 5 minutes.
    const WEEK: Self = Self {
        schedule: "read_secs = 11\nstatus_secs = 1\ndiscover_secs = 64\n",
        step: Duration::from_secs(4),
        steps: 480,
        swap_every: 18,
        sweeps: 28,
        full: 168,
        readings: 2_016,
    };

    fn wanted() -> Self {
        match std::env::var("PLATEN_HONEYPOT").as_deref() {
            Ok("week") => Self::WEEK,
            _ => Self::SHORT,
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The site, its hub, and who listens.
struct Site {
    world: World,
    rack: Running,
    ports: Ports,
    pots: Vec<Pot>,
    /// Device ids by the address where each was found.
    devices: BTreeMap<String, String>,
    /// Orders by what came of them, and questions of a person at the site.
    refused: BTreeMap<&'static str, u32>,
    swaps: u32,
}

/// What an agent has done so far.
#[derive(Debug)]
struct Done {
    /// Sweeps of the range that was swept least.
    sweeps: usize,
    /// Readings, and full ones, of the printer that was read least.
    readings: usize,
    full: usize,
}

impl Site {
    async fn start(pace: &Pace) -> Self {
        let ports = Ports::of_this_machine();
        let mut world = World::new();
        let rack = cast::rack(&world.path("recordings"), ports);
        let mut pots = Vec::new();
        for (range, last) in listening() {
            for port in ports.watched() {
                pots.push(Pot::listen(SocketAddr::new(address(range, last), port)).await);
            }
        }
        world.hub_runs().await;
        let log = "[log]\nlevel = \"debug\"\nformat = \"json\"\n";
        world.agent_is_configured(&["127.68.255.1"], rack.port, log);
        let file = world.path("agent.toml");
        let config = std::fs::read_to_string(&file).expect("a configuration");
        let usual = "read_secs = 2\nstatus_secs = 1\ndiscover_secs = 3\n";
        assert!(config.contains(usual));
        let mut config = config.replace(usual, pace.schedule);
        for range in ranges(ports) {
            config += &format!(
                "[[ranges]]\nlabel = \"{0}\"\naddresses = [\"{0}\"]\ncredentials = [\"public\"]\n\
                 doors = {{ {1} }}\n",
                range.addresses, range.doors
            );
        }
        std::fs::write(&file, config).expect("a configuration");
        world.agent_is_enrolled();
        Self {
            world,
            rack,
            ports,
            pots,
            devices: BTreeMap::new(),
            refused: BTreeMap::new(),
            swaps: 0,
        }
    }

    /// A person looks for printers, then the agent does.
    async fn is_discovered(&mut self) {
        let port = self.rack.port.to_string();
        let mut words = vec!["discover", "--port", &port, "--rate", "2000", "--json"];
        let ranges = ranges(self.ports);
        words.extend(ranges.iter().map(|range| range.addresses));
        let found = self.world.platen(&words);
        assert!(found.status.success(), "{}", said(&found));
        self.world.agent_is_started();
        let world = &self.world;
        until("every printer is stored", PATIENCE * 3, || async {
            (world.printers().len() == KNOWN).then_some(())
        })
        .await;
        let text = |it: &Value, key: &str| it[key].as_str().expect(key).to_owned();
        let printers = world.printers();
        let pair = |it: &Value| (text(it, "address"), text(it, "device"));
        self.devices = printers.iter().map(pair).collect();
    }

    fn device(&self, (range, last): (u8, u8)) -> &str {
        let at = address(range, last).to_string();
        &self.devices[&at]
    }

    /// Orders something, and says why it was not done; `None` if it was.
    fn orders(&self, words: &[&str]) -> Option<String> {
        let output = self
            .world
            .hub_says(&[&["cmd"], words, &[REASON, "--json"]].concat());
        let outcome: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{words:?}: {}", said(&output)));
        if output.status.code() == Some(0) {
            return None;
        }
        assert_eq!(outcome["state"], "refused", "{words:?}: {outcome}");
        Some(outcome["why"].as_str().expect("why").to_owned())
    }

    fn refused(&mut self, what: &'static str) {
        *self.refused.entry(what).or_default() += 1;
    }

    /// Every order of the hub, aimed in turn at everyone that it knows and that is no Zebra.
    fn orders_at_the_known(&mut self, step: usize) {
        let others = (1..=OF_OTHERS).map(|n| (RAW, n as u8));
        let queues = (1..=WITH_QUEUES).map(|n| (QUEUES, n as u8));
        let known: Vec<_> = others.chain(queues).chain([LOST_ZEBRA]).collect();
        let place = known[step % known.len()];
        let action = ACTIONS[(step / known.len()) % ACTIONS.len()];
        let device = self.device(place).to_owned();
        let words = [&["zebra", "story", &device], action].concat();
        let why = self.orders(&words).expect("it is no Zebra, or silent");
        let is_lost = place == LOST_ZEBRA || place == LOST_OTHER;
        let says = match place {
            _ if is_lost => "nobody knows",
            APPLIANCE => "it is no printer",
            _ => "not a Zebra",
        };
        let is_so = why.contains("nothing was sent") && why.contains(says);
        assert!(
            is_so || why.contains("one thing in 60 s"),
            "{place:?}: {why}"
        );
        self.refused("orders of a label printer");
        let via = if step.is_multiple_of(2) {
            "zebra"
        } else {
            "pjl"
        };
        self.asks(place, &["read", "--via", via]);
        if place.0 != QUEUES {
            let why = self.orders(&["lpr", "story", &device]);
            let why = why.expect("its door is closed, or it is silent");
            let says = if place.0 == RAW {
                "does not open lpr"
            } else {
                "nothing was sent"
            };
            assert!(why.contains(says), "{place:?}: {why}");
            self.refused("orders of a queue");
        }
    }

    /// What a hub can order of an address, and what a person at the site can ask it.
    fn asks_the_unknown(&mut self, step: usize) {
        let (range, last) = UNKNOWN[step % UNKNOWN.len()];
        let at = address(range, last).to_string();
        let nobody = format!("{step:032x}");
        let why = self.orders(&["zebra", "story", &nobody, "feed"]);
        assert!(why.expect("nobody").contains("there is no device"));
        self.refused("orders of who is not known");
        if step.is_multiple_of(5) {
            let _ = self.orders(&["check", "story", &at]);
        }
        let words: &[&str] = match step % 4 {
            0 => &["read", "--via", "zebra"],
            1 => &["read", "--via", "pjl"],
            2 => &["read", "--via", "ipp"],
            _ => &["queue"],
        };
        self.asks((range, last), words);
    }

    /// A person at the site asks by one of the doors, at the ports of this fleet.
    fn asks(&mut self, (range, last): (u8, u8), words: &[&str]) {
        let at = address(range, last).to_string();
        let [raw, lpr, ipp] = self.ports.watched().map(|port| port.to_string());
        let snmp = self.rack.port.to_string();
        let door = match words {
            ["queue"] => ["--lpr-port", &lpr],
            [_, _, "ipp"] => ["--ipp-port", &ipp],
            [_, _, "pjl"] => ["--pjl-port", &raw],
            _ => ["--zebra-port", &raw],
        };
        let asking = ["--port", &snmp, "--timeout", "0.2", "--retries", "0", &at];
        let asked = self.world.platen(&[words, &door, &asking].concat());
        assert!(!asked.status.success(), "{at} {words:?}: {}", said(&asked));
        self.refused("questions of a person");
    }

    /// Two printers and two that are none exchange their addresses, and a Zebra is told something at
    /// that moment.
    async fn swaps(&mut self) {
        for ((range, printer), (_, other)) in SWAPS {
            let pair = (address(range, printer), address(range, other));
            self.rack.swap(pair.0, pair.1).await.expect("two devices");
        }
        self.swaps += 1;
        let zebra = self.device(SWAPS[0].0).to_owned();
        if self.orders(&["zebra", "story", &zebra, "feed"]).is_some() {
            self.refused("orders of a Zebra that has just moved");
        }
    }

    /// What the agent has done: by its log, and by what the hub holds.
    async fn done(&self) -> Done {
        let (mut sweeps, mut readings) = (BTreeMap::new(), BTreeMap::new());
        for line in self.world.log_of("agent").lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let of = |key: &str| {
                let value = line[key].as_str().or(line["fields"][key].as_str());
                value.unwrap_or_default().to_owned()
            };
            match of("message").as_str() {
                "swept" => *sweeps.entry(of("subnet")).or_insert(0) += 1,
                "read" => *readings.entry(of("device")).or_insert(0) += 1,
                _ => {}
            }
        }
        let mut full = BTreeMap::new();
        for line in self.world.dump().await {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line[0] == "reading" && line[6] == 0 {
                *full
                    .entry(line[4].as_str().expect("a device").to_owned())
                    .or_insert(0) += 1;
            }
        }
        let is_swapped = |place: &(u8, u8)| SWAPS.iter().any(|(printer, _)| printer == place);
        let steady: Vec<&str> = REAL
            .iter()
            .filter(|place| !is_swapped(place))
            .map(|place| self.device(*place))
            .collect();
        let least = |of: &BTreeMap<String, usize>| {
            let counts = steady.iter().map(|it| of.get(*it).copied().unwrap_or(0));
            counts.min().unwrap_or(0)
        };
        let ranges = ranges(self.ports);
        let swept = ranges.iter().map(|range| {
            let swept = sweeps.get(range.addresses).copied();
            swept.unwrap_or(0)
        });
        Done {
            sweeps: swept.min().unwrap_or(0),
            readings: least(&readings),
            full: least(&full),
        }
    }

    /// What came to the three ports of all who are to hear nothing; the lost ones since then.
    async fn came(&self) -> Vec<(SocketAddr, (u64, u64))> {
        let mut came: Vec<_> = self.pots.iter().map(|pot| (pot.at, pot.came())).collect();
        for (printer, other) in SWAPS {
            // Who is none of both: where it stands now.
            let place = if self.swaps % 2 == 1 { printer } else { other };
            let at = address(place.0, place.1);
            let arrived = self.rack.arrived(at).await.expect("a device");
            came.push((
                SocketAddr::new(at, 0),
                (arrived.connections, arrived.raw_bytes),
            ));
        }
        came
    }
}

/// The doors are used, and the pots count.
async fn is_awake(site: &Site) {
    for (range, last) in REAL {
        if (range, last) == SWAPS[0].0 || (range, last) == SWAPS[1].0 {
            continue;
        }
        let arrived = site
            .rack
            .arrived(address(range, last))
            .await
            .expect("a printer");
        assert!(arrived.connections > 0, "{last}: {arrived:?}");
    }
    let at = SocketAddr::new(address(OPEN, 250), site.ports.raw);
    let pot = Pot::listen(at).await;
    let mut stream = TcpStream::connect(at).await.expect("a pot");
    stream.write_all(b"~HS").await.expect("a pot");
    until("a pot counts", PATIENCE, || async {
        (pot.came() == (1, 3)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_reaches_40_devices_that_are_no_zebras_or_unknown() {
    let pace = Pace::wanted();
    let mut site = Site::start(&pace).await;
    assert_eq!(site.pots.len(), 3 * (40 - SWAPS.len()));
    site.is_discovered().await;
    for (range, last) in [LOST_ZEBRA, LOST_OTHER] {
        site.rack
            .silence(address(range, last))
            .await
            .expect("a printer");
    }
    sleep(UNDERWAY).await;
    // Until now one of them was a Zebra that everybody saw.
    let before: BTreeMap<_, _> = site.came().await.into_iter().collect();
    let lost = address(LOST_ZEBRA.0, LOST_ZEBRA.1);
    assert!(
        before
            .iter()
            .all(|(at, came)| at.ip() == lost || *came == (0, 0)),
        "{before:?}"
    );
    let began = Instant::now();
    let mut step = 0;
    loop {
        let next = Instant::now() + pace.step;
        site.orders_at_the_known(step);
        site.asks_the_unknown(step);
        step += 1;
        if step.is_multiple_of(pace.swap_every) {
            site.swaps().await;
        }
        if step >= pace.steps && step.is_multiple_of(LOOK_EVERY) {
            let done = site.done().await;
            let is_over = done.sweeps >= pace.sweeps
                && done.full >= pace.full
                && done.readings >= pace.readings;
            if is_over {
                break;
            }
            assert!(began.elapsed() < WEEK_MAX, "{done:?} in {WEEK_MAX:?}");
        }
        sleep_until(next).await;
    }
    let done = site.done().await;
    let came = site.came().await;
    let heard: Vec<_> = came
        .iter()
        .filter(|(at, now)| *now != before.get(at).copied().unwrap_or_default())
        .collect();
    println!(
        "{} s: each range swept {} times at least, each printer read {} times at least, {} in full; \
         {} swaps; refused: {:?}; heard at {} ports of 40 devices: {heard:?}",
        began.elapsed().as_secs(),
        done.sweeps,
        done.readings,
        done.full,
        site.swaps,
        site.refused,
        came.len() - SWAPS.len() + 3 * SWAPS.len(),
    );
    assert!(heard.is_empty(), "{heard:?}");
    is_awake(&site).await;
}
