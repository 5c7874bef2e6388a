//! SNMP to many devices at once, over one UDP socket an address family.
//!
//! Used by everything that reads devices. A question is asked again when no answer came, under the
//! same request-id, so that a late answer to the first try is an answer. Who asks one device asks
//! one question at a time: [`super::session`] does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use snmp::{EncodeError, Message, Oid, Pdu, PduKind, VarBind};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::credential::Credential;
use super::pace::Pace;
use super::pending::{Answer, Counters, Pending, Waiting};
use super::scope::{Door, InScope, Scope};
use super::session::{Budget, Session};
use super::socket::Sockets;
use super::sweep::{self, Sweep, SweepOptions};

/// How much longer each further try waits than the one before.
const WAIT_GROWTH: u32 = 2;

/// Longest wait of one try: the slowest answer in our recordings took 3.1 s.
const WAIT_MAX: Duration = Duration::from_secs(8);

/// Questions registered but not yet in the table; more wait in line.
const REGISTRATIONS_MAX: usize = 256;

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnmpSettings {
    /// How long the first try waits for its answer.
    pub timeout: Duration,
    /// How often a question is asked again; each try waits twice as long as the one before.
    pub retries: u32,
    /// Most questions that wait for answers at once.
    pub in_flight_max: usize,
    /// Most packets sent in a second, everything together.
    pub packets_per_second_max: u32,
}

impl Default for SnmpSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            retries: 1,
            in_flight_max: 64,
            packets_per_second_max: 50,
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The device did not answer any try.
    #[error("{peer} did not answer {tries} tries over SNMP in {:.1} s", waited.as_secs_f64())]
    Silent {
        /// Who was asked.
        peer: SocketAddr,
        /// How often.
        tries: u32,
        /// How long all tries waited together.
        waited: Duration,
    },
    /// The question could not be sent.
    #[error("cannot send to {peer}: {error}")]
    Unsendable {
        /// Who was to be asked.
        peer: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The question cannot be written as SNMP.
    #[error("the question cannot be encoded: {0}")]
    Unencodable(#[from] EncodeError),
    /// A budget of one reading was used up: the device answers without end, or too slowly.
    #[error("{peer} used up the budget of one reading: {spent}")]
    OverBudget {
        /// Who was asked.
        peer: SocketAddr,
        /// Which budget.
        spent: super::session::Spent,
    },
    /// The runtime is shutting down.
    #[error("the SNMP socket is closed")]
    Closed,
}

/// What came and went since the sockets were opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SnmpCounts {
    /// Datagrams sent, sweeps not included.
    pub packets_sent: u64,
    /// Of them, questions asked again.
    pub retries: u64,
    /// Answers that found their question.
    pub answers: u64,
    /// Late, doubled and foreign datagrams, dropped.
    pub strays: u64,
    /// Datagrams that are no SNMP.
    pub malformed: u64,
    /// Times a full send queue was waited out.
    pub send_waits: u64,
}

/// A handle to the sockets; cheap to clone.
#[derive(Debug, Clone)]
pub struct Snmp {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: SnmpSettings,
    sockets: Arc<Sockets>,
    registrations: mpsc::Sender<Waiting>,
    permits: Semaphore,
    pace: Arc<Pace>,
    counters: Arc<Counters>,
}

impl Snmp {
    /// Opens the sockets and starts the task that pairs answers with questions. Must be called on
    /// a tokio runtime; the task ends with the last handle.
    ///
    /// # Errors
    /// When no UDP socket can be opened.
    pub fn open(settings: SnmpSettings) -> io::Result<Self> {
        let sockets = Arc::new(Sockets::open()?);
        let counters = Arc::new(Counters::default());
        let (registrations, registered) = mpsc::channel(REGISTRATIONS_MAX);
        let (their_sockets, their_counters) = (sockets.clone(), counters.clone());
        let pending = Pending::new(
            their_sockets,
            registered,
            their_counters,
            settings.in_flight_max,
        );
        tokio::spawn(pending.run());
        let shared = Shared {
            settings,
            sockets,
            registrations,
            permits: Semaphore::new(settings.in_flight_max.clamp(1, Semaphore::MAX_PERMITS)),
            pace: Arc::new(Pace::new(settings.packets_per_second_max)),
            counters,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Asks one question and gives the answer, whatever error-status it carries.
    ///
    /// # Errors
    /// [`AskError`]; `Silent` is an expected outcome.
    pub async fn ask(
        &self,
        target: &InScope,
        credential: &Credential,
        kind: PduKind,
        oids: &[Oid],
    ) -> Result<Pdu, AskError> {
        Ok(self.ask_weighed(target, credential, kind, oids).await?.pdu)
    }

    /// Gets these objects. What the device does not have is left out; a question that it finds too
    /// big, or one object of which it refuses, is asked again in smaller pieces.
    ///
    /// # Errors
    /// [`AskError`], `Silent` when it does not answer.
    pub async fn get(
        &self,
        target: &InScope,
        credential: &Credential,
        oids: &[Oid],
    ) -> Result<Vec<VarBind>, AskError> {
        self.session(target, credential).get(oids).await
    }

    /// Reads columns of a table, or subtrees, side by side.
    ///
    /// # Errors
    /// [`AskError`], `Silent` when it answers nothing at all.
    pub async fn columns(
        &self,
        target: &InScope,
        credential: &Credential,
        roots: &[Oid],
    ) -> Result<Vec<VarBind>, AskError> {
        self.session(target, credential).columns(roots).await
    }

    /// Reads one subtree.
    ///
    /// # Errors
    /// As [`Snmp::columns`].
    pub async fn walk(
        &self,
        target: &InScope,
        credential: &Credential,
        root: &Oid,
    ) -> Result<Vec<VarBind>, AskError> {
        self.columns(target, credential, std::slice::from_ref(root))
            .await
    }

    /// Starts a conversation with one device, under the budget of one reading.
    #[must_use]
    pub fn session(&self, target: &InScope, credential: &Credential) -> Session {
        Session::new(
            self.clone(),
            *target,
            credential.clone(),
            Budget::of_a_reading(),
        )
    }

    /// Asks every address in scope who it is. The answers come as they arrive; the sweep ends
    /// when the last may have come, or when [`Sweep`] is dropped.
    ///
    /// # Errors
    /// When no socket can be opened, or the probe cannot be encoded.
    pub fn sweep(
        &self,
        scope: &Scope,
        door: Door,
        credentials: &[Credential],
        options: SweepOptions,
    ) -> Result<Sweep, sweep::SweepError> {
        sweep::start(
            scope.clone(),
            door,
            credentials,
            options,
            self.shared.pace.clone(),
        )
    }

    /// What came and went so far, sweeps not included.
    #[must_use]
    pub fn counts(&self) -> SnmpCounts {
        let counters = &self.shared.counters;
        SnmpCounts {
            packets_sent: counters.packets_sent.load(Ordering::Relaxed),
            retries: counters.retries.load(Ordering::Relaxed),
            answers: counters.answers.load(Ordering::Relaxed),
            strays: counters.strays.load(Ordering::Relaxed),
            malformed: counters.malformed.load(Ordering::Relaxed),
            send_waits: counters.send_waits.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn ask_weighed(
        &self,
        target: &InScope,
        credential: &Credential,
        kind: PduKind,
        oids: &[Oid],
    ) -> Result<Answer, AskError> {
        let peer = target.addr();
        let request_id = random_request_id();
        let bytes = question(credential, kind, oids, request_id).encode()?;
        let Ok(_permit) = self.shared.permits.acquire().await else {
            return Err(AskError::Closed);
        };
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting {
            request_id,
            from: peer,
            version: credential.version,
            answer,
        };
        if self.shared.registrations.send(waiting).await.is_err() {
            return Err(AskError::Closed);
        }
        let started = Instant::now();
        let mut wait = self.shared.settings.timeout;
        let tries = self.shared.settings.retries.saturating_add(1);
        for attempt in 0..tries {
            self.send(&bytes, peer, attempt).await?;
            match tokio::time::timeout(wait, &mut answered).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) => return Err(AskError::Closed),
                Err(_elapsed) => wait = wait.saturating_mul(WAIT_GROWTH).min(WAIT_MAX.max(wait)),
            }
        }
        Err(AskError::Silent {
            peer,
            tries,
            waited: started.elapsed(),
        })
    }

    async fn send(&self, bytes: &[u8], peer: SocketAddr, attempt: u32) -> Result<(), AskError> {
        let slot = self.shared.pace.reserve(1, Instant::now());
        tokio::time::sleep_until(slot).await;
        let sent = self.shared.sockets.send(bytes, peer).await;
        let sent = sent.map_err(|error| AskError::Unsendable { peer, error })?;
        Counters::add(&self.shared.counters.packets_sent, 1);
        Counters::add(&self.shared.counters.retries, u64::from(attempt > 0));
        Counters::add(&self.shared.counters.send_waits, u64::from(sent.waits));
        Ok(())
    }
}

/// Builds a question as a message.
pub(super) fn question(
    credential: &Credential,
    kind: PduKind,
    oids: &[Oid],
    request_id: i64,
) -> Message {
    let varbinds = oids.iter().cloned().map(VarBind::asking).collect();
    Message {
        version: credential.version,
        community: credential.community.expose().to_vec(),
        pdu: Pdu {
            kind,
            request_id,
            error_status: snmp::ErrorStatus::NoError,
            error_index: 0,
            varbinds,
        },
    }
}

/// Draws a request-id that a stranger cannot guess: 1 to 2³¹−1.
fn random_request_id() -> i64 {
    let drawn = getrandom::u32().unwrap_or_else(|_| fallback_random());
    i64::from(drawn & 0x7fff_ffff).max(1)
}

/// Where the system gives no random numbers, the standard library's hash seed is the next best.
fn fallback_random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    let [a, b, c, d, ..] = RandomState::new().hash_one(Instant::now()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
