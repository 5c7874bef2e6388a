//! Who gets in, and who does not.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::routing::get;
use tonic::codegen::Service;

use super::*;
use crate::session::{Cause, End};

#[tokio::test]
async fn a_link_lets_one_browser_in_once() {
    let site = Site::new(says(PAGE));
    let key = site.session.key(Timestamp::now()).unwrap();
    let enter = format!(
        "GET /.platen/enter?key={key} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
        site.authority
    );
    let entered = site.raw(enter.as_bytes()).await;
    assert_eq!(entered.status, 303, "{}", entered.head);
    assert_eq!(entered.header("location"), Some("/"));
    assert_eq!(entered.header("referrer-policy"), Some("no-referrer"));
    let cookie = entered.header("set-cookie").unwrap();
    let (name, rest) = cookie.split_once('=').unwrap();
    assert_eq!(name, "__Host-platen-session");
    assert!(
        rest.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let first = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\n\r\n",
        site.authority,
        cookie.split(';').next().unwrap()
    );
    let page = site.raw(first.as_bytes()).await;
    assert_eq!((page.status, page.body.as_str()), (200, "hello"));
    let again = site.raw(enter.as_bytes()).await;
    assert_eq!(again.status, 403);
    assert!(again.header("set-cookie").is_none());
}

#[tokio::test]
async fn without_its_own_cookie_nobody_sees_anything() {
    let site = Site::new(says(PAGE));
    for cookie in [
        String::new(),
        "__Host-platen-session=".to_owned(),
        format!("__Host-platen-session={}", "0".repeat(64)),
        site.cookie.replace("__Host-", ""),
        site.cookie.replace("__Host-", "__host-"),
        site.cookie.replace("session", "session "),
    ] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n",
            site.authority
        );
        let answer = site.raw(request.as_bytes()).await;
        assert_eq!(answer.status, 403, "{cookie}");
        assert!(answer.body.contains("has not entered"), "{}", answer.body);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
    }
    assert_eq!(site.opened(), 0);
    // What a sibling tosses beside it does not lock anybody out.
    let tossed = format!("__Host-platen-session=tossed; {}", site.cookie);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {tossed}\r\n\r\n",
        site.authority
    );
    assert_eq!(site.raw(request.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn a_session_that_is_unknown_or_over_says_no_more() {
    let site = Site::new(says(PAGE));
    let other = Site::new(says(PAGE));
    let unknown = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\n\r\n",
        other.authority, site.cookie
    );
    assert_eq!(site.raw(unknown.as_bytes()).await.status, 404);
    site.session
        .end(End::new(Cause::Site, "secret words of the site"));
    let over = site.get("/").await;
    assert_eq!(over.status, 410);
    assert!(!over.body.contains("secret words"), "{}", over.body);
    assert_eq!(site.opened(), 0);
}

#[tokio::test]
async fn our_own_paths_never_reach_the_printer() {
    let site = Site::new(says(PAGE));
    for path in [
        "/.platen",
        "/.platen/",
        "/.platen/x",
        "/.platen/enter/x?key=1",
        "/.PLATEN/enter",
        "/%2eplaten/enter?key=1",
        "/%252eplaten/x",
        "//.platen/enter",
        "/.platen%2Fenter",
    ] {
        let answer = site.get(path).await;
        assert!([403, 404].contains(&answer.status), "{path}");
    }
    let post = site.ask("POST /.platen/enter?key=1", "Content-Length: 0\r\n");
    assert_eq!(post.await.status, 405);
    let framed = "Sec-Fetch-Site: same-site\r\nSec-Fetch-Dest: iframe\r\n";
    let key = site.session.key(Timestamp::now()).unwrap();
    let enter = format!("GET /.platen/enter?key={key}");
    assert_eq!(site.ask(&enter, framed).await.status, 403);
    assert_eq!(site.opened(), 0);
    assert!(site.deeds().is_empty());
}

#[tokio::test]
async fn on_a_loopback_address_the_cookie_carries_the_port() {
    let site = Site::new(says(PAGE)).local(8080);
    let key = site.session.key(Timestamp::now()).unwrap();
    let entered = site.get(&format!("/.platen/enter?key={key}")).await;
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.starts_with("platen_session_8080="), "{cookie}");
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(site.get("/").await.status, 200);
}

/// What the browser says, whether it looks, and whether it changes something.
const SAID: [(&str, bool, bool); 17] = [
    ("", true, false),
    ("Origin: OWN\r\n", true, true),
    ("Sec-Fetch-Site: same-origin\r\n", true, true),
    ("Sec-Fetch-Site: same-origin\r\nOrigin: OWN\r\n", true, true),
    (
        "Sec-Fetch-Site: same-origin\r\nOrigin: https://hub.example.org\r\n",
        false,
        false,
    ),
    ("Sec-Fetch-Site: none\r\n", true, false),
    ("Sec-Fetch-Site: none\r\nOrigin: OWN\r\n", false, false),
    (
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
        true,
        false,
    ),
    (
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
        true,
        false,
    ),
    (
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        false,
        false,
    ),
    (
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n",
        false,
        false,
    ),
    (
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n",
        false,
        false,
    ),
    ("Sec-Fetch-Site: same-site\r\n", false, false),
    ("Sec-Fetch-Site: invented\r\n", false, false),
    ("Origin: null\r\n", false, false),
    ("Origin: https://s-0.dwa.hub.example.org\r\n", false, false),
    (
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        false,
        false,
    ),
];

#[tokio::test]
async fn no_other_origin_reads_or_changes_anything() {
    let site = Site::new(says(PAGE));
    for (said, may_look, may_change) in SAID {
        let headers = said.replace("OWN", &site.origin());
        for (line, may) in [
            ("GET /", may_look),
            ("POST /", may_change),
            ("DELETE /x", may_change),
            ("PUT /x", may_change),
            ("OPTIONS /x", may_change),
            ("BREW /x", may_change),
        ] {
            let headers = format!("{headers}Content-Length: 0\r\n");
            let before = site.opened();
            let answer = site.ask(line, &headers).await;
            let expected = if may { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{line} {said}");
            assert_eq!(site.opened() - before, usize::from(may), "{line} {said}");
        }
    }
}

#[tokio::test]
async fn a_sibling_session_cannot_read_or_write_with_the_persons_cookies() {
    let site = Site::new(says(PAGE));
    let sibling = format!("https://s-{}.{DOMAIN}", "0".repeat(32));
    for origin in [sibling, "https://hub.example.org".to_owned()] {
        for line in ["POST /", "GET /"] {
            let answer = site
                .ask(line, &format!("Origin: {origin}\r\nContent-Length: 0\r\n"))
                .await;
            assert_eq!(answer.status, 403, "{line} {origin}");
            assert!(answer.header("access-control-allow-origin").is_none());
            assert_eq!(
                answer.header("cross-origin-resource-policy"),
                Some("same-origin")
            );
        }
    }
    assert_eq!(site.opened(), 0);
}

#[tokio::test]
async fn a_read_only_session_looks_and_changes_nothing() {
    let mut terms = terms(80);
    terms.is_read_only = true;
    let site = Site::of(terms, says(PAGE));
    let own = "Sec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n";
    for line in ["POST /", "PUT /", "DELETE /", "OPTIONS /", "PATCH /"] {
        let answer = site.ask(line, own).await;
        assert_eq!(answer.status, 405, "{line}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    let socket = "Sec-Fetch-Site: same-origin\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
    assert_eq!(site.ask("GET /", socket).await.status, 405);
    assert_eq!(site.opened(), 0);
    assert_eq!(site.ask("GET /", own).await.status, 200);
    assert_eq!(site.ask("HEAD /", "").await.status, 200);
}

#[tokio::test]
async fn no_service_worker_is_fetched() {
    let site = Site::new(says(PAGE));
    for headers in [
        "Service-Worker: script\r\nSec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: serviceworker\r\n",
    ] {
        assert_eq!(site.ask("GET /sw.js", headers).await.status, 403);
    }
    assert_eq!(site.opened(), 0);
}

#[tokio::test]
async fn what_cannot_be_noted_is_not_done() {
    let site = Site::new(says(PAGE));
    site.notes.is_full.store(true, Ordering::SeqCst);
    let answer = site.get("/").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("no space left"), "{}", answer.body);
    assert_eq!(site.opened(), 0);
    assert_eq!(site.get("/").await.status, 410, "the session is over");
}

#[tokio::test]
async fn beside_the_portal_only_our_names_are_ours() {
    let site = Site::new(says(PAGE)).local(8080);
    let portal = Router::new().fallback(get(async || StatusCode::IM_A_TEAPOT));
    let mut both = site.door.clone().beside(portal);
    let mut status = async |host: &str| {
        let request = Request::builder().uri("/").header("host", host);
        let request = request.body(Body::empty()).unwrap();
        both.call(request).await.unwrap().status().as_u16()
    };
    for host in [
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "x.localhost",
    ] {
        assert_eq!(status(host).await, 418, "{host}");
    }
    assert_eq!(status(&site.authority).await, 403);
    for host in [
        "dwa.localhost",
        "x.dwa.localhost:8080",
        "X.DWA.localhost.",
        "localhost@s-0.dwa.localhost",
    ] {
        assert_eq!(status(host).await, 421, "{host}");
    }
}
