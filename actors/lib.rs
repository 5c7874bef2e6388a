//! How the agent lives: supervisor, scanners, devices, spool, uplink.
//!
//! An actor here is an actix actor that only the Supervisor starts, whose future we poll
//! ourselves (`lifeline.rs` says why), and that shares one thread with all others: nothing may
//! hold that thread up. [`start`] makes that thread; the [`Handle`] is all that the outside gets.

mod backoff;
mod behind;
pub mod certificates;
mod children;
mod device;
mod handle;
pub mod keeper;
mod lifeline;
pub mod mask;
pub mod messages;
pub mod order;
pub mod outbox;
pub mod parts;
pub mod private;
#[cfg(feature = "provoke")]
mod provoke;
pub mod quarantine;
pub mod reach;
pub mod registry;
pub mod report;
mod scanner;
pub mod schedule;
pub mod site;
pub mod spool;
pub mod status;
mod supervisor;
pub mod tunnel;
mod uplink;
mod watchdog;
pub mod wire;

pub use backoff::Backoff;
pub use handle::{Ended, Gone, Handle, StartError, start};
pub use uplink::command;
pub use uplink::mqtt;
pub use uplink::renewal::{RenewError, renew};
pub use uplink::would_send;
