//! UDP sockets that are each connected to one device.
//!
//! A connected socket hears its device and nobody else, and the system does not list it among
//! those that listen. A few are kept between two questions, so that a device sees one port and a
//! late answer finds its socket.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;

use super::socket::{Line, Sent, is_full};

/// Fewest sockets that are kept while nobody asks: more only where more questions may be out at once,
/// since each device is asked several in a row.
const IDLE_LEAST: usize = 64;

/// The sockets that wait for their next question.
#[derive(Debug)]
pub(super) struct Lines {
    idle: Mutex<HashMap<SocketAddr, Line>>,
    idle_max: usize,
    /// Where the sockets are watched, whoever asks.
    runtime: Handle,
}

impl Lines {
    /// No socket yet, for so many questions at once. Must be called on the runtime that shall watch
    /// the sockets.
    pub(super) fn new(in_flight_max: usize) -> Self {
        Self {
            idle: Mutex::default(),
            idle_max: in_flight_max.max(IDLE_LEAST),
            runtime: Handle::current(),
        }
    }

    /// A socket to this device, for one question at a time.
    pub(super) fn take(&self, peer: SocketAddr) -> io::Result<Line> {
        if let Some(line) = self.idle().remove(&peer) {
            return Ok(line);
        }
        let _watched_there = self.runtime.enter();
        Line::to(peer)
    }

    /// Keeps a socket for the next question; where there is no room, any other goes.
    pub(super) fn keep(&self, peer: SocketAddr, line: Line) {
        let mut idle = self.idle();
        let other = (idle.len() >= self.idle_max).then(|| idle.keys().next().copied());
        // Closed once nobody waits for the others.
        let _closed = other.flatten().and_then(|other| idle.remove(&other));
        idle.insert(peer, line);
        drop(idle);
    }

    /// Where the sockets are watched.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends one datagram to the device of a socket.
pub(super) async fn send(line: &Line, bytes: &[u8]) -> io::Result<Sent> {
    // An ICMP error that an earlier datagram brought (refused, no such host, prohibited) is told at
    // the next send, once: it says nothing about this one, whose own error comes again.
    match line.send(bytes).await {
        Err(error) if !is_full(&error) => line.send(bytes).await,
        sent => sent,
    }
}
