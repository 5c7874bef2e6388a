//! Throughput, round trip and new connections, in turns with OpenSSH's ssh -R.

use std::sync::Arc;
use std::time::Instant;

use stories::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::figures::{load, median, told, wanted};
use crate::openssh::Sshd;
use crate::rig::{self, ECHO, Gateway, Rig, SOURCE, Tunnel, echo, source};

/// Round trips and new connections of one turn.
const ROUND_TRIPS: usize = 1_000;
const CONNECTIONS: usize = 60;

/// The cipher of all three: the agent's first choice.
const CIPHER: &str = "aes128-gcm@openssh.com";

/// MiB in a second.
async fn throughput(tunnel: &Tunnel, octets: u64) -> f64 {
    let began = Instant::now();
    let mut stream = tunnel.connect().await;
    let mut buffer = vec![0; 64 * 1024];
    let mut came = 0;
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => came += read as u64,
        }
    }
    assert_eq!(came, octets);
    octets as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64()
}

/// Microseconds of one octet there and back.
async fn round_trip(tunnel: &Tunnel) -> f64 {
    let mut stream = tunnel.connect().await;
    let mut all = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let began = Instant::now();
        stream.write_all(&[1]).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
        all.push(began.elapsed().as_secs_f64() * 1e6);
    }
    median(&all)
}

/// Microseconds until a new connection has brought its first octet back.
async fn new_connection(tunnel: &Tunnel) -> f64 {
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        let began = Instant::now();
        let mut stream = tunnel.connect().await;
        stream.write_all(&[1]).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
        all.push(began.elapsed().as_secs_f64() * 1e6);
    }
    median(&all)
}

/// What one kind of tunnel did, turn by turn.
struct Lane {
    name: &'static str,
    source: Tunnel,
    echo: Tunnel,
    speeds: Vec<f64>,
    trips: Vec<f64>,
    connections: Vec<f64>,
}

impl Lane {
    fn new(name: &'static str, source: Tunnel, echo: Tunnel) -> Self {
        Self {
            name,
            source,
            echo,
            speeds: Vec::new(),
            trips: Vec::new(),
            connections: Vec::new(),
        }
    }

    async fn of(name: &'static str, rig: &Rig) -> Self {
        let (source, echo) = (rig.opens(SOURCE).await, rig.opens(ECHO).await);
        Self::new(name, Tunnel::Ours(source), Tunnel::Ours(echo))
    }

    fn tell(&self, other: &Self) {
        let rows = [
            ("throughput, MiB/s", &self.speeds, &other.speeds),
            ("one octet, µs", &self.trips, &other.trips),
            ("new connection, µs", &self.connections, &other.connections),
        ];
        for (what, mine, theirs) in rows {
            let ratios: Vec<f64> = mine
                .iter()
                .zip(theirs)
                .map(|(one, two)| one / two)
                .collect();
            let (mine, theirs) = (told(mine), told(theirs));
            println!(
                "{what}: {} {mine}, {} {theirs}; ratio {:.2}, by turns {}",
                self.name,
                other.name,
                median(&ratios),
                ratios
                    .iter()
                    .map(|ratio| format!("{ratio:.2}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and an idle machine: scripts/bench/tunnel"]
async fn a_tunnel_is_as_fast_as_openssh() {
    let world = World::new();
    let sshd = Arc::new(Sshd::start(&world).await);
    let octets = wanted("PLATEN_BENCH_MIB", 512) << 20;
    // What runs where is the same for all three, and no chance of the scheduler's.
    let is_apart = wanted("PLATEN_BENCH_APART", 1) == 1;
    if is_apart {
        rig::apart(&[], &[sshd.pid()]);
    }
    let mut own = Rig::start(Gateway::OfTheHub, world, ("127.75.1", 1), "").await;
    let mut by_sshd = Rig::start(
        Gateway::Sshd(sshd.clone()),
        World::new(),
        ("127.75.2", 1),
        "",
    )
    .await;
    for rig in [&own, &by_sshd] {
        source(rig.device(SOURCE), octets).await;
        echo(rig.device(ECHO)).await;
    }
    let ssh_source = sshd.forwards(CIPHER, own.device(SOURCE)).await;
    let ssh_echo = sshd.forwards(CIPHER, own.device(ECHO)).await;
    if is_apart {
        let sites = [own.at_the_site(), by_sshd.at_the_site()].concat();
        let ssh = [ssh_source.pid(), ssh_echo.pid()];
        rig::apart(&[sites, ssh.to_vec()].concat(), &[sshd.pid()]);
    }
    let mut lanes = [
        Lane::of("agent and hub", &own).await,
        Lane::of("agent and sshd", &by_sshd).await,
        Lane::new(
            "OpenSSH",
            Tunnel::Port(ssh_source.at),
            Tunnel::Port(ssh_echo.at),
        ),
    ];
    let pairs = wanted("PLATEN_BENCH_PAIRS", 5);
    println!(
        "cipher {CIPHER}, {} MiB, {pairs} turns, apart {is_apart}, load {}",
        octets >> 20,
        load()
    );
    // The first connection of each warms it up.
    for lane in &lanes {
        round_trip(&lane.echo).await;
    }
    for turn in 0..pairs as usize {
        for step in 0..lanes.len() {
            // Whoever was first is last in the next turn.
            let lane = &mut lanes[(step + turn) % 3];
            lane.speeds.push(throughput(&lane.source, octets).await);
            lane.trips.push(round_trip(&lane.echo).await);
            lane.connections.push(new_connection(&lane.echo).await);
        }
    }
    println!("load {}", load());
    lanes[0].tell(&lanes[2]);
    lanes[1].tell(&lanes[2]);
}
