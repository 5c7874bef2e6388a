//! The two brokers: the hub's own, within a hub that this process runs, and a Mosquitto with the
//! rules that `platen-hub broker acl` writes. Both can be killed and come back.

use std::future::Future;
use std::time::Duration;

use actors::mqtt::{MqttTransport, Version};
use hub::config::HubConfig;
use hub::door::carrier::{Arrival, Carrier, Which};
use stories::{World, free_port, until};
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

/// A Mosquitto, for a hub that runs as a program.
pub struct Mosquitto {
    pub world: World,
    broker: stories::mosquitto::Mosquitto,
}

impl Mosquitto {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut world = World::new();
        let mut broker = stories::mosquitto::Mosquitto::beside(&world);
        world.hub_runs_with(&broker.hub_config()).await;
        broker.is_configured(&world);
        broker.starts().await;
        Self { world, broker }
    }

    pub fn tls_port(&self) -> u16 {
        self.broker.tls_port
    }

    pub fn authority(&self) -> &str {
        &self.broker.authority
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
        let broker = &self.broker;
        ways(broker.tls_port, broker.wss_port, &broker.authority)
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
        self.broker.is_killed();
    }

    fn again(&mut self) -> impl Future<Output = ()> {
        self.broker.starts()
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
