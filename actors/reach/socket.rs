//! UDP sockets to devices: opened here and nowhere else.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Receive buffer asked for: 1,000 printers answering at once fit. The kernel gives what
/// `net.core.rmem_max` allows.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1_024 * 1_024;

/// Longest datagram there can be.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// ENOBUFS on Linux: the interface's queue is full. `io::ErrorKind` has no name for it.
const ENOBUFS: i32 = 105;

/// How long to wait for a full interface queue. At 1 Gbit/s a queue of 1,000 empties in 1 ms.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(2);

/// How often a full queue is waited out before the send counts as failed: a second in all.
const QUEUE_FULL_WAITS_MAX: u32 = 500;

/// One socket an address family.
#[derive(Debug)]
pub(super) struct Sockets {
    v4: UdpSocket,
    /// Absent where the machine has no IPv6.
    v6: Option<UdpSocket>,
}

/// What it took to send one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    /// How often a full queue had to be waited out.
    pub(super) waits: u32,
}

impl Sockets {
    /// Opens both, on ports that the kernel picks at random.
    pub(super) fn open() -> io::Result<Self> {
        let v4 = open(Domain::IPV4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        let v6 = open(Domain::IPV6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).ok();
        Ok(Self { v4, v6 })
    }

    /// Sends one datagram, waiting out a full queue: nothing is lost silently on this side.
    pub(super) async fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<Sent> {
        let socket = match (to, &self.v6) {
            (SocketAddr::V4(_), _) => &self.v4,
            (SocketAddr::V6(_), Some(v6)) => v6,
            (SocketAddr::V6(_), None) => return Err(io::ErrorKind::NetworkUnreachable.into()),
        };
        unhurried(|| socket.send_to(bytes, to)).await
    }

    /// Waits until something came.
    pub(super) async fn readable(&self) {
        // An error here is an error of the next receive, which sees it too.
        let _ = match &self.v6 {
            Some(v6) => tokio::select! {
                ready = self.v4.readable() => ready,
                ready = v6.readable() => ready,
            },
            None => self.v4.readable().await,
        };
    }

    /// Takes one datagram that has come, if one has.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        // ICMP errors of earlier sends can surface here: they concern one device, which then stays
        // silent, so they are passed over.
        [Some(&self.v4), self.v6.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|socket| match socket.try_recv_from(buffer) {
                Ok((size, from)) => Some((size, from)),
                Err(_) => None,
            })
    }
}

/// Sends by `send`, waiting out a full queue.
pub(super) async fn unhurried<F>(send: impl Fn() -> F) -> io::Result<Sent>
where
    F: Future<Output = io::Result<usize>>,
{
    for waits in 0..QUEUE_FULL_WAITS_MAX {
        match send().await {
            Ok(_) => return Ok(Sent { waits }),
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                tokio::time::sleep(QUEUE_FULL_WAIT).await;
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(ENOBUFS))
}

/// A socket that hears this peer and nobody else.
pub(super) fn connected(local: SocketAddr, peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    socket.connect(&peer.into())?;
    UdpSocket::from_std(socket.into())
}

fn open(domain: Domain, local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    // A smaller buffer than asked for is what the kernel allows: the in-flight cap still holds.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    UdpSocket::from_std(socket.into())
}
