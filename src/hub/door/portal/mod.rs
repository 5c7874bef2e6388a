//! The portal: the pages a person looks at. Reached over https by the names of the portal, and
//! without TLS on a loopback address.
//!
//! Server-rendered and complete without any script. One file a concern: [`gate`] (who may pass),
//! [`enter`] (the one-time link), [`fleet`], [`device`], [`agent`], [`order`], [`sessions`] and [`session`] (the
//! pages), [`visit`] and [`raw`] (what opens, leads into and ends a session), [`chart`], [`bar`] and [`mark`] (their pictures), [`history`] (their news), [`text`] and [`words`] (their words),
//! [`asset`]. The short words are [`printer::summary`], which the command line uses too.
//! It reads the store through its methods and changes nothing but sessions; a command that a form
//! orders is signed and put into the store, where the desk finds it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tracing::error;

use crate::command_key::CommandKey;
use crate::door::reception::Reception;
use crate::permission::Denied;
use crate::store::{Store, StoreError, Tenant};

pub mod agent;
pub mod asset;
pub mod bar;
pub mod chart;
pub mod device;
pub mod enter;
pub mod fleet;
pub mod gate;
pub mod history;
pub mod mark;
mod maybe;
pub mod order;
pub mod raw;
pub mod session;
pub mod sessions;
pub mod text;
pub mod visit;
pub mod words;

/// What the pages need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PortalState {
    /// Where the readings are.
    pub store: Store,
    /// Whose portal it is.
    pub tenant: Tenant,
    /// How often an agent polls: one that is silent for much longer is said to be.
    pub poll_every: Duration,
    /// What signs commands.
    pub key: Arc<CommandKey>,
    /// Opens sessions with printers' pages.
    pub reception: Reception,
    /// The domain under which each session has a name of its own, over https.
    pub web_domain: Arc<str>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The browser has shown no valid session.
    #[error("no session")]
    NoSession,
    /// A link that is unknown, used or too old.
    #[error("the link opens nothing")]
    DeadLink,
    /// No such page, or no such printer.
    #[error("not found")]
    NotFound,
    /// The session has not the right.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template failed to be written.
    #[error(transparent)]
    Template(#[from] askama::Error),
}

/// A page that says why there is none, and what to do.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct Notice {
    status: u16,
    title: &'static str,
    words: &'static str,
    command: Option<&'static str>,
    link: Option<&'static str>,
}

/// Every route of the portal.
pub fn router(state: PortalState) -> Router {
    Router::new()
        .route("/", get(fleet::show))
        .route("/printers/{device}", get(device::show))
        .route("/printers/{device}/sessions", post(visit::open))
        .route("/sessions", get(sessions::show))
        .route("/sessions/{session}", get(session::show))
        .route("/sessions/{session}/state", get(session::state))
        .route("/sessions/{session}/visit", get(visit::enter))
        .route("/sessions/{session}/raw", get(raw::open))
        .route("/sessions/{session}/end", post(visit::end))
        .route("/sessions/{session}/certificate", post(visit::certificate))
        .route("/sessions/{session}/plain", post(visit::plain))
        .route("/agents/{agent}", get(agent::show))
        .route("/agents/{agent}/commands", post(order::give))
        .route("/agents/{agent}/commands/{command}", get(order::show))
        .route("/enter/{token}", get(enter::enter))
        .route("/assets/{name}", get(asset::serve))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .fallback(async || PageError::NotFound)
        .layer(from_fn(gate::guard))
        .with_state(state)
}

/// Says whether the store answers, for `platen-hub health` and for whoever restarts the hub.
async fn ready(State(state): State<PortalState>) -> Response {
    match state.store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "store: does not answer\n").into_response()
        }
    }
}

/// Writes a page.
fn page(template: &impl Template) -> Result<Response, PageError> {
    let html = template.render()?;
    Ok(Html(html).into_response())
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let notice = match self {
            Self::NoSession => Notice::no_session(),
            Self::DeadLink => Notice::dead_link(),
            Self::NotFound => Notice::not_found(),
            Self::Denied(_) => Notice::denied(),
            Self::Store(error) => {
                error!(%error, "a page could not be made");
                Notice::no_store()
            }
            Self::Template(error) => {
                error!(%error, "a page could not be written");
                Notice::no_store()
            }
        };
        notice.into_response()
    }
}

impl IntoResponse for Notice {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let html = self.render().unwrap_or_else(|_| self.title.to_owned());
        (status, Html(html)).into_response()
    }
}

/// Makes a new link, on the machine of the hub.
const SETUP_LINK: Option<&str> = Some("platen-hub setup-link");

impl Notice {
    fn no_session() -> Self {
        Self {
            status: 401,
            title: "This browser has no session",
            words: "The portal opens with a link that works once. On the hub's machine, run the \
                    command below and open the address it prints in this browser. If you have \
                    just done that, continue to the fleet.",
            command: SETUP_LINK,
            link: Some("Continue to the fleet"),
        }
    }

    fn dead_link() -> Self {
        Self {
            status: 401,
            title: "This link opens nothing",
            words: "A link works once, within 24 hours. It was used, it is too old, or it was cut \
                    short when it was copied. On the hub's machine, run the command below for a \
                    new one. If this browser has been here before, its session may still last.",
            command: SETUP_LINK,
            link: Some("Continue to the fleet"),
        }
    }

    fn not_found() -> Self {
        Self {
            status: 404,
            title: "There is nothing here",
            words: "No page and no printer has this address. A printer that was never read has \
                    no page.",
            command: None,
            link: Some("See the fleet"),
        }
    }

    fn no_store() -> Self {
        Self {
            status: 503,
            title: "The store does not answer",
            words: "The hub runs, but its database did not answer in time. Readings are not lost: \
                    agents keep them until the hub takes them. The hub's log says why.",
            command: None,
            link: Some("Try the fleet again"),
        }
    }

    fn denied() -> Self {
        Self {
            status: 403,
            title: "This session may not do that",
            words: "The link that opened it was made for less. Whoever runs the hub can make one \
                    with more rights; --may takes them as words with commas between.",
            command: Some("platen-hub setup-link --may WORDS"),
            link: Some("See the fleet"),
        }
    }

    pub(super) fn foreign_form() -> Self {
        Self {
            status: 403,
            title: "This form was not ours",
            words: "The browser did not say that the form came from this portal, so nothing was \
                    done. Open the agent's page and send the form from there.",
            command: None,
            link: Some("See the fleet"),
        }
    }

    pub(super) fn wrong_host() -> Self {
        Self {
            status: 421,
            title: "This portal is local",
            words: "This port answers only when it is asked as localhost or by a loopback address. \
                    From another machine, open the portal over https by the hub's own name.",
            command: None,
            link: None,
        }
    }
}

#[cfg(test)]
mod tests;
