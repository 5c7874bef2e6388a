//! A whole walk of a device that was walked before: what to ask when it is known what it has.
//!
//! A first walk finds out how long each table is, and pays for every end that it oversteps. Here
//! each object is asked for behind the one before it, so that any row that came, went or moved shows
//! as another answer than was expected; and each table is asked once behind its last row. So as
//! many objects as an answer holds are asked at once, of whatever tables. Who answers is asked in
//! the first question and in the last one. What does not answer as expected is to be walked anew.
//! Pure: the agent sends [`Again::question`] and hands what comes to [`Again::absorb`].

use std::collections::BTreeSet;

use snmp::{Oid, Value, VarBind};

use crate::question::{self, Plan};
use crate::walk::Walk;

/// Most octets that an answer is expected to have: it passes every link unfragmented, with room for
/// values that have grown and for the frame of version 3.
const ANSWER_BYTES_MAX: usize = 1_360;

/// Most objects in one question: small agents answer wrongly above some 50 repetitions, and a question
/// of 60 names of 15 arcs has 1,200 octets.
const OBJECTS_MAX: usize = 60;

/// Most objects that are asked for so. With more, GetBulk asks as few questions, and shorter ones.
const STEPS_MAX: usize = 600;

/// Octets of an answer beside its objects: frame, version, community, numbers.
const FRAME_BYTES: usize = 40;

/// Octets of one object beside its name and value: three tags with their lengths.
const OBJECT_BYTES: usize = 7;

/// One object that is asked for by the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    behind: Oid,
    expects: Expects,
    /// Whether it tells who answers.
    is_identity: bool,
    /// Octets that its answer is expected to have.
    bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expects {
    /// An object of a table, by the position of its group.
    Row { group: usize, oid: Oid },
    /// That nothing more of a column follows.
    End { group: usize, column: Oid },
    /// An object that stands alone.
    Scalar(Oid),
}

/// Why a device is to be walked as if it were new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device does not answer as many objects as it was asked for")]
pub struct Unfit;

/// A walk of a device that was walked before.
#[derive(Debug)]
pub struct Again {
    steps: Vec<Step>,
    /// Where the questions end, by position in the steps.
    ends: Vec<usize>,
    groups: Vec<Vec<Oid>>,
    stale: BTreeSet<usize>,
    missing: Vec<Oid>,
    news: Vec<VarBind>,
    /// Who answered the first question, and the last.
    first: Vec<VarBind>,
    latest: Vec<VarBind>,
    absorbed: usize,
}

impl Again {
    /// Plans a walk by the last one. `plan` is what a whole reading of this device asks. None where
    /// it has so much that GetBulk is better.
    #[must_use]
    pub fn new(last: &Walk, plan: Plan) -> Option<Self> {
        let known = question::identity().into_iter();
        let identity: Vec<Step> = known.filter_map(|oid| scalar(oid, last, true)).collect();
        let is_in_table = |oid: &Oid| plan.tables.iter().flatten().any(|it| oid.is_under(it));
        let alone: BTreeSet<Oid> = question::probe()
            .into_iter()
            .chain(plan.scalars)
            .filter(|oid| !is_in_table(oid) && !question::identity().contains(oid))
            .collect();
        let mut steps = identity.clone();
        let alone = alone.into_iter();
        steps.extend(alone.filter_map(|oid| scalar(oid, last, false)));
        for (group, columns) in plan.tables.iter().enumerate() {
            steps.extend(table(group, columns, last));
        }
        if steps.len() > STEPS_MAX {
            return None;
        }
        let ends = packed(&steps, &identity);
        steps.extend(identity);
        Some(Self {
            steps,
            ends,
            groups: plan.tables,
            stale: BTreeSet::new(),
            missing: Vec::new(),
            news: Vec::new(),
            first: Vec::new(),
            latest: Vec::new(),
            absorbed: 0,
        })
    }

    /// The next question: the objects to ask behind, in one GetNext. None when all are answered.
    #[must_use]
    pub fn question(&self) -> Option<Vec<Oid>> {
        let to = *self.ends.get(self.absorbed)?;
        let behind = |step: &Step| step.behind.clone();
        Some(self.steps[self.from()..to].iter().map(behind).collect())
    }

    /// Where the next question begins.
    fn from(&self) -> usize {
        self.absorbed.checked_sub(1).map_or(0, |at| self.ends[at])
    }

    /// Takes the answer to the next question.
    ///
    /// # Errors
    /// [`Unfit`] where it has another number of objects than were asked for.
    pub fn absorb(&mut self, answer: Vec<VarBind>) -> Result<(), Unfit> {
        let from = self.from();
        let Some(to) = self.ends.get(self.absorbed).copied() else {
            return Err(Unfit);
        };
        if answer.len() != to - from {
            return Err(Unfit);
        }
        self.absorbed += 1;
        self.latest.clear();
        for (step, came) in self.steps[from..to].iter().zip(answer) {
            match &step.expects {
                Expects::End { group, column } => {
                    let is_over = came.value == Value::EndOfMibView || !came.oid.is_under(column);
                    if !is_over {
                        self.stale.insert(*group);
                    }
                }
                Expects::Row { oid, .. } | Expects::Scalar(oid)
                    if came.oid == *oid && !came.value.is_absent() =>
                {
                    if step.is_identity {
                        self.latest.push(came.clone());
                    }
                    self.news.push(came);
                }
                Expects::Row { group, .. } => {
                    self.stale.insert(*group);
                }
                Expects::Scalar(oid) => self.missing.push(oid.clone()),
            }
        }
        if self.absorbed == 1 {
            self.first.clone_from(&self.latest);
        }
        Ok(())
    }

    /// Who answered the first question, by the objects of [`question::identity`] that it had.
    #[must_use]
    pub fn first(&self) -> Walk {
        self.first.iter().cloned().collect()
    }

    /// Who answered the last question so far.
    #[must_use]
    pub fn latest(&self) -> Walk {
        self.latest.iter().cloned().collect()
    }

    /// Everything that answered as expected; the groups of columns that are to be walked anew, with
    /// nothing of them in it; and the objects that stand alone and did not show behind the one before.
    #[must_use]
    pub fn finish(self) -> (Walk, Vec<Vec<Oid>>, Vec<Oid>) {
        let stale: Vec<Vec<Oid>> = self
            .groups
            .into_iter()
            .enumerate()
            .filter(|(group, _)| self.stale.contains(group))
            .map(|(_, columns)| columns)
            .collect();
        let is_stale = |oid: &Oid| stale.iter().flatten().any(|column| oid.is_under(column));
        let news = self.news.into_iter().filter(|it| !is_stale(&it.oid));
        (news.collect(), stale, self.missing)
    }
}

/// The step to an object that stands alone, if the device had it.
fn scalar(oid: Oid, last: &Walk, is_identity: bool) -> Option<Step> {
    let value = last.get(&oid)?;
    Some(Step {
        behind: before(&oid),
        bytes: bytes(&oid, value),
        expects: Expects::Scalar(oid),
        is_identity,
    })
}

/// A table of a group: the rows of its longest column, and columns with the object behind which each
/// is to be asked whether it goes on.
struct Table {
    entry: Oid,
    rows: usize,
    end: Option<(Oid, Oid)>,
    empty: Vec<(Oid, Oid)>,
}

/// The steps through a group of columns: behind each row to the next, and in each table once behind
/// the last row of its longest column. A column without rows is asked whether it has any. A row that
/// comes to shorter columns alone shows once the device is walked as if it were new.
fn table(group: usize, columns: &[Oid], last: &Walk) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    for column in columns {
        let (mut behind, mut rows) = (column.clone(), 0);
        for (row, value) in last.under(column.arcs()) {
            let oid = column.with(row);
            steps.push(Step {
                bytes: bytes(&oid, value),
                behind: std::mem::replace(&mut behind, oid.clone()),
                expects: Expects::Row { group, oid },
                is_identity: false,
            });
            rows += 1;
        }
        let entry = Oid::new(column.arcs().split_last().map_or(&[], |(_, entry)| entry));
        let end = (column.clone(), behind);
        match tables.iter_mut().find(|table| table.entry == entry) {
            Some(table) if rows == 0 => table.empty.push(end),
            Some(table) if table.rows < rows => (table.rows, table.end) = (rows, Some(end)),
            Some(_) => {}
            None if rows == 0 => tables.push(Table {
                entry,
                rows,
                end: None,
                empty: vec![end],
            }),
            None => tables.push(Table {
                entry,
                rows,
                end: Some(end),
                empty: Vec::new(),
            }),
        }
    }
    let ends = tables
        .into_iter()
        .flat_map(|table| table.end.into_iter().chain(table.empty));
    steps.extend(ends.map(|(column, behind)| Step {
        bytes: bytes(&behind, &Value::Null),
        behind,
        expects: Expects::End { group, column },
        is_identity: false,
    }));
    steps
}

/// An identifier behind which this one comes next: nothing can stand between them but what lies
/// under an object that ends where this one does, which none of the MIBs here has.
fn before(oid: &Oid) -> Oid {
    match oid.arcs().split_last() {
        Some((0, parent)) => Oid::new(parent),
        Some((arc, parent)) => Oid::new(parent).with(&[arc - 1]),
        None => Oid::default(),
    }
}

/// Octets of an object in an answer, near enough.
fn bytes(oid: &Oid, value: &Value) -> usize {
    let large = |limit: u32| oid.arcs().iter().filter(|arc| **arc >= limit).count();
    let name = oid.arcs().len() + large(1 << 7) + large(1 << 14) + large(1 << 21);
    OBJECT_BYTES + name + value.size_bytes()
}

/// Where to end each question, so that no answer is expected to be too long; who answers at the end is
/// asked in one, and not in the first.
fn packed(steps: &[Step], closing: &[Step]) -> Vec<usize> {
    let (mut ends, mut used, mut count) = (Vec::new(), FRAME_BYTES, 0);
    for (at, step) in steps.iter().enumerate() {
        if count > 0 && (used + step.bytes > ANSWER_BYTES_MAX || count == OBJECTS_MAX) {
            ends.push(at);
            (used, count) = (FRAME_BYTES, 0);
        }
        used += step.bytes;
        count += 1;
    }
    let bytes: usize = closing.iter().map(|step| step.bytes).sum();
    let is_full = used + bytes > ANSWER_BYTES_MAX || count + closing.len() > OBJECTS_MAX;
    if count > 0 && (is_full || ends.is_empty()) {
        ends.push(steps.len());
    }
    ends.push(steps.len() + closing.len());
    ends
}
