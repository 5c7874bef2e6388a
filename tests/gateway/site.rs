//! A gateway with an agent, a device and a person, and what OpenSSH's programs do with it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub::ca::CheckedRequest;
use hub::config::HubConfig;
use hub::door::gateway::host_key::HostKey;
use hub::door::gateway::{Gateway, GatewayParts};
use hub::permission::{Right, Rights};
use hub::session::{Deed, Later, NotNoted, Session, SessionId, Sessions, Terms, Witness};
use hub::store::gateway::SshKey;
use hub::store::invitations::{Answer, Enrollment};
use hub::store::{Store, Tenant};
use jiff::Timestamp;
use printer::identity::DeviceId;
use rcgen::{CertificateParams, KeyPair};
use russh::keys::PublicKey;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// Longest one program of OpenSSH may take to be refused.
const PATIENCE: Duration = Duration::from_secs(20);

/// The port of the device that sessions are for.
pub const DEVICE_PORT: u16 = 9100;

/// What was noted.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<Deed>>>);

impl Witness for Notes {
    fn note(&self, _: &Terms, deed: Deed) -> Later<Result<(), NotNoted>> {
        self.0.lock().expect("no panic").push(deed);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Notes {
    pub fn all(&self) -> Vec<Deed> {
        self.0.lock().expect("no panic").clone()
    }
}

/// An agent that was enrolled: its id, and its key as a file that OpenSSH reads.
#[derive(Debug, Clone)]
pub struct Agent {
    pub id: String,
    pub key: PathBuf,
    pub fingerprint: String,
}

/// The gateway, and who comes to it.
pub struct Site {
    pub folder: TempDir,
    pub store: Store,
    pub sessions: Sessions,
    pub notes: Notes,
    pub gateway: Gateway,
    pub at: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Site {
    /// One for the OpenSSH that is installed, which may be older.
    pub async fn start() -> Self {
        Self::start_for(true).await
    }

    pub async fn start_for(older_clients: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open("sqlite:hub.db", folder.path())
            .await
            .expect("a store");
        let sessions = Sessions::default();
        let gateway = Gateway::new(GatewayParts {
            store: store.clone(),
            tenant: Tenant::DEFAULT,
            sessions: sessions.clone(),
            key: HostKey::open(folder.path()).expect("a key"),
            older_clients,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(gateway.clone().serve(Some(listener), async {
            let _ = stopped.await;
        }));
        let site = Self {
            folder,
            store,
            sessions,
            notes: Notes::default(),
            gateway,
            at,
            stop: Some(stop),
        };
        site.knows("known_hosts", at.port(), site.gateway.host_key());
        site
    }

    /// One within a whole hub, reached on a port that TLS is on too; and where the hub has SSH
    /// alone.
    pub async fn in_a_hub() -> (Self, SocketAddr) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "state_dir = {:?}\n[uplink]\nlisten = \"127.0.0.1:0\"\n[portal]\n\
             listen = \"127.0.0.1:0\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
             older_clients = true\n",
            folder.path()
        );
        let config = HubConfig::parse("hub.toml", &text, std::iter::empty()).expect("valid");
        let hub = hub::bind(&config).await.expect("a hub");
        let (at, alone) = (hub.bound().uplink, hub.bound().gateway.expect("SSH"));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let site = Self {
            store: hub.store().clone(),
            sessions: hub.sessions().clone(),
            notes: Notes::default(),
            gateway: hub.gateway().own().expect("the hub's own"),
            folder,
            at,
            stop: Some(stop),
        };
        tokio::spawn(hub.serve_doors(async {
            let _ = stopped.await;
        }));
        site.knows("known_hosts", at.port(), site.gateway.host_key());
        (site, alone)
    }

    /// Tells the gateway to end.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of known hosts with one key in it.
    pub fn knows(&self, file: &str, port: u16, blob: &[u8]) {
        let key = STANDARD.encode(blob);
        let line = format!("[127.0.0.1]:{port} ssh-ed25519 {key}\n");
        std::fs::write(self.path(file), line).expect("a file");
    }

    /// Enrolls an agent with a key of its own.
    pub async fn enroll(&self, name: &str) -> Agent {
        let pair = KeyPair::generate().expect("a key");
        let request = CertificateParams::default()
            .serialize_request(&pair)
            .expect("a request");
        let request = CheckedRequest::parse(&request.pem().expect("PEM")).expect("sound");
        let now = Timestamp::now();
        let secret = format!("secret of {name} at {now}");
        let tenant = &Tenant::DEFAULT;
        self.store
            .invite(tenant, name, &secret, now)
            .await
            .expect("kept");
        let Answer::Open(invitation) = self
            .store
            .invitation(tenant, &secret, now)
            .await
            .expect("an answer")
        else {
            panic!("the code is open");
        };
        let fingerprint = format!("certificate of {name} at {now}");
        let enrollment = Enrollment {
            invitation: &invitation,
            fingerprint: &fingerprint,
            key_hash: &request.key_hash(),
            sealing_key: None,
            until: now + Duration::from_hours(24),
            version: "0.1.0",
        };
        assert!(
            self.store
                .enroll(tenant, &enrollment, now)
                .await
                .expect("kept")
        );
        let agent = self
            .store
            .agent_of(tenant, &fingerprint, now)
            .await
            .expect("an answer");
        let id = agent.expect("an agent").as_str().to_owned();
        let key = self.path(&format!("{name}-{}.pem", &id[..8]));
        write_private(&key, pair.serialize_pem().as_bytes());
        Agent {
            id,
            key,
            fingerprint,
        }
    }

    /// Makes a key with ssh-keygen.
    pub async fn key(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&path)
            .status()
            .await;
        assert!(made.expect("ssh-keygen runs").success());
        path
    }

    /// Lets a person in by a key.
    pub async fn lets_in(&self, name: &str, key: &Path, rights: Rights) {
        let line = std::fs::read_to_string(format!("{}.pub", key.display())).expect("a file");
        let key = PublicKey::from_openssh(line.trim()).expect("a key");
        let kept = SshKey {
            name: name.to_owned(),
            fingerprint: hub::door::gateway::guest::fingerprint(&key).expect("a hash"),
            public_key: line.trim().to_owned(),
            rights,
            made: Timestamp::now(),
        };
        assert!(
            self.store
                .ssh_key_add(&Tenant::DEFAULT, &kept)
                .await
                .expect("kept")
        );
    }

    pub async fn person(&self, name: &str) -> PathBuf {
        let key = self.key(name).await;
        self.lets_in(name, &key, Rights::of([Right::Web])).await;
        key
    }

    /// Begins a session with the agent's device, for a person.
    pub fn session(&self, agent: &Agent, holder: &str) -> Session {
        self.session_of(terms(&agent.id, holder))
    }

    pub fn session_of(&self, terms: Terms) -> Session {
        let session = self.sessions.begin(terms, Arc::new(self.notes.clone()));
        session.expect("there is room")
    }

    /// An OpenSSH client with these words, which asks nobody and believes the gateway's key only.
    pub fn ssh(&self, (user, key): (&str, &Path), words: &[&str]) -> Command {
        ssh(
            &self.path("known_hosts"),
            self.at.port(),
            (user, key),
            words,
        )
    }

    /// Runs one until it ends; it is to be refused.
    pub async fn refused(&self, who: (&str, &Path), words: &[&str]) -> String {
        let ended = tokio::time::timeout(PATIENCE, self.ssh(who, words).output()).await;
        let output = ended.unwrap_or_else(|_| panic!("{words:?} was not refused"));
        let output = output.expect("ssh runs");
        let said = said(&output);
        assert!(
            !output.status.success(),
            "{words:?} was let through:\n{said}"
        );
        assert!(output.stdout.is_empty(), "{words:?} was answered:\n{said}");
        said
    }

    /// Runs one that forwards the session's port to an address, until the session is open.
    pub async fn forwards(&self, agent: &Agent, session: &Session, to: SocketAddr) -> Child {
        let terms = session.terms();
        let forward = format!("{}:{}:{to}", terms.id, terms.port);
        let words = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward];
        let mut ssh = self.ssh((&agent.id, &agent.key), &words);
        let child = ssh.spawn().expect("ssh runs");
        is_open(session).await;
        child
    }
}

/// Waits until a session has its way.
pub async fn is_open(session: &Session) {
    stories::until("the tunnel is open", PATIENCE, || async {
        session.is_open().then_some(())
    })
    .await;
}

/// An OpenSSH client.
pub fn ssh(known: &Path, port: u16, (user, key): (&str, &Path), words: &[&str]) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-p", &port.to_string(), "-l", user, "-i"]);
    ssh.arg(key);
    for option in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "ConnectTimeout=10",
    ] {
        ssh.args(["-o", option]);
    }
    ssh.arg("-o")
        .arg(format!("UserKnownHostsFile={}", known.display()));
    ssh.args(words);
    if !words.contains(&"--") {
        ssh.arg("127.0.0.1");
    }
    ssh.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    ssh.kill_on_drop(true);
    ssh
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a session is for.
pub fn terms(agent: &str, holder: &str) -> Terms {
    let now = Timestamp::now();
    Terms {
        id: SessionId::new().expect("random"),
        tenant: Tenant::DEFAULT,
        agent: agent.to_owned(),
        device: DeviceId::parse(&"1".repeat(32)).expect("an id"),
        address: None,
        port: DEVICE_PORT,
        holder: holder.to_owned(),
        reason: "a test".to_owned(),
        from: None,
        opened: now,
        until: now + Duration::from_mins(10),
        idle_max: Duration::from_mins(5),
        is_read_only: false,
        is_fallback: false,
    }
}

/// A device that says back what it hears, and how many have connected.
pub async fn echo() -> (SocketAddr, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            *counted.lock().expect("no panic") += 1;
            tokio::spawn(echo_one(stream));
        }
    });
    (at, count)
}

async fn echo_one(mut stream: TcpStream) -> io::Result<()> {
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await
}

/// Sends octets through a stream that echoes, while they are read back; they must come whole.
pub async fn echoes(stream: impl hub::session::Stream, octets: &[u8]) {
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = async {
        write.write_all(octets).await.expect("sent");
        write.shutdown().await.expect("shut");
    };
    let mut back = Vec::new();
    let reading = async {
        read.read_to_end(&mut back).await.expect("read");
    };
    tokio::join!(sending, reading);
    assert!(
        back == octets,
        "{} octets came back of {}",
        back.len(),
        octets.len()
    );
}

/// Writes a file that OpenSSH takes for a private key.
pub fn write_private(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.as_mut()
        .expect("a file")
        .write_all(bytes)
        .expect("written");
}
