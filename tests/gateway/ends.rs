//! How sessions end, and that nothing of them is left.

use std::time::{Duration, Instant};

use hub::session::{Cause, End, NoWay};
use hub::store::Tenant;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::site::{Agent, Site, echo, echoes};

/// Longest a session may go on after its link was lost.
const LOST_MAX: Duration = Duration::from_secs(30);

/// A client of our own library, as an agent's tunnel is.
struct Silent;

impl russh::client::Handler for Silent {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Connects and logs in as an agent does.
async fn dial(site: &Site, agent: &Agent) -> russh::client::Handle<Silent> {
    let config = std::sync::Arc::new(russh::client::Config::default());
    let mut client = russh::client::connect(config, site.at, Silent)
        .await
        .unwrap();
    let pem = std::fs::read_to_string(&agent.key).unwrap();
    let key = russh::keys::decode_secret_key(&pem, None).unwrap();
    let key = russh::keys::PrivateKeyWithHashAlg::new(std::sync::Arc::new(key), None);
    let proven = client.authenticate_publickey(&agent.id, key).await.unwrap();
    assert!(proven.success());
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_ends_its_session_as_a_lost_link_and_a_new_one_opens() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let (device, _) = echo().await;
    let session = site.session(&agent, "m.dupont");
    let mut ssh = site.forwards(&agent, &session, device).await;
    let mut stream = session.connect().await.unwrap();
    stream.write_all(b"half a page").await.unwrap();
    ssh.start_kill().unwrap();
    let killed = Instant::now();
    let end = tokio::time::timeout(LOST_MAX, session.ended())
        .await
        .unwrap();
    assert_eq!(end.cause, Cause::LinkLost);
    assert!(killed.elapsed() < LOST_MAX);
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    let _ = read.expect("what goes through it ends at once");
    assert!(matches!(
        session.connect().await.err(),
        Some(NoWay::Ended(_))
    ));
    let next = site.session(&agent, "m.dupont");
    let mut ssh = site.forwards(&agent, &next, device).await;
    echoes(next.connect().await.unwrap(), b"a page").await;
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_stopped_is_missed_within_thirty_seconds() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let (device, _) = echo().await;
    let session = site.session(&agent, "m.dupont");
    let mut ssh = site.forwards(&agent, &session, device).await;
    let pid = ssh.id().unwrap().to_string();
    let stopped = std::process::Command::new("kill")
        .args(["-STOP", &pid])
        .status();
    assert!(stopped.unwrap().success());
    let end = tokio::time::timeout(LOST_MAX, session.ended()).await;
    assert_eq!(end.expect("within 30 s").cause, Cause::LinkLost);
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_takes_its_connections_and_its_client_along() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let (device, _) = echo().await;
    let session = site.session(&agent, "m.dupont");
    let mut ssh = site.forwards(&agent, &session, device).await;
    let mut stream = session.connect().await.unwrap();
    stream.write_all(b"half a page").await.unwrap();
    session.end(End::new(Cause::Person, "enough"));
    let patience = Duration::from_secs(5);
    let ended = tokio::time::timeout(patience, async {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        ssh.wait().await.unwrap()
    });
    assert!(!ended.await.expect("within 5 s").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_says_why_it_ends_a_session() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let other = site.session(&agent, "m.dupont");
    let client = dial(&site, &agent).await;
    for session in [&session, &other] {
        let (id, port) = (
            session.terms().id.to_string(),
            u32::from(session.terms().port),
        );
        client.tcpip_forward(id, port).await.unwrap();
        assert!(session.is_open());
    }
    let said = format!(
        "{} another-device: W512 answers there now",
        session.terms().id
    );
    client.cancel_tcpip_forward(said, 9_100).await.unwrap();
    let end = End::new(Cause::AnotherDevice, "W512 answers there now");
    assert_eq!(session.has_ended(), Some(end));
    assert!(other.is_open(), "one connection may carry two");
    client
        .cancel_tcpip_forward(other.terms().id.to_string(), 9_100)
        .await
        .unwrap();
    assert_eq!(other.has_ended().unwrap().cause, Cause::Site);
    let is_gone = || async { client.is_closed().then_some(()) };
    stories::until(
        "nothing else uses the connection",
        Duration::from_secs(5),
        is_gone,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_revoked_or_set_aside_loses_its_sessions_within_seconds() {
    let site = Site::start().await;
    let (device, _) = echo().await;
    for is_revoked in [true, false] {
        let agent = site.enroll("lyon-1").await;
        let session = site.session(&agent, "m.dupont");
        let mut ssh = site.forwards(&agent, &session, device).await;
        let (tenant, now) = (&Tenant::DEFAULT, Timestamp::now());
        if is_revoked {
            assert!(site.store.revoke(tenant, "lyon-1", now).await.unwrap());
        } else {
            site.store
                .quarantine(tenant, &agent.id, "two", now)
                .await
                .unwrap();
        }
        let end = tokio::time::timeout(Duration::from_secs(10), session.ended()).await;
        let end = end.expect("within 10 s");
        assert_eq!(end.cause, Cause::Person, "{}", end.why);
        let left = tokio::time::timeout(Duration::from_secs(5), ssh.wait()).await;
        left.expect("the client is let go").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_ends_every_session() {
    let mut site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let (device, _) = echo().await;
    let session = site.session(&agent, "m.dupont");
    let mut ssh = site.forwards(&agent, &session, device).await;
    site.stop();
    let end = tokio::time::timeout(Duration::from_secs(5), session.ended()).await;
    assert_eq!(end.expect("within 5 s").cause, Cause::HubEnds);
    let left = tokio::time::timeout(Duration::from_secs(5), ssh.wait()).await;
    left.expect("the client is let go").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sessions_at_once_leave_no_file_task_or_memory_behind() {
    const SESSIONS: usize = 200;
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let unused = files();
    let mut idle = usize::MAX;
    // One before the count: what is made once is made.
    for how_many in [1, SESSIONS] {
        let mut open = Vec::new();
        for _ in 0..how_many {
            let session = site.session(&agent, "m.dupont");
            let client = dial(&site, &agent).await;
            let (id, port) = (
                session.terms().id.to_string(),
                u32::from(session.terms().port),
            );
            client.tcpip_forward(id, port).await.unwrap();
            open.push((session, client));
        }
        assert!(open.iter().all(|(session, _)| session.is_open()));
        // The agents' ends are in this process too.
        assert!(files() >= unused + 2 * how_many);
        eprintln!("{how_many} sessions: {} KiB resident", resident_kib());
        for (session, _) in &open {
            session.end(End::new(Cause::Person, "enough"));
            site.sessions.forget(&session.terms().id);
        }
        drop(open);
        let are_back = || async { (files() <= unused && tasks() <= idle).then_some(()) };
        stories::until(
            "everything is given back",
            Duration::from_secs(20),
            are_back,
        )
        .await;
        idle = tasks();
    }
}

/// Files that this process has open, but for the store's own: it opens those when it needs them
/// and keeps them.
fn files() -> usize {
    let is_stores = |file: &std::path::Path| file.to_string_lossy().contains("/hub.db");
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    open.filter(|file| !is_stores(file)).count()
}

/// Tasks that this runtime has alive.
fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
