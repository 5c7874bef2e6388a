//! A question as a user of version 3: who the engine is, then the question, then what it takes to
//! be understood. What each datagram means is for [`snmp::usm::Dialog`] to say.
//!
//! What is known of an engine is kept with its keys between two questions, a dialog a device and
//! user: a steady device costs as many packets as in version 2c.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use snmp::usm::{Asked, Dialog, Heard, MESSAGE_ID_MAX, Refusal, User};
use snmp::{Oid, Pdu, PduKind};
use tokio::time::Instant;

use super::super::credential::Credential;
use super::super::scope::InScope;
use super::super::socket::Line;
use super::super::unusable::Unusable;
use super::numbers::{random_number, random_request_id};
use super::{Answer, AskError, Counters, Snmp, WAIT_GROWTH, WAIT_MAX, pdu};

/// Most dialogs that are kept: as many as devices that one agent can know. Without one, a question
/// costs one packet more.
const DIALOGS_MAX: usize = 16_384;

/// What is known of engines.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    /// Those of which no question is out.
    idle: Mutex<HashMap<(SocketAddr, Arc<User>), Dialog>>,
    /// Which user each device answered to last.
    met: Mutex<HashMap<SocketAddr, Arc<User>>>,
}

impl Dialogs {
    /// The dialog with a device, for one question at a time.
    fn take(&self, peer: SocketAddr, user: &Arc<User>) -> Dialog {
        let known = self.known().remove(&(peer, user.clone()));
        known.unwrap_or_else(|| {
            let salt = (u64::from(random_number()) << 32) | u64::from(random_number());
            Dialog::new(user.clone(), salt)
        })
    }

    /// Keeps it for the next question. Where there is no room, another one goes.
    fn keep(&self, peer: SocketAddr, dialog: Dialog) {
        let mut known = self.known();
        if known.len() >= DIALOGS_MAX {
            let other = known.keys().next().cloned();
            other.and_then(|other| known.remove(&other));
        }
        let user = dialog.user().clone();
        known.insert((peer, user.clone()), dialog);
        drop(known);
        let mut met = self.met();
        if met.len() >= DIALOGS_MAX {
            let other = met.keys().next().copied();
            other.and_then(|other| met.remove(&other));
        }
        met.insert(peer, user);
    }

    /// Notes that a device refuses a user.
    fn refused(&self, peer: SocketAddr, user: &Arc<User>) {
        let mut met = self.met();
        if met.get(&peer) == Some(user) {
            met.remove(&peer);
        }
    }

    fn has(&self, peer: SocketAddr, user: &Arc<User>) -> bool {
        self.met().get(&peer) == Some(user)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(SocketAddr, Arc<User>), Dialog>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn met(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<User>>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device, and the socket that is connected to it.
struct Peer<'s> {
    addr: SocketAddr,
    line: &'s Line,
}

impl Snmp {
    /// Whether a device has answered to this user, and still did when it was last asked.
    #[must_use]
    pub fn is_acquainted(&self, target: &InScope, credential: &Credential) -> bool {
        match credential {
            Credential::User(user) => self.shared.dialogs.has(target.addr(), user),
            Credential::Community { .. } => false,
        }
    }

    /// Asks one question as a user.
    pub(super) async fn ask_as_user(
        &self,
        target: &InScope,
        user: &Arc<User>,
        kind: PduKind,
        oids: &[Oid],
    ) -> Result<Answer, AskError> {
        let peer = target.addr();
        let question = pdu(kind, oids, random_request_id());
        let Some(_turn) = self.shared.questions.take(self.lane).await else {
            return Err(AskError::Closed);
        };
        let line = self.shared.lines.take(peer);
        let line = line.map_err(|error| AskError::Unsendable { peer, error })?;
        let mut dialog = self.shared.dialogs.take(peer, user);
        dialog.begin();
        let to = Peer {
            addr: peer,
            line: &line,
        };
        let answer = self.converse(&to, &mut dialog, &question).await;
        self.shared.lines.keep(peer, line);
        // Where there is no answer, the next question begins with whether anybody is there.
        match &answer {
            Ok(_) => self.shared.dialogs.keep(peer, dialog),
            Err(AskError::Refused { .. }) => self.shared.dialogs.refused(peer, user),
            Err(_) => {}
        }
        answer
    }

    /// Sends what the dialog says until it has its answer or its refusal; it ends every question.
    async fn converse(
        &self,
        to: &Peer<'_>,
        dialog: &mut Dialog,
        question: &Pdu,
    ) -> Result<Answer, AskError> {
        let peer = to.addr;
        let started = Instant::now();
        let mut unusable = Unusable::default();
        let refused = |dialog: &Dialog, refusal, unusable| AskError::Refused {
            peer,
            user: dialog.user().name().to_owned(),
            refusal,
            unusable,
        };
        loop {
            let asked = Asked {
                message_id: random_number() & MESSAGE_ID_MAX,
                request_id: question.request_id,
            };
            let now = self.shared.opened_at.elapsed();
            let message = dialog.message(question, asked.message_id, now)?;
            let heard = self.exchange(to, dialog, (&message, asked), &mut unusable);
            let heard = heard.await;
            let heard = heard.map_err(|error| AskError::Unsendable { peer, error })?;
            match heard {
                Some((Heard::Answer(pdu), size_bytes)) => return Ok(Answer { pdu, size_bytes }),
                Some((Heard::Engine { id, boots, time }, _)) => {
                    let (user, of) = (dialog.user().clone(), id.clone());
                    // An extended key takes milliseconds.
                    let runtime = self.shared.lines.runtime();
                    let keys = runtime.spawn_blocking(move || user.localize(&of)).await;
                    let Ok(keys) = keys else {
                        return Err(AskError::Closed);
                    };
                    let now = self.shared.opened_at.elapsed();
                    dialog.meet(id, keys, (boots, time), now);
                }
                Some((Heard::Refused(refusal), _)) => {
                    return Err(refused(dialog, refusal, unusable));
                }
                Some((Heard::Again | Heard::Stray(_) | Heard::Malformed(_), _)) => {}
                None if dialog.has_discovered() => {
                    let level = dialog.user().level();
                    return Err(refused(dialog, Refusal::Unanswered(level), unusable));
                }
                None => {
                    return Err(AskError::Silent {
                        peer,
                        tries: self.shared.settings.retries.saturating_add(1),
                        waited: started.elapsed(),
                        unusable,
                    });
                }
            }
        }
    }

    /// Sends one message until something comes of it; none when nothing did.
    async fn exchange(
        &self,
        to: &Peer<'_>,
        dialog: &mut Dialog,
        (message, asked): (&[u8], Asked),
        unusable: &mut Unusable,
    ) -> std::io::Result<Option<(Heard, usize)>> {
        let mut wait = self.shared.settings.timeout;
        for attempt in 0..=self.shared.settings.retries {
            self.send(to.line, message, attempt).await?;
            let heard = self.hear_user(to, dialog, asked, unusable);
            match tokio::time::timeout(wait, heard).await {
                Ok(heard) => return Ok(Some(heard)),
                Err(_elapsed) => wait = wait.saturating_mul(WAIT_GROWTH).min(WAIT_MAX.max(wait)),
            }
        }
        Ok(None)
    }

    /// Waits for what means something. The rest is counted and dropped.
    async fn hear_user(
        &self,
        to: &Peer<'_>,
        dialog: &mut Dialog,
        asked: Asked,
        unusable: &mut Unusable,
    ) -> (Heard, usize) {
        let counters = &self.shared.counters;
        to.line
            .heard(|octets| {
                self.shared.flight.note(to.addr, octets);
                let now = self.shared.opened_at.elapsed();
                match dialog.hear(octets, asked, now) {
                    Heard::Stray(doubt) => {
                        Counters::add(&counters.strays, 1);
                        unusable.note(doubt.into());
                    }
                    Heard::Malformed(error) => {
                        Counters::add(&counters.malformed, 1);
                        unusable.note(error.into());
                    }
                    heard @ (Heard::Answer(_)
                    | Heard::Engine { .. }
                    | Heard::Again
                    | Heard::Refused(_)) => {
                        Counters::add(&counters.answers, 1);
                        return Some((heard, octets.len()));
                    }
                }
                None
            })
            .await
    }
}
