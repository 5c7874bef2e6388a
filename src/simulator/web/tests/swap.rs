//! Two printers swap addresses: connections to the old one end, and nobody gets into the new one.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use snmp::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PATIENCE, at, fleet, get, post};
use crate::running_tests::SERIAL;

/// Long enough to say that nothing comes: loopback takes microseconds.
const DOUBT: Duration = Duration::from_millis(300);

fn both() -> [IpAddr; 2] {
    ["127.51.2.1", "127.51.2.2"].map(|text| text.parse().unwrap())
}

async fn ends_with_a_reset(stream: &mut TcpStream) {
    let read = async {
        let mut octets = [0; 4_096];
        loop {
            match stream.read(&mut octets).await {
                Ok(0) => panic!("closed instead of reset"),
                Ok(_) => {}
                Err(error) => return error.kind(),
            }
        }
    };
    let kind = tokio::time::timeout(PATIENCE, read).await.unwrap();
    assert_eq!(kind, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_swap_resets_what_is_open_and_moves_the_pages() {
    let running = fleet(
        "addresses = [\"127.51.2.1\", \"127.51.2.2\"]\nraw = 9100\nweb = [\
         { page = \"login\", port = 8080 }, { page = \"websocket\", port = 8081 },\
         { page = \"hostile\", port = 8082 }, { page = \"log\", port = 8083 }]\n",
    );
    let [a, b] = both();
    let page = at("127.51.2.1", 8080);
    let serial = |address: &'static str| async move {
        let page = get(at(address, 8080), "/", "").await;
        let (_, rest) = page.split_once("id=\"serial\">").unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let (of_a, of_b) = (serial("127.51.2.1").await, serial("127.51.2.2").await);
    let entered = post(page, "/login", "", "user=admin&password=printer").await;
    let (_, cookie) = entered.split_once("set-cookie: ").unwrap();
    let with = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    post(page, "/settings", &with, "location=Attic").await;

    let mut idle = TcpStream::connect(page).await.unwrap();
    let mut raw = TcpStream::connect(at("127.51.2.1", 9100)).await.unwrap();
    raw.write_all(b"document").await.unwrap();
    let mut log = TcpStream::connect(at("127.51.2.1", 8083)).await.unwrap();
    log.write_all(b"GET /log HTTP/1.1\r\nHost: p\r\n\r\n")
        .await
        .unwrap();
    let mut drip = TcpStream::connect(at("127.51.2.1", 8082)).await.unwrap();
    drip.write_all(b"GET /hostile/slow-drip HTTP/1.1\r\nHost: p\r\n\r\n")
        .await
        .unwrap();
    let mut other = TcpStream::connect(at("127.51.2.2", 8080)).await.unwrap();
    let stream = TcpStream::connect(at("127.51.2.1", 8081)).await.unwrap();
    let address = "ws://127.51.2.1:8081/socket";
    let (mut socket, _) = tokio_tungstenite::client_async(address, stream)
        .await
        .unwrap();
    // The log flows and the drip has begun before the leases change.
    log.read_exact(&mut [0; 100_000]).await.unwrap();
    drip.read_exact(&mut [0; 10]).await.unwrap();

    running.swap(a, b).await.unwrap();
    for stream in [
        &mut idle,
        &mut raw,
        &mut log,
        &mut drip,
        &mut other,
        socket.get_mut(),
    ] {
        ends_with_a_reset(stream).await;
    }
    assert_eq!(
        (serial("127.51.2.1").await, serial("127.51.2.2").await),
        (of_b, of_a)
    );
    let [at_a, at_b] = [
        running.arrived(a).await.unwrap(),
        running.arrived(b).await.unwrap(),
    ];
    assert_eq!(at_a.settings["location"], "Ground floor");
    assert_eq!(
        at_b.settings["location"], "Attic",
        "the memory moves with the device"
    );
}

#[tokio::test]
async fn a_connection_that_waits_to_be_taken_is_reset_by_a_swap_too() {
    let running = fleet(
        "addresses = [\"127.51.2.3\", \"127.51.2.4\"]\nweb = { page = \"tarpit\", port = 8080 }\n",
    );
    let mut waits = TcpStream::connect(at("127.51.2.3", 8080)).await.unwrap();
    let [a, b] = ["127.51.2.3", "127.51.2.4"].map(|text| text.parse().unwrap());
    running.swap(a, b).await.unwrap();
    ends_with_a_reset(&mut waits).await;
}

#[tokio::test]
async fn a_silent_address_stands_still_and_goes_on() {
    let running = fleet("addresses = \"127.51.2.7\"\nweb = { page = \"log\", port = 8080 }\n");
    let address = "127.51.2.7".parse().unwrap();
    let mut log = TcpStream::connect(at("127.51.2.7", 8080)).await.unwrap();
    log.write_all(b"GET /log?mib=64 HTTP/1.1\r\nHost: p\r\n\r\n")
        .await
        .unwrap();
    log.read_exact(&mut [0; 100_000]).await.unwrap();
    running.silence(address).await.unwrap();
    let mut octets = vec![0; 1024 * 1024];
    // What was underway still comes; then nothing does.
    let rest = async { while log.read(&mut octets).await.unwrap() > 0 {} };
    assert!(tokio::time::timeout(DOUBT, rest).await.is_err());
    let mut new = TcpStream::connect(at("127.51.2.7", 8080)).await.unwrap();
    new.write_all(b"GET / HTTP/1.1\r\nHost: p\r\n\r\n")
        .await
        .unwrap();
    let answered = tokio::time::timeout(DOUBT, new.read(&mut octets));
    assert!(answered.await.is_err(), "nobody takes it");
    running.unsilence(address).await.unwrap();
    for stream in [&mut log, &mut new] {
        let more = tokio::time::timeout(PATIENCE, stream.read(&mut octets));
        assert!(more.await.unwrap().unwrap() > 0);
    }
}

#[tokio::test]
async fn a_connection_never_shows_two_printers() {
    let running = fleet(
        "addresses = [\"127.51.2.5\", \"127.51.2.6\"]\nweb = { page = \"panel\", port = 8080 }\n",
    );
    let [a, b] = ["127.51.2.5", "127.51.2.6"].map(|text| text.parse().unwrap());
    let to = at("127.51.2.5", 8080);
    let swaps = async {
        for round in 0..200_u64 {
            running.swap(a, b).await.unwrap();
            tokio::time::sleep(Duration::from_micros(round * 37 % 1_500)).await;
        }
    };
    let visits = async {
        loop {
            let Ok(mut stream) = TcpStream::connect(to).await else {
                // Nobody stands there for a moment.
                tokio::task::yield_now().await;
                continue;
            };
            let mut last = None;
            while let Some(serial) = ask(&mut stream).await {
                let other = last.replace(serial.clone()).filter(|last| *last != serial);
                assert_eq!(other, None, "{serial} on the same connection");
            }
        }
    };
    tokio::select! {
        () = swaps => {}
        () = visits => {}
    }
    let arrived = running.arrived(a).await.unwrap();
    assert!(arrived.requests_total > 100, "{}", arrived.requests_total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_after_connecting_is_told_whose_page_it_is() {
    let running = fleet(
        "addresses = [\"127.51.2.8\", \"127.51.2.9\"]\nweb = { page = \"panel\", port = 8080 }\n",
    );
    let [a, b]: [IpAddr; 2] = ["127.51.2.8", "127.51.2.9"].map(|text| text.parse().unwrap());
    let udp = SocketAddr::new(a, running.port);
    let swaps = tokio::spawn(async move {
        for round in 0..300_u64 {
            running.swap(a, b).await.unwrap();
            tokio::time::sleep(Duration::from_micros(round * 37 % 3_000)).await;
        }
        running
    });
    let (mut seen, mut ended) = (BTreeSet::new(), 0);
    while !swaps.is_finished() {
        let Ok(mut stream) = TcpStream::connect(at("127.51.2.8", 8080)).await else {
            continue;
        };
        let answer =
            tokio::task::spawn_blocking(move || crate::running_tests::ask(udp, SERIAL, PATIENCE));
        let Some((_, Value::OctetString(told))) = answer.await.unwrap() else {
            panic!("no serial number");
        };
        let told = String::from_utf8(told).unwrap();
        match ask(&mut stream).await {
            Some(shown) => assert_eq!(shown, told),
            None => ended += 1,
        }
        seen.insert(told);
    }
    drop(swaps.await.unwrap());
    assert_eq!(seen.len(), 2, "both were met");
    assert!(ended > 0, "a swap came between");
}

/// The serial number on the front page; `None` when the connection ended.
async fn ask(stream: &mut TcpStream) -> Option<String> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: p\r\n\r\n")
        .await
        .ok()?;
    let mut page = Vec::new();
    let mut octets = [0; 4_096];
    while !page.ends_with(b"</html>\n") {
        let length = stream
            .read(&mut octets)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        page.extend_from_slice(&octets[..length]);
    }
    let page = String::from_utf8(page).ok()?;
    let (_, rest) = page.split_once("id=\"serial\">")?;
    Some(rest.split('<').next()?.to_owned())
}
