//! The only ways to a device: SNMP over UDP, ICMP echo, IPP, LEDM, raw ports and LPR, and a connection
//! for its web page.
//!
//! Every function that sends takes an [`scope::InScope`], the proof that the site has opened that
//! address and door. No other room of the agent opens a socket to a device.

pub mod again;
mod arp;
mod batch;
pub mod credential;
mod flight;
mod follow;
pub mod http;
pub mod icmp;
pub mod identified;
pub mod inspect;
pub mod ipp;
pub mod knock;
pub mod ledm;
mod lines;
pub mod link;
pub mod lpr;
mod near;
mod own;
pub(crate) mod own_runtime;
mod pace;
pub mod packed;
pub mod pjl;
mod probe;
pub mod range;
pub mod raw;
pub mod record;
pub mod resolve;
pub mod scope;
mod second;
pub mod session;
pub mod snmp;
mod socket;
mod span;
pub mod stream;
pub mod survey;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod turns;
pub mod unusable;
pub mod zebra;
