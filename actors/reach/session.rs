//! One conversation with one device: one question at a time, under the budget of one reading.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use printer::again::Asking;
use snmp::traverse::{Bearing, Columns, Ending, Limits};
use snmp::{ErrorStatus, Oid, Pdu, PduKind, VarBind};
use tokio::time::Instant;

use super::credential::Credential;
use super::scope::InScope;
use super::snmp::{AskError, Asked, Snmp};
use super::unusable::{NoAnswer, Odd};

/// Most questions of one reading: the largest device in our recordings needs 61.
pub const PDUS_MAX: u32 = 400;

/// Most octets of answers in one reading: 61 answers of one Ethernet frame each are 88 KiB, and a
/// device with much longer texts than any that we know may still be read.
pub const BYTES_MAX: usize = 512 * 1_024;

/// Most questions for one group of columns in a reading: a printer that also routes may have 10,000
/// interfaces, and its supplies are wanted all the same.
pub const TABLE_PDUS_MAX: u32 = 150;

/// Questions of one reading after which it goes on behind everybody else: most printers need ten, and
/// who answers without end would take the pace of all of them.
const FRONT_PDUS_MAX: u32 = 40;

/// Longest one reading may take: half a second for each of the 61 questions that the largest device in
/// our recordings needs.
pub const READING_TIME_MAX: Duration = Duration::from_secs(30);

/// Most objects in one Get: with names of 15 arcs and short values the answer stays within 1,472
/// octets, one Ethernet frame.
pub const GET_OIDS_MAX: usize = 60;

/// A Get of more objects than this is asked again in halves when a device that had answered before
/// stays silent: some drop what they find too long instead of saying so.
const SILENT_SPLIT_ABOVE: usize = 8;

/// What one conversation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most questions.
    pub pdus_max: u32,
    /// Most octets of answers.
    pub bytes_max: usize,
    /// Longest time.
    pub time_max: Duration,
}

impl Budget {
    /// [`PDUS_MAX`], [`BYTES_MAX`], [`READING_TIME_MAX`].
    #[must_use]
    pub fn of_a_reading() -> Self {
        Self {
            pdus_max: PDUS_MAX,
            bytes_max: BYTES_MAX,
            time_max: READING_TIME_MAX,
        }
    }
}

/// What the last question of a reading may cost, when the reading has used up its own budget: who
/// answers is asked once more, or nothing of it could be kept.
pub const CLOSING: Budget = Budget {
    // The question, and its halves where it is too long.
    pdus_max: 4,
    // One answer as long as UDP has it.
    bytes_max: 64 * 1_024,
    // Three tries of three seconds.
    time_max: Duration::from_secs(10),
};

/// Which budget was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// The questions.
    Pdus(u32),
    /// The octets.
    Bytes(usize),
    /// The time.
    Time(Duration),
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pdus(pdus) => write!(f, "{pdus} questions"),
            Self::Bytes(bytes) => write!(f, "{} KiB of answers", bytes / 1_024),
            Self::Time(time) => write!(f, "{time:?}"),
        }
    }
}

/// One conversation with one device.
#[derive(Debug)]
pub struct Session {
    snmp: Snmp,
    target: InScope,
    credential: Credential,
    budget: Budget,
    deadline: Instant,
    bearing: Bearing,
    pdus: u32,
    bytes: usize,
    has_answered: bool,
    unanswered: Vec<Oid>,
    /// Columns that ended otherwise than by their end.
    broken: Vec<Broken>,
    /// What was wrong with the last datagram that was no answer.
    odd: Odd,
}

/// A column of which not everything could be read, though the device answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub column: Oid,
    /// How it ended.
    pub ending: Ending,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        match self.ending {
            Ending::NotIncreasing => f.write_str("its objects do not increase"),
            Ending::TooBig => f.write_str("one object of it is too big for an answer"),
            Ending::Refused(status) => write!(f, "the device refuses to go on ({status:?})"),
            Ending::Empty => f.write_str("an answer holds no object"),
            Ending::Silent => f.write_str("it is not answered"),
            Ending::Budget => write!(f, "it used up the {TABLE_PDUS_MAX} questions of one table"),
            Ending::Complete | Ending::EndOfMib => f.write_str("it is whole"),
        }
    }
}

impl Session {
    /// Starts the clock of the budget.
    #[must_use]
    pub fn new(snmp: Snmp, target: InScope, credential: Credential, budget: Budget) -> Self {
        Self {
            snmp,
            target,
            credential,
            budget,
            deadline: Instant::now() + budget.time_max,
            bearing: Bearing::default(),
            pdus: 0,
            bytes: 0,
            has_answered: false,
            unanswered: Vec::new(),
            broken: Vec::new(),
            odd: Odd::default(),
        }
    }

    /// Asks for no more at once than the device is known to bear.
    #[must_use]
    pub fn bearing(mut self, known: Bearing) -> Self {
        self.bearing = known;
        self
    }

    /// What the device is known to bear, with what was learned under way.
    #[must_use]
    pub fn learned(&self) -> Bearing {
        self.bearing
    }

    /// The credential that is used.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Questions asked so far.
    #[must_use]
    pub fn pdus(&self) -> u32 {
        self.pdus
    }

    /// Octets of answers so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Columns that a device which is alive would not answer.
    #[must_use]
    pub fn unanswered(&self) -> &[Oid] {
        &self.unanswered
    }

    /// Columns that could not be read to their end, though the device answered.
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// What was wrong with the last datagram that came and was no answer; none if none came.
    #[must_use]
    pub fn odd(&self) -> Option<&NoAnswer> {
        self.odd.0.as_ref()
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`AskError`], `OverBudget` when the budget does not cover it.
    pub async fn ask(&mut self, kind: PduKind, oids: &[Oid]) -> Result<Pdu, AskError> {
        self.put(kind, oids.into()).await
    }

    /// As [`Session::ask`], what is known to come behind other objects.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub async fn ask_again(&mut self, asking: Asking<'_>) -> Result<Pdu, AskError> {
        let asked = Asked {
            names: asking.names,
            written: Some(asking.written),
        };
        self.put(PduKind::GetNext, asked).await
    }

    async fn put(&mut self, kind: PduKind, asked: Asked<'_>) -> Result<Pdu, AskError> {
        if self.pdus >= self.budget.pdus_max {
            return Err(self.over(Spent::Pdus(self.budget.pdus_max)));
        }
        if self.pdus == FRONT_PDUS_MAX {
            self.snmp = self.snmp.at_the_back();
        }
        self.pdus += 1;
        let asked = self
            .snmp
            .ask_weighed(&self.target, &self.credential, kind, asked);
        let Ok(answer) = tokio::time::timeout_at(self.deadline, asked).await else {
            return Err(self.over(Spent::Time(self.budget.time_max)));
        };
        if let Err(AskError::Silent { unusable, .. } | AskError::Refused { unusable, .. }) = &answer
        {
            self.odd.0 = unusable.why.clone().or(self.odd.0.take());
        }
        let answer = answer?;
        self.has_answered = true;
        self.bytes += answer.size_bytes;
        if self.bytes > self.budget.bytes_max {
            return Err(self.over(Spent::Bytes(self.budget.bytes_max)));
        }
        Ok(answer.pdu)
    }

    /// Gets these objects; what the device does not have is left out.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub async fn get(&mut self, oids: &[Oid]) -> Result<Vec<VarBind>, AskError> {
        match self.gain(oids).await {
            (varbinds, None) => Ok(varbinds),
            (_, Some(error)) => Err(error),
        }
    }

    /// As [`Session::get`], but gives what it has when it has to stop, and why it had to.
    pub async fn gain(&mut self, oids: &[Oid]) -> (Vec<VarBind>, Option<AskError>) {
        let mut questions: VecDeque<Vec<Oid>> =
            oids.chunks(GET_OIDS_MAX).map(<[Oid]>::to_vec).collect();
        let mut got = Vec::with_capacity(oids.len());
        while let Some(question) = questions.pop_front() {
            match self.ask(PduKind::Get, &question).await {
                Ok(pdu) => {
                    for smaller in sort_out(question, pdu, &mut got).into_iter().rev() {
                        questions.push_front(smaller);
                    }
                }
                Err(error)
                    if error.is_silence()
                        && self.has_answered
                        && question.len() > SILENT_SPLIT_ABOVE =>
                {
                    let (left, right) = question.split_at(question.len() / 2);
                    questions.push_front(right.to_vec());
                    questions.push_front(left.to_vec());
                }
                Err(error) => return (got, Some(error)),
            }
        }
        (got, None)
    }

    /// Reads columns of a table, or subtrees, side by side. A column that stays silent while the
    /// device lives is left out and kept in [`Session::unanswered`].
    ///
    /// # Errors
    /// As [`Session::ask`]; `Silent` when nothing was answered at all.
    pub async fn columns(&mut self, roots: &[Oid]) -> Result<Vec<VarBind>, AskError> {
        match self.gather(roots).await {
            (varbinds, None) => Ok(varbinds),
            (_, Some(error)) => Err(error),
        }
    }

    /// As [`Session::columns`], but gives what it has when it has to stop, and why it had to.
    pub async fn gather(&mut self, roots: &[Oid]) -> (Vec<VarBind>, Option<AskError>) {
        self.gather_within(roots, u32::MAX).await
    }

    /// As [`Session::gather`], for one of many tables: with [`TABLE_PDUS_MAX`] questions it ends,
    /// which is kept in [`Session::broken`], and there is room for the others.
    pub async fn table(&mut self, roots: &[Oid]) -> (Vec<VarBind>, Option<AskError>) {
        self.gather_within(roots, TABLE_PDUS_MAX).await
    }

    async fn gather_within(
        &mut self,
        roots: &[Oid],
        pdus_max: u32,
    ) -> (Vec<VarBind>, Option<AskError>) {
        let left = self.budget.pdus_max.saturating_sub(self.pdus);
        let limits = Limits {
            pdus_max: left.min(pdus_max),
            bytes_max: self.budget.bytes_max.saturating_sub(self.bytes),
            ..Limits::default()
        };
        let mut columns = Columns::new(roots, limits, self.credential.pdus()).bearing(self.bearing);
        let mut silence = None;
        while let Some(question) = columns.next() {
            match self.ask(question.kind, &question.oids).await {
                Ok(pdu) => {
                    silence = None;
                    // What cannot be used ends its columns inside; their endings tell below.
                    let _ = columns.absorb(&pdu);
                }
                Err(error)
                    if matches!(error, AskError::Silent { .. })
                        || (self.has_answered && error.is_silence()) =>
                {
                    silence = Some(error);
                    columns.failed();
                }
                Err(error) => return (columns.finish(), Some(error)),
            }
        }
        self.bearing = columns.learned();
        let is_spent = |ending| ending == Some(Ending::Budget);
        let is_table_only = columns.pdus() >= pdus_max && self.pdus < self.budget.pdus_max;
        if columns.endings().any(|(_, ending)| is_spent(ending)) && !is_table_only {
            let spent = if self.pdus >= self.budget.pdus_max {
                Spent::Pdus(self.budget.pdus_max)
            } else {
                Spent::Bytes(self.budget.bytes_max)
            };
            return (columns.finish(), Some(self.over(spent)));
        }
        self.broken.extend(columns.endings().filter_map(broken));
        let is_silent = |ending| ending == Some(Ending::Silent);
        let silent = columns.endings().filter(|(_, ending)| is_silent(*ending));
        self.unanswered.extend(silent.map(|(root, _)| root.clone()));
        (columns.finish(), silence.filter(|_| !self.has_answered))
    }

    fn over(&self, spent: Spent) -> AskError {
        AskError::OverBudget {
            peer: self.target.addr(),
            spent,
            odd: self.odd.clone(),
        }
    }
}

/// A column that ended wrongly, though the device answered.
fn broken((column, ending): (&Oid, Option<Ending>)) -> Option<Broken> {
    let is_wrong = |ending: &Ending| match ending {
        Ending::NotIncreasing
        | Ending::TooBig
        | Ending::Refused(_)
        | Ending::Empty
        | Ending::Budget => true,
        Ending::Complete | Ending::EndOfMib | Ending::Silent => false,
    };
    ending.filter(is_wrong).map(|ending| Broken {
        column: column.clone(),
        ending,
    })
}

/// Takes what an answer to a Get holds, and gives the smaller questions that are left to ask.
fn sort_out(question: Vec<Oid>, pdu: Pdu, got: &mut Vec<VarBind>) -> Vec<Vec<Oid>> {
    let refused = usize::try_from(pdu.error_index).unwrap_or(0);
    match pdu.error_status {
        ErrorStatus::NoError => {
            // A device may answer what was not asked; only what was is taken.
            let asked: BTreeSet<&Oid> = question.iter().collect();
            let is_wanted =
                |varbind: &VarBind| asked.contains(&varbind.oid) && !varbind.value.is_absent();
            got.extend(pdu.varbinds.into_iter().filter(is_wanted));
            Vec::new()
        }
        ErrorStatus::TooBig => halves(question),
        ErrorStatus::NoSuchName
        | ErrorStatus::ReadOnly
        | ErrorStatus::GenErr
        | ErrorStatus::Other(_) => {
            if (1..=question.len()).contains(&refused) {
                let mut rest = question;
                rest.remove(refused - 1);
                if rest.is_empty() {
                    Vec::new()
                } else {
                    vec![rest]
                }
            } else {
                halves(question)
            }
        }
    }
}

/// Both halves of a question; none of one that cannot be halved.
fn halves(question: Vec<Oid>) -> Vec<Vec<Oid>> {
    if question.len() < 2 {
        return Vec::new();
    }
    let (left, right) = question.split_at(question.len() / 2);
    vec![left.to_vec(), right.to_vec()]
}
