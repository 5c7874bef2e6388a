//! What OpenSSH asks for and does not get, by an agent's key and by a person's.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hub::permission::{Right, Rights};
use hub::session::{Cause, End};
use hub::store::Tenant;
use hub::store::holders::Presented;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{DEVICE_PORT, Site, echo, terms};

/// A target that nobody may be brought to, and whoever asks for it.
async fn reaches_nothing(site: &Site, who: (&str, &Path), option: &str, host: &str, port: u16) {
    let local = stories::free_port();
    let forward = match option {
        "-D" => format!("127.0.0.1:{local}"),
        _ => format!("127.0.0.1:{local}:{host}:{port}"),
    };
    let mut ssh = site.ssh(who, &["-N", option, &forward]).spawn().unwrap();
    let connect = || async move { TcpStream::connect(("127.0.0.1", local)).await.ok() };
    let mut stream = stories::until("ssh listens", stories::PATIENCE, connect).await;
    if option == "-D" {
        let host = host.as_bytes();
        let mut asked = vec![5, 1, 0, 5, 1, 0, 3, host.len() as u8];
        asked.extend(host);
        asked.extend(port.to_be_bytes());
        stream.write_all(&asked).await.unwrap();
    } else {
        stream.write_all(b"hello").await.unwrap();
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A refused channel is closed; SOCKS agrees to be spoken before it asks.
    let ended = tokio::time::timeout(stories::PATIENCE, read).await;
    assert!(ended.is_ok(), "{option} {forward} stands");
    assert!(
        answer.len() <= 2,
        "{option} {forward} was answered: {answer:?}"
    );
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gets_nothing_but_its_forwarding() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let who = (agent.id.as_str(), agent.key.as_path());
    let cases: [&[&str]; 13] = [
        &[],
        &["--", "127.0.0.1", "true"],
        &["-tt"],
        &["-tt", "--", "127.0.0.1", "true"],
        &["-s", "--", "127.0.0.1", "sftp"],
        &["-o", "SetEnv=LD_PRELOAD=/tmp/x", "--", "127.0.0.1", "env"],
        &["-A", "--", "127.0.0.1", "ssh-add", "-l"],
        &["-X", "--", "127.0.0.1", "xclock"],
        &["-Y", "--", "127.0.0.1", "xclock"],
        &[
            "-w",
            "any:any",
            "-o",
            "ExitOnForwardFailure=yes",
            "--",
            "127.0.0.1",
            "true",
        ],
        &["-W", "127.0.0.1:22"],
        &["-W", "169.254.169.254:80"],
        &["-o", "RemoteCommand=id"],
    ];
    for words in cases {
        let said = site.refused(who, words).await;
        assert!(
            !said.contains("Permission denied"),
            "{words:?} proved nothing: {said}"
        );
    }
    assert!(!session.is_open());
    assert_eq!(session.has_ended(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_forwards_no_other_name_port_or_socket() {
    let site = Site::start().await;
    let (agent, other) = (site.enroll("lyon-1").await, site.enroll("nice-1").await);
    let session = site.session(&agent, "m.dupont");
    let theirs = site.session(&other, "m.dupont");
    let ended = site.session(&agent, "m.dupont");
    ended.end(End::new(Cause::Person, "enough"));
    let mut late = terms(&agent.id, "m.dupont");
    late.until = Timestamp::now() - Duration::from_secs(1);
    let late = site.session_of(late);
    let id = |session: &hub::session::Session| session.terms().id.to_string();
    let socket = site.path("socket");
    let wanted = [
        format!("localhost:{DEVICE_PORT}"),
        format!("0.0.0.0:{DEVICE_PORT}"),
        format!("*:{DEVICE_PORT}"),
        format!(":{DEVICE_PORT}"),
        format!("{}:80", id(&session)),
        format!("{}:0", id(&session)),
        format!("s-{}:{DEVICE_PORT}", id(&session)),
        format!("{}:{DEVICE_PORT}", id(&session).to_uppercase()),
        format!("{}:{DEVICE_PORT}", "0".repeat(32)),
        format!("{}:{DEVICE_PORT}", id(&theirs)),
        format!("{}:{DEVICE_PORT}", id(&ended)),
        format!("{}:{DEVICE_PORT}", id(&late)),
        socket.display().to_string(),
    ];
    let who = (agent.id.as_str(), agent.key.as_path());
    for name in wanted {
        let forward = format!("{name}:127.0.0.1:9");
        let words = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward];
        let said = site.refused(who, &words).await;
        assert!(said.contains("forward"), "{forward}: {said}");
    }
    // A name that another connection forwards already.
    let (device, _) = echo().await;
    let mut first = site.forwards(&agent, &session, device).await;
    let forward = format!("{}:{DEVICE_PORT}:127.0.0.1:9", id(&session));
    site.refused(
        who,
        &["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward],
    )
    .await;
    first.kill().await.unwrap();
    assert!(!socket.exists());
    for session in [&theirs, &late] {
        assert!(!session.is_open());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_brought_anywhere_from_the_hub() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let (target, connected) = echo().await;
    let (key, stranger) = (site.person("m.dupont").await, site.person("eve").await);
    let id = session.terms().id.to_string();
    let socket = site.path("socket").display().to_string();
    let agents = (agent.id.as_str(), agent.key.as_path());
    let persons = ("m.dupont", key.as_path());
    for who in [agents, persons] {
        reaches_nothing(&site, who, "-D", "127.0.0.1", target.port()).await;
        reaches_nothing(&site, who, "-L", "127.0.0.1", target.port()).await;
        reaches_nothing(&site, who, "-L", "localhost", site.at.port()).await;
        reaches_nothing(&site, who, "-L", &format!("s-{id}"), 80).await;
        let local = stories::free_port();
        let forward = format!("127.0.0.1:{local}:{socket}");
        let mut ssh = site.ssh(who, &["-N", "-L", &forward]).spawn().unwrap();
        let connect = || async move { TcpStream::connect(("127.0.0.1", local)).await.ok() };
        let mut stream = stories::until("ssh listens", stories::PATIENCE, connect).await;
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap_or(0), 0);
        ssh.kill().await.unwrap();
    }
    // An agent does not reach its own session, nor one person another's.
    reaches_nothing(&site, agents, "-L", &format!("s-{id}"), DEVICE_PORT).await;
    reaches_nothing(
        &site,
        ("eve", &stranger),
        "-L",
        &format!("s-{id}"),
        DEVICE_PORT,
    )
    .await;
    session.end(End::new(Cause::Person, "enough"));
    reaches_nothing(&site, persons, "-L", &format!("s-{id}"), DEVICE_PORT).await;
    assert_eq!(*connected.lock().unwrap(), 0);
    assert_eq!(site.notes.all(), [], "what is refused is not begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_no_shell_and_forwards_nothing() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    let session = site.session(&agent, "m.dupont");
    let key = site.person("m.dupont").await;
    let forward = format!("{}:{DEVICE_PORT}:127.0.0.1:9", session.terms().id);
    let cases: [&[&str]; 6] = [
        &[],
        &["--", "127.0.0.1", "true"],
        &["-tt"],
        &["-s", "--", "127.0.0.1", "sftp"],
        &["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward],
        &[
            "-N",
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "2222:127.0.0.1:9",
        ],
    ];
    for words in cases {
        let said = site.refused(("m.dupont", &key), words).await;
        assert!(
            !said.contains("Permission denied"),
            "{words:?} proved nothing: {said}"
        );
    }
    assert!(!session.is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_but_by_a_key_that_is_good_now() {
    let site = Site::start().await;
    let (agent, other) = (site.enroll("lyon-1").await, site.enroll("nice-1").await);
    let unknown = site.key("unknown").await;
    let powerless = site.key("powerless").await;
    site.lets_in("powerless", &powerless, Rights::of([Right::Read]))
        .await;
    let person = site.person("m.dupont").await;
    let (revoked, aside) = (site.enroll("revoked").await, site.enroll("aside").await);
    let (store, tenant, now) = (&site.store, &Tenant::DEFAULT, Timestamp::now());
    assert!(store.revoke(tenant, "revoked", now).await.unwrap());
    store
        .quarantine(tenant, &aside.id, "two", now)
        .await
        .unwrap();
    let enrolled_again = site.enroll("again").await;
    let old_key = enrolled_again.key.clone();
    std::fs::copy(&old_key, site.path("old.pem")).unwrap();
    let fresh = site.enroll("again").await;
    assert_eq!(fresh.id, enrolled_again.id);
    let ended = site.enroll("ended").await;
    let cases: [(&str, &Path); 10] = [
        (&agent.id, &unknown),
        (&agent.id, &other.key),
        (&agent.id, &person),
        ("root", &unknown),
        ("lyon-1", &agent.key),
        ("powerless", &powerless),
        ("eve", &person),
        (&revoked.id, &revoked.key),
        (&aside.id, &aside.key),
        (&fresh.id, &site.path("old.pem")),
    ];
    for who in cases {
        let said = site.refused(who, &["-N"]).await;
        assert!(
            said.contains("Permission denied (publickey)"),
            "{who:?}: {said}"
        );
    }
    // A certificate that a later one has replaced, by another key, opens nothing any more.
    let later = Presented {
        fingerprint: "later".to_owned(),
        agent: ended.id.clone(),
        issued: now,
        until: now + Duration::from_hours(24),
    };
    let proven = store
        .agent_of(tenant, &ended.fingerprint, now)
        .await
        .unwrap()
        .unwrap();
    store.renewed(&proven, &later, "another key").await.unwrap();
    store.prove(tenant, &later, now).await.unwrap();
    let said = site.refused((&ended.id, &ended.key), &["-N"]).await;
    assert!(said.contains("Permission denied (publickey)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_way_to_prove_oneself_is_offered() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    for method in [
        "none",
        "password",
        "keyboard-interactive",
        "gssapi-with-mic",
        "hostbased",
    ] {
        let preferred = format!("PreferredAuthentications={method}");
        let words = [
            "-N",
            "-o",
            &preferred,
            "-o",
            "BatchMode=no",
            "-o",
            "NumberOfPasswordPrompts=1",
        ];
        let said = site.refused((&agent.id, &agent.key), &words).await;
        assert!(
            said.contains("Permission denied (publickey)"),
            "{method}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_algorithms_are_not_spoken() {
    let site = Site::start().await;
    let agent = site.enroll("lyon-1").await;
    for option in [
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "KexAlgorithms=diffie-hellman-group1-sha1",
        "KexAlgorithms=ecdh-sha2-nistp256",
        "KexAlgorithms=diffie-hellman-group-exchange-sha256",
        "HostKeyAlgorithms=ssh-rsa",
        "HostKeyAlgorithms=ecdsa-sha2-nistp256",
        "Ciphers=aes128-cbc",
        "Ciphers=3des-cbc",
        "Ciphers=aes256-ctr",
    ] {
        let said = site
            .refused((&agent.id, &agent.key), &["-N", "-o", option])
            .await;
        assert!(said.contains("no matching"), "{option}: {said}");
    }
    // With ciphers that authenticate by themselves no MAC is used, but none that is weak is offered.
    let words = [
        "-N",
        "-v",
        "-o",
        "Ciphers=aes256-ctr",
        "-o",
        "MACs=hmac-sha1",
    ];
    let said = site.refused((&agent.id, &agent.key), &words).await;
    assert!(said.contains("no matching"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_openssh_is_refused_unless_it_is_let_in() {
    let site = Site::start_for(false).await;
    let agent = site.enroll("lyon-1").await;
    let words = ["-N", "-o", "KexAlgorithms=curve25519-sha256"];
    let said = site.refused((&agent.id, &agent.key), &words).await;
    assert!(said.contains("no matching key exchange"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_let_go() {
    let site = Site::start().await;
    let at: SocketAddr = site.at;
    let mut silent = TcpStream::connect(at).await.unwrap();
    let mut half = TcpStream::connect(at).await.unwrap();
    half.write_all(b"SSH-2.0-x\r\n").await.unwrap();
    let patience = Duration::from_secs(40);
    for stream in [&mut silent, &mut half] {
        let ended = tokio::time::timeout(patience, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "it still stands after {patience:?}");
    }
}
