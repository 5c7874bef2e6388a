//! Whether octets are a command for us, and whether it may be carried out. Pure.
//!
//! Two steps. [`open`] believes nothing but the key that was pinned at enrollment: what it
//! refuses is not answered to the hub, because whoever sent it may be anybody, and an answer would
//! end a real command of the same id there. What [`judge`] refuses came from the hub and is answered.

use jiff::{SignedDuration, Timestamp};
use prost::Message;
use proto::topics::SIGNATURE_CONTEXT;
use proto::v1;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use super::translate;
use crate::order::Order;
use crate::site::Unwilling;

/// Longest signed command that is looked at, in octets: 64 ranges with their exclusions and 16
/// sealed credentials have some 20 KiB.
pub(super) const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Octets of an Ed25519 signature (RFC 8032).
const SIGNATURE_LEN: usize = 64;

/// Digits of a command's id (command.proto).
const ID_LEN: usize = 32;

/// How far the hub's clock may be ahead of ours.
const CLOCK_ALLOWANCE: SignedDuration = SignedDuration::from_mins(2);

/// Longest life of a command: what nobody could deliver for a day is to be asked for anew.
pub(super) const LIFE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Longest words of the hub that are kept for the log, in characters.
const WORDS_MAX: usize = 200;

/// Why octets are no command for us. Told in the log, and where somebody waits for a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOurs {
    /// Longer than any command.
    #[error("it has {0} octets, and a command has at most {COMMAND_BYTES_MAX}")]
    TooLong(usize),
    /// Not the frame of a signed command.
    #[error("it is no signed command")]
    NoFrame,
    /// Not signed with the key that was pinned at enrollment.
    #[error("its signature is not the hub's")]
    Forged,
    /// Signed, but no command inside.
    #[error("what is signed is no command")]
    NoCommand,
    /// For another agent.
    #[error("it is for another agent")]
    ForAnother,
    /// Its id is not 32 hex digits.
    #[error("its id is not {ID_LEN} hex digits")]
    NoId,
}

/// A command of our hub's, for us.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Opened {
    pub(super) id: String,
    /// Who asked, for the log: bounded, without characters that act.
    pub(super) issuer: String,
    /// Why, likewise.
    pub(super) reason: String,
    pub(super) issued_ms: i64,
    pub(super) expires_ms: i64,
    /// SHA-256 of the octets that were signed: tells two commands of one id apart.
    pub(super) digest: [u8; 32],
    order: Option<v1::command::Order>,
}

/// Why a command of our hub's is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It came too late.
    Expired,
    /// It may not be.
    Refused(String),
}

impl Opened {
    /// The order's name, for the log and the journal.
    pub(super) fn kind(&self) -> &'static str {
        self.order.as_ref().map_or("unknown", translate::name)
    }
}

/// Opens the frame, if the hub signed it for us.
pub(super) fn open(octets: &[u8], key: &[u8], agent_id: &str) -> Result<Opened, NotOurs> {
    if octets.len() > COMMAND_BYTES_MAX {
        return Err(NotOurs::TooLong(octets.len()));
    }
    let frame = v1::SignedCommand::decode(octets).map_err(|_| NotOurs::NoFrame)?;
    if frame.signature.len() != SIGNATURE_LEN {
        return Err(NotOurs::Forged);
    }
    let signed = [SIGNATURE_CONTEXT, &frame.command].concat();
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&signed, &frame.signature)
        .map_err(|_| NotOurs::Forged)?;
    let command = v1::Command::decode(frame.command.as_slice()).map_err(|_| NotOurs::NoCommand)?;
    if command.agent_id != agent_id {
        return Err(NotOurs::ForAnother);
    }
    let is_digit = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
    if command.id.len() != ID_LEN || !command.id.bytes().all(is_digit) {
        return Err(NotOurs::NoId);
    }
    Ok(Opened {
        id: command.id,
        issuer: words(&command.issuer),
        reason: words(&command.reason),
        issued_ms: command.issued_ms,
        expires_ms: command.expires_ms,
        digest: Sha256::digest(&frame.command).into(),
        order: command.order,
    })
}

/// Says what is to be done, or why nothing is.
pub(super) fn judge(command: &Opened, now: Timestamp) -> Result<Order, Verdict> {
    let refused = |why: &str| Err(Verdict::Refused(why.to_owned()));
    let (Ok(issued), Ok(expires)) = (
        Timestamp::from_millisecond(command.issued_ms),
        Timestamp::from_millisecond(command.expires_ms),
    ) else {
        return refused("its times are no times");
    };
    if expires <= now {
        return Err(Verdict::Expired);
    }
    if expires <= issued {
        return refused("it ends before it begins");
    }
    if expires.duration_since(issued) > LIFE_MAX {
        return refused("it would be good for more than 24 h");
    }
    if issued.duration_since(now) > CLOCK_ALLOWANCE {
        return refused("it comes from the future: compare the clocks of hub and agent");
    }
    let Some(order) = &command.order else {
        return refused(translate::UNSUPPORTED);
    };
    let around = translate::Around {
        id: &command.id,
        issuer: &command.issuer,
        reason: &command.reason,
        expires,
    };
    translate::order(around, order).map_err(|unwilling| match unwilling {
        Unwilling::Refused(why) | Unwilling::Failed(why) => Verdict::Refused(why),
    })
}

/// Words of the hub for the log: nothing that moves a cursor or hides text, and bounded.
fn words(text: &str) -> String {
    let is_harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().filter(is_harmless).take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests;
