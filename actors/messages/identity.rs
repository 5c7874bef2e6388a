//! Messages about who is whom.

use actix::Message;
use printer::identity::{DeviceId, score::Traits};

/// The Supervisor to a Device: another has your serial number too.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SharesSerial;

/// A Device to the Supervisor: one thing alone tells that this is me; can it be nobody else?
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub struct IsAlone {
    /// Who asks.
    pub device: DeviceId,
    /// Who was read.
    pub traits: Box<Traits>,
}
