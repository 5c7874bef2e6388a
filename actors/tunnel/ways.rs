//! What all tunnels share: a thread of their own, SNMP on it, and the room for what waits.
//!
//! A bulk transfer keeps a thread busy. It is not the one on which devices are read, and the pace
//! of the readings is not used up by asking who answers before each connection.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::reach::snmp::{Snmp, SnmpSettings};

/// Octets that may wait for devices, of all sessions together.
const ROOM_BYTES: usize = 24 * 1024 * 1024;

/// Octets of devices that may wait for the gateway, of all sessions together.
const LOAD_BYTES: usize = 16 * 1024 * 1024;

/// How who answers is asked: a person waits for it.
const ASKING: SnmpSettings = SnmpSettings {
    timeout: Duration::from_secs(1),
    retries: 1,
    in_flight_max: 64,
    // One question before each connection, of which a session has 32 at most.
    packets_per_second_max: 1_000,
};

/// Room for octets that wait.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn of(octets: usize) -> Self {
        Self(Arc::new(Semaphore::new(octets)))
    }

    /// Waits for a part of it.
    pub(super) async fn take(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        self.0.clone().acquire_many_owned(octets).await.ok()
    }
}

/// The thread of the tunnels. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Workshop {
    arbiter: Arbiter,
    ways: Ways,
}

impl Workshop {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(crate) fn open() -> io::Result<Self> {
        let arbiter = Arbiter::try_new()?;
        let ways = Ways {
            thread: arbiter.handle(),
            snmp: Arc::default(),
            room: Room::of(ROOM_BYTES),
            load: Room::of(LOAD_BYTES),
        };
        Ok(Self { arbiter, ways })
    }

    /// What a tunnel uses.
    pub(crate) fn ways(&self) -> Ways {
        self.ways.clone()
    }

    /// Whether the thread lives.
    pub(crate) fn is_open(&self) -> bool {
        self.ways.thread.alive()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}

/// What a tunnel uses. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ways {
    thread: ArbiterHandle,
    snmp: Arc<OnceLock<Snmp>>,
    room: Room,
    load: Room,
}

impl Ways {
    /// The thread.
    pub(super) fn thread(&self) -> ArbiterHandle {
        self.thread.clone()
    }

    /// Room for what waits for devices.
    pub(super) fn room(&self) -> Room {
        self.room.clone()
    }

    /// Room for what of devices waits for the gateway.
    pub(super) fn load(&self) -> Room {
        self.load.clone()
    }

    /// The way to ask devices. Must be called on the thread, which watches its sockets.
    ///
    /// # Errors
    /// No socket can be opened.
    pub(super) fn snmp(&self) -> io::Result<Snmp> {
        if let Some(snmp) = self.snmp.get() {
            return Ok(snmp.clone());
        }
        let snmp = Snmp::open(ASKING)?;
        Ok(self.snmp.get_or_init(|| snmp).clone())
    }
}
