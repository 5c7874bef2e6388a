//! The one socket that answers for every address of a fleet, and the loop around it.
//!
//! Bound to all addresses with IP_PKTINFO, so that each question tells which address was asked and
//! the answer leaves from there. Loopback only, twice: the socket is bound to the loopback
//! interface where the kernel permits that, and a datagram from or to another address is dropped.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::libc;
use nix::sys::socket::{
    self, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag,
    SockType, SockaddrIn, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::misbehave::raw::{self, Ends};
use crate::misbehave::{Outgoing, Source};
use crate::rack::Rack;

/// Datagrams taken with one system call.
const BATCH: usize = 64;
/// Batches answered before other work, such as an order, gets its turn.
const BATCHES_MAX: usize = 16;
/// Largest question: nothing a collector asks comes near it.
const QUESTION_MAX: usize = 4096;
/// Late answers that are held back at once; more are never sent.
const LATER_MAX: usize = 1_024;
/// Room for what the kernel holds while the fleet is busy: 1,000 questions at once need some.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The sockets of a fleet.
pub(crate) struct Sockets {
    v4: UdpSocket,
    v6: Option<UdpSocket>,
    port: u16,
    buffer: Vec<u8>,
    buffer_v6: Vec<u8>,
    later: Later,
}

/// What misbehaving devices send at a later time, with whom it goes to.
type Later = Vec<(Instant, Ends, Outgoing)>;

impl Sockets {
    /// Opens the socket for 127.0.0.0/8, and one for ::1 if wanted. Needs a tokio runtime.
    pub(crate) fn open(port: u16, with_v6: bool) -> io::Result<Self> {
        let v4 = open_v4(port)?;
        let bound: SockaddrIn = socket::getsockname(v4.as_raw_fd())?;
        let port = bound.port();
        let v6 = match with_v6 {
            true => {
                let socket = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, port))?;
                socket.set_nonblocking(true)?;
                Some(UdpSocket::from_std(socket)?)
            }
            false => None,
        };
        Ok(Self {
            v4: UdpSocket::from_std(v4.into())?,
            v6,
            port,
            buffer: vec![0; BATCH * QUESTION_MAX],
            buffer_v6: vec![0; QUESTION_MAX],
            later: Later::new(),
        })
    }

    /// The port that answers.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for questions and answers some of them. Dropping the future loses none.
    pub(crate) async fn serve(&mut self, rack: &mut Rack, start: Instant) -> io::Result<()> {
        let Self {
            v4,
            v6,
            buffer,
            buffer_v6,
            later,
            ..
        } = self;
        let due = later.iter().map(|(at, ..)| *at).min();
        let waited = async {
            match due {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let other = async {
            match v6.as_ref() {
                Some(socket) => {
                    let (length, from) = socket.recv_from(buffer_v6).await?;
                    Ok((socket, length, from))
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = v4.readable() => {
                ready?;
                for _ in 0..BATCHES_MAX {
                    let batch = || answer_batch(v4.as_raw_fd(), buffer, rack, (start, &mut *later));
                    match v4.try_io(Interest::READABLE, batch) {
                        // Nothing left: the kernel will tell of more.
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        batch => batch?,
                    }
                }
            }
            () = waited => {
                let now = Instant::now();
                for (_, ends, outgoing) in later.extract_if(.., |(at, ..)| *at <= now) {
                    misbehave(v4.as_raw_fd(), ends, &outgoing, rack);
                }
            }
            heard = other => {
                let heard: io::Result<(&UdpSocket, usize, SocketAddr)> = heard;
                let (socket, length, from) = heard?;
                let to = IpAddr::V6(Ipv6Addr::LOCALHOST);
                let question = buffer_v6.get(..length).unwrap_or(&[]);
                if let Some(answer) = rack.answer(to, question, start.elapsed())
                    && socket.try_send_to(&answer, from).is_err()
                {
                    rack.counts.unsent += 1;
                }
            }
        }
        Ok(())
    }
}

fn open_v4(port: u16) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket::socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    let loopback = std::ffi::OsString::from("lo");
    if let Err(error) = setsockopt(&fd, sockopt::BindToDevice, &loopback) {
        // Each datagram's addresses are checked all the same.
        tracing::debug!(%error, "not bound to the loopback interface");
    }
    let any = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    socket::bind(fd.as_raw_fd(), &any)?;
    Ok(fd)
}

/// Takes as many questions as are there, up to [`BATCH`], and answers each from where it was asked.
fn answer_batch(
    raw: RawFd,
    buffer: &mut [u8],
    rack: &mut Rack,
    (start, later): (Instant, &mut Later),
) -> io::Result<()> {
    let room = nix::cmsg_space!(libc::in_pktinfo);
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(room));
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffer
        .chunks_mut(QUESTION_MAX)
        .map(|chunk| [IoSliceMut::new(chunk)])
        .collect();
    let heard = socket::recvmmsg(
        raw,
        &mut headers,
        slices.iter_mut(),
        MsgFlags::MSG_DONTWAIT,
        None,
    )?;
    let elapsed = start.elapsed();
    for datagram in heard {
        let to = datagram.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(from_kernel(info.ipi_addr)),
            _ => None,
        });
        let (Some(to), Some(from)) = (to, datagram.address) else {
            rack.counts.foreign += 1;
            continue;
        };
        if !to.is_loopback() || !from.ip().is_loopback() {
            rack.counts.foreign += 1;
            continue;
        }
        // A question fits into its one buffer, or is cut off and then unreadable.
        let question = datagram.iovs().next().unwrap_or(&[]);
        if let Some(answer) = rack.answer(IpAddr::V4(to), question, elapsed)
            && send(raw, to, from, &answer).is_err()
        {
            rack.counts.unsent += 1;
        }
        if let Some(outgoing) = rack.mischief.take() {
            let ends = Ends {
                asker: (from.ip(), from.port()),
                asked: (to, port_of(raw)?),
            };
            if outgoing.after.is_zero() {
                misbehave(raw, ends, &outgoing, rack);
            } else if later.len() < LATER_MAX {
                later.push((Instant::now() + outgoing.after, ends, outgoing));
            }
        }
    }
    Ok(())
}

/// Sends what a device sends that misbehaves.
fn misbehave(fd: RawFd, ends: Ends, outgoing: &Outgoing, rack: &mut Rack) {
    let (asked, asker) = (ends.asked.0, SocketAddrV4::new(ends.asker.0, ends.asker.1));
    let octets = outgoing.octets.as_slice();
    let mut is_sent = (0..outgoing.icmp_errors).all(|_| raw::unreachable(ends).is_ok());
    for _ in 0..outgoing.copies {
        is_sent &= match outgoing.from {
            Source::Asked => send(fd, asked, asker.into(), octets).is_ok(),
            Source::OtherAddress => send(fd, neighbor(asked), asker.into(), octets).is_ok(),
            Source::OtherPort => std::net::UdpSocket::bind((asked, 0))
                .and_then(|other| other.send_to(octets, asker))
                .is_ok(),
            Source::Fragment => raw::fragment(ends, octets).is_ok(),
        };
    }
    rack.counts.unsent += u64::from(!is_sent);
}

/// Another loopback address: the one with the last bit turned.
fn neighbor(address: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(address) ^ 1)
}

fn port_of(fd: RawFd) -> io::Result<u16> {
    let bound: SockaddrIn = socket::getsockname(fd)?;
    Ok(bound.port())
}

fn send(fd: RawFd, from: Ipv4Addr, to: SockaddrIn, answer: &[u8]) -> nix::Result<usize> {
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from_ne_bytes(from.octets()),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    let source = [ControlMessage::Ipv4PacketInfo(&info)];
    socket::sendmsg(
        fd,
        &[IoSlice::new(answer)],
        &source,
        MsgFlags::MSG_DONTWAIT,
        Some(&to),
    )
}

/// The kernel keeps an address in network order, whatever the order of the machine.
fn from_kernel(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes())
}
