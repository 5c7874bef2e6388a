//! The web door: a printer's own page in a person's browser, on an origin of its own.
//!
//! Every session has the name `s-<session>.<domain>`; what is asked there goes through the session's
//! tunnel to one port of one device, and nowhere else: nothing here opens a socket, dials a name or
//! follows a link. [`place`] reads the name, `gate` says who passes, `ask` carries a request and its
//! answer over the connections of `pool`, `head`, `cookie`, `link` and `rewrite` say what of them
//! passes, `tls` speaks to printers that speak HTTPS, `page` says why there is nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::response::{IntoResponse, Response};
use tonic::codegen::Service;

use self::ask::Errand;
use self::page::Refusal;
use self::place::{Place, Scheme};
use self::pool::Pool;
use crate::door::tls::Peer;
use crate::session::{Session, SessionId, Sessions};

mod ask;
mod carry;
mod cookie;
mod gate;
mod head;
mod link;
mod page;
mod pins;
pub mod place;
mod pool;
mod rewrite;
mod tls;

#[cfg(test)]
mod tests;

pub use self::gate::entry_link;
pub use self::tls::{PinError, Pins};

/// The door to every session, by one domain. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WebDoor {
    inner: Arc<Inner>,
    domain: Arc<str>,
    scheme: Scheme,
}

#[derive(Debug)]
struct Inner {
    sessions: Sessions,
    pins: Arc<dyn Pins>,
    pools: Mutex<HashMap<SessionId, Arc<Pool>>>,
}

impl WebDoor {
    /// The door over https, whose sessions are under `domain`.
    #[must_use]
    pub fn new(sessions: Sessions, pins: Arc<dyn Pins>, domain: &str) -> Self {
        let inner = Inner {
            sessions,
            pins,
            pools: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
            domain: domain.into(),
            scheme: Scheme::Https,
        }
    }

    /// The same sessions without TLS, for a loopback address.
    #[must_use]
    pub fn local(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            domain: place::LOCAL_DOMAIN.into(),
            scheme: Scheme::Http,
        }
    }

    /// Whether a name, without a port, is for this door to answer.
    #[must_use]
    pub fn answers(&self, host: &str) -> bool {
        place::is_under(host, &self.domain)
    }

    /// Answers beside the portal, by the names under its own domain.
    pub fn beside(self, portal: Router) -> Router {
        Router::new().fallback(either).with_state((self, portal))
    }

    /// Answers one request. What an agent's certificate came with is not asked here: the front lets
    /// none through.
    pub async fn serve(&self, request: Request) -> Response {
        self.answer(request).await.unwrap_or_else(|refusal| {
            let mut answer = refusal.into_response();
            head::set_ours(answer.headers_mut(), None);
            answer
        })
    }

    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let place = Place::read(&parts, &self.domain, self.scheme).ok_or(Refusal::WrongName)?;
        let session = self.session(&place.session)?;
        if gate::is_own_path(parts.uri.path()) {
            return gate::enter(&parts, &session, &place);
        }
        gate::judge(&parts, &session, &place)?;
        if let Some(peer) = parts.extensions.get::<Peer>() {
            peer.guest.enters(&session);
        }
        let errand = Errand::begin(self.pool(&session), place, &parts).await?;
        errand.run(parts, body).await
    }

    fn session(&self, id: &SessionId) -> Result<Session, Refusal> {
        if let Some(session) = self.inner.sessions.find(id) {
            return Ok(session);
        }
        let all = self.inner.sessions.all();
        match all.iter().any(|session| session.terms().id == *id) {
            true => Err(Refusal::Over),
            false => Err(Refusal::Unknown),
        }
    }

    /// The session's connections, which live as long as it does.
    fn pool(&self, session: &Session) -> Arc<Pool> {
        let id = session.terms().id.clone();
        let mut pools = self.inner.pools();
        if let Some(pool) = pools.get(&id) {
            return Arc::clone(pool);
        }
        let pool = Pool::new(session.clone(), Arc::clone(&self.inner.pins));
        pools.insert(id.clone(), Arc::clone(&pool));
        let (inner, session) = (Arc::downgrade(&self.inner), session.clone());
        tokio::spawn(async move {
            session.ended().await;
            let pool = inner.upgrade().and_then(|inner| inner.pools().remove(&id));
            if let Some(pool) = pool {
                pool.close();
            }
        });
        pool
    }
}

impl Inner {
    fn pools(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To the web door by its names, to the portal by any other.
async fn either(State((door, mut portal)): State<(WebDoor, Router)>, request: Request) -> Response {
    let hosts = request.headers().get_all(HOST).iter();
    let hosts = hosts.filter_map(|host| host.to_str().ok());
    let mut names = hosts.chain(
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str()),
    );
    let is_ours = |name: &str| {
        let host = name.rsplit_once('@').map_or(name, |(_, host)| host);
        door.answers(host.split(':').next().unwrap_or_default())
    };
    if names.any(is_ours) {
        return door.serve(request).await;
    }
    let Ok(answer) = portal.call(request).await;
    answer
}
