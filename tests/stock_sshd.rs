//! A stock OpenSSH sshd as gateway, set up as docs/howto/gateway.md says.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

/// The sshd, where Debian installs it.
const SSHD: &str = "/usr/sbin/sshd";

/// Says whether an sshd can be started here, and why not.
#[must_use]
pub fn can_start() -> bool {
    let is_root = std::process::Command::new("id").arg("-u").output();
    let is_root = is_root.is_ok_and(|id| id.stdout == b"0\n");
    if !is_root || !Path::new(SSHD).is_file() {
        eprintln!("no sshd is started: that needs root and the Debian package openssh-server");
        return false;
    }
    true
}

/// The sshd_config of the howto, with this test's paths and port, for the hub whose `hub.toml` is in
/// `folder`. `safe` is a folder that nobody else may write in: sshd runs no command elsewhere, and
/// tests are often built below one.
///
/// # Panics
/// When it cannot be started.
pub async fn start(folder: &Path, (port, host_key): (u16, &Path), safe: &Path) -> Child {
    let howto = include_str!("../docs/howto/gateway.md");
    let (_, config) = howto
        .split_once("```sshd_config\n")
        .expect("a configuration");
    let (config, _) = config.split_once("```").expect("its end");
    let command = safe.join("platen-hub");
    let program = super::program("platen-hub");
    let script = format!("#!/bin/sh\nexec {program:?} \"$@\"\n");
    std::fs::write(&command, script).expect("a script");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&command, mode).expect("a script that runs");
    let config = config
        .replace("Match User platen", "Match User root")
        .replace(
            "AuthorizedKeysCommandUser platen",
            "AuthorizedKeysCommandUser root",
        )
        .replace("/usr/bin/platen-hub", &command.display().to_string())
        .replace(
            "/etc/platen/hub.toml",
            &folder.join("hub.toml").display().to_string(),
        );
    let whole = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nUsePAM no\n\
         StrictModes no\nPermitRootLogin yes\nAuthorizedKeysFile none\n{config}",
        host_key.display()
    );
    std::fs::write(folder.join("sshd_config"), whole).expect("a configuration");
    std::fs::create_dir_all("/run/sshd").expect("the folder that sshd wants");
    let log = std::fs::File::create(folder.join("sshd.log")).expect("a log");
    let sshd = Command::new(SSHD)
        .args(["-D", "-e", "-f"])
        .arg(folder.join("sshd_config"))
        .stdin(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("sshd");
    super::until("sshd listens", super::PATIENCE, || async move {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()
    })
    .await;
    sshd
}
