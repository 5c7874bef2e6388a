//! What a printer keeps of those who came to its pages: settings, sessions, uploads, counts.
//!
//! It belongs to the device, not to the address, and moves with it. No document is kept: of what
//! came to a raw port there is a count, of a firmware its size and digest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::dice::{self, Dice};
use crate::web::tls::Ends;

/// Requests that are remembered, newest last: enough for a test's whole story.
const REQUESTS_MAX: usize = 1_024;
/// Uploads that are remembered.
const UPLOADS_MAX: usize = 64;
/// Passwords and the like that a hostile page can keep.
const CAUGHT_MAX: usize = 64;
/// People logged in at once; the oldest is logged out for the next.
const SESSIONS_MAX: usize = 16;
/// Orders of a label printer that are remembered.
const TOLD_MAX: usize = 256;
/// What can be set on a label printer, and how it comes from the factory.
const VARIABLES: [(&str, &str); 4] = [
    ("print.tone", "10.0"),
    ("media.speed", "6"),
    ("ezpl.print_width", "832"),
    ("zpl.label_length", "1230"),
];
/// Longest text that is kept of anything, in characters.
const TEXT_CHARS_MAX: usize = 512;

/// What has come to a printer's own pages since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Connections that were taken, at any door.
    pub connections: u64,
    /// The last requests, oldest first.
    pub requests: VecDeque<Asked>,
    /// Requests in all.
    pub requests_total: u64,
    /// How often somebody logged in.
    pub logins: u64,
    /// The settings as they are now, by name.
    pub settings: BTreeMap<String, String>,
    /// How often settings were changed.
    pub changes: u64,
    /// The firmware that was taken.
    pub uploads: VecDeque<Upload>,
    /// Messages that came over WebSockets.
    pub messages: u64,
    /// Bytes that came to raw ports and to LPR.
    pub raw_bytes: u64,
    /// What a label printer was told, in words, oldest first; `something unknown` for a document.
    pub told: VecDeque<String>,
    /// What hostile pages got out of a browser or a proxy.
    pub caught: VecDeque<String>,
}

/// One request as the printer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The target as it stood in the request line.
    pub target: String,
    /// The headers by lower-case names, in their order.
    pub headers: Vec<(String, String)>,
}

/// A firmware that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// How many bytes it had.
    pub size_bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A printer's own memory.
pub(crate) struct Station {
    /// What keys and sessions come from: the device's own seed.
    pub(crate) seed: u64,
    /// Its TLS ends, made when first asked for.
    pub(crate) ends: OnceLock<Ends>,
    inner: Mutex<Inner>,
}

struct Inner {
    arrived: Arrived,
    /// What can be set on a label printer.
    variables: BTreeMap<String, String>,
    /// The length it had printed when its head was cleaned, in inches.
    cleaned_at_inches: u64,
    sessions: VecDeque<String>,
    dice: Dice,
}

impl Station {
    /// A printer as it came from the factory.
    pub(crate) fn new(seed: u64) -> Self {
        let settings = [("location", "Ground floor"), ("contact", "")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            seed,
            ends: OnceLock::new(),
            inner: Mutex::new(Inner {
                arrived: Arrived {
                    settings: settings.into(),
                    ..Arrived::default()
                },
                variables: VARIABLES
                    .map(|(name, value)| (name.into(), value.into()))
                    .into(),
                cleaned_at_inches: 0,
                sessions: VecDeque::new(),
                dice: Dice::new(dice::mix(seed ^ 0x5345_5353)),
            }),
        }
    }

    /// What has come so far.
    pub(crate) fn arrived(&self) -> Arrived {
        self.inner().arrived.clone()
    }

    /// A connection was taken.
    pub(crate) fn connected(&self) {
        self.inner().arrived.connections += 1;
    }

    /// A request came.
    pub(crate) fn asked(&self, asked: Asked) {
        let mut inner = self.inner();
        inner.arrived.requests_total += 1;
        keep(&mut inner.arrived.requests, asked, REQUESTS_MAX);
    }

    /// Begins a session and gives its name.
    pub(crate) fn log_in(&self) -> String {
        let mut inner = self.inner();
        let session = format!("{:016x}{:016x}", inner.dice.roll(), inner.dice.roll());
        inner.arrived.logins += 1;
        keep(&mut inner.sessions, session.clone(), SESSIONS_MAX);
        session
    }

    /// Whether somebody is logged in under this name.
    pub(crate) fn knows(&self, session: &str) -> bool {
        self.inner().sessions.iter().any(|known| known == session)
    }

    /// Ends a session.
    pub(crate) fn log_out(&self, session: &str) {
        self.inner().sessions.retain(|known| known != session);
    }

    /// Changes a setting; unknown ones are left alone, as printers do.
    pub(crate) fn set(&self, name: &str, value: &str) {
        let mut inner = self.inner();
        if let Some(setting) = inner.arrived.settings.get_mut(name) {
            *setting = cut(value);
            inner.arrived.changes += 1;
            tracing::info!(setting = name, value = %cut(value).escape_debug(), "setting changed");
        }
    }

    /// A firmware came.
    pub(crate) fn uploaded(&self, upload: Upload) {
        tracing::info!(
            size_bytes = upload.size_bytes,
            sha256 = upload.sha256,
            "firmware taken"
        );
        keep(&mut self.inner().arrived.uploads, upload, UPLOADS_MAX);
    }

    /// A WebSocket message came.
    pub(crate) fn messaged(&self) {
        self.inner().arrived.messages += 1;
    }

    /// Bytes came to a raw port.
    pub(crate) fn swallowed(&self, bytes: usize) {
        self.inner().arrived.raw_bytes += bytes as u64;
    }

    /// A label printer was told something.
    pub(crate) fn told(&self, what: &str) {
        keep(&mut self.inner().arrived.told, cut(what), TOLD_MAX);
    }

    /// A variable that can be set; none where there is no such.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.inner().variables.get(name).cloned()
    }

    /// Sets a variable; unknown ones are left alone, as printers do.
    pub(crate) fn set_variable(&self, name: &str, value: &str, printed_inches: u64) {
        let mut inner = self.inner();
        if name == "odometer.headclean" {
            inner.cleaned_at_inches = printed_inches;
        } else if let Some(variable) = inner.variables.get_mut(name) {
            *variable = cut(value);
        }
    }

    /// How much was printed since the head was cleaned, in inches.
    pub(crate) fn since_cleaned(&self, printed_inches: u64) -> u64 {
        printed_inches.saturating_sub(self.inner().cleaned_at_inches)
    }

    /// A hostile page got hold of something.
    pub(crate) fn caught(&self, what: &str) {
        keep(&mut self.inner().arrived.caught, cut(what), CAUGHT_MAX);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is whole, so that a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
