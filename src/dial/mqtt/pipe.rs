//! The unix socket that paho speaks to, and what carries its octets to the broker.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use super::Carriage;
use super::frame::Guard;
use crate::websocket::{self, Octets, SUBPROTOCOL};
use crate::{CONNECT_TIMEOUT, Stream};

/// Octets that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// Messages that paho may have and the consumer has not: beyond it, nothing is read of the broker.
const AHEAD_MAX: u64 = 256;

/// Longest path of a unix socket, in octets: what `sockaddr_un` holds (unix(7)).
const PATH_BYTES_MAX: usize = 107;

/// How the name of a socket's folder begins: the id of its process and a number follow.
const PREFIX: &str = "mqtt-";

/// The socket in its folder.
const FILE: &str = "s";

/// How long paho may take to connect to a socket that waits for it.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket in a folder of its own, removed with it.
pub(super) struct Socket {
    listener: UnixListener,
    folder: PathBuf,
}

impl Socket {
    /// Makes it, in `parent` or, where that is too deep for a socket, in the system's folder for
    /// temporary files.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let mut folder = parent.join(&name);
        if folder.as_os_str().len() + FILE.len() > PATH_BYTES_MAX {
            folder = std::env::temp_dir().join(&name);
        }
        if let Some(parent) = folder.parent() {
            sweep(parent);
        }
        // One of our number and not of this process is left over from a process of our id.
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let listener = UnixListener::bind(folder.join(FILE)).inspect_err(|_| {
            // What is left of it is an empty folder.
            let _ = std::fs::remove_dir(&folder);
        })?;
        Ok(Self { listener, folder })
    }

    /// Where it is, as paho wants it written.
    pub(super) fn uri(&self) -> String {
        format!("unix://{}/{FILE}", self.folder.display())
    }

    /// Takes paho's connection; the second is another handle of the same end.
    pub(super) async fn accept(&self) -> io::Result<(UnixStream, StdUnixStream)> {
        let accepted = async {
            loop {
                let (stream, _) = self.listener.accept().await?;
                let pid = stream.peer_cred()?.pid().map(i32::cast_unsigned);
                if pid == Some(std::process::id()) {
                    let stream = stream.into_std()?;
                    let line = stream.try_clone()?;
                    return Ok((UnixStream::from_std(stream)?, line));
                }
            }
        };
        let accepted = timeout(ACCEPT_TIMEOUT, accepted).await;
        accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Removes the folders of processes that were killed.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Somebody else's, or gone already: either way not ours to remove.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Left behind, it is a folder that nobody but this user can enter.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Reaches the broker; why not, in words.
pub(super) async fn reach(carriage: &Carriage) -> Result<Box<dyn Stream>, String> {
    match carriage {
        Carriage::Tls { dialer, to } => {
            let stream = dialer.tls(to, &[]).await;
            Ok(Box::new(stream.map_err(|error| error.to_string())?))
        }
        Carriage::WebSocket { dialer, to, path } => {
            let stream = dialer.tls(to, &[b"http/1.1"]).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let failed = |error: &dyn std::fmt::Display| format!("no WebSocket with {to}: {error}");
            let mut request = format!("wss://{to}{path}")
                .into_client_request()
                .map_err(|error| failed(&error))?;
            let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
            request
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
            let handshake = client_async_with_config(request, stream, Some(websocket::config()));
            let shaken = timeout(CONNECT_TIMEOUT, handshake).await;
            let shaken = shaken.map_err(|_| failed(&"no answer in time"))?;
            let (socket, _) = shaken.map_err(|error| failed(&error))?;
            Ok(Box::new(Octets::new(socket)))
        }
        Carriage::Plain(opens) => opens.open().await.map_err(|error| error.to_string()),
    }
}

/// How many messages paho was given, and how many the consumer was.
#[derive(Debug)]
pub(super) struct Progress {
    taken: watch::Sender<u64>,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            taken: watch::Sender::new(0),
        })
    }

    /// The consumer has taken another.
    pub(super) fn note_taken(&self) {
        self.taken.send_modify(|taken| *taken += 1);
    }
}

/// Carries octets both ways until either side ends; why it ended, in words, where it was not in
/// order. Nothing ends before paho has said its first word: it does not bear that.
pub(super) async fn carry(
    broker: Box<dyn Stream>,
    paho: UnixStream,
    progress: Arc<Progress>,
) -> Result<(), String> {
    // Gone: paho has hung up, and there is nobody to tell.
    if paho.readable().await.is_err() {
        return Ok(());
    }
    let (from_broker, to_broker) = split(broker);
    let (from_paho, to_paho) = paho.into_split();
    tokio::select! {
        ended = inward(from_broker, to_paho, &progress) => ended,
        ended = outward(from_paho, to_broker) => ended.map_err(|error| error.to_string()),
    }
}

async fn inward(
    mut broker: ReadHalf<Box<dyn Stream>>,
    mut paho: impl AsyncWriteExt + Unpin,
    progress: &Progress,
) -> Result<(), String> {
    let mut taken = progress.taken.subscribe();
    let before = *taken.borrow();
    let mut guard = Guard::default();
    let mut octets = vec![0; READ_BYTES];
    loop {
        let given = guard.messages();
        let is_near = |taken: &u64| given.saturating_sub(taken - before) < AHEAD_MAX;
        if taken.wait_for(is_near).await.is_err() {
            return Ok(());
        }
        let count = broker
            .read(&mut octets)
            .await
            .map_err(|error| error.to_string())?;
        if count == 0 {
            return Ok(());
        }
        let read = octets.get(..count).unwrap_or_default();
        guard.look(read).map_err(|bad| bad.to_string())?;
        // paho has hung up: there is nobody to tell.
        if paho.write_all(read).await.is_err() {
            return Ok(());
        }
    }
}

async fn outward(
    mut paho: impl AsyncReadExt + Unpin,
    mut broker: WriteHalf<Box<dyn Stream>>,
) -> io::Result<()> {
    let mut octets = vec![0; READ_BYTES];
    loop {
        let count = paho.read(&mut octets).await?;
        if count == 0 {
            // The goodbye of MQTT has been said; that of TLS and of the WebSocket follows.
            let goodbye = timeout(ACCEPT_TIMEOUT, broker.shutdown()).await;
            return goodbye.unwrap_or(Ok(()));
        }
        broker
            .write_all(octets.get(..count).unwrap_or_default())
            .await?;
        broker.flush().await?;
    }
}
