//! The connections of one session to its device: few, used again where the device allows, and cut
//! when the session ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::carry::Upload;
use super::cookie::Jar;
use super::link::Home;
use super::page::Refusal;
use super::place::Scheme;
use super::tls::{self, Pins};
use crate::session::{NoWay, Notice, Session, Stream};

/// Most connections of a session that speak HTTP: browsers open six to a host, and many a printer
/// serves no more.
const CONNECTIONS_MAX: usize = 6;

/// Requests of a session at once, WebSockets included; the tunnel carries as many channels.
pub(super) const REQUESTS_MAX: usize = 32;

/// How long an unused connection is kept: a printer with four of them needs them back.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How long a connection may take to be ready again after an answer.
const READY_PATIENCE: Duration = Duration::from_millis(100);

/// Largest head of an answer, in octets, and what is read ahead of a body.
const HEAD_LEN_MAX: usize = 64 * 1024;

/// Most header lines of an answer. A printer's has ten.
const HEADERS_MAX: usize = 200;

/// What the web door keeps of one session.
#[derive(Debug)]
pub(super) struct Pool {
    session: Session,
    pins: Arc<dyn Pins>,
    pub(super) home: Home,
    pub(super) jar: Jar,
    requests: Arc<Semaphore>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<(SendRequest<Upload>, Instant)>>,
}

/// A connection that is one request's.
pub(super) struct Lease {
    pub(super) sender: SendRequest<Upload>,
    /// Whether it was used before: then the device may have hung up meanwhile.
    pub(super) is_used: bool,
    pool: Arc<Pool>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    /// Keeps the connection for the next request.
    pub(super) fn give_back(self) {
        if self.sender.is_closed() || self.pool.session.has_ended().is_some() {
            return;
        }
        self.pool.idle().push((self.sender, Instant::now()));
        let pool = Arc::downgrade(&self.pool);
        tokio::spawn(async move {
            sleep(IDLE_MAX).await;
            if let Some(pool) = pool.upgrade() {
                pool.idle().retain(|(_, since)| since.elapsed() < IDLE_MAX);
            }
        });
    }
}

impl Pool {
    pub(super) fn new(session: Session, pins: Arc<dyn Pins>) -> Arc<Self> {
        let terms = session.terms();
        Arc::new(Self {
            home: Home::new(terms.address, terms.port),
            session,
            pins,
            jar: Jar::default(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            idle: Mutex::default(),
        })
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(SendRequest<Upload>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of every connection that waits.
    pub(super) fn close(&self) {
        self.idle().clear();
    }

    /// A place among [`REQUESTS_MAX`].
    pub(super) fn request(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.requests).try_acquire_owned();
        place.map_err(|_| Refusal::Busy(REQUESTS_MAX))
    }

    /// A connection: one that waits, or a new one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, Refusal> {
        let place = self.place().await?;
        while let Some((mut sender, since)) = self.waiting() {
            let is_ready = since.elapsed() < IDLE_MAX
                && matches!(timeout(READY_PATIENCE, sender.ready()).await, Ok(Ok(())));
            if is_ready {
                return Ok(self.leased(sender, true, place));
            }
        }
        let sender = self.connect().await?;
        Ok(self.leased(sender, false, place))
    }

    /// A new connection, whatever waits.
    pub(super) async fn lease_new(self: &Arc<Self>) -> Result<Lease, Refusal> {
        let place = self.place().await?;
        self.close();
        let sender = self.connect().await?;
        Ok(self.leased(sender, false, place))
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        tokio::select! {
            biased;
            _ = self.session.ended() => Err(Refusal::Over),
            place = Arc::clone(&self.places).acquire_owned() => place.map_err(|_| Refusal::Over),
        }
    }

    fn waiting(&self) -> Option<(SendRequest<Upload>, Instant)> {
        self.idle().pop()
    }

    fn leased(
        self: &Arc<Self>,
        sender: SendRequest<Upload>,
        is_used: bool,
        place: OwnedSemaphorePermit,
    ) -> Lease {
        Lease {
            sender,
            is_used,
            pool: Arc::clone(self),
            _place: place,
        }
    }

    async fn connect(&self) -> Result<SendRequest<Upload>, Refusal> {
        let stream = match self.session.connect().await {
            Ok(stream) => stream,
            Err(why) => {
                if !matches!(why, NoWay::Ended(_)) {
                    let notice = Notice::Unreachable(why.to_string());
                    self.session.notify(Some(notice));
                }
                return Err(why.into());
            }
        };
        match self.home.scheme {
            Scheme::Http => {
                if matches!(self.session.notice(), Some(Notice::Unreachable(_))) {
                    self.session.notify(None);
                }
                self.speak(stream).await
            }
            Scheme::Https => {
                let speaking = tls::over(&self.session, self.pins.as_ref(), stream);
                let stream = tokio::select! {
                    biased;
                    _ = self.session.ended() => return Err(Refusal::Over),
                    stream = speaking => stream?,
                };
                self.speak(stream).await
            }
        }
    }

    /// Speaks HTTP/1.1 over a stream, in a task that ends with the session.
    async fn speak(&self, stream: impl Stream + 'static) -> Result<SendRequest<Upload>, Refusal> {
        let shaking = Builder::new()
            .title_case_headers(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .max_buf_size(HEAD_LEN_MAX)
            .max_headers(HEADERS_MAX)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = shaking.map_err(|error| Refusal::NoWay(error.to_string()))?;
        let session = self.session.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = session.ended() => {}
                // Its error is the request's, which tells it.
                _ = connection.with_upgrades() => {}
            }
        });
        Ok(sender)
    }
}
