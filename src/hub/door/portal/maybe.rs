//! Other printers of the fleet that one may be: what a printer's page says of them.

use printer::identity::DeviceId;

use super::words;
use crate::likeness::{self, Open};
use crate::store::agents::AgentRow;
use crate::store::merges::Merge;
use crate::store::printers::PrinterRow;

/// Another printer of the fleet, which may be this one.
pub(super) struct MaybeOne {
    pub(super) name: String,
    pub(super) link: String,
    pub(super) why: String,
    pub(super) order: String,
}

/// Everyone that a printer may be: by what the hub has of both, and by what their agents say.
pub(super) fn all(
    fleet: &[PrinterRow],
    root: &DeviceId,
    (merges, agents): (&[Merge], &[AgentRow]),
) -> Vec<MaybeOne> {
    let likes = likeness::of(fleet, root, merges).into_iter();
    let mut all: Vec<MaybeOne> = likes
        .map(|like| MaybeOne::of(like.other, root, like.words))
        .collect();
    for open in likeness::open(agents, merges) {
        for other in others(fleet, root, &open) {
            let one = MaybeOne::of(other, root, open.doubt.why.clone());
            if all.iter().all(|it| it.link != one.link) {
                all.push(one);
            }
        }
    }
    all
}

/// The printers that a doubt about this one is about.
fn others<'a>(
    fleet: &'a [PrinterRow],
    root: &DeviceId,
    open: &Open<'_>,
) -> impl Iterator<Item = &'a PrinterRow> {
    let row = |device: &DeviceId| fleet.iter().find(|row| row.device == *device);
    let doubtful = row(&open.doubt.device);
    let may_be: Vec<&PrinterRow> = open.doubt.may_be.iter().filter_map(row).collect();
    let is_this = |row: &&PrinterRow| row.root == *root;
    let others = if doubtful.as_ref().is_some_and(is_this) {
        may_be
    } else if may_be.iter().any(is_this) {
        doubtful.into_iter().collect()
    } else {
        Vec::new()
    };
    others.into_iter()
}

impl MaybeOne {
    fn of(other: &PrinterRow, root: &DeviceId, why: String) -> Self {
        Self {
            name: words::printer_name(&other.reading),
            link: format!("/printers/{}", other.root),
            why,
            order: format!(
                "platen-hub printer merge {} {root} --reason '…'",
                other.root
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::agents::Doubtful;

    fn row(device: u8) -> PrinterRow {
        let json = serde_json::json!({
            "schema": 1, "is_printer": true, "address": format!("10.0.0.{device}"),
            "at": "2026-11-23T08:00:00Z", "identity": {"vendor": "HP", "model": "M507"},
            "status": {"state": "idle", "severity": "ok", "conditions": [], "console": []},
            "meters": [], "supplies": [], "trays": [], "alerts": []
        });
        let device = DeviceId::parse(&format!("{device:032x}")).unwrap();
        PrinterRow {
            root: device.clone(),
            device,
            agent: "a".to_owned(),
            agent_name: "lyon".to_owned(),
            reading: serde_json::from_value(json).unwrap(),
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            silent_since: None,
        }
    }

    #[test]
    fn what_an_agent_cannot_tell_stands_with_both_printers_and_no_other() {
        let fleet = [row(1), row(2), row(3)];
        let doubt = Doubtful {
            device: fleet[1].device.clone(),
            address: "10.0.0.2".to_owned(),
            may_be: vec![fleet[0].device.clone()],
            more: 0,
            why: "new MAC, same model".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        let open = Open {
            agent: "lyon",
            doubt: &doubt,
        };
        let names = |at: usize| -> Vec<&str> {
            let others = others(&fleet, &fleet[at].root, &open);
            others.map(|row| row.device.as_str()).collect()
        };
        assert_eq!(names(0), [fleet[1].device.as_str()]);
        assert_eq!(names(1), [fleet[0].device.as_str()]);
        assert!(names(2).is_empty());
    }
}
