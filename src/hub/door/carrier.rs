//! The hub's own session with the broker: commands out, outcomes and presences in.
//!
//! Used by the command desk. It carries octets and knows nothing of what they mean: [`Carrier::send`]
//! is done when the broker has the command, which does not say that the agent has. A broker forgets
//! what it held when it restarts, so the desk sends whatever has no outcome again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dial::mqtt::{
    Attempt, Carriage, Client, Event, Login, Opens, Options, PublishError, RETRY, Standing,
    StartError, Version,
};
use dial::{Destination, Dialer, Stream, Trust};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use proto::topics::{self, Use};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use crate::RunError;
use crate::ca::Authority;
use crate::config::HubConfig;
use crate::door::broker::{Broker, HUB_CLIENT_ID};
use crate::state;

/// Messages of agents that wait to be taken. Beyond it the broker is not read from.
const ARRIVALS_MAX: usize = 64;

/// How long a silence may last before each side asks after the other.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How long an external broker keeps what agents said while the hub is away.
const SESSION_LIFE: Duration = Duration::from_secs(4 * 86_400);

/// Which broker the agents are at.
#[derive(Debug, Clone)]
pub enum Which {
    /// The hub's own.
    Own(Arc<Broker>),
    /// Another.
    External(External),
}

/// A broker that somebody else runs.
#[derive(Clone)]
pub struct External {
    /// Where it is.
    pub to: Destination,
    /// Says whom to believe there, and gives the certificate that lets the hub in; asked before
    /// each connection.
    pub trust: Arc<dyn Fn() -> Result<Trust, String> + Send + Sync>,
    /// A user name and password beside or in place of the certificate.
    pub login: Option<Login>,
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("External")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Which {
    /// The hub's own broker, if it is that.
    #[must_use]
    pub fn own(&self) -> Option<Arc<Broker>> {
        match self {
            Self::Own(broker) => Some(Arc::clone(broker)),
            Self::External(_) => None,
        }
    }

    /// What a connection to it is made with.
    fn attempt(&self) -> Result<Attempt, String> {
        let (carriage, login) = match self {
            Self::Own(broker) => (Carriage::Plain(Arc::new(Own(Arc::clone(broker)))), None),
            Self::External(external) => {
                let trust = (external.trust)()?;
                let dialer = Dialer::new(&trust).map_err(|error| format!("mqtt: {error}"))?;
                let to = external.to.clone();
                (Carriage::Tls { dialer, to }, external.login.clone())
            }
        };
        Ok(Attempt {
            carriage,
            login,
            will: None,
            renew_at: None,
        })
    }
}

/// The broker that is configured: starts the hub's own, or reads what the other one needs.
///
/// # Errors
/// [`RunError`] when the hub's own cannot start, or a configured file cannot be read.
pub async fn which(config: &HubConfig) -> Result<Which, RunError> {
    let Some(broker) = &config.doors.broker else {
        return Ok(Which::Own(Arc::new(Broker::start().await?)));
    };
    let text = |key: &'static str, path: &Path| match state::read(path) {
        Ok(Some(text)) => String::from_utf8(text).map_err(|_| unreadable(key, path)),
        Ok(None) | Err(_) => Err(unreadable(key, path)),
    };
    let authority = Authority::open(&config.state_dir, Timestamp::now())?;
    let roots_pem = match &broker.ca_file {
        None => authority.certificate_pem().to_owned(),
        Some(path) => text("mqtt.ca_file", path)?,
    };
    let given = match &broker.certificate {
        None => None,
        Some((certificate, key)) => Some((
            text("mqtt.certificate_file", certificate)?,
            text("mqtt.key_file", key)?,
        )),
    };
    let login = match &broker.login {
        None => None,
        Some((user, path)) => Some(Login {
            user: user.clone(),
            password: text("mqtt.password_file", path)?.trim_end().to_owned(),
        }),
    };
    let trust = move || {
        let identity = match &given {
            Some(given) => given.clone(),
            None => authority
                .sign_hub(HUB_CLIENT_ID, Timestamp::now())
                .map_err(|error| error.to_string())?,
        };
        Ok(Trust {
            roots_pem: roots_pem.clone(),
            identity: Some(identity),
        })
    };
    Ok(Which::External(External {
        to: broker.to.clone(),
        trust: Arc::new(trust),
        login,
    }))
}

fn unreadable(key: &'static str, path: &Path) -> RunError {
    RunError::File {
        key,
        path: path.to_owned(),
    }
}

/// What an agent said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which agent, as the broker let it in.
    pub agent_id: String,
    /// [`Use::Outcome`] or [`Use::Presence`].
    pub said: Use,
    /// An `Outcome` or a `Presence`, encoded and unchecked.
    pub payload: Vec<u8>,
}

/// Why the hub has no session with its broker.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// No client can be made.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Carrier {
    client: Client,
}

impl Carrier {
    /// Begins the session, which connects now and whenever it is lost. `folder` is where the socket
    /// between the hub and its MQTT library is made.
    ///
    /// # Errors
    /// [`CarrierError`].
    pub fn open(
        which: &Which,
        folder: PathBuf,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), CarrierError> {
        let which = which.clone();
        let (client, events) = Client::start(Options {
            attempts: Arc::new(move || which.attempt()),
            version: Version::V5,
            client_id: HUB_CLIENT_ID.to_owned(),
            filters: vec![topics::OUTCOMES.to_owned(), topics::PRESENCES.to_owned()],
            keep_alive: KEEP_ALIVE,
            session_life: SESSION_LIFE,
            retry: RETRY,
            folder,
        })?;
        let (arrive, arrivals) = mpsc::channel(ARRIVALS_MAX);
        tokio::spawn(listen(events, arrive));
        Ok((Self { client }, arrivals))
    }

    /// Publishes a signed command, encoded, to an agent; done when the broker has it.
    ///
    /// # Errors
    /// [`PublishError`]; it may have arrived all the same, and may be sent again.
    pub async fn send(&self, agent_id: &str, command: Vec<u8>) -> Result<(), PublishError> {
        let topic = topics::command(agent_id);
        self.client.publish(&topic, command).await
    }

    /// How the session stands, now and at each change.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.client.standing()
    }

    /// Ends the session.
    pub async fn close(&self) {
        self.client.close().await;
    }
}

/// The way to the hub's own broker.
struct Own(Arc<Broker>);

impl Opens for Own {
    fn open(&self) -> BoxFuture<'static, std::io::Result<Box<dyn Stream>>> {
        let broker = Arc::clone(&self.0);
        Box::pin(async move {
            let seat = broker.admit_hub().await?;
            let stream: Box<dyn Stream> = Box::new(seat);
            Ok(stream)
        })
    }
}

async fn listen(mut events: mpsc::Receiver<Event>, arrive: mpsc::Sender<Arrival>) {
    let mut is_down = false;
    while let Some(event) = events.recv().await {
        match event {
            Event::Connected => {
                is_down = false;
                info!("commands can be sent");
            }
            Event::Lost { why, .. } if is_down => debug!(why, "the broker is still away"),
            Event::Lost { why, .. } => {
                is_down = true;
                warn!(why, "the broker is away; commands wait in the store");
            }
            Event::Message(letter) => {
                let Some(arrival) = arrival(letter) else {
                    continue;
                };
                if arrive.send(arrival).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn arrival(letter: dial::mqtt::Letter) -> Option<Arrival> {
    let (agent_id, said) = topics::parse(&letter.topic)?;
    let is_agents = matches!(said, Use::Outcome | Use::Presence);
    let is_short = letter.payload.len() <= topics::PAYLOAD_BYTES_MAX;
    (is_agents && is_short).then(|| Arrival {
        agent_id: agent_id.to_owned(),
        said,
        payload: letter.payload,
    })
}
