//! The page of one session with a printer's page: how it stands, what goes through it, and what
//! ends it. It loads itself again while the session lives; no script does.
//!
//! Used by the router. What is asked in the session is read from the audit; what a printer or an
//! agent said is shown as text and nothing else.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;

use super::gate::Viewer;
use super::mark::{Kind, Mark};
use super::text::{count, counted, instant};
use super::visit::{Origin, json};
use super::words::printer_name;
use super::{PageError, PortalState, page};
use crate::audit::Line;
use crate::session::{Notice, Session, SessionId};
use crate::store::approvals::grouped;
use crate::store::web_pins::Pin;
use crate::store::web_sessions::{SessionRow, SessionState, Totals};

/// Requests on the page, the newest first. Every one: `platen-hub audit ls`.
const REQUESTS_MAX: usize = 50;

/// Lines of the audit that are read for them: two each, and some that are none.
const LINES_MAX: usize = 2 * REQUESTS_MAX + 20;

/// A request, as the audit has it.
#[derive(Debug, PartialEq, Eq)]
struct RequestLine {
    at: String,
    method: String,
    path: String,
    status: String,
    octets: String,
}

/// What stands in the way, and what a person can do about it.
#[derive(Default)]
struct Obstacle {
    is_old_tls: bool,
    change: Option<(String, String)>,
    /// The fingerprints of the form, which are not for reading.
    old: String,
    new: String,
    unreachable: String,
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    at: String,
    href: String,
    printer: String,
    printer_href: String,
    mark: Mark,
    is_over: bool,
    is_open: bool,
    may_enter: bool,
    raw: Option<String>,
    left: String,
    facts: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, String)>,
    console: Vec<String>,
    obstacle: Obstacle,
    complaint: String,
    requests: Vec<RequestLine>,
}

/// What is shown of a session, from wherever it is known.
struct Seen {
    row: SessionRow,
    live: Option<Session>,
    progress: String,
    pin: Option<Pin>,
    lines: Vec<Line>,
    printer: String,
}

/// Shows one session.
///
/// # Errors
/// [`PageError::NotFound`] for one that never was; [`PageError::Denied`] without the right.
pub async fn show(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
    origin: Origin,
) -> Result<Response, PageError> {
    with_complaint((&viewer, &origin), &state, &id, String::new()).await
}

/// Shows one session, and what could not be done to it.
pub(super) async fn with_complaint(
    (viewer, origin): (&Viewer, &Origin),
    state: &PortalState,
    id: &str,
    complaint: String,
) -> Result<Response, PageError> {
    viewer.may_web()?;
    let seen = Seen::of(state, id).await?;
    let has_complaint = !complaint.is_empty();
    let mut built = build(&seen, (viewer.name(), origin), Timestamp::now());
    built.complaint = complaint;
    let shown = page(&built)?;
    Ok(if has_complaint {
        (StatusCode::UNPROCESSABLE_ENTITY, shown).into_response()
    } else {
        shown
    })
}

/// Says how a session stands, for `platen-hub open`.
///
/// # Errors
/// As [`show`].
pub async fn state(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    viewer.may_web()?;
    let seen = Seen::of(&state, &id).await?;
    // One that nobody knows lives no more, whatever is kept of it.
    let is_over = seen.is_over() || seen.live.is_none();
    let is_open = !is_over && seen.live.as_ref().is_some_and(Session::is_open);
    let said = serde_json::json!({
        "schema": 1,
        "id": seen.row.id.as_str(),
        "state": match (is_over, is_open) {
            (true, _) => "ended",
            (false, true) => "open",
            (false, false) => "requested",
        },
        "progress": seen.progress,
        "why": seen.row.why,
        "until": seen.row.until,
    });
    Ok(json(StatusCode::OK, &said))
}

impl Seen {
    async fn of(state: &PortalState, id: &str) -> Result<Self, PageError> {
        let id = SessionId::parse(id).ok_or(PageError::NotFound)?;
        let (store, tenant) = (&state.store, &state.tenant);
        let row = store.web_session(tenant, &id).await?;
        let mut row = row.ok_or(PageError::NotFound)?;
        let mut all = state.reception.sessions().all().into_iter();
        let live = all.find(|session| session.terms().id == id);
        if let Some(end) = live.as_ref().and_then(Session::has_ended) {
            // It is kept in a moment.
            row.state = SessionState::Ended;
            row.cause = end.cause.as_str().to_owned();
            row.why = end.why;
        }
        let command = store.command(tenant, &row.command).await?;
        let detail = store.printer(tenant, &row.device).await?;
        let name = |row: &crate::store::printers::PrinterRow| printer_name(&row.reading);
        Ok(Self {
            live,
            progress: command.map_or_else(String::new, |command| command.progress),
            pin: store.pin_of(tenant, &row.device, row.port).await?,
            lines: store.audit_newest(tenant, Some(&id), LINES_MAX).await?,
            printer: detail.map_or_else(
                || row.device.as_str().to_owned(),
                |detail| name(&detail.row),
            ),
            row,
        })
    }

    fn is_over(&self) -> bool {
        self.row.state == SessionState::Ended
    }

    fn totals(&self) -> Totals {
        let Some(session) = &self.live else {
            return self.row.totals;
        };
        let tally = session.tally();
        Totals {
            requests: tally.requests.load(Ordering::Relaxed),
            sent: tally.sent.load(Ordering::Relaxed),
            received: tally.received.load(Ordering::Relaxed),
        }
    }
}

fn build(seen: &Seen, (viewer, origin): (&str, &Origin), now: Timestamp) -> SessionPage {
    let row = &seen.row;
    let is_over = seen.is_over();
    let is_open = !is_over && seen.live.as_ref().is_some_and(Session::is_open);
    let is_own = row.holder == viewer;
    let totals = seen.totals();
    let notice = seen.live.as_ref().and_then(Session::notice);
    SessionPage {
        at: instant(now),
        href: super::sessions::href(row.id.as_str()),
        printer: seen.printer.clone(),
        printer_href: format!("/printers/{}", row.device.as_str()),
        mark: state_mark(row, &seen.progress),
        is_over,
        is_open,
        may_enter: is_own,
        raw: (is_own && !is_over && !row.is_read_only).then(|| {
            format!(
                "platen-hub open {} --port {} --reason …",
                row.device.as_str(),
                row.port
            )
        }),
        left: left(row.until, now),
        facts: facts(seen, origin),
        numbers: vec![
            ("Requests", count(totals.requests)),
            ("To the printer", octets(totals.sent)),
            ("From the printer", octets(totals.received)),
        ],
        console: console(seen),
        obstacle: notice.map(obstacle).unwrap_or_default(),
        complaint: String::new(),
        requests: requests(&seen.lines),
    }
}

fn facts(seen: &Seen, origin: &Origin) -> Vec<(&'static str, String)> {
    let row = &seen.row;
    let mut facts = vec![
        ("Who", row.holder.clone()),
        ("Why", row.reason.clone()),
        ("Opened", instant(row.opened)),
        ("Until at most", instant(row.until)),
        ("Port", row.port.to_string()),
    ];
    if !row.from.is_empty() {
        facts.push(("From", row.from.clone()));
    }
    let lets = match (row.is_read_only, row.is_fallback) {
        (true, _) => "looking only (GET and HEAD)",
        (false, true) => "everything, over plain HTTP: the printer's TLS is too old",
        (false, false) => "everything",
    };
    facts.push(("Lets through", lets.to_owned()));
    if !row.approved_by.is_empty() {
        facts.push(("Approved at the site by", row.approved_by.clone()));
    }
    facts.push(("Its own address", origin.of(&row.id)));
    if let Some(pin) = &seen.pin {
        let since = instant(pin.first_seen);
        let pinned = format!(
            "{}, since {since}, {}",
            grouped(&pin.fingerprint),
            pin.taken_by
        );
        facts.push(("Printer's certificate (SHA-256)", pinned));
    }
    facts.push(("Id", row.id.as_str().to_owned()));
    facts
}

/// What has happened so far, a line each.
fn console(seen: &Seen) -> Vec<String> {
    let row = &seen.row;
    let mut lines = vec![format!("{} opened by {}", instant(row.opened), row.holder)];
    if !seen.progress.is_empty() {
        lines.push(seen.progress.clone());
    }
    if !row.approved_by.is_empty() {
        lines.push(format!("approved at the site by {}", row.approved_by));
    }
    match (row.state, row.ended) {
        (SessionState::Requested, _) => {}
        (SessionState::Open, _) => lines.push("the tunnel is open".to_owned()),
        (SessionState::Ended, ended) => {
            let at = ended.map(instant).unwrap_or_default();
            lines.push(format!("{at} ended ({}): {}", row.cause, row.why));
        }
    }
    lines
}

fn obstacle(notice: Notice) -> Obstacle {
    match notice {
        Notice::TlsTooOld => Obstacle {
            is_old_tls: true,
            ..Obstacle::default()
        },
        Notice::CertificateChanged { old, new } => Obstacle {
            change: Some((grouped(&old), grouped(&new))),
            old,
            new,
            ..Obstacle::default()
        },
        Notice::Unreachable(unreachable) => Obstacle {
            unreachable,
            ..Obstacle::default()
        },
    }
}

/// The newest requests, each with its answer where there is one. `lines` are newest first.
fn requests(lines: &[Line]) -> Vec<RequestLine> {
    let mut answers: HashMap<u64, Value> = HashMap::new();
    let mut requests = Vec::new();
    for line in lines {
        let body: Value = serde_json::from_str(&line.body).unwrap_or_default();
        let number = body["number"].as_u64().unwrap_or_default();
        match line.kind.as_str() {
            "answered" | "raw-ended" => {
                answers.insert(number, body);
            }
            "asked" | "raw-began" if requests.len() < REQUESTS_MAX => {
                requests.push(RequestLine::of(line, &body, answers.get(&number)));
            }
            _ => {}
        }
    }
    requests
}

impl RequestLine {
    fn of(line: &Line, asked: &Value, answer: Option<&Value>) -> Self {
        let at = Timestamp::from_millisecond(line.at_ms).unwrap_or_default();
        let text = |name: &str, usual: &str| asked[name].as_str().unwrap_or(usual).to_owned();
        let is_raw = line.kind == "raw-began";
        let status = answer.map(|answer| answer["status"].as_u64());
        let moved = |answer: &Value| {
            let part = |name: &str| answer[name].as_u64().unwrap_or_default();
            octets(part("sent") + part("received"))
        };
        Self {
            at: instant(at),
            method: text("method", "connection"),
            path: text("path", ""),
            status: match status {
                None => "under way".to_owned(),
                Some(Some(0)) => "no answer".to_owned(),
                Some(Some(status)) => status.to_string(),
                Some(None) if is_raw => "ended".to_owned(),
                Some(None) => String::new(),
            },
            octets: answer.map(moved).unwrap_or_default(),
        }
    }
}

/// How a session stands.
pub(super) fn state_mark(row: &SessionRow, progress: &str) -> Mark {
    let (kind, words) = match row.state {
        SessionState::Requested if progress.is_empty() => (Kind::Unknown, "waits for the agent"),
        SessionState::Requested => (Kind::Unknown, progress),
        SessionState::Open => (Kind::Ok, "open"),
        SessionState::Ended => (Kind::Silent, "ended"),
    };
    Mark {
        kind,
        words: words.to_owned(),
    }
}

/// How it ended, if it has.
pub(super) fn ended_words(row: &SessionRow) -> String {
    match row.state {
        SessionState::Ended => row.why.clone(),
        SessionState::Requested | SessionState::Open => String::new(),
    }
}

/// Octets for a person: `812 B`, `1.2 MB`.
#[must_use]
pub fn octets(octets: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = UNITS.iter().find(|(size, _)| octets >= *size);
    unit.map_or_else(
        || format!("{octets} B"),
        |(size, name)| {
            let tenths = octets / (size / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}

/// The time left, in words.
fn left(until: Timestamp, now: Timestamp) -> String {
    let secs = until.duration_since(now).as_secs();
    match secs {
        ..=0 => "no time".to_owned(),
        1..=90 => counted(secs.unsigned_abs(), "second"),
        _ => format!("{} min", secs.unsigned_abs().div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_said_in_one_unit() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_249_999, "1.2 MB"),
        ];
        for (number, words) in cases {
            assert_eq!(octets(number), words);
        }
    }

    #[test]
    fn a_request_is_joined_with_its_answer() {
        let line = |kind: &str, body: Value| Line {
            sequence: 1,
            at_ms: 0,
            tenant: String::new(),
            session: String::new(),
            kind: kind.to_owned(),
            body: body.to_string(),
            opening: 1,
            before: String::new(),
            hash: String::new(),
            seal: String::new(),
        };
        let lines = [
            line(
                "asked",
                serde_json::json!({"number": 2, "method": "POST", "path": "/b"}),
            ),
            line(
                "answered",
                serde_json::json!({"number": 1, "status": 404, "sent": 1, "received": 2}),
            ),
            line(
                "asked",
                serde_json::json!({"number": 1, "method": "GET", "path": "/a"}),
            ),
            line("opened", serde_json::json!({"who": "anna"})),
        ];
        let shown = requests(&lines);
        let said = |at: usize| (shown[at].path.as_str(), shown[at].status.as_str());
        assert_eq!((said(0), said(1)), (("/b", "under way"), ("/a", "404")));
        assert_eq!((shown.len(), shown[1].octets.as_str()), (2, "3 B"));
    }
}
