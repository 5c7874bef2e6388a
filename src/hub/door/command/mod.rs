//! The desk of commands: sends what the store holds until it is answered, and keeps the answers.
//!
//! The store is the only memory: a restart, of the hub or of the broker, loses no command, because
//! whatever has no last word is sent again. Who may order what is asked before anything gets into
//! the store ([`crate::permission`], [`issue`]); here nothing is decided. What agents say is
//! bounded and made harmless before it is kept.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use prost::Message;
use proto::topics::Use;
use proto::v1;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error, info, warn};

use crate::door::carrier::{Arrival, Carrier};
use crate::store::commands::{CommandState, Heard, LastWord};
use crate::store::{Store, StoreError, Tenant};

pub mod doctor;
pub mod issue;
pub mod order;
pub mod seal;

/// How often the store is looked at: a person waits for the first word.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a command that was sent waits for its answer before it is sent again.
const SEND_AGAIN: Duration = Duration::from_secs(30);

/// Longest words of an agent that are kept, in characters.
const WORDS_MAX: usize = 500;

/// Longest result that is kept, in octets (command.proto).
const RESULT_BYTES_MAX: usize = 256 * 1024;

/// Takes commands to agents.
pub trait Carries: Send + Sync {
    /// Hands a signed command over; done when the broker has it. Why not, in words.
    fn carry<'a>(&'a self, agent: &'a str, command: Vec<u8>) -> BoxFuture<'a, Result<(), String>>;
}

impl Carries for Carrier {
    fn carry<'a>(&'a self, agent: &'a str, command: Vec<u8>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let sent = self.send(agent, command).await;
            sent.map_err(|error| error.to_string())
        })
    }
}

/// The desk.
pub struct Desk {
    store: Store,
    tenant: Tenant,
    carrier: Arc<dyn Carries>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk over a store.
    #[must_use]
    pub fn new(store: Store, tenant: Tenant, carrier: Arc<dyn Carries>) -> Self {
        Self {
            store,
            tenant,
            carrier,
        }
    }

    /// Works until `stopped`, or until nobody can say anything any more.
    pub async fn work(self, mut said: mpsc::Receiver<Arrival>, stopped: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = &mut stopped => return,
                _ = looks.tick() => self.turn(Timestamp::now()).await,
                heard = said.recv() => match heard {
                    Some(heard) => self.hear(&heard, Timestamp::now()).await,
                    None => return,
                },
            };
            if let Err(error) = done {
                error!(%error, "the store does not answer; commands wait");
            }
        }
    }

    /// Ends what is past its time and sends what is due.
    async fn turn(&self, now: Timestamp) -> Result<(), StoreError> {
        let ended = self.store.commands_expire(&self.tenant, now).await?;
        if ended > 0 {
            info!(ended, "commands had no answer in their time");
        }
        let again = now - SEND_AGAIN;
        for due in self.store.commands_due(&self.tenant, again, now).await? {
            match self.carrier.carry(&due.agent, due.body).await {
                Ok(()) => {
                    debug!(id = %due.id, agent = %due.agent, kind = %due.kind, "sent");
                    self.store.command_sent(&self.tenant, &due.id, now).await?;
                }
                Err(why) => {
                    debug!(%why, "no command can be sent");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes what an agent said.
    async fn hear(&self, said: &Arrival, now: Timestamp) -> Result<(), StoreError> {
        match said.said {
            Use::Outcome => self.hear_outcome(said, now).await,
            Use::Presence => self.hear_presence(said).await,
            Use::Command => Ok(()),
        }
    }

    async fn hear_outcome(&self, said: &Arrival, now: Timestamp) -> Result<(), StoreError> {
        let agent = said.agent_id.as_str();
        let Ok(outcome) = v1::Outcome::decode(said.payload.as_slice()) else {
            warn!(agent, "an agent sent something as an outcome that is none");
            return Ok(());
        };
        let id: String = outcome.command_id.chars().take(32).collect();
        let why = words(&outcome.why);
        let state = match outcome.state() {
            v1::outcome::State::Progress => {
                self.store
                    .command_progress(&self.tenant, (agent, &id), &why)
                    .await?;
                return Ok(());
            }
            v1::outcome::State::Done => CommandState::Done,
            v1::outcome::State::Refused => CommandState::Refused,
            v1::outcome::State::Failed => CommandState::Failed,
            v1::outcome::State::Expired => CommandState::Expired,
            v1::outcome::State::Unspecified => {
                warn!(agent, %id, "an agent sent an outcome of no kind");
                return Ok(());
            }
        };
        let is_short = outcome.result.len() <= RESULT_BYTES_MAX;
        let result = if is_short {
            outcome.result.as_slice()
        } else {
            &[]
        };
        let word = LastWord {
            state,
            why: &why,
            result,
        };
        let heard = self
            .store
            .command_answer(&self.tenant, (agent, &id), &word, now)
            .await?;
        match heard {
            Heard::First => info!(agent, %id, outcome = state.as_str(), %why, "a command ended"),
            Heard::Again => debug!(agent, %id, "an outcome was said again"),
            Heard::Other(first) => warn!(
                agent, %id, first = first.as_str(), second = state.as_str(),
                "a second and different outcome; the first one stays"
            ),
            Heard::Unknown => warn!(agent, %id, "an outcome of no command of this agent's"),
        }
        Ok(())
    }

    /// An agent that has just come is sent at once whatever it has not answered.
    async fn hear_presence(&self, said: &Arrival) -> Result<(), StoreError> {
        let Ok(presence) = v1::Presence::decode(said.payload.as_slice()) else {
            warn!(agent = %said.agent_id, "an agent sent something as a presence that is none");
            return Ok(());
        };
        debug!(agent = %said.agent_id, is_online = presence.is_online, "presence");
        if presence.is_online {
            self.store
                .commands_due_for(&self.tenant, &said.agent_id)
                .await?;
            self.turn(Timestamp::now()).await?;
        }
        Ok(())
    }
}

/// An agent's words, bounded, without what moves a cursor.
fn words(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(WORDS_MAX)
        .collect()
}

#[cfg(test)]
mod tests;
