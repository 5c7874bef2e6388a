//! Printers of the fleet that may be one: a pure judgement over what each last told.
//!
//! Used by the portal and the commands, which show it. Nothing is merged by it: a person decides.

use jiff::Timestamp;
use printer::identity::DeviceId;
use printer::identity::score::{Place, Traits, Verdict, weigh};

use crate::store::agents::{AgentRow, Doubtful};
use crate::store::merges::{Families, Merge};
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

/// A printer of which its agent cannot tell whether it is another one, and nobody has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open<'a> {
    /// The agent's name.
    pub agent: &'a str,
    /// What it says.
    pub doubt: &'a Doubtful,
}

/// What the agents cannot tell and no person has said since: neither that they are one, nor that
/// they are two.
#[must_use]
pub fn open<'a>(agents: &'a [AgentRow], merges: &[Merge]) -> Vec<Open<'a>> {
    let families = Families::of(merges);
    let is_answered = |doubt: &Doubtful| {
        let root = families.root(&doubt.device);
        let is_one = doubt.may_be.iter().any(|it| families.root(it) == root);
        is_one || is_apart_since(merges, &doubt.device, doubt.since)
    };
    let told = agents.iter().filter_map(|agent| {
        let doubts = agent.status.as_ref()?.doubtful.iter();
        Some(doubts.map(|doubt| Open {
            agent: agent.name.as_str(),
            doubt,
        }))
    });
    told.flatten()
        .filter(|open| !is_answered(open.doubt))
        .collect()
}

fn is_apart_since(merges: &[Merge], device: &DeviceId, since: Timestamp) -> bool {
    let mut said = merges.iter().filter(|it| it.is_apart());
    said.any(|it| it.device == *device && it.at >= since)
}

/// The printers that may be the one under `root`, the likeliest first.
#[must_use]
pub fn of<'a>(fleet: &'a [PrinterRow], root: &DeviceId, merges: &[Merge]) -> Vec<Like<'a>> {
    let mut likes: Vec<(i32, Like<'a>)> = Vec::new();
    let own: Vec<&PrinterRow> = fleet.iter().filter(|row| row.root == *root).collect();
    // Two of which a person said since both were there that one is of its own.
    let are_two = |other: &PrinterRow| {
        let first = own.iter().map(|row| row.first_seen).max();
        let since = first.map_or(other.first_seen, |it| it.max(other.first_seen));
        is_apart_since(merges, root, since) || is_apart_since(merges, &other.root, since)
    };
    for other in fleet.iter().filter(|row| row.root != *root) {
        if are_two(other) {
            continue;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A printer of the fleet: its number, serial number, MAC, page count and hour.
    fn row(device: u8, serial: &str, mac: u8, total: u64, hour: u8) -> PrinterRow {
        let at = format!("2026-11-23T{hour:02}:00:00Z");
        let json = serde_json::json!({
            "schema": 1, "is_printer": true, "address": format!("10.0.0.{device}"), "at": at,
            "identity": {"vendor": "HP", "model": "M507", "serial": serial,
                "mac": format!("00:17:c8:00:00:{mac:02x}")},
            "status": {"state": "idle", "severity": "ok", "conditions": [], "console": []},
            "meters": [{"name": "total", "value": total, "unit": "impressions", "evidence":
                {"door": "snmp", "object": "", "raw": "", "rule": "printer-mib/life-count"}}],
            "supplies": [], "trays": [], "alerts": []
        });
        let device = DeviceId::parse(&format!("{device:032x}")).unwrap();
        PrinterRow {
            root: device.clone(),
            device,
            agent: "a".to_owned(),
            agent_name: "lyon".to_owned(),
            reading: serde_json::from_value(json).unwrap(),
            first_seen: at.parse().unwrap(),
            last_seen: at.parse().unwrap(),
            silent_since: None,
        }
    }

    #[test]
    fn a_printer_with_a_new_board_may_be_the_one_before() {
        let mut fleet = [
            row(1, "PHB1234567", 1, 90_000, 8),
            row(2, "PHB1234567", 2, 90_040, 9),
            row(3, "PHB7654321", 3, 90_060, 9),
            // A board that moved to another printer makes them no one printer.
            row(4, "PHB0000004", 1, 12, 9),
        ];
        let likes = of(&fleet, &fleet[1].root, &[]);
        assert_eq!(likes.len(), 1, "{likes:?}");
        assert_eq!(likes[0].other.device, fleet[0].device);
        let words = &likes[0].words;
        assert!(words.contains("network board changed"), "{words}");
        assert!(of(&fleet, &fleet[2].root, &[]).is_empty());
        assert!(of(&fleet, &fleet[3].root, &[]).is_empty());
        let apart = |at: &str| Merge {
            device: fleet[1].device.clone(),
            into: fleet[1].device.clone(),
            at: at.parse().unwrap(),
            by: "test".to_owned(),
            reason: "both stand there".to_owned(),
        };
        let after = [apart("2026-11-23T10:00:00Z")];
        assert!(
            of(&fleet, &fleet[0].root, &after).is_empty(),
            "a person said so"
        );
        let before = [apart("2026-11-23T08:30:00Z")];
        assert_eq!(
            of(&fleet, &fleet[0].root, &before).len(),
            1,
            "it came later"
        );
        fleet[1].root = fleet[0].root.clone();
        assert!(
            of(&fleet, &fleet[0].root, &[]).is_empty(),
            "they are one already"
        );
    }

    #[test]
    fn what_nobody_can_tell_is_said_too() {
        let fleet = [
            row(1, "PHB1234567", 1, 90_000, 8),
            row(2, "PHB1234567", 2, 12, 9),
        ];
        let likes = of(&fleet, &fleet[0].root, &[]);
        assert!(
            likes[0]
                .words
                .contains("two printers have one serial number")
        );
    }
}
