//! Answers for every address of 127.20.0.0/16 as the office printer, each answer so late as the
//! round trip says.
//!
//! `responder [MILLIS]`, until it is ended.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockType,
    SockaddrIn, bind, recvmmsg, sendmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use walks::answer::Printer;
use walks::{PORT, ROUND_TRIP_MILLIS};

/// Datagrams in one system call.
const BATCH: usize = 64;
/// Longest question.
const DATAGRAM: usize = 4_096;

struct Answer {
    due: Instant,
    octets: Vec<u8>,
    to: SockaddrIn,
    from: Ipv4Addr,
}

fn main() -> Result<(), Box<dyn Error>> {
    let millis = std::env::args()
        .nth(1)
        .map_or(Ok(ROUND_TRIP_MILLIS), |it| it.parse())?;
    let delay = Duration::from_millis(millis);
    let fd = listen()?;
    let mut printer = Printer::default();
    let mut waiting: VecDeque<Answer> = VecDeque::new();
    let mut buffer = vec![0; BATCH * DATAGRAM];
    loop {
        let now = Instant::now();
        while waiting.front().is_some_and(|it| it.due <= now) {
            if let Some(answer) = waiting.pop_front() {
                send(fd.as_raw_fd(), &answer);
            }
        }
        let wait = waiting
            .front()
            .map_or(Duration::from_millis(50), |it| it.due - now);
        let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        let wait = TimeSpec::from_duration(wait);
        if ppoll(&mut polled, Some(wait), None)? > 0 {
            hear(&fd, &mut buffer, |octets, to, from| {
                if let Some(octets) = printer.answer(octets, from) {
                    waiting.push_back(Answer {
                        due: Instant::now() + delay,
                        octets,
                        to,
                        from,
                    });
                }
            })?;
        }
    }
}

/// A socket on every address, with room for what comes while it answers.
fn listen() -> Result<OwnedFd, Box<dyn Error>> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let room = 64 * 1_024 * 1_024;
    if setsockopt(&fd, sockopt::RcvBufForce, &room).is_err() {
        setsockopt(&fd, sockopt::RcvBuf, &room)?;
    }
    setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, PORT))?;
    Ok(fd)
}

/// Hands over what has come: the octets, by whom, and to which of our addresses.
fn hear(
    fd: &OwnedFd,
    buffer: &mut [u8],
    mut hand_over: impl FnMut(&[u8], SockaddrIn, Ipv4Addr),
) -> Result<(), Box<dyn Error>> {
    let space = nix::cmsg_space!(libc::in_pktinfo);
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(space));
    let mut slices: Vec<_> = buffer
        .chunks_mut(DATAGRAM)
        .map(|it| [IoSliceMut::new(it)])
        .collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    let Ok(datagrams) = recvmmsg(fd.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)
    else {
        return Ok(());
    };
    for datagram in datagrams {
        let from = datagram.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
            }
            _ => None,
        });
        if let (Some(octets), Some(to), Some(from)) =
            (datagram.iovs().next(), datagram.address, from)
        {
            hand_over(octets, to, from);
        }
    }
    Ok(())
}

fn send(fd: i32, answer: &Answer) {
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from(answer.from).to_be(),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    // Who cannot be answered is not: the reader's count will tell.
    let _ = sendmsg(
        fd,
        &[IoSlice::new(&answer.octets)],
        &[ControlMessage::Ipv4PacketInfo(&info)],
        MsgFlags::empty(),
        Some(&answer.to),
    );
}
