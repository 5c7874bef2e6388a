//! Yardstick of a discovery: what the kernel lets anybody do, with nothing around it.
//!
//! `wire floor NETWORK PORT` asks every address of a /16 once, in batches, with one request that is
//! patched, keeps who answered in a bitmap, waits a second for late answers, and prints how many
//! there were. `wire responder PORT SPREAD [LOST]` answers for some addresses (`100`: one in a
//! hundred; `100/16`: as many, all of them in one of sixteen /24) of whatever is routed to it, from
//! the address that was asked, but for so many answers in a hundred. `wire live NETWORK SPREAD`
//! prints those addresses. `wire blast NETWORK PORT COUNT SPREAD` asks one live address as fast as it
//! is answered, which tells the responder's own rate.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::num::ParseIntError;
use std::os::fd::{AsRawFd, OwnedFd};
use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockType,
    SockaddrIn, bind, recvmmsg, sendmmsg, sendmsg, setsockopt, socket, sockopt,
};
use snmp::recording::Recording;
use snmp::{ErrorStatus, PduKind, Value, VarBind, Version};

/// Datagrams in one system call.
const BATCH: usize = 64;
/// Addresses of a /16.
const ADDRESSES: usize = 65_536;
/// Longest datagram that is looked at.
const DATAGRAM: usize = 2_048;
/// How long late answers are waited for.
const LATE: Duration = Duration::from_secs(1);
/// Receive buffer: every address may answer at once.
const RECEIVE_BUFFER: usize = 64 * 1_024 * 1_024;

/// A Get of sysDescr.0 and sysObjectID.0 in version 2c with the community `public`; the four octets
/// of the request-id stand at [`ID_AT`].
const REQUEST: [u8; 57] = [
    0x30, 0x37, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x2a, 0x02,
    0x04, 0x40, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x1c, 0x30, 0x0c, 0x06,
    0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x00, 0x05, 0x00, 0x30, 0x0c, 0x06, 0x08, 0x2b,
    0x06, 0x01, 0x02, 0x01, 0x01, 0x02, 0x00, 0x05, 0x00,
];
/// What everybody answers: a computer, which is no printer.
const COMPUTER: &str = "1.3.6.1.2.1.1.1.0|4|Linux bench 6.1.0 x86_64\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n\
                        1.3.6.1.2.1.1.5.0|4|bench\n";
/// Where the request-id of [`REQUEST`] stands.
const ID_AT: usize = 17;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", network, port] => floor(network.parse()?, port.parse()?),
        ["responder", port, spread] => responder(port.parse()?, spread.parse()?, 0),
        ["responder", port, spread, lost] => {
            responder(port.parse()?, spread.parse()?, lost.parse()?)
        }
        ["live", network, spread] => {
            let network = u32::from(network.parse::<Ipv4Addr>()?);
            let spread = spread.parse()?;
            let hosts = (0..=0xffff).map(|host| Ipv4Addr::from(network | host));
            for address in hosts.filter(|address| lives(*address, spread)) {
                println!("{address}");
            }
            Ok(())
        }
        ["blast", network, port, count, spread] => {
            let network = u32::from(network.parse::<Ipv4Addr>()?);
            let spread = spread.parse()?;
            let mut hosts = (0..=0xffff).map(|host| Ipv4Addr::from(network | host));
            let live = hosts.find(|address| lives(*address, spread));
            blast(live.ok_or("nobody lives")?, port.parse()?, count.parse()?)
        }
        _ => Err(
            "wire floor NETWORK PORT | responder PORT SPREAD [LOST] | live NETWORK SPREAD | blast \
             NETWORK PORT COUNT SPREAD"
                .into(),
        ),
    }
}

/// Room for one batch of answers.
struct Heard {
    buffer: Vec<u8>,
}

impl Heard {
    fn new() -> Self {
        let buffer = vec![0; BATCH * DATAGRAM];
        Self { buffer }
    }

    /// Takes what is there; `each` gets octets, sender, and the address it was sent to.
    fn take(
        &mut self,
        fd: &OwnedFd,
        flags: MsgFlags,
        mut each: impl FnMut(&[u8], SockaddrIn, Option<Ipv4Addr>),
    ) -> Result<usize, Errno> {
        let room = nix::cmsg_space!(libc::in_pktinfo);
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(room));
        let chunks = self.buffer.chunks_mut(DATAGRAM);
        let mut slices: Vec<_> = chunks.map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let heard = match recvmmsg(fd.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) {
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

fn open(port: u16) -> Result<OwnedFd, Box<dyn Error>> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    if setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    }
    bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))?;
    Ok(fd)
}

fn send(fd: &OwnedFd, requests: &[(Vec<u8>, SockaddrIn)]) -> Result<(), Errno> {
    let mut at = 0;
    while at < requests.len() {
        let rest = &requests[at..];
        let slices: Vec<_> = rest
            .iter()
            .map(|(octets, _)| [IoSlice::new(octets)])
            .collect();
        let to: Vec<_> = rest.iter().map(|(_, to)| Some(*to)).collect();
        let mut headers = MultiHeaders::preallocate(rest.len(), None);
        let none: [ControlMessage<'_>; 0] = [];
        match sendmmsg(
            fd.as_raw_fd(),
            &mut headers,
            &slices,
            &to,
            none,
            MsgFlags::empty(),
        ) {
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

fn floor(network: Ipv4Addr, port: u16) -> Result<(), Box<dyn Error>> {
    let fd = open(0)?;
    let base = u32::from(network) & 0xffff_0000;
    let mut bitmap = vec![0_u64; ADDRESSES / 64];
    let mut heard = Heard::new();
    let mut requests = vec![(REQUEST.to_vec(), SockaddrIn::new(0, 0, 0, 0, 0)); BATCH];
    let mut note = |octets: &[u8], from: SockaddrIn| {
        let host = usize::try_from(u32::from(from.ip()) & 0xffff).unwrap_or(0);
        let id = u32::try_from(host).unwrap_or(0) | 0x4000_0000;
        if octets.windows(4).any(|it| it == id.to_be_bytes()) {
            bitmap[host / 64] |= 1 << (host % 64);
        }
    };
    for first in (0..ADDRESSES).step_by(BATCH) {
        for (host, (octets, to)) in (first..).zip(&mut requests) {
            let host = u32::try_from(host)?;
            octets[ID_AT..ID_AT + 4].copy_from_slice(&(host | 0x4000_0000).to_be_bytes());
            let [a, b, c, d] = (base | host).to_be_bytes();
            *to = SockaddrIn::new(a, b, c, d, port);
        }
        send(&fd, &requests)?;
        heard.take(&fd, MsgFlags::MSG_DONTWAIT, |octets, from, _| {
            note(octets, from)
        })?;
    }
    let end = Instant::now() + LATE;
    while Instant::now() < end {
        let flags = MsgFlags::MSG_DONTWAIT;
        if heard.take(&fd, flags, |octets, from, _| note(octets, from))? == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let found: u32 = bitmap.iter().map(|word| word.count_ones()).sum();
    println!("{found}");
    Ok(())
}

/// Who lives: `100` is one address in a hundred, `100/16` as many, but all in one of sixteen /24.
#[derive(Clone, Copy)]
struct Spread {
    one_in: u32,
    networks: u32,
}

impl FromStr for Spread {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (one_in, networks) = text.split_once('/').unwrap_or((text, "1"));
        let (one_in, networks) = (one_in.parse()?, networks.parse()?);
        Ok(Self { one_in, networks })
    }
}

/// Whether an address lives, spread by a multiplicative hash so that no scanner's order suits it.
fn lives(address: Ipv4Addr, spread: Spread) -> bool {
    // The ends of the network are no devices, and not everybody asks them.
    let host = u32::from(address) & 0xffff;
    let is_drawn = |number: u32, one_in: u32| number.wrapping_mul(0x9e37_79b1) % one_in == 0;
    let each = (spread.one_in / spread.networks).max(1);
    (1..0xffff).contains(&host) && is_drawn(host >> 8, spread.networks) && is_drawn(host, each)
}

/// Decides which answers are lost.
struct Losses {
    drawn: u64,
}

impl Losses {
    /// Whether the next answer is lost, of so many in a hundred.
    fn is_lost(&mut self, of_hundred: u64) -> bool {
        // Knuth's generator (MMIX); its upper bits are the good ones.
        let next = self.drawn.wrapping_mul(6_364_136_223_846_793_005);
        self.drawn = next.wrapping_add(1_442_695_040_888_963_407);
        (self.drawn >> 33) % 100 < of_hundred
    }
}

fn responder(port: u16, spread: Spread, lost: u64) -> Result<(), Box<dyn Error>> {
    let fd = open(port)?;
    setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    let mut heard = Heard::new();
    let live = (0..65_536)
        .filter(|host| lives(Ipv4Addr::from(*host), spread))
        .count();
    println!("{live} of {ADDRESSES} live");
    let drawn = u64::from(std::process::id());
    let mut losses = Losses { drawn };
    let held = Recording::parse(COMPUTER.as_bytes())?;
    loop {
        let answer = |octets: &[u8], from: SockaddrIn, to: Option<Ipv4Addr>| {
            let Some(asked) = to.filter(|to| lives(*to, spread)) else {
                return;
            };
            if lost > 0 && losses.is_lost(lost) {
                return;
            }
            let Some(octets) = answered(octets, &held) else {
                return;
            };
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from(asked).to_be(),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            let source = [ControlMessage::Ipv4PacketInfo(&info)];
            let slices = [IoSlice::new(&octets)];
            // Who cannot be answered is not: the scanner's count will tell.
            let _ = sendmsg(
                fd.as_raw_fd(),
                &slices,
                &source,
                MsgFlags::empty(),
                Some(&from),
            );
        };
        heard.take(&fd, MsgFlags::MSG_WAITFORONE, answer)?;
    }
}

/// What a computer answers that holds these objects; nothing to what is no question.
fn answered(octets: &[u8], held: &Recording) -> Option<Vec<u8>> {
    let mut message = snmp::decode(octets).ok()?;
    let kind = message.pdu.kind;
    let answer = |asked: &VarBind| {
        let found = match kind {
            PduKind::GetNext => held.next_after(&asked.oid),
            _ => held.get(&asked.oid).map(|value| (&asked.oid, value)),
        };
        found.map(|(oid, value)| VarBind::new(oid.clone(), value.clone()))
    };
    let answers: Vec<Option<VarBind>> = message.pdu.varbinds.iter().map(answer).collect();
    message.pdu.kind = PduKind::Response;
    let missing = answers.iter().position(Option::is_none);
    if let (Version::V1, Some(missing)) = (message.version, missing) {
        message.pdu.error_status = ErrorStatus::NoSuchName;
        message.pdu.error_index = u32::try_from(missing + 1).ok()?;
        return message.encode().ok();
    }
    for (varbind, answer) in message.pdu.varbinds.iter_mut().zip(answers) {
        match answer {
            Some(answer) => *varbind = answer,
            None => varbind.value = Value::EndOfMibView,
        }
    }
    message.encode().ok()
}

fn blast(address: Ipv4Addr, port: u16, count: usize) -> Result<(), Box<dyn Error>> {
    let fd = open(0)?;
    let [a, b, c, d] = address.octets();
    let requests = vec![(REQUEST.to_vec(), SockaddrIn::new(a, b, c, d, port)); BATCH];
    let mut heard = Heard::new();
    let (began, mut answers) = (Instant::now(), 0);
    for _ in 0..count / BATCH {
        send(&fd, &requests)?;
        answers += heard.take(&fd, MsgFlags::MSG_DONTWAIT, |_, _, _| {})?;
    }
    let end = Instant::now() + LATE;
    let mut last = Instant::now();
    while Instant::now() < end {
        let more = heard.take(&fd, MsgFlags::MSG_DONTWAIT, |_, _, _| {})?;
        if more > 0 {
            last = Instant::now();
        }
        answers += more;
    }
    let rate = answers as f64 / last.duration_since(began).as_secs_f64();
    println!(
        "{answers} of {} answered, {rate:.0} a second",
        count / BATCH * BATCH
    );
    Ok(())
}
