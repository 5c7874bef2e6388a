//! The dialect of Azure IoT Hub, as its documentation describes it ("Communicate with an IoT hub
//! using the MQTT protocol", api-version 2021-04-12).
//!
//! Commands come in three ways: as a cloud-to-device message, whose payload is the command; as the
//! direct method `command`, whose JSON has the command in base64 and whose caller waits for the
//! outcome as JSON; and as the desired property `command` of the device's twin, in base64, whose
//! outcome becomes the reported property `command` ([`twin`]). Every outcome also goes out as a
//! device-to-cloud message. QoS 1, nothing retained, four filters of the five that are allowed.
//! Enrollment by DPS is not here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dial::mqtt::{Letter, Login};
use jiff::Timestamp;
use prost::Message as _;
use proto::{topics, v1};
use serde_json::{Value, json};

use super::Incoming;
use super::dialect::{Dialect, Heard, Pass, ReplyTo};
use super::sas::{encoded, token};
use super::twin::{self, COMMAND, Desired, decoded};
use crate::reach::credential::Secret;

/// What the user name asks for.
const API_VERSION: &str = "2021-04-12";

/// Path of MQTT over WebSocket there.
const PATH: &str = "/$iothub/websocket?iothub-no-client-cert=true";

/// The same where a client certificate is the proof.
const PATH_X509: &str = "/$iothub/websocket";

/// After which part of its life a token is replaced: enough is left for an hour's worst minutes.
const RENEW_AFTER: f64 = 0.75;

/// Longest id of a call that is answered, in bytes. Theirs are numbers.
const RID_BYTES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Azure {
    host: String,
    device_id: String,
    /// The device's key, and how long a token made of it lasts.
    key: Option<(Secret, Duration)>,
    instance: String,
    /// Our own requests about the twin.
    requests: AtomicU64,
}

impl Azure {
    pub(super) fn new(
        host: &str,
        device_id: &str,
        key: Option<(Secret, Duration)>,
        instance: &str,
    ) -> Self {
        Self {
            host: host.to_owned(),
            device_id: device_id.to_owned(),
            key,
            instance: instance.to_owned(),
            requests: AtomicU64::new(1),
        }
    }

    /// A message to the service; its properties are part of the topic.
    fn event(&self, kind: &str, payload: Vec<u8>) -> Letter {
        let content = encoded("application/x-protobuf");
        Letter {
            topic: format!(
                "devices/{}/messages/events/kind={kind}&$.ct={content}",
                self.device_id
            ),
            payload,
        }
    }

    fn presence(&self, is_online: bool, now: Timestamp) -> Letter {
        let presence = v1::Presence {
            instance: self.instance.clone(),
            is_online,
            at_ms: now.as_millisecond(),
        };
        self.event("presence", presence.encode_to_vec())
    }

    fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// A direct method was called.
    fn called(&self, method: &str, rid: &str, payload: &[u8]) -> Heard {
        if rid.len() > RID_BYTES_MAX || rid.bytes().any(|octet| matches!(octet, b'+' | b'#' | b'/'))
        {
            return Heard::default();
        }
        let refuse = |status: u16, why: &str| {
            let answer = json!({ "error": why });
            Heard::refused(response(rid, status, &answer))
        };
        if method != COMMAND {
            return refuse(404, "the only method is 'command'");
        }
        let said = serde_json::from_slice::<Value>(payload).ok();
        let command = said.as_ref().and_then(|said| decoded(said.get(COMMAND)?));
        match command {
            Some(payload) => Heard::command(payload, ReplyTo::Method(rid.to_owned())),
            None => refuse(400, "the payload is no JSON with a 'command' in base64"),
        }
    }

    /// What the twin desires becomes.
    fn desired(&self, desired: Desired) -> Heard {
        let incoming = |(payload, version)| Incoming {
            payload,
            reply: ReplyTo::Twin(version),
        };
        Heard {
            command: desired.command.map(incoming),
            answer: desired.reported.map(|properties| self.report(&properties)),
        }
    }

    fn report(&self, properties: &Value) -> Letter {
        Letter {
            topic: format!(
                "$iothub/twin/PATCH/properties/reported/?$rid={}",
                self.next_request()
            ),
            payload: properties.to_string().into_bytes(),
        }
    }

    fn reported(&self, version: i64, outcome: &v1::Outcome) -> Letter {
        let (id, why) = (&outcome.command_id, &outcome.why);
        self.report(&json!({ COMMAND: twin::outcome(version, id, &state(outcome), why) }))
    }
}

impl Dialect for Azure {
    fn client_id(&self) -> &str {
        &self.device_id
    }

    fn path(&self) -> &str {
        match self.key {
            Some(_) => PATH,
            None => PATH_X509,
        }
    }

    fn filters(&self) -> Vec<String> {
        vec![
            format!("devices/{}/messages/devicebound/#", self.device_id),
            "$iothub/methods/POST/#".to_owned(),
            "$iothub/twin/res/#".to_owned(),
            "$iothub/twin/PATCH/properties/desired/#".to_owned(),
        ]
    }

    fn pass(&self, now: Timestamp) -> Result<Pass, String> {
        let (host, device_id) = (&self.host, &self.device_id);
        let user = format!("{host}/{device_id}/?api-version={API_VERSION}");
        let Some((key, life)) = &self.key else {
            let password = String::new();
            return Ok(Pass {
                login: Some(Login { user, password }),
                renew_after: None,
            });
        };
        let secs = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let expiry = now.as_second().saturating_add(secs);
        let resource = format!("{host}/devices/{device_id}");
        let password = token(&resource, key.expose(), expiry)
            .ok_or("mqtt.azure.key_file: the device's key is no base64")?;
        Ok(Pass {
            login: Some(Login { user, password }),
            renew_after: Some(life.mul_f64(RENEW_AFTER)),
        })
    }

    fn will(&self, now: Timestamp) -> Option<Letter> {
        Some(self.presence(false, now))
    }

    fn greet(&self, now: Timestamp) -> Vec<Letter> {
        let twin = Letter {
            topic: format!("$iothub/twin/GET/?$rid={}", self.next_request()),
            payload: Vec::new(),
        };
        vec![self.presence(true, now), twin]
    }

    fn goodbye(&self, now: Timestamp) -> Vec<Letter> {
        vec![self.presence(false, now)]
    }

    fn hear(&self, letter: &Letter) -> Heard {
        if letter.payload.len() > topics::PAYLOAD_BYTES_MAX {
            return Heard::default();
        }
        let topic = letter.topic.as_str();
        let bound = format!("devices/{}/messages/devicebound/", self.device_id);
        if topic.starts_with(&bound) {
            return Heard::command(letter.payload.clone(), ReplyTo::Topic);
        }
        if let Some(call) = topic.strip_prefix("$iothub/methods/POST/") {
            return match call.split_once("/?$rid=") {
                Some((method, rid)) => self.called(method, rid, &letter.payload),
                None => Heard::default(),
            };
        }
        let Ok(said) = serde_json::from_slice::<Value>(&letter.payload) else {
            return Heard::default();
        };
        if topic.starts_with("$iothub/twin/PATCH/properties/desired/") {
            return self.desired(twin::changed(&said));
        }
        if topic.starts_with("$iothub/twin/res/200/") {
            return self.desired(twin::whole(&said));
        }
        Heard::default()
    }

    fn answer(&self, reply: &ReplyTo, outcome: &[u8]) -> Vec<Letter> {
        let event = self.event("outcome", outcome.to_vec());
        let Ok(said) = v1::Outcome::decode(outcome) else {
            return vec![event];
        };
        let is_last = said.state() != v1::outcome::State::Progress;
        let direct = match reply {
            ReplyTo::Topic => None,
            // A method has one answer.
            ReplyTo::Method(rid) => is_last.then(|| answered(rid, &said)),
            ReplyTo::Twin(version) => Some(self.reported(*version, &said)),
        };
        // What was no command of the hub's has no id, and is told to whoever sent it alone.
        let event = (!said.command_id.is_empty()).then_some(event);
        direct.into_iter().chain(event).collect()
    }
}

/// The last word on a direct method. Its status is 200 whatever came of it: the call was answered.
fn answered(rid: &str, outcome: &v1::Outcome) -> Letter {
    let said = json!({
        "id": outcome.command_id,
        "state": state(outcome),
        "why": outcome.why,
        "result": STANDARD.encode(&outcome.result),
    });
    response(rid, 200, &said)
}

fn response(rid: &str, status: u16, body: &Value) -> Letter {
    Letter {
        topic: format!("$iothub/methods/res/{status}/?$rid={rid}"),
        payload: body.to_string().into_bytes(),
    }
}

fn state(outcome: &v1::Outcome) -> String {
    outcome.state().as_str_name().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_420_800;

    fn azure() -> Azure {
        let key = Secret::new(STANDARD.encode("a key").into_bytes());
        let key = Some((key, Duration::from_secs(3600)));
        Azure::new("hub.example.org", "lyon-1", key, "i")
    }

    fn hear(topic: &str, payload: &str) -> Heard {
        azure().hear(&Letter {
            topic: topic.to_owned(),
            payload: payload.as_bytes().to_vec(),
        })
    }

    fn command(payload: &[u8], reply: ReplyTo) -> Heard {
        Heard::command(payload.to_vec(), reply)
    }

    #[test]
    fn the_pass_is_that_of_the_documentation() {
        let pass = azure().pass(Timestamp::from_second(NOW).unwrap()).unwrap();
        let login = pass.login.unwrap();
        assert_eq!(login.user, "hub.example.org/lyon-1/?api-version=2021-04-12");
        let start = "SharedAccessSignature sr=hub.example.org%2Fdevices%2Flyon-1&sig=";
        assert!(login.password.starts_with(start), "{}", login.password);
        assert!(login.password.ends_with(&format!("&se={}", NOW + 3600)));
        assert_eq!(pass.renew_after, Some(Duration::from_secs(2700)));
    }

    #[test]
    fn a_certificate_needs_no_password() {
        let azure = Azure::new("hub.example.org", "lyon-1", None, "i");
        let pass = azure.pass(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(pass.login.unwrap().password, "");
        assert_eq!(azure.path(), "/$iothub/websocket");
    }

    #[test]
    fn a_command_comes_three_ways() {
        let bound = "devices/lyon-1/messages/devicebound/%24.mid=1";
        assert_eq!(hear(bound, "abc"), command(b"abc", ReplyTo::Topic));
        let call = "$iothub/methods/POST/command/?$rid=7";
        let reply = ReplyTo::Method("7".to_owned());
        assert_eq!(hear(call, r#"{"command":"YWJj"}"#), command(b"abc", reply));
        let patch = "$iothub/twin/PATCH/properties/desired/?$version=4";
        let body = r#"{"command":"YWJj","$version":4}"#;
        assert_eq!(hear(patch, body), command(b"abc", ReplyTo::Twin(4)));
        let whole = format!(r#"{{"desired":{body},"reported":{{"$version":1}}}}"#);
        let twin = hear("$iothub/twin/res/200/?$rid=1", &whole);
        assert_eq!(twin, command(b"abc", ReplyTo::Twin(4)));
    }

    #[test]
    fn what_is_no_command_is_refused_or_not_heard() {
        let refused = |heard: Heard| {
            assert_eq!(heard.command, None);
            heard.answer.expect("an answer").topic
        };
        let other = hear("$iothub/methods/POST/reboot/?$rid=8", "{}");
        assert_eq!(refused(other), "$iothub/methods/res/404/?$rid=8");
        for body in ["", "{}", "[]", r#"{"command":7}"#, r#"{"command":"?"}"#] {
            let bad = hear("$iothub/methods/POST/command/?$rid=9", body);
            assert_eq!(refused(bad), "$iothub/methods/res/400/?$rid=9");
        }
        let nothing = [
            ("$iothub/methods/POST/command/?$rid=a/#", "{}"),
            ("$iothub/twin/res/204/?$rid=2&$version=3", ""),
            (
                "$iothub/twin/res/200/?$rid=2",
                r#"{"desired":{"$version":1}}"#,
            ),
            ("devices/other/messages/devicebound/", "abc"),
            ("platen/v1/lyon-1/command", "abc"),
        ];
        for (topic, payload) in nothing {
            assert_eq!(hear(topic, payload), Heard::default(), "{topic}");
        }
    }

    #[test]
    fn an_outcome_goes_back_the_way_its_command_came() {
        let outcome = |state: v1::outcome::State| v1::Outcome {
            command_id: "1".to_owned(),
            state: state.into(),
            result: b"{}".to_vec(),
            ..v1::Outcome::default()
        };
        let answer = |reply: &ReplyTo, state| {
            let letters = azure().answer(reply, &outcome(state).encode_to_vec());
            let topics: Vec<_> = letters.into_iter().map(|letter| letter.topic).collect();
            topics
        };
        let event = "devices/lyon-1/messages/events/kind=outcome&$.ct=application%2Fx-protobuf";
        use v1::outcome::State::{Done, Progress};
        let method = ReplyTo::Method("7".to_owned());
        assert_eq!(answer(&ReplyTo::Topic, Done), [event]);
        assert_eq!(answer(&method, Progress), [event]);
        assert_eq!(
            answer(&method, Done),
            ["$iothub/methods/res/200/?$rid=7", event]
        );
        assert_eq!(
            answer(&ReplyTo::Twin(4), Done),
            ["$iothub/twin/PATCH/properties/reported/?$rid=1", event]
        );
        let foreign = v1::Outcome {
            state: v1::outcome::State::Refused.into(),
            ..v1::Outcome::default()
        };
        let letters = azure().answer(&ReplyTo::Twin(4), &foreign.encode_to_vec());
        assert_eq!(letters.len(), 1, "no event of what has no id: {letters:?}");
    }

    #[test]
    fn no_more_is_subscribed_to_than_is_allowed() {
        assert!(azure().filters().len() <= 5);
    }
}
