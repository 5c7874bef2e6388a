//! Many datagrams in one system call: how a sweep sends its probes and takes its answers.
//!
//! The effect alone: what is in a datagram, and whom to believe, is for `sweep.rs`. Requests are
//! built one after the other in one buffer, and nothing is allocated for a single packet.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::socket::{
    self, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, getsockopt,
    setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::scope::InScope;
use super::second::Second;
use super::socket::{self as single, DATAGRAM_BYTES_MAX, ENOBUFS, QUEUE_FULL_WAIT};

/// Datagrams taken with one system call. The room for each is that of the longest there can be, of
/// which the system gives memory only where one was that long.
const TAKEN_AT_ONCE: usize = 64;

/// System calls in a row that take answers before requests are sent again.
const CALLS_IN_A_ROW: usize = 4;

/// What the kernel charges a receive buffer for an answer of a few hundred octets: 1,280 and, for
/// one that is longer than 500 octets, 2,304 (Linux 6, `truesize`). The buffer that is asked for is
/// doubled by the kernel.
const ROOM_PER_ANSWER_BYTES: usize = 1_152;

/// Smallest receive buffer asked for: some 200 answers.
const RECEIVE_BUFFER_BYTES_MIN: usize = 256 * 1_024;

/// Largest receive buffer asked for: some 14,000 answers, which a 2-core machine reads in 50 ms.
const RECEIVE_BUFFER_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Send buffer asked for: what waits for an answer by ARP counts against it, up to three seconds.
/// The usual table of neighbors holds 1,024 such packets, for each of which the kernel charges some
/// 1,280 octets.
const SEND_BUFFER_BYTES: usize = 2 * 1_024 * 1_024;

/// Requests from which on a second thread sends half of them: the kernel takes some 6 µs for each, and
/// to wake a thread some 50.
const SHARED_MIN: usize = 128;

/// How often a full queue is waited out in a row before its packet counts as refused: a second.
const QUEUE_FULL_WAITS_MAX: u32 = 500;

/// Requests that go together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where each request ends in `bytes`.
    ends: Vec<usize>,
    targets: Vec<Option<SockaddrStorage>>,
    are_v6: Vec<bool>,
}

impl Batch {
    /// Adds a request, which `write` appends to the buffer.
    pub(super) fn push(&mut self, to: InScope, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        self.targets.push(Some(SockaddrStorage::from(to.addr())));
        self.are_v6.push(to.addr().is_ipv6());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.targets.clear();
        self.are_v6.clear();
    }

    /// Takes the requests from this one on away, as a batch of their own.
    fn split_off(&mut self, at: usize) -> Self {
        let from = self.start(at);
        let mut ends = self.ends.split_off(at);
        ends.iter_mut().for_each(|end| *end -= from);
        Self {
            bytes: self.bytes.split_off(from),
            ends,
            targets: self.targets.split_off(at),
            are_v6: self.are_v6.split_off(at),
        }
    }

    /// Adds the requests of another batch.
    fn append(&mut self, other: Self) {
        let from = self.bytes.len();
        self.bytes.extend(other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end + from));
        self.targets.extend(other.targets);
        self.are_v6.extend(other.are_v6);
    }

    /// Sends what the system takes without waiting, on the sockets of both families, and tells how
    /// many from the beginning that were.
    pub(super) fn send_at_once(&self, fds: [Option<RawFd>; 2]) -> usize {
        let mut at = 0;
        while at < self.len() {
            let Some(fd) = fds[usize::from(self.are_v6[at])] else {
                break;
            };
            match self.transmit(fd, at..self.family_end(at)) {
                Ok(count) => at += count,
                Err(_) => break,
            }
        }
        at
    }

    /// Where the requests of one address family that begin at `at` end.
    fn family_end(&self, at: usize) -> usize {
        let is_v6 = self.are_v6[at];
        let same = self.are_v6[at..].iter().take_while(|it| **it == is_v6);
        at + same.count()
    }

    /// Where a request begins in `bytes`.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn octets(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.ends[index]]
    }

    /// Sends as many of these as the system takes now; at least one, or why not.
    fn transmit(&self, fd: RawFd, range: Range<usize>) -> io::Result<usize> {
        let slices: Vec<[IoSlice<'_>; 1]> = range
            .clone()
            .map(|index| [IoSlice::new(self.octets(index))])
            .collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(range.len(), None);
        let none: [ControlMessage<'_>; 0] = [];
        let sent = socket::sendmmsg(
            fd,
            &mut headers,
            &slices,
            &self.targets[range],
            none,
            MsgFlags::MSG_DONTWAIT,
        )?;
        Ok(sent.count())
    }
}

/// What it took to send a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// How often a full queue had to be waited out.
    pub(super) waits: u64,
    /// What the system refused to send, as where no route leads.
    pub(super) refused: u64,
}

impl Sent {
    /// Notes requests that went.
    fn note(&mut self, batch: &Batch, range: Range<usize>) {
        self.packets += u64::try_from(range.len()).unwrap_or(0);
        let octets = range.map(|index| batch.octets(index).len());
        self.bytes += u64::try_from(octets.sum::<usize>()).unwrap_or(0);
    }
}

/// One socket an address family.
#[derive(Debug)]
pub(super) struct Sockets {
    v4: UdpSocket,
    /// Absent where the machine has no IPv6.
    v6: Option<UdpSocket>,
    buffer: Vec<u8>,
    /// Answers that the kernel dropped, by socket, as it counts them.
    dropped: [u32; 2],
    /// Answers for which there is room.
    room: u32,
    /// Sends half of what is much, once there was much.
    second: Option<Second>,
}

impl Sockets {
    /// Opens both, on ports that the kernel picks at random, with room for so many answers at
    /// once. Must be called on the runtime that shall watch them.
    pub(super) fn open(in_flight: u64) -> io::Result<Self> {
        let room = usize::try_from(in_flight)
            .unwrap_or(usize::MAX)
            .saturating_mul(ROOM_PER_ANSWER_BYTES)
            .clamp(RECEIVE_BUFFER_BYTES_MIN, RECEIVE_BUFFER_BYTES_MAX);
        let v4 = open(
            Domain::IPV4,
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            room,
        )?;
        let any_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let v6 = open(Domain::IPV6, any_v6, room).ok();
        // Twice what may be used, as the kernel tells it.
        let given = getsockopt(&v4, sockopt::RcvBuf).unwrap_or(0) / 2;
        Ok(Self {
            v4,
            v6,
            buffer: vec![0; TAKEN_AT_ONCE * DATAGRAM_BYTES_MAX],
            dropped: [0; 2],
            room: u32::try_from(given / ROOM_PER_ANSWER_BYTES).unwrap_or(u32::MAX),
            second: None,
        })
    }

    /// Answers that may come between two takes.
    pub(super) fn room(&self) -> u32 {
        self.room
    }

    /// Sends a batch, waiting out a full queue: nothing is lost silently on this side. Half of a long one
    /// is sent by a second thread, and is no longer in it.
    pub(super) async fn send(&mut self, batch: &mut Batch) -> Sent {
        let mut sent = Sent::default();
        let given = self.give_half(batch);
        self.send_patiently(batch, 0, &mut sent).await;
        if given > 0 {
            match self.second.as_ref().and_then(Second::take) {
                Some((half, gone)) => {
                    sent.note(&half, 0..gone);
                    self.send_patiently(&half, gone, &mut sent).await;
                }
                // The thread is gone, and with it what it was given.
                None => sent.refused += u64::try_from(given).unwrap_or(0),
            }
        }
        sent
    }

    /// Gives half of a long batch to the second thread, and tells how many requests that are.
    fn give_half(&mut self, batch: &mut Batch) -> usize {
        if batch.len() < SHARED_MIN {
            return 0;
        }
        if self.second.is_none() {
            let v6 = self.v6.as_ref().map(AsFd::as_fd);
            self.second = Second::start([Some(self.v4.as_fd()), v6]);
        }
        let Some(second) = &self.second else {
            return 0;
        };
        let half = batch.split_off(batch.len() / 2);
        let given = half.len();
        match second.give(half) {
            Ok(()) => given,
            Err(refused) => {
                batch.append(refused);
                0
            }
        }
    }

    async fn send_patiently(&self, batch: &Batch, from: usize, sent: &mut Sent) {
        let (mut at, mut waits) = (from, 0);
        while at < batch.len() {
            let end = batch.family_end(at);
            let Some(socket) = self.of_family(batch.are_v6[at]) else {
                sent.refused += u64::try_from(end - at).unwrap_or(0);
                at = end;
                continue;
            };
            let transmit = || batch.transmit(socket.as_raw_fd(), at..end);
            match socket.try_io(Interest::WRITABLE, transmit) {
                Ok(count) => {
                    sent.note(batch, at..at + count);
                    (at, waits) = (at + count, 0);
                }
                Err(error) if is_full(&error) && waits < QUEUE_FULL_WAITS_MAX => {
                    (sent.waits, waits) = (sent.waits + 1, waits + 1);
                    wait_for_room(socket, &error).await;
                }
                // No route, or none that we may use: it is the first one's error, and its alone.
                Err(_) => (sent.refused, at, waits) = (sent.refused + 1, at + 1, 0),
            }
        }
    }

    fn of_family(&self, is_v6: bool) -> Option<&UdpSocket> {
        if is_v6 {
            self.v6.as_ref()
        } else {
            Some(&self.v4)
        }
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

    /// Takes what has come, up to some hundreds of datagrams.
    pub(super) fn receive(&mut self, mut each: impl FnMut(&[u8], SocketAddr)) {
        let Self {
            v4,
            v6,
            buffer,
            dropped,
            ..
        } = self;
        let sockets = [Some(&*v4), v6.as_ref()];
        for (socket, dropped) in sockets.into_iter().zip(dropped) {
            let Some(socket) = socket else { continue };
            for _ in 0..CALLS_IN_A_ROW {
                let take = || take(socket.as_raw_fd(), buffer, dropped, &mut each);
                // ICMP errors of earlier sends can surface here: they concern one device, which
                // then stays silent, so they are passed over.
                match socket.try_io(Interest::READABLE, take) {
                    Ok(count) if count == TAKEN_AT_ONCE => {}
                    Ok(_) | Err(_) => break,
                }
            }
        }
    }

    /// Answers that came to this machine and were dropped, since nobody took them in time.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Takes datagrams with one system call, and tells how many.
fn take(
    fd: RawFd,
    buffer: &mut [u8],
    dropped: &mut u32,
    each: &mut impl FnMut(&[u8], SocketAddr),
) -> io::Result<usize> {
    let room = nix::cmsg_space!(u32);
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(TAKEN_AT_ONCE, Some(room));
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffer
        .chunks_mut(DATAGRAM_BYTES_MAX)
        .map(|chunk| [IoSliceMut::new(chunk)])
        .collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    let heard = socket::recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None)?;
    let mut count = 0;
    for datagram in heard {
        count += 1;
        for message in datagram.cmsgs()? {
            if let ControlMessageOwned::RxqOvfl(so_far) = message {
                *dropped = so_far;
            }
        }
        if let Some(from) = datagram.address.as_ref().and_then(plain) {
            each(datagram.iovs().next().unwrap_or(&[]), from);
        }
    }
    Ok(count)
}

fn plain(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|it| SocketAddr::V4(SocketAddrV4::from(*it)));
    let v6 = || {
        address
            .as_sockaddr_in6()
            .map(|it| SocketAddr::V6(SocketAddrV6::from(*it)))
    };
    v4.or_else(v6)
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(ENOBUFS)
}

/// Waits until a socket takes more, or the queue of its interface may.
async fn wait_for_room(socket: &UdpSocket, error: &io::Error) {
    if error.kind() == io::ErrorKind::WouldBlock {
        // Whatever this says, the next attempt tells.
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.writable()).await;
    } else {
        tokio::time::sleep(QUEUE_FULL_WAIT).await;
    }
}

fn open(domain: Domain, local: SocketAddr, room: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    single::make_room(&socket, room);
    if setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER_BYTES).is_err() {
        // What the kernel allows; then a wide link takes longer, and loses nothing.
        let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    }
    if domain == Domain::IPV4 {
        // The kernel draws no number for a datagram that says it may not be cut, and drawing one costs
        // it as much as looking up the route. Unlike `DO`, `PROBE` believes no small MTU that a forged
        // ICMP message tells.
        let whole = rustix::net::sockopt::Ipv4PathMtuDiscovery::PROBE;
        let _ = rustix::net::sockopt::set_ip_mtu_discover(&socket, whole);
    }
    // A kernel that does not count drops has them all the same; the other rounds make up for them.
    let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::range::AddressRange;
    use crate::reach::scope::{Door, Scope};

    #[tokio::test]
    async fn a_batch_reaches_each_with_its_own_octets() {
        let ears: Vec<UdpSocket> = [(1, "127.89.0.1:0"), (2, "127.89.0.2:0")]
            .map(|(_, at)| std::net::UdpSocket::bind(at).unwrap())
            .map(|ear| {
                ear.set_nonblocking(true).unwrap();
                UdpSocket::from_std(ear).unwrap()
            })
            .into();
        let mut batch = Batch::default();
        for (ear, text) in ears.iter().zip(["one", "and two"]) {
            batch.push(target(ear.local_addr().unwrap()), |bytes| {
                bytes.extend_from_slice(text.as_bytes());
            });
        }
        let mut sockets = Sockets::open(2).unwrap();
        let sent = sockets.send(&mut batch).await;
        assert_eq!((sent.packets, sent.bytes, sent.refused), (2, 10, 0));
        for (ear, text) in ears.iter().zip(["one", "and two"]) {
            let mut octets = [0; 16];
            let (size, from) = ear.recv_from(&mut octets).await.unwrap();
            assert_eq!(&octets[..size], text.as_bytes());
            ear.send_to(&octets[..size], from).await.unwrap();
        }
        let mut heard = Vec::new();
        while heard.len() < 2 {
            sockets.readable().await;
            sockets.receive(|octets, from| heard.push((from, octets.to_vec())));
        }
        heard.sort();
        assert_eq!(heard[0], (ears[0].local_addr().unwrap(), b"one".to_vec()));
        assert_eq!(heard[1].1, b"and two");
    }

    #[tokio::test]
    async fn two_threads_send_each_request_once_to_whom_it_is_for() {
        let ears: Vec<std::net::UdpSocket> = (1..=3)
            .map(|host| std::net::UdpSocket::bind(format!("127.89.1.{host}:0")).unwrap())
            .collect();
        let mut batch = Batch::default();
        let count = SHARED_MIN + 1;
        for number in 0..count {
            let ear = &ears[number % ears.len()];
            batch.push(target(ear.local_addr().unwrap()), |bytes| {
                bytes.extend_from_slice(format!("number {number}").as_bytes());
            });
        }
        let mut sockets = Sockets::open(2).unwrap();
        let sent = sockets.send(&mut batch).await;
        assert!(sockets.second.is_some());
        // One that is short afterwards waits for nobody.
        assert_eq!(sockets.send(&mut Batch::default()).await, Sent::default());
        assert_eq!(
            (sent.packets, sent.refused),
            (u64::try_from(count).unwrap(), 0)
        );
        let mut heard = std::collections::BTreeSet::new();
        for (index, ear) in ears.iter().enumerate() {
            let mut octets = [0; 16];
            for _ in (index..count).step_by(ears.len()) {
                let size = ear.recv(&mut octets).unwrap();
                heard.insert(String::from_utf8_lossy(&octets[..size]).into_owned());
            }
        }
        let expected = (0..count).map(|number| format!("number {number}"));
        assert_eq!(heard, expected.collect());
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_are_counted() {
        let mut sockets = Sockets::open(1).unwrap();
        let port = sockets.v4.local_addr().unwrap().port();
        let flood = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = 4_000;
        for _ in 0..sent {
            flood.send_to(&[0; 600], ("127.0.0.1", port)).unwrap();
        }
        let mut heard = 0;
        let mut takes = 0;
        while heard + sockets.dropped() < sent && takes < sent {
            sockets.receive(|_, _| heard += 1);
            takes += 1;
            // The count comes with the next datagram that finds room.
            flood.send_to(&[1], ("127.0.0.1", port)).unwrap();
            tokio::task::yield_now().await;
        }
        assert!(sockets.dropped() > 0, "{heard} heard");
        assert!(heard + sockets.dropped() >= sent, "{heard} heard");
    }

    fn target(at: SocketAddr) -> InScope {
        let door = Door::Snmp { port: at.port() };
        let range: AddressRange = at.ip().to_string().parse().unwrap();
        let scope = Scope::new(&[range], &[], &[door]).unwrap();
        scope.admit(at.ip(), door).unwrap()
    }
}
