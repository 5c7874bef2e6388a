//! What of a head passes, without a printer.

use super::*;
use crate::door::web::place::Scheme;
use crate::session::SessionId;
