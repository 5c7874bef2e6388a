//! The dialect of plain brokers: the topics of `proto::topics`, and the agent's certificate as the
//! proof of who it is.

use dial::mqtt::Letter;
use jiff::Timestamp;
use prost::Message as _;
use proto::{topics, v1};

use super::WEBSOCKET_PATH;
use super::dialect::{Dialect, Heard, Pass, ReplyTo};

#[derive(Debug)]
pub(super) struct Plain {
    agent_id: String,
    instance: String,
}

impl Plain {
    pub(super) fn new(agent_id: &str, instance: &str) -> Self {
        Self {
            agent_id: agent_id.to_owned(),
            instance: instance.to_owned(),
        }
    }

    fn presence(&self, is_online: bool, now: Timestamp) -> Letter {
        let presence = v1::Presence {
            instance: self.instance.clone(),
            is_online,
            at_ms: now.as_millisecond(),
        };
        Letter {
            topic: topics::presence(&self.agent_id),
            payload: presence.encode_to_vec(),
        }
    }
}

impl Dialect for Plain {
    fn client_id(&self) -> &str {
        &self.agent_id
    }

    fn path(&self) -> &str {
        WEBSOCKET_PATH
    }

    fn filters(&self) -> Vec<String> {
        vec![topics::command(&self.agent_id)]
    }

    fn pass(&self, _now: Timestamp) -> Result<Pass, String> {
        Ok(Pass::default())
    }

    fn will(&self, now: Timestamp) -> Option<Letter> {
        Some(self.presence(false, now))
    }

    fn greet(&self, now: Timestamp) -> Vec<Letter> {
        vec![self.presence(true, now)]
    }

    fn goodbye(&self, now: Timestamp) -> Vec<Letter> {
        vec![self.presence(false, now)]
    }

    fn hear(&self, letter: &Letter) -> Heard {
        let is_ours = letter.topic == topics::command(&self.agent_id)
            && letter.payload.len() <= topics::PAYLOAD_BYTES_MAX;
        if !is_ours {
            return Heard::default();
        }
        Heard::command(letter.payload.clone(), ReplyTo::Topic)
    }

    fn answer(&self, _reply: &ReplyTo, outcome: &[u8]) -> Vec<Letter> {
        vec![Letter {
            topic: topics::outcome(&self.agent_id),
            payload: outcome.to_vec(),
        }]
    }
}
