//! A stock OpenSSH sshd as gateway, set up as docs/howto/gateway.md says.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hub::config::HubConfig;
use hub::door::gateway::which::{self, Which};
use hub::session::{Cause, End, Session};
use stories::stock_sshd;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::site::{Agent, Site, echo, echoes, is_open, said, ssh, terms};

/// A hub's configuration that names an sshd, and that sshd, running.
struct Stock {
    site: Site,
    which: Which,
    port: u16,
    user: String,
    _sshd: Child,
    _safe: TempDir,
}

impl Stock {
    async fn start() -> Self {
        let site = Site::start().await;
        let port = stories::free_port();
        let first = stories::free_port();
        let ports = (first, first + 3);
        let host_key = site.key("sshd_host_key").await;
        // The hub's own user, who may read its folder: here root.
        let user = "root".to_owned();
        let config = format!(
            "state_dir = {:?}\n[uplink]\nlisten = \"127.0.0.1:0\"\n[gateway]\n\
             sshd = \"127.0.0.1:{port}\"\nsshd_user = {user:?}\n\
             sshd_host_key_file = \"{}.pub\"\nsshd_ports = \"{}-{}\"\n",
            site.folder.path(),
            host_key.display(),
            ports.0,
            ports.1
        );
        std::fs::write(site.path("hub.toml"), &config).unwrap();
        // A hub has run here: its authority lies in the folder.
        hub::ca::Authority::open(site.folder.path(), jiff::Timestamp::now()).unwrap();
        let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
        let safe = tempfile::tempdir_in(home).unwrap();
        let sshd = stock_sshd::start(site.folder.path(), (port, &host_key), safe.path()).await;
        let config = HubConfig::parse("hub.toml", &config, std::iter::empty()).unwrap();
        let which = which::which(&config, &site.store, &site.sessions)
            .await
            .unwrap();
        let blob = std::fs::read_to_string(format!("{}.pub", host_key.display())).unwrap();
        let blob = russh::keys::PublicKey::from_openssh(blob.trim()).unwrap();
        site.knows("sshd_known_hosts", port, &blob.to_bytes().unwrap());
        Self {
            site,
            which,
            port,
            user,
            _sshd: sshd,
            _safe: safe,
        }
    }

    fn ssh(&self, agent: &Agent, words: &[&str]) -> Command {
        let known = self.site.path("sshd_known_hosts");
        ssh(&known, self.port, (&self.user, &agent.key), words)
    }

    /// Begins a session and has its agent come for it, to this device.
    async fn opened(&self, agent: &Agent, to: std::net::SocketAddr) -> (Session, Child, u16) {
        let session = self.site.session(agent, "m.dupont");
        let meeting = self.which.meet(&session).await.unwrap();
        assert_eq!(
            (meeting.user.as_str(), meeting.bind.0.as_str()),
            ("root", "localhost")
        );
        let port = meeting.bind.1;
        let forward = format!("localhost:{port}:{to}");
        let words = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward];
        let ssh = self
            .ssh(agent, &words)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        is_open(&session).await;
        (session, ssh, port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_sshd_serves_as_gateway() {
    if !stock_sshd::can_start() {
        return;
    }
    let stock = Stock::start().await;
    let agent = stock.site.enroll("lyon-1").await;
    let (device, connected) = echo().await;
    let (session, mut ssh, _) = stock.opened(&agent, device).await;
    assert_eq!(
        *connected.lock().unwrap(),
        0,
        "looking for the agent reaches no device"
    );
    let octets: Vec<u8> = (0..3 * 1024 * 1024 + 7).map(|n| (n % 251) as u8).collect();
    let (one, other) = (
        session.connect().await.unwrap(),
        session.connect().await.unwrap(),
    );
    tokio::join!(echoes(one, &octets), echoes(other, b"a page"));
    assert_eq!(*connected.lock().unwrap(), 2);
    ssh.kill().await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(30), session.ended()).await;
    assert_eq!(end.expect("within 30 s").cause, Cause::LinkLost);
    let (next, mut ssh, _) = stock.opened(&agent, device).await;
    let mut stream = next.connect().await.unwrap();
    next.end(End::new(Cause::Person, "enough"));
    let written = tokio::time::timeout(Duration::from_secs(5), async {
        while stream.write_all(b"more").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(
        written.await.is_ok(),
        "what goes through an ended session is cut"
    );
    ssh.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_sshd_lets_an_agent_listen_on_its_sessions_port_alone() {
    if !stock_sshd::can_start() {
        return;
    }
    let stock = Stock::start().await;
    let (agent, other) = (
        stock.site.enroll("lyon-1").await,
        stock.site.enroll("nice-1").await,
    );
    let (device, connected) = echo().await;
    // Nobody has a session: the key is nobody's.
    let output = stock.ssh(&agent, &["-N"]).output().await.unwrap();
    assert!(
        said(&output).contains("Permission denied"),
        "{}",
        said(&output)
    );
    let (session, mut ssh, port) = stock.opened(&agent, device).await;
    let local = stories::free_port();
    let foreign = format!("localhost:{}:{device}", port + 1);
    let all = format!("0.0.0.0:{}:{device}", stories::free_port());
    let unix = format!("{}:{device}", stock.site.path("socket").display());
    let mut cases: Vec<Vec<String>> = vec![
        vec!["-tt".to_owned()],
        vec!["--".to_owned(), "127.0.0.1".to_owned(), "id".to_owned()],
        vec![
            "-s".to_owned(),
            "--".to_owned(),
            "127.0.0.1".to_owned(),
            "sftp".to_owned(),
        ],
        vec!["-W".to_owned(), device.to_string()],
    ];
    for forward in [foreign, all, unix] {
        let words = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward];
        cases.push(words.map(str::to_owned).to_vec());
    }
    for words in cases {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let run = stock.ssh(&agent, &words).output();
        let output = tokio::time::timeout(stories::PATIENCE, run).await;
        let output = output
            .unwrap_or_else(|_| panic!("{words:?} stands"))
            .unwrap();
        assert!(!output.status.success(), "{words:?} was let through");
        assert!(output.stdout.is_empty(), "{words:?} was answered");
        assert!(
            !said(&output).contains("Permission denied"),
            "{words:?}: {}",
            said(&output)
        );
    }
    let output = stock.ssh(&other, &["-N"]).output().await.unwrap();
    assert!(
        said(&output).contains("Permission denied"),
        "another agent's key opens nothing"
    );
    let forward = format!("127.0.0.1:{local}:{device}");
    let mut dial = stock.ssh(&agent, &["-N", "-L", &forward]).spawn().unwrap();
    let connect = || async move {
        tokio::net::TcpStream::connect(("127.0.0.1", local))
            .await
            .ok()
    };
    let mut stream = stories::until("ssh listens", stories::PATIENCE, connect).await;
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    assert!(answer.is_empty());
    assert_eq!(*connected.lock().unwrap(), 0);
    dial.kill().await.unwrap();
    ssh.kill().await.unwrap();
    session.end(End::new(Cause::Person, "enough"));
    let is_nobody = || async {
        let output = stock
            .ssh(&agent, &["-N", "-o", "ConnectTimeout=2"])
            .output()
            .await
            .unwrap();
        said(&output).contains("Permission denied").then_some(())
    };
    stories::until("the key is nobody's again", stories::PATIENCE, is_nobody).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_given_to_one_session_each_and_come_back() {
    if !stock_sshd::can_start() {
        return;
    }
    let stock = Stock::start().await;
    let agent = stock.site.enroll("lyon-1").await;
    let mut sessions = Vec::new();
    let mut ports = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let session = stock.site.session_of(terms(&agent.id, "m.dupont"));
        assert!(ports.insert(stock.which.meet(&session).await.unwrap().bind.1));
        sessions.push(session);
    }
    let fifth = Arc::new(stock.site.session(&agent, "m.dupont"));
    let full = stock.which.meet(&fifth).await.unwrap_err();
    assert!(full.to_string().contains("sshd_ports"), "{full}");
    sessions[2].end(End::new(Cause::Person, "enough"));
    let is_free = || async { stock.which.meet(&fifth).await.ok() };
    stories::until("its port is free again", stories::PATIENCE, is_free).await;
}
