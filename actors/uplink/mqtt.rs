//! The line on which commands come and outcomes go: MQTT, in the dialect the site configured.
//!
//! Used by the Uplink: [`CommandLine::open`] gives the line and the receiver of what comes,
//! [`CommandLine::answer`] sends an outcome back the way its command came. What a command means is
//! not known here, nor whether it is signed: octets in, octets out. A broker may deliver a command
//! twice, and one that was taken off the line is not sent again by the broker: the hub sends what
//! it has no outcome of.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dial::Dialer;
use dial::mqtt::{Attempt, Carriage, Client, Event, Letter, Options, RETRY, Standing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use self::azure::Azure;
use self::dialect::{Dialect, Heard};
use self::flap::Flaps;
use self::plain::Plain;
use super::told;
use crate::outbox::{Kind, Outbox};
use crate::reach::credential::Secret;

mod azure;
mod dialect;
mod flap;
mod plain;
mod sas;
mod twin;

pub use dial::Destination;
pub use dial::mqtt::{PublishError, StartError, Version};
pub use dialect::ReplyTo;

/// Commands that wait to be taken. Beyond it the broker is not read from, and keeps them.
const INCOMING_MAX: usize = 16;

/// How long a broker keeps a session whose agent is away: a long weekend.
const SESSION_LIFE: Duration = Duration::from_secs(4 * 86_400);

/// Path of MQTT over WebSocket at a plain broker.
pub const WEBSOCKET_PATH: &str = "/mqtt";

/// Where the broker is, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct MqttLink {
    /// Whose conventions the topics follow.
    pub dialect: MqttDialect,
    /// What carries it.
    pub transport: MqttTransport,
    /// Where the broker is.
    pub broker: Destination,
    /// The roots that are believed there, PEM; `None`: the hub's own.
    pub authority_pem: Option<String>,
    /// Which MQTT is spoken.
    pub version: Version,
    /// How long a silence may last before each side asks after the other.
    pub keep_alive: Duration,
    /// Where the socket between us and the MQTT library is made; nobody else may enter it.
    pub folder: PathBuf,
}

/// Whose conventions the topics follow.
#[derive(Debug, Clone)]
pub enum MqttDialect {
    /// Ours, on the hub's broker or another plain one: `proto::topics`.
    Plain,
    /// Azure IoT Hub's.
    Azure {
        /// The device's id there; `None`: the agent's own.
        device_id: Option<String>,
        /// The device's key, base64; `None`: the agent's certificate is the proof.
        key: Option<Secret>,
        /// How long a password made of the key lasts; it is replaced at three quarters of it.
        token_life: Duration,
    },
}

/// How long a password made of a device's key lasts, at most: it cannot be taken back.
pub const TOKEN_LIFE_MAX: Duration = Duration::from_secs(3600);

/// What carries MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MqttTransport {
    /// A WebSocket over TLS, which the port of the hub itself takes too.
    #[default]
    Wss,
    /// TLS alone.
    Tls,
}

/// Who speaks.
#[derive(Clone)]
pub struct Speaker {
    /// The agent's id, as in its certificate.
    pub agent_id: String,
    /// Made anew at each start of the agent.
    pub instance: String,
    /// Makes the dialer of the next connection, with the certificate as it is then; or says in
    /// words why there is none.
    pub dialers: Arc<dyn Fn() -> Result<Dialer, String> + Send + Sync>,
    /// Where everything that is said is noted.
    pub outbox: Outbox,
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker")
            .field("agent_id", &self.agent_id)
            .finish_non_exhaustive()
    }
}

/// A command that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// A `SignedCommand`, encoded; unchecked, and no longer than a broker may send.
    pub payload: Vec<u8>,
    /// Where its outcomes go.
    pub reply: ReplyTo,
}

/// How the line stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineState {
    /// Whether commands can come.
    pub is_connected: bool,
    /// Since when they can, or cannot; none before the first attempt has ended.
    pub since: Option<Timestamp>,
    /// Why not, in words, once it was tried.
    pub trouble: Option<String>,
    /// What a person must look at: somebody else uses this identity.
    pub alarm: Option<String>,
}

/// The line. Cheap to clone; it ends with [`CommandLine::close`], or when the receiver of what
/// comes is dropped.
#[derive(Debug, Clone)]
pub struct CommandLine {
    client: Client,
    dialect: Arc<dyn Dialect>,
    state: watch::Receiver<LineState>,
    outbox: Outbox,
}

impl CommandLine {
    /// Opens the line: it connects now and whenever it is lost. Must be called on the runtime on
    /// which it shall live. A receiver that is not read from holds the broker up, nothing else.
    ///
    /// # Errors
    /// [`StartError`] when no socket can be made in the link's folder.
    pub fn open(
        link: &MqttLink,
        speaker: Speaker,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), StartError> {
        let dialect = speak(link, &speaker);
        let options = Options {
            attempts: attempts(link, &speaker, Arc::clone(&dialect)),
            version: link.version,
            client_id: dialect.client_id().to_owned(),
            filters: dialect.filters(),
            keep_alive: link.keep_alive,
            session_life: SESSION_LIFE,
            retry: RETRY,
            folder: link.folder.clone(),
        };
        let (client, events) = Client::start(options)?;
        let (incoming, received) = mpsc::channel(INCOMING_MAX);
        let (said, state) = watch::channel(LineState::default());
        let listener = Listener {
            client: client.clone(),
            dialect: Arc::clone(&dialect),
            said,
            incoming,
            flaps: Flaps::default(),
            instance: speaker.instance.clone(),
            outbox: speaker.outbox.clone(),
        };
        tokio::spawn(listener.listen(events));
        let line = Self {
            client,
            dialect,
            state,
            outbox: speaker.outbox,
        };
        Ok((line, received))
    }

    /// How the line stands, now and at each change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LineState> {
        self.state.clone()
    }

    /// Sends an outcome, encoded, back the way its command came; done when the broker has it. A
    /// command may be answered more than once: progress first, then its last word.
    ///
    /// # Errors
    /// [`PublishError`]; it may have arrived all the same, and may be sent again.
    pub async fn answer(&self, reply: &ReplyTo, outcome: &[u8]) -> Result<(), PublishError> {
        let noted = told::outcome(outcome);
        self.outbox.note(Kind::Outcome, noted).await;
        for letter in self.dialect.answer(reply, outcome) {
            self.client.publish(&letter.topic, letter.payload).await?;
        }
        Ok(())
    }

    /// Connects anew: the certificate has changed.
    pub async fn renew(&self) {
        self.client.renew().await;
    }

    /// Says that the agent goes, and ends the line.
    pub async fn close(&self) {
        if self.state.borrow().is_connected {
            for letter in self.dialect.goodbye(Timestamp::now()) {
                // A goodbye that does not arrive is made up for by the silence.
                let _ = self.client.publish(&letter.topic, letter.payload).await;
            }
        }
        self.client.close().await;
    }
}

fn speak(link: &MqttLink, speaker: &Speaker) -> Arc<dyn Dialect> {
    match &link.dialect {
        MqttDialect::Plain => Arc::new(Plain::new(&speaker.agent_id, &speaker.instance)),
        MqttDialect::Azure {
            device_id,
            key,
            token_life,
        } => {
            let device_id = device_id.as_ref().unwrap_or(&speaker.agent_id);
            let key = key.clone().map(|key| (key, *token_life));
            let host = link.broker.host();
            Arc::new(Azure::new(host, device_id, key, &speaker.instance))
        }
    }
}

/// What each connection is made with.
fn attempts(link: &MqttLink, speaker: &Speaker, dialect: Arc<dyn Dialect>) -> dial::mqtt::Attempts {
    let (transport, to) = (link.transport, link.broker.clone());
    let dialers = Arc::clone(&speaker.dialers);
    Arc::new(move || {
        let now = Timestamp::now();
        let dialer = dialers()?;
        let to = to.clone();
        let carriage = match transport {
            MqttTransport::Tls => Carriage::Tls { dialer, to },
            MqttTransport::Wss => Carriage::WebSocket {
                dialer,
                to,
                path: dialect.path().to_owned(),
            },
        };
        let pass = dialect.pass(now)?;
        let renew_at = pass.renew_after.map(|after| Instant::now() + after);
        Ok(Attempt {
            carriage,
            login: pass.login,
            will: dialect.will(now),
            renew_at,
        })
    })
}

/// The task that hears what the session has to say.
struct Listener {
    client: Client,
    dialect: Arc<dyn Dialect>,
    said: watch::Sender<LineState>,
    incoming: mpsc::Sender<Incoming>,
    flaps: Flaps,
    instance: String,
    outbox: Outbox,
}

impl Listener {
    async fn listen(mut self, mut events: mpsc::Receiver<Event>) {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                // Whoever opened the line is gone, and its successor opens another.
                () = self.incoming.closed() => return self.client.close().await,
            };
            let Some(event) = event else { return };
            match event {
                Event::Connected => self.greet().await,
                Event::Lost {
                    why,
                    stood,
                    is_taken_over,
                } => self.note_lost(why, stood, is_taken_over),
                Event::Message(letter) => {
                    if !self.hear(&letter).await {
                        return;
                    }
                }
            }
        }
    }

    /// Takes a message; whether anybody takes commands.
    async fn hear(&self, letter: &Letter) -> bool {
        let Heard { command, answer } = self.dialect.hear(letter);
        if command.is_none() {
            debug!(topic = letter.topic, "a message without a command");
        }
        if let Some(answer) = answer {
            let noted = told::answer(&answer.topic, &answer.payload);
            self.outbox.note(Kind::Outcome, noted).await;
            self.send(vec![answer]);
        }
        match command {
            Some(command) => self.incoming.send(command).await.is_ok(),
            None => true,
        }
    }

    async fn greet(&mut self) {
        info!("the command line stands");
        self.flaps.note_connected(Instant::now());
        self.tell(Standing {
            is_connected: true,
            trouble: None,
        });
        let noted = told::presence(&self.instance);
        self.outbox.note(Kind::Presence, noted).await;
        self.send(self.dialect.greet(Timestamp::now()));
    }

    fn note_lost(&mut self, why: String, stood: Option<Duration>, is_taken_over: bool) {
        if self.said.borrow().trouble.is_none() {
            warn!(why, "the command line is down; it is tried again");
        } else {
            debug!(why, "the command line is still down");
        }
        match stood {
            Some(stood) => self.flaps.note_lost(Instant::now(), stood, is_taken_over),
            None => self.flaps.note_failed(),
        }
        self.tell(Standing {
            is_connected: false,
            trouble: Some(why),
        });
    }

    fn tell(&self, standing: Standing) {
        let alarm = self.flaps.alarm(Instant::now()).map(str::to_owned);
        let is_connected = standing.is_connected;
        let before = self.said.borrow().clone();
        // A connection that was replaced, or one more attempt that failed, is no change.
        let since = before.since.filter(|_| before.is_connected == is_connected);
        self.said.send_replace(LineState {
            is_connected,
            since: since.or_else(|| Some(Timestamp::now())),
            trouble: standing.trouble,
            alarm,
        });
    }

    /// Sends without holding up what comes.
    fn send(&self, letters: Vec<Letter>) {
        let client = self.client.clone();
        tokio::spawn(async move {
            for letter in letters {
                if let Err(error) = client.publish(&letter.topic, letter.payload).await {
                    debug!(topic = letter.topic, %error, "a message was not sent");
                }
            }
        });
    }
}
