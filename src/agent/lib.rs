//! The agent: the collector at a customer's site.
//!
//! It only assembles: configuration, identity, spool, sockets, and the actors that live on them.

pub mod channels;
pub mod cli;
pub mod config;
pub mod control;
pub mod diag;
pub mod doctor;
pub mod enroll;
pub mod identity;
pub mod ports;
pub mod profiles;
pub mod recent;
pub mod remote;
mod run;
mod schema;
pub mod sealing;
pub mod site;

pub use cli::Exit;
pub use run::{run, try_run};
