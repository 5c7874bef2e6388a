//! What is remembered of a printer, fed with cases: a packed walk, and a walk by what is known.

use printer::again::Again;
use printer::walk::{PackedWalk, Walk};
use snmp::recording::Recording;
use snmp::{ARCS_MAX, Oid, Value, VarBind};

use crate::seeds::Seeds;
use crate::targets::profiles;

/// Most questions of a walk by what is known: one of its objects each.
const QUESTIONS_MAX: usize = 600;

/// The octets as a packed walk; and what a device may have said, packed and unpacked.
pub fn packed(octets: &[u8]) -> bool {
    let mut is_one = false;
    if let Some(walk) = PackedWalk::from(octets).unpack() {
        assert!(walk.iter().all(|(oid, _)| oid.arcs().len() <= ARCS_MAX));
        assert_eq!(kept(&walk), Some(walk), "packed and unpacked");
        is_one = true;
    }
    if let Ok(message) = snmp::decode(octets) {
        let walk: Walk = message.pdu.varbinds.into_iter().collect();
        assert_eq!(kept(&walk), Some(walk), "packed and unpacked");
        is_one = true;
    }
    is_one
}

/// The walk, packed among others and unpacked.
fn kept(walk: &Walk) -> Option<Walk> {
    walk.pack(profiles().shapes()).unpack()
}

/// Walks a printer that is known, and that answers what it did, until what the case says takes the
/// place of an answer. Which ones, its length says.
pub fn again(octets: &[u8], seeds: &Seeds) -> bool {
    let Ok(message) = snmp::decode(octets) else {
        return false;
    };
    let recording = &seeds.recordings[octets.len() % seeds.recordings.len()];
    let last = Walk::from(recording);
    let Some(mut again) = Again::new(&last, profiles()) else {
        return true;
    };
    let every = octets.len() / seeds.recordings.len() % 4 + 1;
    let mut asked = 0;
    while let Some(question) = again.question() {
        asked += 1;
        assert!(asked <= QUESTIONS_MAX, "a walk without end");
        let mut answer: Vec<VarBind> = question
            .names
            .iter()
            .map(|oid| behind(recording, oid))
            .collect();
        if asked.is_multiple_of(every) {
            let said = message.pdu.varbinds.iter().cloned();
            let at = octets.len() % answer.len();
            for (slot, said) in answer[at..].iter_mut().zip(said) {
                *slot = said;
            }
        }
        if octets.len().is_multiple_of(97) {
            answer.extend(message.pdu.varbinds.first().cloned());
        }
        if again.absorb(answer).is_err() {
            return true;
        }
    }
    let _ = (again.first(), again.latest());
    let (walk, stale, _) = again.finish();
    for (oid, value) in walk.iter() {
        assert!(!value.is_absent());
        assert!(last.get(&oid).is_some(), "{oid} was not asked for");
        assert!(!stale.iter().flatten().any(|column| oid.is_under(column)));
    }
    true
}

/// The object behind this one, as an honest device answers.
fn behind(recording: &Recording, oid: &Oid) -> VarBind {
    match recording.next_after(oid) {
        Some((next, value)) => VarBind::new(next.clone(), value.clone()),
        None => VarBind::new(oid.clone(), Value::EndOfMibView),
    }
}
