//! Reads printers with the `snmp2` crate: GetBulk from the root until the end, so many at once.
//!
//! `peer-snmp2 PRINTERS AT_ONCE REPETITIONS`: prints how many were read whole, and the objects of one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use snmp2::{AsyncSession, Oid, Value};
use tokio::sync::Semaphore;
use walks::office::office;
use walks::{PORT, addresses};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<u32> = std::env::args()
        .skip(1)
        .map(|it| it.parse())
        .collect::<Result<_, _>>()?;
    let [printers, at_once, repetitions] = words[..] else {
        return Err("peer-snmp2 PRINTERS AT_ONCE REPETITIONS".into());
    };
    let permits = Arc::new(Semaphore::new(usize::try_from(at_once)?));
    let mut tasks = Vec::new();
    for address in addresses(printers) {
        let permits = permits.clone();
        tasks.push(tokio::spawn(async move {
            let _permit = permits.acquire_owned().await.ok()?;
            tokio::time::timeout(Duration::from_secs(10), walk(address, repetitions))
                .await
                .ok()?
        }));
    }
    let wanted = office().len();
    let mut whole = 0;
    for task in tasks {
        whole += u32::from(task.await? == Some(wanted));
    }
    println!("{whole} of {printers} whole, {wanted} objects each");
    Ok(())
}

async fn walk(address: std::net::Ipv4Addr, repetitions: u32) -> Option<usize> {
    let mut session = AsyncSession::new_v2c((address, PORT), b"public", 1)
        .await
        .ok()?;
    let mut at: Vec<u64> = vec![1, 3, 6, 1, 2, 1];
    let mut objects: Vec<(Vec<u64>, Vec<u8>)> = Vec::new();
    loop {
        let oid = Oid::from(&at).ok()?;
        let answer = session.getbulk(&[&oid], 0, repetitions).await.ok()?;
        for (oid, value) in answer.varbinds {
            if matches!(value, Value::EndOfMibView) {
                return Some(objects.len());
            }
            at = oid.iter()?.collect();
            objects.push((at.clone(), format!("{value:?}").into_bytes()));
        }
    }
}
