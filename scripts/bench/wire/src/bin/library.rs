//! Discovers a /16 with a library of others, as its own examples do: a task an address, so many at once.
//!
//! `library async-snmp|csnmp|snmp2 NETWORK PORT AT_ONCE` asks every address once for sysDescr.0, waits a
//! second for each, and prints how many answered.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_snmp::transport::UdpTransport;
use async_snmp::{Auth, Client, Retry, oid};
use csnmp::Snmp2cClient;
use snmp2::{AsyncSession, Oid};
use tokio::sync::Semaphore;

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Which library asks.
#[derive(Clone)]
enum Library {
    /// With one socket for all.
    AsyncSnmp(UdpTransport),
    /// With a socket an address.
    Csnmp,
    /// With a socket an address.
    Snmp2,
}

impl Library {
    /// Asks an address; none where no answer came.
    async fn ask(self, at: SocketAddr) -> Option<()> {
        match self {
            Self::AsyncSnmp(transport) => {
                let target = (at.ip().to_string(), at.port());
                let client = Client::builder(target, Auth::v2c("public"))
                    .request_timeout(TIMEOUT)
                    .retry(Retry::none())
                    .build_with(&transport)
                    .await
                    .ok()?;
                client.get(&oid!(1, 3, 6, 1, 2, 1, 1, 1, 0)).await.ok()?;
            }
            Self::Csnmp => {
                let any = Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
                let client = Snmp2cClient::new(at, b"public".to_vec(), any, Some(TIMEOUT), 0);
                let oid = "1.3.6.1.2.1.1.1.0".parse().ok()?;
                client.await.ok()?.get(oid).await.ok()?;
            }
            Self::Snmp2 => {
                let session = AsyncSession::new_v2c(at, b"public", 1);
                let mut session = session.await.ok()?;
                let oid = Oid::from(&[1, 3, 6, 1, 2, 1, 1, 1, 0]).ok()?;
                let answer = tokio::time::timeout(TIMEOUT, session.get(&oid));
                answer.await.ok()?.ok()?;
            }
        }
        Some(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [library, network, port, at_once] = &words[..] else {
        return Err("library async-snmp|csnmp|snmp2 NETWORK PORT AT_ONCE".into());
    };
    let library = match library.as_str() {
        "async-snmp" => Library::AsyncSnmp(UdpTransport::bind("0.0.0.0:0").await?),
        "csnmp" => Library::Csnmp,
        "snmp2" => Library::Snmp2,
        other => return Err(format!("no library {other}").into()),
    };
    let base = u32::from(network.parse::<Ipv4Addr>()?) & 0xffff_0000;
    let port: u16 = port.parse()?;
    let permits = Arc::new(Semaphore::new(at_once.parse()?));
    let mut tasks = Vec::new();
    for host in 0..=0xffff {
        let permit = permits.clone().acquire_owned().await?;
        let library = library.clone();
        tasks.push(tokio::spawn(async move {
            let _permit = permit;
            let at = SocketAddr::from((Ipv4Addr::from(base | host), port));
            library.ask(at).await.is_some()
        }));
    }
    let mut found = 0;
    for task in tasks {
        found += u32::from(task.await?);
    }
    println!("{found}");
    Ok(())
}
