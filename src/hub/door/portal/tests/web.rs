//! Sessions with printers' pages, as a browser and `platen-hub open` ask for them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::{Answer, Portal};
use crate::command_key::CommandKey;
use crate::door::portal::{PortalState, router};
use crate::door::raw::{SUBPROTOCOL, bridge};
use crate::door::reception::tests::{Echo, House};
use crate::permission::{Right, Rights};
use crate::session::{Cause, End, Notice, Session, SessionId};
use crate::store::Tenant;
use crate::store::commands::CommandState;

/// A portal over a hub with one agent and one printer.
struct Web {
    house: House,
    portal: Portal,
}

impl Web {
    async fn open() -> Self {
        let house = House::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = PortalState {
            store: house.store.clone(),
            tenant: Tenant::DEFAULT,
            poll_every: Duration::from_secs(60),
            key: Arc::new(CommandKey::open(house.folder.path()).unwrap()),
            reception: house.reception.clone(),
            web_domain: "dwa.example.org".into(),
        };
        tokio::spawn(async move { axum::serve(listener, router(state)).await });
        let portal = Portal {
            store: house.store.clone(),
            port,
            _dir: tempfile::tempdir().unwrap(),
        };
        Self { house, portal }
    }

    /// A cookie of somebody with these rights.
    async fn viewer(&self, name: &str, rights: &Rights) -> String {
        let (store, now) = (&self.house.store, Timestamp::now());
        let link = store.portal_link_create(&Tenant::DEFAULT, (name, rights), now);
        let link = link.await.unwrap();
        let entered = self
            .portal
            .get(&format!("/enter/{}", link.reveal()), "")
            .await;
        let cookie = entered.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn anna(&self) -> String {
        self.viewer("anna", &Rights::of([Right::Web])).await
    }

    async fn post(&self, path: &str, cookie: &str, form: &str, more: &str) -> Answer {
        let host = self.portal.host();
        let more = format!(
            "Cookie: {cookie}\r\nOrigin: http://{host}\r\n{more}Content-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        // The helper ends the head once more: what comes after the body is not looked at.
        self.portal.ask("POST", path, &host, &more).await
    }

    async fn opened(&self, cookie: &str) -> (String, Session) {
        let path = format!("/printers/{}/sessions", self.house.device.as_str());
        let form = "port=80&reason=paper+jam&minutes=15";
        let answer = self.post(&path, cookie, form, "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let page = answer.header("location").unwrap().to_owned();
        let id = SessionId::parse(page.strip_prefix("/sessions/").unwrap()).unwrap();
        let session = self.house.reception.sessions().find(&id).unwrap();
        (page, session)
    }
}

#[tokio::test]
async fn a_printers_page_opens_from_its_form_with_a_reason() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let printer = format!("/printers/{}", web.house.device.as_str());
    let page = web.portal.get(&printer, &anna).await.body;
    assert!(page.contains("Open web page") && page.contains("name=\"read_only\""));
    let path = format!("{printer}/sessions");
    let again = web
        .post(&path, &anna, "port=70000&reason=%3Cb%3E&minutes=90", "")
        .await;
    assert_eq!(again.status, 422);
    assert!(again.body.contains("1 to 60 minutes"), "{}", again.body);
    assert!(again.body.contains("&lt;b&gt;") && !again.body.contains("<b>\""));
    let (page, session) = web.opened(&anna).await;
    assert_eq!(session.terms().from, Some("127.0.0.1".parse().unwrap()));
    let shown = web.portal.get(&page, &anna).await.body;
    for words in [
        "Kyocera TASKalfa 6052ci",
        "waits for the agent",
        "paper jam",
        "http-equiv=\"refresh\"",
        &format!(
            "http://s-{}.dwa.localhost:{}",
            session.terms().id,
            web.portal.port
        ),
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("Open in new tab"), "the tunnel is not open");
    let list = web.portal.get("/sessions", &anna).await.body;
    assert!(list.contains(&page) && list.contains("paper jam"), "{list}");
}

#[tokio::test]
async fn without_the_right_there_is_no_form_no_list_and_no_session() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    let bert = web.viewer("bert", &Rights::of([Right::Read])).await;
    let printer = format!("/printers/{}", web.house.device.as_str());
    let shown = web.portal.get(&printer, &bert).await;
    assert!(shown.status == 200 && !shown.body.contains("Open web page"));
    for path in [
        "/sessions",
        &page,
        &format!("{page}/visit"),
        &format!("{page}/state"),
    ] {
        assert_eq!(web.portal.get(path, &bert).await.status, 403, "{path}");
    }
    let form = "port=80&reason=jam&minutes=15";
    let path = format!("{printer}/sessions");
    assert_eq!(web.post(&path, &bert, form, "").await.status, 403);
    assert_eq!(
        web.post(&format!("{page}/end"), &bert, "", "").await.status,
        403
    );
    // One who may, but did not open it, sees it and cannot enter it.
    let carl = web.viewer("carl", &Rights::usual()).await;
    let shown = web.portal.get(&page, &carl).await;
    assert!(shown.body.contains("Only who opened it can enter it"));
    assert_eq!(
        web.portal.get(&format!("{page}/visit"), &carl).await.status,
        404
    );
    assert_eq!(session.has_ended(), None);
}

#[tokio::test]
async fn a_foreign_form_opens_and_ends_nothing() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    let host = web.portal.host();
    let cases = [
        "Origin: http://evil.example\r\n",
        "",
        "Sec-Fetch-Site: cross-site\r\n",
    ];
    for from in cases {
        let more = format!("Cookie: {anna}\r\n{from}Content-Length: 0\r\n");
        for form in ["end", "certificate", "plain"] {
            let path = format!("{page}/{form}");
            let answer = web.portal.ask("POST", &path, &host, &more).await;
            assert_eq!(answer.status, 403, "{form} {from}");
        }
    }
    assert_eq!(session.has_ended(), None);
}

#[tokio::test]
async fn a_link_leads_in_with_a_key_that_works_once_and_the_end_is_shown() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    session.has_way(Some(Arc::new(Echo)));
    let shown = web.portal.get(&page, &anna).await.body;
    let link = format!("<a href=\"{page}/visit\" target=\"_blank\" rel=\"noopener noreferrer\">");
    assert!(shown.contains(&link), "{shown}");
    let led = web.portal.get(&format!("{page}/visit"), &anna).await;
    let to = led.header("location").unwrap();
    let (origin, key) = to.split_once("/.platen/enter?key=").unwrap();
    let expected = format!(
        "http://s-{}.dwa.localhost:{}",
        session.terms().id,
        web.portal.port
    );
    assert_eq!((led.status, origin), (303, expected.as_str()));
    let now = Timestamp::now();
    assert!(session.enter(key, now).unwrap().is_some());
    assert!(session.enter(key, now).unwrap().is_none());
    let ended = web.post(&format!("{page}/end"), &anna, "", "").await;
    assert_eq!(
        (ended.status, ended.header("location")),
        (303, Some(page.as_str()))
    );
    assert_eq!(session.has_ended().unwrap().cause, Cause::Person);
    let shown = loop {
        let shown = web.portal.get(&page, &anna).await.body;
        if shown.contains("ended by anna") {
            break shown;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(
        !shown.contains("http-equiv=\"refresh\"") && !shown.contains("/visit"),
        "{shown}"
    );
    assert_eq!(
        web.portal.get(&format!("{page}/visit"), &anna).await.status,
        404
    );
}

#[tokio::test]
async fn another_certificate_is_taken_by_who_was_shown_both() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    let (store, device) = (&web.house.store, &web.house.device);
    let (old, new) = ("aa".repeat(32), "bb".repeat(32));
    let pins = (None, old.as_str());
    let pinned = store.pin_take(
        &Tenant::DEFAULT,
        (device, 80),
        pins,
        ("anna", Timestamp::now()),
    );
    assert!(pinned.await.unwrap());
    let (old, new) = (old.clone(), new.clone());
    session.notify(Some(Notice::CertificateChanged {
        old: old.clone(),
        new: new.clone(),
    }));
    let shown = web.portal.get(&page, &anna).await.body;
    assert!(
        shown.contains("shows another certificate") && shown.contains("bbbb bbbb"),
        "{shown}"
    );
    let path = format!("{page}/certificate");
    let stale = format!("old={old}&new={}", "cc".repeat(32));
    assert_eq!(web.post(&path, &anna, &stale, "").await.status, 422);
    let taken = web
        .post(&path, &anna, &format!("old={old}&new={new}"), "")
        .await;
    assert_eq!(taken.status, 303, "{}", taken.body);
    let pin = store
        .pin_of(&Tenant::DEFAULT, device, 80)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((pin.fingerprint, pin.taken_by), (new, "anna".to_owned()));
    assert_eq!(session.notice(), None);
    assert_eq!(web.house.audit().await, ["opened", "certificate"]);
}

#[tokio::test]
async fn plain_http_is_a_new_session_and_only_where_tls_is_too_old() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    let path = format!("{page}/plain");
    assert_eq!(web.post(&path, &anna, "", "").await.status, 404);
    session.notify(Some(Notice::TlsTooOld));
    assert!(
        web.portal
            .get(&page, &anna)
            .await
            .body
            .contains("TLS is too old")
    );
    let opened = web.post(&path, &anna, "", "").await;
    let to = opened.header("location").unwrap();
    assert!(opened.status == 303 && to != page);
    let id = SessionId::parse(to.strip_prefix("/sessions/").unwrap()).unwrap();
    let plain = web.house.reception.sessions().find(&id).unwrap();
    assert!(plain.terms().is_fallback && plain.terms().port == 80);
    assert_eq!(session.has_ended().unwrap().cause, Cause::Person);
}

#[tokio::test]
async fn a_program_asks_in_json_and_hears_how_it_stands() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let path = format!("/printers/{}/sessions", web.house.device.as_str());
    let accept = "Accept: application/json\r\n";
    let refused = web
        .post(&path, &anna, "port=9100&reason=&minutes=5", accept)
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("{\"error\":\"a reason has"),
        "{}",
        refused.body
    );
    let opened = web
        .post(&path, &anna, "port=9100&reason=job&minutes=5", accept)
        .await;
    let said: serde_json::Value = serde_json::from_str(opened.body.trim()).unwrap();
    let id = SessionId::parse(said["id"].as_str().unwrap()).unwrap();
    let state = async || {
        let answer = web
            .portal
            .get(&format!("/sessions/{id}/state"), &anna)
            .await;
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()
    };
    assert_eq!(state().await["state"], "requested");
    web.house
        .answers(&id, CommandState::Refused, "not at this hour")
        .await;
    let said = loop {
        let said = state().await;
        if said["why"] != "" {
            break said;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(
        (&said["state"], &said["why"]),
        (&"ended".into(), &"not at this hour".into())
    );
}

async fn raw(
    web: &Web,
    page: &str,
    cookie: &str,
    more: &[(&'static str, &str)],
) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>, u16> {
    let host = web.portal.host();
    let stream = TcpStream::connect(&host).await.unwrap();
    let mut request = format!("ws://{host}{page}/raw")
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("cookie", HeaderValue::from_str(cookie).unwrap());
    headers.insert(
        "sec-websocket-protocol",
        HeaderValue::from_static(SUBPROTOCOL),
    );
    for (name, value) in more {
        headers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_raw_door_carries_both_ways_counts_and_is_written_down() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    session.has_way(Some(Arc::new(Echo)));
    let socket = raw(&web, &page, &anna, &[]).await.unwrap();
    let (near, far) = tokio::io::duplex(1024);
    let carrying = tokio::spawn(async move { bridge(socket, far, |_, _| {}).await });
    let (mut reader, mut writer) = tokio::io::split(near);
    let job: Vec<u8> = (0..200_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let sent = job.clone();
    let sending = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    sending.await.unwrap();
    carrying.await.unwrap().unwrap();
    assert!(
        back == job,
        "what the printer says after the job's end comes too"
    );
    while web.house.audit().await.len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        web.house.audit().await,
        ["opened", "raw-began", "raw-ended"]
    );
    let lines = web.house.store.audit_after(2, 1).await.unwrap();
    assert!(
        lines[0]
            .body
            .contains("\"received\":200000,\"sent\":200000"),
        "{}",
        lines[0].body
    );
    assert!(!lines.iter().any(|line| line.body.len() > 200), "no body");
}

#[tokio::test]
async fn a_raw_door_is_for_the_holder_and_no_page_and_ends_with_the_session() {
    let web = Web::open().await;
    let anna = web.anna().await;
    let (page, session) = web.opened(&anna).await;
    session.has_way(Some(Arc::new(Echo)));
    let here = format!("http://{}", web.portal.host());
    let no = async |cookie: &str, more: &[(&'static str, &str)]| {
        raw(&web, &page, cookie, more).await.err()
    };
    assert_eq!(
        no(&anna, &[("origin", &here)]).await,
        Some(403),
        "no script here either"
    );
    assert_eq!(
        no(&anna, &[("origin", "http://evil.example")]).await,
        Some(403)
    );
    assert_eq!(
        no(&anna, &[("sec-fetch-site", "same-origin")]).await,
        Some(403)
    );
    assert_eq!(no("x=y", &[]).await, Some(401));
    let carl = web.viewer("carl", &Rights::usual()).await;
    assert_eq!(no(&carl, &[]).await, Some(404));
    assert_eq!(
        no(&anna, &[("sec-websocket-protocol", "mqtt")]).await,
        Some(426)
    );

    let socket = raw(&web, &page, &anna, &[]).await.unwrap();
    let (_near, far) = tokio::io::duplex(1024);
    let carrying = tokio::spawn(async move { bridge(socket, far, |_, _| {}).await });
    session.end(End::new(Cause::Site, "closed at the site"));
    let cut = tokio::time::timeout(Duration::from_secs(5), carrying).await;
    assert!(cut.unwrap().unwrap().is_err(), "cut at once");
    assert_eq!(no(&anna, &[]).await, Some(404), "over");
}
