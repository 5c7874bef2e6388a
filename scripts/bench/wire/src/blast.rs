//! Asks one live address as fast as it is answered, which tells the responder's own rate.

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Instant;

use nix::sys::socket::{MsgFlags, SockaddrIn};

use crate::datagrams::{self, Heard};
use crate::floor::{LATE, REQUEST};

/// Questions sent before answers are taken: few, so that none waits long.
const BATCH: usize = 64;

/// Asks so many times, and prints how many answers came, and at what rate.
pub fn blast(address: Ipv4Addr, port: u16, count: usize) -> Result<(), Box<dyn Error>> {
    let fd = datagrams::open(0)?;
    let [a, b, c, d] = address.octets();
    let requests = [REQUEST; BATCH];
    let to = [Some(SockaddrIn::new(a, b, c, d, port)); BATCH];
    let mut heard = Heard::new();
    let (began, mut answers) = (Instant::now(), 0);
    for _ in 0..count / BATCH {
        datagrams::send(&fd, &requests, &to)?;
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
