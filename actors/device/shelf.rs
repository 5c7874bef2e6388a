//! The way of a report to the disk.

use jiff::Timestamp;
use tracing::debug;

use super::ask::aside;
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
    // A hostile one may have much to write.
    let runtime = tools.runtime.clone();
    let body = aside(runtime, async move { report.to_body() }).await;
    let Some(body) = body else {
        return Err(SpoolError::Closed);
    };
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
