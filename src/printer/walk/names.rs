//! The names of a walk, in order, their arcs in one piece: found without a look at most of them.

use std::ops::Range;

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
        self.under_from(self.lower_bound(root), root)
    }

    /// As [`Names::under`], quick where they stand at a place or soon behind it.
    pub(super) fn under_near(&self, near: usize, root: &[u32]) -> Range<usize> {
        let is_before = |at: usize| at < self.len() && self.get(at) < root;
        if near > 0 && !is_before(near - 1) {
            return self.under(root);
        }
        let mut step = 1;
        while is_before(near + step - 1) {
            step *= 2;
        }
        let (mut low, mut high) = (near + step / 2, near + step - 1);
        while low < high {
            let middle = (low + high) / 2;
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.under_from(low, root)
    }

    fn under_from(&self, from: usize, root: &[u32]) -> Range<usize> {
        let is_under = |at: usize| at < self.len() && self.get(at).starts_with(root);
        // Most columns have few rows; a whole MIB has many.
        let mut step = 1;
        while is_under(from + step - 1) {
            step *= 2;
        }
        let (mut low, mut high) = (from + step / 2, from + step - 1);
        while low < high {
            let middle = (low + high) / 2;
            if is_under(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        from..low
    }

    /// The first name that is not before this one. What the first and the last name have in common, all
    /// have, so that it is compared once.
    fn lower_bound(&self, name: &[u32]) -> usize {
        let Some(last) = self.len().checked_sub(1) else {
            return 0;
        };
        let common = self.get(0);
        let common = &common[..same(common, self.get(last))];
        let Some(name) = name.strip_prefix(common) else {
            return if name < common { 0 } else { self.len() };
        };
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            if &self.get(middle)[common.len()..] < name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// How many first arcs two names have in common.
fn same(a: &[u32], b: &[u32]) -> usize {
    let pairs = a.iter().zip(b);
    pairs.take_while(|(a, b)| a == b).count()
}
