//! Complaints: what happened, why, and what to do next; and the exit code that goes with each.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use crate::RunError;
use crate::ca::CaError;
use crate::command_key::CommandKeyError;
use crate::config::ConfigError;
use crate::door::gateway::host_key::HostKeyError;
use crate::state::StateError;
use crate::store::StoreError;

/// How a command ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// All went well.
    pub const OK: Self = Self(0);
    /// It failed.
    pub const FAILED: Self = Self(1);
    /// A check failed, or nothing was found.
    pub const NOTHING: Self = Self(3);
    /// The hub cannot be reached.
    pub const HUB_AWAY: Self = Self(69);
    /// Refused: doing it again does not help.
    pub const REFUSED: Self = Self(77);
    /// The configuration is bad: restarting does not help.
    pub const BAD_CONFIG: Self = Self(78);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// A complaint to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What happened, lower case, no full stop.
    pub what: String,
    /// Why, or what is known about it; empty where nothing is.
    pub why: String,
    /// The next command or step; empty where there is none.
    pub next: String,
    /// The exit code that goes with it.
    pub exit: Exit,
}

impl Complaint {
    /// A complaint that ends with `exit`.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: String::new(),
            next: String::new(),
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

    /// Why it happened, or what, where nothing is known about it.
    #[must_use]
    pub fn because_or_what(&self) -> &str {
        if self.why.is_empty() {
            &self.what
        } else {
            &self.why
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

impl fmt::Display for Complaint {
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

impl std::error::Error for Complaint {}

impl From<ConfigError> for Complaint {
    fn from(error: ConfigError) -> Self {
        let next = match &error {
            ConfigError::Unreadable { .. } => {
                "name a file with --config FILE; platen-hub config default prints one to begin with"
            }
            ConfigError::Wrong { .. } | ConfigError::Value { .. } => {
                "platen-hub config default prints every key with its default and reason"
            }
        };
        Self::new(Exit::BAD_CONFIG, error.to_string()).try_next(next)
    }
}

impl From<StateError> for Complaint {
    fn from(error: StateError) -> Self {
        let complaint = |exit| Self::new(exit, error.to_string());
        match &error {
            StateError::File { source, .. } => {
                let (exit, why, next) = folder_cure(source.kind());
                complaint(exit).because(why).try_next(next)
            }
            StateError::InUse(_) => complaint(Exit::FAILED)
                .because("two would write over each other's readings")
                .try_next("stop that one first, or give this one a state_dir of its own"),
            StateError::Random(_) => complaint(Exit::FAILED),
        }
    }
}

/// Exit code, why and what to do, where the system refuses the state folder.
fn folder_cure(kind: ErrorKind) -> (Exit, &'static str, &'static str) {
    match kind {
        ErrorKind::PermissionDenied => (
            Exit::BAD_CONFIG,
            "the hub's folder is for the hub's user alone",
            "run as the user who owns the folder, or set state_dir (PLATEN_HUB_STATE_DIR) to one \
             that this user can write",
        ),
        ErrorKind::NotADirectory => (
            Exit::BAD_CONFIG,
            "a part of this path is a file and not a folder",
            "set state_dir (PLATEN_HUB_STATE_DIR) to a folder that this user can write",
        ),
        ErrorKind::ReadOnlyFilesystem => (
            Exit::BAD_CONFIG,
            "the disk cannot be written",
            "set state_dir (PLATEN_HUB_STATE_DIR) to a folder that can be written",
        ),
        ErrorKind::StorageFull => (
            Exit::FAILED,
            "the disk is full",
            "free some space on that disk; nothing that was kept is lost",
        ),
        _ => (
            Exit::FAILED,
            "the hub keeps its keys and readings there",
            "look at that disk and folder (state_dir), and try again",
        ),
    }
}

impl From<CaError> for Complaint {
    fn from(error: CaError) -> Self {
        match error {
            CaError::State(error) => error.into(),
            CaError::Name(_) => Self::new(Exit::BAD_CONFIG, error.to_string()),
            CaError::Unreadable(_) | CaError::Sign(_) | CaError::Random(_) => {
                Self::new(Exit::FAILED, error.to_string())
            }
        }
    }
}

impl From<StoreError> for Complaint {
    fn from(error: StoreError) -> Self {
        let (exit, next) = match &error {
            StoreError::Address(_) => (Exit::BAD_CONFIG, "correct store.url"),
            StoreError::Open { .. } => (
                Exit::FAILED,
                "check store.url, that the folder or the server is there, and that this user may \
                 write to it",
            ),
            StoreError::Newer { .. } => (
                Exit::FAILED,
                "install the newer platen-hub again, or restore a backup from before it",
            ),
            StoreError::Locked => (
                Exit::FAILED,
                "end the other program (a backup, a database browser) and try again",
            ),
            StoreError::Migrate { .. } => (
                Exit::FAILED,
                "nothing was changed; check that this user may change tables, or restore a backup",
            ),
            StoreError::Database(_) | StoreError::Corrupt { .. } | StoreError::Random(_) => {
                (Exit::FAILED, "")
            }
        };
        Self::new(exit, error.to_string()).try_next(next)
    }
}

impl From<RunError> for Complaint {
    fn from(error: RunError) -> Self {
        match error {
            RunError::State(error) => error.into(),
            RunError::Ca(error) => error.into(),
            RunError::Store(error) => error.into(),
            RunError::Bind {
                key,
                address,
                ref source,
            } => {
                let (why, next) = match source.kind() {
                    ErrorKind::AddrInUse => (
                        "another program listens there".to_owned(),
                        format!("stop it, or change {key}"),
                    ),
                    ErrorKind::PermissionDenied => (
                        "ports below 1024 are for root".to_owned(),
                        format!("change {key} to a port from 1024 up"),
                    ),
                    ErrorKind::AddrNotAvailable => (
                        "this machine has no such address".to_owned(),
                        format!("change {key} to an address of this machine, or to 0.0.0.0"),
                    ),
                    _ => (source.to_string(), format!("change {key}")),
                };
                let what = format!("{address} cannot be listened on");
                Self::new(Exit::FAILED, what).because(why).try_next(next)
            }
            RunError::File { key, .. } => Self::new(Exit::BAD_CONFIG, error.to_string())
                .try_next(format!("name a file in {key} that this user can read")),
            RunError::CommandKey(CommandKeyError::State(error)) => error.into(),
            RunError::HostKey(HostKeyError::State(error)) => error.into(),
            RunError::HostKey(HostKeyError::Unreadable(_) | HostKeyError::Make(_))
            | RunError::CommandKey(CommandKeyError::Unreadable(_) | CommandKeyError::Make(_))
            | RunError::Audit(_)
            | RunError::Tls(_)
            | RunError::Broker(_)
            | RunError::Carrier(_)
            | RunError::Portal(_) => Self::new(Exit::FAILED, error.to_string()),
        }
    }
}
