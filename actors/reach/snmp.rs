//! SNMP to many devices at once, over a UDP socket that is connected to each.
//!
//! Used by everything that reads devices. A question is asked again when no answer came, under the
//! same request-id, so that a late answer to the first try is an answer. Who asks one device asks
//! one question at a time: [`super::session`] does.

mod numbers;
mod user;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use snmp::usm::Refusal;
use snmp::{EncodeError, Oid, Pdu, PduKind, VarBind, Version};
use tokio::time::Instant;

use super::credential::Credential;
use super::flight::Flight;
use super::lines::{self, Lines};
use super::pace::Pace;
use super::scope::{Door, InScope, Scope};
use super::session::{Budget, READING_TIME_MAX, Session};
use super::socket::Line;
use super::sweep::{self, Sweep, SweepOptions};
use super::turns::{Lane, Turn, Turns};
use super::unusable::{NoAnswer, Unusable};
use numbers::random_request_id;
use user::Dialogs;

/// How much longer each further try waits than the one before.
const WAIT_GROWTH: u32 = 2;

/// Questions that a whole reading of most printers takes, a few asked again.
const READING_PACKETS: u32 = 10;

/// Longest wait of one try: the slowest answer in our recordings took 3.1 s.
const WAIT_MAX: Duration = Duration::from_secs(8);

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
    #[error(
        "{peer} did not answer {tries} tries over SNMP in {:.1} s{unusable}",
        waited.as_secs_f64()
    )]
    Silent {
        /// Who was asked.
        peer: SocketAddr,
        /// How often.
        tries: u32,
        /// How long all tries waited together.
        waited: Duration,
        /// What came meanwhile and was no answer.
        unusable: Unusable,
    },
    /// The device answers, but not to this user of version 3.
    #[error("{peer} answers, but not to the user '{}': {refusal}{unusable}", user.escape_debug())]
    Refused {
        /// Who was asked.
        peer: SocketAddr,
        /// As whom.
        user: String,
        /// Why not.
        refusal: Refusal,
        /// What came meanwhile and was no answer.
        unusable: Unusable,
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
    #[error("{peer} used up the budget of one reading: {spent}{odd}")]
    OverBudget {
        /// Who was asked.
        peer: SocketAddr,
        /// Which budget.
        spent: super::session::Spent,
        /// What it sent that answers nothing, which is why it took so long.
        odd: super::unusable::Odd,
    },
    /// The runtime is shutting down.
    #[error("the SNMP socket is closed")]
    Closed,
}

impl AskError {
    /// Whether the question itself stayed without an answer. A user may have heard the engine.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Refused { refusal, .. } => matches!(refusal, Refusal::Unanswered(_)),
            Self::Unsendable { .. }
            | Self::Unencodable(_)
            | Self::OverBudget { .. }
            | Self::Closed => false,
        }
    }
}

/// What came and went since the sockets were opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SnmpCounts {
    /// Datagrams sent, sweeps not included.
    pub packets_sent: u64,
    /// Octets sent, without the headers of UDP and IP.
    pub bytes_sent: u64,
    /// Packets that asked a question again.
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
    lane: Lane,
}

#[derive(Debug)]
struct Shared {
    settings: SnmpSettings,
    lines: Lines,
    dialogs: Dialogs,
    /// Since when engines' clocks are followed.
    opened_at: Instant,
    /// Questions that wait for answers.
    questions: Turns,
    /// Devices that are being read.
    readings: Turns,
    pace: Arc<Pace>,
    flight: Flight,
    counters: Counters,
}

/// An answer and what it weighed.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) pdu: Pdu,
    pub(super) size_bytes: usize,
}

/// The objects that a question names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) names: &'a [Oid],
    /// The same, as [`snmp::asking`] writes them, where that was done before.
    pub(super) written: Option<&'a [u8]>,
}

impl<'a> From<&'a [Oid]> for Asked<'a> {
    fn from(names: &'a [Oid]) -> Self {
        let written = None;
        Self { names, written }
    }
}

/// What came and went, for whoever wants to know.
#[derive(Debug, Default)]
struct Counters {
    packets_sent: AtomicU64,
    bytes_sent: AtomicU64,
    retries: AtomicU64,
    answers: AtomicU64,
    strays: AtomicU64,
    malformed: AtomicU64,
    send_waits: AtomicU64,
}

impl Counters {
    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

impl Snmp {
    /// Waits until one more device may be read. Who holds a turn holds a reading in memory until it is on
    /// disk, and shares the pace with the others, so there are only so many; they come in the order in
    /// which they ask. None when the runtime ends.
    pub async fn turn(&self) -> Option<Turn> {
        self.shared.readings.take(self.lane).await
    }

    /// The same way, for who takes long: it stands behind everybody else.
    #[must_use]
    pub fn at_the_back(&self) -> Self {
        let (shared, lane) = (self.shared.clone(), Lane::Back);
        Self { shared, lane }
    }

    /// Makes ready to ask. Must be called on a tokio runtime, on which the sockets are watched.
    ///
    /// # Errors
    /// When no UDP socket can be opened at all.
    pub fn open(settings: SnmpSettings) -> io::Result<Self> {
        // A machine that gives no socket is found out now and not at the first question.
        drop(super::batch::Sockets::open(0)?);
        let shared = Shared {
            settings,
            lines: Lines::new(settings.in_flight_max),
            dialogs: Dialogs::default(),
            opened_at: Instant::now(),
            questions: Turns::new(settings.in_flight_max),
            readings: Turns::new(readings_max(&settings)),
            pace: Arc::new(Pace::new(settings.packets_per_second_max)),
            flight: Flight::default(),
            counters: Counters::default(),
        };
        let (shared, lane) = (Arc::new(shared), Lane::Front);
        Ok(Self { shared, lane })
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
        Ok(self
            .ask_weighed(target, credential, kind, oids.into())
            .await?
            .pdu)
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
            bytes_sent: counters.bytes_sent.load(Ordering::Relaxed),
            retries: counters.retries.load(Ordering::Relaxed),
            answers: counters.answers.load(Ordering::Relaxed),
            strays: counters.strays.load(Ordering::Relaxed),
            malformed: counters.malformed.load(Ordering::Relaxed),
            send_waits: counters.send_waits.load(Ordering::Relaxed),
        }
    }

    /// What a device said since [`Snmp::forget_heard`], oldest first: the last few answers.
    #[must_use]
    pub fn last_heard(&self, target: &InScope) -> Vec<Vec<u8>> {
        self.shared.flight.last(target.addr())
    }

    /// Forgets what a device said: it did no harm.
    pub fn forget_heard(&self, target: &InScope) {
        self.shared.flight.forget(target.addr());
    }

    pub(super) async fn ask_weighed(
        &self,
        target: &InScope,
        credential: &Credential,
        kind: PduKind,
        asked: Asked<'_>,
    ) -> Result<Answer, AskError> {
        let (version, community) = match credential {
            Credential::Community { version, community } => (*version, community),
            Credential::User(user) => {
                return self.ask_as_user(target, user, kind, asked.names).await;
            }
        };
        let peer = target.addr();
        let request_id = random_request_id();
        let asked_as = (version, community.expose());
        let bytes = match asked.written {
            Some(written) => snmp::question_of(asked_as, kind, request_id, written),
            None => snmp::question(asked_as, kind, request_id, asked.names),
        }?;
        let Some(_turn) = self.shared.questions.take(self.lane).await else {
            return Err(AskError::Closed);
        };
        let unsendable = |error| AskError::Unsendable { peer, error };
        let line = self.shared.lines.take(peer).map_err(unsendable)?;
        let started = Instant::now();
        let mut wait = self.shared.settings.timeout;
        let tries = self.shared.settings.retries.saturating_add(1);
        let mut unusable = Unusable::default();
        for attempt in 0..tries {
            self.send(&line, &bytes, attempt)
                .await
                .map_err(unsendable)?;
            let wanted = (version, request_id);
            let heard = self.hear((&line, peer), wanted, &mut unusable);
            match tokio::time::timeout(wait, heard).await {
                Ok(answer) => {
                    self.shared.lines.keep(peer, line);
                    return Ok(answer);
                }
                Err(_elapsed) => wait = wait.saturating_mul(WAIT_GROWTH).min(WAIT_MAX.max(wait)),
            }
        }
        self.shared.lines.keep(peer, line);
        Err(AskError::Silent {
            peer,
            tries,
            waited: started.elapsed(),
            unusable,
        })
    }

    async fn send(&self, line: &Line, bytes: &[u8], attempt: u32) -> io::Result<()> {
        match self.lane {
            Lane::Front => self.shared.pace.turn(1).await,
            Lane::Back => self.shared.pace.turn_at_the_back().await,
        }
        let sent = lines::send(line, bytes).await?;
        let octets = u64::try_from(bytes.len()).unwrap_or(0);
        Counters::add(&self.shared.counters.packets_sent, 1);
        Counters::add(&self.shared.counters.bytes_sent, octets);
        Counters::add(&self.shared.counters.retries, u64::from(attempt > 0));
        Counters::add(&self.shared.counters.send_waits, u64::from(sent.waits));
        Ok(())
    }

    /// Waits for the answer to one question: in the version that was spoken, under its request-id.
    /// The community is not compared, since some devices answer with another one. What is left
    /// over (late, twice) is counted and dropped; what others send, the system drops.
    async fn hear(
        &self,
        (line, peer): (&Line, SocketAddr),
        (version, request_id): (Version, i64),
        unusable: &mut Unusable,
    ) -> Answer {
        let counters = &self.shared.counters;
        line.heard(|octets| {
            self.shared.flight.note(peer, octets);
            let message = match snmp::decode(octets) {
                Ok(message) => message,
                Err(error) => {
                    Counters::add(&counters.malformed, 1);
                    unusable.note(NoAnswer::NoMessage(error));
                    return None;
                }
            };
            let why = if message.version != version {
                NoAnswer::Version
            } else if message.pdu.kind != PduKind::Response {
                NoAnswer::Kind
            } else if message.pdu.request_id != request_id {
                NoAnswer::RequestId
            } else {
                Counters::add(&counters.answers, 1);
                let (pdu, size_bytes) = (message.pdu, octets.len());
                return Some(Answer { pdu, size_bytes });
            };
            Counters::add(&counters.strays, 1);
            unusable.note(why);
            None
        })
        .await
    }
}

/// How many devices may be read at once: as many as questions may be out, and no more than that each
/// gets its questions through at the pace in half the time that a reading may take.
fn readings_max(settings: &SnmpSettings) -> usize {
    let packets = u64::from(settings.packets_per_second_max) * READING_TIME_MAX.as_secs();
    let in_time = packets / u64::from(2 * READING_PACKETS);
    let in_time = usize::try_from(in_time).unwrap_or(usize::MAX);
    in_time.clamp(1, settings.in_flight_max.max(1))
}

/// Builds a question.
fn pdu(kind: PduKind, oids: &[Oid], request_id: i64) -> Pdu {
    Pdu {
        kind,
        request_id,
        error_status: snmp::ErrorStatus::NoError,
        error_index: 0,
        varbinds: oids.iter().cloned().map(VarBind::asking).collect(),
    }
}
