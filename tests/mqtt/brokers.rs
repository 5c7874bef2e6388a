//! The two brokers: the hub's own, within a hub that this process runs, and a Mosquitto with the
//! rules that `platen-hub broker acl` writes. Both can be killed and come back.

use std::ffi::OsStr;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use actors::mqtt::{MqttTransport, Version};
use hub::config::HubConfig;
use hub::door::carrier::{Arrival, Carrier, Which};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use stories::{Running, World, free_port, until};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

use super::site::Way;

/// Longest a broker may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hub in this process, on a runtime of its own: ending that is its kill.
pub struct OwnHub {
    pub world: World,
    pub tls_port: u16,
    wss_port: u16,
    runtime: Option<Runtime>,
    session: Option<(Carrier, Receiver<Arrival>)>,
}

impl OwnHub {
    pub async fn start() -> Self {
        let world = World::new();
        let tls_port = free_port();
        world.hub_is_configured(&format!("[mqtt]\nlisten = \"127.0.0.1:{tls_port}\"\n"));
        let mut own = Self {
            world,
            tls_port,
            wss_port: 0,
            runtime: None,
            session: None,
        };
        own.again().await;
        own
    }

    /// Brings it up, again.
    pub async fn again(&mut self) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = self.world.path("hub.toml");
        let config = HubConfig::load(Some(&file), std::iter::empty()).expect("valid");
        let runtime = Runtime::new().expect("a runtime");
        let hub = until("the hub is bound", PATIENCE, || {
            let config = config.clone();
            // What was killed lets go of its port and folder a moment later.
            let bound = runtime.spawn(async move { hub::bind(&config).await });
            async { bound.await.expect("no panic").ok() }
        });
        let hub = hub.await;
        self.wss_port = hub.bound().uplink.port();
        assert_eq!(hub.bound().mqtt.map(|at| at.port()), Some(self.tls_port));
        let (which, folder) = (hub.broker().clone(), self.world.path("hub"));
        runtime.spawn(hub.serve_doors(std::future::pending()));
        let opened = runtime.spawn(async move { Carrier::open(&which, folder).expect("open") });
        self.session = Some(opened.await.expect("no panic"));
        self.runtime = Some(runtime);
        stands(&self.session().0).await;
    }

    /// Ends it as a kill does: nothing says goodbye.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub fn session(&mut self) -> &mut (Carrier, Receiver<Arrival>) {
        self.session.as_mut().expect("it runs")
    }

    pub fn ways(&self, authority: &str) -> Vec<Way> {
        ways(self.tls_port, self.wss_port, authority)
    }
}

impl Drop for OwnHub {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A Mosquitto on two ports, for a hub that runs as a program.
pub struct Mosquitto {
    pub world: World,
    pub tls_port: u16,
    wss_port: u16,
    pub authority: String,
    running: Option<Running>,
}

impl Mosquitto {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut world = World::new();
        let (tls_port, wss_port) = (free_port(), free_port());
        let (authority, certificate, key) = server_certificate();
        let ca_file = world.path("broker-ca.pem");
        std::fs::write(&ca_file, &authority).expect("a file");
        world.hub_is_configured(&format!(
            "[mqtt]\nbroker = \"mqtts://127.0.0.1:{tls_port}\"\nca_file = {ca_file:?}\n"
        ));
        world.hub_is_started();
        world.hub_is_healthy().await;
        let folder = world.path("");
        let said = world.hub_says(&["broker", "acl", folder.to_str().expect("text")]);
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "{words}");
        std::fs::write(world.path("server.crt"), certificate).expect("a file");
        std::fs::write(world.path("server.key"), key).expect("a file");
        configure(&world, tls_port, wss_port);
        let mut broker = Self {
            world,
            tls_port,
            wss_port,
            authority,
            running: None,
        };
        broker.again().await;
        broker
    }

    /// Brings it up, again.
    pub async fn again(&mut self) {
        let config = self.world.path("mosquitto.conf");
        let log = self.world.path("mosquitto.log");
        let args = [OsStr::new("-v"), OsStr::new("-c"), config.as_os_str()];
        self.running = Some(Running::start(Path::new("mosquitto"), &args, &log));
        for port in [self.tls_port, self.wss_port] {
            until("mosquitto listens", PATIENCE, || async move {
                TcpStream::connect(("127.0.0.1", port)).await.ok()
            })
            .await;
        }
    }

    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// The hub's own session with it, as the hub's configuration makes it. The hub itself ends:
    /// a broker knows one session of a name.
    pub async fn session(&mut self) -> (Carrier, Receiver<Arrival>) {
        self.world.hub_is_killed();
        let file = self.world.path("hub.toml");
        let config = HubConfig::load(Some(&file), std::iter::empty()).expect("valid");
        let which = hub::door::carrier::which(&config)
            .await
            .expect("an external broker");
        assert!(matches!(which, Which::External(_)));
        let session = Carrier::open(&which, self.world.path("hub")).expect("open");
        stands(&session.0).await;
        session
    }

    pub fn ways(&self) -> Vec<Way> {
        ways(self.tls_port, self.wss_port, &self.authority)
    }
}

fn ways(tls_port: u16, wss_port: u16, authority: &str) -> Vec<Way> {
    let mut ways = Vec::new();
    for (transport, port) in [
        (MqttTransport::Tls, tls_port),
        (MqttTransport::Wss, wss_port),
    ] {
        for version in [Version::V311, Version::V5] {
            ways.push(Way {
                transport,
                port,
                version,
                roots_pem: authority.to_owned(),
            });
        }
    }
    ways
}

/// Waits until the hub's session stands.
pub async fn stands(carrier: &Carrier) {
    let mut standing = carrier.standing();
    let reached = tokio::time::timeout(PATIENCE, standing.wait_for(|now| now.is_connected)).await;
    reached.expect("in time").expect("a session");
}

/// The settings that `broker acl` wrote, with the test's ports and certificate, and a second
/// listener for WebSockets of the same rules.
fn configure(world: &World, tls_port: u16, wss_port: u16) {
    let path = |name: &str| world.path(name).display().to_string();
    let fragment = std::fs::read_to_string(world.path("platen.conf")).expect("written");
    assert!(fragment.contains("set_tcp_nodelay true"), "{fragment}");
    let fragment = fragment
        .replace("/etc/mosquitto/certs/server.crt", &path("server.crt"))
        .replace("/etc/mosquitto/certs/server.key", &path("server.key"))
        .replace("listener 8883", &format!("listener {tls_port} 127.0.0.1"));
    let (_, listener) = fragment.split_once("listener ").expect("a listener");
    let (_, rules) = listener.split_once('\n').expect("rules");
    let config = format!(
        "user root\npersistence_location {}/\nautosave_interval 1\n{fragment}\n\
         listener {wss_port} 127.0.0.1\nprotocol websockets\n{rules}",
        path("")
    );
    std::fs::write(world.path("mosquitto.conf"), config).expect("a configuration");
}

/// An authority of the broker's own, and a certificate for 127.0.0.1: certificate and key.
fn server_certificate() -> (String, String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params
        .distinguished_name
        .push(DnType::CommonName, "the broker's authority");
    let authority = params.self_signed(&key).expect("signed").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    params
        .distinguished_name
        .push(DnType::CommonName, "the broker");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    (authority, certificate.pem(), key.serialize_pem())
}

/// A broker that comes and goes.
pub trait Killable {
    fn kill(&mut self);
    fn again(&mut self) -> impl Future<Output = ()>;
}

impl Killable for OwnHub {
    fn kill(&mut self) {
        Self::kill(self);
    }

    fn again(&mut self) -> impl Future<Output = ()> {
        Self::again(self)
    }
}

impl Killable for Mosquitto {
    fn kill(&mut self) {
        Self::kill(self);
    }

    fn again(&mut self) -> impl Future<Output = ()> {
        Self::again(self)
    }
}

/// The next thing that an agent said, but for its presence.
pub async fn outcome(arrivals: &mut Receiver<Arrival>) -> Arrival {
    loop {
        let arrival = tokio::time::timeout(PATIENCE, arrivals.recv()).await;
        let arrival = arrival.expect("an outcome in time").expect("a session");
        if arrival.said == proto::topics::Use::Outcome {
            return arrival;
        }
    }
}
