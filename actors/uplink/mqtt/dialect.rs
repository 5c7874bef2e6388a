//! What a dialect says: how to connect, what to subscribe to, what a message means, where an
//! answer goes. Pure: it holds no connection and no clock.

use std::fmt::Debug;
use std::time::Duration;

use dial::mqtt::{Letter, Login};
use jiff::Timestamp;

use super::Incoming;

/// Where the outcomes of a command go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyTo {
    /// To the topic of outcomes.
    Topic,
    /// To whoever called a direct method and waits for it, by the id of the call.
    Method(String),
    /// Into the reported properties, for this version of the desired ones.
    Twin(i64),
}

/// What a connection is let in by.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// User name and password; none where the certificate is enough.
    pub(super) login: Option<Login>,
    /// After how long another is needed.
    pub(super) renew_after: Option<Duration>,
}

/// What a message turned out to be; the default is nothing for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// A command, unchecked.
    pub(super) command: Option<Incoming>,
    /// What is answered at once, because something in it is no command.
    pub(super) answer: Option<Letter>,
}

impl Heard {
    /// A command and nothing else.
    pub(super) fn command(payload: Vec<u8>, reply: ReplyTo) -> Self {
        Self {
            command: Some(Incoming { payload, reply }),
            answer: None,
        }
    }

    /// No command, and answered at once.
    pub(super) fn refused(answer: Letter) -> Self {
        Self {
            command: None,
            answer: Some(answer),
        }
    }
}

/// The conventions of a broker.
pub(super) trait Dialect: Debug + Send + Sync {
    /// Who we are to the broker.
    fn client_id(&self) -> &str;
    /// The path of a WebSocket, with its query.
    fn path(&self) -> &str;
    /// What is subscribed to.
    fn filters(&self) -> Vec<String>;
    /// What the next connection is let in by; why there is nothing, in words.
    fn pass(&self, now: Timestamp) -> Result<Pass, String>;
    /// What the broker says when we are gone without a word.
    fn will(&self, now: Timestamp) -> Option<Letter>;
    /// What is said at each connection.
    fn greet(&self, now: Timestamp) -> Vec<Letter>;
    /// What is said before we go.
    fn goodbye(&self, now: Timestamp) -> Vec<Letter>;
    /// What a message is.
    fn hear(&self, letter: &Letter) -> Heard;
    /// How an outcome is sent.
    fn answer(&self, reply: &ReplyTo, outcome: &[u8]) -> Vec<Letter>;
}
