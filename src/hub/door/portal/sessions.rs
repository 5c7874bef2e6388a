//! The list of sessions with printers' pages: who reaches what now, and who did.
//!
//! Used by the router. For whoever may open sessions; built from what the store gives.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use printer::identity::DeviceId;

use super::gate::Viewer;
use super::mark::Mark;
use super::session::{ended_words, octets, state_mark};
use super::text::{ago, count, instant, moment};
use super::words::printer_name;
use super::{PageError, PortalState, page};
use crate::store::web_sessions::{SessionRow, SessionState};

/// Sessions in the list. Older ones: `platen-hub sessions ls` and the audit.
const SESSIONS_MAX: usize = 100;

struct SessionLine {
    href: String,
    printer: String,
    mark: Mark,
    ended: String,
    who: String,
    reason: String,
    opened: String,
    requests: String,
    octets: String,
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    at: String,
    sessions: Vec<SessionLine>,
    is_live: bool,
}

/// Shows the newest sessions.
///
/// # Errors
/// [`PageError::Denied`] to who may not open one.
pub async fn show(viewer: Viewer, State(state): State<PortalState>) -> Result<Response, PageError> {
    viewer.may_web()?;
    let rows = state
        .store
        .web_sessions(&state.tenant, SESSIONS_MAX)
        .await?;
    let fleet = state.store.fleet(&state.tenant).await?;
    let names: HashMap<&DeviceId, String> = fleet
        .iter()
        .map(|row| (&row.device, printer_name(&row.reading)))
        .collect();
    let now = Timestamp::now();
    page(&SessionsPage {
        at: instant(now),
        is_live: rows.iter().any(|row| row.state != SessionState::Ended),
        sessions: rows
            .iter()
            .map(|row| SessionLine::of(row, names.get(&row.device), now))
            .collect(),
    })
}

impl SessionLine {
    fn of(row: &SessionRow, name: Option<&String>, now: Timestamp) -> Self {
        let name = name.map_or_else(|| row.device.as_str(), String::as_str);
        Self {
            href: href(row.id.as_str()),
            printer: format!("{name}, port {}", row.port),
            mark: state_mark(row, ""),
            ended: ended_words(row),
            who: row.holder.clone(),
            reason: row.reason.clone(),
            opened: if now.duration_since(row.opened).as_hours() < 24 {
                ago(row.opened, now)
            } else {
                moment(row.opened)
            },
            requests: count(row.totals.requests),
            octets: octets(row.totals.sent + row.totals.received),
        }
    }
}

/// The address of a session's page.
pub(super) fn href(session: &str) -> String {
    format!("/sessions/{session}")
}
