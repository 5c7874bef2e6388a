//! One user and one device: what is known of its engine, and what each datagram from it means.
//!
//! Who asks calls [`Dialog::begin`] for a question, sends [`Dialog::message`], and hands what comes
//! to [`Dialog::hear`], until there is an answer or a refusal. Each question may find the engine
//! anew and set its clock, a bounded number of times; then a refusal it is.
//!
//! What is believed: an answer only at the level that was asked at, from the engine that is known,
//! under the MAC of its keys, within its window, and under both ids of the question, which a
//! stranger cannot guess and a replay does not have. A Report without a MAC can only end a question
//! or have the engine found again; it never makes us ask at a lower level.

use std::sync::Arc;
use std::time::Duration;

use crate::{DecodeError, EncodeError, ErrorStatus, Pdu, PduKind};

use super::algorithm::Level;
use super::clock::{Clock, Timeliness};
use super::frame::{Draft, ENGINE_ID_BYTES_MAX, Frame, Scoped, discovery, plain_scoped};
use super::key::Keys;
use super::report::{Refusal, Report};
use super::user::User;

/// How often one question may find the engine: once where it is not known, and once more when it
/// turns out to be another or to have lost its clock.
const DISCOVERIES_MAX: u32 = 2;

/// How often one question may set the clock by an authentic report.
const CLOCK_SETTINGS_MAX: u32 = 1;

/// authorizationError (RFC 3416 §3): no view for this user at this level.
const AUTHORIZATION_ERROR: ErrorStatus = ErrorStatus::Other(16);

/// What one user knows of one device.
#[derive(Debug)]
pub struct Dialog {
    user: Arc<User>,
    engine: Option<Engine>,
    /// Counts the messages that are encrypted, from a random start: no salt is used twice.
    salt: u64,
    discoveries: u32,
    clock_settings: u32,
}

#[derive(Debug)]
struct Engine {
    id: Vec<u8>,
    keys: Keys,
    clock: Clock,
}

/// The ids of a question that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Of the message: random, 0 to 2³¹−1.
    pub message_id: u32,
    /// Of the PDU: random, 1 to 2³¹−1.
    pub request_id: i64,
}

/// What a datagram was.
#[derive(Debug)]
pub enum Heard {
    /// The answer.
    Answer(Pdu),
    /// The engine says who it is: localize the user's keys, [`Dialog::meet`] it, and ask again.
    Engine {
        /// Its id.
        id: Vec<u8>,
        /// Its boots, as anybody could have said them.
        boots: u32,
        /// Its time, as anybody could have said it.
        time: u32,
    },
    /// Ask again: the message will be another one.
    Again,
    /// There will be no answer.
    Refused(Refusal),
    /// Nothing that was asked for, or nothing that can be believed: wait on.
    Stray(Doubt),
    /// No message of version 3, or one whose contents cannot be read.
    Malformed(DecodeError),
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It has another msgID: it is late, came twice, or is replayed.
    #[error("the answer belongs to another message")]
    Message,
    /// It answers a discovery and names no engine.
    #[error("the answer names no engine")]
    NoEngine,
    /// Its engine is not the one that was asked.
    #[error("the answer is of another engine")]
    Engine,
    /// Its MAC is missing, of another length, or wrong.
    #[error("the answer's MAC is not one of the user's key")]
    Mac,
    /// It is less well secured than the question.
    #[error("the answer is secured as {0} only")]
    Level(Level),
    /// It is to another user.
    #[error("the answer is to another user")]
    User,
    /// It has another request-id, or is no answer at all.
    #[error("the answer has the request-id of another question")]
    Question,
}

impl Dialog {
    /// Nothing is known yet. `salt` is where the salts begin: a random number.
    #[must_use]
    pub fn new(user: Arc<User>, salt: u64) -> Self {
        Self {
            user,
            engine: None,
            salt,
            discoveries: 0,
            clock_settings: 0,
        }
    }

    /// Whose dialog it is.
    #[must_use]
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Begins a question.
    pub fn begin(&mut self) {
        self.discoveries = 0;
        self.clock_settings = 0;
    }

    /// Whether this question found the engine: the device is there.
    #[must_use]
    pub fn has_discovered(&self) -> bool {
        self.discoveries > 0
    }

    /// The message to send: the question, or first who the engine is.
    ///
    /// # Errors
    /// [`EncodeError`] when the question cannot be written.
    pub fn message(
        &mut self,
        pdu: &Pdu,
        message_id: u32,
        now: Duration,
    ) -> Result<Vec<u8>, EncodeError> {
        let Some(engine) = &self.engine else {
            return discovery(message_id);
        };
        self.salt = self.salt.wrapping_add(1);
        let (boots, time) = engine.clock.at(now);
        let draft = Draft {
            message_id,
            is_reportable: true,
            engine_id: &engine.id,
            boots,
            time,
            user: self.user.name().as_bytes(),
            scoped: &plain_scoped(&engine.id, self.user.context().as_bytes(), pdu)?,
        };
        Ok(draft.encode(&engine.keys, self.salt))
    }

    /// Takes an engine that said who it is, with the user's keys for it.
    pub fn meet(&mut self, id: Vec<u8>, keys: Keys, (boots, time): (u32, u32), now: Duration) {
        let clock = Clock::guessed(boots, time, now);
        self.engine = Some(Engine { id, keys, clock });
    }

    /// Takes a datagram from the device.
    pub fn hear(&mut self, bytes: &[u8], asked: Asked, now: Duration) -> Heard {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => return Heard::Malformed(error),
        };
        if frame.message_id != asked.message_id {
            return Heard::Stray(Doubt::Message);
        }
        let Some(engine) = &mut self.engine else {
            return self.hear_engine(&frame);
        };
        if frame.level == Level::NoAuthNoPriv {
            return match frame.contents(&engine.keys) {
                Ok(Scoped::Report(report)) => self.hear_report(report),
                Ok(Scoped::Pdu { pdu, .. }) => self.hear_answer(&frame, pdu, asked),
                Err(error) => Heard::Malformed(error),
            };
        }
        if frame.engine_id != engine.id {
            return Heard::Stray(Doubt::Engine);
        }
        if !frame.is_authentic(&engine.keys) {
            return Heard::Stray(Doubt::Mac);
        }
        match engine.clock.judge(frame.boots, frame.time, now) {
            Timeliness::Fresh => {}
            Timeliness::Latched => return Heard::Refused(Refusal::BootsLatched),
            Timeliness::Stale => return self.forget(Refusal::ClockJumps),
        }
        match frame.contents(&engine.keys) {
            // The clock is set by now.
            Ok(Scoped::Report(Report::NotInTimeWindow))
                if self.clock_settings < CLOCK_SETTINGS_MAX =>
            {
                self.clock_settings += 1;
                Heard::Again
            }
            Ok(Scoped::Report(report)) => self.hear_report(report),
            Ok(Scoped::Pdu { pdu, .. }) => self.hear_answer(&frame, pdu, asked),
            Err(error) => Heard::Malformed(error),
        }
    }

    /// Whatever comes in answer to a discovery names the engine.
    fn hear_engine(&mut self, frame: &Frame<'_>) -> Heard {
        if frame.engine_id.is_empty() || frame.engine_id.len() > ENGINE_ID_BYTES_MAX {
            return Heard::Stray(Doubt::NoEngine);
        }
        self.discoveries += 1;
        Heard::Engine {
            id: frame.engine_id.to_vec(),
            boots: frame.boots,
            time: frame.time,
        }
    }

    /// Takes an answer, if it is one to this user at this level; its MAC has been seen to.
    fn hear_answer(&self, frame: &Frame<'_>, pdu: Pdu, asked: Asked) -> Heard {
        let is_engine = self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.id == frame.engine_id);
        if !is_engine {
            Heard::Stray(Doubt::Engine)
        } else if frame.level != self.user.level() {
            Heard::Stray(Doubt::Level(frame.level))
        } else if frame.user != self.user.name().as_bytes() {
            Heard::Stray(Doubt::User)
        } else if pdu.kind != PduKind::Response || pdu.request_id != asked.request_id {
            Heard::Stray(Doubt::Question)
        } else if pdu.error_status == AUTHORIZATION_ERROR {
            Heard::Refused(Refusal::NotAuthorized(self.user.level()))
        } else {
            Heard::Answer(pdu)
        }
    }

    /// What a Report means for the question.
    fn hear_report(&mut self, report: Report) -> Heard {
        let level = self.user.level();
        let auth = self.user.auth().map_or("none", |auth| auth.word());
        let privacy = self.user.privacy().map_or("none", |it| it.word());
        Heard::Refused(match report {
            Report::UnknownEngine => return self.forget(Refusal::EngineChanges),
            Report::NotInTimeWindow => return self.forget(Refusal::ClockJumps),
            Report::UnknownUser => Refusal::UnknownUser,
            Report::WrongDigest => Refusal::WrongDigest(auth),
            Report::Undecipherable => Refusal::Undecipherable(privacy),
            Report::UnsupportedLevel => Refusal::UnsupportedLevel(level),
            Report::UnknownContext => Refusal::UnknownContext,
            Report::UnknownModel => Refusal::UnknownModel,
            Report::Other(oid) => Refusal::Other(oid),
            Report::Unnamed => Refusal::Unnamed,
        })
    }

    /// Has the engine found anew, if this question may still do that.
    fn forget(&mut self, otherwise: Refusal) -> Heard {
        if self.discoveries >= DISCOVERIES_MAX {
            return Heard::Refused(otherwise);
        }
        self.engine = None;
        Heard::Again
    }
}
