//! Reads printers with the `csnmp` crate: GetBulk from mib-2 until the end. A worker's client, and its
//! socket, is given the next address.
//!
//! `peer-csnmp PRINTERS AT_ONCE REPETITIONS`: prints a line of the form that `ours` prints.

use std::net::{Ipv4Addr, SocketAddr};

use csnmp::{ObjectIdentifier, Snmp2cClient};
use walks::PORT;
use walks::peer::{ANSWER_MAX, Peer, ROOT, Trouble, Walked};

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let root = ObjectIdentifier::try_from(&ROOT[..])?;
    walks::peer::run("csnmp", || Csnmp { root, client: None }).await
}

struct Csnmp {
    root: ObjectIdentifier,
    client: Option<Snmp2cClient>,
}

impl Peer for Csnmp {
    async fn walk(&mut self, address: Ipv4Addr, repetitions: u32) -> Result<Walked, Trouble> {
        let address = SocketAddr::from((address, PORT));
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                let any = Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
                let community = b"public".to_vec();
                let client =
                    Snmp2cClient::new(address, community, any, Some(ANSWER_MAX), 0).await?;
                none.insert(client)
            }
        };
        client.set_target(address)?;
        // Each answer is kept as it comes, a map.
        let mut kept = Vec::with_capacity(8);
        let mut at = self.root;
        for packets in 1.. {
            let answer = client.get_bulk(&[at], 0, repetitions).await?;
            let last = answer.values.last_key_value().map(|it| *it.0);
            kept.push(answer.values);
            if answer.end_of_mib_view {
                let objects = kept.iter().map(|it| it.len()).sum();
                return Ok(Walked { objects, packets });
            }
            at = last.ok_or("an answer without objects")?;
        }
        Err("an answer without an end".into())
    }

    /// Nothing: far slower than the others without a reading, it is not asked for one.
    fn collected(&mut self) -> Vec<snmp::VarBind> {
        Vec::new()
    }
}
