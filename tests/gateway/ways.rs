//! What is let through: octets both ways, whole.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hub::session::{Deed, NoWay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{DEVICE_PORT, Site, echo, echoes};

/// More than every window on the way, and no multiple of a packet.
const MUCH: usize = 5 * 1024 * 1024 + 13;

#[tokio::test(flavor = "multi_thread")]
async fn an_openssh_client_with_an_agents_key_forwards_the_sessions_port_both_ways() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let (device, connected) = echo().await;
    let mut ssh = site.forwards(&agent, &session, device).await;
    let octets: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
    let (one, other) = (
        session.connect().await.unwrap(),
        session.connect().await.unwrap(),
    );
    tokio::join!(echoes(one, &octets), echoes(other, &octets));
    for _ in 0..50 {
        echoes(session.connect().await.unwrap(), b"a page").await;
    }
    assert_eq!(*connected.lock().unwrap(), 52);
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_refuses_is_told_in_words_and_the_tunnel_stays() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let nobody = "127.0.0.1:9".parse().unwrap();
    let mut ssh = site.forwards(&agent, &session, nobody).await;
    for _ in 0..3 {
        let refused = session.connect().await.err().unwrap();
        assert!(
            matches!(&refused, NoWay::Refused(why) if why.contains("device")),
            "{refused}"
        );
    }
    assert!(session.is_open());
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody_else_for_long() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let (device, _) = echo().await;
    let mut ssh = site.forwards(&agent, &session, device).await;
    let mut lazy = session.connect().await.unwrap();
    let other = session.connect().await.unwrap();
    // Sent until nothing more goes in: the echo waits here and is not read.
    let sending = async {
        let octets = [7; 64 * 1024];
        while lazy.write_all(&octets).await.is_ok() {}
    };
    let stuck = tokio::time::timeout(Duration::from_secs(40), sending).await;
    assert!(stuck.is_ok(), "a pipe that nobody reads is cut");
    assert_eq!(session.has_ended(), None);
    echoes(other, b"still here").await;
    assert!(session.is_open());
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reaches_their_own_session_with_stock_openssh() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let (device, _) = echo().await;
    let mut ssh = site.forwards(&agent, &session, device).await;
    let key = site.person("m.dupont").await;
    for host in [
        format!("s-{}", session.terms().id),
        session.terms().id.to_string(),
    ] {
        let port = stories::free_port();
        let forward = format!("127.0.0.1:{port}:{host}:{DEVICE_PORT}");
        let words = ["-N", "-L", &forward];
        let mut person = site.ssh(("m.dupont", &key), &words).spawn().unwrap();
        let connect = || async move { TcpStream::connect(("127.0.0.1", port)).await.ok() };
        let mut stream = stories::until("ssh listens", stories::PATIENCE, connect).await;
        stream.write_all(b"%-12345X@PJL").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        assert_eq!(back, b"%-12345X@PJL");
        person.kill().await.unwrap();
    }
    let ended = |deeds: &[Deed]| {
        let is_end = |deed: &&Deed| {
            matches!(
                deed,
                Deed::RawEnded {
                    sent: 12,
                    received: 12,
                    ..
                }
            )
        };
        deeds.iter().filter(is_end).count()
    };
    let noted = || async { (ended(&site.notes.all()) == 2).then_some(()) };
    stories::until("both connections are noted", stories::PATIENCE, noted).await;
    let began = Deed::RawBegan { number: 1 };
    assert_eq!(
        site.notes.all().first(),
        Some(&began),
        "noted before it is done"
    );
    assert_eq!(session.tally().sent.load(Ordering::Relaxed), 24);
    assert_eq!(session.tally().received.load(Ordering::Relaxed), 24);
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_has_tls_and_ssh_and_another_ssh_alone() {
    let (mut site, alone) = Site::in_a_hub().await;
    let agent = site.enroll("lyon-1").await;
    let (device, _) = echo().await;
    let shared = site.at;
    for at in [shared, alone, shared] {
        site.at = at;
        site.knows("known_hosts", at.port(), site.gateway.host_key());
        let session = site.session(&agent, "m.dupont");
        let mut ssh = site.forwards(&agent, &session, device).await;
        echoes(session.connect().await.unwrap(), b"a page").await;
        let shown = Command::new("openssl")
            .args(["s_client", "-connect", &shared.to_string()])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(
            shown.contains("BEGIN CERTIFICATE"),
            "TLS beside SSH: {shown}"
        );
        ssh.kill().await.unwrap();
    }
    site.stop();
}

/// ssh-audit, or `None` where there is none: `scripts/setup test` installs it.
fn ssh_audit() -> Option<Command> {
    let beside = std::env::var_os("PLATEN_SNMPSIM").map(std::path::PathBuf::from);
    let beside = beside.map(|venv| venv.join("bin").join("ssh-audit"));
    let found = beside.filter(|path| path.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| "ssh-audit".into()));
    let is_there = command.arg("--help").output().is_ok();
    let program = command.get_program().to_owned();
    is_there.then(|| Command::new(program))
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_audit_has_nothing_to_say_against_the_gateway() {
    let site = Site::start_for(false).await;
    let Some(mut audit) = ssh_audit() else {
        eprintln!("ssh-audit is not installed (scripts/setup test): not audited");
        return;
    };
    let port = site.at.port().to_string();
    audit.args(["--json", "--skip-rate-test", "-p", &port, "127.0.0.1"]);
    let output = tokio::task::spawn_blocking(move || audit.output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut looked_at = 0;
    for kind in ["kex", "key", "enc", "mac"] {
        for algorithm in found[kind].as_array().expect("a list") {
            looked_at += 1;
            let notes = &algorithm["notes"];
            for verdict in ["fail", "warn"] {
                let said = notes[verdict].as_array().map_or(0, Vec::len);
                assert_eq!(said, 0, "{algorithm:#}");
            }
        }
    }
    assert!(looked_at >= 8, "{found:#}");
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    assert_eq!(found["compression"], serde_json::json!(["none"]));
}
