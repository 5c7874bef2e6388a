//! What all tunnels share: a thread of their own, SNMP on it, and the room for what waits.
//!
//! A bulk transfer keeps a thread busy. It is not the one on which devices are read, and the pace
//! of the readings is not used up by asking who answers before each connection.

use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::behind::step_back;
use crate::reach::snmp::{Snmp, SnmpSettings};

/// Octets that may wait for devices, of all sessions together.
const ROOM_BYTES: usize = 24 * 1024 * 1024;

/// Octets of devices that may wait for the gateway, of all sessions together.
const LOAD_BYTES: usize = 16 * 1024 * 1024;

/// Octets that are taken from devices at once, of all sessions together: each has its share, the
/// most that is of use if they are eight or fewer.
const PORTIONS_BYTES: usize = 512 * 1024;

/// Least octets that are taken from a device at once.
const PORTION_BYTES_MIN: usize = 4 * 1024;

/// Most octets that are taken from a device at once: one packet of the hub's gateway, two of an
/// sshd. One octet more would be a packet of its own.
const PORTION_BYTES_MAX: usize = 65_535;

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

/// What of devices waits for the gateway, and how many sessions share the room for it.
#[derive(Debug, Clone)]
pub(super) struct Load {
    room: Room,
    /// One for each session that stands.
    sessions: Weak<()>,
}

impl Load {
    /// How many octets to take from a device at once: many from one, few from each of many.
    pub(super) fn portion(&self) -> usize {
        let sessions = self.sessions.weak_count().max(1);
        (PORTIONS_BYTES / sessions).clamp(PORTION_BYTES_MIN, PORTION_BYTES_MAX)
    }

    /// Whether the link must have written one portion before it is given the next: the SSH library
    /// takes more than it can send, up to eleven of them, and keeps the memory for as long as the
    /// session stands. That is a fifth faster, and too much where many stand.
    pub(super) fn is_crowded(&self) -> bool {
        self.portion() < PORTION_BYTES_MAX
    }

    /// Waits for room.
    pub(super) async fn take(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        self.room.take(octets).await
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
        arbiter.spawn_fn(step_back);
        let ways = Ways {
            thread: arbiter.handle(),
            snmp: Arc::default(),
            room: Room::of(ROOM_BYTES),
            load: Room::of(LOAD_BYTES),
            sessions: Arc::default(),
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
    sessions: Arc<()>,
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

    /// The place of one more session for what of its device waits for the gateway.
    pub(super) fn load(&self) -> Load {
        Load {
            room: self.load.clone(),
            sessions: Arc::downgrade(&self.sessions),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn the_more_sessions_stand_the_less_each_takes_at_once() {
        let workshop = Workshop::open().expect("a thread");
        let ways = workshop.ways();
        let only = ways.load();
        assert_eq!(only.portion(), PORTION_BYTES_MAX);
        assert!(!only.is_crowded());
        let crowd: Vec<Load> = (1..100).map(|_| ways.load()).collect();
        assert_eq!(only.portion(), PORTIONS_BYTES / 100);
        assert!(only.is_crowded());
        let many: Vec<Load> = (0..2_000).map(|_| ways.load()).collect();
        assert_eq!(only.portion(), PORTION_BYTES_MIN);
        drop((crowd, many));
        assert_eq!(only.portion(), PORTION_BYTES_MAX);
    }
}
