//! How the printers of a fleet file live.

use serde::Deserialize;

use super::{FleetError, within};
use crate::life::{LifeSettings, Sleep};

#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLife {
    pages_per_hour: Option<u32>,
    pages_per_job: Option<u32>,
    color_percent: Option<u32>,
    duplex_percent: Option<u32>,
    coverage_percent: Option<u32>,
    low_percent: Option<u32>,
    jams_per_10000_pages: Option<u32>,
    repair_secs: Option<u32>,
    sleep_after_secs: Option<u32>,
    sleep: Option<Sleep>,
    reboot_hours: Option<u32>,
    early_percent: Option<u32>,
    rolls_over_at: Option<u32>,
    reset_hours: Option<u32>,
}

/// The group's keys before the fleet's, before the defaults.
pub(super) fn check(own: &RawLife, fleet: &RawLife) -> Result<LifeSettings, FleetError> {
    let usual = LifeSettings::default();
    let pick = |own: Option<u32>, fleet: Option<u32>, usual: u32| own.or(fleet).unwrap_or(usual);
    let life = LifeSettings {
        pages_per_hour: pick(
            own.pages_per_hour,
            fleet.pages_per_hour,
            usual.pages_per_hour,
        ),
        pages_per_job: pick(own.pages_per_job, fleet.pages_per_job, usual.pages_per_job),
        color_percent: pick(own.color_percent, fleet.color_percent, usual.color_percent),
        duplex_percent: pick(
            own.duplex_percent,
            fleet.duplex_percent,
            usual.duplex_percent,
        ),
        coverage_percent: pick(
            own.coverage_percent,
            fleet.coverage_percent,
            usual.coverage_percent,
        ),
        low_percent: pick(own.low_percent, fleet.low_percent, usual.low_percent),
        jams_per_10000_pages: pick(
            own.jams_per_10000_pages,
            fleet.jams_per_10000_pages,
            usual.jams_per_10000_pages,
        ),
        repair_secs: pick(own.repair_secs, fleet.repair_secs, usual.repair_secs),
        sleep_after_secs: pick(
            own.sleep_after_secs,
            fleet.sleep_after_secs,
            usual.sleep_after_secs,
        ),
        sleep: own.sleep.or(fleet.sleep).unwrap_or(usual.sleep),
        reboot_hours: pick(own.reboot_hours, fleet.reboot_hours, usual.reboot_hours),
        early_percent: pick(own.early_percent, fleet.early_percent, usual.early_percent),
        rolls_over_at: pick(own.rolls_over_at, fleet.rolls_over_at, usual.rolls_over_at),
        reset_hours: pick(own.reset_hours, fleet.reset_hours, usual.reset_hours),
    };
    are_within(&life)?;
    Ok(life)
}

fn are_within(life: &LifeSettings) -> Result<(), FleetError> {
    within(
        "pages_per_hour",
        "0 to 100000",
        life.pages_per_hour <= 100_000,
    )?;
    within(
        "pages_per_job",
        "1 to 10000",
        (1..=10_000).contains(&life.pages_per_job),
    )?;
    within("color_percent", "0 to 100", life.color_percent <= 100)?;
    within("duplex_percent", "0 to 100", life.duplex_percent <= 100)?;
    within(
        "coverage_percent",
        "1 to 100",
        (1..=100).contains(&life.coverage_percent),
    )?;
    within("low_percent", "0 to 100", life.low_percent <= 100)?;
    within(
        "jams_per_10000_pages",
        "0 to 9999",
        life.jams_per_10000_pages < 10_000,
    )?;
    within(
        "repair_secs",
        "1 to 864000",
        (1..=864_000).contains(&life.repair_secs),
    )?;
    within("early_percent", "0 to 100", life.early_percent <= 100)?;
    within(
        "rolls_over_at",
        "0, or 10000 to 4294967295",
        life.rolls_over_at == 0 || life.rolls_over_at >= 10_000,
    )
}
