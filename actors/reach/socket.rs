//! UDP sockets that are each connected to one device, and how to send where a queue is full.

use std::cell::RefCell;
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

thread_local! {
    /// Where a datagram lies while it is looked at: one a thread, since nobody waits meanwhile, and
    /// a device that is waited for costs no buffer.
    static SEEN: RefCell<Vec<u8>> = RefCell::new(vec![0; DATAGRAM_BYTES_MAX]);
}

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

/// Waits for datagrams until one means something to `look`.
pub(super) async fn heard<T>(line: &UdpSocket, mut look: impl FnMut(&[u8]) -> Option<T>) -> T {
    loop {
        // An ICMP error is told once for each datagram: the device may answer all the same.
        if line.readable().await.is_err() {
            continue;
        }
        let seen = SEEN.with_borrow_mut(|buffer| {
            let size_bytes = line.try_recv(buffer).ok()?;
            look(buffer.get(..size_bytes)?)
        });
        if let Some(seen) = seen {
            return seen;
        }
    }
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
