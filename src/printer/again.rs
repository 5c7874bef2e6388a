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

/// One object that is asked for by the one before it. Objects are named by their position in the last
/// walk, columns by those of their group and in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    behind: Behind,
    expects: Expects,
}

/// The name behind which is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// An object's own.
    Object(usize),
    /// That of a column of the group that is walked.
    Column(usize),
    /// One before that of an object.
    Before(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// An object of a table.
    Row { group: usize, at: usize },
    /// That nothing more of a column follows.
    End { group: usize, column: usize },
    /// An object that stands alone.
    Scalar(usize),
    /// One that tells who answers.
    Identity(usize),
}

/// Why a device is to be walked as if it were new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device does not answer as many objects as it was asked for")]
pub struct Unfit;

/// A walk of a device that was walked before.
#[derive(Debug)]
pub struct Again<'w> {
    last: &'w Walk,
    steps: Vec<Step>,
    /// Where the questions end, by position in the steps.
    ends: Vec<usize>,
    groups: Vec<Vec<Oid>>,
    stale: BTreeSet<usize>,
    missing: Vec<Oid>,
    /// What answered as expected, by position in the last walk.
    news: Vec<Option<Value>>,
    /// Who answered the first question, and the last.
    first: Vec<VarBind>,
    latest: Vec<VarBind>,
    absorbed: usize,
}

impl<'w> Again<'w> {
    /// Plans a walk by the last one. `plan` is what a whole reading of this device asks. None where
    /// it has so much that GetBulk is better.
    #[must_use]
    pub fn new(last: &'w Walk, plan: Plan) -> Option<Self> {
        let known = question::identity();
        let identity = known
            .iter()
            .filter_map(|oid| scalar(oid, last, Expects::Identity));
        let identity: Vec<Step> = identity.collect();
        let is_in_table = |oid: &Oid| plan.tables.iter().flatten().any(|it| oid.is_under(it));
        let alone = question::probe().into_iter().chain(plan.scalars);
        let mut alone: Vec<Oid> = alone.filter(|oid| !known.contains(oid)).collect();
        alone.sort_unstable();
        alone.dedup();
        alone.retain(|oid| !is_in_table(oid));
        let mut steps = Vec::with_capacity(2 * identity.len() + last.len() + plan.tables.len());
        steps.extend_from_slice(&identity);
        let alone = alone.iter();
        steps.extend(alone.filter_map(|oid| scalar(oid, last, Expects::Scalar)));
        for (group, columns) in plan.tables.iter().enumerate() {
            table(&mut steps, group, columns, last);
        }
        if steps.len() > STEPS_MAX {
            return None;
        }
        let bytes = |step: &Step| step.bytes(last, &plan.tables);
        let closing: Vec<usize> = identity.iter().map(bytes).collect();
        let ends = packed(&steps.iter().map(bytes).collect::<Vec<_>>(), &closing);
        steps.extend(identity);
        Some(Self {
            last,
            steps,
            ends,
            groups: plan.tables,
            stale: BTreeSet::new(),
            missing: Vec::new(),
            news: vec![None; last.len()],
            first: Vec::new(),
            latest: Vec::new(),
            absorbed: 0,
        })
    }

    /// The next question: the objects to ask behind, in one GetNext. None when all are answered.
    #[must_use]
    pub fn question(&self) -> Option<Vec<Oid>> {
        let to = *self.ends.get(self.absorbed)?;
        let behind = |step: &Step| match step.behind {
            Behind::Before(at) => before(self.last.name(at)),
            Behind::Object(_) | Behind::Column(_) => {
                Oid::new(step.name_behind(self.last, &self.groups))
            }
        };
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
            let is_it = |at| came.oid.arcs() == self.last.name(at) && !came.value.is_absent();
            match step.expects {
                Expects::End { group, column } => {
                    let column = &self.groups[group][column];
                    let is_over = came.value == Value::EndOfMibView || !came.oid.is_under(column);
                    if !is_over {
                        self.stale.insert(group);
                    }
                }
                Expects::Identity(at) if is_it(at) => {
                    self.news[at] = Some(came.value.clone());
                    self.latest.push(came);
                }
                Expects::Row { at, .. } | Expects::Scalar(at) if is_it(at) => {
                    self.news[at] = Some(came.value);
                }
                Expects::Row { group, .. } => {
                    self.stale.insert(group);
                }
                Expects::Scalar(at) | Expects::Identity(at) => {
                    self.missing.push(Oid::new(self.last.name(at)));
                }
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

    /// Whether who answered the last question said the same as who answered the first.
    #[must_use]
    pub fn is_latest_as_first(&self) -> bool {
        self.latest == self.first
    }

    /// Everything that answered as expected; the groups of columns that are to be walked anew, with
    /// nothing of them in it; and the objects that stand alone and did not show behind the one before.
    #[must_use]
    pub fn finish(mut self) -> (Walk, Vec<Vec<Oid>>, Vec<Oid>) {
        let groups = self.groups.into_iter().enumerate();
        let stale: Vec<Vec<Oid>> = groups
            .filter(|(group, _)| self.stale.contains(group))
            .map(|(_, columns)| columns)
            .collect();
        for column in stale.iter().flatten() {
            self.news[self.last.positions(column.arcs())].fill(None);
        }
        (self.last.with_values(self.news), stale, self.missing)
    }
}

/// The step to an object that stands alone, if the device had it.
fn scalar(oid: &Oid, last: &Walk, expects: impl Fn(usize) -> Expects) -> Option<Step> {
    let at = last.position(oid)?;
    Some(Step {
        behind: Behind::Before(at),
        expects: expects(at),
    })
}

impl Step {
    /// The name behind which is asked, but for [`Behind::Before`], which is that of the object.
    fn name_behind<'a>(&self, last: &'a Walk, groups: &'a [Vec<Oid>]) -> &'a [u32] {
        match (self.behind, self.expects) {
            (Behind::Object(at) | Behind::Before(at), _) => last.name(at),
            (Behind::Column(column), Expects::Row { group, .. } | Expects::End { group, .. }) => {
                groups[group][column].arcs()
            }
            (Behind::Column(_), Expects::Scalar(_) | Expects::Identity(_)) => &[],
        }
    }

    /// Octets that its answer is expected to have.
    fn bytes(&self, last: &Walk, groups: &[Vec<Oid>]) -> usize {
        match self.expects {
            Expects::Row { at, .. } | Expects::Scalar(at) | Expects::Identity(at) => {
                bytes(last.name(at), last.value(at))
            }
            Expects::End { .. } => bytes(self.name_behind(last, groups), &Value::Null),
        }
    }
}

/// A table of a group: the rows of its longest column, and columns, by position, with the object behind
/// which each is to be asked whether it goes on.
struct Table<'c> {
    entry: &'c [u32],
    rows: usize,
    end: Option<(usize, Behind)>,
    empty: Vec<(usize, Behind)>,
}

/// The steps through a group of columns: behind each row to the next, and in each table once behind
/// the last row of its longest column. A column without rows is asked whether it has any. A row that
/// comes to shorter columns alone shows once the device is walked as if it were new.
fn table(steps: &mut Vec<Step>, group: usize, columns: &[Oid], last: &Walk) {
    let mut tables: Vec<Table> = Vec::new();
    for (position, column) in columns.iter().enumerate() {
        let rows = last.positions(column.arcs());
        let mut behind = Behind::Column(position);
        for at in rows.clone() {
            steps.push(Step {
                behind: std::mem::replace(&mut behind, Behind::Object(at)),
                expects: Expects::Row { group, at },
            });
        }
        let entry = column
            .arcs()
            .split_last()
            .map_or(&[][..], |(_, entry)| entry);
        let (rows, end) = (rows.len(), (position, behind));
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
        behind,
        expects: Expects::End { group, column },
    }));
}

/// An identifier behind which this one comes next: nothing can stand between them but what lies
/// under an object that ends where this one does, which none of the MIBs here has.
fn before(name: &[u32]) -> Oid {
    match name.split_last() {
        Some((0, parent)) => Oid::new(parent),
        Some((arc, parent)) => Oid::new(parent).with(&[arc - 1]),
        None => Oid::default(),
    }
}

/// Octets of an object in an answer, near enough.
fn bytes(name: &[u32], value: &Value) -> usize {
    let octets = |arc: &u32| {
        1 + usize::from(*arc >= 1 << 7)
            + usize::from(*arc >= 1 << 14)
            + usize::from(*arc >= 1 << 21)
    };
    OBJECT_BYTES + name.iter().map(octets).sum::<usize>() + value.size_bytes()
}

/// Where to end each question, by the octets of each answer, so that no answer is expected to be too long; who answers at the end is
/// asked in one, and not in the first.
fn packed(steps: &[usize], closing: &[usize]) -> Vec<usize> {
    let (mut ends, mut used, mut count) = (Vec::new(), FRAME_BYTES, 0);
    for (at, bytes) in steps.iter().enumerate() {
        if count > 0 && (used + bytes > ANSWER_BYTES_MAX || count == OBJECTS_MAX) {
            ends.push(at);
            (used, count) = (FRAME_BYTES, 0);
        }
        used += bytes;
        count += 1;
    }
    let bytes: usize = closing.iter().sum();
    let is_full = used + bytes > ANSWER_BYTES_MAX || count + closing.len() > OBJECTS_MAX;
    if count > 0 && (is_full || ends.is_empty()) {
        ends.push(steps.len());
    }
    ends.push(steps.len() + closing.len());
    ends
}
