//! What may be given up when the disk is full, and what never.
//!
//! Never: readings in which an alert came or went, a supply was replaced, a counter fell, the device
//! was started again, or has another firmware or address, and the first meters of each UTC day. Everything else lies between others and may be thinned.

use printer::change::Change;
use printer::reading::Reading;

use crate::spool::Importance;

/// How important a reading is. Without changes, because there is no reading before it, its alerts
/// count as new.
pub(super) fn of(
    reading: &Reading,
    changes: Option<&[Change]>,
    is_first_of_day: bool,
) -> Importance {
    let never = |change: &Change| match change {
        Change::AlertRaised { .. }
        | Change::AlertCleared { .. }
        | Change::SupplyReplaced { .. }
        | Change::CounterDecreased { .. }
        | Change::Rebooted { .. }
        | Change::Firmware { .. }
        | Change::Address { .. } => true,
        Change::Meter { .. }
        | Change::SupplyLevel { .. }
        | Change::Status { .. }
        | Change::Tray { .. }
        | Change::Identity { .. } => false,
    };
    let is_event = match changes {
        Some(changes) => changes.iter().any(never),
        None => !reading.alerts.is_empty(),
    };
    let is_daily_meter = is_first_of_day && !reading.meters.is_empty();
    if is_event || is_daily_meter {
        Importance::Keep
    } else {
        Importance::Thinnable
    }
}

#[cfg(test)]
mod tests {
    use printer::change;
    use serde_json::{Value, json};

    use super::*;

    fn evidence() -> Value {
        json!({"door": "snmp", "object": "", "raw": "", "rule": "printer-mib/level-of-capacity"})
    }

    fn reading(total: u64, percent: f64, alerts: usize) -> Reading {
        let alert = json!({"index": "1", "severity": "critical", "group": 8, "code": 8,
            "name": "jam", "description": "Paper jam", "training": "untrained"});
        let supply = json!({"index": "1.1", "description": "Black", "class": "consumed",
            "type": "toner", "unit": "percent", "level": {"state": "percent", "percent": percent},
            "evidence": evidence()});
        let meter = json!({"name": "total", "value": total, "unit": "impressions",
            "evidence": evidence()});
        let meters = if total == 0 { vec![] } else { vec![meter] };
        let body = json!({
            "schema": 1, "is_printer": true, "at": "2026-11-25T08:00:00Z",
            "identity": {}, "status": {"state": "idle", "severity": "ok", "conditions": [],
            "console": []}, "meters": meters, "supplies": [supply], "trays": [],
            "alerts": vec![alert; alerts],
        });
        serde_json::from_value(body).unwrap()
    }

    fn after(older: &Reading, newer: &Reading) -> Importance {
        of(newer, Some(&change::between(older, newer)), false)
    }

    #[test]
    fn alerts_and_replacements_are_kept_and_what_lies_between_is_not() {
        let usual = reading(100, 40.0, 0);
        let jammed = reading(100, 40.0, 1);
        assert_eq!(after(&usual, &jammed), Importance::Keep, "an alert came");
        assert_eq!(after(&jammed, &usual), Importance::Keep, "it went");
        let refilled = reading(100, 95.0, 0);
        assert_eq!(
            after(&usual, &refilled),
            Importance::Keep,
            "a supply was replaced"
        );
        let later = reading(120, 39.0, 0);
        assert_eq!(after(&usual, &later), Importance::Thinnable);
        assert_eq!(
            after(&jammed, &reading(120, 39.0, 1)),
            Importance::Thinnable
        );
    }

    #[test]
    fn the_first_meters_of_a_day_are_kept() {
        let usual = reading(100, 40.0, 0);
        assert_eq!(of(&usual, Some(&[]), true), Importance::Keep);
        assert_eq!(of(&usual, Some(&[]), false), Importance::Thinnable);
        let silent = reading(0, 40.0, 0);
        assert_eq!(
            of(&silent, Some(&[]), true),
            Importance::Thinnable,
            "no meters"
        );
    }

    #[test]
    fn alerts_that_stand_at_the_first_reading_are_kept() {
        assert_eq!(of(&reading(0, 40.0, 1), None, false), Importance::Keep);
        assert_eq!(
            of(&reading(100, 40.0, 0), None, false),
            Importance::Thinnable
        );
    }
}
