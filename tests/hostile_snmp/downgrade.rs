//! Nobody talks an agent down: who was read as a user of SNMPv3 is never told a community.
//!
//! The agent meets each printer through a relay that counts what arrives. Behind it stands first an
//! honest printer that knows the user alone, then one that denies the user and gladly answers
//! `public`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use actors::reach::credential::{Credential, proven_first};
use actors::reach::survey::read_device;
use serde_json::Value;
use stories::{PATIENCE, World, until};
use tokio::net::UdpSocket;

use super::{Reader, USERS, user_of};

/// What denies a user, and where the relay, the honest printer and the other stand.
const PAIRS: [(&str, [Ipv4Addr; 3]); 2] = [
    ("downgrade-report", places(1)),
    ("downgrade-answer", places(2)),
];

/// Longest datagram of UDP.
const DATAGRAM_MAX: usize = 65_535;

/// Questions as a user that have to arrive: sweeps, readings and the hub's orders are among them.
const ASKED_MIN: u32 = 10;

const fn places(number: u8) -> [Ipv4Addr; 3] {
    [
        Ipv4Addr::new(127, 44, 6, number),
        Ipv4Addr::new(127, 44, 6, 100 + number),
        Ipv4Addr::new(127, 44, 6, 200 + number),
    ]
}

/// What has arrived where an agent asks.
#[derive(Debug, Default)]
struct Arrived {
    /// Whether the one answers that denies the user.
    is_denied: AtomicBool,
    /// Datagrams of version 3, and all others: those have a community in them.
    of_users: AtomicU32,
    of_communities: AtomicU32,
}

impl Arrived {
    /// Counts a datagram by its version: a sequence, its length, and behind that the number.
    fn note(&self, datagram: &[u8]) {
        let head = match datagram.get(1) {
            Some(long @ 0x81..) => 2 + usize::from(long & 0x7f),
            _ => 2,
        };
        let counter = match datagram.get(head..head + 3) {
            Some([0x02, 0x01, 3]) => &self.of_users,
            _ => &self.of_communities,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    fn forget(&self) {
        self.of_users.store(0, Ordering::SeqCst);
        self.of_communities.store(0, Ordering::SeqCst);
    }
}

/// Hands on what arrives, each asker's through a socket of its own, and the answers back.
async fn relay(here: Arc<UdpSocket>, [honest, other]: [SocketAddr; 2], arrived: Arc<Arrived>) {
    let mut ways: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut datagram = vec![0; DATAGRAM_MAX];
    while let Ok((size, asker)) = here.recv_from(&mut datagram).await {
        arrived.note(&datagram[..size]);
        let way = match ways.get(&asker) {
            Some(way) => Arc::clone(way),
            None => {
                let way = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
                let way = Arc::new(way);
                ways.insert(asker, Arc::clone(&way));
                tokio::spawn(answers(Arc::clone(&way), Arc::clone(&here), asker));
                way
            }
        };
        let is_denied = arrived.is_denied.load(Ordering::SeqCst);
        let to = if is_denied { other } else { honest };
        let _ = way.send_to(&datagram[..size], to).await;
    }
}

async fn answers(way: Arc<UdpSocket>, here: Arc<UdpSocket>, asker: SocketAddr) {
    let mut datagram = vec![0; DATAGRAM_MAX];
    while let Ok(size) = way.recv(&mut datagram).await {
        let _ = here.send_to(&datagram[..size], asker).await;
    }
}

/// A printer of each kind behind each relay.
fn pairs() -> String {
    let group = |address: Ipv4Addr, more: &str| {
        format!(
            "[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\naddresses = \"{address}\"\n\
             serial = \"HS{{n:5}}\"\n{more}\n"
        )
    };
    let pairs = PAIRS.iter().map(|(name, [_, honest, other])| {
        let denying = group(*other, &format!("misbehave = \"{name}\""));
        group(*honest, "versions = [\"3\"]") + &denying
    });
    format!(
        "seed = 44\nfrozen = true\n{USERS}{}",
        pairs.collect::<String>()
    )
}

/// Relays for all pairs, on one port.
async fn relays(rack_port: u16) -> (u16, Vec<Arc<Arrived>>) {
    let mut port = 0;
    let mut all = Vec::new();
    for (_, [here, honest, other]) in PAIRS {
        let socket = UdpSocket::bind((here, port)).await.expect("a socket");
        port = socket.local_addr().expect("bound").port();
        let arrived = Arc::new(Arrived::default());
        let behind = [honest, other].map(|place| SocketAddr::from((place, rack_port)));
        tokio::spawn(relay(Arc::new(socket), behind, Arc::clone(&arrived)));
        all.push(arrived);
    }
    (port, all)
}

/// A world whose agent has read both printers as a user, though it may also ask with `public`.
async fn world(port: u16) -> World {
    let mut world = World::new();
    world.hub_runs().await;
    let range = format!(
        "[[ranges]]\naddresses = [\"127.44.6.1-2\"]\ncredentials = [\"mps\", \"public\"]\n{}",
        user_of(&world)
    );
    world.agent_is_configured(&["127.44.6.99"], port, &range);
    world.agent_is_enrolled();
    world.agent_is_started();
    until("both printers are stored", PATIENCE, || async {
        (world.printers().len() == PAIRS.len()).then_some(())
    })
    .await;
    world
}

/// What came of an order of the hub's.
fn ordered(world: &World, words: &[&str]) -> Value {
    let words = [&["cmd"], words, &["--reason=a story", "--json"]].concat();
    let said = world.hub_says(&words);
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{words:?}: {told}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_talks_a_running_agent_down_from_a_user() {
    let rack = stories::rack(&pairs());
    let (port, arrived) = relays(rack.port).await;
    let mut world = world(port).await;
    // What was under way when they were read is over with this sweep.
    ordered(&world, &["discover", "story"]);
    for one in &arrived {
        one.forget();
        one.is_denied.store(true, Ordering::SeqCst);
    }
    let swept = ordered(&world, &["discover", "story"]);
    assert_eq!(swept["state"], "done", "{swept}");
    let read = ordered(&world, &["read", "story"]);
    assert_eq!(read["result"]["read"], 0, "{read}");
    for (name, [here, ..]) in PAIRS {
        for verb in ["check", "walk"] {
            let told = ordered(&world, &[verb, "story", &here.to_string()]);
            let is_read = told["result"]["device"]["is_printer"] == true;
            assert!(
                !is_read && !told["result"].is_string(),
                "{name}, {verb}: {told}"
            );
        }
    }
    until("sweeps and readings go on", PATIENCE, || async {
        let of_users = arrived.iter().map(|it| it.of_users.load(Ordering::SeqCst));
        of_users.min().filter(|least| *least >= ASKED_MIN)
    })
    .await;
    for ((name, _), one) in PAIRS.iter().zip(&arrived) {
        assert_eq!(
            one.of_communities.load(Ordering::SeqCst),
            0,
            "{name}: {one:?}"
        );
    }
    assert_eq!(world.agent_ends().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_was_never_read_as_a_user_is_asked_with_the_community_too() {
    let rack = stories::rack(&pairs());
    let reader = Reader::new(rack.port);
    let (public, mps) = (&reader.credentials.public, &reader.credentials.mps);
    let both: [Credential; 2] = [mps.clone(), public.clone()];
    for (name, [_, _, other]) in PAIRS {
        let target = reader
            .scope
            .admit(IpAddr::V4(other), reader.door)
            .expect("in the range");
        let read = read_device(&reader.snmp, &target, &both, &reader.profiles).await;
        let survey = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            &survey.credential, public,
            "{name}: it answers whoever asks so"
        );
        let proven = proven_first(&both, mps);
        let read = read_device(&reader.snmp, &target, &proven, &reader.profiles).await;
        assert!(read.is_err(), "{name}: {read:?}");
    }
}
