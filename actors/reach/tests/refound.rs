//! Devices that are known: how soon a sweep finds them again, and with how many packets.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use printer::question;
use snmp::Message;
use snmp::usm::{Security, User};
use tokio::net::UdpSocket;

use super::super::credential::Credential;
use super::super::snmp::{Snmp, SnmpSettings};
use super::super::survey;
use super::super::sweep::SweepOptions;
use super::fake_device::{answer, fleet};
use super::{FIRST, PATIENT, door, drain, impatient, options, printer, public, scope};

/// Devices that are known, among 4,096 addresses.
const KNOWN: usize = 655;
/// Packets a second.
const RATE: u32 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_is_found_again_first_with_a_packet_each() {
    let addresses: Vec<String> = (0..KNOWN)
        .map(|number| number * 6 + 3)
        .map(|host| format!("127.95.{}.{}", host / 256, host % 256))
        .collect();
    let at: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let asked_at: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = asked_at.clone();
    let port = fleet(&at, move |asked: Message| {
        noted.lock().unwrap().push(Instant::now());
        vec![answer(&printer(FIRST), &asked)]
    });
    let port = port.await;
    let settings = SnmpSettings {
        timeout: PATIENT,
        retries: 0,
        in_flight_max: 16,
        packets_per_second_max: RATE,
    };
    let snmp = Snmp::open(settings).unwrap();
    let (scope, door) = (scope("127.95.0.0-127.95.15.255", port), door(port));
    let admit = |address: &String| {
        scope
            .admit(address.parse::<IpAddr>().unwrap(), door)
            .unwrap()
    };
    let options = SweepOptions {
        first: addresses.iter().map(admit).collect(),
        as_users: HashSet::new(),
        ..options(2)
    };
    let began = Instant::now();
    let mut sweep = snmp.sweep(&scope, door, &[public()], options).unwrap();
    for _ in 0..KNOWN {
        let found = sweep.next().await.unwrap();
        assert!(found.is_introduced && found.may_be_a_printer);
        let keys = survey::fingerprint(&found.varbinds.into_iter().collect());
        assert!(keys.serial.is_some(), "who it is came with the same answer");
    }
    println!("{KNOWN} found again in {:?}", began.elapsed());
    let asked_at = asked_at.lock().unwrap().clone();
    assert_eq!(asked_at.len(), KNOWN, "one packet each");
    let in_a_second = |first: &Instant| {
        let is_within = |at: &&Instant| (**at).duration_since(*first) < Duration::from_secs(1);
        asked_at
            .iter()
            .filter(|at| *at >= first)
            .filter(is_within)
            .count()
    };
    let most = asked_at.iter().map(in_a_second).max().unwrap();
    assert!(most <= usize::try_from(RATE).unwrap(), "{most} in a second");
    // What has gone to others until then went while the last answers were on their way.
    let gone = began.elapsed().as_secs_f64() * f64::from(RATE) + 64.0;
    assert!(sweep.progress().packets_sent as f64 <= gone);
    assert!(question::introduction().len() > question::probe().len());
}

#[tokio::test]
async fn who_was_read_as_a_user_is_swept_without_a_community() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let (scope, door) = (scope("127.0.0.1", at.port()), door(at.port()));
    let device = scope.admit(at.ip(), door).unwrap();
    let user = User::new("mps", "", Security::None).unwrap();
    let credentials = [public(), Credential::User(user.into())];
    for as_user in [true, false] {
        let options = SweepOptions {
            first: vec![device],
            as_users: as_user.then_some(device).into_iter().collect(),
            ..options(2)
        };
        let sweep = impatient(0).sweep(&scope, door, &credentials, options);
        let (found, sweep) = drain(sweep.unwrap()).await;
        assert!(found.is_empty(), "it answers nothing");
        let (mut engines, mut communities) = (0, 0);
        let mut buffer = vec![0; 65_535];
        while let Ok(size) = socket.try_recv(&mut buffer) {
            match snmp::decode(&buffer[..size]) {
                Ok(_) => communities += 1,
                Err(_) => engines += 1,
            }
        }
        // Two tries, and the last round where something lived.
        assert_eq!(engines, 3);
        assert_eq!(communities, if as_user { 0 } else { 3 });
        assert_eq!(sweep.progress().packets_sent, engines + communities);
    }
}
