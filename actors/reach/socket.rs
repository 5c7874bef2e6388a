//! UDP sockets that are each connected to one device, and how to send where a queue is full.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Longest datagram there can be.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// ENOBUFS on Linux: the interface's queue is full. `io::ErrorKind` has no name for it.
pub(super) const ENOBUFS: i32 = 105;

/// How long to wait for a full interface queue. At 1 Gbit/s a queue of 1,000 empties in 1 ms.
pub(super) const QUEUE_FULL_WAIT: Duration = Duration::from_millis(2);

/// How often a full queue is waited out before the send counts as failed: a second in all.
const QUEUE_FULL_WAITS_MAX: u32 = 500;

/// What it took to send one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    /// How often a full queue had to be waited out.
    pub(super) waits: u32,
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

/// Asks for room for what comes. More than `net.core.rmem_max` takes CAP_NET_ADMIN; a smaller
/// buffer than asked for is what the kernel allows.
pub(super) fn make_room(socket: &Socket, bytes: usize) {
    if nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::RcvBufForce, &bytes).is_err()
    {
        let _ = socket.set_recv_buffer_size(bytes);
    }
}
