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

    /// A socket to this device, for one question at a time. Where no more may be kept, one of another
    /// device becomes one of this.
    pub(super) fn take(&self, peer: SocketAddr) -> io::Result<Line> {
        let mut idle = self.idle();
        if let Some(line) = idle.remove(&peer) {
            return Ok(line);
        }
        let other = self.one_too_many(&mut idle, |it| it.is_ipv4() == peer.is_ipv4());
        drop(idle);
        if let Some(line) = other.and_then(|other| other.turned_to(peer)) {
            return Ok(line);
        }
        let _watched_there = self.runtime.enter();
        Line::to(peer)
    }

    /// Keeps a socket for the next question; where there is no room, any other goes.
    pub(super) fn keep(&self, peer: SocketAddr, line: Line) {
        let mut idle = self.idle();
        // Closed once nobody waits for the others.
        let _closed = self.one_too_many(&mut idle, |_| true);
        idle.insert(peer, line);
        drop(idle);
    }

    /// Takes out any socket of such a peer, where as many are kept as may be.
    fn one_too_many(
        &self,
        idle: &mut HashMap<SocketAddr, Line>,
        is_such: impl Fn(&SocketAddr) -> bool,
    ) -> Option<Line> {
        let is_full = idle.len() >= self.idle_max;
        let any = is_full.then(|| idle.keys().next().copied()).flatten();
        idle.remove(&any.filter(is_such)?)
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

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn no_more_sockets_are_kept_than_may_be_and_each_hears_whose_it_is() {
        let lines = Lines::new(1);
        let device = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = device.local_addr().unwrap();
        for port in 1..=u16::try_from(3 * IDLE_LEAST).unwrap() {
            let other = SocketAddr::from(([127, 0, 0, 1], port));
            lines.keep(other, lines.take(other).unwrap());
            assert!(lines.idle().len() <= IDLE_LEAST);
        }
        let line = lines.take(addr).unwrap();
        assert_eq!(lines.idle().len(), IDLE_LEAST - 1, "one of them is it now");
        send(&line, b"question").await.unwrap();
        let mut octets = [0; 8];
        let (_, from) = device.recv_from(&mut octets).await.unwrap();
        device.send_to(b"answer", from).await.unwrap();
        let heard = line.heard(|octets| Some(octets.to_vec())).await;
        assert_eq!(heard, b"answer");
    }
}
