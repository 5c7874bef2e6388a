//! Reads printers with the `async-snmp` crate: GetBulk from mib-2 until the end. All workers share one
//! transport, as the crate advises for many targets.
//!
//! `peer-async-snmp PRINTERS AT_ONCE REPETITIONS [READINGS]`: prints a line of the form that `ours` prints.

use std::net::{Ipv4Addr, SocketAddr};

use async_snmp::transport::UdpTransport;
use async_snmp::{Auth, Client, Oid, Retry, Value, VarBind};
use walks::PORT;
use walks::peer::{ANSWER_MAX, Peer, ROOT, Trouble, Walked};

/// Receive buffer: a thousand printers may answer at once.
const RECEIVE_BUFFER: usize = 16 * 1_024 * 1_024;

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let transport = UdpTransport::builder()
        .bind("0.0.0.0:0")
        .recv_buffer_size(RECEIVE_BUFFER)
        .build()
        .await?;
    let worker = || AsyncSnmp {
        transport: transport.clone(),
        kept: Vec::new(),
    };
    walks::peer::run("async-snmp", worker).await
}

struct AsyncSnmp {
    transport: UdpTransport,
    kept: Vec<VarBind>,
}

impl Peer for AsyncSnmp {
    async fn walk(&mut self, address: Ipv4Addr, repetitions: u32) -> Result<Walked, Trouble> {
        let address = SocketAddr::from((address, PORT));
        let client = Client::builder(address, Auth::v2c("public"))
            .request_timeout(ANSWER_MAX)
            .retry(Retry::none())
            .build_with(&self.transport)
            .await?;
        let mut kept: Vec<VarBind> = Vec::with_capacity(128);
        let mut at = Oid::from_slice(&ROOT);
        for packets in 1.. {
            let mut answer = client.get_bulk(&[at], 0, repetitions).await?;
            let end = answer
                .iter()
                .position(|it| matches!(it.value, Value::EndOfMibView));
            if let Some(end) = end {
                answer.truncate(end);
            }
            kept.append(&mut answer);
            if end.is_some() {
                let objects = kept.len();
                self.kept = kept;
                return Ok(Walked { objects, packets });
            }
            at = kept.last().ok_or("an answer without objects")?.oid.clone();
        }
        Err("an answer without an end".into())
    }

    fn collected(&mut self) -> Vec<snmp::VarBind> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        kept.map(|it| snmp::VarBind::new(name(&it.oid), value(it.value)))
            .collect()
    }
}

/// An object identifier of Platen's.
fn name(oid: &Oid) -> snmp::Oid {
    snmp::Oid::new(oid.arcs())
}

/// A value of Platen's.
fn value(value: Value) -> snmp::Value {
    match value {
        Value::Integer(number) => snmp::Value::Integer(number.into()),
        Value::OctetString(octets) => snmp::Value::OctetString(octets.into()),
        Value::ObjectIdentifier(oid) => snmp::Value::ObjectId(name(&oid).into()),
        Value::IpAddress(octets) => snmp::Value::IpAddress(octets.into()),
        Value::Counter32(number) => snmp::Value::Counter32(number),
        Value::Gauge32(number) => snmp::Value::Gauge32(number),
        Value::TimeTicks(number) => snmp::Value::TimeTicks(number),
        Value::Counter64(number) => snmp::Value::Counter64(number),
        // What no printer answers.
        _ => snmp::Value::Null,
    }
}
