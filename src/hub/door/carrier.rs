//! The hub's own session with the broker: commands out, outcomes and presences in.
//!
//! Used by the command desk. It carries octets and knows nothing of what they mean: [`Carrier::send`]
//! is done when the broker has the command, which does not say that the agent has. A broker forgets
//! what it held when it restarts, so the desk sends whatever has no outcome again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dial::mqtt::{
    Attempt, Carriage, Client, Event, Login, Opens, Options, PublishError, RETRY, Standing,
    StartError, Version,
};
use dial::{Destination, Dialer, Stream, Trust, TrustError};
use futures_util::future::BoxFuture;
use proto::topics::{self, Use};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use crate::door::broker::{Broker, HUB_CLIENT_ID};

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
#[derive(Debug, Clone)]
pub struct External {
    /// Where it is.
    pub to: Destination,
    /// Whom to believe there, and the certificate that lets the hub in.
    pub trust: Trust,
    /// A user name and password beside or in place of the certificate.
    pub login: Option<Login>,
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
    /// The external broker cannot be believed.
    #[error("mqtt.ca_file, mqtt.certificate_file: {0}")]
    Trust(#[from] TrustError),
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
        let (carriage, login) = match which {
            Which::Own(broker) => (Carriage::Plain(Arc::new(Own(Arc::clone(broker)))), None),
            Which::External(external) => {
                let dialer = Dialer::new(&external.trust)?;
                let to = external.to.clone();
                (Carriage::Tls { dialer, to }, external.login.clone())
            }
        };
        let attempt = Attempt {
            carriage,
            login,
            will: None,
            renew_at: None,
        };
        let (client, events) = Client::start(Options {
            attempts: Arc::new(move || Ok(attempt.clone())),
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
