//! The way in: a link that works once, made by `platen-hub setup-link` on the hub's machine.
//!
//! Used by the router. A link is used up by one `GET`; whatever only looks ahead (`HEAD`, a
//! browser's prefetch) leaves it whole.

use axum::extract::{Path, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::gate::{Https, cookie_name};
use super::{PageError, PortalState};
use crate::store::portal::SESSION_LIFE;

/// Where a browser says that nobody has clicked yet.
const PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// Uses a link up, opens a session, and goes on to the fleet.
///
/// # Errors
/// [`PageError::DeadLink`] for a link that is unknown, used or too old.
pub async fn enter(
    State(state): State<PortalState>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, PageError> {
    let (parts, _) = request.into_parts();
    if parts.method == Method::HEAD || is_prefetch(&parts.headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = Timestamp::now();
    let session = state
        .store
        .portal_link_use(&state.tenant, &token, now)
        .await?;
    let session = session.ok_or(PageError::DeadLink)?;
    let cookie = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}",
        cookie_name(&parts),
        session.reveal(),
        SESSION_LIFE.as_secs(),
        if parts.extensions.get::<Https>().is_some() {
            "; Secure"
        } else {
            ""
        },
    );
    Ok((
        StatusCode::SEE_OTHER,
        [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)],
    )
        .into_response())
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let purpose = headers
        .get(PURPOSE)
        .and_then(|purpose| purpose.to_str().ok());
    purpose.is_some_and(|purpose| purpose.contains("prefetch"))
}
