//! What `platen check` found: one line each, for people and as JSON.

use std::fmt::Write;
use std::time::Duration;

pub use printer::doctor::State;
use printer::status::Severity;
use serde::Serialize;

use crate::cli::table::{painted, printable};

/// Width of the first column.
const AREA_WIDTH: usize = 8;
/// Width of what was checked.
const SUBJECT_WIDTH: usize = 34;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// A channel to the hub.
    Hub,
    /// This machine's clock.
    Clock,
    /// The agent on this machine.
    Agent,
    /// The disk of the state folder.
    Disk,
    /// Ping.
    Icmp,
    /// A range of printers.
    Range,
}

/// What is the matter, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A name is not known, or no name server answers.
    Dns,
    /// This machine has no route there.
    NoRoute,
    /// Packets vanish on the way.
    Dropped,
    /// A firewall or router says no.
    Rejected,
    /// Nobody listens at the hub's address.
    HubDown,
    /// The hub is there, its broker is not.
    BrokerDown,
    /// The hub's SSH is not reached.
    SshBlocked,
    /// The proxy is not there, or is none.
    ProxyDown,
    /// The proxy wants a user, or another one.
    ProxyAuthentication,
    /// The proxy does not let us through, or does not reach the hub.
    ProxyRefuses,
    /// A sign-in page answers in the hub's place.
    CaptivePortal,
    /// Somebody opens TLS on the way.
    Intercepted,
    /// Another server than the hub answers.
    WrongServer,
    /// TLS that is too old, or none.
    NoTls,
    /// This machine's clock is wrong.
    Clock,
    /// A certificate has ended.
    CertificateExpired,
    /// The hub does not take this agent's certificate.
    Refused,
    /// There is no identity for this hub.
    NotEnrolled,
    /// No agent runs here.
    NotRunning,
    /// The disk has no room.
    DiskFull,
    /// Nobody in a range answers.
    NobodyAnswers,
    /// This user may not.
    NotPermitted,
    /// Anything else.
    Other,
}

/// What is the matter, for people: what, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// For programs.
    pub cause: Cause,
    /// What is the matter.
    pub what: String,
    /// Why, or what is known of it.
    pub why: String,
    /// What to do.
    pub next: String,
}

impl Trouble {
    /// A trouble; the text may hold what others said.
    pub fn new(
        cause: Cause,
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let [what, why, next] = [what.into(), why.into(), next.into()].map(|it| printable(&it));
        Self {
            cause,
            what,
            why,
            next,
        }
    }
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub area: Area,
    /// Which one.
    pub subject: String,
    /// How it is.
    pub state: State,
    /// What is the matter; absent where nothing is.
    pub cause: Option<Cause>,
    /// What was found.
    pub what: String,
    /// Why; empty where nothing is the matter.
    pub why: String,
    /// What to do; empty where there is nothing to do.
    pub next: String,
    /// How long it took.
    pub took_ms: Option<u64>,
}

impl Finding {
    /// Nothing is the matter.
    pub fn fine(area: Area, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            area,
            subject: subject.into(),
            state: State::Ok,
            cause: None,
            what: printable(&what.into()),
            why: String::new(),
            next: String::new(),
            took_ms: None,
        }
    }

    /// It was not looked at.
    pub fn skipped(area: Area, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            state: State::Skipped,
            ..Self::fine(area, subject, why)
        }
    }

    /// Something does not work.
    pub fn failed(area: Area, subject: impl Into<String>, trouble: Trouble) -> Self {
        Self {
            state: State::Failed,
            cause: Some(trouble.cause),
            why: trouble.why,
            next: trouble.next,
            ..Self::fine(area, subject, trouble.what)
        }
    }

    /// Something is missing that the agent works without.
    pub fn warning(area: Area, subject: impl Into<String>, trouble: Trouble) -> Self {
        Self {
            state: State::Warning,
            ..Self::failed(area, subject, trouble)
        }
    }

    /// Adds how long it took.
    pub fn taking(self, took: Duration) -> Self {
        Self {
            took_ms: u64::try_from(took.as_millis()).ok(),
            ..self
        }
    }
}

/// The findings for people.
pub fn text(findings: &[Finding], is_colored: bool) -> String {
    let mut text = String::new();
    let mut before = None;
    for finding in findings {
        let area = match finding.area {
            area if before == Some(area) => "",
            Area::Hub => "Hub",
            Area::Clock => "Clock",
            Area::Agent => "Agent",
            Area::Disk => "Disk",
            Area::Icmp => "ICMP",
            Area::Range => "Range",
        };
        before = Some(finding.area);
        let (mark, severity) = match finding.state {
            State::Ok => ("✓", Severity::Ok),
            State::Warning => ("!", Severity::Warning),
            State::Failed => ("✗", Severity::Critical),
            State::Skipped => ("–", Severity::Unknown),
        };
        let took = finding.took_ms.map(|ms| format!("{ms} ms"));
        let mark = painted(mark, severity, is_colored);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{area:<AREA_WIDTH$} {mark} {:<SUBJECT_WIDTH$} {:>8}  {}",
            printable(&finding.subject),
            took.unwrap_or_default(),
            finding.what
        );
        for line in [&finding.why, &finding.next] {
            if !line.is_empty() {
                let arrow = if std::ptr::eq(line, &raw const finding.next) {
                    "→ "
                } else {
                    ""
                };
                let _ = writeln!(text, "{:AREA_WIDTH$}   {arrow}{line}", "");
            }
        }
    }
    text
}
