//! A stock OpenSSH server as the gateway, with its own defaults but for what a gateway must forbid.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use russh::keys::{PrivateKey, decode_secret_key};
use tempfile::TempDir;

/// Longest that the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `sshd`; it ends with this.
pub struct Sshd {
    pub address: SocketAddr,
    /// Its host key, as a ticket has it.
    pub key: Vec<u8>,
    /// Where it listens for the tunnel.
    pub forwarded: u16,
    server: Child,
    _folder: TempDir,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}

impl Sshd {
    /// Starts one that lets the key in as root and forwards one port to it.
    pub fn start(key_pem: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let seed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let host: PrivateKey = decode_secret_key(&seed.serialize_pem(), None).expect("a key");
        let text = host.to_openssh(Default::default()).expect("a key");
        std::fs::write(path("host"), text.as_bytes()).expect("written");
        let own = decode_secret_key(key_pem, None).expect("the agent's key");
        let (port, forwarded) = (free_port(), free_port());
        let line = own.public_key().to_openssh().expect("a key");
        let permit =
            format!("restrict,port-forwarding,permitlisten=\"localhost:{forwarded}\" {line}\n");
        std::fs::write(path("keys"), permit).expect("written");
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             UsePAM no\nPidFile none\nForceCommand /bin/false\nClientAliveInterval 5\n",
            path("host").display(),
            path("keys").display()
        );
        std::fs::write(path("config"), config).expect("written");
        for (file, mode) in [("host", 0o600), ("keys", 0o644)] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path(file), mode).expect("a mode");
        }
        std::fs::create_dir_all("/run/sshd").expect("sshd's folder");
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(path("config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("openssh-server is installed");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            address,
            key: host.public_key().to_bytes().expect("a key"),
            forwarded,
            server,
            _folder: folder,
        }
    }
}
