//! ICMP echo to an address in scope, through the system's own unprivileged ping sockets.
//!
//! No capability is needed where the system lets this user's group ping (Linux:
//! `net.ipv4.ping_group_range`; Docker opens it to everyone in the container). Where it does not,
//! that is what is said, and nothing else is tried.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::scope::InScope;

/// How long an echo may take: a printer that wakes up answers after some seconds.
const ECHO_TIMEOUT: Duration = Duration::from_secs(4);

/// Time from one request to the next, as `ping` has it.
const ECHO_EVERY: Duration = Duration::from_secs(1);

/// Octets behind the eight of the header: enough to know our own again.
const PAYLOAD: &[u8] = b"platen echo";

/// Type of an echo request and of its reply, ICMP (RFC 792) and ICMPv6 (RFC 4443).
const V4: (u8, u8) = (8, 0);
const V6: (u8, u8) = (128, 129);

/// Longest reply that is looked at.
const REPLY_BYTES_MAX: usize = 128;

/// Why nobody could be pinged.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// The system gives this user no ping socket.
    #[error(
        "this system does not let the agent send ICMP: its group is not in \
         net.ipv4.ping_group_range"
    )]
    NotAllowed,
    /// The system cannot send there at all.
    #[error("the system cannot ping {address}: {error}")]
    Unsendable {
        /// Whom.
        address: IpAddr,
        /// What it said.
        error: io::Error,
    },
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echoes {
    /// How many were asked for.
    pub sent: u8,
    /// How long each answer took, in the order of the questions; none where there was none.
    pub took: Vec<Option<Duration>>,
}

impl Echoes {
    /// How many answers came.
    #[must_use]
    pub fn received(&self) -> usize {
        self.took.iter().flatten().count()
    }
}

/// Opens an ICMP socket as ping does, and closes it again; nothing is sent.
///
/// # Errors
/// What the system says when it does not allow this.
pub fn probe() -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)).map(drop)
}

/// Asks for an echo `count` times, a second apart. Must be called on a tokio runtime.
///
/// # Errors
/// [`PingError`]; silence is none.
pub async fn ping(target: &InScope, count: u8) -> Result<Echoes, PingError> {
    let address = target.addr().ip();
    let unsendable = |error| PingError::Unsendable { address, error };
    let socket = open(address)?;
    let mut took = Vec::with_capacity(usize::from(count));
    for sequence in 0..count {
        let begun = Instant::now();
        let request = request(address, u16::from(sequence));
        took.push(match socket.send(&request).await {
            Ok(_) => answer(&socket, address, u16::from(sequence), begun).await,
            // A neighbor said that nobody is there: that is an answer about this address.
            Err(error) if is_of_the_way(&error) => None,
            Err(error) => return Err(unsendable(error)),
        });
        if sequence + 1 < count {
            sleep_until(begun + ECHO_EVERY).await;
        }
    }
    Ok(Echoes { sent: count, took })
}

/// Waits for the reply to one request.
async fn answer(
    socket: &UdpSocket,
    address: IpAddr,
    sequence: u16,
    begun: Instant,
) -> Option<Duration> {
    let mut buffer = [0; REPLY_BYTES_MAX];
    loop {
        let received = timeout_at(begun + ECHO_TIMEOUT, socket.recv(&mut buffer));
        match received.await {
            Ok(Ok(size)) if is_reply(&buffer[..size], address, sequence) => {
                return Some(begun.elapsed());
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}

/// Opens a ping socket that hears this one address only.
fn open(address: IpAddr) -> Result<UdpSocket, PingError> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let opened = || {
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::from(std::net::SocketAddr::new(address, 0)))?;
        UdpSocket::from_std(socket.into())
    };
    opened().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => PingError::NotAllowed,
        _ => PingError::Unsendable { address, error },
    })
}

/// An echo request. The system fills in the identifier, and the checksum of ICMPv6.
fn request(address: IpAddr, sequence: u16) -> Vec<u8> {
    let (kind, is_v4) = match address {
        IpAddr::V4(_) => (V4.0, true),
        IpAddr::V6(_) => (V6.0, false),
    };
    let mut octets = vec![kind, 0, 0, 0, 0, 0];
    octets.extend_from_slice(&sequence.to_be_bytes());
    octets.extend_from_slice(PAYLOAD);
    if is_v4 {
        let sum = checksum(&octets);
        octets[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    octets
}

fn is_reply(octets: &[u8], address: IpAddr, sequence: u16) -> bool {
    let kind = match address {
        IpAddr::V4(_) => V4.1,
        IpAddr::V6(_) => V6.1,
    };
    octets.first() == Some(&kind)
        && octets.get(6..8) == Some(&sequence.to_be_bytes())
        && octets.get(8..) == Some(PAYLOAD)
}

/// Whether an error tells of the way to the address, not of this machine.
fn is_of_the_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::ConnectionRefused
    )
}

/// The Internet checksum (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or_default();
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::scope::{Door, Scope};

    #[test]
    fn a_request_is_what_rfc_792_has_and_its_reply_is_known_again() {
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let request = request(address, 3);
        assert_eq!(request[..2], [8, 0]);
        assert_eq!(checksum(&request), 0, "a sum over a sound packet is zero");
        let mut reply = request.clone();
        reply[0] = 0;
        assert!(is_reply(&reply, address, 3));
        assert!(!is_reply(&reply, address, 4), "another question's");
        assert!(!is_reply(&request, address, 3), "a request is no reply");
        assert!(!is_reply(&reply[..10], address, 3), "cut short");
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(super::request(v6, 1)[0], 128);
    }

    /// Either answer is right; which one depends on the system's ping_group_range.
    #[tokio::test]
    async fn loopback_answers_or_the_system_says_no() {
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        let range = "127.0.0.1".parse().unwrap();
        let scope = Scope::new(&[range], &[], &[Door::Icmp]).unwrap();
        let target = scope.admit(address, Door::Icmp).unwrap();
        match ping(&target, 1).await {
            Ok(echoes) => assert_eq!((echoes.sent, echoes.received()), (1, 1)),
            Err(error) => assert!(matches!(error, PingError::NotAllowed), "{error}"),
        }
    }
}
