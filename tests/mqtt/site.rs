//! A hub, its enrolled agents, and their lines.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actors::mqtt::{
    CommandLine, Destination, Incoming, LineState, MqttDialect, MqttLink, MqttTransport, Speaker,
    Version,
};
use dial::{Dialer, Trust};
use serde_json::Value;
use stories::{PATIENCE, World, until};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// An agent's identity, as it lies in its state folder.
#[derive(Debug, Clone)]
pub struct Agent {
    pub id: String,
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

impl Agent {
    /// Enrolls with the hub of `world` that runs, as a person does.
    pub fn enroll(world: &World, name: &str) -> Self {
        let line = world.invitation(name);
        let mut words = line.split_whitespace().skip(1).collect::<Vec<_>>();
        let state = world.path(name);
        words.extend(["--state-dir", state.to_str().expect("text")]);
        let said = world.platen(&words);
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "{words}");
        let text = std::fs::read(state.join("identity.json")).expect("an identity");
        let identity: Value = serde_json::from_slice(&text).expect("JSON");
        let text = |key: &str| identity[key].as_str().expect("a text").to_owned();
        Self {
            id: text("agent_id"),
            authority: text("authority"),
            certificate: text("certificate"),
            key: text("key"),
        }
    }

    /// Writes certificate and key where other programs can read them.
    pub fn files(&self, world: &World) -> (PathBuf, PathBuf) {
        let (certificate, key) = (
            world.path(&format!("{}.crt", self.id)),
            world.path(&format!("{}.key", self.id)),
        );
        std::fs::write(&certificate, &self.certificate).expect("a certificate");
        std::fs::write(&key, &self.key).expect("a key");
        (certificate, key)
    }

    /// Who speaks, believing `roots_pem`.
    pub fn speaker(&self, roots_pem: &str) -> Speaker {
        let trust = Trust {
            roots_pem: roots_pem.to_owned(),
            identity: Some((self.certificate.clone(), self.key.clone())),
        };
        Speaker {
            agent_id: self.id.clone(),
            instance: "0".repeat(32),
            dialers: Arc::new(move || Dialer::new(&trust).map_err(|error| error.to_string())),
            outbox: actors::outbox::Outbox::default(),
        }
    }

    /// Opens a line to a broker.
    pub fn line(&self, at: &Way) -> (CommandLine, Receiver<Incoming>) {
        let link = MqttLink {
            dialect: MqttDialect::Plain,
            transport: at.transport,
            broker: Destination::new("127.0.0.1", at.port).expect("an address"),
            authority_pem: None,
            version: at.version,
            keep_alive: Duration::from_secs(10),
            folder: std::env::temp_dir(),
        };
        CommandLine::open(&link, self.speaker(&at.roots_pem)).expect("a line")
    }
}

/// One way to a broker.
#[derive(Debug, Clone)]
pub struct Way {
    pub transport: MqttTransport,
    pub port: u16,
    pub version: Version,
    pub roots_pem: String,
}

/// Waits until a line is as it should be.
pub async fn line_is(
    line: &CommandLine,
    what: &str,
    mut is_so: impl FnMut(&LineState) -> bool,
) -> LineState {
    let mut state = line.state();
    let reached = timeout(PATIENCE, state.wait_for(|state| is_so(state))).await;
    let reached = reached.unwrap_or_else(|_| panic!("not {what}: {:?}", line.state().borrow()));
    reached.expect("a line").clone()
}

/// Waits until a line stands.
pub async fn connected(line: &CommandLine) {
    line_is(line, "connected", |state| state.is_connected).await;
}

/// The next command on a line.
pub async fn command(incoming: &mut Receiver<Incoming>) -> Incoming {
    let command = timeout(PATIENCE, incoming.recv()).await;
    command.expect("a command in time").expect("a line")
}

/// Waits for something that is tried again and again.
pub async fn tried<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    until(what, PATIENCE, || std::future::ready(attempt())).await
}
