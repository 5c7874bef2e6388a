//! Puts the session's origin where a page names the printer's own address.
//!
//! A page comes in pieces of any size and leaves in pieces; what is held back in between is less
//! than [`HELD_MAX`] octets and the address. Text is looked at, not parsed: the address with
//! `http://`, `https://`, `ws://`, `wss://` or `//` before it, also with the slashes escaped as in
//! JSON, and a port after it or none, where that leads to the session's own device and port.

use std::ops::Range;

use super::link::{Home, usual_port};
use super::place::{Place, Scheme};

/// Longest that stands before the address: `https:\/\/`.
const BEFORE_MAX: usize = 10;

/// Longest that has to be seen after it: `:65535` and what follows.
const AFTER_MAX: usize = 7;

/// Most octets held back beside the address.
const HELD_MAX: usize = BEFORE_MAX + AFTER_MAX;

/// How an address can be introduced: as it is written, the port it means where none follows, and
/// whether it is a WebSocket's. The longest first.
const BEGINNINGS: [(&str, Option<u16>, bool); 10] = [
    ("https:\\/\\/", Some(443), false),
    ("https://", Some(443), false),
    ("http:\\/\\/", Some(80), false),
    ("http://", Some(80), false),
    ("wss:\\/\\/", Some(443), true),
    ("wss://", Some(443), true),
    ("ws:\\/\\/", Some(80), true),
    ("ws://", Some(80), true),
    ("\\/\\/", None, false),
    ("//", None, false),
];

/// Rewrites one body.
#[derive(Debug)]
pub(super) struct Rewriter {
    host: Vec<u8>,
    home: Home,
    place: Place,
    held: Vec<u8>,
}

/// One mention of the device's own origin.
struct Mention {
    at: Range<usize>,
    with: Vec<u8>,
}

impl Rewriter {
    /// None where the hub does not know the device's address: its pages name nothing to replace.
    pub(super) fn new(home: &Home, place: &Place) -> Option<Self> {
        home.address?;
        Some(Self {
            host: home.host().into_bytes(),
            home: home.clone(),
            place: place.clone(),
            held: Vec::new(),
        })
    }

    /// Takes a piece and gives what is decided.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let decided = self.held.len().saturating_sub(HELD_MAX + self.host.len());
        self.take(decided)
    }

    /// Gives what is left.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.take(self.held.len())
    }

    /// Rewrites every mention that begins before `decided`, and gives all up to there.
    fn take(&mut self, decided: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(decided);
        let mut done = 0;
        let mut from = 0;
        while let Some(at) = find(&self.held, &self.host, from) {
            if at.saturating_sub(BEFORE_MAX) >= decided && decided < self.held.len() {
                break;
            }
            from = at + self.host.len();
            if let Some(mention) = self.mention(at, done) {
                out.extend_from_slice(self.held.get(done..mention.at.start).unwrap_or_default());
                out.extend_from_slice(&mention.with);
                done = mention.at.end;
                from = from.max(done);
            }
        }
        let decided = decided.max(done);
        out.extend_from_slice(self.held.get(done..decided).unwrap_or_default());
        self.held.drain(..decided.min(self.held.len()));
        out
    }

    /// Looks around the address at `at`; nothing before `floor` counts.
    fn mention(&self, at: usize, floor: usize) -> Option<Mention> {
        let before = self.held.get(floor..at)?;
        let (begins, usual, is_socket) = BEGINNINGS
            .iter()
            .find(|(begins, ..)| ends_with(before, begins.as_bytes()))?;
        let is_bare = !begins.contains(':');
        let start = before.len() - begins.len();
        if is_bare && before.get(..start)?.last() == Some(&b':') {
            return None;
        }
        let end = at + self.host.len();
        let after = self.held.get(end..).unwrap_or_default();
        let (port, port_len) = port(after)?;
        let usual = usual.unwrap_or_else(|| usual_port(self.home.scheme));
        if port.unwrap_or(usual) != self.home.port {
            return None;
        }
        let scheme = match (self.place.scheme, is_socket) {
            (Scheme::Https, false) => "https:",
            (Scheme::Http, false) => "http:",
            (Scheme::Https, true) => "wss:",
            (Scheme::Http, true) => "ws:",
        };
        let slashes = match begins.contains('\\') {
            true => "\\/\\/",
            false => "//",
        };
        let scheme = if is_bare { "" } else { scheme };
        let with = format!("{scheme}{slashes}{}", self.place.authority);
        Some(Mention {
            at: at - begins.len()..end + port_len,
            with: with.into_bytes(),
        })
    }
}

/// The port after an address, and how long it is written; none where the name goes on.
fn port(after: &[u8]) -> Option<(Option<u16>, usize)> {
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@');
    match after.first() {
        Some(b':') => {}
        // A full stop ends a sentence, or goes on as a name.
        Some(b'.') if after.get(1).is_some_and(u8::is_ascii_alphanumeric) => return None,
        Some(byte) if goes_on(byte) => return None,
        Some(_) | None => return Some((None, 0)),
    }
    let digits = after
        .iter()
        .skip(1)
        .take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    if digits == 0 {
        return Some((None, 0)).filter(|_| !after.get(1).is_some_and(goes_on));
    }
    let text = std::str::from_utf8(after.get(1..=digits)?).ok()?;
    let is_whole = !after.get(digits + 1).is_some_and(goes_on);
    let port = text.parse().ok().filter(|_| is_whole)?;
    Some((Some(port), digits + 1))
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    let at = text.len().checked_sub(end.len());
    at.and_then(|at| text.get(at..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn find(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let at = rest.windows(what.len()).position(|window| window == what)?;
    Some(from + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn place(scheme: Scheme) -> Place {
        Place {
            session: SessionId::parse(ID).unwrap(),
            scheme,
            authority: "s-1.dwa.localhost:9000".to_owned(),
        }
    }

    fn rewriter(address: &str, port: u16, scheme: Scheme) -> Rewriter {
        let home = Home::new(Some(address.parse().unwrap()), port);
        Rewriter::new(&home, &place(scheme)).unwrap()
    }

    fn all(mut rewriter: Rewriter, text: &str, piece: usize) -> String {
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            out.extend(rewriter.push(piece));
            assert!(rewriter.held.len() <= HELD_MAX + rewriter.host.len());
        }
        out.extend(rewriter.finish());
        String::from_utf8(out).unwrap()
    }

    /// Text, and what it becomes on a printer at 10.0.4.17, port 80.
    const TABLE: [(&str, &str); 20] = [
        (
            "<a href=\"http://10.0.4.17/x\">",
            "<a href=\"http://s-1.dwa.localhost:9000/x\">",
        ),
        ("http://10.0.4.17", "http://s-1.dwa.localhost:9000"),
        ("http://10.0.4.17:80/", "http://s-1.dwa.localhost:9000/"),
        ("HTTP://10.0.4.17", "http://s-1.dwa.localhost:9000"),
        ("//10.0.4.17/x", "//s-1.dwa.localhost:9000/x"),
        (
            "{\"u\":\"http:\\/\\/10.0.4.17\\/x\"}",
            "{\"u\":\"http:\\/\\/s-1.dwa.localhost:9000\\/x\"}",
        ),
        ("ws://10.0.4.17/s", "ws://s-1.dwa.localhost:9000/s"),
        (
            "http://10.0.4.17http://10.0.4.17/",
            "http://10.0.4.17http://s-1.dwa.localhost:9000/",
        ),
        (
            "url(http://10.0.4.17/a)url(http://10.0.4.17/b)",
            "url(http://s-1.dwa.localhost:9000/a)url(http://s-1.dwa.localhost:9000/b)",
        ),
        (
            "see http://10.0.4.17. Or",
            "see http://s-1.dwa.localhost:9000. Or",
        ),
        ("https://10.0.4.17/", "https://10.0.4.17/"),
        ("https://10.0.4.17:80/", "http://s-1.dwa.localhost:9000/"),
        ("http://10.0.4.17:8080/", "http://10.0.4.17:8080/"),
        ("http://10.0.4.17:800/", "http://10.0.4.17:800/"),
        ("http://10.0.4.170/", "http://10.0.4.170/"),
        ("http://110.0.4.17/", "http://110.0.4.17/"),
        ("http://10.0.4.17.evil/", "http://10.0.4.17.evil/"),
        ("http://10.0.4.17@evil/", "http://10.0.4.17@evil/"),
        ("address: 10.0.4.17", "address: 10.0.4.17"),
        ("ftp://10.0.4.17/", "ftp://10.0.4.17/"),
    ];

    #[test]
    fn a_page_names_the_session_in_place_of_the_printer_however_it_is_cut() {
        for (text, expected) in TABLE {
            for piece in 1..=text.len() {
                let rewriter = rewriter("10.0.4.17", 80, Scheme::Http);
                assert_eq!(all(rewriter, text, piece), expected, "{text} by {piece}");
            }
        }
    }

    #[test]
    fn a_long_page_is_whole_and_little_of_it_is_held() {
        let line = "some text, then http://10.0.4.17/x and more of it\n";
        let page = line.repeat(2_000);
        let expected = page.replace("10.0.4.17", "s-1.dwa.localhost:9000");
        for piece in [1, 7, 64, 1_460, 100_000] {
            let rewriter = rewriter("10.0.4.17", 80, Scheme::Http);
            assert_eq!(all(rewriter, &page, piece), expected, "by {piece}");
        }
    }

    #[test]
    fn an_https_printer_on_a_port_of_its_own_is_found_too() {
        let rewriter = |port| rewriter("fd00::9", port, Scheme::Https);
        assert_eq!(
            all(rewriter(8443), "'wss://[fd00::9]:8443/x'", 3),
            "'wss://s-1.dwa.localhost:9000/x'"
        );
        assert_eq!(
            all(rewriter(443), "\"//[fd00::9]/\"", 3),
            "\"//s-1.dwa.localhost:9000/\""
        );
    }
}
