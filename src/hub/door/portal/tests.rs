//! Who gets in, and who does not: the portal asked over a socket, as a browser asks it.
//!
//! Also a reading and an agent for the tests of the other files.

use jiff::{SignedDuration, Timestamp};
use printer::reading::{Evidence, Reading};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{PortalState, router};
use crate::audit::writer::Audit;
use crate::command_key::CommandKey;
use crate::door::reception::tests::Quay;
use crate::door::reception::{Reception, ReceptionParts};
use crate::permission::Rights;
use crate::session::Sessions;
use crate::store::agents::AgentRow;
use crate::store::invitations::{self, Enrollment, Invited};
use crate::store::{Store, Tenant};

#[path = "../../../../tests/hostile_strings.rs"]
pub(super) mod hostile_strings;
mod web;

#[tokio::test]
async fn a_link_opens_a_session_once() {
    let portal = Portal::open().await;
    let link = portal.link(Timestamp::now()).await;
    let entered = portal.get(&link, "").await;
    assert_eq!(entered.status, 303);
    assert_eq!(entered.header("location"), Some("/"));
    let cookie = entered.header("set-cookie").unwrap();
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(portal.get("/", &session).await.status, 200);
    let again = portal.get(&link, "").await;
    assert_eq!(again.status, 401);
    assert_eq!(again.header("set-cookie"), None);
    assert!(
        again.body.contains("platen-hub setup-link"),
        "it says what to do"
    );
}

#[tokio::test]
async fn an_old_link_and_a_wrong_one_open_nothing() {
    let portal = Portal::open().await;
    let old = portal
        .link(Timestamp::now() - SignedDuration::from_hours(25))
        .await;
    let wrong = format!("/enter/{}", "0".repeat(32));
    let long = format!("/enter/{}", "0".repeat(4_000));
    for link in [old, wrong, long] {
        let answer = portal.get(&link, "").await;
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None));
    }
}

#[tokio::test]
async fn looking_ahead_leaves_a_link_whole() {
    let portal = Portal::open().await;
    let link = portal.link(Timestamp::now()).await;
    let head = portal.ask("HEAD", &link, &portal.host(), "").await;
    assert_eq!((head.status, head.header("set-cookie")), (204, None));
    let prefetch = portal
        .ask("GET", &link, &portal.host(), "Sec-Purpose: prefetch\r\n")
        .await;
    assert_eq!(prefetch.status, 204);
    assert_eq!(portal.get(&link, "").await.status, 303);
}

#[tokio::test]
async fn without_a_session_no_page_shows_anything() {
    let portal = Portal::open().await;
    let printer = format!("/printers/{}", "a".repeat(32));
    for path in ["/", "/?show=low", &printer] {
        for cookie in ["", "platen_80=x", &format!("{}=x", portal.cookie_name())] {
            let answer = portal.get(path, cookie).await;
            assert_eq!(answer.status, 401, "{path} {cookie}");
            assert!(answer.body.contains("platen-hub setup-link"));
        }
    }
}

#[tokio::test]
async fn another_name_than_a_loopback_one_is_refused() {
    let portal = Portal::open().await;
    let session = portal.session().await;
    let cookie = format!("Cookie: {session}\r\n");
    for host in ["portal.example.org", "10.0.0.1", "localhost.example.org"] {
        let answer = portal.ask("GET", "/", host, &cookie).await;
        assert_eq!(answer.status, 421, "{host}");
    }
    let link = portal.link(Timestamp::now()).await;
    assert_eq!(
        portal
            .ask("GET", &link, "portal.example.org", "")
            .await
            .status,
        421
    );
    assert_eq!(
        portal.get(&link, "").await.status,
        303,
        "the refusal did not use the link up"
    );
}

#[tokio::test]
async fn only_get_and_head_are_heard() {
    let portal = Portal::open().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = portal.ask(method, "/", &portal.host(), "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let portal = Portal::open().await;
    let session = portal.session().await;
    for path in [
        "/",
        "/livez",
        "/nothing",
        &format!("/printers/{}", "a".repeat(32)),
        "/enter/x",
    ] {
        let answer = portal.get(path, &session).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn an_asset_is_kept_for_good_and_named_by_its_content() {
    let portal = Portal::open().await;
    let style = super::asset::style();
    let answer = portal.get(&style, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert!(
        answer
            .header("cache-control")
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(
        portal
            .get("/assets/portal.0000000000000000.css", "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn an_empty_fleet_names_the_next_step() {
    let portal = Portal::open().await;
    let session = portal.session().await;
    let answer = portal.get("/", &session).await;
    assert_eq!(
        answer.body.matches("<code>").count(),
        1,
        "one step, not a choice"
    );
    assert!(answer.body.contains("platen-hub agent invite"));
}

#[tokio::test]
async fn the_fleet_tells_who_waits_who_fails_and_who_is_set_aside() {
    let portal = Portal::open().await;
    let (now, tenant) = (Timestamp::now(), Tenant::DEFAULT);
    let invite = async |name: &'static str, approval| {
        let invited = Invited {
            name,
            site: "",
            approval,
        };
        let kept = portal.store.invite(&tenant, invited, name, now);
        kept.await.unwrap();
        let answer = portal.store.invitation(&tenant, name, now).await.unwrap();
        let invitations::Answer::Open(invitation) = answer else {
            panic!("{answer:?}")
        };
        invitation
    };
    let waits = invite("lyon", true).await;
    let asked = ("0123456789abcdef", "10.0.0.1");
    let kept = portal.store.ask_approval(&tenant, &waits, asked, now);
    assert!(kept.await.unwrap());
    let failed = invite("nice", false).await;
    for _ in 0..5 {
        let failed = portal.store.invitation_failed(&tenant, &failed);
        assert!(failed.await.unwrap());
    }
    let aside = invite("<b>paris", false).await;
    let enrollment = Enrollment {
        invitation: &aside,
        fingerprint: "a",
        key_hash: "0a",
        sealing_key: None,
        until: now + SignedDuration::from_hours(24),
        version: "0.1.0",
    };
    let enrolled = portal.store.enroll(&tenant, &enrollment, now);
    assert!(enrolled.await.unwrap());
    let kept = portal
        .store
        .quarantine(&tenant, &aside.agent, "two <i>hold it", now);
    kept.await.unwrap();

    let page = portal.get("/", &portal.session().await).await.body;

    for words in [
        "lyon waits for approval",
        "0123 4567 89ab cdef",
        "the code for nice was closed",
        "quarantined: two",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("<i>hold") && !page.contains("<b>paris"));
}

#[tokio::test]
async fn an_unknown_printer_is_not_there() {
    let portal = Portal::open().await;
    let session = portal.session().await;
    for device in [&"a".repeat(32), "..%2f..%2fetc", "A"] {
        assert_eq!(
            portal
                .get(&format!("/printers/{device}"), &session)
                .await
                .status,
            404
        );
    }
}

#[tokio::test]
async fn health_needs_no_session() {
    let portal = Portal::open().await;
    assert_eq!(portal.get("/livez", "").await.status, 200);
    assert_eq!(portal.get("/readyz", "").await.status, 200);
    portal.store.close().await;
    assert_eq!(portal.get("/readyz", "").await.status, 503);
    assert_eq!(portal.get("/livez", "").await.status, 200);
}

/// A portal on a port of its own over an empty store.
struct Portal {
    store: Store,
    port: u16,
    _dir: TempDir,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Portal {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:hub.db", dir.path()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = PortalState {
            store: store.clone(),
            tenant: Tenant::DEFAULT,
            poll_every: std::time::Duration::from_secs(60),
            key: std::sync::Arc::new(CommandKey::open(dir.path()).unwrap()),
            reception: reception(&store, dir.path()),
            web_domain: "dwa.example.org".into(),
        };
        tokio::spawn(async move { axum::serve(listener, router(state)).await });
        Self {
            store,
            port,
            _dir: dir,
        }
    }

    async fn link(&self, made: Timestamp) -> String {
        let token = self
            .store
            .portal_link_create(&Tenant::DEFAULT, ("anna", &Rights::usual()), made)
            .await
            .unwrap();
        format!("/enter/{}", token.reveal())
    }

    async fn session(&self) -> String {
        let link = self.link(Timestamp::now()).await;
        let entered = self.get(&link, "").await;
        entered
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn cookie_name(&self) -> String {
        format!("platen_{}", self.port)
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let more = if cookie.is_empty() {
            String::new()
        } else {
            format!("Cookie: {cookie}\r\n")
        };
        self.ask("GET", path, &self.host(), &more).await
    }

    async fn ask(&self, method: &str, path: &str, host: &str, more: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let text =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .filter_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
            .next()
    }
}

/// A reception with a gateway that nobody comes to.
fn reception(store: &Store, folder: &std::path::Path) -> Reception {
    Reception::new(ReceptionParts {
        store: store.clone(),
        tenant: Tenant::DEFAULT,
        key: std::sync::Arc::new(CommandKey::open(folder).unwrap()),
        sessions: Sessions::default(),
        audit: Audit::open(store.clone(), folder).unwrap(),
        gateway: std::sync::Arc::new(Quay::default()),
    })
}

/// An agent that polled last at `polled`.
pub(super) fn sample_agent(id: &str, polled: Timestamp) -> AgentRow {
    AgentRow {
        id: id.to_owned(),
        name: id.to_owned(),
        site: String::new(),
        key_hash: String::new(),
        sealing_key: None,
        quarantined: None,
        refusals: 0,
        enrolled: polled,
        certificate_until: polled,
        revoked: None,
        last_poll: Some(polled),
        version: String::new(),
        status: None,
        trouble: None,
        printers: 1,
    }
}

/// A printer that is ready, with a total of `total` and a cyan toner.
pub(super) fn sample_reading(at: Timestamp, total: u64) -> Reading {
    let body = serde_json::json!({
        "schema": 1, "is_printer": true, "address": "10.20.4.17", "at": at,
        "identity": { "vendor": "Kyocera", "model": "TASKalfa 6052ci", "serial": "W2D8303202" },
        "status": { "state": "idle", "severity": "ok", "conditions": [], "console": [] },
        "meters": [{
            "name": "total", "value": total, "unit": "impressions", "evidence": evidence(),
        }],
        "supplies": [{
            "index": "1.2", "description": "TK-8337C", "class": "consumed", "type": "toner",
            "color": "cyan", "level": { "state": "percent", "percent": 50.0 },
            "unit": "impressions", "evidence": evidence(),
        }],
        "trays": [], "alerts": [],
    });
    serde_json::from_value(body).unwrap()
}

fn evidence() -> Evidence {
    let text = str::to_owned;
    Evidence {
        door: text("snmp"),
        object: text("-"),
        raw: text("-"),
        rule: text("-"),
    }
}
