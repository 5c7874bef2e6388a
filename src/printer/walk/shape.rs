//! The shape of a walk: which objects a device has, without what they hold.
//!
//! Printers of one model have the same objects, and a printer has the same ones from one reading to the
//! next. So names are kept once for all walks that have them, and so is how to ask for them again.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::names::Names;
use crate::again::Course;

/// Most shapes that are kept once for all: each takes up to 40 KiB. A device of yet another shape keeps
/// its names for itself.
const SHAPES_MAX: usize = 128;

/// The names of a walk, and how to ask for them again once that is known.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    names: Names,
    /// Whether it is the one that walks share.
    is_shared: bool,
    course: OnceLock<Arc<Course>>,
}

impl Shape {
    /// How a device of this shape is asked again, if it was asked so.
    pub(crate) fn course(&self) -> &OnceLock<Arc<Course>> {
        &self.course
    }
}

impl From<Names> for Shape {
    fn from(names: Names) -> Self {
        Self {
            names,
            is_shared: false,
            course: OnceLock::new(),
        }
    }
}

/// A copy is to be changed.
impl Clone for Shape {
    fn clone(&self) -> Self {
        self.names.clone().into()
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.names == other.names
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.hash(state);
    }
}

impl Deref for Shape {
    type Target = Names;

    fn deref(&self) -> &Names {
        &self.names
    }
}

impl DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut Names {
        (self.is_shared, self.course) = (false, OnceLock::new());
        &mut self.names
    }
}

/// The shapes that walks share.
#[derive(Debug, Default)]
pub struct Shapes(Mutex<HashSet<Arc<Shape>>>);

impl Shapes {
    /// The one of all that are alike; none where there is no room for another.
    pub(super) fn shared(&self, shape: &Arc<Shape>) -> Option<Arc<Shape>> {
        if shape.is_shared {
            return Some(shape.clone());
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(shape) {
            return Some(known.clone());
        }
        if kept.len() >= SHAPES_MAX {
            // What no walk has any more makes room.
            kept.retain(|it| Arc::strong_count(it) > 1);
        }
        (kept.len() < SHAPES_MAX).then(|| {
            let shared = Arc::new(Shape {
                names: shape.names.clone(),
                is_shared: true,
                course: shape.course.clone(),
            });
            kept.insert(shared.clone());
            shared
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(last: u32) -> Arc<Shape> {
        let mut names = Names::default();
        assert!(names.push(&[1, 3, 6, 1, last]));
        Arc::new(names.into())
    }

    #[test]
    fn what_is_alike_is_kept_once() {
        let shapes = Shapes::default();
        let one = shapes.shared(&shape(1)).unwrap();
        let other = shapes.shared(&shape(1)).unwrap();
        assert!(Arc::ptr_eq(&one, &other));
        assert!(one.is_shared);
        let mut changed = one.clone();
        assert!(Arc::make_mut(&mut changed).push(&[1, 3, 6, 2]));
        assert!(!changed.is_shared && changed != one);
    }

    #[test]
    fn there_is_no_end_of_shapes_but_of_those_that_are_kept() {
        let shapes = Shapes::default();
        let count = u32::try_from(SHAPES_MAX).unwrap();
        let held: Vec<Arc<Shape>> = (0..count)
            .map(|last| shapes.shared(&shape(last)).unwrap())
            .collect();
        assert!(shapes.shared(&shape(count)).is_none(), "all are in use");
        assert!(shapes.shared(&shape(0)).is_some(), "this one is known");
        drop(held);
        assert!(shapes.shared(&shape(count)).is_some(), "none is in use");
    }
}
