//! How fast a tunnel is, against OpenSSH's own: run by scripts/bench/tunnel, not by the tests.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{self, ChannelOpenHandle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure, Preferred, cipher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::site::{Agent, Site, echo, ssh};

/// Round trips and new connections that are measured.
const ROUND_TRIPS: usize = 2_000;
const CONNECTIONS: usize = 300;

/// The cipher of both.
const CIPHER: &str = "aes256-gcm@openssh.com";

/// An agent's end in few lines: each connection that is asked for goes to the device.
struct Carrier(SocketAddr);

impl client::Handler for Carrier {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        let device = self.0;
        tokio::spawn(async move {
            let Ok(mut device) = TcpStream::connect(device).await else {
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
                return;
            };
            device.set_nodelay(true).unwrap();
            reply.accept().await;
            let mut channel = channel.into_stream();
            let size = 32 * 1024;
            let _ = tokio::io::copy_bidirectional_with_sizes(&mut channel, &mut device, size, size)
                .await;
        });
        Ok(())
    }
}

/// A device that sends so many octets to whoever connects.
async fn source(octets: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let page = vec![7; 64 * 1024];
                let mut left = octets;
                while left > 0 {
                    let now = left.min(page.len() as u64);
                    if stream.write_all(&page[..now as usize]).await.is_err() {
                        return;
                    }
                    left -= now;
                }
                let _ = stream.shutdown().await;
            });
        }
    });
    at
}

/// One of the two that are compared, and what keeps it open.
enum Tunnel {
    Ours(
        hub::session::Session,
        #[expect(dead_code, reason = "held open")] client::Handle<Carrier>,
    ),
    Openssh(u16, #[expect(dead_code, reason = "held open")] Child),
}

impl Tunnel {
    /// Our gateway, and a client of the library that the agent uses.
    async fn ours(site: &Site, agent: &Agent, device: SocketAddr) -> Self {
        let session = site.session(agent, "m.dupont");
        let config = client::Config {
            nodelay: true,
            preferred: Preferred {
                cipher: vec![cipher::AES_256_GCM].into(),
                ..Preferred::default()
            },
            ..client::Config::default()
        };
        let dialing = client::connect(Arc::new(config), site.at, Carrier(device));
        let mut client = dialing.await.unwrap();
        let pem = std::fs::read_to_string(&agent.key).unwrap();
        let key = russh::keys::decode_secret_key(&pem, None).unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        let proven = client.authenticate_publickey(&agent.id, key).await.unwrap();
        assert!(proven.success());
        let terms = session.terms();
        client
            .tcpip_forward(terms.id.to_string(), u32::from(terms.port))
            .await
            .unwrap();
        Self::Ours(session, client)
    }

    /// OpenSSH's client to an sshd.
    async fn openssh(site: &Site, sshd: u16, key: &Path, device: SocketAddr) -> Self {
        let port = stories::free_port();
        let forward = format!("127.0.0.1:{port}:{device}");
        let words = [
            "-N",
            "-c",
            CIPHER,
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            &forward,
        ];
        let known = site.path("sshd_known_hosts");
        let ssh = ssh(&known, sshd, ("root", key), &words).spawn().unwrap();
        let is_up = || async move { TcpStream::connect(("127.0.0.1", port)).await.ok() };
        stories::until("ssh forwards", stories::PATIENCE, is_up).await;
        Self::Openssh(port, ssh)
    }

    async fn connect(&self) -> Box<dyn hub::session::Stream> {
        match self {
            Self::Ours(session, _) => session.connect().await.unwrap(),
            Self::Openssh(port, _) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
        }
    }

    /// MiB in a second.
    async fn throughput(&self, octets: u64) -> f64 {
        let began = Instant::now();
        let mut stream = self.connect().await;
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
    async fn round_trip(&self) -> f64 {
        let mut stream = self.connect().await;
        let mut all = Vec::new();
        for _ in 0..ROUND_TRIPS {
            let began = Instant::now();
            stream.write_all(&[1]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), 1);
            all.push(began.elapsed().as_secs_f64() * 1e6);
        }
        median(all)
    }

    /// Microseconds until a new connection has brought its first octet back.
    async fn new_connection(&self) -> f64 {
        let mut all = Vec::new();
        for _ in 0..CONNECTIONS {
            let began = Instant::now();
            let mut stream = self.connect().await;
            stream.write_all(&[1]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), 1);
            all.push(began.elapsed().as_secs_f64() * 1e6);
        }
        median(all)
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// An sshd as Debian has it, but for the port and whom it lets in.
async fn sshd(site: &Site, key: &Path) -> (u16, Child) {
    let port = stories::free_port();
    let host_key = site.key("sshd_host_key").await;
    let public = |path: &Path| std::fs::read_to_string(format!("{}.pub", path.display())).unwrap();
    std::fs::write(site.path("authorized_keys"), public(key)).unwrap();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nStrictModes no\n\
         PermitRootLogin yes\nAuthorizedKeysFile {}\n",
        host_key.display(),
        site.path("authorized_keys").display()
    );
    std::fs::write(site.path("sshd_config"), config).unwrap();
    std::fs::create_dir_all("/run/sshd").unwrap();
    let running = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(site.path("sshd_config"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let known = russh::keys::PublicKey::from_openssh(public(&host_key).trim()).unwrap();
    site.knows("sshd_known_hosts", port, &known.to_bytes().unwrap());
    tokio::time::sleep(Duration::from_millis(500)).await;
    (port, running)
}

fn wanted(variable: &str, usual: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and an idle machine: scripts/bench/tunnel"]
async fn a_tunnel_is_as_fast_as_openssh() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let key = site.key("root_key").await;
    let (sshd, _running) = sshd(&site, &key).await;
    let octets = wanted("PLATEN_BENCH_MIB", 512) << 20;
    let device = source(octets).await;
    let ours = Tunnel::ours(&site, &agent, device).await;
    let theirs = Tunnel::openssh(&site, sshd, &key, device).await;
    let (mut our_speeds, mut their_speeds) = (Vec::new(), Vec::new());
    for pair in 1..=wanted("PLATEN_BENCH_PAIRS", 5) {
        let (one, other) = (
            ours.throughput(octets).await,
            theirs.throughput(octets).await,
        );
        println!("pair {pair}: {one:.0} MiB/s, OpenSSH {other:.0} MiB/s");
        our_speeds.push(one);
        their_speeds.push(other);
    }
    let (device, _) = echo().await;
    let ours = Tunnel::ours(&site, &agent, device).await;
    let theirs = Tunnel::openssh(&site, sshd, &key, device).await;
    let rows = [
        (
            "throughput, MiB/s",
            median(our_speeds),
            median(their_speeds),
        ),
        (
            "one octet, µs",
            ours.round_trip().await,
            theirs.round_trip().await,
        ),
        (
            "new connection, µs",
            ours.new_connection().await,
            theirs.new_connection().await,
        ),
    ];
    for (what, one, other) in rows {
        println!(
            "{what}: {one:.1}, OpenSSH {other:.1}, ratio {:.2}",
            one / other
        );
    }
}
