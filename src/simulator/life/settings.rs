//! How a printer lives: the settings of a life.

/// How a printer lives: the keys of `[life]` in a fleet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeSettings {
    /// Pages an hour, on average.
    pub pages_per_hour: u32,
    /// Pages a job, on average.
    pub pages_per_job: u32,
    /// How many jobs of a hundred are in color.
    pub color_percent: u32,
    /// How many jobs of a hundred are printed on both sides.
    pub duplex_percent: u32,
    /// How much of a page is covered, in percent.
    pub coverage_percent: u32,
    /// From which level on a supply is low, in percent.
    pub low_percent: u32,
    /// Jams in ten thousand pages.
    pub jams_per_10000_pages: u32,
    /// Until somebody brings paper, a cartridge, or a hand, in simulated seconds.
    pub repair_secs: u32,
    /// Idle time before the device sleeps, in simulated seconds.
    pub sleep_after_secs: u32,
    /// How it sleeps.
    pub sleep: Sleep,
    /// Between two starts, on average, in simulated hours; 0 for never.
    pub reboot_hours: u32,
    /// How many supplies of a hundred are replaced before they are used up.
    pub early_percent: u32,
    /// The first count that its page counters cannot show: they begin again at 0. 0 for never.
    pub rolls_over_at: u32,
    /// Between two resets of its page counters, on average, in simulated hours; 0 for never.
    pub reset_hours: u32,
}

/// How a device sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sleep {
    /// It does not sleep.
    Never,
    /// It answers, and says that it stands by.
    #[default]
    Standby,
    /// It does not answer.
    Silent,
}

impl Default for LifeSettings {
    fn default() -> Self {
        Self {
            pages_per_hour: 120,
            pages_per_job: 6,
            color_percent: 40,
            duplex_percent: 50,
            coverage_percent: 5,
            low_percent: 10,
            jams_per_10000_pages: 4,
            repair_secs: 600,
            sleep_after_secs: 900,
            sleep: Sleep::Standby,
            reboot_hours: 336,
            early_percent: 0,
            rolls_over_at: 0,
            reset_hours: 0,
        }
    }
}
