//! The command line of `platen`: one file a verb, and what they share: exit codes and complaints.

mod asking;
pub mod check;
pub mod configuring;
pub mod diag;
pub mod discover;
pub mod doctor;
mod dry_run;
pub mod enrolling;
pub mod forgetting;
pub(crate) mod found;
pub mod outbox;
mod outcome;
pub mod profiles;
pub mod queue;
pub mod read;
mod recording;
pub mod releasing;
pub mod running;
mod sent;
pub mod sessions;
pub(crate) mod show;
pub mod status;
pub mod table;
#[cfg(test)]
mod tests;
mod user;
mod via;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What stands below `--help`.
const EXAMPLES: &str = "\
Examples:
  platen discover 192.168.1.0/24    which printers are there?
  platen read 192.168.1.17          everything one of them says
  platen enroll URL CODE            the line that the hub's invite printed, once
  platen run                        the agent, until Ctrl-C or SIGTERM
  platen check                      what is not within reach, and why
  platen doctor 192.168.1.17        why is this printer missing?

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing found or a check failed, 69 hub away,
77 refused, 78 wrong configuration. More: docs/reference/cli.md";

/// Finds printers, reads them, and tells a hub what they say
#[derive(Debug, Parser)]
#[command(name = "platen", version, max_term_width = 80, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// What `platen` can be told to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Find the printers in some address ranges: no server, no configuration needed
    Discover(discover::DiscoverArgs),
    /// Read one printer, or a recording of one
    Read(read::ReadArgs),
    /// Say how a printer's print queue is, over LPR
    Queue(queue::QueueArgs),
    /// List the makers that are known, and how well each is covered
    Profiles(profiles::ProfilesArgs),
    /// Run the agent as a service, until SIGTERM
    Run(running::RunArgs),
    /// Make this agent known to a hub, with a one-time code
    Enroll(enrolling::EnrollArgs),
    /// Show how the running agent is: hub, printers, queue, restarts
    Status(status::StatusArgs),
    /// Show, approve, refuse and end sessions with printers' web pages
    Sessions(sessions::SessionsArgs),
    /// Read a printer again that was set aside
    Release(releasing::ReleaseArgs),
    /// Forget the certificate that a printer showed, so that its next one is believed
    ForgetCertificate(forgetting::ForgetArgs),
    /// Print what left this network: every message to the hub, after the masks
    Outbox(outbox::OutboxArgs),
    /// Write one file for those who help: versions, status, log, a check; no secrets
    Diag(diag::DiagArgs),
    /// Say whether hub, proxy, clock, disk and printers are within reach, and why not
    Check(check::CheckArgs),
    /// Say why a printer, or a value of it, is missing
    Doctor(doctor::DoctorArgs),
    /// Exit with 0 if the running agent answers, for health checks
    Health(status::HealthArgs),
    /// Print, show or validate the configuration
    #[command(subcommand)]
    Config(configuring::ConfigVerb),
    /// Print what this configuration contacts, for the firewall
    Ports(configuring::PortsArgs),
}

/// How a verb ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// All went well.
    pub const OK: Self = Self(0);
    /// It failed.
    pub const FAILED: Self = Self(1);
    /// The arguments cannot be (clap uses the same code).
    pub const USAGE: Self = Self(2);
    /// A check failed, or nothing was found.
    pub const NOTHING: Self = Self(3);
    /// The hub cannot be reached.
    pub const HUB_AWAY: Self = Self(69);
    /// Refused for good: restarting does not help.
    pub const REFUSED: Self = Self(77);
    /// The configuration is bad: restarting does not help.
    pub const BAD_CONFIG: Self = Self(78);

    /// The code as a number.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// A complaint to a person: what happened, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// What happened, lower case, no full stop.
    pub what: String,
    /// Why, or what is known about it; empty where nothing is.
    pub why: String,
    /// The next command or step; empty where there is none.
    pub next: String,
    /// The exit code that goes with it.
    pub exit: Exit,
}

impl CliError {
    /// A complaint that ends with `exit`.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        let (why, next) = (String::new(), String::new());
        Self {
            what: what.into(),
            why,
            next,
            exit,
        }
    }

    /// Adds why it happened.
    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            ..self
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn try_next(self, next: impl Into<String>) -> Self {
        Self {
            next: next.into(),
            ..self
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if !self.why.is_empty() {
            write!(f, "\n  why:  {}", self.why)?;
        }
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

/// Runs the verb that was asked for.
///
/// # Errors
/// [`CliError`], to be shown on stderr; its `exit` is the exit code.
pub async fn run(cli: Cli) -> Result<Exit, CliError> {
    match cli.verb {
        Verb::Discover(args) => discover::run(args).await,
        Verb::Read(args) => read::run(args).await,
        Verb::Queue(args) => queue::run(args).await,
        Verb::Profiles(args) => profiles::run(&args),
        Verb::Run(args) => running::run(args).await,
        Verb::Enroll(args) => enrolling::run(args).await,
        Verb::Status(args) => status::run(args).await,
        Verb::Sessions(args) => sessions::run(args).await,
        Verb::Release(args) => releasing::run(args).await,
        Verb::ForgetCertificate(args) => forgetting::run(&args).await,
        Verb::Outbox(args) => outbox::run(&args),
        Verb::Diag(args) => diag::run(args).await,
        Verb::Check(args) => check::run(args).await,
        Verb::Doctor(args) => doctor::run(args).await,
        Verb::Health(args) => status::health(args).await,
        Verb::Config(verb) => configuring::config(verb),
        Verb::Ports(args) => configuring::ports(&args),
    }
}
