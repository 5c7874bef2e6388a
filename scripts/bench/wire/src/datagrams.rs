//! Many datagrams in one system call, over one socket.
//!
//! The sockets have what Platen's have: a receive buffer for all that may come, and datagrams that
//! may not be cut, for which the kernel draws no number.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockType,
    SockaddrIn, bind, recvmmsg, sendmmsg, setsockopt, socket, sockopt,
};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};

/// Datagrams taken with one system call.
const TAKEN_AT_ONCE: usize = 64;
/// Longest datagram that is looked at.
const DATAGRAM: usize = 2_048;
/// Receive buffer: every address may answer at once.
const RECEIVE_BUFFER: usize = 64 * 1_024 * 1_024;
/// Send buffer, which is Platen's.
const SEND_BUFFER: usize = 2 * 1_024 * 1_024;

/// Room for what is taken with one system call.
pub struct Heard {
    buffer: Vec<u8>,
    headers: MultiHeaders<SockaddrIn>,
}

impl Heard {
    pub fn new() -> Self {
        let room = nix::cmsg_space!(libc::in_pktinfo);
        Self {
            buffer: vec![0; TAKEN_AT_ONCE * DATAGRAM],
            headers: MultiHeaders::preallocate(TAKEN_AT_ONCE, Some(room)),
        }
    }

    /// Takes what is there; `each` gets octets, sender, and the address it was sent to.
    pub fn take(
        &mut self,
        fd: &OwnedFd,
        flags: MsgFlags,
        mut each: impl FnMut(&[u8], SockaddrIn, Option<Ipv4Addr>),
    ) -> Result<usize, Errno> {
        let Self { buffer, headers } = self;
        let chunks = buffer.chunks_mut(DATAGRAM);
        let mut slices: Vec<_> = chunks.map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let heard = match recvmmsg(fd.as_raw_fd(), headers, slices.iter_mut(), flags, None) {
            Ok(heard) => heard,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut count = 0;
        for datagram in heard {
            count += 1;
            let to = datagram.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
                }
                _ => None,
            });
            if let (Some(octets), Some(from)) = (datagram.iovs().next(), datagram.address) {
                each(octets, from, to);
            }
        }
        Ok(count)
    }
}

/// Opens a socket on this port; 0 has the kernel pick one.
pub fn open(port: u16) -> Result<OwnedFd, Box<dyn Error>> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    if setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    }
    if setsockopt(&fd, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
        setsockopt(&fd, sockopt::SndBuf, &SEND_BUFFER)?;
    }
    set_ip_mtu_discover(&fd, Ipv4PathMtuDiscovery::PROBE)?;
    bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))?;
    Ok(fd)
}

/// Waits until there is something to take, at most so long.
pub fn wait(fd: &OwnedFd, at_most: Duration) -> Result<(), Errno> {
    // A part of a millisecond is waited out whole.
    let timeout = PollTimeout::try_from(at_most + Duration::from_micros(999));
    let mut asked = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    match poll(&mut asked, timeout.unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sends all of these, waiting out a full queue.
pub fn send<const OCTETS: usize>(
    fd: &OwnedFd,
    requests: &[[u8; OCTETS]],
    to: &[Option<SockaddrIn>],
) -> Result<(), Errno> {
    let mut headers = MultiHeaders::preallocate(requests.len(), None);
    let slices: Vec<_> = requests.iter().map(|it| [IoSlice::new(it)]).collect();
    let none: [ControlMessage<'_>; 0] = [];
    let flags = MsgFlags::empty();
    let mut at = 0;
    while at < requests.len() {
        let rest = (&slices[at..], &to[at..]);
        match sendmmsg(fd.as_raw_fd(), &mut headers, rest.0, rest.1, none, flags) {
            Ok(sent) => at += sent.count(),
            Err(Errno::ENOBUFS) => std::thread::sleep(Duration::from_millis(1)),
            // An ICMP error of an earlier one.
            Err(Errno::ECONNREFUSED) => {}
            Err(Errno::EACCES | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => at += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
