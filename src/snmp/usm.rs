//! SNMP version 3 with the User-based Security Model (RFC 3411 to 3418, 3414, 3826, 7860).
//!
//! Used by the agent, which asks, and by the simulator, which answers. A [`User`] is what a person
//! configures; [`User::localize`] makes its [`Keys`] for one engine; a [`Dialog`] is what is known
//! of one engine, and says of each datagram what it means. Pure: the time is handed in, and so are
//! the random numbers.

mod algorithm;
mod cipher;
mod clock;
mod dialog;
mod frame;
mod key;
mod report;
mod user;

pub use algorithm::{Auth, Extension, Level, Privacy};
pub use clock::{BOOTS_MAX, Clock, Timeliness, WINDOW_SECS};
pub use dialog::{Asked, Dialog, Doubt, Heard};
pub use frame::{
    Data, Draft, ENGINE_ID_BYTES_MAX, Frame, MESSAGE_ID_MAX, Scoped, discovery, plain_report,
    plain_scoped,
};
pub use key::{Key, Keys};
pub use report::{Refusal, Report};
pub use user::{NAME_BYTES_MAX, Security, User, UserError};
