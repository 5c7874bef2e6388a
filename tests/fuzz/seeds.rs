//! What the cases grow from: answers out of our recordings, and packets that others caught.

use std::path::{Path, PathBuf};

use snmp::recording::Recording;
use snmp::usm::{Report, plain_report, plain_scoped};
use snmp::{ErrorStatus, Message, Oid, Pdu, PduKind, VarBind, Version};

use crate::door_seeds::DoorSeeds;

/// Objects in one answer, as the agent asks for them.
const OBJECTS: usize = 40;

/// Octets of a recording in one seed: some dozen lines.
const LINES_OCTETS: usize = 1_500;

/// Everything that cases grow from.
#[derive(Debug)]
pub struct Seeds {
    /// Messages.
    pub messages: Vec<Vec<u8>>,
    /// Messages of every version.
    pub datagrams: Vec<Vec<u8>>,
    /// Messages of version 3, and what stands in such.
    pub frames: Vec<Vec<u8>>,
    /// Parts of recordings, as text.
    pub texts: Vec<Vec<u8>>,
    /// Whole recordings.
    pub recordings: Vec<Recording>,
    /// What is said at the doors beside SNMP.
    pub doors: DoorSeeds,
}

impl Seeds {
    /// Reads what there is. The corpora may be missing; the recordings may not.
    pub fn gather() -> Self {
        let mut seeds = Self {
            messages: Vec::new(),
            datagrams: Vec::new(),
            frames: Vec::new(),
            texts: Vec::new(),
            recordings: Vec::new(),
            doors: DoorSeeds::default(),
        };
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut above = above.filter(|it| it.join("tests/recordings").is_dir());
        let root = above.next().expect("the project is around its tests");
        let own = root.join("tests/recordings");
        for path in files(&own).into_iter().chain(files(&own.join("makers"))) {
            if path.extension().is_some_and(|it| it == "snmprec") {
                let text = std::fs::read(&path).expect("a recording");
                let recording = Recording::parse(&text).expect("a recording");
                seeds.messages.extend(answers(&recording));
                seeds
                    .texts
                    .extend(text.chunks(LINES_OCTETS).map(<[u8]>::to_vec));
                seeds.recordings.push(recording);
            }
        }
        assert!(seeds.messages.len() > 20, "our own recordings are here");
        for path in files(&root.join("../shared/corpora/snmp")) {
            let octets = std::fs::read(path).unwrap_or_default();
            seeds.messages.extend(messages_in(&octets));
        }
        seeds.doors = DoorSeeds::gather(root, &seeds.recordings);
        seeds.frames = frames(&seeds.recordings);
        seeds.datagrams = [&seeds.messages[..], &seeds.frames].concat();
        seeds
    }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// A recording as answers in both versions.
fn answers(recording: &Recording) -> Vec<Vec<u8>> {
    let varbinds: Vec<VarBind> = recording
        .iter()
        .map(|(oid, value)| VarBind::new(oid.clone(), value.clone()))
        .collect();
    let versions = [Version::V2c, Version::V2c, Version::V1];
    let chunks = varbinds.chunks(OBJECTS).zip(versions.into_iter().cycle());
    chunks
        .filter_map(|(chunk, version)| {
            let message = Message {
                version,
                community: b"public".to_vec(),
                pdu: Pdu {
                    kind: PduKind::Response,
                    request_id: 1_234_567,
                    error_status: ErrorStatus::NoError,
                    error_index: 0,
                    varbinds: chunk.to_vec(),
                },
            };
            message.encode().ok()
        })
        .collect()
}

/// What net-snmp asked and answered in version 3, and what the answers of our recordings hold.
fn frames(recordings: &[Recording]) -> Vec<Vec<u8>> {
    let exchanges = include_str!("../../src/snmp/tests/usm/net-snmp.txt");
    let words = exchanges
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split(' ').skip(2));
    let octets = |hex: &str| -> Vec<u8> {
        let digits = |at: usize| hex.get(at..at + 2);
        let pairs = (0..hex.len()).step_by(2).filter_map(digits);
        pairs
            .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
            .collect()
    };
    let mut frames: Vec<Vec<u8>> = words.map(octets).collect();
    assert!(frames.len() > 80, "net-snmp's exchanges are here");
    for recording in recordings {
        for answer in answers(recording) {
            let pdu = snmp::decode(&answer).map(|message| message.pdu);
            let scoped = pdu.ok().map(|pdu| plain_scoped(b"engine", b"", &pdu));
            frames.extend(scoped.into_iter().flatten());
        }
    }
    let reports = (1..=6).map(|counter| Oid::new(&[1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0]));
    for oid in reports {
        frames.extend(plain_report(b"engine", &Report::from_oid(&oid), 7));
    }
    frames
}

/// What looks like a message anywhere in a file: a sequence that begins with a version.
fn messages_in(octets: &[u8]) -> Vec<Vec<u8>> {
    const LONGEST: usize = 2_048;
    let begins = |at: &usize| {
        let rest = &octets[*at..];
        let heads = [2, 3, 4].map(|head| rest.get(head..head + 3));
        rest[0] == 0x30
            && heads
                .iter()
                .flatten()
                .any(|version| version[..2] == [2, 1] && version[2] <= 3)
    };
    let starts = (0..octets.len()).filter(begins);
    starts
        .map(|at| octets[at..octets.len().min(at + LONGEST)].to_vec())
        .collect()
}
