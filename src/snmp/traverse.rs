//! Walking tables: which question comes next, and when it is enough. A pure state machine.
//!
//! Used by the agent: it asks what [`Columns`] says, hands back the answer (or that there was
//! none), and takes what was gathered. No socket and no clock in here, so every way in which a
//! printer misbehaves is a test on values.

use std::collections::BTreeMap;

use crate::{ErrorStatus, Oid, Pdu, PduKind, Value, VarBind, Version};

/// Most questions of one traverse: the budget of a whole reading.
pub const PDUS_MAX: u32 = 400;
/// Most octets gathered in one traverse: the budget of a whole reading.
pub const BYTES_MAX: usize = 512 * 1_024;
/// Most octets of one gathered value.
pub const VALUE_BYTES_MAX: usize = 8 * 1_024;
/// Varbinds asked for in one GetBulk: 42 of a printer's make some 1,000 octets, so that as many as these
/// pass every link unfragmented.
pub const VARBINDS_PER_ANSWER: u32 = 56;
/// Most columns in one question.
pub const COLUMNS_PER_QUESTION: usize = 12;
/// Most rows asked for at once: few tables of a printer have more.
pub const REPETITIONS_MAX: u32 = 12;
/// Unanswered questions in a row after which the device counts as gone.
const SILENCES_MAX: u32 = 3;

/// The budgets of one traverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most questions.
    pub pdus_max: u32,
    /// Most octets gathered, names and values.
    pub bytes_max: usize,
    /// Most octets of one value; a longer one is left out.
    pub value_bytes_max: usize,
    /// Most columns in one question.
    pub columns_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pdus_max: PDUS_MAX,
            bytes_max: BYTES_MAX,
            value_bytes_max: VALUE_BYTES_MAX,
            columns_max: COLUMNS_PER_QUESTION,
        }
    }
}

/// How much a device bears to be asked at once. Learned from its answers by [`Columns`], and worth
/// remembering: what it did not bear in one table is not tried again in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearing {
    /// Whether it can be asked by GetBulk.
    is_bulk: bool,
    /// Varbinds that it fits into one answer, at least 1.
    varbinds: u32,
    /// Columns of one question that it answers, at least 1.
    columns: usize,
}

impl Default for Bearing {
    /// That of a device of which nothing is known yet: all that is ever asked.
    fn default() -> Self {
        Self {
            is_bulk: true,
            varbinds: VARBINDS_PER_ANSWER,
            columns: COLUMNS_PER_QUESTION,
        }
    }
}

/// What to ask the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// GetNext or GetBulk.
    pub kind: PduKind,
    /// The objects to ask behind.
    pub oids: Vec<Oid>,
}

/// How a column ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The device went on with another object: the column was read to its end.
    Complete,
    /// Nothing follows on this device.
    EndOfMib,
    /// The device went backwards or in a circle.
    NotIncreasing,
    /// Even one object of it does not fit into an answer.
    TooBig,
    /// The device refused to go on.
    Refused(ErrorStatus),
    /// An answer without any object.
    Empty,
    /// No answer came.
    Silent,
    /// A budget of [`Limits`] was used up.
    Budget,
}

/// Why an answer could not be used. What was gathered so far stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TraverseError {
    /// The PDU is no response.
    #[error("the answer is not a response")]
    NotAResponse,
    /// Nothing was asked.
    #[error("an answer came to no question")]
    NotAsked,
    /// More than `bytes_max` octets came.
    #[error("the device answered more than the budget of one reading")]
    TooMuch,
}

/// Several columns of a table, or subtrees, read side by side.
#[derive(Debug)]
pub struct Columns {
    columns: Vec<Column>,
    limits: Limits,
    /// What to ask at once. GetBulk is given up on the first wrong or missing answer.
    now: Bearing,
    /// What the device was known to bear before.
    known: Bearing,
    /// What it is known to bear by now.
    learned: Bearing,
    /// What is learned once the device answers that much.
    suspected: Option<Bearing>,
    /// Whether it has refused GetBulk.
    is_bulk_refused: bool,
    /// The columns of the question that is out, by position; empty when none is.
    asked: Vec<usize>,
    /// Rows asked for in the question that is out.
    asked_repetitions: u32,
    pdus: u32,
    bytes: usize,
    silences: u32,
    gathered: BTreeMap<Oid, Value>,
}

#[derive(Debug)]
struct Column {
    root: Oid,
    /// The object to ask behind.
    at: Oid,
    ending: Option<Ending>,
}

impl Columns {
    /// Starts at these roots. A root that lies below another is asked all the same.
    #[must_use]
    pub fn new(roots: &[Oid], limits: Limits, version: Version) -> Self {
        let columns = roots
            .iter()
            .map(|root| Column {
                root: root.clone(),
                at: root.clone(),
                ending: None,
            })
            .collect();
        Self {
            columns,
            limits,
            now: Bearing {
                is_bulk: version == Version::V2c,
                ..Bearing::default()
            },
            known: Bearing::default(),
            learned: Bearing::default(),
            suspected: None,
            is_bulk_refused: false,
            asked: Vec::new(),
            asked_repetitions: 1,
            pdus: 0,
            bytes: 0,
            silences: 0,
            gathered: BTreeMap::new(),
        }
    }

    /// Asks for no more at once than a device is known to bear.
    #[must_use]
    pub fn bearing(mut self, known: Bearing) -> Self {
        self.now = Bearing {
            is_bulk: self.now.is_bulk && known.is_bulk,
            ..known
        };
        (self.known, self.learned) = (known, known);
        self
    }

    /// What the device is known to bear, with what was learned here.
    #[must_use]
    pub fn learned(&self) -> Bearing {
        // Where all went well without GetBulk, it was GetBulk that was refused, and no object.
        let is_whole = |column: &Column| column.ending == Some(Ending::Complete);
        let is_refused = self.is_bulk_refused && self.columns.iter().all(is_whole);
        Bearing {
            is_bulk: self.learned.is_bulk && !is_refused,
            ..self.learned
        }
    }

    /// Takes the answer to the question that is out.
    ///
    /// # Errors
    /// [`TraverseError`] when it is no answer to it, or too much; what a device does wrong within
    /// one column is kept in [`Columns::endings`] instead.
    pub fn absorb(&mut self, pdu: &Pdu) -> Result<(), TraverseError> {
        let asked = std::mem::take(&mut self.asked);
        if asked.is_empty() {
            return Err(TraverseError::NotAsked);
        }
        if pdu.kind != PduKind::Response {
            self.asked = asked;
            return Err(TraverseError::NotAResponse);
        }
        self.silences = 0;
        match pdu.error_status {
            ErrorStatus::NoError => self.absorb_varbinds(&asked, &pdu.varbinds),
            ErrorStatus::TooBig => {
                self.ask_less(&asked);
                Ok(())
            }
            status => {
                self.absorb_refusal(&asked, status, pdu.error_index);
                Ok(())
            }
        }
    }

    /// Says that no answer came: the next question is smaller, and GetNext instead of GetBulk.
    pub fn failed(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        self.silences += 1;
        if self.silences >= SILENCES_MAX {
            self.end_all(Ending::Silent);
        } else if self.now.is_bulk {
            // It was too much, or got lost: half as much for the tables that follow.
            let half = (self.asked_varbinds(&asked) / 2).max(1);
            self.suspect(|bearing| bearing.varbinds = half);
            self.now.is_bulk = false;
        } else {
            self.narrow(&asked, Ending::Silent);
        }
    }

    /// How each column stands: `None` while it is being read.
    pub fn endings(&self) -> impl Iterator<Item = (&Oid, Option<Ending>)> {
        self.columns
            .iter()
            .map(|column| (&column.root, column.ending))
    }

    /// Questions asked so far.
    #[must_use]
    pub fn pdus(&self) -> u32 {
        self.pdus
    }

    /// Octets gathered so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Everything gathered, in order, each object once.
    #[must_use]
    pub fn finish(self) -> Vec<VarBind> {
        self.gathered
            .into_iter()
            .map(|(oid, value)| VarBind { oid, value })
            .collect()
    }

    fn absorb_varbinds(
        &mut self,
        asked: &[usize],
        varbinds: &[VarBind],
    ) -> Result<(), TraverseError> {
        let expected = asked.len() * usize::try_from(self.asked_repetitions).unwrap_or(1);
        if varbinds.len() < asked.len() {
            self.absorb_short(asked, varbinds.is_empty());
        } else if let Some(suspected) = self.suspected.take() {
            self.learned = suspected;
        }
        for (position, varbind) in varbinds.iter().take(expected).enumerate() {
            let index = asked[position % asked.len()];
            if !self.step(index, varbind) {
                // The device lays out GetBulk in its own way, or walks backwards. GetNext, one row
                // at a time, tells which, and only there it ends the column.
                self.now.is_bulk = false;
                break;
            }
            if self.bytes > self.limits.bytes_max {
                self.end_all(Ending::Budget);
                return Err(TraverseError::TooMuch);
            }
        }
        Ok(())
    }

    /// Fewer objects than columns came: such a device gets one column at a time.
    fn absorb_short(&mut self, asked: &[usize], is_empty: bool) {
        if self.now.is_bulk && asked.len() == 1 {
            self.now.is_bulk = false;
        } else if is_empty || asked.len() > 1 {
            self.narrow_to_one(asked, Ending::Empty);
        }
        if !is_empty && asked.len() > 1 {
            self.suspect(|bearing| bearing.columns = 1);
        }
    }

    /// Moves one column on; false where GetBulk must be given up first.
    fn step(&mut self, index: usize, varbind: &VarBind) -> bool {
        let column = &mut self.columns[index];
        if column.ending.is_some() {
            return true;
        }
        if varbind.value == Value::EndOfMibView {
            column.ending = Some(Ending::EndOfMib);
            return true;
        }
        if varbind.oid <= column.at {
            if self.now.is_bulk {
                return false;
            }
            column.ending = Some(Ending::NotIncreasing);
            return true;
        }
        if !varbind.oid.is_under(&column.root) {
            column.ending = Some(Ending::Complete);
            return true;
        }
        column.at = varbind.oid.clone();
        let size = varbind.value.size_bytes();
        self.bytes += size + size_of_val(varbind.oid.arcs());
        if size <= self.limits.value_bytes_max {
            self.gathered
                .insert(varbind.oid.clone(), varbind.value.clone());
        }
        true
    }

    /// An error status other than tooBig. With a usable index it concerns one column.
    fn absorb_refusal(&mut self, asked: &[usize], status: ErrorStatus, error_index: u32) {
        if self.now.is_bulk {
            // GetBulk itself may be what it cannot do, and the index counts repetitions on some.
            self.now.is_bulk = false;
            self.is_bulk_refused = true;
            return;
        }
        let ending = match status {
            ErrorStatus::NoSuchName => Ending::EndOfMib,
            other => Ending::Refused(other),
        };
        let position = usize::try_from(error_index)
            .ok()
            .and_then(|index| index.checked_sub(1));
        match position.and_then(|position| asked.get(position)) {
            Some(index) => self.columns[*index].ending = Some(ending),
            None => self.narrow_to_one(asked, ending),
        }
    }

    /// Halves the rows, then the columns, then ends the only column left.
    fn ask_less(&mut self, asked: &[usize]) {
        match (asked, self.asked_varbinds(asked)) {
            ([only], ..2) => {
                self.columns[*only].ending = Some(Ending::TooBig);
                // So it was this object, and not how much was asked for.
                (self.learned, self.suspected) = (self.known, None);
            }
            (_, varbinds) => {
                let half = (varbinds / 2).max(1);
                self.now.varbinds = half;
                self.suspect(|bearing| bearing.varbinds = half);
            }
        }
    }

    /// How many varbinds the question that is out asks for.
    fn asked_varbinds(&self, asked: &[usize]) -> u32 {
        let columns = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        columns.saturating_mul(self.asked_repetitions)
    }

    fn suspect(&mut self, change: impl FnOnce(&mut Bearing)) {
        let mut suspected = self.suspected.unwrap_or(self.learned);
        change(&mut suspected);
        self.suspected = Some(suspected);
    }

    fn narrow(&mut self, asked: &[usize], ending: Ending) {
        match asked {
            [only] => self.columns[*only].ending = Some(ending),
            several => self.now.columns = (several.len() / 2).max(1),
        }
    }

    fn narrow_to_one(&mut self, asked: &[usize], ending: Ending) {
        match asked {
            [only] => self.columns[*only].ending = Some(ending),
            _ => self.now.columns = 1,
        }
    }

    fn end_all(&mut self, ending: Ending) {
        for column in &mut self.columns {
            column.ending.get_or_insert(ending);
        }
    }
}

impl Iterator for Columns {
    type Item = Question;

    /// The next question, or `None` when every column has ended or the budget is used up. The
    /// answer goes to [`Columns::absorb`], its absence to [`Columns::failed`].
    fn next(&mut self) -> Option<Question> {
        if self.pdus >= self.limits.pdus_max {
            self.end_all(Ending::Budget);
        }
        let fitting = usize::try_from(self.now.varbinds).unwrap_or(usize::MAX);
        let width = self.limits.columns_max.min(self.now.columns).min(fitting);
        let is_open = |(index, column): (usize, &Column)| column.ending.is_none().then_some(index);
        self.asked = self
            .columns
            .iter()
            .enumerate()
            .filter_map(is_open)
            .take(width.max(1))
            .collect();
        if self.asked.is_empty() {
            return None;
        }
        self.pdus += 1;
        let oids: Vec<Oid> = self
            .asked
            .iter()
            .map(|i| self.columns[*i].at.clone())
            .collect();
        let kind = if self.now.is_bulk {
            let fitting = self.now.varbinds / u32::try_from(oids.len()).unwrap_or(u32::MAX);
            self.asked_repetitions = fitting.clamp(1, REPETITIONS_MAX);
            PduKind::GetBulk {
                non_repeaters: 0,
                max_repetitions: self.asked_repetitions,
            }
        } else {
            self.asked_repetitions = 1;
            PduKind::GetNext
        };
        Some(Question { kind, oids })
    }
}
