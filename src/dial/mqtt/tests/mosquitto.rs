//! A real Mosquitto, without TLS.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, attempts, next};
use crate::mqtt::{Client, Event, Options, Version};

/// A Mosquitto on a port of its own, killed with its owner.
pub(super) struct Mosquitto {
    pub(super) address: SocketAddr,
    pub(super) folder: TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    pub(super) async fn start(more: &str) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n\
             max_queued_messages 0\n{more}\n",
            address.port()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self {
            address,
            folder,
            child: None,
        };
        broker.again().await;
        broker
    }

    pub(super) async fn again(&mut self) {
        let config = self.folder.path().join("mosquitto.conf");
        let child = Command::new("mosquitto")
            .args([Path::new("-c"), &config])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        self.child = Some(child);
        let up = async {
            while TcpStream::connect(self.address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("mosquitto listens");
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(super) fn options(&self, client_id: &str) -> Options {
        Options {
            attempts: attempts(self.address, None),
            version: Version::V5,
            client_id: client_id.to_owned(),
            filters: vec![],
            keep_alive: Duration::from_secs(10),
            session_life: Duration::from_secs(600),
            retry: (Duration::from_millis(50), Duration::from_millis(400)),
            folder: self.folder.path().to_owned(),
        }
    }

    pub(super) async fn listener(
        &self,
        client_id: &str,
        filter: &str,
    ) -> (Client, Receiver<Event>) {
        let options = Options {
            filters: vec![filter.to_owned()],
            ..self.options(client_id)
        };
        let (client, mut events) = Client::start(options).unwrap();
        assert_eq!(next(&mut events).await, Event::Connected);
        (client, events)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}
