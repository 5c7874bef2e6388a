//! What is fed with the cases, and what must hold of whatever comes out.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use printer::profile::Profiles;
use printer::reading::{Reading, Verdict};
use printer::walk::Walk;
use printer::{change, question, summary};
use snmp::recording::Recording;
use snmp::traverse::{BYTES_MAX, Columns, Limits, PDUS_MAX, VALUE_BYTES_MAX};
use snmp::usm::{Asked, Auth, Dialog, Draft, Frame, Heard, Keys, Privacy, Security, User};
use snmp::{ARCS_MAX, DecodeError, Message, Oid, VALUE_SIZE_MAX, VARBINDS_MAX, Value, Version};

use crate::seeds::Seeds;
use crate::{doors, memory};

/// Longest reading as JSON: what a device of 512 KiB of answers may become.
const READING_OCTETS_MAX: usize = 16 * 1_024 * 1_024;

/// Who is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The decoders of messages and of frames of version 3, and nothing else.
    Decode,
    /// What is decoded, written and decoded again.
    Message,
    /// A dialog of version 3 with whoever sends anything.
    Dialog,
    /// The parsers of recordings and of object identifiers.
    Recording,
    /// The walker of columns.
    Traverse,
    /// Everything from answers to a reading.
    Reading,
    /// The decoder of answers over IPP.
    Ipp,
    /// That of LEDM's documents.
    Ledm,
    /// Those of SGD and of `~HS`.
    Sgd,
    /// That of PJL.
    Pjl,
    /// That of the states of print queues.
    Lpr,
    /// Everything from what one of those doors says to a reading with two sources.
    Door,
    /// Walks as few octets.
    Packed,
    /// A walk by what is known of a device.
    Again,
}

impl Target {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::Decode,
        Self::Message,
        Self::Dialog,
        Self::Recording,
        Self::Traverse,
        Self::Reading,
        Self::Ipp,
        Self::Ledm,
        Self::Sgd,
        Self::Pjl,
        Self::Lpr,
        Self::Door,
        Self::Packed,
        Self::Again,
    ];

    /// What it is called on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Message => "message",
            Self::Dialog => "dialog",
            Self::Recording => "recording",
            Self::Traverse => "traverse",
            Self::Reading => "reading",
            Self::Ipp => "ipp",
            Self::Ledm => "ledm",
            Self::Sgd => "sgd",
            Self::Pjl => "pjl",
            Self::Lpr => "lpr",
            Self::Door => "door",
            Self::Packed => "packed",
            Self::Again => "again",
        }
    }

    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Whether it decodes one datagram, or what one connection brought, and no more.
    pub fn is_decoder(self) -> bool {
        match self {
            Self::Decode | Self::Ipp | Self::Ledm | Self::Sgd | Self::Pjl | Self::Lpr => true,
            Self::Message
            | Self::Dialog
            | Self::Recording
            | Self::Traverse
            | Self::Reading
            | Self::Door
            | Self::Packed
            | Self::Again => false,
        }
    }

    /// What its cases grow from.
    pub fn seeds(self, seeds: &Seeds) -> &[Vec<u8>] {
        match self {
            Self::Decode => &seeds.datagrams,
            Self::Message | Self::Traverse | Self::Reading | Self::Again => &seeds.messages,
            Self::Dialog => &seeds.frames,
            Self::Recording => &seeds.texts,
            Self::Ipp => &seeds.doors.ipp,
            Self::Ledm => &seeds.doors.ledm,
            Self::Sgd => &seeds.doors.sgd,
            Self::Pjl => &seeds.doors.pjl,
            Self::Lpr => &seeds.doors.lpr,
            Self::Door => &seeds.doors.whole,
            Self::Packed => &seeds.doors.packed,
        }
    }

    /// Feeds one case; true if it was accepted.
    pub fn holds(self, octets: &[u8], seeds: &Seeds) -> bool {
        match self {
            Self::Decode => decode(octets),
            Self::Message => message(octets),
            Self::Dialog => dialog(octets),
            Self::Recording => recording(octets),
            Self::Traverse => traverse(octets),
            Self::Reading => reading(octets, seeds),
            Self::Ipp => doors::ipp(octets),
            Self::Ledm => doors::ledm(octets),
            Self::Sgd => doors::sgd(octets),
            Self::Pjl => doors::pjl(octets),
            Self::Lpr => doors::lpr(octets),
            Self::Door => doors::door(octets, seeds),
            Self::Packed => memory::packed(octets),
            Self::Again => memory::again(octets, seeds),
        }
    }
}

fn is_bounded(oid: &Oid) -> bool {
    oid.arcs().len() <= ARCS_MAX
}

/// A datagram goes to the one decoder or to the other: what is none of version 1 or 2c may be one of
/// version 3, whose contents are then read.
fn decode(octets: &[u8]) -> bool {
    match snmp::decode(octets) {
        Ok(_) => true,
        Err(DecodeError::Version(_)) => {
            Frame::decode(octets).is_ok_and(|frame| frame.contents(&Keys::none()).is_ok())
        }
        Err(_) => false,
    }
}

/// A user of version 3, with the keys for one engine, made once.
fn user() -> &'static (Arc<User>, Keys) {
    static USER: LazyLock<(Arc<User>, Keys)> = LazyLock::new(|| {
        let (auth, privacy) = (
            (Auth::Sha256, &b"auth"[..]),
            (Privacy::Aes128, &b"priv"[..]),
        );
        let user = User::new("mps", "", Security::AuthPriv(auth, privacy)).expect("a user");
        let keys = user.localize(b"engine");
        (Arc::new(user), keys)
    });
    &USER
}

/// The octets come as they are, before the engine is known and after, and then as what stands in a
/// message that is authentic and encrypted. Only that can be an answer.
fn dialog(octets: &[u8]) -> bool {
    const ASKED: Asked = Asked {
        message_id: 7,
        request_id: 1_234_567,
    };
    let (user, keys) = user();
    let now = Duration::from_secs(1);
    let mut dialog = Dialog::new(user.clone(), 1);
    let met = dialog.hear(octets, ASKED, now);
    assert!(!matches!(met, Heard::Answer(_)), "an answer of nobody");
    dialog.meet(b"engine".to_vec(), keys.clone(), (1, 1), now);
    let forged = dialog.hear(octets, ASKED, now);
    assert!(
        !matches!(forged, Heard::Answer(_)),
        "an answer without a key"
    );
    let draft = Draft {
        message_id: ASKED.message_id,
        is_reportable: false,
        engine_id: b"engine",
        boots: 1,
        time: 1,
        user: b"mps",
        scoped: octets,
    };
    dialog.begin();
    dialog.meet(b"engine".to_vec(), keys.clone(), (1, 1), now);
    match dialog.hear(&draft.encode(keys, 9), ASKED, now) {
        Heard::Answer(pdu) => {
            assert_eq!(pdu.request_id, ASKED.request_id);
            assert!(pdu.varbinds.len() <= VARBINDS_MAX);
            true
        }
        Heard::Refused(_) | Heard::Again | Heard::Engine { .. } => true,
        Heard::Stray(_) | Heard::Malformed(_) => false,
    }
}

fn message(octets: &[u8]) -> bool {
    let Ok(message) = snmp::decode(octets) else {
        return false;
    };
    assert!(message.pdu.varbinds.len() <= VARBINDS_MAX);
    for varbind in &message.pdu.varbinds {
        assert!(is_bounded(&varbind.oid), "{}", varbind.oid);
        match &varbind.value {
            Value::ObjectId(oid) => assert!(is_bounded(oid), "{oid}"),
            value => assert!(value.size_bytes() <= VALUE_SIZE_MAX),
        }
    }
    // What can be written is read back the same; a decoder that takes one thing for two does not.
    if let Ok(written) = message.encode() {
        assert_eq!(snmp::decode(&written), Ok(message));
    }
    true
}

fn recording(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    let words = text.split(['|', '\n']);
    let oids = words.filter(|word| word.parse::<Oid>().is_ok_and(|oid| is_bounded(&oid)));
    let oids = oids.count();
    let Ok(recording) = Recording::parse(octets) else {
        return oids > 0;
    };
    let again = Recording::parse(&recording.to_text());
    assert_eq!(again, Ok(recording), "what is written is read back");
    true
}

/// Walks a device that answers the same whatever is asked: it must end.
fn traverse(octets: &[u8]) -> bool {
    let Ok(message) = snmp::decode(octets) else {
        return false;
    };
    let roots = [
        Oid::new(&[1, 3, 6, 1, 2, 1]),
        Oid::new(&[1, 3, 6, 1, 4, 1]),
        Oid::new(&[1]),
        message.pdu.varbinds.first().map_or(Oid::default(), |it| {
            let arcs = it.oid.arcs();
            Oid::new(&arcs[..arcs.len().saturating_sub(2)])
        }),
    ];
    let mut columns = Columns::new(&roots, Limits::default(), message.version);
    let mut asked = 0;
    while columns.next().is_some() {
        asked += 1;
        assert!(asked <= PDUS_MAX, "a walk without end");
        // What cannot be used ends its columns.
        if columns.absorb(&message.pdu).is_err() {
            columns.failed();
        }
    }
    let gathered = columns.finish();
    let sizes = gathered.iter().map(|it| it.value.size_bytes());
    assert!(sizes.clone().all(|size| size <= VALUE_BYTES_MAX));
    assert!(sizes.sum::<usize>() <= BYTES_MAX + VALUE_BYTES_MAX);
    true
}

pub fn profiles() -> &'static Profiles {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::embedded().expect("profiles"));
    &PROFILES
}

pub fn judged(walk: &Walk) -> Option<Box<Reading>> {
    match printer::judge::judge(walk, profiles(), None, Timestamp::UNIX_EPOCH) {
        Verdict::Printer(reading) => Some(reading),
        Verdict::NotAPrinter { .. } => None,
    }
}

/// A whole printer, and answers to further questions laid over what it said.
fn reading(octets: &[u8], seeds: &Seeds) -> bool {
    let Ok(Message { version, pdu, .. }) = snmp::decode(octets) else {
        return false;
    };
    let at = octets.len() % seeds.recordings.len();
    let mut walk = if version == Version::V1 {
        Walk::new()
    } else {
        Walk::from(&seeds.recordings[at])
    };
    let before = judged(&walk);
    let _ = question::is_candidate(&pdu.varbinds);
    walk.overlay(pdu.varbinds);
    let _ = question::full(&walk, profiles());
    let _ = question::status(&walk, profiles());
    let Some(after) = judged(&walk) else {
        return true;
    };
    let _ = summary::supplies(&after.supplies);
    let _ = summary::status_line(&after);
    if let Some(before) = before {
        let _ = change::between(&before, &after);
        let _ = change::between(&after, &before);
    }
    written_and_read(&after);
    true
}

/// A reading is bounded, and the same once it is written and read again.
pub fn written_and_read(reading: &Reading) {
    let written = serde_json::to_vec(reading).expect("a reading can be written");
    assert!(written.len() <= READING_OCTETS_MAX);
    let again: Reading = serde_json::from_slice(&written).expect("and read again");
    assert_eq!(again, *reading);
}
