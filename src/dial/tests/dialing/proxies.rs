//! tinyproxy and squid, started for one test on a free port of loopback.
//!
//! Both are installed by scripts/setup; a test that misses one fails and says so.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest that a proxy may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy that runs; ends with this value.
pub struct RealProxy {
    /// Where it listens, on loopback.
    pub port: u16,
    child: Child,
    _folder: TempDir,
}

impl Drop for RealProxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// tinyproxy, which asks for `anna` and `word` by Basic if told to.
pub fn tinyproxy(with_user: bool) -> RealProxy {
    let user = if with_user {
        "BasicAuth anna word\n"
    } else {
        ""
    };
    start("tinyproxy", |folder, port| {
        let config = folder.join("tinyproxy.conf");
        let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\n{user}");
        fs::write(&config, text).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(config);
        command
    })
}

/// squid, which asks for `anna` and `word` by `basic` or `digest`, with its own helpers.
pub fn squid(scheme: &str) -> RealProxy {
    start("squid", |folder, port| {
        let users = folder.join("users");
        let (helper, text) = if scheme == "digest" {
            ("digest_file_auth", "anna:word\n".to_owned())
        } else {
            let hashed = Command::new("openssl")
                .args(["passwd", "-apr1", "word"])
                .output();
            let hashed = String::from_utf8(hashed.expect("openssl runs").stdout).unwrap();
            ("basic_ncsa_auth", format!("anna:{hashed}"))
        };
        fs::write(&users, text).unwrap();
        let config = folder.join("squid.conf");
        let shown = folder.display();
        let text = format!(
            "http_port 127.0.0.1:{port}\npid_filename {shown}/squid.pid\ncache deny all\n\
             cache_log {shown}/cache.log\naccess_log none\ncoredump_dir {shown}\n\
             pinger_enable off\nshutdown_lifetime 0 seconds\n\
             auth_param {scheme} program /usr/lib/squid/{helper} {}\n\
             auth_param {scheme} children 1 startup=1 idle=1\nauth_param {scheme} realm platen\n\
             acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n",
            users.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("squid");
        command.arg("-N").arg("-f").arg(config);
        // The path of Debian's servers is in root's PATH only.
        command.env(
            "PATH",
            format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()),
        );
        command
    })
}

fn start(name: &str, command: impl Fn(&std::path::Path, u16) -> Command) -> RealProxy {
    let folder = tempfile::tempdir().unwrap();
    // Squid drops to a user of its own, who writes its log here.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let port = free_port();
    let mut child = command(folder.path(), port)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}; scripts/setup test installs it"));
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{name} ended: {ended:?}");
        assert!(Instant::now() < end, "{name} does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    RealProxy {
        port,
        child,
        _folder: folder,
    }
}
