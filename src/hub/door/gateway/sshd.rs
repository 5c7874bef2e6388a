//! An sshd of somebody else as gateway: agents have ports forwarded there, and the hub connects to
//! those. docs/howto/gateway.md has its configuration.
//!
//! The hub gives each session a port of its range and writes down who may listen on it; the sshd
//! asks for that by `platen-hub gateway authorized-keys`. Of the tunnel the hub sees only whether
//! somebody listens: what an agent says of an end stays with the sshd.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::which::{Meeting, NoMeeting};
use super::wire::Wire;
use crate::config::SshdConfig;
use crate::session::{Cause, End, Later, NoWay, Session, Stream, Way};
use crate::store::{Store, Tenant};

/// How often it is looked whether the agent listens: until it does, and from then on.
const LOOK_FOR: Duration = Duration::from_millis(300);
const LOOK_AFTER: Duration = Duration::from_secs(3);

/// As [`LOOK_AFTER`] where only a connection tells, each of which the device sees.
const KNOCK_AFTER: Duration = Duration::from_secs(15);

/// Longest a connection to the sshd's machine may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one session at once, as at the hub's own gateway.
const PIPES_MAX: usize = 32;

/// What is known of the sshd.
#[derive(Debug)]
pub struct SshdParts {
    /// Keeps who may listen where.
    pub store: Store,
    /// Whose agents they are.
    pub tenant: Tenant,
    /// Its host key, as SSH writes it.
    pub host_key: Vec<u8>,
    /// Where it is.
    pub config: SshdConfig,
}

/// An sshd. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sshd(Arc<Room>);

#[derive(Debug)]
struct Room {
    parts: SshdParts,
    /// Where the next search for a free port begins: one that was just let go is used last.
    next: AtomicUsize,
}

/// What a look at a port said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Listening,
    Silent,
}

impl Sshd {
    /// Makes it.
    #[must_use]
    pub fn new(parts: SshdParts) -> Self {
        Self(Arc::new(Room {
            parts,
            next: AtomicUsize::new(0),
        }))
    }

    /// Gives a session a port, and its way once the agent listens there.
    pub(super) async fn meet(&self, session: &Session) -> Result<Meeting, NoMeeting> {
        let (parts, terms) = (&self.0.parts, session.terms());
        let ports: Vec<u16> = parts.config.ports.clone().collect();
        let first = self.0.next.fetch_add(1, Ordering::Relaxed);
        for step in 0..ports.len() {
            let Some(port) = ports.get((first + step) % ports.len()).copied() else {
                continue;
            };
            let place = (&terms.id, terms.agent.as_str(), port);
            let begun = parts.store.forward_begin(&parts.tenant, place, terms.until);
            if begun.await? {
                self.0.next.store(first + step + 1, Ordering::Relaxed);
                tokio::spawn(self.clone().attend(session.clone(), port));
                return Ok(Meeting {
                    host_key: parts.host_key.clone(),
                    user: parts.config.user.clone(),
                    bind: ("localhost".to_owned(), port),
                });
            }
        }
        Err(NoMeeting::Full)
    }

    /// Follows a session until it ends, then takes its port back.
    async fn attend(self, session: Session, port: u16) {
        let cut = watch::Sender::new(false);
        let end = tokio::select! {
            end = session.ended() => end,
            end = self.follow(&session, port, &cut) => {
                session.end(end.clone());
                end
            }
        };
        cut.send_replace(true);
        let (parts, id) = (&self.0.parts, &session.terms().id);
        info!(session = %id, cause = end.cause.as_str(), why = end.why, "a tunnel has ended");
        if let Err(error) = parts.store.forward_end(&parts.tenant, id).await {
            // It ends by its time, and with the hub.
            warn!(session = %id, port, %error, "a port of the sshd is not given back");
        }
    }

    /// Gives the session its way once the agent listens, and ends when it does no more.
    async fn follow(&self, session: &Session, port: u16, cut: &watch::Sender<bool>) -> End {
        let reach = self.0.parts.config.reach.as_str();
        while look(reach, port).await.0 == Look::Silent {
            sleep(LOOK_FOR).await;
        }
        session.has_way(Some(Arc::new(SshdWay {
            reach: reach.to_owned(),
            port,
            cut: cut.subscribe(),
            places: Arc::new(Semaphore::new(PIPES_MAX)),
        })));
        info!(session = %session.terms().id, port, "a tunnel is open");
        loop {
            let (seen, after) = look(reach, port).await;
            if seen == Look::Silent {
                return End::new(Cause::LinkLost, "the agent's tunnel at the sshd is gone");
            }
            sleep(after).await;
        }
    }
}

/// Looks whether somebody listens on a port, and says when to look again.
async fn look(reach: &str, port: u16) -> (Look, Duration) {
    let resolved = timeout(CONNECT_TIMEOUT, lookup_host((reach, port))).await;
    let address = match resolved {
        Ok(Ok(mut addresses)) => addresses.next(),
        Ok(Err(_)) | Err(_) => None,
    };
    let Some(address) = address else {
        return (Look::Silent, LOOK_AFTER);
    };
    match bind(address.ip(), port) {
        Ok(()) => (Look::Silent, LOOK_AFTER),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => (Look::Listening, LOOK_AFTER),
        // The address is another machine's.
        Err(_) => match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => (Look::Listening, KNOCK_AFTER),
            Ok(Err(_)) | Err(_) => (Look::Silent, KNOCK_AFTER),
        },
    }
}

/// Takes a port of this machine for an instant, without listening: the system refuses that while
/// somebody listens there, and nobody hears of it.
fn bind(address: IpAddr, port: u16) -> io::Result<()> {
    let socket = match address {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Connections that have ended a moment ago are no listener.
    socket.set_reuseaddr(true)?;
    socket.bind((address, port).into())
}

/// The agent's end of a session, behind a port of the sshd.
#[derive(Debug)]
struct SshdWay {
    reach: String,
    port: u16,
    cut: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

impl Way for SshdWay {
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (reach, port, cut) = (self.reach.clone(), self.port, self.cut.clone());
        Box::pin(async move {
            let place = place.map_err(|_| {
                NoWay::Refused(format!(
                    "{PIPES_MAX} connections of this session are open already; close one first"
                ))
            })?;
            let connecting = TcpStream::connect((reach.as_str(), port));
            let stream = match timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(_)) | Err(_) => {
                    let words = "the agent's tunnel at the sshd is gone".to_owned();
                    return Err(NoWay::Refused(words));
                }
            };
            // Without it each small packet waits for another; a socket without it still works.
            let _ = stream.set_nodelay(true);
            let stream: Box<dyn Stream> = Box::new(Wire::new(stream, cut, Some(place)));
            Ok(stream)
        })
    }
}
