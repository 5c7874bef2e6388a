//! What brings commands and takes outcomes: MQTT, or whatever a test puts in its place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dial::{Dialer, Trust};
use tokio::sync::{mpsc, watch};
use tracing::{debug, error};

use crate::parts::HubLink;
use crate::uplink::mqtt::{CommandLine, Incoming, LineState, MqttLink, ReplyTo, Speaker};

/// Outcomes that may wait to be sent; more are left to the hub's next question.
const OUTCOMES_MAX: usize = 64;

/// How often an outcome is tried again that did not get through. The hub asks again every 30 s.
const TRIES: u32 = 3;

/// Pause before the next try: a connection that was lost is often back by then.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What brings commands.
pub trait Carriage: fmt::Debug + Send + Sync {
    /// Connects, and stays so by itself. Called on the runtime at each start of the uplink; the
    /// line before ended when its receiver was dropped.
    fn open(&self) -> Line;
}

/// The ends of a carriage.
#[derive(Debug)]
pub struct Line {
    /// Signed commands, unchecked, as they come.
    pub commands: mpsc::Receiver<Incoming>,
    /// Outcomes, and where each goes.
    pub outcomes: mpsc::Sender<(ReplyTo, Vec<u8>)>,
    /// How the line stands.
    pub state: watch::Receiver<LineState>,
}

/// MQTT, as the site configured it.
#[derive(Debug, Clone)]
pub struct MqttCarriage {
    /// Where the broker is, and how it is spoken to.
    pub link: MqttLink,
    /// Who speaks.
    pub speaker: Speaker,
    /// Changes with each certificate of the speaker's.
    pub renewed: watch::Receiver<()>,
}

impl MqttCarriage {
    /// The line that a hub's link names; none without one. The certificate is taken anew for each
    /// connection, because it is renewed while we live.
    #[must_use]
    pub fn of(hub: &HubLink, agent_id: &str) -> Option<Self> {
        let link = hub.mqtt.clone()?;
        let roots = link.authority_pem.clone();
        let roots = roots.unwrap_or_else(|| hub.authority_pem.clone());
        let (keeper, route) = (Arc::clone(&hub.keeper), hub.route.clone());
        let dialers = move || {
            let papers = keeper.current();
            let key = String::from_utf8_lossy(papers.key_pem.expose()).into_owned();
            let trust = Trust {
                roots_pem: roots.clone(),
                identity: Some((papers.certificate_pem, key)),
            };
            Dialer::through(&trust, route.clone()).map_err(|error| error.to_string())
        };
        let speaker = Speaker {
            agent_id: agent_id.to_owned(),
            instance: hub.keeper.instance().to_owned(),
            dialers: Arc::new(dialers),
            outbox: hub.outbox.clone(),
        };
        Some(Self {
            link,
            speaker,
            renewed: hub.renewed.subscribe(),
        })
    }
}

impl Carriage for MqttCarriage {
    fn open(&self) -> Line {
        let (outcomes, to_tell) = mpsc::channel(OUTCOMES_MAX);
        let mut renewed = self.renewed.clone();
        // What changed before now is what the first connection is made with.
        renewed.mark_unchanged();
        match CommandLine::open(&self.link, self.speaker.clone()) {
            Ok((line, commands)) => {
                let state = line.state();
                tokio::spawn(follow(line.clone(), renewed));
                tokio::spawn(tell(line, to_tell));
                Line {
                    commands,
                    outcomes,
                    state,
                }
            }
            Err(error) => {
                error!(%error, "there is no line for commands");
                let trouble = Some(error.to_string());
                let state = LineState {
                    trouble,
                    ..LineState::default()
                };
                Line {
                    commands: mpsc::channel(1).1,
                    outcomes,
                    state: watch::channel(state).1,
                }
            }
        }
    }
}

/// Connects anew with each new certificate, as long as the line lives: who checks certificates cuts
/// a connection that was made with the one before.
async fn follow(line: CommandLine, mut renewed: watch::Receiver<()>) {
    let mut state = line.state();
    let ended = async { while state.changed().await.is_ok() {} };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            changed = renewed.changed() => match changed {
                Ok(()) => line.renew().await,
                Err(_) => return,
            },
            () = &mut ended => return,
        }
    }
}

/// Sends outcomes until nobody makes any more, then says goodbye.
async fn tell(line: CommandLine, mut to_tell: mpsc::Receiver<(ReplyTo, Vec<u8>)>) {
    while let Some((reply, outcome)) = to_tell.recv().await {
        for attempt in 1..=TRIES {
            match line.answer(&reply, &outcome).await {
                Ok(()) => break,
                Err(error) => debug!(%error, attempt, "an outcome did not get through"),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }
    line.close().await;
}
