//! A PostgreSQL of one's own: made in a temporary folder, reached by a socket there, gone after.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

use crate::store::tests::Place;

/// Longest the server may take until it is ready, on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Set to 1 to leave PostgreSQL out, knowingly.
const WITHOUT: &str = "PLATEN_WITHOUT_POSTGRES";

const MISSING: &str = "PostgreSQL is not installed: install the package `postgresql` (Debian, \
    Ubuntu) or `postgresql-server` (Fedora), or set PLATEN_WITHOUT_POSTGRES=1 to leave it out";

/// A running server. Stopped and removed when dropped.
pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    user: Option<(u32, u32)>,
    server: Child,
}

impl Server {
    /// Starts a server; `None` only where it was left out knowingly.
    pub(crate) fn start() -> Option<Self> {
        if std::env::var(WITHOUT).is_ok_and(|value| value == "1") {
            return None;
        }
        let programs = programs().expect(MISSING);
        let folder = tempfile::tempdir().unwrap();
        let user = other_user();
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"), user, folder.path())
            .args([
                "--username=platen",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let mut server = command(&programs.join("postgres"), user, folder.path())
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until_ready(&mut server);
        Some(Self {
            programs,
            folder,
            user,
            server,
        })
    }

    /// A new database of this server, empty.
    pub(crate) async fn place(&self, name: &str) -> Place {
        // PostgreSQL cuts names after 63 bytes.
        let name = &name[..name.len().min(63)];
        let options = PgConnectOptions::from_str(&self.url("postgres")).unwrap();
        let mut connection = options.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        Place {
            url: self.url(name),
            folder: self.folder.path().to_owned(),
        }
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://platen@localhost/{database}?host={}",
            self.folder.path().display()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = command(&self.programs.join("pg_ctl"), self.user, self.folder.path())
            .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.folder.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

/// The newest installed server: Debian keeps it out of PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(
        std::env::split_paths(&path)
            .collect::<Vec<_>>()
            .into_iter()
            .rev(),
    );
    folders
        .into_iter()
        .rev()
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody`.
fn other_user() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |wanted: &str| {
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

fn command(program: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// Reads what the server says until it is ready, and goes on reading so that it never waits for us.
fn wait_until_ready(server: &mut Child) {
    let said = BufReader::new(server.stderr.take().unwrap());
    let (ready, is_ready) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            if line.contains("database system is ready to accept connections") {
                let _ = ready.try_send(());
            }
        }
    });
    is_ready
        .recv_timeout(START_TIMEOUT)
        .expect("PostgreSQL did not become ready");
}
