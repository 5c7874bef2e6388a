//! The agent: the collector at a customer's site.

pub mod cli;
