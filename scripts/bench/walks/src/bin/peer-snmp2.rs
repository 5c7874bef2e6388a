//! Reads printers with the `snmp2` crate: GetBulk from mib-2 until the end. A session is of one address
//! and cannot be given another, so each printer has its own.
//!
//! `peer-snmp2 PRINTERS AT_ONCE REPETITIONS`: prints a line of the form that `ours` prints.

use std::net::Ipv4Addr;

use snmp2::{AsyncSession, Oid, Value};
use walks::PORT;
use walks::peer::{Peer, ROOT, Trouble, Walked};

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let root = Oid::from(&ROOT.map(u64::from)).map_err(|_| "the root")?;
    walks::peer::run("snmp2", || Snmp2 { root: root.clone() }).await
}

struct Snmp2 {
    root: Oid<'static>,
}

/// A value as it is kept: octets as they came, and numbers.
#[expect(dead_code, reason = "kept as a reader would, and not looked at")]
enum Kept {
    Octets(Vec<u8>),
    Number(i64),
    Name(Oid<'static>),
    Other,
}

impl Peer for Snmp2 {
    async fn walk(&mut self, address: Ipv4Addr, repetitions: u32) -> Result<Walked, Trouble> {
        let mut session = AsyncSession::new_v2c((address, PORT), b"public", 1).await?;
        let mut kept: Vec<(Oid<'static>, Kept)> = Vec::with_capacity(128);
        for packets in 1.. {
            let at = kept.last().map_or(&self.root, |it| &it.0);
            let answer = session.getbulk(&[at], 0, repetitions).await?;
            let before = kept.len();
            for (oid, value) in answer.varbinds {
                if matches!(value, Value::EndOfMibView) {
                    let objects = kept.len();
                    return Ok(Walked { objects, packets });
                }
                kept.push((oid.to_owned(), keep(&value)));
            }
            if kept.len() == before {
                break;
            }
        }
        Err("an answer without objects".into())
    }
}

/// Copies what a value holds.
fn keep(value: &Value<'_>) -> Kept {
    match value {
        Value::OctetString(octets) | Value::Opaque(octets) => Kept::Octets(octets.to_vec()),
        Value::IpAddress(octets) => Kept::Octets(octets.to_vec()),
        Value::Integer(number) => Kept::Number(*number),
        Value::Counter32(number) | Value::Unsigned32(number) | Value::Timeticks(number) => {
            Kept::Number(i64::from(*number))
        }
        Value::Counter64(number) => Kept::Number(number.cast_signed()),
        Value::ObjectIdentifier(oid) => Kept::Name(oid.to_owned()),
        // What no printer answers.
        _ => Kept::Other,
    }
}
