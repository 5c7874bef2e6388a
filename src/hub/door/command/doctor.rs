//! The doctor's report in what an agent answered: known by its shape, and by nothing else.
//!
//! Used by the command line and the portal. What is not a report is shown as any other result.

use printer::doctor::Report;

use crate::permission::Action;
use crate::store::commands::CommandRow;

/// The report of a command, if it is the doctor's and was carried out.
#[must_use]
pub fn report(command: &CommandRow) -> Option<Report> {
    if command.kind != Action::Doctor.as_str() {
        return None;
    }
    serde_json::from_slice(&command.result).ok()
}
