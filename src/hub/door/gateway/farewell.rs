//! How an agent says why it ends a session: a word for the cause, and words for a person.
//!
//! The agent cancels its forwarding by the address `SESSION CAUSE: WORDS` in place of `SESSION`
//! (RFC 4254, section 7.1), then disconnects. It is said there and not in the text of
//! `SSH_MSG_DISCONNECT`, because the library drops that unread. Pure.

use crate::session::{Cause, End, SessionId};

/// Longest words that are kept, in characters.
const WORDS_MAX: usize = 200;

/// What an agent may say of an end. The rest is the hub's own to say.
const AGENTS_CAUSES: [Cause; 5] = [
    Cause::Site,
    Cause::Deadline,
    Cause::Idle,
    Cause::LinkLost,
    Cause::AnotherDevice,
];

/// The session that is cancelled, and how it ends.
pub(super) fn parse(address: &str) -> Option<(SessionId, End)> {
    let (session, said) = address.split_once(' ').unwrap_or((address, ""));
    let session = SessionId::parse(session)?;
    let (cause, words) = said.split_once(':').unwrap_or(("", said));
    let cause = AGENTS_CAUSES
        .into_iter()
        .find(|known| known.as_str() == cause)
        .unwrap_or(Cause::Site);
    let words = words.chars().filter(|sign| !sign.is_control());
    let words: String = words.take(WORDS_MAX).collect();
    let end = match words.trim() {
        "" => End::new(cause, "the agent ended its tunnel"),
        words => End::new(cause, words),
    };
    Some((session, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_says_why_and_no_more_than_it_may() {
        let id = "0123456789abcdef0123456789abcdef";
        let said = |text: &str| {
            let (session, end) = parse(&format!("{id}{text}")).unwrap();
            assert_eq!(session.as_str(), id);
            (end.cause, end.why)
        };
        let ended = "the agent ended its tunnel".to_owned();
        assert_eq!(said(""), (Cause::Site, ended.clone()));
        assert_eq!(
            said(" idle: silent for 300 s"),
            (Cause::Idle, "silent for 300 s".to_owned())
        );
        assert_eq!(said(" another-device:"), (Cause::AnotherDevice, ended));
        assert_eq!(said(" site: a\u{7}b"), (Cause::Site, "ab".to_owned()));
        assert_eq!(
            said(" person: I"),
            (Cause::Site, "I".to_owned()),
            "not the agent's to say"
        );
        assert_eq!(
            said(&format!(" site: {}", "x".repeat(999))).1.len(),
            WORDS_MAX - 1
        );
        assert_eq!(parse("localhost"), None);
    }
}
