//! A real Mosquitto beside a World's hub, with the rules that `platen-hub broker acl` writes. It can
//! be killed and come back.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::TcpStream;

use crate::{Running, World, free_port, until};

/// Longest it may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Mosquitto on two ports.
#[derive(Debug)]
pub struct Mosquitto {
    /// MQTT over TLS.
    pub tls_port: u16,
    /// MQTT over WebSocket.
    pub wss_port: u16,
    /// Whom to believe there, PEM: an authority of its own.
    pub authority: String,
    folder: PathBuf,
    running: Option<Running>,
}

impl Mosquitto {
    /// One with its files in a World's folder; it does not run yet.
    ///
    /// # Panics
    /// When its certificate cannot be made or written.
    #[must_use]
    pub fn beside(world: &World) -> Self {
        let (authority, certificate, key) = server_certificate();
        std::fs::write(world.path("broker-ca.pem"), &authority).expect("a file");
        std::fs::write(world.path("server.crt"), certificate).expect("a file");
        std::fs::write(world.path("server.key"), key).expect("a file");
        Self {
            tls_port: free_port(),
            wss_port: free_port(),
            authority,
            folder: world.path(""),
            running: None,
        }
    }

    /// What a hub's configuration needs, so that its commands go over this broker.
    #[must_use]
    pub fn hub_config(&self) -> String {
        let (port, ca_file) = (self.tls_port, self.ca_file());
        format!("[mqtt]\nbroker = \"mqtts://127.0.0.1:{port}\"\nca_file = {ca_file:?}\n")
    }

    /// The file with whom to believe there.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("broker-ca.pem")
    }

    /// Has the World's hub write the rules, and takes them with the test's ports and certificate,
    /// and a second listener for WebSockets of the same rules.
    ///
    /// # Panics
    /// When the hub does not write them.
    pub fn is_configured(&self, world: &World) {
        let folder = self.folder.to_str().expect("text");
        let said = world.hub_says(&["broker", "acl", folder]);
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "{words}");
        let path = |name: &str| self.folder.join(name).display().to_string();
        let fragment = std::fs::read_to_string(path("platen.conf")).expect("written");
        assert!(fragment.contains("set_tcp_nodelay true"), "{fragment}");
        let listener = format!("listener {} 127.0.0.1", self.tls_port);
        let fragment = fragment
            .replace("/etc/mosquitto/certs/server.crt", &path("server.crt"))
            .replace("/etc/mosquitto/certs/server.key", &path("server.key"))
            .replace("listener 8883", &listener);
        let (_, rules) = fragment.split_once("listener ").expect("a listener");
        let (_, rules) = rules.split_once('\n').expect("rules");
        let config = format!(
            "user root\npersistence_location {}/\nautosave_interval 1\n{fragment}\n\
             listener {} 127.0.0.1\nprotocol websockets\n{rules}",
            path(""),
            self.wss_port
        );
        std::fs::write(path("mosquitto.conf"), config).expect("a configuration");
    }

    /// Starts it, without waiting for it.
    pub fn is_started(&mut self) {
        let config = self.folder.join("mosquitto.conf");
        let log = self.folder.join("mosquitto.log");
        let args = [OsStr::new("-v"), OsStr::new("-c"), config.as_os_str()];
        self.running = Some(Running::start(Path::new("mosquitto"), &args, &log));
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn starts(&mut self) {
        self.is_started();
        for port in [self.tls_port, self.wss_port] {
            until("mosquitto listens", PATIENCE, || async move {
                TcpStream::connect(("127.0.0.1", port)).await.ok()
            })
            .await;
        }
    }

    /// Kills it, if it runs.
    pub fn is_killed(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }
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
