//! The hub: keeps what the agents report, and shows it.

pub mod door;
pub mod meter;
pub mod store;
