//! What a reading takes beside the wire: questions written, answers read, a reading made of them.

use std::hint::black_box;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use printer::again::Again;
use printer::change::between;
use printer::identity::Fingerprint;
use printer::judge::{judge, judge_before};
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::{PackedWalk, Walk};
use snmp::{Message, Oid, PduKind, VarBind, Version};

use crate::answer::Printer;
use crate::office::office;

/// Objects of the question that is written and whose answer is read.
const OBJECTS: usize = 50;
/// Where the printer is.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 20, 0, 1);
/// When it is read.
const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// A printer that is known, and what it answers.
pub struct Known {
    profiles: Profiles,
    last: PackedWalk,
    reading: Box<Reading>,
    objects: Vec<Oid>,
    answer: Vec<u8>,
    answers: Vec<Vec<u8>>,
}

impl Default for Known {
    fn default() -> Self {
        let profiles = Profiles::embedded().expect("profiles of ours");
        let objects = office();
        let mut printer = Printer::default();
        let mut ask = |oids: &[Oid]| {
            let answer = printer.answer(&question(oids), ADDRESS);
            answer.expect("an answer")
        };
        let first: Vec<Oid> = objects
            .iter()
            .take(OBJECTS)
            .map(|it| it.0.clone())
            .collect();
        let answer = ask(&first);
        let varbinds = objects.into_iter().map(|it| VarBind::new(it.0, it.1));
        let last: Walk = varbinds.collect();
        let mut answers = Vec::new();
        let mut again = Again::new(&last, &profiles).expect("a plan");
        while let Some(asking) = again.question() {
            let octets = ask(asking.names);
            let pdu = snmp::decode(&octets).expect("an answer").pdu;
            again.absorb(pdu.varbinds).expect("as many objects");
            answers.push(octets);
        }
        let walk = again.finish().0;
        let reading = judge(&walk, &profiles, Some(ADDRESS.into()), AT).into_reading();
        Self {
            last: walk.pack(profiles.shapes()),
            reading: reading.expect("a printer"),
            profiles,
            objects: first,
            answer,
            answers,
        }
    }
}

impl Known {
    /// Writes one question of 50 objects.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        question(&self.objects)
    }

    /// Reads one answer of 50 objects.
    #[must_use]
    pub fn decode(&self) -> Message {
        snmp::decode(&self.answer).expect("an answer")
    }

    /// Makes a reading of a walk.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        let last = self.last.unpack().expect("a walk");
        judge(&last, &self.profiles, Some(ADDRESS.into()), AT)
    }

    /// Reads the printer whole by what is known of it, as the agent does, but for the sockets: what is
    /// remembered of it, what it says now, what has changed, and what is to be remembered.
    #[must_use]
    pub fn read(&self) -> (Box<Reading>, PackedWalk) {
        let last = self.last.unpack().expect("a walk");
        let mut again = Again::new(&last, &self.profiles).expect("a plan");
        let mut first = None;
        for octets in &self.answers {
            let asking = again.question().expect("a question");
            black_box(snmp::question_of(
                (Version::V2c, &b"public"[..]),
                PduKind::GetNext,
                0x1234_5678,
                asking.written,
            ))
            .expect("a question");
            let pdu = snmp::decode(octets).expect("an answer").pdu;
            again.absorb(pdu.varbinds).expect("as many objects");
            first.get_or_insert_with(|| Fingerprint::of_answer(&again.first()));
        }
        assert!(again.is_latest_as_first(), "one printer");
        let (walk, stale, missing) = again.finish();
        assert!(stale.is_empty() && missing.is_empty(), "as it was");
        let address = Some(ADDRESS.into());
        let reading = judge(&walk, &self.profiles, address, AT).into_reading();
        let reading = reading.expect("a printer");
        let before = judge_before((&last, address, AT), (&walk, &reading), &self.profiles);
        assert_eq!(before.as_ref(), Some(&self.reading));
        assert!(between(&self.reading, &reading).is_empty(), "nothing moved");
        (reading, walk.pack(self.profiles.shapes()))
    }
}

fn question(oids: &[Oid]) -> Vec<u8> {
    let asked_as = (Version::V2c, &b"public"[..]);
    snmp::question(asked_as, PduKind::GetNext, 0x1234_5678, oids).expect("a question")
}
