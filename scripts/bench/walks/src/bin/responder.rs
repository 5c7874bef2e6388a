//! Answers for every address of 127.20.0.0/16 as the office printer, each answer so late as the
//! round trip says, from the address that was asked. Every printer has a serial number of its own.
//!
//! `responder [MILLIS]`, until it is ended. An answer that would be too long for one Ethernet frame is
//! cut where GetBulk was asked, and refused where not.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockType,
    SockaddrIn, bind, recvmmsg, sendmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, Value, VarBind};
use walks::{PORT, ROUND_TRIP_MILLIS, office};

/// Datagrams in one system call.
const BATCH: usize = 64;
/// Longest question.
const DATAGRAM: usize = 4_096;
/// Most octets of an answer, as net-snmp has it on Ethernet.
const ANSWER_BYTES_MAX: usize = 1_472;
/// The serial number in the template, which every printer has of its own.
const SERIAL: &[u8] = b"JPBCD12345";

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
    let printer = office();
    let mut known: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
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
        if ppoll(&mut polled, Some(wait), None)? <= 0 {
            continue;
        }
        let space = nix::cmsg_space!(libc::in_pktinfo);
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(space));
        let mut slices: Vec<_> = buffer
            .chunks_mut(DATAGRAM)
            .map(|it| [IoSliceMut::new(it)])
            .collect();
        let Ok(datagrams) = recvmmsg(
            fd.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        ) else {
            continue;
        };
        let due = Instant::now() + delay;
        for datagram in datagrams {
            let from = datagram.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
                }
                _ => None,
            });
            let (Some(octets), Some(to), Some(from)) =
                (datagram.iovs().next(), datagram.address, from)
            else {
                continue;
            };
            if let Some(octets) = answer(octets, from, &printer, &mut known) {
                waiting.push_back(Answer {
                    due,
                    octets,
                    to,
                    from,
                });
            }
        }
    }
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

/// The answer to a question. What was answered once to the same question is answered again, with
/// another request-id and another serial number.
fn answer(
    octets: &[u8],
    from: Ipv4Addr,
    printer: &[(Oid, Value)],
    known: &mut HashMap<Vec<u8>, Vec<u8>>,
) -> Option<Vec<u8>> {
    let id = id_at(octets)?;
    let mut key = octets.to_vec();
    // A one in every octet keeps the length.
    key[id.clone()].fill(1);
    if !known.contains_key(&key) {
        let question = snmp::decode(&key).ok()?;
        known.insert(key.clone(), template(question, printer)?);
    }
    let mut answer = known.get(&key)?.clone();
    let place = id_at(&answer)?;
    answer[place].copy_from_slice(&octets[id]);
    if let Some(at) = answer.windows(SERIAL.len()).position(|it| it == SERIAL) {
        let own = format!("{:010}", u32::from(from));
        answer[at..at + SERIAL.len()].copy_from_slice(own.as_bytes());
    }
    Some(answer)
}

/// Where the octets of the request-id stand.
fn id_at(octets: &[u8]) -> Option<std::ops::Range<usize>> {
    let skip_head = |at: usize| -> Option<usize> {
        let length = *octets.get(at + 1)?;
        Some(
            at + 2
                + if length < 0x80 {
                    0
                } else {
                    usize::from(length & 0x7f)
                },
        )
    };
    let skip = |at: usize| Some(at + 2 + usize::from(*octets.get(at + 1)?));
    let pdu = skip(skip(skip_head(0)?)?)?;
    let id = skip_head(pdu)?;
    let length = usize::from(*octets.get(id + 1)?);
    (octets.get(id) == Some(&2) && id + 2 + length <= octets.len()).then(|| id + 2..id + 2 + length)
}

/// The answer to a question whose request-id was made all ones.
fn template(question: Message, printer: &[(Oid, Value)]) -> Option<Vec<u8>> {
    let after = |oid: &Oid| {
        let at = printer.partition_point(|(held, _)| held <= oid);
        match printer.get(at) {
            Some((oid, value)) => VarBind::new(oid.clone(), value.clone()),
            None => VarBind::new(oid.clone(), Value::EndOfMibView),
        }
    };
    let asked: Vec<Oid> = question
        .pdu
        .varbinds
        .iter()
        .map(|it| it.oid.clone())
        .collect();
    let mut varbinds = Vec::new();
    match question.pdu.kind {
        PduKind::Get => varbinds.extend(asked.iter().map(|oid| {
            let found = printer.iter().find(|(held, _)| held == oid);
            VarBind::new(
                oid.clone(),
                found.map_or(Value::NoSuchInstance, |(_, value)| value.clone()),
            )
        })),
        PduKind::GetNext => varbinds.extend(asked.iter().map(after)),
        PduKind::GetBulk {
            non_repeaters,
            max_repetitions,
        } => {
            let (once, mut at) = {
                let once = usize::try_from(non_repeaters).ok()?.min(asked.len());
                (asked[..once].to_vec(), asked[once..].to_vec())
            };
            varbinds.extend(once.iter().map(after));
            for _ in 0..max_repetitions {
                for oid in &mut at {
                    let next = after(oid);
                    *oid = next.oid.clone();
                    varbinds.push(next);
                }
            }
        }
        PduKind::Response | PduKind::Set => return None,
    }
    let is_bulk = matches!(question.pdu.kind, PduKind::GetBulk { .. });
    loop {
        let pdu = Pdu {
            kind: PduKind::Response,
            request_id: question.pdu.request_id,
            error_status: ErrorStatus::NoError,
            error_index: 0,
            varbinds: varbinds.clone(),
        };
        let octets = Message {
            version: question.version,
            community: question.community.clone(),
            pdu,
        }
        .encode()
        .ok()?;
        if octets.len() <= ANSWER_BYTES_MAX {
            return Some(octets);
        }
        if !is_bulk {
            eprintln!(
                "an answer of {} octets to {} objects",
                octets.len(),
                asked.len()
            );
            let pdu = Pdu {
                kind: PduKind::Response,
                request_id: question.pdu.request_id,
                error_status: ErrorStatus::TooBig,
                error_index: 0,
                varbinds: Vec::new(),
            };
            return Message {
                version: question.version,
                community: question.community,
                pdu,
            }
            .encode()
            .ok();
        }
        varbinds.pop();
    }
}
