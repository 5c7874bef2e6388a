//! The web door's own pages: why there is nothing of the printer to see, and what to do.
//!
//! They carry no style, script or picture, and nothing foreign but what is escaped and cut.

use askama::filters::Escaper;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::door::portal::text;
use crate::session::{End, NoWay, NotNoted};

/// Longest foreign text that a page shows, in characters: a link, or words of an agent.
const FOREIGN_LEN_MAX: usize = 300;

/// Why the browser sees no page of the printer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is none of a session.
    #[error("nothing answers by this name here")]
    WrongName,
    /// There is no such session.
    #[error("there is no such session")]
    Unknown,
    /// It is over.
    #[error("this session has ended; open another one in the portal")]
    Over,
    /// The browser has not come by a link, or the link was used.
    #[error(
        "this browser has not entered the session; open it in the portal, whose link works once"
    )]
    NotEntered,
    /// There is nothing of ours by this path.
    #[error("there is nothing here; the printer's page is at /")]
    NotOurs,
    /// Another site, or another session, has asked for this.
    #[error(
        "another site asked for this in your name, and the printer was not asked; if you want it, \
         open the printer's page from the portal and do it there"
    )]
    Foreign,
    /// The method is let through in no session.
    #[error("no session lets this method through")]
    Method,
    /// The session is read-only.
    #[error(
        "this session only looks: it lets GET and HEAD through and nothing else; open another \
         session, without 'read-only', to change something"
    )]
    ReadOnly,
    /// A page wants to stay after its session.
    #[error("a printer's page installs no service worker here: it would outlive the session")]
    Worker,
    /// The request is longer than any printer's page makes.
    #[error("the address is longer than {0} octets")]
    TooLong(usize),
    /// Too much at once.
    #[error("{0} requests of this session are under way already; wait for one to end")]
    Busy(usize),
    /// It could not be written down, so it was not done.
    #[error(transparent)]
    NotNoted(#[from] NotNoted),
    /// There is no connection to the printer.
    #[error("the printer cannot be reached: {0}")]
    NoWay(String),
    /// It does not answer.
    #[error(
        "the printer did not begin to answer within {0} s; try again, or look whether it hangs"
    )]
    Late(u64),
    /// What it answers cannot be let through.
    #[error("the printer's answer was not let through: {0}")]
    Broken(String),
    /// It sends the browser somewhere else.
    #[error(
        "the printer sends the browser elsewhere, and a session leads to one port of one printer \
         only; it was not followed to: {0}"
    )]
    Elsewhere(String),
    /// It sends the browser to another of its ports.
    #[error(
        "the printer sends the browser to its port {0}, and this session leads to one port only; \
         open a session with port {0} in the portal"
    )]
    OtherPort(u16),
    /// Its TLS is too old.
    #[error(
        "this printer speaks only TLS 1.1 or older, or only ciphers that are no longer safe; \
         nothing was sent to it; update its firmware, or, where the site allows plain HTTP to \
         such printers, open a session with port 80 in the portal"
    )]
    TlsTooOld,
    /// It does not speak TLS at all, or not properly.
    #[error("there is no TLS connection to the printer: {0}")]
    Tls(String),
    /// It shows another certificate than before.
    #[error(
        "the printer shows another certificate than the one that was seen first; nothing was sent \
         to it. Pinned: {old}. Now: {new}. If you know why (a new certificate, a reset, a \
         replaced board), take the new one on the session's page in the portal; if not, call the \
         site: somebody may stand between"
    )]
    CertificateChanged {
        /// SHA-256 of the pinned one, hex.
        old: String,
        /// SHA-256 of the one it shows, hex.
        new: String,
    },
    /// What is pinned cannot be looked up.
    #[error("the hub cannot look up the printer's certificate: {0}; try again")]
    NoPins(String),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::WrongName => StatusCode::MISDIRECTED_REQUEST,
            Self::Unknown | Self::NotOurs => StatusCode::NOT_FOUND,
            Self::Over => StatusCode::GONE,
            Self::NotEntered | Self::Foreign | Self::Worker => StatusCode::FORBIDDEN,
            Self::Method | Self::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong(_) => StatusCode::URI_TOO_LONG,
            Self::Busy(_) | Self::NotNoted(_) | Self::NoPins(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::NoWay(_)
            | Self::Broken(_)
            | Self::Elsewhere(_)
            | Self::OtherPort(_)
            | Self::TlsTooOld
            | Self::Tls(_)
            | Self::CertificateChanged { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::WrongName | Self::Unknown | Self::NotOurs => "Nothing here",
            Self::Over => "The session has ended",
            Self::NotEntered => "Not entered",
            Self::Foreign | Self::Worker | Self::Method | Self::ReadOnly | Self::TooLong(_) => {
                "Not let through"
            }
            Self::Busy(_) => "Too much at once",
            Self::NotNoted(_) => "Not written down, so not done",
            Self::NoWay(_) | Self::Late(_) => "The printer does not answer",
            Self::Broken(_) => "The printer answers wrongly",
            Self::Elsewhere(_) | Self::OtherPort(_) => "The printer sends you elsewhere",
            Self::TlsTooOld => "The printer's TLS is too old",
            Self::Tls(_) | Self::NoPins(_) => "No safe connection to the printer",
            Self::CertificateChanged { .. } => "Another certificate",
        }
    }
}

impl From<NoWay> for Refusal {
    fn from(why: NoWay) -> Self {
        match why {
            NoWay::Ended(End { .. }) => Self::Over,
            NoWay::NotYet | NoWay::Refused(_) => Self::NoWay(why.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let words: String = self.to_string().chars().take(FOREIGN_LEN_MAX * 2).collect();
        let html = page(self.title(), &words);
        let mut answer = (self.status(), html).into_response();
        let headers = answer.headers_mut();
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(CONTENT_TYPE, kind);
        if self == Self::ReadOnly {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        answer
    }
}

/// Cuts foreign text to what a page shows.
pub(super) fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(FOREIGN_LEN_MAX).collect();
    if text.chars().nth(FOREIGN_LEN_MAX).is_some() {
        cut.push('…');
    }
    cut
}

fn page(title: &str, words: &str) -> String {
    let escaped = |text: &str| {
        let mut html = String::with_capacity(text.len());
        // A String takes everything.
        let _ = text::Page.write_escaped_str(&mut html, text);
        html
    };
    let (title, words) = (escaped(title), escaped(&capitalized(words)));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} – Platen</title></head>\n\
         <body><main><h1>{title}</h1><p>{words}.</p></main></body></html>\n"
    )
}

/// An error's words as a sentence on a page.
fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_printer_says_is_text_on_our_pages() {
        let target = cut(&format!("javascript:<script>'\"{}", "x".repeat(9_000)));
        let page = page("Title", &Refusal::Elsewhere(target).to_string());
        assert!(
            page.contains("javascript:&lt;script&gt;&#39;&#34;xx"),
            "{page}"
        );
        assert!(!page.contains("<script"), "{page}");
        assert!(page.len() < 1_500, "{}", page.len());
        assert!(page.contains("…"));
    }
}
