//! Status: how a printer is. One function decides state and severity, for every list and page.

use serde::{Deserialize, Serialize};

/// How a printer is at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// What hrPrinterDetectedErrorState says, by the names of RFC 2790, in bit order.
    pub conditions: Vec<String>,
    /// The lines of its display.
    pub console: Vec<String>,
}

/// What a printer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Ready.
    Idle,
    /// At work.
    Printing,
    /// Getting warm.
    Warmup,
    /// Asleep.
    Standby,
    /// Switched off line.
    Offline,
    /// Stopped by an error.
    Stopped,
    /// It does not say.
    Unknown,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Nothing to do.
    Ok,
    /// It does not say.
    Unknown,
    /// Someone should look.
    Warning,
    /// It does not print.
    Critical,
}
