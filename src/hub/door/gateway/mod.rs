//! The gateway: where agents come over SSH with the port of one printer each, and people with a
//! key of their own for the sessions that they opened.
//!
//! Nothing listens for a session: an agent's forwarding becomes the session's
//! [`Way`](crate::session::Way), and what serves the person asks that for connections. A peer can
//! open nothing here ([`visit`]), stays only while its key is good and something goes through, and
//! what it may cost is bounded. [`which`] says which gateway there is: this one, or an sshd of
//! somebody else.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::server::{self, RunningSession};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};

use crate::session::{Cause, End, Sessions};
use crate::store::{Store, Tenant};

mod farewell;
mod forward;
pub mod guest;
pub mod host_key;
mod line;
mod person;
mod pipe;
mod place;
mod settings;
pub mod sshd;
mod visit;
pub mod which;
mod wire;

use self::guest::Guest;
use self::host_key::HostKey;
use self::line::Line;
use self::place::Places;
use self::settings::Settings;
use self::visit::Visit;
use self::wire::Wire;

/// Longest a peer may take to prove who it is.
const LOGIN_GRACE: Duration = Duration::from_secs(20);

/// How often a standing connection is looked at again: a revocation works within seconds.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Longest a connection may stand with nothing going through it: an agent asks at once, a person
/// connects when they need it.
const AGENT_IDLE_MAX: Duration = Duration::from_secs(30);
const PERSON_IDLE_MAX: Duration = Duration::from_secs(120);

/// Longest a peer may take to leave after it was told to.
const PARTING: Duration = Duration::from_secs(2);

/// What is read from a peer at once, in bytes: the library reads the length of each packet by
/// itself, and a small packet then needs no second look at the socket.
const READ_AHEAD_BYTES: usize = 8 * 1024;

/// Pause after the system refuses a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the gateway needs to know.
#[derive(Debug)]
pub struct GatewayParts {
    /// Knows the agents, and the keys of people.
    pub store: Store,
    /// Whose they are.
    pub tenant: Tenant,
    /// Every session that lives.
    pub sessions: Sessions,
    /// Who the gateway is.
    pub key: HostKey,
    /// Whether those are let in who know no key exchange that a quantum computer could not undo.
    pub older_clients: bool,
}

/// The gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Room>);

#[derive(Debug)]
struct Room {
    parts: GatewayParts,
    settings: Settings,
    places: Places,
    stop: watch::Sender<bool>,
}

impl Gateway {
    /// Makes it.
    #[must_use]
    pub fn new(parts: GatewayParts) -> Self {
        Self(Arc::new(Room {
            settings: Settings::new(&parts.key, parts.older_clients),
            parts,
            places: Places::default(),
            stop: watch::Sender::new(false),
        }))
    }

    /// The public half of its key, as SSH writes it.
    #[must_use]
    pub fn host_key(&self) -> &[u8] {
        self.0.parts.key.blob()
    }

    fn store(&self) -> &Store {
        &self.0.parts.store
    }

    fn tenant(&self) -> &Tenant {
        &self.0.parts.tenant
    }

    fn sessions(&self) -> &Sessions {
        &self.0.parts.sessions
    }

    /// Serves a port of its own, if there is one, until `shutdown`; then ends every connection,
    /// also those that came elsewhere.
    pub async fn serve(self, listener: Option<TcpListener>, shutdown: impl Future<Output = ()>) {
        let mut served = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(listener.as_ref()) => {
                    if let Some((stream, address)) = accepted {
                        served.spawn(self.clone().attend(stream, address));
                    }
                }
                Some(_) = served.join_next() => {}
            }
        }
        drop(listener);
        self.0.stop.send_replace(true);
        while served.join_next().await.is_some() {}
    }

    /// Attends to one connection until it ends.
    pub async fn attend(self, stream: TcpStream, address: SocketAddr) {
        let Some(place) = self.0.places.take(address.ip()) else {
            debug!(%address, "there is no place for another SSH connection");
            return;
        };
        // A page is many small packets: without this, each waits for another (RFC 896).
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, %error, "a connection is gone already");
            return;
        }
        let line = Line::new(address);
        let wire = Wire::new(stream, line.cut_told(), None);
        let wire = BufReader::with_capacity(READ_AHEAD_BYTES, wire);
        let visit = Visit::new(self.clone(), Arc::clone(&line));
        let begun = server::run_stream(self.0.settings.beside(place.standing), wire, visit);
        match timeout(LOGIN_GRACE, begun).await {
            Ok(Ok(running)) => self.watch(running, &line).await,
            Ok(Err(error)) => debug!(%address, %error, "this is no SSH"),
            Err(_) => debug!(%address, "SSH did not begin in time"),
        }
        let words = "the agent's connection to the gateway was lost";
        line.end(&End::new(Cause::LinkLost, words));
        line.cut();
    }

    /// Follows a connection, and ends it when it is to end.
    async fn watch(&self, running: RunningSession<Visit>, line: &Line) {
        let handle = running.handle();
        let mut running = pin!(running);
        let mut grace = pin!(sleep(LOGIN_GRACE));
        let mut look = interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.0.stop.subscribe();
        let mut is_within_grace = true;
        let words = loop {
            tokio::select! {
                ended = running.as_mut() => {
                    let error = ended.err().map(|error| error.to_string());
                    debug!(address = %line.address, error, "SSH ended");
                    return;
                }
                () = grace.as_mut(), if is_within_grace => {
                    if line.proof().is_none() {
                        break "nobody has proven who they are in time".to_owned();
                    }
                    is_within_grace = false;
                }
                words = line.parting() => break words,
                () = told(&mut stop) => {
                    line.end(&End::new(Cause::HubEnds, "the hub was stopped"));
                    break "the hub ends".to_owned();
                }
                words = self.doubts(line, &mut look) => break words,
            }
        };
        debug!(address = %line.address, words, "SSH is ended");
        let goodbye = handle.disconnect(Disconnect::ByApplication, words, String::new());
        let left = async {
            let _ = goodbye.await;
            running.as_mut().await
        };
        if timeout(PARTING, left).await.is_err() {
            line.cut();
            // It ends by itself now; this only keeps its place until then.
            let _ = timeout(PARTING, running).await;
        }
    }

    /// Ends when a connection should not stand any more, and says why.
    async fn doubts(&self, line: &Line, look: &mut Interval) -> String {
        loop {
            let now = look.tick().await;
            if let Some(words) = self.doubt(line, now).await {
                return words;
            }
        }
    }

    /// Why a connection should not stand any more.
    async fn doubt(&self, line: &Line, now: Instant) -> Option<String> {
        let proof = line.proof()?;
        let known = (proof.user.as_str(), &proof.key);
        match guest::judge(self.store(), self.tenant(), known).await {
            Ok(Some(guest)) if guest == proof.guest => {}
            Ok(_) => {
                let words = "this key is not good any more: revoked, set aside or replaced";
                line.end(&End::new(
                    Cause::Person,
                    format!("the agent was shut out; {words}"),
                ));
                return Some(words.to_owned());
            }
            // A store that is away says nothing about who is there.
            Err(_) => return None,
        }
        let idle = line.idle(now)?;
        let is_long = match &proof.guest {
            Guest::Agent(_) => idle > AGENT_IDLE_MAX,
            Guest::Person(name) => idle > PERSON_IDLE_MAX && !self.has_session(name),
        };
        is_long.then(|| "nothing went through this connection".to_owned())
    }

    fn has_session(&self, holder: &str) -> bool {
        let mut all = self.sessions().all().into_iter();
        all.any(|session| session.terms().holder == holder && session.has_ended().is_none())
    }
}

/// The next connection; none ever where nothing is listened on.
async fn accept(listener: Option<&TcpListener>) -> Option<(TcpStream, SocketAddr)> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            warn!(%error, "a connection could not be accepted");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Ends when the gateway is told to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that the teller is gone, which is telling too.
    let _ = stop.wait_for(|is_stopped| *is_stopped).await;
}
