//! What printers mean: the model of a reading, and how a walk becomes one.
//!
//! Used by the agent (makes readings), and by the hub (keeps and shows them).
//! Pure: values in, values out; no socket, clock or disk.

pub mod alert;
pub mod identity;
pub mod meter;
pub mod reading;
pub mod status;
pub mod supply;
pub mod tray;
