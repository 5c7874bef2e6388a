//! Printers that may be another one, as an agent tells of them.

use proto::v1;

use super::{At, Checked, NAME_LEN_MAX, WireError, bounded, device, rows, text, time};
use crate::store::agents::Doubtful;

/// Most of them in one status, as uplink.proto promises.
const DOUBTFUL_MAX: usize = 50;

/// Most that one of them may be which are named.
const MAY_BE_MAX: usize = 8;

/// Checks them: no more than an agent may tell of, and each names at least one other.
pub(super) fn check(at: &At<'_>, sent: Vec<v1::Doubtful>) -> Checked<Vec<Doubtful>> {
    few(at, "doubtful", sent.len(), DOUBTFUL_MAX)?;
    rows(at, "doubtful", sent, |at, row| {
        few(at, "may_be", row.may_be.len(), MAY_BE_MAX)?;
        if row.may_be.is_empty() {
            let field = at.field("may_be").to_string();
            return Err(WireError::Missing { field });
        }
        Ok(Doubtful {
            device: device(&at.field("device_id"), &row.device_id)?,
            address: bounded(&at.field("address"), row.address, NAME_LEN_MAX)?,
            may_be: rows(at, "may_be", row.may_be, |at, id| device(at, &id))?,
            more: row.more,
            why: text(&at.field("why"), row.why)?,
            since: time(&at.field("since_ms"), row.since_ms)?,
        })
    })
}

/// Checks that a list has no more rows than it may.
pub(super) fn few(at: &At<'_>, field: &'static str, count: usize, max: usize) -> Checked<()> {
    if count <= max {
        return Ok(());
    }
    let field = at.field(field).to_string();
    Err(WireError::TooLong { field, max })
}
