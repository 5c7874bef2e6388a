//! What a browser or a printer can write to make the hub reach something else: it reaches nothing.
//!
//! A listener waits on this machine's loopback address for whatever may be dialed; the session's
//! tunnel counts what is asked of it.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::*;

/// Hosts that are not the printer, as they can be written. `PORT` is the listener's.
const HOSTS: [&str; 46] = [
    "127.0.0.1:PORT",
    "127.1:PORT",
    "127.0.1:PORT",
    "2130706433:PORT",
    "0x7f000001:PORT",
    "0x7f.0.0.1:PORT",
    "0177.0.0.1:PORT",
    "017700000001:PORT",
    "127.000.000.001:PORT",
    "0:PORT",
    "0.0.0.0:PORT",
    "localhost:PORT",
    "LOCALHOST:PORT",
    "localhost.:PORT",
    "a.localhost:PORT",
    "[::1]:PORT",
    "[::]:PORT",
    "[0:0:0:0:0:0:0:1]:PORT",
    "[::ffff:127.0.0.1]:PORT",
    "[::ffff:7f00:1]:PORT",
    "[::127.0.0.1]:PORT",
    "[64:ff9b::7f00:1]:PORT",
    "[fe80::1%25lo]:PORT",
    "127.0.0.1.nip.io:PORT",
    "%31%32%37.0.0.1:PORT",
    "127%2e0%2e0%2e1:PORT",
    "127。0。0。1:PORT",
    "①②⑦.0.0.1:PORT",
    "10.0.4.17@127.0.0.1:PORT",
    "10.0.4.17:80@127.0.0.1:PORT",
    "10.0.4.17%40127.0.0.1:PORT",
    "127.0.0.1:PORT#@10.0.4.17",
    "127.0.0.1:PORT?@10.0.4.17",
    "127.0.0.1:PORT\\@10.0.4.17",
    "127.0.0.1:PORT/10.0.4.17",
    "10.0.4.17:PORT",
    "10.0.4.17:0",
    "10.0.4.17:65616",
    "10.0.4.170",
    "10.0.4.18",
    "169.254.169.254",
    "0xa9fea9fe",
    "[fd00:ec2::254]",
    "metadata.google.internal",
    "hub.example.org",
    "100.100.100.200",
];

/// How a URL with such a host can begin.
const BEGINNINGS: [&str; 12] = [
    "http://",
    "https://",
    "//",
    "///",
    "/\\",
    "\\\\",
    "\t//",
    "/\t/",
    "http:\\\\",
    "hTtP:////",
    "ws://",
    "gopher://",
];

struct Canary {
    listener: TcpListener,
    at: SocketAddr,
}

impl Canary {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        Self { listener, at }
    }

    fn spell(&self, text: &str) -> String {
        text.replace("PORT", &self.at.port().to_string())
    }

    /// Whether anybody came.
    async fn is_quiet(&self) -> bool {
        timeout(Duration::from_millis(300), self.listener.accept())
            .await
            .is_err()
    }
}

#[tokio::test]
async fn no_redirect_of_a_printer_leads_anywhere_else() {
    let canary = Canary::new().await;
    let mut tried = 0;
    for host in HOSTS {
        for begin in BEGINNINGS {
            let target = canary.spell(&format!("{begin}{host}/x"));
            let mut answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n".to_vec();
            for name in ["Location", "Content-Location"] {
                answer.extend(format!("{name}: {target}\r\n").as_bytes());
            }
            answer.extend(format!("Refresh: 0; url={target}\r\n\r\n").as_bytes());
            let site = Site::new(says(answer));
            let read = site.get("/").await;
            tried += 1;
            assert_eq!(site.opened(), 1, "{target}");
            for name in ["location", "content-location", "refresh"] {
                let led = read.header(name).unwrap_or_default();
                let led = led.split("url=").last().unwrap_or_default();
                let home = format!("{}/", site.origin());
                assert!(led.is_empty() || led.starts_with(&home), "{target}: {led}");
            }
        }
    }
    assert!(tried >= 500, "{tried}");
    assert!(canary.is_quiet().await);
}

#[tokio::test]
async fn no_request_leads_anywhere_but_to_the_sessions_device() {
    let canary = Canary::new().await;
    let mut tried = 0;
    for host in HOSTS {
        let host = canary.spell(host);
        let (printer, heard) = hears(PAGE);
        let site = Site::new(printer);
        let own = &site.authority;
        let cookie = &site.cookie;
        let root = || "GET / HTTP/1.1".to_owned();
        for (line, name) in [
            (format!("GET http://{host}/ HTTP/1.1"), own.clone()),
            (format!("GET https://{host}/ HTTP/1.1"), own.clone()),
            (format!("CONNECT {host} HTTP/1.1"), own.clone()),
            (format!("GET //{host}/ HTTP/1.1"), own.clone()),
            (format!("GET /\\{host}/ HTTP/1.1"), own.clone()),
            (format!("GET @{host}/ HTTP/1.1"), own.clone()),
            (format!("GET {host}/ HTTP/1.1"), own.clone()),
            (format!("GET /?url=http://{host}/ HTTP/1.1"), own.clone()),
            (root(), host.clone()),
            (root(), format!("{own}@{host}")),
            (root(), format!("{host}@{own}")),
            (root(), format!("{own}#{host}")),
            (root(), format!("{own}/{host}")),
            (root(), format!("{own}\r\nHost: {host}")),
            (
                root(),
                format!(
                    "{own}\r\nX-Forwarded-Host: {host}\r\nForwarded: host={host}\r\nX-Original-URL: http://{host}/"
                ),
            ),
            (
                root(),
                format!("{own}\r\nConnection: Upgrade\r\nUpgrade: tcp://{host}"),
            ),
        ] {
            let request =
                format!("{line}\r\nHost: {name}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
            let answer = site.raw(request.as_bytes()).await;
            tried += 1;
            let asked = heard.lock().unwrap().drain(..).collect::<Vec<_>>();
            let is_asked = usize::from(answer.status == 200);
            assert_eq!(asked.len(), is_asked, "{request} {}", answer.head);
            for asked in asked {
                assert!(asked.starts_with("GET /"), "{asked}");
                let hosts: Vec<_> = asked
                    .lines()
                    .filter(|line| line.starts_with("Host: "))
                    .collect();
                assert_eq!(hosts, ["Host: 10.0.4.17"], "{asked}");
                assert!(
                    !asked.contains("Forwarded") && !asked.contains("Original"),
                    "{asked}"
                );
            }
        }
        assert!(site.opened() <= 16);
    }
    assert!(tried >= 700, "{tried}");
    assert!(canary.is_quiet().await);
}

#[test]
fn nothing_in_this_door_can_open_a_socket() {
    let sources = [
        include_str!("../ask.rs"),
        include_str!("../carry.rs"),
        include_str!("../cookie.rs"),
        include_str!("../gate.rs"),
        include_str!("../head.rs"),
        include_str!("../link.rs"),
        include_str!("../mod.rs"),
        include_str!("../page.rs"),
        include_str!("../place.rs"),
        include_str!("../pool.rs"),
        include_str!("../rewrite.rs"),
        include_str!("../tls.rs"),
    ];
    for source in sources {
        for word in [
            "TcpStream",
            "TcpSocket",
            "UdpSocket",
            "lookup_host",
            "std::net::Tcp",
            "tokio::net",
        ] {
            assert!(!source.contains(word), "{word}");
        }
    }
}
