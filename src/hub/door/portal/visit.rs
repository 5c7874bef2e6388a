//! Into a printer's own page and out again: the forms that open a session, lead into it, end it,
//! and answer what stands in its way.
//!
//! Used by the router. A browser is led by a redirect to the session's own origin with a key that
//! works once; the key is made when somebody clicks, and stands in no page.

use std::sync::Arc;

use axum::extract::{Form, FromRequestParts, Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use printer::identity::DeviceId;
use serde::Deserialize;

use super::device;
use super::gate::{Https, Viewer};
use super::session::with_complaint;
use super::sessions::href;
use super::{PageError, PortalState};
use crate::door::reception::{MINUTES_MAX, OpenError, Wanted};
use crate::door::web::entry_link;
use crate::door::web::place::LOCAL_DOMAIN;
use crate::permission::{Action, Object, permit};
use crate::session::{Deed, Notice, Session, SessionId};

/// Ports that the form offers; any other can be written.
pub(super) const PORTS: [(u16, &str); 5] = [
    (80, "its web page"),
    (443, "its web page over HTTPS"),
    (8000, "a second web page"),
    (631, "IPP"),
    (9100, "raw printing, for platen-hub open"),
];

/// Minutes that the form begins with.
const MINUTES_USUAL: u16 = 15;

/// Port of a printer's page without TLS.
const HTTP_PORT: u16 = 80;

/// Most of what somebody typed that is shown again, in characters.
const TYPED_MAX: usize = 200;

/// How the origins of sessions are written, seen from where the portal was asked.
#[derive(Debug, Clone)]
pub struct Origin {
    scheme: &'static str,
    domain: Arc<str>,
    port: Option<u16>,
}

impl Origin {
    /// The origin of one session.
    #[must_use]
    pub fn of(&self, session: &SessionId) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://s-{session}.{}{port}", self.scheme, self.domain)
    }
}

impl FromRequestParts<PortalState> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &PortalState,
    ) -> Result<Self, Self::Rejection> {
        let host = parts.headers.get(HOST);
        let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let authority = parts.uri.authority().or(host.as_ref());
        let port = authority.and_then(Authority::port_u16);
        Ok(if parts.extensions.get::<Https>().is_some() {
            Self {
                scheme: "https",
                domain: Arc::clone(&state.web_domain),
                port,
            }
        } else {
            Self {
                scheme: "http",
                domain: LOCAL_DOMAIN.into(),
                port,
            }
        })
    }
}

/// The form on a printer's page: what stood in it, and what was wrong with that.
#[derive(Debug, Clone)]
pub(super) struct WebForm {
    pub(super) port: String,
    pub(super) reason: String,
    pub(super) minutes: String,
    pub(super) is_read_only: bool,
    pub(super) complaint: String,
}

impl Default for WebForm {
    fn default() -> Self {
        Self {
            port: HTTP_PORT.to_string(),
            reason: String::new(),
            minutes: MINUTES_USUAL.to_string(),
            is_read_only: false,
            complaint: String::new(),
        }
    }
}

/// What the form brings.
#[derive(Debug, Deserialize)]
pub struct Opened {
    #[serde(default)]
    port: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    minutes: String,
    #[serde(default)]
    read_only: String,
    #[serde(default)]
    agent: String,
}

/// Opens a session, and goes on to its page; for a program that asks for JSON, says its id.
///
/// # Errors
/// [`PageError::Denied`] without the right; [`PageError::NotFound`] for an unknown printer.
pub async fn open(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(device): Path<String>,
    headers: HeaderMap,
    Form(given): Form<Opened>,
) -> Result<Response, PageError> {
    let device = DeviceId::parse(&device).ok_or(PageError::NotFound)?;
    let opened = try_open(&viewer, &state, &device, &given).await;
    let is_program = headers
        .get(ACCEPT)
        .is_some_and(|accept| accept.as_bytes() == b"application/json");
    match opened {
        Ok(session) if is_program => {
            let id = session.terms().id.as_str();
            Ok(json(StatusCode::CREATED, &serde_json::json!({ "id": id })))
        }
        Ok(session) => Ok(to_page(&session)),
        Err(OpenError::Store(error)) => Err(error.into()),
        Err(refused) if is_program => {
            let said = serde_json::json!({ "error": refused.to_string() });
            Ok(json(StatusCode::UNPROCESSABLE_ENTITY, &said))
        }
        Err(OpenError::Denied(denied)) => Err(denied.into()),
        Err(OpenError::Unknown) => Err(PageError::NotFound),
        Err(refused) => {
            let form = given.again(refused.to_string());
            device::with_form(&viewer, &state, &device, form).await
        }
    }
}

async fn try_open(
    viewer: &Viewer,
    state: &PortalState,
    device: &DeviceId,
    given: &Opened,
) -> Result<Session, OpenError> {
    let agent = given.agent.trim();
    let wanted = Wanted {
        device,
        agent: (!agent.is_empty()).then_some(agent),
        port: given.port.trim().parse().unwrap_or_default(),
        reason: &given.reason,
        minutes: given.minutes.trim().parse().unwrap_or_default(),
        is_read_only: !given.read_only.is_empty(),
        is_fallback: false,
        from: Some(viewer.from()),
    };
    let reception = &state.reception;
    reception
        .open(&viewer.subject(), wanted, Timestamp::now())
        .await
}

impl Opened {
    fn again(&self, complaint: String) -> WebForm {
        let typed = |text: &str| text.chars().take(TYPED_MAX).collect();
        WebForm {
            port: typed(&self.port),
            reason: typed(&self.reason),
            minutes: typed(&self.minutes),
            is_read_only: !self.read_only.is_empty(),
            complaint,
        }
    }
}

/// Leads the person who opened a session into it.
///
/// # Errors
/// [`PageError::NotFound`] for a session that is over, or somebody else's.
pub async fn enter(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
    origin: Origin,
    method: Method,
) -> Result<Response, PageError> {
    viewer.may_web()?;
    let session = own(&viewer, &state, &id)?;
    if method == Method::HEAD {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let key = session.key(Timestamp::now())?;
    let there = origin.of(&session.terms().id);
    let link = entry_link(&there, &key);
    Ok((StatusCode::SEE_OTHER, [(LOCATION, link)]).into_response())
}

/// A living session of this viewer's own.
pub(super) fn own(viewer: &Viewer, state: &PortalState, id: &str) -> Result<Session, PageError> {
    let id = SessionId::parse(id).ok_or(PageError::NotFound)?;
    let session = state.reception.sessions().find(&id);
    let session = session.filter(|session| session.terms().holder == viewer.name());
    session.ok_or(PageError::NotFound)
}

/// Ends a session.
///
/// # Errors
/// [`PageError::Denied`] without the right.
pub async fn end(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let session = SessionId::parse(&id).ok_or(PageError::NotFound)?;
    let reception = &state.reception;
    let ended = reception
        .end(&viewer.subject(), &session, Timestamp::now())
        .await;
    match ended {
        Ok(_) => Ok(see_other(href(session.as_str()))),
        Err(OpenError::Denied(denied)) => Err(denied.into()),
        Err(OpenError::Store(error)) => Err(error.into()),
        Err(_) => Err(PageError::NotFound),
    }
}

/// The certificates that the form is about.
#[derive(Debug, Deserialize)]
pub struct Change {
    old: String,
    new: String,
}

/// Takes another certificate in place of the one that was pinned. The person was shown both.
///
/// # Errors
/// [`PageError::Denied`] without the right; [`PageError::NotFound`] where nothing is to be taken.
pub async fn certificate(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
    origin: Origin,
    Form(change): Form<Change>,
) -> Result<Response, PageError> {
    may(&viewer, &state, &id).await?;
    let session = own(&viewer, &state, &id)?;
    let again = |complaint: String| with_complaint((&viewer, &origin), &state, &id, complaint);
    let shown = Notice::CertificateChanged {
        old: change.old.clone(),
        new: change.new.clone(),
    };
    if session.notice().as_ref() != Some(&shown) {
        let words = "the printer shows another certificate by now; look at it again";
        return again(words.to_owned()).await;
    }
    let deed = Deed::Certificate {
        fingerprint: change.new.clone(),
        is_change: true,
    };
    if let Err(refused) = session.note(deed).await {
        return again(refused.to_string()).await;
    }
    let terms = session.terms();
    let at = (&terms.device, terms.port);
    let pins = (Some(change.old.as_str()), change.new.as_str());
    let taken = state
        .store
        .pin_take(&terms.tenant, at, pins, (viewer.name(), Timestamp::now()));
    if !taken.await? {
        let words = "another certificate was taken meanwhile; look at it again";
        return again(words.to_owned()).await;
    }
    session.notify(None);
    Ok(see_other(href(&id)))
}

/// Opens a session over plain HTTP in place of one whose TLS is too old, which ends.
///
/// # Errors
/// [`PageError::Denied`] without the right; [`PageError::NotFound`] where TLS is not too old.
pub async fn plain(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
    origin: Origin,
) -> Result<Response, PageError> {
    may(&viewer, &state, &id).await?;
    let session = own(&viewer, &state, &id)?;
    if session.notice() != Some(Notice::TlsTooOld) {
        return Err(PageError::NotFound);
    }
    let (terms, now) = (session.terms(), Timestamp::now());
    let left = terms.until.duration_since(now).as_mins();
    let wanted = Wanted {
        device: &terms.device,
        agent: Some(&terms.agent),
        port: HTTP_PORT,
        reason: &terms.reason,
        minutes: u16::try_from(left).unwrap_or(1).clamp(1, MINUTES_MAX),
        is_read_only: terms.is_read_only,
        is_fallback: true,
        from: Some(viewer.from()),
    };
    let opened = state.reception.open(&viewer.subject(), wanted, now).await;
    match opened {
        Ok(opened) => {
            let ended = state.reception.end(&viewer.subject(), &terms.id, now).await;
            if let Err(error) = ended {
                tracing::warn!(session = %terms.id, %error, "a session is not ended");
            }
            Ok(to_page(&opened))
        }
        Err(OpenError::Store(error)) => Err(error.into()),
        Err(refused) => {
            let complaint = refused.to_string();
            with_complaint((&viewer, &origin), &state, &id, complaint).await
        }
    }
}

/// Asks the policy whether the viewer may open what this session is.
async fn may(viewer: &Viewer, state: &PortalState, id: &str) -> Result<(), PageError> {
    let session = own(viewer, state, id)?;
    let object = Object {
        tenant: &state.tenant,
        agent: &session.terms().agent,
        is_enrolled: true,
    };
    permit(&viewer.subject(), Action::TunnelOpen, object)?;
    Ok(())
}

fn to_page(session: &Session) -> Response {
    see_other(href(session.terms().id.as_str()))
}

fn see_other(to: String) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// An answer for a program.
pub(super) fn json(status: StatusCode, said: &serde_json::Value) -> Response {
    let text = said.to_string() + "\n";
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}
