//! What follows a first answer in a sweep: a better version, a smaller question, the one question
//! whether there is any object of a printer where that was not answered, or nothing.
//!
//! Only devices that answered have a place here. Pure but for the time handed in: the sweep sends
//! what [`FollowUps::next_probe`] says and hands over what [`FollowUps::take_settled`] gives.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use printer::question;
use snmp::usm::Frame;
use snmp::{EncodeError, ErrorStatus, Message, Oid, Pdu, PduKind, VarBind, Version};
use tokio::time::Instant;

use super::credential::Credential;
use super::probe::{Asked, Probe, Rounds, Template, four_octets, nexts};
use super::scope::InScope;
use super::sweep::{Answered, SweepOptions};

/// How often a follow-up is asked: once more than once, since one packet may be lost.
const TRIES: u32 = 2;

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The first answer of a device.
    New,
    /// The answer to a follow-up.
    Expected,
    /// A device that is known said something again.
    Again,
    /// Nothing that was asked for.
    Stray,
}

/// Devices that answered, and what is still to be asked of them.
#[derive(Debug)]
pub(super) struct FollowUps {
    credentials: Vec<Credential>,
    /// The objects that every address is asked for, and what a GetNext for them asks.
    of_all: Arc<[Oid]>,
    nexts: Vec<Oid>,
    /// What is asked where devices are known to live, and where that is.
    of_known: Arc<[Oid]>,
    first: Arc<HashSet<InScope>>,
    /// What only printers have objects behind, and the question for it by credential and version.
    doubt: Arc<[Oid]>,
    doubts: HashMap<(usize, Version), Template>,
    timeout: Duration,
    known: HashSet<SocketAddr>,
    open: HashMap<SocketAddr, FollowUp>,
    /// Ascending, since every follow-up waits equally long; entries whose id is past are stale.
    deadlines: VecDeque<(Instant, SocketAddr, i64)>,
    to_send: VecDeque<(InScope, Probe)>,
    settled: VecDeque<Answered>,
    key: RandomState,
    drawn: u64,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// With a GetNext for the objects of all, and for any of a printer.
    Nexts,
    /// With a Get.
    Objects,
    /// With a GetNext whether there is any object of a printer.
    Doubt,
}

/// A question out to a device that has answered before.
#[derive(Debug)]
struct FollowUp {
    target: InScope,
    request_id: i64,
    credential: usize,
    version: Version,
    question: Question,
    oids: Arc<[Oid]>,
    /// Whether it has answered already that there is no object of a printer.
    has_denied: bool,
    /// What it answered to the probe, and whether that was to all that a known device is asked.
    said: Vec<VarBind>,
    is_introduced: bool,
    /// What it said in version 1, for when it does not speak version 2c.
    in_v1: Option<Pdu>,
    tries_left: u32,
}

impl FollowUps {
    pub(super) fn new(
        credentials: &[Credential],
        options: &SweepOptions,
        first: Arc<HashSet<InScope>>,
    ) -> Self {
        Self {
            credentials: credentials.to_vec(),
            of_all: options.probe.as_slice().into(),
            nexts: nexts(&options.probe),
            of_known: options.probe_of_known.as_slice().into(),
            first,
            doubt: [question::doubt()].into(),
            doubts: HashMap::new(),
            timeout: options.timeout,
            known: HashSet::new(),
            open: HashMap::new(),
            deadlines: VecDeque::new(),
            to_send: VecDeque::new(),
            settled: VecDeque::new(),
            key: RandomState::new(),
            drawn: 0,
        }
    }

    /// Whether a device has answered there.
    pub(super) fn knows(&self, peer: SocketAddr) -> bool {
        self.known.contains(&peer)
    }

    /// Everybody who has answered.
    pub(super) fn peers(&self) -> impl Iterator<Item = &SocketAddr> {
        self.known.iter()
    }

    /// The next request to send.
    pub(super) fn next_probe(&mut self) -> Option<(InScope, Probe)> {
        self.to_send.pop_front()
    }

    /// How many devices there are about which nothing more is to be asked.
    pub(super) fn settled(&self) -> usize {
        self.settled.len()
    }

    /// The first so many of them; none where there is none.
    pub(super) fn take_settled(&mut self, most: usize) -> Option<Vec<Answered>> {
        let many = self.settled.len().min(most);
        (many > 0).then(|| self.settled.drain(..many).collect())
    }

    /// When the next follow-up has waited long enough; `None` when none is out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.open.is_empty() {
            None
        } else {
            self.deadlines.front().map(|(at, ..)| *at)
        }
    }

    /// Takes a message from a device in scope.
    pub(super) fn hear(
        &mut self,
        target: InScope,
        message: Message,
        rounds: &Rounds,
        now: Instant,
    ) -> Heard {
        let (peer, version, pdu) = (target.addr(), message.version, message.pdu);
        if pdu.kind != PduKind::Response {
            return Heard::Stray;
        }
        let is_answer =
            |open: &FollowUp| open.request_id == pdu.request_id && open.version == version;
        if self.open.get(&peer).is_some_and(is_answer) {
            if let Some(follow_up) = self.open.remove(&peer) {
                self.conclude(follow_up, pdu, now);
            }
            return Heard::Expected;
        }
        match rounds.asked_with(peer, pdu.request_id) {
            Some(asked) if asked.version == Some(version) => {
                self.hear_round((target, version), asked, pdu, now)
            }
            Some(_) | None => Heard::Stray,
        }
    }

    /// Takes a message of version 3 from a device in scope: its engine says who it is. Which user
    /// it answers to is for others to find out, who keep its keys.
    pub(super) fn hear_engine(
        &mut self,
        target: InScope,
        datagram: &[u8],
        rounds: &Rounds,
    ) -> Heard {
        let peer = target.addr();
        let asked = Frame::decode(datagram)
            .ok()
            .and_then(|frame| rounds.asked_with(peer, frame.message_id.into()));
        let Some(Asked {
            credential,
            version: None,
            ..
        }) = asked
        else {
            return Heard::Stray;
        };
        if !self.known.insert(peer) {
            return Heard::Again;
        }
        self.settled.push_back(Answered {
            target,
            credential: self.credentials[credential].clone(),
            varbinds: Vec::new(),
            may_be_a_printer: true,
            is_introduced: false,
        });
        Heard::New
    }

    /// Gives up on follow-ups that have waited long enough, or asks them once more.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, peer, request_id)) = self.deadlines.front().copied() {
            if at > now {
                return;
            }
            self.deadlines.pop_front();
            let is_current = |open: &FollowUp| open.request_id == request_id;
            if !self.open.get(&peer).is_some_and(is_current) {
                continue;
            }
            let Some(follow_up) = self.open.remove(&peer) else {
                continue;
            };
            if follow_up.tries_left > 0 {
                let tries_left = follow_up.tries_left - 1;
                self.ask(
                    FollowUp {
                        tries_left,
                        ..follow_up
                    },
                    now,
                );
            } else if let Some(pdu) = follow_up.in_v1.clone() {
                let (version, in_v1) = (Version::V1, None);
                self.conclude(
                    FollowUp {
                        version,
                        in_v1,
                        ..follow_up
                    },
                    pdu,
                    now,
                );
            } else {
                // What is not known does not count against it.
                let may_be_a_printer = question::is_candidate(&follow_up.said);
                self.settle(follow_up, may_be_a_printer);
            }
        }
    }

    fn hear_round(
        &mut self,
        (target, version): (InScope, Version),
        asked: Asked,
        pdu: Pdu,
        now: Instant,
    ) -> Heard {
        let peer = target.addr();
        let (question, oids) = match (self.first.contains(&target), asked.is_next) {
            (true, _) => (Question::Objects, self.of_known.clone()),
            (false, true) => (Question::Nexts, self.of_all.clone()),
            (false, false) => (Question::Objects, self.of_all.clone()),
        };
        let answered = FollowUp {
            target,
            request_id: 0,
            credential: asked.credential,
            version,
            question,
            oids,
            has_denied: false,
            said: Vec::new(),
            is_introduced: false,
            in_v1: None,
            tries_left: TRIES - 1,
        };
        if !self.known.insert(peer) {
            // A late answer in version 2c is worth more than the follow-up that asks for one.
            let is_better = |open: &FollowUp| version == Version::V2c && open.in_v1.is_some();
            if !self.open.get(&peer).is_some_and(is_better) {
                return Heard::Again;
            }
            self.open.remove(&peer);
            self.conclude(answered, pdu, now);
            return Heard::Expected;
        }
        if version == Version::V1 && self.credentials[asked.credential].pdus() == Version::V2c {
            let (version, in_v1) = (Version::V2c, Some(pdu));
            self.ask(
                FollowUp {
                    version,
                    in_v1,
                    ..answered
                },
                now,
            );
        } else {
            self.conclude(answered, pdu, now);
        }
        Heard::New
    }

    /// Settles a device on an answer, or asks for less when it refused.
    fn conclude(&mut self, mut answered: FollowUp, pdu: Pdu, now: Instant) {
        let has_refused = pdu.error_status != ErrorStatus::NoError;
        match answered.question {
            Question::Doubt => {
                let next = pdu.varbinds.into_iter().next();
                let next = next.filter(|it| !has_refused && is_behind(&answered.oids[0], it));
                let may_be_a_printer = next.is_some();
                answered.said.extend(next);
                return self.settle(answered, may_be_a_printer);
            }
            Question::Nexts => {
                let asked = self.nexts.iter();
                // The last asked for any object of a printer.
                answered.has_denied = !has_refused && pdu.varbinds.len() >= asked.len();
                let pairs = asked.zip(pdu.varbinds).filter(|_| !has_refused);
                let said = pairs.filter(|(root, it)| is_behind(root, it));
                answered.said = said.map(|(_, it)| it).collect();
                if answered.said.is_empty() {
                    // Whoever does not know a GetNext may know a Get.
                    answered.question = Question::Objects;
                    return self.ask_on(answered, now);
                }
            }
            Question::Objects if has_refused => {
                let oids = less(&answered.oids, &pdu);
                if !oids.is_empty() {
                    answered.oids = oids.into();
                    return self.ask_on(answered, now);
                }
            }
            Question::Objects => {
                // A device may answer what was not asked; only what was is taken.
                let asked = &answered.oids;
                let is_wanted =
                    |varbind: &VarBind| asked.contains(&varbind.oid) && !varbind.value.is_absent();
                answered.said = pdu.varbinds.into_iter().filter(is_wanted).collect();
                answered.is_introduced = Arc::ptr_eq(&answered.oids, &self.of_known);
            }
        }
        if !answered.said.is_empty() && question::is_candidate(&answered.said) {
            return self.settle(answered, true);
        }
        if answered.has_denied {
            return self.settle(answered, false);
        }
        // Nothing it said is a printer's: any object that only printers have outweighs that.
        (answered.question, answered.oids) = (Question::Doubt, self.doubt.clone());
        self.ask_on(answered, now);
    }

    /// Asks another question than the one that was answered.
    fn ask_on(&mut self, answered: FollowUp, now: Instant) {
        let (in_v1, tries_left) = (None, TRIES - 1);
        self.ask(
            FollowUp {
                in_v1,
                tries_left,
                ..answered
            },
            now,
        );
    }

    fn ask(&mut self, mut follow_up: FollowUp, now: Instant) {
        let peer = follow_up.target.addr();
        self.drawn += 1;
        follow_up.request_id = four_octets(self.key.hash_one((self.drawn, peer)));
        let Ok(probe) = self.probe(&follow_up) else {
            return self.settle(follow_up, true);
        };
        self.to_send.push_back((follow_up.target, probe));
        self.deadlines
            .push_back((now + self.timeout, peer, follow_up.request_id));
        self.open.insert(peer, follow_up);
    }

    /// Writes a question. That of a doubt is the same for all, but for its request-id.
    fn probe(&mut self, follow_up: &FollowUp) -> Result<Probe, EncodeError> {
        let version = follow_up.version;
        let credential = || self.credentials[follow_up.credential].in_version(version);
        if follow_up.question != Question::Doubt {
            let template = Template::new(&credential(), PduKind::Get, &follow_up.oids)?;
            return Ok(template.probe(follow_up.request_id));
        }
        let kind = PduKind::GetNext;
        let template = match self.doubts.entry((follow_up.credential, version)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Template::new(&credential(), kind, &self.doubt)?),
        };
        Ok(template.probe(follow_up.request_id))
    }

    fn settle(&mut self, answered: FollowUp, may_be_a_printer: bool) {
        let credential = self.credentials[answered.credential].in_version(answered.version);
        self.settled.push_back(Answered {
            target: answered.target,
            credential,
            varbinds: answered.said,
            may_be_a_printer,
            is_introduced: answered.is_introduced,
        });
    }
}

/// Whether an answer to the question for what comes next is an object below what was asked.
fn is_behind(root: &Oid, next: &VarBind) -> bool {
    next.oid.is_under(root) && next.oid != *root && !next.value.is_absent()
}

/// What to ask after a refusal: all but the object refused, or the first half.
fn less(oids: &[Oid], pdu: &Pdu) -> Vec<Oid> {
    let mut oids = oids.to_vec();
    let refused = usize::try_from(pdu.error_index).unwrap_or(0);
    if pdu.error_status != ErrorStatus::TooBig && (1..=oids.len()).contains(&refused) {
        oids.remove(refused - 1);
    } else {
        oids.truncate(oids.len() / 2);
    }
    oids
}
