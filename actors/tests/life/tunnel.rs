//! Sessions with printers' pages: what they carry, how they end, and what no gateway reaches.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actors::messages::Verdict;
use actors::order::{Ended, Order, Progress};
use actors::parts::HubLink;
use actors::reach::scope::Scope;
use actors::site::Unwilling;
use actors::tunnel::ending::Cause;
use actors::tunnel::policy::{Allow, WebAccess};
use actors::tunnel::ticket::{HostKey, SessionId, Ticket};
use actors::tunnel::{SessionStatus, Stage};
use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::gateway::{Gateway, Seen, Way, deaf_page, page};
use crate::hub::Hub;
use crate::rack::Rack;
use crate::sshd::Sshd;
use crate::world::World;

/// The port of every page under test.
const PORT: u16 = 8000;
/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// One agent, one gateway, some printers with pages.
struct Site {
    rack: Rack,
    gateway: Gateway,
    world: World,
    pages: Vec<std::sync::Arc<Seen>>,
    devices: Vec<DeviceId>,
}

fn policy(allow: Allow, gateway: &Gateway) -> WebAccess {
    let host = gateway.address.ip().to_string();
    WebAccess {
        allow,
        approvers: vec!["a.morel".to_owned()],
        gateway: dial::Destination::new(&host, gateway.address.port()).ok(),
        ..WebAccess::default()
    }
}

fn web(rack: &Rack) -> Scope {
    let range = rack.range().parse().expect("a range");
    Scope::of_web(&[range], &[], &[PORT]).expect("a scope")
}

fn link() -> HubLink {
    // Nobody listens there: the agent is on its own but for the orders of the test.
    Hub::away().1
}

impl Site {
    async fn of(count: u8, allow: Allow) -> Self {
        let gateway = Gateway::open().await;
        let policy = policy(allow, &gateway);
        Self::with(count, gateway, policy).await
    }

    async fn with(count: u8, gateway: Gateway, policy: WebAccess) -> Self {
        let rack = Rack::of(count).await;
        let web = web(&rack);
        Self::over(rack, gateway, (policy, web)).await
    }

    async fn over(rack: Rack, gateway: Gateway, sessions: (WebAccess, Scope)) -> Self {
        Self::known(rack, gateway, link(), sessions).await
    }

    async fn known(
        rack: Rack,
        gateway: Gateway,
        link: HubLink,
        sessions: (WebAccess, Scope),
    ) -> Self {
        let world = World::with(&rack, link, sessions).await;
        let count = u32::try_from(rack.count()).expect("few");
        world
            .until("all are read", |status| status.printers.read == count)
            .await;
        let mut pages = Vec::new();
        let mut devices = Vec::new();
        for n in 0..rack.count() {
            pages.push(page(SocketAddr::new(rack.address(n), PORT)).await);
            devices.push(world.device_of(rack.serial(n)).await);
        }
        Self {
            rack,
            gateway,
            world,
            pages,
            devices,
        }
    }

    fn ticket(&self, name: u8) -> Ticket {
        let session = format!("{name:02x}").repeat(16);
        let now = Timestamp::now();
        Ticket {
            session: SessionId::parse(&session).expect("an id"),
            device: self.devices[0].clone(),
            port: PORT,
            until: now + Duration::from_secs(600),
            idle_max: Duration::from_secs(120),
            host_key: HostKey::parse(&self.gateway.key).expect("a key"),
            user: "agent".to_owned(),
            bind: (session, PORT),
            is_read_only: false,
            is_fallback: false,
            issuer: "m.dupont".to_owned(),
            reason: "toner".to_owned(),
            expires: now + Duration::from_secs(300),
        }
    }

    async fn order(&self, ticket: Ticket) -> Ended {
        let order = Order::OpenTunnel(Box::new(ticket));
        let ended = self.world.handle.execute(order, Progress::default());
        timeout(PATIENCE, ended)
            .await
            .expect("in time")
            .expect("alive")
    }

    async fn opened(&self, ticket: &Ticket) -> serde_json::Value {
        let told = self.order(ticket.clone()).await.expect("it opens");
        serde_json::from_slice(&told).expect("JSON")
    }

    async fn connect(&self, ticket: &Ticket) -> russh::ChannelStream<russh::server::Msg> {
        let (name, port) = &ticket.bind;
        let channel = self.gateway.connect(name, u32::from(*port)).await;
        channel.expect("a connection").into_stream()
    }

    async fn session(&self, ticket: &Ticket) -> SessionStatus {
        let all = self.world.handle.sessions().await.expect("alive");
        let found = all
            .into_iter()
            .find(|it| it.session == ticket.session.as_str());
        found.expect("it is listed")
    }

    /// Waits for a session to end, and gives its cause and words.
    async fn ended(&self, ticket: &Ticket) -> (Cause, String) {
        let begun = Instant::now();
        loop {
            let session = self.session(ticket).await;
            if let (Stage::Ended, Some(end)) = (session.stage, session.end) {
                return (end.cause, end.why);
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn untouched(&self) -> bool {
        let quiet = |seen: &std::sync::Arc<Seen>| seen.calls.load(Ordering::Relaxed) == 0;
        self.pages.iter().all(quiet)
    }
}

async fn echoed(stream: &mut russh::ChannelStream<russh::server::Msg>, octets: &[u8]) {
    stream.write_all(octets).await.expect("written");
    let mut answer = vec![0; octets.len()];
    let read = timeout(PATIENCE, stream.read_exact(&mut answer));
    read.await.expect("in time").expect("an answer");
    assert!(answer == octets, "other octets came back");
}

fn refused(ended: Ended) -> String {
    match ended {
        Err(Unwilling::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn failed(ended: Ended) -> String {
    match ended {
        Err(Unwilling::Failed(why)) => why,
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_carries_octets_both_ways_and_says_whom_it_reaches() {
    let site = Site::of(1, Allow::Always).await;
    let ticket = site.ticket(1);
    let told = site.opened(&ticket).await;
    assert_eq!(told["session"], ticket.session.as_str());
    assert_eq!(told["serial"], site.rack.serial(0));
    assert!(told["model"].is_string(), "{told}");
    let forwards = site.gateway.heard.forwards.lock().expect("whole").clone();
    assert_eq!(forwards, [(ticket.session.to_string(), u32::from(PORT))]);
    let mut stream = site.connect(&ticket).await;
    echoed(&mut stream, b"GET / HTTP/1.1\r\n\r\n").await;
    let much: Vec<u8> = (0..8_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (mut from, mut to) = tokio::io::split(stream);
    let sent = much.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.expect("written");
        to.shutdown().await.expect("ended");
    });
    let mut back = Vec::new();
    let read = timeout(PATIENCE, from.read_to_end(&mut back));
    read.await.expect("in time").expect("whole");
    sending.await.expect("sent");
    assert!(back == much, "{} octets of {}", back.len(), much.len());
    let session = site.session(&ticket).await;
    assert_eq!((session.stage, session.connections), (Stage::Open, 1));
    assert_eq!(session.sent, much.len() as u64 + 18);
    assert_eq!(session.received, session.sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_another_key_is_shown_no_key_of_ours() {
    let site = Site::of(1, Allow::Always).await;
    let other = Gateway::open().await;
    let ticket = Ticket {
        host_key: HostKey::parse(&other.key).expect("a key"),
        ..site.ticket(1)
    };
    let why = failed(site.order(ticket.clone()).await);
    assert!(why.contains("another host key"), "{why}");
    assert_eq!(site.gateway.heard.calls.load(Ordering::Relaxed), 1);
    assert_eq!(site.gateway.heard.keys.load(Ordering::Relaxed), 0);
    assert_eq!(site.ended(&ticket).await.0, Cause::NoGateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_over_gateway_reaches_no_socket() {
    let site = Site::of(2, Allow::Always).await;
    let ticket = site.ticket(1);
    site.opened(&ticket).await;
    let decoy = page("127.0.0.1:0".parse().expect("an address")).await;
    let line = site.gateway.line().await;
    let other = site.rack.address(1).to_string();
    let name = ticket.session.as_str();
    for (host, port) in [
        (name, u32::from(PORT) + 1),
        (name, 0),
        (name, 70_000),
        ("localhost", u32::from(PORT)),
        ("", u32::from(PORT)),
        ("0.0.0.0", u32::from(PORT)),
        (other.as_str(), u32::from(PORT)),
        ("169.254.169.254", 80),
    ] {
        let opened = line
            .channel_open_forwarded_tcpip(host, port, "127.0.0.1", 1)
            .await;
        assert!(opened.is_err(), "{host}:{port}");
    }
    let target = u32::from(PORT);
    assert!(line.channel_open_session().await.is_err());
    assert!(line.channel_open_x11("127.0.0.1", 1).await.is_err());
    assert!(line.channel_open_agent().await.is_err());
    let direct = line.channel_open_direct_tcpip(other.clone(), target, "127.0.0.1", 1);
    assert!(direct.await.is_err());
    assert!(
        line.channel_open_direct_streamlocal("/run/x")
            .await
            .is_err()
    );
    assert!(
        line.channel_open_forwarded_streamlocal("/run/x")
            .await
            .is_err()
    );
    assert!(site.untouched());
    assert_eq!(decoy.calls.load(Ordering::Relaxed), 0);
    assert_eq!(site.session(&ticket).await.refused, 14);
    // What it may, it still may.
    echoed(&mut site.connect(&ticket).await, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_33rd_connection_is_refused_until_one_has_ended() {
    let site = Site::of(1, Allow::Always).await;
    let ticket = site.ticket(1);
    site.opened(&ticket).await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(site.connect(&ticket).await);
    }
    let name = ticket.session.as_str();
    assert!(site.gateway.connect(name, u32::from(PORT)).await.is_err());
    held.pop();
    let begun = Instant::now();
    while site.session(&ticket).await.connections_open == 32 {
        assert!(begun.elapsed() < PATIENCE, "it is still held");
        sleep(Duration::from_millis(10)).await;
    }
    echoed(&mut site.connect(&ticket).await, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_has_its_reason_and_the_gateway_is_told() {
    let site = Site::of(1, Allow::Always).await;
    let word = |ticket: &Ticket, word: &str| format!("{} {word}: ", ticket.session);
    let now = Timestamp::now();
    let brief = Ticket {
        until: now + Duration::from_secs(2),
        ..site.ticket(1)
    };
    site.opened(&brief).await;
    assert_eq!(site.ended(&brief).await.0, Cause::Deadline);
    let told = site.gateway.farewell().expect("told");
    assert!(told.starts_with(&word(&brief, "deadline")), "{told}");
    let still = Ticket {
        idle_max: Duration::from_secs(1),
        ..site.ticket(2)
    };
    site.opened(&still).await;
    assert_eq!(site.ended(&still).await.0, Cause::Idle);
    let closed = site.ticket(3);
    site.opened(&closed).await;
    let mut stream = site.connect(&closed).await;
    echoed(&mut stream, b"x").await;
    let order = Order::CloseTunnel(closed.session.clone());
    let done = site.world.handle.execute(order, Progress::default()).await;
    assert_eq!(done.expect("alive"), Ok(Vec::new()));
    assert_eq!(site.ended(&closed).await.0, Cause::Hub);
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut rest));
    end.await.expect("its connections end too").ok();
    let at_site = site.ticket(4);
    site.opened(&at_site).await;
    let ended = site
        .world
        .handle
        .end_sessions(Some(at_site.session.clone()));
    assert_eq!(ended.await, Ok(1));
    assert_eq!(site.ended(&at_site).await.0, Cause::Site);
    let left = site.ticket(5);
    site.opened(&left).await;
    let line = site.gateway.line().await;
    let reason = russh::Disconnect::ByApplication;
    line.disconnect(reason, "closing time".into(), String::new())
        .await
        .expect("said");
    let (cause, why) = site.ended(&left).await;
    assert_eq!(cause, Cause::LinkLost);
    assert!(why.contains("closing time"), "{why}");
    // None of these may be opened again.
    let why = refused(site.order(left).await);
    assert!(why.contains("opened before"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_link_ends_its_session_within_30_s_and_nothing_is_left() {
    let site = Site::of(1, Allow::Always).await;
    let files = || std::fs::read_dir("/proc/self/fd").expect("Linux").count();
    let warm = site.ticket(1);
    site.opened(&warm).await;
    site.world.handle.end_sessions(None).await.expect("alive");
    site.ended(&warm).await;
    sleep(Duration::from_millis(500)).await;
    let before = files();
    for (name, way) in [(2, Way::Cut), (3, Way::Frozen)] {
        let ticket = site.ticket(name);
        site.opened(&ticket).await;
        let mut streams = Vec::new();
        for _ in 0..4 {
            let mut stream = site.connect(&ticket).await;
            echoed(&mut stream, b"x").await;
            streams.push(stream);
        }
        let begun = Instant::now();
        site.gateway.way.send_replace(way);
        assert_eq!(site.ended(&ticket).await.0, Cause::LinkLost);
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{way:?}: {:?}",
            begun.elapsed()
        );
        site.gateway.way.send_replace(Way::Cut);
        drop(streams);
        sleep(Duration::from_millis(500)).await;
        site.gateway.way.send_replace(Way::Open);
    }
    let begun = Instant::now();
    while files() > before {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} files, {before} before",
            files()
        );
        sleep(Duration::from_millis(100)).await;
    }
    let again = site.ticket(4);
    site.opened(&again).await;
    echoed(&mut site.connect(&again).await, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_site_does_not_let_reaches_no_socket() {
    let site = Site::of(1, Allow::Always).await;
    let mut tried = 0;
    for port in (1..=70).chain([8001, 9100, 22, 161, 65_535]) {
        let ticket = Ticket {
            port,
            ..site.ticket(1)
        };
        let why = refused(site.order(ticket).await);
        assert!(why.contains("web_ports"), "{why}");
        tried += 1;
    }
    for name in 0..40_u8 {
        let id = format!("{name:02x}").repeat(16);
        let ticket = Ticket {
            device: DeviceId::parse(&id).expect("an id"),
            ..site.ticket(1)
        };
        let why = refused(site.order(ticket).await);
        assert!(why.contains("no device"), "{why}");
        tried += 1;
    }
    assert!(tried >= 100);
    assert!(site.untouched());
    assert_eq!(site.gateway.heard.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_where_no_printer_can_be_is_not_reached() {
    // A range that does not name loopback, with a device that the registry has there.
    let (rack, gateway) = (Rack::of(1).await, Gateway::open().await);
    let wide = format!("126.255.255.0-{}", rack.address(0));
    let wide = Scope::of_web(&[wide.parse().expect("a range")], &[], &[PORT]).expect("a scope");
    let policy_there = policy(Allow::Always, &gateway);
    let site = Site::over(rack, gateway, (policy_there, wide)).await;
    let why = refused(site.order(site.ticket(1)).await);
    assert!(
        why.contains("not an address that a session may reach"),
        "{why}"
    );
    assert!(site.untouched());
    // A gateway that answers at the printer's own address.
    let rack = Rack::of(1).await;
    let gateway = Gateway::at(SocketAddr::new(rack.address(0), 0)).await;
    let (policy_there, web) = (policy(Allow::Always, &gateway), web(&rack));
    let site = Site::over(rack, gateway, (policy_there, web)).await;
    let why = refused(site.order(site.ticket(1)).await);
    assert!(why.contains("address of the hub"), "{why}");
    assert!(site.untouched());
    assert_eq!(site.gateway.heard.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_lets_nobody_or_not_now_dials_nothing() {
    let gateway = Gateway::open().await;
    let never = policy(Allow::Never, &gateway);
    let site = Site::with(1, gateway, never).await;
    let why = refused(site.order(site.ticket(1)).await);
    assert!(why.contains("allow"), "{why}");
    assert_eq!(site.gateway.heard.calls.load(Ordering::Relaxed), 0);
    let gateway = Gateway::open().await;
    // A day that is not today, whatever the zone.
    let today = jiff::ZonedDateTime::now();
    let day = today
        .checked_add(jiff::ToSpan::days(3))
        .expect("a day")
        .strftime("%a")
        .to_string();
    let window = format!("{} 00:00-24:00", day.to_lowercase());
    let closed = WebAccess {
        hours: actors::tunnel::hours::Hours(vec![window.parse().expect("a window")]),
        ..policy(Allow::Always, &gateway)
    };
    let site = Site::with(1, gateway, closed).await;
    let why = refused(site.order(site.ticket(1)).await);
    assert!(why.contains("hours"), "{why}");
    let long = Ticket {
        until: Timestamp::now() + Duration::from_secs(3_600),
        ..site.ticket(1)
    };
    let why = refused(site.order(long).await);
    assert!(why.contains("max_minutes"), "{why}");
    assert_eq!(site.gateway.heard.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_ask_a_person_of_the_site_decides() {
    let site = std::sync::Arc::new(Site::of(1, Allow::Ask).await);
    let ordered = |ticket: Ticket| {
        let site = site.clone();
        tokio::spawn(async move { site.order(ticket).await })
    };
    let mut waiting = Vec::new();
    for name in 1..=4 {
        waiting.push(ordered(site.ticket(name)));
        site.world
            .until("it waits", |status| {
                status.sessions.waiting == u32::from(name)
            })
            .await;
    }
    let why = refused(site.order(site.ticket(5)).await);
    assert!(why.contains("wait for approval"), "{why}");
    assert_eq!(site.gateway.heard.calls.load(Ordering::Relaxed), 0);
    let decide = |name: u8, by: &str, verdict| {
        let session = site.ticket(name).session;
        site.world.handle.decide(session, by.to_owned(), verdict)
    };
    let stranger = decide(1, "m.dupont", Verdict::Approve)
        .await
        .expect("alive");
    assert!(
        stranger
            .expect_err("no approver")
            .contains("may not decide")
    );
    decide(1, "a.morel", Verdict::Approve)
        .await
        .expect("alive")
        .expect("approved");
    decide(2, "a.morel", Verdict::Refuse)
        .await
        .expect("alive")
        .expect("refused");
    let order = Order::CloseTunnel(site.ticket(3).session);
    let ended = site.world.handle.execute(order, Progress::default()).await;
    assert_eq!(ended.expect("alive"), Ok(Vec::new()));
    site.world
        .handle
        .end_sessions(Some(site.ticket(4).session))
        .await
        .expect("alive");
    let mut waiting = waiting.into_iter();
    let mut next = async || waiting.next().expect("one more").await.expect("no panic");
    let told = next().await.expect("it opens");
    let told: serde_json::Value = serde_json::from_slice(&told).expect("JSON");
    assert_eq!(told["approved_by"], "a.morel", "the hub's audit has it");
    assert!(refused(next().await).contains("a.morel refused"));
    assert!(refused(next().await).contains("the hub ended it"));
    assert!(refused(next().await).contains("a person at the site"));
    let open = site.session(&site.ticket(1)).await;
    assert_eq!(open.approved_by.as_deref(), Some("a.morel"));
    let late = Ticket {
        expires: Timestamp::now() + Duration::from_secs(2),
        ..site.ticket(6)
    };
    let why = refused(site.order(late).await);
    assert!(why.contains("nobody at the site approved"), "{why}");
    let again = decide(6, "a.morel", Verdict::Approve).await.expect("alive");
    assert!(again.expect_err("over").contains("no session"));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_printers_swap_addresses_no_octet_reaches_either_side() {
    let site = Site::of(2, Allow::Always).await;
    let ticket = site.ticket(1);
    site.opened(&ticket).await;
    let mut open = site.connect(&ticket).await;
    echoed(&mut open, b"x").await;
    let before = site.pages[0].octets.load(Ordering::Relaxed);
    site.rack.swap(0, 1);
    let name = ticket.session.as_str();
    let opened = site.gateway.connect(name, u32::from(PORT)).await;
    assert!(opened.is_err(), "the wrong printer was shown");
    let (cause, why) = site.ended(&ticket).await;
    assert_eq!(cause, Cause::AnotherDevice);
    assert!(why.contains("another device answers at"), "{why}");
    assert_eq!(site.pages[0].octets.load(Ordering::Relaxed), before);
    assert_eq!(site.pages[1].octets.load(Ordering::Relaxed), 0);
    let told = site.gateway.farewell().expect("told");
    assert!(told.contains("another-device"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_say_who_it_is_gets_no_connection() {
    let site = Site::of(1, Allow::Always).await;
    let ticket = site.ticket(1);
    site.opened(&ticket).await;
    site.rack.silence(0);
    let name = ticket.session.as_str();
    let opened = site.gateway.connect(name, u32::from(PORT)).await;
    assert!(opened.is_err());
    assert_eq!(site.pages[0].octets.load(Ordering::Relaxed), 0);
    assert_eq!(
        site.session(&ticket).await.stage,
        Stage::Open,
        "only the connection"
    );
    site.rack.answer_again(0);
    echoed(&mut site.connect(&ticket).await, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_takes_nothing_loses_its_connection_and_no_other() {
    let rack = Rack::of(2).await;
    let gateway = Gateway::open().await;
    let range = rack.range().parse().expect("a range");
    let web = Scope::of_web(&[range], &[], &[PORT, 9100]).expect("a scope");
    let policy = policy(Allow::Always, &gateway);
    deaf_page(SocketAddr::new(rack.address(0), 9100)).await;
    let site = Site::over(rack, gateway, (policy, web)).await;
    let (deaf, well) = (
        Ticket {
            port: 9100,
            ..site.ticket(1)
        },
        site.ticket(2),
    );
    site.opened(&deaf).await;
    let stalled = site.connect(&deaf).await;
    site.opened(&well).await;
    let mut stream = site.connect(&well).await;
    let (mut from, mut to) = tokio::io::split(stalled);
    let (flooded, flood) = tokio::sync::watch::channel(0_u32);
    tokio::spawn(async move {
        let much = vec![7; 1024 * 1024];
        while to.write_all(&much).await.is_ok() {
            flooded.send_modify(|sent| *sent += 1);
        }
    });
    for _ in 0..20 {
        echoed(&mut stream, b"x").await;
        sleep(Duration::from_millis(50)).await;
    }
    let mut nothing = Vec::new();
    let closed = timeout(PATIENCE, from.read_to_end(&mut nothing)).await;
    assert!(closed.is_ok(), "it is not given up");
    let sent = *flood.borrow();
    assert!(
        sent < 64,
        "{sent} MiB were taken for a device that takes nothing"
    );
    assert_eq!(site.session(&deaf).await.stage, Stage::Open);
    echoed(&mut stream, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_that_panics_ends_its_session_alone() {
    let site = Site::of(1, Allow::Always).await;
    let (one, other) = (site.ticket(1), site.ticket(2));
    site.opened(&one).await;
    site.opened(&other).await;
    let child = actors::messages::ChildId::Tunnel(one.session.clone());
    let fault = actors::messages::Fault::Panic;
    assert!(
        site.world
            .handle
            .provoke(child, fault)
            .await
            .expect("alive")
    );
    let (cause, why) = site.ended(&one).await;
    assert_eq!(cause, Cause::Died);
    assert!(why.contains("provoked"), "{why}");
    echoed(&mut site.connect(&other).await, b"x").await;
}

/// An HTTP proxy that knows CONNECT alone, and counts.
async fn proxy() -> (SocketAddr, std::sync::Arc<std::sync::atomic::AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let tunnels = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = tunnels.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(near.read_u8().await?);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let to = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut far = tokio::net::TcpStream::connect(to).await?;
                counted.fetch_add(1, Ordering::Relaxed);
                near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    (address, tunnels)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_goes_through_the_sites_proxy_and_stands_in_its_outbox() {
    let (address, tunnels) = proxy().await;
    let folder = tempfile::tempdir().expect("a folder");
    let limits = actors::outbox::OutboxLimits::default();
    let through = dial::Proxy::parse(&format!("http://{address}"), None).expect("a proxy");
    let link = HubLink {
        route: dial::Route::through(through, dial::NoProxy::parse("")),
        outbox: actors::outbox::Outbox::open(folder.path(), limits).expect("a folder"),
        ..link()
    };
    let (rack, gateway) = (Rack::of(1).await, Gateway::open().await);
    let sessions = (policy(Allow::Always, &gateway), web(&rack));
    let site = Site::known(rack, gateway, link, sessions).await;
    let before = tunnels.load(Ordering::Relaxed);
    let ticket = site.ticket(1);
    site.opened(&ticket).await;
    echoed(&mut site.connect(&ticket).await, b"x").await;
    // The agent's polls go to a hub that is away: only the tunnel got through.
    assert_eq!(tunnels.load(Ordering::Relaxed), before + 1);
    let unknown = Ticket {
        port: 22,
        ..site.ticket(2)
    };
    refused(site.order(unknown).await);
    site.world.handle.end_sessions(None).await.expect("alive");
    site.ended(&ticket).await;
    let noted = || {
        let mut events = Vec::new();
        let always = (Timestamp::UNIX_EPOCH, Timestamp::now());
        let read = actors::outbox::read(folder.path(), always, |entry| {
            if entry.kind == actors::outbox::Kind::Session {
                events.push(entry.message["event"].as_str().expect("a word").to_owned());
            }
            Ok(())
        });
        read.expect("readable");
        events
    };
    let begun = Instant::now();
    while noted() != ["begun", "refused", "ended"] {
        assert!(begun.elapsed() < PATIENCE, "{:?}", noted());
        sleep(Duration::from_millis(20)).await;
    }
}

/// The middle of many times.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_sshd_serves_as_gateway_and_its_connections_do_not_wait_for_acknowledgements() {
    let link = link();
    let key = link.keeper.current().key_pem;
    let sshd = Sshd::start(std::str::from_utf8(key.expose()).expect("PEM"));
    let (rack, idle) = (Rack::of(1).await, Gateway::open().await);
    let host = sshd.address.ip().to_string();
    let policy = WebAccess {
        gateway: dial::Destination::new(&host, sshd.address.port()).ok(),
        ..policy(Allow::Always, &idle)
    };
    let web = web(&rack);
    let site = Site::known(rack, idle, link, (policy, web)).await;
    let ticket = Ticket {
        host_key: HostKey::parse(&sshd.key).expect("a key"),
        user: "root".to_owned(),
        bind: ("localhost".to_owned(), sshd.forwarded),
        ..site.ticket(1)
    };
    site.opened(&ticket).await;
    let mut times = Vec::new();
    for _ in 0..30 {
        let begun = Instant::now();
        let place = ("127.0.0.1", sshd.forwarded);
        let mut stream = tokio::net::TcpStream::connect(place)
            .await
            .expect("sshd listens");
        stream.set_nodelay(true).expect("a socket");
        stream.write_all(b"x").await.expect("written");
        let mut answer = [0];
        let read = timeout(PATIENCE, stream.read_exact(&mut answer));
        read.await.expect("in time").expect("an answer");
        times.push(begun.elapsed());
    }
    let least = times.into_iter().min().expect("some");
    println!(
        "a new connection through a stock sshd, with its first octet back: {least:?} at least"
    );
    // An acknowledgement that is put off costs each of them 40 ms.
    assert!(least < Duration::from_millis(30), "{least:?}");
    let other = Ticket {
        bind: ("localhost".to_owned(), sshd.forwarded + 1),
        host_key: HostKey::parse(&sshd.key).expect("a key"),
        user: "root".to_owned(),
        ..site.ticket(2)
    };
    assert!(failed(site.order(other).await).contains("does not forward"));
    site.world.handle.end_sessions(None).await.expect("alive");
    assert_eq!(site.ended(&ticket).await.0, Cause::Site);
    // sshd hears of it over the link.
    let ended = timeout(PATIENCE, async {
        while std::net::TcpStream::connect(("127.0.0.1", sshd.forwarded)).is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    let words = "sshd still listens for a session that has ended";
    ended.await.expect(words);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sessions_fit_in_64_mib_and_a_new_connection_is_quick() {
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
        let pages = status.split(' ').nth(1).expect("a field");
        pages.parse::<u64>().expect("a number") * 4096
    };
    let site = Site::of(1, Allow::Always).await;
    let before = resident();
    let ticket = site.ticket(1);
    site.opened(&ticket).await;
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let stream = site.connect(&ticket).await;
        times.push(begun.elapsed());
        drop(stream);
    }
    for name in 2..=200 {
        site.opened(&site.ticket(name)).await;
        echoed(&mut site.connect(&site.ticket(name)).await, b"x").await;
    }
    let (grown, middle) = (resident() - before, median(times));
    println!(
        "200 sessions, agent and gateway together: {} KiB; a new connection: {middle:?}",
        grown / 1024
    );
    // Both ends of every link are in this process.
    assert!(grown < 64 * 1024 * 1024, "{grown} octets");
    assert!(middle < Duration::from_millis(30), "{middle:?}");
}
