//! The way of a report to the disk.

use jiff::Timestamp;
use tracing::debug;

use crate::parts::Tools;
use crate::report::Report;
use crate::spool::{Importance, NewReport, SpoolError};

/// Puts a report on disk, if there is one.
pub(super) async fn append(
    tools: Tools,
    report: Option<Report>,
    importance: Importance,
    at: Timestamp,
) -> Result<(), SpoolError> {
    let Some(report) = report else { return Ok(()) };
    let device = report.device().cloned();
    let body = report.to_body();
    let new = NewReport {
        importance,
        device,
        at,
        body,
    };
    let kept = tools.spool.append(vec![new]).await?;
    debug!(sequence = kept.start().0, "spooled");
    Ok(())
}
