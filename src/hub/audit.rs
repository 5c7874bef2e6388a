//! The audit: who reached which printer, why, and what was done there, line by line, so that no
//! line can be changed, taken away or put in without being found.
//!
//! Each line carries the hash of the one before and a seal under a key that is not in the database;
//! where the chain ends is kept in a file beside it ([`head`]). [`writer`] puts lines on disk, in
//! groups. Here it is said what a line is and when a chain is whole. Pure. There is no body of a
//! request here, ever.

use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::session::{Deed, End, Terms};
use crate::store::merges::Merge;
use crate::store::web_sessions::Totals;
use crate::store::{Tenant, hex};

pub mod head;
pub mod writer;

/// Longest path with its query that is written down, in octets; RFC 9110 asks for 8,000, printers
/// use a few hundred.
const PATH_BYTES_MAX: usize = 2 * 1024;

/// Longest method that is written down, in octets: the longest registered one has 17.
const METHOD_BYTES_MAX: usize = 32;

/// Longest words of a person or an agent that are written down, in octets.
const WORDS_BYTES_MAX: usize = 1_024;

/// What a hash covers first, so that it is no hash of anything else.
const CONTEXT: &[u8] = b"platen audit 1";

/// The hash before the first line.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What is written down, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    tenant: String,
    session: String,
    kind: &'static str,
    body: Value,
}

impl Entry {
    /// Somebody opens a session. Written before anything is done for it.
    #[must_use]
    pub fn opened(terms: &Terms) -> Self {
        let minutes = terms.until.duration_since(terms.opened).as_mins();
        Self::of(
            terms,
            "opened",
            json!({
                "who": bounded(&terms.holder, WORDS_BYTES_MAX),
                "device": terms.device.as_str(),
                "port": terms.port,
                "agent": terms.agent,
                "reason": bounded(&terms.reason, WORDS_BYTES_MAX),
                "from": terms.from,
                "minutes": minutes,
                "is_read_only": terms.is_read_only,
                "is_fallback": terms.is_fallback,
            }),
        )
    }

    /// A person at the site has let it.
    #[must_use]
    pub fn approved(terms: &Terms, by: &str) -> Self {
        let by = bounded(by, WORDS_BYTES_MAX);
        Self::of(terms, "approved", json!({ "by": by }))
    }

    /// Something is done in it.
    #[must_use]
    pub fn deed(terms: &Terms, deed: &Deed) -> Self {
        let (kind, body) = match deed {
            Deed::Asked {
                number,
                method,
                path,
            } => {
                let method = bounded(method, METHOD_BYTES_MAX);
                let is_cut = path.len() > PATH_BYTES_MAX;
                let path = bounded(path, PATH_BYTES_MAX);
                let body = json!({
                    "number": number, "method": method, "path": path, "is_cut": is_cut,
                });
                ("asked", body)
            }
            Deed::Answered {
                number,
                status,
                sent,
                received,
            } => {
                let body = json!({
                    "number": number, "status": status, "sent": sent, "received": received,
                });
                ("answered", body)
            }
            Deed::RawBegan { number } => ("raw-began", json!({ "number": number })),
            Deed::RawEnded {
                number,
                sent,
                received,
            } => {
                let body = json!({ "number": number, "sent": sent, "received": received });
                ("raw-ended", body)
            }
            Deed::Certificate {
                fingerprint,
                is_change,
            } => {
                let fingerprint = bounded(fingerprint, WORDS_BYTES_MAX);
                let body = json!({
                    "fingerprint": fingerprint, "is_change": is_change,
                    "device": terms.device.as_str(), "port": terms.port,
                });
                ("certificate", body)
            }
        };
        Self::of(terms, kind, body)
    }

    /// It is over.
    #[must_use]
    pub fn ended(terms: &Terms, end: &End, totals: Totals) -> Self {
        Self::of(
            terms,
            "ended",
            json!({
                "cause": end.cause.as_str(),
                "why": bounded(&end.why, WORDS_BYTES_MAX),
                "requests": totals.requests,
                "sent": totals.sent,
                "received": totals.received,
            }),
        )
    }

    /// A person's own SSH key opens the gateway from now on.
    #[must_use]
    pub fn ssh_key_added(tenant: &Tenant, name: &str, fingerprint: &str) -> Self {
        let body = json!({
            "name": bounded(name, WORDS_BYTES_MAX),
            "fingerprint": bounded(fingerprint, WORDS_BYTES_MAX),
        });
        Self::outside(tenant, "ssh-key-added", body)
    }

    /// It does not any more.
    #[must_use]
    pub fn ssh_key_removed(tenant: &Tenant, name: &str, fingerprint: &str) -> Self {
        Self {
            kind: "ssh-key-removed",
            ..Self::ssh_key_added(tenant, name, fingerprint)
        }
    }

    /// A person shows a device as part of another from now on.
    #[must_use]
    pub fn printers_merged(tenant: &Tenant, merge: &Merge) -> Self {
        let body = json!({
            "device": merge.device.as_str(),
            "into": merge.into.as_str(),
            "who": bounded(&merge.by, WORDS_BYTES_MAX),
            "reason": bounded(&merge.reason, WORDS_BYTES_MAX),
        });
        Self::outside(tenant, "printers-merged", body)
    }

    /// A person says of a printer that it is one of its own, whatever it is like.
    #[must_use]
    pub fn printer_apart(tenant: &Tenant, said: &Merge) -> Self {
        Self {
            kind: "printer-apart",
            ..Self::printers_merged(tenant, said)
        }
    }

    /// Not any more: each has its own again.
    #[must_use]
    pub fn printers_split(tenant: &Tenant, merge: &Merge) -> Self {
        Self {
            kind: "printers-split",
            ..Self::printers_merged(tenant, merge)
        }
    }

    /// The chain was gone through, and is whole up to here.
    #[must_use]
    pub fn verified(tenant: &Tenant, end: &Mark) -> Self {
        let body = json!({ "lines": end.sequence, "hash": end.hash });
        Self::outside(tenant, "verified", body)
    }

    /// Somebody goes on with a chain that does not end where it should.
    #[must_use]
    pub fn adopted(tenant: &Tenant, (expected, found): (Option<&Mark>, &Mark), why: &str) -> Self {
        let body = json!({
            "expected_lines": expected.map(|end| end.sequence),
            "expected_hash": expected.map(|end| end.hash.as_str()),
            "found_lines": found.sequence,
            "found_hash": found.hash,
            "reason": bounded(why, WORDS_BYTES_MAX),
        });
        Self::outside(tenant, "adopted", body)
    }

    fn of(terms: &Terms, kind: &'static str, body: Value) -> Self {
        Self {
            tenant: terms.tenant.as_str().to_owned(),
            session: terms.id.as_str().to_owned(),
            kind,
            body,
        }
    }

    fn outside(tenant: &Tenant, kind: &'static str, body: Value) -> Self {
        Self {
            tenant: tenant.as_str().to_owned(),
            session: String::new(),
            kind,
            body,
        }
    }
}

/// The beginning of a text, cut between two characters.
fn bounded(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A line of the chain, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1 up, without a gap.
    pub sequence: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whose.
    pub tenant: String,
    /// In which session; empty where it is of none.
    pub session: String,
    /// What kind of entry.
    pub kind: String,
    /// The entry, JSON.
    pub body: String,
    /// The first sequence of those that were committed with it.
    pub opening: u64,
    /// The hash of the line before.
    pub before: String,
    /// SHA-256 over all of the above, hex.
    pub hash: String,
    /// HMAC of the hash under the hub's key, hex.
    pub seal: String,
}

/// Where a chain ends: its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its sequence; 0 for an empty chain.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

impl Mark {
    /// Where a chain begins.
    #[must_use]
    pub fn beginning() -> Self {
        Self {
            sequence: 0,
            hash: NOTHING.to_owned(),
        }
    }

    /// The end of a chain whose last line this is.
    #[must_use]
    pub fn at(line: Option<&Line>) -> Self {
        line.map_or_else(Self::beginning, |line| Self {
            sequence: line.sequence,
            hash: line.hash.clone(),
        })
    }
}

/// Why a chain is not whole. The sequence is that of the first wrong line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// There is another line where this one should be.
    #[error("line {0} is missing or stands elsewhere")]
    Missing(u64),
    /// It does not name the hash of the line before.
    #[error("line {0} does not follow the line before it")]
    Before(u64),
    /// Its hash is not that of what it says.
    #[error("line {0} was changed")]
    Changed(u64),
    /// It carries no seal of this hub's.
    #[error("line {0} was not written by this hub")]
    Forged(u64),
    /// The hub has written more than there is.
    #[error("the chain ends at line {last}, and this hub has written up to line {written}")]
    Cut {
        /// The last line there is.
        last: u64,
        /// The last line that was written.
        written: u64,
    },
    /// There is more than the hub has written, beyond what one interrupted commit explains.
    #[error("line {0} was not there when the hub last wrote")]
    Beyond(u64),
}

/// Makes and checks the lines of one hub. Printed without its key.
#[derive(Clone)]
pub struct Sealer(hmac::Key);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// One with this key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The seal of a text.
    #[must_use]
    pub fn seal(&self, text: &str) -> String {
        hex(hmac::sign(&self.0, text.as_bytes()).as_ref())
    }

    /// Gives entries their place after `end`, as one group.
    #[must_use]
    pub fn lines(&self, end: &Mark, entries: &[Entry], now: Timestamp) -> Vec<Line> {
        let opening = end.sequence + 1;
        let mut end = end.clone();
        let mut lines = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut line = Line {
                sequence: end.sequence + 1,
                at_ms: now.as_millisecond(),
                tenant: entry.tenant.clone(),
                session: entry.session.clone(),
                kind: entry.kind.to_owned(),
                body: entry.body.to_string(),
                opening,
                before: end.hash,
                hash: String::new(),
                seal: String::new(),
            };
            line.hash = digest(&line);
            line.seal = self.seal(&line.hash);
            end = Mark::at(Some(&line));
            lines.push(line);
        }
        lines
    }

    /// Whether a line is the one after `end`; then it is the end.
    ///
    /// # Errors
    /// [`Wrong`], naming the line.
    pub fn follow(&self, end: &Mark, line: &Line) -> Result<Mark, Wrong> {
        let expected = end.sequence + 1;
        if line.sequence != expected {
            return Err(Wrong::Missing(expected));
        }
        if digest(line) != line.hash {
            return Err(Wrong::Changed(expected));
        }
        if line.before != end.hash {
            return Err(Wrong::Before(expected));
        }
        if self.seal(&line.hash) != line.seal {
            return Err(Wrong::Forged(expected));
        }
        Ok(Mark::at(Some(line)))
    }

    /// Whether the lines after the end that was written down are one commit of this hub's, whose
    /// end it could not write down any more; says where the chain ends then.
    ///
    /// # Errors
    /// [`Wrong`], naming the first line that is not explained so.
    pub fn interrupted(&self, written: &Mark, after: &[Line]) -> Result<Mark, Wrong> {
        let mut end = written.clone();
        for line in after {
            end = self.follow(&end, line)?;
            if line.opening != written.sequence + 1 {
                return Err(Wrong::Beyond(line.sequence));
            }
        }
        Ok(end)
    }
}

/// The hash of a line. Each part is preceded by its length, so that no two lines have one text.
fn digest(line: &Line) -> String {
    let mut hash = Sha256::new();
    let mut part = |octets: &[u8]| {
        hash.update((octets.len() as u64).to_be_bytes());
        hash.update(octets);
    };
    part(CONTEXT);
    part(&line.sequence.to_be_bytes());
    part(&line.at_ms.to_be_bytes());
    for text in [&line.tenant, &line.session, &line.kind, &line.body] {
        part(text.as_bytes());
    }
    part(&line.opening.to_be_bytes());
    part(line.before.as_bytes());
    hex(&hash.finalize())
}

#[cfg(test)]
#[path = "audit/tests.rs"]
mod tests;
