//! The store: what the hub keeps, on SQLite or PostgreSQL. The only room with SQL in it.
//!
//! Doors and commands hold a [`Store`] and call its methods; each query is bounded by a
//! [`Tenant`]. Each SQL text stands once and is run by whichever pool there is. What the readings
//! mean is judged elsewhere ([`crate::meter`]); nothing here opens a port.
//!
//! The methods, by file: [`agents`] (who may report), [`holders`] (who they are, and whether there
//! are two), [`invitations`] (who may become one), [`approvals`] (whom a person lets in),
//! [`accept`] (keeping a [`report`], exactly once), [`printers`] (what the portal and the commands
//! show), [`merges`] (which devices are one printer), [`commands`] (what was ordered of agents), [`portal`] (who may look, and order),
//! [`web_sessions`] and [`web_pins`] (who reached which printer's page, and what it proved),
//! [`audit`] (what was done there), [`gateway`] (who may tunnel).

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgPool, SqlitePool};

pub mod accept;
pub mod agents;
pub mod approvals;
pub mod audit;
pub mod commands;
pub mod gateway;
pub mod holders;
pub mod invitations;
pub mod merges;
pub mod portal;
pub mod printers;
pub mod report;
pub mod web_pins;
pub mod web_sessions;

/// Connections at once. SQLite writes one at a time whatever this says; readers run beside it.
const CONNECTIONS_MAX: u32 = 8;

/// Longest wait for another writer of the same SQLite file. A batch of 500 reports takes far less
/// than a second; a backup tool may hold the file for a few.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for a connection before the caller is told that the store is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs `$body` on whichever pool there is: each SQL text is written once and compiled for both.
macro_rules! on_pool {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite($pool) => $body,
            $crate::store::Pool::Postgres($pool) => $body,
        }
    };
}

/// Runs `$body` in one transaction, which is kept only if the body neither fails nor returns.
///
/// SQLite takes its write lock at the beginning: a transaction that turns from reader to writer
/// midway is refused at once when another one writes, whatever the busy timeout says.
macro_rules! in_transaction {
    ($store:expr, $tx:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite(pool) => {
                let mut $tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
            $crate::store::Pool::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
        }
    };
}

pub(crate) use {in_transaction, on_pool};

/// What the hub keeps. Cheap to clone: the pool is shared.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
}

#[derive(Debug, Clone)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Whose data it is. Every query is bounded by one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(Cow<'static, str>);

impl Tenant {
    /// The only tenant of a hub that serves one organization.
    pub const DEFAULT: Self = Self(Cow::Borrowed("default"));

    /// The name as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address of the store is neither a SQLite file nor a PostgreSQL.
    #[error("'{0}' is no store: it is written sqlite:FILE or postgres://USER@HOST/NAME")]
    Address(String),
    /// The store is there and cannot be opened.
    #[error("the store {place} cannot be opened: {source}")]
    Open {
        /// The file, or the host and the name.
        place: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A newer hub has written here.
    #[error("the store {place} was written by a newer platen-hub (its schema is {version})")]
    Newer {
        /// The file, or the host and the name.
        place: String,
        /// The version found.
        version: i64,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of the store {place} cannot be brought up to date: {source}")]
    Migrate {
        /// The file, or the host and the name.
        place: String,
        /// What the driver said.
        source: MigrateError,
    },
    /// Another program holds the database longer than anyone should.
    #[error("the database is locked by another program")]
    Locked,
    /// A question failed.
    #[error("the store did not answer: {0}")]
    Database(sqlx::Error),
    /// A row holds what this hub never writes.
    #[error("the store holds a {what} that cannot be: {value}")]
    Corrupt {
        /// The column or field.
        what: &'static str,
        /// What it holds, bounded.
        value: String,
    },
    /// The machine has no randomness to give.
    #[error("the machine gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let is_locked = error
            .as_database_error()
            .is_some_and(|error| error.message().contains("database is locked"));
        if is_locked {
            Self::Locked
        } else {
            Self::Database(error)
        }
    }
}

impl Store {
    /// Opens the store and brings its schema up to date.
    ///
    /// `url` is `sqlite:FILE` (made if absent; a relative file lies in `state_dir`) or
    /// `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError`] when the address is wrong, the store cannot be opened, or a newer hub has
    /// written there.
    pub async fn open(url: &str, state_dir: &Path) -> Result<Self, StoreError> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            let file = state_dir.join(file.trim_start_matches("//"));
            return Self::open_sqlite(file).await;
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Self::open_postgres(url).await;
        }
        Err(StoreError::Address(url.chars().take(80).collect()))
    }

    async fn open_sqlite(file: PathBuf) -> Result<Self, StoreError> {
        let place = file.display().to_string();
        // Made before SQLite does, for the hub alone: its companions (-wal, -shm) follow suit.
        let made = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file);
        made.map_err(|error| StoreError::Open {
            place: place.clone(),
            source: error.into(),
        })?;
        // FULL: in a power cut, WAL with NORMAL loses commits that were acknowledged.
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECT_TIMEOUT + BUSY_TIMEOUT)
            // On a full disk SQLite rolls back by itself, and sqlx goes on counting a transaction:
            // such a connection would refuse each further one.
            .before_acquire(|connection, _| {
                let is_free = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_free) })
            })
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Open {
                place: place.clone(),
                source,
            })?;
        sqlx::migrate!("./migrations/sqlite")
            .run(&pool)
            .await
            .map_err(|source| migration_error(place, source))?;
        Ok(Self {
            pool: Pool::Sqlite(pool),
        })
    }

    async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Address("postgres:…".to_owned()))?;
        let name = options.get_database().unwrap_or_default();
        let place = format!("{name} on {}", options.get_host());
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Open {
                place: place.clone(),
                source,
            })?;
        sqlx::migrate!("./migrations/postgres")
            .run(&pool)
            .await
            .map_err(|source| migration_error(place, source))?;
        Ok(Self {
            pool: Pool::Postgres(pool),
        })
    }

    /// Asks the database something trivial: is it there?
    ///
    /// # Errors
    /// [`StoreError`] when it is not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        on_pool!(self, pool => { sqlx::query("SELECT 1").execute(pool).await?; });
        Ok(())
    }

    /// Ends every connection, after what is under way.
    pub async fn close(&self) {
        on_pool!(self, pool => pool.close().await);
    }
}

fn migration_error(place: String, source: MigrateError) -> StoreError {
    match source {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            StoreError::Newer { place, version }
        }
        source => StoreError::Migrate { place, source },
    }
}

/// SHA-256 in lower-case hex: the form in which secrets and certificates are stored.
pub(crate) fn hash_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// 128 bits nobody can guess, as 32 hex digits.
pub(crate) fn random_hex() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(hex(&bytes))
}

/// Milliseconds since 1970, as times are stored.
fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| StoreError::Corrupt {
        what: "time",
        value: millis.to_string(),
    })
}

fn maybe_timestamp(millis: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    millis.map(timestamp).transpose()
}

#[cfg(test)]
mod tests;
