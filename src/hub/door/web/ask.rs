//! One request to the printer and its answer: noted before it is sent, sent, streamed back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, StatusCode, Uri};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::upgrade::{self, OnUpgrade};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use super::carry::{self, Done, Download, Meter, Upload};
use super::head::{self, Asked};
use super::page::Refusal;
use super::place::Place;
use super::pool::{Lease, Pool};
use super::rewrite::Rewriter;
use crate::session::Deed;

/// Longest a printer may take to begin an answer while nothing more goes to it. Some start a scan
/// or write flash memory first.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);

/// A request that is under way.
pub(super) struct Errand {
    pool: Arc<Pool>,
    place: Place,
    method: Method,
    target: PathAndQuery,
    meter: Arc<Meter>,
    done: Done,
    permit: OwnedSemaphorePermit,
}

impl Errand {
    /// Notes what is about to be asked. What comes of it is noted when all of it went through, or
    /// when nothing more will.
    pub(super) async fn begin(
        pool: Arc<Pool>,
        place: Place,
        parts: &Parts,
    ) -> Result<Self, Refusal> {
        let permit = pool.request()?;
        let target = parts.uri.path_and_query().cloned();
        let target = target.ok_or(Refusal::Method)?;
        let session = pool.session().clone();
        let number = session.number();
        let asked = Deed::Asked {
            number,
            method: parts.method.to_string(),
            path: target.to_string(),
        };
        session.note(asked).await?;
        let meter = Meter::new(session.clone());
        let (done, waiting) = oneshot::channel();
        let counted = Arc::clone(&meter);
        tokio::spawn(async move {
            // Done is dropped, never sent.
            let _: Result<(), _> = waiting.await;
            let answered = Deed::Answered {
                number,
                status: counted.status(),
                sent: counted.sent(),
                received: counted.received(),
            };
            // What cannot be noted ends the session; there is nobody left to be told here.
            let _ = session.note(answered).await;
        });
        Ok(Self {
            pool,
            place,
            method: parts.method.clone(),
            target,
            meter,
            done,
            permit,
        })
    }

    /// Asks the printer, and gives what it answers as the browser may have it.
    pub(super) async fn run(self, mut parts: Parts, body: Body) -> Result<Response, Refusal> {
        let browser = parts.extensions.remove::<OnUpgrade>();
        let wants_socket = head::is_websocket(&parts.headers);
        let mut request = Request::new(Upload::new(body, Arc::clone(&self.meter)));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(self.target.clone());
        *request.headers_mut() = head::to_device(&parts, &self.pool.home, &self.place);
        let (answer, lease) = self.exchange(request).await?;
        self.meter.has_answered(answer.status().as_u16());
        match (answer.status(), browser) {
            (StatusCode::SWITCHING_PROTOCOLS, Some(browser)) if wants_socket => {
                Ok(self.hand_over(answer, browser))
            }
            (StatusCode::SWITCHING_PROTOCOLS, _) => Err(Refusal::Broken(
                "it changes the protocol, which was not asked for".to_owned(),
            )),
            _ => self.answer(answer, lease),
        }
    }

    /// Sends a request, and waits for the head of its answer. A connection that was used before
    /// may be dead without our knowing; then the request is sent again on a new one, if none of it
    /// can have arrived or if to ask twice is to ask once.
    async fn exchange(
        &self,
        request: Request<Upload>,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let again = self.again(&request);
        let mut lease = self.pool.lease().await?;
        let mut error = match self.first_byte(&mut lease, request).await? {
            Ok(answer) => return Ok((answer, lease)),
            Err(error) => error,
        };
        let is_stale = lease.is_used && !error.error().is_parse();
        let unsent = error.take_message();
        let Some(request) = unsent.or(again).filter(|_| is_stale) else {
            return Err(self.broken(error.error()));
        };
        drop(lease);
        let mut lease = self.pool.lease_new().await?;
        match self.first_byte(&mut lease, request).await? {
            Ok(answer) => Ok((answer, lease)),
            Err(error) => Err(self.broken(error.error())),
        }
    }

    /// The request once more, if it only looks and has no body.
    fn again(&self, request: &Request<Upload>) -> Option<Request<Upload>> {
        let only_looks = matches!(self.method, Method::GET | Method::HEAD);
        let has_body = !hyper::body::Body::is_end_stream(request.body());
        if !only_looks || has_body || head::is_websocket(request.headers()) {
            return None;
        }
        let mut again = Request::new(Upload::new(Body::empty(), Arc::clone(&self.meter)));
        *again.method_mut() = request.method().clone();
        *again.uri_mut() = request.uri().clone();
        *again.headers_mut() = request.headers().clone();
        Some(again)
    }

    /// Waits while something still goes to the printer, and [`FIRST_BYTE_TIMEOUT`] beyond.
    async fn first_byte(
        &self,
        lease: &mut Lease,
        request: Request<Upload>,
    ) -> Result<Result<Response<Incoming>, TrySendError<Request<Upload>>>, Refusal> {
        let mut sending = std::pin::pin!(lease.sender.try_send_request(request));
        let session = self.pool.session();
        let mut sent = self.meter.sent();
        loop {
            let waited = tokio::select! {
                biased;
                _ = session.ended() => return Err(Refusal::Over),
                waited = timeout(FIRST_BYTE_TIMEOUT, sending.as_mut()) => waited,
            };
            match waited {
                Ok(answered) => return Ok(answered),
                Err(_) if self.meter.sent() > sent => sent = self.meter.sent(),
                Err(_) => return Err(Refusal::Late(FIRST_BYTE_TIMEOUT.as_secs())),
            }
        }
    }

    fn broken(&self, error: &hyper::Error) -> Refusal {
        if self.pool.session().has_ended().is_some() {
            return Refusal::Over;
        }
        let words = if error.is_parse_too_large() {
            "its head is longer than any printer's"
        } else if error.is_parse() {
            "it is not HTTP, or not as HTTP is written"
        } else if error.is_incomplete_message() {
            "it hung up before it had answered"
        } else {
            "the connection broke before it had answered"
        };
        Refusal::Broken(words.to_owned())
    }

    fn answer(self, answer: Response<Incoming>, lease: Lease) -> Result<Response, Refusal> {
        let (parts, body) = answer.into_parts();
        let asked = Asked {
            method: &self.method,
            path: self.target.as_str(),
            home: &self.pool.home,
            place: &self.place,
            jar: &self.pool.jar,
        };
        let answered = asked.answered(parts.status, &parts.headers)?;
        let rewriter = match answered.is_rewritten {
            true => Rewriter::new(&self.pool.home, &self.place),
            false => None,
        };
        let kept = (lease, self.done, self.permit);
        let body = Download::new(body, rewriter, self.meter, kept);
        let mut answer = Response::new(Body::new(body));
        *answer.status_mut() = parts.status;
        *answer.headers_mut() = answered.headers;
        Ok(answer)
    }

    fn hand_over(self, answer: Response<Incoming>, browser: OnUpgrade) -> Response {
        let mut switched = Response::new(Body::empty());
        *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *switched.headers_mut() = head::to_websocket(answer.headers());
        let device = upgrade::on(answer);
        let kept = (self.done, self.permit);
        tokio::spawn(carry::pipe(browser, device, self.meter, kept));
        switched
    }
}
