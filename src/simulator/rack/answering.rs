//! What a rack answers to a datagram: which device is asked, in which version, and whether it hears.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use snmp::usm::{Frame, Report};
use snmp::{DecodeError, Message};

use super::{Rack, own_seed, simulated_ms};
use crate::device::Device;
use crate::engine::{self, Engine, Said, Taken};
use crate::misbehave::{Asked, Mischief};

/// The number of version 3 on the wire.
const VERSION_3: i64 = 3;

impl Rack {
    /// Answers what came for an address, `elapsed` after the start of the fleet. What a device that
    /// misbehaves sends instead is with its mischief.
    pub(crate) fn answer(
        &mut self,
        to: IpAddr,
        bytes: &[u8],
        elapsed: Duration,
    ) -> Option<Vec<u8>> {
        self.counts.heard += 1;
        let Some(number) = self.places.get(&to).copied() else {
            self.counts.empty += 1;
            return None;
        };
        if self.mischief.loses() {
            self.counts.lost += 1;
            return None;
        }
        match snmp::decode(bytes) {
            Ok(question) => self.answer_community((to, number), &question, elapsed),
            Err(DecodeError::Version(VERSION_3)) => self.answer_user((to, number), bytes, elapsed),
            Err(_) => {
                self.counts.unreadable += 1;
                None
            }
        }
    }

    /// Answers a question with a community, in version 1 or 2c.
    fn answer_community(
        &mut self,
        (to, number): (IpAddr, u32),
        question: &Message,
        elapsed: Duration,
    ) -> Option<Vec<u8>> {
        let standing = self.devices.get(number as usize)?;
        let kind = self.groups.get(standing.kind as usize)?;
        if !kind.group.versions.has(question.version) {
            self.counts.unreadable += 1;
            return None;
        }
        let context = match question.community.strip_prefix(self.community.as_slice()) {
            Some([]) => &[],
            Some([b'@', context @ ..]) if kind.contexts.contains_key(context) => context,
            _ => {
                self.counts.strangers += 1;
                return None;
            }
        };
        let trick = kind.group.misbehave.filter(|trick| !trick.is_of_engine());
        let now_ms = self.wake((to, number), elapsed)?;
        let answer = self.put(number, (question, context), now_ms, 0);
        let answer = answer.and_then(|answer| answer.encode().ok());
        self.count(answer.is_some());
        let Some(trick) = trick else {
            return answer;
        };
        let asked = Asked {
            question,
            honest: answer,
            elapsed,
        };
        self.mischief.play(trick, number, asked);
        None
    }

    /// Answers a message of version 3.
    fn answer_user(
        &mut self,
        (to, number): (IpAddr, u32),
        bytes: &[u8],
        elapsed: Duration,
    ) -> Option<Vec<u8>> {
        let standing = self.devices.get(number as usize)?;
        let group = &self.groups.get(standing.kind as usize)?.group;
        let frame = Frame::decode(bytes).ok();
        let Some(frame) = frame.filter(|_| group.versions.has_users()) else {
            self.counts.unreadable += 1;
            return None;
        };
        let (users, speed) = (group.users.clone(), group.speed);
        let trick = group.misbehave.filter(|trick| trick.is_of_engine());
        let now_ms = self.wake((to, number), elapsed)?;
        let mut engine = self.engine(number, speed, now_ms)?;
        if let Some(trick) = trick {
            self.mischief.pretend(trick, number, &mut engine);
        }
        let ledger = self.ledgers.entry(number).or_default();
        let Some(taken) = engine.take(&frame, &users, ledger) else {
            self.counts.unreadable += 1;
            return None;
        };
        let (said, keys) = match taken {
            Taken::Refused(said, keys) => {
                self.counts.strangers += u64::from(!frame.engine_id.is_empty());
                (said, keys)
            }
            Taken::Question {
                question,
                context,
                keys,
            } => match self.put(
                number,
                (&question, &context),
                now_ms,
                engine::ENVELOPE_BYTES,
            ) {
                Some(answer) => (Said::Answer(answer.pdu, context), keys),
                None => (Said::Report(Report::UnknownContext), keys),
            },
        };
        let (said, keys) = match trick {
            Some(trick) => Mischief::twist(trick, &frame, (said, keys)),
            None => (said, keys),
        };
        let ledger = self.ledgers.entry(number).or_default();
        let message = engine.say(&frame, &said, &keys, ledger);
        self.count(message.is_some());
        match trick {
            Some(trick) => Some(self.mischief.spoil(trick, number, (message?, &keys))),
            None => message,
        }
    }

    /// Brings a device to this time; `None` where it hears nothing now.
    fn wake(&mut self, (to, number): (IpAddr, u32), elapsed: Duration) -> Option<u64> {
        let standing = self.devices.get_mut(number as usize)?;
        let kind = self.groups.get(standing.kind as usize)?;
        let now_ms = simulated_ms(elapsed + self.ahead, kind.group.speed);
        if !kind.group.frozen {
            let seed = own_seed(self.seed, number);
            standing.device.live(&kind.group.life, seed, now_ms);
        }
        if standing.device.is_silent(&kind.group.life) || self.mischief.is_silenced(to) {
            self.counts.silent += 1;
            return None;
        }
        Some(now_ms)
    }

    /// Puts a question to a device, in a context; the usual one has no name. `None` where there is
    /// no such context, or the question is none.
    fn put(
        &self,
        number: u32,
        (question, context): (&Message, &[u8]),
        now_ms: u64,
        envelope_bytes: usize,
    ) -> Option<Message> {
        let standing = self.devices.get(number as usize)?;
        let kind = self.groups.get(standing.kind as usize)?;
        let size_max = kind.group.answer_size_max.saturating_sub(envelope_bytes);
        if context.is_empty() {
            return crate::snmp::answer(&standing.device, question, now_ms, size_max);
        }
        let device = Device {
            machine: Arc::clone(kind.contexts.get(context)?),
            identity: standing.device.identity.clone(),
            life: None,
        };
        crate::snmp::answer(&device, question, now_ms, size_max)
    }

    /// The engine of a device, whose clock goes as fast as that of whoever asks.
    fn engine(&self, number: u32, speed: f64, now_ms: u64) -> Option<Engine> {
        let life = self.devices.get(number as usize)?.device.life.as_deref();
        let starts = life.map_or(0, |life| life.starts);
        let up_ms = life.map_or(now_ms, |life| life.up_ms().0);
        let real_ms = if speed > 0.0 {
            up_ms as f64 / speed
        } else {
            0.0
        };
        let own = own_seed(self.seed, number);
        Some(Engine::of(own, starts + 1, (real_ms / 1000.0) as u64))
    }

    fn count(&mut self, is_answered: bool) {
        if is_answered {
            self.counts.answered += 1;
        } else {
            self.counts.unreadable += 1;
        }
    }
}
