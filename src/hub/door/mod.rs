//! The doors: what the outside can reach, one file or folder each.

pub mod portal;
