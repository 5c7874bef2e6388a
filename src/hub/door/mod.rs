//! The doors: what the outside can reach, one file or folder each.

pub mod broker;
pub mod carrier;
pub mod code;
pub mod command;
mod enrolling;
pub mod external;
pub mod front;
pub mod gateway;
pub mod mqtt;
pub mod opening;
pub mod portal;
pub mod raw;
pub mod reception;
pub mod tls;
pub mod uplink;
mod verifier;
pub mod web;
pub mod wire;

#[cfg(test)]
mod tests;
