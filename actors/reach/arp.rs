//! Who has an address on the machine's own link, asked by ARP (RFC 826) past the kernel's table of
//! neighbors.
//!
//! Needs CAP_NET_RAW. Where that is missing, [`Arp::open`] says so and a sweep is paced instead.
//! Only the packets are ours: whom to ask, and how fast, is for `own.rs`.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{self, LinkAddr, MsgFlags};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::scope::InScope;
use super::socket::make_room;

/// The EtherType of ARP (RFC 826).
const ETHERTYPE: u16 = 0x0806;

/// Octets of a request: the Ethernet header, and ARP for IPv4.
const FRAME_BYTES: usize = 42;

/// Octets of an answer that are looked at; what is padded behind them says nothing.
const ANSWER_BYTES_MAX: usize = 128;

/// Where the fields stand in a frame (RFC 826, RFC 894).
const OPERATION_AT: usize = 20;
const SENDER_ADDRESS_AT: usize = 28;

/// ARP for Ethernet and IPv4, a request: hardware 1, protocol 0x0800, lengths 6 and 4, operation 1.
const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];

/// The operation of an answer.
const REPLY: [u8; 2] = [0, 2];

/// Receive buffer: some 6,000 answers, which can come at once.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1_024 * 1_024;

/// One Ethernet interface, and who we are on it.
#[derive(Debug)]
pub(super) struct Arp {
    socket: UdpSocket,
    hardware: [u8; 6],
    /// Our own addresses there. Nobody answers for them.
    pub(super) own: Vec<Ipv4Addr>,
}

impl Arp {
    /// Opens an interface. Must be called on the runtime that shall watch it.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; others where it is no Ethernet with IPv4.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let (link, own) = identity(interface)?;
        let hardware = link.addr().ok_or(io::ErrorKind::Unsupported)?;
        let protocol = Protocol::from(i32::from(ETHERTYPE.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        make_room(&socket, RECEIVE_BUFFER_BYTES);
        socket::bind(socket.as_raw_fd(), &link)?;
        // Only its readiness is asked for in this guise, in which tokio watches any socket.
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self {
            socket,
            hardware,
            own,
        })
    }

    /// Asks who has an address; those of IPv6 are not asked for by ARP.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn ask(&self, target: InScope) -> io::Result<()> {
        let IpAddr::V4(address) = target.addr().ip() else {
            return Ok(());
        };
        let own = self.own.first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let frame = request(self.hardware, own, address);
        self.socket
            .async_io(Interest::WRITABLE, || {
                let flags = MsgFlags::MSG_DONTWAIT;
                Ok(socket::send(self.socket.as_raw_fd(), &frame, flags)?)
            })
            .await?;
        Ok(())
    }

    /// The next address that has an owner.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn hear(&self) -> io::Result<Ipv4Addr> {
        loop {
            let mut frame = [0; ANSWER_BYTES_MAX];
            let size = self
                .socket
                .async_io(Interest::READABLE, || {
                    let flags = MsgFlags::MSG_DONTWAIT;
                    Ok(socket::recv(self.socket.as_raw_fd(), &mut frame, flags)?)
                })
                .await?;
            if let Some(owned) = owned(&frame[..size]) {
                return Ok(owned);
            }
        }
    }
}

/// The hardware address of an interface, as something to bind to, and its addresses of IPv4.
fn identity(interface: &str) -> io::Result<(LinkAddr, Vec<Ipv4Addr>)> {
    let mut link = None;
    let mut own = Vec::new();
    for address in getifaddrs()?.filter(|it| it.interface_name == interface) {
        let Some(storage) = address.address else {
            continue;
        };
        if let Some(found) = storage.as_link_addr() {
            link = Some(*found);
        }
        if let Some(found) = storage.as_sockaddr_in() {
            own.push(found.ip());
        }
    }
    let link = link.filter(|link| link.halen() == 6);
    Ok((link.ok_or(io::ErrorKind::Unsupported)?, own))
}

fn request(hardware: [u8; 6], own: Ipv4Addr, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_BYTES);
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&hardware);
    frame.extend_from_slice(&ETHERTYPE.to_be_bytes());
    frame.extend_from_slice(&REQUEST);
    frame.extend_from_slice(&hardware);
    frame.extend_from_slice(&own.octets());
    frame.extend_from_slice(&[0; 6]);
    frame.extend_from_slice(&address.octets());
    frame
}

/// Whose answer a frame is; none if it is no answer.
fn owned(frame: &[u8]) -> Option<Ipv4Addr> {
    let field = |at: usize, size: usize| frame.get(at..at + size);
    if field(12, 2)? != ETHERTYPE.to_be_bytes() || field(OPERATION_AT, 2)? != REPLY {
        return None;
    }
    let octets: [u8; 4] = field(SENDER_ADDRESS_AT, 4)?.try_into().ok()?;
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_the_rfc_has_it_and_an_answer_is_told_from_it() {
        let address = Ipv4Addr::new(10, 0, 0, 7);
        let mut frame = request([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 1), address);
        let expected = "ffffffffffff020000000001080600010800060400010200000000010a000001\
                        0000000000000a000007";
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, expected);
        assert_eq!(owned(&frame), None, "a question");
        frame[21] = 2;
        assert_eq!(owned(&frame), Some(Ipv4Addr::new(10, 0, 0, 1)));
        for size in 0..32 {
            assert_eq!(owned(&frame[..size]), None, "{size} octets");
        }
    }
}
