//! What an engine of version 3 does that misbehaves.
//!
//! Pure, as [`super::play`] is: first the engine is made what it pretends to be, then what it says is
//! turned, then the octets of it are.

use snmp::usm::{BOOTS_MAX, Data, Frame, Keys, Level, Report};

use crate::engine::{Engine, Said};

use super::list::Trick;
use super::play::Record;
use super::wire::element;

/// Boots that fall from here.
const BOOTS_START: u32 = 1_000_000;
/// Seconds of ten years, leap days left out.
const TEN_YEARS: u64 = 10 * 365 * 86_400;
/// Questions between two jumps of the clock.
const JUMP_AFTER: u32 = 10;
/// The id of every engine that has the same.
const SAME_ID: &[u8] = b"\x80\x00\x7e\xd9\x05the same";
/// What stands behind a PDU where the padding is not empty.
const PADDING: [u8; 5] = [0xa5, 0x30, 0x84, 0xff, 0xff];
/// The salt that is used again and again.
const SALT: u64 = 4_711;
/// msgFlags: authentic, encrypted.
const AUTH_FLAG: u8 = 0x01;
const PRIV_FLAG: u8 = 0x02;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// Makes the engine what it pretends to be.
pub(super) fn pretend(trick: Trick, record: &mut Record, engine: &mut Engine) {
    record.asked = record.asked.wrapping_add(1);
    let turn = record.asked;
    match trick {
        Trick::BootsLatched => engine.boots = BOOTS_MAX,
        Trick::BootsFall => engine.boots = BOOTS_START.saturating_sub(turn),
        Trick::TimeTenYears => {
            let time = u64::from(engine.time) + u64::from(turn / JUMP_AFTER) * TEN_YEARS;
            // A clock at its end begins anew (RFC 3414 §2.2.2).
            let lives = time / u64::from(BOOTS_MAX);
            engine.boots += u32::try_from(lives).unwrap_or(0);
            engine.time = u32::try_from(time % u64::from(BOOTS_MAX)).unwrap_or(0);
        }
        Trick::EngineChanges => engine.id.extend(turn.to_be_bytes()),
        Trick::EngineSame => engine.id = SAME_ID.to_vec(),
        Trick::SaltReused => engine.salt = Some(SALT),
        Trick::PaddingOdd => engine.padding = &PADDING,
        _ => {}
    }
}

/// Turns what the engine says, and the keys it says it under.
pub(super) fn twist(trick: Trick, frame: &Frame<'_>, (said, keys): (Said, Keys)) -> (Said, Keys) {
    if frame.engine_id.is_empty() {
        // A discovery is answered: else nobody would ask.
        return (said, keys);
    }
    match (trick, &said) {
        (Trick::ReportLoop, _) => {
            let keys = keys.at(Level::AuthNoPriv);
            (Said::Report(Report::NotInTimeWindow), keys)
        }
        (Trick::ReportLoopEngine, _) => (Said::Report(Report::UnknownEngine), Keys::none()),
        (Trick::DowngradeReport, Said::Answer(..)) => {
            (Said::Report(Report::UnsupportedLevel), Keys::none())
        }
        (Trick::DowngradeAnswer, Said::Answer(..)) => (said, Keys::none()),
        _ => (said, keys),
    }
}

/// Turns the octets of a message that was secured by these keys.
pub(super) fn spoil(trick: Trick, record: &mut Record, message: Vec<u8>, keys: &Keys) -> Vec<u8> {
    let is_secured = keys.level() != Level::NoAuthNoPriv;
    let spoiled = match trick {
        Trick::MacBytes(bytes) if is_secured => rewritten(&message, keys, (bytes, 0)),
        Trick::PaddingShort if keys.level() == Level::AuthPriv => {
            rewritten(&message, keys, (keys.mac_bytes(), 1))
        }
        Trick::Replay if is_secured => Some(record.first.get_or_insert(message.clone()).clone()),
        _ => None,
    };
    spoiled.unwrap_or(message)
}

/// The message with a MAC of this length, made as right as it can be, and without the last octets
/// of what is encrypted.
fn rewritten(message: &[u8], keys: &Keys, (mac_bytes, cut): (usize, usize)) -> Option<Vec<u8>> {
    let frame = Frame::decode(message).ok()?;
    let bare = around(&frame, &vec![0; mac_bytes], cut)?;
    let mac = keys.mac(&[&bare]);
    around(&frame, mac.get(..mac_bytes)?, cut)
}

fn around(frame: &Frame<'_>, mac: &[u8], cut: usize) -> Option<Vec<u8>> {
    let (flags, data) = match frame.data {
        Data::Plain(plain) => (AUTH_FLAG, element(SEQUENCE, plain)),
        Data::Hidden(hidden) => {
            let kept = hidden.get(..hidden.len().checked_sub(cut)?)?;
            (AUTH_FLAG | PRIV_FLAG, element(OCTET_STRING, kept))
        }
    };
    let number = |number: u32| element(INTEGER, &i64::from(number).to_be_bytes());
    let header = [
        number(frame.message_id),
        number(65_507),
        element(OCTET_STRING, &[flags]),
        number(3),
    ];
    let security = [
        element(OCTET_STRING, frame.engine_id),
        number(frame.boots),
        number(frame.time),
        element(OCTET_STRING, frame.user),
        element(OCTET_STRING, mac),
        element(OCTET_STRING, frame.salt),
    ];
    let security = element(SEQUENCE, &security.concat());
    let message = [
        number(3),
        element(SEQUENCE, &header.concat()),
        element(OCTET_STRING, &security),
        data,
    ];
    Some(element(SEQUENCE, &message.concat()))
}
