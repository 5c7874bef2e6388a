//! Makes a command: signs it, and puts it where the desk finds it. Used by the command line and the
//! portal; neither sends anything itself.

use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use proto::topics::SIGNATURE_CONTEXT;
use proto::v1;

use super::order::Order;
use crate::command_key::CommandKey;
use crate::permission::Permission;
use crate::store::commands::{NewCommand, OPEN_MAX};
use crate::store::{Store, StoreError, random_hex};

/// How long a command is good for unless somebody says otherwise.
pub const LIFE_USUAL: Duration = Duration::from_mins(10);

/// Least and longest life of a command. An agent refuses longer ones.
pub const LIFE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_hours(24);

/// Longest reason, in characters.
pub const REASON_MAX: usize = 200;

/// Longest signed command, in octets, as an agent takes it.
const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Why a command was not made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The permission is for something else.
    #[error("what was permitted is something else")]
    NotPermitted,
    /// No reason, or too long a one.
    #[error("a reason has 1 to {REASON_MAX} characters: it stands in the site's log")]
    Reason,
    /// A life that no agent takes.
    #[error("a command is good for 10 s to 24 h")]
    Life,
    /// More than an agent takes.
    #[error("the command has {0} octets; an agent takes {COMMAND_BYTES_MAX}")]
    TooLong(usize),
    /// Too many wait already.
    #[error("{OPEN_MAX} commands wait for this agent already")]
    TooMany,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs an order and keeps it, to be sent within a second; returns its id.
///
/// # Errors
/// [`IssueError`]; nothing is kept then.
pub async fn issue(
    (store, key): (&Store, &CommandKey),
    permission: &Permission,
    order: &Order,
    (reason, life): (&str, Duration),
    now: Timestamp,
) -> Result<String, IssueError> {
    if order.action() != permission.action() {
        return Err(IssueError::NotPermitted);
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return Err(IssueError::Reason);
    }
    if !LIFE.contains(&life) {
        return Err(IssueError::Life);
    }
    let (id, expires) = (random_hex()?, now + life);
    let command = v1::Command {
        id: id.clone(),
        agent_id: permission.agent().to_owned(),
        issuer: permission.issuer().to_owned(),
        reason: reason.to_owned(),
        issued_ms: now.as_millisecond(),
        expires_ms: expires.as_millisecond(),
        order: Some(order.to_wire()),
    };
    let body = signed(key, &command);
    if body.len() > COMMAND_BYTES_MAX {
        return Err(IssueError::TooLong(body.len()));
    }
    let new = NewCommand {
        id: &id,
        reason,
        body: &body,
        made: now,
        expires,
    };
    if !store.command_add(permission, &new).await? {
        return Err(IssueError::TooMany);
    }
    Ok(id)
}

/// A command in the frame that is sent.
fn signed(key: &CommandKey, command: &v1::Command) -> Vec<u8> {
    let command = command.encode_to_vec();
    let signature = key.sign(&[SIGNATURE_CONTEXT, &command].concat()).to_vec();
    v1::SignedCommand { command, signature }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_is_sent_is_signed_over_its_context() {
        let folder = tempfile::tempdir().unwrap();
        let key = CommandKey::open(folder.path()).unwrap();
        let command = v1::Command {
            id: "0".repeat(32),
            order: Some(Order::Rotate.to_wire()),
            ..v1::Command::default()
        };
        let frame = v1::SignedCommand::decode(signed(&key, &command).as_slice()).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, key.public());
        let covered = [SIGNATURE_CONTEXT, &frame.command].concat();
        public.verify(&covered, &frame.signature).unwrap();
        assert!(public.verify(&frame.command, &frame.signature).is_err());
        assert_eq!(
            v1::Command::decode(frame.command.as_slice()).unwrap(),
            command
        );
    }
}
