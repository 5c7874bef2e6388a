//! Yardstick of a discovery: what the kernel lets anybody do, with nothing around it.
//!
//! One request that is patched, batches as long as a system call takes, threads that send while one
//! hears, a bitmap of who answered.

use std::error::Error;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn};

use crate::datagrams::{self, Heard};
use crate::spread::ADDRESSES;

/// How long late answers are waited for.
pub const LATE: Duration = Duration::from_secs(1);
/// Threads that send, beside one that hears. On two processors four are quicker than one or two, of which
/// the responder, and whatever else runs, takes more; eight gain little.
const SENDERS: u32 = 4;
/// Datagrams sent with one system call: no call takes more (`UIO_MAXIOV`).
const BATCH: usize = 1_024;
/// Longest that is waited for an answer before the end of the sending is looked for.
const STEP: Duration = Duration::from_millis(10);

/// A Get of sysDescr.0 and sysObjectID.0 in version 2c with the community `public`; the four octets
/// of the request-id stand at [`ID_AT`].
pub const REQUEST: [u8; 57] = [
    0x30, 0x37, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x2a, 0x02,
    0x04, 0x40, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x1c, 0x30, 0x0c, 0x06,
    0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x00, 0x05, 0x00, 0x30, 0x0c, 0x06, 0x08, 0x2b,
    0x06, 0x01, 0x02, 0x01, 0x01, 0x02, 0x00, 0x05, 0x00,
];
/// Where the request-id of [`REQUEST`] stands.
const ID_AT: usize = 17;
/// Set in every request-id, whose rest is the host's number.
const ID: u32 = 0x4000_0000;

/// Asks every address of a /16 once, and tells how many answered.
pub fn floor(network: Ipv4Addr, port: u16) -> Result<u32, Box<dyn Error>> {
    let fd = datagrams::open(0)?;
    let base = u32::from(network) & 0xffff_0000;
    let asking = Asking::by(SENDERS);
    let mut bitmap = Bitmap::new();
    std::thread::scope(|scope| {
        let (fd, asking) = (&fd, &asking);
        let send = |hosts: Range<u32>| {
            scope.spawn(move || {
                let outcome = ask(fd, base, port, hosts);
                asking.is_done_by_one();
                outcome
            })
        };
        let each = ADDRESSES / SENDERS;
        let senders: Vec<_> = (0..SENDERS)
            .map(|it| send(it * each..(it + 1) * each))
            .collect();
        hear(fd, asking, &mut bitmap)?;
        for sender in senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        Ok(bitmap.count())
    })
}

/// How many still ask, and once none does, until when late answers are waited for.
struct Asking {
    by: AtomicU32,
    end: OnceLock<Instant>,
}

impl Asking {
    fn by(senders: u32) -> Self {
        let (by, end) = (AtomicU32::new(senders), OnceLock::new());
        Self { by, end }
    }

    fn is_done_by_one(&self) {
        if self.by.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end.get_or_init(|| Instant::now() + LATE);
        }
    }
}

/// Asks these hosts, each once.
fn ask(fd: &OwnedFd, base: u32, port: u16, hosts: Range<u32>) -> Result<(), Errno> {
    let mut requests = [REQUEST; BATCH];
    let mut to = [None; BATCH];
    for first in hosts.step_by(BATCH) {
        for ((host, octets), to) in (first..).zip(&mut requests).zip(&mut to) {
            octets[ID_AT..ID_AT + 4].copy_from_slice(&(host | ID).to_be_bytes());
            let [a, b, c, d] = (base | host).to_be_bytes();
            *to = Some(SockaddrIn::new(a, b, c, d, port));
        }
        datagrams::send(fd, &requests, &to)?;
    }
    Ok(())
}

/// Notes who answers until the end.
fn hear(fd: &OwnedFd, asking: &Asking, bitmap: &mut Bitmap) -> Result<(), Errno> {
    let mut heard = Heard::new();
    loop {
        let left = match asking.end.get() {
            None => STEP,
            Some(end) => end.saturating_duration_since(Instant::now()),
        };
        if left.is_zero() {
            return Ok(());
        }
        datagrams::wait(fd, left)?;
        heard.take(fd, MsgFlags::MSG_DONTWAIT, |octets, from, _| {
            bitmap.note(octets, from);
        })?;
    }
}

/// Who has answered, a bit a host.
struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    fn new() -> Self {
        let words = vec![0; ADDRESSES as usize / 64];
        Self { words }
    }

    /// Notes an answer, if it is one to the question that its sender was asked.
    fn note(&mut self, octets: &[u8], from: SockaddrIn) {
        let host = u32::from(from.ip()) & 0xffff;
        let id = (host | ID).to_be_bytes();
        if octets.windows(id.len()).any(|it| it == id) {
            self.words[(host / 64) as usize] |= 1 << (host % 64);
        }
    }

    fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }
}
