//! How the agent lives: supervisor, scanners, devices, spool, uplink.

pub mod reach;
pub mod spool;
