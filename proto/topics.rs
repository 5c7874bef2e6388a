//! The MQTT topics of Platen on a plain broker, and what is signed of a command.
//!
//! `platen/v1/AGENT/command` carries [`crate::v1::SignedCommand`] to one agent,
//! `platen/v1/AGENT/outcome` its [`crate::v1::Outcome`]s to the hub, `platen/v1/AGENT/presence` its
//! [`crate::v1::Presence`], the last will included. QoS 1, nothing retained. An agent may subscribe
//! to its command topic and publish to the other two, and that is all.

/// What every topic begins with.
pub const ROOT: &str = "platen/v1";

/// What a signature covers before the octets of the command, so that it fits nothing else.
pub const SIGNATURE_CONTEXT: &[u8] = b"platen command v1\n";

/// Filter of all outcomes, for the hub.
pub const OUTCOMES: &str = "platen/v1/+/outcome";

/// Filter of all presences, for the hub.
pub const PRESENCES: &str = "platen/v1/+/presence";

/// Longest payload that is accepted on any topic, in bytes: a result of 256 KiB and its frame.
pub const PAYLOAD_BYTES_MAX: usize = 272 * 1024;

/// Where an agent hears commands.
#[must_use]
pub fn command(agent_id: &str) -> String {
    format!("{ROOT}/{agent_id}/command")
}

/// Where an agent answers.
#[must_use]
pub fn outcome(agent_id: &str) -> String {
    format!("{ROOT}/{agent_id}/outcome")
}

/// Where an agent says that it is there, and its last will that it is not.
#[must_use]
pub fn presence(agent_id: &str) -> String {
    format!("{ROOT}/{agent_id}/presence")
}

/// What an agent's topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Hub to agent.
    Command,
    /// Agent to hub.
    Outcome,
    /// Agent to hub.
    Presence,
}

/// The agent and the use of a topic; `None` for one that is not ours.
#[must_use]
pub fn parse(topic: &str) -> Option<(&str, Use)> {
    let (agent_id, name) = topic
        .strip_prefix(ROOT)?
        .strip_prefix('/')?
        .split_once('/')?;
    let is_id = agent_id.len() == 32 && agent_id.bytes().all(|digit| digit.is_ascii_hexdigit());
    let used = match name {
        "command" => Use::Command,
        "outcome" => Use::Outcome,
        "presence" => Use::Presence,
        _ => return None,
    };
    is_id.then_some((agent_id, used))
}

#[cfg(test)]
mod tests {
    use super::{Use, command, outcome, parse, presence};

    #[test]
    fn a_topic_is_read_as_it_is_written_and_no_other_is() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(parse(&command(id)), Some((id, Use::Command)));
        assert_eq!(parse(&outcome(id)), Some((id, Use::Outcome)));
        assert_eq!(parse(&presence(id)), Some((id, Use::Presence)));
        let foreign = [
            "platen/v1/+/command",
            "platen/v1/#",
            "platen/v1//command",
            "x",
            "",
        ];
        assert!(foreign.iter().all(|topic| parse(topic).is_none()));
        assert_eq!(parse(&format!("{}/more", command(id))), None);
    }
}
