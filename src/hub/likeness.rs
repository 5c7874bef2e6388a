//! Printers of the fleet that may be one: a pure judgement over what each last told.
//!
//! Used by the portal and the commands, which show it. Nothing is merged by it: a person decides.

use printer::identity::DeviceId;
use printer::identity::score::{Place, Traits, Verdict, weigh};

use crate::store::printers::PrinterRow;

/// Most that are shown of one printer: a person compares no more.
const LIKE_MAX: usize = 5;

/// Another printer, and why it may be the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Like<'a> {
    /// The other.
    pub other: &'a PrinterRow,
    /// What was weighed, and what it comes to.
    pub words: String,
}

/// The printers that may be the one under `root`, the likeliest first.
#[must_use]
pub fn of<'a>(fleet: &'a [PrinterRow], root: &DeviceId) -> Vec<Like<'a>> {
    let mut likes: Vec<(i32, Like<'a>)> = Vec::new();
    let own: Vec<&PrinterRow> = fleet.iter().filter(|row| row.root == *root).collect();
    for other in fleet.iter().filter(|row| row.root != *root) {
        let scores = own.iter().filter_map(|row| like(row, other));
        let Some((points, words)) = scores.max_by_key(|(points, _)| *points) else {
            continue;
        };
        if likes.iter().all(|(_, it)| it.other.root != other.root) {
            likes.push((points, Like { other, words }));
        }
    }
    likes.sort_by_key(|(points, _)| std::cmp::Reverse(*points));
    likes.truncate(LIKE_MAX);
    likes.into_iter().map(|(_, like)| like).collect()
}

/// How alike two are, if they share a key and are not surely two: what was heard first is weighed
/// against what was heard later.
fn like(one: &PrinterRow, other: &PrinterRow) -> Option<(i32, String)> {
    let (older, newer) = if one.last_seen <= other.last_seen {
        (one, other)
    } else {
        (other, one)
    };
    let (was, is) = (Traits::of(&older.reading), Traits::of(&newer.reading));
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    let has_key = same(&was.keys.serial, &is.keys.serial)
        || same(&was.keys.mac, &is.keys.mac)
        || same(&was.keys.engine_id, &is.keys.engine_id)
        || same(&was.told.uuid, &is.told.uuid);
    if !has_key {
        return None;
    }
    let place = match (older.reading.address, newer.reading.address) {
        (Some(a), Some(b)) if a == b && older.agent == newer.agent => Place::Same,
        (_, _) => Place::Elsewhere,
    };
    let score = weigh(&was, &is, place);
    (score.verdict != Verdict::Other).then(|| (score.points, score.words()))
}
