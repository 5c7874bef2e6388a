//! Reads printers with the `snmp2` crate: GetBulk from mib-2 until the end. A session is of one address
//! and cannot be given another, so each printer has its own.
//!
//! `peer-snmp2 PRINTERS AT_ONCE REPETITIONS [READINGS]`: prints a line of the form that `ours` prints.

use std::net::Ipv4Addr;

use snmp::VarBind;
use snmp2::{AsyncSession, Oid, Value};
use walks::PORT;
use walks::peer::{Peer, ROOT, Trouble, Walked};

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let root = Oid::from(&ROOT.map(u64::from)).map_err(|_| "the root")?;
    let worker = || Snmp2 {
        root: root.clone(),
        kept: Vec::new(),
    };
    walks::peer::run("snmp2", worker).await
}

struct Snmp2 {
    root: Oid<'static>,
    kept: Vec<(Oid<'static>, snmp::Value)>,
}

impl Peer for Snmp2 {
    async fn walk(&mut self, address: Ipv4Addr, repetitions: u32) -> Result<Walked, Trouble> {
        let mut session = AsyncSession::new_v2c((address, PORT), b"public", 1).await?;
        let mut kept = Vec::with_capacity(128);
        for packets in 1.. {
            let at = kept
                .last()
                .map_or(&self.root, |it: &(Oid<'static>, snmp::Value)| &it.0);
            let answer = session.getbulk(&[at], 0, repetitions).await?;
            let before = kept.len();
            for (oid, value) in answer.varbinds {
                if matches!(value, Value::EndOfMibView) {
                    let objects = kept.len();
                    self.kept = kept;
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

    fn collected(&mut self) -> Vec<VarBind> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        kept.map(|(oid, value)| VarBind::new(name(&oid), value))
            .collect()
    }
}

/// An object identifier of Platen's.
fn name(oid: &Oid<'_>) -> snmp::Oid {
    let arcs = oid.iter().into_iter().flatten();
    let arcs: Vec<u32> = arcs.filter_map(|arc| u32::try_from(arc).ok()).collect();
    snmp::Oid::new(&arcs)
}

/// Copies what a value holds.
fn keep(value: &Value<'_>) -> snmp::Value {
    match value {
        Value::OctetString(octets) => snmp::Value::OctetString(octets.to_vec()),
        Value::IpAddress(octets) => snmp::Value::IpAddress(octets.to_vec()),
        Value::Integer(number) => snmp::Value::Integer(*number),
        Value::Counter32(number) => snmp::Value::Counter32(*number),
        Value::Unsigned32(number) => snmp::Value::Gauge32(*number),
        Value::Timeticks(number) => snmp::Value::TimeTicks(*number),
        Value::Counter64(number) => snmp::Value::Counter64(*number),
        Value::ObjectIdentifier(oid) => snmp::Value::ObjectId(name(oid).into()),
        // What no printer answers.
        _ => snmp::Value::Null,
    }
}
