//! The doors beside SNMP, fed with cases: their decoders, and the readings that are made of what they
//! let through.

use jiff::Timestamp;
use printer::ledm::{Document, Documents, LedmError};
use printer::pjl::Info;
use printer::reading::Reading;
use printer::second_source::{self, Second};
use printer::zebra::{host, sgd};
use printer::{ipp, ledm, lpr, pjl, zebra};

use crate::seeds::Seeds;
use crate::targets::{judged, written_and_read};

/// The number of the question that the seeds of PJL answer.
pub const PJL_NUMBER: u32 = 7;

/// Longest line that a queue says.
const LINE_CHARS_MAX: usize = 1_024;

/// Categories of PJL, by the octet before a seed.
const CATEGORIES: [Info; 8] = [
    Info::Id,
    Info::Config,
    Info::Memory,
    Info::Status,
    Info::PageCount,
    Info::Supplies,
    Info::ProdInfo,
    Info::Variables,
];

/// Every document, by the octet before a seed.
const DOCUMENTS: [Document; 5] = [
    Document::DiscoveryTree,
    Document::ProductConfigDyn,
    Document::ProductStatusDyn,
    Document::ProductUsageDyn,
    Document::ConsumableConfigDyn,
];

/// What stands between the parts of a case that has several.
const BETWEEN: u8 = 0x1e;

/// The octet before a case says which of these it is for.
fn chosen<'a, T: Copy>(octets: &'a [u8], of: &[T]) -> Option<(T, &'a [u8])> {
    let (first, rest) = octets.split_first()?;
    Some((*of.get(usize::from(*first) % of.len())?, rest))
}

pub fn ipp(octets: &[u8]) -> bool {
    ipp::decode(octets).is_ok()
}

pub fn ledm(octets: &[u8]) -> bool {
    let Some((document, rest)) = chosen(octets, &DOCUMENTS) else {
        return false;
    };
    match ledm::decode(document, rest) {
        Ok(root) => {
            let _ = ledm::listed(&root);
            true
        }
        Err(LedmError::Another { .. }) => true,
        Err(_) => false,
    }
}

/// SGD and `~HS` share a port, and so a case.
pub fn sgd(octets: &[u8]) -> bool {
    let variable = matches!(sgd::answer(octets), Ok(Some(_)));
    let status = matches!(host::decode(octets), Ok(Some(_)));
    variable || status
}

pub fn pjl(octets: &[u8]) -> bool {
    let Some((info, rest)) = chosen(octets, &CATEGORIES) else {
        return false;
    };
    matches!(pjl::answer(rest, info, PJL_NUMBER), Ok(Some(_)))
}

pub fn lpr(octets: &[u8]) -> bool {
    let state = lpr::read(octets);
    let is_bounded = |line: &String| line.chars().count() <= LINE_CHARS_MAX;
    assert!(state.says.iter().all(is_bounded), "{state:?}");
    !state.says.is_empty() || state.jobs.is_some()
}

/// A reading by one of the doors, laid beside one over SNMP.
pub fn door(octets: &[u8], seeds: &Seeds) -> bool {
    let Some((door, rest)) = chosen(octets, &["ipp", "ledm", "zebra", "pjl"]) else {
        return false;
    };
    let reading = match door {
        "ipp" => of_ipp(rest),
        "ledm" => of_ledm(rest),
        "zebra" => of_zebra(rest),
        _ => of_pjl(rest),
    };
    let Some(reading) = reading else {
        return false;
    };
    written_and_read(&reading);
    let recording = &seeds.recordings[octets.len() % seeds.recordings.len()];
    if let Some(mut whole) = judged(&recording.into()) {
        for is_fresh in [true, false] {
            let second = Second {
                door,
                reading: reading.clone(),
                is_fresh,
            };
            let _ = second_source::add(&mut whole, &second);
            written_and_read(&whole);
        }
    }
    true
}

fn parts(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.split(|octet| *octet == BETWEEN)
}

/// Puts parts together as [`parts`] takes them apart.
pub fn together(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.join(&BETWEEN)
}

fn of_ipp(octets: &[u8]) -> Option<Reading> {
    let answer = ipp::decode(octets).ok()?;
    ipp::judge(&answer, None, Timestamp::UNIX_EPOCH).ok()
}

fn of_ledm(octets: &[u8]) -> Option<Reading> {
    let mut documents = Documents::default();
    for part in parts(octets) {
        for document in DOCUMENTS {
            if let Ok(root) = ledm::decode(document, part) {
                documents.take(document, root);
            }
        }
    }
    ledm::judge(&documents, None, Timestamp::UNIX_EPOCH).ok()
}

fn of_zebra(octets: &[u8]) -> Option<Reading> {
    let mut said = zebra::Said::default();
    let mut variables = sgd::Variable::READING.into_iter();
    for part in parts(octets) {
        if let Ok(Some(status)) = host::decode(part) {
            said.take_host(status);
        } else if let (Ok(Some(answer)), Some(variable)) = (sgd::answer(part), variables.next()) {
            said.take(variable, answer);
        }
    }
    Some(zebra::judge(&said, None, Timestamp::UNIX_EPOCH))
}

fn of_pjl(octets: &[u8]) -> Option<Reading> {
    let mut said = pjl::Said::default();
    for part in parts(octets) {
        for info in CATEGORIES {
            if let Ok(Some(answer)) = pjl::answer(part, info, PJL_NUMBER) {
                said.take(info, answer);
            }
        }
    }
    (!said.is_empty()).then(|| pjl::judge(&said, None, Timestamp::UNIX_EPOCH))
}
