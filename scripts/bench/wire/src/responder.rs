//! Answers for some addresses of whatever is routed to it, from the address that was asked, as a
//! computer or a printer does, but for so many answers in a hundred, which are lost.

use std::error::Error;
use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg, setsockopt, sockopt};
use snmp::recording::Recording;
use snmp::{ErrorStatus, PduKind, Value, VarBind, Version};

use crate::datagrams::{self, Heard};
use crate::spread::{ADDRESSES, Spread};

/// What a computer answers, which is no printer.
pub const COMPUTER: &str = "1.3.6.1.2.1.1.1.0|4|Linux bench 6.1.0 x86_64\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n\
                            1.3.6.1.2.1.1.5.0|4|bench\n";
/// What a printer answers: the least that tells who it is.
pub const PRINTER: &str = "1.3.6.1.2.1.1.1.0|4|Bench Laser 1\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n\
                           1.3.6.1.2.1.1.5.0|4|bench\n1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n\
                           1.3.6.1.2.1.25.3.2.1.3.1|4|Bench Laser 1\n1.3.6.1.2.1.43.5.1.1.1.1|2|1\n\
                           1.3.6.1.2.1.43.5.1.1.17.1|4|B1\n";

/// Answers until it is ended.
pub fn responder(port: u16, spread: Spread, lost: u64, device: &str) -> Result<(), Box<dyn Error>> {
    let fd = datagrams::open(port)?;
    setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    let mut heard = Heard::new();
    let live = spread.living(Ipv4Addr::UNSPECIFIED).count();
    println!("{live} of {ADDRESSES} live");
    let drawn = u64::from(std::process::id());
    let mut losses = Losses { drawn };
    let held = Recording::parse(device.as_bytes())?;
    loop {
        let answer = |octets: &[u8], from: SockaddrIn, to: Option<Ipv4Addr>| {
            let Some(asked) = to.filter(|to| spread.lives(*to)) else {
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
