//! The twin of a device of Azure IoT Hub: what of its desired properties is heard, and what is
//! reported of the rest. Used by the dialect of Azure. Pure.
//!
//! A twin belongs to whoever owns the IoT hub, who need not be the agent's own hub, and nothing in
//! it is signed. So it configures nothing by itself: its property `command` carries a signed
//! command, believed like any other, and every other property is refused with the reason.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use proto::{topics, v1};
use serde_json::{Value, json};

/// The property that carries a command.
pub(super) const COMMAND: &str = "command";

/// The reported property that says which desired ones were refused.
const REFUSED: &str = "refused";

/// Refused properties that are named, and characters of a name: a twin's owner may have hundreds.
const NAMED_MAX: usize = 8;
const NAME_CHARS_MAX: usize = 64;

/// Why a property is refused.
const WHY_PLAIN: &str = "nothing here is signed by this agent's hub, so it configures nothing; a \
                         signed command, in base64, goes into the desired property 'command'";

/// Why a `command` is refused that cannot be read.
const WHY_UNREADABLE: &str = "it is no base64 of a signed command";

/// What desired properties come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// A command, unchecked, and the version of the properties.
    pub(super) command: Option<(Vec<u8>, i64)>,
    /// What is reported at once.
    pub(super) reported: Option<Value>,
}

/// The desired properties that changed.
pub(super) fn changed(patch: &Value) -> Desired {
    desired(patch, &Value::Null)
}

/// The whole twin, as it is at each connection: what was answered before is not answered again.
pub(super) fn whole(twin: &Value) -> Desired {
    desired(&twin["desired"], &twin["reported"])
}

fn desired(desired: &Value, before: &Value) -> Desired {
    let (Some(properties), Some(version)) = (desired.as_object(), desired["$version"].as_i64())
    else {
        return Desired::default();
    };
    let mut reported = serde_json::Map::new();
    let command = properties.get(COMMAND).filter(|value| !value.is_null());
    let command = match command.map(decoded) {
        Some(Some(command)) if is_answered(&command, &before[COMMAND]) => None,
        Some(Some(command)) => Some((command, version)),
        Some(None) => {
            let refused = outcome(version, "", "refused", WHY_UNREADABLE);
            reported.insert(COMMAND.to_owned(), refused);
            None
        }
        None => None,
    };
    let is_plain = |(name, value): &(&String, &Value)| {
        name.as_str() != COMMAND && !name.starts_with('$') && !value.is_null()
    };
    let plain: Vec<&String> = properties
        .iter()
        .filter(is_plain)
        .map(|(name, _)| name)
        .collect();
    let refused = match (plain.len(), &before[REFUSED]) {
        (0, Value::Null) => None,
        // Nothing is refused any more.
        (0, _) => Some(Value::Null),
        (_, known) if known["version"] == version => None,
        (count, _) => Some(json!({
            "version": version,
            "count": count,
            "properties": named(&plain),
            "why": WHY_PLAIN,
        })),
    };
    reported.extend(refused.map(|refused| (REFUSED.to_owned(), refused)));
    Desired {
        command,
        reported: (!reported.is_empty()).then_some(Value::Object(reported)),
    }
}

/// What the reported property `command` says.
pub(super) fn outcome(version: i64, id: &str, state: &str, why: &str) -> Value {
    json!({ "version": version, "id": id, "state": state, "why": why })
}

/// A command in base64, no longer than a broker may send.
pub(super) fn decoded(value: &Value) -> Option<Vec<u8>> {
    let command = STANDARD.decode(value.as_str()?).ok()?;
    (command.len() <= topics::PAYLOAD_BYTES_MAX).then_some(command)
}

/// Whether the last word on this very command is reported already: it stays in the twin for good,
/// and would be told as expired after a day. The id is believed as far as not to look again.
fn is_answered(command: &[u8], reported: &Value) -> bool {
    let id = v1::SignedCommand::decode(command)
        .and_then(|frame| v1::Command::decode(frame.command.as_slice()))
        .map(|command| command.id);
    let is_last = reported["state"]
        .as_str()
        .is_some_and(|it| it != "progress");
    id.is_ok_and(|id| !id.is_empty() && reported["id"] == id) && is_last
}

fn named(names: &[&String]) -> Vec<String> {
    let short = |name: &&String| name.chars().take(NAME_CHARS_MAX).collect();
    names.iter().take(NAMED_MAX).map(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(id: &str) -> Vec<u8> {
        let command = v1::Command {
            id: id.to_owned(),
            ..v1::Command::default()
        };
        v1::SignedCommand {
            command: command.encode_to_vec(),
            signature: vec![7; 64],
        }
        .encode_to_vec()
    }

    #[test]
    fn a_command_is_heard_and_what_stands_beside_it_is_refused() {
        let patch = json!({ "command": "YWJj", "read_secs": 60, "$version": 4 });
        let heard = changed(&patch);
        assert_eq!(heard.command, Some((b"abc".to_vec(), 4)));
        let reported = heard.reported.expect("a refusal");
        assert_eq!(reported["refused"]["version"], 4);
        assert_eq!(reported["refused"]["properties"], json!(["read_secs"]));
        let why = reported["refused"]["why"].as_str().expect("why");
        assert!(why.contains("signed"), "{why}");
        assert_eq!(reported.get("command"), None);
    }

    #[test]
    fn what_cannot_be_a_command_is_refused_with_the_reason() {
        for value in [json!(7), json!("?"), json!({ "a": 1 })] {
            let heard = changed(&json!({ "command": value, "$version": 5 }));
            assert_eq!(heard.command, None);
            let refused = outcome(5, "", "refused", WHY_UNREADABLE);
            assert_eq!(heard.reported, Some(json!({ "command": refused })));
        }
        let nothing = [
            json!({ "$version": 1 }),
            json!({ "command": null, "read_secs": null, "$version": 1 }),
            json!({ "command": "YWJj" }),
            json!([]),
            json!(null),
        ];
        for patch in nothing {
            assert_eq!(changed(&patch), Desired::default(), "{patch}");
        }
    }

    #[test]
    fn what_was_answered_is_not_answered_at_each_connection() {
        let id = "0a".repeat(16);
        let desired = json!({
            "command": STANDARD.encode(command(&id)), "read_secs": 60, "$version": 9,
        });
        let reported = |state: &str, version: i64| {
            json!({
                "command": outcome(8, &id, state, ""),
                "refused": { "version": version },
            })
        };
        let twin = |reported: Value| json!({ "desired": desired, "reported": reported });
        assert_eq!(whole(&twin(reported("done", 9))), Desired::default());
        let begun = whole(&twin(reported("progress", 8)));
        assert_eq!(begun.command, Some((command(&id), 9)));
        assert!(
            begun
                .reported
                .is_some_and(|it| it["refused"]["version"] == 9)
        );
        let other = json!({ "command": outcome(8, "1", "done", "") });
        assert!(whole(&twin(other)).command.is_some());
    }

    #[test]
    fn a_refusal_ends_with_its_properties() {
        let twin = json!({
            "desired": { "$version": 3 },
            "reported": { "refused": { "version": 2 }, "$version": 7 },
        });
        assert_eq!(whole(&twin).reported, Some(json!({ "refused": null })));
    }

    #[test]
    fn a_twin_with_hundreds_of_properties_is_answered_in_short() {
        let mut patch = json!({ "$version": 2 });
        for n in 0..300 {
            patch[format!("{n:0>300}")] = json!(1);
        }
        let reported = changed(&patch).reported.expect("a refusal");
        assert_eq!(reported["refused"]["count"], 300);
        assert!(reported.to_string().len() < 1_500);
    }
}
