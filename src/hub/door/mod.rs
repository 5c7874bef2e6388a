//! The doors: what the outside can reach, one file or folder each.

pub mod code;
mod enrolling;
pub mod portal;
pub mod tls;
pub mod uplink;
mod verifier;
pub mod wire;

#[cfg(test)]
mod tests;
