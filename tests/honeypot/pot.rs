//! A device that listens and says nothing: it counts who comes, and every octet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Octets that are taken at once.
const READ_BYTES: usize = 64 * 1_024;

/// What came to one port.
#[derive(Debug, Default)]
struct Came {
    connections: AtomicU64,
    octets: AtomicU64,
}

/// One listening port of a device.
#[derive(Debug)]
pub struct Pot {
    pub at: SocketAddr,
    came: Arc<Came>,
    _task: JoinSet<()>,
}

impl Pot {
    /// Listens at a port.
    pub async fn listen(at: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await;
        let listener = listener.unwrap_or_else(|error| panic!("{at}: {error}"));
        let came = Arc::<Came>::default();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, came.clone()));
        Self {
            at,
            came,
            _task: task,
        }
    }

    /// Connections and octets so far.
    pub fn came(&self) -> (u64, u64) {
        let Came {
            connections,
            octets,
        } = &*self.came;
        (
            connections.load(Ordering::SeqCst),
            octets.load(Ordering::SeqCst),
        )
    }
}

async fn serve(listener: TcpListener, came: Arc<Came>) {
    while let Ok((stream, _)) = listener.accept().await {
        came.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(swallow(stream, came.clone()));
    }
}

async fn swallow(mut stream: TcpStream, came: Arc<Came>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        came.octets.fetch_add(length as u64, Ordering::SeqCst);
    }
}
