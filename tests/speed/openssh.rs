//! OpenSSH's programs, as Debian installs them: an sshd, and an ssh with -R.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use stories::World;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// An sshd that lets one key in, and nothing else changed but where it listens.
pub struct Sshd {
    folder: PathBuf,
    pub port: u16,
    pub host_key: PathBuf,
    running: Child,
}

async fn run(program: &str, words: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(words).output().await.unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

impl Sshd {
    pub async fn start(world: &World) -> Self {
        let folder = world.path("sshd");
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["host_key", "root_key"] {
            let key = folder.join(name);
            run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", text(&key)],
            )
            .await;
        }
        let (port, host_key) = (stories::free_port(), folder.join("host_key"));
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nStrictModes no\n\
             PermitRootLogin yes\nAuthorizedKeysFile {}\n",
            text(&host_key),
            text(&folder.join("authorized_keys"))
        );
        std::fs::write(folder.join("sshd_config"), config).unwrap();
        std::fs::create_dir_all("/run/sshd").unwrap();
        let running = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", text(&folder.join("sshd_config"))])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = || async move { TcpStream::connect(("127.0.0.1", port)).await.ok() };
        stories::until("sshd listens", stories::PATIENCE, listens).await;
        let sshd = Self {
            folder,
            port,
            host_key,
            running,
        };
        let public = std::fs::read_to_string(sshd.folder.join("root_key.pub")).unwrap();
        sshd.lets_in(&public);
        let public = std::fs::read_to_string(sshd.folder.join("host_key.pub")).unwrap();
        let known = format!("[127.0.0.1]:{port} {public}");
        std::fs::write(sshd.folder.join("known_hosts"), known).unwrap();
        sshd
    }

    /// The process that listens. Those of connections have its processors.
    pub fn pid(&self) -> u32 {
        self.running.id().expect("it runs")
    }

    /// Lets one more key in.
    pub fn lets_in(&self, public: &str) {
        let file = self.folder.join("authorized_keys");
        let all = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(file, format!("{all}{}\n", public.trim())).unwrap();
    }

    /// ssh -R to this sshd: a port of it leads to the device.
    pub async fn forwards(&self, cipher: &str, device: SocketAddr) -> Forwarded {
        let at = stories::free_port();
        let forward = format!("127.0.0.1:{at}:{device}");
        let known = format!(
            "UserKnownHostsFile={}",
            text(&self.folder.join("known_hosts"))
        );
        let running = Command::new("ssh")
            .args(["-F", "none", "-N", "-l", "root", "-c", cipher])
            .args(["-p", &self.port.to_string(), "-i"])
            .arg(self.folder.join("root_key"))
            .args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "ExitOnForwardFailure=yes", "-o", &known])
            .args(["-R", &forward, "127.0.0.1"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let is_up = || async move { TcpStream::connect(("127.0.0.1", at)).await.ok() };
        stories::until("ssh forwards", stories::PATIENCE, is_up).await;
        Forwarded { at, running }
    }
}

/// A port that leads to a device.
pub struct Forwarded {
    pub at: u16,
    running: Child,
}

impl Forwarded {
    /// The process of ssh.
    pub fn pid(&self) -> u32 {
        self.running.id().expect("it runs")
    }
}

/// The public half of a private key, as OpenSSH writes it.
pub async fn public_half(private: &Path) -> String {
    String::from_utf8(run("ssh-keygen", &["-y", "-f", text(private)]).await).expect("text")
}
