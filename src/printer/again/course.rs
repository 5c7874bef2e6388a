//! What to ask of a device of which it is known what it has: the objects, one behind the other, and how
//! they are written. It depends on the shape of its last walk alone, so that devices share it.

use std::sync::Arc;

use snmp::{EncodeError, Oid};

use crate::profile::Profiles;
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
pub(super) struct Step {
    behind: Behind,
    pub(super) expects: Expects,
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
pub(super) enum Expects {
    /// An object of a table.
    Row { group: usize, at: usize },
    /// That nothing more of a column follows.
    End { group: usize, column: usize },
    /// An object that stands alone.
    Scalar(usize),
    /// One that tells who answers.
    Identity(usize),
}

/// Every object that is asked for, in order.
#[derive(Debug)]
pub(crate) struct Course {
    /// Name and version of the profile by which it was planned.
    profile: Option<(String, u32)>,
    /// None where a device has so much that GetBulk is better, or what cannot be asked for.
    pub(super) known: Option<Known>,
}

/// A course that can be taken.
#[derive(Debug)]
pub(super) struct Known {
    /// Who answers comes first, and once more at the end.
    pub(super) steps: Vec<Step>,
    /// How many steps ask who answers.
    identity: usize,
    /// The columns of each group.
    pub(super) groups: Vec<Vec<Oid>>,
    /// The name behind which each step asks.
    pub(super) asked: Vec<Oid>,
    /// The same, written as in a question.
    pub(super) written: Vec<u8>,
    /// Where in it each step ends.
    pub(super) written_to: Vec<usize>,
    /// Octets that the answer to each step is expected to have beside the value.
    octets: Vec<usize>,
}

impl Course {
    /// That of a device, by its last walk and its maker's profile; planned where none of its shape was
    /// asked before.
    pub(super) fn of(last: &Walk, profiles: &Profiles) -> Arc<Self> {
        let profile = profiles.for_walk(last);
        let is_by = |known: &(String, u32)| {
            profile.is_some_and(|it| it.name == known.0 && it.version == known.1)
        };
        let planned = || {
            Arc::new(Self {
                profile: profile.map(|it| (it.name.clone(), it.version)),
                known: Known::new(last, question::full(last, profiles)),
            })
        };
        let shared = last.course().get_or_init(planned);
        let is_its = match &shared.profile {
            Some(known) => is_by(known),
            None => profile.is_none(),
        };
        if is_its { shared.clone() } else { planned() }
    }

    /// By what a whole reading of the device asks.
    pub(super) fn by(last: &Walk, plan: Plan) -> Self {
        Self {
            profile: None,
            known: Known::new(last, plan),
        }
    }
}

impl Known {
    fn new(last: &Walk, plan: Plan) -> Option<Self> {
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
        let count = identity.len();
        steps.extend(identity);
        let asked = steps.iter().map(|step| step.asked(last, &plan.tables));
        let asked: Vec<Oid> = asked.collect();
        let (written, written_to) = written(&asked).ok()?;
        let octets = steps.iter().zip(&asked);
        let octets = octets.map(|(step, asked)| step.octets(last, asked));
        Some(Self {
            octets: octets.collect(),
            steps,
            identity: count,
            groups: plan.tables,
            asked,
            written,
            written_to,
        })
    }

    /// Where to end each question, so that no answer is expected to be too long, by what the values had
    /// in the last walk. Who answers at the end is asked in one, and not in the first.
    pub(super) fn ends(&self, last: &Walk) -> Vec<usize> {
        let octets = |(step, octets): (&Step, &usize)| {
            octets + step.value().map_or(0, |at| last.value(at).size_bytes())
        };
        let octets = self.steps.iter().zip(&self.octets).map(octets);
        let octets: Vec<usize> = octets.collect();
        let (steps, closing) = octets.split_at(octets.len() - self.identity);
        packed(steps, closing)
    }
}

/// Names as they are written in a question, and where each ends.
fn written(names: &[Oid]) -> Result<(Vec<u8>, Vec<usize>), EncodeError> {
    let mut written = Vec::new();
    let mut ends = Vec::with_capacity(names.len());
    for name in names {
        written.extend(snmp::asking(std::slice::from_ref(name))?);
        ends.push(written.len());
    }
    Ok((written, ends))
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
    /// The name behind which is asked.
    fn asked(&self, last: &Walk, groups: &[Vec<Oid>]) -> Oid {
        match (self.behind, self.expects) {
            (Behind::Before(at), _) => before(last.name(at)),
            (Behind::Object(at), _) => Oid::new(last.name(at)),
            (Behind::Column(column), Expects::Row { group, .. } | Expects::End { group, .. }) => {
                groups[group][column].clone()
            }
            (Behind::Column(_), Expects::Scalar(_) | Expects::Identity(_)) => Oid::default(),
        }
    }

    /// Octets that its answer is expected to have beside the value. Where nothing is expected, what is
    /// named is what was asked.
    fn octets(&self, last: &Walk, asked: &Oid) -> usize {
        match self.expects {
            Expects::Row { at, .. } | Expects::Scalar(at) | Expects::Identity(at) => {
                octets(last.name(at))
            }
            Expects::End { .. } => octets(asked.arcs()),
        }
    }

    /// Where in the last walk the value stood that its answer is expected to have.
    fn value(&self) -> Option<usize> {
        match self.expects {
            Expects::Row { at, .. } | Expects::Scalar(at) | Expects::Identity(at) => Some(at),
            Expects::End { .. } => None,
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

/// Octets of an object in an answer beside its value, near enough.
fn octets(name: &[u32]) -> usize {
    let octets = |arc: &u32| {
        1 + usize::from(*arc >= 1 << 7)
            + usize::from(*arc >= 1 << 14)
            + usize::from(*arc >= 1 << 21)
    };
    OBJECT_BYTES + name.iter().map(octets).sum::<usize>()
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

#[cfg(test)]
mod tests {
    use snmp::{Value, VarBind};

    use super::*;
    use crate::mib;
    use crate::walk::Shapes;

    /// A device that has no more than a maker, kept among others.
    fn of_maker(number: u32, shapes: &Shapes) -> Walk {
        let kind = Oid::new(mib::ENTERPRISES).with(&[number, 1]);
        let object = Oid::new(mib::SYS_OBJECT_ID).with(&[mib::SCALAR]);
        let walk: Walk = [VarBind::new(object, Value::ObjectId(kind.into()))]
            .into_iter()
            .collect();
        walk.pack(shapes).unpack().unwrap()
    }

    #[test]
    fn devices_of_one_shape_share_a_course_unless_their_makers_differ() {
        let profiles = Profiles::embedded().unwrap();
        let course = |number| Course::of(&of_maker(number, profiles.shapes()), &profiles);
        let (ricoh, nobody) = (course(367), course(99_999));
        assert!(Arc::ptr_eq(&ricoh, &course(367)), "it is planned once");
        let groups = |course: &Course| course.known.as_ref().map(|it| it.groups.len());
        let planned = |number: u32| {
            let walk = of_maker(number, &Shapes::default());
            groups(&Course::by(&walk, question::full(&walk, &profiles)))
        };
        assert_eq!(
            (groups(&ricoh), groups(&nobody)),
            (planned(367), planned(99_999))
        );
        assert_ne!(groups(&ricoh), groups(&nobody));
    }
}
