//! A site with the real agent, simulated printers, and a hub within this process.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use hub::config::HubConfig;
use hub::session::{Session, SessionId, Sessions};
use stories::{PATIENCE, Running, World, program, until};
use tokio::io::{AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::block_in_place;

use crate::openssh::{Sshd, public_half};
use crate::person::{self, Person};

/// The ports of the first printer behind which the bench itself stands; a site opens both by
/// default. One sends without end, the other says back what it hears.
pub const SOURCE: u16 = 9100;
pub const ECHO: u16 = 631;

/// Which gateway the agent dials.
pub enum Gateway {
    OfTheHub,
    Sshd(Arc<Sshd>),
}

/// Everything that runs.
pub struct Rig {
    pub world: World,
    sessions: Sessions,
    person: Person,
    net: String,
    printers: Running,
    _stop: oneshot::Sender<()>,
}

/// Starts simulated printers at `net`.1 and up; they live fast, so that every reading is news.
pub async fn printers(world: &World, net: &str, count: usize) -> (Running, u16) {
    let addresses: Vec<String> = (1..=count).map(|n| format!("\"{net}.{n}\"")).collect();
    let fleet = format!(
        "seed = 75\nspeed = 600.0\nrecordings = {:?}\n[[printers]]\n\
         recording = \"kyocera-taskalfa-4054ci\"\naddresses = [{}]\n\
         web = {{ page = \"log\", port = {} }}\n",
        stories::recordings(),
        addresses.join(", "),
        person::PAGE
    );
    std::fs::write(world.path("fleet.toml"), fleet).unwrap();
    let port = stories::free_port();
    let (fleet, text) = (world.path("fleet.toml"), port.to_string());
    let words = ["run", "--fleet", fleet.to_str().unwrap(), "--port", &text].map(OsStr::new);
    let log = world.path("simulator.log");
    (Running::start(&program("platen-sim"), &words, &log), port)
}

/// Writes the agent's configuration: each printer is read once a second, and only for what moves.
/// `more` is added as it is.
pub fn configure_agent(
    world: &World,
    (net, count): (&str, usize),
    snmp: u16,
    (tunnel, more): (&str, &str),
) {
    let range = format!("{net}.1-{count}");
    let access = format!("[web_access]\nallow = \"always\"\nmax_minutes = 60\n[tunnel]\n{tunnel}");
    world.agent_is_configured(&[&range], snmp, &access);
    let file = world.path("agent.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let config = config
        .replace("read_secs = 2\n", "read_secs = 3600\n")
        .replace("discover_secs = 3\n", "discover_secs = 600\n")
        + more;
    std::fs::write(file, config).unwrap();
}

impl Rig {
    /// `more` is added to the agent's configuration as it is.
    pub async fn start(
        gateway: Gateway,
        world: World,
        (net, count): (&str, usize),
        more: &str,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (of_hub, tunnel) = match &gateway {
            Gateway::OfTheHub => (String::new(), format!("port = {}\n", world.uplink_port())),
            Gateway::Sshd(sshd) => {
                let first = stories::free_port();
                let of_hub = format!(
                    "[gateway]\nsshd = \"127.0.0.1:{0}\"\nsshd_user = \"root\"\n\
                     sshd_host_key_file = \"{1}.pub\"\nsshd_ports = \"{first}-{2}\"\n",
                    sshd.port,
                    sshd.host_key.display(),
                    first + 3
                );
                (of_hub, format!("port = {}\n", sshd.port))
            }
        };
        world.hub_is_configured(&of_hub);
        let text = std::fs::read_to_string(world.path("hub.toml")).unwrap();
        let config = HubConfig::parse("hub.toml", &text, std::iter::empty()).unwrap();
        let hub = hub::bind(&config).await.unwrap();
        let sessions = hub.sessions().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(hub.serve(async {
            let _ = stopped.await;
        }));
        let (running, snmp) = printers(&world, net, count).await;
        configure_agent(&world, (net, count), snmp, (&tunnel, more));
        let mut world = world;
        block_in_place(|| {
            world.agent_is_enrolled();
            world.agent_is_started();
        });
        if let Gateway::Sshd(sshd) = &gateway {
            sshd.lets_in(&public_half(&key_of(&world)).await);
        }
        until("every printer is stored", PATIENCE, || async {
            block_in_place(|| world.printers().len() == count).then_some(())
        })
        .await;
        let person = block_in_place(|| Person::enters(&world, "a.martin"));
        Self {
            world,
            sessions,
            person,
            net: net.to_owned(),
            printers: running,
            _stop: stop,
        }
    }

    /// The programs that are at a site: the agent, and what answers for its printers over SNMP.
    pub fn at_the_site(&mut self) -> [u32; 2] {
        [
            self.world.agent().expect("it runs").pid(),
            self.printers.pid(),
        ]
    }

    /// An address of the first printer.
    pub fn device(&self, port: u16) -> SocketAddr {
        format!("{}.1:{port}", self.net).parse().unwrap()
    }

    /// Opens a session with a port of the first printer, as a person does.
    pub async fn opens(&self, port: u16) -> Session {
        let id = block_in_place(|| {
            let device = person::device(&self.world, &format!("{}.1", self.net));
            self.person.opens(&device, port).expect("a session")
        });
        let id = SessionId::parse(&id).expect("an id");
        let session = self.sessions.find(&id).expect("it lives");
        until("the tunnel is open", PATIENCE, || async {
            session.is_open().then_some(())
        })
        .await;
        session
    }
}

/// Puts these processes on the first processor; this one, which is the hub, the reader, and the
/// device of a transfer, and `others` on the second.
pub fn apart(at_the_site: &[u32], others: &[u32]) {
    let here = std::process::id();
    let elsewhere = others.iter().chain([&here]).map(|pid| (pid, "1"));
    for (pid, processor) in at_the_site.iter().map(|pid| (pid, "0")).chain(elsewhere) {
        let moved = Command::new("taskset")
            .args(["--all-tasks", "--pid", "--cpu-list", processor])
            .arg(pid.to_string())
            .output()
            .expect("taskset of util-linux");
        assert!(moved.status.success(), "{moved:?}");
    }
}

/// The agent's private key, as a file that OpenSSH reads.
fn key_of(world: &World) -> PathBuf {
    let identity = std::fs::read_to_string(world.path("agent/identity.json")).unwrap();
    let identity: serde_json::Value = serde_json::from_str(&identity).unwrap();
    let file = world.path("agent-key.pem");
    std::fs::write(&file, identity["key"].as_str().expect("PEM")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

/// Stands behind a port of a printer and sends so many octets to whoever connects.
pub async fn source(at: SocketAddr, octets: u64) {
    let listener = TcpListener::bind(at).await.unwrap();
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
}

/// Stands behind a port of a printer and says back what it hears.
pub async fn echo(at: SocketAddr) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = copy(&mut read, &mut write).await;
            });
        }
    });
}

/// A connection to a device, by a session or by a port that leads there.
pub enum Tunnel {
    Ours(Session),
    Port(u16),
}

impl Tunnel {
    pub async fn connect(&self) -> Box<dyn hub::session::Stream> {
        match self {
            Self::Ours(session) => session.connect().await.unwrap(),
            Self::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
        }
    }
}
