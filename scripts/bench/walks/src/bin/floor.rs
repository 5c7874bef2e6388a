//! Yardstick of a reading: what the kernel lets anybody do. Asks each printer its GetBulks one after the
//! other, so many printers at once, in batches and with questions written beforehand, and only counts
//! the objects. Nothing is asked twice and nothing is kept.
//!
//! `floor PRINTERS AT_ONCE REPETITIONS`: prints a line of the form that `ours` prints.
//! `floor blast COUNT AT_ONCE REPETITIONS`: asks one printer one question as fast as it is answered, which
//! tells the responder's own rate.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use snmp::{Oid, PduKind, Value, Version};
use walks::measure::{cpu, peak};
use walks::office::office;
use walks::peer::ROOT;
use walks::{PORT, addresses};

/// Datagrams in one system call.
const BATCH: usize = 64;
/// Longest answer.
const DATAGRAM: usize = 2_048;
/// How long silence lasts until the rest is given up.
const SILENCE_MILLIS: u16 = 1_000;
/// Receive buffer: a thousand printers and more may answer at once.
const RECEIVE_BUFFER: usize = 64 * 1_024 * 1_024;
/// The request-id of a question before it is asked: four octets, of which the lower bits are whose question
/// it is (from bit 3) and which (up to bit 3).
const ID: u32 = 0x4000_0000;
/// End of a MIB view, RFC 3416, section 3.
const END_OF_MIB_VIEW: u8 = 0x82;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (blast, [count, at_once, repetitions]) = match words[..] {
        ["blast", count, at_once, repetitions] => (true, [count, at_once, repetitions]),
        [count, at_once, repetitions] => (false, [count, at_once, repetitions]),
        _ => return Err("floor [blast] COUNT AT_ONCE REPETITIONS".into()),
    };
    let mut questions = questions(repetitions.parse()?)?;
    let targets: Vec<Ipv4Addr> = if blast {
        questions.truncate(1);
        vec![addresses(1).next().ok_or("no printer")?; count.parse()?]
    } else {
        addresses(count.parse()?).collect()
    };
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut floor = Floor::open(targets, questions)?;
    floor.run(at_once.parse()?)?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu() - cpu_before);
    if blast {
        let answers = floor.states.iter().filter(|it| it.step > 0).count();
        println!(
            "{:.0} answers a second, {answers} of {count} questions",
            answers as f64 / wall
        );
        return Ok(());
    }
    let wanted = office().len();
    let whole = floor
        .states
        .iter()
        .filter(|it| it.objects == wanted)
        .count();
    println!(
        "floor {repetitions}: {whole} of {count}, {wall:.4} s, {:.4} s CPU, {:.2} packets a printer, 0 again",
        cpu.as_secs_f64(),
        floor.sent as f64 / floor.targets.len() as f64
    );
    println!("{}", peak()?);
    Ok(())
}

/// A question, and where its request-id stands.
struct Question {
    octets: Vec<u8>,
    id_at: usize,
}

/// The questions that walk the first printer, and so every one.
fn questions(repetitions: u32) -> Result<Vec<Question>, Box<dyn Error>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect((addresses(1).next().ok_or("no printer")?, PORT))?;
    let root = ROOT.map(|it| it.to_string()).join(".");
    let (mut at, mut questions): (Oid, _) = (root.parse()?, Vec::new());
    let mut buffer = [0; DATAGRAM];
    loop {
        let kind = PduKind::GetBulk {
            non_repeaters: 0,
            max_repetitions: repetitions,
        };
        let octets = snmp::question((Version::V2c, b"public"), kind, ID.into(), &[at.clone()])?;
        socket.send(&octets)?;
        let id_at = octets.windows(4).position(|it| it == ID.to_be_bytes());
        let id_at = id_at.ok_or("no request-id")?;
        questions.push(Question { octets, id_at });
        let length = socket.recv(&mut buffer)?;
        let varbinds = snmp::decode(&buffer[..length])?.pdu.varbinds;
        if varbinds.iter().any(|it| it.value == Value::EndOfMibView) {
            return Ok(questions);
        }
        at = varbinds
            .last()
            .ok_or("an answer without objects")?
            .oid
            .clone();
    }
}

/// How far a printer is.
#[derive(Clone, Default)]
struct State {
    step: usize,
    objects: usize,
}

struct Floor {
    socket: UdpSocket,
    targets: Vec<Ipv4Addr>,
    questions: Vec<Question>,
    states: Vec<State>,
    /// Whom to ask next, by the places in `targets`.
    due: Vec<usize>,
    sent: usize,
}

impl Floor {
    fn open(targets: Vec<Ipv4Addr>, questions: Vec<Question>) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        let states = vec![State::default(); targets.len()];
        let (due, sent) = (Vec::new(), 0);
        Ok(Self {
            socket,
            targets,
            questions,
            states,
            due,
            sent,
        })
    }

    /// Asks all, so many at once, until all have answered or nobody does any more.
    fn run(&mut self, at_once: usize) -> Result<(), Box<dyn Error>> {
        let mut next = at_once.min(self.targets.len());
        self.due.extend(0..next);
        let mut buffer = vec![0; BATCH * DATAGRAM];
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
        let mut done = 0;
        while done < self.targets.len() {
            self.send()?;
            let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut waiting, PollTimeout::from(SILENCE_MILLIS))? == 0 {
                break;
            }
            let mut slices: Vec<_> = buffer
                .chunks_mut(DATAGRAM)
                .map(|it| [IoSliceMut::new(it)])
                .collect();
            let fd = self.socket.as_raw_fd();
            let flags = MsgFlags::MSG_DONTWAIT;
            for datagram in recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None)? {
                let Some((id, objects)) = datagram.iovs().next().and_then(read) else {
                    continue;
                };
                let (at, step) = (usize::try_from((id ^ ID) >> 3)?, usize::try_from(id & 7)?);
                let Some(state) = self.states.get_mut(at).filter(|it| it.step == step) else {
                    continue;
                };
                state.step += 1;
                state.objects += objects;
                if state.step < self.questions.len() {
                    self.due.push(at);
                    continue;
                }
                done += 1;
                if next < self.targets.len() {
                    self.due.push(next);
                    next += 1;
                }
            }
        }
        Ok(())
    }

    /// Asks who is due.
    fn send(&mut self) -> Result<(), Box<dyn Error>> {
        for due in self.due.chunks(BATCH) {
            let mut octets = Vec::with_capacity(BATCH);
            let mut to = Vec::with_capacity(BATCH);
            for &at in due {
                let step = self.states[at].step;
                let question = &self.questions[step];
                let mut written = question.octets.clone();
                let id = ID | u32::try_from(at << 3 | step)?;
                written[question.id_at..question.id_at + 4].copy_from_slice(&id.to_be_bytes());
                octets.push(written);
                let to_whom = SocketAddrV4::new(self.targets[at], PORT);
                to.push(Some(SockaddrIn::from(to_whom)));
            }
            let slices: Vec<_> = octets.iter().map(|it| [IoSlice::new(it)]).collect();
            let mut headers = MultiHeaders::preallocate(due.len(), None);
            let fd = self.socket.as_raw_fd();
            let sent = sendmmsg(fd, &mut headers, &slices, &to[..], [], MsgFlags::empty())?.count();
            self.sent += sent;
        }
        self.due.clear();
        Ok(())
    }
}

/// The request-id of an answer, and how many objects it holds.
fn read(answer: &[u8]) -> Option<(u32, usize)> {
    let (_, message, _) = element(answer)?;
    let (_, _, rest) = element(message)?;
    let (_, _, rest) = element(rest)?;
    let (_, pdu, _) = element(rest)?;
    let (_, id, rest) = element(pdu)?;
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, mut varbinds, _) = element(rest)?;
    let mut objects = 0;
    while let Some((_, varbind, rest)) = element(varbinds) {
        let (_, _, value) = element(varbind)?;
        objects += usize::from(*value.first()? != END_OF_MIB_VIEW);
        varbinds = rest;
    }
    Some((u32::from_be_bytes(id.try_into().ok()?), objects))
}

/// The tag and the content of the element that comes first, and what follows it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = octets.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
