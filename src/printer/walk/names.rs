//! The names of a walk, in order, their arcs in one piece: found without a look at most of them.

use std::ops::Range;

/// Arcs that nearly all names have in common, compared at once: those of mib-2 (1.3.6.1.2.1).
const ARCS_COMMON: usize = 6;

/// Most arcs of a name (RFC 2578), without which few octets could ask for much memory.
const ARCS_LIMIT: u64 = snmp::ARCS_MAX as u64;

/// Arcs of most names.
const ARCS_USUAL: usize = 14;

/// Arcs of a name that is put together without memory of its own.
const ARCS_SHORT: usize = 32;

/// Names in ascending order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Names {
    /// The arcs of all, one name behind the other.
    arcs: Vec<u32>,
    /// Where each name ends.
    ends: Vec<usize>,
}

impl Names {
    /// With room for so many of usual length.
    pub(super) fn with_capacity(names: usize) -> Self {
        Self {
            arcs: Vec::with_capacity(names * ARCS_USUAL),
            ends: Vec::with_capacity(names),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The arcs of a name.
    pub(super) fn get(&self, at: usize) -> &[u32] {
        &self.arcs[self.begin(at)..self.ends[at]]
    }

    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// Puts a name behind all others, unless it does not belong there.
    pub(super) fn push(&mut self, name: &[u32]) -> bool {
        let is_next = self.ends.is_empty() || self.get(self.len() - 1) < name;
        if is_next {
            self.arcs.extend_from_slice(name);
            self.ends.push(self.arcs.len());
        }
        is_next
    }

    /// As [`Names::push`], of a name that has so many first arcs of the last one, and then `count` of
    /// its own. Whoever gets false throws the names away.
    pub(super) fn push_sharing(
        &mut self,
        shared: usize,
        count: u64,
        mut arc: impl FnMut() -> Option<u32>,
    ) -> bool {
        let from = self.arcs.len();
        let last = self
            .len()
            .checked_sub(1)
            .map_or(from, |last| self.begin(last));
        let length = u64::try_from(shared)
            .unwrap_or(u64::MAX)
            .saturating_add(count);
        if shared > from - last || length > ARCS_LIMIT {
            return false;
        }
        self.arcs.extend_from_within(last..last + shared);
        for _ in 0..count {
            let Some(arc) = arc() else {
                return false;
            };
            self.arcs.push(arc);
        }
        let is_next =
            self.ends.is_empty() || self.arcs[last + shared..from] < self.arcs[from + shared..];
        self.ends.push(self.arcs.len());
        is_next
    }

    /// Takes names away.
    pub(super) fn remove(&mut self, gone: Range<usize>) {
        if gone.is_empty() {
            return;
        }
        let arcs = self.begin(gone.start)..self.ends[gone.end - 1];
        let count = arcs.len();
        self.arcs.drain(arcs);
        self.ends.drain(gone.clone());
        for end in &mut self.ends[gone.start..] {
            *end -= count;
        }
    }

    /// Where a name stands.
    pub(super) fn find(&self, name: &[u32]) -> Option<usize> {
        let at = self.lower_bound(name);
        (at < self.len() && self.get(at) == name).then_some(at)
    }

    /// Where a name stands that is a column and a row behind it.
    pub(super) fn find_row(&self, column: &[u32], row: &[u32]) -> Option<usize> {
        let mut short = [0; ARCS_SHORT];
        match short.get_mut(..column.len() + row.len()) {
            Some(name) => {
                let (first, second) = name.split_at_mut(column.len());
                first.copy_from_slice(column);
                second.copy_from_slice(row);
                self.find(name)
            }
            None => self.find(&[column, row].concat()),
        }
    }

    /// The names under a root.
    pub(super) fn under(&self, root: &[u32]) -> Range<usize> {
        let from = self.lower_bound(root);
        let is_under = |at: usize| at < self.len() && self.get(at).starts_with(root);
        // Most columns have few rows; a whole MIB has many.
        let mut step = 1;
        while is_under(from + step - 1) {
            step *= 2;
        }
        let (mut low, mut high) = (from + step / 2, from + step - 1);
        while low < high {
            let middle = low.midpoint(high);
            if is_under(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        from..low
    }

    /// The first name that is not before this one. What a name has in common with both ends of what is
    /// left to search, all between have too, so that it is not compared again.
    fn lower_bound(&self, name: &[u32]) -> usize {
        let (mut low, mut high) = (0, self.len());
        let (mut same_low, mut same_high) = (0, 0);
        while low < high {
            let middle = low.midpoint(high);
            let held = self.get(middle);
            let same = same(held, name, same_low.min(same_high));
            if held.get(same) < name.get(same) {
                (low, same_low) = (middle + 1, same);
            } else {
                (high, same_high) = (middle, same);
            }
        }
        low
    }
}

/// How many first arcs two names have in common, of which so many are known to be.
fn same(a: &[u32], b: &[u32], known: usize) -> usize {
    let is_common = known < ARCS_COMMON && {
        let (a, b) = (
            a.first_chunk::<ARCS_COMMON>(),
            b.first_chunk::<ARCS_COMMON>(),
        );
        a.is_some() && a == b
    };
    let mut same = if is_common { ARCS_COMMON } else { known };
    let both = a.len().min(b.len());
    while same < both && a[same] == b[same] {
        same += 1;
    }
    same
}
