//! A gateway small enough to read, which can misbehave, and the printer's page behind the tunnel.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::server::{self, Auth, Msg, Session, VerifiedPublicKey};
use russh::{Channel, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longest that anything of a gateway may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the way between agent and gateway does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It carries.
    Open,
    /// It takes everything and brings nothing.
    Frozen,
    /// It is gone.
    Cut,
}

/// What a gateway has heard.
#[derive(Default)]
pub struct Heard {
    /// Connections.
    pub calls: AtomicU32,
    /// Keys that were shown.
    pub keys: AtomicU32,
    /// What was to be forwarded.
    pub forwards: Mutex<Vec<(String, u32)>>,
    /// What was cancelled: why sessions ended.
    pub farewells: Mutex<Vec<String>>,
}

/// The gateway.
pub struct Gateway {
    pub address: SocketAddr,
    /// Its host key, as a ticket has it.
    pub key: Vec<u8>,
    pub heard: Arc<Heard>,
    pub way: watch::Sender<Way>,
    lines: watch::Receiver<Option<server::Handle>>,
}

impl Gateway {
    pub async fn open() -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address")).await
    }

    pub async fn at(place: SocketAddr) -> Self {
        let seed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let key = russh::keys::decode_secret_key(&seed.serialize_pem(), None).expect("a key");
        let public = key.public_key().to_bytes().expect("a key");
        let config = Arc::new(server::Config {
            keys: vec![key],
            auth_rejection_time: Duration::ZERO,
            keepalive_interval: Some(Duration::from_secs(5)),
            nodelay: true,
            ..server::Config::default()
        });
        let listener = TcpListener::bind(place).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(Heard::default());
        let (line, lines) = watch::channel(None);
        let (way, ways) = watch::channel(Way::Open);
        let told = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                told.calls.fetch_add(1, Ordering::Relaxed);
                stream.set_nodelay(true).expect("a socket");
                let (near, far) = tokio::io::duplex(256 * 1024);
                tokio::spawn(relay(stream, far, ways.clone()));
                let visit = Visit {
                    heard: told.clone(),
                    line: line.clone(),
                };
                tokio::spawn(server::run_stream(config.clone(), near, visit));
            }
        });
        Self {
            address,
            key: public,
            heard,
            way,
            lines,
        }
    }

    /// The line to the agent, once it has asked for a forwarding.
    pub async fn line(&self) -> server::Handle {
        let mut lines = self.lines.clone();
        let there = timeout(PATIENCE, lines.wait_for(Option::is_some));
        let there = there.await.expect("in time").expect("a gateway");
        there.clone().expect("a line")
    }

    /// A connection through the tunnel.
    pub async fn connect(&self, name: &str, port: u32) -> Result<Channel<Msg>, Error> {
        let line = self.line().await;
        let opened = line.channel_open_forwarded_tcpip(name, port, "127.0.0.1", 4711);
        timeout(PATIENCE, opened).await.expect("in time")
    }

    /// Why the last session ended, as the agent said it.
    pub fn farewell(&self) -> Option<String> {
        self.heard.farewells.lock().expect("whole").last().cloned()
    }
}

/// Carries octets as long as the way is open.
async fn relay(near: TcpStream, far: tokio::io::DuplexStream, mut way: watch::Receiver<Way>) {
    let (mut from_agent, mut to_agent) = near.into_split();
    let (mut from_gateway, mut to_gateway) = tokio::io::split(far);
    let held = way.clone();
    let up = pass(&mut from_agent, &mut to_gateway, held.clone());
    let down = pass(&mut from_gateway, &mut to_agent, held);
    tokio::select! {
        _ = way.wait_for(|way| *way == Way::Cut) => {}
        () = async { tokio::join!(up, down); } => {}
    }
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    way: watch::Receiver<Way>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(octets @ 1..) = from.read(&mut buffer).await {
        if *way.borrow() == Way::Frozen {
            continue;
        }
        if to.write_all(&buffer[..octets]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

struct Visit {
    heard: Arc<Heard>,
    line: watch::Sender<Option<server::Handle>>,
}

impl server::Handler for Visit {
    type Error = Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        self.heard.keys.fetch_add(1, Ordering::Relaxed);
        Ok(Auth::Accept)
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, Error> {
        let asked = (address.to_owned(), *port);
        self.heard.forwards.lock().expect("whole").push(asked);
        self.line.send_replace(Some(session.handle()));
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        _: u32,
        _: &mut Session,
    ) -> Result<bool, Error> {
        self.heard
            .farewells
            .lock()
            .expect("whole")
            .push(address.to_owned());
        Ok(true)
    }
}

/// What a printer's page has seen.
#[derive(Default)]
pub struct Seen {
    pub calls: AtomicU32,
    pub octets: AtomicU64,
}

/// Echoes what comes, on an address and port of its own.
pub async fn page(place: SocketAddr) -> Arc<Seen> {
    let listener = TcpListener::bind(place).await.expect("a port");
    let seen = Arc::new(Seen::default());
    let sees = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            sees.calls.fetch_add(1, Ordering::Relaxed);
            let sees = sees.clone();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(octets @ 1..) = from.read(&mut buffer).await {
                    sees.octets.fetch_add(octets as u64, Ordering::Relaxed);
                    if to.write_all(&buffer[..octets]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    seen
}

/// Accepts and takes nothing.
pub async fn deaf_page(place: SocketAddr) {
    let listener = TcpListener::bind(place).await.expect("a port");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
}
