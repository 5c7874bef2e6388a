//! Packets that a UDP socket does not send: ICMP errors, and fragments without the rest.
//!
//! Takes CAP_NET_RAW; without it nothing is sent, and the fleet counts that as unsent.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

/// Octets of an IPv4 header without options.
const HEADER_BYTES: usize = 20;
/// Of an IPv4 header: no options; five words of 32 bits.
const VERSION_AND_LENGTH: u8 = 0x45;
/// More fragments follow (RFC 791).
const MORE_FRAGMENTS: u16 = 0x2000;
/// Protocol numbers.
const ICMP: u8 = 1;
const UDP: u8 = 17;
/// Destination unreachable, port unreachable (RFC 792).
const PORT_UNREACHABLE: [u8; 2] = [3, 3];

/// Both ends of a question: who asked, and who was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) asker: (Ipv4Addr, u16),
    pub(crate) asked: (Ipv4Addr, u16),
}

/// Says to the asker that nobody listens where it asked.
pub(crate) fn unreachable(ends: Ends) -> nix::Result<()> {
    let mut said = vec![PORT_UNREACHABLE[0], PORT_UNREACHABLE[1], 0, 0, 0, 0, 0, 0];
    // What it is about: the question's own header, and the first eight octets behind that.
    said.extend(header((ends.asker.0, ends.asked.0), UDP, 0, 8));
    said.extend(udp_header(ends.asker.1, ends.asked.1, 0));
    let sum = checksum(&said);
    said[2..4].copy_from_slice(&sum.to_be_bytes());
    send((ends.asked.0, ends.asker.0), ICMP, 0, &said)
}

/// Sends the first fragment of an answer, and never the rest.
pub(crate) fn fragment(ends: Ends, answer: &[u8]) -> nix::Result<()> {
    let mut datagram = udp_header(ends.asked.1, ends.asker.1, answer.len());
    datagram.extend_from_slice(answer);
    // All but the last have a multiple of eight octets.
    datagram.truncate(datagram.len() / 16 * 8);
    send((ends.asked.0, ends.asker.0), UDP, MORE_FRAGMENTS, &datagram)
}

fn send(
    (from, to): (Ipv4Addr, Ipv4Addr),
    protocol: u8,
    fragment: u16,
    contents: &[u8],
) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let raw = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Raw)?;
    let mut packet = header((from, to), protocol, fragment, contents.len());
    packet.extend_from_slice(contents);
    let to = SockaddrIn::from(std::net::SocketAddrV4::new(to, 0));
    sendto(raw.as_raw_fd(), &packet, &to, MsgFlags::MSG_DONTWAIT)?;
    Ok(())
}

/// An IPv4 header; the kernel puts the checksum in, and an identification for 0.
fn header((from, to): (Ipv4Addr, Ipv4Addr), protocol: u8, fragment: u16, size: usize) -> Vec<u8> {
    let size = u16::try_from(HEADER_BYTES + size).unwrap_or(u16::MAX);
    let mut octets = vec![VERSION_AND_LENGTH, 0];
    octets.extend(size.to_be_bytes());
    octets.extend([0, 0]);
    octets.extend(fragment.to_be_bytes());
    octets.extend([64, protocol, 0, 0]);
    octets.extend(from.octets());
    octets.extend(to.octets());
    octets
}

fn udp_header(from: u16, to: u16, size: usize) -> Vec<u8> {
    let size = u16::try_from(8 + size).unwrap_or(u16::MAX);
    [from, to, size, 0].map(u16::to_be_bytes).concat()
}

/// The Internet checksum (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(*high) << 8 | u32::from(*low),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // Folded, it fits.
    !u16::try_from(sum).unwrap_or(0)
}
