//! Label printers, PJL and print queues answer from the printer as it lives, and do what they are
//! told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{at, fleet_of};

const ZEBRA: &str = "zebra-zt411";

/// Says something and takes what comes back, up to so many octets.
async fn say(stream: &mut TcpStream, octets: &[u8], answer: usize) -> String {
    stream.write_all(octets).await.unwrap();
    let mut came = vec![0; answer];
    stream.read_exact(&mut came).await.unwrap();
    String::from_utf8(came).unwrap()
}

#[tokio::test]
async fn a_label_printer_answers_and_does_what_it_is_told() {
    let running = fleet_of(
        ZEBRA,
        "addresses = \"127.51.1.20\"\nlife = { pages_per_hour = 0 }\n\
         web = { page = \"zebra\", port = 9100 }\n",
    );
    let address = "127.51.1.20".parse().unwrap();
    let mut printer = TcpStream::connect(at("127.51.1.20", 9100)).await.unwrap();
    let asked = b"! U1 getvar \"odometer.total_label_count\"\r\n";
    assert_eq!(say(&mut printer, asked, 8).await, "\"411200\"");
    assert_eq!(
        say(&mut printer, b"! U1 getvar \"no.such\"\r\n", 3).await,
        "\"?\""
    );
    let status = say(&mut printer, b"~HS\r\n", 82).await;
    assert!(status.starts_with("\x02030,0,0,1230,000,") && status.matches('\x03').count() == 3);
    let told = b"~WC\r\n~PH\r\n^XA^XFE:SHIP.ZPL^FS^XZ\r\n~JC\r\n\
                 ! U1 setvar \"print.tone\" \"12.5\"\r\n";
    printer.write_all(told).await.unwrap();
    let tone = b"! U1 getvar \"print.tone\"\r\n";
    assert_eq!(say(&mut printer, tone, 6).await, "\"12.5\"");
    assert_eq!(say(&mut printer, asked, 8).await, "\"411203\"");
    let arrived = running.arrived(address).await.unwrap();
    let words = [
        "print configuration",
        "feed",
        "print stored E:SHIP.ZPL",
        "calibrate",
        "set print.tone 12.5",
    ];
    assert_eq!(arrived.told, words);
    assert!(arrived.raw_bytes > 100);
    printer.write_all(b"\x1b%-12345X@PJL\r\n").await.unwrap();
    assert_eq!(say(&mut printer, tone, 6).await, "\"12.5\"");
    let arrived = running.arrived(address).await.unwrap();
    assert_eq!(arrived.told.back().unwrap(), "something unknown");
}

#[tokio::test]
async fn a_label_printer_that_stands_is_silent_to_hs() {
    let running = fleet_of(
        ZEBRA,
        "addresses = \"127.51.1.21\"\nspeed = 1000.0\n\
         life = { pages_per_hour = 6000, jams_per_10000_pages = 9999, repair_secs = 86400, \
         sleep = \"never\", reboot_hours = 0 }\nweb = { page = \"zebra\", port = 9100 }\n",
    );
    running.jump(std::time::Duration::from_secs(10)).await;
    let mut printer = TcpStream::connect(at("127.51.1.21", 9100)).await.unwrap();
    // The answer to what was asked behind it comes first, and alone.
    let octets = b"~HS\r\n! U1 getvar \"head.latch\"\r\n";
    assert_eq!(say(&mut printer, octets, 6).await, "\"open\"");
}

#[tokio::test]
async fn pjl_and_queues_answer() {
    let running = fleet_of(
        "hp-laserjet-m507dn",
        "addresses = \"127.51.1.22\"\nfrozen = true\nweb = [{ page = \"pjl-info\", port = 9100 }, \
         { page = \"lpr\", port = 1515 }]\n",
    );
    let mut printer = TcpStream::connect(at("127.51.1.22", 9100)).await.unwrap();
    let asked = b"\x1b%-12345X@PJL\r\n@PJL ECHO x 1\r\n@PJL INFO PAGECOUNT\r\n\x1b%-12345X";
    let answer = say(&mut printer, asked, 36).await;
    assert!(
        answer.starts_with("@PJL ECHO x 1\r\n\x0c@PJL INFO PAGECOUNT"),
        "{answer:?}"
    );
    let mut queue = TcpStream::connect(at("127.51.1.22", 1515)).await.unwrap();
    queue.write_all(b"\x04lp \n").await.unwrap();
    let mut state = String::new();
    queue.read_to_string(&mut state).await.unwrap();
    assert_eq!(state, "lp is ready and printing\nno entries\n");
    let arrived = running
        .arrived("127.51.1.22".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(arrived.raw_bytes as usize, asked.len() + 5);
}
