//! What printers mean: the model of a reading, and how a walk becomes one.
//!
//! Used by the agent (makes readings), and by the hub (keeps and shows them).
//! Pure: values in, values out; no socket, clock or disk.

pub mod again;
pub mod alert;
mod brand;
mod brands;
pub mod change;
pub mod coverage;
mod decoder;
pub mod decrease;
pub mod direction;
pub mod doctor;
pub mod facts;
mod identify;
pub mod identity;
pub mod ipp;
pub mod judge;
pub mod ledm;
mod level;
pub mod lpr;
pub mod meter;
pub mod mib;
pub mod pjl;
pub mod profile;
mod profile_file;
pub mod question;
pub mod reading;
mod recognize;
pub mod second_source;
pub mod sources;
pub mod status;
pub mod summary;
pub mod supply;
pub mod supply_life;
mod supply_words;
mod sys_descr;
pub mod text;
pub mod tray;
pub mod walk;
pub mod zebra;

pub use judge::judge;
