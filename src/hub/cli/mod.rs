//! The commands of `platen-hub`: one file a noun.
//!
//! Data goes to stdout, everything else to stderr. An error says what happened, why, and what to
//! do next; its exit code is one of those in docs.
