//! UDP sockets that are each connected to one device, and how to send where a queue is full.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UdpSocket;

/// Longest datagram there can be.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// ENOBUFS on Linux: the interface's queue is full. `io::ErrorKind` has no name for it.
pub(super) const ENOBUFS: i32 = 105;

/// How long to wait for a full interface queue. At 1 Gbit/s a queue of 1,000 empties in 1 ms.
pub(super) const QUEUE_FULL_WAIT: Duration = Duration::from_millis(2);

/// How often a full queue is waited out before the send counts as failed: a second in all.
const QUEUE_FULL_WAITS_MAX: u32 = 500;

/// Datagrams looked at in a row before others have their turn: to decode one takes tens of
/// microseconds, and a socket may be full of what a device repeats.
const LOOKED_AT_MAX: u32 = 16;

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

/// A socket that hears its peer and nobody else. Only what comes is watched: each packet that has left
/// would be told, too.
#[derive(Debug)]
pub(super) struct Line(AsyncFd<std::net::UdpSocket>);

impl Line {
    /// Connects to a peer, from whatever address and port the system takes. Must be called on the runtime
    /// that shall watch it.
    pub(super) fn to(peer: SocketAddr) -> io::Result<Self> {
        let socket = unwatched(peer)?.into();
        #[expect(
            deprecated,
            reason = "sound for a socket of the standard library, whose descriptor stays the same; the \
                      form that is not deprecated is unsafe to call"
        )]
        let watched = AsyncFd::with_interest(socket, Interest::READABLE);
        watched.map(Self)
    }

    /// Connects to another peer, again from whatever address and port the system takes: cheaper than a new
    /// socket. None where that fails, or where something of the last peer is left unread.
    pub(super) fn turned_to(self, peer: SocketAddr) -> Option<Self> {
        let socket = self.0.get_ref();
        // From here until it is connected the socket has no port: nothing comes meanwhile.
        rustix::net::connect_unspec(socket).ok()?;
        let left = SEEN.with_borrow_mut(|buffer| socket.recv(buffer));
        let is_empty = left.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        (is_empty && socket.connect(peer).is_ok()).then_some(self)
    }

    /// Sends a datagram, waiting out a full queue: the interface's, or its own.
    pub(super) async fn send(&self, bytes: &[u8]) -> io::Result<Sent> {
        let mut waits = 0;
        loop {
            match self.0.get_ref().send(bytes) {
                Ok(_) => return Ok(Sent { waits }),
                Err(error) if is_full(&error) && waits < QUEUE_FULL_WAITS_MAX => {
                    tokio::time::sleep(QUEUE_FULL_WAIT).await;
                    waits += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for datagrams until one means something to `look`.
    pub(super) async fn heard<T>(&self, mut look: impl FnMut(&[u8]) -> Option<T>) -> T {
        let mut looked_at = 0_u32;
        loop {
            if looked_at == LOOKED_AT_MAX {
                looked_at = 0;
                tokio::task::yield_now().await;
            }
            looked_at += 1;
            let Ok(mut ready) = self.0.readable().await else {
                continue;
            };
            let seen = SEEN.with_borrow_mut(|buffer| {
                // An ICMP error is told once for each datagram: the device may answer all the same.
                let received = ready.try_io(|line| line.get_ref().recv(buffer));
                let size_bytes = received.ok()?.ok()?;
                look(buffer.get(..size_bytes)?)
            });
            // Whatever is left makes no new event of its own, nor does what comes while it is left: the
            // socket stays ready until it was found empty.
            if let Some(seen) = seen {
                return seen;
            }
        }
    }
}

/// Whether a datagram could not be sent for want of room.
pub(super) fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ENOBUFS) || error.kind() == io::ErrorKind::WouldBlock
}

/// A socket that hears this peer and nobody else.
pub(super) fn connected(peer: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::from_std(unwatched(peer)?.into())
}

fn unwatched(peer: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.connect(&peer.into())?;
    Ok(socket)
}

/// Asks for room for what comes. More than `net.core.rmem_max` takes CAP_NET_ADMIN; a smaller
/// buffer than asked for is what the kernel allows.
pub(super) fn make_room(socket: &Socket, bytes: usize) {
    if nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::RcvBufForce, &bytes).is_err()
    {
        let _ = socket.set_recv_buffer_size(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::{LocalSet, yield_now};

    use super::*;

    /// Datagrams of some octets, fewer than the smallest receive buffer holds.
    const REPEATED: u32 = 100;

    /// Two devices, and a socket that is connected to the first.
    async fn devices() -> (UdpSocket, UdpSocket, Line) {
        let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let line = Line::to(one.local_addr().unwrap()).unwrap();
        (one, other, line)
    }

    fn local(line: &Line) -> SocketAddr {
        line.0.get_ref().local_addr().unwrap()
    }

    #[tokio::test]
    async fn a_socket_that_is_turned_to_another_device_hears_that_one_alone() {
        let (one, other, line) = devices().await;
        let before = local(&line);
        let line = line.turned_to(other.local_addr().unwrap()).unwrap();
        // Nobody listens where it was, which is told at the second send at the latest.
        let _ = one.send_to(b"late", before).await;
        let _ = one.send_to(b"from elsewhere", local(&line)).await;
        other.send_to(b"answer", local(&line)).await.unwrap();
        let first = line.heard(|octets| Some(octets.to_vec())).await;
        assert_eq!(first, b"answer");
    }

    #[tokio::test]
    async fn a_socket_that_holds_something_unread_goes_to_nobody_else() {
        let (one, other, line) = devices().await;
        one.send_to(b"late", local(&line)).await.unwrap();
        assert!(line.turned_to(other.local_addr().unwrap()).is_none());
    }

    #[tokio::test]
    async fn what_lies_before_an_answer_is_looked_at_first() {
        let (one, _other, line) = devices().await;
        let mut heard = Vec::new();
        for octets in [&b"first"[..], b"left over"] {
            one.send_to(octets, local(&line)).await.unwrap();
        }
        line.heard(|octets| (octets == b"first").then_some(()))
            .await;
        one.send_to(b"second", local(&line)).await.unwrap();
        line.heard(|octets| {
            heard.push(octets.to_vec());
            (octets == b"second").then_some(())
        })
        .await;
        assert_eq!(heard, [&b"left over"[..], b"second"]);
    }

    #[tokio::test]
    async fn who_repeats_itself_leaves_others_their_turn() {
        let device = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let line = Line::to(device.local_addr().unwrap()).unwrap();
        let here = line.0.get_ref().local_addr().unwrap();
        for _copy in 0..REPEATED {
            device.send_to(b"again", here).unwrap();
        }
        let turns = Rc::new(Cell::new(0_u32));
        let others = turns.clone();
        let local = LocalSet::new();
        local.spawn_local(async move {
            loop {
                others.set(others.get() + 1);
                yield_now().await;
            }
        });
        let mut seen = Vec::new();
        let heard = line.heard(|_| {
            seen.push(turns.get());
            (seen.len() == REPEATED as usize).then_some(())
        });
        local.run_until(heard).await;
        let between = seen.last().unwrap() - seen[0];
        assert!(between >= REPEATED / LOOKED_AT_MAX - 1, "{between} turns");
    }
}
