//! The desk of commands: takes what the carriage brings, has it carried out once, tells the end.
//!
//! Octets → [`verify`] (is it ours, may it be done) → [`journal`] (was it done already) → the
//! Supervisor, with a time for each kind → the journal again → the carriage. Whatever the broker
//! or a proxy did on the way, a command is done at most once, and every delivery of it is answered
//! with the same outcome. Who floods the desk is not answered: the hub sends again what it misses.

mod carriage;
mod journal;
mod outcome;
mod translate;
mod verify;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, MailboxError};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

pub use self::carriage::{Carriage, Line, MqttCarriage};
use self::journal::{Beginning, Begun};
pub use self::journal::{Journal, JournalError};
use self::outcome::{Outcome, State};
use self::verify::{NotOurs, Opened};
use crate::mask::Masks;
use crate::messages::Execute;
use crate::order::{Order, Progress};
use crate::site::Unwilling;
use crate::supervisor::Supervisor;
use crate::uplink::mqtt::{Incoming, ReplyTo};

/// Commands in hand at once; more wait for the hub to send them again.
const IN_HAND_MAX: usize = 16;

/// Commands that are looked at in a minute: a person gives a handful, a script some dozens.
const PER_MINUTE_MAX: usize = 60;

/// A minute, for counting.
const MINUTE: Duration = Duration::from_secs(60);

/// Least time between two words of progress: a console is read by a person.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Whom an agent believes, and what it remembers of its commands.
#[derive(Debug, Clone)]
pub struct CommandParts {
    /// What brings them.
    pub carriage: Arc<dyn Carriage>,
    /// Our id in the certificate: a command for another is none for us.
    pub agent_id: String,
    /// The hub's key for commands, Ed25519, pinned at enrollment.
    pub command_key: Vec<u8>,
    /// What was done already.
    pub journal: Journal,
}

/// What the desk needs to carry one command out. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    parts: Arc<CommandParts>,
    boss: Addr<Supervisor>,
    outcomes: mpsc::Sender<(ReplyTo, Vec<u8>)>,
    masks: Masks,
}

/// Who is let at the desk: a bound on what is in hand and on what comes in a minute.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    in_hand: usize,
    recent: VecDeque<Instant>,
    /// Turned away since the last line of the log about it.
    turned_away: u32,
    told_at: Option<Instant>,
}

impl Counter {
    /// Whether one more may come now.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) > MINUTE)
        {
            self.recent.pop_front();
        }
        if self.in_hand >= IN_HAND_MAX || self.recent.len() >= PER_MINUTE_MAX {
            self.turn_away(now);
            return false;
        }
        self.recent.push_back(now);
        self.in_hand += 1;
        true
    }

    /// One is done with.
    pub(crate) fn leave(&mut self) {
        self.in_hand = self.in_hand.saturating_sub(1);
    }

    /// One line a minute, however many come.
    fn turn_away(&mut self, now: Instant) {
        self.turned_away = self.turned_away.saturating_add(1);
        let is_time = |at: Instant| now.saturating_duration_since(at) > MINUTE;
        if self.told_at.is_none_or(is_time) {
            warn!(
                commands = self.turned_away,
                in_hand = self.in_hand,
                "too many commands at once; left for the hub to send again"
            );
            (self.told_at, self.turned_away) = (Some(now), 0);
        }
    }
}

impl Desk {
    /// A desk whose outcomes go to `outcomes`, masked.
    pub(crate) fn new(
        parts: CommandParts,
        boss: Addr<Supervisor>,
        outcomes: mpsc::Sender<(ReplyTo, Vec<u8>)>,
        masks: Masks,
    ) -> Self {
        Self {
            parts: Arc::new(parts),
            boss,
            outcomes,
            masks,
        }
    }

    /// Ends what an earlier life left without an end; before that nothing is heard.
    pub(crate) async fn open(&self) {
        match self.parts.journal.settle(Timestamp::now()).await {
            Ok(0) => {}
            Ok(commands) => warn!(commands, "commands were cut short by the last end"),
            // Each command will be refused with the reason.
            Err(error) => error!(%error, "the journal of commands cannot be settled"),
        }
    }

    /// Takes one delivery from octets to its answer.
    pub(crate) async fn take(self, incoming: Incoming) {
        let Incoming { payload, reply } = incoming;
        let now = Timestamp::now();
        let parts = &self.parts;
        let command = match verify::open(&payload, &parts.command_key, &parts.agent_id) {
            Ok(command) => command,
            Err(why) => return self.turn_down(why, &reply, now),
        };
        let beginning = Beginning {
            id: command.id.clone(),
            kind: command.kind(),
            issuer: command.issuer.clone(),
            digest: command.digest,
            expires_ms: command.expires_ms,
        };
        match parts.journal.begin(beginning, now).await {
            Ok(Begun::First) => self.carry_out(command, &reply, now).await,
            Ok(Begun::Underway) => debug!(id = %command.id, "delivered again while underway"),
            Ok(Begun::Ended { outcome, is_same }) => {
                if is_same {
                    debug!(id = %command.id, "delivered again; answered as before");
                } else {
                    warn!(id = %command.id, kind = command.kind(), "another command under an id that was used; nothing was done");
                }
                self.tell(&reply, &outcome);
            }
            Err(JournalError::Full) => {
                warn!(id = %command.id, "the journal of commands is full; left unanswered");
            }
            Err(error) => {
                let why =
                    format!("nothing was done, because it could not be written down: {error}");
                let outcome = Outcome::new(&command.id, State::Refused, &why, now);
                note(&command, &outcome);
                self.tell(&reply, &outcome);
            }
        }
    }

    /// What is no command for us is known to the log, and to whoever called a method or wrote a
    /// twin and waits for a word. On a topic it would end a real command of the same id.
    fn turn_down(&self, why: NotOurs, reply: &ReplyTo, now: Timestamp) {
        warn!(%why, "something came as a command that is none; nothing was done");
        match reply {
            ReplyTo::Topic => {}
            ReplyTo::Method(_) | ReplyTo::Twin(_) => {
                let why = format!("it is no command for this agent: {why}");
                self.tell(reply, &Outcome::new("", State::Refused, &why, now));
            }
        }
    }

    /// Has a command carried out that was never seen before, and tells its end.
    async fn carry_out(&self, command: Opened, reply: &ReplyTo, now: Timestamp) {
        let outcome = match verify::judge(&command, now) {
            Err(verdict) => Outcome::of_verdict(&command.id, &verdict, now),
            Ok(order) => {
                self.tell(
                    reply,
                    &Outcome::new(&command.id, State::Progress, "begun", now),
                );
                debug!(id = %command.id, kind = command.kind(), "a command is begun");
                let end = self.execute(&command.id, order, reply).await;
                Outcome::of_end(&command.id, end, Timestamp::now())
            }
        };
        note(&command, &outcome);
        if let Err(error) = self.parts.journal.end(outcome.clone()).await {
            // It is told all the same: the hub's first last word is the true one.
            error!(id = %command.id, %error, "the end of a command could not be written down");
        }
        self.tell(reply, &outcome);
    }

    /// Gives an order to the Supervisor and tells how far it is until it ends.
    async fn execute(&self, id: &str, order: Order, reply: &ReplyTo) -> crate::order::Ended {
        let patience = order.patience();
        let progress = Progress::default();
        let mut heard = progress.hear();
        let execute = Execute { order, progress };
        let ended = self.boss.send(execute).timeout(patience);
        tokio::pin!(ended);
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        loop {
            tokio::select! {
                ended = &mut ended => return match ended {
                    Ok(ended) => ended,
                    Err(MailboxError::Timeout) => Err(Unwilling::Failed(format!(
                        "it took longer than {} s; it may still take effect",
                        patience.as_secs()
                    ))),
                    Err(MailboxError::Closed) => Err(Unwilling::Failed(
                        "whoever carried it out died over it; it may be tried again".to_owned(),
                    )),
                },
                _ = ticks.tick() => {
                    if heard.has_changed().unwrap_or(false) {
                        let words = heard.borrow_and_update().clone();
                        self.tell(reply, &Outcome::new(id, State::Progress, &words, Timestamp::now()));
                    }
                }
            }
        }
    }

    /// Hands an outcome to the carriage. What does not fit is told at the hub's next question.
    fn tell(&self, reply: &ReplyTo, outcome: &Outcome) {
        let letter = (reply.clone(), outcome.masked(&self.masks).to_wire());
        if self.outcomes.try_send(letter).is_err() {
            debug!(id = %outcome.id, "an outcome waits for the hub to ask again");
        }
    }
}

/// Every command and its end stand in the site's log.
fn note(command: &Opened, outcome: &Outcome) {
    info!(
        id = %command.id,
        kind = command.kind(),
        issuer = %command.issuer,
        reason = %command.reason,
        outcome = ?outcome.state,
        why = %outcome.why,
        "command"
    );
}

#[cfg(test)]
mod tests;
