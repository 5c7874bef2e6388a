//! The web door of a hub that runs: it answers by its names, and its pages reach no portal.

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::door::tests::{PATIENCE, Site};
use crate::permission::Rights;
use crate::store::Tenant;

/// A session that nobody has opened.
const SESSION: &str = "0123456789abcdef0123456789abcdef";

impl Site {
    /// Asks the listener without TLS, and reads until it hangs up.
    async fn ask_here(&self, line: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.bound.portal).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut octets = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut octets)).await;
        read.unwrap().unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// A session with the portal: the header that shows it.
    async fn portal_cookie(&self, host: &str) -> String {
        let rights = Rights::usual();
        let link = self
            .store
            .portal_link_create(&Tenant::DEFAULT, ("anna", &rights), Timestamp::now())
            .await
            .unwrap();
        let path = format!("GET /enter/{}", link.reveal());
        let entered = self.ask_here(&path, &format!("Host: {host}\r\n")).await;
        let cookie = entered
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.unwrap().split(';').next().unwrap();
        format!("Cookie: {cookie}\r\n")
    }
}

#[tokio::test]
async fn a_sessions_name_leads_to_its_door_and_any_other_to_the_portal() {
    let site = Site::start().await;
    let port = site.bound.portal.port();
    let own = format!("Host: s-{SESSION}.dwa.localhost:{port}\r\n");
    let page = site.ask_here("GET /", &own).await;
    assert!(page.starts_with("HTTP/1.1 404 "), "{page}");
    assert!(page.contains("There is no such session"), "{page}");
    let portal = site
        .ask_here("GET /", &format!("Host: localhost:{port}\r\n"))
        .await;
    assert!(portal.starts_with("HTTP/1.1 401 "), "{portal}");
    // Even with a session of the portal, its pages are not under a printer's name.
    let cookie = site.portal_cookie(&format!("localhost:{port}")).await;
    let mixed = site.ask_here("GET /", &format!("{own}{cookie}")).await;
    assert!(mixed.starts_with("HTTP/1.1 404 "), "{mixed}");
}

#[tokio::test]
async fn a_printers_page_neither_reads_nor_changes_the_portal() {
    let site = Site::start().await;
    let port = site.bound.portal.port();
    let host = format!("localhost:{port}");
    let cookie = site.portal_cookie(&host).await;
    let origin = format!("http://s-{SESSION}.dwa.localhost:{port}");
    let said = [
        format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\n"),
        format!("Origin: {origin}\r\nSec-Fetch-Site: same-site\r\n"),
        format!("Origin: {origin}\r\n"),
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        String::new(),
    ];
    for said in said {
        let headers = format!("Host: {host}\r\n{cookie}{said}");
        for path in [
            "/agents/0123/commands",
            "/printers/0123/sessions",
            "/sessions/0123/end",
            "/sessions/0123/certificate",
            "/sessions/0123/plain",
        ] {
            let form = format!("{headers}Content-Length: 0\r\n");
            let answer = site.ask_here(&format!("POST {path}"), &form).await;
            assert!(
                answer.starts_with("HTTP/1.1 403 "),
                "{path} {said}: {answer}"
            );
        }
        let page = site.ask_here("GET /", &headers).await;
        let page = page.to_ascii_lowercase();
        assert!(page.starts_with("http/1.1 200 "), "{page}");
        assert!(
            !page.contains("access-control-"),
            "a browser shows it to no other origin"
        );
        for header in [
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "x-frame-options: deny",
        ] {
            assert!(page.contains(header), "{header} in {page}");
        }
    }
}
