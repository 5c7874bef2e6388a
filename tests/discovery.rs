//! Discovery over a whole /16: every printer is found, and nobody is touched by anything but SNMP.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use serde_json::Value;
use stories::program;

/// Printers that live in the range.
const LIVE: usize = 655;

/// Addresses of the range on which a honeypot listens.
const HONEYPOTS: u8 = 100;

/// What wakes a printer or makes it print garbage: web, LPD, IPP, raw.
const TCP_DOORS: [u16; 5] = [80, 443, 515, 631, 9100];

#[tokio::test(flavor = "multi_thread")]
async fn a_discovery_of_a_16_finds_all_655_printers_and_opens_no_tcp_connection() {
    let honeypots = honeypots();
    let fleet = format!(
        "seed = 7
[[printers]]
recording = \"kyocera-taskalfa-4054ci\"
\
         addresses = {{ range = \"127.30.0.0/16\", count = {LIVE} }}
"
    );
    let rack = stories::rack(&fleet);
    let said = tokio::process::Command::new(program("platen"))
        .args(["discover", "127.30.0.0/16", "--json", "--rate", "40000"])
        .args(["--port", &rack.port.to_string()])
        .output()
        .await
        .expect("platen runs");
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{complaint}");
    let found: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    let found = found.as_array().expect("a list");
    let addresses: std::collections::BTreeSet<&str> = found
        .iter()
        .filter_map(|reading| reading["address"].as_str())
        .collect();
    assert_eq!((found.len(), addresses.len()), (LIVE, LIVE), "{complaint}");
    for honeypot in honeypots {
        let visitor = honeypot.accept().expect_err("nobody connects");
        assert_eq!(visitor.kind(), ErrorKind::WouldBlock);
    }
}

/// Listens on every TCP door of a hundred addresses. Ports below 1024 need a right that a developer
/// may lack; without it the honeypots listen on 9100 alone, and the test says so.
fn honeypots() -> Vec<TcpListener> {
    let mut listeners = Vec::new();
    for host in 0..HONEYPOTS {
        for door in TCP_DOORS {
            match TcpListener::bind((Ipv4Addr::new(127, 30, host, 1), door)) {
                Ok(listener) => {
                    listener
                        .set_nonblocking(true)
                        .expect("a socket that does not wait");
                    listeners.push(listener);
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    eprintln!("no right to listen on port {door}: honeypots without it");
                }
                Err(error) => panic!("127.30.{host}.1:{door}: {error}"),
            }
        }
    }
    assert!(listeners.len() >= usize::from(HONEYPOTS));
    listeners
}
