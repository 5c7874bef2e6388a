//! One connection to a raw port or to LPR: something is said, something may be heard.
//!
//! It begins with a proof of [`super::identified`], and nothing that passes is kept or logged: to a
//! printer it is a document. Only octets are counted. What a printer sends is bounded in octets and
//! in time; that nothing comes is a value.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::identified::NoWay;
use super::stream::DeviceStream;

/// The usual raw port, of nearly every printer.
pub const PORT: u16 = 9_100;

/// How long a printer may take to accept what is said: everything said here is below 200 octets.
const SAY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a printer may take to end its side once ours has ended.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest one connection may last: eleven variables and a status, each with its wait.
const LINE_TIME_MAX: Duration = Duration::from_secs(45);

/// Most octets that one connection is listened to.
const HEARD_BYTES_MAX: usize = 256 * 1_024;

/// Octets that are taken at once.
const READ_BYTES: usize = 4_096;

/// Why a printer was not read, or not told.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// No connection over which something may be sent.
    #[error(transparent)]
    NoWay(#[from] NoWay),
    /// The connection broke.
    #[error("{peer} broke the connection: {error}")]
    Broken {
        /// Whom.
        peer: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// It ended the connection in place of an answer.
    #[error("{0} ended the connection instead of answering")]
    HungUp(SocketAddr),
    /// It takes nothing.
    #[error("{0} took nothing in {secs} s", secs = SAY_TIMEOUT.as_secs())]
    Stuck(SocketAddr),
    /// What it sends is no answer.
    #[error("{peer}: {why}")]
    NotUnderstood {
        /// Whom.
        peer: SocketAddr,
        /// What was wrong.
        why: String,
    },
    /// It talks without end.
    #[error("{0} sends more than {kib} KiB", kib = HEARD_BYTES_MAX / 1_024)]
    TooMuch(SocketAddr),
    /// It accepts a connection and answers nothing.
    #[error("{peer} accepts a connection and answers nothing over {language}")]
    Mute {
        /// Whom.
        peer: SocketAddr,
        /// What was spoken.
        language: &'static str,
    },
    /// It refuses a step of a job.
    #[error("{peer} does not take the job: its answer to step {step} is {answer}")]
    NotTaken {
        /// Whom.
        peer: SocketAddr,
        /// Which step, from 1 on.
        step: usize,
        /// Its octet, or that there was none.
        answer: String,
    },
    /// A variable that was set has another value.
    #[error("{peer} did not keep the value: {variable} is still '{kept}'")]
    NotKept {
        /// Whom.
        peer: SocketAddr,
        /// Which variable.
        variable: &'static str,
        /// What it says.
        kept: String,
    },
}

/// A connection on which something may be said.
pub(super) struct Line {
    stream: TcpStream,
    peer: SocketAddr,
    end: Instant,
    said: usize,
    heard: usize,
    is_ended: bool,
}

impl Line {
    /// Takes a connection over.
    pub(super) fn new(stream: DeviceStream, peer: SocketAddr) -> Self {
        Self {
            stream: stream.into_tcp(),
            peer,
            end: Instant::now() + LINE_TIME_MAX,
            said: 0,
            heard: 0,
            is_ended: false,
        }
    }

    /// Whether the printer has ended its side.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Says everything.
    pub(super) async fn say(&mut self, octets: &[u8]) -> Result<(), RawError> {
        let peer = self.peer;
        let written = timeout(SAY_TIMEOUT, self.stream.write_all(octets)).await;
        let written = written.map_err(|_| RawError::Stuck(peer))?;
        written.map_err(|error| RawError::Broken { peer, error })?;
        self.said += octets.len();
        Ok(())
    }

    /// Listens until `read` finds an answer in what came since; `None` is silence.
    pub(super) async fn hear<T, E: fmt::Display>(
        &mut self,
        patience: Duration,
        read: impl Fn(&[u8]) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, RawError> {
        let until = self.end.min(Instant::now() + patience);
        let mut came = Vec::new();
        while self.more(&mut came, until).await? {
            let found = read(&came).map_err(|error| RawError::NotUnderstood {
                peer: self.peer,
                why: error.to_string(),
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Listens until the printer ends its side, for so long, and to so many octets.
    pub(super) async fn hear_out(
        &mut self,
        patience: Duration,
        most: usize,
    ) -> Result<Vec<u8>, RawError> {
        let until = self.end.min(Instant::now() + patience);
        let mut came = Vec::new();
        while came.len() < most && self.more(&mut came, until).await? {}
        came.truncate(most);
        Ok(came)
    }

    /// Takes what comes next; false where nothing comes any more, or not in time.
    async fn more(&mut self, came: &mut Vec<u8>, until: Instant) -> Result<bool, RawError> {
        let peer = self.peer;
        let mut buffer = [0; READ_BYTES];
        let Ok(read) = timeout_at(until, self.stream.read(&mut buffer)).await else {
            return Ok(false);
        };
        let length = read.map_err(|error| RawError::Broken { peer, error })?;
        self.is_ended |= length == 0;
        self.heard += length;
        if self.heard > HEARD_BYTES_MAX {
            return Err(RawError::TooMuch(peer));
        }
        came.extend_from_slice(buffer.get(..length).unwrap_or_default());
        Ok(length > 0)
    }

    /// Ends our side and waits until the printer has taken everything: closing at once might take
    /// back what still waits.
    pub(super) async fn finish(mut self) -> usize {
        let said = self.said;
        // Who is gone by now has taken what it took.
        let _ = self.stream.shutdown().await;
        let mut rest = Vec::new();
        let until = Instant::now() + END_TIMEOUT;
        while matches!(self.more(&mut rest, until).await, Ok(true)) {
            rest.clear();
        }
        said
    }
}
