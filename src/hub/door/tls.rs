//! The TLS in front of every door: our own acceptor, so that a peer's certificate is ours to judge.
//!
//! A client may come without a certificate (to enroll), never with a wrong one. What a peer can
//! cost is bounded here: connections, handshakes, and how long a stranger may stay.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, warn};

use crate::ca::{Authority, ServerIdentity};
use crate::door::gateway::Gateway;
use crate::door::verifier::{self, Verifier};
use crate::door::web::place;
use crate::session::Session;
use crate::store::holders::Presented;

/// Most connections at once, from whomever. An agent holds one; a thousand agents fit twice.
const CONNECTIONS_MAX: usize = 2_048;

/// Longest a peer may take to say hello. Two round trips over a satellite take two seconds.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest a peer without a certificate may stay: enrolling is one call.
pub const STRANGER_LIFE: Duration = Duration::from_secs(30);

/// Connections that have shaken hands and wait to be served.
const READY_MAX: usize = 16;

/// Pause after the system refuses a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the door has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The hub's own certificate or key is refused by the TLS library.
    #[error("the hub's certificate cannot be used: {0}")]
    Identity(#[from] rustls::Error),
    /// The authority cannot judge clients.
    #[error("the hub's authority cannot be used: {0}")]
    Authority(#[from] rustls::server::VerifierBuilderError),
}

/// Who is at the other end, as far as TLS can tell.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// Its certificate, if it has shown one that the hub's authority signed. It may have ended:
    /// what it is worth is [`crate::store::Store::prove`]'s to say.
    pub certificate: Option<Presented>,
    /// Whom it wanted (RFC 6066, section 3); none where it called an address.
    pub wanted: Option<String>,
    /// The session that it was let into.
    pub guest: Guest,
}

/// Whether a peer was let into a session with a printer: then it is no stranger any more, and stays
/// as long as the session does.
#[derive(Debug, Clone, Default)]
pub struct Guest(Arc<watch::Sender<Option<Session>>>);

impl Guest {
    /// It is in. A connection is in one session only: the first.
    pub fn enters(&self, session: &Session) {
        self.0.send_if_modified(|entered| {
            let is_first = entered.is_none();
            if is_first {
                *entered = Some(session.clone());
            }
            is_first
        });
    }

    /// Whether it is in any.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns once the session it was let into has ended; never for a stranger.
    pub async fn is_out(&self) {
        let mut entered = self.0.subscribe();
        let session = entered.wait_for(Option::is_some).await;
        // The sender is here, so there is one.
        let session = session.ok().and_then(|session| session.clone());
        if let Some(session) = session {
            session.ended().await;
        }
    }
}

impl Peer {
    /// SHA-256 of its certificate, in hex.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        let certificate = self.certificate.as_ref();
        certificate.map(|certificate| certificate.fingerprint.as_str())
    }
}

/// The certificates that the doors show.
#[derive(Debug)]
pub struct Faces {
    /// The hub's own, for everybody.
    pub own: ServerIdentity,
    /// Another for browsers, and the names by which they come.
    pub portal: Option<(ServerIdentity, Vec<String>)>,
    /// Another for printers' pages, and the domain they are under.
    pub web: Option<(ServerIdentity, String)>,
}

/// The settings of a door's TLS.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For a door that also takes those without a certificate, and speaks HTTP.
    pub open: Arc<ServerConfig>,
    /// For a door that takes agents only.
    pub agents: Arc<ServerConfig>,
}

/// The settings of the doors' TLS: 1.2 and up, our certificates, our authority for clients.
///
/// # Errors
/// [`TlsError`] when certificate or authority cannot be used.
pub fn settings(authority: &Authority, faces: Faces) -> Result<Settings, TlsError> {
    let face = Arc::new(Face::new(faces)?);
    let verifier = Arc::new(Verifier::new(authority)?);
    let mut open = ServerConfig::builder_with_protocol_versions(&[&TLS13, &TLS12])
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::<Face>::clone(&face));
    open.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Nobody renews over MQTT: an ended certificate opens nothing there.
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    let agents = ServerConfig::builder_with_protocol_versions(&[&TLS13, &TLS12])
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(face);
    Ok(Settings {
        open: Arc::new(open),
        agents: Arc::new(agents),
    })
}

/// Shows the certificate of the name that was asked for.
#[derive(Debug)]
struct Face {
    own: Arc<CertifiedKey>,
    portal: Option<(Arc<CertifiedKey>, Vec<String>)>,
    web: Option<(Arc<CertifiedKey>, String)>,
}

impl Face {
    fn new(faces: Faces) -> Result<Self, rustls::Error> {
        let certified = |identity: ServerIdentity| {
            let provider = ring::default_provider();
            let key = CertifiedKey::from_der(identity.chain, identity.key, &provider)?;
            Ok::<_, rustls::Error>(Arc::new(key))
        };
        let portal = match faces.portal {
            None => None,
            Some((identity, names)) => Some((certified(identity)?, names)),
        };
        let web = match faces.web {
            None => None,
            Some((identity, domain)) => Some((certified(identity)?, domain)),
        };
        Ok(Self {
            own: certified(faces.own)?,
            portal,
            web,
        })
    }
}

impl ResolvesServerCert for Face {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name().map(str::to_ascii_lowercase);
        let wanted = wanted.as_deref().unwrap_or_default();
        let of_portal = self.portal.as_ref();
        let of_portal = of_portal.filter(|(_, names)| names.iter().any(|name| name == wanted));
        let of_web = self.web.as_ref();
        let of_web = of_web.filter(|(_, domain)| place::is_under(wanted, domain));
        let key = match (of_portal, of_web) {
            (Some((key, _)), _) => key,
            (None, Some((key, _))) => key,
            (None, None) => &self.own,
        };
        Some(Arc::clone(key))
    }
}

/// Accepts connections until the returned stream is dropped. Those that begin as SSH does go to
/// `beside`, if that is there.
pub fn connections(
    listener: TcpListener,
    settings: Arc<ServerConfig>,
    beside: Option<Gateway>,
) -> ReceiverStream<Connection> {
    let (ready, stream) = mpsc::channel(READY_MAX);
    let acceptor = Acceptor {
        tls: TlsAcceptor::from(settings),
        beside,
    };
    tokio::spawn(accept(listener, acceptor, ready));
    ReceiverStream::new(stream)
}

/// What a connection is given to.
#[derive(Clone)]
struct Acceptor {
    tls: TlsAcceptor,
    beside: Option<Gateway>,
}

async fn accept(listener: TcpListener, acceptor: Acceptor, ready: mpsc::Sender<Connection>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                tokio::spawn(shake_hands(
                    acceptor.clone(),
                    stream,
                    address,
                    place,
                    ready.clone(),
                ));
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn shake_hands(
    acceptor: Acceptor,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
    ready: mpsc::Sender<Connection>,
) {
    // Polls are small: without this, each answer waits for an acknowledgement (RFC 896).
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%address, %error, "a connection is gone already");
        return;
    }
    if let Some(gateway) = acceptor.beside
        && is_ssh(&stream).await
    {
        gateway.attend(stream, address).await;
        return;
    }
    match timeout(HANDSHAKE_TIMEOUT, acceptor.tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let connection = Connection::new(stream, address, place);
            // Fails only when the hub is going down: then nobody is served any more.
            let _ = ready.send(connection).await;
        }
        Ok(Err(error)) => debug!(%address, %error, "a handshake failed"),
        Err(_) => debug!(%address, "a handshake took too long"),
    }
}

/// Whether a peer begins as SSH does (`SSH-`, RFC 4253, section 4.2) and not as TLS (0x16). It
/// takes nothing off the connection.
async fn is_ssh(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = timeout(HANDSHAKE_TIMEOUT, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first == *b"S"
}

/// One connection: its bytes, who is at its end, and its place among [`CONNECTIONS_MAX`].
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    /// Ends the visit of a peer without a certificate.
    leaves: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>, address: SocketAddr, place: OwnedSemaphorePermit) -> Self {
        let session = stream.get_ref().1;
        let wanted = session.server_name().map(str::to_ascii_lowercase);
        let certificates = session.peer_certificates();
        let certificate = certificates
            .and_then(<[_]>::first)
            .and_then(verifier::presented);
        let leaves = certificate
            .is_none()
            .then(|| Box::pin(sleep(STRANGER_LIFE)));
        Self {
            stream,
            peer: Peer {
                address,
                certificate,
                wanted,
                guest: Guest::default(),
            },
            leaves,
            _place: place,
        }
    }
}

impl Connection {
    /// Who is at its end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(leaves) = &mut self.leaves
            && leaves.as_mut().poll(context).is_ready()
        {
            if self.peer.guest.is_in() {
                self.leaves = None;
                return Pin::new(&mut self.stream).poll_read(context, buffer);
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
