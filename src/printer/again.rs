//! A whole walk of a device that was walked before: what to ask when it is known what it has.
//!
//! A first walk finds out how long each table is, and pays for every end that it oversteps. Here
//! each object is asked for behind the one before it, so that any row that came, went or moved shows
//! as another answer than was expected; and each table is asked once behind its last row. So as
//! many objects as an answer holds are asked at once, of whatever tables. Who answers is asked in
//! the first question and in the last one. What does not answer as expected is to be walked anew.
//! Pure: the agent sends [`Again::question`] and hands what comes to [`Again::absorb`].

mod course;

use std::collections::BTreeSet;
use std::sync::Arc;

use snmp::{Oid, Value, VarBind};

pub(crate) use self::course::Course;
use self::course::{Expects, Known};
use crate::profile::Profiles;
use crate::question::Plan;
use crate::walk::Walk;

/// Why a device is to be walked as if it were new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device does not answer as many objects as it was asked for")]
pub struct Unfit;

/// A walk of a device that was walked before.
#[derive(Debug)]
pub struct Again<'w> {
    last: &'w Walk,
    course: Arc<Course>,
    /// Where the questions end, by position in the steps.
    ends: Vec<usize>,
    stale: BTreeSet<usize>,
    missing: Vec<Oid>,
    /// What answered as expected, by position in the last walk; NULL where nothing did.
    news: Vec<Value>,
    /// Who answered the first question, and the last.
    first: Vec<VarBind>,
    latest: Vec<VarBind>,
    absorbed: usize,
}

/// What to ask in one GetNext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking<'c> {
    /// The objects behind which is asked.
    pub names: &'c [Oid],
    /// The same, as [`snmp::asking`] writes them.
    pub written: &'c [u8],
}

impl<'w> Again<'w> {
    /// Plans a walk by the last one, of what a whole reading of this device asks. None where it has so
    /// much that GetBulk is better.
    #[must_use]
    pub fn new(last: &'w Walk, profiles: &Profiles) -> Option<Self> {
        Self::on(last, Course::of(last, profiles))
    }

    /// As [`Again::new`], of what `plan` says.
    #[must_use]
    pub fn by(last: &'w Walk, plan: Plan) -> Option<Self> {
        Self::on(last, Arc::new(Course::by(last, plan)))
    }

    fn on(last: &'w Walk, course: Arc<Course>) -> Option<Self> {
        Some(Self {
            last,
            ends: course.known.as_ref()?.ends(last),
            course,
            stale: BTreeSet::new(),
            missing: Vec::new(),
            news: vec![Value::Null; last.len()],
            first: Vec::new(),
            latest: Vec::new(),
            absorbed: 0,
        })
    }

    fn known(&self) -> Option<&Known> {
        self.course.known.as_ref()
    }

    /// The next question. None when all are answered.
    #[must_use]
    pub fn question(&self) -> Option<Asking<'_>> {
        let (known, from) = (self.known()?, self.from());
        let to = *self.ends.get(self.absorbed)?;
        let octet = |at: usize| at.checked_sub(1).map_or(0, |at| known.written_to[at]);
        Some(Asking {
            names: &known.asked[from..to],
            written: &known.written[octet(from)..octet(to)],
        })
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
        let course = self.course.clone();
        let known = course.known.as_ref().ok_or(Unfit)?;
        self.absorbed += 1;
        self.latest.clear();
        for (step, came) in known.steps[from..to].iter().zip(answer) {
            let is_it = |at| came.oid.arcs() == self.last.name(at) && !came.value.is_absent();
            match step.expects {
                Expects::End { group, column } => {
                    let column = &known.groups[group][column];
                    let is_over = came.value == Value::EndOfMibView || !came.oid.is_under(column);
                    if !is_over {
                        self.stale.insert(group);
                    }
                }
                Expects::Identity(at) if is_it(at) => {
                    self.news[at] = came.value.clone();
                    self.latest.push(came);
                }
                Expects::Row { at, .. } | Expects::Scalar(at) if is_it(at) => {
                    self.news[at] = came.value;
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
        let course = self.course.clone();
        let groups = course.known.iter().flat_map(|known| &known.groups);
        let stale: Vec<Vec<Oid>> = groups
            .enumerate()
            .filter(|(group, _)| self.stale.contains(group))
            .map(|(_, columns)| columns.clone())
            .collect();
        for column in stale.iter().flatten() {
            self.news[self.last.positions(column.arcs())].fill(Value::Null);
        }
        (self.last.with_values(self.news), stale, self.missing)
    }
}
